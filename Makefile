# The interface: one word per task. Settings are variables: `make up PORT=4567`.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SHELLFLAGS := -eu -c

PYTHON ?= python3
# A PYTHON that is given makes every environment, and stays until another is given; else uv looks for one that suits.
ifneq ($(filter environment command,$(firstword $(origin PYTHON))),)
SUITS := import sys; print(sys.executable if (3, 11) <= sys.version_info[:2] <= (3, 13) else "")
CHOSEN := $(shell $(PYTHON) -c '$(SUITS)' 2>/dev/null)
$(if $(CHOSEN),,$(error PYTHON=$(PYTHON) is no Python 3.11, 3.12 or 3.13 of this machine))
$(shell mkdir -p .tools; [ "$$(cat .tools/python 2>/dev/null)" = "$(CHOSEN)" ] || printf '%s' "$(CHOSEN)" >.tools/python)
endif
GIVEN := $(wildcard .tools/python)
export UV_PYTHON := $(if $(GIVEN),$(shell cat $(GIVEN)),$(UV_PYTHON))
PORT ?= 4566
UV_VERSION ?= 0.13.9
STEPS := $(patsubst steps/%/Dockerfile,%,$(wildcard steps/*/Dockerfile))

# A LocalStack or ministack that runs, for all but SageMaker and what it lacks: `make run EMULATOR=http://127.0.0.1:4567`.
ifdef EMULATOR
export LOCALAWS_EMULATOR := $(EMULATOR)
endif

UV := .tools/bin/uv
PY := .venv/bin/python
# Child processes compile their imports once instead of at every start.
unexport PYTHONDONTWRITEBYTECODE

READY := .venv/.ready $(STEPS:%=.venvs/%/.ready)

-include steps/steps.mk images/images.mk localaws/localaws.mk functions/functions.mk terraform/terraform.mk promotion/promotion.mk bench/bench.mk

.PHONY: help run up down test soak lint clean setup setup/aws-images

help: ## list every target
	@awk -F ':.*## ' '/^[a-zA-Z\/%_-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## play the whole life of a model on this machine, then stop
	@$(PY) -m rehearsal run

up: $(READY) ## keep the local accounts running on PORT (4566), and print the lines to export
	@$(PY) -m rehearsal up --port $(PORT)

down: .venv/.ready ## stop what `make up PORT=…` started
	@$(PY) -m rehearsal down --port $(PORT)

test: $(READY) ## every check and test, each in an environment of its own
	@$(PY) -m tests.run $(TOX)

soak: ## every soak/… below, one after the other

lint: .venv/.ready ## style and imports
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

setup: $(READY) ## install what the other targets need, from the lock

setup/aws-images: .venvs/scripts/.ready .venvs/xgboost/.ready ## install what stands in for AWS's own images

clean: ## remove what was made here: environments, reports, local state
	@[ ! -e .baton/docker/docker.pid ] || .ci/docker down
	rm -rf .tools .venv .venvs .tox .baton .localaws build

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) on this machine. PYTHON=… names another: 3.11 to 3.13." >&2; exit 1; }
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.ready: $(GIVEN) uv.lock pyproject.toml | $(UV)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venv" $(UV) sync --quiet --locked --all-groups --no-group scripts --no-group xgboost-scripts --inexact
	@echo "Environments of $$($(PY) --version), from the lock" >&2
	@touch $@

.venvs/scripts/.ready: $(GIVEN) uv.lock pyproject.toml | $(UV)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venvs/scripts" $(UV) sync --quiet --locked --only-group scripts
	@touch $@

.venvs/xgboost/.ready: $(GIVEN) uv.lock pyproject.toml steps/train/pyproject.toml steps/infer/pyproject.toml | $(UV)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venvs/xgboost" $(UV) sync --quiet --locked --package baton-train --package baton-infer
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venvs/xgboost" $(UV) sync --quiet --locked --only-group xgboost-scripts --inexact
	@touch $@

.venvs/%/.ready: $(GIVEN) uv.lock steps/%/pyproject.toml | $(UV)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venvs/$*" $(UV) sync --quiet --locked --package baton-$*
	@touch $@
