-- What has a limit here.
\set p0 'host=127.0.0.1 dbname=part0 port=' :port
create server strong foreign data wrapper plproxy options (p0 :'p0');
create user mapping for public server strong options (user 'd_strong', password 'sesame');
create function who_strong() returns text language plproxy as $$ cluster 'strong'; run on 0; select current_user::text; $$;
select who_strong();
create server many foreign data wrapper plproxy options (modular_mapping '1', p0 :'p0');
create user mapping for public server many options (user 'postgres');
select format('alter server many options (%s)', string_agg(format('add p%s %L', n, :'p0' || ' application_name=a' || n), ', ')) from generate_series(1, 169) n \gexec
-- each of them is busy while the others are connected to
create function rest() returns setof int language plproxy as $$ cluster 'many'; run on all; select 1 from pg_sleep(4); $$;
select count(*) from rest() n;
select part_at(2);
