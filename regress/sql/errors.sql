-- Errors: remote ones with all that belongs to them, our own, and the session's next call.
create schema t_errors;
set search_path = t_errors, public;
select current_setting('port') as port \gset
call everywhere('create schema t_errors');
call everywhere($$
    create function t_errors.fail(state text, message text, detail text, hint text) returns int language plpgsql as 'begin
        raise exception using errcode = state, message = message, detail = detail, hint = hint;
    end';
    create function t_errors.fail_on(n int) returns int language plpgsql as 'begin
        if part() = n then
            raise exception ''not on %'', part();
        end if;
        return part();
    end';
    create function t_errors.divide(a int, b int) returns int language sql as 'select a / b';
    create function t_errors.deep(n int) returns int language plpgsql as 'begin
        return t_errors.deep(n - 1);
    exception when division_by_zero then
        raise exception ''deep'';
    end';
$$);
create function fail(state text, message text, detail text, hint text) returns int language plproxy as $$
    cluster 'parts'; run on 1;
$$;
select fail('P0042', 'a message', 'a detail', 'a hint');
\echo :SQLSTATE
\echo :LAST_ERROR_MESSAGE
select fail('22012', 'only a message', '', '');
\echo :SQLSTATE
select fail('XX001', E'two\nlines', E'and\ntwo', E'more\nlines');
\echo :SQLSTATE
select fail('57014', 'like a cancel', '', '');
\echo :SQLSTATE
select fail('P0002', 'with "quotes", 100% and \backslashes', '%s %d', '$1');
select fail('23505', repeat('long ', 200), '', '');
select part_at(1);
-- the same, caught: the SQLSTATE is the remote one
do $$
declare
    state text;
    message text;
    detail text;
    hint text;
    context text;
begin
    perform t_errors.fail('P0042', 'a message', 'a detail', 'a hint');
exception when sqlstate 'P0042' then
    get stacked diagnostics state = returned_sqlstate, message = message_text, detail = pg_exception_detail,
        hint = pg_exception_hint, context = pg_exception_context;
    raise notice E'%\n%\n%\n%\n%', state, message, detail, hint, split_part(context, E'\n', 1);
end $$;
do $$
begin
    for i in 1..3 loop
        begin
            perform t_errors.fail('P0042', 'round ' || i, '', '');
        exception when others then
            raise notice '%', sqlerrm;
        end;
        raise notice 'part %', part_at(i);
    end loop;
