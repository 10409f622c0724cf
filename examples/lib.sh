# What the examples share: telling the story, showing the SQL and what came of it, checking what is claimed, and clients
# that go on writing meanwhile. Sourced.
#
#   KEEP=1        leave the servers running, and say how to reach and how to stop them
#   SCALE=small   as small as the tests run it

source "$(dirname "${BASH_SOURCE[0]}")/../scripts/replicas.sh"

passed=0 failed=0 step=0 step_start=0

# leave_out "reason": there is nothing to be seen with this PostgreSQL.
leave_out() { say "left out with PostgreSQL $PGMAJOR: $*"; exit 0; }

# ---- telling

# EPOCHREALTIME without its point: microseconds.
now() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }
seconds_since() { local us=$(($(now) - $1)); printf '%d.%02d s' $((us / 1000000)) $((us % 1000000 / 10000)); }

step() { step=$((step + 1)); step_start=$(now); printf '\n%s%2d. %s%s\n' "$BOLD" "$step" "$1" "$PLAIN"; }
step_end() { printf '    (%s)\n' "$(seconds_since "$step_start")"; }
indent() { sed 's/^/    /'; }
tell() { printf '%s\n' "$@" | indent; }

# shown SERVER [psql options]: runs the SQL of its standard input there, and shows each statement before what came of it.
# Secrets come in by the environment, so that what is shown has their names only (\getenv is there from 15 on).
shown() {
    local server=$1; shift
    server_psql "$server" -a -P pager=off -P footer=off -P null='(null)' "$@" -f - 2>&1 \
        | sed -e '/^$/d' -e 's/^psql:<stdin>:[0-9]*: //' | indent
}

# sql SERVER [psql options]: the same, and nothing goes on where it fails.
sql() { shown "$@" || die "step $step failed on $1"; }

# quietly_sql SERVER [psql options]: as sql does, and shows nothing.
quietly_sql() { server_psql "$@" -q -f - >/dev/null 2>&1 || die "step $step failed on $1"; }

# ask SERVER SQL [psql options]: the answer alone.
ask() { server_psql "$1" -AtqF ' ' "${@:3}" -c "$2"; }

# ask_until SERVER "what is wrong otherwise" CONDITION: waits there until it is true; the example cannot go on without it. In one
# session, as a psql for each look takes longer.
ask_until() {
    ask "$1" "do \$\$ begin
        for i in 1..3000 loop
            if ($3) then return; end if;
            perform pg_sleep(0.01);
        end loop;
        raise 'not within 30 s';
    end \$\$" || die "step $step: $2"
}

# ---- checking

# outcome ok? "claim" [what was found]
outcome() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1)); printf '    %sok%s      %s\n' "$GREEN" "$PLAIN" "$2"
    else
        failed=$((failed + 1)); printf '    %sFAILED%s  %s\n' "$RED" "$PLAIN" "$2"
        [ $# -lt 3 ] || printf '            %s\n' "$3"
    fi
}

# check_on SERVER "claim" 'select boolean': anything but a plain true fails.
check_on() {
    local answer rc=0
    answer=$(server_psql "$1" -Atq -c "$3" 2>&1) || true
    [ "$answer" = t ] || rc=1
    outcome $rc "$2" "answer: $answer"
}
check() { check_on proxy "$@"; }

# check_that "claim" condition...
check_that() {
    local rc=0
    "${@:2}" || rc=$?
    outcome $rc "$1" "not so: ${*:2}"
}

# same "claim" wanted found
same() { check_that "$1" [ "$2" = "$3" ]; }

# until_so seconds "what" command...: waits for it to succeed; the example cannot go on without it.
until_so() { until_true "$1" "${@:3}" || die "step $step: $2: not within $1 s"; }

# ---- servers

# begin: builds what there is to build, and makes the run. The application's password is in the environment alone.
begin() {
    PLPROXY_TREE=${PLPROXY_TREE:-$("$SCRIPTS/ready.sh")}
    export PLPROXY_TREE
    run_begin
    APP_PASSWORD=$(new_password)
    export APP_PASSWORD
}

