# Statistics of all sessions, kept over a restart; the log of slow calls; what pg_stat_activity shows of waiting calls.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree

SESSIONS=4
# Of each session, to each of four partitions.
CALLS=250

ask() { server_psql proxy -qAt "$@" 2>&1 || true; }
# until_seen "query": whether it gives `t` within a minute.
until_seen() {
    local i
    for ((i = 0; i < 600; i++)); do
        [ "$(ask -c "$1")" != t ] || return 0
        sleep 0.1
    done
    return 1
}
log_of_proxy() { cat "$(server_dir proxy)/log"; }

run_begin
server_start parts --auth trust
server_start silent --auth trust
server_start proxy --auth trust --max-connections 40 --set "shared_preload_libraries = 'plproxy'" \
    --set 'plproxy.max_tracked_partitions = 10'
for part in 0 1 2 3; do
    server_psql parts -q -c "create database part$part"
done
for part in 0 1 2 3; do
    server_psql parts -q -d "part$part" \
        -c "create function rows_of(n int) returns setof int language sql as 'select generate_series(1, n)'" \
        -c "create function fails(n int) returns int language sql as 'select 1 / 0'" \
        -c "create function slow(n int) returns setof text language sql as
            'select current_database()::text from pg_sleep(case current_database() when ''part2'' then 0.3 else 0 end)'"
done
setup=$PLPROXY_RUN/setup.sql
cat >"$setup" <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (%s)', string_agg(
    format('p%s %L', i, format('host=127.0.0.1 port=%s dbname=part%s password=Sesame42', :'parts', i)), ', '))
    from generate_series(0, 3) i \gexec
select format('create server many foreign data wrapper plproxy options (modular_mapping ''1'', %s)', string_agg(
    format('p%s %L', i, format('host=127.0.0.1 port=%s dbname=postgres application_name=many%s', :'parts', i)), ', '))
    from generate_series(0, 15) i \gexec
select format('create server silent foreign data wrapper plproxy options (p0 %L)',
    format('host=127.0.0.1 port=%s dbname=postgres', :'silent')) \gexec
create server closed foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=1 dbname=nowhere');
select format('create user mapping for public server %I options (user ''postgres'')', srvname) from pg_foreign_server \gexec
create function one_part(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select n; $$;
create function rows_of(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; $$;
create function fails(n int) returns int language plproxy as $$ cluster 'parts'; run on n; $$;
create function slow(n int) returns setof text language plproxy as $$ cluster 'parts'; run on all; $$;
create function sleeps(seconds float8) returns int language plproxy as $$
    cluster 'parts'; run on 3; select 1 from pg_sleep(seconds); $$;
create function sixteen() returns setof int language plproxy as $$ cluster 'many'; run on all; select 1; $$;
create function from_silent() returns int language plproxy as $$ cluster 'silent'; run on 0; select 1; $$;
create function from_closed() returns int language plproxy as $$ cluster 'closed'; run on 0; select 1; $$;
SQL
set_up() {
    server_psql proxy -q -d "${1:-postgres}" -v parts="$(server_port parts)" -v silent="$(server_port silent)" -f "$setup"
}
set_up
PARTITIONS="select string_agg(concat_ws(' ', cluster, partition, host, dbname, calls, rows, errors, connects,
    connect_failures, cancels, scope), ', ' order by cluster, partition) from plproxy_stat_partitions"
FUNCTIONS="select string_agg(concat_ws(' ', function, calls, rows, errors, connects, connect_failures, cancels, scope), ', '
    order by function::text collate \"C\") from plproxy_stat_functions"
port=$(server_port parts)
SUMS="select calls > 0 and total_time > 0 and min_time <= mean_time and mean_time <= max_time and max_time <= total_time
    and abs(mean_time * calls - total_time) < 0.001 * total_time and stddev_time between 0 and max_time - min_time
    and stats_since between now() - interval '1 hour' and now()"

# ---- counts
work=$PLPROXY_RUN/work.sql
{
    echo "\\o /dev/null"
    echo "select count(one_part(n % 4)) from generate_series(1, $((CALLS * 4))) n;"
    echo "select count(*) from rows_of(7);"
    # A remote error in a subtransaction; the session goes on.
    echo "do 'begin perform fails(1); exception when division_by_zero then end';"
} >"$work"
pids=()
for ((i = 0; i < SESSIONS; i++)); do
    server_psql proxy -q -f "$work" & pids+=($!)
