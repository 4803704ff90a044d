# The commands of the project. `make help` lists them. Each prepares what it needs, and is quick if that exists.

.DEFAULT_GOAL := help
.PHONY: help demo run test attacks-gvisor bench soak screenshots docs lint images java-sdk lock clean engine venv-server venv-dev
MAKEFLAGS += --no-print-directory

CONFIG ?=
ARGS ?=
CASES ?=
MINUTES ?= 10
REPOSITORIES ?= 200

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: ## Show the path of a commit to the metadata store, with a demo repository
	@scripts/system.sh python git
	@$(MAKE) venv-server images
	@.venv/bin/python scripts/demo.py

run: ## Run the service in the foreground; CONFIG=FILE names a properties file
	@scripts/system.sh python git remotes
	@$(MAKE) venv-server images
	@.venv/bin/python manage.py run $(if $(CONFIG),--config "$(CONFIG)")

# Images are built while the checks run, since the build mostly waits for packages and the checks compute.
test: ## Run every check and every test; ARGS="tests/unit -k plan" runs exactly these tests
	@scripts/system.sh python git remotes tests
	@$(MAKE) -j 2 images $(if $(ARGS),venv-dev,lint)
	@scripts/test.sh $(ARGS)

attacks-gvisor: ## Run every attack on Python and jars in gVisor's runsc, which takes some minutes
	@scripts/system.sh python git remotes tests
	@$(MAKE) venv-dev images
	@KIOK_TEST_GVISOR=all scripts/test.sh tests/sandbox/test_gvisor.py

bench: ## Run the benchmarks against their floors, into build/bench/; CASES="cold jars" selects some
	@scripts/system.sh python git remotes
	@$(MAKE) venv-server images
	@.venv/bin/python -m benchmarks $(CASES)

soak: ## Run random pushes and faults for MINUTES=10 on REPOSITORIES=200, into build/soak/
	@scripts/system.sh python git remotes tests
	@$(MAKE) venv-dev images
	@.venv/bin/python -m soak --minutes "$(MINUTES)" --repositories "$(REPOSITORIES)"

screenshots: ## Take the screenshots of the guides again, into docs/screenshots
	@scripts/system.sh python git remotes tests
	@$(MAKE) venv-dev images
	@.venv/bin/python scripts/screenshots.py

docs: venv-dev ## Write the generated tables of docs/
	@.venv/bin/python scripts/reference_tables.py
	@.venv/bin/python scripts/attack_table.py
	@.venv/bin/python scripts/rules_table.py

lint: venv-dev ## Run ruff, mypy and import-linter
	@scripts/lint.sh

images: engine ## Build the sandbox images
	@scripts/images.sh

java-sdk: engine ## Build the Java SDK into build/
	@scripts/images.sh java-builder
	@scripts/java-sdk.sh

lock: venv-dev ## Regenerate requirements/*.txt from pyproject.toml
	@scripts/lock.sh

clean: ## Remove build results; data under .kiok is kept, except the demo's
	@rm -rf build dist .venv .kiok/demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find kiok compilers gitsync tests scripts examples benchmarks soak -name __pycache__ -type d -prune -exec rm -rf {} +

engine:
	@scripts/engine.sh build/engine

venv-server:
	@scripts/system.sh python
	@scripts/venv.sh server

venv-dev:
	@scripts/system.sh python
	@scripts/venv.sh dev
