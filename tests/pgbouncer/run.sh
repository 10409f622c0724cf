#!/usr/bin/env bash
# PgBouncer between the proxy and a partition: every pool mode, with and without prepared statements in PgBouncer; restarts
# on either side of it, cancels through it, and what it refuses. Ends with "N passed, N failed".
#
#   CALLS=n   calls, of two functions in turn, in each of the eight sessions (default 10,000)
#   tests/pgbouncer/run.sh [word ...]   only the parts whose names contain one of the words

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
source "$SCRIPTS/pooler.sh"
need_tree
HERE=$ROOT/tests/pgbouncer
CALLS=${CALLS:-10000}
WORKERS=8

# expect_like "what" pattern actual: an extended regular expression somewhere in it, and no password.
expect_like() {
    if [[ $3 == *"$PARTITION_PASSWORD"* ]]; then same "$1" 'no password' 'a password in the message'; return; fi
    if grep -qE -- "$2" <<<"$3"; then same "$1" '' ''; else same "$1" "$2" "$3"; fi
}

# wait_for "what" command...: until it succeeds, a minute at the most.
wait_for() {
    local limit=$((SECONDS + 60))
    until "${@:2}"; do
        [ $SECONDS -lt $limit ] || { same "$1" 'to happen' 'nothing'; return 1; }
        sleep 0.05
    done
}

# quiet SQL...: on the proxy, in one session; answers only. Errors are part of the answer and do not end it.
quiet() { server_tool proxy psql -XAtq "${@:2}" -d "${DATABASE:-proxy}" -c "$1" 2>&1 || true; }

# use POOLER [options]: the cluster goes by that pooler from now on. Options are those of ALTER SERVER, such as
# "prepared_statements 'on'", instead of what the last call gave.
use() {
    server_psql proxy -q -d "${DATABASE:-proxy}" -v connstr="$(pooler_connstr "$1" part)" <<-SQL
	select format('alter server parts options (drop %I)', split_part(option, '=', 1))
	    from pg_foreign_server, unnest(srvoptions) option where option !~ '^p0=' \gexec
	alter server parts options (set p0 :'connstr'${2:+, add $2});
	SQL
}

# hammer what calls expected_processes: all workers at once.
hammer() {
    local what=$1 calls=$2 out=$PLPROXY_RUN/out worker
    local -a workers=()
    rm -rf "$out"; mkdir "$out"
    for ((worker = 0; worker < WORKERS; worker++)); do
        quiet "select * from hammer($worker, $calls)" >"$out/$worker" &
        workers+=($!)
    done
    wait "${workers[@]}"
    sum_up "$out" >"$PLPROXY_RUN/summary"
}

# Of the workers' lines "made|wrong|errors|{pids}|message": the sums, how many server processes there were, how many of
# them one session saw at the most, and the first message.
sum_up() {
    awk -F'|' 'NF >= 5 {
            made += $2 >= 0 ? $1 : 0; wrong += $2; errors += $3; n = split(substr($4, 2, length($4) - 2), pids, ",")
            if (n > most) most = n
            for (i = 1; i <= n; i++) seen[pids[i]] = 1
            if (message == "" && $5 != "") message = $5
            next
        }
        { lost++; if (message == "") message = $0 }
        END { printf "%d made, %d wrong, %d errors, %d processes, up to %d in one session %s\n",
            made, wrong, errors + lost, length(seen), most, message }' "$1"/*
}

# all_right what calls processes most: after hammer.
all_right() {
    same "$1: $WORKERS sessions, $2 calls each of two functions" \
        "$((WORKERS * $2)) made, 0 wrong, 0 errors, $3 processes, up to $4 in one session " \
        "$(cat "$PLPROXY_RUN/summary")"
}

# ---- the parts

# What the pooler is told in all cases: two server connections, and patience on a slow machine.
TWO=(--set 'default_pool_size = 2' --set 'query_wait_timeout = 600' --set 'max_client_conn = 100')

