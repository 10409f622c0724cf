#!/usr/bin/env bash
# Makes private PostgreSQL trees, as any user, without installing a package: the machine's own PostgreSQL (programs,
# clusters, ports) is never touched, which installing `postgresql-15` would do by starting a cluster.
#
#   scripts/tree.sh base      a tree without any plproxy, of version PG (default 15): what we build against
#   scripts/tree.sh work      this checkout's own copy of it: what we install into and run
#   scripts/tree.sh checked   a tree of version 15 that checks itself (assertions, memory); with PLPROXY_CHECKED=1 it is
#                             what the copies of `work` are made of
#   scripts/tree.sh c         a tree with Debian's PL/Proxy (the C handler), for comparison
#   scripts/tree.sh sys       downloaded programs and libraries beside PostgreSQL (pgbouncer, libclang), if any
#   scripts/tree.sh names     <path>/libnss_wrapper.so: host names of a file of our own, for a server that is told so
#   scripts/tree.sh pgbouncer two PgBouncers: <path>/debian/pgbouncer, Debian 12's own, and <path>/newer/pgbouncer, which
#                             knows max_prepared_statements, built from the source of Debian 13
#   scripts/tree.sh python    PL/Python for PostgreSQL 15, with its Python: <path>/lib, <path>/extension, <path>/home
#   scripts/tree.sh prometheus  Debian's prometheus, promtool and prometheus-postgres-exporter: <path>/usr/bin; and the pages of
#                             the first one: <path>/usr/share/prometheus/web
#   scripts/tree.sh rust      Debian's Rust, which is newer than that of Debian 12 itself: <path>/usr/bin/cargo
#   scripts/tree.sh mdbook    mdBook, which makes the documents a site (prints the program's path)
#   scripts/tree.sh openssl   Debian's openssl program, where the machine has none (prints the program's path)
#   scripts/tree.sh packages  what a scratch root is made of: Debian's packages of PostgreSQL 15 and of the C handler, and
#                             a dpkg status in which all that they need is installed
#   scripts/tree.sh debootstrap  Debian's program that makes a root
#   scripts/tree.sh bare      as root: a machine that has only Debian's base, as a root directory (scripts/bare.sh uses it)
#   scripts/tree.sh remove    delete the whole ground
# Each makes what is missing and prints the path; <path>/lib/postgresql/<PG>/bin/pg_config answers for that tree.
#
# Files come from the machine when it has PostgreSQL 15, its headers and a libclang (PLPROXY_FORCE_DOWNLOAD=1 says not to
# look), else from the machine's own apt sources, through a private apt state. Other versions are compiled from Debian's
# sources, or from a postgresql-<PG>*.tar.* in PLPROXY_PG_SOURCES, or are packages of a newer Debian. The ground (PLPROXY_GROUND, default
# /var/tmp/plproxy-<uid>) is kept between runs; a stamp tells its version, a lock keeps two runs apart.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$SCRIPTS/compile.sh"
source "$SCRIPTS/newer.sh"
source "$SCRIPTS/rust.sh"

# The servers' user must be able to read what is made here.
umask 022

# Raise when the layout changes: a ground with another stamp is made anew.
VERSION=1
MACHINE_PG=/usr/lib/postgresql/$PACKAGED

# Programs and libraries whose own dependencies are wanted too.
RUN_PACKAGES="postgresql-15 postgresql-client-15 libpq5 pgbouncer libclang1-14"
# Headers only: their dependencies (compilers, documentation tools) are not.
HEADER_PACKAGES="postgresql-server-dev-15 libpq-dev libclang-common-14-dev libssl-dev libicu-dev"
# What a machine needs beside Debian's smallest base.
BARE_PACKAGES=ca-certificates,git,make,gcc,libc6-dev

# ---- the ground

