#!/usr/bin/env bash
# The documents against the software: their blocks are run (execute.sh), their tables compared with what the code accepts
# (names.sh), their links followed (links.sh), and the checks with an exit code run as they stand there (checks.sh). Needs
# PLPROXY_TREE; ends with "N passed, N failed".
#
#   tests/documents/run.sh [word ...]       only the documents whose paths contain one of the words
#   UPDATE=1 tests/documents/run.sh         writes the outputs that were seen into the documents

source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/tally.sh"
need_tree
HERE=$ROOT/tests/documents
LOG=$(mktemp "${TMPDIR:-/tmp}/plproxy-documents.XXXXXX")
trap 'rm -f "$LOG"' EXIT

# What is wrong is found, and nothing else.
selftest() {
    "$SCRIPTS/playground.sh" "$HERE/execute.sh" tests/documents/selftest.md </dev/null 2>/dev/null \
        | sed -n 's/^\(ok\|FAILED\) .*/\1/p' | paste -sd' '
}
wanted='ok FAILED ok FAILED FAILED FAILED FAILED ok FAILED ok FAILED ok FAILED ok ok FAILED ok FAILED ok FAILED ok'
if [ $# = 0 ]; then
    found=$(UPDATE='' selftest)
    if [ "$found" = "$wanted" ]; then echo 'ok      the mistakes of selftest.md are found'
    else printf 'FAILED  selftest.md\n    wanted: %s\n    found:  %s\n' "$wanted" "$found"; fi | tee -a "$LOG"
fi

# Each with a server of its own.
for document in README.md docs/tutorial.md docs/language.md docs/configuration.md; do
    [ $# = 0 ] || { for word; do case $document in *"$word"*) break ;; esac; done; case $document in *"$word"*) ;; *) continue ;; esac; }
    "$SCRIPTS/playground.sh" "$HERE/execute.sh" "$document" </dev/null 2>&1 | tee -a "$LOG" \
        || printf 'FAILED  %s did not run to its end\n' "$document" | tee -a "$LOG"
done
[ $# != 0 ] || "$HERE/links.sh" | tee -a "$LOG" || echo 'FAILED  links.sh did not run to its end' | tee -a "$LOG"
[ $# != 0 ] || "$SCRIPTS/playground.sh" "$HERE/names.sh" </dev/null 2>&1 | tee -a "$LOG" \
    || echo 'FAILED  names.sh did not run to its end' | tee -a "$LOG"
[ $# != 0 ] || "$HERE/checks.sh" </dev/null 2>&1 | tee -a "$LOG" || echo 'FAILED  checks.sh did not run to its end' | tee -a "$LOG"

passed=$(grep -c '^ok ' "$LOG" || true) failed=$(grep -c '^FAILED ' "$LOG" || true)
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
