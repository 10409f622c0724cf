#!/usr/bin/env bash
# Reads on two standbys, writes on their primary, by one proxy; then a standby is stopped, then the primary. The README tells
# the story. Prints the SQL and what came of it, checks it, and exits non-zero when a check fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) CALLS=10000 SESSIONS=20 ;;
    small) CALLS=1000 SESSIONS=8 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac

step "A proxy, a primary and its two standbys"
begin
servers proxy primary -- "${REPLICATED[@]}"
server_psql primary -q <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
create table items (id int primary key, info text);
create function get_item(i_id int, out info text, out answered_by text, out standby boolean) returns setof record language sql as
    $$ select info, current_setting('cluster_name'), pg_is_in_recovery() from items where id = i_id $$;
create function put_item(i_id int, i_info text) returns text language sql as
    $$ insert into items values (i_id, i_info) returning current_setting('cluster_name') $$;
grant select, insert on items to app;
SQL
for standby in near far; do
    standby_start $standby primary "${REPLICATED[@]}"
    printf '    %-9s 127.0.0.1:%s (pg_basebackup --write-recovery-conf)\n' $standby "$(server_port $standby)"
done
until_so 120 "two standbys that stream" standbys_stream primary 2
step_end

step "Two clusters: one for writes, one for reads"
near=$(server_port near) far=$(server_port far) primary=$(server_port primary)
# Each partition of the cluster for reads begins at another standby, and ends at the primary.
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server items foreign data wrapper plproxy options (connect_timeout '2',
    p0 'host=127.0.0.1,127.0.0.1,127.0.0.1 port=$primary,$near,$far dbname=postgres target_session_attrs=read-write');
create server items_read foreign data wrapper plproxy options (connect_timeout '2',
    p0 'host=127.0.0.1,127.0.0.1,127.0.0.1 port=$near,$far,$primary dbname=postgres target_session_attrs=prefer-standby',
    p1 'host=127.0.0.1,127.0.0.1,127.0.0.1 port=$far,$near,$primary dbname=postgres target_session_attrs=prefer-standby');
create user mapping for public server items options (user 'app', password :'password');
create user mapping for public server items_read options (user 'app', password :'password');
create function put_item(i_id int, i_info text) returns text language plproxy as
    \$\$ cluster 'items'; run on 0; \$\$;
create function get_item(i_id int, out info text, out answered_by text, out standby boolean) returns setof record
    language plproxy as \$\$ cluster 'items_read'; run on any; \$\$;
SQL
step_end

# replayed STANDBY: it has everything that the primary has.
replayed() { [ "$(ask "$1" "select pg_last_wal_replay_lsn() >= '$(ask primary 'select pg_current_wal_lsn()')'")" = t ]; }

step "Writes land on the primary, reads on both standbys"
sql proxy <<'SQL'
select put_item(i, 'item ' || i) as written_on, count(*) from generate_series(1, 100) i group by 1;
SQL
for standby in near far; do until_so 120 "the replay on $standby" replayed $standby; done
sql proxy <<SQL
select answered_by, standby, count(*) from generate_series(1, $CALLS) i, get_item(i % 100 + 1) group by 1, 2 order by 1;
SQL
check "a write is answered by the primary" "select put_item(101, 'item 101') = 'primary'"
for standby in near far; do until_so 120 "the replay on $standby" replayed $standby; done
check "every read was answered by a standby, each has had its share, and each answer is right" "select count(*) = $CALLS
    and bool_and(standby) and bool_and(info = 'item ' || (i % 101 + 1)) and count(distinct answered_by) = 2
    and min(n) > $CALLS / 4 from (select i, g.*, count(*) over (partition by answered_by) n
        from generate_series(1, $CALLS) i, get_item(i % 101 + 1) g) x"
step_end

step "One partition, many sessions: load_balance_hosts=random takes a standby for each connection"
sql proxy <<SQL
create server items_spread foreign data wrapper plproxy options (connect_timeout '2',
    p0 'host=127.0.0.1,127.0.0.1,127.0.0.1 port=$primary,$near,$far dbname=postgres target_session_attrs=prefer-standby load_balance_hosts=random');
\set password \`printf %s "\$APP_PASSWORD"\`
create user mapping for public server items_spread options (user 'app', password :'password');
create function get_item_spread(i_id int, out info text, out answered_by text, out standby boolean) returns setof record
    language plproxy as \$\$ cluster 'items_spread'; run on 0; target get_item; \$\$;
SQL
for ((i = 0; i < 4 * SESSIONS; i++)); do ask proxy 'select answered_by, standby from get_item_spread(1)'; done \
    | sort | uniq -c | tee "$PLPROXY_RUN/spread" | indent
same "all of $((4 * SESSIONS)) sessions read from standbys, and both standbys were taken" "2 $((4 * SESSIONS))" \
    "$(awk '$3 == "t" { n += $1; if (!found[$2]++) kinds++ } END { print kinds + 0, n + 0 }' "$PLPROXY_RUN/spread")"
step_end

step "A standby is stopped, between two calls of a session"
cat >"$PLPROXY_RUN/stopped.sql" <<SQL
select 'before', answered_by, count(*) from generate_series(1, $CALLS) i, get_item(i % 100 + 1) group by 2 order by 2;
\! $SCRIPTS/server.sh stop near
select 'after', answered_by, count(*) from generate_series(1, $CALLS) i, get_item(i % 100 + 1) group by 2 order by 2;
\! $SCRIPTS/server.sh stop far
select 'without standbys', answered_by, count(*) from generate_series(1, $CALLS) i, get_item(i % 100 + 1) group by 2 order by 2;
\! $SCRIPTS/server.sh restart near
SQL
indent <"$PLPROXY_RUN/stopped.sql" | sed "s#$SCRIPTS#scripts#"
server_tool proxy psql -XAtq -F ', ' -f "$PLPROXY_RUN/stopped.sql" >"$PLPROXY_RUN/stopped" 2>&1 || true
indent <"$PLPROXY_RUN/stopped"
found() { sed -n "s/^$1, //p" "$PLPROXY_RUN/stopped" | awk -F', ' -v all="$CALLS" \
    '{ n += $2; by = by $1 " " } END { print (n == all ? "all" : n) " " by }'; }
same "both answered before" "all far near " "$(found before)"
same "after it the other one answers all calls" "all far " "$(found after)"
same "and the primary, when there is no standby" "all primary " "$(found 'without standbys')"
same "no call has failed" 0 "$(grep -cE 'ERROR|FATAL|WARNING' "$PLPROXY_RUN/stopped" || true)"
step_end

step "The primary is stopped: reads go on, writes say why they do not"
tell "standby near is back"
until_so 120 "the standby's return" said t ask near 'select pg_is_in_recovery()'
server_stop primary
sql proxy -v ON_ERROR_STOP=0 <<'SQL'
select answered_by, count(*) from generate_series(1, 100) i, get_item(i) group by 1;
select put_item(102, 'item 102');
SQL
check "100 reads are answered, by the standby" \
    "select count(*) = 100 and bool_and(answered_by = 'near') from generate_series(1, 100) i, get_item(i)"
same "a write fails, as no host is what it needs" 1 "$(ask proxy "select put_item(102, 'item 102')" 2>&1 \
    | grep -c 'session is read-only')"
step_end

finish proxy:postgres near:postgres
