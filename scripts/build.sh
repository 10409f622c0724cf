#!/usr/bin/env bash
# Builds the library against one PostgreSQL. PG_CONFIG says which (default: the private tree that scripts/tree.sh makes).
# The last line on stdout is the library's path. Needs a C compiler as linker and the server's headers; Rust, libclang and
# OpenSSL's headers are Debian's, in the ground, where the machine lacks them.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The pg_config is asked, not trusted: each way in which it can be wrong has its own message.
check_pg_config() {
    command -v "$1" >/dev/null 2>&1 || die "there is no pg_config at $1"
    local version
    version=$("$1" --version 2>/dev/null) || die "$1 does not run; is it a pg_config?"
    MAJOR=$(printf '%s' "$version" | sed -n 's/^PostgreSQL \([0-9][0-9]*\).*/\1/p')
    [ -n "$MAJOR" ] || die "$1 says '${version%%$'\n'*}', which is not a PostgreSQL version"
    supported "$MAJOR" || die "PostgreSQL $MAJOR is not supported ($SUPPORTED are)"
    local headers
    headers=$("$1" --includedir-server)
    [ -r "$headers/postgres.h" ] || die "PostgreSQL's server headers are not in $headers;" \
        "on Debian the package postgresql-server-dev-$MAJOR has them"
}

machine_has_libclang() {
    [ -z "${PLPROXY_FORCE_DOWNLOAD:-}" ] || return 1
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null \
        && compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null
}

# The headers are read through libclang. Where the machine has none, the ground's is told where its files are.
use_libclang() {
    local sys multiarch resource
    if machine_has_libclang && [ ! -d "$GROUND/sys" ]; then return; fi
    sys=$("$SCRIPTS/tree.sh" sys)
    [ -n "$sys" ] || return 0
    use_ground_libs
    multiarch=$(cat "$sys/multiarch")
    resource=$(compgen -G "$sys/usr/lib/llvm-*/lib/clang/*/include/stddef.h" | head -n 1)
    [ -n "$resource" ] || die "libclang's headers are not in $sys"
    export LIBCLANG_PATH; LIBCLANG_PATH=$(dirname "$(compgen -G "$sys/usr/lib/llvm-*/lib/libclang*.so*" | head -n 1)")
    export BINDGEN_EXTRA_CLANG_ARGS="-resource-dir ${resource%/include/stddef.h} \
-isystem $sys/usr/include -isystem $sys/usr/include/$multiarch ${BINDGEN_EXTRA_CLANG_ARGS:-}"
}

# OpenSSL's headers and the names that a linker asks for are in libssl-dev. Where the machine lacks it, the headers are the
# ground's; the library itself is the one that PostgreSQL runs with.
machine_has_openssl() {
    [ -z "${PLPROXY_FORCE_DOWNLOAD:-}" ] || return 1
    echo 'int main(void) { return 0; }' \
        | cc -include openssl/ssl.h -x c - -lssl -lcrypto -o /dev/null 2>/dev/null
}

# library_path NAME SYS: the shared library of that name that programs find here, of the machine's own architecture.
library_path() {
    local found
    found=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null \
        | awk -v name="$1" -v arch="$(cat "$2/multiarch")" '$1 == name && index($NF, arch) { print $NF; exit }')
    [ -n "$found" ] || found=$(compgen -G "$2/usr/lib/*/$1" | head -n 1)
    [ -n "$found" ] || die "$1 is nowhere; on Debian the package libssl3 has it"
    printf '%s' "$found"
}

use_openssl() {
    local sys links name
    if [ -n "${OPENSSL_DIR:-}${OPENSSL_LIB_DIR:-}" ] || machine_has_openssl; then return; fi
    sys=$("$SCRIPTS/tree.sh" sys)
    [ -n "$sys" ] || die "openssl/ssl.h is not there; on Debian: apt-get install libssl-dev"
    use_ground_libs
    links=$(target_dir)/openssl
    mkdir -p "$links"
    for name in libssl libcrypto; do ln -sfn "$(library_path $name.so.3 "$sys")" "$links/$name.so"; done
    export OPENSSL_LIB_DIR=$links OPENSSL_INCLUDE_DIR=$sys/usr/include
    export C_INCLUDE_PATH; C_INCLUDE_PATH=$sys/usr/include/$(cat "$sys/multiarch")${C_INCLUDE_PATH:+:$C_INCLUDE_PATH}
}

# The environment in which cargo can build or check the extension for $PG_CONFIG; sets MAJOR.
build_environment() {
    : "${PG_CONFIG:=$(tree_bin "$("$SCRIPTS/tree.sh" base)")/pg_config}"
    check_pg_config "$PG_CONFIG"
    PG_CONFIG=$(command -v "$PG_CONFIG")
    command -v cc >/dev/null 2>&1 || die "cc is not there; on Debian: apt-get install gcc libc6-dev"
    use_rust
    use_libclang
    use_openssl
    # pgrx would format what it makes of the headers, which nobody reads, and fails where there is no rustfmt.
    export RUSTFMT=true
    # Not only the destination: this is where the bindings come from.
    export PGRX_PG_CONFIG_PATH=$PG_CONFIG
}

# What the library in the target directory was built for, so that an install without cargo (under sudo) can tell.
built_for() { printf '%s %s' "$("$1" --version)" "$("$1" --includedir-server)"; }
# One for each version, except for the usual one: cargo calls the library of all of them by the same name, and takes the one
# that it finds for that which it wants.
target_dir() {
    local major=${MAJOR:-$PGMAJOR}
    local suffix=/pg$major
    [ "$major" != "$PACKAGED" ] || suffix=
    printf '%s' "${CARGO_TARGET_DIR:-$ROOT/target}$suffix"
}
library() { printf '%s/release/libplproxy.so' "$(target_dir)"; }

build() {
    build_environment
    local quiet=()
    [ -t 2 ] || quiet=(--quiet)
    say "building plproxy for PostgreSQL $MAJOR ($PG_CONFIG)"
    rm -f "$(target_dir)/release/plproxy.built-for"
    (cd "$ROOT" && CARGO_TARGET_DIR=$(target_dir) cargo build --release --locked "${quiet[@]}" --features "pg$MAJOR") >&2 || die "the build failed"
    built_for "$PG_CONFIG" >"$(target_dir)/release/plproxy.built-for"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    build
    library; echo
fi
