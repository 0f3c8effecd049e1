#!/bin/sh
# Makes .venv with a Python that all locked packages have wheels for, and brings the uv that tools.lock pins into
# .tools. Nothing is installed outside this folder. PYTHON=... names the interpreter to take.
set -eu
cd "$(dirname "$0")"

refuse() {
    echo "Error: $1" >&2
    exit 2
}

# Prints the path of the interpreter behind $1 if it runs (a version manager's shim may be there and fail) and fits.
fitting() {
    "$1" -I -c '
import sys, sysconfig
if not (3, 11) <= sys.version_info[:2] <= (3, 13) or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(1)
print(sys._base_executable)' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fitting "$PYTHON" || refuse "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13 that runs: name another one."
        return
    fi
    for name in python3 python3.13 python3.12 python3.11; do
        fitting "$name" && return
    done
    seen=$(python3 -I -c 'import platform; print("python3 is", platform.python_version())' 2>/dev/null) ||
        seen="no python3 runs"
    refuse "Python 3.11, 3.12 or 3.13 is needed (TensorFlow has wheels for these) and $seen here: install one, or name one by PYTHON=/path/to/python3.12."
}

# A Python without the venv module's parts (Debian packs them apart) may still have pip, and the other way round.
bring_uv() {
    rm -rf .tools
    mkdir .tools
    if "$python" -I -m venv .tools/venv >/dev/null 2>&1; then
        .tools/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools.lock ||
            refuse "pip could not install what tools.lock names; its own words stand above."
        ln -s venv/bin/uv .tools/uv
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --target .tools/pip -r tools.lock ||
            refuse "pip could not install what tools.lock names; its own words stand above."
        ln -s pip/bin/uv .tools/uv
    else
        rm -rf .tools
        refuse "$python has neither venv nor pip: install one of them (on Debian and Ubuntu: the package python3-venv)."
    fi
}

wanted=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' tools.lock)
python=$(find_python)
case "$(.tools/uv --version 2>/dev/null || true)" in
    "uv $wanted"*) ;;
    *) bring_uv ;;
esac
fitting .venv/bin/python >/dev/null ||
    UV_PYTHON_DOWNLOADS=never .tools/uv venv --quiet --clear --relocatable --python "$python" .venv
