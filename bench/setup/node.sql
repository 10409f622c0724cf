-- One of the servers that hold partitions, once. :databases is a list of numbers: the databases that it gets are copies
-- of `part`, made here. The functions are those of examples/rds-sharding, and one or two for each other workload.
\getenv secret_password SECRET_PASSWORD
-- Owns the partitions, and comes without a password, see pg_hba.conf: hashing one takes longer than many calls.
create role shard login;
-- Comes with one, as it does in installations: for the first call of a session.
create role secret_shard login password :'secret_password';
create database part owner shard;
\c part
set role shard;

create schema shop;
create table shop.userinfo (dbid int not null, userid int not null, info text not null);
create table shop.session (dbid int not null, userid int not null, last_login timestamptz);
create table shop.login_log (
  userid int not null, db_user name not null default current_user, login_time timestamptz not null default now());

create function shop.query_pk(i_userid int, out dbid int, out userid int, out info text)
returns setof record language plpgsql stable strict as $$
begin
  return query select u.dbid, u.userid, u.info from shop.userinfo u where u.userid = i_userid;
end $$;

create function shop.insert_log(i_userid int) returns void language plpgsql strict as $$
begin
  set local synchronous_commit = off;
  insert into shop.login_log (userid) values (i_userid);
end $$;

create function shop.query_insert(i_userid int, out dbid int, out userid int, out info text)
returns setof record language plpgsql strict as $$
begin
  set local synchronous_commit = off;
  insert into shop.login_log (userid) values (i_userid);
  return query select u.dbid, u.userid, u.info from shop.userinfo u where u.userid = i_userid;
end $$;

create function shop.update_pk(i_userid int) returns void language plpgsql strict as $$
begin
  set local synchronous_commit = off;
  update shop.session s set last_login = now() where s.userid = i_userid;
end $$;

create function public.one_row(out dbid int, out name text) language sql stable as $$
  select 1, 'one small row'::text
$$;

create table public.wide (a int4, b int8, c text, d timestamptz, e numeric);
create function public.wide_rows(i_rows int) returns setof public.wide language sql stable as $$
  select a, b, c, d, e from public.wide limit i_rows
$$;

create function public.count_ints(keys int4[]) returns int8 language sql as $$ select cardinality(keys)::int8 $$;
create function public.count_texts(keys text[]) returns int8 language sql as $$ select cardinality(keys)::int8 $$;
create function public.echo(t text) returns text language sql as $$ select t $$;
create function public.trivial(i int) returns int language sql as $$ select i $$;

-- Partition `part` of `parts`: its users; and its share of the wide rows.
create function public.load(part int, parts int, users int, rows int) returns void language plpgsql as $$
begin
  insert into shop.userinfo select part, id, 'user ' || id from generate_series(part, users - 1, parts) id;
  insert into shop.session select part, id from generate_series(part, users - 1, parts) id;
  alter table shop.userinfo add primary key (userid);
  alter table shop.session add primary key (userid);
  insert into public.wide
    select i, i * 1000003::int8, 'row number ' || i, timestamptz '2020-01-01' + i * interval '1 s', i * 1.01
    from generate_series(1, rows) i;
end $$;

\c postgres
select format('create database db%s template part owner shard', n) from unnest(:'databases'::int[]) n \gexec
