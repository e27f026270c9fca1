# Two commands matter: `make demo` and `make test`. Each sets itself up.
VENV := .venv
BIN := $(VENV)/bin
# The stamp's name carries what it stands for, so that a change of either file, and only that, sets up again.
INPUTS := $(shell cat requirements.lock pyproject.toml | cksum | tr -d ' ')
# The lock is given twice, for as requirements alone it does not bind an extra: pip then takes the newest version, and finds no hash.
LOCK := --require-hashes --requirement requirements.lock --constraint requirements.lock
STAMP := $(VENV)/.set-up-$(INPUTS)
PYTHON ?= $(shell for candidate in python3.11 python3.12 python3.13 python3; do \
	command -v $$candidate >/dev/null 2>&1 && $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate && break; done)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
# Many processes are started here; where this is set, each compiles every source anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-fast bench fuzz ha mutation nightly lint format lock pictures clean

setup: $(STAMP)

$(STAMP):
	@test -n "$(PYTHON)" || { echo "countermand needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install $(LOCK)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.set-up*
	@touch $@

demo: setup
	@$(BIN)/countermand demo $(if $(INTERACTIVE),--interactive)

test: setup
	@$(BIN)/python -m pytest tests -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: setup
	@COUNTERMAND_HYPOTHESIS=inner-loop $(BIN)/python -m pytest tests -m "not slow and not served and not browser and not postgres" -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

# 5,000 random incidents on the range, each undone and compared, a kill at every boundary and step of the demo, and the incidents on the
# whole stack for which `make test` has no time; some hours on two cores.
nightly: setup
	@COUNTERMAND_INCIDENTS=5000 COUNTERMAND_BOUNDARY_STRIDE=1 $(BIN)/python -m pytest -m slow tests/incident/test_incidents_range.py \
		tests/tasks/test_executor_crashes.py tests/e2e -n $(PYTEST_WORKERS) $(PYTEST_ARGS)

bench: setup
	@$(BIN)/python bench/settings.py
	@$(BIN)/python bench/reach.py
	@$(BIN)/python bench/inventory.py
	@$(BIN)/python bench/flow_logs.py
	@$(BIN)/python -m bench.doors

# 100,000 changed deliveries at the door of a real gateway, and a thousand made up from each door's own description; some minutes.
fuzz: setup
	@COUNTERMAND_FUZZ=100000 COUNTERMAND_EXAMPLES=1000 $(BIN)/python -m pytest tests/gateway/test_fuzzed_door.py tests/gateway/test_openapi.py \
		-n 0 -s -q $(PYTEST_ARGS)

# Ten incidents on two of every part, each killed in turn, and a worker cut off from the network; as root, some 15 minutes.
ha: setup
	@$(BIN)/python -m bench.ha.run

# Changes the engine in one place at a time and looks whether its tests notice; some minutes.
mutation: setup
	@$(BIN)/python bench/mutation.py $(PYTEST_WORKERS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/cfn-lint deployments/aws/*.yaml
	$(BIN)/hadolint Dockerfile
	$(BIN)/countermand policies --check deployments/aws/responder-role.yaml
	$(BIN)/countermand flow-tables --check deployments/aws/flow-logs-athena.yaml
	$(BIN)/countermand settings --check docs/settings.md
	$(BIN)/countermand preparation-stacks --check deployments/aws

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pictures: setup
	$(BIN)/python docs/pictures/take.py

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate pyproject.toml --group dev --output-file requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache test-artifacts mutants
