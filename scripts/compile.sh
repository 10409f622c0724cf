# Compiles a PostgreSQL that Debian 12 has no packages of, from Debian's sources. Sourced by scripts/tree.sh.
#
# The tree is laid out as the others, <tree>/lib/postgresql/<major>, with all of PostgreSQL's below that. What compiling
# needs and the machine lacks (bison, flex, perl, OpenSSL's headers) is unpacked beside the sources and goes with them.

# The suites of Debian whose sources are looked through, for the newest release of the version.
SOURCE_SUITES="trixie sid"
# The releases that are taken where those cannot be had, as when a mirror's list is ahead of its files: name in the mirror's
# pool, and SHA-256 as Debian's signed source descriptions have it.
SOURCE_RELEASES="
postgresql-17_17.11.orig.tar.bz2 dd27f2b3c59e73ed14aa3324901242bf69a032a6347805f274e6260322d42979
postgresql-18_18.6.orig.tar.bz2 555610c24d53e4316da5b7d3fc25c279d96856d5e0e23ee308c328c5fa881d9f"
BUILD_TOOLS="bison flex m4 bzip2"
# Headers, of the release that the machine's own libraries are of.
BUILD_HEADERS="libssl-dev libxml2-dev libicu-dev"
# What the tests and the examples use of contrib.
CONTRIB="citext cube dblink hstore ltree postgres_fdw"

# A server that checks itself: assertions, memory overwritten when it is freed and filled at random when it is given out,
# and told to valgrind, should it run under that.
CHECKED_OPTIONS="--enable-cassert --enable-debug"
CHECKED_FLAGS="-O1 -fno-omit-frame-pointer -DUSE_VALGRIND -DCLOBBER_FREED_MEMORY -DRANDOMIZE_ALLOCATED_MEMORY"

# make_compiled: $GROUND/pg$PGMAJOR. Compiling takes minutes: the ground is free for others meanwhile, and two runs that
# want the same version are kept apart by a lock of their own.
make_compiled() { make_from_source "$PGMAJOR" ''; }

# make_checked: $GROUND/pg15-checked, the packaged version with all that it can check about itself.
make_checked() {
    local SOURCE_SUITES=bookworm BUILD_HEADERS="$BUILD_HEADERS valgrind"
    make_from_source "$PGMAJOR-checked" "$CHECKED_OPTIONS" "$CHECKED_FLAGS"
}

