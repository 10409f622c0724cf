-- Connections: how long they live, what closes them, what one call leaves to the next.
create schema t_pool;
set search_path = t_pool, public;
set client_min_messages = warning;
drop role if exists regress_pool_one, regress_pool_two;
reset client_min_messages;
create role regress_pool_one login;
create role regress_pool_two login;
select current_setting('port') as port \gset
\set a0 'dbname=regress_part0 application_name=regress_pool_a host=127.0.0.1 port=' :port
\set a1 'dbname=regress_part1 application_name=regress_pool_a host=127.0.0.1 port=' :port
\set b0 'dbname=regress_part0 application_name=regress_pool_b host=127.0.0.1 port=' :port
\set b1 'dbname=regress_part1 application_name=regress_pool_b host=127.0.0.1 port=' :port
-- how many connections have that name; waits for a while until they are as many as wanted
create function connections(name text, wanted int) returns int language plpgsql as $$
declare
    found int;
begin
    for i in 1 .. 1000 loop
        perform pg_stat_clear_snapshot();
        select count(*) into found from pg_stat_activity where application_name = 'regress_pool_' || name;
        exit when found = wanted;
        perform pg_sleep(0.01);
    end loop;
    return found;
end $$;
create function pids(name text) returns text language plpgsql as $$ begin
    perform pg_stat_clear_snapshot();
    return (select string_agg(pid::text, ' ' order by pid) from pg_stat_activity
        where application_name = 'regress_pool_' || name);
