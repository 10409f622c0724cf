#!/usr/bin/env bash
# The C handler and ours side by side: sets both up, measures, prints a table. README.md tells the method.
#
#   bench/run.sh          all workloads; writes bench/results.json
#   ONLY='W2 W5'          only these; with GROW of clients, partitions, partitions-rows, rows, split
#   GROW=1                instead: cost as the work grows; writes bench/growth.json and bench/plots/*.svg
#   QUICK=1               one short round each, growth too: shows that it runs, not how fast anything is
#   RESULTS=directory     where the files go (default: bench; with ONLY or QUICK, none are written)
#   PLPROXY_TREE=path     a PostgreSQL tree with our handler (default: built and installed now)

source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

modes=(run) users=320000 rows=125000
# Ten million rows in all.
if [ -n "${GROW:-}" ]; then modes=(grow) rows=1250000; fi
if [ -n "${QUICK:-}" ]; then users=3200 rows=2000; fi
if [ -n "${QUICK:-}" ] && [ -z "${GROW:-}${ONLY:-}" ]; then modes=(run grow); fi
if [ -z "${QUICK:-}${ONLY:-}" ]; then RESULTS=${RESULTS:-$BENCH}; fi
if [ -n "${RESULTS:-}" ]; then mkdir -p "$RESULTS"; RESULTS=$(realpath "$RESULTS"); fi

use_rust
(cd "$ROOT" && cargo build --locked --quiet -p plproxy-bench) || die "the measuring program did not build"
BENCH_COMMIT=$(git -C "$ROOT" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
export BENCH_COMMIT
start=$SECONDS
say "setting up: two proxies, two partition servers, $PARTITIONS databases"
bench_servers "$users" "$rows"
say "done ($((SECONDS - start)) s)"

options=(--users "$users" --rows "$rows" --pgbench "$(tree_bin "$(server_tree c)")/pgbench")
[ -z "${QUICK:-}" ] || options+=(--quick)
[ -z "${RESULTS:-}" ] || options+=(--results "$RESULTS")
for word in ${ONLY:-}; do options+=(--only "$word"); done
for mode in "${modes[@]}"; do
    "${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-bench" "$mode" "${options[@]}"
done
say "$((SECONDS - start)) s in all"
