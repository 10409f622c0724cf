-- What may stand behind TARGET, and what is made of the rest. The output is compared with target.wanted.
\set VERBOSITY terse
set client_min_messages = warning;
create extension plproxy;
create table canary ();
select format('create server c foreign data wrapper plproxy options (p0 %L)', 'host=127.0.0.1 dbname=target user=postgres
    application_name=target port=' || :'port') \gexec
create user mapping for public server c;
create function far(connstr text, q text) returns text language plproxy as $$ connect connstr; select run(q); $$;
create function outcome(body text) returns text language plpgsql as $$
begin
    execute format('create or replace function f(int) returns text language plproxy as %L', body);
    return f(1);
exception when others then
    return regexp_replace(sqlerrm, '^PL/Proxy function public.f\(1\): ', '');
end $$;
-- The three that pass all the same are made of characters of PostgreSQL's identifiers or are a parameter: the partition refuses them.
\echo target_is_no_name:
select outcome('cluster ''c''; run on 0; target ' || target || ';') as outcome, count(*)
    from unnest(array['"f"', '''f''', '"f; drop table canary; --"', 'f; drop table canary; --', 'f(1); drop table canary', '$$f$$',
        'f\', '\f', 'f''', 'f.', '.f', 'f.;', 'f."g"', '"f".g', 'f g', 'f--', 'f/*', 'f --' || chr(10) || 'g', '1', '$1', 'f$', '',
        'select', 'f::text', 'f, g', 'U&"\0066"', 'f' || chr(160), 'f%', '{f}', 'f@g', 'f=g', chr(8220) || 'f' || chr(8221)]) target
    group by 1 order by 1;
\echo target_multibyte:
select far(format('host=127.0.0.1 dbname=target user=postgres port=%s', :'port'),
    'create function é(int) returns text language sql as ''select current_query()''') is null;
select outcome('cluster ''c''; run on 0; target é;');
select outcome('cluster ''c''; run on 0; target public.é;');
\echo target_canaries:
select to_regclass('canary') is not null;
select far(format('host=127.0.0.1 dbname=target user=postgres port=%s', :'port'), 'drop table canary') is null;
