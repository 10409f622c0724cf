#!/usr/bin/env bash
# Style: version numbers that agree, formatting, clippy with warnings as errors, without and with PostgreSQL's part, no
# circles among source files, licences of crates, docs/SAFETY.md, and the lengths of files.
#
# Debian has rustfmt and clippy for its own, old Rust only: they are those of the machine's toolchain, be it older than what
# the library is built with, and left out where it has none. PLPROXY_LEFT_OUT: a file to add what was left out to.

source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

failed=0
style() { quietly "$@" || failed=1; }

# tool NAME: the machine has that tool of cargo's; if not, this is told.
MACHINE_PATH=$PATH
tool() {
    ! PATH=$MACHINE_PATH cargo "$1" --version >/dev/null 2>&1 || return 0
    say "cargo $1 ... left out"
    echo "style: cargo $1 was left out, as the machine's Rust does not have it" | tee -a "${PLPROXY_LEFT_OUT:-/dev/null}" >&2
    return 1
}
machine_cargo() { PATH=$MACHINE_PATH cargo "$@"; }
# Of the build's environment it must not have the formatter.
machine_fmt() { (unset RUSTFMT; machine_cargo fmt "$@"); }

build_environment
cd "$ROOT"
style "version numbers agree" "$SCRIPTS/versions.sh"
if tool fmt; then
    style "cargo fmt --check" machine_fmt --all --check
    style "cargo fmt --check, fuzz targets" machine_fmt --manifest-path fuzz/Cargo.toml --check
fi
if tool clippy; then
    style "cargo clippy, crates" machine_cargo clippy --locked --ignore-rust-version --workspace --all-targets -- -D warnings
    style "cargo clippy, extension for PostgreSQL $MAJOR" \
        machine_cargo clippy --locked --ignore-rust-version --features "pg$MAJOR" -- -D warnings
fi
style "no circles among files" cargo run -q --locked -p plproxy-architecture -- "$ROOT"
style "licences and versions of crates" "$SCRIPTS/licences.sh"
# docs/SAFETY.md speaks of each file that may have unsafe code, and no other file may.
safety() {
    local file lacking=0
    for file in src/pg/*.rs; do
        grep -qF "| \`$(basename "$file")\` |" docs/SAFETY.md || [ "$(basename "$file")" = mod.rs ] \
            || { echo "docs/SAFETY.md has no row for $file"; lacking=1; }
    done
    for file in $(find src -name '*.rs' -not -path 'src/pg/*') crates/*/src/lib.rs; do
        [ "$file" = src/lib.rs ] || [ "$file" = src/entry.rs ] || grep -qF '#![forbid(unsafe_code)]' "$file" \
            || { echo "$file does not forbid unsafe code"; lacking=1; }
    done
    return $lacking
}
style "docs/SAFETY.md" safety
# A file of over 500 lines says why at its top.
lengths() {
    local file lines lacking=0
    while IFS= read -r file; do
        lines="$(wc -l <"$file")"
        [ "$lines" -le 500 ] || head -n 5 "$file" | grep -q 'Long, as' \
            || { echo "$file has $lines lines, and no reason for it at its top"; lacking=1; }
    done < <(find . \( -name target -o -name .git \) -prune -o -type f -regex '.*\.\(rs\|sh\|sql\|md\)' -print)
    return $lacking
}
style "file lengths" lengths
exit $failed
