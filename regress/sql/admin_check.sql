-- Can the partitions be reached, and do they have what the functions ask for?
select partition, host, dbname, username = current_user as as_me, ok, latency_ms >= 0 as answered,
    server_version is not null as has_version, in_recovery, error from plproxy_check_cluster('parts');
-- a bad partition is a row
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_nowhere host=127.0.0.1 port=' :port
\set p2 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p3 'dbname=regress_part1 host=127.0.0.1,127.0.0.1 port=1,' :port
create server mixed foreign data wrapper plproxy options (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3',
    p4 'dbname=regress_part0 host=127.0.0.1 port=1 password=Sesame42', p5 'nonsense=Sesame42', p6 'nonsense', p7 :'p0');
create user mapping for public server mixed;
select partition, host, dbname, ok, replace(split_part(error, E'\n', 1), current_setting('port'), 'PORT') as error
    from plproxy_check_cluster('mixed');
select count(*) from plproxy_check_cluster('mixed') c where c::text ~ 'Sesame42';
-- functions
create function fits(a int, out b int, out c text) returns setof record language plproxy as $$
    cluster 'parts'; run on all;
$$;
create function missing(t text) returns int language plproxy as $$ cluster 'parts'; $$;
create function other_columns(out b int, out x text) language plproxy as $$ cluster 'parts'; target fits_not; $$;
create function other_types(out b point, out c text) language plproxy as $$ cluster 'parts'; target fits_not; $$;
create function no_right(a int) returns int language plproxy as $$ cluster 'parts'; $$;
create function of_schema() returns int language plproxy as $$ cluster 'parts'; target hidden.f; $$;
create function own_select(out b int, out c date) language plproxy as $$
    cluster 'parts'; select 1 as b, now()::time as t, 'x'::text as c;
$$;
create function own_names(out b int, out c date) language plproxy as $$ cluster 'parts'; select 1 as b, now() as d; $$;
create function own_types(out b int, out c date) language plproxy as $$ cluster 'parts'; select current_date as b, 1 as c; $$;
create function own_scalar() returns int language plproxy as $$ cluster 'parts'; select 'a'::text; $$;
create function own_scalar_type() returns int language plproxy as $$ cluster 'parts'; select now(); $$;
create function own_two() returns int language plproxy as $$ cluster 'parts'; select 1, 2; $$;
create function own_table() returns int language plproxy as $$ cluster 'parts'; select n from nowhere; $$;
create function as_record(a int) returns setof record language plproxy as $$ cluster 'parts'; run on all; target fits; $$;
create function by_argument(c text) returns int language plproxy as $$ connect c; select 1; $$;
create function by_function() returns int language plproxy as $$ cluster upper('PARTS'); select 1; $$;
create function elsewhere() returns int language plproxy as $$ cluster 'mixed'; select part(); $$;
set check_function_bodies = off;
create function not_compiled() returns int language plproxy as $$ nonsense $$;
reset check_function_bodies;
call everywhere('create function fits(a int, out b int, out c text) returns setof record language sql as $$ select 1, ''x'' $$');
call everywhere('create function fits_not(out b int, out c text) language sql as $$ select 1, ''x'' $$');
call everywhere('create function no_right(a bigint) returns int language sql as $$ select 1 $$');
call everywhere('create schema hidden');
call everywhere('create function hidden.f() returns int language sql as $$ select 1 $$');
create role regress_admin_limited login;
create user mapping for regress_admin_limited server parts;
call everywhere('revoke execute on function no_right(bigint) from public');
-- as the superuser everything may be executed; by_function is for another cluster than parts
select function, partition, ok, split_part(problem, E'\n', 1) as problem from plproxy_check_functions('parts')
    where (partition = 2 or partition is null) and function::text ~ '^(fits|missing|other_|no_right|of_|own_|as_|by_|else|not_)';
-- as another user not
grant usage on foreign server parts to regress_admin_limited;
grant execute on function plproxy_check_function(regprocedure), plproxy_check_cluster(text) to regress_admin_limited;
set role regress_admin_limited;
select * from plproxy_check_function('no_right(int)');
select partition, split_part(problem, E'\n', 1) as problem from plproxy_check_function('of_schema()');
select * from plproxy_check_function('fits(int)');
select partition, username, ok from plproxy_check_cluster('parts');
select outcome($$ select count(*) from plproxy_check_cluster('mixed') $$);
select outcome($$ select count(*) from plproxy_check_function('elsewhere()') $$);
select outcome($$ select count(*) from plproxy_check_functions('parts') $$);
reset role;
revoke execute on function fits(int) from public;
set role regress_admin_limited;
select outcome($$ select count(*) from plproxy_check_function('fits(int)') $$);
reset role;
-- partitions that cannot be reached are a problem of the function
select partition, ok, replace(split_part(problem, E'\n', 1), current_setting('port'), 'PORT') as problem
    from plproxy_check_function('elsewhere()');
-- bad input
select outcome($$ select count(*) from plproxy_check_function('by_argument(text)') $$);
select outcome($$ select count(*) from plproxy_check_function('not_compiled()') $$);
select outcome($$ select count(*) from plproxy_check_function('now()') $$);
select outcome($$ select count(*) from plproxy_check_function(0) $$);
select outcome($$ select count(*) from plproxy_check_function(null) $$);
select outcome($$ select count(*) from plproxy_check_cluster('nowhere') $$);
select outcome($$ select count(*) from plproxy_check_cluster(null) $$);
select outcome($$ select count(*) from plproxy_check_functions(null) $$);
-- no connection of these comes to the session's pool
select plproxy_disconnect_all() is not null as disconnected;
select count(*) from plproxy_check_cluster('parts');
select count(*) from plproxy_check_function('fits(int)');
select count(*) from plproxy_get_connections();
call everywhere('drop function fits(int); drop function fits_not(); drop function no_right(bigint); drop function hidden.f(); drop schema hidden');
drop owned by regress_admin_limited cascade;
drop role regress_admin_limited;
drop server mixed cascade;
drop function fits(int), missing(text), other_columns(), other_types(), no_right(int), of_schema(), own_select(), own_names(),
    own_types(), own_scalar(), own_scalar_type(), own_two(), own_table(), as_record(int), by_argument(text), by_function(),
    elsewhere(), not_compiled();
