# The measurement of both handlers runs and gives a figure for everything that it should; how good they are is not asked.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
[ "$PGMAJOR" = "$PACKAGED" ] || skip "Debian 12 has the C handler for PostgreSQL $PACKAGED only"
cd "$ROOT"
run_begin
counted cargo "$PLPROXY_RUN/cargo.log" cargo test --locked -p plproxy-bench
results=$PLPROXY_RUN/results
check "it runs" env QUICK=1 ONLY= RESULTS="$results" "$ROOT/bench/run.sh"

server_start reader
# ask FILE QUERY: about the JSON in the file, which is `j` in the query.
ask() {
    server_psql reader -Atq -v json="$(cat "$1")" <<<"select q from (select :'json'::jsonb j) x, lateral ($2) y (q)" || true
}
# Every workload is there, and every one of its rows has figures.
all='W1 W10 W11 W12 W13 W14 W2 W3 W4 W5 W6a W6b W7 W8 W9 idle'
check "every workload has its row" [ "$(ask "$results/results.json" "select string_agg(distinct w->>'workload', ' ' order by
    w->>'workload') from jsonb_array_elements(j->'workloads') w")" = "$all" ]
# What has no target explains another row, and may be too little to be seen in so short a time.
check "every row has its figures" [ "$(ask "$results/results.json" "select bool_and((w->>'c')::float > least and
    (w->>'ours')::float > least and jsonb_typeof(w->'met') = case least when 0 then 'boolean' else 'null' end)
    from jsonb_array_elements(j->'workloads') w, lateral (select case w->>'target' when '' then -1 else 0 end) l (least)")" = t ]
check "machine, versions and commit are named" [ "$(ask "$results/results.json" "select bool_and(coalesce(j->>k, '') <> '')
    from unnest('{kernel,postgresql,plproxy_c,plproxy_ours,commit}'::text[]) k")" = t ]
check "every growth has its figures" [ "$(ask "$results/growth.json" "select count(*) = 7 and bool_and(
    jsonb_array_length(s->'ours') >= 2 and (s->>'exponent_ours')::float is not null)
    from jsonb_array_elements(j->'series') s")" = t ]
check "every growth has its plot" [ "$(grep -l '<polyline class="line l1"' "$results"/plots/*.svg | wc -l)" = 7 ]
tally "$passed" "$failed"
[ "$failed" = 0 ]
