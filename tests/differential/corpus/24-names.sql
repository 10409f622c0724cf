-- Names of objects, with other paths on the two sides. The cluster far_names has partition 1 with a path of its own.
call everywhere('create schema s_one; create schema s_two; create table s_one.t (a int); create table s_two.t (a int)');
create schema s_one; create schema s_two; create table s_one.t (a int); create table s_two.t (a int);
\set p1 'dbname=part1 host=127.0.0.1 options=''-c search_path=s_two,public'' port=' :port
create server far_names foreign data wrapper plproxy options (p0 :'p1');
create user mapping for public server far_names;
call everywhere($f$ create function public.same(a regclass) returns regclass language sql as 'select a' $f$);
call everywhere($f$ create function public.same(a regclass[]) returns regclass[] language sql as 'select a' $f$);
call everywhere($f$ create function public.same(a regtype) returns regtype language sql as 'select a' $f$);
create function told(a regclass) returns text language plproxy as $$ cluster 'far_names'; run on 0; select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = a; $$;
create function same(a regclass) returns regclass language plproxy as $$ cluster 'far_names'; run on 0; $$;
create function same(a regclass[]) returns regclass[] language plproxy as $$ cluster 'far_names'; run on 0; $$;
create function same(a regtype) returns regtype language plproxy as $$ cluster 'far_names'; run on 0; $$;
create function given(a regclass) returns regclass language plproxy as $$ cluster 'far_names'; run on 0; select a; $$;
create function row_of(a regclass, out b regclass, out c int) language plproxy as $$ cluster 'far_names'; run on 0; select 1 as c, a as b; $$;
-- where the paths agree
select told('s_one.t'), told('s_two.t'), told('pg_class'), told(0), told(null);
select same('s_one.t'::regclass), same('pg_class'::regclass), same(0::regclass), same(null::regclass), given('s_one.t'), given('pg_class');
select same('{s_one.t,pg_class,null,0}'::regclass[]), same('{{s_one.t},{pg_class}}'::regclass[]), same('{}'::regclass[]);
select same('s_one.t'::regtype), same('int4'::regtype), same('s_one.t[]'::regtype), same('-'::regtype);
select * from row_of('s_one.t');
select told('no_such_table');
select same('s_one.t'::regclass);
-- where they do not
set search_path = s_one, public;
select told('s_one.t') = 's_one.t' as names;
select told('s_two.t') = 's_two.t' as same_names;
select same('s_two.t'::regclass) = 's_two.t'::regclass as names;
select same('{s_two.t,s_one.t}'::regclass[]) = '{s_two.t,s_one.t}'::regclass[] as names;
select same('s_two.t'::regtype) = 's_two.t'::regtype as names;
-- what a body's own SELECT gives is as the partition writes it
select given('s_two.t') = 's_two.t'::regclass as given_names;
select b = 's_two.t'::regclass as given_names from row_of('s_two.t');
