#!/usr/bin/env bash
# Long runs under faults: calls (tests/soak) and transfers in transactions over partitions (tests/ledger), MINUTES (30) each, with
# SEED (1), from the environment. ONLY=calls, ONLY=transfers: one of them. SHARED_CONNECTIONS=3:
# the sessions share so many connections to each partition. Prints the reports.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
MINUTES=${MINUTES:-30} SEED=${SEED:-1}
case ${ONLY:-} in '' | calls | transfers) ;; *) die "ONLY is calls or transfers, not \"$ONLY\"" ;; esac
PLPROXY_TREE=$("$SCRIPTS/ready.sh")
export PLPROXY_TREE MINUTES SEED
rc=0
if [ "${ONLY:-calls}" = calls ]; then
    use_rust
    (cd "$ROOT" && cargo build --quiet --locked -p plproxy-soak)
    PLPROXY_SOAK=${CARGO_TARGET_DIR:-$ROOT/target}/debug/plproxy-soak "$ROOT/tests/soak/run.sh" || rc=1
fi
if [ "${ONLY:-transfers}" = transfers ]; then
    SECONDS_EACH=30 ROUNDS=$((MINUTES * 2)) "$ROOT/tests/ledger/run.sh" || rc=1
fi
exit $rc
