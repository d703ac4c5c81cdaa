# Rubilnik needs Python 3.11+, git and make; everything else is fetched into this folder.
PYTHON ?= python3
VENV := $(CURDIR)/.venv
ASSETS := core/web/static/vendor/icons.svg
export PATH := $(VENV)/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: demo run test check bench soak deps help
.DELETE_ON_ERROR:

demo: deps ## A Bitrix24-like portal with data and Rubilnik installed in it; prints the address
	@python -m demo $(ARGS)

run: deps ## The same processes for a real portal; settings from the environment, then .env
	@sh scripts/run.sh

test: deps .venv/dev ## The whole test suite (ARGS="-k card" narrows it)
	@sh scripts/chromium.sh
	@python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: deps .venv/dev ## Everything CI checks: lint, format, types, import rules, tests
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	@$(MAKE) test

bench: deps .venv/dev ## Speed measurements, as ratios to peers and physical limits
	@python -m benchmarks $(ARGS)

soak: deps ## Half an hour of random edits and faults in a demo of its own, then: is every card right?
	@python -m demo.soak $(ARGS)

deps: .venv/runtime $(ASSETS) ## Dependencies only
help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/runtime: requirements.txt demo/requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --disable-pip-version-check $(addprefix -r ,$^) && touch $@
.venv/dev: requirements-dev.txt .venv/runtime
	python -m pip install --quiet --disable-pip-version-check -r $< && touch $@
$(ASSETS): package-lock.json .npmrc scripts/vendor.mjs scripts/node.sh | .venv/runtime
	sh scripts/node.sh $(VENV)/bin && npm ci --loglevel=error --no-progress && node scripts/vendor.mjs
