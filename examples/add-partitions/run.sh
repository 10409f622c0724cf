#!/usr/bin/env bash
# Twice as many partitions, while clients write: first every new entry of the cluster points to the database that has its keys
# already, then one pair after the other is paused and split. No client sees an error. The README tells the story. Prints the SQL
# and what came of it, checks the data, and exits non-zero when a check fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) N=16 USERS=1000000 RATE=300 SAMPLE=8160 ;;
    small) N=4 USERS=20000 RATE=150 SAMPLE=248 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
TWICE=$((2 * N))
[ "$PGMAJOR" -ge 15 ] || leave_out "publications of some rows only are there from 15 on"

step "A proxy, a server with $N partitions, and another one that is empty"
begin
servers proxy -- --set "shared_preload_libraries = 'plproxy'"
servers old new -- --max-connections 200 --set 'wal_level = logical' --set "max_replication_slots = 60" \
    --set 'max_wal_senders = 60' --set 'max_logical_replication_workers = 60' --set 'max_worker_processes = 70' \
    --set 'wal_receiver_status_interval = 1s'
shop_role old new
shop_partitions old $N
old_entries=()
for ((n = 0; n < N; n++)); do old_entries+=("p$n '$(at old shop$n)'"); done
shop_cluster "${old_entries[@]}"
step_end

step "$USERS users, and clients that add more all the time"
shop_loaded $USERS
clients_start $RATE
tell "the clients are writing"
step_end

# Where a thousand keys go.
homes() {
    ask proxy "select md5(string_agg(dbname || '@' || port, ' ' order by i)) from generate_series(1, 1000) i,
        plproxy_route('get_user(text)', 'user ' || i)"
}

step "$TWICE entries for $N databases: entry n + $N is the same connection string as entry n"
before=$(homes)
new_entries=()
for ((n = 0; n < N; n++)); do new_entries+=("add p$((n + N)) '$(at old shop$n)'"); done
sql proxy <<SQL
alter server shop options ($(lines "${new_entries[@]}"));
select count(*) as answers, sum(n) as users from sum_users();
SQL
same "no key goes anywhere else than before" "$before" "$(homes)"
check "equal connection strings are one connection: RUN ON ALL runs once in each database" \
    "select count(*) = $N and count(distinct home) = $N from sum_users()"
settled proxy
step_end

