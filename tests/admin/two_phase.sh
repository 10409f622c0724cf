#!/usr/bin/env bash
# plproxy_run_on_all(…, atomic => true): a session, the local server, a partition are lost at every step, and afterwards
# all partitions have the work or none, once plproxy_recover_prepared has run. Needs PLPROXY_TREE.

source "$(dirname "${BASH_SOURCE[0]}")/stages.sh"

same 'it works' 2 "$(ask proxy postgres "$WORK")"
same 'on both' '1|0 1|0' "$(state)"
same 'its rows are the decision' 2 "$(ask proxy postgres 'select count(*) from plproxy_internal.prepared_transactions')"
same 'nothing to recover' '' "$(recover)"
same 'but the rows have gone' 0 "$(ask proxy postgres 'select count(*) from plproxy_internal.prepared_transactions')"
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

# What somebody else has rolled back, or committed, before the partitions were told to commit: the former is told, in whatever
# encoding, and the session goes on as before: interrupts reach it.
server_psql proxy -q -c "create database latin encoding latin1 locale 'C' template template0"
server_psql proxy -q -d latin -v a="$(server_port a)" -v b="$(server_port b)" <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (p0 %L, p1 %L)',
    'host=127.0.0.1 dbname=part port=' || :'a', 'host=127.0.0.1 dbname=part port=' || :'b') \gexec
create user mapping for public server parts options (user 'postgres');
SQL
by_another() {
    server_psql proxy -Atq -d latin -v ON_ERROR_STOP=0 <<SQL 2>&1 | sed -E 's/^psql:[^ ]* //; s/plproxy_[0-9a-f_]+/GID/g' | paste -sd ';' -
begin;
$WORK;
select count(*) from plproxy_internal.prepared_transactions p, plproxy_run_on_all('parts', format('$1 prepared %L', p.gid)) r
    where r.success;
commit;
set statement_timeout = '200ms';
select 'slept', pg_sleep(5);
SQL
}
lost='was to be committed, and is not there any more;HINT:  What the transaction did on that partition is lost.'
same 'rolled back by another' "2;2;WARNING:  prepared transaction \"GID\" on partition 0 of cluster \"parts\" $lost;WARNING:  prepared transaction \"GID\" on partition 1 of cluster \"parts\" $lost;ERROR:  canceling statement due to statement timeout" \
    "$(by_another rollback)"
same 'nothing is there' '0|0 0|0' "$(state)"
told() { ask proxy latin "select partition, action from plproxy_recover_prepared('parts')" | sed -E 's/plproxy_[0-9a-f_]+/GID/g'; }
rolled_back='was to be committed, and was rolled back there by somebody else'
same 'the recovery tells of it, too' "WARNING:  prepared transaction \"GID\" on partition 0 of cluster \"parts\" $rolled_back;WARNING:  prepared transaction \"GID\" on partition 1 of cluster \"parts\" $rolled_back;0|$rolled_back;1|$rolled_back" "$(told)"
same 'once' '' "$(told)"
same 'committed by another' '2;2;ERROR:  canceling statement due to statement timeout' "$(by_another commit)"
same 'all is there' '1|0 1|0' "$(state)"
same 'and there is nothing to tell' '' "$(told)"
clear

# A session that is ended, with what it cannot say to its client any more, leaves none of its locks: neither where there is no
# catalog to look for a conversion in, nor where the database's encoding lacks a character of a partition's words. Those come in
# UTF-8, as the partition's server cannot convert between the two encodings.
for name in a b; do
    server_psql "$name" -q -c "create database part_jp encoding 'EUC_JP' locale 'C' template template0"
    server_psql "$name" -q -d part_jp -c 'create table t (n int)'
done
server_psql proxy -q -d latin -v a="$(server_port a)" -v b="$(server_port b)" <<'SQL'
create table locked ();
select format('create server parts_jp foreign data wrapper plproxy options (p0 %L, p1 %L)',
    'host=127.0.0.1 dbname=part_jp port=' || :'a', 'host=127.0.0.1 dbname=part_jp port=' || :'b') \gexec
create user mapping for public server parts_jp options (user 'postgres');
SQL
for encoding in latin1 utf8; do
    : | as_server tee "$(server_dir proxy)/log" >/dev/null
    begin_session
    say_to_session 'rollback; \c latin'
    say_to_session "set application_name = ended; set client_encoding = $encoding; begin; lock table locked; ${WORK//parts/parts_jp};"
    until_is '0|1 0|1' state part_jp >/dev/null
    ended=$(process proxy "application_name = 'ended'")
    for name in a b; do
        ask $name postgres "alter database part_jp set session_preload_libraries = 'ж';
            select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'part_jp'" >/dev/null
        until_is 0 ask $name postgres "select count(*) from pg_stat_activity where datname = 'part_jp'" >/dev/null
    done
    ask proxy postgres "select pg_terminate_backend($ended)" >/dev/null
    gone "$ended"
    end_session
    for name in a b; do ask $name postgres 'alter database part_jp reset session_preload_libraries' >/dev/null; done
    same "ended, $encoding: no lock is left" 0 "$(ask proxy latin "select count(*) from pg_locks where relation = 'locked'::regclass")"
    same "ended, $encoding: one FATAL" 1 "$(grep -a FATAL "$(server_dir proxy)/log" | grep -v 'file "' | wc -l)"
    same "ended, $encoding: the log tells" 2 "$(grep -a -c 'could not be rolled back: .*could not access file "?"' "$(server_dir proxy)/log" || true)"
    same "ended, $encoding: the recovery" '0|rolled back;1|rolled back' \
        "$(ask proxy latin "select partition, action from plproxy_recover_prepared('parts_jp')")"