# Pool mode, max_prepared_statements (or "old": Debian 12's PgBouncer, which knows none), calls.
part_modes() {
    local mode prepared calls name most
    while read -r mode prepared calls; do
        name=$mode-$prepared
        case $prepared in
            old) pooler_start "$name" part --program debian "${TWO[@]}" --set "pool_mode = $mode" ;;
            *) pooler_start "$name" part "${TWO[@]}" --set "pool_mode = $mode" --set "max_prepared_statements = $prepared" ;;
        esac
        # A session has one server connection where connections belong to sessions.
        most=2; [ "$mode" != session ] || most=1
        use "$name"
        same "$name: nothing is prepared behind a pooler of unknown ability" "one 1${NL}one 2${NL}one 3${NL}none" \
            "$(quiet 'select said from one(1); select said from one(2); select said from one(3); select prepared()')"
        hammer "$name" "$calls"
        all_right "$name" "$calls" 2 $most
        same "$name: remote errors come from their own calls" 0 "$(quiet 'select stumble(200)')"
        use "$name" "prepared_statements 'off'"
        hammer "$name" 400
        all_right "$name, prepared_statements off" 400 2 $most
        pooler_kill "$name"
    done <<-CASES
	session 0 $CALLS
	session 200 $CALLS
	transaction 0 $CALLS
	transaction 200 $CALLS
	statement 0 $((CALLS / 10))
	statement 200 $CALLS
	session old $((CALLS / 10))
	transaction old $((CALLS / 10))
	statement old $((CALLS / 10))
	CASES
}

# The option `on`, where the pooler can do it, and where it cannot.
part_prepared() {
    local mode stumbling
    for mode in session transaction statement; do
        pooler_start "on-$mode" part "${TWO[@]}" --set "pool_mode = $mode" --set 'max_prepared_statements = 200'
        use "on-$mode" "prepared_statements 'on'"
        # What another session does after its errors must not take the statements away.
        quiet 'select stumble(300)' >"$PLPROXY_RUN/stumbling" &
        stumbling=$!
        hammer "on-$mode" $((CALLS / 4))
        wait "$stumbling"
        all_right "$mode, prepared_statements on" $((CALLS / 4)) 2 "$([ "$mode" = session ] && echo 1 || echo 2)"
        same "$mode, prepared_statements on: remote errors come from their own calls" 0 "$(cat "$PLPROXY_RUN/stumbling")"
        expect_like "$mode, prepared_statements on: there are some" '[0-9]$' \
            "$(quiet 'select said from one(1); select said from one(2); select said from one(3); select prepared()' | tail -n 1)"
        pooler_kill "on-$mode"
    done
    # No two sessions give the same name, so that a pooler which does not know whose is whose does no harm.
    pooler_start unable part "${TWO[@]}" --set 'pool_mode = transaction' --set 'max_prepared_statements = 0'
    use unable "prepared_statements 'on'"
    hammer unable 1000
    all_right "transaction, prepared_statements on against a pooler that cannot" 1000 2 2
    # The comparison would see it if it did.
    server_psql part -q -d part -c 'begin' -c 'alter function two(int) rename to two_right' \
        -c 'create function two(i int, out said text, out pid int) language sql as $$ select * from one(i) $$' -c 'commit'
    hammer unable 10
    server_psql part -q -d part -c 'begin' -c 'drop function two(int)' -c 'alter function two_right(int) rename to two' -c 'commit'
    pooler_kill unable
    expect_like "a wrong answer is seen" ' 40 wrong, 0 errors' "$(cat "$PLPROXY_RUN/summary")"
    cat "$PLPROXY_RUN/summary"
}

# Restarts between the calls of one session, ten times: of the pooler, both ways, and of the server behind it.
part_restarts() {
    local name program options
    while IFS='|' read -r name program settings options; do
        pooler_start "$name" part --program "$program" "${TWO[@]}" --set "$settings"
        use "$name" "$options"
        restarts "$name" "$SCRIPTS/pooler.sh restart $name"
        restarts "$name" "$SCRIPTS/pooler.sh restart $name shutdown"
        restarts "$name" "$SCRIPTS/server.sh restart part"
        pooler_kill "$name"
    done <<-CASES
	restart-transaction|newer|pool_mode = transaction|
	restart-prepared|newer|pool_mode = transaction|prepared_statements 'on'
	restart-session|newer|pool_mode = session|
	restart-statement|newer|pool_mode = statement|
	restart-old|debian|pool_mode = transaction|
	CASES
}

