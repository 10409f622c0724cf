-- Partitions that fail: RUN ON ANY goes to another one, RUN ON ALL SKIP FAILED does without.
create schema t_failed;
set search_path = t_failed, public;
call everywhere('create schema t_failed');
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
\set p2 'dbname=regress_part2 host=127.0.0.1 port=' :port
\set dead 'dbname=dead host=127.0.0.1 port=1'
\set dead_too 'dbname=dead_too host=127.0.0.1 port=1'
-- ANY: nobody but one can be reached, and for a while nobody else is tried
create server one_lives foreign data wrapper plproxy options (p0 :'dead', p1 :'dead_too', p2 :'p2', p3 :'dead');
create user mapping for public server one_lives;
create function lives() returns int language plproxy as $$ cluster 'one_lives'; run on any; select part(); $$;
create function lives_by_default() returns int language plproxy as $$ cluster 'one_lives'; select part(); $$;
create function lives_set() returns setof int language plproxy as $$ cluster 'one_lives'; run on any; select part() from generate_series(1, 3); $$;
select clock_timestamp() as begun \gset
select count(*), sum(lives()) from generate_series(1, 50);
select bool_and(partition = 2) or clock_timestamp() - :'begun'::timestamptz > '2 s' from generate_series(1, 20), plproxy_route('lives()');
select lives_by_default(), lives_set();
select count(*) from generate_series(1, 20), lives_set();
\c
set search_path = t_failed, public;
select count(*), sum(lives_by_default()) from generate_series(1, 50);
-- as a set that is streamed
alter server one_lives options (add streaming '1');
select lives_set() limit 1;
\c
set search_path = t_failed, public;
select lives_set();
alter server one_lives options (drop streaming);
-- each piece of a SPLIT
create function lives_split(n int[]) returns setof int language plproxy as $$
    cluster 'one_lives'; split n; run on any; select unnest(n);
$$;
select array_agg(x order by x) from lives_split(array(select generate_series(1, 20))) x;
\c
set search_path = t_failed, public;
select array_agg(x order by x) from lives_split(array(select generate_series(1, 20))) x;
select n from generate_series(1, 3) n, lives_split(array[n]) x where x = n order by 1;
-- a statement that fails has run, and does not run elsewhere
create function fails() returns int language plproxy as $$ cluster 'one_lives'; run on any; select 1 / (part() - 2); $$;
select fails();
\echo :SQLSTATE
-- so has one of which nobody knows: its server hangs up
create function hangs_up() returns void language plproxy as $$
    cluster 'parts'; run on any; select pg_terminate_backend(pg_backend_pid());
$$;
select outcome('select hangs_up()') ~ '57P01.*administrator command';
-- dates, whose types are asked for first, and a text that comes with the call
create function day(n int, out d date, out t timestamp) language plproxy as $$
    cluster 'one_lives'; run on any; select date '2001-02-03' + n as d, timestamp '2001-02-03 04:05' as t; $$;
create function day_by_text(sql text, n int, out d date, out t timestamp) language plproxy as $$ cluster 'one_lives'; run on any; execute sql using n; $$;
create procedure day_by_call(inout d date) language plproxy as $$ cluster 'one_lives'; run on any; target public.day_of_failed; $$;
call everywhere($$ create function public.day_of_failed(inout d date) language sql as 'select $1 + 1' $$);
select (day(n)).* from generate_series(1, 3) n;
select x.* from generate_series(1, 3) n, day_by_text('select date ''2001-02-03'' + $1 as d, timestamp ''2001-02-03 04:05'' as t', n) x;
call day_by_call('2001-02-03');
call day_by_call('2001-02-04');
call everywhere('drop function public.day_of_failed(date)');
-- a connection at rest that was found dead is replaced, if it can be
create function any_pid() returns int language plproxy as $$ cluster 'one_lives'; run on any; select pg_backend_pid(); $$;
select any_pid() as pid \gset
create function ends(pid int) returns boolean language plpgsql as $$
begin
    perform pg_terminate_backend(pid);
    for i in 1 .. 6000 loop
        perform pg_stat_clear_snapshot();
        if not exists (select from pg_stat_activity a where a.pid = ends.pid) then
            return true;
        end if;
        perform pg_sleep(0.01);
    end loop;
    return false;
