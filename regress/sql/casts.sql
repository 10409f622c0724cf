-- Values come as their type's output function writes them: a cast that somebody made has no say.
create schema t_casts;
set search_path = t_casts, public;
call everywhere('create schema t_casts');
create type mood as enum ('1', '2', '3');
create type pair as (m mood, n int);
create domain dmood as mood;
call everywhere($$ create type t_casts.mood as enum ('1', '2', '3') $$);
call everywhere('create type t_casts.pair as (m t_casts.mood, n int)');
call everywhere('create domain t_casts.dmood as t_casts.mood');
-- casts to text, explicit and implicit, of types of our own and of built-in ones
call everywhere($$ create function t_casts.label(t_casts.mood) returns text language sql immutable as $f$ select '2' $f$ $$);
call everywhere('create cast (t_casts.mood as text) with function t_casts.label(t_casts.mood) as implicit');
call everywhere($$ create function t_casts.label(t_casts.pair) returns text language sql immutable as $f$ select '(3,9)' $f$ $$);
call everywhere('create cast (t_casts.pair as text) with function t_casts.label(t_casts.pair) as assignment');
call everywhere($$ create function t_casts.label(point) returns text language sql immutable as $f$ select 'a point' $f$ $$);
call everywhere('create cast (point as text) with function t_casts.label(point)');
call everywhere($$ create function t_casts.label(int) returns text language sql immutable as $f$ select '7' $f$ $$);
call everywhere($$ create function t_casts.label(regclass) returns text language sql immutable as $f$ select 'no_such_table' $f$ $$);
call everywhere('create cast (regclass as text) with function t_casts.label(regclass)');
-- a function of each type that gives back what it gets
call everywhere($$ create function t_casts.give(v t_casts.mood) returns t_casts.mood language sql as 'select v' $$);
call everywhere($$ create function t_casts.give_pair(v t_casts.pair) returns t_casts.pair language sql as 'select v' $$);
call everywhere($$ create function t_casts.give_pairs(v t_casts.pair) returns setof t_casts.pair language sql as 'select v union all select v' $$);
call everywhere($$ create function t_casts.give_nested(v t_casts.pair, out a t_casts.pair, out b t_casts.pair[], out c t_casts.mood, out d t_casts.mood[], out e t_casts.dmood, out f point, out g int)
    language sql as 'select v, array[v, v], v.m, array[v.m], v.m, point(v.n, 1), v.n' $$);
call everywhere($$ create function t_casts.give_point(v point) returns point language sql as 'select v' $$);
call everywhere($$ create function t_casts.give_class(v regclass) returns regclass language sql as 'select v' $$);
call everywhere($$ create function t_casts.give_record(v int) returns setof record language sql as 'select ''1''::t_casts.mood, point(1, v), v' $$);
create function give(v mood) returns mood language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_pair(v pair) returns pair language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_pairs(v pair) returns setof pair language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_nested(v pair, out a pair, out b pair[], out c mood, out d mood[], out e dmood, out f point, out g int) language plproxy as $$
    cluster 'parts'; run on 0; $$;
create function give_point(v point) returns point language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_class(v regclass) returns regclass language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_record(v int) returns setof record language plproxy as $$ cluster 'parts'; run on 0; $$;
create function selected(out a mood, out b pair, out c point) language plproxy as $$
    cluster 'parts'; run on 0; select '1'::t_casts.mood as a, row('1', 1)::t_casts.pair as b, point(1, 2) as c; $$;
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
select set_config('t.p0', :'p0', false) is null;
create function connected(v mood) returns mood language plproxy as $$ connect 'dbname=none'; $$;
do $$ begin execute format('create or replace function connected(v t_casts.mood) returns t_casts.mood language plproxy as %L',
    format('connect %L; target t_casts.give;', current_setting('t.p0'))); end $$;
create view all_given as
    select give('1') as mood, connected('1') as connected, give_pair(('1', 1)) as pair, array(select give_pairs(('1', 1))) as pairs,
        (select n::text from give_nested(('1', 1)) n) as nested, give_point('(1,2)') as point, give_class('pg_class') as class,
        (select r::text from give_record(5) as r(m mood, p point, n int)) as record, (select s::text from selected() s) as selected;
\x
select * from all_given;
-- as text only
alter server parts options (add disable_binary '1');
select * from all_given;
alter server parts options (set disable_binary '0');
-- with another client encoding
set client_encoding = latin1;
select * from all_given;
reset client_encoding;
\x
-- the statement is the function's own
select query from plproxy_route('give_nested(t_casts.pair)', '(1,1)');
select query from plproxy_route('give(t_casts.mood)', '1');
set client_min_messages = warning;
call everywhere('drop schema t_casts cascade');
drop schema t_casts cascade;
alter server parts options (drop disable_binary);
