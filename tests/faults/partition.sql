-- What all partitions have.
create function look(q text) returns setof text language plpgsql as
    $$ begin return query execute q; end $$;
create function nap(seconds float8) returns int language sql as 'select 1 from pg_sleep(seconds)';
create function size(value text) returns int language sql as 'select length(value)';
create function many(rows int) returns setof text language sql as 'select repeat(''x'', 100) from generate_series(1, rows)';
create function ahead(rows int) returns setof text language plpgsql as $$
begin
    case current_setting('application_name')
        when 'part0' then perform pg_sleep(0.3 + rows / 1000000.0);
        when 'part1' then return query select repeat('x', 100) from generate_series(1, rows);
        else perform pg_sleep(60);
    end case;
end $$;
-- The first partition sends something for the caller to be busy with when the others are at work, who go on.
create function busy(notices bool) returns setof text language plpgsql as $$
begin
    if current_setting('application_name') <> 'part0' then perform pg_sleep(60); end if;
    perform pg_sleep(0.5);
    if not notices then return next 'x'; return; end if;
    loop raise notice 'and so on'; end loop;
end $$;
create domain slow as text;
create domain slower as text;
create function divide(n int) returns int language sql as 'select 100 / n';
create function same(n int) returns int language sql as 'select n';
create table written (n int);
create function write(n int) returns int language sql as 'insert into written values (n) returning n';
-- How long it takes until no statement of the partitions' sessions runs, from a moment on.
create function quiet_since(began timestamptz) returns int language plpgsql as $$
begin
    for i in 1 .. 15000 loop
        perform pg_stat_clear_snapshot();
        exit when not exists (select from pg_stat_activity where state = 'active' and application_name like 'part%');
        perform pg_sleep(0.002);
    end loop;
    return extract(epoch from clock_timestamp() - began) * 1000;
end $$;
create function running() returns bigint language sql as
    $$ select count(*) from pg_stat_activity where state = 'active' and application_name like 'part%' $$;
