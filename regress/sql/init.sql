-- The ground that every family stands on: four partitions on this server and a cluster of them.
set client_min_messages = warning;
drop database if exists regress_part0 with (force);
drop database if exists regress_part1 with (force);
drop database if exists regress_part2 with (force);
drop database if exists regress_part3 with (force);
create database regress_part0 template template0;
create database regress_part1 template template0;
create database regress_part2 template template0;
create database regress_part3 template template0;
reset client_min_messages;
create extension plproxy;
-- the port reaches the options through psql, so that no output depends on it
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
\set p1 'dbname=regress_part1 host=127.0.0.1 port=' :port
\set p2 'dbname=regress_part2 host=127.0.0.1 port=' :port
\set p3 'dbname=regress_part3 host=127.0.0.1 port=' :port
create server parts foreign data wrapper plproxy
    options (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3');
create user mapping for public server parts;
-- what each partition has: run a statement, tell its number
\c regress_part0
create function exec(statement text) returns void language plpgsql as $$ begin execute statement; end $$;
create function part() returns int language sql as $$ select right(current_database(), 1)::int $$;
\c regress_part1
create function exec(statement text) returns void language plpgsql as $$ begin execute statement; end $$;
create function part() returns int language sql as $$ select right(current_database(), 1)::int $$;
\c regress_part2
create function exec(statement text) returns void language plpgsql as $$ begin execute statement; end $$;
create function part() returns int language sql as $$ select right(current_database(), 1)::int $$;
\c regress_part3
create function exec(statement text) returns void language plpgsql as $$ begin execute statement; end $$;
create function part() returns int language sql as $$ select right(current_database(), 1)::int $$;
\c regression
-- call everywhere('…') runs a statement on all four
create function run_everywhere(statement text) returns setof void language plproxy as $$
    cluster 'parts';
    run on all;
    target exec;
$$;
create procedure everywhere(statement text) language plpgsql as $$ begin perform run_everywhere(statement); end $$;
-- part_at(n): the session's good call, after a bad one
create function part_at(n int) returns int language plproxy as $$
    cluster 'parts';
    run on n;
    select part();
$$;
select n, part_at(n) from generate_series(0, 3) n;
-- outcome(sql) runs a query that gives one value and tells it, or else its error with the SQLSTATE, without the
-- port and the user that may stand in it
create function outcome(query text) returns text language plpgsql as $$
declare
    result text;
begin
    execute query into result;
    return result;
exception when others then
    -- PostgreSQL 17 names the server, too, where there is no user mapping
    return sqlstate || ' ' || regexp_replace(rtrim(replace(replace(sqlerrm,
        'port ' || current_setting('port'), 'port PORT'), '"' || current_user || '"', '"USER"'), E'\n'),
        'mapping not found for user ("USER"), server ".*"', 'mapping not found for \1');
end $$;
select outcome('select 1'), outcome('select 1/0');
