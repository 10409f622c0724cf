#!/usr/bin/env bash
# Clusters with transaction_mode 'two_phase' over two servers: what a commit does, and what is left when sessions, servers and
# partitions are lost at each of its steps. Needs PLPROXY_TREE.
#
#   STAGES='decided commit' tests/transactions/two_phase.sh      these steps only
#   SHARED_CONNECTIONS=1 tests/transactions/two_phase.sh         with connections that sessions share: so many to a partition

source "$(dirname "${BASH_SOURCE[0]}")/../admin/stages.sh"

for name in a b; do
    server_psql "$name" -q -d part <<'SQL'
create function add(int) returns int language sql as 'insert into t values (1) returning n';
create function look(int) returns int language sql as 'select count(*)::int from t';
SQL
done
server_psql proxy -q <<'SQL'
alter server parts options (add transaction_mode 'two_phase');
create function add(p int) returns int language plproxy as $$ cluster 'parts'; run on p; target add; $$;
create function look(p int) returns int language plproxy as $$ cluster 'parts'; run on p; target look; $$;
create function pid(p int) returns int language plproxy as $$ cluster 'parts'; run on p; select pg_backend_pid(); $$;
create table local (n int);
SQL
[ -z "${SHARED_CONNECTIONS:-}" ] || ask proxy postgres "alter server parts options (add shared_connections '$SHARED_CONNECTIONS')" >/dev/null
# Whether the partitions have no more of them than there may be.
few() {
    local name
    for name in a b; do
        ask "$name" postgres "select count(*) <= ${SHARED_CONNECTIONS:-0} from pg_stat_activity where datname = 'part' and backend_type = 'client backend'"
    done | paste -sd ' ' -
}
# The shared connections that are in a session's hands, or not yet closed after it.
held() { ask proxy postgres "select count(*) from plproxy_shared_connections where state <> 'idle'"; }
on_proxy() { ask proxy postgres "$1"; }

# ---- commits

same 'two partitions commit' '1|1;1|0 1|0' "$(on_proxy 'select add(0), add(1)');$(state)"
same 'no decision is left to be finished' '' "$(recover)"
same 'a partition and this server commit' '1;1;2|0 1|0' \
    "$(on_proxy 'begin; insert into local values (1); select add(0); commit; select count(*) from local');$(state)"
same 'neither commits if this server does not' 'ERROR:  division by zero;2|0 1|0' \
    "$(on_proxy 'select add(0), 1 / (add(1) - 1)' );$(state)"
same 'one that only reads need not prepare' '1|1;3|0 1|0' "$(on_proxy 'select add(0), look(1)');$(state)"
same 'a serializable transaction prepares one' '1;4|0 1|0' \
    "$(on_proxy 'begin isolation level serializable; select add(0); commit');$(state)"
same 'connections are kept' t "$(on_proxy 'select pid(1) as was \gset
begin; select add(0) + add(1) as sum \gset
commit;
select :was = pid(1)')"
ask b part "create function refuse() returns trigger language plpgsql as \$\$ begin raise exception 'not here'; end \$\$;
    create constraint trigger refuse after insert on t deferrable initially deferred for each row execute function refuse()" >/dev/null
same 'one that refuses to prepare: none commits' "ERROR:  could not commit on partition 1 of cluster 'parts': ERROR:  not here;5|0 2|0" \
    "$(on_proxy 'select add(0), add(1)' | cut -d ";" -f 2);$(state)"
ask b part 'drop trigger refuse on t; drop function refuse' >/dev/null
same 'one phase only where nothing fails after it: temporary tables' \
    "ERROR:  unsupported ON COMMIT and foreign key combination;5|0 2|0" \
    "$(on_proxy 'create temp table pk (n int primary key) on commit delete rows;
        create temp table fk (n int references pk) on commit preserve rows;
        begin; select count(*) from pk; select add(0); commit' | tr ';' '\n' | grep ERROR);$(state)"
# What nobody can see beforehand is told: notifications that cannot be sent, as another session is at it.
ask proxy postgres "alter system set synchronous_standby_names = 'nobody'" >/dev/null
ask proxy postgres 'select pg_reload_conf()' >/dev/null
ask proxy postgres 'begin; insert into local values (2); notify x; commit' >/dev/null &
notifying=$!
until_is_some process proxy "wait_event = 'SyncRep'" >/dev/null
same 'a commit that fails after the only phase: a warning tells' \
    "ERROR:  canceling statement due to lock timeout
