-- Option streaming: sets in the select list are handed out as they come, and who stops early stops the remote work.
create schema t_streaming;
set search_path = t_streaming, public;
alter server parts options (add streaming '2');
alter server parts options (add streaming 'on');
alter server parts options (add streaming '1');
call everywhere('create schema t_streaming');
-- far more rows than anybody wants to wait for
create function endless() returns setof bigint language plproxy as $$
    cluster 'parts'; run on 0; select generate_series(1::bigint, 1000000000000);
$$;
create function endless_all() returns setof bigint language plproxy as $$
    cluster 'parts'; run on all; select generate_series(1::bigint, 1000000000000);
$$;
-- rows without columns, those that are ahead of their turn too
create type empty as ();
call everywhere('create type t_streaming.empty as ()');
call everywhere($$ create function t_streaming.empties() returns setof t_streaming.empty language sql as
    'select pg_sleep(case when part() = 0 then 0.3 else 0 end); select null::t_streaming.empty from generate_series(1, 3)' $$);
create function empties() returns setof empty language plproxy as $$
    cluster 'parts'; run on all; target t_streaming.empties;
$$;
select count(*) from (select empties()) e;
-- whether all partitions come to rest, within a minute
create function at_rest() returns boolean language plpgsql as $$
begin
    for i in 1 .. 6000 loop
        perform pg_stat_clear_snapshot();
        if not exists (select from pg_stat_activity where datname like 'regress_part%' and state = 'active') then
            return true;
        end if;
        perform pg_sleep(0.01);
    end loop;
    return false;
end $$;
-- LIMIT
select endless() limit 3;
select at_rest();
select endless_all() limit 3;
select at_rest();
select part_at(0), part_at(1), part_at(2), part_at(3);
-- a set begun anew, again and again
select n, x from generate_series(1, 3) n, lateral (select endless() as x limit 2) s;
select n, exists (select endless()) from generate_series(1, 3) n;
select at_rest();
-- from functions
create function first_two() returns setof bigint language sql as 'select endless() limit 2';
select first_two();
select * from first_two();
create function up_to(n int) returns bigint language plpgsql as $$
declare
    x bigint;
begin
    for x in select endless() loop
        exit when x > n;
    end loop;
    return n;
end $$;
select up_to(3), up_to(1000);
select at_rest();
-- a cursor: other calls go on beside it
begin;
declare c cursor for select endless();
fetch 2 from c;
select part_at(0);
declare d cursor for select endless_all();
fetch 1 from d;
fetch 2 from c;
close c;
fetch 2 from d;
close d;
select at_rest();
commit;
-- a transaction that ends with open cursors
begin;
declare c cursor for select endless();
fetch 1 from c;
commit;
select at_rest();
begin;
declare c cursor for select endless_all();
fetch 1 from c;
rollback;
select at_rest();
begin;
savepoint a;
declare c cursor for select endless();
fetch 1 from c;
rollback to a;
select at_rest(), part_at(0);
commit;
-- an error beside it
select 6 / (3 - x) from (select endless() as x) s;
select at_rest(), part_at(0);
do $$
begin
    for i in 1 .. 20 loop
        begin
            perform 6 / (3 - x) from (select t_streaming.endless_all() as x) s;
        exception when division_by_zero then null;
        end;
    end loop;
end $$;
select at_rest(), part_at(0);
-- the partition's own error comes where it stands, after the rows before it
create function three_and_fail() returns setof int language plproxy as $$
    cluster 'parts'; run on 1; select 6 / (4 - i) from (select generate_series(1, 5) as i) s;
$$;
begin;
declare c cursor for select three_and_fail();
fetch 4 from c;
rollback;
select outcome('select three_and_fail() limit 1');
select part_at(1);
-- the order is the partitions', even if the first is the last to answer
create type part_line as (part int, note text, nothing int);
create function slow_first(n int) returns setof part_line language plproxy as $$
    cluster 'parts'; run on all;
    select part() as part, repeat(part()::text, n) as note, null::int as nothing
        from (select pg_sleep(case part() when 0 then 0.2 else 0 end)) s, generate_series(1, 2);
$$;
select slow_first(3);
select (slow_first(2)).*;
select (l).part, length((l).note) from (select slow_first(100000) as l) s;
create function slow_first_notes(n int) returns setof text language plproxy as $$
    cluster 'parts'; run on all;
    select repeat(nullif(part(), 2)::text, n) from (select pg_sleep(case part() when 0 then 0.2 else 0 end)) s;
