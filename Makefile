# make book      the book in _build/html: sets everything up, runs the chapters that changed, builds the site
# make test      what takes minutes: unit tests, scikit-learn's contract, frozen notebooks of chapters that changed
# make test-all  all of it: the slow tests, and every frozen notebook that make book's run has not been compared with
# make lint      what the linter says of all code, chapters' cells too, and the type checker of the package
# make fuzz      random calls against a slow oracle, for SECONDS=600; a failure is shrunk to a call to paste
# make bench     measure ours beside every peer, compare with the committed ratios, write benchmarks/results.json
# make freeze    record the chapters' outputs again, after an intended change
# make tidy      format the chapters' cells
# make sabotage  break what the chapters present, one thing at a time, and write down which claim notices
# make readme    write the README's table of chapters, the door's stub, and what archives read of the book
# make pdf       the book on paper, and each page, in _build/html/downloads; make epub: for a reading device
# make archive   the site as an archive with checksums, in _build/archive
# make serve     read the book on this machine's port 8000
# make lock      pin what pyproject.toml asks for, with hashes; ANEW=1 takes the newest of all
# make clean     delete everything generated, the environment included
# make help      this list
SHELL  := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
# The newest Python of a fresh system that the lock allows; PYTHON=... chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
# Paths are relative throughout: a clone may lie in a folder whose name has a space.
BIN    := .venv/bin
READY  := .venv/.ready
# The marker holds the clone's place: an environment that was copied or moved with its clone would use another's package.
ifneq ($(shell test "$$(cat $(READY) 2>/dev/null)" = "$$(pwd -P)" && echo here),here)
$(shell rm -f $(READY))
endif
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadscope --nbval --nbval-current-env
PIP    := $(BIN)/python -m pip --disable-pip-version-check

export PYTHONNOUSERSITE := 1
export SCIPY_ARRAY_API := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
# Compiled modules and rewritten tests are kept outside the tree, and found again by the next process.
export PYTHONPYCACHEPREFIX := $(CURDIR)/_build/bytecode

.PHONY: book test test-all lint fuzz bench freeze tidy sabotage readme pdf epub archive serve lock clean help
help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

book: $(READY)
	@$(BIN)/python -m locmethods.companion book --jobs $(JOBS)

# Two chapters, a minute or two on two cores: however many have changed, the tests stay within minutes.
test: $(READY)
	@due="$$($(BIN)/python -m locmethods.companion due --at-most 2)" && $(PYTEST) -m "not slow" tests $$due

# A chapter is executed once: where make book has run it as it now stands, that run is what is compared with the notebook.
test-all: $(READY)
	@due="$$($(BIN)/python -m locmethods.companion due)" && $(PYTEST) tests $$due

lint: $(READY)
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy

# bash counts seconds under the same name: only a value from make's own command line is meant.
fuzz: $(READY)
	@$(BIN)/python -m tests.fuzz --seconds $(if $(filter command line,$(origin SECONDS)),$(SECONDS),600)

bench: $(READY)
	@$(PIP) install --quiet --require-hashes --no-deps -r bench.lock
	@$(BIN)/python -m benchmarks $(ROWS)

freeze: $(READY)
	@$(BIN)/python -m locmethods.companion freeze --jobs $(JOBS)

tidy: $(READY)
	@$(BIN)/python -m locmethods.companion tidy

sabotage: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m locmethods.companion sabotage

readme: $(READY)
	@$(BIN)/python -m locmethods.companion readme

# Of the site as make book left it; Chromium prints and typesets.
pdf epub archive: $(READY)
	@$(BIN)/python -m locmethods.companion $@

serve: book
	@$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

# The marker is written last: an installation that was killed half-way starts again from nothing.
$(READY): requirements.lock torch.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: apt-get install python3 python3-venv, or say which with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is another: say which with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@echo "setting up .venv (once, a few minutes): environment"
	@$(PYTHON) -m venv --clear .venv
	@echo "setting up .venv: the $$(grep -c == requirements.lock) packages of requirements.lock"
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements.lock
	@echo "setting up .venv: torch"
	@$(BIN)/python .ci/torch_build.py
	@echo "setting up .venv: locmethods"
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@pwd -P > $@

lock:
	@$(PYTHON) -m venv _build/lock && _build/lock/bin/python -m pip install --quiet uv
	@$(PYTHON) .ci/lock.py $(if $(ANEW),--anew)

clean:
	rm -rf _build .venv
