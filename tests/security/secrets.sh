# Passwords show nowhere: not in a log at any level, not in what clients are sent, not in a view, not in the process list.
# All of them begin with "Secret-", which nothing else does.

PGOPTIONS='-c log_statement=none' part <<'SQL'
do $$ begin create role by_password; exception when duplicate_object then null; end $$;
create role far_secret login password 'Secret-true' in role by_password;
SQL
files=$PLPROXY_RUN/files
install -d -m 755 "$files"
[ "$(id -u)" != 0 ] || chown $NOBODY:$NOBODY "$files"
# file name mode: of the servers' user, from stdin.
file() {
    as_server tee "$files/$1" >/dev/null
    as_server chmod "$2" "$files/$1"
}
file open 644 <<<'*:*:*:*:Secret-true'
file pass 600 <<<'*:*:*:*:Secret-true'
file wrong 600 <<<'*:*:*:*:Secret-pass'
file services 600 <<<$'[broken]\npassword=Secret-serv\nnonsense=1'
server_environment proxy "PGSERVICEFILE=$files/services"
server_restart proxy
proxy -c 'create database secrets' >/dev/null
PGOPTIONS='-c log_statement=none -c log_min_error_statement=panic -c log_min_messages=panic' \
    proxy -d secrets -v port="$PART" -v files="$files" -f "$HERE/secrets-setup.sql" >"$PLPROXY_RUN/secrets.setup" 2>&1 || true
: >"$PLPROXY_RUN/secrets.shown"
chmod 666 "$PLPROXY_RUN/secrets.shown"
proxy -d secrets -v ON_ERROR_STOP=0 -v shown="$PLPROXY_RUN/secrets.shown" -f "$HERE/secrets.sql" \
    >"$PLPROXY_RUN/secrets.told" 2>&1 || true
for log in proxy part; do as_server cat "$(server_dir "$log")/log" >"$PLPROXY_RUN/secrets.log_$log"; done

# It has met what it is about.
diff -U 0 "$HERE/secrets.wanted" <(sed -n 's/^case //p' "$PLPROXY_RUN/secrets.told" \
    | sed -E "s,$files,FILES,; s/port [0-9]+/port N/; s/ *(SQL statement|PL\/pgSQL function) .*//") | sed -n '/^[-+][^-+]/p' >"$PLPROXY_RUN/secrets.diff" || true
same secrets.cases '' "$(cat "$PLPROXY_RUN/secrets.diff")"
# has name least pattern: so many lines at least.
has() { check "secrets.$1_is_looked_at" [ "$(grep -ac "$3" "$PLPROXY_RUN/secrets.$1")" -ge "$2" ]; }
has setup 8 'ERROR:  \|WARNING:  '
has told 500 'DEBUG:  '
has log_proxy 1000 'DEBUG:  '
has log_proxy 20 'LOG:  .*duration: '
has log_part 10 'FATAL:  '
has shown 1 'postgres: .* secrets '
for place in setup told log_proxy log_part shown; do
    # The number stands where a port is shown, in a message, a row or the log of slow calls.
    same "secrets.none_in_$place" '' "$(grep -aE 'Secret-|port 47110|[,|(] *47110 *[,|)]|:47110' "$PLPROXY_RUN/secrets.$place" | head -n 5)"
done
