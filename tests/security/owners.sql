-- Whose connection strings open what. Variables: the guarded server's port and socket directory; the directory of the files; that of
-- the certificates.
\set VERBOSITY terse
create extension plproxy;
create role o_owner login;
create role o_other login;
create role o_super login superuser;
grant usage on foreign data wrapper plproxy to o_owner;
grant create on schema public to o_owner;
select 'host=127.0.0.1 dbname=postgres port=' || :'port' as tcp,
    'dbname=postgres host=' || :'socket' || ' port=' || :'port' as socket \gset
create table ways (way text primary key, connstr text);
grant select on ways to public;
insert into ways values ('passfile', :'tcp'), ('environment', :'tcp'), ('service', 'service=guarded'), ('peer', :'socket'),
    ('trust', :'tcp'), ('cert_user', :'tcp' || ' sslmode=require'), ('two_factors', :'tcp' || ' sslmode=require'),
    ('md5', :'tcp'), ('clear', :'tcp'),
    ('named_passfile', :'tcp' || ' user=passfile passfile=' || :'files' || '/pass'),
    ('named_sslkey', :'tcp' || ' user=cert_user sslmode=require sslcert=' || :'own' || '/client.crt sslkey=' || :'own' || '/client.key'),
    ('named_sslrootcert', :'tcp' || ' user=trust sslmode=verify-ca sslrootcert=' || :'own' || '/ca.crt');

-- What a query gives, or its error.
create function outcome(q text) returns text language plpgsql as $$
declare
    result text;
    detail text;
    hint text;
begin
    if q !~ '^select' then
        execute q;
        return 'ok';
    end if;
    execute q into result;
    return result;
exception when others then
    get stacked diagnostics detail = pg_exception_detail, hint = pg_exception_hint;
    return concat_ws(' | ', sqlstate, regexp_replace(regexp_replace(rtrim(sqlerrm, E'\n'), 'port [0-9]+', 'port N'), '[^ "]*/owners', 'FILES', 'g'),
        nullif(detail, ''), nullif(hint, ''));
end $$;
-- The same as another role.
create function outcome_as(role name, q text) returns text language plpgsql as $$
declare
    result text;
begin
    perform set_config('role', role, true);
    result := outcome(q);
    perform set_config('role', 'none', true);
    return result;
end $$;
-- A server of that way and a function that calls it, made once.
create function arrange(way text) returns void language plpgsql as $$
declare
    user_option text := case when way ~ '^named|service' then '' else format('options (user %L)', way) end;
begin
    if not exists (select from pg_foreign_server where srvname = way) then
        execute format('create server %I foreign data wrapper plproxy options (p0 %L)', way, (select connstr from ways w where w.way = arrange.way));
        execute format('grant usage on foreign server %I to o_other', way);
        execute format('create user mapping for public server %I %s', way, user_option);
        execute format('create function %I() returns text language plproxy as $f$ cluster %L; run on 0; select current_user::text; $f$',
            way, way);
    end if;
end $$;
-- The same connection string, by a superuser's server and by that of somebody else, called by all.
create function by_owners(way text, password text) returns table (owner text, caller text, outcome text) language plpgsql as $$
declare
    q text := format('select %I()', way);
begin
    perform arrange(way);
    foreach owner in array '{postgres,o_owner}'::text[] loop
        execute format('alter server %I owner to %I', way, owner);
        foreach caller in array '{postgres,o_owner,o_other}'::text[] loop
            outcome := outcome_as(caller, q);
            return next;
        end loop;
    end loop;
    -- With a password of the mapping's own.
    caller := 'o_other';
    if password is not null then
        owner := 'o_owner, own password';
        execute format('alter user mapping for public server %I options (add password %L)', way, password);
        outcome := outcome_as(caller, q);
        return next;
        execute format('alter user mapping for public server %I options (drop password)', way);
    end if;
    owner := 'o_owner, not required';
    execute format('alter user mapping for public server %I options (add password_required ''false'')', way);
    outcome := outcome_as(caller, q);
    return next;
    execute format('alter user mapping for public server %I options (set password_required ''true'')', way);
    owner := 'o_owner, required';
    outcome := outcome_as(caller, q);
    return next;
    execute format('alter user mapping for public server %I options (drop password_required)', way);
end $$;

\echo passfile:
select * from by_owners('passfile', 'Word-1');
\echo peer:
select * from by_owners('peer', 'Word-0');
\echo trust:
select * from by_owners('trust', 'Word-0');
\echo certificate:
select * from by_owners('cert_user', 'Word-0');
\echo certificate_and_password:
select * from by_owners('two_factors', 'Word-5');
-- From 19 on the server warns of such a password, which the call passes on.
\echo md_five:
set client_min_messages = error;
select * from by_owners('md5', 'Word-6') where owner ~ 'password';
reset client_min_messages;
\echo clear:
select * from by_owners('clear', 'Word-4') where owner ~ 'password';
\echo service:
select * from by_owners('service', null);
\echo named_passfile:
select * from by_owners('named_passfile', null);
\echo named_sslkey:
select * from by_owners('named_sslkey', null);
\echo named_sslrootcert:
select * from by_owners('named_sslrootcert', null);

