#!/usr/bin/env bash
# Run the test suite: with arguments, what they name; without, the engine's part beside the rest, for each needs one core.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${VENV:-.venv}/bin/python
[ $# -eq 0 ] || exec "$python" -m pytest "$@"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$python" -m pytest tests/engine >"$log" 2>&1 &
engine=$!
"$python" -m pytest --ignore=tests/engine
rest=$?
wait "$engine"
status=$?
cat "$log"
exit $((status ? status : rest))
