-- EXECUTE: the remote statement is a text that comes with the call.
create schema t_execute;
set search_path = t_execute, public;
call everywhere('create schema t_execute');
call everywhere($$
    create table t_execute.users (id int primary key, name text);
    insert into t_execute.users select i, 'user ' || i from generate_series(1, 20) i where i % 4 = part();
$$);
create function dy(sql text) returns setof record language plproxy as $$ cluster 'parts'; run on all; execute sql; $$;
select * from dy('select part(), count(*) from t_execute.users') as (part int, n int8);
select sum(n) from dy('select count(*) from t_execute.users') as (n int8);
-- a column list is of names if all are there, else of places
select * from dy('select id as a, name as b from t_execute.users where id < 5') as (id int, b text);
select * from dy('select id, name from t_execute.users where id < 9 order by id desc') as (name text, id int) order by id;
-- nothing around it, no cast in it: an argument's text stands at the server as it came
create function on_zero(sql text) returns text language plproxy as $$ cluster 'parts'; run on 0; execute $1; $$;
select on_zero($$ select query from pg_stat_activity where pid = pg_backend_pid() /* as it came */ $$);
-- the arguments, with their types and in their order
create function typed(sql text, a int, b int8, c numeric, d date, e text[]) returns text language plproxy as $$
    cluster 'parts'; run on 0; execute sql using a, B, $4, d, e, a;
$$;
select typed('select concat_ws('' '', pg_typeof($1), pg_typeof($2), pg_typeof($3), pg_typeof($4), pg_typeof($5), pg_typeof($6))',
    1, 2, 3, '2020-01-01', '{x}');
select typed('select concat_ws('' '', $1, $2, $3, $4, $5, $6)', 1, 2, 3.50, '2020-01-01', '{x,"y z"}');
select typed('select concat_ws('' '', $1, $2, $3, $4, $5, $6) || ''.''', null, null, null, null, null);
select typed('select $5[2]', 1, 2, 3, '2020-01-01', '{x,"y z"}');
-- more than the text asks for, and less
select typed('select 1', 1, 2, 3, '2020-01-01', '{x}');
select typed('select $7::text', 1, 2, 3, '2020-01-01', '{x}');
-- a domain is sent as what it is over; of a type that only the database knows the text decides, as of a string
create domain posint as int check (value > 0);
create type mood as enum ('sad', 'happy');
create type pair as (a int, b text);
call everywhere('create type t_execute.mood as enum (''sad'', ''happy'')');
call everywhere('create type t_execute.pair as (a int, b text)');
create function of_types(sql text, a posint, b mood, c pair, d regclass) returns text language plproxy as $$
    cluster 'parts'; run on 0; execute sql using a, b, c, d;
$$;
select of_types('select concat_ws('' '', pg_typeof($1), pg_typeof($2::t_execute.mood), ($3::t_execute.pair).b, $4)',
    3, 'happy', row(1, 'x'), 'pg_class');
select of_types('select concat_ws('' '', $1 + 1, $2::text, $2::t_execute.mood > ''sad'', $3::text, $4)', 3, 'happy', row(1, 'x'), 'pg_class');
-- from an argument that is varchar, from a function, from a field
create function of_varchar(q varchar, n int) returns int language plproxy as $$ cluster 'parts'; run on n; execute q using n; $$;
select of_varchar('select $1 * 10 + part()', 3);
create function build(tab text, col text) returns text language sql immutable as $$ select format('select max(%I) from %I.users where id < $1', col, tab) $$;
create function built(tab text, col text, n int) returns setof text language plproxy as $$
    cluster 'parts'; run on all; execute build(tab, $2) || ' and $2 is not null' using n, tab;
$$;
select * from built('t_execute', 'name', 12);
create type statement as (sql text, n int);
create function of_field(s statement) returns int language plproxy as $$ cluster 'parts'; run on s.n; execute s.sql; $$;
select of_field(row('select part()', 2));
-- the words are identifiers wherever no statement begins
create function called(execute text, "using" int, out text) language plproxy as $$
    cluster 'parts'; run on using; execute execute using using;
