-- SELECT: the remote query given in full, and what in it is an argument.
create schema t_select;
set search_path = t_select, public;
call everywhere('create schema t_select');
call everywhere($$
    create table t_select.users (id int, name text);
    insert into t_select.users select i, 'user ' || i from generate_series(1, 20) i where i % 4 = part();
$$);
create function name_of(user_id int) returns text language plproxy as $$
    cluster 'parts'; run on user_id; select name from t_select.users where id = user_id;
$$;
select name_of(7), name_of(8);
select name_of(99);
create function names(low int, high int) returns setof text language plproxy as $$
    cluster 'parts'; run on all;
    select name
      from t_select.users
     where id between low and high
     order by id desc;
$$;
select * from names(3, 9);
create function users(low int, out name text, out id int) returns setof record language plproxy as $$
    cluster 'parts'; run on all; select u.id, u.name from t_select.users u where u.id <= $1;
$$;
select * from users(4);
create function row_count() returns setof int8 language plproxy as $$
    cluster 'parts'; run on all; select count(*) from t_select.users;
$$;
select sum(n) from row_count() n;
-- in any order with the other statements, in any case
create function turned(n int) returns int language plproxy as $$ sElEcT n * 10; run on 0; cluster 'parts'; $$;
select turned(4);
create function parenthesis(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select(n)*(2); $$;
select parenthesis(4);
-- what is an argument: its name in any case, $n; the same one twice is one
create function twice(n int, t text) returns text language plproxy as $$
    cluster 'parts'; run on 0; select n || t || $1 || N || $2 || T;
$$;
select twice(1, 'x');
create function backwards(a text, b text, c text) returns text language plproxy as $$
    cluster 'parts'; run on 0; select concat(c, b, a);
$$;
select backwards('1', '2', '3'), backwards(null, '2', null), backwards('1', null, null);
create function unused(a text, b text) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
select unused('a', null);
create function typed(n int8, t varchar, d date) returns text language plproxy as $$
    cluster 'parts'; run on 0; select concat_ws(' ', pg_typeof(n), pg_typeof(t), pg_typeof(d));
$$;
select typed(1, 'x', '2020-01-01');
create function ten(a1 int, a2 int, a3 int, a4 int, a5 int, a6 int, a7 int, a8 int, a9 int, a10 int, a11 int) returns text
language plproxy as $$ cluster 'parts'; run on 0; select concat_ws(' ', $11, $10, a1, $1, a10, a11); $$;
select ten(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
-- what is not: a dotted name, a quoted one, strings and comments
create function dotted(id int) returns setof text language plproxy as $$
    cluster 'parts'; run on 0; select u.name from t_select.users u where u.id = id * 4;
$$;
select dotted(1), dotted(2);
create function spaced(id int) returns setof text language plproxy as $$
    cluster 'parts'; run on 0; select "name" from t_select.users where "id" = id * 4;
$$;
select spaced(2);
create function strings(a text) returns text language plproxy as $$
    cluster 'parts'; run on 0;
    select concat(a, ' a; ', 'it''s a', E' it\'s a;', $q$ a; $q$, $$ || '$$;' || $$ /* a; /* */ /* */ , a);
$$;
create function strings(a text) returns text language plproxy as $f$
    cluster 'parts'; run on 0;
    select concat(a, ' a; ', 'it''s a', E' it\'s a;', $q$ a; $q$, $$ 'a'; $$ /* a; */, -- a; 'a
        a);
$f$;
select strings('<1>');
create function columns_named(a int, b int, out "a b" int, out "B" int) language plproxy as $$
    cluster 'parts'; run on 0; select a + b as "a b", a - b as "B";
$$;
select * from columns_named(3, 1);
create function quoted_argument("Odd name" int, "from" int) returns int language plproxy as $$
    cluster 'parts'; run on 0; select $1 - $2;
$$;
select quoted_argument(5, 3);
create function two_cases(a int, "A" int) returns int language plproxy as $$
    cluster 'parts'; run on 0; select a * 100 + A * 10 + $2;
$$;
select two_cases(1, 2);
-- names are replaced wherever they stand
create function aliased(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1 as n; $$;
select aliased(1);
select turned(1);
-- writing
create function add_user(id int, name text) returns int language plproxy as $$
    cluster 'parts'; run on id; select t_select.put(id, name);
$$;
call everywhere($$ create function t_select.put(int, text) returns int
    language sql as 'insert into t_select.users values ($1, $2) returning id' $$);
select add_user(21, 'new'), add_user(22, '; drop table users; --'), add_user(23, null);
select * from users(0);
select name_of(21), name_of(22), name_of(23) is null;
-- result columns: too few, too many, other names
create function one_of_two(out a int, out b int) language plproxy as $$ cluster 'parts'; run on 0; select 1 as a; $$;
select * from one_of_two();
create function three_of_two(out a int, out b int) language plproxy as $$
    cluster 'parts'; run on 0; select 1 as a, 2 as b, 3 as c;
$$;
select * from three_of_two();
create function other_of_two(out a int, out b int) language plproxy as $$
    cluster 'parts'; run on 0; select 1 as a, 2 as c;
$$;
select * from other_of_two();
create function turned_of_two(out a int, out b int) language plproxy as $$
    cluster 'parts'; run on 0; select 2 as b, 1 as a;
$$;
select * from turned_of_two();
create function two_of_one() returns int language plproxy as $$ cluster 'parts'; run on 0; select 1, 2; $$;
select two_of_one();
create function unnamed_one() returns int language plproxy as $$ cluster 'parts'; run on 0; select 1 + 1; $$;
select unnamed_one();
-- rows from set operations, with, values, long queries
create function united(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on 0; select n union all select n + 1 union all (select n + 2 limit 1) order by 1 desc;
$$;
select united(1);
create function from_with(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on 0; select * from (with recursive r(i) as (select 1 union all select i + 1 from r where i < n) select i from r) x;
$$;
select sum(s) from from_with(100) s;
do $$
begin
    execute format('create function long_one(n int) returns int language plproxy as %L',
        'cluster ''parts''; run on 0; select 0' || repeat(' + n', 2000) || ';');
end $$;
select long_one(2);
-- several statements would be several: the first ; ends it
create function ended(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select n; select n; $$;
create function ended(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select n; drop table x; $$;
create function endless(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select n $$;
create function endless(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select 'n; $$;
create function endless(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select "n; $$;
create function endless(n int) returns int language plproxy as $f$ cluster 'parts'; run on 0; select $$n; $f$;
create function unknown_number(n int) returns int language plproxy as $$ cluster 'parts'; run on 0;
    select $1 +
        $2; $$;
create function unknown_zero(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select $0; $$;
create function unknown_name(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select m; $$;
select unknown_name(1);
create function nonsense(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; select from where; $$;
select nonsense(1);
create function dynamic(n int) returns record language plproxy as $$ cluster 'parts'; run on 0; select n; $$;
select part_at(3);
-- as many columns as a row can have, in the other order
do $$ begin
    execute (select format('create type wide as (%s)', string_agg(format('c%s int', i), ', ')) from generate_series(1, 1600) i);
    execute (select format('create function wide_rows(n int) returns setof wide language plproxy as
        $f$ cluster ''parts''; run on 0; select %s from generate_series(1, n) g; $f$',
        string_agg(format('%s * g as c%1$s', i), ', ' order by i desc)) from generate_series(1, 1600) i);
end $$;
select count(*), sum((w).c1), sum((w).c799), sum((w).c1600) from wide_rows(1000) w;
set client_min_messages = warning;
drop schema t_select cascade;
call everywhere('drop schema t_select cascade');
