# The example's data, and new steps.
.PHONY: data new-step

data: ## derive the example's labelled parts and batches into .baton/data
	@$(PYTHON) -m data.make --out .baton/data

new-step: | $(UV) ## make a step that builds and passes its tests: NAME=impute
	@$(PYTHON) -m steps.new "$(NAME)" --uv $(UV)