open_ground() {
    if [ ! -e "$GROUND" ]; then
        mkdir -p "$(dirname "$GROUND")"
        mkdir "$GROUND" 2>/dev/null || [ -d "$GROUND" ] || die "cannot create $GROUND"
    fi
    # /var/tmp is open to all: a directory that someone else made under our name must not give us our programs.
    [ ! -L "$GROUND" ] && [ -d "$GROUND" ] && [ -O "$GROUND" ] \
        || die "$GROUND exists and is not a directory of yours; set PLPROXY_GROUND to another place"
    chmod 755 "$GROUND"
    exec 9>"$GROUND/lock"
    if ! flock -n 9; then
        say "waiting for another run that is preparing $GROUND"
        flock 9
    fi
    if [ -e "$GROUND/stamp" ] && [ "$(cat "$GROUND/stamp")" != "$VERSION" ]; then
        say "$GROUND was made by another version: making it anew"
        empty_ground
    fi
    echo "$VERSION" >"$GROUND/stamp"
    # What an interrupted run left half-made.
    rm -rf "$GROUND"/*.tmp
}

empty_ground() {
    rm -rf "$GROUND"/{pg[0-9]*,sys,openssl,apt,trees,names,packages,pgbouncer,python,prometheus,rust,patchelf,mdbook-*,debootstrap,bare} \
        "$GROUND"/{compile-*,bare-run.*,stamp} "$GROUND"/*.tmp
}

# ---- apt, privately

# apt_private program arguments...: with the state of Debian 12, or with that of APT_CONF.
apt_private() { local program=$1; shift; APT_CONFIG='' "$program" -c "${APT_CONF:-$GROUND/apt/apt.conf}" "$@"; }

prepare_apt() {
    local apt=$GROUND/apt
    mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial "$apt"/debs
    # Hooks of the machine are cleared: Docker's images have one that empties the machine's package cache.
    cat >"$apt/apt.conf" <<-CONF
	Dir::State "$apt/state";
	Dir::State::status "$apt/status";
	Dir::Cache "$apt/cache";
	Dir::Cache::pkgcache "";
	Dir::Cache::srcpkgcache "";
	APT::Sandbox::User "$(id -un)";
	Acquire::Languages "none";
	Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
	Acquire::Retries "3";
	#clear DPkg::Pre-Install-Pkgs;
	#clear DPkg::Pre-Invoke;
	#clear DPkg::Post-Invoke;
	#clear APT::Update::Pre-Invoke;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	CONF
    # Nothing is installed, so far as this apt knows: it answers with every dependency, and we leave out what the
    # machine has. Telling it the truth would hide the packages that are installed but wanted in the tree.
    : >"$apt/status"
    if [ ! -e "$apt/updated" ] || [ -n "$(find "$apt/updated" -mmin +1440)" ]; then
        quietly "reading the package lists" apt_private apt-get update \
            || die "apt-get update failed; are this machine's apt sources reachable?"
        touch "$apt/updated"
    fi
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | head -c 9)" = installed ]; }

# closure package...: the packages and everything they need to run, one per line.
closure() {
    apt_private apt-get install --simulate --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\).*/\1/p'
}

