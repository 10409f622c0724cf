# Each fuzz target on the same inputs every time: what was found and mended must stay so. To find more: `make fuzz`.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
source "$SCRIPTS/fuzz.sh"
command -v c++ >/dev/null 2>&1 || skip "libFuzzer is built with a C++ compiler, and there is no c++ here"
TIME=${FUZZ_TIME:-20} SEED=1 RUNS=${FUZZ_RUNS:-20000}
fuzz_build
for target in "${TARGETS[@]}"; do
    runs=0
    # What an earlier run kept would make it another run.
    rm -rf "$OUT/corpus/$target"
    if fuzz_run "$target"; then read -r runs _ < <(fuzz_report "$target"); else tail -n 40 "$OUT/$target.log"; fi
    if [ "$runs" -gt 0 ]; then
        echo "ok      fuzz.$target ($runs executions)"; tally 1 0
    else
        echo "FAILED  fuzz.$target"; tally 0 1
    fi
done
