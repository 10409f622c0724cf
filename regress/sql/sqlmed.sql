-- Clusters that are foreign servers: the options, their checks, and user mappings.
create schema t_sqlmed;
set search_path = t_sqlmed, public;
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
\set p2 'dbname=regress_part2 host=127.0.0.1 port=' :port
create function here(cluster_name text, n int) returns text language plproxy as $$
    cluster lower(cluster_name); run on n; select current_database()::text;
$$;
create function everyone(cluster_name text) returns setof text language plproxy as $$
    cluster lower(cluster_name); run on all; select current_database()::text;
$$;
-- partitions in any order, with leading zeros, under both names
create server t_sqlmed foreign data wrapper plproxy options (p1 :'p1', partition_0 :'p0');
create user mapping for public server t_sqlmed;
select everyone('T_sqlmed');
create server t_sqlmed_zeros foreign data wrapper plproxy options (p01 :'p1', p000 :'p0', connection_lifetime '60');
create user mapping for public server t_sqlmed_zeros;
select everyone('t_sqlmed_zeros');
create server t_sqlmed_one type 'cluster' version '1' foreign data wrapper plproxy options (p0 :'p2');
create user mapping for public server t_sqlmed_one;
select everyone('t_sqlmed_one'), here('t_sqlmed_one', 0);
select here('t_sqlmed_one', 1);
-- every option
create server t_sqlmed_all foreign data wrapper plproxy options (connection_lifetime '3600', query_timeout '30',
    connect_timeout '10', disable_binary '1', modular_mapping '1', default_user 'current_user', statement_timeout '5',
    lock_timeout '2500', p0 :'p0', p1 :'p1', p2 :'p2');
create user mapping for public server t_sqlmed_all;
select everyone('t_sqlmed_all');
alter server t_sqlmed_all options (set default_user 'session_user', set connect_timeout '0', set disable_binary '0');
select everyone('t_sqlmed_all');
alter server t_sqlmed_all options (add keepalive_idle '1', add keepalive_interval '1', add keepalive_count '1');
select everyone('t_sqlmed_all');
alter server t_sqlmed_all options (set keepalive_idle '2');
select everyone('t_sqlmed_all');
-- what the validator refuses: partitions
create server t_bad foreign data wrapper plproxy;
create server t_bad foreign data wrapper plproxy options (connection_lifetime '1');
create server t_bad foreign data wrapper plproxy options (p1 'dbname=x');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', p2 'dbname=y');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', p0001 'dbname=y', p1 'dbname=z');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', partition_0 'dbname=y');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', p1 'dbname=y', p2 'dbname=z');
create server t_bad foreign data wrapper plproxy options (modular_mapping '0', p0 'dbname=x', p1 'dbname=y', p2 'dbname=z');
create server t_bad foreign data wrapper plproxy options (modular_mapping '1');
create server t_bad foreign data wrapper plproxy options (p0x 'dbname=x');
create server t_bad foreign data wrapper plproxy options ("P0" 'dbname=x');
create server t_bad foreign data wrapper plproxy options (partition0 'dbname=x');
\echo :SQLSTATE
-- other options
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', no_such_option '1');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', user 'joe');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', query_timeout 'a');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', query_timeout '-1');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', query_timeout '1.5');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', connection_lifetime ' 5');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', disable_binary 'on');
create server t_bad foreign data wrapper plproxy options (p0 'dbname=x', "Query_Timeout2" '5');
\echo :SQLSTATE
-- the first that is wrong is told, and its name before its value
create server t_bad foreign data wrapper plproxy options (no_such_option 'a', p1 'dbname=x');
create server t_bad foreign data wrapper plproxy options (p1 'dbname=x', query_timeout 'a', no_such_option 'a');
select srvname from pg_foreign_server where srvname like 't_bad%';
-- ALTER SERVER is checked the same way
alter server t_sqlmed options (drop p1, drop partition_0);
alter server t_sqlmed options (drop partition_0);
alter server t_sqlmed options (add p2 'dbname=x');
alter server t_sqlmed options (add p2 'dbname=x', add p3 'dbname=y', add p5 'dbname=z');
alter server t_sqlmed options (add query_timeout 'soon');
select everyone('t_sqlmed');
-- the wrapper
create foreign data wrapper t_sqlmed_wrapper validator plproxy_fdw_validator;
alter foreign data wrapper t_sqlmed_wrapper options (add query_timeout '20', add connection_lifetime '600');
alter foreign data wrapper t_sqlmed_wrapper options (add p0 'dbname=x');
alter foreign data wrapper t_sqlmed_wrapper options (add no_such_option '1');
alter foreign data wrapper t_sqlmed_wrapper options (set query_timeout 'a');
alter foreign data wrapper t_sqlmed_wrapper options (add connect_timeout '5');
create server t_sqlmed_of_wrapper foreign data wrapper t_sqlmed_wrapper options (p0 :'p1');
create user mapping for public server t_sqlmed_of_wrapper;
select here('t_sqlmed_of_wrapper', 0);
-- user mappings
create user mapping for current_user server t_sqlmed_one options (user 'joe', password 'letmein', p0 'x');
create user mapping for current_user server t_sqlmed_one options (query_timeout '1');
\echo :SQLSTATE
-- the validator as a function; what it does not know it lets pass
select plproxy_fdw_validator('{p0=dbname=x}', 'pg_foreign_server'::regclass);
select plproxy_fdw_validator('{}', 'pg_foreign_server'::regclass);
select plproxy_fdw_validator('{query_timeout=5}', 'pg_foreign_data_wrapper'::regclass);
select plproxy_fdw_validator('{}', 'pg_foreign_data_wrapper'::regclass);
select plproxy_fdw_validator('{user=joe}', 'pg_user_mapping'::regclass);
select plproxy_fdw_validator('{anything=x}', 'pg_foreign_table'::regclass);
select plproxy_fdw_validator('{query_timeout}', 'pg_foreign_server'::regclass);
select plproxy_fdw_validator('{query_timeout}', 'pg_foreign_data_wrapper'::regclass);
select plproxy_fdw_validator('{p0}', 'pg_foreign_server'::regclass);
-- an option without a value is told before one that is not known, in the order of the options
select plproxy_fdw_validator('{nosuch}', 'pg_foreign_server'::regclass);
select plproxy_fdw_validator('{nosuch}', 'pg_foreign_data_wrapper'::regclass);
select plproxy_fdw_validator('{nosuch}', 'pg_user_mapping'::regclass);
select plproxy_fdw_validator('{user}', 'pg_user_mapping'::regclass);
select plproxy_fdw_validator('{p0=dbname=x,nosuch=,p1}', 'pg_foreign_server'::regclass);
select part_at(0);
create foreign table t_sqlmed_table (a int) server t_sqlmed;
select * from t_sqlmed_table;
-- servers of a wrapper that checks nothing are checked when they are called
create foreign data wrapper t_sqlmed_unchecked;
create server t_sqlmed_loose foreign data wrapper t_sqlmed_unchecked;
create user mapping for public server t_sqlmed_loose;
select here('t_sqlmed_loose', 0);
alter server t_sqlmed_loose options (add p0 :'p0');
select here('t_sqlmed_loose', 0);
alter server t_sqlmed_loose options (add p2 'dbname=x');
select here('t_sqlmed_loose', 0);
alter server t_sqlmed_loose options (drop p2, add p1 'dbname=x', add p02 'dbname=x');
select here('t_sqlmed_loose', 0);
alter server t_sqlmed_loose options (drop p1, drop p02, add p00 'dbname=x');
select here('t_sqlmed_loose', 0);
alter server t_sqlmed_loose options (drop p00, add no_such_option '1');
select here('t_sqlmed_loose', 0);
alter server t_sqlmed_loose options (drop no_such_option);
select here('t_sqlmed_loose', 0);
-- no server, no mapping
select here('t_no_such_server', 0);
select here('t_sqlmed', 1);
create server t_sqlmed_unmapped foreign data wrapper plproxy options (p0 :'p0');
select outcome($$ select here('t_sqlmed_unmapped', 0) $$);
create user mapping for current_user server t_sqlmed_unmapped;
select here('t_sqlmed_unmapped', 0);
drop user mapping for current_user server t_sqlmed_unmapped;
select outcome($$ select here('t_sqlmed_unmapped', 0) $$);
-- a partition that refuses, one that is not there, and those beside them
create server t_sqlmed_holes foreign data wrapper plproxy options (p0 'dbname=regress_part0 host=127.0.0.1 port=1',
    p1 :'p1', p2 'dbname=''regress_part2', p3 'nonsense', modular_mapping '1');