end $$;
select ends(:pid);
select any_pid() <> :pid;
-- nobody can be reached: each is named, equal strings once
create server none_lives foreign data wrapper plproxy options (p0 :'dead', p1 :'dead_too', p2 :'dead', p3 :'dead_too');
create user mapping for public server none_lives;
create function nobody() returns int language plproxy as $$ cluster 'none_lives'; run on any; select part(); $$;
create function message(query text) returns text language plpgsql as $$
declare
    detail text;
begin
    execute query;
    return 'no error';
exception when others then
    get stacked diagnostics detail = pg_exception_detail;
    return concat_ws(E'\n', sqlstate || ' ' || sqlerrm, (select string_agg(line, E'\n' order by line) from regexp_split_to_table(detail, E'\n') line));
end $$;
select message('select nobody()');
select message('select nobody()');
set plproxy.standard_sqlstates = on;
select message('select nobody()');
reset plproxy.standard_sqlstates;
-- with one there is no other
create server one_dead foreign data wrapper plproxy options (p0 :'dead', p1 :'dead');
create user mapping for public server one_dead;
create function one() returns int language plproxy as $$ cluster 'one_dead'; run on any; select part(); $$;
select one();
-- very many, with long reasons, are bounded in length
do $$
declare
    options text;
begin
    select string_agg(format('p%s %L', n, format('dbname=%s_%s host=127.0.0.1 port=1', repeat('d', 200), n)), ', ') into options
        from generate_series(0, 255) n;
    execute format('create server many_dead foreign data wrapper plproxy options (%s)', options);
end $$;
create user mapping for public server many_dead;
create function many() returns int language plproxy as $$ cluster 'many_dead'; run on any; select part(); $$;
with m(t) as (select message('select many()')) select length(t) < 10000, split_part(t, E'\n', 1), t ~ '\nand \d+ more partitions\n' from m;
-- what is no matter of reaching it is an error: a mistake in what is set here, such as a file that is not there
create server mistaken foreign data wrapper plproxy options (
    p0 'service=nowhere dbname=a', p1 'service=nowhere dbname=b');
create user mapping for public server mistaken;
create function mistake() returns int language plproxy as $$ cluster 'mistaken'; run on any; select part(); $$;
select outcome('select mistake()') ~ '^XX000 .*service "nowhere" not found';
-- who is refused, or finds no database, cannot reach it
\set wrong 'dbname=regress_part1 user=regress_scram password=wrong host=127.0.0.1 port=' :port
\set nowhere 'dbname=nobody_made_this host=127.0.0.1 port=' :port
create server refused foreign data wrapper plproxy options (p0 :'p0', p1 :'wrong', p2 :'nowhere', p3 :'dead');
create user mapping for public server refused;
create function accepted() returns int language plproxy as $$ cluster 'refused'; select part(); $$;
select count(*), sum(accepted()) from generate_series(1, 20);
-- statistics: what was tried, and that the calls went well
create function stats_of(name text) returns table (partition int, has_calls bool, errors bool, failures bool) language sql as $$
    select partition, calls > 0, errors > 0, connect_failures > 0 from plproxy_stat_partitions where cluster = name order by 1
$$;
select plproxy_stat_reset();
\c
set search_path = t_failed, public;
select clock_timestamp() as begun \gset
select sum(lives()) from generate_series(1, 50);
-- no partition was tried again within two seconds
select max(connect_failures) <= 1 + extract(epoch from clock_timestamp() - :'begun'::timestamptz) / 2
    from plproxy_stat_partitions where cluster = 'one_lives';
select calls, errors, connect_failures > 0 as connect_failures from plproxy_stat_functions where function = 'lives()'::regprocedure;
select * from stats_of('one_lives');

