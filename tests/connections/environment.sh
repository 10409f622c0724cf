# The PG* variables of the server's process: each stands in for a keyword that is not given.

in_environment() { both "environment.$1" "$2" "${@:3}"; }

surround PGHOST=127.0.0.1 "PGPORT=$MAIN" PGDATABASE=other PGUSER=c_user PGAPPNAME=surroundings \
    "PGOPTIONS=-c work_mem=1234kB" "PGPASSWORD=$SECRET" \
    PGTZ=Asia/Tokyo 'PGDATESTYLE=SQL, DMY' PGGEQO=off PGCLIENTENCODING=LATIN1
in_environment host_port_database 'main c_user other' 'user=c_user'
in_environment string_wins 'standby c_user spaced out' "user=c_user port=$STANDBY dbname='spaced out'"
# PGUSER comes after the name that every call has.
only environment.user 'main postgres other' ''
in_environment user_empty "$(theirs "user=''")" "user=''"
in_environment application_name surroundings 'user=c_user' "$APP"
in_environment application_name_string mine 'user=c_user application_name=mine' "$APP"
in_environment options 1234kB 'user=c_user' 'show work_mem'
in_environment options_string 4MB "user=c_user options=''" 'show work_mem'
in_environment password 'main c_secret other' 'user=c_secret'
in_environment timezone Asia/Tokyo 'user=c_user' 'show timezone'
in_environment datestyle 'SQL, DMY' 'user=c_user' 'show datestyle'
in_environment geqo off 'user=c_user' 'show geqo'
only environment.client_encoding UTF8 'user=c_user' 'show client_encoding'

# PGPORT is the server's own port as well, so that a list of ports cannot be there.
surround PGHOST=nobody.invalid PGHOSTADDR=127.0.0.1 PGTARGETSESSIONATTRS=read-write PGCONNECT_TIMEOUT=x PGDATABASE=other
in_environment connect_timeout 'invalid integer value "x" for connection option "connect_timeout"' 'user=c_user'
in_environment hostaddr 'main c_user other' "user=c_user connect_timeout=5 port=$MAIN"
BOTH="user=c_user connect_timeout=5 host=a,b hostaddr=127.0.0.1,127.0.0.1 port=$STANDBY,$MAIN"
in_environment target_session_attrs 'main c_user other' "$BOTH"
in_environment target_session_attrs_string 'standby c_user other' "$BOTH target_session_attrs=standby"

surround PGGSSENCMODE=x
in_environment gssencmode 'invalid gssencmode value: "x"' "$AT"
surround PGREQUIREAUTH=md5 PGLOADBALANCEHOSTS=x PGMINPROTOCOLVERSION=3.2 PGMAXPROTOCOLVERSION=x
only environment.load_balance_hosts 'invalid load_balance_hosts value: "x"' \
    "$AT max_protocol_version=3.2 min_protocol_version=3.0"
only environment.min_protocol_version 'min_protocol_version value "3.2" is not supported' \
    "$AT load_balance_hosts=disable max_protocol_version=3.2"
only environment.max_protocol_version 'invalid max_protocol_version value: "x"' \
    "$AT load_balance_hosts=disable min_protocol_version=3.0"
only environment.require_auth \
    "$(said "$MAIN" 'authentication method requirement "md5" failed: server did not complete authentication')" \
    "$AT load_balance_hosts=disable min_protocol_version=3.0 max_protocol_version=3.0"
surround
