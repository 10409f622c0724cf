-- Text crosses between databases of different encodings: arguments, results, column names, notices and errors.
set client_encoding = 'UTF8';
set client_min_messages = warning;
drop database if exists regress_enc_utf8 with (force);
drop database if exists regress_enc_eucjp with (force);
drop database if exists regress_enc_gone with (force);
drop database if exists regress_enc_latin1 with (force);
drop database if exists regress_enc_ascii with (force);
reset client_min_messages;
create database regress_enc_utf8 template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C';
create database regress_enc_eucjp template template0 encoding 'EUC_JP' lc_collate 'C' lc_ctype 'C';
create database regress_enc_latin1 template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C';
create database regress_enc_ascii template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C';
-- the same in each: far functions, and proxies to the three others by a connection string
select format($q$
create extension plproxy;
create function echo(t text) returns text language sql as 'select $1';
create function bytes(t text) returns text language sql as $f$ select encode(textsend($1), 'hex') $f$;
create function server_bytes(t text) returns text language sql as $f$ select encode(convert_to($1, getdatabaseencoding()), 'hex') $f$;
create function tell(t text) returns text language plpgsql as $f$ begin raise notice 'told %%', t; return t; end $f$;
create function fail(t text) returns text language plpgsql as $f$
begin raise exception 'failed %%', t using detail = 'detail ' || t, hint = 'hint ' || t; end $f$;
create function place(db text) returns text language sql as $f$
    select 'dbname=regress_enc_' || $1 || ' host=127.0.0.1 port=%s' $f$;
create function echo(db text, t text) returns text language plproxy as $f$ connect place(db); select echo(t); $f$;
create function echoes(db text, t text[]) returns text[] language plproxy as $f$ connect place(db); select t; $f$;
create function server_bytes(db text, t text) returns text language plproxy as $f$ connect place(db); select server_bytes(t); $f$;
create function tell(db text, t text) returns text language plproxy as $f$ connect place(db); select tell(t); $f$;
create function fail(db text, t text) returns text language plproxy as $f$ connect place(db); select fail(t); $f$;
create function size(db text, t text) returns int language plproxy as $f$ connect place(db); select length(t); $f$;
$q$, current_setting('port')) as setup \gset
\c regress_enc_utf8
set client_encoding = 'UTF8';
:setup
\c regress_enc_eucjp
set client_encoding = 'UTF8';
:setup
\c regress_enc_latin1
set client_encoding = 'UTF8';
:setup
\c regress_enc_ascii
:setup
-- from UTF8
\c regress_enc_utf8
set client_encoding = 'UTF8';
create function wide_array() returns text[] language sql as $$ select array['x', chr(26085)] $$;
select echo('utf8', '日本語'), echo('eucjp', '日本語'), echo('latin1', 'Ångström'), echo('ascii', 'Ångström');
select server_bytes('utf8', '日本'), server_bytes('eucjp', '日本'), server_bytes('latin1', 'Å'), server_bytes('ascii', 'Å');
select size('eucjp', '日本語'), size('latin1', 'Ångström'), size('utf8', '日本語');
select echoes('eucjp', '{日,NULL,"本 語"}'), echoes('latin1', '{Å,"",ö}');
select tell('eucjp', '日本');
select tell('latin1', 'Ångström');
select fail('eucjp', '日本');
select fail('latin1', 'Ångström');
select echo('utf8', 'next');
-- a function there that changes what its session speaks: text of which nobody can tell what it says is no result
create function changing(db text, t text) returns text language plproxy as $$
    connect place(db); select case when set_config('client_encoding', 'LATIN1', false) <> '' then t end;
$$;
create function changing_row(t text, out a bytea, out b bigint, out c text[]) language plproxy as $$
    connect place('utf8'); select '\xe9'::bytea as a, -1 as b, case when set_config('client_encoding', 'LATIN1', false) <> '' then array[t] end as c;
