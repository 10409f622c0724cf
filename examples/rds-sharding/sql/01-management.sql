-- The partition servers as dblink servers: how the DBA reaches each shard before any proxy function is there.
-- Runs on the proxy as superuser. Passwords come by the environment, never by a command line.
\set node_password `printf %s "$NODE_PASSWORD"`
\set shard_password `printf %s "$SHARD_PASSWORD"`

create extension dblink;

-- One dblink server per shard, four on each machine. They lead to `postgres` until the shard's own database is there.
select format('create server shard%s foreign data wrapper dblink_fdw options (host %L, port %L, dbname %L)',
              n, :'node_host', case when n < 4 then :'node_a_port' else :'node_b_port' end, 'postgres'),
       format('create user mapping for current_user server shard%s options (user %L, password %L)',
              n, 'postgres', :'node_password')
from generate_series(0, 7) n \gexec

-- Runs one statement on one shard. The connection is closed whether or not it works, and the error gets through.
create function on_shard(n int, sql text) returns text language plpgsql as $$
declare
  status text;
begin
  perform dblink_connect('on_shard', 'shard' || n);
  begin
    status := dblink_exec('on_shard', sql);
  exception when others then
    perform dblink_disconnect('on_shard');
    raise;
  end;
  perform dblink_disconnect('on_shard');
  return status;
end $$;
revoke execute on function on_shard(int, text) from public;

-- The role that owns the shards and as which the proxy will come, once per machine (shards 0 and 4 stand for the two).
-- Notices are turned off for it: what one server says once, a broadcast says eight times.
select on_shard(n, format('create role shard login password %L', :'shard_password')) as "create role",
       on_shard(n, 'alter role shard set client_min_messages = warning') as "alter role"
from unnest(array[0, 4]) n;

-- The databases, then each dblink server turned to its own.
select n as shard, on_shard(n, format('create database db%s owner shard', n)) as "create database"
from generate_series(0, 7) n;
select format('alter server shard%s options (set dbname %L)', n, 'db' || n) from generate_series(0, 7) n \gexec
