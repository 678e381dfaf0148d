# Two commands: `make course` for students, `make test` for developers. Each does all its own set-up, once.
PYTHON ?= python3
BIN := .venv/bin
export OMP_WAIT_POLICY := PASSIVE

.PHONY: course test run-notebooks run-solutions notebooks solutions benchmark api setup clean

# LAB=0 leaves JupyterLab out. Without a terminal it starts and prints its address, but opens no browser.
LAB ?= 1
course: .venv/ready
	$(BIN)/maple-lite selfcheck
ifneq ($(LAB),0)
	$(BIN)/maple-lite lab
endif

# One more than there are cores, since some tests wait; a file stays with one worker, and so do its costly fixtures.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(min(4, 1 + (os.cpu_count() or 1)))")
test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
	OMP_NUM_THREADS=1 $(MAKE) -j2 run-notebooks run-solutions

# Each of the two keeps one core busy: side by side they take half the time.
run-notebooks: .venv/ready
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env notebooks

run-solutions: .venv/ready
	MAPLE_LITE_STRICT=1 $(BIN)/python -m pytest --nbval-lax --nbval-current-env solutions

notebooks: .venv/ready
	$(BIN)/python lessons/build.py notebooks

solutions: .venv/ready
	$(BIN)/python lessons/build.py solutions

benchmark: .venv/ready
	$(BIN)/python benchmarks/speed.py

# The API pages, from the docstrings of every module: open build/api/index.html.
ROOMS := $(patsubst %/__init__.py,%,$(wildcard maple_lite/*/__init__.py))
MODULES := $(subst /,.,maple_lite $(filter-out maple_lite/__init__,$(basename $(wildcard maple_lite/*.py))) $(ROOMS))
api: .venv/ready
	$(BIN)/pdoc --docformat markdown --output-directory build/api $(MODULES)

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: name one with make PYTHON=python3.11")'
	@echo "Setting up .venv, once: two to ten minutes, by your network"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $@

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