$$;
select changing('utf8', 'Ã©');
select changing('utf8', 'plain'), changing('latin1', 'plain');
select changing('latin1', 'é');
select * from changing_row('plain');
select * from changing_row('é');
select echo('utf8', 'Ã©');
-- what the other side does not have is an error of one side, and the next call is good
create function try(q text) returns text language plpgsql as $$
declare r text; begin execute q into r; return r; exception when others then return sqlstate; end $$;
select try($$ select echo('latin1', '日本') $$);
select echo('latin1', 'Å');
select try($$ select echo('eucjp', '😀') $$);
select echo('eucjp', '日');
-- an error names function and partition, whichever side finds it
create function raw_bytes() returns text language plproxy as $$ connect place('ascii'); select convert_from('\xe5', 'SQL_ASCII'); $$;
select echo('latin1', '日本');
select raw_bytes();
-- whatever the client's encoding is
set client_encoding = 'LATIN1';
select server_bytes('latin1', chr(197)), server_bytes('eucjp', chr(26085)), size('latin1', chr(197) || chr(246));
select count(*) from generate_series(1, 5) i where echoes('latin1', array[chr(197)]) = array[chr(197)];
set client_encoding = 'EUC_JP';
select server_bytes('eucjp', chr(26085)) = 'c6fc', server_bytes('latin1', chr(197)) = 'c5';
set client_encoding = 'UTF8';
-- column names, argument names, function names, identifiers in the remote query
create type columns as ("日" int, "Å" text);
create function columns() returns columns language plproxy as $$ connect place('utf8'); target far_columns; $$;
create function far_columns(out "日" int, out "Å" text) language sql as $$ select 1, 'ö' $$;
select * from columns();
create function columns_eucjp(out "日" int, out "本" text) language plproxy as $$
    connect place('eucjp'); select 1 as "日", '語'::text as "本";
$$;
select * from columns_eucjp();
create function columns_latin1(out "å" int, out "ö" text) language plproxy as $$
    connect place('latin1'); select 'ü'::text as "ö", 1 as "å";
$$;
select * from columns_latin1();
create function missing_column(out "å" int, out "ö" text) language plproxy as $$
    connect place('latin1'); select 'ü'::text as "ü", 1 as "å";
$$;
select * from missing_column();
create function "função"("número" int, "Å" text) returns text language plproxy as $$
    connect place('latin1'); select "número"::text || $2 || número from (select 5 as "número") x;
$$;
select "função"(7, 'Å');
create function "日本"() returns text language plproxy as $$ connect place('eucjp'); $$;
select "日本"();
-- from EUC_JP
\c regress_enc_eucjp
set client_encoding = 'UTF8';
select echo('utf8', '日本語'), echo('eucjp', '日本語'), size('utf8', '日本語'), echo('latin1', 'plain');
select server_bytes('utf8', '日本'), server_bytes('eucjp', '日本');
select tell('utf8', '日本');
select fail('utf8', '日本');
create function wide() returns text language plproxy as $$ connect place('utf8'); select chr(128512); $$;
create function try(q text) returns text language plpgsql as $$
declare r text; begin execute q into r; return r; exception when others then return sqlstate; end $$;
select try('select wide()');
select wide();
-- of these bytes EUC_JP makes a character that Unicode does not have
select echo('utf8', convert_from('\xa9a1', 'EUC_JP'));
select echoes('utf8', array[convert_from('\xa9a1', 'EUC_JP')]);
select echo('utf8', '日');
-- from LATIN1
\c regress_enc_latin1
set client_encoding = 'UTF8';
select echo('utf8', 'Ångström'), echo('latin1', 'Ångström'), size('utf8', 'Ångström');
select server_bytes('utf8', 'Å'), server_bytes('latin1', 'Å');
select tell('utf8', 'Ångström');
select fail('utf8', 'Ångström');
create function wide() returns text language plproxy as $$ connect place('utf8'); select chr(26085); $$;
create function try(q text) returns text language plpgsql as $$
declare r text; begin execute q into r; return r; exception when others then return sqlstate; end $$;
select try('select wide()');
select wide();
create function wides(n int) returns setof text language plproxy as $$
    connect place('utf8'); select case when i = n then chr(26085) else 'x' end from generate_series(1, n) i;
$$;
select count(*) from wides(1000);
select wides(2);
create function wide_array() returns text[] language plproxy as $$ connect place('utf8'); $$;
select wide_array();
create function wide_row(out a int, out b jsonb) language plproxy as $$ connect place('utf8'); select 1 as a, to_jsonb(chr(26085)) as b; $$;
select * from wide_row();
create function wide_type() returns "char" language plproxy as $$ connect place('utf8'); select chr(26085); $$;
select wide_type();
select place('latin1') as p0, place('utf8') as p1 \gset
create server encodings foreign data wrapper plproxy options (p0 :'p0', p1 :'p1');
create user mapping for public server encodings;
create function from_all() returns setof text language plproxy as $$
    cluster 'encodings'; run on all; select chr(case current_database() when 'regress_enc_utf8' then 26085 else 65 end);
