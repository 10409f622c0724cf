-- What runs behind the pooler. Every answer names the function, its argument and the server process.
create function one(i int, out said text, out pid int) language sql as $$ select 'one ' || i, pg_backend_pid() $$;
create function two(i int, out said text, out pid int) language sql as $$ select 'two ' || i, pg_backend_pid() $$;
create function fail(i int) returns int language plpgsql as $$ begin raise 'failed %', i; end $$;
create function slow(label text, seconds float8) returns text language plpgsql as $$
begin
    perform pg_sleep(seconds);
    return label;
end $$;
create function prepared() returns text language sql as
    $$ select coalesce(string_agg(name, ' ' order by name), 'none') from pg_prepared_statements $$;
create function letter() returns text language sql as $$ select chr(233) $$;
