# The remote crate against a live server. One thread: some of these tests look at their own process.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
need_tree
cd "$ROOT"
run_begin
server_start live --max-connections 300
PLPROXY_TEST_SERVER=$(server_connstr live)
export PLPROXY_TEST_SERVER
counted cargo "$PLPROXY_RUN/cargo.log" cargo test --locked --no-fail-fast -p plproxy-remote -- --ignored --test-threads=1
