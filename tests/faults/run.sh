#!/usr/bin/env bash
# Faults: servers killed, stopped, lost and broken; callers cancelled, terminated and gone. Needs PLPROXY_TREE and
# PLPROXY_FAULTS (the program of this directory); counts its checks and ends with "N passed, N failed".
#
#   tests/faults/run.sh [word ...]     only the families whose names contain one of the words
#
# docs/reliability.md calls each check by its name, the first word.

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
source "$SCRIPTS/replicas.sh"
need_tree
HERE=$ROOT/tests/faults
source "$HERE/lib.sh"

run_begin
trap 'rc=$?; faults_end || true; run_end $rc' EXIT
start_servers
for family in killed silence partial atomic network stages ends broken descriptors crowd memory room transactions leaks failover; do
    # Only if it is named: it is a step of its own.
    [ "$family" != room ] || [ $# -gt 0 ] || continue
    if wanted "$family" "$@"; then
        started=$SECONDS
        source "$HERE/$family.sh"
        say "    $family: $((SECONDS - started)) s"
    fi
done

printf '%s passed, %s failed\n' "$passed" "$failed"
tally "$passed" "$failed"
[ "$failed" = 0 ]
