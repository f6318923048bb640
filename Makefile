# The same few verbs serve people and CI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install browser demo test lint types unit coverage wheel bench docs-figures clean

help:
	@echo "make demo   install into $(VENV), run the whole way on synthesised music, leave demo/run/report.html"
	@echo "make test   install, then lint, types and all tests"
	@echo "make coverage  the tests, and the lines that none of them runs; slower"
	@echo "make bench  side-by-side measurements; writes docs/benchmarks.md"
	@echo "make wheel  build dist/*.whl"
	@echo "make docs-figures  take the pictures in docs/img again, from a real browser and a real terminal"
	@echo "make clean  remove what the others made"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(STAMP)

# Chromium is no Python package: root gets it from the system, anyone else is told. Without it tests skip and say so.
browser: $(VENV)/.browser

$(VENV)/.browser: $(STAMP)
	@$(BIN)/python -m tools.browser
	@touch $@

demo: install
	$(BIN)/genrescope demo --out demo

test: lint types unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

# Files in their order: sorted by their number of tests, as is usual, the few long ones would be left for one process.
unit: install browser
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

coverage: install browser
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --cov --cov-report=term

wheel: install
	$(BIN)/python -m build --wheel --no-isolation

bench: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks

docs-figures: install browser
	$(BIN)/python -m tools.gallery

clean:
	rm -rf $(VENV) demo dist build .coverage* .mypy_cache .pytest_cache .ruff_cache
