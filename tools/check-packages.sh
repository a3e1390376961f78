#!/usr/bin/env bash
# Packs every package and checks the tarballs, which are what users get, with publint and "are the
# types wrong", on all processors.
set -euo pipefail
tarballs=$(mktemp -d)
trap 'rm -rf "$tarballs"' EXIT
pnpm --recursive --filter './packages/*' pack --pack-destination "$tarballs" >/dev/null

# The output of a tarball is printed as one, so that those of two do not mix.
check() {
  local findings status=0
  findings=$(publint --strict "$1" 2>&1) || status=1
  findings+=$'\n'$(attw --quiet --no-summary --profile esm-only "$1" 2>&1) || status=1
  printf '%s\n' "$findings"
  return "$status"
}
export -f check
printf '%s\0' "$tarballs"/*.tgz |
  xargs -0 -n 1 -P "$(getconf _NPROCESSORS_ONLN)" bash -c 'check "$1"' check
