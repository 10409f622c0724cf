#!/usr/bin/env bash
# Joins over a cluster's partitions by foreign tables, made from the cluster's own options, beside functions of the cluster that
# answer the same. The README tells the story. Prints the SQL and what came of it, checks it, and exits non-zero when a check
# fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# The clusters' partitions are taken by (userid & 7).
N=8
case ${SCALE:-full} in
    full) USERS=200000 ORDERS=1000000 ;;
    small) USERS=8000 ORDERS=40000 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac

step "A proxy, and $N partitions on two servers"
begin
servers proxy one two -- --set 'max_connections = 100'
for server in one two; do
    server_psql $server -q <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
SQL
done
entries=()
for ((n = 0; n < N; n++)); do
    server=one; [ $((n % 2)) = 0 ] || server=two
    server_psql $server -q -c "create database shop$n"
    server_psql $server -q -d "shop$n" -f "$ROOT/examples/joins/partition.sql"
    entries+=("p$n '$(at $server shop$n)'")
done
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server shop foreign data wrapper plproxy options ($(lines "${entries[@]}"));
create user mapping for public server shop options (user 'app', password :'password');
SQL
sql proxy -f "$ROOT/examples/joins/proxy.sql" <<SQL
select sum(n) as users from put_users(array(select generate_series(1, $USERS))) n;
select sum(n) as orders from put_orders(array(select 1 + i % $USERS from generate_series(1, $ORDERS) i)) n;
SQL
step_end

step "A foreign server and its user mapping for each partition, from the options of the cluster"
# What makes them, as text, has the password in it: it is run, and not shown.
sql proxy <<'SQL'
create extension postgres_fdw;
SQL
indent <"$ROOT/examples/joins/servers.sql"
server_psql proxy -q -f "$ROOT/examples/joins/servers.sql"
sql proxy <<'SQL'
select srvname, srvoptions from pg_foreign_server where srvname like 'shop\_%' order by 1;
SQL
check "each partition has its server, which is at the same place" "select count(*) = $N from pg_foreign_server s
    where srvname ~ '^shop_[0-7]\$' and (select string_agg(o, ' ' order by o) from unnest(srvoptions) o
        where o ~ '^(host|port|dbname)=') = (select string_agg(o, ' ' order by o) from pg_foreign_server c, unnest(c.srvoptions) p,
        regexp_split_to_table(regexp_replace(p, '^p[0-9]+=', ''), ' +') o
        where c.srvname = 'shop' and p like 'p' || substr(s.srvname, 6) || '=%')"
step_end

step "Tables that are partitioned as the cluster is: by list, over (userid & 7)"
sql proxy -f "$ROOT/examples/joins/tables.sql" </dev/null
sql proxy -c 'analyze users, orders' </dev/null
check "they have every row" "select (select count(*) from users) = $USERS and (select count(*) from orders) = $ORDERS"
check "and each where the cluster has it" "select count(*) = 0 from users u where not exists
    (select from get_user(u.userid) g where g.name = u.name and g.home = 'shop' || (u.userid & 7)) and u.userid <= 1000"
step_end

# plan SQL: how it is run.
plan() { server_psql proxy -Atq -c "$1" | tee "$PLPROXY_RUN/plan" | indent; }
scans() { grep -c 'Foreign Scan' "$PLPROXY_RUN/plan" || true; }

step "Pruning: a key says its partition by the same expression"
tell "explain (costs off, verbose) select name from users where userid = 5 and (userid & 7) = (5 & 7);"
plan "explain (costs off, verbose) select name from users where userid = 5 and (userid & 7) = (5 & 7)"
same "one partition is asked" 1 "$(scans)"
tell '' "explain (costs off) select name from users where userid = 5;"
plan "explain (costs off) select name from users where userid = 5"
same "without it all are" $N "$(scans)"
step_end

JOIN="select u.name, o.amount from users u join orders o on o.userid = u.userid and (o.userid & 7) = (u.userid & 7)
    where o.amount > 999.5"
