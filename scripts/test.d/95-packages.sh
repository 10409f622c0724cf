# The Debian package and the source archive: what is in them, and on a scratch root the way from Debian's package of the C
# handler to ours and back, with a server that runs from there.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
[ "$PGMAJOR" = "$PACKAGED" ] || skip "Debian 12 has packages of PostgreSQL $PACKAGED only"
log=$(mktemp /tmp/plproxy-packages.XXXXXX)
trap 'rm -f "$log"' EXIT
counted summary "$log" "$ROOT/tests/packages/run.sh"
