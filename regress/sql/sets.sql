-- A set is read to its end before its first row is handed out: what the partitions' functions write has been written when the
-- call returns, whoever stops reading.
create schema t_sets;
set search_path = t_sets, public;
call everywhere('create schema t_sets');
call everywhere('create table t_sets.log (n int)');
call everywhere($$ create function t_sets.put(n int) returns setof int language sql as
    'insert into t_sets.log select generate_series(1, n) returning n' $$);
call everywhere($$ create function t_sets.written() returns bigint language plpgsql as
    'declare n bigint; begin select count(*) from t_sets.log into n; truncate t_sets.log; return n; end' $$);
create function put(n int) returns setof int language plproxy as $$ cluster 'parts'; run on 1; target t_sets.put; $$;
create function put_all(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; target t_sets.put; $$;
create type pair as (n int, note text);
create function put_pairs(many int) returns setof pair language plproxy as $$
    cluster 'parts'; run on all; select put as n, repeat('x', 1000) as note from t_sets.put(many);
$$;
create function put_record(n int) returns setof record language plproxy as $$ cluster 'parts'; run on 1; target t_sets.put_pair; $$;
call everywhere($$ create function t_sets.put_pair(many int) returns setof record language sql as
    'select put, ''x''::text from t_sets.put($1)' $$);
create function all_written() returns setof bigint language plproxy as $$ cluster 'parts'; run on all; target t_sets.written; $$;
-- what lies on the partitions, and begin anew
create function written() returns text language sql as $$ select string_agg(n::text, ' ') from all_written() n $$;
-- LIMIT
select put(20000) limit 1;
select written();
select put_all(20000) limit 1;
select written();
select count(*) from (select put_pairs(3000) limit 2) s;
select written();
select n from put_all(20000) n limit 1;
select written();
select * from put_record(20000) as (n int, note text) limit 1;
select written();
-- EXISTS, a scalar subquery with LIMIT, an array of it
select exists (select put_all(20000)), exists (select from put_all(20000));
select written();
select (select put_all(20000) limit 1), (select n from put_all(20000) n limit 1);
select written();
select array(select put_all(20000) limit 2);
select written();
-- plpgsql: SELECT INTO, a loop that is left, RETURN QUERY, a cursor, EXECUTE INTO
do $$
declare
    x int;
begin
    select put_all(20000) into x;
    raise notice 'into: %', written();
    for x in select put_all(20000) loop exit; end loop;
    raise notice 'exit: %', written();
    for x in select n from put_all(20000) n loop exit; end loop;
    raise notice 'exit, from: %', written();
    execute 'select put_all(20000)' into x;
    raise notice 'execute into: %', written();
end $$;
do $$
declare
    c cursor for select put_all(20000);
    x int;
begin
    open c;
    fetch c into x;
    close c;
    raise notice 'cursor: %', written();
end $$;
-- cursors
begin;
declare c cursor for select put_all(20000);
fetch 1 from c;
select written();
fetch 1 from c;
close c;
declare c scroll cursor for select put_all(3), generate_series(1, 2);
fetch 2 from c;
fetch backward 1 from c;
select written();
declare h cursor with hold for select put_all(2);
commit;
select written();
fetch 3 from h;
close h;
-- a cursor that is never read runs nothing
begin;
declare c cursor for select put_all(20000);
commit;
select written();
-- SQL functions around it, read to their end or not
create function first_of_put(n int) returns int language sql as 'select put_all(n)';
create function set_of_put(n int) returns setof int language sql as 'select put_all(n)';
select first_of_put(20000);
select written();
select set_of_put(20000) limit 1;
select written();
select * from set_of_put(20000) limit 1;
select written();
-- side by side, for each row of another set, and with an error behind the first row
select put(2), put_all(3) limit 1;
select written();
select n, (select put_all(10 * n) limit 1) from generate_series(1, 3) n;
select written();
select outcome('select 1 / (i - 20000) from (select put_all(20000) as i) s');
select written();
-- a reader who takes his time: the partition's statement is over
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 options=''-c statement_timeout=3s'' port=' :port
create server hurried foreign data wrapper plproxy options (p0 :'p0', query_timeout '3');
create user mapping for public server hurried;
create function hurried(n int) returns setof text language plproxy as $$
    cluster 'hurried'; run on 0; select repeat('x', 10000) from generate_series(1, n);
$$;
create function connections_busy() returns bigint language plproxy as $$
    cluster 'hurried'; run on 0;
    select count(*) from pg_stat_activity where pid <> pg_backend_pid() and datname = 'regress_part0' and state <> 'idle';
$$;
begin;
declare c cursor for select hurried(600);
fetch 1 from c \g /dev/null
select connections_busy();
select pg_sleep(4);
select count(*) from hurried(1);
move forward all from c;
commit;
drop server hurried cascade;
-- the rows are those of the same moment, in partition order, however large
select count(*), count(distinct n), sum(length(note)) from put_pairs(5000);
select written();
set work_mem = '64kB';
select count(*), sum(length((p).note)) from (select put_pairs(2000) as p) s;
reset work_mem;
select written();
-- the caller's client encoding changes while the set is read
create function texts() returns setof text[] language plproxy as $$
    cluster 'parts'; run on 0; select array[U&'\00e4\20ac', i::text] from generate_series(1, 3) i;
$$;
begin;
declare c cursor for select ascii(t[1]), length(t[1]) from (select texts() as t) s;
fetch 1 from c;
set client_encoding = latin1;
fetch 1 from c;
set client_encoding = utf8;
fetch 1 from c;
commit;
set client_min_messages = warning;
call everywhere('drop schema t_sets cascade');
drop schema t_sets cascade;
