# make quickstart   a fresh .venv from the lock, then the six-sampler comparison
# make test         lint, types, tests
# make slow         the tests that take minutes: every benchmark in its small form, published scores; and five times as
#                   many examples of each property
# make faults       the tests that make faults: kills, damaged files, full disks, several processes, bad inputs
# make golden       the files that follow from the code: stage keys, draws, grid schema, methods page, grid of all methods
# make pages        the HTML page and figures of a folder of results/, from its tables: make pages NAME=scifact
# make results      run that folder's grid again, from its manifest; both need NEGBENCH_DATA for collections on disk
# make paper-pages  pages and figures of results/papers/, from the tracked verdicts
# make docs       the documentation as a site in site/, with pages of all methods and parts; warnings are errors
# make bench        speed beside today's tools, hours: make bench COLLECTION=PATH_TO_SCIFACT
PYTHON ?= python3.11
COLLECTION ?= scifact
NAME ?= scifact
BIN := .venv/bin

.PHONY: quickstart test check venv slow faults golden pages paper-pages results docs bench

.venv/.done: constraints.txt pyproject.toml
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[offline,test]'
	touch $@

venv: .venv/.done

quickstart: venv
	$(BIN)/negbench quickstart

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/pytest -n auto --dist worksteal

slow: venv
	$(BIN)/pytest -m "slow or hypothesis" --hypothesis-profile thorough -n auto --dist worksteal

faults: venv
	$(BIN)/pytest -m "slow or not slow" tests/faults tests/bad_inputs tests/store tests/test_store.py tests/test_upkeep.py

golden: venv
	$(BIN)/python tests/golden/made.py

pages: venv
	$(BIN)/negbench report results/$(NAME)/manifest.json --out results/$(NAME) --texts 0

paper-pages: venv
	$(BIN)/python -c 'from pathlib import Path; from negbench.papers import published; published.write_all(Path("results/papers"))'

results: venv
	$(BIN)/negbench run results/$(NAME)/manifest.json --out results/$(NAME)
	$(MAKE) pages NAME=$(NAME)

docs: venv
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: venv
	$(BIN)/pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks --collection $(COLLECTION)
