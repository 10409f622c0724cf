# What is open to the operating system's user of the proxy (its password file, its environment, its service file, its certificate,
# its own name, and servers that ask for nothing) is open by superusers' connection strings, and by nobody else's.

certificates=$PLPROXY_RUN/certificates
"$SCRIPTS/certificates.sh" "$certificates"
mkdir "$certificates/server"
cp "$certificates"/{cn,client}.{crt,key} "$certificates/ca.crt" "$certificates/server/"
[ "$(id -u)" != 0 ] || chown -R $NOBODY:$NOBODY "$certificates/server"
own=$certificates/server

# Each role of it lets in by one way only.
server_start guarded --set 'shared_buffers = 16MB' --set "lc_messages = 'C'" --set 'log_connections = on' --auth trust \
    --set 'ssl = on' --set "ssl_cert_file = '$own/cn.crt'" --set "ssl_key_file = '$own/cn.key'" --set "ssl_ca_file = '$own/ca.crt'" \
    --hba 'host all passfile,environment,service 127.0.0.1/32 scram-sha-256' --hba 'host all md5 127.0.0.1/32 md5' \
    --hba 'host all clear 127.0.0.1/32 password' \
    --hba 'hostssl all cert_user 127.0.0.1/32 cert' --hba 'host all cert_user 127.0.0.1/32 reject' \
    --hba 'hostssl all two_factors 127.0.0.1/32 scram-sha-256 clientcert=verify-ca' \
    --hba 'local all peer peer map=own' --hba 'local all all reject'
printf 'own %s peer\n' "$(stat -c %U "$own/cn.key")" | as_server tee -a "$(server_dir guarded)/data/pg_ident.conf" >/dev/null
server_psql guarded -q <<'SQL'
select pg_reload_conf() \g /dev/null
create role passfile login password 'Word-1';
create role environment login password 'Word-2';
create role service login password 'Word-3';
create role clear login password 'Word-4';
create role two_factors login password 'Word-5';
create role cert_user login;
create role peer login;
create role trust login;
set password_encryption = md5;
create role md5 login password 'Word-6';
SQL
files=$PLPROXY_RUN/owners
install -d -m 755 "$files"
[ "$(id -u)" != 0 ] || chown $NOBODY:$NOBODY "$files"
keep() { as_server tee "$files/$1" >/dev/null; as_server chmod 600 "$files/$1"; }
keep pass <<<$'*:*:*:passfile:Word-1\n*:*:*:two_factors:Word-5'
keep services <<<"[guarded]
host=127.0.0.1
port=$(server_port guarded)
dbname=postgres
user=service
password=Word-3"

surroundings=("PGPASSFILE=$files/pass" "PGSERVICEFILE=$files/services" "PGSSLCERT=$own/client.crt" "PGSSLKEY=$own/client.key")
in_owners() { server_psql proxy -AtqF ' ' -d owners -v ON_ERROR_STOP=0 -v files="$files" "$@" 2>&1 | sed 's/^psql:[^ ]* //'; }
server_environment proxy "${surroundings[@]}"
server_restart proxy
proxy -c 'create database owners' >/dev/null
: >"$PLPROXY_RUN/owners.out"
in_owners -v port="$(server_port guarded)" -v socket="$(server_dir guarded)" -v own="$own" -f "$HERE/owners.sql" >>"$PLPROXY_RUN/owners.out" || true
# A password in the environment comes before the file.
server_environment proxy "${surroundings[@]}" PGPASSWORD=Word-2
server_restart proxy
in_owners >>"$PLPROXY_RUN/owners.out" <<'SQL' || true
\echo environment:
select * from by_owners('environment', 'Word-2');
SQL
sections owners "$HERE/owners.wanted" "$PLPROXY_RUN/owners.out"
# What was refused for want of a password was never asked for one; and nothing but the passwords that were given was tried.
same owners.tried '' "$(as_server cat "$(server_dir guarded)/log" | grep -a 'password authentication failed' || true)"
server_environment proxy
server_restart proxy
server_stop guarded
