#!/usr/bin/env bash
# A cluster that is watched by Prometheus: the statistics come by Debian's exporter, and each alert is fired by a fault. The README
# tells the story. Prints what it does and what came of it, checks it, and exits non-zero when a check fails.
#
#   SCREENSHOT=FILE.png   at the end Prometheus' own graph of what has happened, by a headless Chromium

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
source "$SCRIPTS/prometheus.sh"
HERE=$ROOT/examples/monitoring

case ${SCALE:-full} in
    # The rules as they are, for which a fault has to last.
    full) INTERVAL=5s RANGE=5m SHORTER=(-e '') ;;
    # The same rules, which wait for nothing and look at the last seconds. An exporter takes a second to say that its server is
    # down, and what takes longer than the interval is no answer.
    small) INTERVAL=2s RANGE=1m SHORTER=(-e 's/for: .*/for: 0s/' -e 's/\[[0-9]*m\]/[15s]/'
        -e 's/\(oldest_seconds >\) 60/\1 '"${PREPARED_SECONDS:-2}/" -e 's/\(age_seconds) >\) 30/\1 2/') ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
LIMIT=300 CONNECTIONS=4

if ! PROMETHEUS=$("$SCRIPTS/tree.sh" prometheus); then
    say "left out: Debian's prometheus and prometheus-postgres-exporter cannot be had here"
    exit 0
fi
promtool() { "$PROMETHEUS/usr/bin/promtool" "$@"; }

step "The rules by themselves: each fires when it should and not before"
said=$(promtool test rules "$HERE/rules.test.yml" 2>&1) && rc=0 || rc=$?
indent <<<"$said"
outcome $rc "promtool test rules"
step_end

step "A proxy whose sessions share connections, and two partitions"
begin
MONITOR_PASSWORD=$(new_password)
export MONITOR_PASSWORD
servers proxy one two -- --set "shared_preload_libraries = 'plproxy'" --set 'max_prepared_transactions = 20'
for server in one two; do
    server_psql $server -q -f - -f "$ROOT/examples/shop-partition.sql" -f "$HERE/partition.sql" <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
SQL
done
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server shop foreign data wrapper plproxy options (connect_timeout '5', shared_connections '$CONNECTIONS',
$(lines "p0 '$(at one postgres)'" "p1 '$(at two postgres)'"));
create role app login password :'password';
create user mapping for public server shop options (user 'app', password :'password');
grant usage on foreign server shop to app;
SQL
server_psql proxy -q -f "$ROOT/examples/shop-proxy.sql" -f "$ROOT/examples/clients.sql" -f "$HERE/proxy.sql"
clients_start 30
step_end

step "A role for the exporters, an exporter for each server, and Prometheus"
for server in proxy one two; do
    server_psql $server -q <<'SQL'
\set password `printf %s "$MONITOR_PASSWORD"`
create role monitor login password :'password' in role pg_monitor;
SQL
done
sql proxy -f "$HERE/grants.sql" </dev/null
exporter_start exporter_proxy proxy "$HERE/queries-proxy.yaml"
for server in one two; do exporter_start exporter_$server $server "$HERE/queries-partition.yaml"; done
mkdir "$PLPROXY_RUN/config"
sed "${SHORTER[@]}" "$HERE/rules.yml" >"$PLPROXY_RUN/config/rules.yml"
cat >"$PLPROXY_RUN/config/prometheus.yml" <<YAML
global: {scrape_interval: $INTERVAL, evaluation_interval: $INTERVAL}
rule_files: [rules.yml]
scrape_configs:
  - job_name: plproxy
    static_configs:
      - {targets: ['127.0.0.1:$(server_port exporter_proxy)'], labels: {role: proxy, name: proxy}}
      - {targets: ['127.0.0.1:$(server_port exporter_one)'], labels: {role: partition, name: one}}
      - {targets: ['127.0.0.1:$(server_port exporter_two)'], labels: {role: partition, name: two}}
YAML
indent <"$PLPROXY_RUN/config/prometheus.yml"
prometheus_start prometheus "$PLPROXY_RUN/config"
tell "Prometheus: http://127.0.0.1:$(server_port prometheus)"
step_end

