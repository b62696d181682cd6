# localaws by itself.
.PHONY: bench/localaws
bench/localaws: .venv/.ready .venvs/sdk/.ready setup/images ## pipelines of trivial containers, beside the SageMaker SDK's local mode
	@$(PY) -m bench.localaws

.venvs/sdk/.ready: tests/sdk/pyproject.toml tests/sdk/uv.lock | $(UV)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venvs/sdk" $(UV) sync --quiet --locked --project tests/sdk
	@touch $@

.PHONY: soak soak/localaws

soak: soak/localaws
soak/localaws: .venv/.ready ## kill localaws fifty times at random moments, and look that nothing was lost or done twice
	@KILLS=50 $(PY) -m pytest -s localaws/test_kills.py

soak: soak/localaws-fuzz
.PHONY: soak/localaws-fuzz
soak/localaws-fuzz: .venv/.ready ## send localaws thousands of spoilt requests of every operation, and read many spoilt definitions
	@FUZZ=1000 $(PY) -m pytest localaws/test_fuzz_api.py
	@DEFINITIONS=100000 $(PY) -m pytest localaws/definition/test_fuzz.py

soak: soak/localaws-load
.PHONY: soak/localaws-load
soak/localaws-load: .venv/.ready ## start two hundred executions at once, and measure how long a description takes meanwhile
	@LOAD=200 $(PY) -m pytest -s localaws/test_load.py

soak: soak/localaws-damage
.PHONY: soak/localaws-damage
soak/localaws-damage: .venv/.ready ## damage a state folder in every way that is known, and print what was said
	@SOAK=1 .venv/bin/python -m pytest -q -rA localaws/test_damage.py

soak: soak/localaws-attacks
.PHONY: soak/localaws-attacks
soak/localaws-attacks: .venv/.ready ## attack localaws from pages in a browser, by hand-made requests and by ways of signing
	@ATTACKS=all $(PY) -m pytest -s localaws/test_browser.py localaws/test_doors.py localaws/access/test_signatures.py localaws/access/test_identities.py


soak: soak/localaws-growth
.PHONY: soak/localaws-growth
soak/localaws-growth: .venv/.ready ## memory and answers after a hundred, a thousand and five thousand executions
	@EXECUTIONS=100,1000,5000 $(PY) -m pytest -s --timeout 3600 localaws/test_growth.py
