-- The loader's halves. One call of load_users(total) makes every shard store its own share, all at the same time.
select count(*) as shards from dy_ddl($ddl$
create function shop.load_users(total int, out partition int, out users bigint) returns record language plpgsql strict as $$
begin
  partition := current_setting('application_name')::int;
  insert into shop.userinfo (userid, info)
    select id, 'user ' || id from generate_series(partition, total - 1, 8) id;
  get diagnostics users = row_count;
  insert into shop.session (userid) select userid from shop.userinfo;
end $$
$ddl$);

create function load_users(total int, out partition int, out users bigint) returns setof record
language plproxy strict as $$
  cluster 'shop_cluster';
  run on all;
  target shop.load_users;
$$;
revoke execute on function load_users(int) from public;