done
ended=0
for pid in "${pids[@]}"; do wait "$pid" || ended=1; done
check "$SESSIONS sessions worked at the same time" [ "$ended" = 0 ]
n=$((SESSIONS * (CALLS + 1))) r=$((SESSIONS * (CALLS + 7)))
whole="parts 0 127.0.0.1 part0 $n $r 0 $SESSIONS 0 0 all sessions"
whole+=", parts 1 127.0.0.1 part1 $((n + SESSIONS)) $r $SESSIONS $SESSIONS 0 0 all sessions"
whole+=", parts 2 127.0.0.1 part2 $n $r 0 $SESSIONS 0 0 all sessions, parts 3 127.0.0.1 part3 $n $r 0 $SESSIONS 0 0 all sessions"
same "the partitions' counts are exact" "$whole" "$(ask -c "$PARTITIONS")"
same "the functions' counts are exact" "fails(integer) $SESSIONS 0 $SESSIONS 0 0 0 all sessions, one_part(integer) $((SESSIONS * CALLS * 4)) $((SESSIONS * CALLS * 4)) 0 $((SESSIONS * 4)) 0 0 all sessions, rows_of(integer) $SESSIONS $((SESSIONS * 28)) 0 0 0 0 all sessions" \
    "$(ask -c "$FUNCTIONS")"
same "times fit together" 't t t t' "$(ask -c "$SUMS from plproxy_stat_partitions" | tr '\n' ' ' | sed 's/ $//')"
same "and those of functions" 't t t' "$(ask -c "$SUMS from plproxy_stat_functions" | tr '\n' ' ' | sed 's/ $//')"
same "room is told" 'all sessions|10|4|3|0' "$(ask -c 'select * from plproxy_stat_info')"

# ---- failures
ask -c 'select from_closed()' >/dev/null
same "a connection that cannot be made" 'nowhere 1 0 1 0 1 0' "$(ask -c "select concat_ws(' ', dbname, calls, rows, errors,
    connects, connect_failures, cancels) from plproxy_stat_partitions where cluster = 'closed'")"
ask -c "set statement_timeout = '2s'" -c 'select sleeps(60)' >/dev/null
same "a call that is cancelled" '1 0 0 1' "$(ask -c "select concat_ws(' ', calls, rows, errors, cancels)
    from plproxy_stat_functions where function = 'sleeps(float8)'::regprocedure")"
same "and on its partition" 1 "$(ask -c "select cancels from plproxy_stat_partitions where cluster = 'parts' and partition = 3")"
ask -c "alter server parts options (add streaming '1')" -c 'select rows_of(100000) limit 1' \
    -c 'alter server parts options (drop streaming)' >/dev/null
same "a stream that nobody reads to its end" 1 "$(ask -c "select cancels from plproxy_stat_functions
    where function = 'rows_of(int)'::regprocedure")"

# ---- databases
server_psql proxy -q -c 'create database other'
set_up other
ask -d other -c 'select one_part(2)' >/dev/null
same "each database has its own" 'parts 2 127.0.0.1 part2 1 1 0 1 0 0 all sessions' "$(ask -d other -c "$PARTITIONS")"
same "none is in the other's" 'one_part(integer) 1 1 0 1 0 0 all sessions' "$(ask -d other -c "$FUNCTIONS")"

# ---- restarts
snapshot() {
    ask -c 'select * from plproxy_stat_partitions order by 1, 2' -c 'select * from plproxy_stat_functions order by 1' \
        -c 'select * from plproxy_stat_info'
}
before=$(snapshot)
server_restart proxy
same "a restart changes nothing" "$before" "$(snapshot)"
check "and leaves no file" [ ! -e "$(server_dir proxy)/data/pg_stat/plproxy.stat" ]
ask -c 'select one_part(0)' >/dev/null
same "counting goes on" "$((n + 2))" "$(ask -c "select calls from plproxy_stat_partitions where cluster = 'parts' and partition = 0")"
server_stop proxy immediate
check "an immediate shutdown leaves no file" [ ! -e "$(server_dir proxy)/data/pg_stat/plproxy.stat" ]
server_launch proxy same
same "and the counts begin anew" '0 0' \
    "$(ask -c 'select count(*) from plproxy_stat_partitions' -c 'select count(*) from plproxy_stat_functions' | tr '\n' ' ' | sed 's/ $//')"
