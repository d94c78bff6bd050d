# `make train` and `make test` set up a fresh machine themselves. `make help` lists all targets.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := build/uv/bin/uv
ARGS ?=
# A file stays in one worker, which makes its fixtures once; tests/kinds.py says which files begin.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# One worker more than cores, at most four: many of the slow tests wait for other processes.
BUSY := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 3 ? n + 1 : 4)))

# The newest of Python 3.13, 3.12 and 3.11 that starts (a shim may exist that does not).
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)

# Compiled modules are cached even where that is switched off: each process of the tests would compile them again.
unexport PYTHONDONTWRITEBYTECODE

# A copy of the data beside the checkout is the mirror; else torchvision's mirrors are used.
BESIDE := $(wildcard ../shared/data/fashion-mnist)
ifdef BESIDE
export FMCGAN_DATA_MIRROR ?= $(abspath $(BESIDE))
endif

.DEFAULT_GOAL := help
.PHONY: help setup lock train test test-fast test-changed test-lowest lint style count format options docs tensorboard bench study membership classifier measured wheel clean clean-all

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

# Without a network the data are fetched by the first training.
FETCH := from os import environ; from fmcgan.data.fashion_mnist import FashionMNISTData; \
	FashionMNISTData(environ.get("FMCGAN_DATA_ROOT", "data"), environ.get("FMCGAN_DATA_MIRROR"), batch_size=1, seed=0).prepare_data()
setup: $(STAMP) ## create .venv, install everything (about 3 minutes, 6 GB) and fetch the data if possible
	@$(BIN)/python -c '$(FETCH)' 2>/dev/null && echo "data: Fashion-MNIST is there" \
		|| echo "data: Fashion-MNIST cannot be fetched now; the first training tries again and says why"

$(STAMP): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "error: Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/python" >&2; exit 1; fi
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(UV):
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet uv

# Does not depend on `setup`, which would undo upgrades.
lock: $(UV) ## write the versions of .venv into constraints.txt (first upgrade packages in .venv)
	$(BIN)/python -m pip list --format=freeze --exclude-editable | sed -E '/^pip==/d; s/[+].*//' >build/installed.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --extra dev --constraint build/installed.txt \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml >build/compiled.txt
	{ grep '^#' constraints.txt; grep -vE '^(nvidia|cuda)-' build/compiled.txt; } >build/constraints.txt
	mv build/constraints.txt constraints.txt
	@touch $(STAMP)

train: $(STAMP) ## train experiment=quick; ARGS="experiment=minute" or ARGS="loss=wgan_gp trainer.max_epochs=30" changes it
	$(BIN)/python -m fmcgan.train $(if $(findstring experiment=,$(ARGS))$(findstring ckpt_path=,$(ARGS)),,experiment=quick) $(ARGS)

# mypy runs on one core only, so beside the tests; what it found is printed behind theirs.
test: $(STAMP) style ## check style and types and run all tests (18 to 25 minutes on two cores); ARGS="-k resume"
	@mkdir -p build; $(BIN)/mypy >build/mypy.txt 2>&1 & mypy=$$!; trap 'kill $$mypy' INT TERM; \
	$(PYTEST) -n $(BUSY) $(ARGS); tests=$$?; \
	wait $$mypy; types=$$?; cat build/mypy.txt; exit $$((tests ? tests : types))

test-fast: $(STAMP) ## run the tests without child processes, real data, training or a browser (2 minutes)
	$(PYTEST) -m 'not (process or data or train or browser)' $(ARGS)

test-changed: $(STAMP) ## run the tests of the files that differ from main; ARGS="-m 'not train'"
	@files=$$($(BIN)/python tests/changed.py) && if [ -n "$$files" ]; then $(PYTEST) $$files $(ARGS); \
	else echo "no changed file has tests"; fi

# The lowest version of each direct dependency, the newest of indirect ones.
test-lowest: $(UV) ## run the fast tests in .venv-lowest, with the lowest versions that pyproject.toml allows
	test -x $(VENV)-lowest/bin/python || $(PYTHON) -m venv $(VENV)-lowest
	$(UV) pip install --quiet --python $(VENV)-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	touch $(VENV)-lowest/.installed
	$(MAKE) test-fast VENV=$(VENV)-lowest

lint: $(STAMP) style ## check style (ruff), types (mypy) and spelling (codespell)
	$(BIN)/mypy

style: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

format: $(STAMP) ## format the code and fix style errors
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

options: $(STAMP) ## write docs/options.md and the tables of docs/losses.md and docs/networks.md from the yaml files
	$(BIN)/python -m fmcgan.app.option_tables
	$(BIN)/python -m study.catalogue

docs: $(STAMP) ## build the documentation site, build/site/index.html; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

tensorboard: $(STAMP) ## show all runs in TensorBoard
	$(BIN)/tensorboard --logdir outputs --samples_per_plugin images=100

bench: $(STAMP) ## measure speed and memory for docs/performance.md (about 15 minutes on two idle cores); ARGS="training floor"
	$(BIN)/python -m benchmarks $(ARGS)

count: $(STAMP) ## count lines, `Any`, and the files that a training batch and a Fréchet distance touch
	$(BIN)/python -m benchmarks.structure

study: $(STAMP) ## run the study of docs/study.md; ARGS=speed (under an hour), then ARGS=run (about 14 hours, resumable), then ARGS=page
	$(BIN)/python -m study $(ARGS)

membership: $(STAMP) ## train recipes of 1, 8 and 60 epochs on all images and on 1,000 (hours, resumable), and attack their membership
	$(BIN)/python -m study.membership $(ARGS)

classifier: $(STAMP) ## retrain the shipped classifier of the metrics (about 15 minutes on two cores), or cache that of data=NAME
	$(BIN)/python -m fmcgan.metric.train_classifier $(if $(data),data=$(data)) $(ARGS)

# Evaluating real images caches the values of the baselines; these small files are part of the package.
MEASURE := FMCGAN_CACHE=build/measured $(BIN)/python -m fmcgan.evaluate output=build/evaluation bootstrap_samples=0
measured: $(STAMP) ## recompute the metrics of real images and baselines in the package (about two hours)
	rm -rf build/measured && mkdir -p build/measured
	$(MEASURE) samples=test
	$(MEASURE) samples=test reference=train
	$(MEASURE) samples=test metric=[frechet,gan_test] metric/feature=[classifier]
	$(MEASURE) samples=train metric=[gan_train_quick]
	$(MEASURE) samples=train n=60000 metric=[gan_train_logistic_regression,gan_train_mlp,gan_train_cnn]
	rm -f src/fmcgan/metric/measured/*.json && cp build/measured/*.json src/fmcgan/metric/measured

wheel: $(STAMP) ## build dist/fmcgan-*.whl
	$(BIN)/python -m build --wheel

clean: ## remove caches and builds
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache
	find src tests benchmarks study -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean ## also remove the environments and the downloaded data (not outputs/)
	rm -rf $(VENV) $(VENV)-lowest data
