# Holdfast. Needs Python 3.11 or newer and make; everything else is set up by the targets.
#
#   make demo                 six durable workflows survive kill -9, and a certificate says so
#   make test                 every check: lint, types, unit and integration tests
#   make up                   a stack to play with, until `make down`
#   make cluster deploy       the same on Kubernetes: three nodes, until `make cluster-down`
#
# Variables (make demo SEED=7 …):
#   NAME=name     make new-workflow: what the workflow is called
#   SEED=n        make demo, chaos: the seed of its workload and its faults
#   FAULTS=n      make chaos, chaos-campaign: how many faults, by default 24
#   RUNS=n        make chaos, chaos-campaign: how many runs, by default 120; make soak: until so many
#   HOURS=n       make soak: for how long, by default an hour
#   PATTERNS=a,b  make chaos, chaos-campaign: only these workflows
#   KINDS=a,b     make chaos, chaos-campaign: only these kinds of faults
#   SCHEDULE=file make chaos: play a saved schedule again, such as .run/chaos/schedule.json
#   SEEDS=n       make chaos-campaign: how many seeds, by default 10
#   LEGS=file     make demo: a CSV of flight legs (origin,destination) instead of the sample
#   ARGS="…"      make unit, integration, browser, test: more arguments for pytest
#                 make demo, up, down, status, replay-check, bench, bench-scaling: more arguments
#                 for the command
#   CLUSTER=name  make cluster and what follows: which cluster, by default holdfast
#   PORT=n        make cluster, deploy: the status API's port on 127.0.0.1, by default 8480
#   IMAGES=how    make cluster, deploy: pulled, built, or auto, which finds out
#   REGISTRY=host make cluster, deploy: a mirror of the official image registries
#   QUICK=1       make bench: minutes instead of an hour
#   UPGRADE=1     make lock: take newer versions too
#   PROCESSES=n   make test: how many tests at once, by default one more than there are cores
#   PYTHON=p      the Python that makes .venv; by default the first of 3.11 to 3.14
#   HOLDFAST_CACHE_DIR=dir   where built Dapr binaries are kept, for all clones of a user

SHELL := /bin/sh
# An empty environment has no PATH to look in.
export PATH ?= /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
NAME ?=
SEED ?=
SEEDS ?=
FAULTS ?=
RUNS ?=
PATTERNS ?=
KINDS ?=
HOURS ?=
SCHEDULE ?=
LEGS ?=
ARGS ?=
UPGRADE ?=
QUICK ?=
CLUSTER ?= holdfast
PORT ?= 8480
IMAGES ?= auto
REGISTRY ?=
PYTHON ?=
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.PHONY: help
help: ## explain every target
	@echo 'usage: make TARGET [VARIABLE=value …]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@awk '/^# Variables/ { on = 1 } /^$$/ { on = 0 } on { sub(/^# ?/, ""); print }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## make or update .venv from the lock (every other target does so first)
	@for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec $$python tools/bootstrap.py; \
	  fi; \
	done; \
	echo 'holdfast: Python 3.11 or newer is needed and was not found:' \
	  'install it, or say where it is with PYTHON=…' >&2; exit 1

.PHONY: tools
tools: setup ## build the binaries that the stack runs and its tests need, unless they are there
	@$(PY) -m holdfast_local.toolchain build --quiet daprd placement scheduler promtool

.PHONY: lock
lock: setup ## write requirements/ anew from the packages' pyproject.toml files
	@$(PY) tools/lock.py $(if $(UPGRADE),--upgrade)
	@$(MAKE) setup

.PHONY: lint
lint: setup ## check style and formatting (ruff)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

.PHONY: format
format: setup ## mend style and formatting where ruff can
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

.PHONY: types
types: setup ## check types (mypy, strict)
	@.venv/bin/mypy

.PHONY: unit
unit: setup ## run the unit tests: no stack, no network, about a minute
	@$(PY) -m pytest tests/unit --numprocesses 2 $(ARGS)

.PHONY: integration
integration: tools ## run the integration tests: on two real stacks of their own, minutes
	@$(PY) -m pytest tests/integration --numprocesses 2 --dist loadfile $(ARGS)

.PHONY: browser
browser: tools ## run the console's tests: a real Chromium on a real stack, two minutes
	@$(PY) -m pytest tests/browser $(ARGS)

.PHONY: controls
controls: tools ## run the negative controls: break one rule each, expect one red invariant
	@$(PY) -m pytest tests/chaos $(ARGS)

.PHONY: charts
charts: tools ## check the Helm charts: lint, suites, definitions, who may reach whom; two minutes
	@$(PY) -m pytest tests/charts --numprocesses 2 $(ARGS)

.PHONY: charts-docs
charts-docs: setup ## write the charts' schemas and READMEs anew
	@$(PY) tools/chart_schemas.py
	@$(PY) tools/chart_readmes.py

.PHONY: test
test: lint types tools ## run every check: lint, types, unit, integration, browser tests, controls
	@$(PY) -m pytest tests/integration tests/chaos tests/browser tests/unit \
	  --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: demo
