# Partitions whose processes are all stopped while an atomic command prepares there, or is to be ended: how long the caller waits.

one -q <<'SQL'
create database second;
create table held (n int);
-- Preparing takes until the lock is free.
create function wait() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7);
    return null;
end $$;
create constraint trigger wait after insert on held deferrable initially deferred for each row execute function wait();
\c second
create table held (n int);
SQL
proxy -q -v p0="$(at "$ONE")" -v p1="$(at "$ONE" second)" <<'SQL'
create server twins foreign data wrapper plproxy options (lock_timeout '0', p0 :'p0', p1 :'p1');
create user mapping for public server twins options (user 'postgres');
SQL
ATOMIC="select count(*) from plproxy_run_on_all('twins', 'insert into held values (1)', atomic => true)"
preparing() { said 1 one -c "select count(*) from pg_stat_activity where query like 'prepare%' and wait_event_type = 'Lock'"; }
lock_held() { said 1 one -c "select count(*) from pg_locks where locktype = 'advisory' and objid = 7 and granted"; }
nothing_left() { said '0 0' one -c "select (select count(*) from pg_prepared_xacts), (select count(*) from pg_stat_activity where query like 'prepare%' and state = 'active')"; }
PGAPPNAME=keeper one -c 'begin; select pg_advisory_xact_lock(7); select pg_sleep(600)' >/dev/null 2>&1 &
KEEPER=$!
until_true 20 lock_held

# One that is stopped in the middle of PREPARE, and a caller whose time is up, or who is ended.
overdue() {
    proxy -c "set client_min_messages = error; set statement_timeout = 5000; select * from timed(\$\$$ATOMIC\$\$)" >"$PLPROXY_RUN/overdue" 2>&1 &
    local pid=$!
    until_true 10 preparing
    hit one STOP
    wait "$pid"
    hit one CONT
    until_true 20 nothing_left
    cat "$PLPROXY_RUN/overdue"
}
within atomic.prepare_statement_timeout 5500 57014 overdue
blow() { # cancel or terminate
    local ms at
    hang "set client_min_messages = error; $ATOMIC"
    until_true 10 preparing
    hit one STOP
    read -r ms at < <(proxy -c "select ms, at from strike('$APP', '$1')")
    wait "$HUNG" || true
    hit one CONT
    until_true 20 nothing_left
    echo "over $ms"
}
within atomic.prepare_cancel 500 over blow cancel
within atomic.prepare_terminate 500 over blow terminate
one -c "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'keeper'" >/dev/null
wait "$KEEPER" || true

# One that is stopped when it is prepared: what can end no wait has a bound.
ended() { # commit or rollback; what is told, and how long it took
    proxy 2>&1 <<-SQL | sed -n 's/.*\(could not be [a-z ]*\): \(.*\)/\1: \2/p; s/^Time: \([0-9]*\).*/\1/p' | sort -u | tr ' ' '_' | paste -sd' '
	begin;
	$ATOMIC;
	\\! $HERE/hit.sh one STOP
	\\timing on
	$1;
	\\timing off
	\\! $HERE/hit.sh one CONT
	SQL
    proxy -c "set client_min_messages = error; select count(*) from plproxy_recover_prepared('twins')" >/dev/null
}
# The number comes first, by the sorting.
swap() { local ms told; read -r ms told < <(ended "$1"); echo "$told $ms"; }
within atomic.rollback 2500 could_not_be_rolled_back:_no_answer_in_time swap rollback
within atomic.commit 10500 could_not_be_committed:_no_answer_in_time swap commit
check atomic.nothing_left until_true 20 nothing_left
