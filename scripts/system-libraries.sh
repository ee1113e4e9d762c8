#!/usr/bin/env bash
# Install the system libraries that the Qt tests need (Debian, Ubuntu); say which, where that is not allowed.
set -euo pipefail

say() { printf 'marsqe: %s\n' "$*" >&2; }

[ "$(uname -s)" = Linux ] || exit 0 # macOS and Windows bring what Qt needs

if ! command -v dpkg-query >/dev/null; then
    command -v xvfb-run >/dev/null || say "the viewer's tests need Xvfb (xvfb-run) and Qt's xcb libraries; install them with your package manager"
    exit 0
fi

packages="xvfb xauth libgl1 libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0
libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"

# Newer releases renamed libglib2.0-0 to libglib2.0-0t64, which provides the old name.
installed() {
    dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed ||
        dpkg-query -W -f='${db:Status-Status}\n' "${1}t64" 2>/dev/null | grep -qx installed
}

missing=()
for package in $packages; do
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=(env)
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
else
    say "the Qt tests need these packages, and installing them needs your password:"
    say "    sudo apt-get update && sudo apt-get install -y ${missing[*]}"
    exit 1
fi
say "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq </dev/null
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