restarts() {
    local name=$1 command=$2 i expected=''
    for i in 1 2 3 4 5; do
        printf 'select said from one(%s);\nselect said from two(%s);\n\\! %s\n' "$i" "$i" "$command"
    done >"$PLPROXY_RUN/restarts.sql"
    printf 'select said from two(6);\n' >>"$PLPROXY_RUN/restarts.sql"
    for i in 1 2 3 4 5; do expected+="one $i${NL}two $i$NL"; done
    same "$name: a call after each of 5 times ${command#"$SCRIPTS/"}" "${expected}two 6" \
        "$(server_tool proxy psql -XAtq -d proxy -f "$PLPROXY_RUN/restarts.sql" 2>&1 || true)"
}

# Connections that are replaced by age, in a pool of transactions.
part_lifetime() {
    local before after
    pooler_start aged part "${TWO[@]}" --set 'pool_mode = transaction'
    use aged "connection_lifetime '1'"
    printf '%s\n' 'select errors, wrong from hammer(1, 500);' 'select pg_sleep(1.1);' \
        'select errors, wrong from hammer(1, 500);' 'select pg_sleep(1.1);' 'select errors, wrong from hammer(1, 500);' \
        "\\! $SCRIPTS/pooler.sh admin aged 'show clients' | grep '|part|' >$PLPROXY_RUN/clients" \
        'select errors, wrong from hammer(1, 10);' >"$PLPROXY_RUN/aged.sql"
    before=$(grep -c 'login attempt: db=part' "$(pooler_log aged)" || true)
    same "connection_lifetime: old connections go, no error" "0|0${NL}${NL}0|0${NL}${NL}0|0${NL}0|0" \
        "$(server_tool proxy psql -XAtq -d proxy -f "$PLPROXY_RUN/aged.sql" 2>&1)"
    # One, and perhaps one whose end the pooler has not noticed yet.
    same "connection_lifetime: they are closed" yes \
        "$([ "$(wc -l <"$PLPROXY_RUN/clients")" -le 2 ] && echo yes || cat "$PLPROXY_RUN/clients")"
    after=$(grep -c 'login attempt: db=part' "$(pooler_log aged)" || true)
    same "connection_lifetime: three connections or more were made" yes \
        "$([ $((after - before)) -ge 3 ] && echo yes || echo "$before, then $after")"
    pooler_kill aged
}

# A cancel ends the statement that it is meant for, and no other.
part_cancel() {
    local program
    for program in newer debian; do
        pooler_start "cancel-$program" part --program "$program" "${TWO[@]}" --set 'pool_mode = transaction'
        use "cancel-$program"
        cancel_one "cancel-$program"
        cancel_many "cancel-$program"
        pooler_kill "cancel-$program"
    done
}

running() { [ "$(server_psql part -Atq -d part -c "select count(*) from pg_stat_activity
    where state = 'active' and query ~ 'slow' and pid <> pg_backend_pid()")" = "$1" ]; }

cancel_one() {
    local bystander answer
    quiet "select slow('bystander', 3)" >"$PLPROXY_RUN/bystander" &
    bystander=$!
    wait_for "$1: the bystander runs" running 1
    answer=$(printf '%s\n' "set statement_timeout = '500ms';" "select slow('cancelled', 60);" 'set statement_timeout = 0;' \
        'select said from one(7);' | server_tool proxy psql -XAtq -d proxy -v VERBOSITY=sqlstate 2>&1)
    same "$1: the statement is cancelled, the next call works" "ERROR:  57014${NL}one 7" "$answer"
    wait "$bystander"
    same "$1: the other session's statement is not" bystander "$(cat "$PLPROXY_RUN/bystander")"
    if wait_for "$1: nothing goes on at the partition" running 0; then
        same "$1: nothing goes on at the partition" '' ''
    fi
}

