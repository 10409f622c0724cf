# Files are read when a connection is made: one session, whose password file and service file change under it.

KEY=$HOME_DIR/rotated
OPEN='permissions should be u=rw (0600) or less'
OTHER_SECRET=${SECRET}2
server_psql proxy -q <<SQL
create function attempt(connstr text) returns text language plpgsql as \$\$
begin
    return look(connstr, 'select concat_ws('' '', current_setting(''cluster_name''), current_user, current_database())');
exception when others then
    return regexp_replace(split_part(sqlerrm, E'\n', 1), '^.* failed: |^.*\] ', '');
end \$\$;
create server moving foreign data wrapper plproxy options (p0 'service=moving');
create user mapping for public server moving options (user 'c_user');
create function moving() returns int language plproxy as \$\$ cluster 'moving'; select 1; \$\$;
SQL
rotate() { server_psql main -q -c "alter role c_secret password '$1'"; }
SECRETLY="$AT user=c_secret passfile=$KEY"

session_open proxy
put "$KEY" 600 <<<"*:*:*:*:$SECRET"
check files.password 'main c_secret c_secret' "$(session "select attempt('$SECRETLY');")"
# A connection at rest stays good, whatever the password has become.
rotate "$OTHER_SECRET"
check files.at_rest 'main c_secret c_secret' "$(session "select attempt('$SECRETLY');")"
session "select plproxy_disconnect_all();" >/dev/null
check files.old_password 'FATAL:  password authentication failed for user "c_secret"' \
    "$(session "select attempt('$SECRETLY');")"
put "$KEY" 600 <<<"*:*:*:*:$OTHER_SECRET"
check files.new_password 'main c_secret c_secret' "$(session "select attempt('$SECRETLY');")"
# The server ends the session: the next one is made with what the file says then.
rotate "$SECRET"
put "$KEY" 600 <<<"*:*:*:*:$SECRET"
server_psql main -Atq -c "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'c_secret'" >/dev/null
check files.new_password_for_a_lost_connection 'main c_secret c_secret' "$(session "select attempt('$SECRETLY');")"
# What is wrong with the file is told each time.
as_server chmod 644 "$KEY"
session "select plproxy_disconnect_all();" >/dev/null
check files.warning "WARNING:  password file \"$KEY\" has group or world access; $OPEN" \
    "$(session "select attempt('$SECRETLY');")"
IFS= read -r -t 20 reply <&"${SESSION[0]}" || true
check files.not_used 'fe_sendauth: no password supplied' "${reply:-}"
as_server rm "$KEY"
check files.gone 'fe_sendauth: no password supplied' "$(session "select attempt('$SECRETLY');")"

# The service file. Connections at rest stay where they were made to.
moving() { put "$HOME_DIR/.pg_service.conf" 644 <<<"[moving]
host=127.0.0.1
port=$1
dbname=$2"; }
moving "$MAIN" other
BY='service=moving user=c_user'
check files.service 'main c_user other' "$(session "select attempt('$BY');")"
check files.cluster 1 "$(session 'select moving();')"
check files.route "$MAIN other" "$(session "select port || ' ' || dbname from plproxy_route('moving()', variadic '{}');")"
moving "$STANDBY" c_user
check files.service_at_rest 'main c_user other' "$(session "select attempt('$BY');")"
check files.check_reads_anew "$STANDBY c_user true" \
    "$(session "select port || ' ' || dbname || ' ' || in_recovery from plproxy_check_cluster('moving');")"
check files.route_reads_anew "$STANDBY c_user" \
    "$(session "select port || ' ' || dbname from plproxy_route('moving()', variadic '{}');")"
check files.connection_is_told_as_it_is "$MAIN other" \
    "$(session "select port || ' ' || dbname from plproxy_get_connections() where cluster = 'moving';")"
session "select plproxy_disconnect_all();" >/dev/null
check files.service_read_anew 'standby c_user c_user' "$(session "select attempt('$BY');")"
check files.statistics "$MAIN other 1, $STANDBY c_user 1" "$(session "select moving();" >/dev/null; session \
    "select string_agg(concat_ws(' ', port, dbname, calls), ', ' order by calls, dbname desc) from plproxy_stat_partitions where cluster = 'moving';")"
as_server rm "$HOME_DIR/.pg_service.conf"
check files.service_gone_at_rest 'standby c_user c_user' "$(session "select attempt('$BY');")"
check files.check_without_service 'definition of service "moving" not found' \
    "$(session "select error from plproxy_check_cluster('moving');")"
session "select plproxy_disconnect_all();" >/dev/null
check files.service_gone 'definition of service "moving" not found' "$(session "select attempt('$BY');")"
moving "$MAIN" other
check files.service_again 'main c_user other' "$(session "select attempt('$BY');")"
as_server rm "$HOME_DIR/.pg_service.conf"
session_close
