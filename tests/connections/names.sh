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
