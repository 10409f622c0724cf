-- Clusters that the functions plproxy.get_cluster_version, _partitions and _config tell of.
create schema t_functions;
set search_path = t_functions, public;
create function where_am_i(cluster_name text, n int) returns text language plproxy as $$
    cluster pg_catalog.lower(cluster_name); run on n; select current_database()::text;
$$;
create function fixed(n int) returns text language plproxy as $$
    cluster 't_functions'; run on n; select current_database()::text;
$$;
create function everyone() returns setof text language plproxy as $$
    cluster 't_functions'; run on all; select current_database()::text;
$$;
-- all three functions must be there
select fixed(0);
create schema plproxy;
select fixed(0);
create function plproxy.get_cluster_version(text) returns int language sql as 'select 1';
select fixed(0);
create function plproxy.get_cluster_partitions(text) returns setof text language sql as 'select ''x''';
select fixed(0);
drop function plproxy.get_cluster_version, plproxy.get_cluster_partitions;
-- a cluster in tables
create table clusters (name text primary key, version int);
create table partitions (name text, n int, connstr text);
create table config (name text, key text, val text);
create function plproxy.get_cluster_version(cluster_name text) returns int language plpgsql as $$
declare
    v int;
begin
    select version into v from t_functions.clusters where name = cluster_name;
    if not found then
        raise exception 'unknown cluster: %', cluster_name;
    end if;
    return v;
end $$;
create function plproxy.get_cluster_partitions(cluster_name text) returns setof text language plpgsql as $$
begin
    raise notice 'partitions of % are read', cluster_name;
    return query select connstr from t_functions.partitions where name = cluster_name order by n;
end $$;
create function plproxy.get_cluster_config(in cluster_name text, out key text, out val text) returns setof record
language plpgsql as $$
begin
    raise notice 'config of % is read', cluster_name;
    return query select c.key, c.val from t_functions.config c where name = cluster_name;
end $$;
insert into clusters values ('t_functions', 1);
insert into partitions select 't_functions', n, format('dbname=regress_part%s host=127.0.0.1 port=%s', n, current_setting('port'))
    from generate_series(0, 3) n;
select fixed(0);
select fixed(n) from generate_series(0, 5) n;
select everyone();
select where_am_i('T_FUNCTIONS', 2);
-- another version, higher or lower, is read anew; the same is not
update clusters set version = 5;
delete from partitions where n > 1;
select everyone();
select everyone();
update clusters set version = 4;
update partitions set n = 1 - n;
select everyone();
update partitions set n = 1 - n;
select everyone();
-- the options
insert into config values ('t_functions', 'connection_lifetime', '1800'), ('t_functions', 'query_timeout', '30'),
    ('t_functions', 'disable_binary', '1'), ('t_functions', 'default_user', 'current_user');
update clusters set version = 6;
select everyone();
update config set val = null where key = 'query_timeout';
update config set key = 'Connection_Lifetime' where key = 'connection_lifetime';
update clusters set version = 7;
select fixed(1);
update config set val = 'thirty' where key = 'query_timeout';
select fixed(1);
update config set val = '30' where key = 'query_timeout';
update clusters set version = 71;
select fixed(1);
insert into config values ('t_functions', 'modular_mapping', '1');
insert into partitions select 't_functions', 2, format('dbname=regress_part2 host=127.0.0.1 port=%s', current_setting('port'));
update clusters set version = 8;
select n, fixed(n) from generate_series(-4, 5) n;
insert into config values ('t_functions', 'connect_timeout', '20');
update clusters set version = 9;
select fixed(1);
delete from config where key = 'connect_timeout';
insert into config values ('t_functions', 'statement_timeout', '1');
update clusters set version = 10;
select fixed(1);
insert into config values ('t_functions', 'keepalive_idle', '1'), ('t_functions', 'keepalive_interval', '1'),
    ('t_functions', 'keepalive_count', '1');
update clusters set version = 11;
select fixed(1);
update clusters set version = 12;
select fixed(1);
insert into config values ('t_functions', 'no_such_option', '1');
update clusters set version = 13;
select fixed(1);
select fixed(1);
update config set key = null where key = 'no_such_option';
select fixed(1);
delete from config where key is null or key like 'keepalive%';
select fixed(1);
-- no partitions, a number that is none, NULL, what is no connection string
delete from config;
update clusters set version = 14;
select fixed(1);
delete from partitions;
select fixed(1);
insert into partitions values ('t_functions', 0, null);
select fixed(1);
update partitions set connstr = 'nonsense';
select fixed(0);
update partitions set connstr = 'dbname=regress_part0 host=127.0.0.1 port=1';
update clusters set version = 15;
select fixed(0);
update partitions set connstr = format('dbname=regress_part3 host=127.0.0.1 port=%s', current_setting('port'));
update clusters set version = 16;
select fixed(0);
-- a version that is NULL, none, several, an error
update clusters set version = null;
select fixed(0);
update clusters set version = 17;
select fixed(0);
select where_am_i('no such cluster', 0);
select where_am_i(null, 0);
select where_am_i('', 0);
alter function plproxy.get_cluster_version rename to get_cluster_version_1;
create function plproxy.get_cluster_version(text) returns setof int language sql as 'select 1 where false';
select fixed(0);
create or replace function plproxy.get_cluster_version(text) returns setof int language sql as 'values (1), (2)';
select fixed(0);
drop function plproxy.get_cluster_version(text);
select fixed(0);
select where_am_i('another', 0);
alter function plproxy.get_cluster_version_1 rename to get_cluster_version;
select fixed(0);
-- functions of other types
alter function plproxy.get_cluster_config rename to get_cluster_config_1;
update clusters set version = 18;
select fixed(0);
create function plproxy.get_cluster_config(text) returns text language sql as $$ select 'x' $$;
select fixed(0);
drop function plproxy.get_cluster_config;
create function plproxy.get_cluster_config(text, out x varchar, out y varchar) returns setof record
    language sql as $$ select 'disable_binary', '1' $$;
