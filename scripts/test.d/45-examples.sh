# The other scenarios of examples/, at small scale; the checks of each are counted.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-examples.XXXXXX)
trap 'rm -f "$log"' EXIT
cd "$ROOT"
result=0
counted cargo "$log" cargo test --locked -p plproxy-model-server || result=1
for example in move-partition add-partitions failover read-replicas pgbouncer transfer joins inference-scale-out; do
    say "$example"
    started=$SECONDS
    if ! counted summary "$log" env SCALE=small KEEP= "$ROOT/examples/$example/run.sh"; then
        # One that stopped halfway has counted nothing.
        grep -qE '^[0-9]+ passed, [0-9]+ failed$' "$log" || tally 0 1
        result=1
    fi
    say "$example: $((SECONDS - started)) s"
done
exit $result
