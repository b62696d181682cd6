# The example's data, new steps, and the train step beside its peers.
.PHONY: data new-step bench/train

data: ## derive the example's labelled parts and batches into .baton/data
	@$(PYTHON) -m data.make --out .baton/data

new-step: | $(UV) ## make a step that builds and passes its tests: NAME=impute
	@$(PYTHON) -m steps.new "$(NAME)" --uv $(UV)

bench/train: .venv/.ready .venvs/train/.ready ## train on a million rows beside pandas + XGBoost and LightGBM
	@$(PY) -m bench.train

soak: soak/models soak/mutants
.PHONY: soak/models soak/mutants
soak/models: | $(UV) ## give infer's loader thousands of whole but wrong models: each is refused in a sentence, or answers rightly
	@FUZZ=3000 $(UV) run --quiet --isolated --locked --no-default-groups --package baton-infer --group test pytest -q -s steps/infer/test_broken_models.py

.PHONY: bench/model
bench/model: .venv/.ready .venvs/infer/.ready ## score 5 MB payloads, single rows and a file beside uvicorn, gunicorn, MLflow and Polars
	@$(PY) -m bench.model

.venvs/%-tests/.ready: uv.lock steps/%/pyproject.toml | $(UV)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venvs/$*-tests" $(UV) sync --quiet --locked --package baton-$* --group test
	@touch $@

MUTANTS ?= 40
soak/mutants: .venv/.ready .venvs/monitor-tests/.ready .venvs/evaluate-tests/.ready ## errors put into the statistics, and how many of them their tests notice: MUTANTS=40
	@$(PY) -m tests.mutants --most $(MUTANTS) $(MODULES)
