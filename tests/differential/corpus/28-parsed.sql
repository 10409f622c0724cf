-- What a statement means when it comes again: constants, names, and what was found first.
create schema d_parsed;
set search_path = d_parsed, public;
create function now_in_select() returns timestamp language plproxy as $$ cluster 'parts'; run on 0; select 'now'::timestamp from pg_sleep(0.01); $$;
create function now_in_argument() returns text language plproxy as $$ cluster 'parts'; run on 0; select date_trunc('hour', x)::text from (select pg_sleep(0.01), $_$2024-01-01 12:34$_$::timestamptz x) q; $$;
select count(distinct now_in_select()) from generate_series(1, 7);
create table seen (at timestamp);
do $$ begin for n in 1..7 loop insert into seen values (now_in_select()); end loop; end $$;
select count(distinct at) from seen;
create function zone(name text) returns text language plproxy as $$ cluster 'parts'; run on 0; select set_config('timezone', name, false); $$;
create function style(name text) returns text language plproxy as $$ cluster 'parts'; run on 0; select set_config('datestyle', name, false); $$;
create function of_zone() returns float8 language plproxy as $$ cluster 'parts'; run on 0; select extract(epoch from timestamptz '2024-06-01 00:00')::float8; $$;
create function of_style() returns text language plproxy as $$ cluster 'parts'; run on 0; select extract(month from '01/02/2024'::date)::text; $$;
select of_zone(), of_style() from generate_series(1, 3);
select zone('Asia/Tokyo'), style('SQL, DMY');
select of_zone(), of_style() from generate_series(1, 3);
select zone('UTC'), style('ISO, MDY');
select of_zone(), of_style();
create function table_of() returns oid language plproxy as $$ cluster 'parts'; run on 0; select ('d_parsed_t'::regclass::oid > 0)::int::oid; $$;
call everywhere($$ create table d_parsed_t (a int) $$);
select table_of() from generate_series(1, 3);
call everywhere($$ drop table d_parsed_t $$);
select table_of();
call everywhere($$ create table d_parsed_t (a int) $$);
select table_of();
-- objects that come first, made when the statement has run often, and constants that are none: after five seconds at the latest
call everywhere($$ create schema d_first $$);
call everywhere($$ create function d_over(a int8) returns text language sql as 'select ''int8''' $$);
call everywhere($$ create function d_hidden() returns text language sql as 'select ''public''' $$);
call everywhere($$ create table d_table (a int) $$);
call everywhere($$ create table d_conf as select 'old' as value $$);
call everywhere($$ create function d_conf() returns text immutable language plpgsql as 'begin return (select value from d_conf); end' $$);
create function d_over(a int) returns text language plproxy as $$ cluster 'parts'; run on 0; target d_over; $$;
create function d_over_select(a int) returns text language plproxy as $$ cluster 'parts'; run on 0; select d_over(a); $$;
create function d_hidden() returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
create function d_hidden_select() returns text language plproxy as $$ cluster 'parts'; run on 0; select d_hidden(); $$;
create function d_count() returns int8 language plproxy as $$ cluster 'parts'; run on 0; select count(*) from d_table; $$;
create function d_conf() returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
create function d_conf_select() returns text language plproxy as $$ cluster 'parts'; run on 0; select d_conf(); $$;
create function d_path(path text) returns text language plproxy as $$ cluster 'parts'; run on 0; select set_config('search_path', path, false); $$;
create function d_all() returns setof text language sql as $$
    select concat_ws(' ', d_over(1), d_over_select(1), d_hidden(), d_hidden_select(), d_count(), d_conf(), d_conf_select())
    from generate_series(1, 8) $$;
select d_path('d_first, public');
select d_all();
call everywhere($$ create function d_over(a int4) returns text language sql as 'select ''int4''' $$);
call everywhere($$ create function d_first.d_hidden() returns text language sql as 'select ''first''' $$);
call everywhere($$ create table d_first.d_table as select 1 as a $$);
call everywhere($$ update d_conf set value = 'new' $$);
select pg_sleep(5.1);
select d_all();
select d_path('"$user", public');
-- a column list with a pseudo-type
create function d_record() returns setof record language plproxy as $$ cluster 'parts'; run on 0; select row(1, 2); $$;
select * from d_record() as (a record);
select * from d_record() as (a record[]);
-- event triggers
create function d_event() returns event_trigger language plproxy as $$ cluster 'parts'; run on 0; $$;
create event trigger d_event on ddl_command_end execute function d_event();
create table d_evented (a int);
drop event trigger d_event;
