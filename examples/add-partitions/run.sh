#!/usr/bin/env bash
# Twice as many partitions, while clients write: first every new entry of the cluster points to the database that has its keys
# already, then one pair after the other is paused and split. No client sees an error. The README tells the story. Prints the SQL
# and what came of it, checks the data, and exits non-zero when a check fails.
#
#   PROXIES=2   two proxies, with clients of their own

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) N=16 USERS=1000000 RATE=300 SAMPLE=8160 ;;
    small) N=4 USERS=20000 RATE=150 SAMPLE=248 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
TWICE=$((2 * N))
several_proxies
[ "$PGMAJOR" -ge 15 ] || leave_out "publications of some rows only are there from 15 on"

step "The proxy or proxies, a server with $N partitions, and another one that is empty"
begin
servers "${proxies[@]}" -- --set "shared_preload_libraries = 'plproxy'"
many=(--max-connections 300 --set "max_replication_slots = 60" --set 'max_wal_senders = 60'
    --set 'max_logical_replication_workers = 60' --set 'max_worker_processes = 70' --set 'wal_receiver_status_interval = 1s')
servers old -- "${many[@]}" --set 'wal_level = logical' "${ASYNCHRONOUS[@]}"
servers new -- "${many[@]}"
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

# Where a thousand keys go, by each proxy.
homes() {
    local proxy
    for proxy in "${proxies[@]}"; do homes_by "$proxy"; done
}
homes_by() {
    ask "$1" "select md5(string_agg(dbname || '@' || port, ' ' order by i)) from generate_series(1, 1000) i,
        plproxy_route('get_user(text)', 'user ' || i)"
}

step "$TWICE entries for $N databases: entry n + $N is the same connection string as entry n"
before=$(homes)
new_entries=()
for ((n = 0; n < N; n++)); do new_entries+=("add p$((n + N)) '$(at old shop$n)'"); done
on_proxies sql <<SQL
alter server shop options ($(lines "${new_entries[@]}"));
select count(*) as answers, sum(n) as users from sum_users();
SQL
same "no key goes anywhere else than before" "$before" "$(homes)"
check "equal connection strings are one connection: RUN ON ALL runs once in each database" \
    "select count(*) = $N and count(distinct home) = $N from sum_users()"
settled
step_end

step "On the new server, a database for each new partition, which follows the rows that will be its own"
# Those rows of shopN that hash to M.
half() { follow "$1" "to_shop$2" "shop$(($2 - N))" "shop$2" "table users where (hashtext(name) & $((TWICE - 1)) = $2)"; }
half sql $N
tell "... and so on, up to shop$((TWICE - 1))"
for ((m = N + 1; m < TWICE; m++)); do half quietly_sql $m; done
for ((m = N; m < TWICE; m++)); do until_so 300 "the first copy of shop$m" copied shop$m; done
sql new -d "shop$N" <<'SQL'
select srrelid::regclass, srsubstate from pg_subscription_rel;
select count(*) from users;
SQL
step_end

# sum_there SERVER DATABASE M PREFIX: of the users of partition M whose names begin so.
sum_there() { ask "$1" "select count(*), sum(hashtextextended(name || info, 0)) from users
    where hashtext(name) & $((TWICE - 1)) = $3 and name ~ '^$4'" -d "$2"; }

step "Something in the way of the pause: nothing happens"
report_refuses $N
step_end

# split N SHOW: the second half of shopN is from now on shopM of the new server.
longest=0 written=0
split() {
    local n=$1 m=$(($1 + N)) show=$2 there here
    there=$(sum_there old shop$n $m user) here=$(sum_there new shop$m $m user)
    same "the rows of partition $m that were loaded, count and checksum, are the same on both servers: $here" "$there" "$here"
    # Once before, so that little is left for the pause.
    follower_has to_shop$m
    # Equal connection strings are one partition: with it partition $n is paused, too.
    pause_shop "$show" $m
    follower_has to_shop$m
    there=$(sum_there old shop$n $m client) here=$(sum_there new shop$m $m client)
    same "what the clients have written is on both servers: $here" "$there" "$here"
    written=$((written + ${here%% *}))
    on_proxies "$show" <<SQL
alter server shop options (set p$m '$(at new shop$m)');
SQL
    held
    resume_shop "$show" $m
    [ "$paused_us" -le "$longest" ] || longest=$paused_us
    # The subscription first: it would follow the deletion.
    "$show" new -d "shop$m" <<SQL
drop subscription to_shop$m;
SQL
    "$show" old -d "shop$n" <<SQL
drop publication to_shop$m;
delete from users where hashtext(name) & $((TWICE - 1)) = $m;
SQL
    tell "partitions $n and $m were paused for $((paused_us / 1000)) ms"
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
check_that "among what has moved is something that the clients have written: $written" [ "$written" -gt 0 ]
step_end

step "What the clients were told, and what is there"
clients_write 100
clients_stop
shop_kept $USERS
# Of all partitions, some hundred or thousand.
check_each "users are found where the proxy looks for them, each on the partition that its hash names" "select count(*) > 0
    and bool_and(there.info = found.info) and bool_and(found.home = case when hashtext(there.name) & $N = 0 then 'old' else 'new' end
        || ':shop' || (hashtext(there.name) & $((TWICE - 1))))
    from all_users() there left join lateral get_user(there.name) found on true
    where hashtext(there.name) & $SAMPLE = 0"
check "every partition has rows" "select count(*) = $TWICE and min(n) > 0 from sum_users()"
tell "the longest pause of a pair: $((longest / 1000)) ms, the longest call: \
$(ask proxy "select round(1000 * extract(epoch from max(ended - began))) from told") ms"
step_end

finish "${proxies[@]/%/:postgres}" old:shop0 new:shop$N
