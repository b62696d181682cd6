# Images of the steps. Needs a Docker engine: `.ci/docker up` starts one where none answers.
.PHONY: build push sizes sbom scan test-local test-local/emulator lint/images setup/images bench/images FORCE

build: .venv/.ready ## build the image of every step
	@$(PY) -m images build

build/%: .venv/.ready FORCE ## build the image of one step: build/train; build/localaws is the local accounts'
	@$(PY) -m images build $*

push: .venv/.ready ## push the built images to dev's registry; record their digests
	@$(PY) -m images push --environment dev

sizes: .venv/.ready ## what the built images take in a registry, alone and together
	@$(PY) -m images sizes

test/%: .venv/.ready build/% FORCE ## hold the image of one step against its contract: test/train
	@$(PY) -m pytest tests/docker/test_$*.py

test-local: $(READY) setup/images ## the whole life of a model in real containers; in processes where there is no Docker
	@$(PY) -m tests.local

test-local/emulator: $(READY) setup/images ## the same on LocalStack, in a container of its own: EMULATOR_IMAGE=localstack/localstack:4.14.0
	@$(PY) -m tests.local --emulator

lint/images: .venv/.ready setup/images ## the Dockerfiles against hadolint's rules
	@$(PY) -m images lint

sbom: .venv/.ready setup/images ## list the parts of every built image: .baton/sboms
	@$(PY) -m images sbom

scan: .venv/.ready ## look those parts up in a database of vulnerabilities; fails where there is none
	@$(PY) -m images scan

bench/images: .venv/.ready ## builds, starts and the docker runtime, as ratios measured in one run
	@$(PY) -m bench.images

setup/images: .venvs/images/.ready ## install what builds, checks and lists images

.venvs/images/.ready: $(GIVEN) uv.lock images/pyproject.toml | $(UV)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venvs/images" $(UV) sync --quiet --locked --package baton-images
	@touch $@

FORCE:
