#!/usr/bin/env bash
# The table of docs/configuration.md against what the code accepts: no name is missing, none is invented, and the defaults of
# settings are right. On the server that the environment names (scripts/playground.sh).

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TABLE=$ROOT/docs/configuration.md

check() {
    if [ "$2" = "$3" ]; then printf 'ok      %s\n' "$1"
    else printf 'FAILED  %s\n%s\n' "$1" "$(diff <(echo "$2") <(echo "$3") | sed 's/^</    only in the code:/; s/^>/    only in the document:/')"; fi
}

# named FILE where: the names in the first column of the rows whose second begins with it.
named() {
    awk -F'|' -v where="$2" '/^\| `/ && index($3, " " where) == 1 { print $2 }' "$1" \
        | grep -o '`[^`]*`' | tr -d '`' | sort
}
ask() { psql -X -Atq -v ON_ERROR_STOP=1 "$@"; }

# The keys as the code has them; partitions are p and a number.
keys=$(sed -n 's/^ *("\([a-z_]*\)", Key::.*/\1/p' "$ROOT/crates/plproxy-core/src/options.rs" | sort)
check 'options of servers' "$(printf '%s\n' p0 p1 $keys | sort)" "$(named "$TABLE" server)"
check 'options of servers in the README' "$(printf '%s\n' p0 p1 $keys | sort)" \
    "$(sed -n '/^## Options/,/^## Op/p' "$ROOT/README.md" | awk -F'|' '/^\| `/ { print $2 }' | grep -o '`[^`]*`' | tr -d '`' | grep -v '^plproxy\.' | sort)"

ask -c 'create extension plproxy'
value() { case $1 in default_user) echo current_user ;; prepared_statements) echo auto ;; reset_query) echo 'discard all' ;; transaction_mode) echo two_phase ;; *) echo 1 ;; esac; }
for name in $(named "$TABLE" server | grep -vx 'p[01]'); do
    check "$name on a server" '' "$(ask -c "create server s foreign data wrapper plproxy options (p0 'dbname=a', $name '$(value "$name")')" \
        -c 'drop server s' 2>&1 | grep -v 'keepalive' || true)"
    check "$name on the wrapper" '' "$(ask -c "alter foreign data wrapper plproxy options (add $name '$(value "$name")')" \
        -c "alter foreign data wrapper plproxy options (drop $name)" 2>&1 | grep -v 'keepalive' || true)"
done
check 'another name is not taken' 'ERROR:  Pl/Proxy: invalid server option: no_such_option' \
    "$(ask -c "create server s foreign data wrapper plproxy options (p0 'dbname=a', no_such_option '1')" 2>&1 || true)"

ask -c "create server s foreign data wrapper plproxy options (p0 'dbname=a')"
check 'options of user mappings' 'HINT:  valid options are "user" and "password"' "$(ask -c \
    "create user mapping for public server s options (no_such_option '1')" 2>&1 | grep HINT || true)"
check 'their names' $'password\npassword_required\nuser' "$(named "$TABLE" 'user mapping')"
check 'they are taken' '' "$(ask -c "create user mapping for public server s options (user 'a', password 'b', password_required 'false')" 2>&1)"

# What the library defines when it is loaded.
settings=$(ask -c "load 'plproxy'" -c "select name from pg_settings where name like 'plproxy.%' order by name collate \"C\"")
check 'settings' "$settings" "$(named "$TABLE" setting)"
check 'settings in the README' "$settings" "$(grep -o '^| `plproxy\.[a-z_]*` |' "$ROOT/README.md" | tr -d '|` ' | sort)"
for name in $settings; do
    check "default of $name" "$(ask -c "load 'plproxy'" -c "select boot_val from pg_settings where name = '$name'")" \
        "$(awk -F'|' -v name="\`$name\`" 'index($2, name) { gsub(/[ `]/, "", $4); print $4 }' "$TABLE")"
done

check 'variables of the environment' \
    "$(grep -rhoE '"PG[A-Z_]+"' "$ROOT/crates/plproxy-core/src" "$ROOT/crates/plproxy-remote/src" "$ROOT/src" --include='*.rs' | tr -d '"' | sort -u)" \
    "$(named "$TABLE" environment)"