$$;
select called('select part() || '' '' || $1', 1);
create function execute(n int) returns int language sql as $$ select n + 1 $$;
create function by_execute(execute int) returns int language plproxy as $$ cluster 'parts'; run on execute(execute); select execute * 10 + part(); $$;
select by_execute(1);
create function of_target(execute int) returns int language plproxy as $$ cluster 'parts'; run on execute; target execute; $$;
call everywhere('create function public.execute(n int) returns int language sql as ''select n + 100''');
select of_target(1);
call everywhere('drop function public.execute');
-- SPLIT: each partition has its own elements
create function split_up(sql text, ids int[], names text[], what text) returns setof text language plproxy as $$
    cluster 'parts'; split ids, names; run on ids; execute sql using ids, what, names;
$$;
select * from split_up('select concat_ws('' '', part(), $1, $2, $3)', '{1,2,3,5,6}', '{a,b,c,d,e}', 'x');
select * from split_up('select 1', '{}', '{}', 'x');
-- every RUN ON, and CONNECT
create function on_any(sql text) returns int language plproxy as $$ cluster 'parts'; run on any; execute sql; $$;
select on_any('select part()') between 0 and 3 as somewhere;
create function nowhere_said(sql text) returns int language plproxy as $$ cluster 'parts'; execute sql; $$;
select nowhere_said('select part()') between 0 and 3 as somewhere;
create function hashes(n int) returns setof int language sql as $$ select generate_series(0, n) $$;
create function on_several(sql text, n int) returns setof int language plproxy as $$ cluster 'parts'; run on hashes(n); execute sql; $$;
select * from on_several('select part()', 2);
create function by_text(sql text, key text) returns int language plproxy as $$ cluster 'parts'; run on key; execute sql using key; $$;
select by_text('select part()', 'a') = (plproxy_hash('a'::text) & 3) as hashed;
create function connected(connstr text, sql text, n int) returns setof record language plproxy as $$ connect connstr; execute sql using n; $$;
select * from connected('dbname=regress_part2 host=127.0.0.1 port=' || current_setting('port'), 'select part(), $1 + 1', 5) as (a int, b int);
-- results: columns by name, one row where no set is wanted
create function row_of(sql text, out id int, out name text) language plproxy as $$ cluster 'parts'; run on 0; execute sql; $$;
select * from row_of('select ''x''::text as name, 1 as id');
select outcome($$ select row_of('select 1 as id') $$);
select outcome($$ select row_of('select 1 as id, 2 as name, 3 as x') $$);
select outcome($$ select row_of('select 1 as id, 2 as nam') $$);
select outcome($$ select row_of('select ''a'' as id, 2 as name') $$);
select outcome($$ select row_of('select 1 as id, 2 as name where false') $$);
select outcome($$ select on_zero('select part() from generate_series(1, 3)') $$);
select outcome($$ select on_zero('select 1, 2') $$);
select outcome($$ select on_zero('select') $$);
select outcome($$ select count(*) from dy('select 1 as b') as (a int) $$);
select outcome($$ select count(*) from dy('select where false') as (a int, b int) $$);
create function scalars(sql text) returns setof posint language plproxy as $$ cluster 'parts'; run on all; execute sql; $$;
select * from scalars('select 1 + part()');
select outcome($$ select * from scalars('select part()') $$);
-- the plan is the partition's own, parallel if it likes
call everywhere('create table t_execute.big as select i, repeat(''x'', 100) as pad from generate_series(1, 20000) i; analyze t_execute.big');
call everywhere($$ do $do$ begin
    execute format('alter database %I set max_parallel_workers_per_gather = 2', current_database());
    execute format('alter database %I set min_parallel_table_scan_size = 0', current_database());
    execute format('alter database %I set parallel_setup_cost = 0', current_database());
    execute format('alter database %I set parallel_tuple_cost = 0', current_database());
end $do$ $$);
select plproxy_disconnect_all();
create function plan(sql text, n int) returns setof text language plproxy as $$ cluster 'parts'; run on 0; execute sql using n; $$;
select trim(l) as line from plan('explain (costs off) select count(*) from t_execute.big where i > $1', 5) l where l ~ 'Workers';
call everywhere($$ do $do$ begin execute format('alter database %I reset all', current_database()); end $do$ $$);
select plproxy_disconnect_all();
-- statements without a result: one empty value for a function that returns void, no row for others
create function run_it(sql text) returns void language plproxy as $$ cluster 'parts'; run on 0; execute sql; $$;
create function run_all(sql text) returns setof void language plproxy as $$ cluster 'parts'; run on all; execute sql; $$;
select run_it('create table t_execute.made (n int)');
select count(*) from run_all('create table if not exists t_execute.made (n int)');
select run_it('insert into t_execute.made values (1)'), run_it('select 1'), run_it('');
select count(*), count(r) from run_all('insert into t_execute.made values (part())') r;
select * from dy('select part(), count(*) from t_execute.made') as (part int, n int8);
select outcome($$ select run_it('select 1, 2') $$);
select outcome($$ select run_it('select 1 where false') $$);
select on_zero('update t_execute.made set n = 5');
select * from dy('select sum(n) from t_execute.made') as (n int8);
select * from dy('update t_execute.made set n = n + 1 where n < 3 returning n') as (n int);
select on_zero('');
select on_zero('-- nothing');
-- bad input: what the text is wrong in the partition says
select on_zero('selekt 1');
select outcome($$ select on_zero('select 1; select 2') $$);
select outcome($$ select run_it('insert into t_execute.made values (10); insert into t_execute.made values (11)') $$);
select * from dy('select count(*) from t_execute.made where n > 9') as (n int8);
select outcome($$ select on_zero('select * from nowhere') $$);
select outcome($$ select on_zero('select 1/0') $$);
select outcome($$ select run_it('copy t_execute.made from stdin') $$);
select outcome($$ select run_it('copy t_execute.made to stdout') $$);
select part_at(0);
-- NULL
select on_zero(null);
select outcome($$ select on_zero(null) $$);
create function strange(n int) returns text language sql as $$ select nullif('select ' || n, 'select 1') $$;
create function of_strange(n int) returns text language plproxy as $$ cluster 'parts'; run on 0; execute strange(n); $$;
select of_strange(2);
select of_strange(1);
create function of_number(n int) returns text language plproxy as $$ cluster 'parts'; run on 0; execute abs(n); $$;
select of_number(1);
create function of_rows(n int) returns text language plproxy as $$ cluster 'parts'; run on 0; execute rows(n); $$;
create function rows(n int) returns setof text language sql as $$ select 'select 1'::text from generate_series(1, n) $$;
select of_rows(1);
select of_rows(2);
select outcome($$ select of_rows(0) $$);
-- a transaction does not stay open on the connection
select outcome($$ select run_it('begin') $$);
select on_zero('select count(*) from t_execute.made');
select run_it('insert into t_execute.made values (77)');
select outcome($$ select run_it('rollback') $$);
select on_zero('select count(*) from t_execute.made where n = 77');
select outcome($$ select run_it('savepoint a') $$);
-- what the statement does to the session counts there
select run_it('deallocate all'), run_it('discard all');
select part_at(0);
-- large texts
select length(on_zero('select ''' || repeat('x', 10000000) || ''''));
select on_zero(repeat(' ', 10000000) || 'select 1');
-- prepared when the text comes again on that connection, and not before
select current_setting('port') as port \gset
create function prepared_at(sql text, connstr text) returns setof text language plproxy as $$ connect connstr; execute sql; $$;
\set connstr 'dbname=regress_part3 host=127.0.0.1 application_name=regress_execute port=' :port
select count(*) from generate_series(1, 300) n, prepared_at('select ' || n, :'connstr');
select * from prepared_at('select count(*) from pg_prepared_statements where statement ~ ''^select [0-9]+( where|$)''', :'connstr');
select count(*) from generate_series(1, 5) n, prepared_at('select 42 where ' || n % 1 || ' = 0', :'connstr');
select * from prepared_at('select statement from pg_prepared_statements where statement ~ ''^select [0-9]+( where|$)''', :'connstr');
-- never more than a connection remembers
select count(*) from generate_series(0, 599) n, prepared_at('select 1000 + ' || n % 60, :'connstr');
select a::int between 1 and 256 as bounded from prepared_at('select count(*) from pg_prepared_statements', :'connstr') a;
-- two functions, one text, other types
create function as_int(sql text, a int) returns text language plproxy as $$ cluster 'parts'; run on 0; execute sql using a; $$;
create function as_text(sql text, a text) returns text language plproxy as $$ cluster 'parts'; run on 0; execute sql using a; $$;
select as_int('select pg_typeof($1)', 1), as_text('select pg_typeof($1)', '1') from generate_series(1, 4);
-- a prepared one sees what has changed
select * from dy('create table if not exists t_execute.nothing ()') as (x int);
select count(*) from run_all('create table t_execute.shape as select 1 as a');
select on_zero('select * from t_execute.shape') from generate_series(1, 4);
select count(*) from run_all('alter table t_execute.shape alter a type text using ''t'' || a');
select on_zero('select * from t_execute.shape') from generate_series(1, 2);
-- recursion: a text that calls the proxy again
create function again_at(connstr text, sql text) returns text language plproxy as $$ connect connstr; execute sql; $$;
\set here 'dbname=regression host=127.0.0.1 port=' :port
select again_at(:'here', format('select t_execute.again_at(%L, %L)', :'here', format('select t_execute.again_at(%L, ''select 7'')', :'here')));
create function nested(sql text) returns text language plpgsql as $$ begin return on_zero(sql) || on_zero('select part()'); end $$;
select nested('select 5');
-- rights: as whom the function runs
create role regress_execute login;
grant usage on schema t_execute to regress_execute;
grant usage on foreign server parts to regress_execute;
create function secure(sql text) returns text security definer language plproxy as $$ cluster 'parts'; run on 0; execute sql; $$;
set role regress_execute;
select on_zero('select current_user');
select secure('select current_user') <> 'regress_execute' as as_owner;
reset role;
-- encodings: the text goes as the partition wants it
select on_zero('select ''Ångström €''::text || length(''Ångström'')');
-- where it would go and what it would send
select partition, query from plproxy_route('dy(text)', 'select 1') where partition < 2;
select query from plproxy_route('typed(text,int,int8,numeric,date,text[])', 'select $1, $5[2], ''$2'', $4 -- $3
    , $6, $7', '1', null, '2', '2020-01-01', '{a,it''s}');
select partition, query from plproxy_route('split_up(text,int[],text[],text)', 'select $1, $2', '{1,2,5}', '{a,b,c}', 'x');
select query from plproxy_route('built(text,text,int)', 't_execute', 'id', '3') where partition = 0;
select outcome($$ select query from plproxy_route('on_zero(text)', null) $$);
-- nothing is known of the statement before the call
select * from plproxy_check_function('dy(text)');
select partition, ok, problem from plproxy_check_functions('parts') where function = 'run_it(text)'::regprocedure;
-- what CREATE FUNCTION refuses
create function wrong(a int) returns text language plproxy as $$ cluster 'parts'; execute a; $$;
create function wrong(a text[]) returns text language plproxy as $$ cluster 'parts'; execute a; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute b; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute $2; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute a using b; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute a using a.b; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute a using; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute 'select 1'; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute (a); $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute a; execute a; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; execute a; target b; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; select 1; execute a; $$;
create function wrong(a text) returns text language plproxy as $$ execute a; $$;
create function wrong(a text) returns text language plproxy as $$ cluster 'parts'; run on all; execute a; $$;
create function wrong(a text) returns text language plproxy as $$ cluster upper('parts') execute a; $$;
select wrong('select 1');
select * from dy('select 1');
select dy('select 1');
drop owned by regress_execute;
drop role regress_execute;
