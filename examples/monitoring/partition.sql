create function slow_user(i_name text, i_seconds float8) returns text language sql as
    $$ select i_name from pg_sleep(i_seconds) $$;
