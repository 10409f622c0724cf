# Sessions short of memory: everything that can be asked, with something large in it. PLPROXY_ROOM=all tries much more.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-faults
export PLPROXY_FAULTS=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-faults
exec "$ROOT/tests/faults/run.sh" room