# fetch directory package...: downloads the packages and unpacks them under the directory.
fetch() {
    local into=$1 deb; shift
    rm -rf "$GROUND/apt/debs"; mkdir -p "$GROUND/apt/debs" "$into"
    (cd "$GROUND/apt/debs" && quietly "downloading $# packages" apt_private apt-get download "$@") \
        || die "apt-get download failed for: $*"
    for deb in "$GROUND"/apt/debs/*.deb; do dpkg -x "$deb" "$into"; done
    rm -rf "$GROUND/apt/debs"
}

# Where the machine has Debian's own packages from.
debian_mirror() {
    # shellcheck disable=SC2016
    apt_private apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)' 'Created-By: Packages' \
        | sed -n 's/|Debian|Debian$//p' | head -n 1 | grep . || die "the machine's apt sources have no mirror of Debian"
}

# apt_apart directory type suite...: an apt state apart from that of Debian 12, for the packages (type deb) or the sources
# (deb-src) of these suites of Debian, from the machine's own mirror. Sets APT_CONF.
apt_apart() {
    local apt=$1/apt type=$2 mirror suite; shift 2
    mirror=$(debian_mirror)
    mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial
    for suite in "$@"; do
        echo "$type [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
    done >"$apt/sources.list"
    : >"$apt/status"
    : >"$apt/preferences"
    {
        cat "$GROUND/apt/apt.conf"
        printf '%s "%s";\n' Dir::State "$apt/state" Dir::State::status "$apt/status" Dir::Cache "$apt/cache" \
            Dir::Etc::sourcelist "$apt/sources.list" Dir::Etc::sourceparts /dev/null \
            Dir::Etc::preferences "$apt/preferences" Dir::Etc::preferencesparts /dev/null
    } >"$apt/apt.conf"
    APT_CONF=$apt/apt.conf
    quietly "reading the package lists of Debian ($*)" apt_private apt-get update || die "Debian's lists ($*) cannot be read"
}

# download_source directory package suite...: the newest source package in these suites of Debian.
download_source() {
    local dir=$1 package=$2 APT_CONF; shift 2
    apt_apart "$dir" deb-src "$@"
    (cd "$dir" && quietly "downloading the source of $package" apt_private apt-get source --download-only "$package") \
        || die "Debian ($*) has no source of $package"
    rm -rf "$dir/apt"
}

# The libraries of a package list that this machine lacks. Maintainer tools, Perl modules and the like are not needed:
# nothing of theirs is run.
missing_libraries() {
    local package all=$1; shift
    for package in $all; do
        case $package in
            lib*-perl|libc-l10n|libc6|libc-bin|libgcc-s1) ;;
            lib*) installed "$package" || echo "$package" ;;
        esac
    done
}

# ---- the trees

machine_has_all() {
    [ -z "${PLPROXY_FORCE_DOWNLOAD:-}" ] || return 1
    [ -x "$MACHINE_PG/bin/postgres" ] && [ -x "$MACHINE_PG/bin/psql" ] && [ -x "$MACHINE_PG/bin/pg_config" ] \
        && [ -r "/usr/include/postgresql/$PACKAGED/server/postgres.h" ] \
        && [ -x "$MACHINE_PG/lib/pgxs/src/test/regress/pg_regress" ] \
        && [ -r "/usr/share/postgresql/$PACKAGED/extension/dblink.control" ] \
        && [ -r /usr/include/openssl/ssl.h ] && [ -r /usr/include/unicode/ucol.h ] \
        && compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null \
        && compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null
}

# arrange from to major: PostgreSQL's part of a /usr becomes a tree. The distances between the directories stay as compiled
# in, so its programs find everything relative to themselves and pg_config answers for the tree.
arrange() {
    local from=$1 to=$2 major=$3
    mkdir -p "$to/lib/postgresql" "$to/share/postgresql" "$to/include"
    cp -a "$from/lib/postgresql/$major" "$to/lib/postgresql/"
    cp -a "$from/share/postgresql/$major" "$to/share/postgresql/"
    cp -a "$from/include/postgresql" "$to/include/"
    # The tree is for us alone: no handler but the one that is installed into it, no just-in-time bitcode, no manuals.
    rm -rf "$to/lib/postgresql/$major/lib/bitcode" "$to/share/postgresql/$major/man" \
           "$to/lib/postgresql/$major/lib"/plproxy* "$to/share/postgresql/$major/extension"/plproxy*
    # Copied by root from files of root: owner and mode must let the servers' user read.
    chmod -R u+rwX,go+rX,go-w "$to"
}

make_base() {
    make_packaged
    case ${MADE_OF[$PGMAJOR]} in
        packages) ;;
        newer) make_newer ;;
        *) make_compiled ;;
    esac
}

make_packaged() {
    [ -d "$GROUND/pg15" ] && return
    local tmp=$GROUND/base.tmp
    if machine_has_all; then
        say "making a private PostgreSQL $PACKAGED tree from this machine's files"
        arrange /usr "$tmp" "$PACKAGED"
        rm -rf "$GROUND/sys"
    else
        say "making a private PostgreSQL $PACKAGED tree from the machine's apt sources (nothing is installed)"
        prepare_apt
        local all wanted
        # shellcheck disable=SC2086
        all=$(closure $RUN_PACKAGES) || die "apt knows no PostgreSQL $PACKAGED here; Debian 12's own sources have it"
        wanted="$RUN_PACKAGES $HEADER_PACKAGES $(missing_libraries "$all")"
        rm -rf "$GROUND/sys" "$GROUND/sys.tmp"
        # shellcheck disable=SC2086
        fetch "$GROUND/sys.tmp" $(printf '%s\n' $wanted | sort -u)
        arrange "$GROUND/sys.tmp/usr" "$tmp" "$PACKAGED"
        rm -rf "$GROUND/sys.tmp/usr/lib/postgresql" "$GROUND/sys.tmp/usr/share/postgresql" \
               "$GROUND/sys.tmp/usr/share/doc" "$GROUND/sys.tmp/usr/share/man" "$GROUND/sys.tmp/usr/share/locale"
        (cd "$GROUND/sys.tmp/usr/lib" && ls -d ./*-linux-gnu* | head -n 1 | cut -c3-) >"$GROUND/sys.tmp/multiarch"
        chmod -R u+rwX,go+rX,go-w "$GROUND/sys.tmp"
        mv "$GROUND/sys.tmp" "$GROUND/sys"
    fi
    use_ground_libs
    check_tree "$tmp"
    mv "$tmp" "$GROUND/pg15"
}

# A tree whose programs do not start is found here, by name, and not as a puzzle three steps later.
check_tree() {
    local bin program lacking
    bin=$(tree_bin "$1")
    for program in "$bin"/{postgres,initdb,psql,pgbench,pg_config} "$bin/../lib/dblink.so"; do
        case $program in
            *.so) lacking=$(libraries "$bin/postgres" "$program" 2>&1) ;;
            *) lacking=$(libraries "$program" 2>&1) ;;
        esac
        lacking=$(awk '/not found/ { print $1 }' <<<"$lacking" | tr '\n' ' ')
        [ -z "$lacking" ] || die "$program needs libraries that are not there: $lacking"
    done
    "$(tree_bin "$1")/pg_config" --includedir-server | grep -qF "$1" || die "pg_config does not answer for the tree in $1"
}

make_work() {
    make_base
    WORK=$GROUND/trees/$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)
    [ "$PGMAJOR" = "$PACKAGED" ] || WORK+=-$PGMAJOR
    local from=$GROUND/pg$PGMAJOR
    if [ -n "${PLPROXY_CHECKED:-}" ]; then
        [ "$PGMAJOR" = "$PACKAGED" ] || die "PLPROXY_CHECKED is for PostgreSQL $PACKAGED only"
        make_checked
        from+=-checked WORK+=-checked
    fi
    [ -d "$WORK" ] && return
    # Hard links: a copy in no time. Installing replaces files by unlink and create, so the base stays as it is.
    mkdir -p "$GROUND/trees"
    rm -rf "$WORK.tmp"
    cp -al "$from" "$WORK.tmp"
    mv "$WORK.tmp" "$WORK"
}

make_c() {
    [ "$PGMAJOR" = "$PACKAGED" ] || die "Debian 12 has the C handler for PostgreSQL $PACKAGED only"
    make_base
    [ -d "$GROUND/pg15-c" ] && return
    local tmp=$GROUND/pg15-c.tmp from=/usr
    rm -rf "$tmp"
    cp -al "$GROUND/pg15" "$tmp"
    if [ -n "${PLPROXY_FORCE_DOWNLOAD:-}" ] || [ ! -e "$MACHINE_PG/lib/plproxy.so" ]; then
        prepare_apt
        rm -rf "$GROUND/c.tmp"
        fetch "$GROUND/c.tmp" postgresql-15-plproxy
        from=$GROUND/c.tmp/usr
    fi
    cp -a "$from/lib/postgresql/$PACKAGED/lib/plproxy.so" "$tmp/lib/postgresql/$PACKAGED/lib/"
    cp -a "$from/share/postgresql/$PACKAGED/extension"/plproxy* "$tmp/share/postgresql/$PACKAGED/extension/"
    rm -rf "$GROUND/c.tmp"
    mv "$tmp" "$GROUND/pg15-c"
}

make_names() {
    [ -d "$GROUND/names" ] && return
    prepare_apt
    rm -rf "$GROUND/names.tmp"
    fetch "$GROUND/names.tmp" libnss-wrapper
    mv "$GROUND/names.tmp"/usr/lib/*/libnss_wrapper.so* "$GROUND/names.tmp/"
    rm -rf "$GROUND/names.tmp/usr"
    chmod -R u+rwX,go+rX,go-w "$GROUND/names.tmp"
    mv "$GROUND/names.tmp" "$GROUND/names"
}