done

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

# Statements are what the partition reads, whatever the proxy takes them for.
# From 19 on there is one reading only.
if [ "$PGMAJOR" -lt 19 ]; then
    ask b part 'alter database part set standard_conforming_strings = off' >/dev/null
    same 'another reading' \
        'ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: cannot insert multiple commands into a prepared statement' \
        "$(ask proxy postgres "select from plproxy_run_on_all('parts', \$\$select '\\''; commit; --'\$\$, atomic => true)")"
    same 'another reading: as the first of several' \
        'ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: cannot insert multiple commands into a prepared statement' \
        "$(ask proxy postgres "select from plproxy_run_on_all('parts', \$\$insert into t values (1); select '\\''; commit; --'; select 1\$\$, atomic => true)")"
    same 'a setting that the command changes' \
        'ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: cannot insert multiple commands into a prepared statement' \
        "$(ask proxy postgres "select from plproxy_run_on_all('parts', \$\$insert into t values (1);
            set standard_conforming_strings = off; select '\\''; commit; --'\$\$, atomic => true)")"
    same 'nothing of it is done' '0|0 0|0' "$(state)"
    ask b part 'alter database part reset standard_conforming_strings' >/dev/null
fi
same 'a procedure that commits' 'ERROR:  public.plproxy_run_on_all(3): [part] REMOTE ERROR: invalid transaction termination' \
    "$(ask proxy postgres "select from plproxy_run_on_all('parts', 'do \$\$ begin insert into t values (1); commit; end \$\$', atomic => true)" \
        | sed 's/;CONTEXT.*//')"
