-- The same without a half on the shards: EXECUTE sends the text itself. PL/Proxy in C has no such statement.
create function dy_here(sql text) returns setof record language plproxy strict as $$
  cluster 'shop_cluster';
  run on all;
  execute sql;
$$;

-- A procedure gives nothing back, so that it may run on all shards, whatever the statement gives.
create procedure dy_ddl_here(sql text) language plproxy as $$
  cluster 'shop_cluster';
  run on all;
  execute sql;
$$;

revoke execute on function dy_here(text) from public;
revoke execute on procedure dy_ddl_here(text) from public;

call dy_ddl_here('create table shop.trial_here (id int)');
select * from dy_here($$ select current_database(), count(*) from shop.trial_here $$) as (database name, rows bigint);
call dy_ddl_here('drop table shop.trial_here');
