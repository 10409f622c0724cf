# Errors within transactions: savepoints, exception blocks, early ends, triggers, parallel workers, roles.

server_psql proxy -AtqF ' ' -v ON_ERROR_STOP=0 -v one="$(at "$ONE") application_name=watcher" \
    -f "$HERE/transactions.sql" 2>&1 | sed -E 's/^psql:[^ ]* //' >"$PLPROXY_RUN/transactions.out" || true
while read -r section; do
    cut_out() { awk -v s="$section" '/^[a-z_]+$/ && length > 2 { on = $0 == s } on' "$1"; }
    same "transactions.$section" "$(cut_out "$HERE/transactions.wanted")" "$(cut_out "$PLPROXY_RUN/transactions.out")"
done < <(grep -E '^[a-z_]{3,}$' "$HERE/transactions.wanted")
# The session is over, and so is all it had.
check transactions.leave_nothing until_true 60 said 0 \
    one -c "select count(*) from pg_stat_activity where application_name like 'part%'"
same transactions.nothing_prepared 0 "$(one -c 'select count(*) from pg_prepared_xacts')"
