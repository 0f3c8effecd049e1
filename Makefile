# What a person types; `make help` lists it. The work is done by the programs that stand here, not by this file.
.DEFAULT_GOAL := help
.PHONY: help install demo test lint tree bench lock clean
export UV_PYTHON_DOWNLOADS := never
# A company's proxy has its certificate in the system's store, where uv looks only when told to.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/* /etc/pki/tls/certs/*),true,false)
UV := .tools/uv
BIN := .venv/bin
READY := .venv/ready
PROJECT := {{cookiecutter.project_slug}}
DEMO := build/demo
# What a project has, with the packages as they are here: for the packages' own tests.
DEV := build/dev/.venv
PACKAGES := job-toolkit local-sagemaker retraining

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

install: $(READY) ## make .venv from the lock

$(READY): bootstrap.sh tools.lock requirements.lock
	@sh bootstrap.sh
	$(UV) pip sync --quiet --python .venv --require-hashes requirements.lock
	@touch $@

$(DEV)/ready: $(READY) $(PROJECT)/requirements.lock $(wildcard packages/*/pyproject.toml)
	$(UV) venv --quiet --clear --python $(BIN)/python $(DEV)
	$(UV) pip sync --quiet --python $(DEV) --require-hashes '$(PROJECT)/requirements.lock'
	$(UV) pip install --quiet --offline --python $(DEV) --no-deps --no-build-isolation \
		$(foreach package,$(PACKAGES),--editable packages/$(package))
	@$(UV) pip check --quiet --python $(DEV)
	@touch $@

demo: $(READY) ## scaffold a project with the default answers into build/demo and run its pipeline there
	if [ -x $(DEMO)/.venv/bin/retrain ]; then cd $(DEMO) && .venv/bin/retrain local down; fi
	rm -rf $(DEMO)
	@echo 'making a project in $(DEMO) and running its pipeline there'
	@made=$$($(BIN)/cookiecutter . --no-input --default-config --output-dir build project_slug=demo) || { echo "$$made"; exit 1; }
	$(MAKE) --directory $(DEMO) run

lint: $(DEV)/ready ## check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(DEV)/bin/mypy --config-file packages/mypy.ini

test: lint ## lint, then the packages' tests, then bakes
	$(foreach package,$(PACKAGES),$(DEV)/bin/pytest -n auto --maxprocesses 4 --dist loadfile packages/$(package) &&) true
	$(BIN)/pytest

tree: $(READY) ## write tests/tree.txt from a bake, after files were added or removed
	$(BIN)/pytest --quiet --rewrite-tree -k exactly_this_tree

bench: $(READY) ## measure what each command costs in a project of its own, build/bench
	$(BIN)/python bench.py

lock: $(READY) ## resolve both layers' requirements.in afresh; commit the locks
	$(UV) pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
		requirements.in -o requirements.lock
	$(MAKE) --directory '$(PROJECT)' upgrade UV=../.tools/uv

clean: ## stop the demo's local services; remove .venv, .tools, build and caches
	if [ -x $(DEMO)/.venv/bin/retrain ]; then cd $(DEMO) && .venv/bin/retrain local down; fi
	rm -rf .venv .tools build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
