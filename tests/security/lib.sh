# What the families of security tests share. Sourced by run.sh after scripts/tally.sh.

proxy() { server_psql proxy -AtqF ' ' "$@"; }
part() { server_psql part -AtqF ' ' "$@"; }

# until_is expected command...: runs it until it says so; what it said last
until_is() {
    local wanted=$1 got try; shift
    for try in $(seq 300); do
        got=$("$@" 2>/dev/null || true)
        [ "$got" != "$wanted" ] || break
        sleep 0.1
    done
    printf '%s' "$got"
}

# sections file wanted got: each section of the wanted file, from its name on a line of its own to the next, is a check.
sections() {
    local family=$1 wanted=$2 got=$3 section
    cut_out() { awk -v s="$section" '/^[a-z_]+:$/ { on = $0 == s ":" } on' "$1"; }
    while read -r section; do
        section=${section%:}
        same "$family.$section" "$(cut_out "$wanted")" "$(cut_out "$got")"
    done < <(grep -E '^[a-z_]+:$' "$wanted")
}

start_servers() {
    local settings=(--auth trust --set 'shared_buffers = 16MB' --set "lc_messages = 'C'")
    # The partitions' log tells which statements arrived, and by its prefix for whom.
    server_start part "${settings[@]}" --set 'max_prepared_transactions = 20' --set "log_statement = 'all'" --set "log_line_prefix = '<%a> '" \
        --hba 'host all +by_password 127.0.0.1/32 scram-sha-256'
    server_start proxy "${settings[@]}" --set 'statement_timeout = 120s'
    PART=$(server_port part)
}

# arrived application: what a partition was asked by connections of that name, without what every connection asks.
arrived() {
    grep -aoP "^<$1> LOG:  (statement: |execute [^:]*: )\K.*" "$(server_dir part)/log" \
        | grep -avxE 'select pg_catalog\.pg_backend_pid\(\)|discard all|set client_encoding = .SQL_ASCII.' || true
}
