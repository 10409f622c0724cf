-- This session's connections: seen, and ended.
create view seen as select cluster, partition, host, dbname, local_user = current_user as mine,
    username = current_user as as_me, server_version = split_part(current_setting('server_version'), ' ', 1)
        or server_version = current_setting('server_version') as version, connected_at <= last_used_at as used,
    calls, prepared_statements, tls
    from plproxy_get_connections();
-- none without a call
select * from seen;
select n, part_at(n) from generate_series(0, 1) n;
select part_at(0), part_at(0), part_at(0) \g (format=unaligned)
select * from seen;
-- disconnecting closes what is at rest, and says whether there was anything
select plproxy_disconnect('parts');
select plproxy_disconnect('parts');
select * from seen;
select part_at(2);
select cluster, partition from seen;
select plproxy_disconnect_all();
select plproxy_disconnect_all();
select count(*) from seen;
-- the next call connects again
select part_at(3);
-- a body's own connection string is no cluster, and is not shown
create function by_connstr() returns int language plproxy as $$
    connect 'dbname=regress_part0 host=127.0.0.1 password=Sesame42';
    select part();
$$;
select outcome('select by_connstr()') ~ 'port|failed' as tried;
do $do$ begin
    execute format($$ create or replace function by_connstr() returns int language plproxy as
        'connect ''dbname=regress_part0 host=127.0.0.1 password=Sesame42 port=%s''; select part();' $$, current_setting('port'));
end $do$;
select by_connstr();
select cluster, partition, dbname, mine from seen order by 1, 2, 3;
select count(*) from plproxy_get_connections() c where c::text ~ 'Sesame42';
-- two users have two connections
create role regress_admin_other;
grant usage on foreign server parts to regress_admin_other;
set role regress_admin_other;
select outcome('select part_at(3)');
reset role;
-- a dropped cluster's connections are nobody's, until they are swept
select current_setting('port') as port \gset
\set p0 'dbname=regress_part0 host=127.0.0.1 port=' :port
create server soon_gone foreign data wrapper plproxy options (p0 :'p0');
create user mapping for public server soon_gone;
create function part_soon_gone() returns int language plproxy as $$ cluster 'soon_gone'; select part(); $$;
select part_soon_gone();
drop server soon_gone cascade;
select part_at(3);
select count(*) from plproxy_get_connections() where cluster = 'soon_gone';
select outcome($$ select plproxy_disconnect('soon_gone') $$);
-- bad input
select outcome('select plproxy_disconnect(null)');
-- nobody may, unless it is granted
set role regress_admin_other;
select outcome('select count(*) from plproxy_get_connections()');
select outcome($$ select plproxy_disconnect('parts') $$);
select outcome('select plproxy_disconnect_all()');
reset role;
select plproxy_disconnect_all();
revoke usage on foreign server parts from regress_admin_other;
drop role regress_admin_other;
drop view seen;
drop function by_connstr(), part_soon_gone();
