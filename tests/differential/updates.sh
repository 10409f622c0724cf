#!/usr/bin/env bash
# How a database gets the extension: anew in schemas of all kinds of names, from 3.0.0 as it was released, and from functions made by
# hand. What is updated is the same as what is made anew. Needs PLPROXY_TREE; ends with "N passed, N failed".

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
HERE=$ROOT/tests/differential
source "$HERE/members.sh"

# ask database statements: their answers, or an error, on one line
ask() { server_psql own -Atq -v ON_ERROR_STOP=0 -d "$1" <<<"$2" 2>&1 | paste -sd ';' - || true; }
fresh() { server_psql own -q -c "create database $1 template template0"; }
ended() { server_psql own -q -c "drop database $1"; }

run_begin
# A tree of this run's own, which has the script of 3.0.0 besides.
TREE=$PLPROXY_RUN/tree
cp -a "$PLPROXY_TREE" "$TREE"
cp "$HERE/setup/plproxy--3.0.0.sql" "$("$(tree_bin "$TREE")/pg_config" --sharedir)/extension/"
server_start own --tree "$TREE" --auth trust --set 'shared_buffers = 16MB' --set 'max_prepared_transactions = 20'
for name in part0 part1; do
    server_psql own -q -c "create database $name" -c "\\c $name" -c 'create table t (n int)' \
        -c 'create function here(n int) returns text language sql as $$ select current_database() || n $$'
done
P="host=127.0.0.1 user=postgres port=$(server_port own) dbname=part"
CLUSTER="create server parts foreign data wrapper plproxy options (p0 '${P}0', p1 '${P}1'); create user mapping for public server parts;
    create schema if not exists app; create function app.here(n int) returns text language plproxy as 'cluster ''parts''; run on n; target public.here;'"
version="select extversion, extnamespace::regnamespace from pg_extension where extname = 'plproxy'"

# works database schema what: the schema is quoted
works() {
    same "$3: calls" 'part00 part11' "$(ask "$1" "select string_agg(app.here(n), ' ') from generate_series(0, 1) n")"
    same "$3: the hash" '-7583489610679606711' "$(ask "$1" "select $2.plproxy_hash('a'::text)")"
    same "$3: all or none" '0|INSERT 0 1;1|INSERT 0 1' "$(ask "$1" "select partition, result from $2.plproxy_run_on_all('parts',
        'insert into t values (1)', atomic => true)")"
    same "$3: the recovery" '' "$(ask "$1" "select * from $2.plproxy_recover_prepared('parts')")"
    same "$3: checks" '0|t;1|t' "$(ask "$1" "select partition, ok from $2.plproxy_check_functions('parts') order by 1")"
    same "$3: route" '1|select r::text from public.here('"'7'"'::int4) r' \
        "$(ask "$1" "select partition, query from $2.plproxy_route('app.here(int)', '1')" | sed "s/'1'/'7'/")"
    same "$3: what fails says where" "ERROR:  PL/Proxy function $2.plproxy_run_on_all(3): command must not be NULL" \
        "$(ask "$1" "select * from $2.plproxy_run_on_all('parts', null)")"
    same "$3: statistics" 'this session' "$(ask "$1" "select scope from $2.plproxy_stat_info()")"
    same "$3: statistics, the view" 'this session' "$(ask "$1" "select scope from ${4:-$2}.plproxy_stat_info")"
    same "$3: transactions" 0 "$(ask "$1" "select recovered from $2.plproxy_stat_transactions()")"
    same "$3: transactions, the view" 0 "$(ask "$1" "select recovered from ${4:-$2}.plproxy_stat_info")"
    same "$3: it is not relocatable" 'ERROR:  extension "plproxy" does not support SET SCHEMA' \
        "$(ask "$1" 'alter extension plproxy set schema information_schema')"
}

# ---- anew, and from 2.12.0, wherever it lies