end $$;
create server t_pool_a foreign data wrapper plproxy options (p0 :'a0', p1 :'a1');
create server t_pool_b foreign data wrapper plproxy options (p0 :'b0', p1 :'b1');
create user mapping for public server t_pool_a;
create user mapping for public server t_pool_b;
create function a(n int) returns int language plproxy as $$ cluster 't_pool_a'; run on n; select part(); $$;
create function b(n int) returns int language plproxy as $$ cluster 't_pool_b'; run on n; select part(); $$;
create function all_a() returns setof int language plproxy as $$ cluster 't_pool_a'; run on all; select part(); $$;
create function all_b() returns setof int language plproxy as $$ cluster 't_pool_b'; run on all; select part(); $$;
create function pid_a(n int) returns int language plproxy as $$ cluster 't_pool_a'; run on n; select pg_backend_pid(); $$;
-- without a timeout they stay
select all_a(), all_b();
select connections('a', 2), connections('b', 2);
-- idle_timeout: closed by the end of a transaction, whatever that did
alter server t_pool_a options (add idle_timeout '1');
select all_a(), all_b();
select pg_sleep(1.1) is null as later;
select connections('a', 0), connections('b', 2);
-- by a call to another cluster
begin;
select all_a();
select pg_sleep(1.1) is null as later;
select connections('a', 2);
select b(0);
select connections('a', 0), connections('b', 2);
commit;
-- by the end of a transaction that failed
begin;
select all_a();
select pg_sleep(1.1) is null as later;
select 1 / 0;
rollback;
select connections('a', 0);
-- a call in the middle of which the time is over
create function slow_a() returns int language plproxy as $$ cluster 't_pool_a'; run on 0; select part() from pg_sleep(1.5); $$;
select slow_a(), a(0);
-- off again
alter server t_pool_a options (set idle_timeout '0');
select all_a();
select pg_sleep(1.1) is null as later;
select connections('a', 2);
-- connection_lifetime closes them too
alter server t_pool_a options (add connection_lifetime '1');
select all_a();
select pg_sleep(1.2) is null as later;
select connections('a', 0), connections('b', 2);
alter server t_pool_a options (drop connection_lifetime, drop idle_timeout);
-- a changed option keeps the connections
select all_a();
select pids('a') as pids \gset
alter server t_pool_a options (add query_timeout '100', add prepared_statements 'off');
select all_a();
select pids('a') = :'pids' as same_connections;
-- also those of a cluster that is not called
alter server t_pool_a options (drop query_timeout);
create role regress_pool_three;
drop role regress_pool_three;
select b(1);
select pids('a') = :'pids' as same_connections;
-- a changed partition closes its own, at the next call to any cluster
select pid_a(0) as pid \gset
\set a1x 'dbname=regress_part3 application_name=regress_pool_a host=127.0.0.1 port=' :port
alter server t_pool_a options (set p1 :'a1x');
select b(0);
select connections('a', 1), pids('a') = :'pid' as same_connection;
select all_a();
alter server t_pool_a options (set p1 :'a1');
select b(0);
select connections('a', 1), pids('a') = :'pid' as same_connection;
-- partitions that change places keep theirs
select all_a();
select pids('a') as pids \gset
alter server t_pool_a options (set p0 :'a1', set p1 :'a0');
select all_a();
select pids('a') = :'pids' as same_connections;
alter server t_pool_a options (set p0 :'a0', set p1 :'a1');
-- user mappings: changed, dropped
alter user mapping for public server t_pool_a options (add user 'regress_pool_one');
select all_a();
select connections('a', 2), pids('a') = :'pids' as same_connections;
alter user mapping for public server t_pool_a options (set user 'regress_pool_two');
select b(0);
select connections('a', 0);
select all_a();
select connections('a', 2);
drop user mapping for public server t_pool_a;
begin;
select b(0);
select connections('a', 0);
commit;
-- a call that is refused closes them as well, with its transaction
create user mapping for public server t_pool_a;
select all_a();
select connections('a', 2);
drop user mapping for public server t_pool_a;
select outcome('select a(0)') like '42704 user mapping not found%' as refused;
select connections('a', 0);
create user mapping for public server t_pool_a;
-- a right that is gone
grant usage on schema t_pool to regress_pool_one;
grant usage on foreign server t_pool_a to regress_pool_one;
set role regress_pool_one;
select all_a();
reset role;
select connections('a', 2);
revoke usage on foreign server t_pool_a from regress_pool_one;
select b(0);
select connections('a', 0);
-- a role that is gone
grant usage on foreign server t_pool_a to regress_pool_two;
set role regress_pool_two;
select outcome('select t_pool.a(0)') like '42501 permission denied for schema%' as refused;
reset role;
grant usage on schema t_pool to regress_pool_two;
set role regress_pool_two;
select all_a();
reset role;
select connections('a', 2);
revoke all on foreign server t_pool_a from regress_pool_two;
revoke all on schema t_pool from regress_pool_two;
drop role regress_pool_two;
select b(0);
select connections('a', 0);
-- what was rolled back
select all_a();
select connections('a', 2);
begin;
alter user mapping for public server t_pool_a options (add user 'regress_pool_one');
select connections('a', 2);
rollback;
select all_a();
select connections('a', 2);
-- a dropped server, and the end of the transaction in which that is seen
drop server t_pool_a cascade;
select outcome('select a(0)');
select connections('a', 0);
-- clusters that functions define: another version with the same partitions keeps the connections
create schema plproxy;
create table cluster_def (version int, p text[], key text, val text);
insert into cluster_def values (1, array[:'a0', :'a1'], 'idle_timeout', '0');
create function plproxy.get_cluster_version(name text) returns int language sql as
    $$ select version from t_pool.cluster_def $$;
create function plproxy.get_cluster_partitions(name text) returns setof text language sql as
    $$ select unnest(p) from t_pool.cluster_def $$;
create function plproxy.get_cluster_config(name text, out key text, out val text) returns setof record language sql as
    $$ select key, val from t_pool.cluster_def $$;
