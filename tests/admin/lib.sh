# What the scenarios of tests/transactions and tests/ledger share. Sourced.

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"

finish() { printf '%s passed, %s failed\n' "$passed" "$failed"; [ "$failed" = 0 ]; }

# ask server database statements: their answers, or an error, on one line; connstrings have ports that differ from run to
# run. By the standard input: of several statements in one -c, 14's psql shows the last answer only.
ask() {
    { server_psql "$1" -Atq -d "$2" <<<"$3" 2>&1 || true; } | sed -E 's/port([ =])[0-9]+/port\1N/g' | paste -sd ';' -
}

# until_is expected command...: runs it until it says so; what it said last
until_is() {
    local wanted=$1 got try; shift
    for try in $(seq 600); do
        got=$("$@" 2>/dev/null || true)
        [ "$got" != "$wanted" ] || break
        sleep 0.1
    done
    printf '%s' "$got"
}
