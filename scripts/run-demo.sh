#!/usr/bin/env bash
# The main job on a bundled sample; opens napari on the result where there is a screen to open it on.
set -euo pipefail
out=${1:-out}
marsqe="${VENV:-.venv}/bin/marsqe"
if [ "$(uname -s)" = Darwin ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    exec "$marsqe" demo --out "$out" --open
fi
"$marsqe" demo --out "$out"
printf 'marsqe: no display here, so napari stays closed; look at the report in %s\n' "$out" >&2
