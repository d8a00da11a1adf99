# serendip from a checkout. `make demo` and `make test` install what they need into .venv.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 8000
DATA ?=
ONCE ?=

.PHONY: help demo test lint format bench bench-kernels docs clean

help:
	@echo "make demo            a small world, trained, measured and served on http://127.0.0.1:$(PORT)"
	@echo "make demo DATA=path  the same with a known data set; ONCE=1 asks once and ends"
	@echo "make test            all tests"
	@echo "make lint            format, style, types, import contract"
	@echo "make bench           the tables of docs/benchmarks.md (DATASETS=folder of the real data sets)"
	@echo "make bench-kernels   als, item-knn and the search for the best, beside implicit"
	@echo "make docs            the documentation, into site/"

.venv/serving: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "serendip needs Python 3.11 or newer; none was found on PATH"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[server]"
	@touch $@

.venv/developing: .venv/serving
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[server,postgres,mysql]" --group dev
	@touch $@

demo: .venv/serving
	@$(BIN)/serendip demo --port $(PORT) $(if $(DATA),--data "$(DATA)") $(if $(ONCE),--once)

test: .venv/developing
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/developing
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/serving
	$(BIN)/python benchmarks/time_split.py $(if $(DATASETS),--datasets "$(DATASETS)")

bench-kernels: .venv/serving
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --group bench
	$(BIN)/python benchmarks/als.py
	$(BIN)/python benchmarks/knn.py
	$(BIN)/python benchmarks/topk.py
	$(BIN)/python benchmarks/fold_in.py

docs: .venv/developing
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --group docs
	$(BIN)/zensical build --strict

clean:
	rm -rf .venv site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
