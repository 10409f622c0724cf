#!/usr/bin/env bash
# The administration functions over two servers, one that is down and one that says nothing. Needs PLPROXY_TREE.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

run_begin
for name in proxy a b; do server_start "$name" --auth trust --set 'shared_buffers = 16MB'; done
server_start mute --auth trust --set 'shared_buffers = 16MB'
for name in a b; do server_psql "$name" -q -c 'create database part' -c 'create role limited login'; done
server_psql proxy -q -v a="$(server_port a)" -v b="$(server_port b)" -v mute="$(server_port mute)" <<'SQL'
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (p0 %L, p1 %L)',
    'host=127.0.0.1 dbname=part port=' || :'a', 'host=127.0.0.1 dbname=part port=' || :'b') \gexec
select format('create server mixed foreign data wrapper plproxy
    options (p0 %L, p1 %L, p2 %L, p3 %L, connect_timeout %L)',
    'host=127.0.0.1 dbname=part port=' || :'a', 'host=127.0.0.1 dbname=part port=1',
    'host=127.0.0.1 dbname=postgres port=' || :'mute', 'host=127.0.0.1 dbname=part password=Sesame42 prot=1', 1) \gexec
create user mapping for public server parts options (user 'postgres');
create user mapping for public server mixed options (user 'postgres');
SQL
a=$(server_port a) b=$(server_port b)
on_proxy() { ask proxy postgres "$1"; }

# ---- a cluster with all kinds of partitions

kill -STOP "$(server_pid mute)"
start=$SECONDS
same 'check_cluster: each partition for itself' \
    '0|t|f|;1|f||connection to server at "127.0.0.1", port N failed: Connection refused;2|f||connection to server at "127.0.0.1", port N failed: timeout expired;3|f||invalid connection option "prot"' \
    "$(on_proxy "select partition, ok, in_recovery, split_part(error, E'\n', 1) from plproxy_check_cluster('mixed')" \
        | sed 's/\[[a-z]*\] //')"
check 'check_cluster: within connect_timeout, or not much later' [ $((SECONDS - start)) -lt 60 ]
same 'check_cluster: what it tells of one' "0|127.0.0.1|$a|part|postgres|t|t|t" "$(on_proxy \
    "select partition, host, port, dbname, username, ok, latency_ms > 0, server_version ~ '^[0-9]+[.a-z]'
    from plproxy_check_cluster('mixed') where ok" | sed "s/port N/$a/")"
same 'run_on_all: one that fails does not hide the others' '0|t|1;1|f|;2|f|;3|f|' "$(on_proxy \
    "select partition, success, case when success then result end from plproxy_run_on_all('mixed', 'select 1')")"
same 'no password is shown' 0 "$(on_proxy "select * from plproxy_check_cluster('mixed')" | grep -c Sesame42 || true)"
kill -CONT "$(server_pid mute)"
same 'check_cluster: well again' 't' \
    "$(until_is t on_proxy "select ok from plproxy_check_cluster('mixed') where partition = 2")"

# ---- SQL on all

same 'run_on_all: a value, or the command tag' '0|t|CREATE TABLE;1|t|CREATE TABLE;0|t|INSERT 0 3;1|t|INSERT 0 3;0|t|3;1|t|3' \
    "$(on_proxy "select * from plproxy_run_on_all('parts', 'create table t (n int)');
        select * from plproxy_run_on_all('parts', 'insert into t select generate_series(1, 3)');
        select * from plproxy_run_on_all('parts', 'select 1; select count(*) from t')")"
same 'run_on_all: a NULL, no row, nothing' '0|t|;1|t|;0|t|SELECT 0;1|t|SELECT 0;0|t|;1|t|' \
    "$(on_proxy "select * from plproxy_run_on_all('parts', 'select null, 1');
        select * from plproxy_run_on_all('parts', 'select 1 where false');
        select * from plproxy_run_on_all('parts', '')")"
same 'run_on_all: one string is one transaction' '0|f|ERROR:  division by zero;1|f|ERROR:  division by zero;0|t|3;1|t|3' \
    "$(on_proxy "select * from plproxy_run_on_all('parts', 'delete from t; select 1/0');
        select * from plproxy_run_on_all('parts', 'select count(*) from t')")"
same 'run_on_all: what cannot run in a transaction block' '0|t|VACUUM;1|t|VACUUM;0|t|CREATE DATABASE;1|t|CREATE DATABASE' \
    "$(on_proxy "select * from plproxy_run_on_all('parts', 'vacuum t');
        select * from plproxy_run_on_all('parts', 'create database other')")"
same 'run_on_all: COPY is no command for all' '0|f;1|f' \
    "$(on_proxy "select partition, success from plproxy_run_on_all('parts', 'copy t to stdout')")"
