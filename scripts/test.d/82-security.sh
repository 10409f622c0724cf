# Names that try to break out of statements, who may use what and as whom, and where passwords show.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
exec "$ROOT/tests/security/run.sh"
