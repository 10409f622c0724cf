-- Every base type, arrays, enums, ranges, domains and composites, in binary and in text transfer.
create schema t_types;
set search_path = t_types, public;
call everywhere('create schema t_types');
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
create server t_types_binary foreign data wrapper plproxy options (disable_binary '0', p0 :'p0');
create server t_types_text foreign data wrapper plproxy options (disable_binary '1', p0 :'p0');
create user mapping for public server t_types_binary;
create user mapping for public server t_types_text;
set timezone = 'UTC';
set datestyle = 'ISO, YMD';
set intervalstyle = 'postgres';
set extra_float_digits = 1;
-- check(type, values) sends the values there and back through a proxy of each transfer, made for that type, and
-- tells those that did not come back as they went
create procedure check_type(type text, variadic vals text[]) language plpgsql as $$
declare
    transfer text;
    val text;
    back text;
    there text;
    mode text;
    fine int := 0;
begin
    call everywhere(format('create function t_types.same(a %1$s) returns %1$s language sql as ''select a''', type));
    call everywhere(format('create function t_types.told(a %1$s) returns text language sql as ''select a::text''', type));
    foreach transfer in array array['binary', 'text'] loop
        execute format('create function same(a %1$s) returns %1$s language plproxy as $f$ cluster %2$L; run on 0; $f$',
            type, 't_types_' || transfer);
        execute format('create function told(a %1$s) returns text language plproxy as $f$ cluster %2$L; run on 0; $f$',
            type, 't_types_' || transfer);
        execute format('create function selected(a %1$s) returns %1$s language plproxy
            as $f$ cluster %2$L; run on 0; select a; $f$', type, 't_types_' || transfer);
        foreach val in array vals loop
            foreach mode in array array['same', 'told', 'selected'] loop
                execute format('select (%L::%s)::text, %I(%1$L::%2$s)::text', val, type, mode) into there, back;
                if there is distinct from back then
                    raise notice '% % %: % came back as %', type, transfer, mode, there, back;
                else
                    fine := fine + 1;
                end if;
            end loop;
        end loop;
        execute format('drop function same(%1$s), told(%1$s), selected(%1$s)', type);
    end loop;
    call everywhere(format('drop function t_types.same(%1$s), t_types.told(%1$s)', type));
    raise notice '%: % of % values fine', type, fine, cardinality(vals) * 6;
end $$;
-- numbers
call check_type('bool', 'true', 'false', null);
call check_type('int2', '0', '-32768', '32767', null);
call check_type('int4', '0', '-2147483648', '2147483647', '16909060', null);
call check_type('int8', '0', '-9223372036854775808', '9223372036854775807', '72623859790382856', null);
call check_type('float4', '0', '-0', '1.5', '3.4028235e+38', '1e-45', '0.1', 'NaN', 'Infinity', '-Infinity', null);
call check_type('float8', '0', '-0', '1.5', '1.7976931348623157e+308', '5e-324', '0.1', '0.30000000000000004', 'NaN',
    'Infinity', '-Infinity', null);
call check_type('numeric', '0', '0.00', '-1.50', '1e100', '1e-100', '123456789012345678901234567890.123456789', 'NaN',
    'Infinity', '-Infinity', '10000', '0.0001', null);
call check_type('oid', '0', '1', '4294967295', null);
-- text
call check_type('text', '', 'a', 'NULL', ' a ', E'tab\there', E'line\nbreak', E'back\\slash', '''quoted'' "twice"',
    repeat('long', 5000), '{}', '$1', 'Ångström', null);
call check_type('varchar', '', 'abc ', null);
call check_type('varchar(3)', '', 'abc', null);
call check_type('bpchar', '', 'abc  ', null);
call check_type('name', '', 'a name', null);
call check_type('"char"', '', 'a', '1', null);
call check_type('bytea', '', '\x00', '\x00ff5c27', '\x5c783030', null);
call check_type('xml', '<a b="c">d</a>', '', null);
call check_type('json', '{"a":  [1, null, "x"]}', '1', null);
call check_type('jsonb', '{"a":  [1, null, "x"]}', '1', '"\u00e9"', null);
call check_type('jsonpath', '$.a[*] ? (@ > 1)', null);
call check_type('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', null);
call check_type('cstring[]', '{a,b}');
-- times
call check_type('date', '2000-01-01', '1582-10-15', '0001-01-01 BC', '5874897-12-31', 'infinity', '-infinity', null);
call check_type('time', '00:00', '23:59:59.999999', '24:00', null);
call check_type('timetz', '00:00+00', '12:34:56.789-08', '12:00+13:45', null);
call check_type('timestamp', '2000-01-01', '1999-12-31 23:59:59.999999', '4713-01-01 BC', 'infinity', '-infinity', null);
call check_type('timestamptz', '2000-01-01 00:00+00', '2020-06-01 12:34:56.789012+05:30', 'infinity', '-infinity', null);
call check_type('interval', '0', '1 year 2 months 3 days 04:05:06.789', '-1 day +01:00', '178000000 years', null);
-- networks, geometry, bits, the rest
call check_type('inet', '1.2.3.4', '1.2.3.4/8', '::1', 'fe80::1/64', null);
call check_type('cidr', '1.2.3.0/24', '2001:db8::/32', null);
call check_type('macaddr', '08:00:2b:01:02:03', null);
call check_type('macaddr8', '08:00:2b:01:02:03:04:05', null);
call check_type('point', '(1.5,-2)', null);
call check_type('line', '{1,-1,0}', null);
call check_type('lseg', '[(0,0),(1,1)]', null);
call check_type('box', '(3,4),(1,2)', null);
call check_type('path', '[(0,0),(1,1)]', '((0,0),(1,1))', null);
call check_type('polygon', '((0,0),(1,1),(2,0))', null);
call check_type('circle', '<(1,2),3>', null);
call check_type('bit(5)', '10110', null);
call check_type('bit varying', '', '1', '101101110', null);
call check_type('money', '12.34', '-0.01', null);
call check_type('tsvector', 'a:1A b:2', '', null);
call check_type('tsquery', 'a & !b | c:*', null);
call check_type('pg_lsn', '16/B374D848', null);
call check_type('tid', '(42,7)', null);
call check_type('xid', '7', null);
call check_type('xid8', '18446744073709551615', null);
call check_type('pg_snapshot', '10:20:10,14', null);
call check_type('regclass', 'pg_class', '0', null);
call check_type('regtype', 'integer', null);
call check_type('int2vector', '1 2 3', '', null);
call check_type('oidvector', '1 2', null);
-- arrays
call check_type('int4[]', '{}', '{1,2,3}', '{NULL,1,NULL}', '{{1,2},{3,4}}', '[2:4]={1,2,3}', '[0:1][-1:0]={{1,2},{3,NULL}}', null);
call check_type('text[]', '{}', '{a,"b c",NULL,"NULL","","\"","\\"}', '{{a},{b}}', null);
call check_type('numeric[]', '{1.50,NaN,NULL}', null);
call check_type('bytea[]', '{"\\x00","\\x",NULL}', null);
call check_type('timestamptz[]', '{2020-01-01 00:00:00+00,infinity}', null);
call check_type('bool[]', '{t,f,NULL}', null);
call check_type('varchar(4)[]', '{abc,d}', null);
call check_type('json[]', '{"{\"a\": 1}",null}', null);
call check_type('box[]', '{(1,1),(0,0);(2,2),(0,0)}', null);
-- ranges
call check_type('int4range', '[1,3)', '(,5]', 'empty', '(,)', null);
call check_type('numrange', '(1.5,2.50]', null);
call check_type('tstzrange', '["2020-01-01 00:00+00","2020-01-02 00:00+00")', null);
call check_type('daterange[]', '{"[2020-01-01,2020-02-01)",empty}', null);
call check_type('int4multirange', '{[1,3),[5,7)}', '{}', null);
call check_type('nummultirange[]', '{"{[1.5,2)}",NULL}', null);
-- types of one's own, whose ids differ on the two sides
create type mood as enum ('sad', 'so so', 'glad');
create type pair as (x int, y text);
create type nested as (p pair, n int[], m mood);
create domain positive as int check (value > 0);
create domain short as varchar(3);
create domain good_pair as pair check ((value).x > 0);
create domain few as int[] check (cardinality(value) < 4);
create table item (id int primary key, name text, price numeric(6, 2));
create type span as range (subtype = float8);
call everywhere($$
    create type t_types.span as range (subtype = float8);
    create table t_types.item (id int primary key, name text, price numeric(6, 2));
    create domain t_types.positive as int check (value > 0);
    create domain t_types.short as varchar(3);
    create type t_types.mood as enum ('glad', 'sad', 'so so', 'unheard of');
    create type t_types.pair as (x int, y text);
    create domain t_types.few as int[] check (cardinality(value) < 4);
    create domain t_types.good_pair as t_types.pair check ((value).x > 0);
    create type t_types.nested as (p t_types.pair, n int[], m t_types.mood);
$$);
call check_type('t_types.mood', 'sad', 'so so', 'glad', null);
call check_type('t_types.mood[]', '{sad,NULL,"so so"}', '{}', null);
call check_type('t_types.pair[]', '{"(1,a)","(,)",NULL}', null);
call check_type('t_types.nested[]', '{"(\"(1,\"\"b c\"\")\",\"{1,2}\",glad)"}', null);
call check_type('t_types.positive', '1', null);
call check_type('t_types.positive[]', '{1,NULL}', null);
call check_type('t_types.short', 'abc', null);
call check_type('t_types.few', '{1,2}', null);
call check_type('t_types.item[]', '{"(1,screw,0.05)"}', null);
call check_type('t_types.span', '[1.5,2)', null);
-- a composite result comes as its columns
create function twin(a pair) returns pair language plproxy as $$ cluster 't_types_binary'; run on 0; $$;
create function twins(a pair[]) returns setof pair language plproxy as $$ cluster 't_types_text'; run on 0; $$;
call everywhere($$
    create function t_types.twin(a t_types.pair) returns t_types.pair language sql as 'select a';
    create function t_types.twins(a t_types.pair[]) returns setof t_types.pair language sql as 'select unnest(a)';
$$);
select twin(row(1, 'a')), twin(row(null, 'b c'));
select * from twin(row(1, 'a'));
select twin(null);
select * from twins(array[row(1, 'a'), row(2, null)]::pair[]);
select y, count(*) from twins(array[row(1, 'a'), row(2, 'a')]::pair[]) group by y;
create function put_item(i item) returns setof item language plproxy as $$ cluster 't_types_binary'; run on 0; $$;
call everywhere($$ create function t_types.put_item(i t_types.item) returns setof t_types.item language sql
    as 'insert into t_types.item select i.* returning *' $$);
select * from put_item(row(1, 'screw', 0.05));
select * from put_item(row(2, null, null));
-- a domain over a composite
create function good_twin(a good_pair) returns good_pair language plproxy as $$
    cluster 't_types_binary'; run on 0;
$$;
call everywhere($$ create function t_types.good_twin(a t_types.good_pair) returns t_types.good_pair
    language sql as 'select a' $$);
select good_twin(row(1, 'a'));
-- what does not fit on arrival
create function told_mood(t text) returns mood language plproxy as $$ cluster 't_types_text'; run on 0; select t; $$;
select told_mood('glad');
select told_mood('unheard of');
create function told_positive(n int) returns positive language plproxy as $$
    cluster 't_types_binary'; run on 0; select n;
$$;
select told_positive(1);
select told_positive(-1);
create function told_short(t text) returns short language plproxy as $$ cluster 't_types_text'; run on 0; select t; $$;
select told_short('abc');
select told_short('abcd');
create function told_few(n int) returns few language plproxy as $$
    cluster 't_types_text'; run on 0; select array(select generate_series(1, n));
$$;
select told_few(3);
select told_few(4);
create function told_pair(n int, out p positive, out t text) language plproxy as $$
    cluster 't_types_text'; run on 0; select n as p, 'x'::text as t;
$$;
select * from told_pair(1);
select * from told_pair(0);
create function told_int(t text) returns int language plproxy as $$ cluster 't_types_binary'; run on 0; select t; $$;
select told_int('12');
select told_int('twelve');
select told_int('99999999999');
select told_int(null) is null;
create function told_json(t text) returns json language plproxy as $$ cluster 't_types_text'; run on 0; select t; $$;
select told_json('[1]');
select outcome($$ select told_json('[1') $$);
-- the two sides may differ in type where the text of one is good for the other
create function as_text(n int) returns text language plproxy as $$ cluster 't_types_binary'; run on 0; select n; $$;
create function as_int8(n int) returns int8 language plproxy as $$ cluster 't_types_binary'; run on 0; select n; $$;
create function as_numeric(n float8) returns numeric language plproxy as $$
    cluster 't_types_binary'; run on 0; select n;
$$;
create function as_array(t text) returns int[] language plproxy as $$ cluster 't_types_binary'; run on 0; select t; $$;
create function as_timestamp(d date) returns timestamp language plproxy as $$
    cluster 't_types_text'; run on 0; select d;
$$;
select as_text(7), as_int8(7), as_numeric(0.1), as_array('{1,2}'), as_timestamp('2020-02-29');
create function cast_over_there(n int8) returns int2 language plproxy as $$
    cluster 't_types_binary'; run on 0; target t_types.eight;
$$;
call everywhere($$ create function t_types.eight(n int8) returns int8 language sql as 'select n' $$);
select cast_over_there(7);
select cast_over_there(70000);
-- settings of the session that change how values are told do not change the values
set datestyle = 'SQL, DMY';
set intervalstyle = 'iso_8601';
set bytea_output = 'escape';
set extra_float_digits = -10;
set timezone = 'Asia/Kathmandu';
create function all_told(d date, t timestamptz, i interval, b bytea, f float8) returns text language plproxy as $$
    cluster 't_types_binary'; run on 0;
    select (d = '2020-02-01' and t = '2020-02-01 00:00+00' and i = '1 day 02:00' and b = '\x00ff' and f = 0.1::float8)::text;
$$;
select all_told('01/02/2020', '01/02/2020 05:45:00', 'P1DT2H', '\000\377', 0.1::float8);
create function all_back(out d date, out t timestamptz, out i interval, out b bytea, out f bool) language plproxy as $$
    cluster 't_types_text'; run on 0;
    select '2020-02-01'::date as d, '2020-02-01 00:00+00'::timestamptz as t, '1 day 02:00'::interval as i,
        '\x00ff'::bytea as b, true as f;
$$;
select * from all_back();
-- types that have no values
create function unfit1(a anyelement) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
create function unfit2(a int, b cstring) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
create function unfit3() returns cstring language plproxy as $$ cluster 'parts'; run on 0; select 'a'; $$;
select unfit3();
select part_at(3);
reset all;
set client_min_messages = warning;
drop server t_types_binary, t_types_text cascade;
drop schema t_types cascade;
call everywhere('drop schema t_types cascade');
