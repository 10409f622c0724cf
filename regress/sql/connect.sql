-- CONNECT: a connection string given as a literal, by an argument, or by a function.
create schema t_connect;
set search_path = t_connect, public;
select current_setting('port') as port \gset
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
-- a literal
\set body 'connect ' '''' :p1 '''; select part();'
create function fixed() returns int language plproxy as :'body';
select fixed();
\set body 'connect ' '''' :p1 ''';'
create function part() returns int language plproxy as :'body';
\set body 'connect ' '''' :p1 '''; target part;'
create function target_part() returns int language plproxy as :'body';
select target_part();
\set body '-- where' :LAST_ERROR_SQLSTATE '\nCoNNecT /* there */ ' '''' :p1 ''' ; SELECT current_database()::text;'
create function told() returns text language plproxy as :'body';
select told();
-- an argument, by name and by number
create function by_name(connstr text) returns text language plproxy as $$
    connect connstr; select current_database()::text;
$$;
create function by_number(text, n int) returns text language plproxy as $$
    connect $1; select current_database() || ' ' || $2;
$$;
create function by_case(a int, "Where" text) returns text language plproxy as $$
    connect WHERE; select current_database() || ' ' || a;
$$;
-- a connection string to a partition
create function to_part(n int) returns text strict language sql as $$
    select format('dbname=regress_part%s host=127.0.0.1 port=%s', n, current_setting('port'))
$$;
select by_name(to_part(0)), by_name(to_part(3)), by_number(to_part(2), 7), by_case(5, to_part(1));
select by_name(format('host=''127.0.0.1'' port = %s dbname=''regress_part1''', current_setting('port')));
select by_name(to_part(0) || ' user=' || current_user);
select by_name(to_part(0) || ' connect_timeout=5 keepalives=1 keepalives_idle=10 application_name=''an app''');
create function app(connstr text) returns text language plproxy as $$
    connect connstr; select current_setting('application_name');
$$;
select app(to_part(0) || ' application_name=''an app''');
select app(to_part(0) || ' options=''-c application_name=optional''');
-- a URI
select by_name(format('postgresql://%s@127.0.0.1:%s/regress_part1', current_user, current_setting('port')));
select by_name(format('postgres://127.0.0.1:%s/regress_part2', current_setting('port')));
select by_name(format('postgresql:///regress_part3?host=127.0.0.1&port=%s', current_setting('port')));
-- a function
create function by_function(n int) returns text language plproxy as $$
    connect to_part(n); select current_database()::text;
$$;
select by_function(0), by_function(1), by_function(2), by_function(3), by_function(0);
create function by_outer_function(n int) returns text language plproxy as $$
    connect to_part((n + $1) % 4) ; select current_database()::text;
$$;
select by_outer_function(1), by_outer_function(3);
-- rows and records
create function series(connstr text, n int) returns setof int language plproxy as $$
    connect connstr; select i from generate_series(1, n) i;
$$;
select series(to_part(1), 3);
select * from series(to_part(1), 0);
create function pairs(connstr text, out a int, out b text) returns setof record language plproxy as $$
    connect connstr; select 'x'::text as b, part() as a;
$$;
select * from pairs(to_part(2));
create function nothing(connstr text) returns void language plproxy as $$ connect connstr; select 1; $$;
select nothing(to_part(2));
-- NULL, none, several, and what is no text
select by_name(null);
select by_function(null);
create function no_place() returns setof text language sql as $$ select '' where false $$;
create function by_no_place() returns int language plproxy as $$ connect no_place(); select 1; $$;
select by_no_place();
create function two_places() returns setof text language sql as $$ select to_part(n) from generate_series(0, 1) n $$;
create function by_two_places() returns int language plproxy as $$ connect two_places(); select 1; $$;
select by_two_places();
create function by_int(n int) returns int language plproxy as $$ connect n; select 1; $$;
select by_int(1);
create function int_place() returns int language sql as 'select 1';
create function by_int_place() returns int language plproxy as $$ connect int_place(); select 1; $$;
select by_int_place();
create function bad_place(n int) returns text language plpgsql as $$ begin return to_part(1 / n); end $$;
create function by_bad_place(n int) returns int language plproxy as $$ connect bad_place(n); select part(); $$;
select by_bad_place(1);
select by_bad_place(0);
create function by_no_function() returns int language plproxy as $$ connect no_such_function(); select 1; $$;
select by_no_function();
select by_name(to_part(0));
-- servers that do not answer; none of these words is a password
select by_name('dbname=regress_part0 host=127.0.0.1 port=1');
select by_name('dbname=regress_part0 host=127.0.0.1 port=1 user=joe password=letmein');
select by_name('host=127.0.0.1 port=1 user=joe dbname=''a b''');
select by_name('dbname=regress_part0 host=/no/such/directory port=5');
select by_name(to_part(0));
select outcome($$ select by_name(to_part(0) || ' user=regress_nobody password=letmein') $$);
select outcome($$ select by_name(replace(to_part(0), 'part0', 'nowhere')) $$);
select by_name(to_part(0));
-- strings that are none
select by_name('nonsense');
select by_name('dbname=regress_part0 no_such_keyword=1');
select by_name('dbname=''regress_part0');
select by_name('dbname=regress_part0 host=127.0.0.1 port=70000');
select by_name('dbname=regress_part0 host=127.0.0.1 port=many');
select by_name('dbname=regress_part0 password=letmein sslmode=perhaps');
select by_name(to_part(0));
-- the partition has no such function, table, or column
create function missing(connstr text) returns int language plproxy as $$ connect connstr; target no_such_function; $$;
select missing(to_part(1));
create function no_table(connstr text) returns int language plproxy as $$ connect connstr; select x from no_such_table; $$;
select no_table(to_part(1));
select by_name(to_part(1));
-- connection strings that come once do not pile up, and cost no cluster its connections
create function pid_at(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select pg_backend_pid(); $$;
select pid_at(0) as pid \gset
select count(by_name(to_part(1) || ' application_name=regress_once_' || i)) from generate_series(1, 150) i;
select pid_at(0) = :pid as same_connection;
select count(*) < 140 as bounded from pg_stat_activity where application_name like 'regress_once_%';
-- CONNECT stands alone
create function bad1() returns int language plproxy as $$ connect 'dbname=x'; cluster 'parts'; $$;
create function bad2() returns int language plproxy as $$ connect 'dbname=x'; run on 1; $$;
create function bad3() returns int language plproxy as $$ connect 'dbname=x'; connect 'dbname=y'; $$;
create function bad4() returns int language plproxy as $$ connect; $$;
create function bad5() returns int language plproxy as $$ connect 'dbname=x' $$;
create function bad6(a text) returns int language plproxy as $$ connect $2; $$;
create function bad7(a text) returns int language plproxy as $$ connect to_part($2); $$;
create function bad8() returns int language plproxy as $$ connect 5; $$;
set client_min_messages = warning;
drop schema t_connect cascade;
