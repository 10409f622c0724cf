#!/usr/bin/env bash
# Style: version numbers that agree, formatting, and clippy with warnings as errors, without and with PostgreSQL's part.

source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

failed=0
style() { quietly "$@" || failed=1; }

build_environment
cd "$ROOT"
style "version numbers agree" "$SCRIPTS/versions.sh"
style "cargo fmt --check" cargo fmt --all --check
style "cargo fmt --check, fuzz targets" cargo fmt --manifest-path fuzz/Cargo.toml --check
style "cargo clippy, crates" cargo clippy --locked --workspace --all-targets -- -D warnings
style "cargo clippy, extension for PostgreSQL $MAJOR" \
    cargo clippy --locked --features "pg$MAJOR" -- -D warnings
exit $failed
