#!/usr/bin/env bash
# ensure_chromium.sh [command ...]: installs Chromium when it is missing and can be had, then runs the command.
# The command finds BACKFLUSH_CHROMIUM (the program) or BACKFLUSH_NO_BROWSER=1 in its environment.
set -euo pipefail

find_chromium() {
  local name
  for name in ${BACKFLUSH_CHROMIUM:-} chromium chromium-browser google-chrome; do
    if command -v "$name" 2>/dev/null; then return 0; fi
  done
  return 1
}

install_chromium() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  echo "Chromium is missing; installing it with apt-get for the browser tests ..."
  local log=var/log/chromium-install.log
  mkdir -p var/log
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get update && apt-get install -y --no-install-recommends chromium; } >"$log" 2>&1; then
    echo "apt-get could not install chromium; see $log."
    return 1
  fi
}

cd "$(dirname "$0")/.."
if [ -z "${BACKFLUSH_NO_BROWSER:-}" ]; then
  if ! find_chromium >/dev/null; then install_chromium || true; fi
  if chromium="$(find_chromium)"; then
    export BACKFLUSH_CHROMIUM="$chromium"
  else
    export BACKFLUSH_NO_BROWSER=1
    echo "LEFT OUT: the browser tests. They need Chromium, which is not installed; as root with apt it is installed by itself."
    echo "Elsewhere install it (Debian: apt install chromium) or name the program in BACKFLUSH_CHROMIUM."
  fi
else
  echo "LEFT OUT: the browser tests, because BACKFLUSH_NO_BROWSER is set."
fi
[ $# -eq 0 ] || exec "$@"