-- ALL SKIP FAILED: what cannot be reached
create server some_live foreign data wrapper plproxy options (p0 :'p0', p1 :'dead', p2 :'p1', p3 :'dead');
create user mapping for public server some_live;
create function parts() returns setof int language plproxy as $$ cluster 'some_live'; run on all skip failed; select part(); $$;
create function parts_all() returns setof int language plproxy as $$ cluster 'some_live'; run on all; select part(); $$;
select * from parts();
select parts();
select * from parts_all();
select count(*) from parts() a, parts() b;
select * from parts() limit 1;
\set VERBOSITY verbose
select parts() limit 1 \g (format=unaligned)
\set VERBOSITY default
-- one whose statement fails, before its first row and behind many
create function fails_on(n int, rows int) returns setof text language plproxy as $$
    cluster 'parts'; run on all skip failed;
    select part() || ' ' || case when part() = n and i = rows then 1 / (i - rows) else i end from generate_series(1, rows) i;
$$;
select * from fails_on(0, 1);
select * from fails_on(2, 2);
select * from fails_on(null, 2);
select left(x, 1), count(*) from fails_on(0, 30000) x group by 1 order by 1;
select left(x, 1), count(*) from fails_on(3, 30000) x group by 1 order by 1;
set work_mem = '64kB';
select left(x, 1), count(*), count(distinct x) from fails_on(1, 30000) x group by 1 order by 1;
reset work_mem;
-- the order of the partitions, whichever comes first
create function slow(n int) returns setof text language plproxy as $$
    cluster 'parts'; run on all skip failed; select part() || ' ' || i from generate_series(1, 2) i, pg_sleep(case part() when n then 0.2 else 0 end);
