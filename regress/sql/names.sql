-- Values that stand for objects of the catalogs cross by their full names, whatever search_path either side has.
create schema t_names;
set search_path = t_names, public;
call everywhere('create schema t_names');
-- on both sides: two schemas with objects of the same names, which differ in what they say of themselves
create procedure make(schema text) language plpgsql as $$
begin
    execute format('create schema %I', schema);
    execute format('set local search_path = %I', schema);
    create table thing (a int);
    create type kind as enum ('a');
    create function act(int) returns int language sql as 'select 1';
    create function "Act ""2(""" (kind) returns kind language sql as 'select $1';
    create operator === (leftarg = int4, rightarg = int4, function = pg_catalog.int4eq);
    create text search dictionary dict (template = pg_catalog.simple);
    create text search configuration conf (copy = pg_catalog.simple);
    create collation coll (locale = 'C');
end $$;
call make('regress_one');
call make('regress "Two"');
select format('create procedure t_names.make(schema text) language plpgsql as %L', prosrc) as make
    from pg_proc where oid = 'make'::regproc \gset
call everywhere(:'make');
call everywhere('call t_names.make(''regress_one'')');
call everywhere('call t_names.make(''regress "Two"'')');
-- told(type, value): the object's full name, as the catalogs have it
create function name_of(class regclass, object oid) returns text language sql as $$
    select (pg_identify_object(class, object, 0)).identity $$;
call everywhere($q$ create function t_names.name_of(class regclass, object oid) returns text language sql as
    'select (pg_identify_object(class, object, 0)).identity' $q$);
create table kinds (type text, class text, value text);
insert into kinds select type, class, schema || '.' || value from
    (values ('regclass', 'pg_class', 'thing'), ('regtype', 'pg_type', 'kind'), ('regtype', 'pg_type', 'thing[]'),
    ('regproc', 'pg_proc', 'act'), ('regproc', 'pg_proc', '"Act ""2("""'), ('regprocedure', 'pg_proc', 'act(int)'),
    ('regoper', 'pg_operator', '==='), ('regoperator', 'pg_operator', '===(int4,int4)'), ('regdictionary', 'pg_ts_dict', 'dict'),
    ('regconfig', 'pg_ts_config', 'conf'), ('regcollation', 'pg_collation', 'coll')) v(type, class, value),
    (values ('regress_one'), ('"regress ""Two"""')) s(schema);
insert into kinds values ('regprocedure', 'pg_proc', '"regress ""Two"""."Act ""2("""("regress ""Two""".kind)'),
    ('regclass', 'pg_class', 'pg_catalog.pg_class'), ('regtype', 'pg_type', 'pg_catalog.int4'), ('regtype', 'pg_type', 'text'),
    ('regproc', 'pg_proc', 'pg_catalog.pg_backend_pid'), ('regprocedure', 'pg_proc', 'abs(int4)'), ('regoperator', 'pg_operator', '+(int4,int4)'),
    ('regoper', 'pg_operator', 'pg_catalog.||/'), ('regoperator', 'pg_operator', '-(none,int4)'),
    ('regconfig', 'pg_ts_config', 'simple'), ('regcollation', 'pg_collation', '"C"');
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 options=''-c search_path="regress\\\\ ""Two"""'' port=' :port
create server t_names_binary foreign data wrapper plproxy options (p0 :'p0');
create server t_names_text foreign data wrapper plproxy options (p0 :'p0', disable_binary '1');
create user mapping for public server t_names_binary;
create user mapping for public server t_names_text;
create function far_path() returns text language plproxy as $$ cluster 't_names_binary'; run on 0; select current_setting('search_path'); $$;
select far_path();
-- check(type, class, value): there and back, alone, in arrays, in domains, in rows and as a column list, the object is the same
create procedure check_kind(type text, class text, value text) language plpgsql as $$
declare
    cluster text;
    there text;
    back text;
    array_there text;
    want text;
