# Unit and property tests of the crates; no server.
source "$(dirname "${BASH_SOURCE[0]}")/../tally.sh"
cd "$ROOT"
run_begin
counted cargo "$PLPROXY_RUN/cargo.log" cargo test --locked --no-fail-fast -p plproxy-core -p plproxy-remote
