# Everything happens in .venv; nothing is installed elsewhere.
#   make demo    play whole journeys on a fast clock
#   make test    all tests but those that install everything anew, which .ci/run has too
#   make lint    ruff, mypy, layers, the messages
#   make bench   the benchmarks; the results go to tests/benchmarks/RESULTS.md
#   make lock    resolve the dependencies anew
#   make clean   remove what the others made

# Byte code is kept: without it every start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
INSTALL := UV_COMPILE_BYTECODE=1 $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: demo test lint bench lock clean

demo: .venv/.runtime
	$(BIN)/drip demo

test: .venv/.dev
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not packaging and not soak"
	@echo "Left out: the tests marked packaging or soak, two minutes; .ci/run has them."
	@$(BIN)/python -m tests.e2e.chromium

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/drip check

bench: .venv/.dev
	$(BIN)/python -m tests.benchmarks

lock: .venv/.uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --upgrade -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --upgrade --group dev -c requirements.lock \
		-o requirements-dev.lock pyproject.toml

clean:
	rm -rf .venv drip-demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# uv where it can be had, since it is quicker; pip does the same.
.venv/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Drip needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check uv || true
	@touch $@

.venv/.runtime: .venv/.uv requirements.lock pyproject.toml
	@echo "Installing what Drip needs into .venv ..."
	@$(call install,requirements.lock)
	@touch $@

.venv/.dev: .venv/.uv requirements-dev.lock pyproject.toml
	@echo "Installing what Drip and its tests need into .venv ..."
	@$(call install,requirements-dev.lock)
	@touch $@ .venv/.runtime

define install
if [ -x $(BIN)/uv ]; then \
	$(INSTALL) --require-hashes -r $(1) && $(INSTALL) --no-deps -e .; \
else \
	$(BIN)/pip install --quiet --require-hashes -r $(1) && $(BIN)/pip install --quiet --no-deps -e .; \
fi && $(BIN)/python -m compileall -q drip
endef
