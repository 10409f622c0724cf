# Each fuzz target for some seconds (TIME): what was found and mended must stay so. Whole runs: `make fuzz`.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
source "$SCRIPTS/fuzz.sh"
command -v c++ >/dev/null 2>&1 || skip "libFuzzer is built with a C++ compiler, and there is no c++ here"
TIME=${FUZZ_TIME:-5}
fuzz_build
for target in "${TARGETS[@]}"; do
    runs=0
    if fuzz_run "$target"; then read -r runs _ < <(fuzz_report "$target"); else tail -n 40 "$OUT/$target.log"; fi
    if [ "$runs" -gt 0 ]; then
        echo "ok      fuzz.$target ($runs executions in $TIME s)"; tally 1 0
    else
        echo "FAILED  fuzz.$target"; tally 0 1
    fi
done