# servers NAME... [-- options of server_start]
servers() {
    local -a names=()
    local name
    while [ $# -gt 0 ] && [ "$1" != -- ]; do names+=("$1"); shift; done
    [ $# = 0 ] || shift
    # All at once: making a data directory takes most of the time.
    local -a starting=()
    for name in "${names[@]}"; do
        (trap - EXIT; server_start "$name" "$@") &
        starting+=($!)
    done
    for name in "${starting[@]}"; do wait "$name" || die "a server did not start"; done
    for name in "${names[@]}"; do
        app_password_of "$name"
        printf '    %-9s 127.0.0.1:%s\n' "$name" "$(server_port "$name")"
    done
}

# For programs that come as the application's role.
app_password_of() { printf '127.0.0.1:%s:*:app:%s\n' "$(server_port "$1")" "$APP_PASSWORD" >>"$PLPROXY_RUN/pgpass"; }

# at SERVER DATABASE: a partition's connection string; the user and the password are the user mapping's.
at() { printf 'host=127.0.0.1 port=%s dbname=%s' "$(server_port "$1")" "$2"; }

# lines OPTION...: for CREATE and ALTER SERVER, a line each.
lines() { local line out=''; for line in "$@"; do out+=,$'\n'"    $line"; done; printf '%s' "${out#,}"; }

# flushed SERVER: where its WAL has come to, on disk, with all that was committed there: a commit of its own that waits for that.
# pg_current_wal_lsn() may be before what was committed without waiting (synchronous_commit = off).
flushed() { ask "$1" "set synchronous_commit = on; select pg_logical_emit_message(true, 'plproxy', '')"; }

# For a server that answers before a commit is on disk: what does not fill a page gets there when something else does, or after 10 s.
# shellcheck disable=SC2034 # of the scripts
ASYNCHRONOUS=(--set 'synchronous_commit = off' --set 'wal_writer_delay = 10s' --set 'wal_writer_flush_after = 0')

# finish SERVER:DATABASE...: the count of the checks; with KEEP, how to reach the servers.
finish() {
    local place server environment
    if [ -n "${KEEP:-}" ]; then
        # Only now: a run that was interrupted or that stopped halfway leaves nothing.
        PLPROXY_KEEP=1
        printf '\nThe servers stay up.\n'
        environment="PGPASSFILE=$PGPASSFILE${LD_LIBRARY_PATH:+ LD_LIBRARY_PATH=$LD_LIBRARY_PATH}"
        for place in "$@"; do
            server=${place%%:*}
            printf '  %-9s %s %s/psql -h 127.0.0.1 -p %s -U postgres %s\n' "$server" "$environment" \
                "$(tree_bin "$PLPROXY_TREE")" "$(server_port "$server")" "${place#*:}"
        done
        printf '  stop      PLPROXY_RUN=%q %q stop_all\n' "$PLPROXY_RUN" "$SCRIPTS/server.sh"
    fi
    printf '\n%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

# ---- the shop (shop-partition.sql, shop-proxy.sql)

# shop_role SERVER...: the application's role.
shop_role() {
    local server
    for server in "$@"; do
        server_psql "$server" -q <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
SQL
    done
}

# shop_partitions SERVER COUNT: its databases there, shop0 and so on.
shop_partitions() {
    local n
    for ((n = 0; n < $2; n++)); do
        server_psql "$1" -q -c "create database shop$n"
        server_psql "$1" -q -d "shop$n" -f "$ROOT/examples/shop-partition.sql"
    done
}

# shop_cluster OPTION...: the proxies' side of it, shown, and what clients need.
shop_cluster() {
    local proxy
    on_proxies sql <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server shop foreign data wrapper plproxy options ($(lines "$@"));
create role app login password :'password';
create user mapping for public server shop options (user 'app', password :'password');
grant usage on foreign server shop to app;
SQL
    for proxy in "${proxies[@]}"; do
        server_psql "$proxy" -q -f "$ROOT/examples/shop-proxy.sql" -f "$ROOT/examples/clients.sql"
    done
}

# shop_loaded USERS: so many users, each once.
shop_loaded() {
    sql proxy <<SQL
select sum(n) as users from generate_series(0, $1 - 1, 100000) first, put_users(array(
    select 'user ' || i from generate_series(first, least(first + 100000, $1) - 1) i)) n;
SQL
    check "every user is there once" "select count(*) = $1 and count(distinct name) = $1 from all_users()"
}

# shop_kept USERS: once the clients have stopped, what they were told, by the ledgers of all proxies, and what is there.
shop_kept() {
    sql proxy <<'SQL'
select home, n from sum_users();
select proxy, code, count(*) as calls, min(message) as message, round(1000 * extract(epoch from max(ended - began))) as longest_ms,
    round(1000 * extract(epoch from percentile_disc(0.5) within group (order by ended - began)), 1) as median_ms
from told group by proxy, code order by proxy, code;
SQL
    check "no user was lost, none doubled" "select count(*) filter (where name ~ '^user') = $1
        and count(*) = count(distinct name) from all_users()"
    check "every acknowledged write is there, and no other" "select count(*) = 0 from
        (select name from told where code = '00000') told full join
        (select name from all_users() where name ~ '^client') there using (name)
        where told.name is null or there.name is null"
    check "no client has seen an error" "select count(*) = 0 from told where code <> '00000'"
    check "none has waited for long" "select max(ended - began) < interval '30 s' from told"
}

# ---- a change of the shop that no client sees: pause_shop, what is to be waited for, ALTER SERVER on_proxies, held, resume_shop

# try_pause PARTITION: of one partition, or with null of all, on every proxy; or, where one cannot be paused in time, on none (1).
# It is 2 where the way back has failed: a pause may be left.
try_pause() {
    local proxy result=1
    local -a tried=()
    for proxy in "${proxies[@]}"; do
        tried+=("$proxy")
        of_several "$proxy"
        shown "$proxy" <<<"select plproxy_pause('shop', $1, '500 ms');" && continue
        # The last one, too: psql may have failed when the pause was made already. What is not paused says f.
        for proxy in "${tried[@]}"; do
            of_several "$proxy"
            shown "$proxy" <<<"select plproxy_resume('shop', $1);" || result=2
        done
        return $result
    done
}
not_resumed() { die "step $step: a proxy could not be resumed; plproxy.max_pause ends its pause"; }

# pause_shop SHOW PARTITION: while somebody is in its way, nobody else waits for longer than a try for each proxy.
paused_at=0 paused_us=0
pause_shop() {
    local try output result
    for ((try = 1; try <= 100; try++)); do
        paused_at=$(now) result=0
        output=$(try_pause "$2") || result=$?
        [ "$result$1" = 0quietly_sql ] || printf '%s\n' "$output"
        case $result in
            0) return ;;
            1) sleep 0.5 ;;
            *) not_resumed ;;
        esac
    done
    die "step $step: the shop could not be paused"
}

