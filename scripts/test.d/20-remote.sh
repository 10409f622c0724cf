# The remote crate against a live server. One thread: some of these tests look at their own process.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
source "$SCRIPTS/build.sh"
need_tree
use_openssl
cd "$ROOT"
run_begin
server_start live --max-connections 300 --auth trust \
    --hba 'host all scram 127.0.0.1/32 scram-sha-256' --hba 'host all md5 127.0.0.1/32 md5'
# The roles that tests/live/connecting.rs logs in as.
server_psql live -q -c "set password_encryption = 'scram-sha-256'; create role scram login password 'sesame'" \
    -c "set password_encryption = 'md5'; create role md5 login password 'sesame'"
PLPROXY_TEST_SERVER="host=127.0.0.1 port=$(server_port live) user=postgres dbname=postgres"
export PLPROXY_TEST_SERVER
unset PGPASSWORD
counted cargo "$PLPROXY_RUN/cargo.log" cargo test --locked --no-fail-fast -p plproxy-remote --lib --test live -- --ignored --test-threads=1
