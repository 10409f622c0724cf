#!/usr/bin/env bash
# Money that moves between two partitions, on both or on neither: transaction_mode 'two_phase'. A partition is lost between the
# phases, and a session of the proxy, and the recovery ends what they leave. The README tells the story. Prints the SQL and what came
# of it, checks it, and exits non-zero when a check fails.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) ACCOUNTS=1000 TRANSFERS=2000 ;;
    small) ACCOUNTS=100 TRANSFERS=100 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
SUM=$((ACCOUNTS * 100))

step "A proxy, and a partition on each of two servers"
begin
servers north south -- --set 'max_prepared_transactions = 50'
servers proxy -- --set "shared_preload_libraries = 'plproxy'" --set "plproxy.recovery_databases = 'postgres'" \
    --set "plproxy.recovery_interval = '2s'"
for server in north south; do
    server_psql $server -q <<'SQL'
\set password `printf %s "$APP_PASSWORD"`
create role app login password :'password';
create database bank;
SQL
    server_psql $server -q -d bank -f "$ROOT/examples/transfer/partition.sql"
done
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server bank foreign data wrapper plproxy options (p0 '$(at north bank)', p1 '$(at south bank)');
create user mapping for public server bank options (user 'app', password :'password');
SQL
sql proxy -f "$ROOT/examples/transfer/proxy.sql" </dev/null
sql proxy <<SQL
select count(open_account(i, 100)) from generate_series(0, $((ACCOUNTS - 1))) i;
SQL
check "the sum is $SUM" "select sum(t) = $SUM from total() t"
step_end

# balances: of the accounts 2, on north, and 3, on south
balances() { echo "$(ask north 'select balance from accounts where id = 2' -d bank) $(ask south 'select balance from accounts where id = 3' -d bank)"; }
prepared() { echo "$(ask north 'select count(*) from pg_prepared_xacts') $(ask south 'select count(*) from pg_prepared_xacts')"; }

step "By default each call commits by itself: an error in the middle, and money is gone"
sql proxy <<'SQL'
\set ON_ERROR_STOP off
begin;
select move(2, -10);
select move(999999, 10);
rollback;
SQL
same "account 2 has paid, and nobody was paid" '90 100' "$(balances)"
sql proxy <<'SQL'
select move(2, 10);
SQL
step_end

step "With transaction_mode 'two_phase' the calls are part of the transaction"
sql proxy <<'SQL'
alter server bank options (add transaction_mode 'two_phase');
SQL
sql proxy <<'SQL'
\set ON_ERROR_STOP off
begin;
select move(2, -10);
select move(999999, 10);
rollback;
SQL
same "what was paid is rolled back" '100 100' "$(balances)"
sql proxy <<'SQL'
begin;
select transfer(2, 3, 10);
select cluster, partition, in_transaction from plproxy_get_connections() order by partition;
commit;
SQL
same "both have it" '90 110' "$(balances)"
sql proxy <<'SQL'
begin;
select transfer(2, 3, 5);
savepoint s;
select transfer(2, 3, 50);
rollback to s;
commit;
SQL
same "a savepoint here is one there" '85 115' "$(balances)"
step_end

step "Many sessions at once"
cat >"$PLPROXY_RUN/transfers.sql" <<SQL
\\set source random(0, $((ACCOUNTS - 1)))
\\set other random(1, $((ACCOUNTS - 1)))
select transfer(:source, (:source + :other) % $ACCOUNTS, 1);
SQL
PGHOST=127.0.0.1 PGPORT=$(server_port proxy) "$(tree_bin "$PLPROXY_TREE")/pgbench" -U postgres -n -c 4 -t $((TRANSFERS / 4)) \
    -f "$PLPROXY_RUN/transfers.sql" postgres 2>&1 | grep -E 'tps|actually processed|failed' | indent
check "the sum is the same" "select sum(t) = $SUM from total() t"
check "and each transfer is in the local table" "select count(*) = $TRANSFERS + 2 from transfers"
step_end

step "A partition is lost between the phases"
tell "south is stopped when both have prepared, and before it is told to commit"
sql proxy <<'SQL'
alter system set synchronous_standby_names = 'nobody';
select pg_reload_conf();
SQL
was=$(balances)
server_psql proxy -q -c 'select transfer(2, 3, 1)' >"$PLPROXY_RUN/lost.out" 2>&1 &
client=$!
until_so 60 "the decision" said 1 ask proxy "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
same "each has prepared" '1 1' "$(prepared)"
server_kill south
sql proxy <<'SQL'
alter system reset synchronous_standby_names;
select pg_reload_conf();
SQL
wait $client || true
indent <"$PLPROXY_RUN/lost.out"
check_that "the commit stands, and a warning names what is missing" grep -q 'WARNING: .*could not be committed' "$PLPROXY_RUN/lost.out"
server_launch south same
settled_both() { [ "$(prepared)" = '0 0' ]; }
until_so 120 "the recovery by itself" settled_both
grep 'PL/Proxy recovery: .*committed' "$(server_dir proxy)/log" | sed 's/.*LOG:/LOG:/' | tail -n 1 | indent
check "when it is back, the recovery commits it" "select '$(balances)' = '$((${was% *} - 1)) $((${was#* } + 1))'"
step_end

step "A session of the proxy is killed in the middle"
session_open proxy
session "begin; select 'in', transfer(2, 3, 1);" >/dev/null
server_psql proxy -q -c "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'" >/dev/null
session_close
now_is=$(balances)
until_so 60 "the partitions' rollback" settled_both
check "nothing of it is there" "select '$now_is' = '$((${was% *} - 1)) $((${was#* } + 1))'"
check "and the sum is what it was" "select sum(t) = $SUM from total() t"
sql proxy <<'SQL'
select one_phase_commits > 0 as one_phase, two_phase_commits > 0 as two_phase, rollbacks > 0 as rollbacks, recovered
from plproxy_stat_info;
SQL
check "what the recovery has ended is counted" "select recovered >= 1 from plproxy_stat_info"
step_end

finish proxy:postgres north:bank south:bank