# Two sessions whose statements are cancelled all the time share the server connections with two that go on calling.
cancel_many() {
    local i j
    local -a all=()
    for i in 1 2; do
        {
            echo "set statement_timeout = '25ms';"
            for ((j = 1; j <= 100; j++)); do echo "select slow('$i $j', 0.0$((j % 5 + 1)));"; done
        } | server_tool proxy psql -XAtq -d proxy -v VERBOSITY=sqlstate >"$PLPROXY_RUN/cancelled-$i" 2>&1 &
        all+=($!)
        quiet "select made, wrong, errors, message from hammer($i, 3000)" >"$PLPROXY_RUN/calling-$i" &
        all+=($!)
    done
    wait "${all[@]}" || true
    for i in 1 2; do
        same "$1: calls beside cancelled ones" '3000|0|0|' "$(cat "$PLPROXY_RUN/calling-$i")"
        same "$1: cancelled, or finished with the own answer" 100 "$(awk -v i="$i" '
            $0 == "ERROR:  57014" || ($1 == i && $2 >= 1 && $2 <= 100) { n++ } END { print n + 0 }' \
            "$PLPROXY_RUN/cancelled-$i")"
        expect_like "$1: some were cancelled" '^ERROR:  57014$' "$(cat "$PLPROXY_RUN/cancelled-$i")"
    done
}

# Whatever the pooler refuses is said in its words, and no secret with it.
part_refused() {
    local program connstr answer holder
    for program in newer debian; do
        pooler_start "no-$program" part --program "$program" --set 'pool_mode = transaction' \
            --set 'default_pool_size = 1' --set 'query_wait_timeout = 3'
        connstr="$(pooler_connstr "no-$program" part) user=postgres password=$PARTITION_PASSWORD"
        use "no-$program"
        same "$program: the start-up needs no ignore_startup_parameters" 'two 1' \
            "$(by_connstr "$connstr" | cut -d'|' -f1)"
        expect_like "$program: options" 'unsupported startup parameter( in options)?: (options|geqo)' \
            "$(by_connstr "$connstr options='-c geqo=off'")"
        expect_like "$program: wrong database" 'database "nowhere" does not exist|no such database: nowhere' \
            "$(by_connstr "${connstr/dbname=part/dbname=nowhere}")"
        expect_like "$program: wrong password" 'SASL authentication failed|password authentication failed' \
            "$(by_connstr "$connstr password=wrong")"
        # The one server connection is taken for as long as it needs.
        quiet "select slow('holder', 300)" >"$PLPROXY_RUN/holder" &
        holder=$!
        wait_for "$program: the holder runs" running 1
        expect_like "$program: no free server connection in time" 'query_wait_timeout' "$(quiet 'select said from one(1)')"
        server_psql part -q -d part -o /dev/null -c "select pg_cancel_backend(pid) from pg_stat_activity
            where state = 'active' and query ~ 'slow' and pid <> pg_backend_pid()"
        wait "$holder"
        expect_like "$program: whoever had it goes on to its own end" 'REMOTE ERROR: canceling statement due to user request' \
            "$(cat "$PLPROXY_RUN/holder")"
        # Two sessions fill it, a third is one too many.
        wait_for "$program: all clients are gone" alone "no-$program"
        pooler_admin "no-$program" 'set max_client_conn = 2' >/dev/null
        answer=$(nested)
        expect_like "$program: too many clients" 'no more connections allowed' "$answer"
        same "$program: the sessions that were there go on" "still one 2${NL}still one 1" "$(grep '^still' <<<"$answer")"
        pooler_kill "no-$program"
    done
}

alone() { ! pooler_admin "$1" 'show clients' | grep -q '|part|'; }

# by_connstr connstr: the answer of a call by that connection string.
by_connstr() {
    CONNSTR=$1 server_tool proxy psql -XAtq -d proxy 2>&1 <<-'SQL' || true
	\set connstr `printf %s "$CONNSTR"`
	select * from two_by(:'connstr', 1);
	SQL
}

# nested: a session that has called, within it another one, within that a third.
nested() {
    local level inner=''
    for level in 3 2 1; do
        {
            echo "select said from one($level);"
            [ -z "$inner" ] || echo "\\! $SCRIPTS/server.sh psql proxy -XAtq -d proxy -f $inner 2>&1"
            echo "select 'still ' || said from one($level);"
        } >"$PLPROXY_RUN/level-$level.sql"
        inner=$PLPROXY_RUN/level-$level.sql
    done
    server_tool proxy psql -XAtq -d proxy -f "$inner" 2>&1 || true
}

