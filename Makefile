# The only command surface. Needs Python 3.11, make, and apt (as root or with sudo) or a Docker engine; everything else it brings about itself.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
.NOTPARALLEL:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/common services/proxy services/metadata services/replicator services/discovery deploy/local
MODULES := domicile_common domicile_proxy domicile_metadata domicile_replicator domicile_discovery domicile_local
CLIENTS := .venv-clients
CONFORMANCE := .venv-conformance
INFRA ?= own
# What S3 backends of our own are: seaweedfs, ceph or rclone. Empty: seaweedfs, or what the state folder has already.
BACKENDS ?=
export BACKENDS
# More for pytest, such as ARGS="-k placement -x".
ARGS ?=

.PHONY: help
help:
	@echo 'make <target>; settings in brackets'
	@echo
	@sed -n 's/^##  *//p' $(MAKEFILE_LIST)

## run      the whole suite in the foreground: servers, services, keys and lines to paste  [DOMICILE_STATE DOMICILE_PORT BACKENDS=ceph .env]
.PHONY: run
run: venv rabbitmq ceph
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

## test     all tests, on real servers of its own  [INFRA=docker BACKENDS=ceph ARGS="-k word"]
.PHONY: test
test: venv clients rabbitmq ceph
	@deploy/local/need /usr/bin/promtool prometheus
	INFRA=$(INFRA) PATH="$$PATH:$(CURDIR)/$(CLIENTS)/bin" $(BIN)/pytest -n 2 --dist loadscope $(ARGS)

## servers  keeps the tests' servers up, so that single tests start at once  [BACKENDS=ceph]
.PHONY: servers
servers: venv rabbitmq ceph
	@mkdir -p .domicile/test-servers
	@for kind in postgres rabbitmq s3; do $(BIN)/python -m domicile_local.servers.hosting $$kind .domicile/test-servers $$$$ & done; wait

## lint     ruff, the import rules, and every Kubernetes object against its schema
.PHONY: lint
lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m domicile_local.deployment.manifests

## type     mypy --strict
.PHONY: type
type: venv
	$(BIN)/mypy $(addprefix -p ,$(MODULES))
	$(BIN)/mypy benchmarks

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

## lock     brings requirements/*.txt up to requirements/*.in
.PHONY: lock
lock: venv
	@for name in runtime build dev clients conformance audit; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
			--output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

## clean    removes what was installed and built; data in the state folder stays
.PHONY: clean
clean:
	rm -rf $(VENV) $(CLIENTS) $(CONFORMANCE) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what the targets above stand on ---

.PHONY: venv clients
venv:
	@PYTHON=$(PYTHON) deploy/local/venv $(VENV) requirements/dev.txt $(PACKAGES)

# Clients of other houses pin libraries of their own, so they live apart.
clients:
	@PYTHON=$(PYTHON) deploy/local/venv $(CLIENTS) requirements/clients.txt
	@deploy/local/need /usr/bin/restic restic

# An existing server, or containers, make Debian's package needless; without apt the launcher falls back to Docker, or says what to do.
.PHONY: rabbitmq
rabbitmq:
	@[ '$(INFRA)' = docker ] || [ -n "$$RABBITMQ_URL" ] || grep -qs '^RABBITMQ_URL=.' .env || deploy/local/need /usr/lib/rabbitmq/bin/rabbitmq-server rabbitmq-server

.PHONY: ceph
ceph:
	@if [ '$(BACKENDS)' = ceph ] || grep -qs '^BACKENDS=ceph' .env; then \
		deploy/local/need /usr/bin/radosgw radosgw ceph-mon ceph-osd ceph-common ceph-base; \
	fi
