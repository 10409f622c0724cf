# Connections that sessions share, over TLS: what every keyword means, beside connections of the session's own; results under load,
# large ones, the limit, cancelling, and partitions and keepers that end.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
source "$ROOT/tests/shared/lib.sh"

SESSIONS=45
SECONDS_OF_LOAD=8

run_begin
certificates=$PLPROXY_RUN/certificates
"$SCRIPTS/certificates.sh" "$certificates"
# The servers read their own copies, of keys that only they may read.
own=$certificates/server
mkdir "$own" "$own/crldir" "$own/empty"
for name in cn expired; do cp "$certificates/$name".{crt,key} "$own/"; done
cp "$certificates"/{client,stranger}.{crt,key} "$certificates"/{client.der,client-enc.key,client-open.key} "$own/"
cp "$certificates"/{ca,other-ca,both}.crt "$certificates"/{ca,empty,all}.crl "$own/"
cp "$certificates"/crldir/* "$own/crldir/"
cp "$own/cn.crt" "$own/server.crt"; cp "$own/cn.key" "$own/server.key"
[ "$(id -u)" != 0 ] || chown -R $NOBODY:$NOBODY "$own"

server_start parts --auth scram-sha-256 --max-connections 100 --set "lc_messages = 'C'" \
    --set 'ssl = on' --set "ssl_cert_file = '$own/server.crt'" --set "ssl_key_file = '$own/server.key'" \
    --set "ssl_ca_file = '$own/ca.crt'" \
    --hba 'hostnossl all shared 127.0.0.1/32 reject' --hba 'hostnossl all plain 127.0.0.1/32 trust' --hba 'hostssl all plain 127.0.0.1/32 reject' \
    --hba 'hostssl all cert_user 127.0.0.1/32 cert' --hba 'host all password_user 127.0.0.1/32 password' --hba 'host all trusted 127.0.0.1/32 trust'
server_start proxy --auth trust --max-connections 150 --set "shared_preload_libraries = 'plproxy'" --set "lc_messages = 'C'"
server_start notls --auth trust --set "lc_messages = 'C'"
for part in 0 1 2 3; do server_psql parts -q -c "create database part$part"; done
server_psql parts -q -c "create role shared login password 'first'" -c 'create role plain login' -c 'create role cert_user login' \
    -c "create role password_user login password 'first'" -c 'create role trusted login'
for part in 0 1 2 3; do server_psql parts -q -d "part$part" -f "$ROOT/tests/shared/partition.sql" -f "$ROOT/tests/shared/large.sql"; done
port=$(server_port parts)
server_psql proxy -q -v parts="$port" -f "$ROOT/tests/shared/setup.sql" -f "$ROOT/tests/shared/tls.sql"

UNPROTECTED="select count(*) = 0 from pg_stat_ssl s join pg_stat_activity a using (pid) where usename = 'shared' and not ssl"
# stop FUNCTION PID STATE: by pg_cancel_backend or its like, again while it has not ended: who has a connection is known a moment after
# it is taken.
stop() {
    local i
    for ((i = 0; i < 200; i++)); do
        if ! kill -0 "$2" 2>/dev/null || zombie "$2"; then break; fi
        ask -c "select $1(pid) from plproxy_shared_connections where state = '$3'" >/dev/null
        sleep 0.2
    done
    ends "$2"
}
is_held() { ask -c "select count(*) > 0 from plproxy_shared_connections where state = 'in use'"; }
nobody_has_any() { ask -c "select count(*) = 0 from plproxy_shared_connections where state <> 'idle'"; }

# ---- what every keyword means
FULL="host=good.test hostaddr=127.0.0.1 port=$port sslmode=verify-full sslrootcert=$own/ca.crt"
# to CONNSTR: both clusters lead there.
to() {
    server_psql proxy -q -c "alter server alike options (set p0 '$1')" -c "alter server alike_own options (set p0 '$1')"
}
# What a call sees: how it is protected, as whom the server knows the client; or the error, without what differs.
sees() { ask -c "select coalesce(tls, 'plain') || ' ' || coalesce(client, '-') from protection_$1()" | sed "s/protection_$1/protection/"; }
# alike "what" PATTERN CONNSTR...
alike() {
    local what=$1 pattern=$2; shift 2
    # There may be a connection by the same string from before.
    ask -c 'select plproxy_disconnect_all(true)' >/dev/null
    to "$*"
    local shared mine; shared=$(sees shared) mine=$(sees own)
    same "$what: as own connections do" "$mine" "$shared"
    check "$what: $pattern ($(head -n 2 <<<"$shared" | line | cut -c 1-200))" grep -qE "$pattern" <<<"$shared"
}
TO="host=good.test hostaddr=127.0.0.1 port=$port dbname=part0"
BOTH="$TO user=trusted"
encrypted() { ask -c "select distinct coalesce(tls, 'plain') from plproxy_shared_connections where state = 'idle'"; }
alike "sslmode=disable" '^plain -$' "$BOTH sslmode=disable"
same "so says the view" plain "$(encrypted)"
alike "disable where TLS is asked for" 'ERROR.*no encryption' "$TO user=shared password=first sslmode=disable"
alike "allow" '^plain -$' "$BOTH sslmode=allow"
alike "allow where TLS is asked for" '^TLSv1.3 -$' "$TO user=shared password=first sslmode=allow"
alike "prefer" '^TLSv1.3 -$' "$BOTH sslmode=prefer"
alike "prefer where there may be none" '^plain -$' "$TO user=plain sslmode=prefer"
alike "prefer where the server has none" '^plain -$' "host=127.0.0.1 port=$(server_port notls) dbname=postgres user=postgres"
alike "require where the server has none" 'server does not support SSL' "host=127.0.0.1 port=$(server_port notls) dbname=postgres user=postgres sslmode=require"
alike "prefer with a root certificate that does not fit" '^plain -$' "$BOTH sslmode=prefer sslrootcert=$own/other-ca.crt"
alike "require" '^TLSv1.3 -$' "$BOTH sslmode=require"
same "so says the view" TLSv1.3 "$(encrypted)"
alike "verify-ca" '^TLSv1.3 -$' "$BOTH sslmode=verify-ca sslrootcert=$own/ca.crt host=bad.test"
alike "verify-ca by two authorities" '^TLSv1.3 -$' "$BOTH sslmode=verify-ca sslrootcert=$own/both.crt"
alike "verify-ca with another authority" 'certificate verify failed: ' "$BOTH sslmode=verify-ca sslrootcert=$own/other-ca.crt"
alike "verify-ca without one" 'root certificate file ".*none.crt" does not exist' "$BOTH sslmode=verify-ca sslrootcert=$own/none.crt"
alike "a root certificate that is none" 'could not read root certificate file' "$BOTH sslmode=verify-ca sslrootcert=$own/cn.key"
alike "a root certificate that is a directory" 'not a regular file' "$BOTH sslmode=verify-ca sslrootcert=$own/empty"
alike "verify-full" '^TLSv1.3 -$' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt"
alike "verify-full with another name" 'server certificate for "good.test" does not match host name "bad.test"' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt host=bad.test"
alike "verify-full with an address only" 'host name must be specified' "hostaddr=127.0.0.1 port=$port dbname=part0 user=trusted sslmode=verify-full sslrootcert=$own/ca.crt"
alike "sslrootcert=system" 'certificate verify failed' "$BOTH sslmode=verify-full sslrootcert=system"
alike "a client certificate" '^TLSv1.3 /CN=cert_user$' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/client.key"
alike "its key as DER" '^TLSv1.3 /CN=cert_user$' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/client.der"
alike "its key with a password" '^TLSv1.3 /CN=cert_user$' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/client-enc.key sslpassword=''open sesame''"
alike "a wrong password" 'could not load private key file' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/client-enc.key sslpassword=hunter2"
alike "a key that others may read" 'has group or world access' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/client-open.key"
alike "another key" 'could not load private key file.*values mismatch' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/stranger.key"
alike "no key" 'certificate present, but not private key file' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/none.key"
alike "no client certificate" 'requires a valid client certificate' "$TO user=cert_user sslmode=require"
alike "a client certificate that the server refuses" 'SSL error: .*alert' "$TO user=cert_user sslmode=require sslcert=$own/stranger.crt sslkey=$own/stranger.key"
alike "the same in TLS 1.2" 'SSL error: .*alert' "$TO user=cert_user sslmode=require sslcert=$own/stranger.crt sslkey=$own/stranger.key ssl_max_protocol_version=TLSv1.2"
alike "sslcertmode=disable" 'requires a valid client certificate' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/client.key sslcertmode=disable"
alike "sslcertmode=require" '^TLSv1.3 /CN=cert_user$' "$TO user=cert_user sslmode=require sslcert=$own/client.crt sslkey=$own/client.key sslcertmode=require"
alike "sslcertmode=require without one" 'server accepted connection without a valid SSL certificate' "$BOTH sslmode=require sslcertmode=require"
alike "sslcrl" '^TLSv1.3 -$' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslcrl=$own/ca.crl"
alike "sslcrl with that certificate" 'certificate revoked' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslcrl=$own/all.crl"
alike "sslcrl that is none" 'could not read certificate revocation list file' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslcrl=$own/cn.key"
alike "sslcrldir" '^TLSv1.3 -$' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslcrldir=$own/crldir"
alike "an empty sslcrldir" 'unable to get certificate CRL' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslcrldir=$own/empty"
cp "$own/all.crl" "$(echo "$own"/crldir/*.r0)"
alike "sslcrldir with that certificate" 'certificate revoked' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslcrldir=$own/crldir"
mv "$own"/crldir/*.r0 "$own/crldir/01234567.r0"
alike "sslcrldir with a list of another name" 'unable to get certificate CRL' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslcrldir=$own/crldir"
alike "TLS 1.2 at most" '^TLSv1.2 -$' "$BOTH sslmode=require ssl_max_protocol_version=TLSv1.2"
alike "TLS 1.1 at most" 'SSL error' "$BOTH sslmode=require ssl_min_protocol_version=TLSv1.1 ssl_max_protocol_version=TLSv1.1"
alike "without SNI" '^TLSv1.3 -$' "$BOTH sslmode=verify-full sslrootcert=$own/ca.crt sslsni=0"
alike "channel_binding=require" '^TLSv1.3 -$' "$TO user=shared password=first sslmode=require channel_binding=require"
alike "the same in TLS 1.2" '^TLSv1.2 -$' "$TO user=shared password=first sslmode=require channel_binding=require ssl_max_protocol_version=TLSv1.2"
alike "channel_binding=require where it cannot be" 'channel binding required' "$TO user=password_user password=first sslmode=require channel_binding=require"
alike "channel_binding=disable" '^TLSv1.3 -$' "$TO user=shared password=first sslmode=require channel_binding=disable"
alike "a wrong secret" 'password authentication failed' "$TO user=shared password=hunter3 sslmode=require"
if [ "$(server_psql parts -At -c 'show server_version_num')" -ge 170000 ]; then
    alike "direct negotiation" '^TLSv1.3 -$' "$BOTH sslmode=require sslnegotiation=direct"
else
    say "    left out: direct negotiation, which a server has from PostgreSQL 17 on; what one without it says is compared"
    alike "direct negotiation where the server has none" 'ERROR' "$BOTH sslmode=require sslnegotiation=direct"
fi

# ---- load
for part in 0 1 2 3; do
    server_psql proxy -q -c "alter server parts options (set p$part '$FULL dbname=part$part channel_binding=require')"
done
server_psql proxy -q -c "alter server one options (set p0 '$FULL dbname=part0 application_name=one channel_binding=require')"
ask -c 'select plproxy_disconnect_all(true)' >/dev/null
pgbench=$(tree_bin "$PLPROXY_TREE")/pgbench
abandoned() { of_parts -c 'select sum(sessions_abandoned) from pg_stat_database'; }
before=$(abandoned) lines=$(wc -l <"$(server_dir parts)/log")
watch_limit() {
    while [ ! -e "$PLPROXY_RUN/over" ]; do of_parts -c "$MOST"; sleep 0.05; done
}
watch_limit >"$PLPROXY_RUN/most" & watcher=$!
ended=0
PGHOST=127.0.0.1 PGPORT=$(server_port proxy) "$pgbench" -n -U postgres -c $SESSIONS -j 2 -T $SECONDS_OF_LOAD \
    -f "$ROOT/tests/shared/load.sql" postgres >"$PLPROXY_RUN/load" 2>&1 || ended=1
touch "$PLPROXY_RUN/over"
ends "$watcher"
check "$SESSIONS sessions had only right results ($(sed -n 's/^number of transactions actually processed: //p' "$PLPROXY_RUN/load"))" [ "$ended" = 0 ]
[ "$ended" = 0 ] || cat "$PLPROXY_RUN/load"
check "never more than two server processes a partition ($(sort "$PLPROXY_RUN/most" | uniq -c | line))" \
    [ "$(sort -n "$PLPROXY_RUN/most" | tail -n 1)" = 2 ]
check "none is left in anybody's hands" until_seen nobody_has_any
same "all of them over TLS" t "$(of_parts -c "$UNPROTECTED")"

# ---- large values: 50 MB there, and back, as one value and as many rows
same "a large result" 't 52428800' "$(ask -c "select (md5(body) = sum)::text || ' ' || length(body) from large(1638400)" | sed 's/true/t/' | line)"
same "a large argument" t "$(ask -c "with b as materialized (select string_agg(md5(i::text), '') body from generate_series(1, 1638400) i) select sum_of(body) = md5(body) from b")"
same "many rows" t "$(ask -c "select md5(string_agg(m, '')) = (select md5(string_agg(repeat(md5(i::text), 4), '')) from generate_series(1, 400000) i) from many(400000) m")"
same "and all of that in one session, on one connection" 't t t' "$(ask -c "select md5(body) = sum from large(300000)" -c "select sum_of(repeat('x', 10000000)) = md5(repeat('x', 10000000))" -c "select count(*) = 100000 from many(100000)" | line)"
begin stopped -c 'select count(*) from many(3000000)'; stopped=$begun
check "somebody reads" until_seen is_held
stop pg_cancel_backend "$stopped" 'in use'
check "a large result that is cancelled ($(said stopped))" grep -qE 'canceling statement|^3000000$' "$PLPROXY_RUN/stopped.log"
check "is no hindrance to the next" grep -q ' shared$' <<<"$(ask -c 'select who()')"

# ---- cancelling
RUNS="select count(*) = 0 from pg_stat_activity where usename = 'shared' and query like '%sleeps%' and state = 'active'"
begin holder -c 'select sleeps(300)'; holder=$begun
check "somebody has the only connection" until_seen is_held
stop pg_cancel_backend "$holder" 'in use'
same "cancel over TLS" 'ERROR:  canceling statement due to user request' "$(said holder)"
check "leaves no statement running" until_seen of_parts -c "$RUNS"
begin holder -c 'select sleeps(300)'; holder=$begun
until_seen is_held
stop pg_terminate_backend "$holder" 'in use'
check "nor does a session that is terminated" until_seen of_parts -c "$RUNS"
check "whose connection is closed for the next" grep -q ' shared$' <<<"$(ask -c 'select who()')"
begin holder -c "set statement_timeout = '200ms'" -c 'select sleeps(300)'; holder=$begun
ends "$holder"
check "nor one whose time is over" until_seen of_parts -c "$RUNS"

# ---- how connections end
ask -c 'select count(*) from rows_of(1)' >/dev/null
ask -c 'select plproxy_disconnect_all(true)' >/dev/null
check "connections that are closed" until_seen of_parts -c "select ($MOST) = 0"
same "are not abandoned" "$before" "$(abandoned)"
same "nor does the log say so" '' "$(tail -n +$((lines + 1)) "$(server_dir parts)/log" | grep -E 'reset by peer|could not (receive|send)|SSL|EOF' || true)"

to "$BOTH sslmode=require"
ask -c "alter server alike options (add transaction_mode 'two_phase')" >/dev/null
session_open proxy -v ON_ERROR_STOP=0
session 'begin; select server_process();' >/dev/null
of_parts -c "select pg_terminate_backend($reply)" >/dev/null
until_seen of_parts -c "select count(*) = 0 from pg_stat_activity where pid = $reply"
# And until the keeper has passed on the end.
sleep 0.5
session 'select server_process();' >/dev/null
same "a transaction learns why the server has ended its connection" \
    'ERROR:  public.server_process(0): [part0] REMOTE FATAL: terminating connection due to administrator command' "$reply"
session_close
ask -c 'alter server alike options (drop transaction_mode)' >/dev/null

# ---- waits for the handshake
to "$BOTH sslmode=require connect_timeout=2"
stopped=$(keeper)
kill -STOP "$stopped"
same "connect_timeout ends the wait for a handshake" 'timeout expired' "$(sees shared | grep -o 'timeout expired')"
to "$BOTH sslmode=require"
begin waits -c 'select protection_shared()'; waits=$begun
is_connecting() { ask -c "select count(*) > 0 from plproxy_shared_connections where state = 'connecting'"; }
check "another waits without limit" until_seen is_connecting
stop pg_cancel_backend "$waits" connecting
same "a cancel ends that" 'ERROR:  canceling statement due to user request' "$(said waits)"
kill -CONT "$stopped"
same "the keeper goes on with the others" 'TLSv1.3 -' "$(sees shared)"
check "what was given up leaves no server process" until_seen of_parts -c "select count(*) = 1 from pg_stat_activity where usename = 'trusted'"

# ---- certificates that expire
first=$(ask -c 'select who()')
cp "$own/expired.crt" "$own/server.crt"; cp "$own/expired.key" "$own/server.key"
server_psql parts -qAt -c 'select pg_reload_conf()' >/dev/null
# Until a server process that is started now has it.
expired() { ask -c 'select double_of(1)' | grep -q 'certificate has expired' && echo t; }
check "a certificate that has expired is refused" until_seen expired
same "a connection from before goes on" "$first" "$(ask -c 'select who()')"
cp "$own/cn.crt" "$own/server.crt"; cp "$own/cn.key" "$own/server.key"
server_psql parts -qAt -c 'select pg_reload_conf()' >/dev/null
works() { [ "$(ask -c 'select double_of(1)')" != 2 ] || echo t; }
check "until there is another" until_seen works

# ---- partitions and keepers that end
ask -c 'select count(*) from rows_of(1)' >/dev/null
"$SCRIPTS/server.sh" stop parts fast
"$SCRIPTS/server.sh" restart parts
same "after a restart the next calls work" '4 2 4 6 8' "$(ask -c 'select count(*) from rows_of(1)' -c 'select double_of(n) from generate_series(1, 4) n' | line)"
same "and from sessions that knew the old connections" 4 "$(ask -c 'select count(*) from rows_of(1)' -c "\\! $SCRIPTS/server.sh stop parts immediate; $SCRIPTS/server.sh restart parts" -c 'select count(*) from rows_of(1)' | tail -n 1)"
begin holder -c 'select sleeps(100)'; holder=$begun
until_seen is_held
"$SCRIPTS/server.sh" kill parts
ends "$holder"
check "a call whose partition is killed fails ($(said holder))" grep -q 'ERROR' "$PLPROXY_RUN/holder.log"
"$SCRIPTS/server.sh" restart parts
check "and the next works" grep -q ' shared$' <<<"$(ask -c 'select who()')"
is_new() { local now; now=$(keeper); [ -z "$now" ] || [ "$now" = "$before" ] || echo t; }
begin holder -c 'select sleeps(10)'; holder=$begun
until_seen is_held
before=$(keeper)
kill "$before"
ends "$holder"
check "a call whose keeper is terminated fails ($(said holder))" grep -q 'ERROR' "$PLPROXY_RUN/holder.log"
check "the keeper is replaced" until_seen is_new
same "calls go on" '4 2' "$(ask -c 'select count(*) from rows_of(1)' -c 'select double_of(1)' | line)"
check "there are no more than before" until_seen of_parts -c "select ($MOST) <= 1"
begin holder -c 'select sleeps(10)'; holder=$begun
until_seen is_held
before=$(keeper)
kill -9 "$before"
ends "$holder"
check "one that is killed is replaced, too" until_seen is_new
check "with the server" until_seen ask -c "select 't'"
same "calls go on then" '4 2' "$(ask -c 'select count(*) from rows_of(1)' -c 'select double_of(1)' | line)"
check "what ran on has come to its end" until_seen of_parts -c "$RUNS"

# ---- ends
check "at rest" until_seen nobody_has_any
before=$(abandoned)
log=$(server_dir proxy)/log
start=$(date +%s%N)
server_stop proxy
took=$((($(date +%s%N) - start) / 1000000))
check "a fast shutdown does not wait for connections ($took ms)" [ "$took" -lt 5000 ]
check "which end with it" until_seen of_parts -c "select count(*) = 0 from pg_stat_activity where usename = 'shared'"
same "and are not abandoned" "$before" "$(abandoned)"
same "nothing panicked" 0 "$(grep -cE 'PANIC|panicked' "$log" || true)"
same "no secret is in any log" '' "$(grep -lE 'hunter[23]|open sesame|PRIVATE KEY' "$(server_dir proxy)/log" "$(server_dir parts)/log" || true)"

tally "$passed" "$failed"
[ "$failed" = 0 ]
