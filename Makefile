# The commands to type; `make help` lists them. The programs called here do the work.
.DEFAULT_GOAL := help
.PHONY: help install demo test soak lint tree bench lock clean
export UV_PYTHON_DOWNLOADS := never
# A company proxy's certificate is in the system's store, which uv does not read by default.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/* /etc/pki/tls/certs/*),true,false)
UV := .tools/uv
BIN := .venv/bin
READY := .venv/ready
PROJECT := {{cookiecutter.project_slug}}
DEMO := build/demo
# A project's environment with the packages from this folder, for the packages' own tests.
DEV := build/dev/.venv
PACKAGES := job-toolkit local-sagemaker retraining
# The examples whose tests have some for `make soak`.
SOAKED = $(notdir $(patsubst %/tests/,%,$(sort $(dir $(shell \
	grep -ls 'pytest.mark.soak' packages/retraining/src/retraining/examples/*/tests/*.py)))))
N ?= 50
SEED ?= 7

# Paths in .venv are whole ones: in a moved or copied folder, all is installed again.
ifneq ($(shell cat .venv/folder 2>/dev/null),$(CURDIR))
OUTDATED := outdated
.PHONY: outdated
endif

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

install: $(READY) ## install the packages in the lock into .venv

$(READY): bootstrap.sh tools.lock requirements.lock $(OUTDATED)
	$(if $(OUTDATED),rm -rf .venv)
	@sh bootstrap.sh
	$(UV) pip sync --quiet --python .venv --require-hashes requirements.lock
	@printf '%s\n' '$(subst ','\'',$(CURDIR))' > .venv/folder
	@touch $@

$(DEV)/ready: $(READY) $(PROJECT)/requirements.lock $(wildcard packages/*/pyproject.toml)
	$(UV) venv --quiet --clear --python $(BIN)/python $(DEV)
	$(UV) pip sync --quiet --python $(DEV) --require-hashes '$(PROJECT)/requirements.lock'
	$(UV) pip install --quiet --offline --python $(DEV) --no-deps --no-build-isolation \
		$(foreach package,$(PACKAGES),--editable packages/$(package))
	@$(UV) pip check --quiet --python $(DEV)
	@touch $@

demo: $(READY) ## create a project with the default answers in build/demo and run its pipeline
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

test: lint ## run lint, the packages' tests, and the tests of bakes
	$(foreach package,$(PACKAGES),$(DEV)/bin/pytest -n auto --maxprocesses 4 --dist loadfile packages/$(package) &&) true
	$(BIN)/pytest

# Exit code 5 of pytest: no test was selected.
soak: $(DEV)/ready ## repeat the tests with kills and faults: make soak N=50 SEED=7
	rm -rf build/soak
	@$(foreach example,$(SOAKED),$(BIN)/cookiecutter . --no-input --default-config --output-dir build/soak \
		example=$(example) project_slug=$(example) >/dev/null &&) true
	@for folder in $(foreach package,$(PACKAGES),packages/$(package)) $(foreach example,$(SOAKED),build/soak/$(example)); do \
		(cd $$folder && SOAK_N=$(N) SOAK_SEED=$(SEED) $(abspath $(DEV))/bin/pytest -m soak) || [ $$? = 5 ] || exit 1; \
	done

tree: $(READY) ## write tests/tree.txt from a bake, after you add or remove files
	$(BIN)/pytest --quiet --rewrite-tree -k exactly_this_tree

bench: $(READY) ## measure how long each command takes, in a project in build/bench
	$(BIN)/python bench.py

lock: $(READY) ## resolve both layers' requirements.in to the newest versions; commit the locks
	$(UV) pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
		requirements.in -o requirements.lock
	$(MAKE) --directory '$(PROJECT)' upgrade UV=../.tools/uv

clean: ## stop the demo's local services; remove .venv, .tools, build and caches
	if [ -x $(DEMO)/.venv/bin/retrain ]; then cd $(DEMO) && .venv/bin/retrain local down; fi
	rm -rf .venv .tools build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
