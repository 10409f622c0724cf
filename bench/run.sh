#!/usr/bin/env bash
# The C handler and ours side by side: sets both up, measures, prints a table. README.md tells the method.
#
#   bench/run.sh          all workloads; writes bench/results.json
#   ONLY='W2 W5'          only these
#   QUICK=1               one short round each: shows that it runs, not how fast anything is
#   GROW=1                instead: cost as the work grows; writes bench/growth.json and bench/plots/*.svg
#   RESULTS=path          where the figures go; for GROW a directory. With ONLY or QUICK nothing is written otherwise
#   PLPROXY_TREE=path     a PostgreSQL tree with our handler (default: built and installed now)

source "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

if [ -n "${QUICK:-}" ]; then users=3200 rows=2000; else users=320000 rows=125000; fi
mode=run
if [ -n "${GROW:-}" ]; then
    mode=grow
    [ -n "${QUICK:-}" ] || rows=1250000
fi
if [ -z "${RESULTS:-}" ] && [ -z "${QUICK:-}" ] && [ -z "${ONLY:-}" ]; then
    if [ "$mode" = run ]; then RESULTS=$BENCH/results.json; else RESULTS=$BENCH; fi
fi
[ -z "${RESULTS:-}" ] || RESULTS=$(realpath -m "$RESULTS")

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
"${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-bench" "$mode" "${options[@]}"
say "$((SECONDS - start)) s in all"
