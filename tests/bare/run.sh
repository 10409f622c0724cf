#!/usr/bin/env bash
# What scripts/test.d/97-bare.sh runs on a machine that has nothing (scripts/bare.sh): as root the tests' steps that the arguments
# name, from nothing, then the demo and two examples, which need more programs and libraries; the demo from nothing as an ordinary
# user. Ends with "N passed, N failed".

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"

LOG=$(mktemp /tmp/plproxy-bare.XXXXXX)

# run "what" command...: its own count is added; one that fails without having counted a failure, or counts nothing, is a
# failure.
run() {
    local what=$1 rc=0 start=$SECONDS p f; shift
    say "$what"
    "$@" 2>&1 </dev/null | tee "$LOG" || rc=$?
    p=$(count_summary passed "$LOG") f=$(count_summary failed "$LOG")
    [ "$f" != 0 ] || { [ "$rc" = 0 ] && [ "$p" != 0 ]; } || f=1
    passed=$((passed + p)) failed=$((failed + f))
    say "$what: $p passed, $f failed ($((SECONDS - start)) s)"
}

# ---- it is one that has nothing
present() { local program; for program in "$@"; do command -v "$program" || true; done; }
same 'there is no PostgreSQL, and nothing that building needs' '' "$(present postgres psql pg_config pg_ctl clang c++ cargo rustc rustfmt wget)"
same 'nor a library of it' '' "$(find /usr/lib /lib -name 'libpq*' -o -name 'libssl.so' -o -name 'libclang*')"
check 'nor a ground' [ ! -e "$GROUND" ]

# ---- root
run "the steps $*" "$SCRIPTS/test.sh" "$@"
run 'the demo' make -C "$ROOT" demo SCALE=small
for example in failover inference-scale-out; do
    run "the example $example" env SCALE=small "$ROOT/examples/$example/run.sh"
done

# ---- a user, to whom all this belongs now: the checkout with what root built, the crates, and a ground that is empty again
useradd --create-home --shell /bin/bash user
rm -rf "$GROUND"
install -d -o user "$GROUND"
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
find "$ROOT" "$TARGET" "$CARGO_HOME" \( -path "$ROOT/.git" -o -path "$ROOT/fuzz/target" -o -path "$TARGET/debug" \
    -o -path "$TARGET/pg1?" \) -prune -o -print0 | xargs -0 chown --no-dereference user
# What leads there may be root's alone.
for path in "$ROOT" "$TARGET" "$CARGO_HOME"; do
    while [ "${#path}" -gt 1 ]; do chmod go+rx "$path"; path=$(dirname "$path"); done
done
run 'the demo, as a user' setpriv --reuid=user --regid=user --init-groups env HOME=/home/user make -C "$ROOT" demo SCALE=small

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