# Roles that the pooler asks the server about, and whose passwords stand nowhere but there.
part_auth() {
    local program
    server_psql part -q -d part -v password="$PARTITION_PASSWORD" <<-'SQL'
	create role app login password :'password';
	create function pooler_user(name text) returns table (role text, secret text)
	    language sql security definer set search_path = pg_catalog as
	    $$ select rolname::text, case when rolvaliduntil < now() then null else rolpassword end
	        from pg_authid where rolname = name and not rolsuper $$;
	SQL
    for program in newer debian; do
        pooler_start "auth-$program" part --program "$program" --set 'pool_mode = transaction' --set 'auth_user = postgres' \
            --set 'auth_query = select role, secret from public.pooler_user($1)'
        same "$program: a role of auth_query, by SCRAM on both sides" 'two 1' "$(by_connstr \
            "$(pooler_connstr "auth-$program" part) user=app password=$PARTITION_PASSWORD" | cut -d'|' -f1)"
        expect_like "$program: with a wrong password" 'SASL authentication failed|password authentication failed' \
            "$(by_connstr "$(pooler_connstr "auth-$program" part) user=app password=wrong")"
        pooler_kill "auth-$program"
    done
}

# Sessions of proxies with different encodings take turns on one server connection.
part_encodings() {
    local program i utf8 raw
    for program in newer debian; do
        pooler_start "encodings-$program" part --program "$program" --set 'pool_mode = transaction' \
            --set 'default_pool_size = 1'
        use "encodings-$program"
        DATABASE=ascii use "encodings-$program"
        printf '%s\n' "select encode(convert_to(letter(), 'UTF8'), 'hex');" \
            "\\! $SCRIPTS/server.sh psql proxy -XAtq -d ascii -c 'select encode(letter()::bytea, \$\$hex\$\$)'" \
            >"$PLPROXY_RUN/turn.sql"
        for i in 1 2 3; do cat "$PLPROXY_RUN/turn.sql"; done >"$PLPROXY_RUN/turns.sql"
        same "$program: UTF8 and SQL_ASCII proxies over one connection to a LATIN1 database" \
            "c3a9${NL}e9${NL}c3a9${NL}e9${NL}c3a9${NL}e9" \
            "$(server_tool proxy psql -XAtq -d proxy -v client_encoding=UTF8 -f "$PLPROXY_RUN/turns.sql" 2>&1 || true)"
        pooler_kill "encodings-$program"
    done
}

# Commands on all partitions or none: prepared behind a pooler, and committed by whatever server connection comes.
part_atomic() {
    local program mode atomic="select result from plproxy_run_on_all('parts', 'insert into t values (1); select ''done''', atomic => true)"
    server_psql part -q -d part -c 'create table t (n int)'
    for program in newer debian; do
        for mode in session transaction; do
            pooler_start "atomic-$program-$mode" part --program "$program" "${TWO[@]}" --set "pool_mode = $mode"
            use "atomic-$program-$mode"
            server_psql part -q -d part -c 'truncate t'
            same "$program, $mode: atomic commands" "done${NL}done${NL}done${NL}done" \
                "$(quiet "begin; $atomic; $atomic; savepoint s; $atomic; rollback to s; commit; $atomic")"
            same "$program, $mode: are committed" '3|0' \
                "$(server_psql part -Atq -d part -c 'select (select count(*) from t), (select count(*) from pg_prepared_xacts)')"
            same "$program, $mode: and nothing is left to recover" '' "$(quiet "select * from plproxy_recover_prepared('parts')")"
            # The same database without the pooler is the same database.
            quiet "alter server parts options (add p1 '$(printf 'host=127.0.0.1 port=%s dbname=part' "$(server_port part)")')" >/dev/null
            expect_like "$program, $mode: the same database without the pooler" 'partitions 0 and 1 are one database' "$(quiet "$atomic")"
            quiet 'alter server parts options (drop p1)' >/dev/null
            pooler_kill "atomic-$program-$mode"
        done
        pooler_start "atomic-$program-statement" part --program "$program" "${TWO[@]}" --set 'pool_mode = statement'
        use "atomic-$program-statement"
        expect_like "$program, statement: an atomic command is refused" 'transaction blocks not allowed in statement pooling mode' "$(quiet "$atomic")"
        pooler_kill "atomic-$program-statement"
    done
}

