#!/usr/bin/env bash
# The documents as a site (scripts/docs.sh): every link leads to a file and to an anchor that is there, every page is found by
# reading on from the first one, and by the search. Ends with "N passed, N failed".

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
HERE=$ROOT/tests/documents
cd "$ROOT"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/plproxy-site.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

# links SITE: what is wrong with its links, and last a line of how many there are.
links() {
    (cd "$1" && find . -type f -printf '%P\n' >"$WORK/files" \
        && mapfile -t read < <(grep -E '\.(html|css)$' "$WORK/files") && awk -f "$HERE/site.awk" "$WORK/files" "${read[@]}")
}

"$SCRIPTS/docs.sh" "$WORK/site" >/dev/null
found=$(links "$WORK/site")
echo "$found"
same 'no dead link, and no page that nothing leads to' '' "$(sed '$d' <<<"$found")"

# What the list has is there, is in the search, and has its pictures.
index=$(cat "$WORK"/site/searchindex-*.js)
searched() { grep -qF "\"$1#" <<<"$index"; }
while read -r page; do
    page=${page%.md}.html page=${page/%README.html/index.html}
    check "$page" test -s "$WORK/site/$page"
    check "$page is searched" searched "$page"
done < <(sed -n 's/^ *\(.*\.md\)$/\1/p' "$ROOT/docs/site/pages")
for picture in docs/*.svg bench/plots/*.svg examples/*/*.png; do check "$picture" cmp -s "$ROOT/$picture" "$WORK/site/$picture"; done

# The same documents with mistakes in them: those are found, and nothing else.
COPY=$WORK/copy
mkdir "$COPY"
tar -C "$ROOT" --exclude=.git --exclude=target --exclude=./build -c . | tar -C "$COPY" -x
# refused: why no site is made of the copy.
refused() { ! said=$("$COPY/scripts/docs.sh" "$WORK/wrong" 2>&1) || said=made; tail -n 1 <<<"$said"; }

echo '# Alone' >"$COPY/docs/alone.md"
same 'a document that the list lacks is an error' docs/alone.md "$(refused)"
echo 'docs/alone.md' >>"$COPY/docs/site/pages"
echo 'docs/none.md' >>"$COPY/docs/site/pages"
same 'and one that is only in the list' 'not there: docs/none.md' "$(refused)"
sed -i '$d' "$COPY/docs/site/pages"
echo 'See [this](none.md), [that](tls.md#none), [it](../LICENSE-2) and ![a picture](none.svg).' >>"$COPY/docs/tutorial.md"
"$COPY/scripts/docs.sh" "$WORK/wrong" >/dev/null
same 'dead links are found, and a page that nothing leads to' 'docs/alone.html: nothing leads there
docs/tutorial.html: no anchor for tls.html#none
docs/tutorial.html: no file for ../LICENSE-2.txt
docs/tutorial.html: no file for none.html
docs/tutorial.html: no file for none.svg' "$(links "$WORK/wrong" | sed '$d' | sort -u)"

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
