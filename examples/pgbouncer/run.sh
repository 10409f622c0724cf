#!/usr/bin/env bash
# Many sessions of a proxy, partitions on two instances that allow few connections, and a PgBouncer in front of each. The
# README tells the story. Prints the SQL and what came of it, checks it, and exits non-zero when a check fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
source "$SCRIPTS/pooler.sh"

case ${SCALE:-full} in
    full) SESSIONS=45 DATABASES=8 LIMIT=100 POOL=10 SECONDS_EACH=20 ;;
    small) SESSIONS=12 DATABASES=4 LIMIT=25 POOL=4 SECONDS_EACH=3 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
PARTITIONS=$((2 * DATABASES)) ALLOWED=$((LIMIT - 3))

step "A proxy, and two instances of $DATABASES databases that allow $LIMIT connections, 3 of them the superuser's"
begin
servers one two -- --max-connections $LIMIT --set 'superuser_reserved_connections = 3'
servers proxy -- --max-connections $((SESSIONS + 10))
for instance in one two; do
    server_psql $instance -q <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
SQL
    for ((n = 0; n < DATABASES; n++)); do
        server_psql $instance -q -c "create database shop$n"
        server_psql $instance -q -d "shop$n" -f "$ROOT/examples/shop-partition.sql"
    done
done
step_end

step "A PgBouncer in front of each, with these settings"
indent <"$ROOT/tests/pgbouncer/recommended.ini"
tell "default_pool_size = $POOL" "max_user_connections = $((ALLOWED - 3))"
for instance in one two; do
    # The file of users holds what the server itself keeps: no password in clear.
    ask $instance "select format('\"app\" \"%s\"', rolpassword) from pg_authid where rolname = 'app'" >"$PLPROXY_RUN/users"
    printf '"postgres" "%s"\n' "$(cat "$PLPROXY_RUN/password")" >>"$PLPROXY_RUN/users"
    pooler_start "pooler_$instance" $instance --include "$ROOT/tests/pgbouncer/recommended.ini" --users "$PLPROXY_RUN/users" \
        --set "default_pool_size = $POOL" --set "max_user_connections = $((ALLOWED - 3))"
    rm "$PLPROXY_RUN/users"
done
step_end

step "The cluster names the PgBouncers"
# entries PORT_OF_ONE PORT_OF_TWO: the options of all partitions, even numbers on the first instance.
entries() {
    local n out='' port
    for ((n = 0; n < PARTITIONS; n++)); do
        port=$1; [ $((n % 2)) = 0 ] || port=$2
        out+=,$'\n'"    $3p$n 'host=127.0.0.1 port=$port dbname=shop$((n / 2))'"
    done
    printf '%s' "${out#,}"
}
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server shop foreign data wrapper plproxy options ($(entries "$(pooler_port pooler_one)" "$(pooler_port pooler_two)" ''));
create role app login password :'password';
create user mapping for public server shop options (user 'app', password :'password');
grant usage on foreign server shop to app;
SQL
server_psql proxy -q -f "$ROOT/examples/shop-proxy.sql" -f "$ROOT/examples/clients.sql"
sql proxy <<'SQL'
select sum(n) as users from put_users(array(select 'user ' || i from generate_series(1, 2000) i)) n;
SQL
step_end

# measure: SESSIONS sessions that read, ask all partitions and write. Leaves `errors`, `calls`, and the highest number of
# connections that either instance has seen in `peak`.
measure() {
    local instance out=$PLPROXY_RUN/bench
    local -a watchers=()
    printf '\\set id random(1, 2000)\nselect * from get_user(%s || :id);\n' "'user '" >"$out.get"
    printf 'select sum(n) from sum_users();\n' >"$out.sum"
    printf 'call write_one();\n' >"$out.write"
    for instance in one two; do
        # One of the superuser's connections looks all the time.
        PGHOST=127.0.0.1 PGPORT=$(server_port $instance) "$(tree_bin "$PLPROXY_TREE")/psql" -X -U postgres -Atq \
            >"$out.$instance" 2>&1 <<'SQL' &
select count(*) from pg_stat_activity where backend_type = 'client backend' and usename = 'app' \watch 0.1
SQL
        watchers+=($!)
    done
    server_tool proxy pgbench -U app -n -M prepared -c "$SESSIONS" -j 2 -T "$SECONDS_EACH" -f "$out.get@16" \
        -f "$out.sum@2" -f "$out.write@2" postgres >"$out.log" 2>&1 || true
    kill "${watchers[@]}" 2>/dev/null || true
    wait "${watchers[@]}" 2>/dev/null || true
    peak=$(cat "$out.one" "$out.two" | grep -E '^[0-9]+$' | sort -n | tail -n 1)
    errors=$(grep -cE 'ERROR|FATAL' "$out.log" || true)
    calls=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$out.log")
    tell "$SESSIONS sessions, $PARTITIONS partitions, $SECONDS_EACH s: ${calls:-0} calls, ${errors:-0} sessions ended by an error," \
        "at most ${peak:-no} connections to one instance of the $ALLOWED that there are for others than the superuser"
    grep -ohE '\[shop[0-9]+\].*' "$out.log" | sed 's/^\[[^]]*\] //' | sort | uniq -c | sort -rn | head -n 1 | indent || true
}

