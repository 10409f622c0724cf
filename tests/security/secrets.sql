-- Calls that fail in every way, and some that work, with passwords everywhere. What each ended with is shown, so that it is
-- seen to have failed for what it is meant to.
\set VERBOSITY verbose
set client_min_messages = debug5;
set log_min_messages = debug5;
set log_error_verbosity = verbose;
set log_statement = 'all';
set log_min_duration_statement = 0;
set log_parameter_max_length_on_error = -1;
set debug_print_parse = on;
set log_executor_stats = on;
select pg_backend_pid() as pid \gset
select 'case ' || name as case, outcome(name) from cases order by id \g
-- By a prepared statement, too, whose parameters are logged.
prepare asks as select outcome($1);
execute asks ('works');
execute asks ('mapping_wrong');
-- As set, as one value, and where it is raised to the client.
select works();
select * from connstr_wrong();
select * from uri_at();
select * from mapping_wrong();
-- What the administrators' functions tell.
set plproxy.log_min_duration = 0;
select name, outcome(name) from cases where name ~ 'uri_port|uri_host|swallowed' order by id;
select * from plproxy_get_connections();
select * from plproxy_stat_partitions;
select c, f.* from (select distinct cluster from cases where cluster is not null) c(c), plproxy_check_cluster(c) f;
select c, f.* from (select distinct cluster from cases where cluster is not null) c(c), plproxy_run_on_all(c, 'select 1') f;
select c, f.* from (select distinct cluster from cases where cluster is not null) c(c), plproxy_check_functions(c) f;
select name, outcome(name, 'route') from cases order by id;
select name, outcome(name, 'check') from cases order by id;
select name, outcome(name, 'run_on_all') from cases order by id;
select name, outcome(name, 'recover') from cases order by id;
select * from pg_stat_activity;
select * from pg_prepared_statements;
select * from pg_cursors;
select name, ident, parent from pg_backend_memory_contexts;
select proname, prosrc is null from pg_proc where proname = 'works';
-- The process itself, as the system shows it.
\o :shown
select encode(pg_read_binary_file('/proc/self/' || name), 'escape') from unnest('{cmdline,environ}'::text[]) name;
\o
select plproxy_disconnect_all();
