# The same SQL through the C handler and through ours: every answer compared. Needs Debian's PL/Proxy, from the machine
# or from its apt sources.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
[ "$PGMAJOR" = "$PACKAGED" ] || skip "Debian 12 has the C handler for PostgreSQL $PACKAGED only"
cd "$ROOT"
log=$(mktemp /tmp/plproxy-differential.XXXXXX)
trap 'rm -f "$log"' EXIT
counted cargo "$log" cargo test --locked -p plproxy-differential
"$ROOT/tests/differential/run.sh"
