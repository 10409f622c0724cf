# Unit and property tests of the crates; no server. The comparison with libpq's own parser is made with the libpq that
# psql of the private tree uses, so that it is never left out here.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
source "$SCRIPTS/build.sh"
use_openssl
cd "$ROOT"
base=$("$SCRIPTS/tree.sh" base)
use_ground_libs
run_begin
libpq=$(libraries "$(tree_bin "$base")/psql" | awk '$1 == "libpq.so.5" { print $3 }')
[ -n "$libpq" ] || die "psql of $base uses no libpq.so.5"
export PLPROXY_PQPARSE=$PLPROXY_RUN/pqparse
mapfile -t link < <(tree_link "$base")
cc -o "$PLPROXY_PQPARSE" -I"$("$(tree_bin "$base")/pg_config" --includedir)" crates/plproxy-core/tests/pqparse.c "$libpq" \
    -Wl,--unresolved-symbols=ignore-in-shared-libs ${link[@]+"${link[@]}"} || die "pqparse.c does not build"
counted cargo "$PLPROXY_RUN/cargo.log" cargo test --locked --no-fail-fast -p plproxy-core -p plproxy-remote -p plproxy-architecture