WARNING:  the transaction was committed on partition 0 of cluster 'parts', though the local one failed" \
    "$(on_proxy "set lock_timeout = '300ms'; begin; notify x; select add(0); commit" | tr ';' '\n' | grep -E 'ERROR|WARNING' | sort)"
ask proxy postgres 'alter system reset synchronous_standby_names' >/dev/null
ask proxy postgres 'select pg_reload_conf()' >/dev/null
wait "$notifying"
same 'two proxies lock in different orders: lock_timeout ends it' 'ERROR:  public.add(1): [part] REMOTE ERROR: canceling statement due to lock timeout' \
    "$(block 'lock table t'
    on_proxy "alter server parts options (set lock_timeout '300')" >/dev/null
    on_proxy 'select add(0), add(1)' | cut -d ';' -f 1
    on_proxy "alter server parts options (set lock_timeout '0')" >/dev/null
    unblock)"
clear

# ---- steps of a commit
#
# Partition b is held by a locked table, or by a trigger that waits while the transaction is being prepared; the session of the
# proxy by a signal; its commit, once it is on disk, by the wait for a standby server that there is not.

wait_for_standby() {
    ask proxy postgres "alter system set synchronous_standby_names = '$1'" >/dev/null
    ask proxy postgres 'select pg_reload_conf()' >/dev/null
}
to_prepare() {
    block 'select pg_advisory_xact_lock(7)'
    say_to_session 'select add(0), add(1); commit;'
    until_is '0|1' ask a part 'select (select count(*) from t), (select count(*) from pg_prepared_xacts)' >/dev/null
    until_is_some process b "query like 'prepare%' and wait_event_type = 'Lock'" >/dev/null
}
wait_for_standby_of_b() {
    ask b postgres "alter system set synchronous_standby_names = '$1'" >/dev/null
    ask b postgres 'select pg_reload_conf()' >/dev/null
    until_is "$1" ask b postgres 'show synchronous_standby_names' >/dev/null
}
stage() {
    begin_session
    case $1 in
        sent)
            # A connection that is at rest, whose server process does not read what comes.
            say_to_session 'commit; select look(1); begin;'
            stopped=$(until_is_some process b "state = 'idle' and query = 'commit'")
            kill -STOP "$stopped"
            say_to_session 'select add(0), add(1);'
            until_is_some process a "state = 'idle in transaction' and query like '%xact_id%'" >/dev/null ;;
        statement)
            block 'lock table t'
            say_to_session 'select add(0), add(1);'
            until_is_some process b "query like '%add%' and wait_event_type = 'Lock'" >/dev/null ;;
        joined)
            say_to_session 'select add(0), add(1);'
            until_is_some process b "state = 'idle in transaction' and query like '%xact_id%'" >/dev/null ;;
        prepare) to_prepare ;;
        prepared)
            to_prepare
            kill -STOP "$worker"
            unblock
            until_is '0|1 0|1' state >/dev/null ;;
        decided|commit|committed)
            wait_for_standby nobody
            say_to_session 'select add(0), add(1); commit;'
            until_is '0|1 0|1' state >/dev/null
            until_is_some process proxy "wait_event = 'SyncRep'" >/dev/null
            [ "$1" != committed ] || {
                wait_for_standby_of_b nobody
                wait_for_standby ''
                until_is_some process b "query like 'commit prepared%' and wait_event = 'SyncRep'" >/dev/null
            }
            [ "$1" != commit ] || {
                stopped=$(until_is_some process b "query like 'prepare%' and state = 'idle'")
                kill -STOP "$stopped"
                wait_for_standby ''
                until_is '1|0' ask a part 'select (select count(*) from t), (select count(*) from pg_prepared_xacts)' >/dev/null
            } ;;
    esac
}
# loss LOSS STAGE: what is lost, and then what has held the step lets go
loss() {
    case $1 in
        terminated) ask proxy postgres "select pg_terminate_backend($worker)" >/dev/null ;;
        killed) kill -9 "$worker" ;;
        machine) kill -9 "$worker" "$(server_pid proxy)" ;;
        partition)
            if [ "$2" = commit ] || [ "$2" = sent ]; then kill -9 "$stopped"; else server_kill b; server_launch b same; fi ;;
    esac
    if { [ "$2" = commit ] || [ "$2" = sent ]; } && [ "$1" != partition ]; then kill -CONT "$stopped"; fi
    if [ "$2" = prepared ] && [ "$1" != killed ] && [ "$1" != machine ]; then kill -CONT "$worker"; fi
    case $1 in
        killed|machine) gone "$worker" ;;
    esac
    if [ "$1" = machine ]; then
        while server_running proxy; do sleep 0.05; done
        server_launch proxy same
    fi
    case $2-$1 in
        statement-partition|prepare-partition) wait "$blocker" 2>/dev/null || true ;;
        statement-*|prepare-*) unblock ;;
    esac
    alive proxy
    alive b
    [ "$2" != decided ] || { wait_for_standby ''; }
    [ "$2" != committed ] || { wait_for_standby_of_b ''; }
    end_session
    [ "$1" != terminated ] || gone "$worker"
}
# Nothing is prepared any more: the recovery is called as often as it takes.
settled() { recover >/dev/null; state; }

