# serendip from a checkout. `make demo` and `make test` install what they need into .venv.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 8000
DATA ?=
ONCE ?=
FULL ?=
DATASETS ?=
ONLY ?=

.PHONY: help demo social community feed reviews shop extras test lint format bench docs clean

help:
	@echo "make demo            a small world, trained, measured and served on http://127.0.0.1:$(PORT)"
	@echo "make demo DATA=path  the same with a known data set; ONCE=1 asks once and ends"
	@echo "make social          events and people for a made social network, served; ONCE=1 asks both routes and ends"
	@echo "make community       the reference application community, see examples/community; ONCE=1 shows it and ends"
	@echo "make feed            text posts ranked for a moment, see examples/feed; ONCE=1 asks the route and ends"
	@echo "make shop            a fashion shop's products for customers and sessions, served; ONCE=1 asks and ends"
	@echo "make reviews         products from made reviews with text, see examples/reviews; DATA=path for other reviews;"
	@echo "                     ONCE=1 asks every route and ends"
	@echo "make test            all tests; make extras before it installs what the tests of rankers and networks need"
	@echo "make lint            format, style, types, import contract"
	@echo "make bench           every benchmark beside its peers, in quick sizes; FULL=1 for the large ones,"
	@echo "                     DATASETS=folder for the tables on real data, ONLY=als,knn for some"
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

.venv/ranking: .venv/serving
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[server,rank]"
	@touch $@

.venv/thinking: .venv/serving
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[server,neural]"
	@touch $@

# Every extra, so that no test is skipped for the want of one.
extras: .venv/developing .venv/ranking .venv/thinking
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[rank-light,tune]"

demo: .venv/serving
	@$(BIN)/serendip demo --port $(PORT) $(if $(DATA),--data "$(DATA)") $(if $(ONCE),--once)

social: .venv/serving
	@$(BIN)/python examples/social/run.py --port $(PORT) $(if $(ONCE),--once)

community: .venv/serving
	@$(BIN)/python examples/community/run.py --port $(PORT) $(DATA) $(if $(ONCE),--once)

shop: .venv/serving
	@$(BIN)/python examples/shop/run.py --port $(PORT) $(DATA) $(if $(ONCE),--once)

feed: .venv/serving .venv/ranking
	@$(BIN)/python examples/feed/run.py --port $(PORT) $(if $(ONCE),--once)

reviews: .venv/serving .venv/thinking
	@$(BIN)/python examples/reviews/run.py --port $(PORT) $(if $(DATA),--from "$(DATA)") $(if $(ONCE),--once)

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

BENCH := .venv-bench
PEERS := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench"], sep="\n")

$(BENCH)/ready: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "serendip needs Python 3.11 or newer; none was found on PATH"; exit 1; }
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BENCH)/bin/python -m pip install --quiet --constraint requirements.lock --editable ".[server]"
	@$(BENCH)/bin/python -c '$(PEERS)' | while read peer; do \
		$(BENCH)/bin/python -m pip install --quiet --constraint requirements.lock "$$peer" \
			|| echo "$$peer cannot be installed here; its rows are left out"; done
	@touch $@

bench: $(BENCH)/ready
	@$(BENCH)/bin/python benchmarks/run.py $(if $(FULL),--full) $(if $(DATASETS),--datasets "$(DATASETS)") \
		$(if $(ONLY),--only "$(ONLY)")

docs: .venv/developing
	@$(BIN)/python -m pip install --quiet --constraint requirements.lock --group docs
	$(BIN)/zensical build --strict

clean:
	rm -rf .venv $(BENCH) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
