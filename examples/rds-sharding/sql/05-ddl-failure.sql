-- What a DBA must see: a broadcast that one shard refuses. Shard 3 loses its table behind our back …
select on_shard(3, 'drop table shop.trial');

-- … so this fails, and says where. (psql goes on here only because it is told to.)
\set ON_ERROR_STOP off
select dy_ddl('alter table shop.trial add column note text');
\set ON_ERROR_STOP on

-- How it stands on each.
select * from dy_ddl_try('alter table shop.trial add column if not exists note text');
