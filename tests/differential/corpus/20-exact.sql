-- Values come back as they went, whatever the sessions' settings: for every type of the catalog, in both transfer
-- modes, through a call and through a given SELECT, with settings of the two sides that differ in all ways.
call everywhere('create schema t_exact');
create schema t_exact;
set search_path = t_exact, public;
create type mood as enum ('sad', 'glad');
create type pair as (at timestamptz, span interval, f float8, b bytea);
create domain recent as timestamptz check (value > '1900-01-01 00:00+00');
create domain spans as interval[];
create type floats as range (subtype = float8);
call everywhere($$
    create type t_exact.mood as enum ('glad', 'sad');
    create type t_exact.pair as (at timestamptz, span interval, f float8, b bytea);
    create domain t_exact.recent as timestamptz check (value > '1900-01-01 00:00+00');
    create domain t_exact.spans as interval[];
    create type t_exact.floats as range (subtype = float8) $$);
create table samples (type text primary key, vals text[]);
insert into samples values
    ('bool', '{t,f}'), ('int2', '{-32768,32767}'), ('int4', '{-2147483648,2147483647}'),
    ('int8', '{-9223372036854775808,9223372036854775807}'),
    ('float4', '{0,-0,0.1,3.4028235e+38,1e-45,1.17549435e-38,16777217,NaN,Infinity,-Infinity}'),
    ('float8', '{0,-0,0.1,0.30000000000000004,1.7976931348623157e+308,5e-324,9007199254740993,NaN,Infinity,-Infinity}'),
    ('numeric', '{0,0.000,-1.50,NaN,Infinity,1e1000,1e-1000,123456789012345678901234567890.123456789}'),
    ('money', '{12.34,-92233720368547758.08}'), ('oid', '{0,4294967295}'),
    ('text', array['', 'a', 'NULL', E'tab\t', E'line\n', E'back\\slash', 'Ångström 日本 😀']),
    ('varchar', '{"",abc}'), ('bpchar', '{"","ab  "}'), ('name', '{"",abc}'), ('"char"', array['', 'a', '\377', '\001']),
    ('bytea', array['', '\x00', '\x5c', '\x00ff5c27616263', '\x5c783030', '\x5c303030']),
    ('xml', '{<a>ö</a>}'), ('json', '{"{\"a\":  1}"}'), ('jsonb', '{"{\"a\": 1e400, \"b\": \"\\u00e9\"}"}'), ('jsonpath', '{$.a}'),
    ('uuid', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'),
    ('date', '{2001-02-03,1999-12-31,4713-01-01 BC,5874897-12-31,infinity,-infinity}'),
    ('time', '{00:00,24:00,12:34:56.789012}'), ('timetz', '{00:00+00,12:34:56.789-08,12:00+13:45:30}'),
    ('timestamp', '{2001-02-03 04:05:06.789012,4713-01-01 BC,294276-12-31 23:59:59.999999,infinity}'),
    ('timestamptz', '{2001-02-03 04:05:06.789012+00,1890-01-01 00:00+00,2001-10-28 00:30+00,4713-01-02 BC,294276-12-31 00:00+00,infinity,-infinity}'),
    ('interval', '{0,1 year 2 mons -3 days 04:05:06.789,-1 mon +1 day -00:00:01.5,-0.000001 s,178000000 years,-1 year,1 day -1 s}'),
    ('inet', '{1.2.3.4/8,::1}'), ('cidr', '{10.0.0.0/8}'), ('macaddr', '{08:00:2b:01:02:03}'), ('macaddr8', '{08:00:2b:01:02:03:04:05}'),
    ('point', '{"(0.30000000000000004,-1e-300)","(NaN,Infinity)"}'), ('line', '{"{0.30000000000000004,-1,0}"}'), ('lseg', '{"[(0.1,0),(1,0.30000000000000004)]"}'),
    ('box', '{"(0.30000000000000004,4),(0.1,2)"}'), ('path', '{"[(0.30000000000000004,0),(1,1)]","((0.1,0),(1,1))"}'),
    ('polygon', '{"((0.30000000000000004,0),(1,1),(2,0))"}'), ('circle', '{"<(0.1,2),0.30000000000000004>"}'),
    ('bit', '{1}'), ('varbit', '{"",101101110}'), ('tsvector', array['''a b'':1A,2 c']), ('tsquery', array['a & !b | c:*']),
    ('pg_lsn', '{16/B374D848}'), ('tid', '{"(42,7)"}'), ('xid', '{7}'), ('cid', '{7}'), ('xid8', '{18446744073709551615}'),
    ('pg_snapshot', array['10:20:10,14']), ('txid_snapshot', array['10:20:10,14']), ('refcursor', '{c}'),
    ('int2vector', array['1 2', '']), ('oidvector', array['1 2']), ('aclitem', '{postgres=r/postgres}'),
    ('regclass', '{pg_class}'), ('regtype', '{integer}'), ('regproc', '{now}'), ('regprocedure', '{now()}'), ('regoper', '{pg_catalog.||/}'),
    ('regoperator', '{"+(integer,integer)"}'), ('regnamespace', '{pg_catalog}'), ('regrole', '{postgres}'), ('regconfig', '{english}'),
    ('regdictionary', '{simple}'), ('regcollation', array['"C"']),
    ('int4range', '{"[1,3)",empty,"(,)"}'), ('int8range', '{"[1,3)"}'), ('numrange', '{"[0.10,3)"}'), ('daterange', '{"[2001-02-03,infinity)"}'),
    ('tsrange', '{"[2001-02-03 04:05,)"}'), ('tstzrange', '{"[2001-02-03 04:05+00,2001-10-28 00:30+00)"}'),
    ('t_exact.mood', '{sad,glad}'), ('t_exact.recent', '{2001-02-03 04:05:06+00}'), ('t_exact.spans', array['{1 mon -1 day,"-00:00:01"}']),
    ('t_exact.floats', '{"[0.1,0.30000000000000004)"}'),
    ('t_exact.pair[]', array[$${"(2001-02-03 04:05:06+00,\"1 mon -1 day\",0.30000000000000004,\"\\\\x00ff\")"}$$]);
-- arrays of all
insert into samples select type || '[]', array[array[vals[1]]::text, (select array_agg(v)::text from unnest(vals || null::text) v)]
    from samples where type !~ '\[\]|spans|box';
insert into samples values ('box[]', array['{(0.30000000000000004,4),(0.1,2);(2,2),(0,0)}']);
-- every type of the catalog has its sample, but those whose values cannot be written
select format_type(t.oid, null) from pg_type t
where t.typtype in ('b', 'r') and t.typnamespace = 'pg_catalog'::regnamespace and t.typrelid = 0
    and not exists (select from samples s where s.type::regtype = t.oid)
    and format_type(t.oid, null) !~ '^(pg_.*|information_schema.*|gtsvector|cstring|.*multirange)(\[\])?$' and t.typelem not in (select reltype from pg_class where reltype <> 0)
order by 1;
create function settings_of(n int, out d text, out i text, out z text, out e text, out b text) language sql immutable as $$
    select (array['ISO, MDY', 'SQL, DMY', 'German, DMY', 'Postgres, MDY'])[1 + n % 4],
        (array['postgres', 'sql_standard', 'iso_8601', 'postgres_verbose'])[1 + n % 4],
        (array['UTC', 'Asia/Kathmandu', 'America/New_York', 'Europe/Berlin'])[1 + n % 4],
        (array['1', '0', '-15', '3'])[1 + n % 4], (array['hex', 'escape'])[1 + n % 2] $$;
create function set_far(statement text) returns void language plproxy as $$ cluster 'parts'; run on 0; target public.exec; $$;
create function set_far_text(statement text) returns void language plproxy as $$ cluster 'parts_text'; run on 0; target public.exec; $$;
create function set_statement(n int) returns text language sql as $$
    select format('set datestyle = %L; set intervalstyle = %L; set timezone = %L; set extra_float_digits = %s; set bytea_output = %L', d, i, z, e, b) from t_exact.settings_of(n) $$;
-- make(text): the value that a text means, and told(value): the text of a value, both under fixed settings, on either side
create table results (type text, mode text, form text, good int, bad int, example text);
create procedure check_exact(kind text, vals text[]) language plpgsql as $$
declare mode text; far int; near int; form text; val text; there text; back text; forms text[] := array['told(same_%s(make($1)))', 'told(given_%s(make($1)))', 'there_%s(make($1))', 'told(back_%s($1))', 'told(gives_%s($1))'];
begin
    drop function if exists make(text), back_parts(text), back_parts_text(text), gives_parts(text), gives_parts_text(text);
    call everywhere('drop function if exists t_exact.make(text)');
    execute format('create function make(v text) returns %s language plpgsql set datestyle = ''ISO, MDY'' set intervalstyle = ''postgres'' set timezone = ''UTC'' as ''begin return v::%1$s; end''', kind);
    execute format('create function told(v %s) returns text language plpgsql set datestyle = ''ISO, MDY'' set intervalstyle = ''postgres'' set timezone = ''UTC'' set extra_float_digits = 3 set bytea_output = ''hex'' as ''begin return v::text; end''', kind);
    call everywhere(format('create function t_exact.told(v %s) returns text language plpgsql set datestyle = ''ISO, MDY'' set intervalstyle = ''postgres'' set timezone = ''UTC'' set extra_float_digits = 3 set bytea_output = ''hex'' as ''begin return v::text; end''', kind));
    call everywhere(format('create function t_exact.same(v %s) returns %1$s language sql as ''select v''', kind));
    call everywhere(format('create function t_exact.make(v text) returns %s language plpgsql set datestyle = ''ISO, MDY'' set intervalstyle = ''postgres'' set timezone = ''UTC'' as ''begin return v::%1$s; end''', kind));
    foreach mode in array array['parts', 'parts_text'] loop
        execute format('create function same_%s(v %s) returns %2$s language plproxy as $f$ cluster %1$L; run on 0; target t_exact.same; $f$', mode, kind);
        execute format('create function given_%s(v %s) returns %2$s language plproxy as $f$ cluster %1$L; run on 0; select v; $f$', mode, kind);
        execute format('create function there_%s(v %s) returns text language plproxy as $f$ cluster %1$L; run on 0; target t_exact.told; $f$', mode, kind);
        execute format('create function back_%s(v text) returns %s language plproxy as $f$ cluster %1$L; run on 0; target t_exact.make; $f$', mode, kind);
        execute format('create function gives_%s(v text) returns %s language plproxy as $f$ cluster %1$L; run on 0; select t_exact.make(v); $f$', mode, kind);
        for near in 0..3 loop
            foreach far in array case when kind like '%[]' then array[(near + 1) % 4] else array[(near + 1) % 4, (near + 3) % 4] end loop
                perform set_far(set_statement(far));
                perform set_far_text(set_statement(far));
                execute set_statement(near);
                foreach val in array vals loop
                    execute 'select told(make($1))' into there using val;
                    foreach form in array forms loop
                        begin
                            execute format('select ' || form, mode) into back using val;
                        exception when others then
                            back := sqlstate;
                        end;
                        insert into t_exact.results values (kind, mode, form, (back is not distinct from there)::int, (back is distinct from there)::int,
                            case when back is distinct from there then format('%s there %s: %s came as %s', near, far, there, back) end);
                    end loop;
                end loop;
            end loop;
        end loop;
    end loop;
end $$;
set client_min_messages = error;
select format('call check_exact(%L, %L)', type, vals) from samples order by type \gexec
call check_exact('tstzmultirange', array['{[2001-02-03 04:05+00,2001-10-28 00:30+00)}']);
reset all;
select count(*) > 10000 as many from t_exact.results;
create view t_exact.judged as select case when type ~ 't_exact.(floats|pair)' then 'rows' when type ~ '^timestamptz' then 'zones' when type ~ 'date|time|ts.*range|interval|recent|spans' then 'dates' when type ~ 'float|point|line|lseg|box|path|polygon|circle' then 'floats' else 'others' end as types,
    mode, case when form ~ 'given|gives' then 'select' else 'call' end as form, bool_and(bad = 0) as exact from t_exact.results where type !~ 'multirange' group by 1, 2, 3;
select exact from t_exact.judged where types = 'dates' and mode = 'parts' and form = 'call';
select exact from t_exact.judged where types = 'dates' and mode = 'parts_text' and form = 'call';
select exact from t_exact.judged where types = 'dates' and mode = 'parts' and form = 'select';
select exact from t_exact.judged where types = 'dates' and mode = 'parts_text' and form = 'select';
select exact from t_exact.judged where types = 'zones' and mode = 'parts' and form = 'call';
select exact from t_exact.judged where types = 'zones' and mode = 'parts_text' and form = 'call';
select exact from t_exact.judged where types = 'zones' and mode = 'parts' and form = 'select';
select exact from t_exact.judged where types = 'zones' and mode = 'parts_text' and form = 'select';
select exact from t_exact.judged where types = 'floats' and mode = 'parts' and form = 'call';
select exact from t_exact.judged where types = 'floats' and mode = 'parts_text' and form = 'call';
select exact from t_exact.judged where types = 'floats' and mode = 'parts' and form = 'select';
select exact from t_exact.judged where types = 'floats' and mode = 'parts_text' and form = 'select';
select exact from t_exact.judged where types = 'rows' and mode = 'parts' and form = 'call';
select exact from t_exact.judged where types = 'rows' and mode = 'parts_text' and form = 'call';
select exact from t_exact.judged where types = 'rows' and mode = 'parts' and form = 'select';
select exact from t_exact.judged where types = 'rows' and mode = 'parts_text' and form = 'select';
select bool_and(exact) from t_exact.judged where types = 'others';
