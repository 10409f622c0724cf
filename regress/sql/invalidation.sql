-- What changes elsewhere makes nothing be prepared or read anew; what something depends on is seen by the next call.
create schema t_invalidation;
set search_path = t_invalidation, public;
call everywhere('create schema t_invalidation');
set client_min_messages = warning;
drop role if exists regress_inval_user, regress_inval_group, regress_inval_other, regress_inval_renamed;
reset client_min_messages;
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 application_name=regress_inval host=127.0.0.1 port=' :port
create server t_inval foreign data wrapper plproxy options (p0 :'p0');
create user mapping for public server t_inval;
-- three kinds of functions, with a row type of a table, of their own columns, and of the call's columns
create table item (id int, name text);
call everywhere($$
    create table t_invalidation.item (id int, name text);
    insert into t_invalidation.item values (1, 'screw');
    create function t_invalidation.items() returns setof t_invalidation.item language sql as 'select * from t_invalidation.item';
    create function t_invalidation.pair(out a int, out b text) language sql as 'select 2, ''nut''::text';
    create function t_invalidation.pairs() returns setof record language sql as 'select 3, ''bolt''::text';
$$);
create function items() returns setof item language plproxy as $$ cluster 't_inval'; run on 0; $$;
create function pair(out a int, out b text) language plproxy as $$ cluster 't_inval'; run on 0; $$;
create function pairs() returns setof record language plproxy as $$ cluster 't_inval'; run on 0; $$;
create function call_all() returns text language sql as $$
    select concat_ws(' ', (select i::text from items() i), (select p::text from pair() p),
        (select q::text from pairs() as q (c int, d text)))
$$;
-- what the partition's session has prepared, and how often: what is compiled anew is a statement of its own
create function prepared() returns setof text language plproxy as $$
    cluster 't_inval'; run on 0; select count(*) || ' ' || statement from pg_prepared_statements group by statement order by statement;
$$;
create function prepared_texts() returns text language sql as $$ select string_agg(p, ', ') from prepared() p $$;
select call_all() from generate_series(1, 3);
select prepared_texts() <> '' as prepared from generate_series(1, 3);
select prepared_texts() as before \gset
-- 1,000 temporary tables, made and dropped
do $$ begin
    for i in 1 .. 1000 loop
        create temporary table elsewhere (a int, b text);
        drop table elsewhere;
        -- between them, and at the end
        if i % 250 = 0 then perform call_all(); end if;
    end loop;
end $$;
select call_all() from generate_series(1, 3);
select prepared_texts() = :'before' as not_again;
-- other objects of all kinds, and what autovacuum does
create function elsewhere() returns int language sql as 'select 1';
create type elsewhere as enum ('a');
create schema t_invalidation_other;
create role regress_inval_other;
create server t_inval_other foreign data wrapper plproxy options (p0 'dbname=nowhere');
create user mapping for public server t_inval_other;
select call_all() from generate_series(1, 3);
insert into item select i, 'x' from generate_series(1, 100) i;
vacuum analyze item;
analyze pg_proc, pg_type;
select call_all() from generate_series(1, 3);
select prepared_texts() = :'before' as not_again;
drop function elsewhere;
drop type elsewhere;
drop server t_inval_other cascade;
-- a function that is made anew with the same statement keeps what is prepared, too
create or replace function pair(out a int, out b text) language plproxy as $$ cluster 't_inval'; /* anew */ run on 0; $$;
select call_all() from generate_series(1, 3);
select prepared_texts() = :'before' as not_again;
-- while a change of the table is seen
call everywhere($$ alter table t_invalidation.item add column price numeric(6, 2) default 0.05 $$);
alter table item add column price numeric(6, 2);
select call_all();
alter table item rename column name to label;
call everywhere($$ alter table t_invalidation.item rename column name to label $$);
select call_all();
-- and by another session that has it cached, whoever changes it
select * from items();
\setenv PGOPTIONS '-c search_path=t_invalidation,public'
call everywhere($$ alter table t_invalidation.item drop column price $$);
\! psql -X -q -d regression -c 'alter table item drop column price'
select * from items();
-- the schemas of a function, of an argument's type and of a composite type within a column
create schema t_invalidation_types;
create type t_invalidation_types.colour as enum ('red', 'blue');
create type t_invalidation_types.dot as (x float8, c t_invalidation_types.colour);
call everywhere($$
    create schema t_invalidation_types;
    create type t_invalidation_types.colour as enum ('red', 'blue');
    create type t_invalidation_types.dot as (x float8, c t_invalidation_types.colour);
    create function t_invalidation_types.paint(c t_invalidation_types.colour, out p t_invalidation_types.dot, out n int)
        language plpgsql as 'begin p.x := 0.1::float8 + 0.2; p.c := c; n := 1; end';
$$);
create function t_invalidation_types.paint(c t_invalidation_types.colour, out p t_invalidation_types.dot, out n int)
    language plproxy as $$ cluster 't_inval'; run on 0; $$;
