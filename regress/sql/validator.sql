-- The validator: what CREATE FUNCTION says of each body, with its line.
create schema t_validator;
set search_path = t_validator, public;
-- try(body [, arguments [, returns]]) makes a function of that body and tells what came of it, with the detail
create function try(body text, arguments text default '', returns text default 'setof int') returns text
language plpgsql as $$
declare detail text;
begin
    execute format('create or replace function t_validator.f(%s) returns %s language plproxy as %L', arguments, returns, body);
    execute format('drop function t_validator.f(%s)', arguments);
    return 'fine';
exception when others then
    get stacked diagnostics detail = pg_exception_detail;
    return sqlstate || ' ' || replace(sqlerrm, 'PL/Proxy function t_validator.f', 'PPf') || coalesce(' | ' || nullif(detail, ''), '');
end $$;
\pset format unaligned
\pset tuples_only on
-- what is good
select try($$ cluster 'c'; $$);
select try($$ CLUSTER 'c'; RUN ON ALL; $$);
select try($$ Run On Any; Cluster 'it''s'; $$);
select try($$cluster'c';run on 0;$$);
select try($$ cluster 'c'; run on 007; select 1; $$);
select try($$ connect 'dbname=x'; $$);
select try($$ connect 'dbname=x'; target f; $$);
select try($$ connect 'dbname=x'; split a; $$, 'a int[]');
select try($$ cluster f(a, $1, A.b, 'a;', "a;"); run on g(); $$, 'a text');
select try($$ cluster 'c'; run on hash(a) ; split a, b; target x.y; $$, 'a int[], b text[]');
select try($$ cluster ''; $$);
select try(E'cluster\t\r\n\f ''c''\n;\n');
select try(E'-- a comment\n/* another ; */ cluster /**/ ''c'' -- ; \n ; -- the end');
select try($$ cluster 'c'; run on 0; select /* ; ' */ ';' || E'\';' || $q$;$q$ -- ; '
    ; $$);