BACK=$(sed 's/2\.10\.0/2.12.0/' "$HERE/setup/back.sql")
LONG=$(printf 'x%.0s' $(seq 63))
fresh plain
ask plain "create extension plproxy; $CLUSTER" >/dev/null
works plain public public
anew=$(ask plain "$MEMBERS")
n=0
while IFS= read -r schema; do
    n=$((n + 1))
    fresh "in$n"
    [ "$schema" = pg_catalog ] || ask "in$n" "create schema $schema" >/dev/null
    same "$schema: CREATE EXTENSION" '' "$(ask "in$n" "create extension plproxy schema $schema; $CLUSTER")"
    views=$schema; [ "$schema" != pg_catalog ] || views=plproxy_internal
    works "in$n" "$schema" "$schema" "$views"
    made=$(ask "in$n" "$MEMBERS")
    # As a dump and its restoring do it.
    server_tool own pg_dump -d "in$n" >"$PLPROXY_RUN/dump.sql"
    fresh "restored$n"
    same "$schema: restored" '' "$(server_psql own -q -d "restored$n" -f "$PLPROXY_RUN/dump.sql" 2>&1 >/dev/null || true)"
    same "$schema: restored, the same" "$made" "$(ask "restored$n" "$MEMBERS")"
    ended "restored$n"
    # Back to what 2.12.0 had, and updated.
    ask "in$n" "$BACK" >/dev/null
    same "$schema: as the C handler has it" "2.12.0|$schema;5" "$(ask "in$n" "$version;
        select count(*) from pg_extension e join pg_depend d on d.refobjid = e.oid and d.deptype = 'e' where extname = 'plproxy'")"
    same "$schema: ALTER EXTENSION UPDATE" '' "$(ask "in$n" 'alter extension plproxy update')"
    same "$schema: updated, the same" "$made" "$(ask "in$n" "$MEMBERS")"
    works "in$n" "$schema" "$schema, updated" "$views"
    same "$schema: DROP EXTENSION" '' "$(ask "in$n" 'set client_min_messages = error; drop extension plproxy cascade')"
    same "$schema: nothing is left" 0 "$(ask "in$n" "select count(*) from pg_class, pg_namespace n where relname ~ 'plproxy' or nspname ~ 'plproxy'")"
    ended "in$n"
done <<SCHEMAS
pg_catalog
"Mixed Case"
"select"
"a.b"
"it's ""quoted"" \$\$"
"ünïcödé"
$LONG
SCHEMAS

# ---- from 3.0.0, with what it has decided

fresh old
same '3.0.0 as it was' '' "$(ask old "create extension plproxy version '3.0.0'; $CLUSTER")"
same '3.0.0: its version' '3.0.0|public' "$(ask old "$version")"
same '3.0.0: calls' part00 "$(ask old 'select app.here(0)')"
OUTDATED="ERROR:  the extension's functions are of another version than its library;HINT:  Run ALTER EXTENSION plproxy UPDATE."
same '3.0.0: an atomic command is refused until the update' "$OUTDATED" \
    "$(ask old "select from plproxy_run_on_all('parts', 'insert into t values (1)', atomic => true)")"
same '3.0.0: so is the recovery' "$OUTDATED" "$(ask old "select from plproxy_recover_prepared('parts')")"
# Of three transactions one was decided and is prepared still, one was decided and committed, and one was not decided.
old="plproxy_$(ask old "select oid from pg_database where datname = 'old'")_4711_$(ask old 'select system_identifier from pg_control_system()')"
decided=${old}1795263159495601 committed=${old}1795263159495602 undecided=${old}1795263159495603
for n in 0 1; do
    server_psql own -q -d part$n -c 'truncate t' -c "begin; insert into t values (1); prepare transaction '${decided}_$n'" \
        -c "begin; insert into t values (2); prepare transaction '${undecided}_$n'"
    ask old "insert into plproxy_prepared_transactions values ('${decided}_$n', 'parts', $n, '127.0.0.1', $(server_port own), 'part$n'),
        ('${committed}_$n', 'parts', $n, '127.0.0.1', $(server_port own), 'part$n')" >/dev/null
done
# Whoever was granted the table has put traps there, and in the way.
ask old "create role d_mallory; grant all on plproxy_prepared_transactions to d_mallory; grant create on schema public to d_mallory;
    set role d_mallory;
    create table seen (what text);
    create function saw() returns trigger language plpgsql as \$\$ begin insert into seen values (tg_op || current_user); return new; end \$\$;
    create trigger t before insert or update or delete or truncate on plproxy_prepared_transactions execute function saw();
    create trigger u after delete on plproxy_prepared_transactions for each row execute function saw();
    create function concat(text, text, text, int, text, text) returns text language plpgsql as \$\$ begin
        insert into seen values ('concat' || current_user); return ''; end \$\$" >/dev/null
ask old 'create role d_monitor; grant select on plproxy_stat_info to d_monitor; grant execute on function plproxy_stat_info() to d_monitor' >/dev/null
same '3.0.0: ALTER EXTENSION UPDATE' '' "$(ask old 'alter extension plproxy update')"
same '3.0.0: who might look at the statistics still may' 'this session|0' \
    "$(ask old 'set role d_monitor; select scope, recovered from plproxy_stat_info')"