# held: a pause that has ended by itself (plproxy.max_pause) has let calls go to the old place.
held() { check_each "the pause has held until now" "select count(*) = 1 from plproxy_paused where cluster = 'shop'"; }

resume_shop() {
    on_proxies "$1" <<<"select plproxy_resume('shop', $2);"
    paused_us=$(($(now) - paused_at))
}

# report_refuses PARTITION: where a report is under way, by the last of the proxies, no proxy stays paused.
report_refuses() {
    local last=${proxies[-1]} report process output result
    of_several "$last"
    tell "select plproxy_run_on_all('shop', 'select pg_sleep(600)')   -- a report"
    server_psql "$last" -qc "select plproxy_run_on_all('shop', 'select pg_sleep(600)')" >/dev/null 2>&1 &
    report=$!
    until_so 60 "the report" said t ask old "select count(*) > 0 from pg_stat_activity
        where query = 'select pg_sleep(600)' and state = 'active'"
    process=$(ask "$last" "select pid from pg_stat_activity where query like 'select plproxy_run_on_all%'")
    # It may be a client's call that is in the way first. Anything but a refusal ends the wait.
    refused() {
        result=0
        output=$(try_pause "$1") || result=$?
        [ "$result" != 1 ] || [[ $output == *"Process"*" $process "* ]]
    }
    until_so 60 "a pause that the report refuses" refused "$1"
    printf '%s\n' "$output"
    case $result in
        0) resume_shop quietly_sql "$1"; die "step $step: the shop was paused in spite of a report" ;;
        1) ;;
        *) not_resumed ;;
    esac
    check_each "nothing is paused while the report goes on" "select count(*) = 0 from plproxy_paused"
    clients_write 10
    ask "$last" "select pg_terminate_backend($process)" >/dev/null
    wait $report || true
}