demo: setup ## watch six workflows survive SIGKILL; writes .run/demo/certificate.html
	@$(PY) -m holdfast_local demo $(if $(SEED),--seed '$(SEED)') $(if $(LEGS),--legs '$(LEGS)') $(ARGS)

.PHONY: up
up: setup ## start the local stack and keep it running
	@$(PY) -m holdfast_local up $(ARGS)

.PHONY: down
down: setup ## stop the local stack; its state stays for the next start
	@$(PY) -m holdfast_local down $(ARGS)

.PHONY: status
status: setup ## show the local stack, process by process
	@$(PY) -m holdfast_local status $(ARGS)

.PHONY: bench
bench: setup ## measure Holdfast beside its peers; writes docs/benchmarks.md; an hour, or QUICK=1
	@$(PY) -m bench run $(if $(QUICK),--quick) $(ARGS)

.PHONY: bench-scaling
bench-scaling: setup ## measure the cluster's throughput by pods; writes docs/scaling.md; 12 minutes
	@$(PY) -m bench scaling --name '$(CLUSTER)' $(ARGS)

.PHONY: new-workflow
new-workflow: setup ## lay out a workflow in every folder: NAME=invoice_reminder
	@$(PY) tools/new_workflow.py '$(NAME)'

.PHONY: replay-check
replay-check: setup ## say which runs in flight the workflow code of this tree would break
	@$(PY) -m holdfast_orchestrator replay $(ARGS)

IN_CLUSTER = $(PY) -m holdfast_cluster \
  --name '$(CLUSTER)' --port '$(PORT)' --images '$(IMAGES)' --registry '$(REGISTRY)'

CHAOS = $(if $(FAULTS),--faults '$(FAULTS)') $(if $(RUNS),--runs '$(RUNS)') \
  $(if $(PATTERNS),--patterns '$(PATTERNS)') $(if $(KINDS),--kinds '$(KINDS)')

.PHONY: cluster
cluster: setup ## make a cluster of three nodes with Dapr and PostgreSQL, with or without a registry
	@$(IN_CLUSTER) up

.PHONY: images
images: setup ## build the three services' images, for the cluster or for your registry
	@$(IN_CLUSTER) images $(ARGS)

.PHONY: deploy
deploy: setup ## build the services' images and bring the cluster to this clone's charts
	@$(IN_CLUSTER) deploy $(ARGS)

.PHONY: skaffold-dev
skaffold-dev: setup ## show each change of the services' code in the cluster within seconds
	@$(IN_CLUSTER) skaffold dev --cleanup=false $(ARGS)

.PHONY: skaffold-run
skaffold-run: setup ## deploy with Skaffold, if the runs in flight go on under this clone's code
	@$(IN_CLUSTER) skaffold run $(ARGS)

.PHONY: cluster-test
cluster-test: setup ## check the cluster that `make cluster deploy` made, from the right side and the wrong one
	@CLUSTER='$(CLUSTER)' $(PY) -m pytest tests/cluster --ignore tests/cluster/test_pulled_images.py $(ARGS)

.PHONY: cluster-pulled
cluster-pulled: setup ## make a second cluster, of images pulled from a registry on loopback; minutes
	@CLUSTER='$(CLUSTER)' $(PY) -m pytest tests/cluster/test_pulled_images.py $(ARGS)

.PHONY: chaos
chaos: setup ## kill pods in the middle of runs in the cluster; prove that everything resumed
	@$(IN_CLUSTER) chaos run $(if $(SEED),--seed '$(SEED)') \
	  $(if $(SCHEDULE),--schedule '$(SCHEDULE)') $(CHAOS) $(ARGS)

.PHONY: chaos-campaign
chaos-campaign: setup ## do so with ten seeds; what was interrupted goes on where it stood
	@$(IN_CLUSTER) chaos campaign $(if $(SEEDS),--seeds '$(SEEDS)') $(CHAOS) $(ARGS)

.PHONY: soak
soak: setup ## go on for hours, and report what grows: HOURS=2, or RUNS=5000
	@$(IN_CLUSTER) chaos soak $(if $(SEED),--seed '$(SEED)') $(if $(HOURS),--hours '$(HOURS)') \
	  $(if $(RUNS),--total '$(RUNS)') $(ARGS)

.PHONY: cluster-down
cluster-down: setup ## remove the cluster with all its data, and the engine started for it
	@$(IN_CLUSTER) down

.PHONY: doctor
doctor: setup ## name each thing that a cluster lacks here, with the way out
	@$(IN_CLUSTER) doctor $(ARGS)

.PHONY: clean
clean: ## stop every local stack and cluster, then remove all state, caches and .venv of this clone
	@if [ -x $(PY) ]; then $(PY) -m holdfast_local down --all --delete; fi
	@if [ -x $(PY) ]; then $(IN_CLUSTER) down --all; fi
	@rm -rf .run .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
