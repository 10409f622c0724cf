# For the steps of scripts/test.d and the tests that they run: makes checks, and counts what the test programs say. Sourced.

source "$(dirname "${BASH_SOURCE[0]}")/server.sh"

# tally PASSED FAILED
tally() { echo "$1 $2" >>"${PLPROXY_TALLY:-/dev/null}"; }

# skip "reason": ends the step, which then counts as neither passed nor failed.
skip() { echo "skip $*" >>"${PLPROXY_TALLY:-/dev/null}"; say "left out: $*"; exit 0; }

need_tree() { [ -n "${PLPROXY_TREE:-}" ] || die "the library did not build, so this step cannot run"; }

# What `check` and `same` have found, for the end of the step: tally "$passed" "$failed".
passed=0 failed=0

# check "what" condition...
check() {
    if "${@:2}"; then passed=$((passed + 1)); printf 'ok      %s\n' "$1"
    else failed=$((failed + 1)); printf 'FAILED  %s: %s\n' "$1" "${*:3}"; fi
}

# same "what" wanted got
same() {
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); printf 'ok      %s\n' "$1"
    else failed=$((failed + 1)); printf 'FAILED  %s\n    wanted: %s\n    got:    %s\n' "$1" "$2" "$3"; fi
}

# The names of the files of the extension's directory, by the sources.
extension_files() {
    printf '%s\n' plproxy.control "plproxy--$("$SCRIPTS/versions.sh" --print).sql"
    (cd "$ROOT/sql" && ls plproxy--*.sql)
}

# counted program log command...: runs the command, shows and keeps its output, tallies what `count_<program>` finds.
counted() {
    local program=$1 log=$2 rc=0; shift 2
    "$@" 2>&1 | tee "$log" || rc=$?
    tally "$("count_$program" passed "$log")" "$("count_$program" failed "$log")"
    return "$rc"
}

# in_run command...: with a run directory of its own, whose servers end with the command, however it ends.
in_run() { ( run_begin; "$@" ); }

# counted_summary command...: one of our own scenarios, within a run.
counted_summary() { counted summary "$PLPROXY_RUN/summary.log" "$@"; }

# `cargo test`: one "test result:" line per test program.
count_cargo() {
    sed -n "s/^test result: .* \([0-9][0-9]*\) $1;.*/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

# pg_regress: "test name ... ok" or, from PostgreSQL 16 on, "ok 1 - name".
count_regress() {
    local pattern='^(test|    ).* \.\.\. ok|^ok '
    [ "$1" = passed ] || pattern='^(test|    ).* \.\.\. FAILED|^not ok '
    grep -cE "$pattern" "$2" || true
}

# other_words directory MAJOR...: makes a directory to put in front of pg_regress's PATH, whose diff passes over what one of
# these versions of PostgreSQL says in other words. 19 tells in a detail why there is no such function, the hint before.
other_words() {
    local directory=$1 major words=()
    for major in "${@:2}"; do
        [ "$major" -lt 19 ] || words=(-I '^HINT:  .*No function matches the given name and argument types'
            -I '^HINT:  Remote hint: You might need to add explicit type casts' -I '^DETAIL:  .*function of that name')
    done
    mkdir -p "$directory"
    printf '#!/bin/sh\nexec %q %s "$@"\n' "$(command -v diff)" "${words[*]@Q}" >"$directory/diff"
    chmod 755 "$directory/diff"
}

# Our own scenarios: they end with a line "N passed, N failed".
count_summary() {
    local field=1
    [ "$1" = passed ] || field=3
    grep -E '^[0-9]+ passed, [0-9]+ failed$' "$2" | tail -n 1 | cut -d' ' -f$field | grep . || echo 0
}
