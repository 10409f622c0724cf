# Servers that are killed, stopped, lost and broken, and callers that are cancelled: what the extension makes of it.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-faults
export PLPROXY_FAULTS=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-faults
exec "$ROOT/tests/faults/run.sh"
