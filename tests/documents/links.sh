#!/usr/bin/env bash
# What the documents refer to is there: files, headings, and in docs/internals.md every path of the source tree.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"

# slugs FILE: its headings as links name them.
slugs() {
    sed -n '/^```/,/^```/!s/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/`//g; s/[^a-z0-9 _-]//g; s/ /-/g'
}

for document in *.md docs/*.md packaging/*.md bench/*.md examples/*.md examples/*/*.md; do
    bad='' count=0
    while read -r link; do
        count=$((count + 1))
        path=${link%%#*} file=$document
        [ -z "$path" ] || file=$(dirname "$document")/$path
        if [ ! -e "$file" ]; then bad+=" $link"
        elif [[ $link == *'#'* ]] && ! slugs "$file" | grep -qxF -- "${link#*#}"; then bad+=" $link"; fi
    done < <(sed '/^```/,/^```/d' "$document" | grep -o '](\([^)]*\))' | sed 's/^](//; s/)$//' | grep -v '^https\?:' || true)
    [ "$count" = 0 ] || if [ -z "$bad" ]; then echo "ok      $count links of $document"
    else echo "FAILED  links of $document:$bad"; fi
done

bad=''
for path in $(grep -oE '`(src|crates|tests|regress|scripts|docs)/[A-Za-z0-9_./-]+`' docs/internals.md | tr -d '`' | sort -u); do
    [ -e "$path" ] || bad+=" $path"
done
if [ -z "$bad" ]; then echo 'ok      the paths of docs/internals.md'; else echo "FAILED  the paths of docs/internals.md:$bad"; fi
