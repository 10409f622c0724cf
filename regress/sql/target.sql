-- TARGET: another function over there.
create schema t_target;
set search_path = t_target, public;
call everywhere('create schema t_target');
call everywhere($$
    create function t_target.there(a int) returns text language sql as 'select ''t_target '' || a || '' '' || part()';
    create function public.t_target_there(a int) returns text language sql as 'select ''public '' || a || '' '' || part()';
    create function t_target.there(a int, b text) returns setof text language sql as 'select b || i from generate_series(1, a) i';
$$);
-- without a schema it is looked for over there, with one it is that
create function qualified(a int) returns text language plproxy as $$ cluster 'parts'; run on a; target t_target.there; $$;
select qualified(1);
create function unqualified(a int) returns text language plproxy as $$
    cluster 'parts'; run on a; target t_target_there;
$$;
select unqualified(2);
create function in_any_case(a int) returns text language plproxy as $$ cluster 'parts'; Run On a; TarGet T_Target.THERE; $$;
select in_any_case(3);
create function system_function(a text) returns text language plproxy as $$
    cluster 'parts'; run on 0; target pg_catalog.upper;
$$;
select system_function('abc');
create function system_unqualified(a text) returns int language plproxy as $$
    cluster 'parts'; run on 0; target length;
$$;
select system_unqualified('abc');
-- the remote function of that name with those arguments
create function overloaded(a int, b text) returns setof text language plproxy as $$
    cluster 'parts'; run on 1; target t_target.there;
$$;
select overloaded(2, 'x');
create function cast_arguments(a int2) returns text language plproxy as $$
    cluster 'parts'; run on 1; target t_target.there;
$$;
select cast_arguments(7::int2);
-- with RUN ON ALL, SPLIT, CONNECT, before and after the other statements
create function first_of_all(a int) returns setof text language plproxy as $$
    target t_target.there;
    run on all;
    cluster 'parts';
$$;
select first_of_all(0);
create function split_to(a int[]) returns setof int language plproxy as $$
    target array_length_of; cluster 'parts'; split a; run on a;
$$;
call everywhere($$ create function public.array_length_of(a int[]) returns int language sql as 'select cardinality(a)' $$);
select split_to('{0,4,1,2,6,10}');
create function connected(connstr text) returns text language plproxy as $$ target lower; connect connstr; $$;
select connected(format('dbname=regress_part1 host=127.0.0.1 port=%s', current_setting('port'))) like 'dbname=regress_part1%';
create function no_arguments() returns name language plproxy as $$ cluster 'parts'; run on 2; target current_database; $$;
select no_arguments();
-- targets that are not there
create function no_such(a int) returns text language plproxy as $$ cluster 'parts'; run on a; target t_target.no_such; $$;
select no_such(1);
create function no_such_schema(a int) returns text language plproxy as $$
    cluster 'parts'; run on a; target t_no_such.there;
$$;
select no_such_schema(1);
create function other_arguments(a box) returns text language plproxy as $$
    cluster 'parts'; run on 1; target t_target.there;
$$;
select other_arguments('(1,1),(0,0)');
create function own_name(a int) returns text language plproxy as $$ cluster 'parts'; run on a; $$;
select own_name(1);
select qualified(3);
-- the statement
create function bad1(a int) returns text language plproxy as $$ cluster 'parts'; target a; target b; $$;
create function bad2(a int) returns text language plproxy as $$ cluster 'parts'; target a; select 1; $$;
create function bad3(a int) returns text language plproxy as $$ cluster 'parts'; select 1; target a; $$;
create function bad4(a int) returns text language plproxy as $$ cluster 'parts'; target ; $$;
create function bad5(a int) returns text language plproxy as $$ cluster 'parts'; target a(); $$;
create function bad6(a int) returns text language plproxy as $$ cluster 'parts'; target 'a'; $$;
create function bad7(a int) returns text language plproxy as $$ cluster 'parts'; target a b; $$;
create function bad8(a int) returns text language plproxy as $$ cluster 'parts'; target $1; $$;
create function bad9(a int) returns text language plproxy as $$ cluster 'parts'; target "a"; $$;
select part_at(1);
set client_min_messages = warning;
call everywhere('drop function public.t_target_there, public.array_length_of');
drop schema t_target cascade;
call everywhere('drop schema t_target cascade');
