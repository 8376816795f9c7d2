#!/usr/bin/env bash
# Makes .venv from requirements.lock, or brings it up to date. Does nothing when it is. Needs Python 3.11 or later and pip.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
mkdir -p var
if command -v flock >/dev/null; then # one at a time
  exec 9>var/venv.lock
  flock 9
fi

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

stamp="$(cksum <requirements.lock)"
if [ -f "$venv/.stamp" ] && [ "$(cat "$venv/.stamp")" = "$stamp" ] && is_recent "$venv/bin/python"; then
  exit 0
fi

find_python() {
  local name
  for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3 python; do
    if command -v "$name" >/dev/null && is_recent "$name"; then
      command -v "$name"
      return
    fi
  done
  {
    echo "Backflush needs Python 3.11 or later, and none was found."
    echo "Found: $(python3 --version 2>/dev/null || echo 'no python3 at all')."
    echo "Install one (Debian, Ubuntu: apt install python3 python3-pip), or name yours: make venv PYTHON=/path/to/python3"
  } >&2
  return 1
}

python="$(find_python)"
if [ -e "$venv" ] && ! is_recent "$venv/bin/python"; then
  echo "$venv does not work any more (was the folder moved, or Python replaced?) and is made anew."
  rm -rf "$venv"
fi
if [ ! -e "$venv/bin/python" ]; then
  echo "Making $venv with $("$python" --version) ..."
  if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
    # Debian and Ubuntu keep the pip of new environments in a package of its own; the pip of the system does as well.
    rm -rf "$venv"
    if ! "$python" -m venv --without-pip "$venv"; then
      echo "$python cannot make a virtual environment: its module venv is missing." >&2
      echo "Install it (Debian, Ubuntu: apt install python3-venv) and run the command again." >&2
      exit 1
    fi
  fi
fi

if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  pip=("$venv/bin/python" -m pip)
elif "$python" -m pip --python "$venv/bin/python" --version >/dev/null 2>&1; then
  pip=("$python" -m pip --python "$venv/bin/python")
else
  echo "pip is missing, or older than 22.3. Install it (Debian, Ubuntu: apt install python3-pip) and run the command again." >&2
  exit 1
fi
echo "Installing from requirements.lock ..."
rm -f "$venv/.stamp"
"${pip[@]}" install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements.lock
echo "$stamp" >"$venv/.stamp"
