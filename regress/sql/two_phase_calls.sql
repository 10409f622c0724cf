-- Calls of all kinds in transaction_mode 'two_phase': those that can do without a partition or with another, procedures, EXECUTE.
create schema t_two_phase_calls;
set search_path = t_two_phase_calls, public;
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
\set dead 'dbname=dead host=127.0.0.1 port=1'
create server two_live foreign data wrapper plproxy options (transaction_mode 'two_phase', p0 :'p0', p1 :'p1');
create server one_live foreign data wrapper plproxy options (transaction_mode 'two_phase', p0 :'p0', p1 :'dead');
create user mapping for public server two_live;
create user mapping for public server one_live;
call everywhere('create schema t_two_phase_calls');
call everywhere($$
    create table t_two_phase_calls.log (id int primary key, note text);
    create function t_two_phase_calls.put(id int, note text) returns int
        language sql as 'insert into t_two_phase_calls.log values ($1, $2) returning public.part()';
    create function t_two_phase_calls.fails(id int, at int) returns int language plpgsql as 'begin
        insert into t_two_phase_calls.log values (id, ''unless it fails'');
        if public.part() = at then raise exception ''no'' using errcode = ''P0042''; end if;
        return public.part();
    end';
    create function t_two_phase_calls.hangs_up(at int) returns int
        language sql as 'select case when public.part() = at then pg_terminate_backend(pg_backend_pid())::int else public.part() end'
$$);
create function put(id int, note text) returns int language plproxy as $$ cluster 'two_live'; run on id; $$;
create function ids(n int) returns text language plproxy as $$
    cluster 'two_live'; run on n; select coalesce(string_agg(l.id::text, ' ' order by l.id), '') from t_two_phase_calls.log l; $$;
-- as others see it
create function seen(n int) returns text language plproxy as $$
    cluster 'parts'; run on n; select coalesce(string_agg(l.id::text, ' ' order by l.id), '') from t_two_phase_calls.log l; $$;

-- SKIP FAILED: a partition that cannot be reached
create function put_first(id int, note text) returns setof int language plproxy as $$
    cluster 'one_live'; run on all skip failed; target t_two_phase_calls.put; $$;
select put_first(10, 'alone');
begin;
select put_first(11, 'and again');
select put_first(12, 'and again');
commit;
begin;
select put_first(13, 'rolled back');
rollback;
select seen(0);
-- one that fails where nothing was done before: what it did is undone, the others go on
create function fails(id int, at int) returns setof int language plproxy as $$ cluster 'two_live'; run on all skip failed; $$;
create function hangs_up(at int) returns setof int language plproxy as $$ cluster 'two_live'; run on all skip failed; $$;
select fails(20, 1);
select seen(0), seen(1);
begin;
select fails(21, 1);
select ids(0), ids(1);
commit;
select seen(0), seen(1);
begin;
select hangs_up(1);
select put(1, 'by a new connection');
commit;
select seen(0), seen(1);
-- one where something was done before is not left out: that would be gone, too
begin;
select put(3, 'before');
select fails(30, 1);
\echo :LAST_ERROR_SQLSTATE
commit;
begin;
select put(3, 'before');
select hangs_up(1);
\echo :LAST_ERROR_SQLSTATE
commit;
begin;
select ids(1);
savepoint a;
select hangs_up(1);
rollback to a;
commit;
\echo :LAST_ERROR_SQLSTATE
select seen(0), seen(1);
-- in an exception block only the block is
do $$
begin
    perform put(3, 'before');
    begin
        perform fails(32, 1);
    exception when sqlstate 'P0042' then
        raise notice 'caught: %', sqlerrm;
    end;
    perform put(5, 'after');
end $$;
select seen(0), seen(1);
-- time that runs out
alter server two_live options (add query_timeout '3');
create function slow(at int) returns setof int language plproxy as $$
    cluster 'two_live'; run on all skip failed; select part() from pg_sleep(case when part() = at then 100 else 0 end); $$;
begin;
select slow(1);
select ids(1);
select slow(1);
rollback;
alter server two_live options (drop query_timeout);
-- all fail
create function all_fail(id int) returns setof int language plproxy as $$
    cluster 'two_live'; run on all skip failed; select 1 / (part() - part()); $$;
begin;
savepoint a;
set client_min_messages = error;
select all_fail(1);
rollback to a;
select ids(0) is not null, ids(1) is not null;
commit;

-- ANY: who cannot be reached has no part in the transaction
create function any_put(id int, note text) returns int language plproxy as $$ cluster 'one_live'; run on any; target t_two_phase_calls.put; $$;
create function any_pid() returns int language plproxy as $$ cluster 'one_live'; run on any; select pg_backend_pid(); $$;
begin;
select count(*), sum(any_put(n, 'any')) from generate_series(60, 79) n;
select count(distinct any_pid()) from generate_series(1, 20);
commit;
begin;
select count(*), sum(any_put(n, 'any')) from generate_series(80, 99) n;
rollback;
select seen(0), seen(1);

