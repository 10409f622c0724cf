-- Composite types, tables, OUT and INOUT parameters, RETURNS TABLE, and records whose columns the caller names.
create schema t_records;
set search_path = t_records, public;
call everywhere('create schema t_records');
call everywhere($$
    create type t_records.pair as (a int, b text);
    create function t_records.pair_of(n int) returns t_records.pair language sql as 'select n, ''part '' || part()';
    create function t_records.pairs(n int) returns setof t_records.pair
        language sql as 'select i, ''part '' || part() from generate_series(1, n) i';
    create function t_records.pairs_back(n int, out b text, out a int) returns setof record
        language sql as 'select ''part '' || part(), i from generate_series(1, n) i';
    create function t_records.ask(query text) returns setof record
        language plpgsql as 'begin return query execute query; end';
    create function t_records.ask_one(query text) returns record
        language plpgsql as 'declare r record; begin execute query into r; return r; end';
$$);
-- a composite type, one row and several
create type pair as (a int, b text);
create function pair_of(n int) returns pair language plproxy as $$ cluster 'parts'; run on n; $$;
select pair_of(1);
select * from pair_of(2);
select (pair_of(3)).b, (pair_of(5)).a;
select pg_typeof(pair_of(1));
create function pairs(n int) returns setof pair language plproxy as $$ cluster 'parts'; run on all; $$;
select pairs(1);
select * from pairs(2);
select (pairs(1)).*;
select b, sum(a) from pairs(3) group by b order by b;
select * from pairs(0);
-- the order of the columns and their types may differ
create function pairs_turned(n int) returns setof pair language plproxy as $$
    cluster 'parts'; run on 1; target t_records.pairs_back;
$$;
select * from pairs_turned(2);
create type wide_pair as (b varchar, a int8);
create function pairs_wide(n int) returns setof wide_pair language plproxy as $$
    cluster 'parts'; run on 2; target t_records.pairs;
$$;
select * from pairs_wide(2);
-- OUT, INOUT, TABLE
create function out_pair(n int, out b text, out a int) language plproxy as $$
    cluster 'parts'; run on n; target t_records.pair_of;
$$;
select out_pair(1);
select * from out_pair(3);
create function out_pairs(n int, out a int, out b text) returns setof record language plproxy as $$
    cluster 'parts'; run on all; target t_records.pairs;
$$;
select * from out_pairs(1);
create function out_one(n int, out b text) returns setof text language plproxy as $$
    cluster 'parts'; run on n; select b from t_records.pairs($1) p(a, b);
$$;
create function out_first(n int, out a int) language plproxy as $$
    cluster 'parts'; run on 0; select n * 2 as whatever;
$$;
select out_first(4);
select * from out_first(5);
create function inout_pair(inout a int, inout b text, c int) language plproxy as $$
    cluster 'parts'; run on c; target t_records.inout_pair;
$$;
call everywhere($$ create function t_records.inout_pair(inout a int, inout b text, c int)
    language sql as 'select a + 1, b || part()' $$);
select inout_pair(1, 'x', 2);
select * from inout_pair(1, 'x', 3);
create function table_pairs(n int) returns table (b text, a int) language plproxy as $$
    cluster 'parts'; run on all; target t_records.pairs;
$$;
select * from table_pairs(1) order by b desc;
create function table_one(n int) returns table (x int) language plproxy as $$
    cluster 'parts'; run on all; select part() * n;
$$;
select * from table_one(2);
create function out_pair_type(n int, out p pair) language plproxy as $$
    cluster 'parts'; run on n; target t_records.pair_of;
$$;
select * from out_pair_type(1);
create function out_two_types(out p pair, out q pair[]) language plproxy as $$ cluster 'parts'; run on 1; $$;
call everywhere($$ create function t_records.out_two_types(out p t_records.pair, out q t_records.pair[])
    language sql as 'select row(part(), null)::t_records.pair, array[row(1, ''x''), null]::t_records.pair[]' $$);
select * from out_two_types();
create function out_procedure(inout a int, inout b text) returns record language plproxy as $$
    cluster 'parts'; run on a; select $1 + 1 as "a", $2 || 'y' as "b";
$$;
select * from out_procedure(1, 'x');
-- names that need quotes
create type odd as ("a b" int, "Select" text, "select" int, "ü" int, "q""q" int);
create function odds() returns setof odd language plproxy as $$ cluster 'parts'; run on 0; $$;
call everywhere($$
    create type t_records.odd as ("a b" int, "Select" text, "select" int, "ü" int, "q""q" int);
    create function t_records.odds() returns setof t_records.odd language sql as 'values (1, ''x'', 2, 3, 4)';
$$);
select * from odds();
create function "Odd name"("a b" int, "from" int, out "Sum" int, out "order" int) language plproxy as $$
    cluster 'parts'; run on $1;
$$;
call everywhere($$ create function t_records."Odd name"("a b" int, "from" int, out "Sum" int, out "order" int)
    language sql as 'select $1 + $2, part()' $$);
select * from "Odd name"(1, 2);
-- the row type of a table, with a column that was dropped
create table wide (a int, gone int, b text, c int default 7);
alter table wide drop column gone;
create function wide_rows() returns setof wide language plproxy as $$
    cluster 'parts'; run on 0; select 3 as c, 'x'::text as b, 1 as a;
