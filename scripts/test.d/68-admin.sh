# The administration functions against several servers: partitions that are down, silent or wrong, SQL on all of them, and
# what is committed on all or none, with sessions and servers lost at every step.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-admin.XXXXXX)
trap 'rm -f "$log"' EXIT
rc=0
for scenario in partitions two_phase copies concurrent; do
    counted summary "$log" bash "$ROOT/tests/admin/$scenario.sh" || rc=1
done
exit $rc