select * from t_invalidation_types.paint('red');
call everywhere('alter schema t_invalidation_types rename to t_invalidation_kinds');
alter schema t_invalidation_types rename to t_invalidation_kinds;
select * from t_invalidation_kinds.paint('blue');
call everywhere($$ alter type t_invalidation_kinds.colour rename to color $$);
alter type t_invalidation_kinds.colour rename to color;
select * from t_invalidation_kinds.paint('blue');
-- a schema that comes first in the search path
create schema t_invalidation_last;
create function t_invalidation_last.which() returns int language sql as 'select 0';
set search_path = t_invalidation_first, t_invalidation_last, t_invalidation, public;
create function whichever() returns text language plproxy as $$ cluster 'parts'; run on which(); select part()::text; $$;
select whichever();
create schema t_invalidation_first;
create function t_invalidation_first.which() returns int language sql as 'select 1';
select whichever();
alter schema t_invalidation_first rename to t_invalidation_never;
select whichever();
alter schema t_invalidation_last rename to t_invalidation_first;
select whichever();
set search_path = t_invalidation, public;

-- who may use a server, and as whom
create function who() returns text language plproxy as $$ cluster 't_inval'; run on 0; select current_user::text; $$;
create role regress_inval_user login;
create role regress_inval_group;
grant usage on schema t_invalidation to regress_inval_user;
set role regress_inval_user;
select who();
reset role;
grant usage on foreign server t_inval to regress_inval_group;
grant regress_inval_group to regress_inval_user;
set role regress_inval_user;
select who();
reset role;
revoke regress_inval_group from regress_inval_user;
set role regress_inval_user;
select who();
reset role;
alter role regress_inval_user superuser;
set role regress_inval_user;
select who();
reset role;
alter role regress_inval_user nosuperuser;
grant regress_inval_group to regress_inval_other;
grant regress_inval_other to regress_inval_user;
set role regress_inval_user;
select who();
reset role;
revoke regress_inval_group from regress_inval_other;
set role regress_inval_user;
select who();
reset role;
grant regress_inval_group to regress_inval_user;
set role regress_inval_user;
select who();
reset role;
alter role regress_inval_user rename to regress_inval_renamed;
set role regress_inval_renamed;
select who();
reset role;
-- a role that comes with a membership
revoke regress_inval_group from regress_inval_renamed;
set role regress_inval_renamed;
select who();
reset role;
create role regress_inval_between in role regress_inval_group role regress_inval_renamed;
set role regress_inval_renamed;
select who();
reset role;
drop role regress_inval_between;
set role regress_inval_renamed;
select who();
reset role;
-- the owner of the database is a member of a role
grant usage on foreign server t_inval to pg_database_owner;
set role regress_inval_renamed;
select who();
reset role;
select pg_get_userbyid(datdba) as owner from pg_database where datname = current_database() \gset
alter database regression owner to regress_inval_renamed;
set role regress_inval_renamed;
select who();
reset role;
alter database regression owner to :"owner";
set role regress_inval_renamed;
select who();
reset role;
revoke usage on foreign server t_inval from pg_database_owner;
-- mappings: PUBLIC's, one of one's own before it, none
grant usage on foreign server t_inval to regress_inval_renamed;
create role regress_inval_mapped login;
create user mapping for regress_inval_renamed server t_inval options (user 'regress_inval_mapped');
set role regress_inval_renamed;
select who();
reset role;
drop user mapping for regress_inval_renamed server t_inval;
set role regress_inval_renamed;
select who();
reset role;
alter user mapping for public server t_inval options (add user 'regress_inval_mapped');
set role regress_inval_renamed;
select who();
reset role;
drop user mapping for public server t_inval;
set role regress_inval_renamed;
select outcome('select who()');
reset role;
create user mapping for public server t_inval;
select who() = current_user as same_user;

