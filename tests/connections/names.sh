# Host names: asked of the system's resolver, without a thread. The servers and psql see names of a file of our own.

NAMES=$("$SCRIPTS/tree.sh" names)
put "$HOME_DIR/hosts" 644 <<<"127.0.0.1 one.test
127.0.0.9 dead-first.test
127.0.0.1 dead-first.test
127.0.0.9 dead.test
127.0.0.8 dead.test
127.0.0.2 silent.test
127.0.0.1 silent.test
::1 six.test"
surround "LD_PRELOAD=$NAMES/libnss_wrapper.so" "NSS_WRAPPER_HOSTS=$HOME_DIR/hosts"

named() { printf 'host=%s port=%s user=c_user dbname=other' "$1" "$MAIN"; }
both names.one 'main c_user other' "$(named one.test)"
both names.first_address_dead 'main c_user other' "$(named dead-first.test)"
# That the dead one is first, a server that only the name's second address has shows.
check names.first_address_is_tried "127.0.0.9 127.0.0.1" \
    "$(as_server env "${SURROUNDINGS[@]}" getent ahostsv4 dead-first.test | awk '$2 == "STREAM" { print $1 }' | xargs)"
both names.every_address_dead "$(theirs "$(named dead.test)")" "$(named dead.test)"
check names.every_address_told 2 \
    "$(ours "$(named dead.test)" | grep -c 'connection to server at "dead.test" (127\.0\.0\.[89]), port')"
both names.port_dead "$(refused "$DEAD" 'one.test" (127.0.0.1)' | sed 's/)",/),/')" "$(named one.test) port=$DEAD"
if has_ipv6; then
    both names.ipv6_only 'main c_user other' "$(named six.test)"
    both names.ipv6_dead "$(theirs "$(named six.test) port=$DEAD")" "$(named six.test) port=$DEAD"
    # The connection fails, but not for want of the zone.
    both names.ipv6_zone "$(theirs "$(named fe80::1%lo)")" "$(named fe80::1%lo)"
    both names.ipv6_no_zone "$(theirs "$(named fe80::1)")" "$(named fe80::1)"
    both names.ipv6_address 'main c_user other' "$(named ::1)"
fi
both names.unknown "$(theirs "$(named nobody.invalid) password=$SECRET")" "$(named nobody.invalid) password=$SECRET"
check names.unknown_words 'could not translate host name "nobody.invalid" to address' \
    "$(ours "$(named nobody.invalid)" | sed 's/: .*//')"
both names.unknown_then_known 'main c_user other' "$(named nobody.invalid,one.test)"
both names.address_given 'main c_user other' "$(named nobody.invalid) hostaddr=127.0.0.1"
both names.not_a_name "$(theirs "$(named 'not a name' | sed "s/host=not a name/host='not a name'/")")" \
    "$(named 'not a name' | sed "s/host=not a name/host='not a name'/")"

# The limit is for each address.
SILENT="$(named silent.test) port=$READONLY connect_timeout=2"
kill -STOP "$(server_pid readonly)"
told() { printf 'connection to server at "silent.test" (%s), port %s failed: timeout expired' "$1" "$READONLY"; }
took names.timeout 3 "$(told 127.0.0.2)
$(told 127.0.0.1)" "$SILENT"
kill -CONT "$(server_pid readonly)"
both names.answering_again 'readonly c_user other' "$SILENT"

# One thread, also after calls that asked for names, found and not.
check names.threads 1 "$(server_psql proxy -Atq -v one="$(named one.test)" -v dead="$(named dead-first.test)" \
    -v none="$(named nobody.invalid)" -v ON_ERROR_STOP=0 2>/dev/null <<-'SQL' | tail -n 1
	select pg_backend_pid() as pid \gset
	\setenv PID :pid
	select look(:'one', 'select 1'), look(:'dead', 'select 1');
	select look(:'none', 'select 1');
	\! sed -n 's/^Threads:[[:space:]]*//p' /proc/$PID/status
	SQL
)"

