-- SQL on all partitions. All or none: tests/admin, as this server prepares nothing.
select * from plproxy_run_on_all('parts', 'select current_database()');
select * from plproxy_run_on_all('parts', 'create table run (n int)');
select * from plproxy_run_on_all('parts', 'insert into run select generate_series(1, 3) returning n');
select * from plproxy_run_on_all('parts', 'update run set n = n');
-- several statements: the last one's result, one transaction
select * from plproxy_run_on_all('parts', 'select 1; select count(*) from run; select sum(n), 7 from run');
select * from plproxy_run_on_all('parts', 'select 1; delete from run');
select * from plproxy_run_on_all('parts', 'insert into run values (1); select nonsense');
select * from plproxy_run_on_all('parts', 'select count(*) from run');
-- in the select list
select plproxy_run_on_all('parts', 'select 1');
select n, (plproxy_run_on_all('parts', 'select ' || n)).* from generate_series(1, 2) n;
-- NULL, no rows, nothing
select * from plproxy_run_on_all('parts', 'select null');
select * from plproxy_run_on_all('parts', 'select 1 where false');
select * from plproxy_run_on_all('parts', '');
select * from plproxy_run_on_all('parts', E'select \'ä\n€\'');
-- one that fails is a row, and does not hide the others
select * from plproxy_run_on_all('parts', $$ do 'begin if current_database() = ''regress_part2'' then
    raise exception ''not here'' using detail = ''really'', hint = ''elsewhere''; end if; end'; select 'done' $$);
-- what cannot run in a transaction block
select * from plproxy_run_on_all('parts', 'vacuum run');
select * from plproxy_run_on_all('parts', 'vacuum run; select 1');
-- notices arrive
select count(*) from plproxy_run_on_all('parts', $$ do 'begin if current_database() = ''regress_part1'' then
    raise notice ''a notice''; raise warning ''a warning''; end if; end' $$);
-- nothing of it stays: not a transaction, not a setting, not a temporary table
select * from plproxy_run_on_all('parts', 'begin; insert into run values (1)');
select * from plproxy_run_on_all('parts', 'select count(*) from run');
create function setting() returns setof text language plproxy as $$
    cluster 'parts'; run on all; select current_setting('work_mem') || coalesce(to_regclass('temporary')::text, '');
$$;
select distinct setting() = '4MB' from setting();
select count(*) from plproxy_run_on_all('parts', 'set work_mem = ''1MB''; create temp table temporary (n int)');
select distinct setting() = '4MB' from setting();
-- nothing is copied from or to the client, and nothing of such a command is done
select * from plproxy_run_on_all('parts', 'copy run to stdout');
select * from plproxy_run_on_all('parts', 'copy run from stdin');
select * from plproxy_run_on_all('parts', 'insert into run values (1); copy run (n) to stdout csv; select 1');
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'copy run to stdout', atomic => true) $$);
select * from plproxy_run_on_all('parts', $$ copy run to program 'cat >/dev/null' $$);
select * from plproxy_run_on_all('parts', 'select count(*) from run');
-- where only the partition sees it, its connection is given up
set standard_conforming_strings = off;
set escape_string_warning = off;
select * from plproxy_run_on_all('parts', $$ select '\'; copy run to stdout; --' $$);
reset standard_conforming_strings;
select * from plproxy_run_on_all('parts', 'select count(*) from run');
-- what changes the encoding of the session cannot be misread: it is right, or refused
select * from plproxy_run_on_all('parts', 'set client_encoding = latin1; select chr(228)');
select * from plproxy_run_on_all('parts', $$ set names 'sjis'; select chr(12354) $$);
select * from plproxy_run_on_all('parts', $$ select set_config('client_encoding', 'latin1', false) || chr(228) $$);
select * from plproxy_run_on_all('parts', 'set local client_encoding = latin1; select chr(228)');
select * from plproxy_run_on_all('parts', 'set client_encoding = latin1; select 7');
select * from plproxy_run_on_all('parts', 'set client_encoding = latin1; select chr(228); set client_encoding = utf8; select chr(228)');
select * from plproxy_run_on_all('parts', 'set client_encoding = utf8; select chr(228)');
select * from plproxy_run_on_all('parts', 'set client_encoding = sjis; select chr(165)');
select * from plproxy_run_on_all('parts', 'set client_encoding = sjis; select chr(8254)');
-- nor is success what nobody commits
select * from plproxy_run_on_all('parts', 'begin; insert into run values (99)');
select * from plproxy_run_on_all('parts', 'insert into run values (99); begin');
select * from plproxy_run_on_all('parts', 'begin');
select * from plproxy_run_on_all('parts', 'begin; insert into run values (98); commit and chain; insert into run values (99)');
select * from plproxy_run_on_all('parts', 'begin; insert into run values (97); end');
select * from plproxy_run_on_all('parts', 'select string_agg(n::text, '','' order by n) from run where n > 90');
select count(*) from plproxy_run_on_all('parts', 'delete from run where n > 90') where success;
-- partitions of one connection string are one
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
create server twice foreign data wrapper plproxy options (p0 :'p0', p1 :'p1', p2 :'p0', p3 :'p1', query_timeout '3');
create user mapping for public server twice;
select * from plproxy_run_on_all('twice', 'insert into run values (1)');
select * from plproxy_run_on_all('parts', 'select count(*) from run');
-- the cluster's query_timeout
select * from plproxy_run_on_all('twice',
    $$ do 'begin if current_database() = ''regress_part0'' then perform pg_sleep(30); end if; end' $$);
