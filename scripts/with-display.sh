#!/usr/bin/env bash
# Run a command where Qt can open windows: under Xvfb on Linux, as it is elsewhere.
set -euo pipefail
if [ "$(uname -s)" != Linux ]; then
    exec "$@"
elif command -v xvfb-run >/dev/null; then
    QT_QPA_PLATFORM=xcb exec xvfb-run -a -s "-screen 0 1600x1000x24" "$@"
elif [ -n "${DISPLAY:-}" ]; then
    printf 'marsqe: no xvfb-run: windows will flash on your own screen\n' >&2
    QT_QPA_PLATFORM=xcb exec "$@"
fi
printf 'marsqe: needs xvfb-run (Debian, Ubuntu: sudo apt-get install xvfb) or a display\n' >&2
exit 1
