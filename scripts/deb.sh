#!/usr/bin/env bash
# A Debian package of the extension for one PostgreSQL: postgresql-<PG>-plproxy3. Needs what the build needs, and dpkg-deb,
# which every Debian has. What goes into it and why: packaging/README.md.
#
#   scripts/deb.sh [directory]     default: build/; prints the package's path
#
# From the environment: PG (default 15), REVISION (the package's, default 1), DEBFULLNAME and DEBEMAIL (the maintainer in
# the package), SOURCE_DATE_EPOCH (the date of all files, default that of the last commit).

source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

PACKAGING=$ROOT/packaging

# needed library: the packages that it is linked with, as dependencies, with the oldest version that has all symbols.
needed() {
    local library=$1 name file package version out=''
    for name in $(objdump -p "$library" | awk '$1 == "NEEDED" { print $2 }' | sort); do
        case $name in ld-linux*) continue ;; esac
        file=$(library_file "$name")
        package=$(package_of "$file" "$name")
        version=$(symbol_version "$library" "$name")
        case ", $out," in *", $package "*) continue ;; esac
        out+=${out:+, }$package${version:+ (>= $version)}
    done
    printf '%s' "$out"
}

library_file() {
    PATH=$PATH:/sbin:/usr/sbin ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }'
}

# package_of file soname: who owns it here; where nobody does (unpacked, not installed), Debian 12's name.
package_of() {
    local found='' real
    if [ -n "$1" ]; then
        real=$(realpath "$1")
        found=$(dpkg-query -S "$real" 2>/dev/null || dpkg-query -S "${real#/usr}" 2>/dev/null || true)
        found=${found%%:*}
    fi
    if [ -z "$found" ]; then
        case $2 in
            libc.so.6|libm.so.6) found=libc6 ;;
            libgcc_s.so.1) found=libgcc-s1 ;;
            libssl.so.3|libcrypto.so.3) found=libssl3 ;;
            *) die "no package is known to have $2" ;;
        esac
    fi
    printf '%s' "$found"
}

# symbol_version library soname: the newest version of the symbols that it takes from there; the libraries name them after
# their own.
symbol_version() {
    objdump -p "$1" | awk -v name="$2:" '
        $1 == "required" && $2 == "from" { inside = ($3 == name); next }
        inside && NF >= 4 { print $4 }' | sed -n 's/^[A-Z]*_\([0-9.]*\)$/\1/p' | sort -V | tail -n 1
}

# The crates that are linked in: "name version licence", without our own.
linked_crates() {
    (cd "$ROOT" && cargo tree --locked --offline --edges normal,no-proc-macro --features "pg$MAJOR" --prefix none \
        --target "$(rustc -vV | sed -n 's/^host: //p')" --format '{p}|{l}') \
        | sed 's/ (\*)$//; s/ (proc-macro)|/|/; s/^\([^ ]*\) v\([^ |]*\).*|\(.*\)$/\1 \2 \3/' | grep -v '^plproxy' | sort -u
}

# What their licences want to be passed on with them: the texts.
crate_licences() {
    local name version licence dir file found crates
    crates=$(linked_crates) || die "cargo cannot say what is linked in"
    echo "plproxy.so holds these crates, each under one of the licences that it names; the texts are those of its archive."
    while read -r name version licence; do
        printf '\n%s\n%s %s: %s\n' "$(printf '=%.0s' {1..100})" "$name" "$version" "$licence"
        found=''
        dir=$(compgen -G "${CARGO_HOME:-$HOME/.cargo}/registry/src/*/$name-$version" | head -n 1 || true)
        for file in ${dir:+"$dir"/LICENSE* "$dir"/COPYING* "$dir"/NOTICE* "$dir"/COPYRIGHT*}; do
            [ -f "$file" ] || continue
            printf '\n-- %s\n\n' "$(basename "$file")"
            cat "$file"
            found=1
        done
        # MIT's is the same for all; whose it is stands in the manifest.
        if [ -z "$found" ]; then
            printf '\n(its archive has no text of the licence)\n'
            [ -z "$dir" ] || awk '/^authors = / { on = 1 } on || /^repository = / { print } /\]$/ { on = 0 }' "$dir/Cargo.toml"
        fi
    done <<<"$crates"
}