step "A join of two such tables: partition by partition, each on its server"
sql proxy <<'SQL'
alter database postgres set enable_partitionwise_join = on;
alter database postgres set enable_partitionwise_aggregate = on;
SQL
tell "explain (costs off, verbose) $JOIN;"
plan "explain (costs off, verbose) $JOIN"
same "the partitions join" "$N $N" "$(scans) $(grep -c 'Remote SQL: SELECT .* INNER JOIN' "$PLPROXY_RUN/plan" || true)"
check "the result is that of a function of the cluster" "select count(*) > 0 and
    (select md5(string_agg(concat_ws(' ', name, amount), ',' order by name, amount)) from ($JOIN) j)
    = md5(string_agg(concat_ws(' ', name, amount), ',' order by name, amount)) from large_orders(999.5)"
step_end

GROUPED="select (userid & 7) as part, count(*) as n, sum(amount) as amount from orders group by (userid & 7)"
step "An aggregate: computed on the partitions where it groups by the partitions' key"
tell "explain (costs off, verbose) $GROUPED;"
plan "explain (costs off, verbose) $GROUPED"
same "the partitions count and add" "$N" "$(grep -c 'Remote SQL: SELECT .*count(\*).*GROUP BY' "$PLPROXY_RUN/plan" || true)"
check "the result is that of a function of the cluster" "select count(*) = $N and
    (select string_agg(concat_ws(' ', part, n, amount), ',' order by part) from ($GROUPED) g)
    = string_agg(concat_ws(' ', part, n, amount), ',' order by part) from sums()"
step_end

step "What it costs"
cat >"$PLPROXY_RUN/costs.sql" <<'SQL'
\set ECHO none
create temp table cost (n serial, what text, by_foreign_tables interval, by_functions interval);
create function pg_temp.took(query text) returns interval language plpgsql as $$
declare
    began timestamptz;
    took interval;
    best interval;
begin
    for i in 1 .. 4 loop
        began := clock_timestamp();
        execute query;
        took := clock_timestamp() - began;
        -- the first is that of the connections
        if i > 1 then best := least(best, took); end if;
    end loop;
    return best;
end $$;
SQL
cost() { # what, by foreign tables, by functions
    printf "insert into cost (what, by_foreign_tables, by_functions) values ('%s', pg_temp.took(%s), pg_temp.took(%s));\n" "$1" \
        "\$q\$$2\$q\$" "\$q\$$3\$q\$" >>"$PLPROXY_RUN/costs.sql"
}
cost 'one row by its key, 1,000 times' \
    'do $d$ begin for i in 1..1000 loop perform name from users where userid = i and (userid & 7) = (i & 7); end loop; end $d$' \
    'do $d$ begin for i in 1..1000 loop perform name from get_user(i); end loop; end $d$'
cost 'the join' "$JOIN" 'select * from large_orders(999.5)'
cost 'sums by partition' "$GROUPED" 'select * from sums()'
cost 'the sum of all' 'select count(*), sum(amount) from orders' 'select sum(n), sum(amount) from sums()'
cost 'all rows of orders' 'select sum(orderid), sum(userid), max(amount) from (select * from orders offset 0) o' \
    'select sum(orderid), sum(userid), max(amount) from all_orders() o'
cat >>"$PLPROXY_RUN/costs.sql" <<'SQL'
select what, to_char(extract(epoch from by_foreign_tables) * 1000, 'FM999G990D0') as "foreign tables, ms",
    to_char(extract(epoch from by_functions) * 1000, 'FM999G990D0') as "functions, ms" from cost order by n;
SQL
server_psql proxy -q -P footer=off -f "$PLPROXY_RUN/costs.sql" | tee "$PLPROXY_RUN/costs" | indent
same "each was measured in both ways" 5 "$(grep -cE '\| +[0-9,.]+ +\| +[0-9,.]+' "$PLPROXY_RUN/costs" || true)"
step_end

finish proxy:postgres one:shop0
