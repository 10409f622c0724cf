-- Mapping hashes to partitions: modular, equal connection strings, several clusters.
\set p 'host=127.0.0.1 port=' :port ' dbname=part'
\set p0 :p '0'
\set p1 :p '1'
\set p2 :p '2'
\set q0 :p '0 connect_timeout=10'
create server three foreign data wrapper plproxy options (modular_mapping '1', p0 :'p0', p1 :'p1', p2 :'p2');
create user mapping for public server three;
create function m4(h int) returns int language plproxy as $$ cluster 'three'; run on h; select part(); $$;
create function m8(h int8) returns int language plproxy as $$ cluster 'three'; run on h; select part(); $$;
create function m2(h int2) returns int language plproxy as $$ cluster 'three'; run on h; select part(); $$;
select h, m4(h) from generate_series(-7, 7) h;
select m4(-2147483648), m4(2147483647), m8(-9223372036854775808), m8(9223372036854775807), m2('-32768'), m2('32767');
select m8(h) from (values (-1::int8), (-2), (-3), (-4), (4294967296), (-4294967297)) v(h);
create function mnr() returns int language plproxy as $$ cluster 'three'; run on 3; select part(); $$;
select mnr();
create function mall() returns setof int language plproxy as $$ cluster 'three'; run on all; select part(); $$;
select mall();
create function msplit(a int[]) returns setof text language plproxy as $$ cluster 'three'; split a; run on a; select part() || a::text; $$;
select msplit('{-5,-4,-3,-2,-1,0,1,2,3,4,5}');
alter server three options (add p3 :'p0', add p4 :'p1');
select h, m4(h) from generate_series(-7, 7) h;
select mall();
select msplit('{-5,-4,-3,-2,-1,0,1,2,3,4,5}');
create server equal foreign data wrapper plproxy options (p0 :'p0', p1 :'p0', p2 :'p1', p3 :'p0', p4 :'p1', p5 :'p0', p6 :'p1', p7 :'q0');
create user mapping for public server equal;
create function eall() returns setof int language plproxy as $$ cluster 'equal'; run on all; select part(); $$;
select eall();
create function eat(h int) returns int language plproxy as $$ cluster 'equal'; run on h; select part(); $$;
select h, eat(h) from generate_series(0, 8) h;
create function esplit(a int[]) returns setof text language plproxy as $$ cluster 'equal'; split a; run on a; select part() || a::text; $$;
select esplit('{0,1,2,3,4,5,6,7,8}');
select esplit('{7,6,5,4,3,2,1,0}');
create function down(n int) returns setof int language sql as 'select generate_series(n, 0, -1)';
create function esome(n int) returns setof int language plproxy as $$ cluster 'equal'; run on down(n); select part(); $$;
select esome(7);
select esome(6);
select esome(0);
create function esingle(n int) returns int language plproxy as $$ cluster 'equal'; run on down(n); select part(); $$;
select esingle(1);
select esingle(0);
create function ecount() returns setof int8 language plproxy as $$ cluster 'equal'; run on all; select count(*) from pg_stat_activity where pid = pg_backend_pid(); $$;
select ecount();
create function pids() returns setof int language plproxy as $$ cluster 'parts'; run on all; select pg_backend_pid(); $$;
select count(distinct p) from (select pids() p) x;
select (select array_agg(p) from pids() p) = (select array_agg(p) from pids() p) as kept;
\c -
select count(distinct p) from (select pids() p) x;
create server life foreign data wrapper plproxy options (p0 :'p0', connection_lifetime '3');
create user mapping for public server life;
create function pid() returns int language plproxy as $$ cluster 'life'; run on 0; select pg_backend_pid(); $$;
select pid() as one \gset
select pid() = :one as the_same;
select pg_sleep(4.2);
select pid() = :one as the_same;
create server sixtyfour foreign data wrapper plproxy options (modular_mapping '1', p0 :'p0');
create user mapping for public server sixtyfour;
select format('alter server sixtyfour options (%s)', string_agg(format('add p%s %L', n, replace(:'p', 'dbname=part', 'dbname=part' || n % 4 || ' application_name=a' || n)), ', ')) from generate_series(1, 63) n \gexec
create function s64() returns setof int language plproxy as $$ cluster 'sixtyfour'; run on all; select part(); $$;
select count(*), sum(n) from s64() n;
select part_at(2);
