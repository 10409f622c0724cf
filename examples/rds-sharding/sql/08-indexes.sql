-- Keys after the load, on all shards at once, and the small table, the same on every shard.
select count(*) as shards from dy_ddl('alter table shop.userinfo add primary key (userid)');
select count(*) as shards from dy_ddl('alter table shop.session add primary key (userid)');
select count(*) as shards from dy_ddl(format(
  'insert into shop.tbl_small select id, ''item '' || id from generate_series(0, %s) id', :small - 1));
-- VACUUM cannot run inside a function; ANALYZE can.
select count(*) as shards from dy_ddl('analyze shop.userinfo, shop.session, shop.tbl_small');
