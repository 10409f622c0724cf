#!/usr/bin/env bash
# Whether everything that names the version of this software names the same one. Cargo.toml has it; the others repeat it:
# the crates and Cargo.lock, plproxy.control, META.json, CHANGELOG.md, and the SQL of CREATE and ALTER EXTENSION. And whether
# what names the versions of PostgreSQL agrees with scripts/postgresql.versions: Cargo.toml's features, META.json, and the
# documents, which say from which to which; and the version of Rust and of pgrx, which packaging/README.md repeats.
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

# check_postgresql directory
check_postgresql() {
    local dir=$1 versions first last span file pgrx
    versions=$(sed -n 's/^\([0-9][0-9]*\) .*/\1/p' "$dir/scripts/postgresql.versions")
    first=$(head -n 1 <<<"$versions") last=$(tail -n 1 <<<"$versions")
    same_words "Cargo.toml has features for" "$versions" \
        "$(toml_table "$dir/Cargo.toml" features | sed -n 's/^pg\([0-9]*\) = .*"pgrx\/pg\1".*/\1/p')"
    same_words "META.json wants PostgreSQL" "$first.0.0" "$(sed -n 's/.*"PostgreSQL": *"\(.*\)".*/\1/p' "$dir/META.json")"
    for file in README.md CONTRIBUTING.md docs/tutorial.md docs/SAFETY.md regress/HARNESS.md; do
        # No other span of numbers of two digits is in these.
        span=$(grep -oE '\b1[0-9] to [12][0-9]\b' "$dir/$file" | sort -u)
        same_words "$file speaks of PostgreSQL" "$first to $last" "$span"
    done
    for file in README.md CONTRIBUTING.md; do
        same_words "$file wants Rust" "$(toml_table "$dir/Cargo.toml" workspace.package | sed -n 's/^rust-version = "\(.*\)"$/\1/p')" \
            "$(grep -oE '\b1\.[0-9]{2}\b' "$dir/$file" | sort -u)"
    done
    pgrx=$(toml_table "$dir/Cargo.toml" dependencies | sed -n 's/^pgrx = { version = "=\([0-9.]*\)".*/\1/p')
    same_words "packaging/README.md wants cargo-pgrx" "${pgrx:-the version in Cargo.toml}" \
        "$(sed -n 's/.*cargo-pgrx \([0-9][0-9.]*[0-9]\).*/\1/p' "$dir/packaging/README.md" | sort -u)"
}
# same_words "what" WANTED FOUND
same_words() {
    [ "$(xargs <<<"$2")" = "$(xargs <<<"$3")" ] || { say "$1 $(xargs <<<"${3:-nothing}"), not $(xargs <<<"$2")"; bad=1; }
}

case ${1:-} in
    --print) workspace_version "$ROOT" ;;
    *)
        check_versions "${1:-$ROOT}"
        check_postgresql "${1:-$ROOT}"
        [ "$bad" = 0 ] || exit 1
        say "all name version $VERSION" ;;
esac
