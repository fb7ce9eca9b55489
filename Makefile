# Every command that a newcomer needs. `make help` prints the lines that begin with a target and end with a ## comment.

SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN := .venv/bin
# Which tests: make test TESTS=tests/unit, or TESTS="-k window"
TESTS ?=

# One stamp for each set of requirements installed into .venv; a changed lock or a changed list of packages renews it.
VENV_DEMO := .venv/.installed-demo
VENV_TEST := .venv/.installed-test
VENV_BENCH := .venv/.installed-bench

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV_DEMO) ## dial a sample project against the simulated Asterisk (DEMO_SECONDS=30: ends by itself)
	$(BIN)/dialer demo

.PHONY: test
test: venv prepare lint ## all that a change must pass: half an hour on two good cores
	$(if $(TESTS),$(BIN)/pytest,scripts/run-tests.sh) -m "not full" $(TESTS)

.PHONY: test-full
test-full: venv prepare-full lint ## everything: what takes longer, and current PostgreSQL and MariaDB
	$(if $(TESTS),$(BIN)/pytest,scripts/run-tests.sh) $(TESTS)

.PHONY: test-faults
test-faults: venv prepare ## workers, Asterisks, databases and links die under load; how long each takes is a table
	$(BIN)/pytest tests/faults

.PHONY: unit
unit: venv ## only the tests that need no server: a minute or two
	$(BIN)/pytest -m "not docker and not full" $(TESTS)

.PHONY: lint
lint: $(VENV_TEST) ## ruff, mypy --strict, and that imports point one way
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: $(VENV_TEST) $(VENV_BENCH) prepare ## measures: AMI parsing against others, latencies, claims, CPU per call
	$(BIN)/python -m benchmarks

.PHONY: bench-pacing
bench-pacing: $(VENV_TEST) ## how busy agents are and how many calls are abandoned, by pacing rule: simulated days
	$(BIN)/python -m benchmarks.pacing

.PHONY: rework
rework: named $(VENV_TEST) ## start a change of SQL: make rework name=other_work changes="dialer_work" adds="gate/dialer_more"
	$(BIN)/python -m scripts.rework $(name) $(if $(tables),--tables) --changes $(changes) --adds $(adds) --removes $(removes)

.PHONY: named
named:
	@test -n "$(name)" || { echo 'name the migration: make rework name=other_work changes="dialer_work dialer_why"' \
		'adds="gate/dialer_more" removes="dialer_old" tables=yes' >&2; exit 2; }

.PHONY: routines
routines: $(VENV_TEST) ## renew docs/routines.md, the index of all routines, views and triggers
	$(BIN)/python -m scripts.routines

.PHONY: presets
presets: $(VENV_TEST) ## renew the presets in docs/rules.md
	$(BIN)/python -m scripts.preset_page

.PHONY: data
data: $(VENV_TEST) ## renew sql/data/ (numbering plans, prefixes, holidays) from the installed libraries
	$(BIN)/python -m scripts.data

.PHONY: venv
venv: $(VENV_TEST) ## the virtual environment .venv, out of requirements/test.txt

.PHONY: prepare
prepare: ## Docker, SIPp, and the images for the tests; installs what is missing where it is root
	scripts/prepare-tests.sh

.PHONY: prepare-full
prepare-full: ## the same and the images that only `make test-full` needs
	scripts/prepare-tests.sh full

.PHONY: images
images: ## all Docker images, those of docker/compose.yaml too
	scripts/start-docker.sh
	scripts/build-images.sh

.PHONY: images-up
images-up:
	scripts/start-docker.sh
	scripts/build-images.sh postgres asterisk16 sipp dialer

.PHONY: up
up: images-up ## PostgreSQL, Asterisk, dialer, and SIPp as the carrier, in containers, dialling sample cases
	scripts/compose.sh up

.PHONY: down
down: ## end what `make up` started, data included
	scripts/compose.sh down --volumes

.PHONY: lock
lock: $(VENV_TEST) ## renew requirements/*.txt out of pyproject.toml (needs uv)
	scripts/lock.sh

.PHONY: clean
clean: ## remove what was built, but not .venv and no image
	rm -rf .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/.installed-%: requirements/%.txt pyproject.toml
	scripts/make-venv.sh requirements/$*.txt
	@touch $@
