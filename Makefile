# Everything runs in .venv, made on first use from the locked versions in requirements/.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
NODE_TESTS := tests/end_to_end/node

.DEFAULT_GOAL := help
.PHONY: help demo simulate test chaos check bench lock proto clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/demo.stamp ## a push notification against an embedded DynamoDB, with and without the pilot
	$(BIN)/capacity-pilot demo

simulate: $(VENV)/dev.stamp ## replay a generated week under the starter policy: out/replay.html
	mkdir -p out
	$(BIN)/capacity-pilot generate --out out/feed.parquet --days 7
	$(BIN)/capacity-pilot simulate --policy policies --demand out/feed.parquet \
		--json out/replay.json --html out/replay.html

test: $(VENV)/dev.stamp node-modules ## unit, law, contract and end-to-end tests
	$(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal -m 'not process'
	$(BIN)/pytest -n 3 --dist load --maxschedchunk 1 -m process # in real time, half of which they wait

chaos: $(VENV)/dev.stamp ## seeded schedules of faults in virtual time: SEEDS=300 FROM=1
	$(BIN)/python -m tests.chaos --seeds $(SEEDS) --from $(FROM) $(if $(TELL),--tell)
SEEDS := 300
FROM := 1

check: $(VENV)/dev.stamp ## ruff, mypy --strict, import contracts, Dockerfile and Terraform
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	@if command -v terraform >/dev/null; then terraform fmt -check -diff -recursive infra/terraform; \
	else echo "terraform is not installed: its formatting was not checked"; fi

bench: $(VENV)/dev.stamp ## measure decoding, the tick, a change of policies, the replay and what upstream signals save
	$(BIN)/python bench/decode.py
	$(BIN)/python bench/tick.py
	$(BIN)/python bench/reload.py
	$(BIN)/python bench/simulate.py
	$(BIN)/python bench/upstream.py

lock: $(VENV)/dev.stamp ## resolve all versions anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile $(COMPILE) --all-extras --upgrade pyproject.toml -o requirements/dev.lock
	$(BIN)/uv pip compile $(COMPILE) -c requirements/dev.lock pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile $(COMPILE) -c requirements/dev.lock --extra demo pyproject.toml -o requirements/demo.lock
COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

proto: $(VENV)/dev.stamp ## generate the reduced OTLP schema's Python
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. capacity_pilot/adapters/otlp/lazy.proto

clean: ## remove what the other targets made
	rm -rf $(VENV) out $(NODE_TESTS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: node-modules
node-modules: # the Node exporter's tests are skipped where there is no npm
	@if command -v npm >/dev/null && [ ! -d $(NODE_TESTS)/node_modules ]; then \
		npm ci --silent --no-audit --no-fund --prefix $(NODE_TESTS); fi

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer with venv is needed" \
		"(on Debian: apt-get install python3-venv); or name one: make PYTHON=/path/to/python"; exit 1; fi
	$(PYTHON) -m venv $(VENV)

$(VENV)/%.stamp: requirements/%.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
