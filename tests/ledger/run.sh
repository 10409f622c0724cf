#!/usr/bin/env bash
# A bank on partitions: sessions transfer money between accounts by calls with transaction_mode 'two_phase', while sessions and
# servers are lost at random. At every quiet moment the sum is what it was, every transfer that was acknowledged is there once, none is
# there in half, and nothing is left prepared: what lost sessions leave ends by itself, within two intervals of the recovery. Needs
# PLPROXY_TREE.
#
#   MODE=autocommit tests/ledger/run.sh      shows that the checks find what is lost
#   SEED=1 ROUNDS=3 SECONDS_EACH=10 SESSIONS=16 tests/ledger/run.sh
#   SHARED_CONNECTIONS=3 tests/ledger/run.sh  the sessions share so many connections to each partition

source "$(dirname "${BASH_SOURCE[0]}")/../admin/lib.sh"

SEED=${SEED:-$RANDOM}
ROUNDS=${ROUNDS:-3}
SECONDS_EACH=${SECONDS_EACH:-10}
SESSIONS=${SESSIONS:-16}
MODE=${MODE:-two_phase}
INTERVAL=${INTERVAL:-5}
SHARED_CONNECTIONS=${SHARED_CONNECTIONS:-0}
ACCOUNTS=1000 PARTITIONS=8 BALANCE=100 BATCH=100
RANDOM=$SEED
echo "ledger: seed $SEED, shared_connections $SHARED_CONNECTIONS"

run_begin
trap '' PIPE
settings=(--auth trust --max-connections 250 --set 'shared_buffers = 32MB' --set 'restart_after_crash = on'
    --set 'max_prepared_transactions = 100')
for name in a b; do server_start "$name" "${settings[@]}"; done
server_start proxy "${settings[@]}" --set "shared_preload_libraries = 'plproxy'" \
    --set "plproxy.recovery_databases = 'postgres'" --set "plproxy.recovery_interval = '${INTERVAL}s'"

# Partitions with even numbers are on a, the others on b.
options=
for ((p = 0; p < PARTITIONS; p++)); do
    name=a; ((p % 2 == 0)) || name=b
    server_psql "$name" -q -c "create database p$p"
    server_psql "$name" -q -d "p$p" <<SQL
create table accounts (id int primary key, balance bigint not null check (balance >= 0));
insert into accounts select n, $BALANCE from generate_series(0, $((ACCOUNTS - 1))) n where n % $PARTITIONS = $p;
create table moves (transfer text, account int, amount bigint, primary key (transfer, account));
create function move(account int, amount bigint, transfer text) returns bigint language plpgsql as \$\$
declare
    found bigint;
begin
    update accounts set balance = balance + amount where id = account returning balance into strict found;
    insert into moves values (transfer, account, amount);
    return found;
end \$\$;
SQL
    options+="${options:+, }p$p 'host=127.0.0.1 dbname=p$p port=$(server_port "$name")'"
done
server_psql proxy -q <<SQL
create extension plproxy;
create server bank foreign data wrapper plproxy
    options (transaction_mode '$MODE', shared_connections '$SHARED_CONNECTIONS', lock_timeout '2000', query_timeout '20', connect_timeout '5', $options);
create user mapping for public server bank options (user 'postgres');
create function move(account int, amount bigint, transfer text) returns bigint language plproxy as \$\$
    cluster 'bank'; run on account; \$\$;
create function balances() returns setof bigint language plproxy as \$\$
    cluster 'bank'; run on all; select sum(balance)::bigint from accounts; \$\$;
create function moves(out transfer text, out account int, out amount bigint) returns setof record language plproxy as \$\$
    cluster 'bank'; run on all; select m.transfer, m.account, m.amount from moves m; \$\$;
create table journal (transfer text primary key);
create function transfer(id text, kind int, source int, target int, amount bigint) returns void language plpgsql as \$\$
begin
    -- In the order of their numbers, so that few wait for each other.
    if kind = 1 then
        begin
            perform move(source, 1, id);
            perform move(-1, 1, id);
        exception when others then
            if sqlstate like '57%' then raise; end if;
        end;
    end if;
    if kind = 2 then
        insert into journal values (id);
    end if;
    if source < target then
        perform move(source, -amount, id);
        perform move(target, amount, id);
    else
        perform move(target, amount, id);
        perform move(source, -amount, id);
    end if;
    if kind = 0 then
        raise exception 'changed my mind';
    end if;
end \$\$;
SQL

# ---- the sessions

# worker NUMBER: transfers until it is told to end; between batches it rests while there is a file "pause".
worker() {
    local number=$1 count=0 i from to
    RANDOM=$((SEED * 100 + number))
    # Whatever ended the run has taken the password file away.
    while [ -e "$PLPROXY_RUN/pgpass" ] && [ ! -e "$PLPROXY_RUN/end" ]; do
        if [ -e "$PLPROXY_RUN/pause" ]; then
            : >"$PLPROXY_RUN/resting.$number"
            sleep 0.2
            continue
        fi
        rm -f "$PLPROXY_RUN/resting.$number"
        # Many by one psql, as each of these is a few processes. Two that have a connection which the other needs are to end soon.
        for ((i = 0; i < BATCH; i++)); do
            count=$((count + 1))
            from=$((RANDOM % ACCOUNTS)) to=$((RANDOM % ACCOUNTS))
            [ "$from" != "$to" ] || to=$(((from + 1) % ACCOUNTS))
            echo "select transfer('$number-$count', $((RANDOM % 8)), $from, $to, $((RANDOM % 20 + 1)));"
            printf '%s\n' '\if :ERROR' '\else' "\\echo ack $number-$count" '\endif'
        done | PGOPTIONS='-c plproxy.lease_timeout=500ms' server_psql proxy -Atq -v ON_ERROR_STOP=0 2>>"$PLPROXY_RUN/errors.$number" \
            | sed -n 's/^ack //p' >>"$PLPROXY_RUN/acks.$number" || sleep 1
        # The loop has counted in a process of its own.
        count=$((count + BATCH))
    done
}

