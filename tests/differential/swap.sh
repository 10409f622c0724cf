#!/usr/bin/env bash
# A database made under the C handler (Debian's 2.10.0) goes on under ours: the library is replaced, nothing is told to
# the database, and everything works; then ALTER EXTENSION … UPDATE; then back. Also every older version, dump and
# restore, and pg_upgrade. Needs PLPROXY_TREE; counts its checks and ends with "N passed, N failed".

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
source "$SCRIPTS/install.sh"
HERE=$ROOT/tests/differential

# As users copy it.
same 'the block of docs/migrating.md is setup/back.sql' "$(cat "$HERE/setup/back.sql")" \
    "$(sed -n '/^do \$\$$/,/^```$/p' "$ROOT/docs/migrating.md" | grep -v '^```$' || true)"

# ask server database statement: its answer, or its error
ask() { server_psql "$1" -Atq -d "$2" -c "$3" 2>&1 || true; }

# What the database of the old days is used for.
USE="select string_agg(where_is(n), ' ') from generate_series(0, 3) n"
USED='part0:postgres part1:postgres part2:postgres part3:postgres'
# The setting exists only where our library is loaded, by the call before it.
WHOSE="select part_at(0); select coalesce(current_setting('plproxy.standard_sqlstates', true), 'c')"

# works server database what: functions, servers, mappings, functions that tell of a cluster
works() {
    same "$3: calls" "$USED" "$(ask "$1" "$2" "$USE")"
    same "$3: RUN ON ALL, SPLIT" '0 1 2 3|1{1,5} 2{2}' "$(ask "$1" "$2" \
        "select (select string_agg(n::text, ' ') from every() n), (select string_agg(s, ' ') from cut('{1,2,5}') s)")"
    same "$3: CONNECT, cluster functions, rows" 'part1|part2|(1,part1)' \
        "$(ask "$1" "$2" "select by_connstr(), by_functions(), a_row()")"
    same "$3: another user, by his own mapping" d_bob "$(ask "$1" "$2" "set role d_alice; select who()")"
    same "$3: an error" 'ERROR:  public.fails(0): [part3] REMOTE ERROR: division by zero' \
        "$(ask "$1" "$2" 'select fails()')"
    same "$3: new functions are checked" 'ERROR:  PL/Proxy function public.bad(0): Compile error at line 1: syntax error' \
        "$(ask "$1" "$2" "create function bad() returns int language plproxy as 'bogus'" | head -n 1)"
}

# What is new since 3.0.0 goes, and the version: the block of docs/migrating.md.
back_to() { sed "s/2\.10\.0/$1/" "$HERE/setup/back.sql"; }

source "$HERE/members.sh"

version() { ask "$1" "$2" "select extversion from pg_extension where extname = 'plproxy'"; }

# put tree library-and-files-of: as a package does it
put_ours() { install_files "$(tree_bin "$1")/pg_config" "$(tree_file "$PLPROXY_TREE" lib/plproxy.so)"; }
put_c() {
    rm -f "$(tree_file "$1" lib/plproxy.so)" "$1/share/postgresql/$PGMAJOR/extension"/plproxy*
    cp -a "$(tree_file "$C" lib/plproxy.so)" "$(tree_file "$1" lib/plproxy.so)"
    cp -a "$C/share/postgresql/$PGMAJOR/extension"/plproxy* "$1/share/postgresql/$PGMAJOR/extension/"
}
tree_file() { printf '%s/lib/postgresql/%s/%s' "$1" "$PGMAJOR" "$2"; }

run_begin
C=$("$SCRIPTS/tree.sh" c)
# A tree of this run's own, whose library can be replaced.
SWAPPED=$PLPROXY_RUN/tree
cp -a "$C" "$SWAPPED"
settings=(--auth trust --set 'shared_buffers = 16MB')
server_start parts --tree "$PLPROXY_TREE" "${settings[@]}"
server_psql parts -q -f "$HERE/setup/partition.sql" >/dev/null
server_start proxy --tree "$SWAPPED" "${settings[@]}"
server_psql proxy -q -c 'create database app'
server_psql proxy -q -d app -v port="$(server_port parts)" -f "$HERE/setup/swap.sql" >/dev/null
# The same where the extension lies in pg_catalog.
server_psql proxy -q -c 'create database cat'
sed 's/^create extension plproxy;/create extension plproxy schema pg_catalog;/' "$HERE/setup/swap.sql" >"$HERE/setup/cat.$$.sql"
server_psql proxy -q -d cat -v port="$(server_port parts)" -f "$HERE/setup/cat.$$.sql" >/dev/null
rm "$HERE/setup/cat.$$.sql"
same 'the old version' 2.10.0 "$(version proxy app)"
same 'the C handler runs' c "$(ask proxy app "$WHOSE" | tail -n 1)"
works proxy app 'under the C handler'
works proxy cat 'under the C handler, in pg_catalog'
(umask 077; server_tool proxy pg_dump -d app >"$PLPROXY_RUN/app.sql"; server_tool proxy pg_dump -d cat >"$PLPROXY_RUN/cat.sql")

