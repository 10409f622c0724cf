#!/usr/bin/env bash
# Runs a command on a machine that has nothing but Debian's base, git, make and gcc: in the root that scripts/tree.sh makes,
# with this checkout and the build's cache, each at its own path, and nothing else of this machine's: no Rust, either.
# Whatever the command writes is gone with it, on all of these; so are its processes. Only root can.
#
#   scripts/bare.sh command [argument ...]
#
# The command runs as root in the checkout's directory. Its ground is empty at first.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What this machine knows about the way to its package mirror, which the root's apt goes, too.
MIRROR_FILES="/etc/apt /usr/share/keyrings /etc/ssl/certs /usr/local/share/ca-certificates /etc/resolv.conf /etc/hosts"

# why_not: prints why no command can be run so; silent if one can.
why_not() {
    if [ "$(id -u)" != 0 ]; then echo "only root can make a root"
    elif ! unshare --mount --pid --ipc --fork sh -c 'mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir lower upper work all \
        && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work all' 2>/dev/null; then
        echo "nothing can be mounted here, or not in layers"
    fi
}

# layer DIRECTORY: the directory as the root has it, at the same path; what is written there goes to the run's own.
layer() {
    local name=${1//\//_} at=$NEW$1
    mkdir -p "$at" "$LAYERS/upper$name" "$LAYERS/work$name"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$LAYERS/upper$name,workdir=$LAYERS/work$name" "$at"
}

# as_is PATH...: those that there are, for reading only.
as_is() {
    local path
    for path in "$@"; do
        [ -e "$path" ] || continue
        if [ -d "$path" ]; then mkdir -p "$NEW$path"; else rm -f "$NEW$path"; : >"$NEW$path"; fi
        mount --bind "$path" "$NEW$path"
        mount -o remount,bind,ro "$NEW$path"
    done
}

# inside ROOT RUN command...: within the namespace.
inside() {
    local bare=$1 run=$2 cargo=${CARGO_HOME:-$HOME/.cargo}; shift 2
    LAYERS=$run/layers NEW=$run/root
    mkdir -p "$LAYERS" "$NEW" "$LAYERS/upper" "$LAYERS/work"
    # Where the file system cannot hold the upper layer, as in a container, memory can.
    if ! mount -t overlay overlay -o "lowerdir=$bare,upperdir=$LAYERS/upper,workdir=$LAYERS/work" "$NEW" 2>/dev/null; then
        mount -t tmpfs tmpfs "$LAYERS"
        mkdir "$LAYERS/upper" "$LAYERS/work"
        mount -t overlay overlay -o "lowerdir=$bare,upperdir=$LAYERS/upper,workdir=$LAYERS/work" "$NEW"
    fi
    mount -t proc proc "$NEW/proc"
    mount -t sysfs -o ro sysfs "$NEW/sys"
    mount -t tmpfs -o mode=1777 tmpfs "$NEW/dev/shm"
    layer "$ROOT"
    mkdir -p "$NEW$cargo"
    [ ! -d "$cargo/registry" ] || layer "$cargo/registry"
    if [ -n "${CARGO_TARGET_DIR:-}" ] && [ -d "$CARGO_TARGET_DIR" ]; then layer "$CARGO_TARGET_DIR"; fi
    # shellcheck disable=SC2086
    as_is "$cargo/config.toml" $MIRROR_FILES
    local -a environment=(HOME=/root LC_ALL=C.UTF-8 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        "CARGO_HOME=$cargo" "PLPROXY_GROUND=$GROUND")
    # What the build's cache was made with, and the way to the mirror.
    mapfile -t -O "${#environment[@]}" environment < <(env | grep -E '^(CARGO_(PROFILE|BUILD|TARGET)_|RUSTFLAGS=|https?_proxy=|no_proxy=)')
    # shellcheck disable=SC2016
    exec env -i "${environment[@]}" chroot "$NEW" /bin/bash -c 'cd "$1" && shift && exec "$@"' - "$ROOT" "$@"
}

# bare command...: what the command gives, or 143 when it was told to end.
bare() {
    local why root run pid rc=0
    why=$(why_not)
    [ -z "$why" ] || die "$why"
    root=$("$SCRIPTS/tree.sh" bare)
    # What a killed run has left is not locked any more.
    exec 8>"$GROUND/lock-bare"
    flock 8
    for run in "$GROUND"/bare-run.*; do
        [ ! -d "$run" ] || ! flock -n "$run" true || rm -rf "$run"
    done
    run=$(mktemp -d "$GROUND/bare-run.XXXXXX")
    exec 7<"$run" && flock 7
    exec 8>&-
    # In namespaces of its own: when its first process ends, so do all others, and the mounts are gone. It ends with us.
    setpriv --pdeathsig KILL unshare --mount --pid --ipc --fork --kill-child \
        "$BASH" "$SCRIPTS/bare.sh" --inside "$root" "$run" "$@" </dev/null &
    pid=$!
    # shellcheck disable=SC2064
    trap "kill -KILL $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -rf '$run'" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    wait $pid || rc=$?
    return "$rc"
}

case ${1:-} in
    '') sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    --inside) shift; inside "$@" ;;
    --why-not) why_not ;;
    *) bare "$@" ;;
esac
