# Several hosts: which is tried, which is taken, how the failures are told.

# at port...: a connection string to these ports of 127.0.0.1, in order.
at() {
    local hosts='' ports='' port
    for port in "$@"; do hosts+=,127.0.0.1 ports+=,$port; done
    printf 'host=%s port=%s user=c_user dbname=other' "${hosts#,}" "${ports#,}"
}

both hosts.first 'main c_user other' "$(at "$MAIN" "$STANDBY")"
both hosts.order 'standby c_user other' "$(at "$STANDBY" "$MAIN")"
both hosts.refused_first 'main c_user other' "$(at "$DEAD" "$MAIN")"
both hosts.one_port 'main c_user other' "host=127.0.0.9,127.0.0.1 port=$MAIN user=c_user dbname=other"
both hosts.sockets 'main c_user other' "host=/nowhere,$(server_dir main) port=$MAIN user=c_user dbname=other"
both hosts.socket_then_address 'main c_user other' "host=$HOME_DIR,127.0.0.1 port=$MAIN user=c_user dbname=other"
both hosts.addresses 'main c_user other' "hostaddr=127.0.0.9,127.0.0.1 port=$MAIN user=c_user dbname=other"
both hosts.names_with_addresses 'main c_user other' \
    "host=a.invalid,b.invalid hostaddr=127.0.0.9,127.0.0.1 port=$MAIN user=c_user dbname=other"
both hosts.address_missing 'main c_user other' "host=127.0.0.9,127.0.0.1 hostaddr=, port=$MAIN user=c_user dbname=other"
both hosts.all_refused "$(refused "$DEAD")
$(refused "$MAIN" 127.0.0.9)" "host=127.0.0.1,127.0.0.9 port=$DEAD,$MAIN user=c_user"
both hosts.name_then_address "could not translate host name \"nobody.invalid\" to address: $(theirs 'host=nobody.invalid' \
    | sed -n 's/.*address: //p')
$(refused "$DEAD")" "host=nobody.invalid,127.0.0.1 port=$DEAD user=c_user"
# The server's own no is the answer; only one that is not ready sends on to the next.
both hosts.no_such_database "$(said "$MAIN" 'FATAL:  database "nowhere" does not exist')" \
    "$(at "$MAIN" "$STANDBY") dbname=nowhere"
both hosts.wrong_password "$(said "$MAIN" 'FATAL:  password authentication failed for user "c_secret"')" \
    "$(at "$MAIN" "$STANDBY") user=c_secret password=wrong"
as_server tee -a "$(server_dir standby)/data/postgresql.conf" >/dev/null <<<'hot_standby = off'
server_restart standby
both hosts.not_ready_first 'main c_user other' "$(at "$STANDBY" "$MAIN")"
both hosts.not_ready "$(said "$STANDBY" 'FATAL:  the database system is not accepting connections
DETAIL:  Hot standby mode is disabled.')" "$(at "$STANDBY")"
as_server tee -a "$(server_dir standby)/data/postgresql.conf" >/dev/null <<<'hot_standby = on'
server_restart standby

# target_session_attrs against a primary, a standby and a primary whose sessions are read-only by default.
# attrs value wanted...: whom it takes of main, standby, readonly; of standby, readonly, main; of readonly, main, standby.
attrs() {
    local value=$1 name=${1//-/_}
    both "target_session_attrs.${name}_1" "$2 c_user other" \
        "$(at "$MAIN" "$STANDBY" "$READONLY") target_session_attrs=$value"
    both "target_session_attrs.${name}_2" "$3 c_user other" \
        "$(at "$STANDBY" "$READONLY" "$MAIN") target_session_attrs=$value"
    both "target_session_attrs.${name}_3" "$4 c_user other" \
        "$(at "$READONLY" "$MAIN" "$STANDBY") target_session_attrs=$value"
}
attrs any main standby readonly
attrs read-write main main main
attrs read-only standby standby readonly
attrs primary main readonly readonly
attrs standby standby standby standby
attrs prefer-standby standby standby standby
# unfit value words port...: each of the servers is the wrong one.
unfit() {
    local value=$1 words=$2 port wanted=''; shift 2
    for port in "$@"; do wanted+=$'\n'$(said "$port" "$words"); done
    both "target_session_attrs.${value//-/_}_none" "${wanted#?}" "$(at "$@") target_session_attrs=$value"
}
unfit read-write 'session is read-only' "$STANDBY" "$READONLY"
unfit read-only 'session is not read-only' "$MAIN"
unfit primary 'server is in hot standby mode' "$STANDBY"
unfit standby 'server is not in hot standby mode' "$MAIN" "$READONLY"
both target_session_attrs.prefer_standby_none 'readonly c_user other' \
    "$(at "$READONLY" "$MAIN") target_session_attrs=prefer-standby"
both target_session_attrs.prefer_standby_dead "$(theirs "$(at "$DEAD" "$DEAD") target_session_attrs=prefer-standby")" \
    "$(at "$DEAD" "$DEAD") target_session_attrs=prefer-standby"
both target_session_attrs.dead_first 'main c_user other' "$(at "$DEAD" "$STANDBY" "$MAIN") target_session_attrs=primary"

# Chance: each of the three is taken some time; that one is not, in 60, has a chance of one in ten thousand million.
check load_balance_hosts.random 'main readonly standby' "$(server_psql proxy -Atq \
    -v c="$(at "$MAIN" "$STANDBY" "$READONLY") load_balance_hosts=random application_name=" <<-'SQL'
	select string_agg(distinct look(:'c' || n, 'show cluster_name'), ' ') from generate_series(1, 60) n
	SQL
)"
check load_balance_hosts.disable 'main' "$(server_psql proxy -Atq \
    -v c="$(at "$MAIN" "$STANDBY" "$READONLY") load_balance_hosts=disable application_name=" <<-'SQL'
	select string_agg(distinct look(:'c' || n, 'show cluster_name'), ' ') from generate_series(1, 20) n
	SQL
)"
only load_balance_hosts.dead_ones 'main c_user other' "$(at "$DEAD" "$MAIN" "$DEAD") load_balance_hosts=random"

# A server that is reached and says nothing: its processes are stopped, and the kernel goes on taking connections.
kill -STOP "$(server_pid readonly)"
# libpq 15 counts whole seconds, from the second in which it begins.
took connect_timeout.one 2 "$(said "$READONLY" 'timeout expired')" "$(at "$READONLY") connect_timeout=3"
took connect_timeout.least 1 "$(said "$READONLY" 'timeout expired')" "$(at "$READONLY") connect_timeout=1"
took connect_timeout.next_host 1 'main c_user other' "$(at "$READONLY" "$MAIN") connect_timeout=2"
took connect_timeout.each 3 "$(said "$READONLY" 'timeout expired')
$(said "$READONLY" 'timeout expired')" "$(at "$READONLY" "$READONLY") connect_timeout=2"
kill -CONT "$(server_pid readonly)"
