# Who may use what, and as whom. On the partition each user logs in with a password of his own.

part -q <<'SQL'
create role by_password;
create role far_alice login password 'Alice-1' in role by_password;
create role far_bob login password 'Bob-1' in role by_password;
SQL
cat >"$PLPROXY_RUN/aside" <<'SH'
#!/bin/bash
source "$1"/server.sh
server_psql proxy -q -d roles -c "$2"
SH
chmod 755 "$PLPROXY_RUN/aside"
server_psql proxy -q -c 'create database roles'
# From 18 on PostgreSQL says of which server a mapping is missing.
ASIDE="bash $PLPROXY_RUN/aside $SCRIPTS" server_psql proxy -AtqF ' ' -d roles -v ON_ERROR_STOP=0 -v port="$PART" \
    -f "$HERE/roles.sql" 2>&1 | sed -E 's/^psql:[^ ]* //; s/port [0-9]+/port N/
        s/mapping not found for user ("[^"]*"), server ".*"/mapping not found for \1/' >"$PLPROXY_RUN/roles.out" || true
sections roles "$HERE/roles.wanted" "$PLPROXY_RUN/roles.out"
