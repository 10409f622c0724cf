# Both forms of a connection string.

both strings.keywords 'main c_user other' "host=127.0.0.1 port=$MAIN user=c_user dbname=other"
both strings.spaces 'main c_user other' "  host = 127.0.0.1  port= $MAIN"$'\n'"user =c_user dbname='other'  "
both strings.quotes "it's a \\ name" "$AT application_name='it\\'s a \\\\ name'" "$APP"
both strings.escapes "a b'c" "$AT application_name=a\\ b\\'c" "$APP"
both strings.joined 'x y' "$AT application_name='x y'connect_timeout=5" "$APP"
both strings.last_wins second "$AT application_name=first application_name=second" "$APP"
both strings.empty_value 'main c_user c_user' "$AT dbname=''"
both strings.name_with_spaces 'main c_user spaced out' "$AT dbname='spaced out'"

both uri.plain 'main c_user other' "postgresql://c_user@127.0.0.1:$MAIN/other"
both uri.short_scheme 'main c_user other' "postgres://c_user@127.0.0.1:$MAIN/other"
both uri.no_database 'main c_user c_user' "postgresql://c_user@127.0.0.1:$MAIN"
both uri.encoded 'main c_user spaced out' "postgresql://c%5Fuser@127.0.0.1:$MAIN/spaced%20out"
both uri.parameters "a&b=c%" "postgresql:///other?host=127.0.0.1&port=$MAIN&user=c_user&application_name=a%26b%3Dc%25" "$APP"
both uri.socket 'main c_user other' "postgresql://c_user@$(server_dir main | sed 's|/|%2F|g'):$MAIN/other"
both uri.hosts 'standby c_user other' "postgresql://c_user@127.0.0.1:$DEAD,127.0.0.1:$STANDBY/other"
both uri.password 'main c_secret c_secret' "postgresql://c_secret:%68unter2@127.0.0.1:$MAIN"
if has_ipv6; then
    both uri.ipv6 'main c_user other' "postgresql://c_user@[::1]:$MAIN/other"
fi
