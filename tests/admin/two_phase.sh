#!/usr/bin/env bash
# plproxy_run_on_all(…, atomic => true): a session, the local server, a partition are lost at every step, and afterwards
# all partitions have the work or none, once plproxy_recover_prepared has run. Needs PLPROXY_TREE.
#
# The steps are stopped by real means on partition b: its table is locked, a deferred trigger waits for a lock while the
# transaction is being prepared, the local transaction stays open, the server process does not run.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

run_begin
trap '' PIPE
for name in proxy a b; do
    server_start "$name" --auth trust --set 'max_prepared_transactions = 20' --set 'shared_buffers = 16MB' \
        --set 'restart_after_crash = on'
done
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
select format('create server parts foreign data wrapper plproxy options (p0 %L, p1 %L)',
    'host=127.0.0.1 dbname=part port=' || :'a', 'host=127.0.0.1 dbname=part port=' || :'b') \gexec
create user mapping for public server parts options (user 'postgres');
SQL

WORK="select count(*) from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true)"

# state: rows and prepared transactions of a, then of b
state() {
    local name
    for name in a b; do
        ask "$name" part 'select (select count(*) from t), (select count(*) from pg_prepared_xacts)'
    done | paste -sd ' ' -
}
recover() { ask proxy postgres "select partition, action from plproxy_recover_prepared('parts') order by 1"; }
alive() { until_is 1 ask "$1" postgres 'select 1' >/dev/null; }
# Only a killed process is gone for sure when the next step comes.
dead() { [ ! -d "/proc/$1" ] || zombie "$1"; }
gone() { local try; for try in $(seq 300); do ! dead "$1" || return 0; sleep 0.1; done; }
# process server condition: the server process of that session
process() { ask "$1" postgres "select pid from pg_stat_activity where $2 and pid <> pg_backend_pid() limit 1"; }

# The session that does the work, in the background.
begin_session() {
    ( server_psql proxy -At -v ON_ERROR_STOP=0 >"$PLPROXY_RUN/session.log" 2>&1 || true ) <"$PLPROXY_RUN/fifo" &
    session=$!
    exec 9>"$PLPROXY_RUN/fifo"
    printf '%s\n' 'set application_name = work; begin;' >&9
    worker=$(until_is_some process proxy "application_name = 'work'")
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

# at STEP: brings the session to that step
at() {
    begin_session
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
            kill -9 "$(server_pid proxy)" "$worker"
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

mkfifo "$PLPROXY_RUN/fifo"
same 'it works' 2 "$(ask proxy postgres "$WORK")"
same 'on both' '1|0 1|0' "$(state)"
same 'its rows are the decision' 2 "$(ask proxy postgres 'select count(*) from plproxy_prepared_transactions')"
same 'nothing to recover' '' "$(recover)"
same 'but the rows have gone' 0 "$(ask proxy postgres 'select count(*) from plproxy_prepared_transactions')"
clear() {
    local name
    for name in a b; do ask "$name" part 'truncate t' >/dev/null; done
    ask proxy postgres "select count(*) from plproxy_recover_prepared('parts')" >/dev/null
}
clear

# What is committed locally when the loss comes is committed everywhere in the end, else nothing is.
for step in command prepare prepared commit; do
    for loss in terminated killed machine partition; do
        if [ "$step" = commit ]; then wanted='1|0 1|0'; else wanted='0|0 0|0'; fi
        at "$step"
        lose "$loss" "$step"
        after "$step" "$loss"
        case $step-$loss in
            # The local transaction is open still, and decides.
            prepared-partition) say_to_session 'commit;'; wanted='1|0 1|0' ;;
        esac
        end_session
        # A statement that nobody waits for any more may still be under way on b.
        until_is 0 ask b part "select count(*) from pg_stat_activity where state = 'active' and (query like 'prepare%'
            or query like 'insert%')" >/dev/null
        left=$(state)
        done_about=$(recover)
        same "$step, $loss: all or none (left: $left; recovery: ${done_about:-nothing})" "$wanted" "$(state)"
        same "$step, $loss: nothing left to recover" '' "$(recover)"
        clear
    done
done

