# The one vocabulary: people, hooks and CI call these. Each sets up what it needs; a second call installs nothing.
SHELL := /bin/sh
VENV := $(CURDIR)/.venv
READY := .venv/.ready
PLOTS := .dvc/plots.html
RAY := .venv/.ray
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$name -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$name; exit; }; done; echo python3)
PORT ?= 5000
INSTALL := ./.ci/install
STUDY = mnist repro $(if $(CLUSTER),--cluster $(CLUSTER))
PIP = $(if $(shell command -v uv 2>/dev/null),uv pip install --python .venv/bin/python,.venv/bin/python -m pip install --disable-pip-version-check)
export PATH := $(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: repro bench bench-cluster study-published study-exact study-frontier test test-browser test-server test-signing test-long test-portable test-exact test-faults test-faults-small test-cluster check verify-lock report setup setup-cluster ui lock clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

repro: setup ## the main job: download, verify, train, evaluate, report, publish
	@mnist repro

study-published: setup ## the write-ups' recipes to the letter, and the table of studies/published (CLUSTER=auto)
	@cd studies/published && $(STUDY) && python ../measure.py && $(STUDY)

study-exact: setup ## four recipes in exact arithmetic: the committed bits on every machine
	@cd studies/exact && mnist repro

study-frontier: setup ## the cheapest recipes found for levels of accuracy, under five seeds each (CLUSTER=auto)
	@cd studies/frontier && $(STUDY)

bench: setup-cluster ## speed as ratios, into benchmarks/results.md; nothing else may run (bench-growth: one part)
	@dvc repro --quiet verify && python -m benchmarks

bench-cluster: setup-cluster ## two nodes of a Ray cluster against one machine
	@dvc repro --quiet verify && python -m benchmarks cluster

bench-%: setup
	@dvc repro --quiet verify && python -m benchmarks $*

test: setup ## the tests
	@python -m pytest -n 3 --dist worksteal # three for two cores: many wait, for a disk, a lock, a process

test-browser: setup ## the page, in headless Chromium (Debian's, installed when it is missing)
	@command -v chromium >/dev/null || $(INSTALL) chromium fonts-dejavu-core
	@python -m pytest -m browser

test-server: setup ## two repositories that share an MLflow server over PostgreSQL (Debian's, installed when missing)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(INSTALL) postgresql
	@python -m pytest -m server

test-signing: setup ## published models signed and verified (with model-signing, installed when it is missing)
	@python -c "import model_signing" 2>/dev/null || \
	python -m pip freeze --exclude-editable | \
	python -m pip install --quiet --constraint /dev/stdin $$(python -c "from mnist_pipeline.registry import integrity; print(integrity.PACKAGE)")
	@python -m pytest -m signing

test-long: setup ## experiments and rebuilds, each of which runs the whole pipeline several times
	@python -m pytest -m long -n 2 --dist worksteal

test-portable: setup ## the same bits under emulated processors (Debian's QEMU, unpacked into .emulator); SHORT=--short
	@./.ci/emulator
	@python -m tests.portable $(SHORT)

test-exact: setup ## exact arithmetic's bits with other threads, kernels, processors and, emulated, on ARM (700 MB); SHORT=--short
	@./.ci/emulator
	@./.ci/arm || test -n "$(SHORT)" # the short form says that it goes without
	@python -m tests.exact_machines $(SHORT)

test-faults: setup ## files mutated, stages killed, disks full, servers failing; counts into tests/faults/results.md
	@command -v strace >/dev/null || $(INSTALL) strace
	@python -m pytest -m faults --full

test-faults-small: setup ## the same with smaller counts
	@command -v strace >/dev/null || $(INSTALL) strace
	@python -m pytest -m faults

test-cluster: setup-cluster ## stages on two nodes of a Ray cluster on this machine, one of which is killed; FULL=--full: the counts of tests/faults/results.md
	@test -z "$(FULL)" || ./.ci/emulator
	@python -m pytest -m cluster tests/cluster $(FULL)

check: setup ## style, types, params.yaml's schema, the workflow for GitHub, and that dvc.lock is current
	@ruff check .
	@ruff format --check .
	@mypy
	@check-jsonschema --quiet --schemafile params.schema.json $(wildcard params.yaml studies/*/params.yaml)
	@check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@zizmor --quiet --offline --no-progress .github/workflows
	@command -v actionlint >/dev/null || $(PIP) --quiet --no-deps --require-hashes -r .ci/actionlint.txt
	@actionlint
	@# not publish: it depends on folders that are only whole after a run; a run in CI holds its entry against dvc.lock
	@plan=$$(dvc repro --dry --allow-missing report $(wildcard studies/*/dvc.yaml)) || { echo "$$plan"; exit 1; }; \
	if echo "$$plan" | grep "Running stage"; then echo "dvc.lock is not current; run make repro and commit it"; exit 1; fi

verify-lock: setup ## hold the results of a fresh run against the committed ones
	@mnist verify-repro --here

report: setup ## results as one folder that opens from disk: report/ (FROM=v1: beside the files as they are; TO=v2: two revisions)
	@mnist report $(FROM) $(TO)

setup: $(READY) $(PLOTS) ## .venv with every package of requirements.lock, checked by hash; by uv where that is installed

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || \
	{ echo "error: Python 3.11, 3.12, 3.13 or 3.14 is needed; found: $$($(PYTHON) --version 2>&1). Name yours with: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) --quiet --require-hashes -r requirements.lock
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

setup-cluster: setup $(RAY) ## Ray, with every package of requirements-cluster.lock, checked by hash (docs/cluster.md)

$(RAY): $(READY) requirements-cluster.lock
	$(PIP) --quiet --require-hashes -r requirements-cluster.lock
	@touch $(RAY)

$(PLOTS): $(READY) # a page for `dvc plots` that loads nothing from a network; its time says that this was done
	@mnist plots-page
	@touch $(PLOTS)

ui: setup ## MLflow's page on 127.0.0.1 (PORT=5000)
	@test -n "$$MLFLOW_TRACKING_URI" || test -e .mlflow/mlflow.db || { echo "nothing is published yet: make repro"; exit 1; }
	@mlflow ui --host 127.0.0.1 --port $(PORT) \
	--backend-store-uri "$$(python -c 'from mnist_pipeline.registry import store; print(store.address())')"

lock: ## resolve requirements.lock and requirements-cluster.lock anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --fork-strategy fewest --extra dev --python-version 3.11 \
	pyproject.toml --output-file requirements.lock
	echo ray==2.60.0 | uv pip compile --quiet --universal --generate-hashes --no-header --fork-strategy fewest \
	--python-version 3.11 --constraint requirements.lock - --output-file requirements-cluster.lock
	PYTHONPATH=src $(PYTHON) -m mnist_pipeline.arithmetic.packages

clean: ## delete .venv, caches of tools, exports, and what killed trainings left; nothing that DVC or MLflow hold
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .onnx .resume .sweep/.resume
