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

# sql SERVER [psql options]: runs the SQL of its standard input there, and shows each statement before what came of it.
# Secrets come in by the environment, so that what is shown has their names only (\getenv is there from 15 on).
sql() {
    local server=$1; shift
    server_psql "$server" -a -P pager=off -P footer=off -P null='(null)' "$@" -f - 2>&1 \
        | sed -e '/^$/d' -e 's/^psql:<stdin>:[0-9]*: //' | indent || die "step $step failed on $server"
}

# quietly_sql SERVER [psql options]: as sql does, and shows nothing.
quietly_sql() { server_psql "$@" -q -f - >/dev/null 2>&1 || die "step $step failed on $1"; }

# ask SERVER SQL [psql options]: the answer alone.
ask() { server_psql "$1" -AtqF ' ' "${@:3}" -c "$2"; }

# ask_until SERVER CONDITION: waits there until it is true, 30 s at the most. In one session, as a psql for each look takes longer.
ask_until() {
    ask "$1" "do \$\$ begin
        for i in 1..3000 loop
            if ($2) then return; end if;
            perform pg_sleep(0.01);
        end loop;
        raise 'not within 30 s';
    end \$\$"
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

# check "claim" 'select boolean': asked on the proxy; anything but a plain true fails.
check() {
    local answer rc=0
    answer=$(server_psql proxy -Atq -c "$2" 2>&1) || true
    [ "$answer" = t ] || rc=1
    outcome $rc "$1" "answer: $answer"
}

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

# settled SERVER: true when every transaction there that began before this call has ended. After ALTER SERVER: from then on
# no session calls by the old options any more.
settled() {
    local moment
    moment=$(ask "$1" 'select clock_timestamp()')
    tell "wait on $1 until no transaction is left that began before $moment"
    until_so 120 "the transactions from before the change" said 0 ask "$1" "select count(*) from pg_stat_activity
        where xact_start < '$moment' and backend_type = 'client backend' and pid <> pg_backend_pid()"
}

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

# shop_cluster OPTION...: the proxy's side of it, shown, and what clients need.
shop_cluster() {
    sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server shop foreign data wrapper plproxy options ($(lines "$@"));
create role app login password :'password';
create user mapping for public server shop options (user 'app', password :'password');
grant usage on foreign server shop to app;
SQL
    server_psql proxy -q -f "$ROOT/examples/shop-proxy.sql" -f "$ROOT/examples/clients.sql"
}

# shop_loaded USERS: so many users, each once.
shop_loaded() {
    sql proxy <<SQL
select sum(n) as users from generate_series(0, $1 - 1, 100000) first, put_users(array(
    select 'user ' || i from generate_series(first, least(first + 100000, $1) - 1) i)) n;
SQL
    check "every user is there once" "select count(*) = $1 and count(distinct name) = $1 from all_users()"
}

# held: a pause of the shop that has ended by itself (plproxy.max_pause) has let calls go to the old place.
held() { check "the pause has held until now" "select count(*) = 1 from plproxy_paused where cluster = 'shop'"; }

# ---- clients that write all the time (clients.sql, which needs a function put_user(text) of the proxy)

CLIENT=''
# clients_start RATE: four sessions that make RATE writes in a second, in all, until clients_stop.
clients_start() {
    echo 'call write_one();' >"$PLPROXY_RUN/client.sql"
    PGHOST=127.0.0.1 PGPORT=$(server_port proxy) "$(tree_bin "$PLPROXY_TREE")/pgbench" -U app -n -M prepared -c 4 -j 1 \
        -R "$1" -T 3600 -f "$PLPROXY_RUN/client.sql" postgres >"$PLPROXY_RUN/client.out" 2>&1 </dev/null &
    CLIENT=$!
    clients_write 50
}

# clients_write COUNT [CONDITION]: waits for so many acknowledged writes from now on.
clients_write() {
    local since
    since=$(ask proxy 'select clock_timestamp()')
    until_so 120 "$1 writes of the clients" enough_since "$since" "$1" "${2:-true}"
}
enough_since() { [ "$(ask proxy "select count(*) from told where code = '00000' and began > '$1' and ($3)")" -ge "$2" ]; }

clients_stop() {
    kill -0 "$CLIENT" 2>/dev/null || { indent <"$PLPROXY_RUN/client.out"; die "the clients ended before they were told to"; }
    kill "$CLIENT" 2>/dev/null || true
    wait "$CLIENT" 2>/dev/null || true
    until_so 120 "the end of the clients" said 0 ask proxy \
        "select count(*) from pg_stat_activity where application_name = 'pgbench'"
}