# A session that is open while the library is replaced keeps the one that it has.
session_open proxy -d app
same 'an open session, before' 'part1:postgres' "$(session 'select where_is(1);')"
put_ours "$SWAPPED"
same 'an open session, after' 'part2:postgres' "$(session 'select where_is(2);')"
same 'a new session has ours' off "$(ask proxy app "$WHOSE" | tail -n 1)"
works proxy app 'library replaced, no restart'
session_close
server_restart proxy
works proxy app 'library replaced, restarted'
same 'no DDL: still the old version' 2.10.0 "$(version proxy app)"
same 'ALTER EXTENSION UPDATE' '' "$(ask proxy app 'alter extension plproxy update')"
same 'the new version' 3.1.0 "$(version proxy app)"
same 'what is new' '-7583489610679606711' "$(ask proxy app "select plproxy_hash('a'::text)")"
works proxy app 'updated'
works proxy cat 'library replaced, in pg_catalog'
same 'ALTER EXTENSION UPDATE, in pg_catalog' '' "$(ask proxy cat 'alter extension plproxy update')"
same 'the new version, in pg_catalog' '3.1.0|pg_catalog' "$(ask proxy cat "select extversion, extnamespace::regnamespace from pg_extension where extname = 'plproxy'")"
works proxy cat 'updated, in pg_catalog'

# Back again, as docs/migrating.md says.
put_c "$SWAPPED"
server_restart proxy
works proxy app 'the C library again'
same 'its own version again' '' "$(ask proxy app "$(back_to 2.10.0)")"
same 'the old version again' 2.10.0 "$(version proxy app)"
same 'the C handler runs again' c "$(ask proxy app "$WHOSE" | tail -n 1)"
works proxy app 'back'
same 'its own version again, in pg_catalog' '' "$(ask proxy cat "$(back_to 2.10.0)")"
works proxy cat 'back, in pg_catalog'

# Every released version, as the C handler's scripts left it.
server_start ours --tree "$PLPROXY_TREE" "${settings[@]}"
server_psql ours -q -c 'create role d_alice login'
anew=$(ask ours postgres "create extension plproxy; $MEMBERS")
for old in 2.3.0 2.4.0 2.5.0 2.6.0 2.7.0 2.8.0 2.9.0 2.10.0 2.11.0 2.12.0; do
    server_psql ours -q -c 'create database old'
    server_psql ours -q -d old -v port="$(server_port parts)" -f "$HERE/setup/swap.sql" >/dev/null
    ask ours old "$(back_to "$old")" >/dev/null
    # The language had no validator before 2.3, and its upgrades brought it none.
    [ "$old" != 2.3.0 ] || ask ours old "update pg_language set lanvalidator = 0 where lanname = 'plproxy';
        delete from pg_depend where classid = 'pg_language'::regclass and refobjid = 'plproxy_validator'::regproc;
        alter extension plproxy drop function plproxy_validator(oid); drop function plproxy_validator(oid)" >/dev/null
    same "from $old" '' "$(ask ours old 'alter extension plproxy update')"
    same "from $old: version, members" '3.1.0|34' "$(ask ours old "select extversion, count(*) from pg_extension e
        join pg_depend d on d.refobjid = e.oid and d.deptype = 'e' where extname = 'plproxy' group by 1")"
    same "from $old: the same as made anew" "$anew" "$(ask ours old "$MEMBERS")"
    same "from $old: calls" "$USED" "$(ask ours old "$USE")"
    same "from $old: the validator" 'ERROR:  PL/Proxy function public.bad(0): Compile error at line 1: syntax error' \
        "$(ask ours old "create function bad() returns int language plproxy as 'bogus'" | head -n 1)"
    server_psql ours -q -c 'drop database old'
done

# Dump and restore.
server_psql ours -q -c 'create database restored'
same 'restoring the dump' '' "$(server_psql ours -q -d restored -f "$PLPROXY_RUN/app.sql" 2>&1 >/dev/null || true)"
same 'restored: the version' 3.1.0 "$(version ours restored)"
works ours restored 'dumped and restored'
server_psql ours -q -c 'create database catalog'
same 'restoring the dump, in pg_catalog' '' "$(server_psql ours -q -d catalog -f "$PLPROXY_RUN/cat.sql" 2>&1 >/dev/null || true)"
works ours catalog 'dumped and restored, in pg_catalog'

# pg_upgrade, from the C handler's tree into ours.
server_start new --tree "$PLPROXY_TREE" "${settings[@]}"
server_stop new; server_stop proxy
upgrade() {
    (cd "$(server_dir new)" && as_server bash -c 'cd "$1" && shift && "$@"' - "$(server_dir new)" \
        "$(tree_bin "$PLPROXY_TREE")/pg_upgrade" -b "$(tree_bin "$SWAPPED")" -B "$(tree_bin "$PLPROXY_TREE")" \
        -d "$(server_dir proxy)/data" -D "$(server_dir new)/data" -U postgres -s "$(server_dir new)" \
        -p "$(free_port)" -P "$(free_port)" "$@") 2>&1
}
same 'pg_upgrade --check' '*Clusters are compatible*' "$(upgrade --check | grep -o '\*Clusters are compatible\*')"
same 'pg_upgrade' 'Upgrade Complete' "$(upgrade | tee "$PLPROXY_RUN/upgrade.log" | grep -o 'Upgrade Complete')"
[ "$failed" = 0 ] || tail -n 20 "$PLPROXY_RUN/upgrade.log"
server_launch new same
same 'upgraded: still the old version' 2.10.0 "$(version new app)"
works new app 'upgraded by pg_upgrade'
same 'upgraded: ALTER EXTENSION UPDATE' '' "$(ask new app 'alter extension plproxy update')"
same 'upgraded: the new version' 3.1.0 "$(version new app)"
works new app 'upgraded and updated'
same 'upgraded: ALTER EXTENSION UPDATE, in pg_catalog' '' "$(ask new cat 'alter extension plproxy update')"
works new cat 'upgraded and updated, in pg_catalog'

printf '%s passed, %s failed\n' "$passed" "$failed"
tally "$passed" "$failed"
[ "$failed" = 0 ]
