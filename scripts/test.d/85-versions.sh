# A proxy of one PostgreSQL over partitions of another, in both directions: PG and Debian 12's own. The families of regress/
# run once more, with their partitions on the other server; they cover every type, in binary and in text.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
OTHER=$PACKAGED
[ "$PGMAJOR" != "$OTHER" ] || skip "the other versions run it, each with $OTHER on the other side"

# Those that reach nothing but the partitions' port, and do nothing to the partitions' server itself.
FAMILIES="init call split types records connect target select notices transactions streaming run_on"

OTHER_TREE=$(PG=$OTHER "$SCRIPTS/ready.sh")
run_begin

# families name...: of `mixed`.
families() {
    local family file rc=0
    rm -f "$dir/schedule"
    # They find their partitions by the port. An object that initdb made has another number in each version; the simple
    # configuration's is fixed.
    for family in "$@"; do
        echo "test: $family" >>"$dir/schedule"
        for file in "sql/$family.sql" "expected/$family.out"; do
            sed -e "s/current_setting('port')/current_setting('partitions.port')/g" \
                -e "s/'regconfig', '{english}'/'regconfig', '{simple}'/" "$ROOT/regress/$file" >"$dir/$file"
        done
    done
    (
        cd "$out"
        export PATH=$PLPROXY_RUN/words:$PATH
        counted regress "$PLPROXY_RUN/regress.log" "$regress" --use-existing --dbname=regression --inputdir="$dir" \
            --outputdir="$out" --bindir="$bin" --host=127.0.0.1 --port="$(server_port "$proxy")" \
            --user=postgres --schedule="$dir/schedule"
    ) || rc=$?
    [ ! -s "$out/regression.diffs" ] || head -n 400 "$out/regression.diffs"
    return "$rc"
}

# mixed tree tree: the first is the proxy's, the second the partitions'.
mixed() {
    local major proxy parts dir out bin regress rc=0
    major=$(tree_major "$1") bin=$(tree_bin "$1")
    regress=$(dirname "$("$bin/pg_config" --pgxs)")/../test/regress/pg_regress
    proxy=proxy$major parts=parts$(tree_major "$2") dir=$PLPROXY_RUN/families$major out=$PLPROXY_RUN/out$major
    say "PostgreSQL $major over $(tree_major "$2")"
    other_words "$PLPROXY_RUN/words" "$PGMAJOR" "$OTHER"
    server_start "$parts" --tree "$2" --max-connections 300 --auth trust --set "lc_messages = 'C'"
    server_start "$proxy" --tree "$1" --max-connections 300 --auth trust --set "lc_messages = 'C'" \
        --set "partitions.port = $(server_port "$parts")"
    server_psql "$proxy" -q -c "create database regression template template0 encoding 'UTF8' locale 'C'"
    server_psql "$parts" -q -c "create database regression template template0 encoding 'UTF8' locale 'C'"
    server_tool "$parts" psql -X -q -d regression -f "$ROOT/regress/sql/init.sql" >/dev/null

    mkdir -p "$dir/sql" "$dir/expected" "$out"
    # shellcheck disable=SC2086
    families $FAMILIES || rc=$?
    # It has settings of a partition's database, which are for it alone.
    grep '^alter database regress_part.* set ' "$ROOT/regress/sql/exact.sql" | server_psql "$parts" -q
    families exact || rc=$?
    # What was tested is what it is called.
    server_psql "$proxy" -q -d regression <<'SQL'
create function version_there() returns int language plproxy as $$
    cluster 'parts'; run on 0; select current_setting('server_version_num')::int / 10000;
$$;
SQL
    check "the partitions of $major are of $(tree_major "$2")" [ "$(server_psql "$proxy" -d regression -Atc \
        "select current_setting('server_version_num')::int / 10000, version_there()")" = "$major|$(tree_major "$2")" ]
    server_stop "$proxy"
    server_stop "$parts"
    return "$rc"
}

result=0
mixed "$PLPROXY_TREE" "$OTHER_TREE" || result=1
mixed "$OTHER_TREE" "$PLPROXY_TREE" || result=1
tally "$passed" "$failed"
[ "$failed" = 0 ] && exit "$result"
