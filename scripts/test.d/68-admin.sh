# The administration functions against several servers: partitions that are down, silent or wrong, SQL on all of them, and
# what is committed on all or none, with sessions and servers lost at every step; and pauses.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-admin
rc=0
for scenario in partitions two_phase copies concurrent pause; do
    in_run counted_summary "${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-admin" "$scenario" || rc=1
done
exit $rc