select all_a();
select pids('a') as pids \gset
update cluster_def set version = 2;
select a(0);
select b(0);
select pids('a') = :'pids' as same_connections;
select all_a();
select pids('a') = :'pids' as same_connections;
update cluster_def set version = 3, p = array[:'a0'];
select a(0);
select connections('a', 1);
update cluster_def set version = 4, p = array[:'a0', :'a1'], val = '1';
select all_a();
select pg_sleep(1.1) is null as later;
select connections('a', 0);
update cluster_def set version = 5, val = 'soon';
select a(0);
update cluster_def set version = 6, key = 'reset_query', val = 'set work_mem = ''321kB''';
create function work_mem_a() returns text language plproxy as $$ cluster 't_pool_a'; run on 0; select current_setting('work_mem'); $$;
select work_mem_a() = '321kB' as first, work_mem_a() as second;
-- a server of that name overrules them and takes the connections over
select all_a();
select pids('a') as pids \gset
create server t_pool_a foreign data wrapper plproxy options (p0 :'a0', p1 :'a1');
create user mapping for public server t_pool_a;
select all_a();
select pids('a') = :'pids' as same_connections;
set client_min_messages = warning;
drop schema plproxy cascade;
reset client_min_messages;
-- connections that the server closed are replaced in silence, however many
select all_a(), all_b();
select bool_and(pg_terminate_backend(pid, 60000)) from pg_stat_activity where application_name like 'regress_pool_%';
select all_a(), all_b();
-- a session's state stays where it is
create function set_a(name text, value text) returns text language plproxy as $$
    cluster 't_pool_a'; run on 0; select set_config(name, value, false);
$$;
create function setting_a(name text) returns text language plproxy as $$
    cluster 't_pool_a'; run on 0; select current_setting(name, true);
$$;
create function lock_a(n int) returns int language plproxy as $$
    cluster 't_pool_a'; run on 0; select 1 from pg_advisory_lock(n);
$$;
create function locks_a() returns int8 language plproxy as $$
    cluster 't_pool_a'; run on 0; select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();
$$;
call everywhere($$ create schema t_pool;
    create function t_pool.leave() returns text language plpgsql as $f$ begin
        create temp table left_behind (a int);
        execute 'prepare left_behind as select 1';
        listen left_behind;
        perform set_config('role', 'pg_monitor', false);
        return 'left';
    end $f$;
    create function t_pool.found() returns text language sql as $f$
        select concat_ws(' ', to_regclass('pg_temp.left_behind'),
            (select name from pg_prepared_statements where name = 'left_behind'), (select c from pg_listening_channels() c),
            nullif(current_setting('role'), 'none'), current_setting('my.own', true)) $f$;
    grant usage on schema t_pool to public $$);
create function leave() returns text language plproxy as $$ cluster 't_pool_a'; run on 0; $$;
create function found() returns text language plproxy as $$ cluster 't_pool_a'; run on 0; $$;
select set_a('my.own', 'x'), lock_a(1), leave();
select found(), locks_a();
-- a call that fails ends it, and not the connection
select pid_a(0) as pid \gset
call everywhere($$ create function t_pool.fails() returns text language plpgsql as $f$ begin
    perform set_config('my.own', 'x', false), pg_advisory_lock(2); raise exception 'no'; end $f$ $$);