drop server twice cascade;
-- all or none
select * from plproxy_run_on_all('parts', 'insert into run values (2)', atomic => true);
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'select 1; commit; select 2', atomic => true) $$);
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'not sql', atomic => true) $$);
-- however the text may be read, and in a comment
select outcome($$ select count(*) from plproxy_run_on_all('parts', $c$ /* ; */ -- ;
    ;; /* /* */ */ Commit$c$, atomic => true) $$);
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'prepare transaction ''mine''', atomic => true) $$);
begin read only;
savepoint s;
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'select 1', atomic => true) $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts') $$);
rollback;
select * from plproxy_internal.prepared_transactions;
select * from plproxy_recover_prepared('parts');
begin isolation level repeatable read;
select * from plproxy_recover_prepared('parts');
rollback;
-- a lost server is called by its name
select outcome($$ select count(*) from plproxy_recover_prepared('parts', '3.0.0') $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts', '0123456789abcdef') $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts', '0123456789abcdeg') $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts', '+123456789abcdef') $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts', '') $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts', null) $$);
-- bad input
select outcome($$ select count(*) from plproxy_run_on_all('nowhere', 'select 1') $$);
select outcome($$ select count(*) from plproxy_run_on_all(null, 'select 1') $$);
select outcome($$ select count(*) from plproxy_run_on_all('parts', null) $$);
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'select 1', null) $$);
select outcome($$ select count(*) from plproxy_recover_prepared(null) $$);
select outcome($$ select count(*) from plproxy_recover_prepared('nowhere') $$);
-- rights: to the function, and to the cluster
create role regress_admin_run login;
set role regress_admin_run;
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'select 1') $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts') $$);
select outcome('select count(*) from plproxy_internal.prepared_transactions');
reset role;
grant execute on function plproxy_run_on_all(text, text, boolean), plproxy_recover_prepared(text) to regress_admin_run;
set role regress_admin_run;
select outcome($$ select count(*) from plproxy_run_on_all('parts', 'select 1') $$);
select outcome($$ select count(*) from plproxy_recover_prepared('parts') $$);
reset role;
grant usage on foreign server parts to regress_admin_run;
set role regress_admin_run;
select * from plproxy_run_on_all('parts', 'select current_user');
select * from plproxy_recover_prepared('parts');
reset role;
-- everything that can change or reveal something is nobody's, but for how many transactions there were, as in pg_stat_database
select proname from pg_proc where proname like 'plproxy\_%' and has_function_privilege('regress_admin_run', oid, 'execute')
    order by 1;
drop owned by regress_admin_run;
drop role regress_admin_run;
select count(*) from plproxy_run_on_all('parts', 'drop table run') where success;
drop function setting();
