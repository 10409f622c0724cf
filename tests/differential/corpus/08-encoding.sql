-- Text crosses between databases of different encodings, with every client encoding.
set client_encoding = 'UTF8';
\set far 'host=127.0.0.1 user=postgres port=' :port ' dbname=far_'
select format($q$
create function place(db text) returns text language sql as $f$ select '%s' || $1 $f$;
create function echo(db text, t text) returns text language plproxy as $f$ connect place(db); select echo(t); $f$;
create function echoes(db text, t text[]) returns text[] language plproxy as $f$ connect place(db); select t; $f$;
create function server_bytes(db text, t text) returns text language plproxy as $f$ connect place(db); select server_bytes(t); $f$;
create function tell(db text, t text) returns text language plproxy as $f$ connect place(db); select tell(t); $f$;
create function fail(db text, t text) returns text language plproxy as $f$ connect place(db); select fail(t); $f$;
create function size(db text, t text) returns int language plproxy as $f$ connect place(db); select length(t); $f$;
create function cast_to(db text, t text) returns varchar(3) language plproxy as $f$ connect place(db); select t; $f$;
create function kinds(db text, a name, b bpchar, c json, d jsonb, e xml, f "char", out a name, out b bpchar, out c json, out d jsonb, out e xml, out f "char") language plproxy as $f$ connect place(db); select $2 as a, $3 as b, $4 as c, $5 as d, $6 as e, $7 as f; $f$;
create function wide(db text, n int) returns text language plproxy as $f$ connect place(db); select chr(n); $f$;
$q$, :'far') as setup \gset
:setup
select echo('utf8', '日本語'), echo('eucjp', '日本語'), echo('latin1', 'Ångström'), echo('ascii', 'Ångström');
select server_bytes('utf8', '日本'), server_bytes('eucjp', '日本'), server_bytes('latin1', 'Å'), server_bytes('ascii', 'Å');
select size('eucjp', '日本語'), size('latin1', 'Ångström'), size('utf8', '日本語'), size('ascii', '日本語');
select echoes('eucjp', '{日,NULL,"本 語"}'), echoes('latin1', '{Å,"",ö}');
select tell('eucjp', '日本');
select tell('latin1', 'Ångström');
select tell('ascii', 'Ångström');
select fail('eucjp', '日本');
select fail('latin1', 'Ångström');
select fail('ascii', 'Ångström');
select echo('utf8', 'next');
select echo('latin1', '日本');
select echo('latin1', 'Å');
select echo('eucjp', '😀');
select echo('eucjp', '日');
select wide('eucjp', 42178);
select wide('latin1', 229), wide('ascii', 97);
select wide('utf8', 128512), wide('utf8', 0);
select wide('utf8', 128512);
create function kinds(db text, a name, b bpchar, c json, d jsonb, e xml) returns text language plproxy as $f$ connect place(db); select concat_ws(' ', a, b, c, d, e); $f$;
select kinds('eucjp', '日', '日 ', '{"日":  "本"}', '{"日":  "本"}', '<日>本</日>');
select kinds('latin1', 'Å', 'Å ', '{"Å":  "ö"}', '{"Å":  "\u00f6"}', '<a>ö</a>');
create function kinds_back(db text, out a name, out b json, out c jsonb, out d xml, out e text[], out f varchar) language plproxy as $f$ connect place(db);
    select 'ö'::name as a, '{"ö":  1}'::json as b, '{"ö":  1}'::jsonb as c, '<a>ö</a>'::xml as d, '{ö,"ü ö"}'::text[] as e, 'ä'::varchar as f; $f$;
