#!/usr/bin/env bash
# Security: names that try to break out of the statements they stand in, who may use what and as whom, and where
# passwords show. Needs PLPROXY_TREE; counts its checks and ends with "N passed, N failed".
#
#   tests/security/run.sh [word ...]     only the families whose names contain one of the words

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
HERE=$ROOT/tests/security
source "$HERE/lib.sh"

run_begin
start_servers
for family in names roles owners secrets levers configured; do
    if wanted "$family" "$@"; then
        started=$SECONDS
        source "$HERE/$family.sh"
        say "    $family: $((SECONDS - started)) s"
    fi
done

printf '%s passed, %s failed\n' "$passed" "$failed"
tally "$passed" "$failed"
[ "$failed" = 0 ]
