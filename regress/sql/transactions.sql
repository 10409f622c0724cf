-- Every remote statement is a transaction of its own.
create schema t_transactions;
set search_path = t_transactions, public;
call everywhere('create schema t_transactions');
call everywhere($$
    create table t_transactions.log (id int primary key, note text);
    create function t_transactions.put(id int, note text) returns int
        language sql as 'insert into t_transactions.log values ($1, $2) returning id';
    create function t_transactions.put_and_fail(id int) returns int language plpgsql as 'begin
        insert into t_transactions.log values (id, ''never'');
        raise exception ''no'';
    end';
    create function t_transactions.put_unless(id int, bad int) returns int language plpgsql as 'begin
        insert into t_transactions.log values (id, part()::text);
        return 1 / (part() - bad);
    end';
$$);
create function put(id int, note text) returns int language plproxy as $$ cluster 'parts'; run on id; $$;
create function notes(out id int, out note text) returns setof record language plproxy as $$
    cluster 'parts'; run on all; select l.* from t_transactions.log l order by 1;
$$;
select put(1, 'alone');
-- a local rollback does not undo it
begin;
select put(2, 'rolled back here');
rollback;
begin;
select put(3, 'failed here');
select 1 / 0;
commit;
begin;
savepoint a;
select put(4, 'in a savepoint');
rollback to a;
commit;
select * from notes() order by 1;
-- nor does an error later in the same statement
select put(5, 'then an error'), 1 / (part_at(0));
select * from notes() where notes.id = 5;
-- a remote error undoes the remote statement
create function put_and_fail(id int) returns int language plproxy as $$ cluster 'parts'; run on id; $$;
select put_and_fail(6);
select put(1, 'again');
select * from notes() order by 1;
-- the local transaction goes on after a caught one
begin;
savepoint a;
select put_and_fail(6);
rollback to a;
select put(6, 'after all');
commit;
do $$
begin
    begin
        perform t_transactions.put(6, 'twice');
    exception when unique_violation then
        raise notice 'caught';
    end;
    perform t_transactions.put(7, 'after the catch');
end $$;
select * from notes() where notes.id > 5 order by 1;
-- one of several fails: the others are committed or not, each for itself; it is at least undone
create function put_unless(id int, bad int) returns setof int language plproxy as $$ cluster 'parts'; run on all; $$;
select put_unless(100, 2);
select count(*) filter (where notes.note = '2') as bad, count(*) between 0 and 3 as others from notes() where notes.id = 100;
select put_unless(101, 9) is not null as done;
select count(*) from notes() where notes.id = 101;
-- the partition sees what it just did, and each call a new snapshot
begin isolation level repeatable read;
select count(*) from notes() where notes.id <> 100;
select put(8, 'seen at once');
select count(*) from notes() where notes.id = 8;
commit;
-- a read only transaction is only local
begin read only;
select put(9, 'read only');
commit;
select * from notes() where notes.id = 9;
-- the partition is not in a transaction afterwards
create function now_there(n int) returns timestamptz language plproxy as $$ cluster 'parts'; run on n; select now(); $$;
begin;
select now_there(1) as before \gset
select now_there(1) > :'before';
commit;
-- prepared transactions, deferred constraints and cursors are local
create table local (id int primary key deferrable initially deferred);
begin;
insert into local select put(n, 'deferred') from generate_series(10, 11) n;
insert into local values (10);
commit;
select count(*) from local;
select * from notes() where notes.id in (10, 11) order by 1;
begin;
declare c cursor with hold for select n.id from notes() n order by 1 limit 3;
commit;
fetch all from c;
close c;
-- in a function with an exception block, in a procedure that commits
create procedure put_many() language plpgsql as $$
begin
    for i in 20..22 loop
        perform t_transactions.put(i, 'procedure');
        if i = 21 then
            rollback;
        else
            commit;
        end if;
    end loop;
end $$;
call put_many();
select * from notes() where notes.note = 'procedure' order by 1;
-- TRUNCATE, SET and temporary tables over there end with the statement or stay with the connection
create function dynamic(statement text) returns void language plproxy as $$ cluster 'parts'; run on 0; target exec; $$;
select dynamic('set local work_mem = ''123kB''');
create function setting(name text) returns text language plproxy as $$ cluster 'parts'; run on 0; select current_setting(name); $$;
select setting('work_mem') = '123kB';
select dynamic('begin');
select dynamic('commit');
select part_at(0);
set client_min_messages = warning;
drop schema t_transactions cascade;
call everywhere('drop schema t_transactions cascade');
