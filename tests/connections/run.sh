#!/usr/bin/env bash
# Connections as libpq's users know them: every keyword, both forms of connection strings, password and service files,
# the environment, several hosts, host names, passwords, mistakes; compared with psql. Needs PLPROXY_TREE; counts its
# checks and ends with "N passed, N failed".
#
#   tests/connections/run.sh [word ...]     only the families whose names contain one of the words

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
HERE=$ROOT/tests/connections
source "$HERE/lib.sh"

run_begin
start_servers
APP='show application_name'
FILE=$HOME_DIR/passwords
for family in strings keywords passfile service files environment hosts names passwords bad; do
    if wanted "$family" "$@"; then source "$HERE/$family.sh"; fi
done
# Only a whole run can tell that a test is missing.
if [ $# = 0 ]; then source "$HERE/documented.sh"; fi

printf '%s passed, %s failed\n' "$passed" "$failed"
tally "$passed" "$failed"
[ "$failed" = 0 ]