create function fails_a() returns text language plproxy as $$ cluster 't_pool_a'; run on 0; target t_pool.fails; $$;
select fails_a();
select found() as nothing, locks_a(), pid_a(0) = :pid as same_connection;
select set_a('my.own', 'x'), lock_a(1), leave();
-- a reset query ends it after every call
select pid_a(0) as pid \gset
alter server t_pool_a options (add reset_query 'discard all');
select found() like 'left_behind%' as still_there;
select found() as nothing, locks_a();
select set_a('my.own', 'x'), lock_a(1), leave();
select found() as nothing, locks_a(), setting_a('my.own');
select pid_a(0) = :pid as same_connection;
select count(*), count(distinct pid_a(0)) from generate_series(1, 20);
-- also after an error
select fails_a();
select found() as nothing, locks_a(), pid_a(0) = :pid as same_connection;
-- on all partitions
select all_a();
-- prepared statements and a reset that does not end them
alter server t_pool_a options (set reset_query 'reset all; select pg_advisory_unlock_all(); select 1');
select count(*) from generate_series(1, 10) where a(0) = 0;
select set_a('my.own', 'x'), lock_a(1);
select found() as nothing, locks_a();
-- one that fails closes the connection, not the call, and is told
alter server t_pool_a options (set reset_query 'discard everything');
select a(0);
select a(0);
select connections('a', 1);
alter server t_pool_a options (set reset_query 'begin');
select a(0), a(0);
alter server t_pool_a options (set reset_query 'select pg_terminate_backend(pg_backend_pid())');
select a(0), a(0);
-- one that takes too long does not fail the call either
alter server t_pool_a options (set reset_query 'select pg_sleep(60)', add query_timeout '3');
select a(0);
alter server t_pool_a options (drop query_timeout);
set statement_timeout = '500ms';
select a(0);
reset statement_timeout;
-- and is not left running
create function running() returns bool language plpgsql as $$ begin
    for i in 1 .. 1000 loop
        perform pg_stat_clear_snapshot();
        exit when not exists (select from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active');
        if i = 1000 then return true; end if;
        perform pg_sleep(0.01);
    end loop;
    return false;
end $$;
select running();
alter server t_pool_a options (drop reset_query);
select all_a();
-- a read-only error gives the connection up: the next may find the primary
select pid_a(0) as pid \gset
create function write_a() returns int language plproxy as $$ cluster 't_pool_a'; run on 0; target t_pool.writes; $$;
call everywhere($$ create function t_pool.writes() returns int language plpgsql as
    $f$ begin set transaction_read_only = on; create table t_pool.written (); return 1; end $f$ $$);
select write_a();
\echo :SQLSTATE
select pid_a(0) <> :pid as another_connection;
select write_a();
-- a notification for a session that listens leaves it as it is
create function listen_a() returns int language plproxy as $$ cluster 't_pool_a'; run on 0; target t_pool.listens; $$;
create function notify_b() returns text language plproxy as $$
    cluster 't_pool_b'; run on 0; select 'told'::text from pg_notify('regress', 'x'); $$;
create function keeps_a(out locked bool, out listens text) language plproxy as $$
    cluster 't_pool_a'; run on 0;
    select exists (select from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locked, l as listens
    from pg_listening_channels() l;
$$;
call everywhere($$ create function t_pool.listens() returns int language plpgsql as
    $f$ begin listen regress; perform pg_advisory_lock(7); return pg_backend_pid(); end $f$ $$);
select listen_a() as pid \gset
select notify_b();
select pg_sleep(0.3) is null as later;
select pid_a(0) = :pid as same_connection, * from keeps_a();
-- application_name: ours, the string's own, its fallback, its options'
create function app(connstr text) returns text language plproxy as $$
    connect connstr; select current_setting('application_name');
$$;
\set c 'dbname=regress_part0 host=127.0.0.1 port=' :port
select app(:'c'), app(:'c' || ' application_name=mine'), app(:'c' || ' fallback_application_name=fallback'),
    app(:'c' || ' application_name=mine fallback_application_name=fallback'),
    app(:'c' || ' options=''-c application_name=chosen''');
-- connection strings that no call can use are told when they are given, and are taken
create server t_pool_bad foreign data wrapper plproxy options (p0 'hots=x dbname=d', p1 'dbname=d password=letmein secret');
\echo :SQLSTATE
alter server t_pool_bad options (set p0 'dbname=d', set p1 'dbname=''d', add query_timeout '1');
alter server t_pool_bad options (set p1 'postgresql://u:letmein@h:x/d?nots=1');
alter server t_pool_bad options (set p1 'dbname=e host=h', add idle_timeout 'soon');
alter server t_pool_bad options (set p1 'dbname=e host=h', add reset_query 'anything', add idle_timeout '5');
drop server t_pool_bad;
set client_min_messages = warning;
drop server t_pool_a, t_pool_b cascade;
call everywhere('drop schema t_pool cascade');
drop schema t_pool cascade;
drop role regress_pool_one;
