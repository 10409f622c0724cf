-- The proxy's side: a cluster whose sessions share two connections to each of four partitions, and one of one connection.
create extension plproxy;
select format('create server parts foreign data wrapper plproxy options (shared_connections ''2'', %s)', string_agg(
    format('p%s %L', i, format('host=127.0.0.1 port=%s dbname=part%s', :'parts', i)), ', '))
    from generate_series(0, 3) i \gexec
select format('create server one foreign data wrapper plproxy options (shared_connections ''1'', p0 %L)',
    format('host=127.0.0.1 port=%s dbname=part0 application_name=one', :'parts')) \gexec
create role ann login;
create role bob login;
-- Two local users, of whom both are the same on the partitions.
create user mapping for public server parts options (user 'shared', password 'first');
create user mapping for public server one options (user 'shared', password 'first');
grant usage on foreign server parts, one to public;
create function double_of(n int) returns int language plproxy as $$ cluster 'parts'; run on n; $$;
create function name_of(n int) returns text language plproxy as $$ cluster 'parts'; run on n; $$;
create function rows_of(n int) returns setof int language plproxy as $$ cluster 'parts'; run on all; $$;
create function fails(n int) returns int language plproxy as $$ cluster 'parts'; run on n; $$;
create function sleeps(n float8) returns int language plproxy as $$ cluster 'one'; run on 0; $$;
create function who() returns text language plproxy as $$ cluster 'one'; run on 0;
    select pg_backend_pid()::text || ' ' || current_user; $$;
create function run_one(command text) returns text language plproxy as $$ cluster 'one'; run on 0; $$;
create function all_sleep(n float8) returns setof int language plproxy as $$ cluster 'parts'; run on all;
    select 1 from pg_sleep(n); $$;
