#!/usr/bin/env bash
# One of four partitions moves to another server while clients write, and none of them sees an error: copied and followed,
# paused, repointed, resumed. The README tells the story. Prints the SQL and what came of it, checks the data, and exits non-zero
# when a check fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) USERS=1000000 RATE=300 SAMPLE=1020 ;;
    small) USERS=20000 RATE=150 SAMPLE=60 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac

step "A proxy, and a server with four partitions, and another one that is empty"
begin
servers proxy -- --set "shared_preload_libraries = 'plproxy'"
servers old new -- --set 'wal_level = logical'
shop_role old
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
sql new <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
create database shop2;
SQL
tell "pg_dump --schema-only -h old shop2 | psql -h new shop2"
server_tool old pg_dump --schema-only shop2 | server_psql new -q -d shop2 >/dev/null
sql old -d shop2 <<'SQL'
create publication move for all tables;
SQL
FOLLOWED="host=127.0.0.1 port=$(server_port old) user=postgres dbname=shop2 password=$(cat "$PLPROXY_RUN/password")"
export FOLLOWED
# What it has is on disk at once, so that nobody waits for that later.
sql new -d shop2 <<'SQL'
\set followed `printf %s "$FOLLOWED"`
create subscription move connection :'followed' publication move with (synchronous_commit = on);
SQL
copied() { [ "$(ask new "select bool_and(srsubstate = 'r') from pg_subscription_rel" -d shop2)" = t ]; }
until_so 600 "the first copy" copied
sql new -d shop2 <<'SQL'
select srrelid::regclass, srsubstate from pg_subscription_rel;
SQL
sum_of() { ask "$1" "select count(*), sum(hashtextextended(name || info, 0)) from users where name ~ '^user'" -d shop2; }
there=$(sum_of old) here=$(sum_of new)
same "count and checksum of what was loaded are the same on both servers: $here" "$there" "$here"
step_end

# caught_up LSN: waits until the new server has all that the old one had written by then.
caught_up() {
    ask_until old "(select confirmed_flush_lsn >= '$1' from pg_replication_slots where slot_name = 'move')"
}

step "Catch up once before, so that little is left for the pause"
caught_up "$(ask old 'select pg_current_wal_lsn()')"
step_end

name_elsewhere=$(ask proxy "select name from (select 'visitor ' || i as name from generate_series(1, 100) i) x
    where hashtext(name) & 3 = 1 limit 1")

step "Pause, wait for the rest, repoint, look, resume"
paused=$(now)
sql proxy <<'SQL'
select plproxy_pause('shop', 2);
SQL
same "calls to the other three go on" old:shop1 "$(ask proxy "select put_user('$name_elsewhere')")"
lsn=$(ask old 'select pg_current_wal_lsn()')
tell "wait until the subscription has confirmed $lsn, which the old server has come to by now"
caught_up "$lsn"
sql proxy <<SQL
alter server shop options (set p2 '$(at new shop2)');
select function, partition, problem from plproxy_check_functions('shop') where not ok;
SQL
held
sql proxy <<SQL
select plproxy_resume('shop', 2);
SQL
paused=$(seconds_since "$paused")
paused_to=$(ask proxy 'select clock_timestamp()')
tell "partition 2 was paused for $paused"
clients_write 5 "answered_by = 'new:shop2'"
sql proxy <<SQL
select partition, port, dbname, ok from plproxy_check_cluster('shop');
select home, n from sum_users();
SQL
check "partition 2 is the new server's" "select count(*) filter (where home = 'new:shop2') = 1
    and count(*) filter (where home ~ '^old:shop[013]\$') = 3 and count(*) = 4 from sum_users()"
check "its functions are all there" "select bool_and(ok) from plproxy_check_functions('shop')"
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
# A session of the proxy closes the connection that nothing stands for any more at its next call.
until_so 120 "the end of the sessions on the old database" no_sessions
sql old <<'SQL'
alter database shop2 allow_connections false;
alter database shop2 rename to shop2_moved;
SQL
clients_write 50
step_end

step "What the clients were told, and what is there"
clients_stop
sql proxy <<'SQL'
select code, count(*), min(message) as message from told group by code order by code;
SQL
check "no user was lost, none doubled" "select count(*) filter (where name ~ '^user') = $USERS
    and count(*) = count(distinct name) from all_users()"
check "every acknowledged write is there, and no other" "select count(*) = 0 from
    (select name from told where code = '00000') told full join
    (select name from all_users() where name ~ '^client') there using (name)
    where told.name is null or there.name is null"
# Of all four partitions, some thousand.
check "users are found where the proxy looks for them" "select count(*) > 0 and bool_and(there.info = found.info)
    from all_users() there left join lateral get_user(there.name) found on true where hashtext(there.name) & $SAMPLE = 0"
check "no client has seen an error" "select count(*) = 0 from told where code <> '00000'"
check "the old partition has answered nobody who came after the pause" "select count(*) = 0 from told
    where answered_by = 'old:shop2' and began > '$paused_to'"
sql proxy <<'SQL'
select count(*) as calls, round(1000 * extract(epoch from max(ended - began))) as longest_ms,
    round(1000 * extract(epoch from percentile_disc(0.5) within group (order by ended - began)), 1) as median_ms from told;
SQL
check "none has waited for long" "select max(ended - began) < interval '30 s' from told"
check "the clients wrote to all four, before and after" "select count(distinct answered_by) = 5 from told where code = '00000'"
step_end

finish proxy:postgres old:shop0 new:shop2
