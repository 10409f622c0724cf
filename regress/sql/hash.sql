-- plproxy_hash and RUN ON a value of another type than an integer: SipHash-2-4 with a key of zeros, so that loaders and
-- partitions can know where a row belongs.
create schema t_hash;
set search_path = t_hash, public;
create type mood as enum ('sad', 'so so', 'glad');
create domain label as varchar(10);
create domain label_of_label as label check (value <> 'never');
create domain counter as int8;
-- the function
select provolatile, proisstrict, proparallel, prorettype::regtype, proargtypes::regtype[]
    from pg_proc where proname = 'plproxy_hash';
select plproxy_hash(null::text) is null;
-- integers are their own hash
select value, hash from (values
    ('5::int2', plproxy_hash(5::int2), (5)::int8),
    ('(-1)::int2', plproxy_hash((-1)::int2), (-1)::int8),
    ('0', plproxy_hash(0), (0)::int8),
    ('-2147483648', plproxy_hash(-2147483648), (-2147483648)::int8),
    ('9223372036854775807', plproxy_hash(9223372036854775807), (9223372036854775807)::int8),
    ('(-9223372036854775808)::int8', plproxy_hash((-9223372036854775808)::int8), '-9223372036854775808'::int8),
    ('7::counter', plproxy_hash(7::counter), (7)::int8)
) v(value, hash, expected) where hash is distinct from expected;
-- five values as they are
select plproxy_hash(''::text);
select plproxy_hash('a'::text);
select plproxy_hash('user 42'::text);
select plproxy_hash('Ångström'::text);
select plproxy_hash('\x000102030405060708090a0b0c0d0e'::bytea);
-- every other type that has a hash; shown is what differs from what was computed elsewhere
select value, hash, expected from (values
    ('''''::text', plproxy_hash(''::text), '2202906307356721367'::int8),
    ('''a''::text', plproxy_hash('a'::text), '-7583489610679606711'::int8),
    ('''user 42''::text', plproxy_hash('user 42'::text), '2478259123318276954'::int8),
    ('''Ångström''::text', plproxy_hash('Ångström'::text), '7561740986896749295'::int8),
    ('repeat(''x'', 1000)', plproxy_hash(repeat('x', 1000)), '-6883150583501265557'::int8),
    ('''a''::varchar', plproxy_hash('a'::varchar), '-7583489610679606711'::int8),
    ('''a  ''::varchar', plproxy_hash('a  '::varchar), '-221288760785893819'::int8),
    ('''a  ''::char(3)', plproxy_hash('a  '::char(3)), '-7583489610679606711'::int8),
    ('''a''::char(10)', plproxy_hash('a'::char(10)), '-7583489610679606711'::int8),
    ('''   ''::char(3)', plproxy_hash('   '::char(3)), '2202906307356721367'::int8),
    ('''a''::name', plproxy_hash('a'::name), '-7583489610679606711'::int8),
    ('''glad''::mood', plproxy_hash('glad'::mood), '-1994003413775331659'::int8),
    ('''so so''::mood', plproxy_hash('so so'::mood), '1637281819897615314'::int8),
    ('''\x''::bytea', plproxy_hash('\x'::bytea), '2202906307356721367'::int8),
    ('''\x00''::bytea', plproxy_hash('\x00'::bytea), '-8405392928520026739'::int8),
    ('''\x000102030405060708090a0b0c0d0e''::bytea', plproxy_hash('\x000102030405060708090a0b0c0d0e'::bytea), '-3434420414530907293'::int8),
    ('''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11''::uuid', plproxy_hash('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid), '1880629352481342079'::int8),
    ('true', plproxy_hash(true), '7385293435322750976'::int8),
    ('false', plproxy_hash(false), '-8405392928520026739'::int8),
    ('''2000-01-01''::date', plproxy_hash('2000-01-01'::date), '8932149140933809816'::int8),
    ('''1999-12-31''::date', plproxy_hash('1999-12-31'::date), '695094959782041094'::int8),
    ('''infinity''::date', plproxy_hash('infinity'::date), '5734419289232328363'::int8),
    ('''00:00:01''::time', plproxy_hash('00:00:01'::time), '-2733074401207242806'::int8),
    ('''2000-01-01 00:00:01''::timestamp', plproxy_hash('2000-01-01 00:00:01'::timestamp), '-2733074401207242806'::int8),
    ('''2000-01-01 00:00:01+00''::timestamptz', plproxy_hash('2000-01-01 00:00:01+00'::timestamptz), '-2733074401207242806'::int8),
    ('''1.2.3.4''::inet', plproxy_hash('1.2.3.4'::inet), '-4792513985741071581'::int8),
    ('''1.2.3.4/8''::inet', plproxy_hash('1.2.3.4/8'::inet), '2129440470685005529'::int8),
    ('''1.2.3.0/24''::cidr', plproxy_hash('1.2.3.0/24'::cidr), '9173919781399000648'::int8),
    ('''::1''::inet', plproxy_hash('::1'::inet), '-3203595447284531789'::int8),
    ('''08:00:2b:01:02:03''::macaddr', plproxy_hash('08:00:2b:01:02:03'::macaddr), '-2219974195899922733'::int8),
    ('''a''::label', plproxy_hash('a'::label), '-7583489610679606711'::int8)
) v(value, hash, expected) where hash is distinct from expected;
-- the same bytes have the same hash, whatever the type; domains are their base type
select plproxy_hash('abc'::text) = plproxy_hash('abc'::varchar) as varchar, plproxy_hash('abc'::text) = plproxy_hash('abc'::name) as name,
    plproxy_hash('abc'::text) = plproxy_hash('abc  '::char(5)) as bpchar, plproxy_hash('abc'::text) = plproxy_hash('abc'::bytea) as bytea,
    plproxy_hash('abc'::text) = plproxy_hash('abc'::label) as domain, plproxy_hash('abc'::text) = plproxy_hash('abc'::label_of_label) as domain_of_domain,
    plproxy_hash('abc'::text) = plproxy_hash('abc '::text) as blank;
-- a value stored out of line, compressed, is the same value
create table stored (a text, b text, c bytea);
insert into stored values (repeat('long ', 100000), repeat('long ', 100000), convert_to(repeat('long ', 100000), 'UTF8'));
alter table stored alter column b set storage external;
update stored set b = b || '';
select plproxy_hash(a) = plproxy_hash(b), plproxy_hash(a) = plproxy_hash(c), plproxy_hash(a) = plproxy_hash(repeat('long ', 100000)) from stored;
-- time zones and formats do not matter
set timezone = 'Asia/Kathmandu';
set datestyle = 'SQL, DMY';
set bytea_output = 'escape';
select plproxy_hash('2000-01-01 05:45:01+05:45'::timestamptz) = plproxy_hash('2000-01-01 00:00:01+00'::timestamptz);
reset timezone;
reset datestyle;
reset bytea_output;
-- types that have none
select plproxy_hash(1.5);
select plproxy_hash(1.5::float8);
select plproxy_hash('{1,2}'::int[]);
select plproxy_hash('{}'::json);
select plproxy_hash('(1,2)'::point);
select plproxy_hash('1 day'::interval);
select plproxy_hash(row(1, 2));
select plproxy_hash('[1,2)'::int4range);
select plproxy_hash('x');
\echo :SQLSTATE
-- RUN ON an argument of such a type
create function by_text(t text) returns int language plproxy as $$ cluster 'parts'; run on t; select part(); $$;
select count(*), count(distinct part), bool_and(part = plproxy_hash(t) & 3) from (
    select t, by_text(t) as part from (select 'user ' || i as t from generate_series(1, 50) i) u) p;
select by_text(''), by_text('a'), by_text('user 42'), by_text('Ångström');
select by_text(null);
create function by_varchar(t varchar(20)) returns int language plproxy as $$ cluster 'parts'; run on $1; select part(); $$;
create function by_char(t char(20)) returns int language plproxy as $$ cluster 'parts'; run on t; select part(); $$;
create function by_name(t name) returns int language plproxy as $$ cluster 'parts'; run on t; select part(); $$;
create function by_label(t label) returns int language plproxy as $$ cluster 'parts'; run on t; select part(); $$;
select bool_and(by_text(t) = by_varchar(t) and by_text(t) = by_char(t) and by_text(t) = by_name(t) and by_text(t) = by_label(t))
    from (select 'user ' || i as t from generate_series(1, 20) i) u;
create function by_mood(m mood) returns int language plproxy as $$ cluster 'parts'; run on m; select part(); $$;
select bool_and(by_mood(m) = by_text(m::text)) from unnest(enum_range(null::mood)) m;
create function by_bytea(b bytea) returns int language plproxy as $$ cluster 'parts'; run on b; select part(); $$;
create function by_uuid(u uuid) returns int language plproxy as $$ cluster 'parts'; run on u; select part(); $$;
create function by_bool(b bool) returns int language plproxy as $$ cluster 'parts'; run on b; select part(); $$;
create function by_date(d date) returns int language plproxy as $$ cluster 'parts'; run on d; select part(); $$;
create function by_time(t time) returns int language plproxy as $$ cluster 'parts'; run on t; select part(); $$;
create function by_timestamp(t timestamp) returns int language plproxy as $$ cluster 'parts'; run on t; select part(); $$;
create function by_timestamptz(t timestamptz) returns int language plproxy as $$ cluster 'parts'; run on t; select part(); $$;
create function by_inet(i inet) returns int language plproxy as $$ cluster 'parts'; run on i; select part(); $$;
create function by_cidr(i cidr) returns int language plproxy as $$ cluster 'parts'; run on i; select part(); $$;
create function by_macaddr(m macaddr) returns int language plproxy as $$ cluster 'parts'; run on m; select part(); $$;
create function by_counter(c counter) returns int language plproxy as $$ cluster 'parts'; run on c; select part(); $$;
select by_bytea('\x00ff') = plproxy_hash('\x00ff'::bytea) & 3 as bytea,
    by_uuid('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11') = plproxy_hash('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid) & 3 as uuid,
    by_bool(true) = plproxy_hash(true) & 3 and by_bool(false) = plproxy_hash(false) & 3 as bool,
    by_date('2020-02-29') = plproxy_hash('2020-02-29'::date) & 3 as date,
    by_time('12:34') = plproxy_hash('12:34'::time) & 3 as time,
    by_timestamp('2020-02-29 12:34') = plproxy_hash('2020-02-29 12:34'::timestamp) & 3 as timestamp,
    by_timestamptz('2020-02-29 12:34') = plproxy_hash('2020-02-29 12:34'::timestamptz) & 3 as timestamptz,
    by_inet('10.0.0.1') = plproxy_hash('10.0.0.1'::inet) & 3 as inet,
    by_cidr('10.0.0.0/8') = plproxy_hash('10.0.0.0/8'::cidr) & 3 as cidr,
    by_macaddr('08:00:2b:01:02:03') = plproxy_hash('08:00:2b:01:02:03'::macaddr) & 3 as macaddr,
    by_counter(6) = 2 as counter;
-- RUN ON a function that returns such a type, one or several
create function upper_of(t text) returns text language sql as 'select upper(t)';
create function by_function(t text) returns int language plproxy as $$ cluster 'parts'; run on upper_of(t); select part(); $$;
select bool_and(by_function(t) = by_text(upper(t))) from (select 'user ' || i as t from generate_series(1, 10) i) u;
create function words(t text) returns setof text language sql as $$ select regexp_split_to_table(t, ' ') $$;
create function by_words(t text) returns setof int language plproxy as $$ cluster 'parts'; run on words(t); select part(); $$;
select count(*) from by_words('a b c d e f g h i j k l m n o p');
select array_agg(p) = array[by_text('a')] from by_words('a a a') p;
-- SPLIT by text
create function parted(t text[]) returns setof text language plproxy as $$
    cluster 'parts'; split t; run on t; select part() || ' ' || w from unnest(t) w;
$$;
select count(*), bool_and(left(p, 1)::int = plproxy_hash(substr(p, 3)) & 3) from parted(array(select 'user ' || i from generate_series(1, 100) i)) p;
select parted('{a,NULL}');
-- modular mapping
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
\set p2 'dbname=regress_part2 host=127.0.0.1 port=' :port
create server t_hash foreign data wrapper plproxy options (modular_mapping '1', p0 :'p0', p1 :'p1', p2 :'p2');
create user mapping for public server t_hash;
create function by_text_modular(t text) returns int language plproxy as $$ cluster 't_hash'; run on t; select part(); $$;
select count(distinct part), bool_and(part = abs(plproxy_hash(t) % 3)) from (
    select t, by_text_modular(t) as part from (select 'user ' || i as t from generate_series(1, 50) i) u) p;
-- types that have none, as an argument and from a function
create function by_numeric(n numeric) returns int language plproxy as $$ cluster 'parts'; run on n; select part(); $$;
select by_numeric(1);
create function by_array(a int[]) returns int language plproxy as $$ cluster 'parts'; run on a; select part(); $$;
select by_array('{1}');
create function float_of(t text) returns float8 language sql as 'select 1.5::float8';
create function by_float(t text) returns int language plproxy as $$ cluster 'parts'; run on float_of(t); select part(); $$;
select by_float('x');
select part_at(1);
-- an index over it, and a check on the partition
create table sharded (name text check (plproxy_hash(name) & 3 = 2));
create index on sharded (plproxy_hash(name));
insert into sharded select 'user ' || i from generate_series(1, 50) i where plproxy_hash('user ' || i) & 3 = 2;
insert into sharded values ('user 1');
set client_min_messages = warning;
drop server t_hash cascade;
drop schema t_hash cascade;
