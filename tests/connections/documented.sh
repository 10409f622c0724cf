# docs/connections.md: its examples work, and the tests that it names have run. The last of the families.

PAGE=$ROOT/docs/connections.md
NAMES=$("$SCRIPTS/tree.sh" names)
put "$HOME_DIR/hosts" 644 <<<"127.0.0.9 db1.example
127.0.0.1 db2.example"
put "$HOME_DIR/.pgpass" 600 <<<"*:*:users:app:it's a secret"
put "$HOME_DIR/.pg_service.conf" 644 <<<"[users]
host=db2.example
port=$MAIN
dbname=users"
surround "LD_PRELOAD=$NAMES/libnss_wrapper.so" "NSS_WRAPPER_HOSTS=$HOME_DIR/hosts"
server_psql main -q <<-'SQL'
	create role app login password 'it''s a secret' in role c_scram;
	create database users;
SQL
check documented.examples '' "$(sed -n '/^```sql$/,/^```$/p' "$PAGE" | grep -v '^```' | sed "s/5432/$MAIN/g" \
    | server_psql proxy -q 2>&1)"
for name in writers reports by_service; do
    server_psql proxy -q <<-SQL
	create function look_$name(q text) returns text language plproxy as
	    \$\$ cluster '$name'; select look(q); \$\$;
	SQL
    check "documented.$name" 'main app users' "$(server_psql proxy -Atq -v q="$WHERE" <<<"select look_$name(:'q')" 2>&1)"
done
as_server rm "$HOME_DIR/.pgpass" "$HOME_DIR/.pg_service.conf"
surround

# Of every row of the table the last column.
missing=''
for name in $(awk -F'|' '/^\| `/ { print $(NF - 1) }' "$PAGE" | grep -o '`[^`]*`' | tr -d '`' | sort -u); do
    case $name in
        *.*) [[ -v "ran[$name]" ]] || missing+=" $name" ;;
        *) grep -rqs "fn $name()" "$ROOT/crates" || missing+=" $name" ;;
    esac
done
check documented.tests '' "$missing"
