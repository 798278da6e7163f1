# make setup: prepares .venv    make demo: places a phone call    make test: linter, types, tests    make faults: what survives what    make bench, make ratio: the relay's cost
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test faults lint pictures bench ratio clean

setup: $(STAMP)

# pip is asked again only when what it would install has changed.
$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[lab,test]'
	touch $@

demo: setup
	$(BIN)/python run.py demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest --numprocesses 3 --dist loadgroup -m "not faults or fast"

# How long things take is judged here, and only here: on a machine that does nothing else. Two at a time are far from what two cores can do; those marked "alone" have the machine for themselves.
faults: setup
	failed=0; \
	export TIELINE_FAULTS_IN_TIME=1; \
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m "not alone" tests/faults || failed=1; \
	TIELINE_SOAK_S=60 $(BIN)/pytest --numprocesses 0 -m alone tests/faults || failed=1; \
	exit $$failed

pictures: setup
	$(BIN)/python -m tools.pictures

bench: setup
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks.compare

# Tieline's CPU time a message beside a bare relay's: printed, never judged, for it holds for the machine and the hour.
ratio: setup
	$(BIN)/python -m benchmarks.compare --quick --calls 100 --seconds 3

clean:
	rm -rf $(VENV) build out *.egg-info
