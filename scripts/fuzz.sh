#!/usr/bin/env bash
# Fuzzing: builds the targets of fuzz/ with the stable compiler and runs each for a time, from the seeds of fuzz/corpus.
#
#   scripts/fuzz.sh [target ...]       all of them, or these
#   TIME=60                            seconds for each
#   SEED=1 RUNS=20000                  the same inputs every time, and no more than so many (default: by chance, no limit)
#
# Ends with a line for each target: executions, coverage (edges), inputs kept, peak memory. A find ends that target; the
# input that made it is then in fuzz/artifacts/<target>. Needs a C++ compiler besides what the rest needs, for libFuzzer.
# The same targets run with `cargo fuzz run <target>`, which needs a nightly compiler and adds the address sanitizer.

source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

TIME=${TIME:-60}
[[ $TIME =~ ^[1-9][0-9]*$ ]] || die "TIME is a number of seconds, not '$TIME'"
FUZZ=$ROOT/fuzz
TARGETS=(function_body connstr uri passfile service_file server_options answers)
use_rust
MACHINE=$(rustc -vV | sed -n 's/^host: //p')
OUT=${CARGO_TARGET_DIR:-$FUZZ/target}
[ -z "${CARGO_TARGET_DIR:-}" ] || OUT=$OUT/fuzz

# What `cargo fuzz` gives the compiler, less the sanitizer: coverage by counters and by comparisons.
fuzz_flags() {
    printf '%s ' --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
}

fuzz_build() {
    command -v c++ >/dev/null 2>&1 || die "c++ is not there, which libFuzzer is built with; on Debian: apt-get install g++"
    use_openssl
    # With --target, so that build scripts, which nobody links with libFuzzer, are built without the flags.
    (cd "$FUZZ" && RUSTFLAGS=$(fuzz_flags) CARGO_TARGET_DIR=$OUT cargo build --quiet --locked --release \
        --target "$MACHINE" --bins)
}

# fuzz_run target: leaves its log in $OUT/<target>.log.
fuzz_run() {
    local target=$1 dictionary=$FUZZ/dictionaries/$1.dict
    local corpus=$OUT/corpus/$target artifacts=$FUZZ/artifacts/$target
    local -a more=()
    mkdir -p "$corpus" "$artifacts"
    [ ! -e "$dictionary" ] || more+=("-dict=$dictionary")
    [ -z "${SEED:-}" ] || more+=("-seed=$SEED")
    [ -z "${RUNS:-}" ] || more+=("-runs=$RUNS")
    # What is found on the way goes to the first directory; the seeds stay as they are.
    "$OUT/$MACHINE/release/$target" "$corpus" "$FUZZ/corpus/$target" "${more[@]}" -artifact_prefix="$artifacts/" \
        -max_total_time="$TIME" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -verbosity=1 \
        >"$OUT/$target.log" 2>&1 </dev/null
}

# fuzz_report target: "executions edges kept memory".
fuzz_report() {
    local log=$OUT/$1.log
    awk '/^stat::number_of_executed_units:/ { runs = $2 } /^stat::peak_rss_mb:/ { memory = $2 }
        match($0, /cov: [0-9]+/) { edges = substr($0, RSTART + 5, RLENGTH - 5) }
        match($0, /corp: [0-9]+/) { kept = substr($0, RSTART + 6, RLENGTH - 6) }
        END { print runs + 0, edges + 0, kept + 0, memory + 0 }' "$log"
}

fuzz_main() {
    local target failed=0 runs edges kept memory
    [ $# -gt 0 ] || set -- "${TARGETS[@]}"
    quietly "building the fuzz targets" fuzz_build || exit 1
    printf '| target | seconds | executions | edges | inputs | memory |\n| --- | --- | --- | --- | --- | --- |\n'
    for target in "$@"; do
        if fuzz_run "$target"; then
            read -r runs edges kept memory < <(fuzz_report "$target")
            printf '| %s | %s | %s | %s | %s | %s MB |\n' "$target" "$TIME" "$runs" "$edges" "$kept" "$memory"
            [ "$runs" -gt 0 ] || failed=1
        else
            failed=1
            printf '| %s | a find; what led to it is in fuzz/artifacts/%s | | | | |\n' "$target" "$target"
            tail -n 40 "$OUT/$target.log" >&2
        fi
    done
    return $failed
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then fuzz_main "$@"; fi
