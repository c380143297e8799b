# make quickstart   a fresh .venv from the lock, then the six-sampler comparison
# make test         lint, types, tests
# make bench        speed beside today's tools, hours: make bench COLLECTION=PATH_TO_SCIFACT
PYTHON ?= python3.11
COLLECTION ?= scifact
BIN := .venv/bin

.PHONY: quickstart test check venv slow bench

.venv/.done: constraints.txt pyproject.toml
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[offline,test]'
	touch $@

venv: .venv/.done

quickstart: venv
	$(BIN)/negbench run configs/quickstart.yaml

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/pytest

slow: venv
	$(BIN)/pytest -m slow

bench: venv
	$(BIN)/pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks --collection $(COLLECTION)
