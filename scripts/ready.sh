#!/usr/bin/env bash
# Gives a PostgreSQL tree with plproxy in it, ready to start servers from, and prints its path: this checkout's own
# handler, freshly built, or with PLPROXY_HANDLER=c Debian's.

source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

case $HANDLER in
    c) "$SCRIPTS/tree.sh" c ;;
    rust)
        work=$("$SCRIPTS/tree.sh" work)
        # Built against the base, whose path is the same for all checkouts, so that installing does not rebuild.
        unset PG_CONFIG DESTDIR
        build
        install_files "$(tree_bin "$work")/pg_config" "$(library)"
        echo "$work" ;;
    *) die "PLPROXY_HANDLER is rust or c, not '$HANDLER'" ;;
esac
