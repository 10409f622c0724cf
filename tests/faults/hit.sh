#!/usr/bin/env bash
# hit.sh SERVER SIGNAL: sends it to all of a server's processes, as they are now. For psql's \!.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/server.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
hit "$1" "$2"
