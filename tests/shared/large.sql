create function large(n int, out body text, out sum text) language sql as
    $$ select b, md5(b) from (select string_agg(md5(i::text), '') from generate_series(1, n) i) a (b) $$;
create function sum_of(body text) returns text language sql as 'select md5(body)';
create function many(n int) returns setof text language sql as 'select repeat(md5(i::text), 4) from generate_series(1, n) i';
