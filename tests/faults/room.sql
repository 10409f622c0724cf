-- What room.sh has on the proxy. Variable: the partition's port.
select format($$create function here(more text default '') returns text language sql as 'select ''%s'' || more'$$,
    'host=127.0.0.1 dbname=postgres user=postgres port=' || :'port') \gexec
select format('create server apart foreign data wrapper plproxy options (modular_mapping ''1'', %s)', string_agg(
    format('p%s %L', n, replace(here(), 'dbname=postgres', 'dbname=apart' || n)), ',')) from generate_series(0, 2) n \gexec
create user mapping for public server apart options (user 'postgres');

-- Everywhere, some on one partition and some on all 32.
create function take(t text) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
create function take_hashed(t text) returns int language plproxy as $$ cluster 'parts'; run on t; target take; $$;
create function take_bytes(t bytea) returns int language plproxy as $$ cluster 'parts'; run on t; target take; $$;
create function take_by_query(t text) returns int language plproxy as $$ cluster 'parts'; run on hashtext(t); target take; $$;
create function take_all(t text) returns setof int language plproxy as $$ cluster 'parts'; run on all; target take; $$;
create function take_split(t text[]) returns setof int language plproxy as
    $$ cluster 'parts'; split t; run on hashtext(t); target take_many; $$;
create function take_split_bytes(t bytea[]) returns setof int language plproxy as $$ cluster 'parts'; split t; run on t; target take_many; $$;
create type pair as (a text, b text);
create function take_pair(p pair) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
create domain short as text check (length(value) < 100);
create function take_short(t short) returns int language plproxy as $$ cluster 'parts'; run on 0; select 1; $$;
create function give(len int) returns text language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_short(len int) returns short language plproxy as $$ cluster 'parts'; run on 0; target give; $$;
create function give_bytes(len int) returns bytea language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_pair(len int) returns pair language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_array(len int) returns text[] language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_record(len int) returns record language plproxy as $$ cluster 'parts'; run on 0; $$;
create function give_set(len int) returns setof text language plproxy as $$ cluster 'parts'; run on all; target give; $$;
create function give_some(len int) returns setof text language plproxy as $$ cluster 'three'; run on all; target give; $$;
create function give_selected(len int) returns text language plproxy as $$ cluster 'parts'; run on 0; select repeat('x', len); $$;
create function send(q text) returns setof int language plproxy as $$ cluster 'parts'; run on 0; execute q using q; $$;
create function send_all(q text) returns setof int language plproxy as $$ cluster 'parts'; run on all; execute q; $$;
create function send_query(q text) returns setof int language plproxy as $$ cluster 'parts'; run on 0; execute same_text(q); $$;
create function fail(len int, what text) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
create function fail_skipped(len int, what text) returns setof int language plproxy as $$ cluster 'three'; run on all skip failed; target fail; $$;
\set alive 'host=127.0.0.1 dbname=postgres port=' :port
create server some_dead foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=1 dbname=x', p1 :'alive');
create user mapping for public server some_dead options (user 'postgres');
create function take_any(value text) returns int language plproxy as $$ cluster 'some_dead'; run on any; select length(value); $$;
create function fail_all(len int, what text) returns setof int language plproxy as $$ cluster 'parts'; run on all; target fail; $$;
create function tell(len int, many int) returns int language plproxy as $$ cluster 'parts'; run on 0; $$;
-- By names and connection strings that callers give.
create function by_connstr(c text) returns int language plproxy as $$ connect c; select 1; $$;
create function by_connstr_of(c text) returns int language plproxy as $$ connect same_text(c); select 1; $$;
create function by_name(c text) returns int language plproxy as $$ cluster same_text(c); run on 0; select 1; $$;
create function same_text(t text) returns text language sql as 'select t';
create schema plproxy;
create function plproxy.get_cluster_version(name text) returns int language sql as 'select 1';
create function plproxy.get_cluster_config(name text, out key text, out val text) returns setof record language plpgsql as $$
begin
    return query select 'query_timeout'::text, '0'::text;
    if name like 'config_key %' then return query select repeat('k', split_part(name, ' ', 2)::int), '0'::text; end if;
    if name like 'config_value %' then return query select 'reset_query'::text, repeat('v', split_part(name, ' ', 2)::int); end if;
    if name like 'config_bad %' then return query select 'default_user'::text, repeat('v', split_part(name, ' ', 2)::int); end if;
    if name like 'config_rows %' then
        return query select 'query_timeout'::text, n::text from generate_series(1, split_part(name, ' ', 2)::int) n;
    end if;
end $$;
create function plproxy.get_cluster_partitions(name text) returns setof text language plpgsql as $$
begin
    if name like 'connstr %' then return query select here(' application_name=' || repeat('a', split_part(name, ' ', 2)::int));
    elsif name like 'partitions %' then
        return query select here(' application_name=' || n) from generate_series(1, split_part(name, ' ', 2)::int) n;
    else return query select here();
    end if;
end $$;

-- Bodies, options and mappings that are large.
create function make_body(name text, body text) returns void language plpgsql as
    $$ begin execute format('create or replace function %I() returns text language plproxy as %L', name, body); end $$;
select make_body('body_select', format('cluster ''parts''; run on 0; select substr(%L, 1, 1);', repeat('b', 10000000)));
select make_body('body_comment', format('cluster ''parts''; run on 0; /* %s */ select ''a''::text;', repeat('b', 10000000)));
set check_function_bodies = off;
select make_body('body_cluster', format('cluster %L; run on 0; select ''a''::text;', repeat('b', 10000000)));
select make_body('body_connect', format('connect %L; select ''a''::text;', here(' application_name=' || repeat('b', 10000000))));
select make_body('body_broken', repeat('b', 10000000));
select make_body('body_broken_string', '''' || repeat('b', 10000000));
select make_body('body_words', repeat('a b ', 2500000));
select make_body('body_query', format('cluster ''parts''; run on length(%L); select ''a''::text;', repeat('b', 10000000)));
reset check_function_bodies;
create function make_server(name text, options text) returns void language plpgsql as $$
begin
    execute format('create server %I foreign data wrapper plproxy options (%s)', name, options);
    execute format('create user mapping for public server %I options (user ''postgres'')', name);
    execute format('create function %I() returns int language plproxy as $f$ cluster %L; run on 0; select 1; $f$', 'call_' || name, name);
end $$;
select make_server('large_connstr', format('p0 %L', here(' application_name=' || repeat('a', 10000000))));
select make_server('large_broken', format('p0 %L', here(repeat('a', 10000000))));
select make_server('large_reset', format('p0 %L, reset_query %L', here(), 'select ' || quote_literal(repeat('a', 60000))));
select make_server('large_many', format('modular_mapping ''1'', %s', string_agg(format('p%s %L', n, here(' application_name=' || n)), ',')))
    from generate_series(0, 20000) n;
select make_server('large_user', format('p0 %L', replace(here(), 'user=postgres', '')));
alter user mapping for public server large_user options (set user 'x');
select format('alter user mapping for public server large_user options (set user %L, add password %L)', repeat('u', 10000000), repeat('p', 10000000)) \gexec