create user mapping for public server t_sqlmed_holes;
select here('t_sqlmed_holes', 0);
select here('t_sqlmed_holes', 1);
select here('t_sqlmed_holes', 2);
select here('t_sqlmed_holes', 3);
select here('t_sqlmed_holes', 1);
select replace(:'p1', 'regress_part1', 'regress_nowhere') as nowhere \gset
alter server t_sqlmed_holes options (set p0 :'nowhere');
select outcome($$ select here('t_sqlmed_holes', 0) $$);
alter server t_sqlmed_holes options (set p0 :'p0');
select here('t_sqlmed_holes', 0);
-- passwords
create role regress_scram login password 'it''s a "good" \one';
grant usage on foreign server t_sqlmed_one to public;
create user mapping for current_user server t_sqlmed_one options (user 'regress_scram', password 'it''s a "good" \one');
create function who() returns text language plproxy as $$ cluster 't_sqlmed_one'; run on 0; select current_user::text; $$;
select who();
alter user mapping for current_user server t_sqlmed_one options (set password 'not so good');
select outcome('select who()');
alter user mapping for current_user server t_sqlmed_one options (drop password);
select outcome('select who()');
alter user mapping for current_user server t_sqlmed_one options (add password 'it''s a "good" \one');
select who();
-- a user in the connection string is stronger than the mapping
\set p2 :p2 ' user=regress_sqlmed_other'
alter server t_sqlmed_one options (set p0 :'p2');
select outcome('select who()');
create role regress_sqlmed_other login;
select who();
-- names of servers
create server "T odd 'name'" foreign data wrapper plproxy options (p0 :'p1');
create user mapping for public server "T odd 'name'";
create function odd() returns text language plproxy as $$
    cluster 'T odd ''name'''; run on 0; select current_database()::text;
$$;
select odd();
drop user mapping for public server "T odd 'name'";
drop server "T odd 'name'";
select odd();
select part_at(2);
set client_min_messages = warning;
drop foreign data wrapper t_sqlmed_wrapper, t_sqlmed_unchecked cascade;
drop server t_sqlmed, t_sqlmed_zeros, t_sqlmed_one, t_sqlmed_all, t_sqlmed_unmapped, t_sqlmed_holes cascade;
drop role regress_scram, regress_sqlmed_other;
drop schema t_sqlmed cascade;
