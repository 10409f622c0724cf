#!/usr/bin/env bash
# A shell with a PostgreSQL of its own that has plproxy: psql, createdb and the like go to it, and it is gone when the shell
# ends. A connection string without a port means this server, too.
#
#   scripts/playground.sh [command ...]     default: an interactive bash

source "$(dirname "${BASH_SOURCE[0]}")/server.sh"

run_begin
: "${PLPROXY_TREE:=$("$SCRIPTS/ready.sh")}"
server_start playground --tree "$PLPROXY_TREE"
# The port is known only now.
server_environment playground "PGPORT=$(server_port playground)"
server_restart playground
export PGHOST=127.0.0.1 PGPORT PGUSER=postgres PATH PLPROXY_TREE
PGPORT=$(server_port playground)
PATH=$(tree_bin "$PLPROXY_TREE"):$PATH
[ $# -gt 0 ] || { say "PostgreSQL $PGMAJOR with plproxy, until this shell ends"; set -- bash -i; }
rc=0
"$@" || rc=$?
exit "$rc"
