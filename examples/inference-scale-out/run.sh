#!/usr/bin/env bash
# Embeddings by four nodes at once: each is a partition whose function asks its own model server by HTTP. The README tells the
# story. Prints the SQL and what came of it, measures one node against four, checks what is claimed, and exits non-zero
# when a check fails. The model servers are stand-ins that take a while for each text.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case ${SCALE:-full} in
    full) TEXTS=400 DELAY=50 ;;
    small) TEXTS=80 DELAY=50 ;;
    *) die "SCALE is full or small, not '$SCALE'" ;;
esac
NODES=4
[ "$PGMAJOR" = "$PACKAGED" ] || leave_out "Debian 12 has PL/Python for $PACKAGED only"

step "A proxy, and four nodes with PL/Python"
begin
python=$("$SCRIPTS/tree.sh" python)
use_rust
(cd "$ROOT" && cargo build --quiet --locked -p plproxy-model-server)
# PL/Python goes into a copy of the tree, which ends with the run.
tree=$PLPROXY_RUN/tree
cp -a "$PLPROXY_TREE" "$tree"
install -m 755 "$python/lib/plpython3.so" "$("$(tree_bin "$tree")/pg_config" --pkglibdir)/"
install -m 644 "$python/extension"/* "$("$(tree_bin "$tree")/pg_config" --sharedir)/extension/"
servers proxy
servers node0 node1 node2 node3 -- --tree "$tree" --env "PYTHONHOME=$python/home" \
    --env "LD_LIBRARY_PATH=$python/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
step_end

step "A model server beside each: one text at a time, $DELAY ms each"
mkfifo "$PLPROXY_RUN/hold"
exec {HOLD}<>"$PLPROXY_RUN/hold"
for ((n = 0; n < NODES; n++)); do
    # Its standard input is ours to hold: it ends with us at the latest.
    "${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-model-server" $DELAY <"$PLPROXY_RUN/hold" >"$PLPROXY_RUN/model$n" {HOLD}>&- &
    until_so 120 "the model server" test -s "$PLPROXY_RUN/model$n"
    tell "model server of node$n: http://127.0.0.1:$(cat "$PLPROXY_RUN/model$n")/v1/embeddings"
done
step_end

step "On the nodes: a function that sends its texts to the model server next to it"
node() {
    cat <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create role app login password :'password';
alter database postgres set model.url = 'http://127.0.0.1:$(cat "$PLPROXY_RUN/model$1")/v1/embeddings';
create extension plpython3u;
SQL
    cat <<'SQL'
create function embed(i_texts text[], out content text, out embedding float8[], out node text) returns setof record
language plpython3u as $$
    import json, urllib.request
    [of] = plpy.execute("select current_setting('model.url') as url, current_setting('cluster_name') as node")
    request = urllib.request.Request(of["url"], headers={"Content-Type": "application/json"},
        data=json.dumps({"model": "stand-in", "input": i_texts}).encode())
    with urllib.request.urlopen(request, timeout=120) as answer:
        found = json.load(answer)["data"]
    return [(i_texts[e["index"]], e["embedding"], of["node"]) for e in found]
$$;
SQL
}
node 0 | sql node0
for ((n = 1; n < NODES; n++)); do node $n | server_psql node$n -q -f -; done
tell "... and the same on the other three"
step_end

step "On the proxy: two clusters, of one node and of all four"
# entries COUNT: the first so many nodes as partitions.
entries() {
    local n out=''
    for ((n = 0; n < $1; n++)); do out+=,$'\n'"    p$n '$(at node$n postgres)'"; done
    printf '%s' "${out#,}"
}
sql proxy <<SQL
\set password \`printf %s "\$APP_PASSWORD"\`
create extension plproxy;
create server one_node foreign data wrapper plproxy options ($(entries 1));
create server nodes foreign data wrapper plproxy options ($(entries $NODES));
create user mapping for public server one_node options (user 'app', password :'password');
create user mapping for public server nodes options (user 'app', password :'password');
create function embed_one(i_texts text[], out content text, out embedding float8[], out node text) returns setof record
    language plproxy as \$\$ cluster 'one_node'; run on any; split i_texts; target embed; \$\$;
create function embed(i_texts text[], out content text, out embedding float8[], out node text) returns setof record
    language plproxy as \$\$ cluster 'nodes'; run on any; split i_texts; \$\$;
-- Exactly as many texts for each node, where chance is not good enough.
create function embed_evenly(i_texts text[], i_turns int[], out content text, out embedding float8[], out node text)
    returns setof record
    language plproxy as \$\$ cluster 'nodes'; run on i_turns; split i_texts, i_turns;
        select content, embedding, node from embed(i_texts); \$\$;
create table documents (id int primary key, content text, embedding float8[]);
insert into documents select i, 'Text no. ' || i || ': "über" \\ ' || repeat('*', i % 7) from generate_series(1, $TEXTS) i;
SQL
step_end

# measured NAME CALL: its rows go into the table NAME. Leaves its time in `ms`.
measured() {
    local began
    tell "create table $1 as select * from $2;"
    # The connections are made before.
    began=$(server_psql proxy -Atq <<SQL
select from embed_one('{warm}');
select from embed_evenly('{a,b,c,d}', '{0,1,2,3}');
select clock_timestamp() as began \gset
create table $1 as select * from $2;
select (extract(epoch from clock_timestamp() - :'began') * 1000)::int;
SQL
)
    ms=$(tail -n 1 <<<"$began")
    tell "$TEXTS texts in $ms ms"
}
speed_up() { printf '%d.%02d' $(($1 / $2)) $(($1 * 100 / $2 % 100)); }

step "A batch of $TEXTS texts by one node, by four with RUN ON ANY, and by four in turn"
measured by_one "embed_one(array(select content from documents order by id))"
one=$ms
measured by_any "embed(array(select content from documents order by id))"
any=$ms
measured in_turn "embed_evenly(array(select content from documents order by id), array(select i from generate_series(1, $TEXTS) i))"
turn=$ms
sql proxy <<'SQL'
select node, (select count(*) from by_any where by_any.node = n.node) as "by any",
    (select count(*) from in_turn where in_turn.node = n.node) as "in turn" from (select distinct node from in_turn) n order by 1;
SQL
tell "four nodes are $(speed_up "$one" "$any") times as fast as one with RUN ON ANY, $(speed_up "$one" "$turn") times in turn"
# One after the other they would take as long as the one. A busy machine adds to all times alike, which makes the gain less.
check_that "by chance it takes less than nine tenths of the time" [ $((any * 10)) -lt $((one * 9)) ]
check_that "in turn it does, too" [ $((turn * 10)) -lt $((one * 9)) ]
check "one node did as it was told" "select count(*) = $TEXTS and bool_and(node = 'node0') from by_one"
check "all four worked on the batch" "select count(distinct node) = $NODES from by_any"
check "in turn each has had its quarter" \
    "select count(*) = $NODES and bool_and(n = $TEXTS / $NODES) from (select count(*) n from in_turn group by node) x"
for name in by_any in_turn; do
    check "$name: every text once, with the embedding that one node gives it" "select count(*) = $TEXTS
        and count(one.embedding) = $TEXTS and bool_and(many.embedding = one.embedding)
        and count(distinct many.content) = $TEXTS from $name many left join by_one one using (content)"
done
step_end

step "Into the table, in one statement"
sql proxy <<'SQL'
update documents d set embedding = e.embedding
    from embed(array(select content from documents where embedding is null)) e where d.content = e.content;
select id, content, embedding from documents order by id limit 3;
SQL
check "every document has its embedding" "select count(*) = $TEXTS and bool_and(array_length(embedding, 1) = 4)
    from documents where embedding is not null"
step_end

step "A node is down: the batch fails as a whole, with its name"
server_stop node2
sql proxy -v ON_ERROR_STOP=0 <<SQL
select count(*) from embed_evenly('{a,b,c,d}', '{0,1,2,3}');
-- Without it, for the time being: numbers must have no gaps, so the last one takes its place.
alter server nodes options (set p2 '$(at node3 postgres)');
select node, count(*) from embed(array(select content from documents)) group by node order by node;
SQL
check "three nodes do it all" "select count(*) = 8 and count(distinct node) = 3
    from embed_evenly('{a,b,c,d,e,f,g,h}', '{0,1,2,3,4,5,6,7}')"
step_end

finish proxy:postgres node0:postgres