end $$;
-- one partition of several
create function fail_on(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; $$;
select fail_on(5);
select fail_on(0);
select fail_on(3);
select * from fail_on(2);
select fail_on(5);
create function fail_splitting(a int[], n int) returns setof int language plproxy as $$
    cluster 'parts'; split a; run on a; select t_errors.fail_on(n);
$$;
select fail_splitting('{1,2,3}', 2);
select fail_splitting('{1,2,3}', 0);
-- where in the statement
create function no_function(a int) returns int language plproxy as $$ cluster 'parts'; run on a; target no_such_function; $$;
select no_function(1);
create function no_column(a int) returns int language plproxy as $$ cluster 'parts'; run on a; select no_such_column; $$;
select no_column(1);
create function divide(a int, b int) returns int language plproxy as $$ cluster 'parts'; run on 2; $$;
select divide(6, 3);
select divide(1, 0);
create function dynamic(statement text) returns void language plproxy as $$ cluster 'parts'; run on 0; target exec; $$;
select dynamic('select 1 / 0');
select dynamic('nonsense');
select dynamic('select no_such_column from part()');
select dynamic($$ do 'begin perform 1 / 0; end' $$);
select dynamic($$ create table t_errors.one (id int primary key check (id > 0)) $$);
select dynamic($$ insert into t_errors.one values (1) $$), dynamic($$ insert into t_errors.one values (1) $$);
\echo :SQLSTATE
select dynamic($$ insert into t_errors.one values (0) $$);
\echo :SQLSTATE
select dynamic($$ insert into t_errors.one values (null) $$);
create function ones() returns setof int language plproxy as $$ cluster 'parts'; run on 0; select id from t_errors.one; $$;
select * from ones();
-- names that need quotes, nesting over there
create schema "T errors";
create function "T errors"."Fail here"(a int) returns int language plproxy as $$
    cluster 'parts'; run on a; target t_errors.no_such;
$$;
select "T errors"."Fail here"(1);
create function "T errors"."Out of range"(a int) returns int language plproxy as $$ cluster 'parts'; run on 8; select 1; $$;
select "T errors"."Out of range"(1);
call everywhere($$ create function t_errors.outer_fail(a int) returns int language plpgsql as
    'begin return t_errors.fail_on(part()); end' $$);
create function outer_fail(a int) returns int language plproxy as $$ cluster 'parts'; run on a; $$;
select outer_fail(3);
-- from inside a local function
create function calls_fail(a int) returns int language plpgsql as $$ begin return outer_fail(a); end $$;
select calls_fail(2);
-- the remote session ends in the middle; the next call has a new one
create function die() returns int language plproxy as $$
    cluster 'parts'; run on 2; select pg_terminate_backend(pg_backend_pid())::int;
$$;
select die();
\echo :SQLSTATE
select part_at(2), part_at(1);
-- it ended between the calls: nobody is told
create function remote_pid(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select pg_backend_pid(); $$;
select remote_pid(2) as pid \gset
select pg_terminate_backend(:pid, 60000), pg_sleep(0);
select part_at(2);
select remote_pid(2) <> :pid;
-- an error leaves the connection in use
select remote_pid(1) as pid \gset
select fail('P0042', 'again', '', '');
select remote_pid(1) = :pid;
-- our own errors leave it too
create function two_rows() returns int language plproxy as $$ cluster 'parts'; run on 1; select generate_series(1, 2); $$;
select two_rows();
\echo :SQLSTATE
select remote_pid(1) = :pid;
create function bad_int() returns setof int language plproxy as $$
    cluster 'parts'; run on all; select case when part() = 2 then 'x' else '1' end;
$$;
select bad_int();
select part_at(n) from generate_series(0, 3) n;
-- what is no query
create function no_rows() returns int language plproxy as $$ cluster 'parts'; run on 0; select 1 into t_errors.made; $$;
select no_rows();
select part_at(0);
-- no such cluster, hash, partition
create function no_cluster() returns int language plproxy as $$ cluster 't_errors_none'; run on 0; select 1; $$;
select no_cluster();
create function null_hash() returns int language plproxy as $$ cluster 'parts'; run on null_hash_of(); select 1; $$;
create function null_hash_of() returns int language sql as 'select null::int';
select null_hash();
create function all_to_one() returns int language plproxy as $$ cluster 'parts'; run on all; select 1; $$;
-- timeouts: ours over there, the session's own
create function sleep(seconds float8) returns int language plproxy as $$
    cluster 'parts'; run on 3; select 1 from pg_sleep(seconds);
$$;
set statement_timeout = '200ms';
select sleep(30);
\echo :SQLSTATE
reset statement_timeout;
select part_at(3);
\set c 'dbname=regress_part3 host=127.0.0.1 options=''-c statement_timeout=1s'' port=' :port
create server t_errors_limited foreign data wrapper plproxy options (p0 :'c');
create user mapping for public server t_errors_limited;
create function sleep_limited(seconds float8) returns int language plproxy as $$
    cluster 't_errors_limited'; run on 0; select 1 from pg_sleep(seconds);
$$;
select sleep_limited(30);
\echo :SQLSTATE
select sleep_limited(0);
alter server t_errors_limited options (set p0 'dbname=regress_part3 host=127.0.0.1 port=1');
select sleep_limited(0);
\echo :SQLSTATE
-- query_timeout, against a partition that says nothing
\set c 'dbname=regress_part3 host=127.0.0.1 port=' :port
alter server t_errors_limited options (set p0 :'c', add query_timeout '3');
select sleep_limited(0);
select sleep_limited(60);
\echo :SQLSTATE
select sleep_limited(0);
set client_min_messages = warning;
drop server t_errors_limited cascade;
drop schema t_errors cascade;
drop schema "T errors" cascade;
call everywhere('drop schema t_errors cascade');
