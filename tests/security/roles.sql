-- Who may use what, and as whom: each change takes effect at the next call of a session that has everything cached.
\set VERBOSITY terse
create extension plproxy;
create role r_alice login;
create role r_bob login;
create role r_carol login;
select 'host=127.0.0.1 dbname=postgres port=' || :'port' as p0 \gset
create server c foreign data wrapper plproxy options (p0 :'p0');
grant usage on foreign server c to r_alice, r_bob;
create user mapping for r_alice server c options (user 'far_alice', password 'Alice-1');
create user mapping for r_bob server c options (user 'far_bob', password 'Bob-1');
create function far() returns text language plproxy as
    'cluster ''c''; run on 0; select current_user || '' '' || pg_backend_pid();';
create function who() returns text language sql as $$ select split_part(far(), ' ', 1) $$;
create function pid() returns text language sql as $$ select split_part(far(), ' ', 2) $$;
create function far_defined() returns text security definer language plproxy as
    'cluster ''c''; run on 0; select current_user || '' '' || pg_backend_pid();';
alter function far_defined() owner to r_bob;

\echo own_connections:
set role r_alice;
select who(), pid() as alice \gset a_
select :'a_who';
set role r_bob;
select who(), pid() as bob \gset b_
select :'b_who', :'a_alice' <> :'b_bob';
-- Back again each finds his own.
set role r_alice;
select pid() = :'a_alice', pid() = :'a_alice';
reset role;
set session authorization r_bob;
select pid() = :'b_bob';
reset session authorization;

\echo security_definer:
set role r_alice;
select far_defined() = 'far_bob ' || :'b_bob', far() = 'far_alice ' || :'a_alice';
reset role;
set role r_carol;
select far_defined() = 'far_bob ' || :'b_bob';
select far();
reset role;

\echo same_remote_user:
-- Two roles whose mappings are equal do not share either: the session on the partition may have state of its user's.
create user mapping for r_carol server c options (user 'far_bob', password 'Bob-1');
grant usage on foreign server c to r_carol;
set role r_carol;
select who(), pid() <> :'b_bob';
reset role;

\echo others_passwords:
set role r_alice;
select srvname, usename, umoptions from pg_user_mappings where srvname = 'c' order by 2;
select count(*) from pg_user_mapping;
select authorization_identifier, option_name, option_value from information_schema.user_mapping_options order by 1, 2;
-- Nor by the administrators' functions, which are not for everybody.
select * from plproxy_get_connections();
select * from plproxy_check_cluster('c');
select * from plproxy_run_on_all('c', 'select 1');
reset role;
grant execute on function plproxy_get_connections() to r_alice;
set role r_alice;
select regexp_replace(string_agg(t::text, ' '), '^.*(Alice-1|Bob-1).*$', 'a password') like '%(c,0,127.0.0.1,%far_alice%'
    from plproxy_get_connections() t;
reset role;

\echo password_changed:
-- A session that is at rest logs in anew when the password of its mapping changes.
alter user mapping for r_alice server c options (set password 'wrong');
set role r_alice;
select far();
reset role;
alter user mapping for r_alice server c options (set password 'Alice-1');
set role r_alice;
select who(), pid() <> :'a_alice';
reset role;

\echo prepared_and_cached:
-- In a prepared statement, a PL/pgSQL function and a cursor of sessions that have it all cached.
create function loops() returns text language plpgsql as $$
declare
    answer text;
begin
    for i in 1 .. 7 loop answer := who(); end loop;
    return answer;
end $$;
create function set_of() returns setof text language plproxy as
    'cluster ''c''; run on 0; select current_user from generate_series(1, 3);';
grant usage on foreign server c to r_alice;
set role r_alice;
prepare asks as select who();
execute asks; execute asks; execute asks; execute asks; execute asks; execute asks; execute asks;
select loops();
reset role;
revoke usage on foreign server c from r_alice;
set role r_alice;
execute asks;
select loops();
reset role;
grant usage on foreign server c to r_alice;
set role r_alice;
execute asks;
select loops();
reset role;

