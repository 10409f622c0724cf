# Calls that join the local transaction: what a commit does, and what is left when something is lost at each of its steps.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-transactions.XXXXXX)
trap 'rm -f "$log"' EXIT
result=0
for scenario in two_phase recovery counts; do
    counted summary "$log" bash "$ROOT/tests/transactions/$scenario.sh" || result=1
done
exit $result
