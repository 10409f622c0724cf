-- What the role that the exporters log in as, a member of pg_monitor, needs on the proxy: run by a superuser in each database that has
-- the extension. It can call no cluster, and sees no connection strings and no passwords.
grant select on plproxy_stat_partitions, plproxy_stat_functions, plproxy_stat_info, plproxy_shared_connections, plproxy_paused
    to monitor;
grant execute on function plproxy_stat_partitions(), plproxy_stat_functions(), plproxy_stat_info(), plproxy_shared_connections(),
    plproxy_paused() to monitor;
grant usage on schema plproxy_internal to monitor;
grant select on plproxy_internal.prepared_transactions to monitor;
