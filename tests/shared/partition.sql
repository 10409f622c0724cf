create function double_of(n int) returns int language sql as 'select 2 * n';
create function name_of(n int) returns text language sql as $$ select n || ' ' || current_database() $$;
create function rows_of(n int) returns setof int language sql as 'select generate_series(1, n)';
create function fails(n int) returns int language sql as 'select 1 / (n - n)';
create function sleeps(n float8) returns int language sql as 'select 1 from pg_sleep(n)';
create function run_one(command text) returns text language plpgsql as
    $$ declare got text; begin
        if command ~ '^(select|show)' then execute command into got; else execute command; end if;
        return got;
    end $$;
