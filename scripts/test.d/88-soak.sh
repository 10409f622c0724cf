# A short run of the soak test; `make soak` makes a long one.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-soak
export PLPROXY_SOAK=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-soak SECONDS_LONG=${SECONDS_LONG:-20}
exec "$ROOT/tests/soak/run.sh"
