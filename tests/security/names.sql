-- Names that try to break out of the statement in which they stand. For each kind of object and each name: the object is
-- made here and on the partition, a call goes through it, and the text of the statement that arrived there must be that of
-- a harmless name with this one in its place, quoted as PostgreSQL itself does it.
--
-- Variables: port and db of the partition; the application name of the calls; more names, as the digits of their UTF-8;
-- the kinds of objects.
create extension plproxy;
create table canary ();
create function far_run(connstr text, q text) returns text language plproxy as $$ connect connstr; select run(q); $$;
select set_config('test.part', format('host=127.0.0.1 port=%s user=postgres dbname=%s application_name=', :'port', :'db'),
    false) is null;
create function far(q text) returns text language sql as $$ select far_run(current_setting('test.part') || 'arrange', q) $$;
create function on_both(q text) returns void language plpgsql as $$ begin execute q; perform far(q); end $$;
-- A partition of the calls, by more of a connection string or none.
create function calls(more text default '') returns text language sql as
    $$ select current_setting('test.part') || current_setting('test.app') || more $$;
select set_config('test.app', :'app', false) is null;
create function cluster(name text, connstr text) returns void language plpgsql as $$
begin
    execute format('create server %I foreign data wrapper plproxy options (p0 %L)', name, connstr);
    execute format('create user mapping for public server %I options (user ''postgres'')', name);
end $$;
select cluster('c', calls()) is null;

