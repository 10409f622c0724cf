# A primary and its synchronous standby change roles under a running pgbench, twice: the first primary is killed, the
# second stops answering. Each old primary is rewound and rejoins. The ledger is the proxy's: what was acknowledged is on
# the last primary, once.

CLIENTS=4
pair=(--auth trust --tree "$PLPROXY_TREE" --set 'shared_buffers = 16MB' --set "lc_messages = 'C'" "${REPLICATED[@]}")
server_start left "${pair[@]}"
server_psql left -q <<'SQL'
create table ledger (id bigint, at timestamptz default clock_timestamp());
create function put(id bigint) returns text language sql as
    'insert into ledger values (id) returning current_setting(''cluster_name'')';
SQL
standby_start right left "${pair[@]}"

on() { server_psql "$1" -AtqF ' ' "${@:2}"; }

acknowledged() { proxy -c "select count(*) from outcomes where code = '00000' and server = '$1' and at > '${2:-epoch}'"; }
goes_on() { [ "$(acknowledged "$1" "$2")" -gt 200 ]; }
now() { proxy -c 'select clock_timestamp()'; }

make_synchronous left
proxy -q -v one="$(server_port left)" -v two="$(server_port right)" -f "$HERE/failover.sql"
config_before=$(proxy -c "select md5(string_agg(t::text, '|' order by t::text)) from
    (select srvoptions::text from pg_foreign_server union all select umoptions::text from pg_user_mappings) t(t)")
echo 'call one_insert();' >"$PLPROXY_RUN/insert.sql"
PGHOST=127.0.0.1 PGPORT=$PROXY PGUSER=postgres "$(tree_bin "$PLPROXY_TREE")/pgbench" -n -M prepared -c $CLIENTS -j 1 -T 600 -f "$PLPROXY_RUN/insert.sql" postgres \
    >"$PLPROXY_RUN/pgbench.out" 2>&1 </dev/null &
PGBENCH=$!
PROGRAMS+=("$PGBENCH")
start=$(now)
check failover.begins until_true 120 goes_on left "$start"

# fail_over how from to
fail_over() {
    local how=$1 from=$2 to=$3 began promoted ms
    case $how in
        killed) hit "$from" KILL; while server_running "$from"; do sleep 0.02; done ;;
        stopped) hit "$from" STOP; sleep 1 ;;
    esac
    began=$(now)
    server_promote "$to"
    promoted=$(now)
    check "failover.${how}_works_again" until_true 120 goes_on "$to" "$promoted"
    # Not from the end of the promotion, but from the command.
    ms=$(proxy -c "select first_by('$to', '$began')")
    check "failover.${how}_in_time ($ms ms after the command, $(proxy -c "select extract(epoch from '$promoted'::timestamptz
        - '$began') * 1000" | cut -d. -f1) of them the promotion's own)" in_time "$ms" 2000
    ms=$(proxy -c "select coalesce(last_failure('$promoted'), 0)")
    check "failover.${how}_all_clients ($ms ms after the promotion)" in_time "$ms" 2000
    [ "$how" != stopped ] || { hit "$from" KILL; while server_running "$from"; do sleep 0.02; done; }
    sleep 0.3
    check "failover.${how}_rejoined" rejoin "$from" "$to"
    check "failover.${how}_synchronous_again" make_synchronous "$to"
    promoted=$(now)
    check "failover.${how}_goes_on" until_true 120 goes_on "$to" "$promoted"
}
fail_over killed left right
fail_over stopped right left

check failover.pgbench_lives kill -0 "$PGBENCH"
kill "$PGBENCH" 2>/dev/null || true
wait "$PGBENCH" || true
check failover.pgbench_ends until_true 60 said 0 proxy -c "select count(*) from pg_stat_activity where application_name = 'pgbench'"
# The last primary is killed, too: its standby has everything.
hit left KILL
while server_running left; do sleep 0.02; done
server_promote right
proxy -c "copy (select id from outcomes where code = '00000') to stdout" >"$PLPROXY_RUN/acknowledged"
proxy -c "copy (select id from outcomes where code <> '00000') to stdout" >"$PLPROXY_RUN/failed"
on right -c 'copy (select id from ledger) to stdout' | sort >"$PLPROXY_RUN/ledger"
count=$(wc -l <"$PLPROXY_RUN/acknowledged")
same "failover.none_lost ($count acknowledged, $(wc -l <"$PLPROXY_RUN/failed") failed)" 0 \
    "$(sort "$PLPROXY_RUN/acknowledged" | comm -23 - "$PLPROXY_RUN/ledger" | wc -l)"
same failover.none_doubled 0 "$(uniq -d "$PLPROXY_RUN/ledger" | wc -l)"
same failover.none_unknown 0 "$(sort "$PLPROXY_RUN/acknowledged" "$PLPROXY_RUN/failed" | comm -13 - "$PLPROXY_RUN/ledger" | wc -l)"
check failover.enough [ "$count" -gt 500 ]
same failover.errors_are_told '' "$(proxy -c "select distinct code from outcomes where code not in
    ('00000', '08001', '08006', '57014', '57P01', '57P02', '57P03', '25006')" | xargs)"
same failover.no_configuration "$config_before" "$(proxy -c "select md5(string_agg(t::text, '|' order by t::text)) from
    (select srvoptions::text from pg_foreign_server union all select umoptions::text from pg_user_mappings) t(t)")"
proxy -AtF ' ' -c "select '    ' || code, count(*) from outcomes group by 1"
server_stop right