# A backend that crashes takes the shared memory along.
ask -c 'select one_part(0)' >/dev/null
server_psql proxy -q -c 'select pg_sleep(60)' >/dev/null 2>&1 & sleeper=$!
until_seen "select count(*) = 1 from pg_stat_activity where query = 'select pg_sleep(60)'" || true
pid=$(ask -c "select pid from pg_stat_activity where query = 'select pg_sleep(60)'")
kill -9 "$pid"
wait "$sleeper" 2>/dev/null || true
check "the server recovers from a crash" until_seen 'select count(*) = 0 from plproxy_stat_partitions'
ask -c 'select one_part(0)' >/dev/null
same "and counts again" 1 "$(ask -c 'select calls from plproxy_stat_partitions')"
for how in changed short empty; do
    server_stop proxy
    file=$(server_dir proxy)/data/pg_stat/plproxy.stat
    check "a shutdown writes the file" [ -s "$file" ]
    case $how in
        # By another byte than is there.
        changed) byte=x; [ "$(as_server dd if="$file" bs=1 skip=40 count=1 status=none | tr '\0' 0)" != x ] || byte=y
            printf %s "$byte" | as_server dd of="$file" bs=1 seek=40 conv=notrunc status=none ;;
        short) as_server truncate -s -3 "$file" ;;
        empty) as_server truncate -s 0 "$file" ;;
    esac
    server_launch proxy same
    same "a file that was $how is ignored" 0 "$(ask -c 'select count(*) from plproxy_stat_partitions')"
    check "with a word in the log" grep -q 'LOG:  PL/Proxy: ignoring invalid statistics in file' "$(server_dir proxy)/log"
    : | as_server tee "$(server_dir proxy)/log" >/dev/null
    ask -c 'select one_part(0)' >/dev/null
done

# ---- no room, reset
same "sixteen partitions are called" 16 "$(ask -c 'select count(*) from sixteen()')"
same "ten have room, the calls to the others are counted in all" '10|7' \
    "$(ask -c 'select partitions, untracked_calls from plproxy_stat_info')"
session_open proxy
session 'select count(*) from sixteen();' >/dev/null
server_psql proxy -q -c 'create role d_other'
same "nobody may reset unless it is granted" 'ERROR:  permission denied for function plproxy_stat_reset' \
    "$(ask -c 'set role d_other' -c 'select plproxy_stat_reset()')"
same "or look" 'ERROR:  permission denied for view plproxy_stat_partitions' \
    "$(ask -c 'set role d_other' -c 'select * from plproxy_stat_partitions')"
same "a reset" '' "$(ask -c 'select plproxy_stat_reset()')"
same "empties all" 'all sessions|10|0|0|0' "$(ask -c 'select * from plproxy_stat_info')"
same "a session that was there before counts on" 2 "$(session 'select one_part(2);')"
same "where there is room now" 'parts 2 127.0.0.1 part2 1 1 0 1 0 0 all sessions' "$(ask -c "$PARTITIONS")"
ask -d other -c 'select one_part(2)' >/dev/null
ask -c 'select plproxy_stat_reset()' >/dev/null
same "another database's stay" 1 "$(ask -d other -c 'select sum(calls) from plproxy_stat_partitions')"
server_psql proxy -q -c 'drop database other'
same "until it is dropped" '1|1' "$(ask -c 'select partitions, functions from plproxy_stat_info')"
ask -c 'select plproxy_stat_reset()' >/dev/null
same "and the next reset comes" '0|0' "$(ask -c 'select partitions, functions from plproxy_stat_info')"
session_close

# ---- room by use
# A role that was granted nothing may call what everybody may, here with a connection string of its own.
server_psql proxy -q -c 'create function anywhere(connstr text) returns int language plproxy as $$ connect connstr; select 1; $$'
ask -c 'select one_part(n) from generate_series(0, 2) n' >/dev/null
real='parts 0 1, parts 1 1, parts 2 1'
REAL="select string_agg(concat_ws(' ', cluster, partition, calls), ', ' order by partition) from plproxy_stat_partitions where cluster = 'parts'"
calls_by() {
    server_psql proxy -q -c "set role $1" -c "do \$\$ begin
        for i in 1 .. $2 loop
            for twice in 1 .. 2 loop
                begin perform anywhere(format($3, i % 4, i)); exception when others then null; end;
            end loop;
        end loop;
    end \$\$"
}
calls_by d_other 200 "'host=127.0.0.1 port=1 dbname=failing_%2\$s'"
same "a role without a grant fills what is free" 10 "$(ask -c 'select partitions from plproxy_stat_info')"
same "and drives out no partition" "$real" "$(ask -c "$REAL")"
calls_by postgres 8 "'host=127.0.0.1 port=$port dbname=part%1\$s user=postgres options=''-c plproxy.none=%2\$s'''"
same "a connection string that leads somewhere has room then" 4 \
    "$(ask -c 'select count(*) from plproxy_stat_partitions where cluster is null and connects > 0')"
