# make quickstart   a fresh .venv from the lock, then the six-sampler comparison
# make test         lint, types, tests
# make slow         the tests that take minutes: every benchmark in its small form, published scores
# make results      a folder of results/ again, from its manifest: make results NAME=scifact, with NEGBENCH_DATA set
# make bench        speed beside today's tools, hours: make bench COLLECTION=PATH_TO_SCIFACT
PYTHON ?= python3.11
COLLECTION ?= scifact
NAME ?= scifact
BIN := .venv/bin

.PHONY: quickstart test check venv slow results bench

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
	$(BIN)/pytest -n auto

slow: venv
	$(BIN)/pytest -m slow -n auto

results: venv
	$(BIN)/negbench run results/$(NAME)/manifest.json --out results/$(NAME)
	$(BIN)/negbench report results/$(NAME)/manifest.json --out results/$(NAME) --texts 0

bench: venv
	$(BIN)/pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks --collection $(COLLECTION)