begin
    execute format('select t_names.name_of(%L, %L::%s)', class, value, type) into want;
    execute format('create domain t_names.dom as %s', type);
    execute format('create type t_names.comp as (r %1$s, rs %1$s[])', type);
    call everywhere(format('create domain t_names.dom as %s', type));
    call everywhere(format('create type t_names.comp as (r %1$s, rs %1$s[])', type));
    call everywhere(format('create function t_names.same(a %1$s) returns %1$s language sql as ''select a''', type));
    call everywhere(format('create function t_names.sames(a %1$s[]) returns %1$s[] language sql as ''select a''', type));
    call everywhere(format('create function t_names.same_dom(a t_names.dom) returns t_names.dom language sql as ''select a''', type));
    call everywhere(format('create function t_names.row_of(a %1$s) returns table (x int, r %1$s, rs %1$s[]) language sql as ''select 1, a, array[a, null, a]''', type));
    call everywhere(format('create function t_names.record_of(a %1$s) returns record language sql as ''select 1, a''', type));
    foreach cluster in array array['t_names_binary', 't_names_text'] loop
        execute format('create function t_names.told(a %s) returns text language plproxy as $f$ cluster %L; run on 0; select t_names.name_of(%L, a); $f$', type, cluster, class);
        execute format('create function t_names.told_dom(a t_names.dom) returns text language plproxy as $f$ cluster %L; run on 0; select t_names.name_of(%L, a::oid); $f$', cluster, class);
        execute format('create function t_names.tolds(a %s[]) returns text language plproxy as $f$ cluster %L; run on 0; select t_names.name_of(%L, (a)[1]) || coalesce((a)[2]::text, '''') || t_names.name_of(%3$L, (a)[3]); $f$', type, cluster, class);
        execute format('create function t_names.told_comp(a t_names.comp) returns text language plproxy as $f$ cluster %L; run on 0; select t_names.name_of(%L, (a).r) || t_names.name_of(%2$L, (a).rs[1]); $f$', cluster, class);
        execute format('create function t_names.same(a %1$s) returns %1$s language plproxy as $f$ cluster %2$L; run on 0; $f$', type, cluster);
        execute format('create function t_names.sames(a %1$s[]) returns %1$s[] language plproxy as $f$ cluster %2$L; run on 0; $f$', type, cluster);
        execute format('create function t_names.same_dom(a t_names.dom) returns t_names.dom language plproxy as $f$ cluster %L; run on 0; $f$', cluster);
        execute format('create function t_names.row_of(a %1$s) returns table (rs %1$s[], x int, r t_names.dom) language plproxy as $f$ cluster %2$L; run on 0; $f$', type, cluster);
        execute format('create function t_names.record_of(a %1$s) returns record language plproxy as $f$ cluster %2$L; run on 0; $f$', type, cluster);
        execute format('select concat_ws('' '', told(v) = w, told_dom(v) = w, tolds(array[v, null, v]) = w || w, told_comp(row(v, array[v])) = w || w)
            from (select %L::%s, %L::text) x(v, w)', value, type, want) into there;
        execute format('select concat_ws('' '', name_of(%1$L, same(v)) = w, name_of(%1$L, same_dom(v)::oid) = w,
            name_of(%1$L, (sames(array[v, null, v]))[3]) = w, sames(array[v, null]) = array[v, null], sames(''{}'') = ''{}'', sames(null) is null,
            (select name_of(%1$L, r::oid) = w and rs = array[v, null, v] and x = 1 from row_of(v)),
            (select name_of(%1$L, r) = w from record_of(v) as (a int, r %3$s)), same(0::oid) = 0, same(null) is null,
            name_of(%1$L, (sames(array_fill(v, array[2], array[3])))[4]) = w, array_lower(sames(array_fill(v, array[2], array[-3])), 1) = -3)
            from (select %2$L::%3$s, %4$L::text) x(v, w)', class, value, type, want) into back;
        if (there, back) is distinct from ('t t t t', 't t t t t t t t t t t t') then
            raise notice '% % %: there % back %', type, value, cluster, there, back;
        end if;
        execute format('drop function t_names.told(%1$s), t_names.told_dom, t_names.tolds, t_names.told_comp, t_names.same(%1$s), t_names.sames, t_names.same_dom, t_names.row_of, t_names.record_of', type);
    end loop;
    call everywhere('set client_min_messages = warning; drop domain t_names.dom cascade; drop type t_names.comp; drop function t_names.same, t_names.sames, t_names.row_of, t_names.record_of');
    drop domain t_names.dom;
    drop type t_names.comp;
end $$;
-- under several paths here; the partition's is always regress "Two"
create procedure check_kinds() language plpgsql as $$
declare
    k record;
    path text;
    n int := 0;
begin
    foreach path in array array['t_names, public', 'regress_one, t_names, public', '"regress ""Two""", t_names, public', 't_names, public, "regress ""Two""", pg_catalog'] loop
        for k in select * from t_names.kinds loop
            perform set_config('search_path', path, true);
            call check_kind(k.type, k.class, k.value);
            if current_setting('search_path') <> path then
                raise notice 'the path is %', current_setting('search_path');
            end if;
            n := n + 1;
        end loop;
    end loop;
    raise notice '% were checked', n;
end $$;
set client_min_messages = notice;
call check_kinds();
-- of a call, what is sent; with an array of several dimensions
set search_path = regress_one, t_names, public;
create function told(a regclass, b regclass[], c regtype, d regproc) returns text language plproxy as $$
    cluster 'parts'; run on 0; select a || ' ' || b::text || ' ' || c || ' ' || d; $$;
select query from plproxy_route('told(regclass,regclass[],regtype,regproc)', 'thing', '{thing,pg_class}', 'kind', 'act');
select query from plproxy_route('told(regclass,regclass[],regtype,regproc)', 'pg_class', '{{thing},{pg_class}}', 'int4', 'pg_backend_pid');
select query from plproxy_route('told(regclass,regclass[],regtype,regproc)', '0', '{}', '-', '99999999');
-- a table of the session's own is not taken for another of its name
reset client_min_messages;
create temp table thing (b int);
create function is_there(a regclass) returns bool language plproxy as $$ cluster 'parts'; run on 0; select a is not null; $$;
do $$ begin perform is_there('thing'); exception when invalid_schema_name or undefined_table then raise notice 'there is none'; end $$;
select is_there('regress_one.thing');
drop table pg_temp.thing;
-- the session's own path is as it was, after an error too
select told('thing', '{thing}', 'kind', 'act');
show search_path;
-- what a body's own SELECT gives has names as the partition writes them
create function written() returns regclass language plproxy as $$ cluster 't_names_text'; run on 0; select '"regress ""Two""".thing'::regclass; $$;
select name_of('pg_class', written());
set client_min_messages = warning;
drop schema t_names cascade;
drop schema regress_one cascade;
drop schema "regress ""Two""" cascade;
call everywhere('drop schema t_names cascade');
call everywhere('drop schema regress_one cascade');
call everywhere('drop schema "regress ""Two""" cascade');
