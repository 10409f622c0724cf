# Connections that sessions share: results under load, the limit, waits and their ends, sessions that end with a connection in
# their hands, partitions and the keeper that end, changes of the cluster, and what is refused.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
source "$ROOT/tests/shared/lib.sh"

# By each of which 112 transactions of forty calls and more: 200,000.
declare -A CLIENTS=([ann]=23 [bob]=22)

run_begin
server_start parts --auth scram-sha-256 --max-connections 100
server_start proxy --auth trust --max-connections 150 --set "shared_preload_libraries = 'plproxy'"
server_start bare --auth trust
for part in 0 1 2 3; do server_psql parts -q -c "create database part$part"; done
server_psql parts -q -c "create role shared login password 'first'"
for part in 0 1 2 3; do server_psql parts -q -d "part$part" -f "$ROOT/tests/shared/partition.sql"; done
server_psql proxy -q -v parts="$(server_port parts)" -f "$ROOT/tests/shared/setup.sql"

is_held() { ask -c "select count(*) > 0 from plproxy_shared_connections where state = 'in use'"; }
is_waited_for() { ask -c "select count(*) >= ${1:-1} from plproxy_shared_connections where state = 'waiting'"; }
nobody_has_any() { ask -c "select count(*) = 0 from plproxy_shared_connections where state <> 'idle'"; }

# ---- what is refused
port=$(server_port parts)
server_psql bare -q -v parts="$port" -f "$ROOT/tests/shared/setup.sql"
same "without preloading a call says so, and no other way is taken" \
    'ERROR:  shared_connections needs plproxy in shared_preload_libraries' \
    "$(server_psql bare -qAt -c 'select double_of(1)' 2>&1 | grep ERROR)"
for value in -1 two '' 10001 99999999999999999999; do
    case $value in
        '') wanted= ;;
        -1 | two) wanted="ERROR:  Pl/Proxy: only integer options are allowed: shared_connections=$value" ;;
        *) wanted="ERROR:  shared_connections: Expect a number from 0 to 10000, got '$value'" ;;
    esac
    same "the value '$value'" "$wanted" "$(ask -c 'begin' -c "alter server one options (set shared_connections '$value')" -c 'rollback')"
done
same "not with streaming" 'ERROR:  Pl/Proxy: streaming and shared_connections exclude each other' \
    "$(ask -c "alter server one options (add streaming '1')" | grep ERROR)"
same "a view for who is allowed" 'ERROR:  permission denied for view plproxy_shared_connections' \
    "$(as ann -c 'select * from plproxy_shared_connections')"

# ---- load
pgbench=$(tree_bin "$PLPROXY_TREE")/pgbench
watch_limit() {
    while [ ! -e "$PLPROXY_RUN/over" ]; do of_parts -c "$MOST"; sleep 0.05; done
}
rm -f "$PLPROXY_RUN/over"
watch_limit >"$PLPROXY_RUN/most" & watcher=$!
pids=()
for user in ann bob; do
    PGHOST=127.0.0.1 PGPORT=$(server_port proxy) "$pgbench" -n -U "$user" -c "${CLIENTS[$user]}" -j 2 -t 112 \
        -f "$ROOT/tests/shared/load.sql" postgres >"$PLPROXY_RUN/load.$user" 2>&1 & pids+=($!)
