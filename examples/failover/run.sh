#!/usr/bin/env bash
# A partition's primary is lost while clients write: its standby is promoted, the proxy finds it by itself, and the old primary
# is rewound and rejoins. Then both change roles once more, as planned. The README tells the story. Prints what it does and
# what came of it, checks the data, and exits non-zero when a check fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) RATE=300 SOME=1500 ;;
    small) RATE=150 SOME=200 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac

# SHARED_CONNECTIONS=2: the sessions of the proxy share so many connections.
SHARED_CONNECTIONS=${SHARED_CONNECTIONS:-0} PRELOADED=()
[ "$SHARED_CONNECTIONS" = 0 ] || PRELOADED=(--set "shared_preload_libraries = 'plproxy'")

step "A proxy, a partition's primary, and its standby, which has everything that was acknowledged"
begin
servers proxy one -- "${REPLICATED[@]}" "${PRELOADED[@]}"
server_psql one -q -f - -f "$ROOT/examples/shop-partition.sql" <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
SQL
standby_start two one "${REPLICATED[@]}"
app_password_of two
printf '    %-9s 127.0.0.1:%s (pg_basebackup --write-recovery-conf)\n' two "$(server_port two)"
until_so 120 "a standby that streams" standbys_stream one 1
sql one <<'SQL'
alter system set synchronous_standby_names = '*';
select pg_reload_conf();
SQL
until_so 120 "a synchronous standby" make_synchronous one
sql one <<'SQL'
select state, sync_state from pg_stat_replication;
SQL
step_end

step "A cluster whose partition has both hosts in its connection string, and clients that write to it"
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
alter database postgres set plproxy.standard_sqlstates = on;
create server shop foreign data wrapper plproxy options (connect_timeout '2', query_timeout '5', shared_connections '$SHARED_CONNECTIONS',
    p0 'host=127.0.0.1,127.0.0.1 port=$(server_port one),$(server_port two) dbname=postgres target_session_attrs=read-write');
create role app login password :'password';
create user mapping for public server shop options (user 'app', password :'password');
grant usage on foreign server shop to app;
SQL
server_psql proxy -q -f "$ROOT/examples/shop-proxy.sql" -f "$ROOT/examples/clients.sql"
options() { ask proxy "select md5(srvoptions::text) from pg_foreign_server where srvname = 'shop'"; }
configured=$(options)
clients_start $RATE
clients_write "$SOME" "answered_by = 'one:postgres'"
sql proxy <<'SQL'
select answered_by, count(*) > 0 as writes from told group by 1;
SQL
step_end

step "The primary is lost"
tell "kill -9 (the postmaster of one)"
server_kill one
refused() { [ "$(ask proxy "select count(*) from told where code <> '00000' and began > '$1'")" -gt 0 ]; }
lost_at=$(ask proxy 'select clock_timestamp()')
until_so 120 "an error of the clients" refused "$lost_at"
sql proxy -v ON_ERROR_STOP=0 <<SQL
select partition, ok, error from plproxy_check_cluster('shop');
SQL
tell "pg_ctl promote (of two)"
promoted_at=$(ask proxy 'select clock_timestamp()')
server_promote two
clients_write "$SOME" "answered_by = 'two:postgres'"
again_after=$(ask proxy "select (extract(epoch from min(ended) - '$promoted_at') * 1000)::int from told
    where answered_by = 'two:postgres'")
tell "the first write was acknowledged $again_after ms after the command to promote"
same "nobody changed the cluster's options" "$configured" "$(options)"
step_end

step "The old primary comes back as the new one's standby"
tell "pg_rewind --target-pgdata=.../one --source-server='host=... port=$(server_port two)' --write-recovery-conf"
rejoin one two || { indent <"$PLPROXY_RUN/rewind.one"; die "the old primary did not rejoin"; }
grep '^pg_rewind:' "$PLPROXY_RUN/rewind.one" | sed "s#$PLPROXY_TREE#...#" | indent
until_so 120 "a synchronous standby" make_synchronous two
sql two <<'SQL'
select state, sync_state from pg_stat_replication;
SQL
check_that "the old primary is in recovery" said t ask one 'select pg_is_in_recovery()'
step_end

step "And back, as planned: the primary is shut down, which waits until its standby has everything; then promoted"
tell "pg_ctl stop -m fast (of two); pg_ctl promote (of one)"
began=$(ask proxy 'select clock_timestamp()')
server_stop two fast
server_promote one
clients_write "$SOME" "answered_by = 'one:postgres'"
gap=$(ask proxy "select (extract(epoch from min(ended) - '$began') * 1000)::int from told
    where answered_by = 'one:postgres' and began > '$began'")
tell "the first write after the shutdown began was acknowledged $gap ms later"
tell "no pg_rewind is needed: two has nothing that one has not; standby.signal and a start are enough"
as_server touch "$(server_dir two)/data/standby.signal"
printf "primary_conninfo = 'host=127.0.0.1 port=%s user=postgres password=%s'\nsynchronous_standby_names = ''\n" \
    "$(server_port one)" "$(cat "$PLPROXY_RUN/password")" | as_server tee -a "$(server_dir two)/data/postgresql.auto.conf" >/dev/null
server_launch two same
until_so 120 "a synchronous standby" make_synchronous one
clients_write 50
sql proxy <<'SQL'
select partition, port, ok, in_recovery from plproxy_check_cluster('shop');
SQL
step_end

step "What the clients were told, and what is there"
clients_stop
sql proxy <<'SQL'
select answered_by, code, count(*), max(ended - began) as longest, min(message) as message
    from told group by 1, 2 order by 1, 2;
SQL
check "every acknowledged write is there" "select count(*) > 0 and bool_and(there.name is not null) from
    told left join (select name from all_users()) there using (name) where code = '00000'"
check "nothing is there that nobody wrote, and nothing twice" "select count(*) = count(distinct there.name)
    and bool_and(told.name is not null) from all_users() there left join told using (name)"
check "clients that failed were told of the connection or the server" "select count(*) > 0 and bool_and(
    code in ('08001', '08006', '57P01', '57P02', '57P03', '25006', '57014')) from told where code <> '00000'"
same "the standby has the same rows" "$(ask one 'select n, checksum from sum_users()')" "$(
    lsn=$(ask one 'select pg_current_wal_lsn()')
    replayed() { [ "$(ask two "select pg_last_wal_replay_lsn() >= '$lsn'")" = t ]; }
    until_so 120 "the standby's replay" replayed
    ask two 'select n, checksum from sum_users()')"
step_end

finish proxy:postgres one:postgres two:postgres
