-- SPLIT: arrays cut into the part of each partition.
create schema t_split;
set search_path = t_split, public;
call everywhere('create schema t_split');
call everywhere($$ create function t_split.show(a int[]) returns text
    language sql as 'select concat(part(), '' '', $1)' $$);
call everywhere($$ create function t_split.show(a int[], b text[], c text) returns text
    language sql as 'select concat_ws('' '', part(), coalesce($1::text, ''-''), coalesce($2::text, ''-''), coalesce($3, ''-''))' $$);
-- an argument that is both split and the hash
create function show(a int[]) returns setof text language plproxy as $$ cluster 'parts'; split a; run on a; $$;
select show('{0,1,2,3,4,5,6,7,8}');
select show('{3,2,1}');
select show('{6}');
select show('[5:8]={1,2,3,5}');
select show('{}');
select show(null);
select * from show(array(select generate_series(1, 20))) where show like '2%';
select show('{1,null}');
select show('{{1,2},{3,4}}');
select part_at(1);
-- several arrays, one argument that stays whole
create function show(a int[], b text[], c text) returns setof text language plproxy as $$
    cluster 'parts'; split a, b; run on a;
$$;
select show('{1,2,3,5,6,7}', '{a,b,c,d,NULL,""}', 'whole');
select show('{1,2}', '{a,b}', null);
select show('{1,2}', '{a}', 'x');
select show('{1,2}', null, 'x');
select show('{}', '{a}', 'x');
select show(null, '{a}', 'x');
select show(null, null, 'x');
select show('{}', null, 'x');
select show('{1,2}', '{{a},{b}}', 'x');
select part_at(2);
-- SPLIT ALL, also where there is nothing to split
create function show_all(a int[], b text[], c text) returns setof text language plproxy as $$
    cluster 'parts'; split all; run on hashtext(b); target t_split.show;
$$;
select count(*), sum(length(s)) > 0 from show_all('{1,2,3,4}', '{a,b,c,d}', 'c') s;
select bool_and(hashtext(b) & 3 = left(s, 1)::int)
    from (values ('x'), ('y'), ('z'), ('')) v(b), lateral show_all('{1}', array[b], 'c') s;
create function split_nothing(a int) returns int language plproxy as $$
    cluster 'parts'; split all; run on a; select part();
$$;
select split_nothing(3);
-- by number, and by name in any case
create function show_numbered(int[], "B" text[], c text) returns setof text language plproxy as $$
    cluster 'parts'; split $1, b; run on $1; target t_split.show;
$$;
select show_numbered('{1,2,1}', '{a,b,c}', 'x');
-- a split array need not be in the hash, and one that is not split goes whole
create function show_first(a int[], b text[], c text) returns setof text language plproxy as $$
    cluster 'parts'; split a; run on a; target t_split.show;
$$;
select show_first('{1,2,3}', '{x,y}', 'z');
select show_first('{1,2,3}', null, 'z');
-- a hash of the element, NULL elements too
create function place(t text) returns int language sql as $$ select coalesce(length(t), 2) $$;
create function show_place(a int[], b text[], c text) returns setof text language plproxy as $$
    cluster 'parts'; split a, b; run on place(b); target t_split.show;
$$;
select show_place('{1,2,NULL,4,5}', '{abc,a,NULL,"",b}', 'x');
-- the hash function may see an argument that is not split
create function place(t text, n int) returns int language sql as $$ select length(t) + n $$;
create function show_offset(b text[], n int) returns setof text language plproxy as $$
    cluster 'parts'; split b; run on place(b, n); select part() || ' ' || array_to_string(b, ',');
$$;
select show_offset('{a,bb,ccc}', 0);
select show_offset('{a,bb,ccc}', 1);
-- the hash of another argument: all elements to one partition
create function show_at(a int[], n int) returns setof text language plproxy as $$
    cluster 'parts'; split a; run on n; select part() || ' ' || array_to_string(a, ',');
$$;
select show_at('{1,2,3}', 3);
select show_at('{}', 3);
select show_at('{}', null);
select show_at('{1}', null);
-- several hashes for one element: it goes to each of them
create function each_up_to(n int) returns setof int language sql as 'select generate_series(1, n)';
create function show_each(a int[]) returns setof text language plproxy as $$
    cluster 'parts'; split a; run on each_up_to(a); target t_split.show;
$$;
select show_each('{1,2,3}');
select show_each('{0}');
select show_each('{0,1}');
create function show_each_one(a int[]) returns text language plproxy as $$
    cluster 'parts'; split a; run on each_up_to(a); target t_split.show;
$$;
select show_each_one('{1}');
select show_each_one('{1,2}');
select show_each_one('{0}');
-- RUN ON ALL, a number: the arrays are only copied
create function show_everywhere(a int[], b text[], c text) returns setof text language plproxy as $$
    cluster 'parts'; split a, b; run on all; target t_split.show;