same "at the cost of those that led nowhere" "$real" "$(ask -c "$REAL")"
ask -c 'select count(*) from sixteen()' >/dev/null
same "partitions of a cluster have room at the cost of both, and none goes for another" "$real|10|7" \
    "$(ask -c "$REAL" -c "select count(*), count(*) filter (where cluster = 'many') from plproxy_stat_partitions" | tr '\n' '|' | sed 's/|$//')"
same "every call is counted somewhere" $((3 + 400 + 16 + 16)) \
    "$(ask -c 'select sum(calls) + (select untracked_calls from plproxy_stat_info) from plproxy_stat_partitions')"
calls_by d_other 100 "'host=127.0.0.1 port=1 dbname=failing_%2\$s'"
same "failures after that have none" "$real|10|7" \
    "$(ask -c "$REAL" -c "select count(*), count(*) filter (where cluster = 'many') from plproxy_stat_partitions" | tr '\n' '|' | sed 's/|$//')"

# ---- a process that is stopped while it counts
# What it would hold is written into the memory of all sessions: the lock of the entry of a partition with so many calls.
cat >"$PLPROXY_RUN/hold.pl" <<'PERL'
my ($pid, $database, $number, $calls, $from, $to) = @ARGV;
open(my $maps, '<', "/proc/$pid/maps") or exit 3;
sysopen(my $memory, "/proc/$pid/mem", 2) or exit 3;
my $wanted = pack('L<4', 1, $database, $number, $from);
my $found = 0;
while (<$maps>) {
    my ($start, $end) = /^([0-9a-f]+)-([0-9a-f]+) rw-s/ or next;
    ($start, $end) = (hex $start, hex $end);
    for (my $at = $start; $at < $end; $at += 1 << 20) {
        my $length = $end - $at < 1 << 20 ? $end - $at : 1 << 20;
        sysseek($memory, $at, 0);
        defined sysread($memory, my $bytes, $length) or next;
        for (my $place = index($bytes, $wanted); $place >= 0; $place = index($bytes, $wanted, $place + 1)) {
            next if ($at + $place) % 64 or unpack('Q<', substr($bytes, $place + 40, 8)) != $calls;
            sysseek($memory, $at + $place + 12, 0);
            syswrite($memory, pack('L<', $to)) == 4 or exit 3;
            $found++;
        }
    }
}
exit($found == 1 ? 0 : 4);
PERL
ask -c 'select plproxy_stat_reset()' -c 'select one_part(3) from generate_series(1, 77)' >/dev/null
server_psql proxy -q -c 'select pg_sleep(60)' >/dev/null 2>&1 & sleeper=$!
until_seen "select count(*) = 1 from pg_stat_activity where query = 'select pg_sleep(60)'" || true
pid=$(ask -c "select pid from pg_stat_activity where query = 'select pg_sleep(60)'")
hold() { perl "$PLPROXY_RUN/hold.pl" "$pid" "$(ask -c "select oid from pg_database where datname = 'postgres'")" 3 77 "$1" "$2"; }
if hold 0 1; then
    for turn in first second; do
        same "a $turn call beside it ends" 3 "$(timeout 60 "$SCRIPTS/server.sh" psql proxy -qAt -c 'select one_part(3)' 2>&1 || true)"
    done
    same "and is not counted there" '77 2' "$(timeout 60 "$SCRIPTS/server.sh" psql proxy -qAt -c "select calls || ' ' || untracked_calls
        from plproxy_stat_partitions, plproxy_stat_info where partition = 3" 2>&1 || true)"
    same "a call to another partition is" 1 "$(ask -c 'select one_part(1)' -c 'select calls from plproxy_stat_partitions where partition = 1' | tail -n 1)"
    check "when it goes on" hold 2 0
    same "so does the counting" '78 2' "$(ask -c 'select one_part(3)' -c "select calls || ' ' || untracked_calls
        from plproxy_stat_partitions, plproxy_stat_info where partition = 3" | tail -n 1)"
