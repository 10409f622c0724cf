# The scenario of examples/rds-sharding at small scale: three servers, eight partitions, pgbench; its checks are counted.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-demo.XXXXXX)
trap 'rm -f "$log"' EXIT
counted summary "$log" env SCALE=small KEEP= "$ROOT/examples/rds-sharding/run.sh"
