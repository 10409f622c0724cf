# A bank on partitions, with calls that join the local transaction: the sum stays the same whatever is lost.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-ledger.XXXXXX)
trap 'rm -f "$log"' EXIT
counted summary "$log" bash "$ROOT/tests/ledger/run.sh"
