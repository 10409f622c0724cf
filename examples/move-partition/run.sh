#!/usr/bin/env bash
# One of four partitions moves to another server while clients write: frozen, copied, repointed, thawed. The README tells the
# story. Prints the SQL and what came of it, checks the data, and exits non-zero when a check fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) USERS=1000000 RATE=300 SAMPLE=1020 ;;
    small) USERS=20000 RATE=150 SAMPLE=60 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac

step "A proxy, and a server with four partitions, and another one that is empty"
begin
servers proxy old new
for n in 0 1 2 3; do server_psql old -q -c "create database shop$n"; done
server_psql old -q <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
SQL
for n in 0 1 2 3; do server_psql old -q -d "shop$n" -f "$ROOT/examples/shop-partition.sql"; done
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server shop foreign data wrapper plproxy options (connect_timeout '5',
    p0 '$(at old shop0)',
    p1 '$(at old shop1)',
    p2 '$(at old shop2)',
    p3 '$(at old shop3)');
create role app login password :'password';
create user mapping for public server shop options (user 'app', password :'password');
grant usage on foreign server shop to app;
SQL
server_psql proxy -q -f "$ROOT/examples/shop-proxy.sql" -f "$ROOT/examples/clients.sql"
step_end

step "$USERS users, and clients that add more all the time"
sql proxy <<SQL
select sum(n) as users from generate_series(0, $USERS - 1, 100000) first, put_users(array(
    select 'user ' || i from generate_series(first, least(first + 100000, $USERS) - 1) i)) n;
select home, n from sum_users();
SQL
check "every user is there once" "select count(*) = $USERS and count(distinct name) = $USERS from all_users()"
clients_start $RATE
tell "the clients are writing"
step_end

step "On the new server: the role and an empty database"
sql new <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
create database shop2;
SQL
step_end

step "Freeze: the proxy's sessions on partition 2 are read-only from now on"
frozen_from=$(ask proxy 'select clock_timestamp()') frozen=$(now)
sql proxy <<SQL
alter server shop options (set p2 '$(at old shop2) options=''-c default_transaction_read_only=on''');
SQL
settled proxy
settled_at=$(ask proxy 'select clock_timestamp()')
# A statement that was sent by the old options has ended now: nothing can change any more in what is copied.
name_there=$(ask proxy "select name from (select 'visitor ' || i as name from generate_series(1, 100) i) x
    where hashtext(name) & 3 = 2 limit 1")
name_elsewhere=$(ask proxy "select name from (select 'visitor ' || i as name from generate_series(1, 100) i) x
    where hashtext(name) & 3 = 1 limit 1")
# What does not work is part of the story.
sql proxy -v ON_ERROR_STOP=0 <<SQL
select put_user('$name_there');
select put_user('$name_elsewhere');
select count(*) from all_users();
SQL
check "a write to the frozen partition is refused in so many words" "$(cat <<SQL
set client_min_messages = error;
do \$\$ begin
    perform put_user('$name_there');
    raise 'no error';
exception when read_only_sql_transaction then
    if sqlerrm !~ '\[shop2\] REMOTE ERROR: cannot execute INSERT in a read-only transaction' then raise; end if;
end \$\$;
select true
SQL
)"
clients_write 20
check "the clients' writes to the other three go on, and none to this one" "select count(*) > 0
    and bool_and(hashtext(name) & 3 <> 2) from told where code = '00000' and began > '$settled_at'"
step_end

step "Copy, and compare"
tell "pg_dump -h old shop2 | psql -h new shop2"
server_tool old pg_dump shop2 | server_psql new -q -d shop2 >/dev/null
sum_of() { ask "$1" 'select n, checksum from sum_users()' -d shop2; }
there=$(sum_of old) here=$(sum_of new)
tell "old: $there" "new: $here"
same "count and checksum of both are equal" "$there" "$here"
step_end

step "Repoint, still frozen: the new server is looked at through the proxy before anyone writes to it"
sql proxy <<SQL
alter server shop options (set p2 '$(at new shop2) options=''-c default_transaction_read_only=on''');
select partition, port, dbname, ok from plproxy_check_cluster('shop');
select function, partition, problem from plproxy_check_functions('shop') where not ok;
select home, n from sum_users();
SQL
check "partition 2 is read from the new server" "select count(*) filter (where home = 'new:shop2') = 1
    and count(*) filter (where home ~ '^old:shop[013]\$') = 3 and count(*) = 4 from sum_users()"
check "its sum is still the one of the old server" \
    "select n || ' ' || checksum = '$there' from sum_users() where home = 'new:shop2'"
check "its functions are all there" "select bool_and(ok) from plproxy_check_functions('shop')"
step_end

step "Thaw"
sql proxy <<SQL
alter server shop options (set p2 '$(at new shop2)');
select put_user('$name_there');
SQL
frozen_to=$(ask proxy 'select clock_timestamp()') frozen=$(seconds_since "$frozen")
settled proxy
clients_write 5 "answered_by = 'new:shop2'"
tell "the clients' writes reach the new server; partition 2 was read-only for $frozen"
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
check "the only errors are refusals by the frozen partition, while it was frozen" "select count(*) > 0 and bool_and(
    code = '25006' and hashtext(name) & 3 = 2 and ended > '$frozen_from' and began < '$frozen_to')
    from told where code <> '00000'"
check "the clients wrote to all four, before and after" "select count(distinct answered_by) = 5 from told where code = '00000'"
step_end

finish proxy:postgres old:shop0 new:shop2
