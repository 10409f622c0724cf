#!/usr/bin/env bash
# Style: version numbers that agree, formatting, clippy with warnings as errors, without and with PostgreSQL's part, licences
# of crates, docs/SAFETY.md, and the lengths of files.

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
style "licences and versions of crates" "$SCRIPTS/licences.sh"
# docs/SAFETY.md speaks of each file that may have unsafe code, and no other file may.
safety() {
    local file lacking=0
    for file in src/pg/*.rs; do
        grep -qF "| \`$(basename "$file")\` |" docs/SAFETY.md || [ "$(basename "$file")" = mod.rs ] \
            || { echo "docs/SAFETY.md has no row for $file"; lacking=1; }
    done
    for file in src/*.rs src/admin/*.rs src/stats/*.rs crates/*/src/lib.rs; do
        [ "$file" = src/lib.rs ] || grep -qF '#![forbid(unsafe_code)]' "$file" \
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