select fixed(0);
drop function plproxy.get_cluster_config;
create function plproxy.get_cluster_config(text, out x text, out y text) returns setof record
    language sql as $$ select 'disable_binary', '1' $$;
select fixed(0);
alter function plproxy.get_cluster_partitions rename to get_cluster_partitions_1;
create function plproxy.get_cluster_partitions(text) returns setof varchar language sql as $$ select 'x'::varchar $$;
update clusters set version = 19;
select fixed(0);
drop function plproxy.get_cluster_partitions;
create function plproxy.get_cluster_partitions(text) returns setof text language plpgsql as $$
begin
    raise exception 'no partitions today' using errcode = 'P0042', hint = 'tomorrow';
end $$;
select fixed(0);
\echo :SQLSTATE
drop function plproxy.get_cluster_partitions;
alter function plproxy.get_cluster_partitions_1 rename to get_cluster_partitions;
select fixed(0);
-- equal connection strings share a connection: RUN ON ALL runs there once
insert into partitions select 't_functions', i, connstr from partitions, generate_series(1, 3) i;
update partitions set connstr = replace(connstr, 'part3', 'part2') where n = 2;
update clusters set version = 20;
select everyone();
select fixed(0), fixed(1), fixed(2), fixed(3);
create function down() returns setof int language sql as 'select generate_series(3, 0, -1)';
create function all_down() returns setof text language plproxy as $$
    cluster 't_functions'; run on down(); select current_database()::text;
$$;
select all_down();
create function parted(a int[]) returns setof text language plproxy as $$
    cluster 't_functions'; split a; run on a; select current_database() || ' ' || array_to_string(a, ',');
$$;
select parted('{0,1,2,3,4,5,6}');
-- a name that a function tells
create function cluster_of(t text) returns text language sql as $$ select 't_' || t $$;
create function by_function(t text) returns text language plproxy as $$
    cluster cluster_of(t) ; run on 0; select current_database()::text;
$$;
select by_function('functions'), by_function('functions');
select by_function('nonsense');
create function two_names(t text) returns setof text language sql as $$ select t union all select t $$;
create function by_two_names(t text) returns text language plproxy as $$ cluster two_names(t); run on 0; select 1; $$;
select by_two_names('t_functions');
create function no_name(t text) returns setof text language sql as $$ select t where false $$;
create function by_no_name(t text) returns text language plproxy as $$ cluster no_name(t); run on 0; select 1; $$;
select by_no_name('t_functions');
create function int_name(t text) returns int language sql as $$ select 1 $$;
create function by_int_name(t text) returns text language plproxy as $$ cluster int_name(t); run on 0; select 1; $$;
select by_int_name('t_functions');
create function bad_name(t text) returns text language plpgsql as $$ begin raise exception 'no name for %', t; end $$;
create function by_bad_name(t text) returns text language plproxy as $$ cluster bad_name(t); run on 0; select 1; $$;
select by_bad_name('t_functions');
-- a server of that name goes before, and its end gives way to the functions again
select current_setting('port') as port \gset
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
select fixed(0);
create server t_functions foreign data wrapper plproxy options (p0 :'p1');
select outcome('select fixed(0)');
create user mapping for public server t_functions;
select fixed(0);
drop user mapping for public server t_functions;
drop server t_functions;
select fixed(0);
-- an option's value that is none
insert into clusters values ('t_poisoned', 1);
insert into partitions select 't_poisoned', 0, format('dbname=regress_part1 host=127.0.0.1 port=%s', current_setting('port'));
drop function plproxy.get_cluster_config;
create function plproxy.get_cluster_config(text, out x text, out y text) returns setof record
    language sql as $$ select 'default_user', 'superuser' $$;
select where_am_i('t_poisoned', 0);
create or replace function plproxy.get_cluster_config(text, out x text, out y text) returns setof record
    language sql as $$ select 'default_user', 'session_user' $$;
update clusters set version = 2 where name = 't_poisoned';
select where_am_i('t_poisoned', 0);
set client_min_messages = warning;
drop schema plproxy cascade;
select fixed(0);
select part_at(1);
drop schema t_functions cascade;
