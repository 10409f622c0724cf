-- What the databases of the different encodings have.
create function echo(t text) returns text language sql as 'select $1';
create function server_bytes(t text) returns text language sql
    as $f$ select encode(convert_to($1, getdatabaseencoding()), 'hex') $f$;
create function tell(t text) returns text language plpgsql as $f$ begin raise notice 'told %', t; return t; end $f$;
create function fail(t text) returns text language plpgsql as $f$
begin
    raise exception 'failed %', t using detail = 'detail ' || t, hint = 'hint ' || t;
end $f$;