-- what is missing, empty, unfinished
select try('');
select try(E'\n\n');
select try('-- only a comment');
select try('run on 0;');
select try(E'run on 0;\n\n\n');
select try('target f;');
select try('select 1;');
select try('split all;');
select try($$ cluster 'c' $$);
select try($$ cluster 'c'; run on 0 $$);
select try($$ cluster 'c'; run on $$);
select try($$ cluster 'c'; run on all; select 1 $$);
select try($$ cluster 'c'; target $$);
select try($$ cluster 'c; $$);
select try(E'cluster ''c'';\nselect ''abc;\n;\n');
select try($$ cluster 'c'; select "abc; $$);
select try($$ cluster 'c'; select $q$; $$);
select try(';');
select try($$ ; cluster 'c'; $$);
select try($$ cluster 'c';; $$);
-- what may stand once
select try($$ cluster 'c'; cluster 'd'; $$);
select try(E'cluster ''c'';\n\ncluster\n\nf();');
select try($$ connect 'c'; connect 'd'; $$);
select try($$ cluster 'c'; run on 0; run on 0; $$);
select try(E'cluster ''c'';\nrun on 0;\nrun\non\nall;');
select try($$ cluster 'c'; select 1; select 1; $$);
select try($$ cluster 'c'; target a; target b; $$);
select try(E'cluster ''c'';\nsplit a;\nsplit b;', 'a int[], b int[]');
-- what does not go together; said at the end
select try(E'connect ''c'';\ncluster ''c'';\n\n');
select try(E'cluster ''c'';\nconnect ''c'';');
select try(E'connect ''c'';\nrun on 0;\n');
select try(E'run on all;\nconnect ''c'';');
select try(E'target a;\ncluster ''c'';\nselect 1;\n\n');
select try(E'select 1;\ntarget a;');
select try(E'target a;\nselect 1;');
-- words out of place
select try('bogus;');
select try(E'\n\n  bogus;');
select try($$ cluster c; $$);
select try($$ cluster 5; $$);
select try($$ cluster; $$);
select try($$ cluster 'c' 'd'; $$);
select try($$ cluster a; $$, 'a text');
select try($$ cluster $1; $$, 'a text');
select try($$ cluster "c"; $$);
select try($$ cluster E'c'; $$);
select try($$ cluster $q$c$q$; $$);
select try($$ connect; $$);
select try($$ connect 5; $$);
select try($$ connect "a"; $$, 'a text');
select try($$ cluster 'c'; run; $$);
select try($$ cluster 'c'; run all; $$);
select try($$ cluster 'c'; run on; $$);
select try($$ cluster 'c'; run on -1; $$);
select try($$ cluster 'c'; run on 1.5; $$);
select try($$ cluster 'c'; run on '1'; $$);
select try($$ cluster 'c'; run on (a); $$, 'a int');
select try($$ cluster 'c'; run on "a"; $$, 'a int');
select try($$ cluster 'c'; run on all any; $$);
select try($$ cluster 'c'; target 'a'; $$);
select try($$ cluster 'c'; target a(); $$);
select try($$ cluster 'c'; target "a"; $$);
select try($$ cluster 'c'; split; $$, 'a int[]');
select try($$ cluster 'c'; split a,; $$, 'a int[]');
select try($$ cluster 'c'; split a b; $$, 'a int[], b int[]');
select try($$ cluster 'c'; split 'a'; $$, 'a int[]');
select try($$ cluster 'c'; split all, a; $$, 'a int[]');
select try($$ cluster 'c' /* a /* nested */ comment */ ; $$);
select try($$ cluster 'c'; commit; $$);
select try(E'cluster ''c'';\nrun on\n0\n@;');
select try(E'cluster ''c''\nrun on 0;');
select try($$ cluster ('c'); $$);
select try(E'cluster ''c'';\nrun on 0\n/* ;');
select try($$ connect 'password=it's'; $$);
select try(E'connect ''c''\ntarget f;');
select try(E'run on f(1)\ncluster ''c'';');
select try(E'select 1\nrun on all;');
-- argument references
select try($$ connect $1; $$);
select try($$ connect $2; $$, 'a text');
select try($$ connect f($2); $$, 'a text');
select try($$ cluster f($3, a); $$, 'a text');
select try(E'cluster ''c'';\nrun on\n$2;', 'a int');
select try($$ cluster 'c'; run on f(a, $0); $$, 'a int');
select try(E'cluster ''c'';\nselect a,\n$1,\n$2;', 'a int');
select try($$ cluster 'c'; split b; $$, 'a int[]');
select try($$ cluster 'c'; split $2; $$, 'a int[]');
select try($$ cluster 'c'; split a; $$, 'a int');
select try($$ cluster 'c'; split a, $1; $$, 'a int[]');
select try($$ cluster 'c'; split a, A; $$, 'a int[]');
-- the kind of function
select try($$ cluster 'c'; run on all; $$, '', 'int');
select try($$ cluster 'c'; run on all; select 1; $$, '', 'int');
select try($$ cluster 'c'; run on 0; select 1; $$, '', 'record');
select try($$ cluster 'c'; run on 0; select 1; $$, '', 'setof record');
select try($$ cluster 'c'; run on 0; $$, '', 'record');
select try($$ cluster 'c'; run on 0; $$, 'variadic a int[]');
select try($$ cluster 'c'; run on 0; $$, 'a anyelement');
select try($$ cluster 'c'; run on 0; $$, 'a int, b anyarray');
select try($$ cluster 'c'; run on 0; $$, 'a cstring');
select try($$ cluster 'c'; run on 0; $$, 'a record');
select try($$ cluster 'c'; run on 0; $$, 'a internal');
select try($$ cluster 'c'; run on 0; $$, '', 'cstring');
select try($$ cluster 'c'; run on 0; $$, '', 'void');
select try($$ cluster 'c'; run on 0; $$, '', 'int immutable');
select try($$ cluster 'c'; run on 0; $$, '', 'int stable');
select try($$ cluster 'c'; run on 0; $$, '', 'int strict security definer cost 10');
-- which of several is told
select try($$ bogus; $$, 'variadic a int[]', 'int immutable');
select try($$ bogus; $$, 'variadic a int[]');
select try($$ bogus; $$, 'a anyelement');
select try($$ cluster 'c'; run on all; run on all; $$, '', 'int');
select try($$ cluster 'c'; run on all; select $1; $$, '', 'int');
select try($$ connect 'c'; run on all; $$, '', 'int');
select try($$ run on all; target a; select 1; $$, '', 'record');
\pset format aligned
\pset tuples_only off
-- SQL that has taken in the next statement is found wrong by the server that is to run it
create function takes_in_run(n int) returns int language plproxy as $$
    cluster lower('parts')
    run on n;
    select part();
$$;
select takes_in_run(1);
create function takes_in_select(n int) returns int language plproxy as $$
    cluster 'parts';
    run on abs(n)
    select part();
$$;
select takes_in_select(1);
create function taken_in_by_select(n int) returns int language plproxy as $$
    cluster 'parts';
    run on 1;
    select part()
    target part;
$$;
select taken_in_by_select(1);
-- names that need quotes
create function "Odd f"("a b" int) returns int language plproxy as $$ bogus; $$;
create schema "Odd s";
create function "Odd s"."F"() returns int language plproxy as $$ bogus; $$;
drop schema "Odd s";
-- an error leaves the function as it was
create function kept() returns int language plproxy as $$ cluster 'parts'; run on 2; select part(); $$;
create or replace function kept() returns int language plproxy as $$ bogus; $$;
select kept();
-- what is wrong with the type of a result the call says, with 0 for the number of arguments
create function cstring_result(a int, b int) returns cstring language plproxy as $$ cluster 'parts'; run on 0; $$;
select cstring_result(1, 2);
create function cstring_column(a int, out b int, out c cstring) language plproxy as $$ cluster 'parts'; run on 0; $$;
select cstring_column(1);
create function cstring_columns(a int) returns table (b cstring) language plproxy as $$ cluster 'parts'; run on 0; $$;
select * from cstring_columns(1);
create function records_result(a int) returns record[] language plproxy as $$ cluster 'parts'; run on 0; $$;
select records_result(1);
create function event_result(a int) returns setof event_trigger language plproxy as $$ cluster 'parts'; run on 0; $$;
select event_result(1);
-- triggers
create function trigger_function() returns trigger language plproxy as $$ cluster 'parts'; run on 0; $$;
create table triggered (a int);
create trigger t before insert on triggered for each row execute function trigger_function();
insert into triggered values (1);
create function event_function() returns event_trigger language plproxy as $$ cluster 'parts'; run on 0; $$;
do language plproxy $$ cluster 'parts'; $$;
select part_at(1);
-- check_function_bodies: off, what is wrong is told by the call
set check_function_bodies = off;
create function unchecked1() returns int language plproxy as $$ bogus; $$;
create function unchecked2() returns int immutable language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
create function unchecked3(variadic a int[]) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
create function unchecked4(a anyelement) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
create function unchecked5() returns int language plproxy as $$ cluster 'parts'; run on all; $$;
create function unchecked6() returns int language plproxy as $$ cluster 'parts'; run on 3; select part(); $$;
reset check_function_bodies;
select unchecked1();
select unchecked2();
select unchecked3(1);
select unchecked4(1);
select unchecked5();
select unchecked6();
select unchecked1();
create or replace function unchecked1() returns int language plproxy as $$ cluster 'parts'; run on 1; select part(); $$;
select unchecked1();
select plproxy_validator('unchecked5'::regproc);
select plproxy_validator('unchecked6'::regproc);
select plproxy_validator(0);
set client_min_messages = warning;
drop schema t_validator cascade;
