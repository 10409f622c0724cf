# Connection strings and what stands behind them, against real servers and beside libpq.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
exec "$ROOT/tests/connections/run.sh"