# The server's user as another service than /etc/passwd knows it, with the home directory that it gives.
put "$HOME_DIR/passwd" 644 <<<"c_user:x:$(as_server id -u):$(as_server id -g)::$HOME_DIR:/bin/sh"
put "$HOME_DIR/group" 644 <<<"c_group:x:$(as_server id -g):"
put "$HOME_DIR/.pgpass" 600 <<<"*:*:*:*:$SECRET"
surround "LD_PRELOAD=$NAMES/libnss_wrapper.so" "NSS_WRAPPER_PASSWD=$HOME_DIR/passwd" \
    "NSS_WRAPPER_GROUP=$HOME_DIR/group" HOME=
both names.user 'main c_user other' "host=127.0.0.1 port=$MAIN user='' dbname=other"
both names.home 'main c_secret other' "host=127.0.0.1 port=$MAIN user=c_secret dbname=other"
PEER="host=$(server_dir main) port=$MAIN user=c_user dbname=other"
both names.peer 'main c_user other' "$PEER requirepeer=c_user"
both names.other_peer "$(theirs "$PEER requirepeer=nobody")" "$PEER requirepeer=nobody"
check names.other_peer_named 'requirepeer specifies "nobody", but actual peer user name is "c_user"' \
    "$(ours "$PEER requirepeer=nobody" | sed 's/.* failed: //')"
# One that no service knows.
put "$HOME_DIR/passwd" 644 <<<'someone:x:1:1::/:/bin/sh'
both names.no_user "$(theirs "host=127.0.0.1 port=$MAIN user='' dbname=other")" \
    "host=127.0.0.1 port=$MAIN user='' dbname=other"
as_server rm "$HOME_DIR/.pgpass"
surround

# A resolver that hangs, for three seconds each time: no interrupt reaches it, but none of the other names is asked for then.
cc -O1 -shared -fPIC -o "$PLPROXY_RUN/slow_names.so" "$HERE/slow_names.c" -ldl
surround "LD_PRELOAD=$PLPROXY_RUN/slow_names.so" "SLOW_NAMES=$HOME_DIR/asked"
server_psql proxy -q <<'SQL'
select format('create server slow foreign data wrapper plproxy options (%s)', string_agg(
    format('p%s %L', i, format('host=n%s.slow.test user=c_user', i)), ', ')) from generate_series(0, 7) i \gexec
create user mapping for public server slow;
create function everywhere() returns setof int language plproxy as $$ cluster 'slow'; run on all; select 1; $$;
SQL
# asked_for statement...: how many names were asked for.
asked_for() {
    put "$HOME_DIR/asked" 644 </dev/null
    server_psql proxy -Atq -v ON_ERROR_STOP=0 >"$PLPROXY_RUN/asked.out" 2>&1 "${@/#/-c}" || true
    as_server cat "$HOME_DIR/asked" | wc -l
}
# few limit name asked: a busy machine may ask for less.
few() { check "$2" yes "$([ "$3" -le "$1" ] && echo yes || echo "$3 were asked for")"; }
few 1 names.slow_fails_once "$(asked_for 'select everywhere()')"
check names.slow_words 'could not translate host name "n0.slow.test" to address: Temporary failure in name resolution' \
    "$(sed -n 's/.*\] //p' "$PLPROXY_RUN/asked.out")"
few 1 names.slow_timeout "$(asked_for 'set statement_timeout = 800' "select count(*) from plproxy_check_cluster('slow')")"
check names.slow_timeout_words 'ERROR:  canceling statement due to statement timeout' "$(head -n 1 "$PLPROXY_RUN/asked.out")"
asked_for 'select 1' >/dev/null
server_psql proxy -Atq -c "set application_name = 'asking'" -c "select count(*) from plproxy_check_cluster('slow')" \
    >"$PLPROXY_RUN/asked.out" 2>&1 &
for _ in {1..600}; do [ "$(as_server cat "$HOME_DIR/asked" | wc -l)" = 0 ] || break; sleep 0.05; done
server_psql proxy -Atq -c "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'asking'" >/dev/null
wait $! || true
few 4 names.slow_terminate "$(as_server cat "$HOME_DIR/asked" | wc -l)"
check names.slow_terminate_words 'FATAL:  terminating connection due to administrator command' \
    "$(head -n 1 "$PLPROXY_RUN/asked.out")"
surround