\echo revoked_within_a_transaction:
set role r_alice;
begin;
select who();
reset role;
revoke usage on foreign server c from r_alice;
set role r_alice;
savepoint s;
select who();
rollback to s;
reset role;
rollback;
set role r_alice;
select who();
reset role;

\echo mapping_altered:
alter user mapping for r_alice server c options (set user 'far_bob', set password 'Bob-1');
set role r_alice;
execute asks;
select loops();
reset role;
alter user mapping for r_alice server c options (set user 'far_alice', set password 'Alice-1');
set role r_alice;
execute asks;
reset role;

\echo mapping_dropped:
drop user mapping for r_alice server c;
set role r_alice;
execute asks;
select loops();
select far_defined() = 'far_bob ' || :'b_bob';
reset role;
create user mapping for public server c options (user 'far_bob', password 'Bob-1');
set role r_alice;
execute asks;
reset role;
create user mapping for r_alice server c options (user 'far_alice', password 'Alice-1');
set role r_alice;
execute asks;
reset role;
drop user mapping for public server c;

\echo by_another_session:
-- The same when the change is another session's.
set role r_alice;
execute asks;
\! $ASIDE 'revoke usage on foreign server c from r_alice'
execute asks;
\! $ASIDE 'grant usage on foreign server c to r_alice'
execute asks;
\! $ASIDE 'drop user mapping for r_alice server c'
execute asks;
\! $ASIDE "create user mapping for r_alice server c options (user 'far_alice', password 'Alice-1')"
execute asks;
reset role;

\echo execute_revoked:
revoke execute on function far() from public;
set role r_alice;
execute asks;
reset role;
grant execute on function far() to public;
-- What a function calls to find its cluster, it calls as its caller.
create function place() returns text language sql as $$ select 'c' $$;
revoke execute on function place() from public;
create function by_place() returns text language plproxy as 'cluster place(); run on 0; select current_user::text;';
set role r_alice;
select by_place();
reset role;

\echo renamed:
-- A role is known by its number, not by its name.
alter role r_alice rename to r_alina;
set role r_alina;
execute asks;
reset role;
alter role r_alina rename to r_alice;

\echo role_dropped:
create role r_dave;
grant usage on foreign server c to r_dave;
create user mapping for r_dave server c options (user 'far_bob', password 'Bob-1');
set role r_dave;
select who();
reset role;
drop user mapping for r_dave server c;
revoke usage on foreign server c from r_dave;
drop role r_dave;
create role r_dave;
set role r_dave;
select who();
reset role;

\echo server_dropped:
set role r_alice;
execute asks;
reset role;
drop server c cascade;
set role r_alice;
execute asks;
select far_defined();
reset role;
-- One of the same name is another one, with rights of its own.
create server c foreign data wrapper plproxy options (p0 :'p0');
set role r_alice;
execute asks;
reset role;
create user mapping for r_alice server c options (user 'far_alice', password 'Alice-1');
grant usage on foreign server c to r_alice;
set role r_alice;
execute asks;
reset role;
select * from plproxy_disconnect_all();

\echo untrusted:
select lanname, lanpltrusted from pg_language where lanname = 'plproxy';
grant create on schema public to r_alice;
set role r_alice;
create function mine() returns text language plproxy as 'connect ''host=127.0.0.1''; select ''1''::text;';
do 'connect ''host=127.0.0.1''' language plproxy;
create or replace function far() returns text language plproxy as 'cluster ''c''; run on 0; select ''1''::text;';
select plproxy_call_handler();
create server mine foreign data wrapper plproxy options (p0 'host=127.0.0.1');
alter server c options (set p0 'host=127.0.0.1');
reset role;
grant usage on language plproxy to r_alice;
