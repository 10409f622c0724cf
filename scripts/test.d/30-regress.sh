# What SQL can see: the families of regress/, one pg_regress test each. regress/HARNESS.md says what they need.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
run_begin
server_start regress --max-connections 300 --auth trust --set "lc_messages = 'C'" \
    --hba 'host all regress_scram 127.0.0.1/32 scram-sha-256'
server_psql regress -q -c "create database regression template template0 encoding 'UTF8' locale 'C'"
out=$PLPROXY_RUN/out
mkdir -p "$out"
PG_REGRESS=$(dirname "$("$(tree_bin "$PLPROXY_TREE")/pg_config" --pgxs)")/../test/regress/pg_regress
rc=0
other_words "$PLPROXY_RUN/words" "$PGMAJOR"
# A psql that a test starts is the one of the tree: the machine may have another, or none.
export PATH=$PLPROXY_RUN/words:$(tree_bin "$PLPROXY_TREE"):$PATH
# From the output directory: what pg_regress leaves behind goes with the run.
cd "$out"
counted regress "$PLPROXY_RUN/regress.log" "$PG_REGRESS" --use-existing --dbname=regression \
    --inputdir="$ROOT/regress" --outputdir="$out" --bindir="$(tree_bin "$PLPROXY_TREE")" \
    --host=127.0.0.1 --port="$(server_port regress)" --user=postgres --schedule="$ROOT/regress/schedule" || rc=$?
[ ! -s "$out/regression.diffs" ] || head -n 400 "$out/regression.diffs"
exit $rc
