# The same SQL through the C handler and through ours: every answer compared. Needs Debian's PL/Proxy, from the machine
# or from its apt sources.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
exec "$ROOT/tests/differential/run.sh"
