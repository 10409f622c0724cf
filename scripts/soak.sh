#!/usr/bin/env bash
# A whole run of the soak test (tests/soak): MINUTES (30) and SEED (1) from the environment. Prints the report.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PLPROXY_TREE=$("$SCRIPTS/ready.sh")
use_rust
cd "$ROOT"
cargo build --quiet --locked -p plproxy-soak
export PLPROXY_TREE PLPROXY_SOAK=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-soak
exec "$ROOT/tests/soak/run.sh"
