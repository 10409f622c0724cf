#!/usr/bin/env bash
# A sharded cluster from nothing: one proxy server, two partition servers, eight partition databases; the README tells
# the story step by step. Every step prints what it did and how long it took, and what it claims is checked.
# Exits non-zero when a step or a check fails. Everything is stopped and removed at the end.
#
#   KEEP=1        leave the servers running, and say how to reach and how to stop them
#   SCALE=small   8,000 users instead of 800,000, one second instead of five for each pgbench run
#   PLPROXY_HANDLER=c   the same against Debian's PL/Proxy

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
HERE=$ROOT/examples/rds-sharding

case ${SCALE:-full} in
    full)  USERS=800000 SMALL=100000 CALLS=100000 SECONDS_EACH=5 ;;
    small) USERS=8000 SMALL=1000 CALLS=2000 SECONDS_EACH=1 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
CLIENTS=8

# sql_step "title" file: runs the file on the proxy, prints its results.
sql_step() {
    step "$1"
    printf '    sql/%s\n' "$2"
    run_sql "$2" || die "step $step failed: $1"
}

run_sql() {
    NODE_PASSWORD=$(cat "$PLPROXY_RUN/password") SHARD_PASSWORD=$shard_password \
        server_psql proxy -q -P pager=off -P footer=off -v node_host=127.0.0.1 -v small="$SMALL" \
        -v node_a_port="$(server_port node_a)" -v node_b_port="$(server_port node_b)" \
        -f "$HERE/sql/$1" 2>&1 | sed -E '/^ *(-+\+?)+ *$/!{/^$/d}' | sed "s#^psql:$HERE/sql/[^:]*:[0-9]*: ##" | indent
}

# ---- the steps

step "One proxy server and two partition servers"
begin
servers proxy node_a node_b
shard_password=$(new_password)
server_psql proxy -Atq -c 'select version()' | indent
step_end

sql_step "Partition servers as dblink servers; eight databases" 01-management.sql
check "eight databases, four on each machine" "select count(*) = 8 and count(distinct port) = 2 and max(n) = 4 from (
    select port, count(*) over (partition by port) n from generate_series(0, 7) shard,
    dblink('shard' || shard, 'select current_database(), inet_server_port()') as (db name, port int)
    where db = 'db' || shard) x"
step_end

sql_step "The cluster server, its partitions and its user" 02-cluster.sql
check "no password stands in the server's options" \
    "select not exists (select from pg_foreign_server where srvoptions::text ~* 'password')"
step_end

sql_step "dy(sql): dynamic records from all partitions" 03-dy.sql
check "each connection reached the partition that its name says, as the shards' owner" \
    "select array_agg(partition order by partition) = '{0,1,2,3,4,5,6,7}'
        and bool_and(database = 'db' || partition and came_as = 'shard')
     from dy('select current_setting(''application_name'')::int, current_database(), current_user')
     as (partition int, database name, came_as name)"
step_end

sql_step "dy_ddl(sql): DDL for all partitions, and a schema through it" 04-dy-ddl.sql
check "the schema is on all eight" "select count(*) = 8 from
    dy('select nspname from pg_namespace where nspname = ''shop''') as (schema name)"
if [ "$HANDLER" = rust ]; then
    echo '    sql/04-execute.sql: the same without helpers on the partitions'
    run_sql 04-execute.sql || die "step $step failed: EXECUTE"
    check "EXECUTE asks all eight, and leaves nothing there" "select count(*) = 8 and sum(n) = 0 from
        dy_here('select count(*) from pg_class where relname = ''trial_here''') as (n bigint)"
fi
step_end

sql_step "When one partition refuses a DDL statement" 05-ddl-failure.sql
check "dy_ddl raises the shard's error and names it" "$(cat <<'E2'
set client_min_messages = error;
do $$ begin
    perform dy_ddl('alter table shop.trial add column other text');
    raise 'no error';
exception when undefined_table then
    if sqlerrm !~ '\[db3\] REMOTE ERROR: relation "shop.trial" does not exist' then raise; end if;
end $$;
select true
E2
)"
check "dy_ddl_try tells the seven from the one" "select string_agg(partition::text, ',') filter (where not ok) = '3'
    and count(*) filter (where ok) = 7 from dy_ddl_try('comment on table shop.trial is ''still here''')"
step_end

sql_step "Tables on all partitions" 06-tables.sql
check "four tables on each" "select bool_and(n = 4) and count(*) = 8 from
    dy('select count(*) from pg_tables where schemaname = ''shop''') as (n bigint)"
step_end

sql_step "Loading $USERS users, every partition its own share" 07-load.sql
printf "    select * from load_users(%s);\n" "$USERS"
load_start=$(now)
(
    server_psql proxy -q -P footer=off -c "select * from load_users($USERS)" 2>&1
    printf ' %s users in %s\n' "$USERS" "$(seconds_since "$load_start")"
) >"$PLPROXY_RUN/load.out" &
loader=$!
# The rows are not to be seen before the shards commit, but the files grow.
while sleep 0.5; kill -0 "$loader" 2>/dev/null; do
    server_psql proxy -Atq -c "select format('    ... %s written, %s partitions at work', pg_size_pretty(sum(bytes)),
        count(*) filter (where busy)) from dy(\$\$
            select pg_relation_size('shop.userinfo') + pg_relation_size('shop.session'), exists (
                select from pg_stat_activity where datname = current_database() and state = 'active'
                    and query ~ 'load_users' and pid <> pg_backend_pid())\$\$) as (bytes bigint, busy boolean)"
