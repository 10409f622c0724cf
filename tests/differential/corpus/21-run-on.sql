-- RUN ON a function of any kind, replaced, revoked, hidden, failing between two calls of a session.
create schema d_run_on;
set search_path = d_run_on, public;
grant usage, create on schema d_run_on to d_alice;
grant usage on foreign server parts to d_alice;
create function by_place(n int) returns int language plproxy as $$ cluster 'parts'; run on place(n); select part(); $$;
create function cut_by_place(n int[]) returns setof text language plproxy as $$
    cluster 'parts'; split n; run on place(n); select part() || ' ' || n::text;
$$;
-- made, replaced in every language and kind, dropped
select by_place(1);
select cut_by_place('{}');
create function place(n int) returns int language sql immutable as 'select n';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
create or replace function place(n int) returns int language sql immutable strict as 'select n + 1';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
create or replace function place(n int) returns int language sql stable as 'select n + 2';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
create or replace function place(n int) returns int language sql volatile as 'select n + 3';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
create or replace function place(n int) returns int language plpgsql as 'begin return n; end';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
create or replace function place(n int) returns int language internal immutable strict as 'int4abs';
select by_place(-3);
select cut_by_place('{-1,2,-3,5,6}');
drop function place(int);
select by_place(1);
create function place(n int) returns setof int language sql as 'select generate_series(1, n)';
select by_place(1);
select by_place(2);
select cut_by_place('{1,2,3}');
drop function place(int);
create function place(n int) returns int language sql as 'select n';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int);
create function place(n int) returns int8 language sql as 'select n + 4294967297';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int);
create function place(n int) returns int2 language sql as 'select -n::int2';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int);
-- a row, of which the first column counts
create function place(n int, out a int, out b text) language sql as 'select n, ''x''';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int);
create function place(n int, out a int) language sql as 'select n';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int);
create function place(n int) returns table (a int) language sql as 'select n';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int);
create type one as (a int);
create function place(n int) returns one language sql as 'select n';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int);
create function place(n int) returns record language sql as 'select n, n';
select by_place(1);
drop function place(int);
-- a procedure, an aggregate, a window function are no functions to run on
create procedure place(n int) language sql as '';
select by_place(1);
drop procedure place(int);
create aggregate place(int) (sfunc = int4pl, stype = int, initcond = 0);
select by_place(1);
drop aggregate place(int);
-- found by the types and the number of its arguments, by default values, by VARIADIC
create function place(n anyelement) returns int language sql as 'select n::int';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
create function place(n int, more int default 1) returns int language sql as 'select n + more';
create function place(n bigint) returns int language sql as 'select n::int + 2';
drop function place(anyelement);
select by_place(1);
drop function place(bigint);
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
create or replace function place(n int, more int default 2) returns int language sql as 'select n + more';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int, int);
create function place(variadic n int[]) returns int language sql as 'select cardinality(n) + n[1]';
select by_place(1);
select cut_by_place('{1,2,3,5,6}');
drop function place(int[]);
-- arguments that are expressions, constants, named, other functions, queries
create function place(n int) returns int language sql as 'select n';
create table places (n int, place int);
insert into places select i, i + 1 from generate_series(0, 9) i;
create function by_expression(n int) returns int language plproxy as $$
    cluster 'parts'; run on place(case when n > 0 then n + 1 else 1 / n end); select part();
$$;
select by_expression(1), by_expression(2), by_expression(-1);
select by_expression(0);
create function by_constant(n int) returns int language plproxy as $$ cluster 'parts'; run on place(2); select part(); $$;
select by_constant(1), by_constant(null);
create function by_nothing() returns int language plproxy as $$ cluster 'parts'; run on pi_to_int(); select part(); $$;
create function pi_to_int() returns int language sql immutable as 'select 3';
select by_nothing();
create or replace function pi_to_int() returns int language sql immutable as 'select 2';
select by_nothing();
create function by_two(a int, b int) returns int language plproxy as $$
    cluster 'parts'; run on place(least(greatest(a, b), $2, a)); select part();
$$;
select by_two(1, 2), by_two(3, 2);
create function by_query(n int) returns int language plproxy as $$
    cluster 'parts'; run on place((select p.place from places p where p.n = $1)); select part();
$$;
select by_query(1), by_query(2);
update places set place = 0 where n = 1;
select by_query(1), by_query(2);
select by_query(10);
create function cut_by_query(n int[]) returns setof text language plproxy as $$
    cluster 'parts'; split n; run on place((select p.place from places p where p.n = $1)); select part() || ' ' || n::text;