# PL/Python, which the base has not: with the Python that it was built with, wherever the ground lies.
make_python() {
    [ "$PGMAJOR" = "$PACKAGED" ] || die "Debian 12 has PL/Python for PostgreSQL $PACKAGED only"
    [ -d "$GROUND/python" ] && return
    local tmp=$GROUND/python.tmp
    prepare_apt
    mkdir -p "$tmp/lib" "$tmp/home/lib" "$tmp/extension"
    # shellcheck disable=SC2046
    fetch "$tmp/unpacked" $(printf '%s\n' "postgresql-plpython3-$PACKAGED" libpython3.11 libpython3.11-minimal \
        libpython3.11-stdlib $(missing_libraries "$(closure libpython3.11)") | sort -u)
    mv "$tmp/unpacked/usr/lib/postgresql/$PACKAGED/lib/plpython3.so" "$tmp/lib/"
    mv "$tmp/unpacked/usr/share/postgresql/$PACKAGED/extension"/plpython3u* "$tmp/extension/"
    mv "$tmp/unpacked/usr/lib/python3.11" "$tmp/home/lib/"
    find "$tmp/unpacked" -name 'lib*.so.*' -exec cp -P {} "$tmp/lib/" \;
    rm -rf "$tmp/unpacked"
    chmod -R u+rwX,go+rX,go-w "$tmp"
    mv "$tmp" "$GROUND/python"
}

