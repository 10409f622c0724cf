# PgBouncer in front of a partition, Debian 12's and a newer one: no wrong result, no error.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-pgbouncer.XXXXXX)
trap 'rm -f "$log"' EXIT
counted summary "$log" "$ROOT/tests/pgbouncer/run.sh"