$$;
select slow_first_notes(4);
select slow_first_notes(3), slow_first_notes(1);
create function slow_first_void() returns setof void language plproxy as $$
    cluster 'parts'; run on all; select pg_sleep(case part() when 0 then 0.2 else 0 end);
$$;
select slow_first_void() is null;
create function slow_first_many(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on all;
    select part() * 100000 + i
        from (select pg_sleep(case part() when 0 then 0.2 else 0 end)) s, generate_series(1, n) i;
$$;
select count(*), count(distinct x), bool_and(x > before) from
    (select x, lag(x, 1, 0) over () as before from (select slow_first_many(50000) as x offset 0) s) t;
-- no rows at all, and two sets side by side
create function nothing() returns setof int language plproxy as $$ cluster 'parts'; run on all; select 1 where false; $$;
select nothing();
select count(*) from (select nothing()) s;
create function pair_from(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on n; select generate_series(1, 2);
$$;
select pair_from(0), pair_from(1), generate_series(1, 3);
-- the time between two rows is the caller's, not the query's
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
create server hasty foreign data wrapper plproxy options (query_timeout '1', streaming '1', p0 :'p0');
create user mapping for public server hasty;
create function hasty() returns setof bigint language plproxy as $$
    cluster 'hasty'; run on 0; select generate_series(1::bigint, 1000000000000);
$$;
begin;
declare c cursor for select hasty();
fetch 1 from c;
select pg_sleep(1.2);
fetch 2 from c;
close c;
commit;
create function too_slow() returns setof text language plproxy as $$
    cluster 'hasty'; run on 0; select pg_sleep((i - 1) * 5)::text from generate_series(1, 2) i;
$$;
select too_slow();
select at_rest();
drop server hasty cascade;
-- the caller's client encoding changes while the set is read
create function texts() returns setof text[] language plproxy as $$
    cluster 'parts'; run on 0; target t_streaming.texts;
$$;
call everywhere($$ create function t_streaming.texts() returns setof text[] language sql as
    'select array[chr(228) || chr(8364), i::text] from generate_series(1, 200) i' $$);
do $$
declare
    t text[];
    told text[] := '{}';
begin
    for t in select t_streaming.texts() loop
        told := told || format('%s+%s/%s', ascii(t[1]), ascii(substr(t[1], 2)), length(t[1]));
        perform set_config('client_encoding', (array['WIN1252', 'UTF8', 'LATIN9'])[1 + t[2]::int % 3], false);
    end loop;
    perform set_config('client_encoding', 'UTF8', false);
    raise notice '% of %', (select array_agg(distinct one) from unnest(told) one), cardinality(told);
end $$;
begin;
declare c cursor for select ascii(t[1]), length(t[1]) from (select texts() as t) s;
fetch 1 from c;
set client_encoding = latin1;
fetch 1 from c;
set client_encoding = utf8;
fetch 1 from c;
commit;
-- what the session sets between two rows says nothing about how they are read
create function of_text() returns table (a text[], x xml) language plproxy as $$
    cluster 'parts'; run on 0; select array['a', null, 'NULL'] as a, 'a<b/>'::xml as x from generate_series(1, 2);
$$;
begin;
declare c cursor for select of_text();
fetch c;
set local array_nulls = off;
set local xmloption = document;
fetch c;
select current_setting('array_nulls'), current_setting('xmloption');
commit;
set array_nulls = off;
set xmloption = document;
select * from of_text();
reset array_nulls;
reset xmloption;
-- a default of the wrapper, and a cluster's own word
alter server parts options (drop streaming);
alter foreign data wrapper plproxy options (add streaming '1');
select endless() limit 1;
alter foreign data wrapper plproxy options (drop streaming);
create schema plproxy;
create function plproxy.get_cluster_version(text) returns int language sql as 'select 1';
create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record language sql as
    $$ select 'streaming', '1' $$;
select set_config('t.p0', :'p0', false) is null;
create function plproxy.get_cluster_partitions(text) returns setof text language sql as $$ select current_setting('t.p0') $$;
create function endless_here() returns setof bigint language plproxy as $$
    cluster 'by_functions'; run on 0; select generate_series(1::bigint, 1000000000000);
$$;
select endless_here() limit 1;
select at_rest();
set client_min_messages = warning;
drop schema plproxy cascade;
call everywhere('drop schema t_streaming cascade');
drop schema t_streaming cascade;