create table names (id int generated always as identity, name text);
-- These are as they stand, whatever the database's setting is.
set standard_conforming_strings = on;
insert into names (name) values
    ('"'), ('""'), ('a"b'), ('"; drop table canary; --'), ('a"(1); drop table canary; --'), ('\"; drop table canary; --'),
    (''''), ('a''b'), ('''; drop table canary; --'), ('\''; drop table canary; --'), ('\'), ('a\'), ('\\'), ('E''\'''),
    ('a.b'), ('"a"."b"'), ('a;b'), ('; drop table canary; --'), ('); drop table canary; --'), ('$$'),
    ('$$; drop table canary; $$'), ('$1'), ('$1::int4); drop table canary; --'), ('a--b'), ('--'), ('/*'), ('a/*b'),
    ('*/ drop table canary; /*'), (E'a\nb'), (E'--\n; drop table canary'), (E'\r\n\t'), (' '), ('%I%s%n%'), ('{}'),
    ('U&"\0022'), ('select'), ('USER'), ('Aa'), ('1'), (repeat('"', 63)), (repeat('x', 62) || ''''), (repeat(';', 63));
reset standard_conforming_strings;
-- Characters of several bytes that both databases have.
insert into names (name) select convert_from(decode(hex, 'hex'), 'UTF8') from unnest(:'more'::text[]) hex;

-- The statement that arrived.
create function attempt(kind text, id int, name text) returns text language plpgsql as $$
declare
    f text := format('%s.f_%s', kind, id);
    signature text := '(int4) returns text';
    body text := 'cluster ''c''; run on 0;';
    remote text := 'select current_query()';
    arg text := '1';
    answer text := 'q';
    told text;
    routed text;
begin
    case kind
        when 'function' then
            f := format('function.%I', name);
        when 'schema' then
            f := format('%I.f', name);
            perform on_both(format('create schema %I', name));
        when 'argument' then
            signature := format('(%I int4) returns text', name);
        when 'columns' then
            signature := format('(int4, out %I text, out other int4)', name);
            remote := 'select current_query(), 1';
            answer := quote_ident(name);
        when 'columns_of_set' then
            signature := format('(int4) returns table (%I text, other int4)', name);
            remote := 'select current_query(), 1';
            answer := quote_ident(name);
        when 'enum' then
            perform on_both(format('create type enum.%I as enum (%L)', name, name));
            signature := format('(a enum.%I, out q text, out v enum.%I)', name, name);
            remote := 'select current_query(), a';
            arg := quote_literal(name);
            answer := format('case when v = %L then q end', name);
        when 'composite' then
            perform on_both(format('create type composite.%I as (%I text, other int4)', name, name));
            signature := format('(a composite.%I) returns composite.%I', name, name);
            remote := 'select current_query(), 1';
            arg := format('row(''x'', 2)::composite.%I', name);
            answer := quote_ident(name);
        when 'domain' then
            perform on_both(format('create domain domain.%I as int4 check (value > 0)', name));
            signature := format('(a domain.%I, out q text, out v domain.%I)', name, name);
            remote := 'select current_query(), a';
            answer := 'case when v = 1 then q end';
        when 'array' then
            perform on_both(format('create type "array".%I as enum (%L)', name, name));
            f := format('"array".f_%s', id);
            signature := format('(a "array".%I[], out q text, out v "array".%I[])', name, name);
            remote := 'select current_query(), a';
            arg := format('array[%L]::"array".%I[]', name, name);
            answer := format('case when v = array[%L]::"array".%I[] then q end', name, name);
        when 'cluster' then
            perform cluster(name, calls());
            -- The language's strings know no escapes.
            body := 'cluster ''' || replace(name, '''', '''''') || '''; run on 0;';
        when 'cluster_function' then
            -- Here it is SQL, within the argument of a local function.
            execute format('create function cluster_function.name_%s(text) returns text language sql as %L', id,
                format('select case when $1 = %L then ''c'' end', name));
            body := format('cluster cluster_function.name_%s(%L); run on 0;', id, name);
        when 'option' then
            -- A session's setting, quoted for the server's command line and again for the connection string.
            perform cluster('option_' || id, calls(' options=''' || regexp_replace(
                '-c test.x=' || regexp_replace(name, E'([\\s\\\\])', E'\\\\\\1', 'g'), E'([\\\\''])', E'\\\\\\1', 'g') || ''''));
            body := format('cluster ''option_%s''; run on 0;', id);
            remote := 'select current_query() || '' '' || current_setting(''test.x'')';
    end case;
    execute 'create function ' || f || signature || ' language plproxy as ' || quote_literal(body);
    perform far('create function ' || f || signature || ' language sql as ' || quote_literal(remote));
    execute format('select %s from %s(%s) q', answer, f, arg) into told;
    -- What plproxy_route says of it, the argument standing in its place.
    if kind in ('function', 'schema', 'argument', 'columns', 'cluster', 'cluster_function') then
        select query into routed from plproxy_route(
            (select max(p.oid) from pg_proc p join pg_language l on l.oid = prolang where lanname = 'plproxy')::regprocedure,
            variadic array[arg]);
        if routed <> replace(told, '($1::int4)', format('(%L::int4)', arg)) then
            return told || ' routed as ' || routed;
        end if;
    end if;
    return told;
end $$;

create table seen (kind text, name text, told text, wanted text);
create procedure attempts(kinds text) language plpgsql as $$
declare
    kind text;
    plain text;
    n names;
    told text;
    quoted text;
begin
    foreach kind in array kinds::text[] loop
        perform on_both('create schema ' || quote_ident(kind));
        plain := attempt(kind, 0, 'zz_plain');
        for n in select * from names loop
            told := attempt(kind, n.id, n.name);
            quoted := case kind
                when 'array' then (select quote_ident(a.typname) from pg_type t join pg_type a on a.oid = t.typarray
                    where t.typname = n.name and t.typnamespace = to_regnamespace(quote_ident(kind)))
                -- It is none of the statement's names.
                when 'option' then n.name
                else quote_ident(n.name)
            end;
            insert into seen values (kind, n.name, told, replace(replace(plain, 'f_0', 'f_' || n.id),
                case kind when 'array' then '_zz_plain' else 'zz_plain' end, quoted));
        end loop;
        commit;
    end loop;
end $$;
call attempts(:'kinds');
\o
select 'attempts', count(*) > 20 * cardinality(:'kinds'::text[]) from seen;
select 'other', kind, name, told, wanted from seen where told is distinct from wanted;
-- What the administrators' function says of all of them, by statements of its own.
select 'problem', function, problem from plproxy_check_functions('c') where not ok;
select 'canaries', to_regclass('canary') is not null, far_run(current_setting('test.part') || 'arrange', 'drop table canary') is null;
select count(*) + cardinality(:'kinds'::text[]) from seen;
