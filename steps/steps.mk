# The example's data, new steps, and the train step beside its peers.
.PHONY: data new-step bench/train

data: ## derive the example's labelled parts and batches into .baton/data
	@$(PYTHON) -m data.make --out .baton/data

new-step: | $(UV) ## make a step that builds and passes its tests: NAME=impute
	@$(PYTHON) -m steps.new "$(NAME)" --uv $(UV)

bench/train: .venv/.ready .venvs/train/.ready ## train on a million rows beside pandas + XGBoost and LightGBM
	@$(PY) -m bench.train
