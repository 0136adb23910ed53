# SPDX-License-Identifier: Apache-2.0
# Everything a person does with this tree. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PY := .venv/bin/python
POINTS ?= 3
export DATA_DIR ?= instance

# Each stamp stands for one finished step of set-up, so that a second start has nothing to do.
S := .stamps

.PHONY: help
help: ## List every target with a sentence
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# ---- set-up -------------------------------------------------------------------------------

.PHONY: setup
setup: $(S)/python $(S)/vendor $(S)/translations $(S)/fanout ## Install what the product needs to run (nothing outside this folder)

$(S):
	@mkdir -p $@

$(S)/venv: | $(S)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/need.sh python3-venv
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@touch $@

$(S)/python: requirements.txt | $(S)/venv
	$(PY) -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@

$(S)/node: package.json package-lock.json .npmrc | $(S)
	npm ci --silent
	@touch $@

$(S)/vendor: scripts/vendor.mjs $(S)/node
	node scripts/vendor.mjs
	@touch $@

# The fan-out's loop in C: 2-3 times less processor time for each viewer. Without gcc the same loop runs in Python.
$(S)/fanout: media/fanout.c media/fanout_c.py $(S)/python
	@$(PY) -m media.fanout_c || true
	@touch $@

SENTENCES := $(shell find app attendance core media replays rooms schedules signaling static/js -name '*.py' -o -name '*.html' -o -name '*.po' -o -name '*.js' 2>/dev/null)
$(S)/translations: $(SENTENCES) $(S)/python
	@$(PY) -m app.catalogue compile
	@touch $@

$(S)/dev: requirements-dev.txt $(S)/python
	$(PY) -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(S)/machine: scripts/need.sh | $(S)
	scripts/need.sh chromium firefox-esr coturn postgresql espeak-ng ffmpeg iproute2 fonts-noto-core gcc libc6-dev libssl-dev gir1.2-ical-3.0 python3-gi libreoffice-impress-nogui libreoffice-writer-nogui
	@touch $@

# ---- the product --------------------------------------------------------------------------

.PHONY: run
run: setup ## Set up and start the product on http://localhost:5000 with demo data
	@$(PY) -m app init-db --demo-when-new
	@exec $(PY) -P app/serve.py

.PHONY: demo
demo: setup ## Fill the database with the demo data again (lectures move to today)
	@$(PY) -m app demo

.PHONY: verify
verify: setup ## Check the hash chain of every lecture's journal
	@$(PY) -m app verify-journal

# ---- quality ------------------------------------------------------------------------------

.PHONY: check
check: setup $(S)/dev ## Formatting, lint, types (Python and JavaScript), layers, generated files
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	npx tsc --noEmit -p tsconfig.json
	$(PY) -m pytest -q tests/test_layers.py
	$(PY) -m signaling.protocol_doc --check

# Tests with media that flows run one after the other; all the others share the cores, some of them waiting.
WORKERS ?= $(shell expr $$(nproc) + 1)
# a choice of tests, as in make test PYTEST="-k floor", may have none of one kind: pytest's status 5
NONE_IS_FINE = $(if $(PYTEST),|| [ $$? -eq 5 ])

.PHONY: test
test: setup $(S)/dev $(S)/machine ## Run every test, with Chromium, Firefox and PostgreSQL from Debian
	node --test tests/js/
	scripts/with_postgres.sh $(PY) -m pytest -m "not alone" -n $(WORKERS) --dist worksteal $(PYTEST) $(NONE_IS_FINE)
	scripts/with_postgres.sh $(PY) -m pytest -m alone $(PYTEST) $(NONE_IS_FINE)

.PHONY: test-quick
test-quick: setup $(S)/dev ## Run the tests that need neither a browser nor PostgreSQL
	node --test tests/js/
	$(PY) -m pytest -m "not browser and not postgres" $(PYTEST)

.PHONY: class-day
class-day: setup $(S)/dev $(S)/machine ## Hold one whole class day in real browsers: make class-day POINTS=3
	$(PY) -m bench.class_day --points $(POINTS)

.PHONY: fuzz
fuzz: setup $(S)/dev ## Look for input that breaks a reader of strangers' bytes: make fuzz SECONDS=20 (for each)
	@for target in $$($(PY) -m tests.fuzz.targets); do $(PY) -m tests.fuzz.run $$target --seconds $(or $(SECONDS),20) 2> instance/fuzz.log || { cat instance/fuzz.log; exit 1; }; done

.PHONY: soak
soak: setup $(S)/dev ## Hold a class for ten minutes; the node must end as it began: make soak SOAK_S=600
	$(PY) -m tests.media.soak --seconds $(or $(SOAK_S),600)

.PHONY: bench-badnet
bench-badnet: setup $(S)/dev $(S)/machine ## Loss of 2, 5 and 10 %, as seen and heard in Chromium, beside Janus (needs root)
	@scripts/need.sh janus
	$(PY) -m bench.badnet.losses

.PHONY: bench-ladder
bench-ladder: setup $(S)/dev $(S)/machine ## A line that falls to 64 kbit/s, is cut and comes back (needs root)
	$(PY) -m bench.badnet.ladder

.PHONY: bench-forward
VIEWERS ?= 200
bench-forward: setup $(S)/dev $(S)/machine ## What forwarding costs, beside the floor, aiortc and Janus: make bench-forward VIEWERS=200
	@scripts/need.sh janus
	@$(PY) -m media.fanout_c
	$(PY) -m bench.media.forward --viewers $(VIEWERS)

.PHONY: bench-join
bench-join: setup $(S)/dev $(S)/machine ## 64 points join within ten seconds: how long until each has its first key frame
	@$(PY) -m media.fanout_c
	$(PY) -m bench.media.join

.PHONY: bench-growth
bench-growth: setup $(S)/dev $(S)/machine ## What a viewer costs as classes grow and become more
	@$(PY) -m media.fanout_c
	$(PY) -m bench.media.growth

.PHONY: bench-switch
bench-switch: setup $(S)/dev $(S)/machine ## Pass a slot to and fro 40 times, seen by Chromium and 60 light viewers
	$(PY) -m bench.switch

.PHONY: bench-booking
bench-booking: setup $(S)/dev $(S)/machine ## 10,000 random bookings from 8 processes on SQLite and PostgreSQL, beside a brute-force oracle
	scripts/with_postgres.sh $(PY) -m bench.booking

.PHONY: bench-roster
bench-roster: setup $(S)/dev ## How long 5,000 nominations take from the uploaded sheet to the roster
	$(PY) -m bench.roster

# ---- generated files ----------------------------------------------------------------------

.PHONY: protocol
protocol: $(S)/python ## Write docs/protocol.md and static/js/messages.d.ts from the message classes
	$(PY) -m signaling.protocol_doc

.PHONY: translations
translations: $(S)/python ## Collect new sentences into the catalogue and compile it
	$(PY) -m app.catalogue update
	$(PY) -m app.catalogue compile

.PHONY: format
format: $(S)/dev ## Format the Python files
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# ---- tidy ---------------------------------------------------------------------------------

.PHONY: clean
clean: ## Remove what was installed or generated; the data in instance/ stays
	rm -rf .stamps .venv node_modules static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f app/translations/js.json app/translations/*/LC_MESSAGES/*.mo

.PHONY: clean-data
clean-data: ## Remove the data too: database, recordings, keys
	rm -rf instance
