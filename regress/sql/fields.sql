-- Fields of arguments: argument.field in what is evaluated locally.
create schema t_fields;
set search_path = t_fields, public;
call everywhere('create schema t_fields');
create type sub as (x int, y text);
call everywhere('create type t_fields.sub as (x int, y text)');
create type pair as (a int, b text, s sub, "Up" int, list int[]);
call everywhere('create type t_fields.pair as (a int, b text, s t_fields.sub, "Up" int, list int[])');
create domain positive as pair check ((value).a > 0);
create type holder as (p pair);
create table users (a int, p int);
insert into users values (3, 2);
create function same(int) returns int language sql as 'select $1';
create function sum_of(int, int) returns int language sql as 'select $1 + $2';
create function of_pair(pair) returns int language sql as 'select ($1).a';
create function up_to(int) returns setof int language sql as 'select generate_series(0, $1)';
\set one 'row(1, \'parts\', row(2, \'dbname=regress_part2\'), 3, \'{1,2}\')::pair'
-- run_on(what [, arguments [, values]]) is where a function with RUN ON what goes
create function run_on(what text, arguments text default 'p pair',
    vals text default $v$row(1, 'parts', row(2, 'z'), 3, '{1,2}')::pair$v$) returns text language plpgsql as $$
declare found text;
begin
    execute format('create function t_fields.f(%s) returns setof int language plproxy as %L', arguments,
        'cluster ''parts''; ' || what || '; select part();');
    execute format('select string_agg(f::text, '','') from t_fields.f(%s) f', vals) into found;
    drop function f;
    return found;
exception when others then
    return sqlstate || ' ' || sqlerrm;
end $$;
\pset format unaligned
\pset tuples_only on
select run_on('run on same(p.a)');
select run_on('run on p.a');
select run_on('run on P . s.x');
select run_on('run on same(p.s.x)');
select run_on('run on same(p."Up")');
select run_on('run on same("p".a)');
select run_on('run on same(p.list[2])');
select run_on('run on sum_of(p.a, p.s.x)');
select run_on('run on up_to(p.s.x)');
select run_on('run on same((p).a)'), run_on('run on same($1.a)'), run_on('run on same(($1.s).x)');
select run_on('run on same(p.of_pair)');
select run_on('run on of_pair(p)');
select run_on('run on same((select p.a))'), run_on('run on same((select max(p.a) from users u where u.a > p.a))');
select run_on('run on same(1) where p.a = 1');
select run_on('run on same("My p".a)', '"My p" pair'), run_on('run on same("Q".a + q.a)', '"Q" pair');
select run_on('run on same(q.a + p.s.x)', 'p pair, q positive', $$row(1, '', row(2, ''), 0, '{}')::pair, row(1, '', null, 0, '{}')::pair$$);
select run_on('run on same(p.p.a)', 'p holder', $$row(row(1, '', row(2, ''), 0, '{}')::pair)::holder$$);
select run_on('run on same(users.a)', 'users users', '(select u from users u)');
-- text is hashed
select run_on('run on p.b') = run_on('run on b', 'b text', $$'parts'$$), run_on('run on lower(p.b)') = run_on('run on p.b');
-- SPLIT: each element's field
select run_on('split p; run on p.a', 'p pair[]', $$array[row(1, '', null, 0, '{}'), row(3, '', null, 0, '{}')]::pair[]$$);
select run_on('split p, n; run on sum_of(p.a, n)', 'p pair[], n int[]', $$array[row(1, '', null, 0, '{}'), row(3, '', null, 0, '{}')]::pair[], '{1,3}'$$);
select run_on('split n; run on sum_of(p.a, n)', 'p pair, n int[]', $$row(1, '', null, 0, '{}')::pair, '{1,2}'$$);
-- what has its meaning without
select run_on('run on same((select p.p from users "p"))');
select run_on('run on same((select users.p from t_fields.users))', 'users pair');
select run_on('run on same((select p.a from t_fields.users as "p"))');
select run_on('run on t_fields.same(1)', 't_fields int', '1');
select run_on('run on same(1) as "p" where p.p = 1');
-- what is none
select run_on('run on same(p.nosuch)');
select run_on('run on p.nosuch');
select run_on('run on same(p.s.nosuch)');
select run_on('run on same(p.a.nosuch)');
select run_on('run on same(q.a)');
select run_on('run on same(p.a)', 'p int', '1');
select run_on('run on same(p.a)', 'p pair[]', 'array[]::pair[]');
select run_on('run on same(p.s)');
select run_on('run on same(p.a)', vals => 'null');
select run_on('run on same(''p.a'')');
select run_on('run on same(p.)');
\pset format aligned
\pset tuples_only off
-- CLUSTER and CONNECT
create function cluster_of(p pair) returns int language plproxy as $$ cluster lower(p.b); run on p.a; select part(); $$;
select cluster_of(:one);
create function host(text) returns text language sql as $$ select $1 || ' host=127.0.0.1 port=' || current_setting('port') $$;
create function place_of(p pair) returns int language plproxy as $$ connect host(p.s.y); select part(); $$;
select place_of(:one);
create function at(p sub) returns int language plproxy as $$ connect p.y; select part(); $$;
select at(row(1, host('dbname=regress_part3'))::sub);
select at(row(1, null)::sub);
-- where it would go
select partition from plproxy_route('cluster_of(pair)', '(3,parts,,,)');
-- the remote query: a field of $n, or of an argument in parentheses; a name before a dot is the query's own
create function selected(p pair) returns text language plproxy as $$
    cluster 'parts'; run on p.a; select concat_ws(' ', $1.b, (p).a, $1 . s.x, p.b, ($1).list) from (select 'column' as b) "p";
