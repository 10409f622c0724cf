-- dy(sql): any query on all shards, rows of any shape. Its other half is put on each shard by dblink.
select n as shard, on_shard(n, $sql$
  set role shard;
  create function public.dy(sql text) returns setof record language plpgsql strict as
  $$ begin return query execute sql; end $$
$sql$) as "dy" from generate_series(0, 7) n;

create function dy(sql text) returns setof record language plproxy strict as $$
  cluster 'shop_cluster';
  run on all;
$$;

-- It can do whatever the shards' owner can: not for everybody.
revoke execute on function dy(text) from public;

select * from dy($$select current_setting('application_name')::int, current_database(), inet_server_port(), current_user$$)
  as (partition int, database name, port int, came_as name);