# A PgBouncer that refuses the simple protocol: whatever is asked is one statement, and goes by the extended one.
part_extended() {
    local program connstr calls=$((CALLS / WORKERS)) attrs options expected
    local checks="select function, partition, ok, problem from plproxy_check_functions('parts') order by 1"
    server_psql part -q -d part -c 'create function root() returns float8 language sql as $$ select sqrt(2::float8) $$'
    for program in newer debian; do
        pooler_start "extended-$program" part --program "$program" "${TWO[@]}" --set 'pool_mode = transaction' \
            --set 'disable_pqexec = 1'
        pooler_start "simple-$program" part --program "$program" "${TWO[@]}" --set 'pool_mode = transaction'
        use "simple-$program"
        expected=$(quiet "$checks")
        pooler_kill "simple-$program"
        for options in '' "prepared_statements 'auto'" "reset_query 'discard all'"; do
            use "extended-$program" "$options"
            hammer "$program" "$calls"
            all_right "$program, disable_pqexec${options:+, $options}" "$calls" 2 2
        done
        use "extended-$program"
        same "$program, disable_pqexec: remote errors come from their own calls" 0 "$(quiet 'select stumble(100)')"
        same "$program, disable_pqexec: all digits of numbers from a SELECT body" "1.4142135623730951${NL}1.4142135623730951" \
            "$(quiet 'select root_by_select(); select root_by_select()')"
        connstr="$(pooler_connstr "extended-$program" part) user=postgres password=$PARTITION_PASSWORD"
        for attrs in any read-write primary prefer-standby; do
            same "$program, disable_pqexec: target_session_attrs=$attrs" 'two 1' \
                "$(by_connstr "$connstr target_session_attrs=$attrs" | cut -d'|' -f1)"
        done
        for attrs in read-only standby; do
            expect_like "$program, disable_pqexec: target_session_attrs=$attrs" 'session is not read-only|server is not in hot standby mode' \
                "$(by_connstr "$connstr target_session_attrs=$attrs")"
        done
        same "$program, disable_pqexec: plproxy_check_cluster" "0|t|" \
            "$(quiet "select partition, ok, error from plproxy_check_cluster('parts')")"
        same "$program, disable_pqexec: plproxy_check_function" "0|t|" \
            "$(quiet "select partition, ok, problem from plproxy_check_function('one(int)')")"
        same "$program, disable_pqexec: plproxy_check_functions finds the same without it" "$expected" "$(quiet "$checks")"
        same "$program, disable_pqexec: plproxy_run_on_all" "2${NL}CREATE TABLE" \
            "$(quiet "select result from plproxy_run_on_all('parts', 'select 1 + 1;')
                union all select result from plproxy_run_on_all('parts', 'create temp table u (n int)')")"
        # What docs/pgbouncer.md says cannot be done.
        expect_like "$program, disable_pqexec: several statements" 'PQexec disallowed|server closed the connection' \
            "$(quiet "select result from plproxy_run_on_all('parts', 'select 1; select 2')")"
        expect_like "$program, disable_pqexec: an atomic command" 'PQexec disallowed|server closed the connection' \
            "$(quiet "select result from plproxy_run_on_all('parts', 'select 1', atomic => true)")"
        use "extended-$program" "reset_query 'reset all; discard temp'"
        expect_like "$program, disable_pqexec: a reset query of several statements costs the connection, not the call" \
            "^one 1${NL}one 2\$" "$(quiet 'select said from one(1); select said from one(2)')"
        pooler_kill "extended-$program"
    done
}