# ---- the faults

# victim server condition: a process of that kind
victim() {
    server_psql "$1" -Atq -c "select pid from pg_stat_activity where $2 and pid <> pg_backend_pid() order by random() limit 1" 2>/dev/null || true
}
alive() { local try; for try in $(seq 600); do [ "$(ask "$1" postgres 'select 1')" != 1 ] || return 0; sleep 0.1; done; }
partition() { if ((RANDOM % 2)); then echo a; else echo b; fi; }
declare -A faults=()
fault() {
    local kind name pid
    kind=$((RANDOM % 9)) name=$(partition)
    case $kind in
        0|1) what='session terminated'
            pid=$(victim proxy "query like '%transfer(%'"); [ -z "$pid" ] || ask proxy postgres "select pg_terminate_backend($pid)" >/dev/null ;;
        2) what='session canceled'
            pid=$(victim proxy "query like '%transfer(%'"); [ -z "$pid" ] || ask proxy postgres "select pg_cancel_backend($pid)" >/dev/null ;;
        3) what='session killed'
            pid=$(victim proxy "query like '%transfer(%'"); [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; alive proxy ;;
        4) what='proxy crashed'; server_kill proxy; server_launch proxy same; alive proxy ;;
        5) what='partitions crashed'; server_kill "$name"; server_launch "$name" same; alive "$name" ;;
        6) what='partitions restarted'; server_restart "$name"; alive "$name" ;;
        7) what='partition session terminated'
            pid=$(victim "$name" "datname like 'p_'"); [ -z "$pid" ] || ask "$name" postgres "select pg_terminate_backend($pid)" >/dev/null ;;
        8) what='partition session stopped'
            pid=$(victim "$name" "datname like 'p_'")
            [ -z "$pid" ] || { kill -STOP "$pid" 2>/dev/null || true; sleep 0.5; kill -CONT "$pid" 2>/dev/null || true; } ;;
    esac
    faults[$what]=$((${faults[$what]:-0} + 1))
}

# ---- quiet moments

prepared() { echo "$(ask a postgres 'select count(*) from pg_prepared_xacts') $(ask b postgres 'select count(*) from pg_prepared_xacts')"; }
resting() { local all=("$PLPROXY_RUN"/resting.*); if [ -e "${all[0]}" ]; then echo ${#all[@]}; else echo 0; fi; }
check() {
    local round=$1
    : >"$PLPROXY_RUN/pause"
    same "round $round: all sessions rest" "$SESSIONS" "$(until_is "$SESSIONS" resting)"
    # Whoever is cut off from his session may still be at work in it.
    same "round $round: no session is at work" 0 "$(until_is 0 ask proxy postgres "select count(*) from pg_stat_activity where query like '%transfer(%' and pid <> pg_backend_pid()")"
    # What lost sessions had is closed; of what is left nobody has any.
    [ "$SHARED_CONNECTIONS" = 0 ] || same "round $round: no connection is in use" 0 "$(until_is 0 ask proxy postgres "select count(*) from plproxy_shared_connections where state <> 'idle'")"
    # By itself; a busy machine takes a while for a round.
    local since=$SECONDS
    same "round $round: nothing is left prepared" '0 0' "$(until_is '0 0' prepared)"
    same "round $round: nor was for longer than two intervals" t "$([ $((SECONDS - since)) -gt $((2 * INTERVAL + 30)) ] || echo t)"
    same "round $round: the sum" $((ACCOUNTS * BALANCE)) "$(ask proxy postgres 'select sum(b) from balances() b')"
    cat "$PLPROXY_RUN"/acks.* >"$PLPROXY_RUN/all"
    chmod 644 "$PLPROXY_RUN/all"
    same "round $round: whole transfers, and those that were acknowledged" '0|0|0|0|0' "$(ask proxy postgres "
        create temp table acks (transfer text);
        \\copy acks from '$PLPROXY_RUN/all'
        create temp table m as select * from moves();
        create temp table t as select transfer, count(*) as n, sum(amount) as total from m group by 1;
        analyze acks; analyze t;
        select (select count(*) from t where n <> 2 or total <> 0),
            (select count(*) from acks where not exists (select from t where t.transfer = acks.transfer)),
            (select count(*) - count(distinct transfer) from acks),
            (select count(*) from journal where not exists (select from t where t.transfer = journal.transfer)),
            (select count(*) from (select account, sum(amount) from m group by 1 having sum(amount) < -$BALANCE) x)")"
    rm -f "$PLPROXY_RUN/pause"
}

for ((n = 1; n <= SESSIONS; n++)); do : >"$PLPROXY_RUN/acks.$n"; worker "$n" & done
for ((round = 1; round <= ROUNDS; round++)); do
    until=$((SECONDS + SECONDS_EACH))
    while ((SECONDS < until)); do
        sleep "0.$((RANDOM % 10))"
        fault
    done
    check "$round"
done
: >"$PLPROXY_RUN/end"
for job in $(jobs -p); do wait "$job" 2>/dev/null || true; done
same 'transfers were made' t "$([ "$(wc -l <"$PLPROXY_RUN/all")" -gt 20 ] && echo t)"
echo "ledger: $(wc -l <"$PLPROXY_RUN/all") transfers acknowledged, $(cat "$PLPROXY_RUN"/errors.* | grep -c ERROR) errors;" \
    "$(for what in "${!faults[@]}"; do printf '%s %s, ' "${faults[$what]}" "$what"; done)"
finish
