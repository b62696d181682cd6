# The functions that AWS Lambda runs.
.PHONY: soak/ledger

soak: soak/ledger
soak/ledger: .venv/.ready ## begin the next batch behind a hundred thousand scored ones, and count the calls
	@HISTORY=100000 $(PY) -m pytest -s functions/common/test_pending.py -k history
