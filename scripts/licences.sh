#!/usr/bin/env bash
# Whether all crates have a licence of deny.toml's list, and none but the listed ones is there in two versions. Offline, and
# with nothing but cargo: `cargo deny check` does the same and more for those who have it.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
use_rust
failed=0

# entries KEY: the strings of that list in deny.toml.
entries() { awk -v key="$1" '$1 == key && /\[$/ { on = 1; next } /^\]/ { on = 0 } on' deny.toml | sed -n 's/^ *"\(.*\)",$/\1/p'; }

# crates FORMAT arguments...: of everything that is built, tests and tools included.
crates() { cargo tree --locked --prefix none --format "$@" | sed 's, (\*)$,,' | grep . | sort -u; }

# licences arguments...: a licence is one of the list, or a choice that has one; of several that hold together, each.
licences() {
    local found
    found=$(crates '{p}|{l}' "$@")
    awk -F'|' 'NR == FNR { allowed[$0] = 1; next }
        {
            crates++
            gsub("/", " OR ", $2)
            wanted = split($2, all, " AND ")
            for (i = 1; i <= wanted; i++) {
                gsub(/[()]/, "", all[i])
                many = split(all[i], choice, " OR ")
                good = 0
                for (j = 1; j <= many; j++) { gsub(/^ +| +$/, "", choice[j]); good = good || choice[j] in allowed }
                if (!good) { print "licence not allowed: " $1 ": " $2; bad = 1 }
            }
            if (wanted == 0) { print "no licence: " $1; bad = 1 }
        }
        END { print crates " crates"; exit bad || crates < 20 }' <(entries allow) <(printf '%s\n' "$found")
}

# twice arguments...: what is linked, or makes what is linked.
twice() {
    crates '{p}' "$@" | awk 'FILENAME != "-" { skipped[$1] = 1; next }
        { versions[$1] = versions[$1] " " $2; if (count[$1]++ && !($1 in skipped)) bad[$1] = 1 }
        END { for (name in bad) print "in several versions: " name versions[name]; for (name in bad) exit 1 }' \
        <(entries skip) -
}

licences --workspace --all-features --edges normal,build,dev || failed=1
licences --manifest-path fuzz/Cargo.toml --edges normal,build,dev || failed=1
for major in "${VERSIONS[@]}"; do twice --package plproxy --features "pg$major" --edges normal || failed=1; done
# Everything is from the one registry that cargo knows by itself.
if grep -h '^source = ' Cargo.lock fuzz/Cargo.lock | sort -u | grep -v '^source = "registry+' \
    || [ "$(grep -h '^source = ' Cargo.lock fuzz/Cargo.lock | sort -u | wc -l)" != 1 ]; then
    echo "a crate from elsewhere, see above"
    failed=1
fi
exit $failed
