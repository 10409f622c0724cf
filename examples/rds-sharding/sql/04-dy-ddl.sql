-- dy_ddl(sql): one statement on all shards. A shard's error reaches the caller and names the shard.
-- dy_ddl_try(sql): the same, but every shard answers for itself: which did it, which did not, and why. As each shard
-- commits on its own, this is how to look at (and, with idempotent DDL, to finish) a broadcast that failed on some.
select n as shard, on_shard(n, $sql$
  set role shard;

  create function public.dy_ddl(sql text, out partition int) returns int language plpgsql strict as $$
  begin
    execute sql;
    partition := current_setting('application_name')::int;
  end $$;

  create function public.dy_ddl_try(sql text, out partition int, out ok boolean, out message text)
  returns record language plpgsql strict as $$
  begin
    partition := current_setting('application_name')::int;
    execute sql;
    ok := true;
  exception when others then
    ok := false;
    message := sqlstate || ': ' || sqlerrm;
  end $$;
$sql$) as "dy_ddl" from generate_series(0, 7) n;

create function dy_ddl(sql text, out partition int) returns setof int language plproxy strict as $$
  cluster 'shop_cluster';
  run on all;
$$;

create function dy_ddl_try(sql text, out partition int, out ok boolean, out message text)
returns setof record language plproxy strict as $$
  cluster 'shop_cluster';
  run on all;
$$;

revoke execute on function dy_ddl(text), dy_ddl_try(text) from public;

-- The schema, and a table to try it out.
select array_agg(partition) as "create schema on" from dy_ddl('create schema shop');
select array_agg(partition) as "create table on" from dy_ddl('create table shop.trial (id int)');
select count(*) as rows from dy('select id from shop.trial') as (id int);
