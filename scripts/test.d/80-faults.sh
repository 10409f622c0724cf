# Servers that are killed, stopped, lost and broken, and callers that are cancelled: what the extension makes of it.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-faults
export PLPROXY_FAULTS=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-faults
# A server that checks itself is slow: not for families whose limits of time are those of an ordinary one.
if [ -n "${PLPROXY_CHECKED:-}" ]; then
    export PLPROXY_FAULT_CALLS=${PLPROXY_FAULT_CALLS:-20000}
    set -- killed broken transactions leaks
fi
exec "$ROOT/tests/faults/run.sh" "$@"
