# Callers that are interrupted, at each stage of a call, and servers' own limits.

# The call that stays in a stage for ever. "deaf" does not read the parameter, "dribble" sends a value byte by byte; none
# of the broken server's connections answers a cancel request.
declare -A STAGES=(
    [connecting]="look('host=127.0.0.1 sslmode=disable user=u dbname=d port=$FULL', 'select 1')"
    [tls]="look('host=127.0.0.1 sslmode=require user=u dbname=d port=$BROKEN', 'select 1')"
    [starting]="look('$(at "$BROKEN" mute)', 'select 1')"
    [authenticating]="look('$(at "$BROKEN" auth_mute) password=x', 'select 1')"
    [asking]="look('$(at "$BROKEN" silent)', 'select 1')"
    [parsing]="parsed()"
    [sending]="size('$(at "$BROKEN" deaf)', repeat('x', 20000000))"
    [waiting]="nap_on(1, 60)"
    [waiting_all]="nap_all(60)"
    [reading]="look('$(at "$BROKEN" dribble)', 'select 1')"
    [reading_rows]="look('$(at "$BROKEN" rows)', 'select 1')"
    [reading_notices]="look('$(at "$BROKEN" notices)', 'select 1')"
)
ALL='connecting tls starting authenticating asking parsing sending waiting waiting_all reading reading_rows reading_notices'
# In a session of its own. Notices and rows without end need not reach psql.
QUIET='set client_min_messages = error; set statement_timeout = 0; set work_mem = 1024;'

# struck stage how: the session's statement, and the milliseconds it went on after the blow.
struck() {
    local ms at
    hang "$QUIET select count(*) from ${STAGES[$1]}" || { echo "did not hang 9999"; return; }
    read -r ms at < <(proxy -c "select ms, at from strike('$APP', '$2')")
    wait "$HUNG" || true
    case $2 in
        cancel) grep -q 'canceling statement due to user request' "$OUT" && echo "canceled $ms" ;;
        *) grep -q 'terminating connection\|server closed the connection' "$OUT" && echo "gone $ms" ;;
    esac
}
# What "gone" is for a client that is lost: its backend.
lost() {
    hang "$QUIET set client_connection_check_interval = 100; select count(*) from ${STAGES[$1]}" \
        || { echo "did not hang 9999"; return; }
    disown "$HUNG"
    kill -9 "$HUNG"
    proxy -c "select 'gone', ms from strike('$APP', 'nothing')"
}
overdue() { # the caller's statement_timeout
    proxy -c "$QUIET set statement_timeout = 500" -c "select * from timed(\$\$select count(*) from ${STAGES[$1]}\$\$)"
}

# The server waits for a table's lock while it parses the statement.
hang_on_one() { PGAPPNAME=$1 server_psql one -Atq -c "$2" >/dev/null 2>&1 </dev/null & LOCKER=$!; }
is_locked() { said 1 one -c "select count(*) from pg_locks where relation = '$1'::regclass and mode = 'AccessExclusiveLock' and granted"; }
one -c 'create table parsed (n int)'
proxy -c "create function parsed() returns setof int language plproxy as \$\$ cluster 'parts'; run on 0; select n from parsed; \$\$"
hang_on_one parse_locker 'begin; lock parsed; select pg_sleep(600)'
PARSE_LOCKER=$LOCKER
until_true 60 is_locked parsed

for stage in $ALL; do
    within "stages.${stage}_cancel" 100 canceled struck "$stage" cancel
    within "stages.${stage}_terminate" 500 gone struck "$stage" terminate
    within "stages.${stage}_client_lost" 600 gone lost "$stage"
    within "stages.${stage}_statement_timeout" 1000 57014 overdue "$stage"
done

# No statement is left on any partition, whoever ended the call.
reaches_all() { # blow, statement, how many partitions are at work then and what else is so
    local at ms
    hang "$QUIET $2"
    until_true 60 said t one -c "select running() = $3"
    read -r ms at < <(proxy -c "select ms, at from strike('$APP', '$1')")
    echo "quiet $(one -c "select quiet_since('$at')")"
    wait "$HUNG" || true
}
for blow in cancel terminate; do
    within "stages.${blow}_reaches_all" 500 quiet reaches_all $blow 'select count(*) from nap_all(60)' $PARTITIONS
done

# A session that PostgreSQL itself ends takes them along, too.
overlong() {
    hang "$QUIET set transaction_timeout = 10000; select count(*) from nap_all(60)"
    until_true 60 said "$PARTITIONS" one -c 'select running()'
    wait "$HUNG" || true
    grep -q 'terminating connection due to transaction timeout' "$OUT" || { echo "not ended 9999"; return; }
    echo "quiet $(one -c "select quiet_since(clock_timestamp())")"
}
[ "$PGMAJOR" -lt 17 ] || within stages.transaction_timeout_reaches_all 500 quiet overlong

