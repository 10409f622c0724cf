# TLS: the remote crate against a server with it and one without, beside libpq; then the extension.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
source "$SCRIPTS/build.sh"
need_tree
use_openssl
cd "$ROOT"
run_begin
certificates=$PLPROXY_RUN/certificates
"$SCRIPTS/certificates.sh" "$certificates"
# The server reads its own copies, of keys that only it may read.
mkdir "$certificates/server"
for name in cn rsa512 pss self-ed; do cp "$certificates/$name".{crt,key} "$certificates/server/"; done
cp "$certificates"/{client.crt,client.key,ca.crt} "$certificates/server/"
[ "$(id -u)" != 0 ] || chown -R $NOBODY:$NOBODY "$certificates/server"
own=$certificates/server

server_start tls --max-connections 200 --auth trust \
    --set 'ssl = on' --set "ssl_cert_file = '$own/cn.crt'" --set "ssl_key_file = '$own/cn.key'" \
    --set "ssl_ca_file = '$certificates/ca.crt'" \
    --hba 'host all rejected 127.0.0.1/32 reject' \
    --hba 'hostssl all ssl_only 127.0.0.1/32 trust' --hba 'host all ssl_only 127.0.0.1/32 reject' \
    --hba 'hostnossl all plain_only 127.0.0.1/32 trust' --hba 'host all plain_only 127.0.0.1/32 reject' \
    --hba 'hostssl all cert_user 127.0.0.1/32 cert' --hba 'host all cert_user 127.0.0.1/32 reject' \
    --hba 'host all scram_user 127.0.0.1/32 scram-sha-256' --hba 'host all md5_user 127.0.0.1/32 md5' \
    --hba 'host all password_user 127.0.0.1/32 password'
server_psql tls -q <<'SQL'
create role rejected login;
create role ssl_only login;
create role plain_only login;
create role cert_user login;
create role "any" login;
create role password_user login password 'sesame';
create role scram_user login password 'sesame';
set password_encryption = 'md5';
create role md5_user login password 'sesame';
SQL
server_start plain --max-connections 200 --auth trust

PLPROXY_TEST_SERVER="host=127.0.0.1 port=$(server_port tls) user=postgres dbname=postgres"
PLPROXY_TEST_PLAIN="host=127.0.0.1 port=$(server_port plain) user=postgres dbname=postgres"
PLPROXY_TEST_SOCKET=$(server_dir tls)
PLPROXY_TEST_SERVER_USER=$(stat -c %U "$own/cn.key")
PLPROXY_TEST_CERTIFICATES=$certificates
PLPROXY_TEST_PSQL=$(tree_bin "$PLPROXY_TREE")/psql
export PLPROXY_TEST_{SERVER,PLAIN,SOCKET,SERVER_USER,CERTIFICATES,PSQL}
unset PGPASSWORD PGPASSFILE
mkdir "$PLPROXY_RUN/home"
quietly "building the tests" cargo test --locked -p plproxy-remote --test tls --no-run
# What the system trusts, for OpenSSL; for cargo, too, so that nothing is left for it to download.
export SSL_CERT_FILE=$certificates/ca.crt
rc=0
# cargo keeps its own things in the home that it was installed to.
CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} HOME=$PLPROXY_RUN/home \
    counted cargo "$PLPROXY_RUN/cargo.log" \
    cargo test --locked --no-fail-fast -p plproxy-remote --test tls -- --ignored --test-threads=1 || rc=$?
export PGPASSFILE=$PLPROXY_RUN/pgpass
unset SSL_CERT_FILE

# The same as a user sees it.
server_psql plain -q -v port="$(server_port tls)" -v own="$own" <<'SQL'
create extension plproxy;
create function protection(kind text, out tls text, out client text) language plproxy as $$
    connect kind;
    select coalesce(version, 'plain') as tls, client_dn as client from pg_stat_ssl where pid = pg_backend_pid();
$$;
create function far(kind text) returns text language sql immutable
    return 'host=good.test hostaddr=127.0.0.1 dbname=postgres port=PORT ' || kind;
select replace(pg_get_functiondef('far'::regproc), 'PORT', :'port') \gexec
create function sees(name text, kind text) returns text language plpgsql as $$
declare
    seen record;
begin
    select * into seen from protection(far(kind));
    return name || ': ' || seen.tls || ' ' || coalesce(seen.client, '-');
exception when others then
    return name || ': ' || sqlerrm;
end $$;
SQL
log=$PLPROXY_RUN/sql.log
server_psql plain -qAt -v own="$own" >"$log" <<'SQL'
select sees('verified', 'user=any sslmode=verify-full sslrootcert=' || :'own' || '/ca.crt');
select sees('default', 'user=any');
select sees('none', 'user=any sslmode=disable');
select sees('login', 'user=cert_user sslmode=require sslcert=' || :'own' || '/client.crt sslkey=' || :'own' || '/client.key');
select sees('scram', 'user=scram_user password=sesame sslmode=require channel_binding=require');
select sees('name', 'host=bad.test user=any sslmode=verify-full sslrootcert=' || :'own' || '/ca.crt');
select 'view: ' || string_agg(distinct coalesce(tls, 'plain'), ', ') from plproxy_get_connections();
select sees('secret', 'user=scram_user password=hunter2 sslmode=require sslpassword=hunter3');
SQL
cat "$log"
# sees "pattern"
sees() { if grep -qE "$1" "$log"; then passed=$((passed + 1)); else failed=$((failed + 1)); say "    FAILED  $1"; fi; }
sees '^verified: TLSv1\.3 -$'
sees '^default: TLSv1\.3 -$'
sees '^none: plain -$'
sees '^login: TLSv1\.3 /CN=cert_user$'
sees '^scram: TLSv1\.3 -$'
sees '^name: .*server certificate for "good\.test" does not match host name "bad\.test"'
sees '^view: TLSv1\.3, plain$|^view: plain, TLSv1\.3$'
sees '^secret: .*password authentication failed'
if grep -q hunter "$log" "$(server_dir plain)/log" "$(server_dir tls)/log"; then
    failed=$((failed + 1)); say '    FAILED  a password shows'
else passed=$((passed + 1)); fi
# The end of a session, its own or by another's hand, is none that the server has to report.
abandoned() {
    server_psql tls -Atq -c "select pg_stat_clear_snapshot()" \
        -c "select sessions_abandoned from pg_stat_database where datname = 'postgres'" | tail -n 1
}
gone() { [ "$(server_psql tls -Atq -c "select count(*) from pg_stat_activity where usename = 'any'")" = 0 ]; }
before=$(abandoned) lines=$(wc -l <"$(server_dir tls)/log")
server_psql plain -qAt -v own="$own" <<'SQL'
select sees('default', 'user=any');
select sees('verified', 'user=any sslmode=verify-full sslrootcert=' || :'own' || '/ca.crt');
SQL
server_psql plain -qAt -v ON_ERROR_STOP=0 -c "select sees('default', 'user=any')" \
    -c 'select pg_terminate_backend(pg_backend_pid())' || true
for _ in {1..400}; do ! gone || break; sleep 0.05; done
same "no session over TLS was abandoned" "$before" "$(abandoned)"
same "nor does the log say so" '' \
    "$(tail -n +$((lines + 1)) "$(server_dir tls)/log" | grep -E 'reset by peer|could not (receive|send)|SSL|EOF' || true)"
tally "$passed" "$failed"
[ "$failed" = 0 ] || rc=1
exit $rc
