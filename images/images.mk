# Images of the steps. Needs a Docker engine: `.ci/docker up` starts one where none answers.
.PHONY: build push

build: .venv/.ready ## build the image of every step
	@$(PY) -m images build

build/%: .venv/.ready ## build the image of one step: build/train
	@$(PY) -m images build $*

push: .venv/.ready ## push the built images to dev's registry; record their digests
	@$(PY) -m images push --environment dev