# Calls that join the local transaction keep their server connection, which a pool of statements cannot give.
part_joined() {
    local program mode settings
    server_psql part -q -d part -c 'create table j (n int)' \
        -c 'create function add(i int) returns int language sql as $$ insert into j values ($1) returning n $$'
    quiet 'create function add(i int) returns int language plproxy as $$ cluster '"'parts'"'; run on 0; $$;
        create table local (n int)' >/dev/null
    for program in newer debian; do
        for mode in session transaction extended; do
            case $mode in
                extended) settings=(--set 'pool_mode = transaction' --set 'disable_pqexec = 1') ;;
                *) settings=(--set "pool_mode = $mode") ;;
            esac
            pooler_start "joined-$program-$mode" part --program "$program" "${TWO[@]}" "${settings[@]}"
            use "joined-$program-$mode" "transaction_mode 'two_phase'"
            server_psql part -q -d part -c 'truncate j'
            same "$program, $mode: calls of one transaction" "1${NL}2${NL}t${NL}3" "$(quiet 'begin; select add(1); select add(2);
                select a.pid = b.pid from one(1) a, one(2) b; savepoint s; select add(3); rollback to s; commit')"
            same "$program, $mode: what was prepared is committed" "4${NL}5" \
                "$(quiet 'begin; insert into local values (1); select add(4); commit; begin; select add(5); rollback')"
            same "$program, $mode: that is all" '1 2 4|0' "$(server_psql part -Atq -d part \
                -c "select (select string_agg(n::text, ' ' order by n) from j), (select count(*) from pg_prepared_xacts)")"
            pooler_kill "joined-$program-$mode"
        done
        server_psql part -q -d part -c 'truncate j'
        pooler_start "joined-$program-statement" part --program "$program" "${TWO[@]}" --set 'pool_mode = statement'
        use "joined-$program-statement" "transaction_mode 'two_phase'"
        expect_like "$program, statement: refused" 'transaction blocks not allowed in statement pooling mode' "$(quiet 'select add(1)')"
        expect_like "$program, statement: with a hint" 'HINT: .*the pooler must pool sessions or transactions' "$(quiet 'select add(1)')"
        same "$program, statement: nothing was done" 0 "$(server_psql part -Atq -d part -c 'select count(*) from j')"
        pooler_kill "joined-$program-statement"
    done
}

# The settings that docs/pgbouncer.md recommends are those of the file, and they do what is said there.
part_recommended() {
    same "docs/pgbouncer.md has recommended.ini" "$(grep -v '^;' "$HERE/recommended.ini")" \
        "$(sed -n '/^```ini$/,/^```$/p' "$ROOT/docs/pgbouncer.md" | grep -vE '^(```|;|\[|\*|auth|listen|$)' || true)"
    SESSIONS=12 INSTANCES=2 DATABASES=4 SECONDS_EACH=3 LIMIT=20 DIRECT=no "$HERE/connections.sh" \
        >"$PLPROXY_RUN/connections" 2>&1 || true
    cat "$PLPROXY_RUN/connections"
    expect_like "12 sessions, 4 partitions on each of 2 instances: at most 17 of 20 connections, no error" \
        '^within the limit: yes, errors: 0$' "$(cat "$PLPROXY_RUN/connections")"
}

# ---- all of them

NL=$'\n'
run_begin
PARTITION_PASSWORD=$(cat "$PLPROXY_RUN/password")
export PARTITION_PASSWORD
server_start part --max-connections 100 --set 'max_prepared_transactions = 20'
server_start proxy --max-connections 100
server_psql part -q -c "create database part template template0 encoding 'LATIN1' locale 'C'"
server_psql part -q -d part -f "$HERE/partition.sql"
server_psql proxy -q -c 'create database proxy' \
    -c "create database ascii template template0 encoding 'SQL_ASCII' locale 'C'"
for database in proxy ascii; do server_psql proxy -q -d $database -f "$HERE/proxy.sql"; done

for part in modes prepared restarts lifetime cancel refused auth encodings atomic extended joined recommended; do
    wanted=no
    [ $# -gt 0 ] || wanted=yes
    for word in "$@"; do case $part in *"$word"*) wanted=yes ;; esac; done
    if [ $wanted = yes ]; then
        start=$SECONDS
        "part_$part"
        printf '(%s: %s s)\n' "$part" $((SECONDS - start))
    fi
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
