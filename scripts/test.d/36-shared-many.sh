# A thousand sessions that wait for one shared connection, and sessions of a hot standby that share theirs.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
source "$SCRIPTS/replicas.sh"
need_tree

SESSIONS=1000
ulimit -n "$(ulimit -Hn)"
run_begin
server_start parts --auth scram-sha-256 --max-connections 50
server_start proxy --auth trust --max-connections $((SESSIONS + 50)) "${REPLICATED[@]}" --set 'shared_buffers = 32MB' \
    --set "shared_preload_libraries = 'plproxy'" --set "plproxy.lease_timeout = '0'"
for part in 0 1 2 3; do server_psql parts -q -c "create database part$part"; done
server_psql parts -q -c "create role shared login password 'first'"
for part in 0 1 2 3; do server_psql parts -q -d "part$part" -f "$ROOT/tests/shared/partition.sql"; done
server_psql proxy -q -v parts="$(server_port parts)" -f "$ROOT/tests/shared/setup.sql"
server_psql proxy -q -c 'create function echo(n int) returns int language plproxy as $$ cluster '"'one'"'; run on 0; select n; $$'

ask() { server_psql "$1" -qAt -c "$2" 2>&1 || true; }
# until_is WANTED COMMAND...: within five minutes
until_is() {
    local wanted=$1 got='' i; shift
    for ((i = 0; i < 1500; i++)); do
        got=$("$@")
        [ "$got" != "$wanted" ] || break
        sleep 0.2
    done
    printf '%s' "$got"
}
states() { ask proxy "select string_agg(state || ' ' || n, ', ' order by state) from (select state, count(*) n from plproxy_shared_connections group by 1) s"; }
shared() { ask "$1" "select dbname || ' ' || state || ' ' || uses from plproxy_shared_connections"; }

# ---- many that wait
ask proxy 'select sleeps(3600)' >/dev/null & holder=$!
same 'somebody has the only connection' 'in use 1' "$(until_is 'in use 1' states)"
# An error where the answer is another's.
echo 'select 1 / (echo(:client_id) = :client_id)::int;' >"$PLPROXY_RUN/echo.sql"
PGHOST=127.0.0.1 PGPORT=$(server_port proxy) "$(tree_bin "$PLPROXY_TREE")/pgbench" -n -U postgres -c $SESSIONS -j 4 -t 1 \
    -f "$PLPROXY_RUN/echo.sql" postgres >"$PLPROXY_RUN/waiting" 2>&1 & waiting=$!
same "$SESSIONS wait" "in use 1, waiting $SESSIONS" "$(until_is "in use 1, waiting $SESSIONS" states)"
same 'for one server process' 1 "$(ask parts "select count(*) from pg_stat_activity where usename = 'shared'")"
ask proxy "select pg_cancel_backend(pid) from pg_stat_activity where query = 'select sleeps(3600)'" >/dev/null
wait "$holder" || true
rc=0; wait "$waiting" || rc=$?
same 'each comes to its turn, and has its own answer' "0 $SESSIONS/$SESSIONS" \
    "$rc $(sed -n 's/^number of transactions actually processed: //p' "$PLPROXY_RUN/waiting")"
[ "$rc" = 0 ] || tail -n 5 "$PLPROXY_RUN/waiting"
same 'and nobody waits any more' 'idle 1' "$(until_is 'idle 1' states)"

# ---- a hot standby
standby_start second proxy --max-connections $((SESSIONS + 50)) --set 'shared_buffers = 32MB'
standbys_stream proxy 1
same 'a standby calls' 't|14' "$(ask second 'select pg_is_in_recovery(), double_of(7)')"
same 'by a connection of its own' 'part3 idle 1' "$(shared second)"
same 'which the next session uses' 14 "$(ask second 'select double_of(7)')"
same 'as the view says' 'part3 idle 2' "$(shared second)"
server_promote second
same 'and which outlives its promotion' 'f|14' "$(until_is 'f|14' ask second 'select pg_is_in_recovery(), double_of(7)')"
same 'in the same place' 'part3 idle' "$(shared second | sed 's/ [0-9]*$//')"
server_stop second
same 'nothing panicked' 0 "$(grep -cE 'PANIC|panicked' "$(server_dir proxy)/log" || true)"

tally "$passed" "$failed"
[ "$failed" = 0 ]
