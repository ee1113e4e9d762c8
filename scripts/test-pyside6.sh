#!/usr/bin/env bash
# Run the plugin's tests with the other Qt binding, in an environment of their own (.venv-pyside6).
# Arguments go to pytest. PySide6 6.12.0 crashes Python 3.11 by itself, so it stays below.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"
if [ ! -x .venv-pyside6/bin/python ]; then
    "$python" -m venv .venv-pyside6
    .venv-pyside6/bin/python -m pip install -q "PySide6>=6.11,<6.12"
    .venv-pyside6/bin/python -m pip install -q -e ".[tools]"
fi
export NAPARI_CONFIG= QT_API=pyside6
bash scripts/with-display.sh .venv-pyside6/bin/python -m pytest -q -o qt_api=pyside6 "${@:-tests/plugin}"
