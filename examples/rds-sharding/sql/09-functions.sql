-- The application's calls. Each has two halves of one signature: on the shards (through dy_ddl) the work, on the proxy
-- the statement of where to run. "set local" is for the one transaction: a log line may be lost in a crash of the shard,
-- and no other statement on the connection is affected.
select count(*) as shards from dy_ddl($ddl$
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

create function shop.query_update_insert(i_userid int, out dbid int, out userid int, out info text)
returns setof record language plpgsql strict as $$
begin
  set local synchronous_commit = off;
  insert into shop.login_log (userid) values (i_userid);
  update shop.session s set last_login = now() where s.userid = i_userid;
  return query select u.dbid, u.userid, u.info from shop.userinfo u where u.userid = i_userid;
end $$;

create function shop.query_smalltbl(i_userid int, out userid int, out info text, out answered_by int)
returns setof record language plpgsql stable strict as $$
begin
  return query select t.userid, t.info, current_setting('application_name')::int
    from shop.tbl_small t where t.userid = i_userid;
end $$;
$ddl$);

create function query_pk(i_userid int, out dbid int, out userid int, out info text)
returns setof record language plproxy strict as $$
  cluster 'shop_cluster';
  run on i_userid;
  target shop.query_pk;
$$;

create function insert_log(i_userid int) returns void language plproxy strict as $$
  cluster 'shop_cluster';
  run on i_userid;
  target shop.insert_log;
$$;

create function query_insert(i_userid int, out dbid int, out userid int, out info text)
returns setof record language plproxy strict as $$
  cluster 'shop_cluster';
  run on i_userid;
  target shop.query_insert;
$$;

create function update_pk(i_userid int) returns void language plproxy strict as $$
  cluster 'shop_cluster';
  run on i_userid;
  target shop.update_pk;
$$;

create function query_update_insert(i_userid int, out dbid int, out userid int, out info text)
returns setof record language plproxy strict as $$
  cluster 'shop_cluster';
  run on i_userid;
  target shop.query_update_insert;
$$;

create function query_smalltbl(i_userid int, out userid int, out info text, out answered_by int)
returns setof record language plproxy strict as $$
  cluster 'shop_cluster';
  run on any;
  target shop.query_smalltbl;
$$;
