# What a keyword does, for those that no other family is about.

both keywords.user 'main c_user c_user' "host=127.0.0.1 port=$MAIN user=c_user"
# psql takes the operating system's user; a cluster's user is the caller.
only keywords.user_of_the_session 'main postgres other' "host=127.0.0.1 port=$MAIN dbname=other"
both keywords.user_empty "$(theirs "host=127.0.0.1 port=$MAIN user='' dbname=other")" \
    "host=127.0.0.1 port=$MAIN user='' dbname=other"
both keywords.dbname 'main c_user other' "$AT dbname=other"
both keywords.dbname_by_user 'main c_user c_user' "$AT"
both keywords.dbname_is_a_name "$(said "$MAIN" 'FATAL:  database "port=1" does not exist')" \
    "$AT dbname='port=1'"
both keywords.password 'main c_secret c_secret' "$AT user=c_secret password=$SECRET"
both keywords.host 'standby c_user other' "host=127.0.0.1 port=$STANDBY user=c_user dbname=other"
both keywords.host_socket 'main c_user other' "host=$(server_dir main) port=$MAIN user=c_user dbname=other"
both keywords.hostaddr 'main c_user other' "host=nobody.invalid hostaddr=127.0.0.1 port=$MAIN user=c_user dbname=other"
both keywords.hostaddr_alone 'main c_user other' "hostaddr=127.0.0.1 port=$MAIN user=c_user dbname=other"
both keywords.port "$(refused "$DEAD")" "host=127.0.0.1 port=$DEAD user=c_user"
both keywords.options 1234kB "$AT options='-c work_mem=1234kB'" 'show work_mem'
both keywords.options_escaped 'SQL, DMY' "$AT options='-c datestyle=SQL,\\\\ DMY'" 'show datestyle'
both keywords.application_name reports "$AT application_name=reports" "$APP"
only keywords.application_name_default plproxy "$AT" "$APP"
both keywords.fallback_application_name reports "$AT application_name=reports fallback_application_name=other" "$APP"
only keywords.fallback_application_name_used other "$AT fallback_application_name=other" "$APP"
# Values travel as UTF-8 whatever is asked for, and are converted by the proxy.
only keywords.client_encoding 'UTF8 ü' "$AT client_encoding=LATIN1" \
    "select current_setting('client_encoding') || ' ' || chr(252)"
only keywords.min_protocol_version 'main c_user c_user' "$AT min_protocol_version=3.0"
only keywords.min_protocol_version_newer 'min_protocol_version value "3.2" is not supported' "$AT min_protocol_version=3.2"
only keywords.max_protocol_version 'main c_user c_user' "$AT max_protocol_version=latest"
both keywords.gssencmode 'main c_user c_user' "$AT gssencmode=prefer"
only keywords.gssencmode_require 'gssencmode value "require" is not supported' "$AT gssencmode=require"
both keywords.krbsrvname 'main c_user c_user' "$AT krbsrvname=x"
both keywords.gsslib 'main c_user c_user' "$AT gsslib=gssapi"
only keywords.gssdelegation 'main c_user c_user' "$AT gssdelegation=1"
both keywords.replication 'main c_user c_user' "$AT replication=off"
only keywords.replication_on 'connection option "replication" is not supported' "$AT replication=database"
both keywords.sslcompression 'main c_user c_user' "$AT sslcompression=1"
only keywords.oauth 'main c_user c_user' \
    "$AT oauth_issuer=https://x oauth_client_id=x oauth_client_secret=$SECRET oauth_scope=x"
only keywords.oauth_ca_file 'main c_user c_user' "$AT oauth_ca_file=/nowhere"
for key in scram_client_key scram_server_key; do
    only "keywords.$key" "connection option \"$key\" is not supported" "$AT $key=$SECRET"
done
only keywords.sslkeylogfile 'connection option "sslkeylogfile" is not supported' "$AT sslkeylogfile=/tmp/x"

# The default host: the directory that PostgreSQL was built with, and libpq too.
# The directory that this PostgreSQL was built with.
sockets=$(sed -n 's/^#define DEFAULT_PGSOCKET_DIR *"\(.\+\)"/\1/p' \
    "$("$(tree_bin "$PLPROXY_TREE")/pg_config" --includedir-server)/pg_config_manual.h")
both keywords.host_default "$(no_socket "$sockets/.s.PGSQL.$DEAD")" "port=$DEAD user=c_user"
both keywords.port_default "$(no_socket "$HOME_DIR/.s.PGSQL.5432")" "host=$HOME_DIR user=c_user"
both keywords.host_abstract "$(printf 'connection to server on socket "%s" failed: Connection refused\n\t%s' \
    "@plproxy-none/.s.PGSQL.$DEAD" 'Is the server running locally and accepting connections on that socket?')" \
    "host=@plproxy-none port=$DEAD user=c_user"

# keepalive connstr: the kernel's timer of the connection: its kind (2: keepalive) and the seconds that it has left.
keepalive() {
    server_psql proxy -Atq -v c="$1" <<-'SQL' | tail -n 1
	select look(:'c', 'select inet_client_port()') as port \gset
	select to_hex(:port) as port \gset
	\setenv PORT :port
	\! awk -v p="$PORT" 'toupper($2) ~ ":0*" toupper(p) "$" && $4 == "01" { print $6 }' /proc/net/tcp
	SQL
}
# about name kind least most timer
about() {
    local kind=${5%%:*} left=$((16#${5##*:} / 100)) got=no
    if [ "$kind" = "$2" ] && [ $left -ge "$3" ] && [ $left -le "$4" ]; then got=yes; fi
    check "$1" yes "$got"
}
about keywords.keepalives_default 02 60 "$(cat /proc/sys/net/ipv4/tcp_keepalive_time)" "$(keepalive "$AT")"
about keywords.keepalives 00 0 0 "$(keepalive "$AT keepalives=0")"
about keywords.keepalives_idle 02 300 345 "$(keepalive "$AT keepalives_idle=345")"