# in_time command...: waits for it to succeed, asking less often than until_true, as each question takes a few processes.
in_time() {
    local end=$((SECONDS + LIMIT))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.3
    done
}
query() { promtool query instant "http://127.0.0.1:$(server_port prometheus)" "$1"; }
has_samples() { [ -n "$(query "$1" 2>/dev/null)" ]; }

step "What the exporters give"
clients_write 50
for exporter in exporter_proxy exporter_one exporter_two; do exporter_metrics $exporter; done >"$PLPROXY_RUN/exported"
calls=$(grep -E '^plproxy_stat_partitions_call(s|_seconds_.*).*partition="0"' "$PLPROXY_RUN/exported" \
    | sed -E 's/(server|host|port|dbname)="[^"]*",?//g; s/,}/}/')
grep -E '(calls|sum|count)\{|le="(0.000128|0.001024|0.008192|\+Inf)"' <<<"$calls" | indent
numbers=$(grep -E 'calls\{|count\{|le="\+Inf"' <<<"$calls" | sed 's/.* //' | sort | uniq -c)
check_that "the histogram's last bucket, its count and the view's calls are one number" [ "$(awk '{ print $1 }' <<<"$numbers")" = 3 ]
same "the exporters tell of no error" '0 0 0' "$(sed -n 's/^pg_exporter_last_scrape_error //p' "$PLPROXY_RUN/exported" | xargs)"
# Its queries as the dashboard has them; PostgreSQL reads the JSON.
DASHBOARD=$(cat "$HERE/dashboard.json")
export DASHBOARD
server_psql proxy -Atq >"$PLPROXY_RUN/queries" <<'SQL'
\set dashboard `printf %s "$DASHBOARD"`
select jsonb_path_query(:'dashboard', '$.panels[*].targets[*].expr') #>> '{}';
SQL
named=$(cat "$PLPROXY_RUN/queries" <(sed -n 's/^ *expr: //p' "$HERE/rules.yml") | grep -oE '\b(plproxy|pg)_[a-z0-9_]+' | sort -u)
there=$(sed -nE 's/^((plproxy|pg)_[a-z0-9_]+)[{ ].*/\1/p' "$PLPROXY_RUN/exported" | sort -u)
same "each metric that the dashboard or a rule names is exported ($(wc -l <<<"$named") of $(wc -l <<<"$there"))" \
    '' "$(comm -23 <(echo "$named") <(echo "$there"))"
# shellcheck disable=SC2016 # Grafana's
sed -i 's/\$__rate_interval/15s/g' "$PLPROXY_RUN/queries"
silent=''
while IFS= read -r line; do in_time has_samples "$line" || silent+="$line"$'\n'; done <"$PLPROXY_RUN/queries"
same "each of the dashboard's $(wc -l <"$PLPROXY_RUN/queries") queries has an answer" '' "$silent"
for alert in PartitionDown PartitionUnreachable SharedConnectionsUsedUp PreparedTooLong PausedTooLong; do
    same "Plproxy$alert does not fire" inactive "$(alert_state "Plproxy$alert")"
done
step_end

# fires ALERT, ends ALERT
fires() {
    in_time said firing alert_state "Plproxy$1" && rc=0 || rc=$?
    outcome $rc "Plproxy$1 fires, after $(seconds_since "$fault")"
    query "ALERTS{alertname=\"Plproxy$1\",alertstate=\"firing\"}" | sed 's/ =>.*//' | indent
}
ends() {
    in_time said inactive alert_state "Plproxy$1" && rc=0 || rc=$?
    outcome $rc "Plproxy$1 ends"
}

# hogs COUNT: so many sessions that call a slow function all the time.
HOGS=''
hogs() {
    echo "select slow_user('$SLOW_USER', 0.8);" >"$PLPROXY_RUN/slow.sql"
    PGHOST=127.0.0.1 PGPORT=$(server_port proxy) "$(tree_bin "$PLPROXY_TREE")/pgbench" -U app -n -c "$1" -j 1 -T 3600 \
        -f "$PLPROXY_RUN/slow.sql" postgres >"$PLPROXY_RUN/slow.out" 2>&1 </dev/null &
    HOGS=$!
}
hogs_stop() { kill "$HOGS" 2>/dev/null || true; wait "$HOGS" 2>/dev/null || true; }