# A session that is at it is left alone.
at prepared
same 'recovery leaves a live session alone' '0|in progress;1|in progress' "$(recover)"
same 'both are still prepared' '0|1 0|1' "$(state)"
say_to_session 'rollback;'
end_session
same 'rolled back with the local transaction' '0|0 0|0' "$(state)"

# Savepoints, exceptions, and an error after the work.
same 'a savepoint rolled back' 2 "$(ask proxy postgres "begin; savepoint s; $WORK; rollback to s; commit")"
same 'it took the work with it' '0|0 0|0' "$(state)"
same 'a savepoint released' 2 "$(ask proxy postgres "begin; savepoint s; $WORK; release s; commit")"
same 'the work stays' '1|0 1|0' "$(state)"
clear
same 'an exception block' '' "$(ask proxy postgres "do \$\$ begin begin perform count(*) from
    plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true); perform 1/0; exception when others then null;
    end; end \$\$")"
same 'it took the work with it, too' '0|0 0|0' "$(state)"
same 'twice in one transaction' '2;2' "$(ask proxy postgres "begin; $WORK; $WORK; commit")"
same 'both are done' '2|0 2|0' "$(state)"
clear

# What cannot be finished is told in whatever encoding, and the session goes on as before: interrupts reach it.
server_psql proxy -q -c "create database latin encoding latin1 locale 'C' template template0"
server_psql proxy -q -d latin -v a="$(server_port a)" -v b="$(server_port b)" <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (p0 %L, p1 %L)',
    'host=127.0.0.1 dbname=part port=' || :'a', 'host=127.0.0.1 dbname=part port=' || :'b') \gexec
create user mapping for public server parts options (user 'postgres');
SQL
unfinished() {
    server_psql proxy -Atq -d latin -v ON_ERROR_STOP=0 <<SQL 2>&1 | sed -E 's/^psql:[^ ]* //; s/plproxy_[0-9_]+/GID/g' | paste -sd ';' -
begin;
$WORK;
select count(*) from plproxy_prepared_transactions p, plproxy_run_on_all('parts', format('rollback prepared %L', p.gid)) r
    where r.success;
commit;
set statement_timeout = '200ms';
select 'slept', pg_sleep(5);
SQL
}
same 'not finished' "2;2;WARNING:  prepared transaction \"GID\" on partition 0 of cluster \"parts\" could not be committed: ERROR:  prepared transaction with identifier \"GID\" does not exist;HINT:  SELECT * FROM plproxy_recover_prepared('parts') finishes it.;WARNING:  prepared transaction \"GID\" on partition 1 of cluster \"parts\" could not be committed: ERROR:  prepared transaction with identifier \"GID\" does not exist;HINT:  SELECT * FROM plproxy_recover_prepared('parts') finishes it.;ERROR:  canceling statement due to statement timeout" \
    "$(unfinished)"
clear

# A partition that refuses, at the command or when it is to be prepared.
ask b part 'create unique index only_one on t (n)' >/dev/null
ask b part 'insert into t values (1)' >/dev/null
same 'one refuses the command' \
    'ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: duplicate key value violates unique constraint "only_one";DETAIL:  Remote detail: Key (n)=(1) already exists.' \
    "$(ask proxy postgres "$WORK")"
same 'none has it' '0|0 1|0' "$(state)"
ask b part 'drop index only_one; truncate t' >/dev/null
same 'one refuses to prepare' \
    'ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: cannot PREPARE a transaction that has operated on temporary objects' \
    "$(ask proxy postgres "select from plproxy_run_on_all('parts', 'insert into t values (1); do \$\$ begin
        if current_setting(''cluster_name'') = ''b'' then create temp table x (); end if; end \$\$', atomic => true)")"
same 'none has it, either' '0|0 0|0' "$(state)"

# Where nothing can be prepared.
server_stop b
as_server sed -i 's/^max_prepared_transactions.*/max_prepared_transactions = 0/' "$(server_dir b)/data/postgresql.conf"
server_launch b same
same 'max_prepared_transactions = 0' \
    'ERROR:  PL/Proxy function public.plproxy_run_on_all(3): [part] max_prepared_transactions is 0 on partition 1, so nothing can be prepared there;HINT:  Set it on that server and restart it, or run the command without "atomic".' \
    "$(ask proxy postgres "$WORK")"
same 'none has it there' '0|0 0|0' "$(state)"

finish
