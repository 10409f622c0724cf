-- Procedures: CALL here is CALL there.
create schema t_procedures;
set search_path = t_procedures, public;
call everywhere('create schema t_procedures');
call everywhere('create table t_procedures.log (id serial, what text)');
call everywhere($$ create procedure t_procedures.note(what text) language sql as 'insert into t_procedures.log (what) values ($1)' $$);
create function log() returns setof text language plproxy as $$
    cluster 'parts'; run on all; select part() || ' ' || what from t_procedures.log order by id;
$$;
-- one partition, several, all
create procedure note(what text) language plproxy as $$ cluster 'parts'; run on 1; $$;
call note('one');
call note(null);
create procedure note_all(what text) language plproxy as $$ cluster 'parts'; run on all; target t_procedures.note; $$;
call note_all('all');
create function hashes(n int) returns setof int language sql as $$ select generate_series(1, n) $$;
create procedure note_some(n int, what text) language plproxy as $$ cluster 'parts'; run on hashes(n); target t_procedures.note_some; $$;
call everywhere($$ create procedure t_procedures.note_some(n int, what text) language sql as 'insert into t_procedures.log (what) values ($1 || $2)' $$);
call note_some(2, 'some');
call note_some(0, 'none');
select * from log();
-- CONNECT, ANY, a hash
create procedure note_at(connstr text, what text) language plproxy as $$ connect connstr; target t_procedures.note2; $$;
call everywhere($$ create procedure t_procedures.note2(a text, what text) language sql as 'insert into t_procedures.log (what) values ($2)' $$);
call note_at('dbname=regress_part3 host=127.0.0.1 port=' || current_setting('port'), 'connected');
create procedure note_any(what text) language plproxy as $$ cluster 'parts'; target t_procedures.note; $$;
call note_any('any');
create procedure note_by(what text) language plproxy as $$ cluster 'parts'; run on what; target t_procedures.note; $$;
call note_by('by');
select count(*) filter (where what ~ 'connected'), count(*) filter (where what ~ 'any'), count(*) filter (where what ~ 'by') from log() what;
-- IN, OUT and INOUT, in any order, with their names or without; the columns are found by name
call everywhere($$ create procedure t_procedures.sums(out total int8, a int, inout b int, out note text)
    language plpgsql as 'begin total := a + b; b := b + 1; note := part() || '' done''; end' $$);
create procedure sums(out total int8, a int, inout b int, out note text) language plproxy as $$ cluster 'parts'; run on a; $$;
call sums(null, 2, 3, null);
call sums(null, 2, null, null);
create procedure turned(out note text, inout b int, a int, out total numeric) language plproxy as $$ cluster 'parts'; run on a; $$;
call everywhere($$ create procedure t_procedures.turned(out total int, b inout int, a int, out note text)
    language plpgsql as 'begin total := a + b; b := b + 1; note := part() || '' turned''; end' $$);
call turned(null, 3, 2, null);
create procedure one_out(out n int) language plproxy as $$ cluster 'parts'; run on 3; $$;
call everywhere($$ create procedure t_procedures.one_out(out n int) language sql as 'select part()' $$);
call one_out(null);
create procedure one_inout(inout a text) language plproxy as $$ cluster 'parts'; run on 3; $$;
call everywhere($$ create procedure t_procedures.one_inout(inout a text) language sql as 'select $1 || part()' $$);
call one_inout('x');
create procedure unnamed(out int, in int, inout text) language plproxy as $$ cluster 'parts'; run on $1; $$;
call everywhere($$ create procedure t_procedures.unnamed(out int, in int, inout text) language sql as 'select part() * 10, $2 || ''!''' $$);
call unnamed(null, 2, 'x');
create type pair as (a int, b text);
call everywhere('create type t_procedures.pair as (a int, b text)');
create domain posint as int check (value > 0);
call everywhere('create domain t_procedures.posint as int');
create procedure types(inout a date, inout b text[], inout c pair, out d timestamptz, inout e posint, inout f numeric, out g regclass)
    language plproxy as $$ cluster 'parts'; run on 0; $$;
call everywhere($$ create procedure t_procedures.types(inout a date, inout b text[], inout c t_procedures.pair, out d timestamptz,
    inout e t_procedures.posint, inout f numeric, out g regclass) language sql as 'select $1, $2 || ''x''::text, $3, ''2020-01-01 10:00+00''::timestamptz, 10 - $4, $5, ''pg_class''::regclass' $$);
set timezone = 'UTC';
call types('2020-02-03', '{a}', row(1, 'y'), null, 3, 1.50, null);
-- a domain is checked on arrival
call types('2020-02-03', '{a}', row(1, 'y'), null, 13, 1.50, null);
-- from PL/pgSQL, with variables
do $$
declare t int8; b int := 40; n text;
begin
    call t_procedures.sums(t, 2, b, n);
    raise notice '% % %', t, b, n;
    call t_procedures.note('from a block');