$$;
select * from wide_rows();
select wide_rows();
-- many columns
do $$
declare
    n constant int := 300;
    columns text := (select string_agg(format('c%s int', i), ', ') from generate_series(1, n) i);
    vals text := (select string_agg(format('%s as c%1$s', i), ', ') from generate_series(1, n) i);
begin
    execute format('create function broad(out %s) language plproxy as $f$ cluster ''parts''; run on 0; select %s; $f$',
        replace(columns, ', ', ', out '), vals);
end $$;
select c1, c150, c300 from broad();
-- records whose columns the caller names, another list from call to call
create function ask(query text) returns setof record language plproxy as $$ cluster 'parts'; run on all; $$;
select * from ask('select part()') as (n int);
select * from ask('select part(), ''x''::text') as (n int, t text);
select * from ask('select ''x''::text, part()') as (n text, t int);
select n from ask('select generate_series(1, 2), part() * 1.5') as (i int, n numeric) where i = 2;
select * from ask('select 1 where part() = 2') as ("Odd ""name" int);
select * from ask('select 1, ''x''::text where false') as (a int, b text);
prepare asked as select sum(n) from ask('select part()') as (n int);
execute asked;
select count(t) from ask('select ''x''::text') as (t text);
execute asked;
deallocate asked;
select * from ask('select part()') as (a int), ask('select ''y''::text where part() = 1') as b(b text);
select * from rows from (ask('select part()') as (a int), generate_series(1, 5)) with ordinality;
select * from ask('select ''abc''::varchar(3), 1.55::numeric(4, 2)') as (a varchar(3), b numeric(4, 2)) limit 1;
do $$
declare
    r record;
begin
    for i in 1..3 loop
        for r in select * from ask('select part()') as (n int) where n = i loop
            raise notice '%', r;
        end loop;
        for r in select * from ask('select now() is null, part()::text') as (b bool, t text) where t = i::text loop
            raise notice '%', r;
        end loop;
    end loop;
end $$;
create function ask_one(query text) returns record language plproxy as $$ cluster 'parts'; run on 3; $$;
select * from ask_one('select part()') as (a int);
select * from ask_one('select part(), 2::int8') as (a int, b int8);
select row_to_json(r) from ask_one('select 1, ''x''::text') as r(a int, b text);
create function ask_again(query text) returns record language plproxy as $$
    cluster 'parts'; run on 3; target t_records.ask;
$$;
select * from ask_again('select 1') as (a int);
select * from ask_again('select 1 where false') as (a int);
select * from ask_again('select generate_series(1, 2)') as (a int);
-- the caller names no columns, or others than there are
select ask('select 1');
select ask_one('select 1');
select * from ask('select 1');
select * from ask_again('select 1') as (a int, b int);
-- PostgreSQL 18 has other words for the detail
\set VERBOSITY terse
select * from ask_again('select 1') as (a text);
\set VERBOSITY default
select * from ask_again('select 1') as (a int);
-- OUT parameters without names
create function unnamed(out int, out text) language plproxy as $$ cluster 'parts'; run on 1; target t_records.ask_two; $$;
call everywhere($$ create function t_records.ask_two() returns record language sql as 'select part(), ''x''::text' $$);
select * from unnamed();
-- more and fewer columns, other names
create function too_few(out a int, out b text) language plproxy as $$ cluster 'parts'; run on 0; select 1 as a; $$;
select * from too_few();
create function too_many(out a int, out b text) language plproxy as $$
    cluster 'parts'; run on 0; select 1 as a, 'x'::text as b, 2 as c;
$$;
select * from too_many();
-- a column's type has another name from one call to the next
create domain t_records.early as int;
call everywhere('create domain t_records.early as int');
create function named() returns record language plproxy as $$ cluster 'parts'; run on 0; target t_records.named; $$;
call everywhere('create table t_records.held as select 7::t_records.early as a');
call everywhere('create function t_records.named() returns record language sql as ''select row(a) from t_records.held''');
select * from named() as (a t_records.early);
alter domain t_records.early rename to late;
call everywhere('alter domain t_records.early rename to late');
select * from named() as (a t_records.late);
create function other_name(out a int, out b text) language plproxy as $$
    cluster 'parts'; run on 0; select 1 as a, 'x'::text as c;
$$;
select * from other_name();
create function other_case(out a int, out b text) language plproxy as $$
    cluster 'parts'; run on 0; select 1 as "A", 'x'::text as b;
$$;
select * from other_case();
create function same_name(out a int, out b text) language plproxy as $$
    cluster 'parts'; run on 0; select 1 as a, 'x'::text as a;
$$;
select * from same_name();
create function not_one() returns int language plproxy as $$ cluster 'parts'; run on 0; select 1 as a, 2 as b; $$;
select not_one();
create function none_at_all() returns setof int language plproxy as $$ cluster 'parts'; run on 0; select from part(); $$;
select none_at_all();
create function folded() returns pair language plproxy as $$ cluster 'parts'; run on 0; select t_records.pair_of(1); $$;
select * from folded();
create function no_column(n int, out a int, out z text) language plproxy as $$
    cluster 'parts'; run on 0; target t_records.pair_of;
$$;
select * from no_column(1);
create function with_select(query text) returns setof record language plproxy as $$
    cluster 'parts'; run on all; select 1;
$$;
select part_at(2);
set client_min_messages = warning;
drop schema t_records cascade;
call everywhere('drop schema t_records cascade');
