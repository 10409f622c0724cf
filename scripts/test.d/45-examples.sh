# The other scenarios of examples/, at small scale; the checks of each are counted.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-examples.XXXXXX)
trap 'rm -f "$log"' EXIT
cd "$ROOT"
result=0
counted cargo "$log" cargo test --locked -p plproxy-model-server || result=1
# Each with what it has in its environment.
for run in move-partition 'move-partition PROXIES=2' add-partitions 'add-partitions PROXIES=2' 'split-by-replica PROXIES=2' \
    failover 'failover SHARED_CONNECTIONS=2' read-replicas pgbouncer transfer joins monitoring inference-scale-out; do
    read -ra run <<<"$run"
    example=${run[0]}
    say "${run[*]}"
    started=$SECONDS
    if ! counted summary "$log" env SCALE=small KEEP= PROXIES= "${run[@]:1}" "$ROOT/examples/$example/run.sh"; then
        # One that stopped halfway has counted nothing.
        grep -qE '^[0-9]+ passed, [0-9]+ failed$' "$log" || tally 0 1
        result=1
    fi
    say "$example: $((SECONDS - started)) s"
done
exit $result