# Prometheus, promtool and the exporter need nothing but libc. The scripts of Prometheus' pages are packages of their own.
make_prometheus() {
    [ -d "$GROUND/prometheus" ] && return
    local tmp=$GROUND/prometheus.tmp pages
    prepare_apt
    pages=$(closure prometheus | grep -E '^(libjs|fonts)-') || die "apt knows no prometheus here; Debian 12's own sources have it"
    # shellcheck disable=SC2086
    fetch "$tmp" prometheus prometheus-postgres-exporter $pages
    rm -rf "$tmp"/{etc,lib} "$tmp"/usr/lib "$tmp"/usr/share/{doc,man} "$tmp/usr/share/javascript/moment-timezone/data"
    "$tmp/usr/bin/prometheus" --version >/dev/null 2>&1 || die "Debian's prometheus does not run on this machine"
    chmod -R u+rwX,go+rX,go-w "$tmp"
    mv "$tmp" "$GROUND/prometheus"
}

# ---- PgBouncer

make_pgbouncer() {
    [ -d "$GROUND/pgbouncer" ] && return
    local tmp=$GROUND/pgbouncer.tmp
    prepare_apt
    mkdir -p "$tmp/debian" "$tmp/newer"
    # shellcheck disable=SC2046
    fetch "$tmp/unpacked" pgbouncer libevent-dev $(missing_libraries "$(closure pgbouncer)")
    cp "$tmp/unpacked/usr/sbin/pgbouncer" "$tmp/debian/program"
    mkdir "$tmp/debian/lib"
    find "$tmp/unpacked" -name 'lib*.so.*' -exec cp -P {} "$tmp/debian/lib/" \;
    # With the libraries that it was downloaded with, wherever the ground lies.
    cat >"$tmp/debian/pgbouncer" <<-'SH'
	#!/bin/sh
	here=$(dirname "$0")
	LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/program" "$@"
	SH
    chmod 755 "$tmp/debian/pgbouncer"
    build_pgbouncer "$tmp"
    rm -rf "$tmp/unpacked" "$tmp/source"
    chmod -R u+rwX,go+rX,go-w "$tmp"
    mv "$tmp" "$GROUND/pgbouncer"
}