else
    say "            left out: this user may not write into the memory of another process"
fi
ask -c "select pg_cancel_backend($pid)" >/dev/null
wait "$sleeper" 2>/dev/null || true
ask -c 'select plproxy_stat_reset()' >/dev/null

# ---- wait events
case $PGMAJOR in 14 | 15 | 16) connecting=Extension executing=Extension ;; *) connecting=PlproxyConnect executing=PlproxyExecute ;; esac
server_psql proxy -q -c 'select sleeps(60)' >/dev/null 2>&1 & sleeper=$!
check "a call that waits for its partition shows $executing" until_seen "select count(*) = 1 from pg_stat_activity
    where query = 'select sleeps(60)' and wait_event_type = 'Extension' and wait_event = '$executing'"
ask -c "select pg_cancel_backend(pid) from pg_stat_activity where query = 'select sleeps(60)'" >/dev/null
wait "$sleeper" 2>/dev/null || true
# A server that is stopped has its connections accepted by the kernel, and never answers.
kill -STOP "$(server_pid silent)"
server_psql proxy -q -c 'select from_silent()' >/dev/null 2>&1 & sleeper=$!
check "one that connects shows $connecting" until_seen "select count(*) = 1 from pg_stat_activity
    where query = 'select from_silent()' and wait_event_type = 'Extension' and wait_event = '$connecting'"
ask -c "select pg_cancel_backend(pid) from pg_stat_activity where query = 'select from_silent()'" >/dev/null
wait "$sleeper" 2>/dev/null || true
kill -CONT "$(server_pid silent)"
same "and none is left over" 't' "$(ask -c 'select one_part(1)' -c "select wait_event is null from pg_stat_activity
    where pid = pg_backend_pid()" | tail -n 1)"

# All names of wait events that the server has room for are taken, or all but one. Whoever asks for one more then is told so
# with the lock of the names held.
if [ "$PGMAJOR" -ge 17 ]; then
    cat >"$PLPROXY_RUN/names.c" <<-'C'
	#include "postgres.h"
	#include "fmgr.h"
	#include "utils/wait_event.h"
	PG_MODULE_MAGIC;
	PG_FUNCTION_INFO_V1(take_names);
	Datum take_names(PG_FUNCTION_ARGS)
	{
	    for (int i = 0; i < PG_GETARG_INT32(0); i++)
	        WaitEventExtensionNew(psprintf("Taken%d", i));
	    PG_RETURN_VOID();
	}
	C
    cc -shared -fPIC -I"$("$(tree_bin "$PLPROXY_TREE")/pg_config" --includedir-server)" "$PLPROXY_RUN/names.c" -o "$PLPROXY_RUN/names.so"
    chmod 755 "$PLPROXY_RUN/names.so"
    server_psql proxy -q -c "create function take_names(n int) returns void language c as '$PLPROXY_RUN/names.so'"
    for taken in 126 127; do
        server_restart proxy
        ask -c "select take_names($taken)" >/dev/null
        same "$taken names are taken" "$taken" "$(ask -c "select count(*) from pg_wait_events where name like 'Taken%'")"
        # Not by the client, whose end does not end a session that waits for itself.
        timeout 60 "$SCRIPTS/server.sh" psql proxy -qAt -c 'select one_part(1)' -c 'select one_part(2)' >"$PLPROXY_RUN/taken.out" 2>&1 || true
        same "a session calls all the same" '1 2' "$(xargs <"$PLPROXY_RUN/taken.out")"
        # Where sessions wait for themselves, whoever looks at the names waits with them.
        [ "$(xargs <"$PLPROXY_RUN/taken.out")" = '1 2' ] || { server_stop proxy immediate; server_launch proxy same; break; }
        server_psql proxy -q -c 'select sleeps(60)' >/dev/null 2>&1 & sleeper=$!
        check "its waits are those of any extension" until_seen "select count(*) = 1 from pg_stat_activity
            where query = 'select sleeps(60)' and wait_event_type = 'Extension' and wait_event = 'Extension'"
        check "and it can be ended" until_seen "select count(*) = 0 from (select pg_terminate_backend(pid) from pg_stat_activity
            where query = 'select sleeps(60)') s"
        wait "$sleeper" 2>/dev/null || true
        same "the names can be asked for" 'ERROR:  too many custom wait events' "$(ask -c 'select take_names(128)' | head -n 1)"
        check "and looked at" [ "$(ask -c 'select count(*) > 126 from pg_wait_events')" = t ]
    done
    server_restart proxy
