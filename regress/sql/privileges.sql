-- Who may call what, and as whom the partitions see it.
create schema t_privileges;
set client_min_messages = warning;
drop role if exists regress_alice, regress_bob, regress_carol;
reset client_min_messages;
create role regress_alice login;
create role regress_bob login;
create role regress_carol login;
grant usage, create on schema t_privileges to regress_alice, regress_bob;
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
set search_path = t_privileges, public;
create server t_privileges foreign data wrapper plproxy options (p0 :'p0', p1 :'p1');
create user mapping for regress_alice server t_privileges;
create function who(n int) returns text language plproxy as $$ cluster 't_privileges'; run on n; select current_user::text; $$;
create function who_connects(connstr text) returns text language plproxy as $$ connect connstr; select current_user::text; $$;
-- USAGE on the server
set role regress_alice;
select who(0);
reset role;
grant usage on foreign server t_privileges to regress_alice;
set role regress_alice;
select who(0);
reset role;
revoke usage on foreign server t_privileges from regress_alice;
set role regress_alice;
select who(0);
\echo :SQLSTATE
reset role;
grant usage on foreign server t_privileges to public;
-- a user mapping: one's own, else PUBLIC
set role regress_alice;
select who(0);
set role regress_bob;
select outcome('select who(0)');
reset role;
create user mapping for public server t_privileges options (user 'regress_carol');
set role regress_bob;
select who(0), who(1);
set role regress_alice;
select who(0), who(1);
reset role;
create user mapping for regress_bob server t_privileges options (user 'regress_bob');
set role regress_bob;
select who(0);
reset role;
-- connections are kept apart by local user
set role regress_alice;
select who(0);
set role regress_bob;
select who(0);
set role regress_alice;
select who(0);
reset role;
-- SECURITY DEFINER
create function who_defined(n int) returns text security definer language plproxy as $$
    cluster 't_privileges'; run on n; select current_user::text;
$$;
alter function who_defined(int) owner to regress_bob;
select who_defined(0);
set role regress_alice;
select who_defined(0), who(0), who_defined(1);
reset role;
create function who_within() returns text security definer language plpgsql as $$
begin
    return who(0) || ' ' || who_defined(0);
end $$;
alter function who_within() owner to regress_alice;
set role regress_bob;
select who_within(), who(0);
reset role;
-- CONNECT needs no server; the user is the current one unless the string says otherwise
set role regress_alice;
select who_connects(:'p0');
select who_connects(:'p0' || ' user=regress_bob');
set role regress_bob;
select who_connects(:'p0');
reset role;
-- EXECUTE is the server's own matter, and the language is not trusted
revoke execute on function who(int) from public;
set role regress_alice;
select who(0);
reset role;
grant execute on function who(int) to regress_alice;
set role regress_alice;
select who(0);
create function own() returns int language plproxy as $$ cluster 't_privileges'; run on 0; select 1; $$;
reset role;
-- the remote side has privileges of its own
call everywhere('create schema t_privileges; create table t_privileges.secret (a int)');
create function secret(n int) returns int8 language plproxy as $$
    cluster 't_privileges'; run on n; select count(*) from t_privileges.secret;
$$;
set role regress_alice;
select secret(1);
\echo :SQLSTATE
reset role;
call everywhere('grant usage on schema t_privileges to regress_alice; grant select on t_privileges.secret to regress_alice');
set role regress_alice;
select secret(1);
reset role;
-- the local functions in it are called as the caller
create function place(n int) returns int language sql as 'select n';
revoke execute on function place(int) from public;
create function by_place(n int) returns int language plproxy as $$ cluster 't_privileges'; run on place(n); select part(); $$;
set role regress_alice;
select by_place(1);
reset role;
grant execute on function place(int) to regress_alice;
set role regress_alice;
select by_place(1);
reset role;
-- default_user
alter server t_privileges options (add default_user 'session_user');
create user mapping for current_user server t_privileges options (user 'regress_carol');
set role regress_alice;
select who(0);
reset role;
alter server t_privileges options (set default_user 'current_user');
set role regress_alice;
select who(0);
reset role;
-- through cluster functions
create schema plproxy;
create function plproxy.get_cluster_version(text) returns int language sql as 'select 1';
create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record
    language sql as $$ select 'disable_binary', '0' $$;
create function plproxy.get_cluster_partitions(text) returns setof text
    language sql as $$ select format('dbname=regress_part0 host=127.0.0.1 port=%s', current_setting('port')) $$;
create function who_functions() returns text language plproxy as $$ cluster 't_functions'; run on 0; select current_user::text; $$;
select who_functions() = current_user;
grant usage on schema plproxy to regress_alice, regress_bob;
set role regress_alice;
select who_functions();
set role regress_bob;
select who_functions();
reset role;
-- passwords are not shown by the server either
set role regress_alice;
select umoptions from pg_user_mappings where srvname = 't_privileges' and usename = 'regress_bob';
reset role;
select part_at(1);
set client_min_messages = warning;
drop schema plproxy cascade;
drop server t_privileges cascade;
drop schema t_privileges cascade;
call everywhere('drop schema t_privileges cascade');
drop role regress_alice, regress_bob, regress_carol;
