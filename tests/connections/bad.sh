# Mistakes: each is told in libpq's words, and the password that stands beside it is not.

P="password=$SECRET"
# wrong name words connstr-part: libpq says the same.
wrong() { both "bad.$1" "$2" "$AT $P $3"; }
# ours_only: libpq says it otherwise, or shows the secret, or does not know it.
ours_only() { only "bad.$1" "$2" "$3"; }

wrong unknown_keyword 'invalid connection option "hosst"' 'hosst=x'
wrong unknown_keyword_case 'invalid connection option "Host"' 'Host=x'
wrong no_equals 'missing "=" after "host" in connection info string' 'host'
both bad.open_quote 'unterminated quoted string in connection info string' "$AT password='$SECRET"
ours_only stray_word 'missing "=" after "***" in connection info string' "$AT password=x $SECRET"
ours_only stray_keyword 'invalid connection option "***"' "$AT password=x $SECRET=1"
ours_only password_unquoted 'missing "=" after "***" in connection info string' "$AT password=a $SECRET b"
for value in 0 65536 99999999999 -1; do
    words="invalid port number: \"$value\""
    [ "$value" != 99999999999 ] || words="invalid integer value \"$value\" for connection option \"port\""
    wrong "port_$value" "$words" "port=$value"
done
wrong port_word 'invalid integer value "x" for connection option "port"' 'port=x'
wrong port_trailing 'invalid integer value "1x" for connection option "port"' 'port=1x'
wrong ports 'could not match 3 port numbers to 2 hosts' 'host=a,b port=1,2,3'
wrong hostaddrs 'could not match 1 host names to 2 hostaddr values' 'hostaddr=127.0.0.1,127.0.0.1'
wrong hostaddr 'could not parse network address "nowhere": Name or service not known' 'hostaddr=nowhere'
wrong connect_timeout 'invalid integer value "x" for connection option "connect_timeout"' 'connect_timeout=x'
wrong connect_timeout_empty 'invalid integer value "" for connection option "connect_timeout"' "connect_timeout=''"
wrong keepalives 'invalid integer value "x" for connection option "keepalives"' 'keepalives=x'
wrong keepalives_idle 'invalid integer value "x" for connection option "keepalives_idle"' 'keepalives_idle=x'
wrong keepalives_interval 'invalid integer value "x" for connection option "keepalives_interval"' 'keepalives_interval=x'
wrong keepalives_count 'invalid integer value "x" for connection option "keepalives_count"' 'keepalives_count=x'
wrong tcp_user_timeout 'invalid integer value "x" for connection option "tcp_user_timeout"' 'tcp_user_timeout=x'
wrong sslmode 'invalid sslmode value: "x"' 'sslmode=x'
wrong channel_binding 'invalid channel_binding value: "x"' 'channel_binding=x'
wrong gssencmode 'invalid gssencmode value: "x"' 'gssencmode=x'
wrong target_session_attrs 'invalid target_session_attrs value: "x"' 'target_session_attrs=x'
wrong ssl_min_protocol_version 'invalid ssl_min_protocol_version value: "x"' 'ssl_min_protocol_version=x'
wrong ssl_protocol_range 'invalid SSL protocol version range' \
    'ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2'
for key in load_balance_hosts sslnegotiation sslcertmode min_protocol_version max_protocol_version require_auth; do
    ours_only "$key" "invalid $key value: \"x\"" "$AT $P $key=x"
done
ours_only require_auth_mixed 'negative require_auth method "!md5" cannot be mixed with non-negative methods' \
    "$AT $P require_auth=password,!md5"
ours_only require_auth_twice 'require_auth method "md5" is specified more than once' "$AT $P require_auth=md5,md5"
# libpq 15 says it twice.
ours_only options "$(said "$MAIN" 'FATAL:  unrecognized configuration parameter "nonsense"')" \
    "$AT $P options='-c nonsense=1'"
wrong database "$(said "$MAIN" 'FATAL:  database "nowhere" does not exist')" 'dbname=nowhere'
wrong role "$(said "$MAIN" 'FATAL:  role "c_nobody" does not exist')" 'user=c_nobody dbname=other'
LONG="host=/$(printf '%0120d' 0) port=1 user=c_user"
both bad.long_socket "$(theirs "$LONG")" "$LONG"

as_server mkdir "$HOME_DIR/closed"
as_server chmod 0 "$HOME_DIR/closed"
for dir in closed passwords/under_a_file; do
    both "bad.socket_in_${dir//\//_}" "$(theirs "host=$HOME_DIR/$dir port=1 user=c_user")" \
        "host=$HOME_DIR/$dir port=1 user=c_user"
done
as_server chmod 700 "$HOME_DIR/closed"

# URIs: a part of the password may stand anywhere when it is not encoded.
both bad.uri_parameter 'invalid URI query parameter: "hosst"' "postgresql://127.0.0.1/?hosst=1"
both bad.uri_no_value 'missing key/value separator "=" in URI query parameter: "host"' 'postgresql:///?host'
both bad.uri_extra_equals 'extra key/value separator "=" in URI query parameter: "host"' 'postgresql:///?host=a=b'
both bad.uri_bracket 'end of string reached when looking for matching "]" in IPv6 host address in URI: "postgresql://[::1"' \
    'postgresql://[::1'
both bad.uri_percent 'invalid percent-encoded token: "%4"' 'postgresql:///%4'
both bad.uri_null 'forbidden value %00 in percent-encoded value: "%00"' 'postgresql:///%00'
ours_only uri_scheme 'missing "=" after "***" in connection info string' "postgrsql://u:$SECRET@h/d"
ours_only uri_at 'invalid host name: "***"' "postgresql://u:p@$SECRET@h/d"
ours_only uri_slash 'invalid integer value "***" for connection option "port"' "postgresql://u:$SECRET/x@h/d"
ours_only uri_percent_password 'invalid percent-encoded token: "***"' "postgresql://u:$SECRET%@h/d"

# In a cluster's options: the connection string is not shown there either.
server_psql proxy -q -v port="$MAIN" <<-'SQL'
	create server bad foreign data wrapper plproxy options (p0 'host=127.0.0.1 port=x password=hunter2');
	create user mapping for public server bad options (user 'c_secret', password 'hunter2');
	create function from_cluster() returns text language plproxy as $$ cluster 'bad'; select 'x'::text; $$;
SQL
cluster() {
    server_psql proxy -Atq -c 'select from_cluster()' 2>&1 \
        | sed -E 's/^ERROR:  PL\/Proxy function public\.from_cluster\(0\): //' || true
}
check bad.cluster '[c_secret] invalid integer value "x" for connection option "port"' "$(cluster)"
server_psql proxy -q -v c="host=127.0.0.1 port=$DEAD" <<<"alter server bad options (set p0 :'c')"
check bad.cluster_refused "[c_secret] $(refused "$DEAD")" "$(cluster)"
server_psql proxy -q -v c="host=127.0.0.1 port=$MAIN dbname=other" <<<"alter server bad options (set p0 :'c')"
check bad.cluster_mended x "$(cluster)"
server_psql main -q <<<"alter role c_secret password 'changed'"
check bad.cluster_password \
    "[other] $(said "$MAIN" 'FATAL:  password authentication failed for user "c_secret"')" "$(cluster)"
server_psql main -q <<<"alter role c_secret password 'hunter2'"

# And nothing of all this has reached the proxy's log.
check bad.log 0 "$(grep -v -e 'STATEMENT:' "$(server_dir proxy)/log" | grep -c "$SECRET")"