for stage in ${STAGES:-sent statement joined prepare prepared decided commit committed}; do
    for loss in terminated killed machine partition; do
        stage "$stage"
        loss "$loss" "$stage"
        # By the local transaction's end: none before it, all after it.
        case $stage-$loss in
            sent-*|statement-*|joined-*|prepare-*|prepared-killed|prepared-machine) wanted='0|0 0|0' ;;
            # Whether the answer to the preparation was first.
            prepared-terminated|prepared-partition) wanted=either ;;
            *) wanted='1|0 1|0' ;;
        esac
        if [ "$wanted" = either ]; then
            for try in $(seq 300); do
                got=$(settled)
                case $got in '0|0 0|0'|'1|0 1|0') break ;; esac
                sleep 0.1
            done
            case $got in '1|0 1|0') wanted='1|0 1|0' ;; *) wanted='0|0 0|0' ;; esac
        else
            got=$(until_is "$wanted" settled)
        fi
        same "$stage, $loss" "$wanted" "$got"
        same "$stage, $loss: nothing is left to be done" '' "$(recover)"
        [ -z "${SHARED_CONNECTIONS:-}" ] || same "$stage, $loss: nobody has a connection" 0 "$(until_is 0 held)"
        [ -z "${SHARED_CONNECTIONS:-}" ] || same "$stage, $loss: nor are there others" 't t' "$(until_is 't t' few)"
        clear
    done
done

# ---- a commit in one phase whose answer does not come

# one_phase what: partition b's server process is killed while it commits
one_phase() {
    begin_session
    say_to_session 'select add(1);'
    until_is_some process b "state = 'idle in transaction' and query like '%xact_id%'" >/dev/null
}
one_phase
block 'select pg_advisory_xact_lock(7)'
say_to_session 'commit;'
committer=$(until_is_some process b "query = 'commit' and wait_event_type = 'Lock'")
kill -9 "$committer"
wait "$blocker" 2>/dev/null || true
gone "$committer"; alive b
end_session
same 'one phase: lost before its end' "1;0|0 0|0" \
    "$(grep -c "could not commit on partition 1 of cluster 'parts'" "$PLPROXY_RUN/session.log");$(state)"

ask b postgres "alter system set synchronous_standby_names = 'nobody'" >/dev/null
ask b postgres 'select pg_reload_conf()' >/dev/null
one_phase
say_to_session 'commit;'
committer=$(until_is_some process b "query = 'commit' and wait_event = 'SyncRep'")
kill -9 "$committer"
gone "$committer"; alive b
ask b postgres 'alter system reset synchronous_standby_names' >/dev/null
ask b postgres 'select pg_reload_conf()' >/dev/null
end_session
same 'one phase: lost after its end, which only the partition knows' "1;1;0|0 1|0" \
    "$(grep -c "ERROR:  whether the transaction was committed on partition 1 of cluster 'parts' is not known" "$PLPROXY_RUN/session.log");$(
        grep -c 'DETAIL:  The partition says that it was.' "$PLPROXY_RUN/session.log");$(state)"
clear

# ---- a partition that cannot be reached after the commit

stage decided
server_kill b
wait_for_standby ''
end_session
same 'a partition that is down when it should commit: a warning names it' 1 \
    "$(grep -c 'WARNING:  prepared transaction "plproxy_.*" on partition 1 of cluster "parts" could not be committed' "$PLPROXY_RUN/session.log")"
server_launch b same
alive b
same 'the recovery commits it' '1|committed;1|0 1|0' "$(recover);$(state)"
finish
