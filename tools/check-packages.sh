#!/usr/bin/env bash
# Packs every package and checks the tarballs, which are what users get, with publint and "are the
# types wrong".
set -euo pipefail
tarballs=$(mktemp -d)
trap 'rm -rf "$tarballs"' EXIT
pnpm --recursive --filter './packages/*' pack --pack-destination "$tarballs" >/dev/null
status=0
for tarball in "$tarballs"/*.tgz; do
  publint --strict "$tarball" || status=1
  attw --quiet --no-summary --profile esm-only "$tarball" || status=1
done
exit "$status"
