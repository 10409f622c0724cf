# Statistics of all sessions, kept over a restart; the log of slow calls; what pg_stat_activity shows of waiting calls.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
cargo build --quiet --locked -p plproxy-statistics
in_run counted_summary "${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-statistics"
