# Calls that join the local transaction: what a commit does, and what is left when something is lost at each of its steps.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-transactions.XXXXXX)
trap 'rm -f "$log"' EXIT
counted summary "$log" bash "$ROOT/tests/transactions/two_phase.sh"
