-- One call: every form of RUN ON, every way to call, every number of rows.
create schema t_call;
set search_path = t_call, public;
call everywhere('create schema t_call');
call everywhere($$ create function t_call.add(a int, b int) returns int language sql as 'select a + b' $$);
call everywhere($$ create function t_call.numbers(n int) returns setof int
    language sql as 'select part() * 10 + i from generate_series(1, n) i' $$);
call everywhere($$ create function t_call.echo(t text) returns text language sql as 'select t' $$);
call everywhere($$ create function t_call.nothing(a int) returns void language sql as '' $$);
-- the remote function is the one of the same name, schema-qualified
create function add(a int, b int) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
select add(1, 2);
select * from add(3, 4);
select add(a, 10) from generate_series(1, 3) a;
select add(b => 1, a => 2), add(null, 2) is null;
-- RUN ON a number
create function on_two() returns int language plproxy as $$ cluster 'parts'; run on 2; select part(); $$;
select on_two();
create function on_four() returns int language plproxy as $$ cluster 'parts'; run on 4; select part(); $$;
select on_four();
create function on_many() returns int language plproxy as $$ cluster 'parts'; run on 99999999999; select part(); $$;
select on_many();
-- RUN ON ALL: the order of the partitions
create function numbers(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; $$;
select numbers(1);
select * from numbers(2);
select * from numbers(0);
select * from numbers(1) with ordinality;
select * from numbers(1) limit 2;
select numbers(1), generate_series(1, 2);
select a, b from numbers(1) a, numbers(1) b where a = b;
select p.n, q.n from numbers(1) p(n), lateral part_at(p.n) q(n);
copy (select numbers(1)) to stdout;
create view numbers_view as select n from numbers(1) n;
select * from numbers_view order by n desc;
drop view numbers_view;
begin;
declare c cursor for select numbers(1);
fetch 2 from c;
select part_at(3);
fetch 3 from c;
commit;
-- RUN ON ANY, which is what no RUN ON means
create function anywhere() returns int language plproxy as $$ cluster 'parts'; run on any; select part(); $$;
create function nowhere() returns int language plproxy as $$ cluster 'parts'; select part(); $$;
select bool_and(anywhere() between 0 and 3), bool_and(nowhere() between 0 and 3) from generate_series(1, 20);
select count(distinct anywhere()), count(distinct nowhere()) from generate_series(1, 200);
-- RUN ON an argument: int2, int4, int8, by name in any case and by number
create function by_int2(a int2) returns int language plproxy as $$ cluster 'parts'; run on a; select part(); $$;
create function by_int4(a int4) returns int language plproxy as $$ cluster 'parts'; run on A; select part(); $$;
create function by_int8(a int8) returns int language plproxy as $$ cluster 'parts'; run on $1; select part(); $$;
select by_int2('-32768'), by_int2('-1'), by_int2('5');
select by_int4(-2147483648), by_int4(-1), by_int4(0), by_int4(6), by_int4(2147483647);
select by_int8(-9223372036854775808), by_int8(-2), by_int8(4294967297), by_int8(9223372036854775807);
select by_int4(null);
select by_int8(null);
select part_at(1);
create function by_array(a int[]) returns int language plproxy as $$ cluster 'parts'; run on a; select 1; $$;
-- RUN ON a function of the arguments
create function half(n int) returns int language sql as 'select n / 2';
create function by_half(a int, b int) returns int language plproxy as $$
    cluster 'parts';
    run on half(b);
    select part();
$$;
select by_half(0, 4), by_half(0, 6), by_half(0, 8);
create function by_expression(a int) returns int language plproxy as $$
    cluster 'parts';
    run on pg_catalog.abs(($1 + A)::int) ;
    select part();
$$;
select by_expression(-1), by_expression(-3);
create function by_hashtext(t text) returns int language plproxy as $$
    cluster 'parts'; run on hashtext(t); select part();
$$;
select bool_and(by_hashtext(t) = hashtext(t) & 3) from (values (''), ('a'), ('b'), ('c'), ('Ångström')) v(t);
select by_hashtext(null);
-- several hashes: the order in which they were picked, each partition once
create function up_to(n int) returns setof int language sql as 'select generate_series(1, n)';
create function down_from(n int) returns setof int language sql as 'select generate_series(n, 1, -1)';
create function parts_up(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on up_to(n); select part();
$$;
create function parts_down(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on down_from(n); select part();
$$;
select parts_up(1);
select parts_up(3);
select parts_up(100);
select parts_down(3);
select parts_up(0);
create function one_part(n int) returns int language plproxy as $$
    cluster 'parts'; run on up_to(n); select part();
$$;
select one_part(1);
select one_part(0);
select one_part(2);
create function same_hash() returns setof int language sql as 'values (1), (5)';
create function one_same() returns int language plproxy as $$ cluster 'parts'; run on same_hash(); select part(); $$;
select one_same();
create function some_null() returns setof int language sql as 'values (1), (null)';
create function all_null() returns setof int language plproxy as $$ cluster 'parts'; run on some_null(); select 1; $$;
select all_null();
create function two_columns(out a int, out b int) language sql as 'select 3, 2';
create function first_column() returns int language plproxy as $$
    cluster 'parts'; run on two_columns(); select part();
$$;
select first_column();
-- what goes wrong in a hash function is told as it came
create function bad_hash(n int) returns int language plpgsql as $$ begin return 1 / n; end $$;
create function by_bad_hash(n int) returns int language plproxy as $$
    cluster 'parts'; run on bad_hash(n); select part();
$$;
select by_bad_hash(1);
select by_bad_hash(0);
create function by_no_hash(n int) returns int language plproxy as $$
    cluster 'parts'; run on no_such_hash(n); select part();
$$;
select by_no_hash(1);
create function by_no_argument(n int) returns int language plproxy as $$ cluster 'parts'; run on m; select 1; $$;
select by_no_argument(1);
select part_at(2);
-- NULL, STRICT, defaults, unnamed arguments
create function echo(t text) returns text language plproxy as $$ cluster 'parts'; run on 1; $$;
select echo('x'), echo(''), echo(null) is null;
create function strict_echo(t text) returns text strict language plproxy as $$
    cluster 'parts'; run on 9; target t_call.echo;
$$;
select strict_echo(null) is null;
create function strict_echoes(t text) returns setof text strict language plproxy as $$
    cluster 'parts'; run on 9; target t_call.echo;
$$;
select strict_echoes(null);
select * from strict_echoes(null);
create function with_default(a int, b int default 10, c int default null) returns text language plproxy as $$
    cluster 'parts'; run on a; select concat(part(), ' ', b, ' ', c);
$$;
select with_default(1), with_default(2, 3), with_default(c => 5, a => 3);
create function unnamed(int, text) returns text language plproxy as $$
    cluster 'parts'; run on $1; select $2 || $1::text || part();
$$;
select unnamed(3, 'x');
create function no_arguments() returns text language plproxy as $$ cluster 'parts'; run on 3; select 'none'::text; $$;
select no_arguments();
create function same_twice(a int) returns int language plproxy as $$
    cluster 'parts'; run on a; select a + A + $1;
$$;
select same_twice(2);
-- void
create function nothing(a int) returns void language plproxy as $$ cluster 'parts'; run on a; $$;
select nothing(1);
select nothing(1) is null, nothing(1)::text = '', pg_typeof(nothing(1));
select * from nothing(2);
create function nothings(a int) returns setof void language plproxy as $$
    cluster 'parts'; run on all; target t_call.nothing;
$$;
select count(*), count(n) from nothings(1) n;
create function any_nothing(n int) returns void language plproxy as $$
    cluster 'parts'; run on 0; select i::text from generate_series(1, n) i;
$$;
select any_nothing(1);
select any_nothing(0);
select any_nothing(2);
create function nothing_of_two() returns void language plproxy as $$ cluster 'parts'; run on 0; select 1, 2; $$;
select nothing_of_two();
-- void as an argument is one value, an empty text; in a call of the remote function PostgreSQL leaves it out
call everywhere('create function t_call.leave_out(a int, c int) returns text language sql as ''select concat(a, c)''');
create function no_value() returns void language plpgsql as 'begin end';
create function leave_out(a int, b void, c int) returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
select leave_out(1, no_value(), 2), leave_out(1, null, 2);
create function quote_void(a void) returns text language plproxy as $$ cluster 'parts'; run on 0; select format('%L', a::text); $$;
select quote_void(no_value()), quote_void(null), quote_void('x');
create function no_hash() returns int language sql as 'select 2';
create function hash_of_void(a void) returns int language plproxy as $$ cluster 'parts'; run on no_hash(a); select part(); $$;
select hash_of_void(no_value()), hash_of_void(null);
create function run_on_void(a void) returns int language plproxy as $$ cluster 'parts'; run on a; select part(); $$;
select run_on_void(null);
create function split_beside_void(a int[], b void) returns setof text language plproxy as $$
    cluster 'parts'; split all; run on a; select part() || a::text || format('%L', b::text);
$$;
select split_beside_void('{1,2,5}', no_value());
create function split_void(a void) returns text language plproxy as $$ cluster 'parts'; split a; run on any; $$;
create function connect_void(a void) returns text language plproxy as $$ connect a; select 'x'; $$;
select connect_void(no_value());
create function void_and_back(inout a void, b int) language plproxy as $$ cluster 'parts'; run on b; select a; $$;
select void_and_back(no_value(), 1)::text = '', void_and_back(null, 1)::text = '';
create function void_column(out a void, out b int) language plproxy as $$ cluster 'parts'; run on 0; select 2 as b, ''::void as a; $$;
select void_column();
select (void_column()).a is null, (void_column()).b;
create function void_columns() returns table (a void, b int) language plproxy as $$ cluster 'parts'; run on all; target t_call.with_void; $$;
call everywhere('create function t_call.with_void(out a text, out b int) language sql as ''select ''''gone'''', public.part()''');
select a::text, b from void_columns();
create procedure call_void(a void) language plproxy as $$ cluster 'parts'; run on 0; target t_call.nothing; $$;
-- procedures
create procedure do_nothing(a int) language plproxy as $$ cluster 'parts'; run on a; target t_call.nothing; $$;
call do_nothing(1);
call do_nothing(null);
-- one row, no more, no less
create function single(n int) returns int language plproxy as $$
    cluster 'parts'; run on 0; target t_call.numbers;
$$;
select single(1);
select single(0);
\echo :SQLSTATE
select single(2);
\echo :SQLSTATE
select part_at(0);
-- security definer, row and cost estimates
create function defined() returns int security definer cost 5 language plproxy as $$
    cluster 'parts'; run on 1; select part();
$$;
select defined();
create function estimated() returns setof int rows 7 language plproxy as $$ cluster 'parts'; run on all; select 1; $$;
select count(*) from estimated();
-- the same from plpgsql, and from a prepared statement whose argument changes
do $$
begin
    for i in 0..3 loop
        raise notice '%', part_at(i);
    end loop;
    perform numbers(3);
end $$;
prepare where_is(int) as select part_at($1);
execute where_is(1);
execute where_is(2);
execute where_is(null);
execute where_is(3);
deallocate where_is;
set client_min_messages = warning;
drop schema t_call cascade;
call everywhere('drop schema t_call cascade');
