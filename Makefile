PYTHON ?= python3
VENV ?= .venv
# Added to pytest's command line: make test ARGS="-k messages"
ARGS ?=
# make faults SEED=7 LENGTH=short replays that run; without a seed there is a new one.
SEED ?=
LENGTH ?= usual
# make lock UPGRADE=1 takes the newest versions; without it, what is locked stays.
UPGRADE ?=
# make audit OFFLINE=1 only warns when the vulnerability database can't be reached.
OFFLINE ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' session_api/version.py)
# The same on every database, and slow.
TOOLS := tests/cli tests/helm tests/packaging
# Each process has a PostgreSQL of its own. PARALLEL= runs all in one.
PARALLEL ?= --numprocesses=auto --maxprocesses=4
SOURCES := setup.cfg pyproject.toml client/setup.cfg client/pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help run demo test test-tools bench soak bench-report lint types check format lock audit sbom faults faults-short faults-long clean env image up down logs demo-agent test-install example

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'The environment is made in $(VENV) when needed. Another Python: make test PYTHON=python3.12 VENV=.venv312'

run: $(VENV)/.run  ## Serve the API on http://127.0.0.1:8001, with a PostgreSQL of its own
	@# Unless somebody says otherwise, here or in .env, no key is asked for, and only this machine gets in.
	@grep -qsE '^(export )? *AUTH_MODE *=' .env || \
		export AUTH_MODE="$${AUTH_MODE:-none}" API_HOST="$${API_HOST:-127.0.0.1}"; \
	exec $(BIN)/session-api serve

demo: $(VENV)/.run  ## Let an agent remember a conversation; needs `make run` in another terminal
	@exec $(BIN)/python examples/remember.py

demo-agent: $(VENV)/.run  ## Let a generated project be killed, and remember; needs `make run` in another terminal
	@exec $(BIN)/python examples/test-session-agent/demo.py

test: $(VENV)/.dev  ## Run the tests, on the embedded PostgreSQL or on TEST_DATABASE_URL
	@$(BIN)/python -m pytest $(PARALLEL) $(TOOLS:%=--ignore=%) $(ARGS)

test-tools: $(VENV)/.dev  ## Run the tests of the command strands-session, the image and the chart
	@$(BIN)/python -m pytest $(PARALLEL) $(TOOLS) $(ARGS)

test-install: $(VENV)/.dev  ## Install a generated project from nothing, as its users do, and run it (a minute)
	@$(BIN)/python -m pytest tests/cli/from_nothing.py $(ARGS)

bench: $(VENV)/.dev  ## Measure the service against bare handlers, pgbench and the SDK's files (ten minutes)
	@$(BIN)/python -m bench $(ARGS)

soak: $(VENV)/.dev  ## Load the service for an hour and see whether it grows; ARGS="--minutes 3"
	@$(BIN)/python -m bench.soak $(ARGS)

bench-report: $(VENV)/.dev  ## Write docs/performance.md of what was measured last
	@$(BIN)/python -m bench.report

lint: $(VENV)/.dev  ## Check style and formatting
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(VENV)/.dev  ## Check types
	@$(BIN)/mypy

check: lint types test-tools test  ## Everything that a change must pass

format: $(VENV)/.dev  ## Format the code and fix what can be fixed
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

# What demo.py adds to the project is not generated, and its settings are this machine's.
example: $(VENV)/.run  ## Write examples/test-session-agent anew, after a change of the templates
	@rm -rf build/example && mkdir -p build/example
	@$(BIN)/strands-session init test-session-agent --output-dir build/example \
		--description "Remembers what it is told, whatever happens to its process." 2>/dev/null
	@rm build/example/test-session-agent/session_backend/.env
	@cp -R build/example/test-session-agent/. examples/test-session-agent && rm -r build/example

# Each lock takes the versions of the one before as given, so all of them agree.
COMPILE = $(BIN)/uv pip compile --quiet --no-python-downloads --universal --python-version 3.10 --generate-hashes \
	--no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

lock: $(VENV)/.dev  ## Lock the requirements anew; UPGRADE=1 takes the newest versions
	@echo "Locking requirements/*.txt"
	@$(COMPILE) setup.cfg --output-file requirements/service.txt
	@$(COMPILE) setup.cfg --extra otel --constraints requirements/service.txt --output-file requirements/otel.txt
	@$(COMPILE) requirements/build.in --constraints requirements/service.txt --output-file requirements/build.txt
	@$(COMPILE) setup.cfg client/setup.cfg requirements/build.in requirements/examples.in \
		--extra embedded --extra cli --constraints requirements/service.txt --constraints requirements/build.txt \
		--output-file requirements/run.txt
	@$(COMPILE) setup.cfg client/setup.cfg requirements/build.in requirements/examples.in requirements/dev.in \
		--extra embedded --extra cli --extra otel --constraints requirements/run.txt --constraints requirements/otel.txt \
		--output-file requirements/dev.txt

faults: $(VENV)/.dev  ## Break everything under load and check every promise; SEED=… replays a run
	@$(BIN)/python -m faults $(if $(SEED),--seed $(SEED)) --length $(LENGTH)

faults-short: $(VENV)/.dev  ## The same in three minutes, over three seeds
	@$(BIN)/python -m faults --seed 1 --seed 2 --seed 3 --length short

faults-long: $(VENV)/.dev  ## The same in half an hour, with fifty crashes
	@$(BIN)/python -m faults $(if $(SEED),--seed $(SEED)) --length long

audit: $(VENV)/.dev  ## Ask whether a locked package has a known vulnerability
	@$(BIN)/python .ci/audit.py $(if $(OFFLINE),--allow-unreachable)

# The same bytes every time: no date, no serial number.
sbom: $(VENV)/.dev  ## Write what the service is made of to dist/sbom.json (CycloneDX)
	@mkdir -p dist
	@printf '[project]\nname = "strands-session-api"\nversion = "%s"\n' "$$($(BIN)/python -c \
		'from importlib.metadata import version; print(version("strands-session-api"))')" >dist/sbom.toml
	@env -u SOURCE_DATE_EPOCH $(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements/service.txt \
		--pyproject dist/sbom.toml --output-reproducible --output-file dist/sbom.json
	@rm dist/sbom.toml
	@echo "dist/sbom.json"

env:  ## Make .env with new passwords and secrets; what it holds already stays
	@$(PYTHON) scripts/env.py

image:  ## Build the container image strands-session-api; needs Docker
	@docker build --tag strands-session-api:$(VERSION) --tag strands-session-api:latest .

up: env  ## Build and start the service and its PostgreSQL in containers; needs Docker
	@docker compose up --build --detach
	@echo 'Serving on http://127.0.0.1:8001 (documentation at /docs).'

down:  ## Stop the containers; their data stays
	@docker compose --profile dev-tools down

logs:  ## Follow the logs of the containers
	@docker compose logs --follow

clean:  ## Remove the environment, caches and build results
	@rm -rf $(VENV) build dist client/build client/dist *.egg-info client/*.egg-info \
		.mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "There is no $(PYTHON): install Python 3.10 or newer, or name one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); name a Python 3.10 or newer with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make a virtual environment: install its venv module" \
			"(Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@echo '*' > $(VENV)/.gitignore
	@touch $@

$(VENV)/.run: requirements/run.txt $(SOURCES) | $(VENV)/.made
	@echo "Installing the service and the client into $(VENV) (about a minute the first time)"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e . -e ./client
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(SOURCES) | $(VENV)/.made
	@echo "Installing the service, the client and the tools into $(VENV) (about a minute the first time)"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e . -e ./client
	@touch $(VENV)/.run $@
