# Needs python3 (3.11 or newer) and make. Everything else is installed into .venv, from the locks in requirements/.
# A broker and a database server for development run from .cache.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo mailbox kafka postgres test lint lock clean

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --no-input --quiet
# The number of test processes: the machine that merges changes has two cores.
WORKERS ?= 2

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/installed ## set up .venv, so that the command is .venv/bin/casetrail
	@echo "Ready: $(VENV)/bin/casetrail --help"

demo: $(VENV)/installed ## show the purpose of the program, with a real example and a new database
	@scripts/demo $(VENV)/bin/casetrail

mailbox: ## print mails to 127.0.0.1:2525 (or MAIL_PORT) until Ctrl-C, and send them nowhere
	@exec "$$(scripts/python)" scripts/mailbox.py $(MAIL_PORT)

kafka: ## run Apache Kafka on 127.0.0.1:9092 (or KAFKA_PORT) until Ctrl-C; needs Java and Maven
	@scripts/kafka

postgres: ## run PostgreSQL on 127.0.0.1:5433 (or PG_PORT) until Ctrl-C; needs its server installed
	@scripts/postgres

test: lint ## run everything that CI runs
	@$(PYTHON) -m pytest -n $(WORKERS)

lint: $(VENV)/testing ## check style and types
	@$(PYTHON) -m ruff check --quiet
	@$(PYTHON) -m ruff format --check --quiet
	@$(PYTHON) -m mypy --no-error-summary

lock: $(VENV)/bin/uv ## resolve the locks in requirements/ again (the newest versions that pyproject.toml allows)
	@rm -f requirements/test.txt
	@$(COMPILE) --extra chat --group test --group build pyproject.toml -o requirements/test.txt
	@$(COMPILE) --constraint requirements/test.txt pyproject.toml -o requirements/runtime.txt
	@$(COMPILE) --constraint requirements/test.txt --group build -o requirements/build.txt

clean: ## remove .venv, caches, the data of make kafka and make postgres, and the demo's database
	@rm -rf $(VENV) .cache build dist demo.db demo.db-wal demo.db-shm .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One lock for Python 3.11 and newer. It has no addresses, because the machine that installs chooses the registry.
COMPILE = $(VENV)/bin/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

$(PYTHON):
	@python=$$(scripts/python) && echo "Setting up $(VENV) with $$python (once)" && "$$python" -m venv $(VENV)

$(VENV)/installed: requirements/runtime.txt requirements/build.txt pyproject.toml | $(PYTHON)
	@echo "Installing casetrail and its dependencies into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/testing: requirements/test.txt $(VENV)/installed
	@echo "Installing the dependencies of the tests into $(VENV)"
	@$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/bin/uv: | $(PYTHON)
	@$(PIP) install uv==0.13.9
