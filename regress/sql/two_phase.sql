-- Cluster option transaction_mode 'two_phase': calls join the local transaction. What has to be prepared for a commit cannot be
-- here, as max_prepared_transactions is 0: that is tested elsewhere.
create schema t_two_phase;
set search_path = t_two_phase, public;
-- the option
create server t_two_phase foreign data wrapper plproxy options (transaction_mode 'three_phase', p0 'dbname=regress_part0');
create server t_two_phase foreign data wrapper plproxy options (transaction_mode '', p0 'dbname=regress_part0');
alter server t_two_phase options (set transaction_mode 'two_phase', add streaming '1');
alter server t_two_phase options (set transaction_mode 'two_phase', add shared_connections '2');
alter server t_two_phase options (add streaming '1');
drop server t_two_phase;
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
create server t_two_phase foreign data wrapper plproxy options (transaction_mode 'two_phase', p0 :'p0', p1 :'p1');
create user mapping for public server t_two_phase;
call everywhere($$ create schema t_two_phase $$);
call everywhere($$
    create table t_two_phase.log (id int primary key, note text);
    create function t_two_phase.put(id int, note text) returns int
        language sql as 'insert into t_two_phase.log values ($1, $2) returning id';
    create function t_two_phase.fail(id int) returns int language plpgsql as 'begin
        insert into t_two_phase.log values (id, ''never'');
        raise exception ''no'' using errcode = ''P0042'';
    end';
    create function t_two_phase.settings() returns text language sql as $f$
        select concat_ws(', ', current_setting('transaction_isolation'), current_setting('transaction_read_only'),
            current_setting('lock_timeout')) $f$
$$);
create function put(id int, note text) returns int language plproxy as $$ cluster 't_two_phase'; run on id; $$;
create function fail(id int) returns int language plproxy as $$ cluster 't_two_phase'; run on id; $$;
create function settings() returns text language plproxy as $$ cluster 't_two_phase'; run on 0; $$;
create function pid(n int) returns int language plproxy as $$ cluster 't_two_phase'; run on n; select pg_backend_pid(); $$;
create function ids(n int) returns text language plproxy as $$
    cluster 't_two_phase'; run on n; select coalesce(string_agg(l.id::text, ' ' order by l.id), '') from t_two_phase.log l; $$;
create function everything() returns setof text language plproxy as $$
    cluster 't_two_phase'; run on all; select l.id || ' ' || l.note from t_two_phase.log l order by l.id; $$;
-- as others see it
create function seen(n int) returns text language plproxy as $$
    cluster 'parts'; run on n; select coalesce(string_agg(l.id::text, ' ' order by l.id), '') from t_two_phase.log l; $$;
-- a call alone commits with its statement
select put(2, 'alone');
select seen(0), seen(1);
-- calls see what was done before; others do not
begin;
select put(4, 'in a transaction');
select ids(0), seen(0);
select pid(0) = pid(0) as same_connection;
commit;
select seen(0);
-- a rollback undoes it
begin;
select put(6, 'rolled back'), put(7, 'rolled back');
select * from everything();
rollback;
select seen(0), seen(1);
-- so does an error here, and a function's
begin;
select put(6, 'then an error');
select 1 / 0;
commit;
select put(6, 'in one statement'), 1 / (part_at(0));
select seen(0);
-- savepoints
begin;
select put(6, 'before');
savepoint a;
select put(8, 'in a');
savepoint b;
select put(10, 'in b');
rollback to b;
select put(12, 'in b again');
release b;
select ids(0);
rollback to a;
select ids(0);
select put(14, 'after');
release a;
savepoint c;
select put(16, 'released later');
release c;
select put(18, 'at last');
commit;
select seen(0);
-- a partition that is first reached in a savepoint
begin;
savepoint a;
select put(1, 'in a');
rollback to a;
select ids(1);
select put(3, 'outside');
commit;
select seen(1);
-- exception blocks, with errors of the partition
do $$
begin
    perform put(20, 'before');
    begin
        perform put(22, 'in the block');
        perform fail(24);
    exception when sqlstate 'P0042' then
        raise notice 'caught: %', sqlerrm;
    end;
    perform put(26, 'after');
    for n in 1 .. 3 loop
        begin
            perform put(26 + 2 * n, 'loop');
            if n = 2 then raise exception 'local'; end if;
        exception when raise_exception then
            null;
        end;
    end loop;
end $$;
select seen(0);
-- the first call fails in a block
do $$
begin
    begin
        perform fail(40);
    exception when sqlstate 'P0042' then
        raise notice 'caught';
    end;
    perform put(42, 'after');
end $$;
select seen(0);
-- nested blocks: what the inner one did belongs to the outer one
do $$
begin
    perform put(50, 'top');
    begin
        begin
            perform put(52, 'inner');
        exception when others then null;
        end;
        perform put(54, 'outer');
        raise exception 'out';
    exception when raise_exception then
        perform put(56, 'handler');
    end;
