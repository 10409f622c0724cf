# What the documents say is so: the SQL and the commands in them are run, and their outputs are those that are shown; the
# tables of options, settings and variables name what the code knows.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
log=$(mktemp /tmp/plproxy-documents.XXXXXX)
trap 'rm -f "$log"' EXIT
counted summary "$log" "$ROOT/tests/documents/run.sh"
