#!/bin/sh
# Archives a directory into another one and keeps the newest archives.
#   backup.sh SOURCE DESTINATION KEEP
set -eu
source=$1 keep=$3
case $2 in
"~/"*) destination=$HOME/${2#"~/"} ;;
*) destination=$2 ;;
esac
[ -d "$source" ] || { echo "there is no directory $source" >&2; exit 2; }
[ "$keep" -ge 1 ] || { echo "at least one archive must be kept, not $keep" >&2; exit 2; }

name=$(basename "$(cd "$source" && pwd)")
mkdir -p "$destination"
archive=$destination/$name-$(date -u +%Y%m%dT%H%M%SZ).tar.gz
# Under another name until it is whole: a run that is killed leaves nothing that looks like a backup.
tar -czf "$archive.partial" -C "$(dirname "$source")" "$(basename "$source")"
mv "$archive.partial" "$archive"
echo "wrote $archive ($(du -h "$archive" | cut -f1))"

ls -1 "$destination/$name"-*.tar.gz | sort -r | tail -n "+$((keep + 1))" | while read -r old; do
    rm -- "$old"
    echo "removed $old"
done