ask old 'drop owned by d_monitor; drop role d_monitor' >/dev/null
same '3.0.0: nothing of somebody else was run' 0 "$(ask old 'select count(*) from seen')"
ask old 'drop owned by d_mallory; drop role d_mallory' >/dev/null
same '3.0.0: the new version' '3.1.0|public' "$(ask old "$version")"
same '3.0.0: updated, the same as made anew' "$anew" "$(ask old "$MEMBERS")"
same '3.0.0: what was decided came along' 4 "$(ask old 'select count(*) from plproxy_internal.prepared_transactions')"
in_parts() { for n in 0 1; do ask part$n 'select (select string_agg(n::text, null) from t), (select count(*) from pg_prepared_xacts where database = current_database())'; done | paste -sd ' ' -; }
same '3.0.0: what is prepared' '|2 |2' "$(in_parts)"
same '3.0.0: what was decided is committed' '0|committed;0|of server 3.0.0;1|committed;1|of server 3.0.0' \
    "$(ask old "select partition, action from plproxy_recover_prepared('parts')")"
same '3.0.0: and nothing else is done' '1|1 1|1' "$(in_parts)"
same '3.0.0: no decision is left' 0 "$(ask old 'select count(*) from plproxy_internal.prepared_transactions')"
same '3.0.0: the rest waits for a word' '0|of server 3.0.0;1|of server 3.0.0' "$(ask old "select partition, action from plproxy_recover_prepared('parts')")"
same '3.0.0: and is rolled back' '0|rolled back;1|rolled back' "$(ask old "select partition, action from plproxy_recover_prepared('parts', '3.0.0')")"
same '3.0.0: as it was' '1|0 1|0' "$(in_parts)"
works old public '3.0.0, updated'
# The same where another cluster leads to the partitions, in another order, and the owner of the extension has changed: what was
# decided is never rolled back.
fresh reassigned
ask reassigned "create role d_owner superuser; set role d_owner; create extension plproxy version '3.0.0'; reset role; $CLUSTER;
    create server others foreign data wrapper plproxy options (p0 '${P}1', p1 '${P}0'); create user mapping for public server others" >/dev/null
old="plproxy_$(ask reassigned "select oid from pg_database where datname = 'reassigned'")_4711_$(ask reassigned 'select system_identifier from pg_control_system()')"
decided=${old}1795263159495601 undecided=${old}1795263159495603
for n in 0 1; do
    server_psql own -q -d part$n -c 'truncate t' -c "begin; insert into t values (1); prepare transaction '${decided}_$n'" \
        -c "begin; insert into t values (2); prepare transaction '${undecided}_$n'"
    ask reassigned "insert into plproxy_prepared_transactions values ('${decided}_$n', 'parts', $n, '127.0.0.1', $(server_port own), 'part$n')" >/dev/null
done
same 'reassigned: updated, and given to another' '' "$(ask reassigned 'alter extension plproxy update; reassign owned by d_owner to postgres')"
same 'reassigned: by another cluster what was decided is committed' '0|committed;0|rolled back;1|committed;1|rolled back' \
    "$(ask reassigned "select partition, action from plproxy_recover_prepared('others', '3.0.0')")"
same 'reassigned: all is there' '1|0 1|0' "$(in_parts)"
same 'reassigned: no decision is left' 0 "$(ask reassigned 'select count(*) from plproxy_internal.prepared_transactions')"
# A row that nobody knows the writer of.
server_psql own -q -d part0 -c "begin; insert into t values (1); prepare transaction '${decided}_0'"
ask reassigned "insert into plproxy_internal.prepared_transactions values ('${decided}_0', 'parts', 0, '', '', '0', now())" >/dev/null
same 'reassigned: a row that does not count' '0|of server 3.0.0' "$(ask reassigned "select partition, action from plproxy_recover_prepared('parts')")"
same 'reassigned: it keeps the rest from being rolled back' '0|decision missing' \
    "$(ask reassigned "select partition, action from plproxy_recover_prepared('parts', '3.0.0')")"
server_psql own -q -d part0 -c "rollback prepared '${decided}_0'"
ended reassigned
server_psql own -q -c 'drop role d_owner'
# A schema of that name that is not the extension's stays what it is.
fresh taken
same '3.0.0: a schema of the same name' 'ERROR:  schema plproxy_internal is not a member of extension "plproxy"' \
    "$(ask taken "create schema plproxy_internal; create extension plproxy version '3.0.0'; alter extension plproxy update" | sed 's/;DETAIL.*//')"
# What somebody has put where 3.0.0 had its table, before that came to this database.
fresh planted
ask planted "create extension plproxy; $BACK; create schema mallory; create table mallory.seen (what text);
    create function mallory.sees() returns text language plpgsql as \$\$ begin insert into mallory.seen values (current_user); return ''; end \$\$;
    create view public.plproxy_prepared_transactions as select mallory.sees() as gid, ''::text as cluster, 0 as partition, ''::text as host,
        0 as port, ''::text as dbname, now() as prepared_at" >/dev/null
same 'planted: ALTER EXTENSION UPDATE' '' "$(ask planted 'alter extension plproxy update')"
same 'planted: it was not looked at' '0|0|1' "$(ask planted "select (select count(*) from mallory.seen),
    (select count(*) from plproxy_internal.prepared_transactions), (select count(*) from pg_views where viewname = 'plproxy_prepared_transactions')")"

