-- modular_mapping: any number of partitions, mapped by the remainder.
create schema t_modular;
set search_path = t_modular, public;
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
\set p2 'dbname=regress_part2 host=127.0.0.1 port=' :port
\set p3 'dbname=regress_part3 host=127.0.0.1 port=' :port
create server t_modular foreign data wrapper plproxy options (modular_mapping '1', p0 :'p0', p1 :'p1', p2 :'p2');
create user mapping for public server t_modular;
create function by_int2(n int2) returns int language plproxy as $$ cluster 't_modular'; run on n; select part(); $$;
create function by_int4(n int4) returns int language plproxy as $$ cluster 't_modular'; run on n; select part(); $$;
create function by_int8(n int8) returns int language plproxy as $$ cluster 't_modular'; run on n; select part(); $$;
select n, by_int4(n), by_int4(n) = abs(n % 3) as expected from generate_series(-7, 7) n;
select n, by_int2(n), by_int2(n) = abs(n % 3::int2) as expected from unnest('{-32768,-32767,32766,32767}'::int2[]) n;
select n, by_int4(n), by_int4(n) = abs(n % 3) as expected from unnest('{-2147483648,-2147483647,2147483646,2147483647}'::int4[]) n;
select n, by_int8(n), by_int8(n) = abs(n % 3) as expected
    from unnest('{-9223372036854775808,-9223372036854775807,-4294967296,4294967296,9223372036854775806,9223372036854775807}'::int8[]) n;
-- numbers stay numbers, ALL is all, ANY any
create function on_two() returns int language plproxy as $$ cluster 't_modular'; run on 2; select part(); $$;
select on_two();
create function on_three() returns int language plproxy as $$ cluster 't_modular'; run on 3; select part(); $$;
select on_three();
create function everyone() returns setof int language plproxy as $$ cluster 't_modular'; run on all; select part(); $$;
select everyone();
create function anyone() returns int language plproxy as $$ cluster 't_modular'; run on any; select part(); $$;
select count(distinct anyone()), min(anyone()), max(anyone()) from generate_series(1, 200);
-- a function, several hashes, SPLIT
create function down_from(n int) returns setof int language sql as 'select generate_series(n, -n, -1)';
create function down(n int) returns setof int language plproxy as $$
    cluster 't_modular'; run on down_from(n); select part();
$$;
select down(1);
select down(2);
select down(50);
create function parted(a int[]) returns setof text language plproxy as $$
    cluster 't_modular'; split a; run on a; select part() || ' ' || array_to_string(a, ',');
$$;
select parted('{1,2,3,4,5,6,7,-1,-2,-3}');
select sum(cardinality(string_to_array(split_part(p, ' ', 2), ','))) from parted(array(select generate_series(1, 100))) p;
-- off again: a power of two is asked for
alter server t_modular options (set modular_mapping '0');
alter server t_modular options (drop modular_mapping);
select by_int4(5);
alter server t_modular options (set modular_mapping '7');
select by_int4(5);
alter server t_modular options (drop modular_mapping, add p3 :'p3');
select n, by_int4(n), by_int4(n) = (n & 3) as expected from generate_series(-5, 5) n;
alter server t_modular options (add modular_mapping '1');
select n, by_int4(n), by_int4(n) = abs(n % 4) as expected from generate_series(-5, 5) n;
alter server t_modular options (drop p3, drop p2, drop p1);
select by_int4(-3), by_int4(7);
alter server t_modular options (drop p0);
-- a power of two without the option
create server t_modular_bad foreign data wrapper plproxy options (p0 :'p0', p1 :'p1', p2 :'p2');
create server t_modular_bad foreign data wrapper plproxy options (modular_mapping 'yes', p0 :'p0');
create server t_modular_bad foreign data wrapper plproxy options (modular_mapping '-1', p0 :'p0');
-- on the wrapper
create foreign data wrapper t_modular_wrapper validator plproxy_fdw_validator options (modular_mapping '1');
create server t_modular_2 foreign data wrapper t_modular_wrapper options (modular_mapping '1', p0 :'p1', p1 :'p2', p2 :'p3');
create user mapping for public server t_modular_2;
create function second(n int) returns int language plproxy as $$ cluster 't_modular_2'; run on n; select part(); $$;
select n, second(n) from generate_series(0, 5) n;
set client_min_messages = warning;
drop foreign data wrapper t_modular_wrapper cascade;
drop server t_modular cascade;
drop schema t_modular cascade;
