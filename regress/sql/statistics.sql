-- What is counted of calls: where the library is not preloaded, of this session.
create view counted as select cluster, partition, host, dbname, calls, rows, errors, connects, connect_failures as failures,
    cancels, min_time <= mean_time and mean_time <= max_time and max_time <= total_time and total_time > 0
        and stddev_time between 0 and max_time - min_time and (calls > 1 or (min_time = max_time and stddev_time = 0))
        and abs(mean_time * calls - total_time) <= 0.001 * total_time as times,
    stats_since <= clock_timestamp() as since, scope
    from plproxy_stat_partitions order by cluster, partition, dbname;
create view counted_functions as select function, calls, rows, errors, connects, connect_failures as failures, cancels, scope
    from plproxy_stat_functions order by function::text collate "C";
create function stat_all() returns setof int language plproxy as $$ cluster 'parts'; run on all; select part(); $$;
create function stat_rows(n int) returns setof int language plproxy as $$
    cluster 'parts'; run on 2; select generate_series(1, n);
$$;
create function stat_split(ns int[]) returns setof int language plproxy as $$
    cluster 'parts'; split ns; run on ns; select part();
$$;
-- a session begins with nothing
\c
select * from counted;
select * from counted_functions;
select n, part_at(n) from generate_series(0, 1) n;
select part_at(1);
select part from stat_all() part;
select count(*) from stat_rows(2500);
-- each partition that is asked counts, and no other
select * from stat_split('{1,5,9}') part;
select * from stat_split('{}') part;
select * from counted;
select * from counted_functions;
-- errors: the partition's, and our own about what it sent
select plproxy_stat_reset();
select * from counted;
create function stat_fails() returns int language plproxy as $$ cluster 'parts'; run on 3; select 1 / 0; $$;
create function stat_two() returns int language plproxy as $$ cluster 'parts'; run on 3; select generate_series(1, 2); $$;
select outcome('select stat_fails()');
select outcome('select stat_two()');
-- a call that does not get as far as a partition is not counted
select outcome('select part_at(null)');
select * from counted;
select * from counted_functions;
-- a connection that cannot be made
create server stat_closed foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=1 dbname=nowhere password=Sesame42');
create user mapping for public server stat_closed;
create function stat_closed() returns int language plproxy as $$ cluster 'stat_closed'; select 1; $$;
select outcome('select stat_closed()') ~ 'refused' as refused;
select * from counted where cluster = 'stat_closed';
-- when one of several fails, what the others had not answered is cancelled; all add up
create function stat_one_fails() returns setof int language plproxy as $$
    cluster 'parts'; run on all; select 1 / (3 - part()) from pg_sleep((3 - part()) * 10);
$$;
select plproxy_stat_reset();
select outcome('select count(*) from stat_one_fails()');
select partition, calls, rows, errors, cancels from counted;
select * from counted_functions;
-- a set whose reader leaves has been read to its end; a stream has not
select plproxy_stat_reset();
select stat_rows(100000) limit 1;
select calls, rows, errors, cancels from counted;
alter server parts options (add streaming '1');
select stat_rows(100000) limit 1;
select calls, errors, cancels from counted;
select count(n) from (select stat_rows(2500) n) n;
select calls, errors, cancels from counted;
select function, calls, cancels from counted_functions;
alter server parts options (drop streaming);
-- a call within a call
create function stat_outer() returns setof int language plpgsql as $$
begin
    return query select part_at(part) from stat_all() part;
end $$;
select plproxy_stat_reset();
select count(*) from stat_outer();
select * from counted_functions;
-- CONNECT: a database, and no password
select plproxy_stat_reset();
do $do$ begin
    execute format($$ create function stat_connect() returns int language plproxy as
        'connect ''dbname=regress_part0 host=127.0.0.1 password=Sesame42 port=%s''; select part();' $$, current_setting('port'));
end $do$;
select stat_connect();
select * from counted;
select count(*) from plproxy_stat_partitions p where p::text ~ 'Sesame42';
-- a dropped function's row has its OID, until a reset
drop function stat_connect();
select function::text ~ '^[0-9]+$' as number, calls from plproxy_stat_functions;
-- whose and how many
select * from plproxy_stat_info;
-- what a DBA's functions do is not counted
select plproxy_stat_reset();
select count(*) from plproxy_run_on_all('parts', 'select');
select count(*) from plproxy_check_cluster('parts') where ok;
select * from counted;
-- connection strings that lead nowhere fill what is free, and make room for partitions
select plproxy_stat_reset();
create function stat_anywhere(connstr text) returns int language plproxy as $$ connect connstr; select 1; $$;
select part_at(1);
do $$ begin
    for i in 1 .. 1010 loop
        begin
            perform stat_anywhere('host=127.0.0.1 port=1 dbname=nowhere' || i);
        exception when others then null;
        end;
    end loop;
end $$;
select partitions, functions, untracked_calls from plproxy_stat_info;
select part from stat_all() part;
select partition, calls from counted where cluster = 'parts';
select partitions, functions, untracked_calls from plproxy_stat_info;
drop function stat_anywhere(text);
select plproxy_stat_reset();
-- nobody may look or reset, unless it is granted
create role regress_stat_other;
set role regress_stat_other;
select outcome('select count(*) from plproxy_stat_partitions');
select outcome('select count(*) from plproxy_stat_functions');
select outcome('select count(*) from plproxy_stat_info');
select outcome('select count(*) from plproxy_stat_partitions()');
select outcome('select plproxy_stat_reset()');
-- nor have calls logged
select outcome($$ select set_config('plproxy.log_min_duration', '0', false) $$);
reset role;
drop role regress_stat_other;
-- settings
show plproxy.log_min_duration;
show plproxy.max_tracked_partitions;
set plproxy.max_tracked_partitions = 5;
set plproxy.log_min_duration = '1s';
show plproxy.log_min_duration;
reset plproxy.log_min_duration;
drop view counted, counted_functions;
drop server stat_closed cascade;
drop function stat_all(), stat_rows(int), stat_split(int[]), stat_fails(), stat_two(), stat_closed(), stat_one_fails(), stat_outer();
