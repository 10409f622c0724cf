-- Where a call would go, and what it would send.
create function get(i_name text, out id bigint, out "E mail" text) returns setof record language plproxy as $$
    cluster 'parts'; run on i_name;
$$;
create function split_ids(ids int[], names text[], note text) returns setof int language plproxy as $$
    cluster 'parts'; run on ids; split ids, names;
$$;
create function on_all(a date, b bytea) returns setof void language plproxy as $$ cluster 'parts'; run on all; target other.f; $$;
create function own(a int, b text) returns int language plproxy as $$
    cluster 'parts'; run on a; select a + 1, '$1', b, a /* a */;
$$;
create function rec(a int) returns setof record language plproxy as $$ cluster 'parts'; run on a; $$;
create function by_func(a int) returns setof int language plproxy as $$ cluster 'parts'; run on generate_series(a, a + 1); $$;
create function no_arguments() returns int language plproxy as $$ cluster 'parts'; run on 2; $$;
create function by_connstr(c text) returns int language plproxy as $$ connect c; select 1; $$;
select partition, host, dbname, username = current_user as as_me, query from plproxy_route('get(text)', 'O''Hara\');
select port::text = current_setting('port') as port from plproxy_route('get(text)', 'x');
select partition, query from plproxy_route('get(text)', variadic array['NULL']);
select partition, dbname, query from plproxy_route('split_ids(int[], text[], text)', '{1,2,3,5,NULL}', '{a,"b c",c,d,e}', null);
select partition, dbname, query from plproxy_route('split_ids(int[], text[], text)', '{1,2,3,5}', '{a,"b c",c,d}', null);
select partition, dbname, query from plproxy_route('on_all(date, bytea)', '31 Jan 2020', '\x00ff');
select partition, query from plproxy_route('own(int, text)', '7', E'a\nb');
select partition, query from plproxy_route('rec(int)', '2');
select partition, query from plproxy_route('by_func(int)', '2');
select partition, query from plproxy_route('no_arguments()');
-- nothing is sent: the functions are nowhere, and there is no connection
select plproxy_disconnect_all();
select count(*) from plproxy_route('on_all(date, bytea)', null, null);
select count(*) from plproxy_get_connections();
-- the same partition as the call's
create function where_is(i_name text) returns int language plproxy as $$ cluster 'parts'; run on i_name; select part(); $$;
select bool_and(where_is(name) = (select partition from plproxy_route('where_is(text)', name)))
    from (select 'name ' || n as name from generate_series(1, 50) n) names;
-- a connection string that came as an argument
select partition, host, dbname, query from plproxy_route('by_connstr(text)', 'host=h1,h2 port=5433,5434 dbname=d');
select port from plproxy_route('by_connstr(text)', 'host=h1,h2 port=5433,5434 dbname=d');
select port from plproxy_route('by_connstr(text)', 'host=h1,h2 port=5433 dbname=d');
select outcome($$ select count(*) from plproxy_route('by_connstr(text)', 'nonsense=Sesame42') $$);
-- bad input
select outcome($$ select count(*) from plproxy_route('get(text)') $$);
select outcome($$ select count(*) from plproxy_route('get(text)', 'a', 'b') $$);
select outcome($$ select count(*) from plproxy_route('own(int, text)', 'seven', 'b') $$);
select outcome($$ select count(*) from plproxy_route('own(int, text)', null, 'b') $$);
select outcome($$ select count(*) from plproxy_route('split_ids(int[], text[], text)', '{1,2}', '{a}', 'n') $$);
select outcome($$ select count(*) from plproxy_route('get(text)', variadic array[['a']]) $$);
select outcome($$ select count(*) from plproxy_route('get(text)', variadic null) $$);
select outcome($$ select count(*) from plproxy_route('now()') $$);
select outcome($$ select count(*) from plproxy_route(null, 'a') $$);
-- rights
create role regress_admin_route;
set role regress_admin_route;
select outcome($$ select count(*) from plproxy_route('get(text)', 'a') $$);
reset role;
grant execute on function plproxy_route(regprocedure, text[]) to regress_admin_route;
set role regress_admin_route;
select outcome($$ select count(*) from plproxy_route('get(text)', 'a') $$);
reset role;
grant usage on foreign server parts to regress_admin_route;
set role regress_admin_route;
select partition, username from plproxy_route('get(text)', 'a');
reset role;
drop owned by regress_admin_route;
drop role regress_admin_route;
drop function get(text), split_ids(int[], text[], text), on_all(date, bytea), own(int, text), rec(int), by_func(int), no_arguments(),
    by_connstr(text), where_is(text);
