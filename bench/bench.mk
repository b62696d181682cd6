# Measurements of the monitor. Its peers get environments of their own, below .baton/bench/monitor.
MONITOR := .venvs/monitor/bin/python
ROWS ?= 10000000
BATCHES ?= 1000

.PHONY: bench/monitor bench/monitor-rates soak/monitor
bench/monitor: .venvs/monitor/.ready ## rows per second, memory and start of the monitor, beside its peers: ROWS=10000000
	@$(MONITOR) -m bench.monitor.speed --rows $(ROWS)

bench/monitor-rates: .venvs/monitor/.ready ## how often the monitor and its peers are wrong, on the same batches: BATCHES=1000
	@$(MONITOR) -m bench.monitor.peer_rates --batches $(BATCHES)

soak: soak/monitor
soak/monitor: .venvs/monitor/.ready ## false alarms and detections over BATCHES batches, and 100 million rows in bounded memory
	@$(MONITOR) -m bench.monitor.error_rates --batches $(BATCHES)
	@$(MONITOR) -m bench.monitor.quality_rates
	@$(MONITOR) -m bench.monitor.memory