done
ended=0
for pid in "${pids[@]}"; do wait "$pid" || ended=1; done
touch "$PLPROXY_RUN/over"
ends "$watcher"
done_by() { sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$PLPROXY_RUN/load.$1"; }
check "45 sessions of two users had only right results" [ "$ended" = 0 ]
[ "$ended" = 0 ] || cat "$PLPROXY_RUN"/load.*
same 'all of them' '2576 2464' "$(done_by ann) $(done_by bob)"
check "never more than two server processes a partition ($(sort "$PLPROXY_RUN/most" | uniq -c | line))" \
    [ "$(sort -n "$PLPROXY_RUN/most" | tail -n 1)" = 2 ]
check "none is left in anybody's hands" until_seen nobody_has_any
same "the log has nothing to say" 0 "$(grep -cE 'WARNING|FATAL|PANIC' "$(server_dir proxy)/log" || true)"
check "nor have the partitions' but of the failures" \
    [ "$(grep -E 'ERROR|WARNING|FATAL|PANIC|unexpected EOF' "$(server_dir parts)/log" | grep -vc 'division by zero' || true)" = 0 ]

# ---- what is seen
ask -c 'select plproxy_disconnect_all(true)' >/dev/null
as ann -c 'select name_of(1)' >/dev/null
same "a row for a connection" '127.0.0.1|part1|shared|ann|idle|t' "$(ask -c "select host, dbname, username, local_user, state, uses = 1
    and pid is null and server_pid > 0 and connected_at <= since from plproxy_shared_connections where state = 'idle'")"
server_psql proxy -q -c 'grant execute on function plproxy_shared_connections() to bob' \
    -c 'grant select on plproxy_shared_connections to ann, bob'
same "nobody sees others'" 0 "$(as bob -c 'select count(*) from plproxy_shared_connections()')"
server_psql proxy -q -c 'grant execute on function plproxy_shared_connections() to ann'
same "everybody his own" part1 "$(as ann -c 'select dbname from plproxy_shared_connections')"
server_psql proxy -q -c 'alter role bob noinherit' -c 'grant pg_monitor to bob'
same "nor a member who would have to SET ROLE first" 0 "$(as bob -c 'select count(*) from plproxy_shared_connections()')"
server_psql proxy -q -c 'revoke pg_monitor from bob' -c 'alter role bob inherit' -c 'grant pg_monitor to bob'
same "who may see all sees all" part1 "$(as bob -c 'select dbname from plproxy_shared_connections')"

# ---- statements that are prepared, and what a session leaves
for i in 1 2 3; do as ann -c 'select name_of(1)' -c 'select name_of(5)' >/dev/null; done
same "statements are prepared once for all sessions" 1 "$(ask -c "select prepared_statements from plproxy_shared_connections where dbname = 'part1'")"
of_parts -d part1 -c 'drop function name_of(int)' -c "create function name_of(n int) returns text language sql as 'select ''new''::text'" >/dev/null
same "and anew where that has to be" 'new new' "$(as ann -c 'select name_of(1)' -c 'select name_of(1)' | line)"
of_parts -d part1 -c 'drop function name_of(int)' -c "create function name_of(n int) returns text language sql as 'select n || '' '' || current_database()'" >/dev/null
ask -c "select run_one('set work_mem = ''77kB''')" >/dev/null
same "what a call leaves is seen by the next" 77kB "$(ask -c "select run_one('show work_mem')")"
server_psql proxy -q -c "alter server one options (add reset_query 'discard all')"
ask -c "select run_one('set work_mem = ''78kB''')" -c "select run_one('create temp table t as select 1')" >/dev/null
same "but for where the session is reset" '4MB false' "$(ask -c "select run_one('show work_mem')" -c "select run_one('select to_regclass(''t'') is not null')" | line)"
server_psql proxy -q -c 'alter server one options (drop reset_query)'
same "a style that one session needs does not reach the next" '{01.02.2024} t t' "$(of_parts -d part0 -c "alter role shared set datestyle = 'German, DMY'" >/dev/null
    ask -c 'select plproxy_disconnect_all(true)' >/dev/null
    server_psql proxy -q -c "create function dates() returns setof timestamptz language plproxy as \$\$ cluster 'one'; run on 0; select timestamptz '2024-02-01 12:00+00'; \$\$"
    ask -c "select run_one('select array[date ''2024-02-01'']')" -c "select dates() = '2024-02-01 12:00+00'" -c "select dates() = '2024-02-01 12:00+00'" | line)"
of_parts -c 'alter role shared reset datestyle' >/dev/null

