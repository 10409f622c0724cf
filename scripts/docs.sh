#!/usr/bin/env bash
# The documents as a site, by mdBook: build/docs/index.html, with search, to be read from the disk or from any web server.
#
#   scripts/docs.sh [directory]     default: build/docs; prints the path of the first page
#
# docs/site/pages has the pages in their order, under the titles of parts; each page is called by its own first heading. The
# documents stay where they are, written for a forge: what is made of them here is made in a directory that goes away.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SITE=$ROOT/docs/site
cd "$ROOT"

# All documents; those of tests/ are read by tests.
documents() {
    find . \( -name .git -o -name target -o -path ./build -o -path ./tests \) -prune -o -name '*.md' -printf '%P\n' | sort
}
pages() { sed -n 's/^ *\(.*\.md\)$/\1/p' "$SITE/pages"; }

all_listed() {
    local wrong
    wrong=$(comm -3 --output-delimiter='not there: ' <(documents) <(pages | sort))
    [ -z "$wrong" ] || die "docs/site/pages and the documents differ; what has no remark is not in the list:"$'\n'"$wrong"
}

# The list as mdBook wants it.
summary() {
    local line page
    while IFS= read -r line; do
        page=${line##* }
        case $line in
            *.md) printf '%s- [%s](%s)\n' "${line%"$page"}" "$(sed -n '1s/^# //p' "$page")" "$page" ;;
            *) printf '%s\n' "$line" ;;
        esac
    done <"$SITE/pages"
}

# add_page PAGE: with what it links to that is no page. Pictures stay as they are; the few other files, as LICENSE, are
# there as .txt, which a browser shows where it would save a file of another name.
add_page() {
    local page=$1 dir link renamed=()
    dir=$(dirname "$page")
    mkdir -p "$BOOK/src/$dir"
    while read -r link; do
        case $link in
            *.md|*.md'#'*|'#'*|*:*) continue ;;
            *.svg|*.png) ;;
            *) renamed+=(-e "s,](${link//./\\.}),]($link.txt),g") ;;
        esac
        # What is not there stays a dead link, which the test tells of.
        [ -f "$dir/$link" ] || continue
        mkdir -p "$(dirname "$BOOK/src/$dir/$link")"
        case $link in *.svg|*.png) cp "$dir/$link" "$BOOK/src/$dir/$link" ;; *) cp "$dir/$link" "$BOOK/src/$dir/$link.txt" ;; esac
    done < <(sed '/^```/,/^```/d' "$page" | grep -o '](\([^)]*\))' | sed 's/^](//; s/)$//')
    # mdBook makes an index.html of a README.md, and leaves the links to it.
    sed "${renamed[@]}" -e 's|\(]([^)]*\)README\.md\([#)]\)|\1index.md\2|g' "$page" >"$BOOK/src/$page"
}

make_site() {
    local into=$1 mdbook page
    all_listed
    mdbook=$("$SCRIPTS/tree.sh" mdbook)
    BOOK=$(mktemp -d "${TMPDIR:-/tmp}/plproxy-book.XXXXXX")
    trap 'rm -rf "$BOOK"' EXIT
    mkdir "$BOOK/src"
    summary >"$BOOK/src/SUMMARY.md"
    while read -r page; do add_page "$page"; done < <(pages)
    cp "$SITE/book.toml" "$SITE/site.css" "$BOOK/"
    quietly "making the site" "$mdbook" build --dest-dir "$BOOK/site" "$BOOK"
    mkdir -p "$(dirname "$into")"
    rm -rf "$into"
    mv "$BOOK/site" "$into"
    echo "$into/index.html"
}

make_site "${1:-$ROOT/build/docs}"
