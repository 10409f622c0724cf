-- Values come back as they went, to the last bit, for every type and in every way, whatever the settings of the two sides.
create schema t_exact;
set search_path = t_exact, public;
call everywhere('create schema t_exact');
select current_setting('port') as port \gset
-- four partitions whose sessions have settings of their own, by the connection string or by the database
\set p0 'dbname=regress_part0 host=127.0.0.1 options=''-c datestyle=German,DMY -c intervalstyle=sql_standard -c timezone=Asia/Kolkata -c extra_float_digits=-15 -c bytea_output=escape -c xmlbinary=hex'' port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 application_name=exact port=' :port
\set p2 'dbname=regress_part2 host=127.0.0.1 options=''-c datestyle=Postgres,MDY -c intervalstyle=postgres_verbose -c timezone=America/New_York -c extra_float_digits=3'' port=' :port
\set p3 'dbname=regress_part3 host=127.0.0.1 options=''-c datestyle=ISO,YMD -c timezone=Europe/Berlin -c extra_float_digits=-4 -c bytea_output=escape'' port=' :port
alter database regress_part1 set datestyle = 'SQL, DMY';
alter database regress_part1 set intervalstyle = 'iso_8601';
alter database regress_part1 set timezone = 'Australia/Sydney';
alter database regress_part1 set extra_float_digits = 0;
create server t_exact_binary foreign data wrapper plproxy options (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3');
create server t_exact_text foreign data wrapper plproxy options (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3', disable_binary '1');
create user mapping for public server t_exact_binary;
create user mapping for public server t_exact_text;
create type pair as (at timestamptz, f float8);
create type deep as (n int, p pair[], r tstzrange);
create type mood as enum ('sad', 'glad');
create domain recent as timestamptz check (value > '1900-01-01 00:00+00');
create domain ratio as float4;
create domain ratios as ratio[];
create type floats as range (subtype = float8);
create table item (at timestamptz, gone int, p point, "f" float8);
alter table item drop gone;
call everywhere($$
    create type t_exact.pair as (at timestamptz, f float8);
    create type t_exact.deep as (n int, p t_exact.pair[], r tstzrange);
    create type t_exact.mood as enum ('glad', 'sad');
    create domain t_exact.recent as timestamptz check (value > '1900-01-01 00:00+00');
    create domain t_exact.ratio as float4;
    create domain t_exact.ratios as t_exact.ratio[];
    create type t_exact.floats as range (subtype = float8);
    create table t_exact.item (at timestamptz, p point, "f" float8) $$);
create table samples (type text primary key, vals text[]);
insert into samples values
    ('bool', '{t,f}'), ('int2', '{-32768,32767}'), ('int4', '{-2147483648,2147483647}'),
    ('int8', '{-9223372036854775808,9223372036854775807}'),
    ('float4', '{-0,0.3,3.4028235e+38,1e-45,1.1754944e-38,16777215,3.1415927,NaN,Infinity,-Infinity}'),
    ('float8', '{-0,0.30000000000000004,1.7976931348623157e+308,5e-324,2.2250738585072014e-308,9007199254740993,NaN,Infinity,-Infinity}'),
    ('numeric', '{0.000,-1.50,NaN,Infinity,-Infinity,1e1000,1e-1000,123456789012345678901234567890.123456789}'),
    ('money', '{12.34,-92233720368547758.08,92233720368547758.07}'), ('oid', '{0,4294967295}'),
    ('text', array['', 'a', 'NULL', E'tab\t', E'line\n', E'back\\slash', 'Ångström 日本 😀']),
    ('varchar', '{"",abc}'), ('bpchar', '{"","ab  "}'), ('name', '{"",abc}'), ('"char"', array['', 'a', E'\001']),
    ('bytea', array['', '\x00', '\x5c', '\x00ff5c27616263', '\x5c783030', '\x5c303030']),
    ('xml', '{<a>ö</a>,a<b/>}'), ('json', '{"{\"a\":  1}"}'), ('jsonb', '{"{\"a\": 1e400, \"b\": \"\\u00e9\"}"}'),
    ('jsonpath', '{$.a}'), ('uuid', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'), ('refcursor', '{c}'),
    ('date', '{2001-02-03,1999-12-31,4714-11-24 BC,5874897-12-31,infinity,-infinity}'),
    ('time', '{00:00,24:00,12:34:56.789012}'), ('timetz', '{00:00+00,12:34:56.789012-08,12:00+13:45:30,00:00-15:59:59}'),
    ('timestamp', '{2001-02-03 04:05:06.789012,4714-11-24 BC,294276-12-31 23:59:59.999999,infinity,-infinity}'),
    ('timestamptz', '{2001-02-03 04:05:06.789012+00,1890-01-01 00:00+00,1883-11-18 17:00:02+00,2001-10-28 00:30+00,2001-10-28 05:30+00,2001-10-28 06:30+00,2001-03-24 15:30+00,2001-03-24 16:30+00,4714-11-24 00:00+00 BC,294276-12-31 23:59:59.999999+00,infinity,-infinity}'),
    ('interval', '{0,1 year 2 mons -3 days 04:05:06.789,-1 mon +1 day -00:00:01.5,-0.000001 s,178000000 years,-178000000 years,1 day -1 s,-1 year -2 mons -3 days -04:05:06.789012}'),
    ('inet', '{1.2.3.4/8,::1,fe80::1/64}'), ('cidr', '{10.0.0.0/8,2001:db8::/32}'), ('macaddr', '{08:00:2b:01:02:03}'),
    ('macaddr8', '{08:00:2b:01:02:03:04:05}'),
    ('point', '{"(0.30000000000000004,-2.2250738585072014e-308)","(NaN,Infinity)","(-0,5e-324)"}'),
    ('line', '{"{0.30000000000000004,-1,1.7976931348623157e+308}"}'), ('lseg', '{"[(0.30000000000000004,0),(1,1e-17)]"}'),
    ('box', '{"(0.30000000000000004,4),(0.1,2)"}'), ('path', '{"[(0.30000000000000004,0),(1,1)]","((0.30000000000000004,0),(1,1))"}'),
    ('polygon', '{"((0.30000000000000004,0),(1,1),(2,0))"}'), ('circle', '{"<(0.1,2),0.30000000000000004>"}'),
    ('bit', '{1}'), ('varbit', '{"",101101110}'), ('tsvector', array['''a b'':1A,2 c']), ('tsquery', array['a & !b | c:*']),
    ('pg_lsn', '{16/B374D848,FFFFFFFF/FFFFFFFF}'), ('tid', '{"(4294967295,65535)"}'), ('xid', '{4294967295}'), ('cid', '{7}'),
    ('xid8', '{18446744073709551615}'), ('pg_snapshot', array['10:20:10,14']), ('txid_snapshot', array['10:20:10,14']),
    ('int2vector', array['1 -32768', '']), ('oidvector', array['1 4294967295', '']),
    ('regclass', '{pg_class}'), ('regtype', '{integer}'), ('regproc', '{now}'), ('regprocedure', '{now()}'),
    ('regoper', '{pg_catalog.||/}'), ('regoperator', '{"+(integer,integer)"}'), ('regnamespace', '{pg_catalog}'),
    ('regrole', '{pg_monitor}'), ('regconfig', '{english}'), ('regdictionary', '{simple}'), ('regcollation', array['"C"']),
    ('int4range', '{"[-2147483648,3)",empty,"(,)"}'), ('int8range', '{"[1,3)"}'), ('numrange', '{"[0.10,3)"}'),
    ('daterange', '{"[2001-02-03,infinity)","(,2001-03-02)"}'), ('tsrange', '{"[2001-02-03 04:05:06.789012,)"}'),
    ('tstzrange', '{"[2001-02-03 04:05+00,2001-10-28 06:30:00.000001+00)","(-infinity,1890-01-01 00:00+00]"}'),
    ('int4multirange', '{"{[1,3),[5,7)}","{}"}'), ('int8multirange', '{"{[1,3)}"}'), ('nummultirange', '{"{[0.10,3)}"}'),
    ('datemultirange', '{"{[2001-02-03,2001-03-02),[2001-12-11,)}"}'), ('tsmultirange', '{"{[2001-02-03 04:05,2001-03-02 00:00)}"}'),
    ('tstzmultirange', '{"{[2001-02-03 04:05+00,2001-10-28 06:30+00)}"}'),
    ('t_exact.mood', '{sad,glad}'), ('t_exact.recent', '{2001-02-03 04:05:06+00}'), ('t_exact.ratio', '{3.1415927}'),
    ('t_exact.ratios', '{"{3.1415927,1e-45,NULL}"}'), ('t_exact.floats', '{"[0.1,0.30000000000000004)"}');
-- a refcursor is sent as the text that it is, so only its array has a function
update samples set type = 'refcursor[]', vals = array[vals::text] where type = 'refcursor';
-- of 19 and later, if both sides are
create function known_there(type text) returns bool language plproxy
    as $$ cluster 't_exact_binary'; run on 0; select to_regtype(type) is not null; $$;
insert into samples select * from (values ('oid8', '{0,9223372036854775808,18446744073709551615}'::text[]),
    ('regdatabase', '{template1}')) v (type, vals) where to_regtype(type) is not null and known_there(type);
-- arrays of all
insert into samples select type || '[]', array[(select array_agg(v)::text from unnest(vals || null::text) v)]
    from samples where type !~ 'box|refcursor';
insert into samples values ('box[]', '{"{(0.30000000000000004,4),(0.1,2);(2,2),(0,0);NULL}"}'),
    ('t_exact.pair[]', array[$${"(2001-02-03 04:05:06+00,0.30000000000000004)","(infinity,)",NULL}$$]),
    ('t_exact.deep[]', array[$${"(1,\"{\"\"(\\\\\"\"2001-10-28 06:30:00+00\\\\\"\",5e-324)\"\"}\",\"[\"\"2001-10-28 05:30:00+00\"\",)\")"}$$]),
    ('t_exact.item[]', array[$${"(2001-02-03 04:05:06+00,\"(0.30000000000000004,0)\",1e-320)"}$$]);
-- no type of the catalog is left out but those whose values cannot be written or sent
select format_type(t.oid, null) from pg_type t
where t.typtype in ('b', 'r', 'm') and t.typnamespace = 'pg_catalog'::regnamespace and t.typsend <> 0
    and not exists (select from samples s where s.type::regtype = t.oid)
    and t.typname !~ '^_?(pg_(brin|dependencies|mcv|ndistinct|node).*|cstring|record|aclitem|gtsvector)$|^refcursor$'
    and t.typelem not in (select reltype from pg_class where reltype <> 0)
    and (t.typname !~ '^_?(oid8|regdatabase)$' or known_there(t.typname))
order by 1;
create function near_settings(n int) returns void language sql as $$
    select set_config('datestyle', (array['ISO, MDY', 'SQL, DMY', 'German, DMY', 'Postgres, MDY'])[1 + n], false),
        set_config('intervalstyle', (array['postgres', 'sql_standard', 'iso_8601', 'postgres_verbose'])[1 + n], false),
        set_config('timezone', (array['UTC', 'Asia/Kathmandu', 'America/New_York', 'Australia/Sydney'])[1 + n], false),
        set_config('extra_float_digits', (array['1', '0', '-15', '3'])[1 + n], false),
        set_config('bytea_output', (array['hex', 'escape'])[1 + n % 2], false);
$$;
-- check_exact(type, values): what goes there, and what comes back through a call and through a given SELECT, in binary
-- and as text, is compared by the type's send function; what differs is told
create table counted (good bool);
create procedure check_exact(kind text, vals text[]) language plpgsql as $$
declare
    send regproc := (select typsend from pg_type where oid = kind::regtype);
    built_in bool := kind !~ 't_exact';
    far int;
    form text;
    val text;
    there bytea;
    back bytea;
    forms text[] := array['%1$s(same_binary(%2$s, make(v)))', '%1$s(same_text(%2$s, make(v)))',
        '%1$s(given_binary(%2$s, make(v)))', '%1$s(given_text(%2$s, make(v)))'];
begin
    if built_in then
        forms := forms || array['there_binary(%2$s, make(v))', 'there_text(%2$s, make(v))'];
    end if;
    execute format($f$
        create function make(v text) returns %1$s language plpgsql
            set datestyle = 'ISO, MDY' set intervalstyle = 'postgres' set timezone = 'UTC' as 'begin return v::%1$s; end';
        create function same_binary(n int, v %1$s) returns %1$s language plproxy
            as 'cluster ''t_exact_binary''; run on n; target t_exact.same;';
        create function same_text(n int, v %1$s) returns %1$s language plproxy
            as 'cluster ''t_exact_text''; run on n; target t_exact.same;';
        create function given_binary(n int, v %1$s) returns %1$s language plproxy
            as 'cluster ''t_exact_binary''; run on n; select v;';
        create function given_text(n int, v %1$s) returns %1$s language plproxy
            as 'cluster ''t_exact_text''; run on n; select v;';
        create function there_binary(n int, v %1$s) returns bytea language plproxy
            as 'cluster ''t_exact_binary''; run on n; select %2$s(v);';
        create function there_text(n int, v %1$s) returns bytea language plproxy
            as 'cluster ''t_exact_text''; run on n; select %2$s(v);' $f$, kind, send);
    for near in 0..3 loop
        perform near_settings(near);
        foreach far in array array[near, (near + 2) % 4] loop
            foreach form in array forms loop
                form := format(form, send, far);
                begin
                    for val, there, back in execute format('select v, %s(make(v)), %s from unnest($1) v', send, form) using vals loop
                        if back is distinct from there then
                            raise warning '% %, here %, there %: % came as %', form, val, near, far, there, back;
                        end if;
                        insert into t_exact.counted values (back is not distinct from there);
                    end loop;
                exception when others then
                    raise warning '% %, here %, there %: %', form, kind, near, far, sqlerrm;
                    insert into t_exact.counted values (false);
                end;
            end loop;
        end loop;
    end loop;
    perform near_settings(0);
    execute format('drop function make(text), same_binary(int, %1$s), same_text(int, %1$s), given_binary(int, %1$s),
        given_text(int, %1$s), there_binary(int, %1$s), there_text(int, %1$s)', kind);
end $$;
\set ECHO none
select string_agg(format('create function t_exact.same(n int, v %s) returns %1$s language sql as ''select v''', type), ';') as same
from samples \gset
call everywhere(:'same');
begin;
select format('call check_exact(%L, %L)', type, vals) from samples order by type \gexec
commit;
\set ECHO all
select count(*) > 10000 as many, bool_and(good) as all_good from counted;
-- rows, and columns that come with the call
set timezone = 'Asia/Kathmandu';
set datestyle = 'SQL, DMY';
call everywhere($$ create function t_exact.rows(n int, out at timestamptz, out f float8, out p point, out i interval, out w t_exact.pair,
        out d date) language sql as
    'select ''2001-10-28 06:30+00''::timestamptz, 0.1::float8 + 0.2::float8, point(1e-17, 0.1::float8 + 0.2::float8), ''-1 day +1 s''::interval,
        row(''2001-10-28 06:30+00'', 5e-324)::t_exact.pair, ''2001-02-03''::date' $$);
create function rows_binary(n int, out at timestamptz, out f float8, out p point, out i interval, out w pair, out d date) language plproxy
    as $$ cluster 't_exact_binary'; run on n; target t_exact.rows; $$;
create function rows_text(n int, out at timestamptz, out f float8, out p point, out i interval, out w pair, out d date) language plproxy
    as $$ cluster 't_exact_text'; run on n; target t_exact.rows; $$;
create function rows_given(n int, out at timestamptz, out f float8, out p point, out i interval, out w pair, out d date) language plproxy
    as $$ cluster 't_exact_binary'; run on n; select * from t_exact.rows(n); $$;
create function rows_record(n int) returns record language plproxy
    as $$ cluster 't_exact_text'; run on n; target t_exact.any_rows; $$;
call everywhere('create function t_exact.any_rows(n int) returns record language sql as ''select t_exact.rows(n)''');
create function is_right(at timestamptz, f float8, p point, i interval, w pair, d date) returns bool language sql as $$
    select at = '2001-10-28 06:30+00' and f = 0.30000000000000004 and p[0] = 1e-17 and p[1] = 0.30000000000000004
        and i = '-1 day +1 s' and (w).at = '2001-10-28 06:30+00' and (w).f = 5e-324 and d = date '2001-02-03' $$;
select n, (select is_right(at, f, p, i, w, d) from rows_binary(n)) as binary,
    (select is_right(at, f, p, i, w, d) from rows_text(n)) as text,
    (select is_right(at, f, p, i, w, d) from rows_given(n)) as given,
    (select is_right(at, f, p, i, w, d) from rows_record(n) as (at timestamptz, f float8, p point, i interval, w pair, d date)) as record
from generate_series(0, 3) n, generate_series(1, 2);
-- a domain's check is done under the session's own settings, whatever the partition's are
create domain dmy as date check (value::text = '03/02/2001');
create domain dmy_pair as pair check ((value).at::text like '28/10/2001 %');
create domain dmy_not_null as dmy not null check (current_setting('datestyle') = 'SQL, DMY');
call everywhere('create domain t_exact.dmy as date; create domain t_exact.dmy_pair as t_exact.pair; create domain t_exact.dmy_not_null as date');
create function dmy_given(n int) returns dmy language plproxy as $$ cluster 't_exact_binary'; run on n; select d from t_exact.rows(n); $$;
create function dmy_set(n int) returns setof dmy_not_null language plproxy as $$
    cluster 't_exact_binary'; run on n; select d from t_exact.rows(n), generate_series(1, 2); $$;
create function dmy_pairs(n int) returns dmy_pair language plproxy as $$
    cluster 't_exact_binary'; run on n; select (w).* from t_exact.rows(n); $$;
create function dmy_wrong(n int) returns dmy language plproxy as $$ cluster 't_exact_binary'; run on n; select d + 1 from t_exact.rows(n); $$;
create function dmy_null(n int) returns dmy_not_null language plproxy as $$ cluster 't_exact_binary'; run on n; select null::date; $$;
select n, dmy_given(n), array(select dmy_set(n)), (dmy_pairs(n)).at from generate_series(0, 3) n;
select outcome(format('select dmy_wrong(%s)', n)), outcome(format('select dmy_null(%s)', n)) from generate_series(0, 3) n;
show datestyle;
reset datestyle;
reset timezone;
-- a statement sees the partition's own settings, whatever ran on the connection before it; not so the one that needs others
create function settings_there(n int) returns text language plproxy as $$
    cluster 't_exact_text'; run on n; select current_setting('datestyle') || '; ' || current_setting('extra_float_digits'); $$;
create function settings_seen(n int, out f float8, out t timestamptz, out seen text) language plproxy as $$
    cluster 't_exact_text'; run on n;
    select 0.1::float8 + 0.2::float8 as f, '2001-10-28 06:30+00'::timestamptz as t,
        current_setting('datestyle') || '; ' || current_setting('extra_float_digits') as seen; $$;
create function settings_digits(n int, out f float8, out seen text) language plproxy as $$
    cluster 't_exact_text'; run on n;
    select 0.1::float8 + 0.2::float8 as f, current_setting('datestyle') || '; ' || current_setting('extra_float_digits') as seen; $$;
select n, settings_there(n) from generate_series(0, 3) n;
select n, (settings_seen(n)).seen from generate_series(0, 3) n;
select n, settings_there(n) from generate_series(0, 3) n;
select n, (settings_digits(n)).* from generate_series(0, 3) n;
select n, (settings_seen(n)).f, (settings_digits(n)).f, settings_there(n) from generate_series(0, 3) n, generate_series(1, 2);
-- settings that change while rows come, by the remote function itself: every row is right
call everywhere($$ create function t_exact.turning(n int) returns table (d date, t timestamp, z timestamptz, i interval, a date[], r daterange)
    language plpgsql as $f$
begin
    for at in 1 .. n loop
        if at % 100 = 1 then
            perform set_config('datestyle', (array['SQL, DMY', 'SQL, MDY', 'German', 'Postgres, DMY', 'ISO, DMY'])[1 + at / 100 % 5], false);
            perform set_config('intervalstyle', (array['sql_standard', 'postgres', 'iso_8601'])[1 + at / 100 % 3], false);
        end if;
        d := date '2001-01-01' + at % 4000; t := d + time '01:02:03'; z := d::timestamp at time zone 'UTC';
        i := make_interval(years => -1, months => 2, days => at, secs => -3); a := array[d, d + 1]; r := daterange(d, d + 10);
        return next;
    end loop;
end $f$ $$);
create function turning_target(n int, many int, out d date, out t timestamp, out z timestamptz, out i interval, out a date[], out r daterange)
    returns setof record language plproxy as $$ cluster 't_exact_binary'; run on n; select r.*, 1 as more from t_exact.turning(many) r; $$;
create function turning_select(n int, many int, out r daterange, out d date, out a date[], out t timestamp, out z timestamptz, out i interval)
    returns setof record language plproxy as $$ cluster 't_exact_binary'; run on n; select * from t_exact.turning(many); $$;
create function turning_date(n int, many int) returns setof date language plproxy as $$
    cluster 't_exact_binary'; run on n; select d from t_exact.turning(many); $$;
create function all_right(n int, many int) returns bigint language sql as $$
    select count(*) filter (where d = date '2001-01-01' + (at % 4000)::int and t = d + time '01:02:03' and z = d::timestamp at time zone 'UTC'
        and i = make_interval(years => -1, months => 2, days => at::int, secs => -3) and a = array[d, d + 1] and r = daterange(d, d + 10))
    from turning_select(n, many) with ordinality as x (r, d, a, t, z, i, at) $$;
select n, all_right(n, 1000), all_right(n, 1000) from generate_series(0, 3) n;
select all_right(0, 200000);
select count(*) from turning_date(1, 200000) with ordinality as x (d, at) where d = date '2001-01-01' + (at % 4000)::int;
select outcome('select * from turning_target(0, 10)');
-- so it is of a domain, whatever the partition calls it; in a composite value, which comes as text, it is refused
create domain day as date check (value > '2000-01-01');
create domain days as date[];
create type day_and_time as (d date, i interval);
call everywhere('create domain t_exact.day as date; create type t_exact.day_and_time as (d date, i interval)');
create function turning_domains(n int, many int, out d day, out ds days, out plain day) returns setof record language plproxy as $$
    cluster 't_exact_binary'; run on n; select r.d::t_exact.day as d, a as ds, r.d as plain from t_exact.turning(many) r; $$;
select n, count(*) from generate_series(0, 1) n, turning_domains(n, 1000) with ordinality as x (d, ds, plain, at)
    where d = date '2001-01-01' + at::int and ds = array[d, d + 1] and plain = d group by n order by n;
create domain moment as timestamp(0);
create function moments() returns setof moment language plproxy as $$ cluster 't_exact_binary'; run on 0; select timestamp '2001-02-03 04:05:06.7'; $$;
select moments();
call everywhere($$ create function t_exact.rounding(n int) returns table (f float8, g float4, a float8[], at int) language plpgsql as $f$ begin
    for at in 1 .. n loop
        perform set_config('extra_float_digits', (array['-3', '0', '1', '3'])[1 + at % 4], false);
        return query select 0.1::float8 + 0.2::float8, 0.1::float4, array[0.1::float8 + 0.2::float8], at;
    end loop; end $f$ $$);
create function rounding(n int, many int, out at int, out f float8, out g float4, out a float8[]) returns setof record language plproxy as $$
    cluster 't_exact_binary'; run on n; select * from t_exact.rounding(many); $$;
select n, count(*) from generate_series(0, 1) n, rounding(n, 100) where f = 0.1::float8 + 0.2::float8 and g = 0.1::float4 and a = array[f]
    group by n order by n;
create function early() returns setof day language plproxy as $$ cluster 't_exact_binary'; run on 0; select date '2000-01-01'; $$;
select outcome('select early()');
create function turning_nests(n int, many int, out c day_and_time, out at int) returns setof record language plproxy as $$
    cluster 't_exact_binary'; run on n; select row(d, i)::t_exact.day_and_time as c, 1 as at from t_exact.turning(many); $$;
select outcome('select count(*) from turning_nests(0, 50)');
-- the same of a text that comes with the call, whose columns are found by name or by place
create function turning_text(n int, sql text, out r daterange, out d date, out a date[], out t timestamp, out z timestamptz, out i interval)
    returns setof record language plproxy as $$ cluster 't_exact_binary'; run on n; execute sql; $$;
create function turning_columns(n int, sql text) returns setof record language plproxy as $$ cluster 't_exact_binary'; run on n; execute sql; $$;
select n, count(*) from generate_series(0, 1) n, turning_text(n, 'select * from t_exact.turning(1000)')
    with ordinality as x (r, d, a, t, z, i, at)
    where d = date '2001-01-01' + at::int and t = d + time '01:02:03' and z = d::timestamp at time zone 'UTC'
        and i = make_interval(years => -1, months => 2, days => at::int, secs => -3) and a = array[d, d + 1] and r = daterange(d, d + 10)
    group by n order by n;
select count(*) from turning_columns(0, 'select i as other, d from t_exact.turning(1000)') as x (i interval, day date)
    where i = make_interval(years => -1, months => 2, days => day - date '2001-01-01', secs => -3);
select count(*) from turning_columns(0, 'select i, d as day from t_exact.turning(1000)') as x (day date, i interval)
    where i = make_interval(years => -1, months => 2, days => day - date '2001-01-01', secs => -3);
select count(*), sum(day - date '2001-01-01') from turning_columns(0, $q$
    select date '2001-01-01' + n as d, make_interval(years => -1, months => 2, days => n, secs => -3) as i from generate_series(1, 1000) n
    where set_config('datestyle', (array['SQL, DMY', 'SQL, MDY', 'German', 'Postgres, DMY', 'ISO, DMY'])[1 + n % 5], false) <> ''
        and set_config('intervalstyle', (array['sql_standard', 'postgres', 'iso_8601'])[1 + n % 3], false) <> '' $q$) as x (day date, span interval)
    where span = make_interval(years => -1, months => 2, days => day - date '2001-01-01', secs => -3);
select * from turning_columns(0, 'select d::text, i, 1 from t_exact.turning(2)') as x (d date, i interval);
select * from turning_columns(0, 'show integer_datetimes') as x (d text);
select outcome($q$ select * from turning_columns(0, 'select no_such') as x (d date) $q$);
-- of a procedure, and of a function in its place
call everywhere($$ create procedure t_exact.turn(inout d date, inout i interval) language plpgsql as $f$ begin
    perform set_config('datestyle', 'SQL, DMY', false), set_config('intervalstyle', 'sql_standard', false); d := d + 1; i := i - interval '1 month'; end $f$;
    create function t_exact.turns(inout d date, inout i interval) language plpgsql as $f$ begin
    perform set_config('datestyle', 'SQL, DMY', false), set_config('intervalstyle', 'sql_standard', false); d := d + 1; i := i - interval '1 month'; end $f$ $$);
create procedure turn(inout d date, inout i interval) language plproxy as $$ cluster 't_exact_binary'; run on 0; target t_exact.turn; $$;
create procedure turns(inout d date, inout i interval) language plproxy as $$ cluster 't_exact_binary'; run on 0; target t_exact.turns; $$;
create procedure turns_nowhere(inout d date) language plproxy as $$ cluster 't_exact_binary'; run on 0; target t_exact.turns_nowhere; $$;
call turn('2001-02-02', '-1 day -00:00:03');
call turn('2001-02-02', '-1 day -00:00:03');
call turns('2001-02-02', '-1 day -00:00:03');
call turns('2001-02-02', '-1 day -00:00:03');
select outcome($$ call turns_nowhere('2001-02-02') $$);
-- a column that is no date there comes as text
create function other_type(n int, out d date, out t text) language plproxy as $$
    cluster 't_exact_binary'; run on n; select '2001-02-03'::text as d, date '2001-02-03' + n as t; $$;
select n, d from generate_series(0, 3) n, lateral other_type(n);
select n, (other_type(n)).d from generate_series(0, 3) n;
-- what a statement gives may change
call everywhere('create function t_exact.day() returns date language sql as $f$ select date ''2001-02-03'' $f$');
create function day(n int) returns date language plproxy as $$ cluster 't_exact_binary'; run on n; select t_exact.day(); $$;
select day(0), day(0), day(0);
call everywhere('drop function t_exact.day()');
call everywhere('create function t_exact.day() returns timestamp language sql as $f$ select timestamp ''2001-02-04 00:00'' $f$');
select day(0), day(0);
-- a statement that fails leaves nothing behind
create function fails(n int, out f float8, out t timestamptz) language plproxy as $$
    cluster 't_exact_text'; run on n; select 1.0 / (n - n) as f, now() as t; $$;
select outcome('select fails(0)');
select settings_there(0), (settings_seen(0)).*;
-- what a composite type is made of may change
create type growing as (n int);
call everywhere('create type t_exact.growing as (n int)');
create function grown() returns growing[] language plproxy as $$ cluster 't_exact_binary'; run on 0; select array[row(1)::t_exact.growing]; $$;
create function grown(f float8) returns growing[] language plproxy as $$ cluster 't_exact_binary'; run on 0; select array[row(1, f)::t_exact.growing]; $$;
select grown();
select outcome('select grown(1)');
alter type growing add attribute f float8;
call everywhere('alter type t_exact.growing add attribute f float8');
select grown(0.30000000000000004);
-- a client encoding other than UTF-8 makes all values travel as text
set client_encoding = 'LATIN1';
select n, (select is_right(at, f, p, i, w, d) from rows_binary(n)) as binary from generate_series(0, 3) n;
reset client_encoding;
alter database regress_part1 reset all;
set client_min_messages = warning;
drop server t_exact_binary, t_exact_text cascade;
drop schema t_exact cascade;
call everywhere('drop schema t_exact cascade');