# ---- waits and their ends
ask -c 'select plproxy_disconnect_all(true)' >/dev/null
begin holder -c 'select sleeps(20)'; holder=$begun
check "somebody has the only connection" until_seen is_held
same "lease_timeout, with the partition and the limit" \
    'ERROR:  53300: PL/Proxy function public.who(0): [part0] all 1 shared connections were in use for 0.3 s' \
    "$(ask -v VERBOSITY=verbose -c "set plproxy.lease_timeout = '300ms'" -c 'set plproxy.log_min_duration = 0' -c 'select who()' | grep ERROR)"
logged() { sed -n 's/.*LOG:  PL\/Proxy function public.who(0): duration //p' "$(server_dir proxy)/log" | sed 's/(.*)//; s/[0-9.]* ms/T/g' | tail -n 1; }
same "the line for a slow call has the time in the queue" 'T, 0 rows, failed; partition 0 : queue T, connect T, wait T, transfer T, 0 rows, failed' "$(logged)"
same "statement_timeout" 'ERROR:  canceling statement due to statement timeout' \
    "$(ask -c "set statement_timeout = '300ms'" -c 'select who()')"
same "query_timeout" 'ERROR:  PL/Proxy function public.who(0): [part0] query timeout' \
    "$(ask -c "alter server one options (add query_timeout '1')" -c 'select who()')"
