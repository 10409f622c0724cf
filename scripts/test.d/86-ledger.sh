# A bank on partitions, with calls that join the local transaction: the sum stays the same whatever is lost.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-ledger.XXXXXX)
trap 'rm -f "$log"' EXIT
result=0
counted summary "$log" bash "$ROOT/tests/ledger/run.sh" || result=1
# The same on connections that the sessions share.
ROUNDS=2 SHARED_CONNECTIONS=3 counted summary "$log" bash "$ROOT/tests/ledger/run.sh" || result=1
exit $result
