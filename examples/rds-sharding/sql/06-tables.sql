-- The tables, on all shards by one call each. A shard takes only the users that belong to it: its number, which is the
-- application_name of the proxy's connection, is written into the check.
select count(*) as shards from dy_ddl('drop table if exists shop.trial');

select count(*) as shards from dy_ddl($ddl$
do $do$
begin
  execute format('
    create table shop.userinfo (
      dbid   int not null default %1$s,
      userid int not null check (userid & 7 = %1$s),
      info   text not null);
    create table shop.session (
      dbid       int not null default %1$s,
      userid     int not null,
      last_login timestamptz);
    create table shop.login_log (
      dbid        int not null default %1$s,
      userid      int not null,
      db_user     name not null default current_user,
      server_port int not null default inet_server_port(),
      login_time  timestamptz not null default now())', current_setting('application_name')::int);
end
$do$;
create table shop.tbl_small (userid int primary key, info text not null);
$ddl$);