$$;
select * from slow(0);
select * from slow(2);
-- a function that is missing, a type that cannot be cast, a remote exception with all its fields
create function missing() returns setof int language plproxy as $$ cluster 'parts'; run on all skip failed; target t_failed.missing; $$;
select run_everywhere($$ do 'begin if part() in (0, 2, 3) then
    create function t_failed.missing() returns int language sql as ''select part()''; end if; end' $$);
select * from missing();
create function raises() returns setof int language plproxy as $$ cluster 'parts'; run on all skip failed; target t_failed.raises; $$;
call everywhere($$ create function t_failed.raises() returns setof int language plpgsql as '
begin
    return next part();
    if part() = 1 then
        raise exception ''no %'', part() using errcode = ''DP001'', detail = ''It is odd.'', hint = ''Take another.'';
    end if;
end' $$);
\set VERBOSITY verbose
select * from raises();
\set VERBOSITY default
-- all of them: the first one's error
set client_min_messages = error;
create function all_fail() returns setof int language plproxy as $$
    cluster 'parts'; run on all skip failed; select 1 / (part() - part());
$$;
select * from all_fail();
create function all_fail_otherwise() returns setof int language plproxy as $$
    cluster 'parts'; run on all skip failed; select ('part ' || part())::int from pg_sleep(0.3 - part() / 10.0);
$$;
select * from all_fail_otherwise();
\echo :SQLSTATE
create function none_live() returns setof int language plproxy as $$ cluster 'none_lives'; run on all skip failed; select part(); $$;
select * from none_live();
reset client_min_messages;
create function one_failed() returns setof int language plproxy as $$ cluster 'one_dead'; run on all skip failed; select part(); $$;
select * from one_failed();
-- what is wrong here stays an error
create function too_few(out a int, out b int) returns setof record language plproxy as $$
    cluster 'parts'; run on all skip failed; select part();
$$;
select * from too_few();
create domain small as int check (value < 3);
create function not_small() returns setof small language plproxy as $$ cluster 'parts'; run on all skip failed; select part(); $$;
select * from not_small();
create function no_result() returns setof int language plproxy as $$ cluster 'mistaken'; run on all skip failed; select part(); $$;
select outcome('select no_result()') ~ '^XX000 .*service "nowhere" not found';
-- the caller's timeout, and the cluster's, which counts for those that have not answered
create function sleeps(n int, seconds float8) returns setof int language plproxy as $$
    cluster 'parts'; run on all skip failed; select part() from pg_sleep(case part() when n then seconds else 0 end);
$$;
set statement_timeout = '300ms';
select * from sleeps(1, 600);
reset statement_timeout;
alter server parts options (add query_timeout '6');
select * from sleeps(1, 600);
select * from sleeps(null, 0);
alter server parts options (set query_timeout '1');
create function sleep_all() returns setof void language plproxy as $$ cluster 'parts'; run on all skip failed; select pg_sleep(600); $$;
set client_min_messages = error;
select * from sleep_all();
reset client_min_messages;
alter server parts options (drop query_timeout);
select part_at(0), part_at(1), part_at(2), part_at(3);
-- streaming: held back all the same
alter server parts options (add streaming '1');
select fails_on(1, 2);
select fails_on(1, 2) limit 1;
alter server parts options (drop streaming);
-- with SPLIT the arrays stay whole; of empty ones nothing runs and nothing fails
create function split_all(n int[]) returns setof text language plproxy as $$
    cluster 'some_live'; split n; run on all skip failed; select part() || ' ' || n::text;
$$;
select * from split_all('{1,2}');
select * from split_all('{}');
-- record, table, void; inside a function, a cursor, a caught error
create function as_record() returns setof record language plproxy as $$ cluster 'some_live'; run on all skip failed; target t_failed.pair; $$;
call everywhere($$ create function t_failed.pair() returns record language sql as 'select part(), ''x''::text' $$);
select * from as_record() as (a int, b text);
create function as_void() returns setof void language plproxy as $$ cluster 'some_live'; run on all skip failed; select pg_sleep(0); $$;
select count(*) from as_void();
create function summed() returns bigint language plpgsql as $$
declare
    n int;
    total bigint := 0;
begin
    for n in select * from parts() loop
        total := total + n + 1;
    end loop;
    return total;
end $$;
select summed();
begin;
declare c cursor for select * from fails_on(0, 2);
fetch 2 from c;
move all from c;
commit;
-- notices of those that fail are told, too
create function says() returns setof int language plproxy as $$ cluster 'parts'; run on all skip failed; target t_failed.says; $$;
call everywhere($$ create function t_failed.says() returns setof int language plpgsql as '
begin
    if part() = 1 then
        raise notice ''said before'';
        raise exception ''failed'';
    end if;
    return next part();
end' $$);
select * from says();
-- plproxy_route and the checks
select partition, query from plproxy_route('parts()');
-- The hint behind it is not that of all versions.
select partition, split_part(problem, e'\n', 1) as problem from plproxy_check_function('missing()');
-- statistics
select plproxy_stat_reset();
select count(*) from parts();
select count(*) from fails_on(1, 1);
select calls, errors, connect_failures from plproxy_stat_functions where function = 'parts()'::regprocedure;
select partition, calls, rows, errors, connect_failures from plproxy_stat_partitions where cluster in ('parts', 'some_live') order by cluster, partition;
-- the words stay names
create function named(skip int, failed int[]) returns setof int language plproxy as $$
    cluster 'parts'; split failed; run on failed; select skip + unnest(failed);
$$;
select * from named(10, '{1,2}') x order by 1;
create function skip(failed int) returns int language sql as 'select failed';
create function by_skip(failed int, skip int) returns int language plproxy as $$ cluster 'parts'; run on skip(failed); select skip; $$;
select by_skip(2, 7);
create function to_skip() returns setof int language plproxy as $$ cluster 'parts'; run on all; target t_failed.skip; $$;
call everywhere('create function t_failed.skip() returns int language sql as ''select part()''');
select array_agg(n) from to_skip() n;
-- what is refused
create function wrong() returns int language plproxy as $$ cluster 'parts'; run on all skip failed; select 1; $$;
create function wrong() returns setof int language plproxy as $$ cluster 'parts'; run on all skip; select 1; $$;
create function wrong() returns setof int language plproxy as $$ cluster 'parts'; run on all skip failed failed; $$;
create function wrong() returns setof int language plproxy as $$ cluster 'parts'; run on all failed; $$;
create function wrong() returns setof int language plproxy as $$ cluster 'parts'; run on any skip failed; $$;
create function wrong() returns setof int language plproxy as $$ connect 'dbname=x'; run on all skip failed; $$;
set client_min_messages = warning;
drop server one_lives, none_lives, one_dead, many_dead, mistaken, refused, some_live cascade;
select run_everywhere('drop schema t_failed cascade');
drop schema t_failed cascade;