server_psql proxy -q -c 'alter server one options (drop query_timeout)'
begin canceled -c 'select who()'; canceled=$begun
until_seen is_waited_for 1
begin terminated -c 'select who()'; terminated=$begun
until_seen is_waited_for 2
begin served -c 'set plproxy.log_min_duration = 0' -c 'select who()'; served=$begun
check "three wait" until_seen is_waited_for 3
same "and are seen to" 'waiting part0 3' "$(ask -c "select state, dbname, count(*) from plproxy_shared_connections where state = 'waiting' group by 1, 2" | tr '|' ' ')"
shown() { ask -c "select count(*) = 3 from pg_stat_activity where wait_event_type = 'Extension' and wait_event =
    case when current_setting('server_version_num')::int < 170000 then 'Extension' else 'PlproxyLease' end
    and pid in (select pid from plproxy_shared_connections where state = 'waiting')"; }
check "also by what pg_stat_activity says" until_seen shown
first="(select pid from plproxy_shared_connections where state = 'waiting' order by since limit 1)"
ask -c "select pg_cancel_backend($first)" >/dev/null
ends "$canceled"
same "cancel" 'ERROR:  canceling statement due to user request' "$(said canceled)"
ask -c "select pg_terminate_backend($first)" >/dev/null
ends "$terminated"
check "terminate" grep -q 'terminating connection due to administrator command' "$PLPROXY_RUN/terminated.log"
same "one still waits" t "$(is_waited_for)"
ask -c "select pg_cancel_backend(pid) from plproxy_shared_connections where state = 'in use'" >/dev/null
ends "$holder"; ends "$served"
same "who had it is cancelled" 'ERROR:  canceling statement due to user request' "$(said holder)"
check "and who waited is served ($(said served))" grep -q ' shared$' "$PLPROXY_RUN/served.log"
same "and how long he waited is logged" 'T, 1 rows; partition 0 : queue T, connect T, wait T, transfer T, 1 rows' "$(logged)"
ask -c 'set plproxy.log_min_duration = 0' -c 'select who()' >/dev/null
same "not so where nobody is in the way" 'T, 1 rows; partition 0 : connect T, wait T, transfer T, 1 rows' "$(logged)"
check "the statement does not run on" until_seen of_parts -c "select count(*) = 0 from pg_stat_activity where usename = 'shared' and query like '%sleeps%' and state = 'active'"
# All requests of a call take theirs each for itself.
pids=()
for i in 1 2 3 4 5 6; do begin "all$i" -c 'select count(*) from all_sleep(0.3)'; pids+=("$begun"); done
for pid in "${pids[@]}"; do ends "$pid"; done
same "calls to all partitions get by with two connections each" '4 4 4 4 4 4' "$(cat "$PLPROXY_RUN"/all?.log | line)"

# ---- sessions that end with a connection in their hands
begin holder -c 'select sleeps(30)'; holder=$begun
check "somebody has it again" until_seen is_held
ask -c "select pg_terminate_backend(pid) from plproxy_shared_connections where state = 'in use'" >/dev/null
check "a session that is terminated leaves it to the next" grep -q ' shared$' <<<"$(ask -c 'select who()')"
ends "$holder"
begin holder -c 'select sleeps(30)'; holder=$begun
until_seen is_held
kill -9 "$holder"; ends "$holder"
# A client that is gone is noticed late; the server process is killed, which takes the whole server down.
pid=$(ask -c "select pid from plproxy_shared_connections where state = 'in use'")
kill -9 "$pid"
check "after a session was killed the server comes back" until_seen ask -c "select 't'"
check "with a keeper, and without what was" grep -q ' shared$' <<<"$(ask -c 'select who()')"

# ---- partitions and keepers that end
ask -c 'select count(*) from rows_of(1)' >/dev/null
"$SCRIPTS/server.sh" stop parts fast
"$SCRIPTS/server.sh" restart parts
same "after a restart the next calls work" '4 2 4 6 8' "$(ask -c 'select count(*) from rows_of(1)' -c 'select double_of(n) from generate_series(1, 4) n' | line)"
same "and from sessions that knew the old connections" 4 "$(ask -c 'select count(*) from rows_of(1)' -c "\\! $SCRIPTS/server.sh stop parts immediate; $SCRIPTS/server.sh restart parts" -c 'select count(*) from rows_of(1)' | tail -n 1)"
begin holder -c 'select sleeps(30)'; holder=$begun
until_seen is_held
"$SCRIPTS/server.sh" kill parts
ends "$holder"
check "a call whose partition is killed fails" grep -q 'ERROR' "$PLPROXY_RUN/holder.log"
"$SCRIPTS/server.sh" restart parts
check "and the next works" grep -q ' shared$' <<<"$(ask -c 'select who()')"
before=$(keeper)
kill "$before"
is_new() { local now; now=$(keeper); [ -z "$now" ] || [ "$now" = "$before" ] || echo t; }
check "a keeper that is terminated is replaced" until_seen is_new
same "calls go on" '4 2' "$(ask -c 'select count(*) from rows_of(1)' -c 'select double_of(1)' | line)"
check "what it kept is closed" until_seen of_parts -c "select ($MOST) <= 1"
before=$(keeper)
kill -9 "$before"
check "one that is killed, too" until_seen is_new
check "with the server" until_seen ask -c "select 't'"
same "calls go on then" '4 2' "$(ask -c 'select count(*) from rows_of(1)' -c 'select double_of(1)' | line)"

# ---- changes
ask -c 'select who()' >/dev/null
server_psql proxy -q -c "alter user mapping for public server one options (set password 'second')"
same "another password is not that of the connection" 'password authentication failed for user "shared"' \
    "$(ask -c 'select who()' | grep -o 'password authentication failed.*' | head -n 1)"
server_psql parts -q -c "alter role shared password 'second'"
check "which is closed when there is one with the new one" grep -q ' shared$' <<<"$(ask -c 'select who()')"
check "so that there is one" until_seen of_parts -c "select count(*) = 1 from pg_stat_activity where usename = 'shared' and application_name = 'one'"
server_psql parts -q -c "alter role shared password 'first'"
server_psql proxy -q -c "alter user mapping for public server one options (set password 'first')"
same "others' connections are closed from any session" 't f' "$(ask -c 'select who()' >/dev/null; ask -c "select plproxy_disconnect('one', true)" -c "select plproxy_disconnect('one', true)" | line)"
check "and gone" until_seen of_parts -c "select count(*) = 0 from pg_stat_activity where usename = 'shared' and application_name = 'one'"
server_psql proxy -q -c "alter server one options (add idle_timeout '1')"
ask -c 'select who()' >/dev/null
check "idle_timeout" until_seen of_parts -c "select count(*) = 0 from pg_stat_activity where usename = 'shared' and application_name = 'one'"
server_psql proxy -q -c "alter server one options (set idle_timeout '0', add connection_lifetime '1')"
first=$(ask -c 'select who()')
sleep 1.5
check "connection_lifetime" [ "$(ask -c 'select who()')" != "$first" ]
server_psql proxy -q -c "alter server parts options (set shared_connections '1')"
pids=()
for i in 1 2 3 4; do begin "all$i" -c 'select count(*) from all_sleep(0.1)'; pids+=("$begun"); done
for pid in "${pids[@]}"; do ends "$pid"; done
same "a lower limit" 1 "$(of_parts -c "$MOST")"
server_psql proxy -q -c "alter server parts options (set shared_connections '0')"
same "and none" '4 f' "$(ask -c 'select count(*) from rows_of(1)' -c "select count(*) > 4 from plproxy_shared_connections where state = 'in use'" | line)"

# ---- few slots
server_start few --auth trust --set "shared_preload_libraries = 'plproxy'" --set 'plproxy.max_shared_connections = 3'
server_psql few -q -v parts="$port" -f "$ROOT/tests/shared/setup.sql"
same "with fewer slots than partitions the oldest connection gives way" '4 4 4 36' \
    "$(for i in 1 2 3; do server_psql few -qAt -c 'select count(*) from rows_of(1)'; done | line) $(server_psql few -qAt -c 'select sum(double_of(n % 4)) from generate_series(1, 12) n')"
same "and there are never more than slots" t "$(server_psql few -qAt -c 'select count(*) <= 3 from plproxy_shared_connections')"
server_psql few -q -c "create function stays(part int) returns int language plproxy as \$\$ cluster 'parts'; run on part; select 1 from pg_sleep(5); \$\$"
pids=()
for i in 1 2 3; do server_psql few -qAt -c "select stays($i)" >/dev/null 2>&1 & pids+=($!); done
until_seen server_psql few -qAt -c "select count(*) = 3 from plproxy_shared_connections where state = 'in use'"
same "where all are in use, a call says that" 'ERROR:  53300: PL/Proxy function public.double_of(1): [part0] all shared connections that this server may have were in use for 0.2 s' \
    "$(server_psql few -qAt -v VERBOSITY=verbose -c "set plproxy.lease_timeout = '200ms'" -c 'select double_of(0)' 2>&1 | grep ERROR)"
server_stop few
for pid in "${pids[@]}"; do wait "$pid" || true; done

# ---- ends
server_psql proxy -q -c 'create database gone'
server_psql proxy -q -d gone -v parts="$port" -c 'create extension plproxy' \
    -c "create server one foreign data wrapper plproxy options (shared_connections '1', p0 'host=127.0.0.1 port=$port dbname=part3')" \
    -c "create user mapping for public server one options (user 'shared', password 'first')" \
    -c "create function double_of(n int) returns int language plproxy as \$\$ cluster 'one'; run on 0; \$\$"
same "a database with connections" 4 "$(ask -d gone -c 'select double_of(2)')"
same "is dropped at once" '' "$(ask -c "set statement_timeout = '5s'" -c 'drop database gone')"
log=$(server_dir proxy)/log
before=$(date +%s%N)
server_stop proxy
took=$((($(date +%s%N) - before) / 1000000))
check "a fast shutdown does not wait for connections ($took ms)" [ "$took" -lt 5000 ]
check "which end with it" until_seen of_parts -c "select count(*) = 0 from pg_stat_activity where usename = 'shared'"
same "nothing panicked" 0 "$(grep -cE 'PANIC|panicked' "$log" || true)"

tally "$passed" "$failed"
[ "$failed" = 0 ]
