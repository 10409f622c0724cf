# On a machine that has nothing but Debian's base (scripts/bare.sh): the steps that take least and the demo as root, and the demo
# as an ordinary user, both from nothing. What passes there is counted.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
[ "$PGMAJOR" = "$PACKAGED" ] || skip "there all versions but $PACKAGED would be made first"
why=$("$SCRIPTS/bare.sh" --why-not)
[ -z "$why" ] || skip "$why"
"$SCRIPTS/tree.sh" debootstrap >/dev/null || skip "debootstrap cannot be had"

log=$(mktemp /tmp/plproxy-bare.XXXXXX)
child=''
trap 'if [ -n "$child" ]; then kill "$child" 2>/dev/null && wait "$child" || true; fi; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# In the background, so that all of it ends at once when we are told to.
"$SCRIPTS/bare.sh" "$ROOT/tests/bare/run.sh" functions statistics regress >"$log" 2>&1 &
child=$!
rc=0
wait "$child" || rc=$?
child=''
cat "$log"
tally "$(count_summary passed "$log")" "$(count_summary failed "$log")"
exit "$rc"
