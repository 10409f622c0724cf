# Short runs of the soak test, with connections of the sessions' own and with shared ones; `make soak` makes long ones.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-soak
export PLPROXY_SOAK=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-soak SECONDS_LONG=${SECONDS_LONG:-20}
result=0
for SHARED_CONNECTIONS in 0 3; do
    export SHARED_CONNECTIONS
    "$ROOT/tests/soak/run.sh" || result=1
done
exit $result