# follow SHOW NAME FROM TO WHAT: the database TO of the server new becomes a copy of WHAT is in FROM on the server old, and stays
# one, by a publication and a subscription of that name.
follow() {
    local show=$1 name=$2 from=$3 to=$4 what=$5
    FOLLOWED="host=127.0.0.1 port=$(server_port old) user=postgres dbname=$from password=$(cat "$PLPROXY_RUN/password")"
    export FOLLOWED
    [ "$show" != sql ] || tell "createdb -h new $to; pg_dump --schema-only -h old $from | psql -h new $to"
    server_psql new -qc "create database $to"
    server_tool old pg_dump --schema-only "$from" | server_psql new -q -d "$to" >/dev/null
    "$show" old -d "$from" <<SQL
create publication $name for $what;
SQL
    # What it has is on disk at once, so that nobody waits for that later.
    "$show" new -d "$to" <<SQL
\set followed \`printf %s "\$FOLLOWED"\`
create subscription $name connection :'followed' publication $name
    with (synchronous_commit = on);
SQL
}

# copied DATABASE: the first copy of a database that follows has ended.
copied() { [ "$(ask new "select bool_and(srsubstate = 'r') from pg_subscription_rel" -d "$1")" = t ]; }

# follower_has NAME: waits until the follower of that name has all that was committed on the server old by now.
follower_has() {
    local lsn
    lsn=$(flushed old)
    tell "wait until the subscription $1 has confirmed $lsn, which the old server has come to by now"
    ask_until old "the subscription $1 has not confirmed $lsn" \
        "(select confirmed_flush_lsn >= '$lsn' from pg_replication_slots where slot_name = '$1')"
}

# ---- proxies: one, or with PROXIES=2 two, which have the same cluster and clients of their own

proxies=(proxy)
several_proxies() {
    case ${PROXIES:-1} in
        1) ;;
        2) proxies=(proxy proxy2) ;;
        *) die "PROXIES is 1 or 2, not '$PROXIES'" ;;
    esac
}

# of_several PROXY: tells which of them it is, where there is more than one.
of_several() { [ ${#proxies[@]} = 1 ] || tell "-- on $1"; }

# on_proxies SHOW [psql options]: the SQL of its standard input on each, by sql or by quietly_sql.
on_proxies() {
    local show=$1 statements proxy; shift
    statements=$(cat)
    for proxy in "${proxies[@]}"; do
        [ "$show" != sql ] || of_several "$proxy"
        "$show" "$proxy" "$@" <<<"$statements"
    done
}

# check_each "claim" 'select boolean': on each.
check_each() {
    local proxy where=''
    for proxy in "${proxies[@]}"; do
        [ ${#proxies[@]} = 1 ] || where=" ($proxy)"
        check_on "$proxy" "$1$where" "$2"
    done
}

# settled: true when every transaction of the proxies that began before this call has ended. After ALTER SERVER: from then on
# no session calls by the old options any more.
settled() {
    local proxy moment
    for proxy in "${proxies[@]}"; do
        moment=$(ask "$proxy" 'select clock_timestamp()')
        tell "wait on $proxy until no transaction is left that began before $moment"
        until_so 120 "the transactions from before the change" said 0 ask "$proxy" "select count(*) from pg_stat_activity
            where xact_start < '$moment' and backend_type = 'client backend' and pid <> pg_backend_pid()"
    done
}

# ---- clients that write all the time (clients.sql, which needs a function put_user(text) of the proxy)

CLIENTS=()
# clients_start RATE: on each proxy four sessions, which make RATE writes in a second, in all, until clients_stop.
clients_start() {
    local proxy
    echo 'call write_one();' >"$PLPROXY_RUN/client.sql"
    for proxy in "${proxies[@]}"; do
        PGHOST=127.0.0.1 PGPORT=$(server_port "$proxy") "$(tree_bin "$PLPROXY_TREE")/pgbench" -U app -n -M prepared -c 4 -j 1 \
            -R $(($1 / ${#proxies[@]})) -T 3600 -f "$PLPROXY_RUN/client.sql" postgres >"$PLPROXY_RUN/client.$proxy" 2>&1 </dev/null &
        CLIENTS+=($!)
    done
    clients_write 50
}

# clients_write COUNT [CONDITION]: waits for so many acknowledged writes by each proxy from now on.
clients_write() {
    local proxy since
    since=$(ask proxy 'select clock_timestamp()')
    for proxy in "${proxies[@]}"; do
        until_so 120 "$1 writes of the clients of $proxy" enough_since "$proxy" "$since" "$1" "${2:-true}"
    done
}
enough_since() {
    [ "$(ask "$1" "select count(*) from told where code = '00000' and began > '$2' and ($4)")" -ge "$3" ]
}

# clients_stop: and the first proxy gets the others' ledgers.
clients_stop() {
    local client proxy
    for client in "${CLIENTS[@]}"; do
        kill -0 "$client" 2>/dev/null || { indent < <(cat "$PLPROXY_RUN"/client.proxy*); die "clients ended before they were told to"; }
        kill "$client" 2>/dev/null || true
        wait "$client" 2>/dev/null || true
    done
    CLIENTS=()
    for proxy in "${proxies[@]}"; do
        until_so 120 "the end of the clients" said 0 ask "$proxy" \
            "select count(*) from pg_stat_activity where application_name = 'pgbench'"
        [ "$proxy" = proxy ] || server_psql "$proxy" -qc 'copy told to stdout' | server_psql proxy -qc 'copy told from stdin'
    done
}
