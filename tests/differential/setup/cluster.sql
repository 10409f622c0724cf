-- The cluster that most scripts use.
\set p0 'dbname=part0 host=127.0.0.1 port=' :port
\set p1 'dbname=part1 host=127.0.0.1 port=' :port
\set p2 'dbname=part2 host=127.0.0.1 port=' :port
\set p3 'dbname=part3 host=127.0.0.1 port=' :port
create server parts foreign data wrapper plproxy options (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3');
create server parts_text foreign data wrapper plproxy
    options (p0 :'p0', p1 :'p1', p2 :'p2', p3 :'p3', disable_binary '1');
create user mapping for public server parts;
create user mapping for public server parts_text;
-- everywhere(sql) runs a statement on all four partitions
create function run_everywhere(statement text) returns setof void language plproxy as $$
    cluster 'parts'; run on all; target public.exec;
$$;
create procedure everywhere(statement text) language plpgsql as $$ begin perform run_everywhere(statement); end $$;
-- part_at(n): the plainest call
create function part_at(n int) returns int language plproxy as $$ cluster 'parts'; run on n; select part(); $$;
-- compile(body, arguments, returns): what CREATE FUNCTION says
create function compile(body text, arguments text default '', returns text default 'setof int') returns text
language plpgsql as $$
begin
    execute format('create function pg_temp.f(%s) returns %s language plproxy as %L', arguments, returns, body);
    execute 'drop function pg_temp.f';
    return 'compiles';
end $$;
