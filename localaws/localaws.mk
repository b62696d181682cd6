# localaws by itself.
.PHONY: soak soak/localaws

soak: soak/localaws
soak/localaws: .venv/.ready ## kill localaws fifty times at random moments, and look that nothing was lost or done twice
	@KILLS=50 $(PY) -m pytest -s localaws/test_kills.py