fi

# ---- the log
lines() { log_of_proxy | grep -c 'LOG:  PL/Proxy function' || true; }
same "no call is logged" 0 "$(lines)"
ask -c "set plproxy.log_min_duration = '100ms'" -c 'select count(*) from slow(1)' -c "set plproxy.log_min_duration = -1" \
    -c 'select count(*) from slow(1)' >/dev/null
same "a slow call is, once" 1 "$(lines)"
line=$(log_of_proxy | grep 'LOG:  PL/Proxy function' | tail -n 1)
say "            ${line#*LOG:  }"
number='[0-9]+\.[0-9]{3}'
times="connect $number ms, wait $number ms, transfer $number ms, 1 rows"
check "with its partitions" grep -qE "PL/Proxy function public\.slow\(1\): duration $number ms, 4 rows; partition 0 \(127\.0\.0\.1:$port\): $times; partition 1 \(127\.0\.0\.1:$port\): $times; partition 2 \(127\.0\.0\.1:$port\): $times; partition 3 \(127\.0\.0\.1:$port\): $times\$" <<<"$line"
waited=$(sed -E 's/.*partition 2 [^;]* wait ([0-9]+)\..*/\1/' <<<"$line")
took=$(sed -E 's/.*duration ([0-9]+)\..*/\1/' <<<"$line")
check "and which of them was slow ($waited of $took ms)" [ "$waited" -ge 290 ] && check "the duration covers it" [ "$took" -ge "$waited" ]
ask -c "set plproxy.log_min_duration = 0" -c 'select fails(1)' >/dev/null
check "a call that failed" grep -qE 'public\.fails\(1\): duration .* rows, failed; partition 1 .* 0 rows, failed$' <<<"$(log_of_proxy)"
ask -c "set plproxy.log_min_duration = 0" -c "set statement_timeout = '2s'" -c 'select sleeps(60)' >/dev/null
check "a call that was cancelled" grep -qE 'public\.sleeps\(1\): duration .* rows, canceled; partition 3 .* 0 rows, canceled$' <<<"$(log_of_proxy)"
ask -c "set plproxy.log_min_duration = 0" -c 'select from_closed()' >/dev/null
check "one that could not connect" grep -qE 'public\.from_closed\(0\): .*: connect [0-9.]* ms, wait 0\.000 ms, transfer 0\.000 ms, 0 rows, failed$' <<<"$(log_of_proxy)"
ask -c "set plproxy.log_min_duration = 0" -c "alter server parts options (add streaming '1')" \
    -c 'select rows_of(100000) limit 1' -c 'alter server parts options (drop streaming)' >/dev/null
check "a stream that nobody read to its end" grep -qE 'public\.rows_of\(1\): .* rows, canceled; partition 0' <<<"$(log_of_proxy)"
same "no password is in the log" 0 "$(log_of_proxy | grep -c Sesame42 || true)"
same "who is no superuser cannot set it" 'ERROR:  permission denied to set parameter "plproxy.log_min_duration"' \
    "$(ask -c 'set role d_other' -c 'set plproxy.log_min_duration = 0')"

# ---- settings
same "settings are shown" '-1 10 off' "$(ask -c 'show plproxy.log_min_duration' -c 'show plproxy.max_tracked_partitions' \
    -c 'show plproxy.standard_sqlstates' | tr '\n' ' ' | sed 's/ $//')"
same "the room is the server's" 'ERROR:  parameter "plproxy.max_tracked_partitions" cannot be changed without restarting the server' \
    "$(ask -c 'set plproxy.max_tracked_partitions = 5')"
server_stop proxy
echo 'plproxy.max_tracked_partitions = 0' | as_server tee -a "$(server_dir proxy)/data/postgresql.conf" >/dev/null
server_launch proxy same
same "with no room nothing is counted" '1 all sessions|0|0|0|2' "$(ask -c 'select one_part(1)' -c 'select * from plproxy_stat_info' | tr '\n' ' ' | sed 's/ $//')"

[ "$failed" = 0 ] || { say "the end of the log:"; log_of_proxy | tail -n 20 >&2; }
tally "$passed" "$failed"
[ "$failed" = 0 ]