step "$SESSIONS sessions that call all $PARTITIONS partitions, by way of PgBouncer"
measure
same "no call failed" 0 "$errors"
check_that "calls were made" [ "${calls:-0}" -gt 0 ]
check_that "the instances stay below their limit, at what PgBouncer allows" [ "${peak:-999}" -le $((ALLOWED - 3)) ]
check "every acknowledged write is there, and no other" "select count(*) > 0 and count(*) = count(told.name)
    and count(*) = count(there.name) from (select name from told where code = '00000') told full join
    (select name from all_users() where name ~ '^client') there using (name)"
tell "the console of the first PgBouncer, between two calls (database | user | clients | servers in use, idle):"
PGHOST=127.0.0.1 PGPORT=$(server_port proxy) "$(tree_bin "$PLPROXY_TREE")/psql" -X -U app -d postgres -Atq >"$PLPROXY_RUN/console" <<SQL
select count(*) from sum_users();
\! PLPROXY_RUN='$PLPROXY_RUN' '$SCRIPTS/pooler.sh' admin pooler_one 'show pools' | cut -d'|' -f1,2,3,7,9 | grep app
SQL
sed 1d "$PLPROXY_RUN/console" | indent
same "a session that idles keeps no connection of an instance busy" 0 \
    "$(sed 1d "$PLPROXY_RUN/console" | awk -F'|' '{ n += $4 } END { print n + 0 }')"
step_end

step "PgBouncer is restarted between two calls"
cat >"$PLPROXY_RUN/restart.sql" <<SQL
select count(*), sum(n) from sum_users();
\! $SCRIPTS/pooler.sh restart pooler_one shutdown
select count(*), sum(n) from sum_users();
SQL
indent <"$PLPROXY_RUN/restart.sql" | sed "s#$SCRIPTS#scripts#"
server_tool proxy psql -XAtq -f "$PLPROXY_RUN/restart.sql" >"$PLPROXY_RUN/restart" 2>&1 || true
indent <"$PLPROXY_RUN/restart"
check_that "the session's next call is answered, and tells nothing of it" \
    [ "$(sort -u "$PLPROXY_RUN/restart")" = "$(head -n 1 "$PLPROXY_RUN/restart")" ]
same "both calls have had their answer" 2 "$(grep -c "^$PARTITIONS|" "$PLPROXY_RUN/restart" || true)"
step_end

step "An instance is restarted under clients that write: PAUSE, restart, RESUME"
clients_start 100
before=$(ask proxy 'select clock_timestamp()')
# PAUSE waits until the transactions under way have ended, and closes the connections to the instance.
for command in pause restart resume; do
    if [ $command = restart ]; then tell 'pg_ctl restart -m fast'; server_restart one
    else tell "$command;"; pooler_admin pooler_one $command; fi
done
clients_write 50
clients_stop
sql proxy <<SQL
select code, count(*), max(ended - began) as longest from told where began > '$before' group by code order by code;
SQL
check "every call has waited, and none has failed" \
    "select count(*) >= 50 and bool_and(code = '00000') from told where began > '$before'"
step_end

step "The sessions of before without PgBouncer: they take each other's connections"
sql proxy <<SQL
alter server shop options ($(entries "$(server_port one)" "$(server_port two)" 'set '));
SQL
for instance in one two; do pooler_kill pooler_$instance; done
measure
check_that "sessions fail, as an instance has no connection left" [ "${errors:-0}" -gt 0 ]
step_end

finish proxy:postgres one:shop0 two:shop0