same 'nothing of that, either' '0|0 0|0' "$(state)"
same 'many statements' '0|3;1|3' "$(ask proxy postgres "select partition, result from plproxy_run_on_all('parts',
    'insert into t values (1); /* ; */ insert into t values (2), (3);; -- the last
    select count(*) from t;', atomic => true)")"
same 'all of them' '3|0 3|0' "$(state)"
clear

# A role that the command takes on is not what the prepared transaction belongs to, or nobody could end it.
for name in a b; do ask "$name" part 'create role clerk; grant all on t to clerk; create role app login; grant clerk to app; grant execute on function pg_control_system() to app' >/dev/null; done
ask proxy postgres "alter user mapping for public server parts options (set user 'app')" >/dev/null
same 'SET ROLE' '0|clerk;1|clerk' "$(ask proxy postgres "select partition, result from plproxy_run_on_all('parts',
    'set role clerk; insert into t values (1); select current_user', atomic => true)")"
same 'committed as who logged in' '1|0 1|0' "$(state)"
begin_session
say_to_session "select count(*) from plproxy_run_on_all('parts', 'set role clerk; insert into t values (1)', atomic => true);"
until_is '1|1 1|1' state >/dev/null
same 'prepared as who logged in' 'app|app' "$(for name in a b; do ask $name part 'select owner from pg_prepared_xacts'; done | paste -sd '|' -)"
kill -9 "$worker"
gone "$worker"
alive proxy
end_session
same 'the recovery may end it' '0|rolled back;1|rolled back' "$(recover)"
ask proxy postgres "alter user mapping for public server parts options (set user 'postgres')" >/dev/null
clear

# An answer to PREPARE that does not come, of a server process that takes no notice of being cancelled, and is stopped: whether it
# prepares in the end is not known when the local transaction is over, and that is said.
for name in a b; do
    server_psql "$name" -q -d part <<'SQL'
create table stubborn (n int);
create function stubborn() returns trigger language plpgsql as $$
begin
    loop
        begin
            perform pg_advisory_lock_shared(7);
            return null;
        exception when query_canceled then
            null;
        end;
    end loop;
end $$;
create constraint trigger stubborn after insert on stubborn deferrable initially deferred for each row execute function stubborn();
SQL
done
in_doubt() { for name in a b; do ask $name part 'select (select count(*) from stubborn), (select count(*) from pg_prepared_xacts)'; done | paste -sd ' ' -; }
begin_session
block 'select pg_advisory_xact_lock(7)'
say_to_session "select count(*) from plproxy_run_on_all('parts', 'insert into stubborn values (1)', atomic => true);"
stubborn=$(until_is_some process b "query like 'prepare%' and wait_event_type = 'Lock'")
until_is '0|1' ask a part 'select (select count(*) from stubborn), (select count(*) from pg_prepared_xacts)' >/dev/null
kill -STOP "$stubborn"
ask proxy postgres "select pg_cancel_backend($worker)" >/dev/null
say_to_session 'rollback;'
say_to_session "select 'over';"
until_is 1 grep -c over "$PLPROXY_RUN/session.log" >/dev/null
same 'PREPARE without an answer: the other is rolled back' '0|0' \
    "$(until_is '0|0' ask a part 'select (select count(*) from stubborn), (select count(*) from pg_prepared_xacts)')"
same 'PREPARE without an answer: it is told' \
    'on partition 1 of cluster "parts", if it is prepared at all, could not be rolled back' \
    "$(grep -o 'on partition 1 of[^:]*' "$PLPROXY_RUN/session.log")"
same 'PREPARE without an answer: nothing is there yet' '' "$(recover)"
kill -CONT "$stubborn"
unblock
same 'PREPARE without an answer: it is prepared in the end' '0|0 0|1' "$(until_is '0|0 0|1' in_doubt)"
same 'PREPARE without an answer: the recovery ends it' '1|rolled back' "$(recover)"
end_session

# Connections are used again within a transaction, as if they were new, and closed with it.
connections() { ask a part "select count(*) from pg_stat_activity where datname = 'part' and pid <> pg_backend_pid()"; }
begin_session
for n in 1 2 3 4 5; do say_to_session "$WORK;"; until_is "0|$n 0|$n" state >/dev/null; done
same 'five commands, one connection' 1 "$(connections)"
say_to_session 'savepoint s;'
say_to_session "$WORK;"
until_is '0|6 0|6' state >/dev/null
say_to_session 'rollback to s;'
same 'a savepoint' '0|5 0|5' "$(until_is '0|5 0|5' state)"
same 'it keeps the connection' 1 "$(connections)"
say_to_session "select result from plproxy_run_on_all('parts', 'set work_mem = ''1MB''; select current_setting(''work_mem'')', atomic => true);"
say_to_session "select result from plproxy_run_on_all('parts', 'select current_setting(''work_mem'')', atomic => true);"
say_to_session 'commit;'
end_session
same 'nothing of one command is left for the next' '1MB;1MB;4MB;4MB' "$(grep -E '^[0-9]+MB$' "$PLPROXY_RUN/session.log" | paste -sd ';' -)"
same 'all are committed' '5|0 5|0' "$(state)"
same 'and the connections closed' 0 "$(until_is 0 connections)"
clear

# Where one would wait for itself, or nothing can be prepared.
ask proxy postgres "create server same foreign data wrapper plproxy options (p0 'host=127.0.0.1 dbname=part port=$(server_port a)',
    p1 'host=localhost dbname=part port=$(server_port a)'); create user mapping for public server same options (user 'postgres')" >/dev/null
same 'one database under two connection strings' \
    'ERROR:  PL/Proxy function public.plproxy_run_on_all(3): partitions 0 and 1 are one database (host=127.0.0.1 port=N dbname=part and host=localhost port=N dbname=part);HINT:  A command that is atomic would wait for itself there. Give them the same connection string: then they are one.' \
    "$(ask proxy postgres "set statement_timeout = '30s'; select from plproxy_run_on_all('same', 'truncate t', atomic => true)")"
ask proxy postgres "alter server same options (set p1 'host=127.0.0.1 dbname=part port=$(server_port a)')" >/dev/null
same 'one connection string is one partition' 0 "$(ask proxy postgres "select partition from plproxy_run_on_all('same', 'truncate t', atomic => true)")"
standby_start copy a "${settings[@]}" --set 'max_prepared_transactions = 20'
ask proxy postgres "alter server same options (set p1 'host=127.0.0.1 dbname=part port=$(server_port copy)')" >/dev/null
same 'a standby' \
    'ERROR:  PL/Proxy function public.plproxy_run_on_all(3): [part] partition 1 is a standby server, so nothing can be prepared there;HINT:  Run it where the partition can be written to.' \
    "$(ask proxy postgres "select from plproxy_run_on_all('same', 'truncate t', atomic => true)")"
# A copy of a partition is another database: a cluster may be split so.
server_promote copy
same 'a partition made of another by copying' '0|t|TRUNCATE TABLE;1|t|TRUNCATE TABLE' \
    "$(ask proxy postgres "select * from plproxy_run_on_all('same', 'truncate t', atomic => true)")"
server_stop copy

server_stop b
as_server sed -i 's/^max_prepared_transactions.*/max_prepared_transactions = 0/' "$(server_dir b)/data/postgresql.conf"
server_launch b same
same 'max_prepared_transactions = 0' \
    'ERROR:  PL/Proxy function public.plproxy_run_on_all(3): [part] max_prepared_transactions is 0 on partition 1, so nothing can be prepared there;HINT:  Set it on that server and restart it, or run the command without "atomic".' \
    "$(ask proxy postgres "$WORK")"
same 'none has it there' '0|0 0|0' "$(state)"

finish
