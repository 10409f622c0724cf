#!/usr/bin/env bash
# The source archive, as PGXN takes it: everything that is in version control, below one directory plproxy-<version>, with
# META.json at its top. From the last commit, so that two archives of it are the same to the byte.
#
#   scripts/tarball.sh [directory]     default: build/; prints the paths of the .tar.gz and of the .zip

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tarball() {
    local into=$1 version name
    command -v git >/dev/null 2>&1 || die "git is not there; on Debian: apt-get install git"
    git -C "$ROOT" rev-parse --verify -q HEAD >/dev/null || die "$ROOT is not a checkout with a commit"
    [ -z "$(git -C "$ROOT" status --porcelain --untracked-files=no)" ] \
        || say "there are changes that are not committed: they are not in the archive"
    "$SCRIPTS/versions.sh"
    version=$("$SCRIPTS/versions.sh" --print)
    name=plproxy-$version
    mkdir -p "$into"
    git -C "$ROOT" archive --format=tar --prefix="$name/" HEAD | gzip -9n >"$into/$name.tar.gz"
    git -C "$ROOT" archive --format=zip --prefix="$name/" -9 HEAD >"$into/$name.zip"
    printf '%s\n' "$into/$name.tar.gz" "$into/$name.zip"
}

tarball "${1:-$ROOT/build}"
