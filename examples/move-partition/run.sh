#!/usr/bin/env bash
# One of four partitions moves to another server while clients write, and none of them sees an error: copied and followed,
# paused, repointed, resumed. The README tells the story. Prints the SQL and what came of it, checks the data, and exits non-zero
# when a check fails.
#
#   PROXIES=2   two proxies, with clients of their own

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) USERS=1000000 RATE=300 SAMPLE=1020 ;;
    small) USERS=20000 RATE=150 SAMPLE=60 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
several_proxies

step "The proxy or proxies, and a server with four partitions, and another one that is empty"
begin
servers "${proxies[@]}" -- --set "shared_preload_libraries = 'plproxy'"
servers old -- --set 'wal_level = logical' "${ASYNCHRONOUS[@]}"
servers new
shop_role old new
shop_partitions old 4
shop_cluster "connect_timeout '5'" "p0 '$(at old shop0)'" "p1 '$(at old shop1)'" "p2 '$(at old shop2)'" "p3 '$(at old shop3)'"
step_end

step "$USERS users, and clients that add more all the time"
shop_loaded $USERS
sql proxy <<SQL
select home, n from sum_users();
SQL
clients_start $RATE
tell "the clients are writing"
step_end

step "On the new server: a copy of the database that follows it"
follow sql move shop2 shop2 'all tables'
until_so 600 "the first copy" copied shop2
sql new -d shop2 <<'SQL'
select srrelid::regclass, srsubstate from pg_subscription_rel;
SQL
# sum_of SERVER PREFIX: of the users whose names begin so.
sum_of() { ask "$1" "select count(*), sum(hashtextextended(name || info, 0)) from users where name ~ '^$2'" -d shop2; }
there=$(sum_of old user) here=$(sum_of new user)
same "count and checksum of what was loaded are the same on both servers: $here" "$there" "$here"
step_end

step "Something in the way of the pause: nothing happens"
report_refuses 2
step_end

step "Catch up once before, so that little is left for the pause"
follower_has move
step_end

name_elsewhere=$(ask proxy "select name from (select 'visitor ' || i as name from generate_series(1, 100) i) x
    where hashtext(name) & 3 = 1 limit 1")

step "Pause, wait for the rest, repoint, look, resume"
pause_shop sql 2
same "calls to the other three go on" old:shop1 "$(ask proxy "select put_user('$name_elsewhere')")"
follower_has move
there=$(sum_of old client) here=$(sum_of new client)
same "what the clients have written is on both servers: $here" "$there" "$here"
on_proxies sql <<SQL
alter server shop options (set p2 '$(at new shop2)');
select function, partition, problem from plproxy_check_functions('shop') where not ok;
select cluster, partition from plproxy_paused;
SQL
held
resume_shop sql 2
paused_to=$(ask proxy 'select clock_timestamp()')
tell "partition 2 was paused for $((paused_us / 1000)) ms"
clients_write 5 "answered_by = 'new:shop2'"
on_proxies sql <<SQL
select partition, port, dbname, ok from plproxy_check_cluster('shop');
SQL
check_each "partition 2 is the new server's" "select count(*) filter (where home = 'new:shop2') = 1
    and count(*) filter (where home ~ '^old:shop[013]\$') = 3 and count(*) = 4 from sum_users()"
check_each "its functions are all there" "select bool_and(ok) from plproxy_check_functions('shop')"
step_end

step "Nothing is left to follow"
sql new -d shop2 <<'SQL'
drop subscription move;
SQL
sql old -d shop2 <<'SQL'
drop publication move;
SQL
step_end

step "The old database: nobody is there, so that it can be put away"
no_sessions() { [ "$(ask old "select count(*) from pg_stat_activity where datname = 'shop2'")" = 0 ]; }
# A session of a proxy closes the connection that nothing stands for any more at its next call.
until_so 120 "the end of the sessions on the old database" no_sessions
sql old <<'SQL'
alter database shop2 allow_connections false;
alter database shop2 rename to shop2_moved;
SQL
clients_write 50
step_end

step "What the clients were told, and what is there"
clients_stop
shop_kept $USERS
# Of all four partitions, some thousand.
check_each "users are found where the proxy looks for them" "select count(*) > 0 and bool_and(there.info = found.info)
    from all_users() there left join lateral get_user(there.name) found on true where hashtext(there.name) & $SAMPLE = 0"
check "the old partition has answered nobody who came after the pause" "select count(*) = 0 from told
    where answered_by = 'old:shop2' and began > '$paused_to'"
check "the clients wrote to all four, before and after" "select count(*) = ${#proxies[@]} and bool_and(places = 5) from
    (select count(distinct answered_by) as places from told where code = '00000' group by proxy) p"
step_end

finish "${proxies[@]/%/:postgres}" old:shop0 new:shop2
