# The documents as a site: `make docs` makes it, and no link in it is dead. mdBook, which it is made with, is built on the first
# use: that takes a minute.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
"$SCRIPTS/tree.sh" mdbook >/dev/null || skip "mdBook cannot be had here"
log=$(mktemp /tmp/plproxy-site.XXXXXX)
trap 'rm -f "$log"' EXIT
counted summary "$log" "$ROOT/tests/documents/site.sh"
