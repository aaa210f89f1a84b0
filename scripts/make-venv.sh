#!/usr/bin/env bash
# Make a virtual environment with pip: make-venv.sh PYTHON FOLDER.
# Debian ships Python without the part that puts pip into an environment; where we may, we install that package.
set -euo pipefail
python=$1 folder=$2

if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    exec "$python" -m venv "$folder"
fi
version=$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
"$(dirname "$0")/debian-packages.sh" --required "python$version-venv"
exec "$python" -m venv "$folder"
