#!/bin/sh
# Check the settings, migrate, then run every process of the Procfile. A setting comes from the
# environment, else from .env.
set -eu
settings() {
  if [ -f .env ]; then dotenv -f .env run --no-override -- "$@"; else "$@"; fi
}

settings python - <<'PYTHON'
import sys
from core.config import Settings
from core.errors import ConfigError

try:
    Settings.from_env()
except ConfigError as error:
    sys.exit(f"{error}\nSet it in the environment or in .env; README.md lists every setting.")
PYTHON

settings honcho start -e /dev/null release
processes=$(sed -n 's/^\([a-z-]*\):.*/\1/p' Procfile | grep -vx release)
# shellcheck disable=SC2086 # one word per process
settings sh -c 'exec honcho start -e /dev/null -p "${PORT:-8000}" "$@"' run $processes
