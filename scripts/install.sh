#!/usr/bin/env bash
# Builds (where needed) and installs the extension into the PostgreSQL of PG_CONFIG, below DESTDIR if that is set.
# Files are replaced by unlink and create, never written into: running sessions keep the library that they have.

source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

# install_files pg_config library
install_files() {
    local lib share version script
    lib=${DESTDIR:-}$("$1" --pkglibdir)
    share=${DESTDIR:-}$("$1" --sharedir)/extension
    version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$ROOT/plproxy.control")
    [ -n "$version" ] || die "plproxy.control names no default_version"
    mkdir -p "$lib" "$share" 2>/dev/null || true
    [ -w "$lib" ] && [ -w "$share" ] || die "no permission to write to $lib and $share;" \
        "build first as yourself (make build PG_CONFIG=$1), then: sudo make install PG_CONFIG=$1"
    install -m 755 "$2" "$lib/plproxy.so"
    install -m 644 "$ROOT/plproxy.control" "$share/plproxy.control"
    install -m 644 "$ROOT/sql/plproxy.sql" "$share/plproxy--$version.sql"
    # The upgrade scripts, from every version that there was, and from what was made by hand.
    for script in "$ROOT"/sql/plproxy--*.sql; do
        [ ! -e "$script" ] || install -m 644 "$script" "$share/"
    done
}

install_extension() {
    [ -n "${PG_CONFIG:-}" ] || die "say which PostgreSQL: make install PG_CONFIG=/path/to/pg_config"
    check_pg_config "$PG_CONFIG"
    PG_CONFIG=$(command -v "$PG_CONFIG")
    # As under sudo: where nothing was ever built with the ground's Rust, it is not fetched for what a user has built already.
    if machine_has_rust || [ -x "$GROUND/rust/usr/bin/cargo" ] || [ "$(cat "$(target_dir)/release/plproxy.built-for" 2>/dev/null)" != "$(built_for "$PG_CONFIG")" ]; then
        build
    else
        say "taking what was built for $PG_CONFIG"
    fi
    install_files "$PG_CONFIG" "$(library)"
    say "installed plproxy into ${DESTDIR:-}$("$PG_CONFIG" --pkglibdir) and ${DESTDIR:-}$("$PG_CONFIG" --sharedir)/extension"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then install_extension; fi
