-- What each partition has. Its number is in the name of its database.
create function me() returns int language sql stable as $$ select substring(current_database() from '\d+')::int $$;
create function which(key text, n int, out partition int, out said int) language sql as 'select me(), n';
create function which_all(n int, out partition int, out said int) returns setof record language sql as 'select me(), n';
create function which_any(n int, out partition int, out said int) language sql as 'select me(), n';
create function which_split(keys int[], texts text[], out partition int, out key int, out said text) returns setof record
    language sql as 'select me(), * from unnest(keys, texts)';
create table ledger (id bigint not null);
create function enter(key text, id bigint) returns bigint language sql as 'insert into ledger values (id) returning id';
create function look_up(key text, id bigint) returns bigint language sql as
    'select count(*) from ledger l where l.id = look_up.id';
create index on ledger (id);
create table counter (session int primary key, n bigint not null);
create function add(key int, session int) returns bigint language sql as
    'insert into counter as c values (session, 1) on conflict (session) do update set n = c.n + 1 returning n';
create function echo(key text, value text) returns text language sql as 'select value';
create function grown(key text, size int) returns text language sql as $$ select repeat('0123456789', size / 10) $$;
create function divide(key text, n int) returns int language sql as 'select 100 / n';
create function many(key text, rows int) returns setof int language sql as 'select generate_series(1, rows)';
create function many_all(rows int, out n int, out note text) returns setof record language sql as
    $$ select n, 'row ' || n from generate_series(1, rows) n $$;
create function nap(key text, seconds float8) returns int language sql as 'select 1 from pg_sleep(seconds)';
