#!/usr/bin/env bash
# Whether everything that names the version of this software names the same one. Cargo.toml has it; the others repeat it:
# the crates and Cargo.lock, plproxy.control, META.json, CHANGELOG.md, and the SQL of CREATE and ALTER EXTENSION.
#
#   scripts/versions.sh [directory]    of a checkout or an unpacked archive; default: this one
#   scripts/versions.sh --print        the version alone

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# toml_table FILE TABLE: the lines of one table.
toml_table() { awk -v table="[$2]" '/^\[/ { inside = ($0 == table); next } inside' "$1"; }
workspace_version() { toml_table "$1/Cargo.toml" workspace.package | sed -n 's/^version *= *"\(.*\)"$/\1/p'; }

bad=0
# agree "where" FOUND: one line or several, each of which must be the version.
agree() {
    local found
    [ -n "$2" ] || { say "$1 names no version"; bad=1; }
    while read -r found; do
        [ "$found" = "$VERSION" ] || [ -z "$found" ] || { say "$1 says $found, Cargo.toml $VERSION"; bad=1; }
    done <<<"$2"
}

check_versions() {
    local dir=$1 manifest
    VERSION=$(workspace_version "$dir")
    [[ $VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "Cargo.toml names no version of the form 1.2.3"
    for manifest in "$dir/Cargo.toml" "$dir"/crates/*/Cargo.toml; do
        toml_table "$manifest" package | grep -qx 'version\.workspace = true' \
            || { say "${manifest#"$dir/"} does not take the version of the workspace"; bad=1; }
    done
    agree Cargo.lock "$(sed -n '/^name = "plproxy/{n;s/^version = "\(.*\)"$/\1/p}' "$dir/Cargo.lock")"
    agree plproxy.control "$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$dir/plproxy.control")"
    # Its own, and that of the extension it provides; the one of the format is on the line of "meta-spec".
    agree META.json "$(grep -v '"meta-spec"' "$dir/META.json" | sed -n 's/.*"version": *"\([^"]*\)".*/\1/p')"
    [ "$(grep -v '"meta-spec"' "$dir/META.json" | grep -c '"version":')" = 2 ] || { say "META.json does not name it twice"; bad=1; }
    agree CHANGELOG.md "$(sed -n 's/^## \[*\([0-9][0-9.]*\).*/\1/p' "$dir/CHANGELOG.md" | head -n 1)"
    agree sql/plproxy.sql "$(sed -n '1s/^-- plproxy \([0-9.]*\):.*/\1/p' "$dir/sql/plproxy.sql")"
    # The newest that ALTER EXTENSION UPDATE leads to.
    agree "the upgrade scripts" "$(cd "$dir/sql" && ls plproxy--*--*.sql | sed 's/.*--\(.*\)\.sql/\1/' | sort -V | tail -n 1)"
}

case ${1:-} in
    --print) workspace_version "$ROOT" ;;
    *)
        check_versions "${1:-$ROOT}"
        [ "$bad" = 0 ] || exit 1
        say "all name version $VERSION" ;;
esac
