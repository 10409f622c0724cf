-- A database in use: functions of every form, servers, mappings, functions that tell of a cluster. :port is the
-- partition server's.
create extension plproxy;
\ir cluster.sql
create function where_is(n int) returns text language plproxy as $$
    cluster 'parts'; run on n; select current_database() || ':' || current_user;
$$;
create function every() returns setof int language plproxy as $$ cluster 'parts'; run on all; target public.part; $$;
create function cut(a int[]) returns setof text language plproxy as $$
    cluster 'parts'; split a; run on a; select part() || a::text;
$$;
create function a_row(out n int, out db name) language plproxy as $$
    cluster 'parts'; run on 1; select part() as n, current_database() as db;
$$;
create function fails() returns int language plproxy as $$ cluster 'parts'; run on 3; select 1 / 0; $$;
\set p1 'host=127.0.0.1 user=postgres dbname=part1 port=' :port
\set p2 'host=127.0.0.1 user=postgres dbname=part2 port=' :port
select format('create function by_connstr() returns text language plproxy as $f$ connect %L; select current_database(); $f$', :'p1') \gexec
create schema plproxy;
create function plproxy.get_cluster_version(text) returns int language sql as 'select 1';
select format('create function plproxy.get_cluster_partitions(text) returns setof text language sql as $f$ select %L $f$', :'p2') \gexec
create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record language sql
    as $$ select 'connection_lifetime'::text, '600'::text $$;
create function by_functions() returns text language plproxy as $$ cluster 'told'; run on 0; select current_database(); $$;
do $$ begin if not exists (select from pg_roles where rolname = 'd_alice') then create role d_alice login; end if; end $$;
create function who() returns text language plproxy as $$ cluster 'parts'; run on 0; select current_user::text; $$;
grant usage on foreign server parts to d_alice;
create user mapping for d_alice server parts options (user 'd_bob', password 'not asked for');
