-- Connection strings, mappings and functions that hold passwords. Run with nothing logged: what stands in a command is its
-- author's to hide.
create extension plproxy;
create table cases (id int generated always as identity, name text, cluster text);
-- A case by the partition's connection string and the mapping's password.
create function by_cluster(name text, connstr text, password text default 'Secret-map', host text default null) returns void
language plpgsql as $$
begin
    execute format('create server %I foreign data wrapper plproxy options (p0 %L)', name, connstr);
    execute format('create user mapping for public server %I options (user ''far_secret'', password %L)', name, password);
    execute format('create function %I() returns text language plproxy as %L', name,
        format('cluster ''%s''; run on 0; select current_user::text;', name));
    insert into cases (name, cluster) values (name, name);
end $$;
-- One by the body's own connection string.
create function by_connect(name text, connstr text) returns void language plpgsql as $$
begin
    execute format('create function %I() returns text language plproxy as %L', name,
        format('connect ''%s''; select current_user::text;', replace(connstr, '''', '''''')));
    insert into cases (name) values (name);
end $$;
-- How a call ends: its state and message, and what is told beside them.
create function outcome(name text, how text default 'call') returns text language plpgsql as $$
declare
    result text;
    d text;
    h text;
    c text;
begin
    case how
        when 'call' then execute format('select %I()', name) into result;
        when 'route' then execute format('select string_agg(r::text, '' '') from plproxy_route(%L) r', name) into result;
        when 'check' then execute format('select string_agg(r::text, '' '') from plproxy_check_function(%L) r', name) into result;
        when 'run_on_all' then select string_agg(r::text, ' ') into result from plproxy_run_on_all(name, 'select 1', true) r;
        when 'recover' then select string_agg(r::text, ' ') into result from plproxy_recover_prepared(name) r;
    end case;
    return '00000 ' || result;
exception when others then
    get stacked diagnostics d = pg_exception_detail, h = pg_exception_hint, c = pg_exception_context;
    return concat_ws(' ', sqlstate, sqlerrm, d, h, c);
end $$;

select format('host=127.0.0.1 port=%s dbname=postgres', :'port') as at \gset
select format('127.0.0.1:%s/postgres', :'port') as at_uri \gset
select by_cluster('works', :'at', 'Secret-true'), by_connect('connect_works', :'at' || ' user=far_secret password=Secret-true'),
    by_connect('uri_works', 'postgresql://far_secret:Secret-true@' || :'at_uri'),
    -- The server refuses.
    by_cluster('mapping_wrong', :'at'), by_connect('connstr_wrong', :'at' || ' user=far_secret password=Secret-str'),
    by_connect('uri_wrong', 'postgresql://far_secret:Secret-uri@' || :'at_uri'),
    by_cluster('no_database', 'host=127.0.0.1 dbname=nowhere port=' || :'port', 'Secret-true'),
    by_cluster('bad_setting', :'at' || ' options=''-c nonsense=1''', 'Secret-true'),
    by_cluster('method', :'at' || ' require_auth=md5'),
    -- Nobody is there, or says nothing that is understood.
    by_cluster('refused', 'host=127.0.0.1 port=1'), by_connect('refused_uri', 'postgresql://u:Secret-uri@127.0.0.1:1/d'),
    by_cluster('no_socket', 'host=/nowhere'), by_cluster('no_host', 'host=no-such-host.invalid connect_timeout=2'),
    by_cluster('tls', :'at' || ' sslmode=require'), by_cluster('tls_files', :'at' || ' sslmode=verify-full sslrootcert=/nowhere'),
    by_cluster('tls_key', :'at' || ' sslmode=require sslcert=/nowhere sslkey=/nowhere sslpassword=Secret-key'),
    by_cluster('standby', :'at' || ' target_session_attrs=standby', 'Secret-true'),
    -- The string is not what it should be.
    by_connect('keyword', 'host=127.0.0.1 password=Secret-str hosst=x'), by_connect('keyword_2', 'pasword=Secret-str'),
    by_connect('no_equals', 'host=127.0.0.1 password = Secret-str Secret-str'), by_connect('quote', 'password=''Secret-str'),
    by_connect('uri_at', 'postgresql://u:p@Secret-uri@h/d'), by_connect('uri_slash', 'postgresql://u:Secret-uri/x@h/d'),
    by_connect('uri_percent', 'postgresql://u:Secret-uri%@h/d'), by_connect('uri_scheme', 'postgrsql://u:Secret-uri@h/d'),
    by_connect('uri_parameter', 'postgresql://u@h/d?password=Secret-uri&nonsense=1'),
    by_connect('uri_colon', 'postgresql://u:p:Secret-uri@h:x/d'),
    by_connect('port', 'host=127.0.0.1 port=Secret-str'' password=Secret-str'), by_connect('port_2', 'port=x password=Secret-str'),
    by_connect('hostaddr', 'hostaddr=x password=Secret-str'), by_connect('sslmode', 'sslmode=x password=Secret-str'),
    by_connect('hosts', 'host=a,b port=1,2,3 password=Secret-str'),
    by_cluster('cluster_keyword', 'hosst=127.0.0.1 password=Secret-str'),
    -- A piece of the password stands for what is shown otherwise: the port, one of several hosts, all that a quote swallows.
    by_cluster('uri_port', 'postgresql://127.0.0.1:47110/Secret-uri@h/d'), by_connect('uri_port_2', 'postgresql://127.0.0.1:47110/@h/d'),
    by_cluster('uri_host', 'postgresql://127.0.0.1,Secret-uri:47110,1/x@h/d'),
    by_cluster('swallowed_user', 'user=''u password=Secret-str'' host=127.0.0.1 port=1'),
    by_cluster('swallowed_host', 'host=''/nowhere password=Secret-str'' port=1'),
    -- Files.
    by_connect('passfile_open', :'at' || ' user=far_secret passfile=' || :'files' || '/open'),
    by_connect('passfile', :'at' || ' user=far_secret passfile=' || :'files' || '/pass'),
    by_connect('passfile_wrong', :'at' || ' user=far_secret passfile=' || :'files' || '/wrong'),
    by_connect('service_broken', 'service=broken'),
    -- What is right until the statement fails.
    by_cluster('statement', :'at' || ' password=Secret-true user=far_secret');
create or replace function statement() returns text language plproxy as 'cluster ''statement''; run on 0; select nothing;';
create server many foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=1 password=Secret-str', p1 'password=Secret-str x');
create user mapping for public server many options (user 'u', password 'Secret-map');
create function many() returns setof text language plproxy as 'cluster ''many''; run on all; select current_user::text;';
insert into cases (name, cluster) values ('many', 'many');
-- A cluster by functions.
create schema plproxy;
create function plproxy.get_cluster_version(name text) returns int language sql as 'select 1';
create function plproxy.get_cluster_config(name text, out key text, out val text) returns setof record language sql as
    $$ select 'disable_binary', '0' $$;
create function plproxy.get_cluster_partitions(name text) returns setof text language sql as
    $$ values ('host=127.0.0.1 port=1 password=Secret-fun'), ('nonsense=1 password=Secret-fun') $$;
create function by_functions() returns text language plproxy as 'cluster ''fun''; run on 0; select current_user::text;';
create function by_functions_2() returns text language plproxy as 'cluster ''fun2''; run on 1; select current_user::text;';
insert into cases (name, cluster) values ('by_functions', 'fun'), ('by_functions_2', 'fun2');

-- Commands that fail or warn.
\set ON_ERROR_STOP 0
\set VERBOSITY verbose
set log_min_messages = debug5;
set client_min_messages = debug5;
create server bad foreign data wrapper plproxy options (p1 'password=Secret-ddl');
create server bad foreign data wrapper plproxy options (p0 'password=Secret-ddl', bogus 'Secret-ddl');
create server bad foreign data wrapper plproxy options (p0 'password=Secret-ddl Secret-ddl', p1 'postgresql://u:Secret-ddl/x@h');
alter server bad options (set p0 'password=''Secret-ddl', add p00 'password=Secret-ddl');
create user mapping for public server bad options (user 'u', pasword 'Secret-ddl');
create function bad() returns int language plproxy as 'connect ''password=Secret-ddl'' x; select 1;';
create function bad() returns int language plproxy as 'connect ''password=Secret-ddl; select 1;';
create function bad() returns int language plproxy as 'connect ''password=Secret-ddl''; cluster ''Secret-ddl''; select 1;';
