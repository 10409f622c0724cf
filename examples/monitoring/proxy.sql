-- A function that takes as long as it is told to, on the partition of the user.
create function slow_user(i_name text, i_seconds float8) returns text language plproxy as
    $$ cluster 'shop'; run on hashtext(i_name); $$;
