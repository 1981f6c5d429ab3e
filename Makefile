# Everything a newcomer needs. Each target sets up .venv itself when it is missing or stale, and says what it does.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# One torch thread per process: on shared cores two threads are ten to fifty times slower.
export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help

.PHONY: help demo test check docs bench format clean

help:
	@echo "make demo    fine-tune a small language model on this machine's CPU and write a report (two minutes)"
	@echo "make test    run all tests"
	@echo "make check   format, lint, types, fast tests: run it before a commit"
	@echo "make docs    build the documentation into site/"
	@echo "make bench   the same methods on three kinds of model: the table of the README (ten minutes)"

$(STAMP): pyproject.toml constraints.txt
	@echo "== setting up .venv (once; again when pyproject.toml or constraints.txt change)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	@echo "== a small character model that half knows how to add, fine-tuned with GRPO; held-out sums before and after"
	@rm -rf runs/demo
	@$(BIN)/rlft run arithmetic --out runs/demo

test: $(STAMP)
	@echo "== all tests, two processes of one torch thread each"
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(STAMP)
	@echo "== format, lint, types, fast tests"
	@$(BIN)/ruff format --check --quiet . || (echo "run: make format"; exit 1)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(STAMP)
	@echo "== the documentation, from docstrings; an undocumented public name fails"
	@$(BIN)/python docs/build.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

bench: $(STAMP)
	@echo "== five methods on a language model, a diffusion model and a control policy"
	@$(BIN)/python benchmarks/families.py

clean:
	rm -rf .venv site build runs .pytest_cache .ruff_cache
