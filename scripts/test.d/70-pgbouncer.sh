# PgBouncer in front of a partition, Debian 12's and a newer one: no wrong result, no error.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-pgbouncer
in_run counted_summary "${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-pgbouncer"
