#!/bin/sh
# Says what this working tree would change against a base revision. Needs git and reeve; no home, no daemon, no access to production.
#
#   plan.sh [BASE [reeve reconcile's options...]]     BASE is origin/main where it is not given
#
# Ends with reeve's exit codes: 0 nothing would change, 1 the files are wrong, 2 changes that are all safe, 3 refused by a guard,
# 4 changes that delete or stop something.
set -eu
base=${1:-origin/main}
[ $# -eq 0 ] || shift

# A shallow clone does not have the base yet.
if ! git rev-parse --verify --quiet "$base^{commit}" >/dev/null; then
    git fetch --quiet --depth=1 origin "+refs/heads/${base#origin/}:refs/remotes/origin/${base#origin/}"
fi
exec reeve reconcile --dry-run --strict --against "$base" "$@"
