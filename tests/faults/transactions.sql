-- Calls that fail or end early within every kind of transaction; after each no partition may be left in one. The output is
-- compared with transactions.wanted.
\set VERBOSITY terse
set client_min_messages = error;
select set_config('test.one', :'one', false) is null;
-- What partitions' sessions are doing, by a look from outside.
create function at_rest() returns boolean language sql as $$
    select bool_and(l = '0') from look(current_setting('test.one'), 'select count(*)::text from pg_stat_activity
        where application_name like ''part%'' and (state <> ''idle'' or xact_start is not null)') l $$;
create function connections() returns int language sql as
    $$ select l::int from look(current_setting('test.one'), 'select count(*)::text from pg_stat_activity where application_name like ''part%''') l $$;

\echo exception_loop
create procedure failing_loop(rounds int) language plpgsql as $$
declare failed int := 0;
begin
    for i in 1 .. rounds loop
        begin
            perform divide(i % 2);
        exception when division_by_zero then
            failed := failed + 1;
        end;
    end loop;
    raise exception using errcode = '22000', message = failed || ' failed';
exception when data_exception then
    perform set_config('test.failed', sqlerrm, false);
end $$;
call failing_loop(100);
select connections() as before \gset
call failing_loop(10000);
select current_setting('test.failed');
select at_rest(), connections() = :before;

\echo savepoints
begin;
savepoint a;
select divide(0);
rollback to a;
select divide(5);
savepoint b;
select divide(0);
rollback to b;
select sum(s) from same_all(2) s;
rollback;
select at_rest(), connections() < 64;

\echo early_ends
select length(m) from many(100000) m limit 1;
select count(*) from (select many(100000) limit 3) l;
begin;
declare c cursor for select length(many(100000));
fetch 2 from c;
close c;
declare c cursor for select length(m) from many(10) m;
fetch 1 from c;
select divide(1);
commit;
select at_rest(), connections() < 70;

\echo nested
create function outer_call(n int) returns int language sql as 'select same_on(n) + same_on(same_on(n))';
create function recursive(n int) returns int language plpgsql as
    $$ begin return case when n = 0 then 0 else same_on(n) + recursive(n - 1) end; end $$;
select outer_call(3), recursive(50);
select sum(same_on(s)) from same_all(1) s;
select sum(same_on(o.s + i.s)) from same_all(1) o(s), same_all(1) i(s);
select at_rest();

\echo triggers
create table t (n int);
create function check_t() returns trigger language plpgsql as $$ begin perform divide(new.n); return new; end $$;
create trigger now before insert on t for each row execute function check_t();
insert into t values (1), (0);
create constraint trigger at_commit after insert on t deferrable initially deferred for each row execute function check_t();
drop trigger now on t;
begin;
insert into t values (1), (0);
commit;
insert into t values (4);
select * from t;
select at_rest();

\echo parallel
create table p as select n from generate_series(1, 20000) n;
analyze p;
alter function divide(int) parallel safe;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
set max_parallel_workers_per_gather = 2;
explain (costs off) select count(divide(n)) from p where n <= 500;
select count(divide(case n when 15000 then 0 else 1 end)) from p where n > 14000;
select count(divide(n)) from p where n <= 500;
reset max_parallel_workers_per_gather;
select at_rest();

\echo roles
create role other;
grant usage on foreign server parts to other;
set role other;
select divide(0);
select divide(10);
reset role;
select at_rest();

\echo spilled
set work_mem = 64;
create function files() returns bigint language sql as 'select count(*) from pg_ls_tmpdir()';
begin;
declare c cursor for select length(m) from many(20000) m;
fetch 1 from c;
-- What did not fit into memory is in files, and they are there as long as somebody may want the rest.
select files() > 0;
savepoint s;
select count(divide(length(m) - 100)) from many(20000) m;
rollback to s;
close c;
select files();
commit;
create procedure spilling_loop(rounds int) language plpgsql as $$
declare
    failed int := 0;
    kept bigint;
begin
    for i in 1 .. rounds loop
        begin
            perform count(divide(length(m) - 100)) from many(5000) m;
        exception when division_by_zero then
            failed := failed + 1;
        end;
        if i = 5 then kept := sum(total_bytes) from pg_backend_memory_contexts; end if;
    end loop;
    kept := (select sum(total_bytes) from pg_backend_memory_contexts) - kept;
    perform set_config('test.failed', failed || ' failed, ' || case when kept < 262144 then 'no memory' else kept || ' bytes' end || ' kept', false);
end $$;
call spilling_loop(30);
select current_setting('test.failed'), files();
reset work_mem;
select at_rest();

\echo aborted
begin;
select divide(0);
select divide(1);
rollback;
select divide(2);
