# Debian's Rust, for machines whose own is missing or too old. Sourced by scripts/tree.sh.
#
# The rustc of Debian 12 itself is of 2022; what its security updates bring for building browsers, rustc-web and cargo-web, is
# new enough. They are unpacked in the ground and find their libraries from where they are, in no need of an environment.

RUST_PACKAGES="rustc-web cargo-web"
# What they ask for beside libraries that are loaded: compilers' and headers, which gcc brings.
NOT_LOADED='lib*-dev|libc-dev-bin|libasan*|liblsan*|libtsan*|libubsan*|libgprofng*|libctf*|libbinutils|libcc1-*|lib*-common'

# make_rust: $GROUND/rust, or a newer one in its place if that is too old by now.
make_rust() {
    local wanted all package tmp=$GROUND/rust.tmp packages=()
    wanted=$(rust_wanted)
    [ -x "$GROUND/rust/usr/bin/cargo" ] && not_older "$wanted" "$(rust_version "$GROUND/rust/usr/bin/rustc")" && return
    prepare_apt
    make_patchelf
    say "taking Debian's own Rust into $GROUND/rust: 100 MB to download, once; nothing is installed"
    # shellcheck disable=SC2086
    all=$(closure $RUST_PACKAGES) || die "apt knows no $RUST_PACKAGES here; the security updates of Debian 12 have them"
    for package in $(missing_libraries "$all"); do
        # shellcheck disable=SC2254
        case $package in
            $NOT_LOADED) ;;
            *) packages+=("$package") ;;
        esac
    done
    # The standard library comes with its compiler, whatever the machine has.
    # shellcheck disable=SC2046,SC2086
    fetch "$tmp" $(printf '%s\n' $RUST_PACKAGES "${packages[@]}" $(grep '^libstd-rust-' <<<"$all") | sort -u)
    # What the machine's own rustc would have put elsewhere.
    rm -rf "$tmp"/usr/share
    use_own_libraries "$tmp"
    not_older "$wanted" "$(rust_version "$tmp/usr/bin/rustc")" || die "Debian's Rust here is" \
        "$(rust_version "$tmp/usr/bin/rustc"), and $wanted is needed; the security updates of Debian 12 have it"
    "$tmp/usr/bin/cargo" --version >/dev/null || die "Debian's cargo does not run"
    chmod -R u+rwX,go+rX,go-w "$tmp"
    rm -rf "$GROUND/rust"
    mv "$tmp" "$GROUND/rust"
}

# use_own_libraries directory: its programs look for libraries in the directory first, and so do the libraries themselves: one
# that says where to look on its own, as LLVM's does, is not asked any more.
use_own_libraries() {
    local program library multiarch
    multiarch=$(cd "$1/usr/lib" && ls -d ./*-linux-gnu* | head -n 1 | cut -c3-)
    for program in "$1"/usr/bin/{cargo,rustc,rustdoc}; do
        # shellcheck disable=SC2016
        "$GROUND/patchelf/patchelf" --force-rpath --set-rpath \
            '$ORIGIN/../lib/'"$multiarch"':$ORIGIN/../../lib/'"$multiarch" "$program" || die "patchelf cannot change $program"
    done
    for library in "$1/usr/lib/$multiarch"/lib*.so.*; do
        [ -L "$library" ] || "$GROUND/patchelf/patchelf" --remove-rpath "$library" || die "patchelf cannot change $library"
    done
}