end $$;
-- procedures that end transactions
call everywhere($$ create procedure t_procedures.in_steps(n int) language plpgsql as
    'begin for i in 1 .. n loop insert into t_procedures.log (what) values (''step '' || i); commit; end loop;
     insert into t_procedures.log (what) values (''rolled back''); rollback; end' $$);
create procedure in_steps(n int) language plproxy as $$ cluster 'parts'; run on all; $$;
call in_steps(2);
call in_steps(1);
call in_steps(1);
select count(*) filter (where what ~ 'step'), count(*) filter (where what ~ 'rolled') from log() what;
begin;
call in_steps(1);
rollback;
select count(*) filter (where what ~ 'step') from log() what;
call everywhere($$ create procedure t_procedures.half(n int) language plpgsql as
    'begin insert into t_procedures.log (what) values (''kept''); commit; insert into t_procedures.log (what) values (''lost''); perform 1 / n; end' $$);
create procedure half(n int) language plproxy as $$ cluster 'parts'; run on 0; $$;
select outcome($$ call half(0) $$);
select * from log() what where what ~ 'kept|lost';
call everywhere($$ create procedure t_procedures.out_steps(inout n int) language plpgsql as 'begin commit; n := n + 1; rollback; n := n + 1; end' $$);
create procedure out_steps(inout n int) language plproxy as $$ cluster 'parts'; run on 0; $$;
call out_steps(1);
do $$ declare n int := 0; begin for i in 1 .. 5 loop call t_procedures.out_steps(n); end loop; raise notice '%', n; end $$;
-- notices and errors come as those of functions
call everywhere($$ create procedure t_procedures.tells(what text) language plpgsql as 'begin raise notice ''%'', what; raise exception ''no %'', what using detail = ''d''; end' $$);
create procedure tells(what text) language plproxy as $$ cluster 'parts'; run on 2; $$;
call tells('word');
create procedure missing(a int) language plproxy as $$ cluster 'parts'; run on 2; $$;
select outcome($$ call missing(1) $$);
call everywhere('create function t_procedures.is_function(a int) returns int language sql as ''select 1''');
create procedure is_function(a int) language plproxy as $$ cluster 'parts'; run on 2; $$;
-- a function that gives something is none that a procedure could have called
select outcome($$ call is_function(1) $$);
call everywhere('create or replace function t_procedures.is_void(a int) returns void language sql as ''select 1''');
create procedure is_void(a int) language plproxy as $$ cluster 'parts'; run on 2; $$;
call is_void(1);
call is_void(1);
-- where there is no such procedure but a function, that runs, as it always did
call everywhere('create function t_procedures.with_outs(out b int, a int, inout c text) language sql as ''select a * 10 + part(), c || 1''');
create procedure with_outs(out b int8, a int, inout c text) language plproxy as $$ cluster 'parts'; run on a; $$;
call with_outs(null, 3, 'x');
do $do$ declare b int8; c text := ''; begin for i in 1 .. 4 loop call t_procedures.with_outs(b, i, c); raise notice '% %', b, c; end loop; end $do$;
call everywhere('create function t_procedures.fails(a int) returns void language sql as ''insert into t_procedures.log (what) values (''''once''''); select 1 / a''');
create procedure fails(a int) language plproxy as $$ cluster 'parts'; run on 0; $$;
select outcome($$ call fails(0) $$);
call fails(1);
select * from log() what where what ~ 'once';
call everywhere($$ create function t_procedures.outermost(a int) returns void language plpgsql as 'begin call t_procedures.nothing(a); end' $$);
create procedure outermost(a int) language plproxy as $$ cluster 'parts'; run on 0; $$;
select outcome($$ call outermost(1) $$);
create function note(what int) returns void language plproxy as $$ cluster 'parts'; run on 2; $$;
call everywhere($$ create procedure t_procedures.note(what int) language sql as 'select 1' $$);
select outcome($$ select note(1) $$);
-- other columns
call everywhere($$ create procedure t_procedures.other(out x int) language sql as 'select 1' $$);
create procedure other(out y int) language plproxy as $$ cluster 'parts'; run on 2; $$;
call other(null);
create procedure more(out a int, out b int) language plproxy as $$ cluster 'parts'; run on 2; $$;
call everywhere($$ create procedure t_procedures.more(inout a int, inout b int) language sql as 'select 1, 2' $$);
call more(null, null);
-- SPLIT without anything to give
create procedure note_each(ids int[], what text) language plproxy as $$ cluster 'parts'; split ids; run on ids; $$;
call everywhere($$ create procedure t_procedures.note_each(ids int[], what text) language sql as 'insert into t_procedures.log (what) values ($2 || $1::text)' $$);
call note_each('{1,2,5,3}', 'each');
call note_each('{}', 'nothing');
select * from log() what where what ~ 'each|nothing';
-- SELECT and EXECUTE in a procedure: any statement where nothing is given, one row else
create procedure selects(n int) language plproxy as $$ cluster 'parts'; run on all; select part(), n from generate_series(1, n); $$;
call selects(0);
call selects(3);
create procedure gives(n int, out a int, out b text) language plproxy as $$ cluster 'parts'; run on n; select 'x' || n as b, part() as a; $$;
call gives(2, null, null);
create procedure dy_ddl(sql text) language plproxy as $$ cluster 'parts'; run on all; execute sql; $$;
call dy_ddl('create table t_procedures.made as select part() as n');
call dy_ddl('select n, n from t_procedures.made');
call dy_ddl('call t_procedures.note(''by EXECUTE'')');
call dy_ddl('');
select * from log() what where what ~ 'EXECUTE';
create procedure dy_row(sql text, n int, out a int, out b text) language plproxy as $$ cluster 'parts'; run on n; execute sql using n; $$;
call dy_row('select n as a, $1::text || ''!'' as b from t_procedures.made', 3, null, null);
call dy_row('select n as a, ''x'' as b from t_procedures.made where false', 3, null, null);
call dy_row('insert into t_procedures.made values (1)', 3, null, null);
-- defaults, SECURITY DEFINER, settings
create procedure with_default(a text default 'by default') language plproxy as $$ cluster 'parts'; run on 0; target t_procedures.note; $$;
call with_default();
select * from log() what where what ~ 'default';
create role regress_procedures login;
grant usage on schema t_procedures to regress_procedures;
grant usage on foreign server parts to regress_procedures;
call everywhere('grant usage on schema t_procedures to public');
call everywhere($$ create procedure t_procedures.who(out name text) language sql as 'select current_user::text' $$);
create procedure who(out name text) language plproxy as $$ cluster 'parts'; run on 0; $$;
create procedure who_owns(out name text) security definer language plproxy as $$ cluster 'parts'; run on 0; target t_procedures.who; $$;
set role regress_procedures;
call who(null);
do $$ declare name text; begin call t_procedures.who_owns(name); raise notice '%', name <> current_user; end $$;
reset role;
revoke execute on procedure who from public;
set role regress_procedures;
call who(null);
reset role;
-- a change is seen
create or replace procedure one_out(out n int) language plproxy as $$ cluster 'parts'; run on 2; $$;
call one_out(null);
-- where it would go, and whether it can
select partition, query from plproxy_route('sums(int,int)', '2', null);
select partition, query from plproxy_route('note_each(int[],text)', '{1,2,5,3}', 'x');
select partition, query from plproxy_route('note_all(text)', 'it''s');
select partition, query from plproxy_route('dy_ddl(text)', 'drop table x') where partition = 0;
select * from plproxy_check_function('sums(int,int)') where partition < 2;
select * from plproxy_check_function('note(text)') where partition < 2;
select * from plproxy_check_function('types(date,text[],pair,posint,numeric)') where partition < 2;
select partition, ok, split_part(problem, E'\n', 1) as problem from plproxy_check_function('missing(int)') where partition < 2;
select partition, ok, split_part(problem, E'\n', 1) as problem from plproxy_check_function('is_function(int)') where partition < 2;
select * from plproxy_check_function('is_void(int)') where partition < 2;
select * from plproxy_check_function('with_outs(int,text)') where partition < 2;
select partition, ok, problem from plproxy_check_function('other()') where partition < 2;
create procedure bad_types(out a date) language plproxy as $$ cluster 'parts'; $$;
call everywhere($$ create procedure t_procedures.bad_types(out a bool) language sql as 'select true' $$);
select partition, ok, problem from plproxy_check_function('bad_types()') where partition < 2;
select function, ok from plproxy_check_functions('parts') where function::text ~ 'in_steps|dy_ddl' and partition = 0;
call everywhere('revoke execute on procedure t_procedures.note(text), t_procedures.who from public');
grant execute on function plproxy_check_function(regprocedure) to regress_procedures;
set role regress_procedures;
select partition, ok, problem from plproxy_check_function('note(text)') where partition < 2;
select partition, ok, problem from plproxy_check_function('who_owns()') where partition < 2;
reset role;
-- what CREATE PROCEDURE refuses
create procedure wrong(out a int) language plproxy as $$ cluster 'parts'; run on all; $$;
create procedure wrong(inout a int) language plproxy as $$ cluster 'parts'; run on all; select 1 as a; $$;
create procedure wrong(a int[], out b int) language plproxy as $$ cluster 'parts'; split a; run on a; $$;
create procedure wrong(inout a int[]) language plproxy as $$ cluster 'parts'; split all; $$;
create procedure wrong(variadic a int[]) language plproxy as $$ cluster 'parts'; $$;
create procedure wrong(a anyelement) language plproxy as $$ cluster 'parts'; $$;
create procedure wrong(inout a anyelement) language plproxy as $$ cluster 'parts'; $$;
create procedure wrong() language plproxy as $$ run on 0; $$;
create procedure wrong(a int, out b text) language plproxy as $$ cluster 'parts'; execute b; $$;
create procedure wrong(a int, out b text) language plproxy as $$ cluster 'parts'; run on $2; $$;
create procedure several(n int, out a int) language plproxy as $$ cluster 'parts'; run on hashes(n); target t_procedures.one_out2; $$;
call several(2, null);
-- as a function it is none
select note('x');
revoke execute on function plproxy_check_function(regprocedure) from regress_procedures;
drop owned by regress_procedures;
drop role regress_procedures;