step "Fault: a function has become slow on a partition"
SLOW_USER=$(ask proxy "select 'user ' || i from generate_series(1, 100) i, plproxy_route('slow_user(text, float8)', 'user ' || i, '0')
    where partition = 0 limit 1")
tell "2 sessions call slow_user('$SLOW_USER', 0.8)"
fault=$(now)
hogs 2
fires CallsSlow
hogs_stop
step_end

step "Fault: more sessions than there are shared connections"
tell "$((CONNECTIONS + 4)) sessions call slow_user('$SLOW_USER', 0.8); there are $CONNECTIONS connections"
fault=$(now)
hogs $((CONNECTIONS + 4))
fires SharedConnectionsUsedUp
hogs_stop
ends SharedConnectionsUsedUp
step_end

step "Fault: a partition is lost between the two phases of a transaction"
sql proxy <<'SQL'
alter system set synchronous_standby_names = 'nobody';
select pg_reload_conf();
SQL
tell "insert into users values ('both', '') on both, or on none; two is killed when both have prepared"
server_psql proxy -q -c "select plproxy_run_on_all('shop', \$\$insert into users values ('both', '')\$\$, atomic => true)" \
    >"$PLPROXY_RUN/both.out" 2>&1 &
both=$!
until_so 60 "the decision" said 1 ask proxy \
    "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and query like 'select plproxy_run_on_all%'"
server_kill two
sql proxy <<'SQL'
alter system reset synchronous_standby_names;
select pg_reload_conf();
SQL
wait $both || true
indent <"$PLPROXY_RUN/both.out"
fault=$(now)
fires PartitionDown
fires PartitionUnreachable
tell "two is started again: what was prepared there is there still"
server_launch two same
fault=$(now)
ends PartitionDown
fires PreparedTooLong
check_that "the proxy has it as decided" has_samples 'plproxy_prepared_transactions_count > 0'
sql proxy <<'SQL'
select partition, action from plproxy_recover_prepared('shop');
SQL
ends PreparedTooLong
step_end

step "Fault: who has paused a partition does not resume it"
sql proxy <<'SQL'
set plproxy.max_pause = 3600;
select plproxy_pause('shop', 1);
SQL
fault=$(now)
fires PausedTooLong
check_that "and calls of the clients wait" in_time has_samples 'plproxy_paused_waiting{cluster="shop", partition="1"} > 0'
sql proxy <<'SQL'
select plproxy_resume('shop', 1);
SQL
ends PausedTooLong
step_end

step "Fault: an exporter has died"
fault=$(now)
program_end "$(server_dir exporter_one)"
fires ExporterDown
step_end

clients_stop

if [ -n "${SCREENSHOT:-}" ]; then
    step "Prometheus' graph, as $SCREENSHOT"
    browser=$(command -v chromium) || die "there is no chromium"
    SANDBOX=''
    [ "$(id -u)" != 0 ] || SANDBOX=--no-sandbox
    # graph NUMBER EXPRESSION: a part of the page's address
    graph() {
        printf 'g%s.expr=%s&g%s.tab=0&g%s.range_input=%s' "$1" "$(printf %s "$2" \
            | sed 's/%/%25/g; s/ /%20/g; s/"/%22/g; s/&/%26/g; s/+/%2B/g; s/=/%3D/g; s/{/%7B/g; s/}/%7D/g')" "$1" "$1" "$RANGE"
    }
    timeout 180 "$browser" --headless ${SANDBOX:+"$SANDBOX"} --disable-gpu --user-data-dir="$PLPROXY_RUN/chromium" --hide-scrollbars \
        --window-size=1300,1620 --virtual-time-budget=15000 --screenshot="$SCREENSHOT" \
        "http://127.0.0.1:$(server_port prometheus)/graph?$(graph 0 \
            "histogram_quantile(0.99, sum by (partition, le) (rate(plproxy_stat_partitions_call_seconds_bucket[30s])))")&$(graph 1 \
            'sum by (alertname) (ALERTS{alertstate="firing"})')&g1.stacked=1" \
        >"$PLPROXY_RUN/chromium.log" 2>&1 || { tail "$PLPROXY_RUN/chromium.log"; die "no screenshot"; }
    tell "$(wc -c <"$SCREENSHOT") bytes"
    step_end
fi

finish proxy:postgres one:postgres two:postgres
