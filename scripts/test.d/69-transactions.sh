# Calls that join the local transaction: what a commit does, and what is left when something is lost at each of its steps.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-transactions.XXXXXX)
trap 'rm -f "$log"' EXIT
result=0
for scenario in two_phase recovery counts; do
    counted summary "$log" bash "$ROOT/tests/transactions/$scenario.sh" || result=1
done
# The same on connections that sessions share, of which a lost session had one to each partition in its hands.
SHARED_CONNECTIONS=1 STAGES='statement joined prepared commit' \
    counted summary "$log" bash "$ROOT/tests/transactions/two_phase.sh" || result=1
# What SQL can see of calls of all kinds.
shared_regress() {
    local regress
    regress=$(dirname "$("$(tree_bin "$PLPROXY_TREE")/pg_config" --pgxs)")/../test/regress/pg_regress
    server_start regress --auth trust --set "lc_messages = 'C'" --set "shared_preload_libraries = 'plproxy'"
    server_psql regress -q -c "create database regression template template0 encoding 'UTF8' locale 'C'"
    family() {
        counted regress "$PLPROXY_RUN/regress.log" "$regress" --use-existing --dbname=regression --inputdir="$ROOT/regress" \
            --outputdir="$PLPROXY_RUN" --bindir="$(tree_bin "$PLPROXY_TREE")" --host=127.0.0.1 --port="$(server_port regress)" \
            --user=postgres "$1" || { cat "$PLPROXY_RUN/regression.diffs"; return 1; }
    }
    family init
    server_psql regress -q -d regression -c "alter foreign data wrapper plproxy options (add shared_connections '2')"
    family two_phase_calls
}
in_run shared_regress || result=1
cd "$ROOT"
cargo build --quiet --locked -p plproxy-admin
in_run counted_summary "${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-admin" joined || result=1
exit $result