# build_pgbouncer directory: from the source package of Debian 13, as Debian 12 has no newer one, not even in its
# backports. Without TLS and with libevent inside, so that it needs nothing but libc, gcc and make.
build_pgbouncer() {
    local dir=$1 usr=$1/unpacked/usr
    mkdir "$dir/source"
    download_source "$dir/source" pgbouncer trixie
    tar -xzf "$dir"/source/pgbouncer_*.orig.tar.gz -C "$dir/source" --strip-components=1
    (
        cd "$dir/source"
        export PKG_CONFIG=false LIBEVENT_CFLAGS="-I$usr/include" LIBEVENT_LIBS
        LIBEVENT_LIBS=$(find "$usr/lib" -name libevent.a)
        # What event2/event-config.h includes lies apart, by architecture.
        LIBEVENT_CFLAGS+=$(find "$usr/include" -maxdepth 1 -name '*-linux-gnu*' -printf ' -I%p')
        quietly "configuring PgBouncer" ./configure --without-openssl --without-cares --without-pam --without-systemd \
            --disable-evdns && quietly "building PgBouncer" make pgbouncer
    ) || die "PgBouncer did not build"
    cp "$dir/source/pgbouncer" "$dir/newer/"
}

# The packages themselves, which the trees have only the files of.
make_packages() {
    [ -d "$GROUND/packages" ] && return
    local tmp=$GROUND/packages.tmp needed
    prepare_apt
    mkdir -p "$tmp"
    (cd "$tmp" && quietly "downloading the packages of PostgreSQL $PACKAGED" apt_private apt-get download \
        postgresql-$PACKAGED postgresql-client-$PACKAGED postgresql-$PACKAGED-plproxy) || die "apt-get download failed"
    needed=$(closure postgresql-$PACKAGED libpq5 libssl3 libgcc-s1)
    # shellcheck disable=SC2086
    apt_private apt-cache show --no-all-versions $needed \
        | awk '/^Package:/ { print ""; print; print "Status: install ok installed" }
               /^(Version|Architecture|Maintainer|Multi-Arch|Provides|Depends|Pre-Depends|Description):/' \
        >"$tmp/status"
    mv "$tmp" "$GROUND/packages"
}

# It downloads by wget, which apt's own program stands in for: that knows the way of this machine to its mirror.
make_debootstrap() {
    [ -d "$GROUND/debootstrap" ] && return
    local tmp=$GROUND/debootstrap.tmp
    prepare_apt
    fetch "$tmp" debootstrap
    cat >"$tmp/wget" <<-SH
	#!/bin/sh
	while [ "\$1" != -O ]; do shift; done
	APT_CONFIG= exec /usr/lib/apt/apt-helper -c '$GROUND/apt/apt.conf' download-file "\$3" "\$2"
	SH
    chmod 755 "$tmp/wget"
    mv "$tmp" "$GROUND/debootstrap"
}