# make_from_source name options [flags]
make_from_source() {
    local tree=$GROUND/pg$1 dir=$GROUND/compile-$1
    is_whole "$tree" && return
    prepare_apt
    flock -u 9
    exec 8>"$GROUND/lock-$1"
    flock 8
    if ! is_whole "$tree"; then
        rm -rf "$dir"
        mkdir "$dir"
        say "making a private PostgreSQL $1 tree from its sources; this takes some minutes, once"
        # What downloads into the ground does so under the ground's lock; nobody waits for ours while holding that.
        flock 9
        get_tools "$dir/tools"
        flock -u 9
        get_source "$dir"
        compile "$dir" "$tree" "$2" "${3:--O1}"
        chmod -R u+rwX,go+rX,go-w "$dir/out$tree"
        # One that lacks something goes, with what was made of it.
        flock 9
        rm -rf "$tree" "$GROUND"/trees/*-"${1#"$PACKAGED"-}"
        mv "$dir/out$tree" "$tree"
        flock -u 9
        check_tree "$tree"
        rm -rf "$dir"
    fi
    exec 8>&-
    flock 9
}

# is_whole tree: it is there, with all of contrib that is used by now.
is_whole() {
    local contrib
    for contrib in $CONTRIB; do [ -e "$1/lib/postgresql/$PGMAJOR/share/extension/$contrib.control" ] || return 1; done
}

# get_tools directory: headers, and the programs that the machine lacks.
get_tools() {
    # shellcheck disable=SC2206
    local tool wanted=($BUILD_HEADERS)
    mkdir "$1"
    for tool in $BUILD_TOOLS; do command -v "$tool" >/dev/null 2>&1 || wanted+=("$tool"); done
    # Without its modules perl is there but of no use here.
    perl -MFindBin -MData::Dumper -MGetopt::Long -e 1 2>/dev/null || wanted+=(perl perl-modules-5.36 libperl5.36)
    command -v m4 >/dev/null 2>&1 || installed libsigsegv2 || wanted+=(libsigsegv2)
    fetch "$1" "${wanted[@]}"
}

# get_source directory: unpacks the sources in its `source`.
get_source() {
    local dir=$1 archive
    if [ -n "${PLPROXY_PG_SOURCES:-}" ]; then
        archive=$(compgen -G "$PLPROXY_PG_SOURCES/postgresql-$PGMAJOR*.tar.*" | head -n 1) \
            || die "there is no postgresql-$PGMAJOR*.tar.* in $PLPROXY_PG_SOURCES"
    else
        # shellcheck disable=SC2086
        (download_source "$dir" "postgresql-$PGMAJOR" $SOURCE_SUITES) || download_release "$dir" "postgresql-$PGMAJOR"
        archive=$(compgen -G "$dir/postgresql-${PGMAJOR}_*.orig.tar.*" | head -n 1)
    fi
    mkdir "$dir/source"
    PATH=$dir/tools/usr/bin:$dir/tools/bin:$PATH \
        tar -x --no-same-owner --strip-components=1 -f "$archive" -C "$dir/source" || die "$archive is not whole"
}

# download_release directory package: the release named above.
download_release() {
    local name sum mirror
    mirror=$(debian_mirror)
    read -r name sum < <(grep "^$2_" <<<"$SOURCE_RELEASES") \
        || die "no release of $2 is known; set PLPROXY_PG_SOURCES to a directory with a $2*.tar.*"
    quietly "downloading $name instead" apt_private /usr/lib/apt/apt-helper download-file \
        "${mirror%/}/pool/main/p/$2/$name" "$1/$name" "SHA256:$sum" || die "$name cannot be had either"
}

# compile directory tree options flags: what will be moved to the tree lies in the directory's out<tree> afterwards.
compile() {
    local dir=$1 tree=$2 prefix=$2/lib/postgresql/$PGMAJOR multiarch library contrib
    # shellcheck disable=SC2206
    local options=($3)
    multiarch=$(basename "$(dirname "$(find "$dir/tools/usr/lib" -name libssl.a)")")
    use_tools "$dir/tools" "$multiarch"
    use_ground_libs
    # Below another make PostgreSQL's takes itself for a part of it, and leaves out what comes first.
    unset MAKELEVEL MAKEFLAGS MFLAGS
    # To link with: the libraries that programs here run with.
    mkdir "$dir/lib"
    for library in libssl.so.3 libcrypto.so.3 libxml2.so.2; do
        ln -s "$(find_library "$library" "$multiarch")" "$dir/lib/${library%.so.*}.so"
    done
    # What xml2-config and pkg-config tell is of an installed libxml2.
    # The old kind of rpath: the ground's libpq, of another version and in LD_LIBRARY_PATH, must not come before it.
    # -O1: what is tested here is not PostgreSQL's speed.
    cd "$dir/source"
    quietly "configuring PostgreSQL $PGMAJOR" ./configure --prefix="$prefix" --disable-rpath --without-icu \
        --without-readline --without-zlib --with-openssl --with-libxml ${options[@]+"${options[@]}"} CFLAGS="$4" \
        CPPFLAGS="-I$dir/tools/usr/include -I$dir/tools/usr/include/$multiarch -I$dir/tools/usr/include/libxml2" \
        XML2_CONFIG=true \
        LDFLAGS="-L$dir/lib -Wl,-rpath,$prefix/lib,--disable-new-dtags" || die "configure failed"
    quietly "compiling PostgreSQL $PGMAJOR" make -s -j"$(nproc)" || die "make failed"
    quietly "installing PostgreSQL $PGMAJOR into its tree" make -s install DESTDIR="$dir/out" || die "make install failed"
    for contrib in $CONTRIB; do
        quietly "compiling $contrib" make -s -C "contrib/$contrib" install DESTDIR="$dir/out" \
            || die "contrib/$contrib failed"
    done
    # What valgrind is to keep silent about.
    cp src/tools/valgrind.supp "$dir/out$prefix/"
    cd "$ROOT"
}

# use_tools directory multiarch: in the environment, what was unpacked there.
use_tools() {
    local usr=$1/usr
    export PATH=$usr/bin:$PATH M4=m4
    [ ! -d "$usr/share/bison" ] || export BISON_PKGDATADIR=$usr/share/bison
    [ ! -e "$usr/bin/perl" ] || export PERL5LIB=$usr/share/perl/5.36:$usr/lib/$2/perl/5.36
    [ ! -d "$usr/lib/$2" ] || export LD_LIBRARY_PATH=$usr/lib/$2${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

# find_library name multiarch: where the library is on this machine or in the ground.
find_library() {
    local place
    for place in "/usr/lib/$2" "/lib/$2" "$GROUND/sys/usr/lib/$2"; do
        [ ! -e "$place/$1" ] || { printf '%s' "$place/$1"; return; }
    done
    die "there is no $1, neither on the machine nor in the ground"
}
