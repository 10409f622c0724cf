# The servers of a measurement, for run.sh and profile.sh. Sourced.

source "$(dirname "${BASH_SOURCE[0]}")/../scripts/pooler.sh"

BENCH=$ROOT/bench
PARTITIONS=32
# What both proxies and both partition servers have, besides what scripts/server.sh sets for all (fsync and full_page_writes
# off, for instance).
SETTINGS=(--set 'shared_buffers = 512MB' --set 'autovacuum = off' --set 'checkpoint_timeout = 1h'
    --set 'max_wal_size = 16GB' --set 'work_mem = 4MB' --set 'jit = off' --set 'log_min_messages = fatal')

# A call to 1,024 partitions has as many sockets.
ulimit -n "$(ulimit -Hn)"

# bench_servers USERS ROWS: `c` and `ours`, two proxies that differ in the handler only; `shared`, a third one with ours, whose
# sessions share two connections to each partition; and `part_a` and `part_b`, which hold the 32 partitions of all. Before these
# are `pool_a` and `pool_b`, PgBouncers that have two connections to each as well, for the C handler. ROWS are the wide rows of
# each of the first eight partitions.
bench_servers() {
    local users=$1 rows=$2 ours c n
    # Either may have to be built or fetched.
    ours=${PLPROXY_TREE:-$("$SCRIPTS/ready.sh")}
    c=$("$SCRIPTS/tree.sh" c)
    run_begin
    SECRET_PASSWORD=$(new_password); export SECRET_PASSWORD
    for n in part_a part_b; do
        server_start "$n" --tree "$c" --max-connections 2400 "${SETTINGS[@]}" \
            --hba 'host all shard 127.0.0.1/32 trust' --set 'max_prepared_transactions = 100'
    done
    load_node part_a 0 15 "$users" "$rows" & local first=$!
    load_node part_b 16 31 "$users" 0 & local second=$!
    wait "$first"; wait "$second"
    server_start c --tree "$c" "${SETTINGS[@]}"
    server_start ours --tree "$ours" "${SETTINGS[@]}"
    for n in c ours; do
        server_psql "$n" -q -v ports="{$(server_port part_a),$(server_port part_b)}" -f "$BENCH/setup/proxy.sql" \
            >"$PLPROXY_RUN/setup.log"
    done
    server_psql ours -q -v ports="{$(server_port part_a),$(server_port part_b)}" -f "$BENCH/setup/transactions.sql" \
        >>"$PLPROXY_RUN/setup.log"
    for n in a b; do
        pooler_start "pool_$n" "part_$n" --program debian --users <(printf '"shard" ""\n') --set 'auth_type = trust' \
            --set 'pool_mode = transaction' --set 'default_pool_size = 2' --set 'max_client_conn = 4000' \
            --set 'server_idle_timeout = 1'
    done
    server_psql c -q -v ports="{$(pooler_port pool_a),$(pooler_port pool_b)}" -f "$BENCH/setup/pooled.sql" >>"$PLPROXY_RUN/setup.log"
    server_start shared --tree "$ours" "${SETTINGS[@]}" --set "shared_preload_libraries = 'plproxy'"
    server_psql shared -q -v ports="{$(server_port part_a),$(server_port part_b)}" -f "$BENCH/setup/proxy.sql" \
        -f "$BENCH/setup/shared.sql" >>"$PLPROXY_RUN/setup.log"
}

# load_node NAME FIRST LAST USERS ROWS
load_node() {
    local n
    server_psql "$1" -q -v databases="{$(seq -s , "$2" "$3")}" -f "$BENCH/setup/node.sql"
    for ((n = $2; n <= $3; n++)); do
        # The first eight are the cluster of eight too, where partition k has every eighth user.
        printf '\\c db%s\n' "$n"
        if [ "$n" -lt 8 ]; then printf 'select load(%s, 8, %s, %s);\n' "$n" "$4" "$5"
        else printf 'select load(%s, %s, %s, 0);\n' "$n" "$PARTITIONS" "$4"; fi
        printf 'vacuum analyze;\n'
    done | server_psql "$1" -q -o /dev/null
}
