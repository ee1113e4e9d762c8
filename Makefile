# Two commands matter: `make run` (the main job on a bundled image) and `make test` (every check there is).
# PYTHON chooses the interpreter (3.11 or newer), VENV the environment's folder, OUT where `make run` writes.
SHELL := /bin/bash
export PYTHON ?=
export VENV ?= .venv
OUT ?= out
BIN := $(VENV)/bin

# One thread: on busy cores several wait for each other, and results do not depend on how many there are.
TEST_ENVIRONMENT := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NAPARI_CONFIG=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint pytest docs samples environment test-environment clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

run: environment ## enhance a bundled image into ./out and, where there is a display, open napari
	@scripts/run-demo.sh "$(OUT)"

test: test-environment lint pytest ## ruff, mypy, the manifest, and the whole test suite

lint: test-environment
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(TEST_ENVIRONMENT) QT_QPA_PLATFORM=offscreen $(BIN)/npe2 validate --imports napari-marsqe

pytest: test-environment
	@$(TEST_ENVIRONMENT) scripts/with-display.sh scripts/run-tests.sh $(ARGS)

docs: test-environment ## take the screenshots and the short film of the user guide anew
	@$(TEST_ENVIRONMENT) scripts/with-display.sh $(BIN)/python scripts/make_screenshots.py
	@$(TEST_ENVIRONMENT) scripts/with-display.sh $(BIN)/python scripts/make_capture.py

environment:
	@scripts/environment.sh qt

test-environment:
	@scripts/environment.sh test
	@scripts/system-libraries.sh

clean: ## remove the environment, caches and results
	rm -rf "$(VENV)" "$(OUT)" build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
