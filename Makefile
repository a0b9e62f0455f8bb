# make demo: the whole chain on this machine. make test: every test, lint and type check.
PYTHON ?= python3
BIN := .venv/bin
# Constraints pin every version, so that both commands do the same tomorrow.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint lock clean

demo: .venv/run.stamp
	$(BIN)/seekmath run recipes/laptop.yaml

test: .venv/dev.stamp
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow"

lint: .venv/dev.stamp
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

.venv/run.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -c constraints.txt torch
	$(PIP) -c constraints.txt -e ".[all]"
	touch $@

.venv/dev.stamp: .venv/run.stamp
	$(PIP) -c constraints.txt -e ".[dev]"
	touch $@

# Pin what this environment holds; run after a change of dependencies and a green `make test`.
lock: .venv/dev.stamp
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' | sort -f \
		> constraints.txt

clean:
	rm -rf .venv runs .mypy_cache .pytest_cache .ruff_cache .hypothesis
