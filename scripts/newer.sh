# Makes a tree of a PostgreSQL that only a newer Debian has, of its packages. Sourced by scripts/tree.sh.
#
# They are built for a newer libc, and for newer libraries, than Debian 12's. All of these are unpacked beside PostgreSQL, and
# its programs are told to start with that libc's loader and to take their libraries from there alone. What is built here
# loads into them: a library keeps the symbols that it had.

# Where the version is looked for, and its own packages alone: the rest is the first suite's.
NEWER_SUITES=(sid experimental)
# What is called a library and has none that PostgreSQL loads.
NO_LIBRARIES='lib*perl*|libc-*|libpam-modules*|libsystemd-shared|libdebconf*|libse*manage*|lib*-common'

# make_newer: $GROUND/pg$PGMAJOR
make_newer() {
    local tree=$GROUND/pg$PGMAJOR dir=$GROUND/newer.tmp APT_CONF all package multiarch wanted=()
    [ -d "$tree" ] && return
    prepare_apt
    make_patchelf
    say "making a private PostgreSQL $PGMAJOR tree from packages of a newer Debian (nothing is installed)"
    mkdir "$dir"
    apt_apart "$dir" deb "${NEWER_SUITES[@]}"
    printf '%s\n' 'Package: *' "Pin: release a=${NEWER_SUITES[1]}" 'Pin-Priority: -1' '' \
        "Package: src:postgresql-$PGMAJOR" "Pin: release a=${NEWER_SUITES[1]}" 'Pin-Priority: 990' >"$dir/apt/preferences"
    all=$(closure "postgresql-$PGMAJOR" "postgresql-client-$PGMAJOR" libpq5) \
        || die "Debian (${NEWER_SUITES[*]}) has no packages of PostgreSQL $PGMAJOR"
    for package in $all; do
        # shellcheck disable=SC2254
        case $package in
            $NO_LIBRARIES) ;;
            lib*|zlib1g) wanted+=("$package") ;;
        esac
    done
    fetch "$dir/unpacked" "postgresql-$PGMAJOR" "postgresql-client-$PGMAJOR" "postgresql-server-dev-$PGMAJOR" libpq-dev \
        "${wanted[@]}"
    arrange "$dir/unpacked/usr" "$dir/tree" "$PGMAJOR"
    multiarch=$(cd "$dir/unpacked/usr/lib" && ls -d ./*-linux-gnu* | head -n 1 | cut -c3-)
    mkdir "$dir/tree/lib/$multiarch"
    find "$dir/unpacked" -path "*/lib/$multiarch/*" -prune -name '*.so*' -exec cp -a {} "$dir/tree/lib/$multiarch/" \;
    use_loader "$dir/tree" "$tree"
    chmod -R u+rwX,go+rX,go-w "$dir/tree"
    mv "$dir/tree" "$tree"
    rm -rf "$dir"
    check_tree "$tree"
}

# use_loader directory place: the programs of the directory, which will lie in that place, start with the loader in it.
use_loader() {
    local loader program
    loader=$(tree_loader "$1")
    [ -n "$loader" ] || die "the packages have no program loader"
    loader=$2${loader#"$1"}
    find "$1/lib/postgresql" -type f -perm -100 ! -name '*.so*' | while IFS= read -r program; do
        "$GROUND/patchelf/patchelf" --print-interpreter "$program" >/dev/null 2>&1 || continue
        # The old kind of rpath: it holds for the libraries' own libraries, too, and comes before LD_LIBRARY_PATH.
        "$GROUND/patchelf/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$(dirname "$loader")" "$program" \
            || die "patchelf cannot change $program"
    done
}

# make_patchelf: $GROUND/patchelf/patchelf, which changes where programs look for libraries.
make_patchelf() {
    [ -d "$GROUND/patchelf" ] && return
    rm -rf "$GROUND/patchelf.tmp"
    fetch "$GROUND/patchelf.tmp" patchelf
    mv "$GROUND/patchelf.tmp/usr/bin/patchelf" "$GROUND/patchelf.tmp/"
    rm -rf "$GROUND/patchelf.tmp/usr"
    mv "$GROUND/patchelf.tmp" "$GROUND/patchelf"
}
