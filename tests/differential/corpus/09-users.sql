-- Users and privileges: who is connected as whom, and who may not.
\set p 'host=127.0.0.1 port=' :port ' dbname=part'
\set p0 :p '0'
\set p1 :p '1'
create server users foreign data wrapper plproxy options (p0 :'p0', p1 :'p1');
create function who(n int) returns text language plproxy as $$ cluster 'users'; run on n; select current_user::text; $$;
create function who_all() returns setof text language plproxy as $$ cluster 'users'; run on all; select current_user::text; $$;
create function who_connect(c text) returns text language plproxy as $$ connect c; select current_user::text; $$;
create function who_defined(n int) returns text security definer language plproxy as $$ cluster 'users'; run on n; select current_user::text; $$;
select who(0);
create user mapping for public server users;
select who(0);
set role d_alice;
select who(0);
reset role;
grant usage on foreign server users to d_alice, d_bob;
set role d_alice;
select who(0), who_defined(0);
select who_all();
reset role;
select who(0), who_defined(0);
create user mapping for d_bob server users options (user 'd_carol');
set role d_bob;
select who(0), who(1), who_defined(0);
reset role;
set role d_carol;
select who(0);
select who_defined(0);
reset role;
set session authorization d_alice;
select who(0), session_user, current_user;
set role d_bob;
reset session authorization;
alter function who_defined(int) owner to d_bob;
select who_defined(1);
set role d_alice;
select who_defined(1), who(1);
reset role;
revoke usage on foreign server users from d_alice;
set role d_alice;
select who(1);
select who_defined(1);
reset role;
select part_at(1);
grant usage on foreign server users to public;
set role d_carol;
select who(1);
reset role;
drop user mapping for public server users;
set role d_alice;
select who(1);
set role d_bob;
select who(1);
reset role;
select who(1);
create user mapping for postgres server users options (user 'd_alice');
select who(1);
\c -
select who(1);
drop user mapping for postgres server users;
create user mapping for public server users options (user 'd_nobody');
select who(0);
alter user mapping for public server users options (set user 'd_carol');
\c -
select who(0);
create user mapping for current_user server users options (user 'd_bob', password 'unused');
\c -
select who(0);
alter user mapping for current_user server users options (drop user);
\c -
select who(0);
drop user mapping for current_user server users;
select who_connect(:'p0');
set role d_alice;
select who_connect(:'p0');
reset role;
\set pu :p0 ' user=d_bob'
select who_connect(:'pu');
\set pu :p0 ' application_name=''user=d_bob'''
\set pu2 :p0 ' user=d_secret password=wrong'
select who_connect(:'pu2');
\set pu2 :p0 ' user=d_secret'
select who_connect(:'pu2');
\set pu2 :p0 ' user=d_secret password=''it\'\'s a "good" \\\\one'''
create server secret foreign data wrapper plproxy options (p0 :'p0');
create function who_secret() returns text language plproxy as $$ cluster 'secret'; run on 0; select current_user::text; $$;
create user mapping for public server secret options (user 'd_secret', password 'it''s a "good" \one');
select who_secret();
\c -
alter user mapping for public server secret options (set password 'bad');
select who_secret();
alter user mapping for public server secret options (drop password);
select who_secret();
\set pu :p0 ' user=d_carol'
alter server secret options (set p0 :'pu');
select who_secret();
drop role if exists "d odd 'user\\";
create role "d odd 'user\\" login;
grant usage on schema public to "d odd 'user\\";
set role "d odd 'user\\";
select who_connect(:'p0');
reset role;
drop role "d odd 'user\\";
select has_language_privilege('d_alice', 'plproxy', 'usage');
set role d_alice;
create function d_probe.not_mine() returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
create temp table x (a int);
create function pg_temp.not_mine() returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
reset role;
revoke execute on function who(int) from public;
set role d_alice;
select who(0);
reset role;
