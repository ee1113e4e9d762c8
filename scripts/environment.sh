#!/usr/bin/env bash
# Make the virtual environment, with the package in it and the extra that the first argument names ("qt" or "test").
# Does nothing where it has been done for this pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=${1:-qt}
venv=${VENV:-.venv}

say() { printf 'marsqe: %s\n' "$*" >&2; }

digest() { cat pyproject.toml scripts/environment.sh | cksum | tr -d ' '; }

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if command -v "$candidate" >/dev/null && recent_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is needed; found $(${PYTHON:-python3} --version 2>&1 || echo none)."
    say "Install one, or name it: make PYTHON=/path/to/python3.11 run"
    return 1
}

# Debian and Ubuntu ship Python without the venv module's pip.
ensure_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    local package
    package="python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        say "installing $package"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then
        say "installing $package"
        sudo -n apt-get update -qq && sudo -n DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    else
        say "this Python cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install $package"
        return 1
    fi
}

for done_for in "$extra" test; do # what "test" installs contains what "qt" does
    stamp="$venv/.marsqe-$done_for-$(digest)"
    [ -e "$stamp" ] && [ -x "$venv/bin/python" ] && exit 0
done

if ! { [ -x "$venv/bin/python" ] && recent_enough "$venv/bin/python"; }; then
    python=$(find_python)
    ensure_venv_module "$python"
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
pip() { "$venv/bin/python" -m pip install --quiet --quiet --no-input "$@" </dev/null; }

say "installing the package and what it needs into $venv (some minutes the first time)"
pip --upgrade "pip>=24"
# First and alone: a torch that is there already is kept by what follows, whichever build it is. Where this release
# is not to be had, the range in pyproject.toml decides.
if ! "$venv/bin/python" -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null; then
    pip "torch==2.13.0" 2>/dev/null || say "torch 2.13.0 is not offered for this Python; taking the newest that fits"
fi
pip --editable ".[$extra]"
rm -f "$venv"/.marsqe-*
touch "$venv/.marsqe-$extra-$(digest)"
say "ready"