$$;
select show_everywhere('{1,2}', '{a,b}', 'x');
select show_everywhere('{}', '{}', 'x');
select show_everywhere('{1}', '{a,b}', 'x');
create function show_on_two(a int[]) returns setof text language plproxy as $$
    cluster 'parts'; split a; run on 2; target t_split.show;
$$;
select show_on_two('{1,2,3}');
select show_on_two(null);
select show_on_two('{{1}}');
create function show_on_nine(a int[]) returns setof text language plproxy as $$
    cluster 'parts'; split a; run on 9; target t_split.show;
$$;
select show_on_nine('{1,2,3}');
select show_on_nine('{}');
-- RUN ON ANY: every element is somewhere, once, in order
create function show_any(a int[]) returns setof int[] language plproxy as $$
    cluster 'parts'; split a; run on any; select a;
$$;
select array_agg(e order by e) = array(select generate_series(1, 200)), count(distinct a) > 1
    from show_any(array(select generate_series(1, 200))) a, unnest(a) e;
select bool_and(a = array(select unnest(a) order by 1)) from show_any(array(select generate_series(1, 200))) a;
-- one row where one row is asked for
create function show_one(a int[]) returns text language plproxy as $$
    cluster 'parts'; split a; run on a; target t_split.show;
$$;
select show_one('{1,5}');
select show_one('{1,2}');
select show_one('{}');
select show_one(null);
select part_at(3);
-- arrays of other types
create function show_types(a int8[], b text[], c timestamptz[], d bytea[], e numeric[], f bool[], g uuid[])
returns setof text language plproxy as $$
    cluster 'parts'; split all; run on a; select concat_ws(' ', part(), a, b, c, d, e, f, g);
$$;
select show_types('{1,2,5}', '{"a b",c,NULL}', '{2020-01-01 00:00:00+00,infinity,NULL}', '{"\\x00","\\x",NULL}',
    '{1.50,NaN,NULL}', '{t,f,NULL}', '{00000000-0000-0000-0000-000000000001,NULL,00000000-0000-0000-0000-000000000003}');
create function show_more_types(a int[], b int2[], c float4[], d float8[], e date[], f time[], g timestamp[], h varchar(2)[],
    i char(3)[], j name[], k interval[])
returns setof text language plproxy as $$
    cluster 'parts'; split all; run on a; select concat_ws(' ', part(), a, b, c, d, e, f, g, h, i, j, k);
$$;
select show_more_types('{1,2,5}', '{-32768,NULL,32767}', '{1.5,NULL,-Infinity}', '{1e300,NULL,NaN}',
    '{2020-02-29,NULL,-infinity}', '{12:34:56.789,NULL,24:00}', '{2020-02-29 12:34:56.789,NULL,infinity}', '{ab,NULL,""}',
    '{a,NULL,abc}', '{a,NULL,b}', '{1 day,NULL,-1 mon}');
create function sum_pairs(a int[], b int[]) returns setof int language plproxy as $$
    cluster 'parts'; split a, b; run on b;
    select sum(x * y)::int from unnest(a, b) u(x, y);
$$;
select sum(s) from sum_pairs(array(select generate_series(1, 1000)), array(select generate_series(1, 1000))) s;
-- what may not be split
create function bad0(a int[], b int[]) returns setof int language plproxy as $$
cluster 'parts';
split a;
split b;
$$;
create function bad1(a int) returns setof int language plproxy as $$ cluster 'parts'; split a; run on 0; $$;
create function bad2(a int[]) returns setof int language plproxy as $$ cluster 'parts'; split b; run on 0; $$;
create function bad3(a int[]) returns setof int language plproxy as $$
cluster 'parts';
split $2;
run on 0;
$$;
create function bad4(a int[]) returns setof int language plproxy as $$ cluster 'parts'; split a, a; run on 0; $$;
create function bad5(a int[]) returns setof int language plproxy as $$ cluster 'parts'; split a, $1; run on 0; $$;
create function bad6(a int[]) returns setof int language plproxy as $$ cluster 'parts'; split ; run on 0; $$;
create function bad7(a int[]) returns setof int language plproxy as $$ cluster 'parts'; split a,; run on 0; $$;
create function bad8(a int[]) returns setof int language plproxy as $$ cluster 'parts'; split all, a; run on 0; $$;
create function bad9(a int[], b int[]) returns setof int language plproxy as $$ cluster 'parts'; split a b; $$;
create function bad10(a int, b text) returns setof int language plproxy as $$ cluster 'parts'; split a, b; $$;
set client_min_messages = warning;
drop schema t_split cascade;
call everywhere('drop schema t_split cascade');