# ---- made by hand, as docs/migrating.md says

section() { sed -n "/^## $1\$/,/^## /p" "$ROOT/docs/migrating.md" | sed -n '/^```sql$/,/^```$/p' | grep -v '^```'; }
BY_HAND="create schema lang;
    create function lang.plproxy_call_handler() returns language_handler as '\$libdir/plproxy' language c;
    create function lang.plproxy_validator(oid) returns void as '\$libdir/plproxy' language c;
    create language plproxy handler lang.plproxy_call_handler validator lang.plproxy_validator;
    create function lang.plproxy_fdw_validator(text[], oid) returns boolean as '\$libdir/plproxy' language c;
    create foreign data wrapper plproxy validator lang.plproxy_fdw_validator; $CLUSTER"
fresh hand
same 'by hand' '' "$(ask hand "$BY_HAND")"
same 'by hand: calls' part11 "$(ask hand 'select app.here(1)')"
said=$(ask hand 'create extension plproxy')
# From PostgreSQL 18 on it says where in the script.
same 'by hand: CREATE EXTENSION does not take it' 'ERROR:  language "plproxy" already exists' "${said%%;CONTEXT:*}"
same 'by hand: what docs/migrating.md says' '' "$(ask hand "$(section 'Made by hand' | tail -n 2)")"
same 'by hand: the version' '3.1.0|lang' "$(ask hand "$version")"
works hand lang 'by hand, taken in'
same 'by hand: a dump restores it' '3.1.0|lang' "$(fresh hand2; server_tool own pg_dump -d hand | server_psql own -q -d hand2 >/dev/null; ask hand2 "$version")"
same 'by hand: the same as made anew' "$(ask hand2 "$MEMBERS")" "$(ask hand "$MEMBERS")"
# An old one, without a validator and without the wrapper.
fresh older
ask older "create schema lang; create function lang.plproxy_call_handler() returns language_handler as '\$libdir/plproxy' language c;
    create language plproxy handler lang.plproxy_call_handler; create function f() returns int language plproxy as 'connect ''x''';" >/dev/null
same 'by hand, less: what docs/migrating.md says' '' "$(ask older "$(section 'Made by hand')")"
same 'by hand, less: the same as made anew' "$(ask hand "$MEMBERS")" "$(ask older "$MEMBERS")"

# ---- pg_upgrade, with what is decided

fresh cat
ask cat "create extension plproxy schema pg_catalog; $CLUSTER" >/dev/null
same 'pg_upgrade: a decision' '0|t;1|t' "$(ask cat "select partition, success from plproxy_run_on_all('parts', 'truncate t', atomic => true)")"
server_start newer --tree "$PLPROXY_TREE" --auth trust --set 'shared_buffers = 16MB'
server_stop newer; server_stop own
(cd "$(server_dir newer)" && as_server bash -c 'cd "$1" && shift && "$@"' - "$(server_dir newer)" \
    "$(tree_bin "$PLPROXY_TREE")/pg_upgrade" -b "$(tree_bin "$TREE")" -B "$(tree_bin "$PLPROXY_TREE")" -d "$(server_dir own)/data" \
    -D "$(server_dir newer)/data" -U postgres -s "$(server_dir newer)" -p "$(free_port)" -P "$(free_port)") >"$PLPROXY_RUN/upgrade.log" 2>&1 \
    || tail -n 20 "$PLPROXY_RUN/upgrade.log"
server_launch newer same
server_launch own same
newer() { server_psql newer -Atq -d "$1" <<<"$2" 2>&1 | paste -sd ';' - || true; }
# What is the owner's anyway may be written down, or not.
without_owner() { sed 's/{postgres=[A-Za-z]*\/postgres}//g' | md5sum; }
for database in hand cat; do
    same "pg_upgrade: $database, the same" "$(ask $database "$LISTED order by 1" | without_owner)" "$(newer $database "$LISTED order by 1" | without_owner)"
    same "pg_upgrade: $database, calls" 'part00 part11' "$(newer $database "select string_agg(app.here(n), ' ') from generate_series(0, 1) n")"
done
was=$(newer cat 'select distinct split_part(gid, '"'_'"', 4) from plproxy_internal.prepared_transactions')
same 'pg_upgrade: it is another server' "0|decided on server $was;1|decided on server $was" \
    "$(newer cat "select partition, action from plproxy_recover_prepared('parts')")"
same 'pg_upgrade: which takes over when it is told' '' "$(newer cat "select partition, action from plproxy_recover_prepared('parts', '$was')")"
same 'pg_upgrade: for ever' '' "$(newer cat "select partition, action from plproxy_recover_prepared('parts')")"

printf '%s passed, %s failed\n' "$passed" "$failed"
tally "$passed" "$failed"
[ "$failed" = 0 ]