same 'run_on_all: a million rows, of which one is wanted' '0|t|1;1|t|1' \
    "$(on_proxy "select * from plproxy_run_on_all('parts', 'select n from generate_series(1, 1000000) n')")"
on_proxy "select from plproxy_run_on_all('parts', 'select pg_sleep(600) /* at once */')" >/dev/null & sleepers=$!
asleep() { ask "$1" part "select count(*) from pg_stat_activity where query ~ '/. at once' and wait_event = 'PgSleep'"; }
same 'run_on_all: all at once' '1 1 1' "$(until_is 1 asleep a) $(until_is 1 asleep b) $(asleep a)"
on_proxy "select pg_cancel_backend(pid) from pg_stat_activity where query ~ 'at once' and pid <> pg_backend_pid()" >/dev/null
wait $sleepers
on_proxy 'create function part_setting(name text) returns setof text language plproxy as $$ cluster '"'parts'"'; run on all;
    select current_setting(name); $$' >/dev/null
same 'run_on_all: nothing of it stays in the session' 'postgres;postgres;0|t|SET;1|t|SET;postgres;postgres' "$(on_proxy \
    "select part_setting('session_authorization'); select * from plproxy_run_on_all('parts', 'set session authorization limited');
    select part_setting('session_authorization')")"
same 'run_on_all: nor on the partition' '0|f|the statement has begun a transaction, which is rolled back;1|f|the statement has begun a transaction, which is rolled back;0' "$(on_proxy \
    "select * from plproxy_run_on_all('parts', 'begin')");$(until_is 0 ask a part \
    "select count(*) from pg_stat_activity where state like 'idle in transaction%'")"
on_proxy "alter server parts options (add query_timeout '3')" >/dev/null
same 'run_on_all: query_timeout is for each' '0|f|query timeout;1|t|done' "$(on_proxy \
    "select * from plproxy_run_on_all('parts', \$\$do 'begin if inet_server_port() = $a then perform pg_sleep(60); end if; end';
    select 'done'\$\$)")"
same 'run_on_all: and ends the statement there' 0 "$(until_is 0 ask a part \
    "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()")"
on_proxy 'alter server parts options (drop query_timeout)' >/dev/null
same 'run_on_all: statement_timeout ends it' 'ERROR:  canceling statement due to statement timeout' "$(on_proxy \
    "set statement_timeout = '500ms'; select * from plproxy_run_on_all('parts', 'select pg_sleep(61)')")"
same 'run_on_all: and cancels what runs on the partitions' '0 0' "$(for name in a b; do until_is 0 ask "$name" part \
    "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(61)%' and pid <> pg_backend_pid()"
    echo; done | paste -sd ' ' -)"

# ---- functions

same 'functions' '' "$(on_proxy "create function good(a int, out x int, out y text) returns setof record language plproxy
        as 'cluster ''parts''; run on all;';
    create function only_a(t text) returns int language plproxy as 'cluster ''parts''; run on 0;';
    create function wrong_columns(out x int, out z text) language plproxy as 'cluster ''parts''; run on 0;';
    create function no_right() returns int language plproxy as 'cluster ''parts''; run on 0;'")"
for name in a b; do
    ask "$name" part "create function good(a int, out x bigint, out y varchar) returns setof record language sql
            as \$\$ select a, 'y' \$\$;
        create function wrong_columns(out x int, out y text) language sql as \$\$ select 1, 'y' \$\$;
        create function no_right() returns int language sql as 'select 1';
        revoke execute on function no_right() from public" >/dev/null
done
ask a part "create function only_a(t text) returns int language sql as 'select 1'" >/dev/null
on_proxy "alter user mapping for public server parts options (set user 'limited')" >/dev/null
same 'check_functions: what does not fit, and where' \
    'good(integer)|0|t|;good(integer)|1|t|;no_right()|0|f|permission denied for function public.no_right;no_right()|1|f|permission denied for function public.no_right;only_a(text)|0|t|;only_a(text)|1|f|ERROR:  function public.only_a(text) does not exist;part_setting(text)|0|t|;part_setting(text)|1|t|;wrong_columns()|0|f|ERROR:  column "z" does not exist;wrong_columns()|1|f|ERROR:  column "z" does not exist' \
    "$(on_proxy "select function, partition, ok, split_part(problem, E'\n', 1) from plproxy_check_functions('parts')")"
server_stop b
same 'check_function: a partition that is down is a problem' \
    '0|t|;1|f|connection to server at "127.0.0.1", port N failed: Connection refused' \
    "$(on_proxy "select partition, ok, split_part(problem, E'\n', 1) from plproxy_check_function('only_a(text)')")"

finish
