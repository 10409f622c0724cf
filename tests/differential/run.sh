#!/usr/bin/env bash
# Runs the same SQL through the C handler (Debian's PL/Proxy) and through ours, and compares what they say.
#
#   tests/differential/run.sh [word ...]     only the scripts of corpus/ whose names contain one of the words
#
#   SEED=n COUNT=n    of the random cases; COUNT=0: none, and without words 2000
#   KEEP=directory    where scripts and outputs are kept
#
# Needs PLPROXY_TREE, a PostgreSQL tree with our handler (scripts/ready.sh makes one). Two proxy servers, one for each
# handler, and for each a partition server, so that what one does cannot be seen by the other. The allowed differences
# stand in the file `allowed`; any other fails the run.

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
HERE=$ROOT/tests/differential
TOOL=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-differential
SEED=${SEED:-15}
# A statement that hangs must not hang the run.
LIMIT=300

run_begin
use_rust
(cd "$ROOT" && cargo build --locked --quiet -p plproxy-differential) || die "the comparing program did not build"
OUT=$PLPROXY_RUN/out
mkdir "$OUT"

# start c|ours tree: the two servers of a handler.
start() {
    local settings=(--auth trust --set "lc_messages = 'C'" --set "timezone = 'UTC'" --set 'shared_buffers = 32MB'
        --set 'autovacuum = off' --set "log_min_messages = fatal")
    server_start "$1_parts" --tree "$2" "${settings[@]}" --max-connections 250 \
        --hba 'host all d_secret,d_strong 127.0.0.1/32 scram-sha-256'
    # In a shell of its own, for corpus/25-limits.sql, which wants more file descriptors than ours takes of so few.
    (ulimit -n 250 && server_start "$1" --tree "$2" "${settings[@]}")
    server_psql "$1_parts" -q -f "$HERE/setup/partition.sql" >/dev/null
    server_psql "$1" -q -v port="$(server_port "$1_parts")" -f "$HERE/setup/proxy.sql" >/dev/null
}

# answer c|ours name: runs a marked script. Which temporary schema a session gets depends on who else has not quite left yet.
answer() {
    local port own psql
    port=$(server_port "$1_parts"); own=$(server_port "$1"); psql=$(tree_bin "$(server_tree "$1")")/psql
    {
        server_psql "$1" -q -c 'create database corpus template template_corpus'
        PGHOST=127.0.0.1 PGPORT=$(server_port "$1") PGUSER=postgres PGDATABASE=corpus timeout "$LIMIT" "$psql" -X -q -A \
            -v VERBOSITY=verbose -v SHOW_CONTEXT=always -v port="$port" <"$OUT/$2.marked" || echo "psql ended with $?"
        # After a crash the server needs a moment.
        until server_psql "$1" -q -c 'drop database if exists corpus with (force)' >/dev/null 2>&1; do sleep 0.2; done
    } 2>&1 | LC_ALL=C sed -E "s/(port[ =]+['\"\\\\]*|:)$port\\b/\\1PORT/g; s/(port[ =]+['\"]*)$own\\b/\\1OWN/g; s/\\bpg_temp_[0-9]+/pg_temp_N/g" >"$OUT/$2.$1"
}

wanted() {
    local word
    [ $# -gt 1 ] || return 0
    for word in "${@:2}"; do case $1 in *"$word"*) return 0 ;; esac; done
    return 1
}

for script in "$HERE"/corpus/*.sql; do
    if wanted "$(basename "$script")" "$@"; then cp "$script" "$OUT/"; fi
done
if [ $# = 0 ]; then COUNT=${COUNT:-2000}; else COUNT=${COUNT:-0}; fi
if [ "$COUNT" != 0 ]; then "$TOOL" generate "$SEED" "$COUNT" "$OUT"; fi
for script in "$OUT"/*.sql; do "$TOOL" mark "$script" >"${script%.sql}.marked"; done

start c "$("$SCRIPTS/tree.sh" c)"
start ours "$PLPROXY_TREE"

# Each handler in its own time; both at once.
all() {
    local script
    for script in "$OUT"/*.sql; do answer "$1" "$(basename "$script" .sql)"; done
}
all c & first=$!
all ours & second=$!
wait $first $second

if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP"; cp "$OUT"/* "$KEEP/"; fi
whole=()
if [ $# = 0 ] && [ "$COUNT" != 0 ]; then whole=(--whole "$ROOT/README.md" 500 150); fi
say "seed of the random cases: $SEED, $COUNT cases"
counted summary "$PLPROXY_RUN/compare.log" "$TOOL" compare "$OUT" "$HERE/allowed" "${whole[@]}"
