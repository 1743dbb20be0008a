# `make` alone lists the targets. PYTHON names the interpreter, 3.11 to 3.13: make run PYTHON=python3.12
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv is quicker where it is there, and not needed. UV= on the command line leaves it alone.
UV ?= $(shell command -v uv)
# Empty files that say which lock the environment was made from. The development lock holds all of the training lock.
DEVELOPMENT := $(VENV)/.development
TRAINING := $(VENV)/.training

# make run
DATA ?=
FIT_ARGS ?=
DEMO := data/demo.csv.gz
# make test
TESTS ?= not containers and not newcomer and not faults
PYTEST_ARGS ?=
export SEGMENTATION_DATA_DIR ?= $(CURDIR)/../shared/data
SECRETS_DIR ?= secrets
export DATA

.PHONY: help install run test test-real-data test-faults test-newcomer test-containers test-fuzz bench soak lock licences sbom secrets clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(DEVELOPMENT) ## Make .venv with everything for development, from the hash-locked requirements

run: $(TRAINING) ## Train on demo data (or DATA=file) unless there is a model, migrate, serve, and say what to try
	@set -e; \
	if [ -n "$$DATA" ]; then \
	  $(BIN)/python -m training fit $(FIT_ARGS) "$$DATA"; \
	elif [ ! -f "$${SEGMENTATION_MODELS_DIR:-models/artifacts}/ACTIVE" ]; then \
	  echo "No model is active: training one on demo data. Your own: make run DATA=purchases.csv"; \
	  mkdir -p data; \
	  $(BIN)/python -m training demo --customers 2000 --out $(DEMO); \
	  $(BIN)/python -m training fit $(FIT_ARGS) $(DEMO); \
	fi; \
	$(BIN)/python -m service db upgrade; \
	$(BIN)/python -m service invite & \
	exec $(BIN)/python -m service serve

test: $(DEVELOPMENT) ## Lint, strict types and all tests this machine allows (SQLite and a real PostgreSQL)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "$(TESTS)" $(PYTEST_ARGS)

test-real-data: $(DEVELOPMENT) ## The tests on the real data in SEGMENTATION_DATA_DIR (../shared/data); none may be skipped
	@test -f "$(SEGMENTATION_DATA_DIR)/online_retail.csv.gz" || { \
	  echo "There is no online_retail.csv.gz in $(SEGMENTATION_DATA_DIR); set SEGMENTATION_DATA_DIR to its folder" >&2; \
	  exit 1; }
	CI=true $(BIN)/python -m pytest -m real_data $(PYTEST_ARGS)

test-faults: $(DEVELOPMENT) ## The tests that kill, pause and fill what the service stands on; as root, and none may be skipped
	CI=true $(BIN)/python -m pytest -m faults tests/faults $(PYTEST_ARGS)

test-fuzz: $(DEVELOPMENT) ## Send twenty times as much wrong input as make test does: 100,000 malformed bodies
	$(BIN)/python -m pytest --fuzz 20 tests/service/test_malformed_bodies.py tests/service/test_malformed_heads.py \
	  tests/service/test_contract.py tests/service/test_hostile_bodies.py $(PYTEST_ARGS)

test-newcomer: $(DEVELOPMENT) ## Follow the newcomer's path in docs/operations.md word for word, in a fresh checkout
	CI=true $(BIN)/python -m pytest -m newcomer tests/test_operations.py $(PYTEST_ARGS)

test-containers: $(DEVELOPMENT) ## Build the images, start all containers, do the main job inside them, kill, restart
	$(BIN)/hadolint Dockerfile
	docker compose --file docker-compose.yml config --quiet
	CI=true $(BIN)/python -m pytest -m containers tests/containers $(PYTEST_ARGS)

bench: $(DEVELOPMENT) ## Measure; BENCH_ARGS says what
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

soak: $(DEVELOPMENT) ## Load the service as production does, and see that nothing is wrong, lost or growing; SOAK_ARGS says how long
	$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

# Extras stay in the locks: asked for coverage[toml] where only coverage is pinned, older pips take a newer release, and refuse it.
lock: $(BIN)/python ## Remake requirements*.lock; LOCK_ARGS=--upgrade for the newest versions
	@test -n "$(UV)" || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@set -e; \
	lock() { $(or $(UV),$(BIN)/uv) pip compile --quiet --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-header \
	  --python-version 3.11 $(LOCK_ARGS) pyproject.toml "$$@"; }; \
	lock --extra training --extra tracing --extra development --output-file requirements-development.lock; \
	lock --extra training --constraint requirements-development.lock --output-file requirements-training.lock; \
	lock --constraint requirements-development.lock --output-file requirements.lock

licences: $(DEVELOPMENT) ## Remake docs/licences.md from what the packages in the locks state
	$(BIN)/python -m tests.licences

# Of an environment and not of the lock, which knows no licences and not who wants what; made anew, so that it holds what
# the image does and nothing else.
sbom: $(DEVELOPMENT) ## Write build/sbom.json and build/sbom-training.json, bills of materials by CycloneDX, validated
	$(call bill_of_materials,requirements.lock,build/sbom.json)
	$(call bill_of_materials,requirements-training.lock,build/sbom-training.json)

# od and not openssl: it is on every machine. The files are readable for the containers' users, who are nobody here;
# the folder keeps everybody else out.
secrets: ## Make secrets/db_password and secrets/api_key where they are missing
	@set -e; umask 077; mkdir -p "$(SECRETS_DIR)"; chmod 700 "$(SECRETS_DIR)"; \
	for name in db_password api_key; do \
	  file="$(SECRETS_DIR)/$$name"; \
	  if [ -s "$$file" ]; then echo "$$file is there, and stays as it is"; continue; fi; \
	  od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$$file.partial"; \
	  chmod 444 "$$file.partial"; mv -f "$$file.partial" "$$file"; echo "$$file made"; \
	done

clean: ## Remove the environment and everything remade from sources; data, models and secrets stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is: $$($(PYTHON) --version 2>&1)." \
	    "Name another one, such as: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(if $(UV),$(UV) venv --quiet --python "$$(command -v $(PYTHON))" $(VENV),$(PYTHON) -m venv $(VENV)) || { \
	  rm -rf $(VENV); echo "$(PYTHON) could not make an environment; on Debian: apt install python3-venv" >&2; exit 1; }

$(DEVELOPMENT): requirements-development.lock | $(BIN)/python
	$(call install_locked,$<)
	@touch $(DEVELOPMENT) $(TRAINING)

$(TRAINING): requirements-training.lock | $(BIN)/python
	$(call install_locked,$<)
	@touch $(TRAINING)

define install_locked
	$(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check) --require-hashes --requirement $(1)
endef

define bill_of_materials
	rm -rf build/environment && mkdir -p build
	$(if $(UV),$(UV) venv --quiet --python $(BIN)/python build/environment,$(BIN)/python -m venv --without-pip build/environment)
	$(if $(UV),$(UV) pip install --quiet --python build/environment/bin/python,$(BIN)/python -m pip --quiet \
	  --disable-pip-version-check --python build/environment/bin/python install) --require-hashes --requirement $(1)
	$(BIN)/cyclonedx-py environment --sv 1.6 --output-reproducible --validate --pyproject pyproject.toml -o $(2) \
	  build/environment/bin/python
	rm -rf build/environment
endef