end $$;
select seen(0);
-- outside of a block the transaction is over
begin;
select put(60, 'lost');
select fail(62);
select put(64, 'too late');
commit;
select seen(0);
-- isolation level, read-only mode, lock_timeout
select settings();
begin isolation level repeatable read;
select settings();
commit;
begin isolation level serializable read only;
select settings();
select put(66, 'read only');
rollback;
begin;
select settings();
set transaction read only;
select settings();
commit;
-- that holds after a rollback to a savepoint, too
begin;
select settings();
set transaction read only;
savepoint a;
select settings();
rollback to a;
select settings();
commit;
alter server t_two_phase options (add lock_timeout '1234');
select settings();
alter server t_two_phase options (drop lock_timeout);
-- repeatable read: one snapshot for each partition
create function put_outside(id int, note text) returns int language plproxy as $$
    cluster 'parts'; run on id; target t_two_phase.put; $$;
begin isolation level repeatable read;
select ids(1);
select put_outside(5, 'by somebody else');
select ids(1);
commit;
select ids(1);
-- a function there cannot end the transaction
call everywhere($$ create function t_two_phase.ends() returns int language plpgsql as 'begin
    insert into t_two_phase.log values (99, ''ended'');
    commit;
    return 1;
end' $$);
create function ends() returns int language plproxy as $$ cluster 't_two_phase'; run on 0; $$;
select ends();
select seen(0);
-- the connection is one for the transaction, and rests then
begin;
select pid(0) is not null as called;
select partition, in_transaction from plproxy_get_connections() where cluster = 't_two_phase' order by 1;
commit;
select partition, in_transaction from plproxy_get_connections() where cluster = 't_two_phase' order by 1;
-- what has to be prepared cannot be
begin;
select put(70, 'one'), put(71, 'two');
commit;
select seen(0), seen(1);
create table local (n int);
begin;
insert into local values (1);
select put(70, 'one');
commit;
select seen(0), count(*) from local group by 1;
-- partitions that have only been read need no preparation
begin;
insert into local values (1);
select ids(0), ids(1);
commit;
begin;
select ids(1), put(70, 'one');
commit;
select seen(0), count(*) from local group by 1;
-- a partition that refuses the commit
call everywhere($$ truncate t_two_phase.log $$);
call everywhere($$ alter table t_two_phase.log add constraint deferred unique (note) deferrable initially deferred $$);
select put(2, 'same');
begin;
select put(4, 'same');
commit;
select seen(0);
\set VERBOSITY sqlstate
begin;
select put(4, 'same');
commit;
\set VERBOSITY default
call everywhere($$ alter table t_two_phase.log drop constraint deferred $$);
-- PREPARE TRANSACTION, and WITH HOLD
begin;
select ids(0);
prepare transaction 'regress_two_phase';
begin;
declare held cursor with hold for select everything();
select put(6, 'under the cursor');
commit;
fetch all from held;
close held;
-- transactions that a procedure ends
create procedure commits() language plpgsql as $$
begin
    perform put(8, 'first');
    commit;
    perform put(10, 'second');
    rollback;
    perform put(12, 'third');
end $$;
call commits();
select seen(0);
-- a call to where one is under way: the check of a domain calls, while rows come
create function check_id(n int) returns boolean language plpgsql as $$ begin return ids(n) is not null; end $$;
create domain checked as int check (check_id(0));
create function nested() returns setof checked language plproxy as $$
    cluster 't_two_phase'; run on 0; select g.g from generate_series(1, 200000) g; $$;
select count(*) from nested();
select ids(0);
-- a lost connection
create function kill(n int) returns boolean language plproxy as $$
    cluster 'parts'; run on 3; select pg_terminate_backend(n); $$;
do $$
declare
    mine int := pid(0);
begin
    perform put(80, 'before');
    begin
        perform kill(mine);
        perform put(82, 'lost');
    exception when others then
        raise notice 'caught';
    end;
    begin
        perform put(84, 'lost, too');
    exception when others then
        raise notice '%', sqlerrm;
    end;
end $$;
select seen(0);
do $$
begin
    begin
        perform kill(pid(0));
        perform put(82, 'lost');
    exception when others then
        raise notice 'caught';
    end;
    perform put(84, 'anew');
end $$;
select seen(0);
-- a prepared statement that has gone stale: before anything was done it is run anew, later it is an error once
create function note(n int) returns text language plproxy as $$
    cluster 't_two_phase'; run on n; select l.note from t_two_phase.log l order by l.id limit 1; $$;
select note(0), note(0), note(0);
call everywhere($$ alter table t_two_phase.log alter note type varchar $$);
call everywhere($$ create or replace function t_two_phase.put(id int, note text) returns int
        language sql as 'insert into t_two_phase.log values ($1, $2) returning id' $$);
select note(0);
-- many exception blocks leave no savepoints behind: within one transaction they would be too many
do $$
begin
    perform put(100, 'first');
    for n in 1 .. 300 loop
        begin
            perform put(100 + 2 * n, 'n' || n);
            if n % 3 = 0 then raise exception 'no'; end if;
        exception when raise_exception then
            null;
        end;
    end loop;
end $$;
select count(*) from everything();
-- a reset query runs when the transaction is over
alter server t_two_phase options (add reset_query 'set application_name = regress_reset');
create function name_there() returns text language plproxy as $$
    cluster 't_two_phase'; run on 0; select current_setting('application_name'); $$;
begin;
select name_there();
select name_there() = name_there() as not_between;
commit;
select name_there();
drop schema t_two_phase cascade;
drop server t_two_phase cascade;
