# make setup: prepares .venv    make demo: places a phone call    make test: linter, types, tests    make faults: what survives what    make mutants: what the tests do not see    make hell: a model that misbehaves    make talk: callers who speak    make clients: software of others    make conformance: WebSocket's rules    make fuzz: what no test thought of    make bench, make ratio: the relay's cost
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := actors,appointments,fsm,gateway,http_tools,protocols,recordings,store
# Tests start many processes: each would compile every module again where the environment forbids to keep the result.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test suite faults conformance fuzz hell talk clients lint style types mutants pictures bench ratio lock deploy-check image-trial licences clean

setup: $(STAMP)

# pip is asked again only when what it would install has changed.
$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[lab,test]'
	touch $@

demo: setup
	$(BIN)/tieline demo

lint: style types

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tools.test_files

types: setup
	$(BIN)/mypy

# mypy has one core busy for half a minute where it has no cache yet, and tests wait a good deal: both at once.
test: style
	$(MAKE) --jobs 2 types suite

# Each process collects all tests before it runs its own, which costs as much as running two hundred: four are enough
# to keep two cores busy.
suite: setup
	mkdir -p out
	@# Compiled once: four processes would each do it.
	$(BIN)/python -m compileall -q -j 0 actors appointments fsm gateway http_tools lab protocols recordings store run.py
	$(BIN)/python -m slipcover --source $(PACKAGES) --json --out out/coverage.json \
		-m pytest --numprocesses 4 --dist loadgroup -m "not faults or fast"
	$(BIN)/python -m tests.coverage_table out/coverage.json

# What breaks processes, and calls by speech: make test has a few of those. How long things take is judged here, and only here: on a machine that does nothing else. Two at a time are far from what two cores can do; those marked "alone" have the machine for themselves.
faults: setup
	failed=0; \
	export TIELINE_FAULTS_IN_TIME=1; \
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m "faults and not alone" || failed=1; \
	TIELINE_SOAK_S=60 $(BIN)/pytest --numprocesses 0 -m alone || failed=1; \
	exit $$failed

# The cases of Autobahn|Testsuite against both of our WebSockets, in ten seconds. It waits by the clock: alone on the machine.
conformance: setup
	$(BIN)/python -m tests.conformance

# Ten minutes for each reader of what peers send: both wires, the lab's ends of them, WebSocket frames; `python -m tests.fuzz --help` for some of it.
fuzz: setup
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz

# A scripted model that misbehaves, and what its callers live through; `python -m tests.adversary --help` for some of it.
hell: setup
	$(BIN)/python -m tests.adversary

# Callers with flite's voices, on clear and on noisy lines: how they fared, and who was to blame; `python -m tests.talk --help` for some of it.
talk: setup
	$(BIN)/python -m tests.talk

# Software of others on both wires, the newest there is of each, in environments of its own; `python -m tests.clients --help` for some of it.
clients: setup
	$(BIN)/python -m tests.clients

# Changes one thing in the code at a time, and lists the changes that no test of the neighbourhood fails for. Takes half an hour or more; a part of it: see CONTRIBUTING.md.
mutants: setup
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	$(BIN)/python -m tools.mutants

pictures: setup
	$(BIN)/python -m tools.pictures

bench: setup
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks.compare

# Tieline's CPU time a message beside a bare relay's: printed, never judged, because it holds for one machine and hour.
ratio: setup
	$(BIN)/python -m benchmarks.compare --quick --calls 100 --seconds 3

# What a release is installed from: the daemon's dependencies with their hashes, for every platform. Names no index.
lock: setup
	$(BIN)/python -m pip install --quiet --editable '.[release]'
	$(BIN)/uv pip compile setup.cfg --universal --python-version 3.11 --extra otel --extra postgres --generate-hashes --quiet --upgrade \
		--no-emit-index-url --custom-compile-command "make lock" --output-file requirements.lock
	printf 'setuptools>=68\n' | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --quiet --upgrade \
		--no-emit-index-url --custom-compile-command "make lock" --output-file deploy/image/build.lock

# The image's build file, the compose file and the chart, without a cluster. The tools take 250 MB: an environment of their own.
deploy-check:
	$(PYTHON) -m venv .venv-deploy
	.venv-deploy/bin/python -m pip install --quiet --editable '.[deploy]'
	.venv-deploy/bin/python -m pytest -p no:cacheprovider tests/deploy

# Builds the image and lets a daemon in it serve: as root, with buildah and mmdebstrap.
image-trial: setup
	$(BIN)/python -m tools.image_trial

licences: setup
	$(BIN)/python -m pip install --quiet --editable '.[release]'
	$(BIN)/pip-licenses --order license --ignore-packages tieline --fail-on "GNU General Public License v2 (GPLv2);GNU General Public License v3 (GPLv3);GPL-2.0-only;GPL-2.0-or-later;GPL-3.0-only;GPL-3.0-or-later"

clean:
	rm -rf $(VENV) .venv-deploy .clients build out *.egg-info
