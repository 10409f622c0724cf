-- Calls inside calls: proxies of proxies, in hash functions, in loops, on the same cluster.
create schema t_nested;
set search_path = t_nested, public;
call everywhere('create schema t_nested');
call everywhere($$ create function t_nested.numbers(n int) returns setof int
    language sql as 'select part() * 10 + i from generate_series(1, n) i' $$);
create function numbers(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; $$;
-- from plpgsql, in the middle of another one's rows
create function loop_over(n int) returns setof text language plpgsql as $$
declare
    a int;
    b int;
begin
    for a in select * from numbers(n) loop
        for b in select * from numbers(1) where numbers % 10 = 1 and numbers / 10 = a / 10 loop
            return next format('%s %s %s', a, b, part_at(a));
        end loop;
    end loop;
end $$;
select * from loop_over(2);
select a, part_at(a) from numbers(1) a;
select numbers(1), part_at(1), numbers(1);
select (select sum(b) from numbers(a) b) from generate_series(0, 2) a;
-- a hash function that is a proxy on the same cluster
create function place(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select n + 1; $$;
create function by_place(n int) returns int language plproxy as $$ cluster 'parts'; run on place(n); select part(); $$;
select by_place(0), by_place(1), by_place(2), by_place(3);
create function places(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; target t_nested.numbers; $$;
create function by_places(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on places(n); select part();
$$;
select by_places(1);
select by_places(3);
-- one that is a plpgsql function which calls one
create function place_in_plpgsql(n int) returns int language plpgsql as $$
begin
    return (select count(*) from numbers(n)) + part_at(n);
end $$;
create function by_plpgsql(n int) returns int language plproxy as $$
    cluster 'parts'; run on place_in_plpgsql(n); select part();
$$;
select by_plpgsql(0), by_plpgsql(1), by_plpgsql(3);
-- recursion through a hash function
create function descend(n int) returns int language plproxy as $$ cluster 'parts'; run on descent(n); select part() + 10 * n; $$;
create function descent(n int) returns int language plpgsql as $$
begin
    return case when n = 0 then 0 else descend(n - 1) end;
end $$;
select n, descend(n) from generate_series(0, 6) n;
-- and without an end
create function endless(n int) returns int language plproxy as $$ cluster 'parts'; run on endless_hash(n); select 1; $$;
create function endless_hash(n int) returns int language plpgsql as $$ begin return endless(n + 1); end $$;
create function outcome_state(query text) returns text language plpgsql as $$
begin
    execute query;
    return 'fine';
exception when others then
    return sqlstate;
end $$;
set max_stack_depth = '200kB';
select outcome_state('select endless(0)');
reset max_stack_depth;
select part_at(1);
-- with SPLIT: a call for each element
create function split_place(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select part(); $$;
create function parted(a int[]) returns setof text language plproxy as $$
    cluster 'parts'; split a; run on split_place(a); select part() || ' ' || array_to_string(a, ',');
$$;
select parted('{1,2,3,5,6,7}');
-- the cluster's name and the connection string, too
create function name_of_cluster(n int) returns text language plproxy as $$ cluster 'parts'; run on n; select 'parts'::text; $$;
create function by_name(n int) returns int language plproxy as $$ cluster name_of_cluster(n); run on n; select part(); $$;
select by_name(2), by_name(3);
create function connstr_of(n int, port text) returns text language plproxy as $$
    cluster 'parts'; run on n; select format('dbname=%s host=127.0.0.1 port=%s', current_database(), port);
$$;
create function by_connstr(n int, port text) returns int language plproxy as $$ connect connstr_of(n, port); select part(); $$;
select by_connstr(1, current_setting('port')), by_connstr(2, current_setting('port'));
-- an error within, caught or not
create function fail_at(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select 1 / (part() - 2); $$;
create function careful(n int) returns int language plpgsql as $$
begin
    return fail_at(n);
exception when division_by_zero then
    return 3;
end $$;
create function by_careful(n int) returns int language plproxy as $$ cluster 'parts'; run on careful(n); select part(); $$;
select by_careful(1), by_careful(2), by_careful(3);
create function by_careless(n int) returns int language plproxy as $$ cluster 'parts'; run on fail_at(n); select part(); $$;
select by_careless(3);
select by_careless(2);
select by_careless(3);
-- a partition that is a proxy itself
select current_setting('port') as port \gset
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
\c regress_part0
create extension plproxy;
create server onward foreign data wrapper plproxy options (p0 :'p1');
create user mapping for public server onward;
create function t_nested.onward(n int) returns text language plproxy as $$
    cluster 'onward'; run on 0; select current_database() || ' ' || n;
$$;
create function t_nested.onward_fail(n int) returns int language plproxy as $$
    cluster 'onward'; run on 0; select 1 / n;
$$;
\c regression
set search_path = t_nested, public;
create function onward(n int) returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
select onward(5);
create function onward_fail(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
select onward_fail(1);
select onward_fail(0);
\echo :SQLSTATE
select onward_fail(1);
-- two sessions of the same: a call to this very database
\set here 'dbname=regression host=127.0.0.1 port=' :port
create server t_nested foreign data wrapper plproxy options (p0 :'here');
create user mapping for public server t_nested;
create function itself(n int) returns text language plproxy as $$
    cluster 't_nested'; run on 0; select t_nested.told(n);
$$;
create function told(n int) returns text language sql as $$ select 'told ' || n || ' ' || public.part_at(n) $$;
select itself(1), itself(2);
create function down(n int) returns int language plproxy as $$
    cluster 't_nested'; run on 0; select case when n > 0 then t_nested.down(n - 1) + 1 else 0 end;
$$;
select down(5);
\c regress_part0
set client_min_messages = warning;
drop extension plproxy cascade;
\c regression
set client_min_messages = warning;
drop server t_nested cascade;
drop schema t_nested cascade;
call everywhere('drop schema t_nested cascade');
