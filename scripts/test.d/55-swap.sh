# A database of the C handler goes on under ours, and back: the library swapped, dumped and restored, pg_upgrade.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
exec "$ROOT/tests/differential/swap.sh"
