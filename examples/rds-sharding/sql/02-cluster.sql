-- The cluster, as SQL/MED objects: eight partitions, each with its number as application_name, and who may use them.
\set shard_password `printf %s "$SHARD_PASSWORD"`
\set app_password `printf %s "$APP_PASSWORD"`

create extension plproxy;

-- p0 … p7 in order: partition k serves the user ids whose last three bits are k.
select format('create server shop_cluster foreign data wrapper plproxy options (
                 connection_lifetime %L, disable_binary %L, %s)', '1800', '0',
              string_agg(format('p%s %L', n, format(
                'host=%s port=%s dbname=db%s application_name=%s keepalives_idle=30 keepalives_interval=10 keepalives_count=10',
                :'node_host', case when n < 4 then :'node_a_port' else :'node_b_port' end, n, n)), ', ' order by n))
from generate_series(0, 7) n \gexec

-- Whoever calls comes to the shards as their owner; the password is for those who may read pg_user_mapping only.
select format('create user mapping for public server shop_cluster options (user %L, password %L)',
              'shard', :'shard_password') \gexec

-- The application's own role on the proxy: it may use the cluster through the functions that it is given.
select format('create role app login password %L', :'app_password') \gexec
grant usage on foreign server shop_cluster to app;

select srvname as server, split_part(o, '=', 1) as option, substr(o, strpos(o, '=') + 1) as value
from pg_foreign_server, unnest(srvoptions) o where srvname = 'shop_cluster' and o !~ '^p[1-6]=';
