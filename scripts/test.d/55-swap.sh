# A database of the C handler goes on under ours, and back: the library swapped, dumped and restored, pg_upgrade.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
[ "$PGMAJOR" = "$PACKAGED" ] || skip "Debian 12 has the C handler for PostgreSQL $PACKAGED only"
exec "$ROOT/tests/differential/swap.sh"
