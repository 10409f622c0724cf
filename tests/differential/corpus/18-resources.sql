-- What is not in the rows: memory, prepared statements, timeouts, connections.
create function prepared() returns bool language plproxy as $$ cluster 'parts'; run on 1; target prepared; $$;
call everywhere($$ create function public.prepared() returns bool language sql as 'select count(*) > 0 from pg_prepared_statements' $$);
select bool_or(prepared()) as statements_are_prepared from generate_series(1, 5);
create function wide(n int) returns setof text language plproxy as $$ cluster 'parts'; run on 1; select repeat('x', 1000) from generate_series(1, n); $$;
create function peak() returns int language sql as $$ select substring(pg_read_file('/proc/self/status') from 'VmHWM:\s+(\d+)')::int $$;
select count(*) from wide(10);
set work_mem = '1MB';
select peak() as before \gset
select count(*) from wide(60000);
select peak() - :before < 24000 as memory_is_bounded;
reset work_mem;
\set pt 'host=127.0.0.1 dbname=part0 port=' :port
create server impatient foreign data wrapper plproxy options (p0 :'pt', query_timeout '3');
create user mapping for public server impatient;
create function sleeps(n float8) returns int language plproxy as $$ cluster 'impatient'; run on 0; select 1 from pg_sleep(n); $$;
select sleeps(0.1);
select sleeps(6);
select sleeps(0.1);
create function naps(n float8) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1 from pg_sleep(n); $$;
set statement_timeout = '300ms';
select naps(5);
reset statement_timeout;
select part_at(0);
create function napping() returns int language plproxy as $$ cluster 'parts'; run on 1; select count(*)::int from pg_stat_activity where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid(); $$;
select pg_sleep(2);
select napping();
set lock_timeout = '100ms';
select part_at(0);
reset lock_timeout;
create function pid() returns int language plproxy as $$ cluster 'parts'; run on 1; select pg_backend_pid(); $$;
create function other_pid() returns int language plproxy as $$ cluster 'parts_text'; run on 1; select pg_backend_pid(); $$;
select pid() = other_pid() as the_same;
create function kill(p int, c text) returns bool language plproxy as $$ connect c; select pg_terminate_backend(p, 60000); $$;
select pid() as pid \gset
\set other 'host=127.0.0.1 dbname=part2 user=postgres port=' :port
select kill(:pid, :'other');
select part_at(1);
select part_at(1);
-- many functions in one session
do $$ begin
    for i in 1..500 loop execute format('create function f%s(a int) returns int language plproxy as $f$ cluster ''parts''; run on a; select a + %s; $f$', i, i); end loop;
end $$;
do $$ declare s int8 = 0; r int; begin
    for i in 1..500 loop execute format('select f%s(%s)', i, i) into r; s := s + r; end loop;
    raise notice '%', s;
end $$;
-- the settings of the session stay here
set datestyle = 'SQL, DMY'; set timezone = 'Asia/Kathmandu'; set extra_float_digits = -5; set bytea_output = escape; set intervalstyle = iso_8601;
create function settings() returns text language plproxy as $$ cluster 'parts'; run on 1; select concat_ws(' ', current_setting('datestyle'), current_setting('timezone'), current_setting('extra_float_digits'), current_setting('bytea_output'), current_setting('intervalstyle'), current_setting('client_encoding'), current_setting('application_name')); $$;
select settings();
