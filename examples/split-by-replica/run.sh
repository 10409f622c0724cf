#!/usr/bin/env bash
# Twice as many partitions, a whole server at a time, while clients write: a physical standby of the partitions' server becomes the
# server of the new half. No client sees an error. The README tells the story. Prints the SQL and what came of it, checks the data,
# and exits non-zero when a check fails.
#
#   PROXIES=2   two proxies, with clients of their own

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) N=16 USERS=1000000 RATE=300 SAMPLE=8160 BATCH=10000 ;;
    small) N=4 USERS=20000 RATE=150 SAMPLE=248 BATCH=1000 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
TWICE=$((2 * N))
several_proxies

step "The proxy or proxies, and a server with $N partitions"
begin
servers "${proxies[@]}" -- --set "shared_preload_libraries = 'plproxy'"
servers old -- --max-connections 300 "${REPLICATED[@]}" "${ASYNCHRONOUS[@]}"
shop_role old
shop_partitions old $N
entries=()
for ((n = 0; n < N; n++)); do entries+=("p$n '$(at old shop$n)'"); done
shop_cluster "${entries[@]}"
step_end

step "$USERS users, and clients that add more all the time"
shop_loaded $USERS
clients_start $RATE
tell "the clients are writing"
step_end

step "A standby of the whole server, which follows"
standby_start new old --max-connections 300 "${REPLICATED[@]}"
app_password_of new
printf '    %-9s 127.0.0.1:%s (pg_basebackup --write-recovery-conf)\n' new "$(server_port new)"
until_so 120 "a standby that streams" standbys_stream old 1
sql old <<'SQL'
select state, sync_state from pg_stat_replication;
SQL
clients_write 20
# There is something to compare in the pause.
clients_write 1 "answered_by = 'old:shop0'"
step_end

# Waits until the standby has replayed all that was committed on the old server by now.
caught_up() {
    local lsn
    lsn=$(flushed old)
    tell "wait until the standby has replayed $lsn, which the old server has come to by now"
    ask_until new "the standby has not replayed $lsn" "pg_last_wal_replay_lsn() >= '$lsn'"
}
written() { ask "$1" "select count(*), sum(hashtextextended(name || info, 0)) from users where name ~ '^client'" -d shop0; }

step "Pause, catch up, promote, twice as many entries, resume"
# Once before, so that little is left for the pause.
caught_up
pause_shop sql null
# A transaction that is prepared would be so on both sides afterwards, and a recovery could end one of them only.
same "no transaction is left prepared" 0 "$(ask old 'select count(*) from pg_prepared_xacts')"
caught_up
there=$(written old) here=$(written new)
same "what the clients have written to the first partition is on both servers: $here" "$there" "$here"
check_that "and is something" [ "${here%% *}" -gt 0 ]
tell "pg_ctl promote -D new"
server_promote new
twice=()
for ((n = 0; n < N; n++)); do twice+=("add p$((n + N)) '$(at new shop$n)'"); done
on_proxies sql <<SQL
alter server shop options ($(lines "${twice[@]}"));
SQL
held
resume_shop sql null
tell "the cluster was paused for $((paused_us / 1000)) ms"
step_end

step "Each side deletes in batches what is the other's; the clients go on"
# By key, RUN ON finds each row where it belongs; the copies on the other side are seen by RUN ON ALL until they are gone.
clients_write 20
delete_foreign() {
    local server=$1 database=$2 is_foreign="hashtext(name) & $((TWICE - 1)) $3" show=$4
    "$show" "$server" -d "$database" <<SQL
create procedure delete_foreign() language plpgsql as \$\$ begin
    loop
        delete from users where ctid = any(array(select ctid from users where $is_foreign limit $BATCH));
        exit when not found;
        commit;
    end loop;
end \$\$;
call delete_foreign();
drop procedure delete_foreign();
vacuum users;
SQL
}
delete_foreign old shop0 ">= $N" sql
delete_foreign new shop0 "< $N" sql
tell "... and so on, up to shop$((N - 1)) on both"
for ((n = 1; n < N; n++)); do
    delete_foreign old "shop$n" ">= $N" quietly_sql
    delete_foreign new "shop$n" "< $N" quietly_sql
done
step_end

step "What the clients were told, and what is there"
clients_write 100
clients_stop
shop_kept $USERS
# Of all partitions, some hundred or thousand.
check_each "users are found where the proxy looks for them, each on the partition that its hash names" "select count(*) > 0
    and bool_and(there.info = found.info)
    and bool_and(found.home = case when hashtext(there.name) & $N = 0 then 'old' else 'new' end
        || ':shop' || (hashtext(there.name) & $((N - 1))))
    from all_users() there left join lateral get_user(there.name) found on true
    where hashtext(there.name) & $SAMPLE = 0"
check "every partition has rows" "select count(*) = $TWICE and min(n) > 0 from sum_users()"
tell "paused for $((paused_us / 1000)) ms; the longest call: \
$(ask proxy "select round(1000 * extract(epoch from max(ended - began))) from told") ms"
step_end

finish "${proxies[@]/%/:postgres}" old:shop0 new:shop0