# In namespaces of its own, so that its mounts and processes end with it, however it ends.
make_bare() {
    [ -d "$GROUND/bare" ] && return
    [ "$(id -u)" = 0 ] || die "only root can make a root"
    local tmp=$GROUND/bare.tmp program=$GROUND/debootstrap mirror
    make_debootstrap
    prepare_apt
    mirror=$(debian_mirror)
    quietly "making a root of Debian's base with debootstrap" env "PATH=$program:$PATH:/usr/sbin:/sbin" \
        "DEBOOTSTRAP_DIR=$program/usr/share/debootstrap" setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child \
        "$program/usr/sbin/debootstrap" --variant=minbase --include=$BARE_PACKAGES \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg bookworm "$tmp" "$mirror" || die "debootstrap failed"
    rm -rf "$tmp"/var/cache/apt/* "$tmp"/var/lib/apt/lists/*
    mv "$tmp" "$GROUND/bare"
}

# Debian has no mdBook. It renders Markdown as a forge does, and brings search and pages for a phone, all of which works from the
# disk; Rust 1.88 is enough for this release. MPL-2.0, as is what of it goes into the site; nothing of it goes into the library.
MDBOOK_VERSION=0.5.4

# Without optimising: compiled in two fifths of the time, and our pages are few. Under a lock of its own, as what is compiled.
make_mdbook() {
    MDBOOK=$GROUND/mdbook-$MDBOOK_VERSION/bin/mdbook
    [ -x "$MDBOOK" ] && return
    local dir=$GROUND/compile-mdbook
    flock -u 9
    exec 8>"$GROUND/lock-mdbook"
    flock 8
    if [ ! -x "$MDBOOK" ]; then
        use_rust
        rm -rf "$dir"
        CARGO_TARGET_DIR="$dir/target" CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
            quietly "building mdBook $MDBOOK_VERSION from crates.io (a minute or two, once)" \
            cargo install --locked --root "$dir/out" --version "$MDBOOK_VERSION" --no-default-features --features search mdbook \
            || die "mdBook cannot be built here; can crates.io be reached?"
        mv "$dir/out" "$GROUND/mdbook-$MDBOOK_VERSION"
        rm -rf "$dir"
    fi
    exec 8>&-
    flock 9
}

# The program whose library PostgreSQL runs with.
make_openssl() {
    OPENSSL=$(command -v openssl || true)
    if [ -n "$OPENSSL" ] && [ -z "${PLPROXY_FORCE_DOWNLOAD:-}" ]; then return; fi
    OPENSSL=$GROUND/openssl/usr/bin/openssl
    [ -x "$OPENSSL" ] && return
    prepare_apt
    rm -rf "$GROUND/openssl.tmp"
    fetch "$GROUND/openssl.tmp" openssl
    mv "$GROUND/openssl.tmp" "$GROUND/openssl"
}

case ${1:-} in
    base)   open_ground; make_base; echo "$GROUND/pg$PGMAJOR" ;;
    work)   open_ground; make_work; echo "$WORK" ;;
    checked) open_ground; make_packaged; make_checked; echo "$GROUND/pg15-checked" ;;
    c)      open_ground; make_c; echo "$GROUND/pg15-c" ;;
    openssl) open_ground; make_openssl; echo "$OPENSSL" ;;
    mdbook) open_ground; make_mdbook; echo "$MDBOOK" ;;
    sys)    open_ground; make_packaged; [ ! -d "$GROUND/sys" ] || echo "$GROUND/sys" ;;
    packages) open_ground; make_packages; echo "$GROUND/packages" ;;
    rust)   open_ground; make_rust; echo "$GROUND/rust" ;;
    names)  open_ground; make_names; echo "$GROUND/names" ;;
    python) open_ground; make_python; echo "$GROUND/python" ;;
    prometheus) open_ground; make_prometheus; echo "$GROUND/prometheus" ;;
    pgbouncer) open_ground; make_pgbouncer; echo "$GROUND/pgbouncer" ;;
    debootstrap) open_ground; make_debootstrap; echo "$GROUND/debootstrap" ;;
    bare)   open_ground; make_bare; echo "$GROUND/bare" ;;
    remove) open_ground; empty_ground; rm -f "$GROUND"/lock*; rmdir "$GROUND" ;;
    *)      sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
