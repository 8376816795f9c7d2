#!/usr/bin/env bash
# Every check that needs no test run. All of them are run; the exit code tells whether one failed.
# Started by `make check`, which puts the embedded servers around it.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()

step() {
  local name="$1" began=$SECONDS
  shift
  echo "--- $name"
  if "$@"; then echo "    ok ($((SECONDS - began)) s)"; else failed+=("$name") && echo "    FAILED ($((SECONDS - began)) s)"; fi
}

with_production_settings() {
  env DJANGO_SETTINGS_MODULE=config.settings.prod DEBUG=false \
    SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
    FIELD_ENCRYPTION_KEYS="$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
    ALLOWED_HOSTS=stock.example.com CSRF_TRUSTED_ORIGINS=https://stock.example.com "$@"
}

# The longest check uses one processor; the others are done meanwhile, and its report comes after theirs.
types="$(mktemp)"
trap 'rm -f "$types"' EXIT
python -m mypy >"$types" 2>&1 &
mypy=$!
report_of_mypy() {
  local code=0
  wait "$mypy" || code=$?
  cat "$types"
  return "$code"
}

step "ruff check" python -m ruff check --quiet .
step "ruff format" python -m ruff format --check --quiet .
step "import contracts" lint-imports
if [ -d templates ]; then step "templates" djlint --quiet --lint templates; fi
step "migrations are complete" python manage.py makemigrations --check --dry-run
step "deployment settings" with_production_settings python manage.py check --deploy --fail-level WARNING
step "mypy" report_of_mypy

if [ ${#failed[@]} -gt 0 ]; then
  printf 'Failed:'
  printf ' %s;' "${failed[@]}"
  echo
  exit 1
fi
echo "All checks passed."
