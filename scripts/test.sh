#!/usr/bin/env bash
# All tests: builds, then runs each step of scripts/test.d in order, and ends with one line "N passed, N failed" that
# adds them all up. Exits non-zero when something failed or nothing ran.
#
#   scripts/test.sh [word ...]     only the steps whose names contain one of the words
#
# A step is a bash script of its own. It gets PLPROXY_TREE (a PostgreSQL tree with plproxy in it) and reports what it
# counted by `tally PASSED FAILED` of scripts/tally.sh. A step that ends badly without counting a failure, or that
# counts nothing at all, is one failure; one that cannot be run here says so by `skip`, and is not counted.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Seconds after which a step is taken to hang. The slowest builds included, none needs a third of it.
STEP_LIMIT=${PLPROXY_STEP_LIMIT:-1200}

LOGS=$(mktemp -d "${TMPDIR:-/tmp}/plproxy-test.XXXXXX")
child=''
# The step stops its own servers when it is told to end.
cleanup() {
    if [ -n "$child" ]; then kill "$child" 2>/dev/null && wait "$child" || true; fi
    rm -rf "$LOGS"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

passed=0 failed=0

# fail_with "what" log: shows what failed and how it ended.
fail_with() {
    say "${RED}FAILED${PLAIN} $1:"
    grep -a -A 3 -E 'FAILED|panicked|^error: |^[-+!] ' "$2" | head -n 60 | sed 's/^/    /' >&2 || true
    say "and the end of its output:"
    tail -n 60 "$2" | sed 's/^/    /' >&2
}

run_step() {
    local file=$1 name log p f reason rc=0 start=$SECONDS
    name=$(basename "$file" .sh)
    log=$LOGS/$name.log
    printf '%s ... ' "$name" >&2
    # In the background, so that an interrupt is answered at once and not after the step.
    PLPROXY_TALLY=$LOGS/$name.tally timeout -k 60 "$STEP_LIMIT" bash "$file" >"$log" 2>&1 </dev/null &
    child=$!
    wait "$child" || rc=$?
    child=''
    [ "$rc" != 124 ] || echo "no end after $STEP_LIMIT s: stopped" >>"$log"
    read -r p f < <(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' "$LOGS/$name.tally" 2>/dev/null || echo 0 0)
    reason=$(sed -n 's/^skip //p' "$LOGS/$name.tally" 2>/dev/null || true)
    if [ "$rc" = 0 ] && [ -n "$reason" ]; then say "left out: $reason"; return; fi
    if [ "$rc" != 0 ] && [ "$f" = 0 ]; then f=1; echo "step ended with exit code $rc" >>"$log"; fi
    if [ "$p" = 0 ] && [ "$f" = 0 ]; then f=1; echo "the step ran no test" >>"$log"; fi
    passed=$((passed + p)) failed=$((failed + f))
    say "$p passed, $f failed ($((SECONDS - start)) s)"
    [ "$f" = 0 ] || fail_with "$name" "$log"
}

# Some run cargo themselves.
use_rust
# The steps that need the library fail one by one when it does not build; the others still say what they know.
if PLPROXY_TREE=$("$SCRIPTS/ready.sh" 2> >(tee "$LOGS/build.log" >&2)); then
    export PLPROXY_TREE
else
    say "${RED}FAILED${PLAIN} the build"
    failed=1
    unset PLPROXY_TREE
fi

for file in "$SCRIPTS"/test.d/[0-9]*.sh; do
    if wanted "$(basename "$file" .sh)" "$@"; then run_step "$file"; fi
done

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