-- servers that come and go beside clusters of functions
create schema plproxy;
create function plproxy.get_cluster_version(text) returns int language sql as 'select 1';
create function plproxy.get_cluster_partitions(text) returns setof text language sql as
    $$ select 'dbname=regress_part1 host=127.0.0.1 port=' || current_setting('port') $$;
create function plproxy.get_cluster_config(text, out key text, out val text) returns setof record language sql as
    $$ select 'query_timeout'::text, '0'::text where false $$;
create function named() returns int language plproxy as $$ cluster 't_inval_named'; run on 0; select part(); $$;
select named();
create server t_inval_named foreign data wrapper plproxy options (p0 :'p0');
create user mapping for public server t_inval_named;
select named();
alter server t_inval_named rename to t_inval_elsewhere;
select named();
alter server t_inval_elsewhere rename to t_inval_named;
select named();
drop server t_inval_named cascade;
select named();
drop schema plproxy cascade;
select named();

-- what it costs: the call after a change elsewhere, beside that after a change of the cluster itself
do $$ begin
    execute (select format('create server t_inval_large foreign data wrapper plproxy options (%s)', string_agg(
            format('p%s %L', i, format('dbname=regress_part0 application_name=large%s host=127.0.0.1 port=%s', i,
                current_setting('port'))), ', '))
        from generate_series(0, 8191) i);
end $$;
create user mapping for public server t_inval_large;
create function large() returns int language plproxy as $$ cluster 't_inval_large'; run on 5; select part(); $$;
-- the shortest of some calls, in seconds, each after a change
create function after_change(change text, undo text) returns float8 language plpgsql as $$
declare
    began timestamptz;
    best float8;
begin
    for i in 1 .. 8 loop
        execute change;
        began := clock_timestamp();
        perform large();
        best := least(best, extract(epoch from clock_timestamp() - began));
        execute undo;
    end loop;
    return best;
end $$;
select large();
select after_change('alter server t_inval_large options (add query_timeout ''100'')',
    'alter server t_inval_large options (drop query_timeout)') as whole \gset
select what from (values
    ('a role', after_change('create role regress_inval_new', 'drop role regress_inval_new')),
    ('a member', after_change('grant regress_inval_group to regress_inval_mapped', 'revoke regress_inval_group from regress_inval_mapped')),
    ('a schema', after_change('create schema t_inval_new', 'drop schema t_inval_new')),
    ('a server', after_change('create server t_inval_new foreign data wrapper plproxy options (p0 ''dbname=x'')', 'drop server t_inval_new')),
    ('a mapping', after_change('create user mapping for regress_inval_mapped server t_inval_large', 'drop user mapping for regress_inval_mapped server t_inval_large')),
    ('a wrapper', after_change('create foreign data wrapper t_inval_new', 'drop foreign data wrapper t_inval_new'))
) as costs (what, took) where took > :whole / 3;

set client_min_messages = warning;
drop server t_inval, t_inval_large cascade;
drop schema t_invalidation, t_invalidation_other, t_invalidation_kinds, t_invalidation_first, t_invalidation_never cascade;
drop role regress_inval_renamed, regress_inval_group, regress_inval_other, regress_inval_mapped;
call everywhere('drop schema t_invalidation, t_invalidation_kinds cascade');