\echo connection_string:
-- The password may be in the connection string, where it comes before everything else.
select format('create server inside foreign data wrapper plproxy options (p0 %L)', connstr || ' user=passfile password=Word-1')
    from ways where way = 'passfile' \gexec
create user mapping for public server inside options (user 'trust', password 'Word-0');
create function inside() returns text language plproxy as $$ cluster 'inside'; run on 0; select current_user::text; $$;
alter server inside owner to o_owner;
select outcome('select inside()');
select outcome(format('alter server inside options (set p0 %L)', connstr || ' user=passfile password=''''')) from ways where way = 'passfile';
select outcome('select inside()');
select outcome(format('alter server inside options (set p0 %L)', connstr || ' user=trust password=Word-0')) from ways where way = 'passfile';
select outcome('select inside()');

\echo rights_change_later:
-- Connections of a superuser's are not left to who is none any more.
create function trust_pid() returns int language plproxy as $$ cluster 'trust'; run on 0; select pg_backend_pid(); $$;
alter server trust owner to o_super;
select trust_pid() as pid \gset
select trust_pid() = :pid;
alter role o_super nosuperuser;
select outcome('select trust_pid()');
select count(*) from plproxy_get_connections() where cluster = 'trust';
alter role o_super superuser;
select trust_pid() <> :pid;
select trust_pid() as pid \gset
alter user mapping for public server trust options (add password_required 'false');
select trust_pid() = :pid;
alter role o_super nosuperuser;
select trust_pid() <> :pid;
alter user mapping for public server trust options (drop password_required);
select outcome('select trust_pid()');
alter server trust owner to postgres;
select trust_pid() <> :pid;
-- In a transaction, too.
begin;
alter server trust owner to o_super;
select outcome('select trust_pid()');
rollback;
select outcome('select trust()');

\echo mappings:
-- Who may say that no password is required: superusers. Others may take it back.
alter server trust owner to o_owner;
set role o_other;
select outcome($$ create user mapping for current_user server trust options (user 'trust', password_required 'false') $$);
select outcome($$ create user mapping for current_user server trust options (user 'trust', password_required 'true') $$);
select outcome($$ alter user mapping for current_user server trust options (set password_required 'FALSE') $$);
select outcome($$ alter user mapping for current_user server trust options (set password_required 'off') $$);
select outcome($$ alter user mapping for current_user server trust options (set password_required 'no') $$);
select outcome($$ alter user mapping for current_user server trust options (drop password_required, add "PASSWORD_REQUIRED" 'false') $$);
select outcome('select trust()');
reset role;
set role o_owner;
select outcome($$ alter user mapping for o_other server trust options (set password_required 'false') $$);
reset role;
alter user mapping for o_other server trust options (set password_required 'false');
select outcome_as('o_other', 'select trust()');
set role o_other;
select outcome($$ alter user mapping for current_user server trust options (set user 'postgres') $$);
select outcome('select trust()');
select outcome($$ alter user mapping for current_user server trust options (drop password_required) $$);
select outcome('select trust()');
reset role;
drop user mapping for o_other server trust;
-- A wrapper whose validator is not ours lets anybody set anything: there it counts for nothing.
create foreign data wrapper lenient;
grant usage on foreign data wrapper lenient to o_owner;
set role o_owner;
select format('create server lenient foreign data wrapper lenient options (p0 %L)', connstr) from ways where way = 'trust' \gexec
create user mapping for public server lenient options (user 'trust', password_required 'false');
reset role;
create function lenient() returns text language plproxy as $$ cluster 'lenient'; run on 0; select current_user::text; $$;
select outcome('select lenient()');
alter server lenient owner to postgres;
select outcome('select lenient()');

\echo validator:
set role o_owner;
select keyword, outcome(format('create server s foreign data wrapper plproxy options (p0 ''host=h'', p1 %L)', keyword || '=/x'))
    from unnest('{service,servicefile,passfile,sslcert,sslkey,sslrootcert,sslcrl,sslcrldir}'::text[]) keyword;
select outcome($$ create server s foreign data wrapper plproxy options (p0 'postgresql://h/d?passfile=%2Fx') $$);
select outcome($$ create server s foreign data wrapper plproxy options (p0 'host=h sslmode=verify-full sslrootcert=system passfile=''''') $$);
select outcome($$ alter server s options (set p0 'host=h passfile=/x') $$);
reset role;
select outcome($$ alter server s options (set p0 'host=h passfile=/x') $$);
set role o_owner;
select outcome($$ alter server s options (add query_timeout '1') $$);
select outcome($$ alter server s options (set p0 'host=h', add query_timeout '1') $$);
reset role;

