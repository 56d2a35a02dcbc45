# Two commands: `make demo` makes a judge, `make test` runs every test. Both make their own environment.
PYTHON ?= python3.11
VENV ?= .venv
# On Linux the index's default torch is a CUDA build of several GB; it runs on a CPU as well.
TORCH ?= torch==2.13.0
DEMO ?= runs/demo

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check clean

demo: $(READY)
	$(BIN)/ste demo $(DEMO)

test: $(READY)
	$(BIN)/python -m pytest tests

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet '$(TORCH)'
	$(BIN)/python -m pip install --quiet -e '.[demo,dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) runs dist