step "On the new server, a database for each new partition, which follows the rows that will be its own"
# follow M: shopM on the new server becomes a copy of those rows of shopN that hash to M, and stays one.
follow() {
    local m=$1 n=$(($1 - N)) show=${2:-sql}
    FOLLOWED="host=127.0.0.1 port=$(server_port old) user=postgres dbname=shop$n password=$(cat "$PLPROXY_RUN/password")"
    export FOLLOWED
    "$show" new <<SQL
create database shop$m;
SQL
    server_tool old pg_dump --schema-only "shop$n" | server_psql new -q -d "shop$m" >/dev/null
    "$show" old -d "shop$n" <<SQL
create publication to_shop$m for table users where (hashtext(name) & $((TWICE - 1)) = $m);
SQL
    "$show" new -d "shop$m" <<SQL
\set followed \`printf %s "\$FOLLOWED"\`
create subscription to_shop$m connection :'followed' publication to_shop$m
    with (synchronous_commit = on);
SQL
}
tell "pg_dump --schema-only -h old shop0 | psql -h new shop$N"
follow $N
tell "... and so on, up to shop$((TWICE - 1))"
for ((m = N + 1; m < TWICE; m++)); do follow $m quietly_sql; done
copied() { [ "$(ask new "select bool_and(srsubstate = 'r') from pg_subscription_rel" -d "shop$1")" = t ]; }
for ((m = N; m < TWICE; m++)); do until_so 300 "the first copy of shop$m" copied $m; done
sql new -d "shop$N" <<'SQL'
select srrelid::regclass, srsubstate from pg_subscription_rel;
select count(*) from users;
SQL
step_end

sum_there() { ask "$1" "select count(*), sum(hashtextextended(name || info, 0)) from users
    where hashtext(name) & $((TWICE - 1)) = $3 and name ~ '^user'" -d "$2"; }
# caught_up M LSN: waits until shopM has all that the old server had written by then.
caught_up() {
    ask_until old "(select confirmed_flush_lsn >= '$2' from pg_replication_slots where slot_name = 'to_shop$1')"
}

# split N SHOW: the second half of shopN is from now on shopM of the new server.
longest=0
split() {
    local n=$1 m=$(($1 + N)) show=$2 paused lsn there here us
    there=$(sum_there old shop$n $m) here=$(sum_there new shop$m $m)
    same "the rows of partition $m that were loaded, count and checksum, are the same on both servers: $here" "$there" "$here"
    # Once before, so that little is left for the pause.
    caught_up $m "$(ask old 'select pg_current_wal_lsn()')"
    paused=$(now)
    # Equal connection strings are one partition: with it partition $n is paused, too.
    "$show" proxy <<SQL
select plproxy_pause('shop', $m);
SQL
    lsn=$(ask old 'select pg_current_wal_lsn()')
    tell "wait until the subscription to_shop$m has confirmed $lsn, which the old server has come to by now"
    caught_up $m "$lsn"
    "$show" proxy <<SQL
alter server shop options (set p$m '$(at new shop$m)');
SQL
    held
    "$show" proxy <<SQL
select plproxy_resume('shop', $m);
SQL
    us=$(($(now) - paused))
    [ "$us" -le "$longest" ] || longest=$us
    # The subscription first: it would follow the deletion.
    "$show" new -d "shop$m" <<SQL
drop subscription to_shop$m;
SQL
    "$show" old -d "shop$n" <<SQL
drop publication to_shop$m;
delete from users where hashtext(name) & $((TWICE - 1)) = $m;
SQL
    tell "partitions $n and $m were paused for $((us / 1000)) ms"
}
step "One pair: compare, pause, catch up, repoint, resume, delete what has moved"
split 0 sql
sql proxy <<SQL
select home, n from sum_users();
SQL
check "all users are there once" "select count(*) filter (where name ~ '^user') = $USERS and count(*) = count(distinct name)
    from all_users()"
step_end

step "And the other pairs"
for ((n = 1; n < N; n++)); do split $n quietly_sql; done
step_end

step "What the clients were told, and what is there"
clients_write 100
clients_stop
sql proxy <<'SQL'
select home, n from sum_users();
select code, count(*), min(message) as message from told group by code order by code;
SQL
check "no user was lost, none doubled" "select count(*) filter (where name ~ '^user') = $USERS
    and count(*) = count(distinct name) from all_users()"
check "every acknowledged write is there, and no other" "select count(*) = 0 from
    (select name from told where code = '00000') told full join
    (select name from all_users() where name ~ '^client') there using (name)
    where told.name is null or there.name is null"
# Of all partitions, some hundred or thousand.
check "users are found where the proxy looks for them, each on the partition that its hash names" "select count(*) > 0
    and bool_and(there.info = found.info) and bool_and(found.home = case when hashtext(there.name) & $N = 0 then 'old' else 'new' end
        || ':shop' || (hashtext(there.name) & $((TWICE - 1))))
    from all_users() there left join lateral get_user(there.name) found on true
    where hashtext(there.name) & $SAMPLE = 0"
check "no client has seen an error" "select count(*) = 0 from told where code <> '00000'"
check "none has waited for long" "select max(ended - began) < interval '30 s' from told"
check "every partition has rows" "select count(*) = $TWICE and min(n) > 0 from sum_users()"
tell "the longest pause of a pair: $((longest / 1000)) ms, the longest call: \
$(ask proxy "select round(1000 * extract(epoch from max(ended - began))) from told") ms"
step_end

finish proxy:postgres old:shop0 new:shop$N
