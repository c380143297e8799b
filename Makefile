# make quickstart   a fresh .venv from the lock, then the six-sampler comparison
# make test         lint, types, tests
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: quickstart test check venv slow

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
