-- What cannot sensibly be longer is refused, with what it may be at the most; what is as long as that works.
create schema t_limits;
set search_path = t_limits, public;
select 'dbname=regress_part1 host=127.0.0.1 port=' || current_setting('port') as connstr \gset
create function by_argument(connstr text) returns int language plproxy as $$ connect connstr; select part(); $$;
create function by_query(connstr text) returns int language plproxy as $$ connect rpad(connstr, 65537); select part(); $$;
select by_argument(rpad(:'connstr', 65536));
select by_argument(:'connstr' || ' host=' || rtrim(repeat('127.0.0.1,', 6000), ',') || ' port=' || current_setting('port'));
select outcome(format('select by_argument(%L)', rpad(:'connstr', 65537)));
select outcome(format('select by_query(%L)', :'connstr'));
select by_argument(:'connstr');
-- bytes are counted, not characters
select outcome(format('select by_argument(%L)', :'connstr' || ' application_name=' || repeat('ä', 32768)));
do $$ begin execute format('create function by_literal() returns int language plproxy as %L', format('connect %L; select part();', repeat('x', 65537))); end $$;
select outcome('select by_literal()');
-- of a server: told when it is made, and by calls of that partition
create function make(name text, options text) returns void language plpgsql as $$
begin
    execute format('create server %I foreign data wrapper plproxy options (%s)', name, options);
    execute format('create user mapping for public server %I', name);
    execute format('create function %I(n int) returns int language plproxy as $f$ cluster %L; run on n; select part(); $f$', name, name);
end $$;
select make('t_limits_server', format('p0 %L, p1 %L', rpad(:'connstr', 65537), :'connstr'));
select outcome('select t_limits_server(0)');
select t_limits_server(1);
select partition, ok, error from plproxy_check_cluster('t_limits_server');
select outcome(format('select make(%L, %L)', 't_limits_reset', format('p0 %L, reset_query %L', :'connstr', repeat('x', 65537))));
select make('t_limits_reset', format('p0 %L, reset_query %L', :'connstr', rpad('select 1', 65536)));
select t_limits_reset(0);
do $$ begin execute format('alter user mapping for public server t_limits_server options (add user %L, add password %L)',
    repeat('u', 30000), repeat('p', 40000)); end $$;
select outcome('select t_limits_server(1)');
-- a cluster's name
create schema plproxy;
create function plproxy.get_cluster_version(name text) returns int language sql as 'select 1';
create function plproxy.get_cluster_config(name text, out key text, out val text) returns setof record language sql as
    $$ select 'query_timeout', '0' $$;
create function plproxy.get_cluster_partitions(name text) returns setof text language sql as
    $$ select 'dbname=regress_part1 host=127.0.0.1 port=' || current_setting('port') $$;
create function by_name(name text) returns int language plproxy as $$ cluster rpad(name, length(name)); run on 0; select part(); $$;
select by_name(repeat('n', 1024));
select outcome($$ select by_name(repeat('n', 1025)) $$);
select outcome($$ select count(*) from plproxy_check_cluster(repeat('n', 1025)) $$);
select outcome($$ select count(*) from plproxy_check_functions(repeat('n', 1025)) $$);
select outcome($$ select count(*) from plproxy_run_on_all(repeat('n', 1025), 'select 1') $$);
select outcome($$ select count(*) from plproxy_recover_prepared(repeat('n', 1025)) $$);
select outcome($$ select plproxy_disconnect(repeat('n', 1025)) $$);
-- What may be as long as anybody likes.
create function take(t text) returns int language plproxy as $$ cluster 'parts'; run on 1; select length(t); $$;
select take(repeat('x', 20000000));
select partition, length(query) from plproxy_route('take(text)', repeat('x', 20000000));
select result from plproxy_run_on_all('parts', 'select length(' || quote_literal(repeat('x', 2000000)) || ')') where partition = 1;
select length(result) from plproxy_run_on_all('parts', 'select repeat(''x'', 20000000)') where partition = 1;
create function fail(n int) returns int language plproxy as $$ cluster 'parts'; run on 1; select raise_long(n); $$;
call everywhere($$ create function raise_long(n int) returns int language plpgsql as
    'begin raise exception ''%'', repeat(''x'', n) using detail = repeat(''y'', n); end' $$);
select length(outcome('select fail(2000000)'));
select success, length(result) from plproxy_run_on_all('parts', 'select raise_long(2000000)') where partition = 1;
call everywhere('drop function raise_long');
do $$ begin execute format('create function body() returns int language plproxy as %L',
    format('cluster ''parts''; run on 0; select length(%L);', repeat('x', 2000000))); end $$;
select body();
set client_min_messages = warning;
drop schema plproxy cascade;
drop server t_limits_server cascade;
drop server t_limits_reset cascade;
drop schema t_limits cascade;
