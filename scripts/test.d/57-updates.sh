# The extension made anew in schemas of all kinds of names, updated from 3.0.0, and from functions that were made by hand.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
exec "$ROOT/tests/differential/updates.sh"
