# Streaming standbys of throwaway servers: made, made synchronous, and rejoined after a failover. Sourced.

source "$(dirname "${BASH_SOURCE[0]}")/server.sh"

# What a server needs that will have standbys, or that pg_rewind is to work on.
REPLICATED=(--set 'wal_level = replica' --set 'full_page_writes = on' --set 'wal_log_hints = on' --set 'max_wal_senders = 5'
    --set 'wal_keep_size = 256MB' --set 'wal_receiver_timeout = 5s' --set 'wal_retrieve_retry_interval = 200ms')

# until_true seconds command...: waits for it to succeed.
until_true() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.02
    done
}
said() { [ "$("${@:2}" 2>/dev/null)" = "$1" ]; }

# standby_start NAME PRIMARY [options of server_start]
standby_start() {
    # shellcheck disable=SC2016 # expanded where the data directory is made
    server_start "$1" "${@:3}" \
        --from 'pg_basebackup -h 127.0.0.1 -U postgres -p '"$(server_port "$2")"' -D "$PGDATA_NEW" -R -X stream -c fast'
}

# standbys_stream PRIMARY COUNT: waits until so many standbys follow.
standbys_stream() {
    until_true 60 said "$2" server_psql "$1" -Atqc "select count(*) from pg_stat_replication where state = 'streaming'"
}

# make_synchronous PRIMARY: from now on it acknowledges what its standby has, too.
make_synchronous() {
    standbys_stream "$1" 1
    server_psql "$1" -Atq -c "alter system set synchronous_standby_names = '*'" -c 'select from pg_reload_conf()' >/dev/null
    until_true 60 said sync server_psql "$1" -Atqc 'select sync_state from pg_stat_replication'
}

# rejoin OLD NEW: the old primary, which is down, becomes the new one's standby.
rejoin() {
    local data; data=$(server_dir "$1")/data
    as_server cp "$data/postgresql.conf" "$(server_dir "$1")/kept.conf"
    rm -f "$data/postmaster.pid"
    # pg_rewind reads the timeline from the control file, which has it from the first checkpoint after a promotion.
    server_psql "$2" -q -c checkpoint
    as_server env "PGPASSWORD=$(cat "$PLPROXY_RUN/password")" \
        "$(tree_bin "$(server_tree "$1")")/pg_rewind" --target-pgdata "$data" --write-recovery-conf --no-sync \
        --source-server "host=127.0.0.1 port=$(server_port "$2") user=postgres dbname=postgres" \
        >"$PLPROXY_RUN/rewind.$1" 2>&1 || return
    # The rewind brought the other server's settings along.
    as_server cp "$(server_dir "$1")/kept.conf" "$data/postgresql.conf"
    as_server sed -i /synchronous_standby_names/d "$data/postgresql.auto.conf"
    server_launch "$1" same
}
