#!/usr/bin/env bash
# All tests with one PostgreSQL after the other, and a line for each with what it took; ends with one line
# "N passed, N failed" that adds them all up.
#
#   scripts/matrix.sh [major[:step,...] ...]     17:regress,versions is these steps of the tests. Default: all tests with
#                                                each version that scripts/postgresql.versions has tests of
#   scripts/matrix.sh --list [json]              those versions, Debian 12's own first, then the newest
#   scripts/matrix.sh --tested                   the same with the steps that .ci/run runs
#
# From the environment: LIMIT, in seconds. A further version is begun only if it will be done by then, taking all its tests
# to need as long as the longest so far, some of them as long as below, and, where its tree is not there yet, the time to
# compile it. One left out is told.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# tested: the versions that .ci/run tests, in its order, with their steps.
tested() {
    local major
    echo "$PACKAGED"
    for major in $(printf '%s\n' "${VERSIONS[@]}" | sort -rn); do
        case ${TESTED[$major]} in -) ;; all) [ "$major" = "$PACKAGED" ] || echo "$major" ;; *) echo "$major:${TESTED[$major]}" ;; esac
    done
}
case ${1:-} in
    --tested) tested; exit ;;
    --list) tested | cut -d: -f1 | { if [ "${2:-}" = json ]; then sed 's/.*/"&"/' | paste -sd, | sed 's/.*/[&]/'; else cat; fi; }
        exit ;;
esac

log=$(mktemp "${TMPDIR:-/tmp}/plproxy-matrix.XXXXXX")
child=''
trap 'if [ -n "$child" ]; then kill "$child" 2>/dev/null && wait "$child" || true; fi; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Seconds that compiling a PostgreSQL and the extension for it takes with two processors, and some more.
COMPILING=360
# Seconds for the steps that are named for a version: a few minutes, and some more.
SOME=420

# fits major steps: whether it does.
fits() {
    local need=$longest
    [ -n "${LIMIT:-}" ] && [ "$longest" != 0 ] || return 0
    [ -z "$2" ] || need=$SOME
    [ -d "$GROUND/pg$1" ] || [ "${MADE_OF[$1]:-}" = newer ] || need=$((need + COMPILING))
    [ $((SECONDS + need)) -le "$LIMIT" ]
}

passed=0 failed=0 longest=0 lines=()
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(tested | cut -d: -f1)
for word in "$@"; do
    IFS=: read -r major steps <<<"$word"
    IFS=, read -ra only <<<"$steps"
    start=$SECONDS
    if ! fits "$major" "$steps"; then
        lines+=("PostgreSQL $major: left out, as it would not be done within $LIMIT s")
        continue
    fi
    say "${BOLD}PostgreSQL $major${PLAIN}"
    # In the background, so that an interrupt is answered at once.
    PG=$major "$SCRIPTS/test.sh" ${only[@]+"${only[@]}"} >"$log" </dev/null &
    child=$!
    rc=0
    wait "$child" || rc=$?
    child=''
    read -r p f < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1 | grep . || echo 0 0)
    [ "$rc" = 0 ] || [ "$f" != 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f))
    [ $((SECONDS - start)) -le "$longest" ] || longest=$((SECONDS - start))
    lines+=("PostgreSQL $major${steps:+ ($steps)}: $p passed, $f failed ($((SECONDS - start)) s)")
done
printf '%s\n' "${lines[@]}" >&2
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