$$;
select * from from_all();
select from_all();
select echo('utf8', 'Å');
-- where there is no conversion between the two, UTF-8 is in between
select echo('eucjp', '§±°'), server_bytes('eucjp', '§±°'), size('eucjp', '§±°'), tell('eucjp', '§');
select echoes('eucjp', array['§', null, '×÷']) from generate_series(1, 4);
select echo('eucjp', 'plain'), server_bytes('eucjp', '¶') from generate_series(1, 4);
select fail('eucjp', '§');
create function columns_eucjp(out "§" int, out "°" text) language plproxy as $$
    connect place('eucjp'); select '±'::text as "°", 1 as "§";
$$;
select * from columns_eucjp() where "°" = '±';
create function wide_eucjp() returns text language plproxy as $$ connect place('eucjp'); select convert_from('\xc6fc', 'EUC_JP'); $$;
select wide_eucjp();
select place('eucjp') as p0, place('latin1') as p1 \gset
create server two_kinds foreign data wrapper plproxy options (p0 :'p0', p1 :'p1');
create user mapping for public server two_kinds;
select partition, success, result from plproxy_run_on_all('two_kinds', $$ select '§±' $$) order by 1;
select partition, success, result from plproxy_run_on_all('two_kinds', $$ select 1; select 'a§' $$) order by 1;
create function size(t text) returns setof int language plproxy as $$ cluster 'two_kinds'; run on all; select length(t); $$;
select * from size('§±');
select * from plproxy_check_function('size(text)');
-- equal encodings: what Unicode lacks passes
\c regress_enc_eucjp
select encode(convert_to(echo('eucjp', convert_from(code, 'EUC_JP')), 'EUC_JP'), 'hex') = encode(code, 'hex') as same
    from unnest(array['\xf5a1', '\xadf0', '\xa9a1', '\x8fa9a1']::bytea[]) code;
-- a partition of SQL_ASCII stores what it gets
\c regress_enc_latin1
select server_bytes('ascii', convert_from('\xe4', 'LATIN1')), echo('ascii', convert_from('\xe4', 'LATIN1')) = convert_from('\xe4', 'LATIN1') as same;
-- ANY finds one that speaks UTF-8 in the place of one that spoke LATIN1
create database regress_enc_gone template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C';
select place('gone') as p0, place('eucjp') as p1 \gset
create server any_kind foreign data wrapper plproxy options (p0 :'p0', p1 :'p1');
create user mapping for public server any_kind;
create function any_kind(given text, out db text, out t text) language plproxy as $$
    cluster 'any_kind'; run on any; select current_database()::text as db, given as t;
$$;
select count(distinct db), bool_and(t = chr(167)) from generate_series(1, 100) n, any_kind(chr(167 + 0 * n)) x(db, t);
drop database regress_enc_gone with (force);
select count(distinct db), bool_and(t = chr(167)) from generate_series(1, 100) n, any_kind(chr(167 + 0 * n)) x(db, t);
-- a name and a body that Unicode has nothing for
\c regress_enc_eucjp
do $do$ begin
    execute format($f$ create function %I(out %I text) language plproxy as $$ connect place('eucjp'); select %L::text as %I; $$ $f$,
        convert_from('\xf5a1', 'EUC_JP'), convert_from('\xf5a2', 'EUC_JP'), convert_from('\xf5a3', 'EUC_JP'), convert_from('\xf5a2', 'EUC_JP'));
    execute format('create table answer as select encode(convert_to(x::text, $$EUC_JP$$), $$hex$$) as bytes from %I() x', convert_from('\xf5a1', 'EUC_JP'));
end $do$;
select bytes from answer;
-- from SQL_ASCII: bytes are what they are
\c regress_enc_ascii
select encode(echo('ascii', convert_from('\xc3a5ff', 'SQL_ASCII'))::bytea, 'hex');
select encode(echo('latin1', convert_from('\xe5ff', 'SQL_ASCII'))::bytea, 'hex') from generate_series(1, 4);
select encode((echoes('latin1', array[convert_from('\xe5ff', 'SQL_ASCII'), null]))[1]::bytea, 'hex') from generate_series(1, 4);
select echo('utf8', 'plain'), echo('latin1', 'plain'), size('ascii', convert_from('\xc3a5', 'SQL_ASCII'));
\c regression
set client_min_messages = warning;
drop database regress_enc_utf8 with (force);
drop database regress_enc_eucjp with (force);
drop database regress_enc_latin1 with (force);
drop database regress_enc_ascii with (force);
