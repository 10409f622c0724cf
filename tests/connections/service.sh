# The service file: where it is found, what it says, what is wrong with it.

OWN=$HOME_DIR/.pg_service.conf
here="host=127.0.0.1
port=$MAIN
dbname=other"
S='service=s user=c_user'
put "$OWN" 644 <<<"# our services
[elsewhere]
nonsense that nobody reads
host=127.0.0.1
[s]
$here
application_name=from the file
[s]
port=1"
both service.home 'main c_user other' "$S"
both service.values 'from the file' "$S" "$APP"
both service.string_wins 'standby c_user other' "$S port=$STANDBY"
both service.uri 'main c_user other' 'postgresql://c_user@?service=s'
both service.missing 'definition of service "t" not found' "service=t user=c_user password=$SECRET"
only service.user_of_the_session 'main postgres other' 'service=s'
put "$OWN" 644 <<<"[s]
$here
hosst=x"
both service.unknown_keyword "syntax error in service file \"$OWN\", line 5" "$S password=$SECRET"
put "$OWN" 644 <<<"[s]
password=$SECRET
junk"
both service.bad_line "syntax error in service file \"$OWN\", line 3" "$S"
put "$OWN" 644 <<<"[s]
service=t
[t]
$here"
both service.nested "nested service specifications not supported in service file \"$OWN\", line 2" "$S"
{ echo '[s]'; printf 'options=%01100d\n' 0; } | put "$OWN" 644
both service.long_line "line 2 too long in service file \"$OWN\"" "$S"
put "$OWN" 644 <<<"[s]
ldap://127.0.0.1:1/dc=x?password?one?$SECRET"
only service.ldap "LDAP lookup in service file \"$OWN\", line 2 is not supported" "$S"
put "$OWN" 200 <<<"[s]
$here"
both service.unreadable "service file \"$OWN\" not found" "$S"
put "$OWN" 644 <<<"[s]
$here
user=c_secret
password=$SECRET"
# The caller's name stands in for a user that is not in the string itself, as it always did.
both service.password 'main c_secret other' 'service=s user=c_secret'
as_server rm "$OWN"
as_server mkdir "$OWN"
only service.directory "service file \"$OWN\" not found" "$S"
as_server rmdir "$OWN"
both service.no_file 'definition of service "s" not found' "$S"

# Files elsewhere.
as_server mkdir "$HOME_DIR/etc"
put "$HOME_DIR/etc/pg_service.conf" 644 <<<"[s]
host=127.0.0.1
port=$STANDBY
dbname=other"
put "$HOME_DIR/named" 644 <<<"[n]
$here"
surround "PGSYSCONFDIR=$HOME_DIR/etc"
both service.system 'standby c_user other' "$S"
put "$OWN" 644 <<<"[s]
$here"
both service.home_first 'main c_user other' "$S"
surround "PGSYSCONFDIR=$HOME_DIR/etc" "PGSERVICEFILE=$HOME_DIR/named" PGSERVICE=n
both service.named_file 'main c_user other' 'service=n user=c_user'
both service.environment 'main c_user other' 'user=c_user'
both service.named_file_then_system 'standby c_user other' "$S"
# The string itself names one, which libpq does from 19 on.
put "$HOME_DIR/other" 644 <<<"[s]
host=127.0.0.1
port=$STANDBY
dbname=other"
from_19 service.servicefile 'standby c_user other' "$S servicefile=$HOME_DIR/other"
from_19 service.servicefile_missing "service file \"$HOME_DIR/none\" not found" "$S servicefile=$HOME_DIR/none"
put "$HOME_DIR/named" 644 <<<"[s]
host=127.0.0.1
port=1"
from_19 service.servicefile_first 'standby c_user other' "$S servicefile=$HOME_DIR/other"
put "$HOME_DIR/other" 644 <<<"[s]
servicefile=$HOME_DIR/named"
from_19 service.servicefile_nested "nested \"servicefile\" specifications not supported in service file \"$HOME_DIR/other\", line 2" \
    "$S servicefile=$HOME_DIR/other"
as_server rm "$HOME_DIR/other"
as_server rm "$HOME_DIR/named" "$OWN"
both service.named_file_missing "service file \"$HOME_DIR/named\" not found" "$S"
surround