-- procedures
call everywhere($$
    create procedure t_two_phase_calls.note(inout id int, note text) language plpgsql as 'begin
        insert into t_two_phase_calls.log values (id, note);
        id := id * 10;
    end';
    create procedure t_two_phase_calls.ends(id int, how text) language plpgsql as 'begin
        insert into t_two_phase_calls.log values (id, how);
        if how = ''commit'' then commit; else rollback; end if;
    end';
    create function t_two_phase_calls.called(id int, note text, out day date) language sql as '
        insert into t_two_phase_calls.log values (id, note) returning date ''2001-02-03'' + id'
$$);
create procedure note(inout id int, note text) language plproxy as $$ cluster 'two_live'; run on 1; $$;
create procedure ends(id int, how text) language plproxy as $$ cluster 'two_live'; run on 1; $$;
create procedure called(id int, note text, out day date) language plproxy as $$ cluster 'two_live'; run on 1; $$;
call note(101, 'alone');
begin;
call note(102, 'in a transaction');
select seen(1), ids(1);
rollback;
begin;
call note(103, 'in a transaction');
call note(104, 'in a transaction');
commit;
select seen(1);
-- there is but a function of that name: found out without harm, be it first or later, and however often
begin;
call called(111, 'first', null);
call called(112, 'second', null);
call called(113, 'third', null);
commit;
\c
set search_path = t_two_phase_calls, public;
begin;
call note(114, 'before');
savepoint a;
call called(115, 'undone', null);
rollback to a;
call called(116, 'later', null);
call called(117, 'later', null);
commit;
select seen(1);
-- a procedure cannot end the transaction
call ends(121, 'commit');
call ends(121, 'rollback');
begin;
call note(122, 'before');
call ends(123, 'commit');
commit;
do $$
declare
    id int := 124;
begin
    call t_two_phase_calls.note(id, 'before');
    begin
        call t_two_phase_calls.ends(125, 'rollback');
    exception when invalid_transaction_termination then
        raise notice 'caught: %', sqlerrm;
    end;
end $$;
select seen(1);

-- EXECUTE
create function text_of(sql text) returns text language plproxy as $$ cluster 'two_live'; run on 1; execute sql; $$;
create function day_of(sql text, out day date, out at timestamp) language plproxy as $$ cluster 'two_live'; run on 1; execute sql; $$;
begin;
select text_of($$ insert into t_two_phase_calls.log values (131, 'by its text') returning id $$);
select ids(1), seen(1);
select * from day_of($$ select date '2001-02-03' as day, timestamp '2001-02-03 04:05' as at $$);
select * from day_of($$ select date '2001-02-04' as day, timestamp '2001-02-03 04:05' as at $$);
commit;
-- one that is refused as its columns are asked for leaves a savepoint intact
begin;
select text_of($$ insert into t_two_phase_calls.log values (132, 'before') returning id $$);
savepoint a;
select * from day_of('select day from nowhere');
rollback to a;
select text_of($$ insert into t_two_phase_calls.log values (133, 'after') returning id $$);
commit;
select seen(1);
-- what is written in two styles is refused, as elsewhere
create type dated as (d date);
call everywhere('create type t_two_phase_calls.dated as (d date)');
create function turning(n int, out c dated, out at int) returns setof record language plproxy as $$
    cluster 'two_live'; run on 0;
    select row(x.d)::t_two_phase_calls.dated as c, 1 as at from (select date '2001-02-03' + g as d,
        set_config('datestyle', (array['ISO', 'German'])[1 + g % 2], false) from generate_series(1, n) g offset 0) x; $$;
select count(*) from turning(51);
begin;
select ids(0) is not null;
select count(*) from turning(51);
rollback;
select count(*) from turning(0);
-- it cannot end the transaction, either
create function controls(sql text) returns void language plproxy as $$ cluster 'two_live'; run on 1; execute sql; $$;
do $$
declare
    sql text;
begin
    perform put(135, 'before');
    foreach sql in array array['commit', ' /* not really */ COMMIT and chain', 'rollback to savepoint plproxy_1', 'begin', 'savepoint a',
        'release a', 'prepare transaction ''a''', 'end;', 'do ''begin commit; end''']
    loop
        begin
            perform controls(sql);
            raise notice 'done: %', sql;
        exception when others then
            raise notice '%: % %', sql, sqlstate, sqlerrm;
        end;
    end loop;
    perform put(137, 'after');
end $$;
select seen(1);
-- elsewhere it can
create function autocommits(sql text) returns void language plproxy as $$ cluster 'parts'; run on 1; execute sql; $$;
set client_min_messages = error;
select autocommits('rollback');
reset client_min_messages;
set client_min_messages = error;
call everywhere('drop schema t_two_phase_calls cascade');
