# Commands for developing the template. Run `make` without arguments to list them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/  make \1\t\2/' | expand -t 20

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.13 …")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt | $(VENV)/bin/python
	@echo "Installing cookiecutter in $(VENV) …"
	@$(INSTALL) requirements.txt
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing the development environment in $(VENV) …"
	@$(INSTALL) requirements-dev.txt
	@touch $@ $(VENV)/.ready

.PHONY: demo
demo: $(VENV)/.ready ## bake a service, run it, show a tour and keep it running; ONCE=1 stops after the tour; EXAMPLE=order-desk
	@exec $(RUN) -m tools.demo $(if $(ONCE),--once) $(if $(EXAMPLE),--example $(EXAMPLE))

.PHONY: test
test: $(VENV)/.ready-dev lint ## run all tests of the template and the chart, and the checks of every baked service
	@$(RUN) -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder --durations=20

.PHONY: test-fork
test-fork: $(VENV)/.ready-dev ## run all tests in a fork, build/fork, with every default changed; TESTS=tests/chart picks some
	@$(RUN) -m tools.fork $(TESTS)

.PHONY: test-newest
test-newest: $(VENV)/.ready ## run a new service's checks and the chassis' tests with the newest libraries, without upper bounds
	@rm -rf build/newest
	@$(VENV)/bin/cookiecutter --no-input --default-config --output-dir build/newest .
	@$(RUN) -m harness.laid_over build/newest/*
	@cd build/newest/* && sed -i.bak -E -e 's/,<[0-9.]+"/"/' -e '/^constraint-dependencies/,/^]/d' pyproject.toml && $(MAKE) --no-print-directory lock UPGRADE=1 && $(MAKE) --no-print-directory check

.PHONY: update
update: $(VENV)/.ready ## merge template changes into a service: make update SERVICE=../items-service; REF, TEMPLATE, FROM, ANSWERS as there
	@: "$${SERVICE:?names the folder of the service: make update SERVICE=../items-service}"
	@python=$$(cd "$(dir $(RUN))" && pwd)/python; cd "$$SERVICE" && PYTHONSAFEPATH=1 \
		PYTHONPATH="$$OLDPWD/<<cookiecutter.project_slug>>" exec "$$python" -m chassis.development.update

.PHONY: faults
faults: $(VENV)/.ready ## run the fault experiments of docs/faults.md (half an hour); ONLY=stopping picks some, QUICK=1 scales down
	@QUICK=$(QUICK) $(RUN) -m tools.faults $(ONLY)

.PHONY: e2e
e2e: $(VENV)/.ready-dev ## test the chart and a service on the cluster of KUBECONFIG (20 minutes); ONLY=upgrade picks some, QUICK=1 scales down
	@QUICK=$(QUICK) $(RUN) -m e2e $(ONLY)

build/environments/bench/.ready: requirements-bench.txt | $(VENV)/bin/python
	@echo "Installing the benchmark's environment in $(@D) …"
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-bench.txt
	@touch $@

.PHONY: bench
bench: build/environments/bench/.ready ## run the benchmark of docs/benchmarks.md (90 minutes); ONLY=article picks some, QUICK=1 scales down, TARGET=cluster
	@QUICK=$(QUICK) TARGET=$(TARGET) ONLY="$(ONLY)" $(<D)/bin/python -m benchmarks

.PHONY: bench-guard
bench-guard: build/environments/bench/.ready ## check that requests do not cost more than recorded (4 minutes); RECORD=1 accepts the cost
	@RECORD=$(RECORD) $(<D)/bin/python -m benchmarks.guard

.PHONY: bench-streams
bench-streams: build/environments/bench/.ready ## measure what streams cost, docs/streams.md (6 minutes); QUICK=1 scales down
	@QUICK=$(QUICK) $(<D)/bin/python -m benchmarks.streams

.PHONY: pictures
pictures: build/environments/bench/.ready ## generate docs/pictures (5 minutes; needs chromium, and Debian's package prometheus)
	@$(<D)/bin/python -m tools.pictures

.PHONY: reference
reference: $(VENV)/.ready-dev ## generate the reference of a service, docs/chassis/reference, from the chassis
	@$(RUN) -m tools.reference

.PHONY: tutorial
tutorial: $(VENV)/.ready ## follow docs/tutorial.md in an empty folder (4 minutes), and write examples/order-desk from it
	@$(RUN) -m tools.tutorial

.PHONY: lint
lint: $(VENV)/.ready-dev ## check format, lint and types of the template's code
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

.PHONY: secrets
secrets: $(VENV)/.ready-dev ## search the files in Git for secrets; "kingfisher:ignore" at the end of a line accepts it
	@git grep --null --files-with-matches -e '' | xargs -0 $(VENV)/bin/kingfisher scan --git-history none --no-validate --no-update-check --redact --quiet --

.PHONY: audit
audit: $(VENV)/.ready-dev ## check all locks for known vulnerabilities; fails if the database is unreachable
	@git ls-files '*requirements*.txt' | while read -r lock; do \
		echo "audit: $$lock"; \
		$(RUN) -m pip_audit --strict --disable-pip --progress-spinner off --vulnerability-service osv --requirement "$$lock" || { \
			echo "audit: FAILED. A traceback says that osv.dev did not answer; a table says what it found: make lock." >&2; exit 1; }; done

.PHONY: format
format: $(VENV)/.ready-dev ## format the code and apply automatic fixes
	@$(RUN) -m ruff check --fix --exit-zero --quiet .
	@$(RUN) -m ruff format .

.PHONY: lock
lock: $(VENV)/.ready-dev ## update all locks, of the template and of the services
	@$(RUN) -m tools.lock

.PHONY: clean
clean: ## remove the environment and generated files
	@rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
