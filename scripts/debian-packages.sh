#!/usr/bin/env bash
# Install Debian packages that are not there yet: debian-packages.sh [--required] PACKAGE…
# Where apt-get is missing or we are not root it installs nothing: with --required it fails and names the packages,
# without it only says so, and the test that needs one fails with the package's name.
set -euo pipefail
required=no
if [ "${1:-}" = --required ]; then
    required=yes
    shift
fi

missing=()
for package in "$@"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null >/dev/null
    apt-get install -qq --no-install-recommends -y "${missing[@]}" </dev/null >/dev/null
    exit 0
fi
echo "expected the Debian package(s) ${missing[*]}, found no apt-get or no root here: install them and run this again" >&2
[ "$required" = no ]
