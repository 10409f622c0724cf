#!/usr/bin/env bash
# Regression scripts in backends under valgrind's memcheck, on a PostgreSQL that tells it of its own allocator (the tree that
# PLPROXY_CHECKED names). Slow, some thirty times; so it is given the scripts to run, and is no step of the tests.
#
#   tests/valgrind/run.sh [regress script ...]
#
# Counts what memcheck reports that PostgreSQL's own list does not name, and ends with "N passed, N failed": one for each script
# that gives what it should, one for memcheck. The reports are printed. Needs valgrind, and libc6-dbg if it says so.

export PLPROXY_CHECKED=1
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
command -v valgrind >/dev/null 2>&1 || die "there is no valgrind; on Debian: apt-get install valgrind libc6-dbg"
PLPROXY_TREE=${PLPROXY_TREE:-$("$SCRIPTS/ready.sh")}
[ $# -gt 0 ] || set -- init call split nested

run_begin
# A tree of its own, whose postgres is a script: valgrind follows the forks, so all backends are under it.
tree=$PLPROXY_RUN/tree reports=$PLPROXY_RUN/reports
cp -al "$PLPROXY_TREE" "$tree"
mkdir -m 777 "$reports"
bin=$(tree_bin "$tree")
mv "$bin/postgres" "$bin/postgres.real"
cat >"$bin/postgres" <<SH
#!/bin/sh
real=\$(dirname "\$0")/postgres.real
# initdb and pg_ctl, which asks for the version, need no checking.
[ -n "\$PLPROXY_MEMCHECK" ] && [ "\$1" != -V ] || exec "\$real" "\$@"
exec valgrind --quiet --leak-check=no --track-origins=yes --num-callers=30 \\
    --suppressions="\$(dirname "\$0")/../valgrind.supp" --error-markers=BEGIN-REPORT,END-REPORT \\
    --log-file=$reports/%p "\$real" "\$@"
SH
chmod 755 "$bin/postgres"

server_start regress --tree "$tree" --auth trust --set "lc_messages = 'C'" --set 'autovacuum = off' \
    --hba 'host all regress_scram 127.0.0.1/32 scram-sha-256' --env PLPROXY_MEMCHECK=1 --max-connections 60
server_psql regress -q -c "create database regression template template0 encoding 'UTF8' locale 'C'"
out=$PLPROXY_RUN/out
mkdir -p "$out"
rc=0
(cd "$out" && counted regress "$PLPROXY_RUN/regress.log" "$(dirname "$("$bin/pg_config" --pgxs)")/../test/regress/pg_regress" \
    --use-existing --dbname=regression --inputdir="$ROOT/regress" --outputdir="$out" --bindir="$bin" \
    --host=127.0.0.1 --port="$(server_port regress)" --user=postgres "$@") || rc=$?
[ ! -s "$out/regression.diffs" ] || head -n 200 "$out/regression.diffs"
server_stop regress

processes=$(find "$reports" -type f | wc -l)
found=$(cat "$reports"/* | grep -c BEGIN-REPORT || true)
cat "$reports"/* | head -n 400
echo "memcheck: $processes processes, $found reports"
passed=$(count_regress passed "$PLPROXY_RUN/regress.log") failed=$(count_regress failed "$PLPROXY_RUN/regress.log")
if [ "$found" = 0 ] && [ "$processes" -gt 5 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