\echo connect:
-- The owner of a function answers for the connection strings in it and for those that it takes.
create function by_literal() returns text language plproxy as $$ connect 'service=guarded'; select current_user::text; $$;
create function by_argument(connstr text) returns text language plproxy as $$ connect connstr; select current_user::text; $$;
create function by_query(way text) returns text language plproxy as $$ connect connstr_of(way); select current_user::text; $$;
create function connstr_of(way text) returns text language sql as $$ select connstr || ' user=' || way from ways w where w.way = connstr_of.way $$;
create function connects(way text) returns table (outcome text) language sql as $$
    select outcome('select by_literal()') where way = 'service'
    union all select outcome(format('select by_argument(%L)', connstr || ' user=' || way)) from ways w where w.way = connects.way
    union all select outcome(format('select by_query(%L)', way));
$$;
select way, connects(way) from unnest('{service,passfile,trust}'::text[]) way;
alter function by_literal() owner to o_owner;
alter function by_argument(text) owner to o_owner;
alter function by_query(text) owner to o_owner;
select way, connects(way) from unnest('{service,passfile,trust}'::text[]) way;
select outcome(format('select by_argument(%L)', connstr || ' user=passfile password=Word-1')) from ways where way = 'passfile';
select outcome(format('select by_argument(%L)', connstr || ' user=trust password=Word-1')) from ways where way = 'trust';
select outcome(format('select dbname from plproxy_route(''by_argument(text)'', %L)', connstr || ' user=passfile')) from ways where way = 'passfile';
alter function by_argument(text) owner to postgres;
select outcome(format('select by_argument(%L)', connstr || ' user=passfile')) from ways where way = 'passfile';

\echo functions:
-- So does that of the function that gives a cluster's connection strings.
create schema plproxy;
create function plproxy.get_cluster_version(text) returns int language sql as 'select 1';
create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record language sql as
    $$ select 'query_timeout', '0' $$;
create function plproxy.get_cluster_partitions(way text) returns setof text language sql as 'select connstr_of(way)';
create function of_functions(way text) returns text language plproxy as $$ cluster lower(way); run on 0; select current_user::text; $$;
create function ways_of_functions() returns table (way text, outcome text) language sql as
    $$ select w, outcome(format('select of_functions(%L)', w)) from unnest('{f_passfile,f_trust,f_service}'::text[]) w $$;
insert into ways select 'f_' || way, connstr || ' user=' || way from ways where way in ('passfile', 'trust', 'service');
create or replace function connstr_of(way text) returns text language sql as $$ select connstr from ways w where w.way = connstr_of.way $$;
select * from ways_of_functions();
alter function plproxy.get_cluster_partitions(text) owner to o_owner;
select * from ways_of_functions();
update ways set connstr = connstr || ' password=Word-1' where way in ('f_passfile', 'f_trust');
create or replace function plproxy.get_cluster_version(text) returns int language sql as 'select 2';
select * from ways_of_functions();
alter function plproxy.get_cluster_partitions(text) owner to postgres;
select * from ways_of_functions();
-- Whose the schema is may put another function in its place.
alter schema plproxy owner to o_owner;
select * from ways_of_functions();
alter schema plproxy owner to postgres;
select * from ways_of_functions();
-- The one that counts is the one that is called.
alter schema plproxy rename to plproxy_of_postgres;
create schema plproxy authorization o_owner;
set role o_owner;
create function plproxy.get_cluster_version(text) returns int language sql as 'select 2';
create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record language sql as
    $$ select 'query_timeout', '0' $$;
create function plproxy.get_cluster_partitions(way text) returns setof text language sql as 'select public.connstr_of(way)';
reset role;
select * from ways_of_functions();
set client_min_messages = warning;
drop schema plproxy cascade;
reset client_min_messages;

\echo administrators:
alter server passfile owner to o_owner;
alter server trust owner to o_owner;
select ok, error from plproxy_check_cluster('passfile');
select success, result from plproxy_run_on_all('passfile', 'select 1');
select outcome('select plproxy_route(''passfile()'')');
select distinct ok, problem from plproxy_check_functions('passfile');
alter user mapping for public server trust options (add password 'Word-0');
select ok, error from plproxy_check_cluster('trust');
select success, result from plproxy_run_on_all('trust', 'select 1');
select outcome('select plproxy_run_on_all(''trust'', ''select 1'', atomic => true)');
select cluster, count(*) from plproxy_get_connections() where cluster in ('passfile', 'trust') group by 1;
alter user mapping for public server trust options (drop password);
