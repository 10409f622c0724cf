-- What the functions for administrators evaluate, and as whom.
create role regress_rights_owner login;
create role regress_rights_asker login;
create schema t_rights;
grant usage, create on schema t_rights to regress_rights_owner;
grant usage on schema t_rights to regress_rights_asker;
grant usage on foreign server parts to regress_rights_owner, regress_rights_asker;
grant execute on function plproxy_check_function(regprocedure), plproxy_check_functions(text), plproxy_route(regprocedure, text[])
    to regress_rights_owner, regress_rights_asker;
create function t_rights.whereto(what text) returns text language plpgsql as $$
begin
    raise notice '% evaluated by %, search_path %', what, current_user, current_setting('search_path');
    if what = 'bad' then raise 'evaluated in vain'; end if;
    return 'parts';
end $$;
create function t_rights.computed() returns int language plproxy as $$
    cluster t_rights.whereto('computed'); run on 1; select part();
$$;
create function t_rights.bad() returns int language plproxy as $$ cluster t_rights.whereto('bad'); run on 1; select part(); $$;
create function t_rights.connected() returns int language plproxy as $$ connect t_rights.whereto('connected'); select part(); $$;
create function t_rights.literal() returns int language plproxy as $$ cluster 'parts'; run on 1; select part(); $$;
create function t_rights.defined() returns int language plproxy security definer set search_path = pg_catalog, t_rights as $$
    cluster whereto('defined'); run on length(whereto('hash')); select public.part();
$$;
alter function t_rights.defined() owner to regress_rights_owner;

-- All functions of a cluster: nothing is evaluated, whoever wrote it, and none is the end of the others.
select distinct function, ok, problem from plproxy_check_functions('parts') where function::text like 't_rights.%';
set role regress_rights_asker;
select distinct function, ok, problem from plproxy_check_functions('parts') where function::text like 't_rights.%';
-- One that is named is evaluated, as its call would.
select distinct ok, problem from plproxy_check_function('t_rights.computed()');
select outcome($$ select ok from plproxy_check_function('t_rights.bad()') limit 1 $$);
select distinct ok, problem from plproxy_check_function('t_rights.defined()');
select t_rights.defined();
-- So is its way.
select partition, username, query from plproxy_route('t_rights.computed()');
select partition, username, query from plproxy_route('t_rights.defined()');
reset role;
select distinct ok, problem from plproxy_check_function('t_rights.defined()');
select partition, username, query from plproxy_route('t_rights.defined()');
-- Afterwards everything is as before, also when it failed.
create function t_rights.fails() returns int language plproxy security definer set search_path = pg_catalog, t_rights as $$
    cluster whereto('bad'); select public.part();
$$;
alter function t_rights.fails() owner to regress_rights_owner;
select outcome($$ select partition from plproxy_route('t_rights.fails()') $$);
select outcome($$ select ok from plproxy_check_function('t_rights.fails()') $$);
select current_user = session_user, current_setting('search_path');
-- Arguments are the caller's own, and so is what reads them.
create domain t_rights.checked as int check (t_rights.whereto('argument') is not null);
create function t_rights.takes(a t_rights.checked) returns int language plproxy security definer as $$
    cluster 'parts'; run on a; select part();
$$;
alter function t_rights.takes(t_rights.checked) owner to regress_rights_owner;
set role regress_rights_asker;
select partition from plproxy_route('t_rights.takes(t_rights.checked)', '2');
reset role;
-- Operators of our own questions are PostgreSQL's, whatever the search_path.
create function t_rights.never(name, name) returns bool language plpgsql as $$
begin
    raise notice 'an operator evaluated by %', current_user;
    return false;
end $$;
create function t_rights.never(oid, oid) returns bool language plpgsql as $$
begin
    raise notice 'an operator evaluated by %', current_user;
    return false;
end $$;
create operator t_rights.= (leftarg = name, rightarg = name, function = t_rights.never);
create operator t_rights.= (leftarg = oid, rightarg = oid, function = t_rights.never);
set search_path = t_rights, pg_catalog, public;
select public.plproxy_check_function('t_rights.literal()');
select count(*) from public.plproxy_check_functions('parts') where function operator(pg_catalog.=) 't_rights.literal()'::regprocedure;
select partition from public.plproxy_route('t_rights.literal()');
reset search_path;
-- On the partitions, too.
create function t_rights.found() returns text language plproxy as $$ cluster 'parts'; select 'a'::text, 2; $$;
create function t_rights.scalar() returns int language plproxy as $$ cluster 'parts'; select 'a'::name; $$;
create function t_rights.shown() returns int language plproxy as $$ cluster 'parts'; $$;
call everywhere('create schema t_rights; grant usage on schema t_rights to public;
    create function t_rights.never(name, name) returns bool language plpgsql as
        $$ begin raise notice ''an operator evaluated by %'', current_user; return false; end $$;
    create function t_rights.never(oid, oid) returns bool language plpgsql as
        $$ begin raise notice ''an operator evaluated by %'', current_user; return false; end $$;
    create operator t_rights.= (leftarg = name, rightarg = name, function = t_rights.never);
    create operator t_rights.= (leftarg = oid, rightarg = oid, function = t_rights.never);
    create function t_rights.shown() returns int language sql as ''select 1''');
alter role regress_rights_asker set search_path = t_rights, pg_catalog, public;
set role regress_rights_asker;
select f, c.* from unnest('{t_rights.shown(),t_rights.found(),t_rights.scalar()}'::regprocedure[]) f, plproxy_check_function(f) c
    where partition = 0;
reset role;
set client_min_messages = error;
call everywhere('drop schema t_rights cascade');
drop schema t_rights cascade;
reset client_min_messages;
drop owned by regress_rights_owner, regress_rights_asker;
drop role regress_rights_owner, regress_rights_asker;