fill() {
    sed -e "s|@PACKAGE@|$package|g" -e "s|@MAJOR@|$MAJOR|g" -e "s|@VERSION@|$version|g" \
        -e "s|@ARCHITECTURE@|$architecture|g" -e "s|@MAINTAINER@|$maintainer|g" -e "s|@DATE@|$date|g" \
        -e "s|@DEPENDS@|${depends:-}|g" -e "s|@SIZE@|${size:-}|g" "$1"
}

# deb directory
deb() {
    local into=$1 upstream version architecture maintainer package date root lib share doc file depends size
    command -v dpkg-deb >/dev/null 2>&1 || die "dpkg-deb is not there; Debian packages are made on Debian"
    command -v objdump >/dev/null 2>&1 || die "objdump is not there; on Debian: apt-get install binutils"
    "$SCRIPTS/versions.sh"
    build
    upstream=$("$SCRIPTS/versions.sh" --print)
    version=$upstream-${REVISION:-1}
    architecture=$(dpkg --print-architecture)
    maintainer="${DEBFULLNAME:-PL/Proxy in Rust developers} <${DEBEMAIL:-plproxy@packages.invalid}>"
    package=postgresql-$MAJOR-plproxy3
    : "${SOURCE_DATE_EPOCH:=$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null || stat -c %Y "$ROOT/CHANGELOG.md")}"
    export SOURCE_DATE_EPOCH
    date=$(date -u -R -d "@$SOURCE_DATE_EPOCH")

    root=$(mktemp -d "${TMPDIR:-/tmp}/plproxy-deb.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    # Debian's own places, not those of the tree that it was built against.
    lib=$root/usr/lib/postgresql/$MAJOR/lib share=$root/usr/share/postgresql/$MAJOR/extension
    doc=$root/usr/share/doc/$package
    mkdir -p "$lib" "$share" "$doc" "$root/usr/share/lintian/overrides" "$root/DEBIAN"
    install -m 644 "$(library)" "$lib/plproxy.so"
    strip --strip-unneeded --remove-section=.comment --remove-section=.note "$lib/plproxy.so"
    install -m 644 "$ROOT/plproxy.control" "$share/"
    install -m 644 "$ROOT/sql/plproxy.sql" "$share/plproxy--$upstream.sql"
    install -m 644 "$ROOT"/sql/plproxy--*.sql "$share/"
    install -m 644 "$ROOT/README.md" "$doc/"
    install -m 644 -D -t "$doc/docs" "$ROOT"/docs/*.*
    fill "$PACKAGING/debian/copyright" >"$doc/copyright"
    fill "$PACKAGING/debian/changelog" | gzip -9n >"$doc/changelog.Debian.gz"
    gzip -9nc "$ROOT/CHANGELOG.md" >"$doc/changelog.gz"
    crate_licences | gzip -9n >"$doc/crates.gz"
    fill "$PACKAGING/debian/overrides" >"$root/usr/share/lintian/overrides/$package"
    find "$doc" -name '*.md' -size +4k -exec gzip -9n {} +

    depends="postgresql-$MAJOR, $(needed "$lib/plproxy.so")"
    size=$(du -k -s --apparent-size "$root/usr" | cut -f1)
    fill "$PACKAGING/debian/control" >"$root/DEBIAN/control"
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    chmod -R u+rwX,go+rX,go-w "$root"
    find "$root" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"

    mkdir -p "$into"
    file=$into/${package}_${version}_$architecture.deb
    dpkg-deb --root-owner-group -Zxz --build "$root" "$file" >&2
    echo "$file"
}

deb "${1:-$ROOT/build}"