$$;
select selected(:one);
create function no_table(p pair) returns text language plproxy as $$ cluster 'parts'; run on p.a; select p.b; $$;
select no_table(:one);
-- an error shows the text
create function wrong(p pair) returns int language plproxy as $$ cluster 'parts'; run on same(p.s.nosuch); $$;
select wrong(:one);
create function wrong_later(p pair) returns int language plproxy as $$ cluster 'parts'; run on same(p.a / 0); $$;
select wrong_later(:one);
-- a changed type is seen
create function by_field(p sub) returns int language plproxy as $$ cluster 'parts'; run on same(p.x); select part(); $$;
select by_field(row(1, 'a'));
create function by_inner_field(p holder) returns int language plproxy as $$ cluster 'parts'; run on same(p.p.s.x); select part(); $$;
select by_inner_field(row(row(0, 'parts', row(2, ''), 3, '{1,2}')::pair));
create function by_row(p sub) returns int language plproxy as $$ cluster 'parts'; run on same((p).x); select part(); $$;
select by_row(row(1, 'a'));
alter type sub rename attribute x to z;
select by_field(row(1, 'a'));
select by_inner_field(row(row(0, 'parts', row(2, ''), 3, '{1,2}')::pair));
select by_row(row(1, 'a'));
alter type sub add attribute x int;
select by_field(row(1, 'a', 3));
select by_inner_field(row(row(0, 'parts', row(1, '', 3), 3, '{1,2}')::pair));
select by_row(row(1, 'a', 3));
-- another role has a plan of its own
create role regress_fields login;
grant usage on schema t_fields to regress_fields;
grant usage on foreign server parts to regress_fields;
select by_field(row(1, 'a', 2));
set role regress_fields;
select by_field(row(1, 'a', 2));
reset role;
revoke execute on function same(int) from public;
set role regress_fields;
select by_field(row(1, 'a', 2));
reset role;
set client_min_messages = warning;
drop schema t_fields cascade;
call everywhere('drop schema t_fields cascade');
revoke usage on foreign server parts from regress_fields;
drop role regress_fields;
