-- All codes of the database's encoding, and proxy functions that send them. :port is the partition server's.
create function place(db text) returns text language sql as
    $f$ select 'host=127.0.0.1 user=postgres port=' || current_setting('codes.port') || ' dbname=far_' || $1 $f$;
select format('alter database %I set codes.port = %L', current_database(), :'port') \gexec
create function is_valid(code bytea) returns bool language plpgsql as $f$
begin
    perform convert_from(code, getdatabaseencoding());
    return true;
exception when others then
    return false;
end $f$;
create function byte(n int) returns bytea language sql immutable as $f$ select set_byte('\x00', 0, n) $f$;
-- All codes, those with the same bytes but the last together: the bytes, and the text.
create table codes (prefix bytea, number int, code text);
insert into codes select p.prefix, n, convert_from(p.prefix || byte(n), getdatabaseencoding())
    from (select ''::bytea as prefix
        union all select byte(a) from generate_series(128, 255) a
            where pg_encoding_max_length(pg_char_to_encoding(getdatabaseencoding())) > 1
        union all select '\x8f'::bytea || byte(a) from generate_series(161, 254) a
            where getdatabaseencoding() in ('EUC_JP', 'EUC_JIS_2004')
        union all select '\x8e'::bytea || byte(a) || byte(b) from generate_series(161, 167) a, generate_series(161, 254) b
            where getdatabaseencoding() = 'EUC_TW') p,
        generate_series(128, 255) n
    where is_valid(p.prefix || byte(n));
create table lines as select prefix, string_agg(code, '' order by number) as line, array_agg(code order by number) as codes
    from codes group by prefix;
create function echo(db text, t text) returns text language plproxy as $f$ connect place(db); select echo(t); $f$;
create function echoes(db text, t text[]) returns text[] language plproxy as $f$ connect place(db); select t; $f$;
create function echo_name(db text, t name) returns name language plproxy as $f$ connect place(db); select t; $f$;
create function server_bytes(db text, t text) returns text language plproxy as $f$ connect place(db); select server_bytes(t); $f$;
create function fail(db text, t text) returns text language plproxy as $f$ connect place(db); select fail(t); $f$;
-- The code in the text of the statement, as a literal and as a column's name.
create function written(db text, t text) returns text language plpgsql as $f$
declare
    answer text;
begin
    execute format('create or replace function written_here(out %1$I text, out second int) language plproxy as '
        '$q$ connect %3$L; select 1 as second, %2$L::text as %1$I; $q$', left(t, 3), t, place(db));
    execute format('select %I from written_here()', left(t, 3)) into answer;
    drop function written_here();
    return answer;
end $f$;
create function failure(db text, t text) returns text language plpgsql as $f$
declare
    detail text;
begin
    perform fail(db, t);
exception when others then
    get stacked diagnostics detail = pg_exception_detail;
    return sqlstate || ' ' || md5(sqlerrm) || ' ' || md5(detail);
end $f$;
-- What comes back, or the SQLSTATE.
create function try(db text, t text) returns text language plpgsql as $f$
begin
    return encode(convert_to(echo(db, t), getdatabaseencoding()), 'hex') || ' ' || server_bytes(db, t);
exception when others then
    return sqlstate;
end $f$;