done
wait "$loader" || { cat "$PLPROXY_RUN/load.out" >&2; die "the load failed"; }
sed '/^$/d' "$PLPROXY_RUN/load.out" | indent
check "every user is there once" "select count(*) = $USERS and count(distinct userid) = $USERS
        and min(userid) = 0 and max(userid) = $USERS - 1
    from dy('select userid from shop.userinfo') as (userid int)"
check "every user id is on the partition that its number names (userid & 7)" \
    "select count(*) = $USERS and bool_and(userid & 7 = partition and dbid = partition) from
     dy('select current_setting(''application_name'')::int, dbid, userid from shop.userinfo')
     as (partition int, dbid int, userid int)"
step_end

sql_step "Primary keys, and a small table that every partition has whole" 08-indexes.sql
check "keys on both tables, the small table whole, everywhere" "select count(*) = 8 and bool_and(keys = 3 and rows = $SMALL)
    from dy('select (select count(*) from pg_constraint where contype = ''p'' and connamespace = ''shop''::regnamespace),
        (select count(*) from shop.tbl_small)') as (keys bigint, rows bigint)"
step_end

sql_step "The application's calls, both halves" 09-functions.sql
check "six functions on each partition" "select count(*) = 8 and bool_and(n = 6) from dy('select count(*) from pg_proc
    where pronamespace = ''shop''::regnamespace and proname ~ ''^(query|insert|update)''') as (n bigint)"
step_end

sql_step "Calling them" 10-calls.sql
check "the application's role may not use dy" \
    "select not has_function_privilege('app', 'dy(text)', 'execute')"
check "query_pk brings the right user from the right partition" \
    "select count(*) = 512 and bool_and(id & 7 = dbid and id = userid and info = 'user ' || id)
     from generate_series(0, 511) id, query_pk(id)"
check "a user that does not exist gives no row" "select count(*) = 0 from query_pk($USERS)"
check "300 logins, each on its user's partition" \
    "select count(*) = 300 and bool_and(userid & 7 = partition and dbid = partition)
     from dy('select current_setting(''application_name'')::int, dbid, userid from shop.login_log')
     as (partition int, dbid int, userid int)"
check "200 sessions were updated" \
    "select sum(n) = 200 from dy('select count(*) from shop.session where last_login is not null') as (n bigint)"
check "query_smalltbl is answered right, and by more than one partition" \
    "select count(*) = 400 and bool_and(id = userid and info = 'item ' || id) and count(distinct answered_by) > 1
     from generate_series(0, 399) id, query_smalltbl(id)"
step_end

step "$CALLS query_pk calls in one session"
# A file of its own: psql would hold the results of one -c back until the end.
for ((first = 0; first < CALLS; first += CALLS / 5)); do
    printf "select format('    ... ids %%s to %%s: %%s rows, %%s wrong', %d, %d, count(*),
        count(*) filter (where id & 7 <> dbid or id <> userid)) from generate_series(%d, %d) id,
        query_pk(id %% %d);\n" "$first" $((first + CALLS / 5 - 1)) "$first" $((first + CALLS / 5 - 1)) "$USERS"
done >"$PLPROXY_RUN/calls.sql"
server_psql proxy -U app -d postgres -Atq -f "$PLPROXY_RUN/calls.sql" 2>&1 | tee "$PLPROXY_RUN/calls.out"
same "every call gave its own row" 5 "$(grep -c ": $((CALLS / 5)) rows, 0 wrong" "$PLPROXY_RUN/calls.out")"
step_end

sql_step "Sums over all partitions" 11-sums.sql
step_end

# ---- pgbench

no_error() { [ "$1" -gt 0 ] && ! grep -qE 'aborted|ERROR' "$2"; }

# One call for some seconds. Adds the transactions that pgbench counted to `logins` when the call writes a login.
logins=300
bench() {
    local call=$1 writes=$2 log=$PLPROXY_RUN/bench-$1.out most=$((USERS - 1)) done_now
    [ "$call" != query_smalltbl ] || most=$((SMALL - 1))
    step "pgbench: $call, $CLIENTS clients, $SECONDS_EACH s"
    printf '\\set id random(0, %s)\nselect %s(:id);\n' "$most" "$call" >"$PLPROXY_RUN/bench.sql"
    server_tool proxy pgbench -U app -M prepared -n -P 1 -c "$CLIENTS" -j 2 -T "$SECONDS_EACH" \
        -f "$PLPROXY_RUN/bench.sql" postgres 2>&1 | tee "$log" \
        | grep --line-buffered -E '^(progress|latency average|tps|number of (transactions|failed)|pgbench: error)' | indent || true
    done_now=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$log")
    [ "$writes" = no ] || logins=$((logins + ${done_now:-0}))
    check_that "no call failed" no_error "${done_now:-0}" "$log"
    grep -E 'aborted|ERROR' "$log" | head -n 5 | indent || true
    step_end
}

bench query_pk no
bench insert_log yes
bench query_insert yes
bench update_pk no
bench query_update_insert yes
bench query_smalltbl no

step "Do the totals still agree?"
check "as many login rows as calls that wrote one: $logins" \
    "select sum(n) = $logins from dy('select count(*) from shop.login_log') as (n bigint)"
check "every login row on its user's partition" "select count(*) = $logins and bool_and(userid & 7 = partition and dbid = partition)
    from dy('select current_setting(''application_name'')::int, dbid, userid from shop.login_log')
    as (partition int, dbid int, userid int)"
check "still $USERS users and sessions" "select sum(u) = $USERS and sum(s) = $USERS from
    dy('select (select count(*) from shop.userinfo), (select count(*) from shop.session)') as (u bigint, s bigint)"
step_end

finish proxy:postgres node_a:db0 node_b:db4