select * from kinds_back('latin1');
select * from kinds_back('utf8');
create type mood as enum ('froh', 'trüb');
create function told_mood(db text, t text) returns mood language plproxy as $f$ connect place(db); select t; $f$;
select told_mood('latin1', 'trüb'), told_mood('utf8', 'trüb');
select told_mood('latin1', 'größ');
create function changing(db text, t text) returns text language plproxy as $f$ connect place(db); select case when set_config('client_encoding', 'LATIN1', false) <> '' then t end; $f$;
select changing('utf8', 'plain'), echo('utf8', 'é');
select changing('utf8', 'Ã©');
select echo('utf8', 'é');
set client_encoding = 'LATIN1';
select server_bytes('latin1', chr(197)), server_bytes('eucjp', chr(26085)), size('latin1', chr(197) || chr(246));
select encode(convert_to(echo('eucjp', chr(26085)), 'UTF8'), 'hex'), encode(convert_to(echo('latin1', chr(197)), 'UTF8'), 'hex');
select echoes('latin1', array[chr(197)]) = array[chr(197)], echoes('eucjp', array[chr(26085)]) = array[chr(26085)];
select echo('latin1', chr(197));
select echo('eucjp', chr(26085));
set client_encoding = 'EUC_JP';
select server_bytes('eucjp', chr(26085)) = 'c6fc', server_bytes('latin1', chr(197)) = 'c5', echo('eucjp', chr(26085)) = chr(26085);
set client_encoding = 'SQL_ASCII';
select server_bytes('eucjp', chr(26085)), server_bytes('latin1', chr(197)), echo('latin1', chr(197)) = chr(197);
set client_encoding = 'SJIS';
select server_bytes('eucjp', chr(26085)), server_bytes('latin1', chr(197)), echo('eucjp', chr(26085)) = chr(26085);
select fail('eucjp', 'plain');
set client_encoding = 'WIN1252';
select server_bytes('utf8', chr(8364)), echo('utf8', chr(8364)) = chr(8364);
set client_encoding = 'UTF8';
create type columns as ("日" int, "Å" text);
create function columns() returns columns language plproxy as $$ connect place('utf8'); select 'ö'::text as "Å", 1 as "日"; $$;
select * from columns();
create function columns_eucjp(out "日" int, out "本" text) language plproxy as $$ connect place('eucjp'); select 1 as "日", '語'::text as "本"; $$;
select * from columns_eucjp();
create function columns_latin1(out "å" int, out "ö" text) language plproxy as $$ connect place('latin1'); select 'ü'::text as "ö", 1 as "å"; $$;
select * from columns_latin1();
create function missing_column(out "å" int, out "ö" text) language plproxy as $$ connect place('latin1'); select 'ü'::text as "ü", 1 as "å"; $$;
select * from missing_column();
create function "função"("número" int, "Å" text) returns text language plproxy as $$ connect place('latin1'); select "número"::text || $2 || número from (select 5 as "número") x; $$;
select "função"(7, 'Å');
create function "日本"() returns text language plproxy as $$ connect place('eucjp'); $$;
select "日本"();
create function "日本l"() returns text language plproxy as $$ connect place('latin1'); $$;
select "日本l"();
\c near_eucjp
set client_encoding = 'UTF8';
:setup
select echo('utf8', '日本語'), echo('eucjp', '日本語'), size('utf8', '日本語'), echo('ascii', 'plain');
select server_bytes('utf8', '日本'), server_bytes('eucjp', '日本');
select tell('utf8', '日本');
select fail('utf8', '日本');
select fail('eucjp', '日本');
select wide('utf8', 128512);
select echo('utf8', '日');
select echo('latin1', 'plain');
set client_encoding = 'EUC_JP';
select echo('utf8', 'plain'), size('utf8', 'plain');
\c near_latin1
set client_encoding = 'UTF8';
:setup
select echo('utf8', 'Ångström'), echo('latin1', 'Ångström'), size('utf8', 'Ångström');
select server_bytes('utf8', 'Å'), server_bytes('latin1', 'Å');
select tell('utf8', 'Ångström');
select fail('utf8', 'Ångström');
select fail('latin1', 'Ångström');
select wide('utf8', 26085);
select echo('utf8', 'Å');
select echo('eucjp', 'plain');
set client_encoding = 'LATIN1';
select echo('utf8', 'plain'), size('utf8', chr(229));
set client_encoding = 'SQL_ASCII';
select size('utf8', chr(229)), server_bytes('utf8', chr(229)), echo('utf8', chr(229)) = chr(229);
\c near_ascii
:setup
select encode(echo('ascii', convert_from('\xc3a5ff', 'SQL_ASCII'))::bytea, 'hex');
select echo('utf8', 'plain'), echo('latin1', 'plain'), size('ascii', convert_from('\xc3a5', 'SQL_ASCII'));
select size('utf8', convert_from('\xc3a5', 'SQL_ASCII')), encode(echo('utf8', convert_from('\xc3a5', 'SQL_ASCII'))::bytea, 'hex');
select size('utf8', convert_from('\xff', 'SQL_ASCII'));
select size('utf8', convert_from('\x61', 'SQL_ASCII'));
select encode(wide('latin1', 229)::bytea, 'hex'), encode(wide('utf8', 229)::bytea, 'hex');
select fail('latin1', convert_from('\xe5', 'SQL_ASCII'));
select tell('latin1', convert_from('\xe5', 'SQL_ASCII'));
set client_encoding = 'UTF8';
select size('utf8', convert_from('\xc3a5', 'SQL_ASCII')), echo('latin1', 'plain');
\c corpus
set client_encoding = 'UTF8';
create function raw(db text) returns text language plproxy as $f$ connect place(db); select convert_from('\xe5ff', 'SQL_ASCII'); $f$;
select encode(raw('ascii')::bytea, 'hex');
select echo('ascii', 'next');
