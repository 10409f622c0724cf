# What the scenarios of tests/transactions share, in which a session of the proxy is brought to a step of a command, with
# partitions a and b. Sourced.
#
# The steps are stopped by real means on partition b: its table is locked, a deferred trigger waits for a lock while the
# transaction is being prepared, the local transaction stays open, the server process does not run.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$SCRIPTS/replicas.sh"

run_begin
trap '' PIPE
settings=(--auth trust --set 'shared_buffers = 16MB' --set 'restart_after_crash = on')
for name in a b; do server_start "$name" "${settings[@]}" --set 'max_prepared_transactions = 20'; done
# Connections that sessions share need the library preloaded.
preloaded=()
[ -z "${SHARED_CONNECTIONS:-}" ] || preloaded=(--set "shared_preload_libraries = 'plproxy'")
server_start proxy "${settings[@]}" "${REPLICATED[@]}" "${preloaded[@]}"
for name in a b; do
    server_psql "$name" -q <<'SQL'
create database part;
\c part
create table t (n int);
create function wait() returns trigger language plpgsql as $$
begin
    perform pg_advisory_lock_shared(7);
    perform pg_advisory_unlock_shared(7);
    return null;
end $$;
create constraint trigger wait after insert on t deferrable initially deferred for each row execute function wait();
SQL
done
server_psql proxy -q -v a="$(server_port a)" -v b="$(server_port b)" <<'SQL'
create extension plproxy;
-- What a slow machine takes its time for is not to end by that.
select format('create server parts foreign data wrapper plproxy options (lock_timeout ''0'', p0 %L, p1 %L)',
    'host=127.0.0.1 dbname=part port=' || :'a', 'host=127.0.0.1 dbname=part port=' || :'b') \gexec
create user mapping for public server parts options (user 'postgres');
SQL

WORK="select count(*) from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true)"

# state [database]: rows there and prepared transactions of a, then of b
state() {
    local name
    for name in a b; do
        ask "$name" "${1:-part}" 'select (select count(*) from t), (select count(*) from pg_prepared_xacts)'
    done | paste -sd ' ' -
}
# recover [server [lost server]]: what the recovery has done there
recover() {
    ask "${1:-proxy}" postgres "select partition, action from plproxy_recover_prepared('parts'${2:+, '$2'}) order by 1"
}
alive() { until_is 1 ask "$1" postgres 'select 1' >/dev/null; }
# Only a killed process is gone for sure when the next step comes.
dead() { [ ! -d "/proc/$1" ] || zombie "$1"; }
gone() { local try; for try in $(seq 300); do ! dead "$1" || return 0; sleep 0.1; done; }
# process server condition: the server process of that session
process() { ask "$1" postgres "select pid from pg_stat_activity where $2 and pid <> pg_backend_pid() limit 1"; }

mkfifo "$PLPROXY_RUN/fifo"
# begin_session [server]: the session that does the work, in the background
begin_session() {
    ( server_psql "${1:-proxy}" -At -v ON_ERROR_STOP=0 >"$PLPROXY_RUN/session.log" 2>&1 || true ) <"$PLPROXY_RUN/fifo" &
    session=$!
    exec 9>"$PLPROXY_RUN/fifo"
    printf '%s\n' 'set application_name = work; begin;' >&9
    worker=$(until_is_some process "${1:-proxy}" "application_name = 'work'")
}
until_is_some() { local got try; for try in $(seq 300); do got=$("$@"); [ -z "$got" ] || break; sleep 0.1; done; printf '%s' "$got"; }
say_to_session() { printf '%s\n' "$1" >&9 2>/dev/null || true; }
# A server that was started meanwhile has inherited the pipe, so that closing it is not enough.
end_session() { say_to_session '\q'; exec 9>&-; wait "$session" 2>/dev/null || true; }

# block statement: a session on b that has run it and stays in its transaction
block() {
    server_psql b -q -d part -c "set application_name = block; begin; $1; select pg_sleep(600)" >/dev/null 2>&1 9>&- &
    blocker=$!
    until_is_some process b "application_name = 'block' and query like '%pg_sleep%' and wait_event = 'PgSleep'" >/dev/null
}
unblock() {
    ask b postgres "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'block'" >/dev/null
    wait "$blocker" 2>/dev/null || true
}

# at STEP [server]: brings the session to that step
at() {
    begin_session "${2:-proxy}"
    case $1 in
        command)
            block 'lock table t'
            say_to_session "$WORK;"
            until_is_some process b "query like 'insert%' and wait_event_type = 'Lock'" >/dev/null ;;
        prepare)
            block 'select pg_advisory_xact_lock(7)'
            say_to_session "$WORK;"
            until_is '0|1' ask a part 'select (select count(*) from t), (select count(*) from pg_prepared_xacts)' >/dev/null
            until_is_some process b "query like 'prepare%' and wait_event_type = 'Lock'" >/dev/null ;;
        prepared|commit)
            say_to_session "$WORK;"
            until_is '0|1 0|1' state >/dev/null
            until_is_some process b "query like 'prepare%' and state = 'idle'" >/dev/null ;;
    esac
    [ "$1" != commit ] || {
        stopped=$(process b "query like 'prepare%'")
        kill -STOP "$stopped"
        say_to_session 'commit;'
        until_is '1|0' ask a part 'select (select count(*) from t), (select count(*) from pg_prepared_xacts)' >/dev/null
    }
}

# after STEP LOSS: lets go of what stopped the step
after() {
    case $1-$2 in
        command-partition|prepare-partition) wait "$blocker" 2>/dev/null || true ;;
        command-*|prepare-*) unblock ;;
    esac
}

# lose LOSS STEP
lose() {
    case $1 in
        terminated)
            ask proxy postgres "select pg_terminate_backend($worker)" >/dev/null
            gone "$worker" ;;
        killed)
            kill -9 "$worker"
            gone "$worker"
            alive proxy ;;
        machine)
            # The server and the session at once, as when the power fails.
            # The session first: when the postmaster goes, it would end on its own and roll back.
            kill -9 "$worker" "$(server_pid proxy)"
            gone "$worker"
            while server_running proxy; do sleep 0.05; done
            server_launch proxy same ;;
        partition)
            if [ "$2" = commit ]; then
                kill -9 "$stopped"
                gone "$stopped"
            else
                server_kill b
            fi
            # Its processes notice on their own.
            [ "$2" = commit ] || server_launch b same
            alive b ;;
    esac
    # A process that was stopped has not seen what it was sent; now it never will.
    if [ "$2" = commit ] && [ "$1" != partition ]; then kill -9 "$stopped"; gone "$stopped"; alive b; fi
}

clear() {
    local name
    for name in a b; do ask "$name" part 'truncate t' >/dev/null; done
    ask proxy postgres "select count(*) from plproxy_recover_prepared('parts')" >/dev/null
}