$$;
select cut_by_query('{1,2,3,5,6}');
create function by_set(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on place(generate_series(1, n)); select part();
$$;
select by_set(2);
create function by_unnest(n int[]) returns setof int language plproxy as $$
    cluster 'parts'; run on unnest(n); select part();
$$;
select by_unnest('{3,1,3,2}');
select by_unnest('{}');
create function by_collation(t text) returns int language plproxy as $$
    cluster 'parts'; run on place(compare_to_a(t collate "C")); select part();
$$;
create function compare_to_a(t text) returns int language sql as $$ select (t > 'a')::int $$;
select by_collation('b'), by_collation('B');
create function by_unknown_collation(t text) returns int language plproxy as $$
    cluster 'parts'; run on place((t collate nowhere)::int); select part();
$$;
select by_unknown_collation('1');
create function cut_two(a int[], b text[], c int) returns setof text language plproxy as $$
    cluster 'parts'; split a, b; run on place(a + length(b) + c); select concat_ws(' ', part(), a, b);
$$;
select cut_two('{1,2,3}', '{a,bb,ccc}', 1);
-- NULL
create or replace function place(n int) returns int language sql as 'select coalesce(n, 3)';
select by_place(null);
select cut_by_place('{1,null,2}');
create or replace function place(n int) returns int language sql strict as 'select coalesce(n, 3)';
select by_place(null);
select cut_by_place('{1,null,2}');
create or replace function place(n int) returns int language plpgsql strict as 'begin return coalesce(n, 3); end';
select by_place(null);
select cut_by_place('{1,null,2}');
create or replace function place(n int) returns int language plpgsql as 'begin return nullif(n, 2); end';
select by_place(2);
select cut_by_place('{1,2,3}');
-- run exactly as often as there are elements, up to the one that fails
create sequence ticks;
create or replace function place(n int) returns int language plpgsql as $$
begin
    perform nextval('ticks');
    raise notice 'place of %', n;
    return nullif(n, 7) / nullif(n, 8) * n / case when n = 9 then 0 else 1 end;
end $$;
select by_place(1), nextval('ticks');
select cut_by_place('{1,2,3}');
select nextval('ticks');
select cut_by_place('{1,2,7,3,9}');
select cut_by_place('{1,2,8,3,9}');
select cut_by_place('{1,2,9,3,7}');
select nextval('ticks');
-- a volatile function's work
create table seen (n int);
create or replace function place(n int) returns int language plpgsql as $$
begin
    insert into seen values (n);
    return (select count(*) from seen);
end $$;
select by_place(5);
select cut_by_place('{10,20,30,40,50}');
select array_agg(n) from seen;
begin;
savepoint s;
select cut_by_place('{60,70}');
rollback to s;
select by_place(80);
commit;
select array_agg(n) from seen;
create or replace function place(n int) returns int language sql as 'insert into seen values (n) returning n';
select by_place(3);
select cut_by_place('{1,2,3,5,6}');
select array_agg(n) from seen;
-- what a stable function sees of the statement that calls it
create or replace function place(n int) returns int language sql stable as 'select count(*)::int from seen';
begin;
truncate seen;
insert into seen values (1);
select by_place(0);
insert into seen values (2);
select by_place(0);
with more as (insert into seen values (3), (4) returning n) select n, by_place(n) from more;
select by_place(0);
rollback;
-- errors, caught and not
create or replace function place(n int) returns int language plpgsql immutable as $$
begin
    if n % 2 = 0 then
        raise exception 'no place for %', n using errcode = 'DP001', detail = 'It is even.', hint = 'Take another.';
    end if;
    return n;
end $$;
select by_place(1);
select by_place(2);
select cut_by_place('{1,3,5,6,7,8}');
\echo :SQLSTATE
create function tried(count int) returns text language plpgsql as $$
declare
    good int := 0;
    bad int := 0;
begin
    for i in 1..count loop
        begin
            perform by_place(i);
            perform cut_by_place(array[1, i, 3]);
            good := good + 1;
        exception when sqlstate 'DP001' then
            bad := bad + 1;
        end;
    end loop;
    return format('%s good, %s bad', good, bad);
end $$;
select tried(100);
select by_place(3);
begin;
savepoint a;
select by_place(4);
rollback to a;
select by_place(5);
select cut_by_place('{1,3,5}');
savepoint b;
select cut_by_place('{1,2}');
rollback to b;
select tried(10);
select by_place(7);
commit;
-- an error from the executor itself, and one with a position
create or replace function place(n int) returns int language plpgsql as 'begin return 1 / n; end';
select by_place(0);
select cut_by_place('{1,0}');
create or replace function place(n int) returns int language plpgsql as 'begin return (select nothing); end';
select by_place(0);
create function by_mistake(n int) returns int language plproxy as $$ cluster 'parts'; run on place(n, 'x' || ); select part(); $$;
select by_mistake(1);
create function by_wrong_constant(n int) returns int language plproxy as $$ cluster 'parts'; run on place('x'::int); select part(); $$;
select by_wrong_constant(1);
create function by_unended(n int) returns int language plproxy as $$ cluster 'parts'; run on place(n) split n; select part(); $$;
select by_unended(1);
-- through another search_path
drop function place(int);
create schema d_run_on_a;
create schema d_run_on_b;
create function d_run_on_a.place(n int) returns int language sql as 'select n';
create function d_run_on_b.place(n int) returns int language plpgsql as 'begin return n + 1; end';
set search_path = d_run_on, d_run_on_a, public;
select by_place(1);
select cut_by_place('{1,2,3}');
set search_path = d_run_on, d_run_on_b, public;
select by_place(1);
select cut_by_place('{1,2,3}');
set search_path = d_run_on, d_run_on_b, d_run_on_a, public;
select by_place(1);
select cut_by_place('{1,2,3}');
set search_path = d_run_on, public;
select by_place(1);
set search_path = d_run_on, d_run_on_a, public;
select by_place(1);
select cut_by_place('{1,2,3}');
create function d_run_on.place(n int) returns int language sql as 'select n + 2';
select by_place(1);
select cut_by_place('{1,2,3}');
drop function d_run_on.place(int);
select by_place(1);
select cut_by_place('{1,2,3}');
alter function d_run_on_a.place(int) rename to places;
select by_place(1);
alter function d_run_on_a.places(int) rename to place;
alter schema d_run_on_a rename to d_run_on_c;
select by_place(1);
set search_path = d_run_on, public;
set client_min_messages = warning;
drop schema d_run_on_c, d_run_on_b cascade;
reset client_min_messages;
-- the right to execute, which the role has that calls
create function place(n int) returns int language sql as 'select n';
create function by_hash_part(n int) returns bool language plproxy as $$ cluster 'parts'; run on pg_catalog.hashint4(n); select part() >= 0; $$;
select by_place(1), by_hash_part(1);
revoke execute on function place(int) from public;
select by_place(1);
select cut_by_place('{1,2}');
set role d_alice;
select by_place(1);
select cut_by_place('{1,2}');
select by_hash_part(1);
reset role;
select by_place(1);
select cut_by_place('{1,2}');
begin;
grant execute on function place(int) to d_alice;
set local role d_alice;
select by_place(1);
select cut_by_place('{1,2}');
rollback;
set role d_alice;
select by_place(1);
reset role;
grant execute on function place(int) to d_alice;
set role d_alice;
select by_place(1);
select cut_by_place('{1,2}');
reset role;
revoke execute on function place(int) from d_alice;
set role d_alice;
select by_place(1);
reset role;
begin;
set local role d_alice;
select by_hash_part(1);
reset role;
revoke execute on function pg_catalog.hashint4(int) from public;
select by_hash_part(1);
set local role d_alice;
select by_hash_part(1);
rollback;
create function as_owner(n int) returns int language plpgsql security definer as 'begin return by_place(n); end';
set role d_alice;
select as_owner(2);
select by_place(2);
reset role;
-- SECURITY DEFINER and SET
create or replace function place(n int) returns int language sql security definer as $$
    select case when current_user = 'd_alice' then n else n + 1 end
$$;
select by_place(1);
select cut_by_place('{1,2}');
alter function place(int) owner to d_alice;
select by_place(1), current_user = 'd_alice' as changed;
select cut_by_place('{1,2}');
alter function place(int) security invoker;
select by_place(1);
select cut_by_place('{1,2}');
create or replace function place(n int) returns int language sql stable set extra_float_digits = 2 as $$
    select n + current_setting('extra_float_digits')::int
$$;
select by_place(1), current_setting('extra_float_digits');
select cut_by_place('{1,2}');
alter function place(int) set extra_float_digits = 3;
select by_place(1), current_setting('extra_float_digits');
select cut_by_place('{1,2}');
alter function place(int) reset all;
select by_place(1);
select cut_by_place('{1,2}');
alter function place(int) set search_path = nowhere;
select by_place(1);
select cut_by_place('{1,2}');
-- CLUSTER and CONNECT by a function
create function which(n int) returns text language sql as $$ select case n when 1 then 'parts' when 2 then null else 'none' end $$;
create function by_cluster(n int) returns int language plproxy as $$ cluster which(n); run on n; select part(); $$;
select by_cluster(1);
select by_cluster(2);
select by_cluster(3);
create or replace function which(n int) returns text language plpgsql as $$ begin return 'parts'; end $$;
select by_cluster(2);
drop function which(int);
create function which(n int) returns setof text language sql as $$ select 'parts' from generate_series(1, n) $$;
select by_cluster(1);
select by_cluster(0);
select by_cluster(2);
drop function which(int);
create function which(n int) returns varchar language sql as $$ select 'parts'::varchar $$;
select by_cluster(1);
drop function which(int);
create function which(n int) returns text language plpgsql as $$ begin raise exception 'which %', n; end $$;
select by_cluster(1);
-- a number that is too large for one
create function by_far_number() returns text language plproxy as $$ cluster 'parts'; run on 4294967296; select current_database(); $$;
select by_far_number();
