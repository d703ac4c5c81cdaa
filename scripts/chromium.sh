#!/bin/sh
# Make a Chromium available for the browser tests: one on PATH, else Debian's package when we may
# install it. Without one those tests are skipped, and fail under CI=true.
set -eu
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if [ -n "${CHROMIUM:-}" ] || command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "No Chromium found: install it (apt-get install chromium) to run the browser tests." >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends chromium fonts-liberation </dev/null >/dev/null