# The same while rows that came ahead of their turn are moved to the result, which only the second partition's are.
for blow in cancel terminate; do
    within "stages.moving_${blow}_reaches_all" 500 quiet reaches_all $blow 'select count(*) from ahead(3000000)' 1
done

# The same while PostgreSQL is at work for the call: in the check of a domain, for a set and for values one by one; in a call
# that such a check makes; telling notices.
for blow in cancel terminate; do
    within "stages.checking_a_set_${blow}_reaches_all" 500 quiet \
        reaches_all $blow 'select count(*) from slow_all(false)' $((PARTITIONS - 1))
    within "stages.checking_values_${blow}_reaches_all" 500 quiet \
        reaches_all $blow 'select slow_all(false)' $((PARTITIONS - 1))
    within "stages.calling_within_${blow}_reaches_all" 500 quiet reaches_all $blow 'select slower_all(false)' \
        "$PARTITIONS and exists (select from pg_stat_activity where state = 'active' and query ~ 'nap[(]')"
    within "stages.telling_notices_${blow}_reaches_all" 500 quiet \
        reaches_all $blow 'set client_min_messages = notice; select slow_all(true)' \
        "$PARTITIONS and pg_sleep(1) is not null"
done

# A second blow while the first is being seen to.
again() {
    local at ms
    hang "$QUIET select count(*) from ${STAGES[asking]}"
    proxy -c "select pg_cancel_backend(pid) from pg_stat_activity where application_name = '$APP'" >/dev/null
    read -r ms at < <(proxy -c "select ms, at from strike('$APP', 'terminate')")
    wait "$HUNG" || true
    echo "gone $ms"
}
within stages.cancelling_terminate 500 gone again

# The postmaster dies while sessions sit in every stage.
orphans() {
    local stage began ms pids=() pid me=$BASHPID
    for stage in $ALL; do
        hang "$QUIET select count(*) from ${STAGES[$stage]}" || echo "no hang"
        disown "$HUNG"
    done
    mapfile -t pids < <(proxy -c "select pid from pg_stat_activity where application_name like 'hang_$me.%'")
    [ "${#pids[@]}" = ${#STAGES[@]} ] || echo "only ${#pids[@]}"
    began=$(date +%s%3N)
    kill -9 "$(server_pid proxy)"
    for pid in "${pids[@]}"; do
        while [ -d "/proc/$pid" ] && ! zombie "$pid" && [ $(($(date +%s%3N) - began)) -lt 30000 ]; do sleep 0.01; done
    done
    ms=$(($(date +%s%3N) - began))
    while server_running proxy; do sleep 0.02; done
    server_launch proxy same
    echo "gone $ms"
}
within stages.postmaster_dies 1000 gone orphans
one -c "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parse_locker'" >/dev/null
wait "$PARSE_LOCKER" || true

# The partition's own limits reach the caller with their own codes.
limit() {
    proxy -v c="$(at "$ONE") application_name=limited options='-c $1=300'" -v q="$2" <<-'SQL'
	select * from timed(format('select count(*) from look(%L, %L)', :'c', :'q'))
	SQL
}
hang_on_one locker 'begin; lock written; select pg_sleep(60)'
until_true 60 is_locked written
within stages.partition_lock_timeout 800 55P03 limit lock_timeout 'select n::text from written'
one -c "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'locker'" >/dev/null
wait "$LOCKER" || true
within stages.partition_statement_timeout 800 57014 limit statement_timeout 'select pg_sleep(30)::text'

# A session that idles in its transaction is ended, and what it had on the partitions with it.
idle() {
    server_psql proxy -Atq >"$PLPROXY_RUN/idle.out" 2>&1 <<-'SQL' || true
	set idle_in_transaction_session_timeout = 200;
	begin;
	select count(*) from same_all(1);
	\! sleep 3
	select 1;
	SQL
    grep -o 'idle-in-transaction timeout' "$PLPROXY_RUN/idle.out"
}
same stages.idle_in_transaction 'idle-in-transaction timeout' "$(idle)"
check stages.idle_leaves_nothing until_true 60 said 0 \
    one -c "select count(*) from pg_stat_activity where application_name like 'part%'"

# Nobody waits for a session that sits in a remote call.
barriers() {
    local began; began=$(date +%s%3N)
    proxy -c 'create database other' -c 'drop database other' -c "alter system set work_mem = '4MB'" \
        -c 'select from pg_reload_conf()' -c 'create table t()' -c 'drop table t' >/dev/null
    echo "done $(($(date +%s%3N) - began))"
}
hang "$QUIET select nap_on(1, 60)"
within stages.barriers 3000 done barriers
check stages.barrier_still_waits stuck "$APP"
proxy -c "select ms from strike('$APP', 'terminate')" >/dev/null
wait "$HUNG" || true
