-- What the proxy has: functions that answer, fail, hang and send much, and what tells how calls of them end.
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (modular_mapping ''1'', %s)', string_agg(
    format('p%s %L', i, format('host=127.0.0.1 port=%s dbname=postgres application_name=part%s', :'port', i)), ', '))
    from generate_series(0, :partitions - 1) i \gexec
create user mapping for public server parts options (user 'postgres');
\set three 'host=127.0.0.1 dbname=postgres port=' :port ' application_name=part'
\set p0 :three 0
\set p1 :three 1
\set p2 :three 2
create server three foreign data wrapper plproxy options (modular_mapping '1', p0 :'p0', p1 :'p1', p2 :'p2');
create user mapping for public server three options (user 'postgres');
create function nap_all(seconds float8) returns setof int language plproxy as $$ cluster 'parts'; run on all; target nap; $$;
create function nap_on(n int, seconds float8) returns int language plproxy as
    $$ cluster 'parts'; run on n; select nap(seconds); $$;
create function same_all(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; target same; $$;
create function same_on(n int) returns int language plproxy as $$ cluster 'parts'; run on n; target same; $$;
create function divide(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
create function many(rows int) returns setof text language plproxy as $$ cluster 'parts'; run on all; $$;
create function write(n int) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
-- By connection string, for servers that are no real ones as well.
create function look(connstr text, q text) returns setof text language plproxy as $$ connect connstr; select look(q); $$;
create function size(connstr text, value text) returns int language plproxy as $$ connect connstr; select size(value); $$;

-- Rows of partition 1 are ahead of their turn until partition 0 is done; partition 2 is never done.
create function ahead(rows int) returns setof text language plproxy as $$ cluster 'three'; run on all; $$;

-- The caller is in PostgreSQL's hands when it is struck: in a domain's check, in another call there, or telling notices.
create function sleeps(value text) returns bool language sql as 'select true from pg_sleep(60)';
create domain slow as text check (sleeps(value));
create domain slower as text check (nap_on(0, 60) = 1);
create function slow_all(notices bool) returns setof slow language plproxy as
    $$ cluster 'parts'; run on all; target busy; $$;
create function slower_all(notices bool) returns setof slower language plproxy as
    $$ cluster 'parts'; run on all; target busy; $$;

-- Runs a query; how it ended (the SQLSTATE), and after how many milliseconds.
create function timed(q text, out outcome text, out ms int) language plpgsql as $$
declare
    began timestamptz := clock_timestamp();
begin
    begin
        execute q;
        outcome := '00000';
    exception when others or query_canceled then
        outcome := sqlstate;
    end;
    ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;

-- The milliseconds from a blow to a session until it is not in its statement any more, and when the blow fell.
create function strike(application text, how text, out ms int, out at timestamptz) language plpgsql as $$
declare
    victim int := pid from pg_stat_activity where application_name = application;
begin
    at := clock_timestamp();
    if how = 'cancel' then perform pg_cancel_backend(victim); end if;
    if how = 'terminate' then perform pg_terminate_backend(victim); end if;
    for i in 1 .. 30000 loop
        perform pg_stat_clear_snapshot();
        exit when not exists (select from pg_stat_activity
            where pid = victim and (state = 'active' or how <> 'cancel'));
        perform pg_sleep(0.001);
    end loop;
    ms := extract(epoch from clock_timestamp() - at) * 1000;
end $$;
