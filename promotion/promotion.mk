# Releases: built once, signed, and carried by digest. Settings are variables: `make promote VERSION=0.1.0-… REASON=…`.
# They reach the commands through the environment, so that a reason may hold any character.
.PHONY: release sign deploy rehearse plan-release promote rollback releases digests approve release-batch

ENV ?= prod
PROMOTION := $(PY) -m promotion
export VERSION APPROVED_BY REASON TO BATCH

release: .venv/.ready ## make a release of this checkout and sign it: release VERSION=… (default: version and commit)
	@$(PROMOTION) build --version "$${VERSION:-}" $(if $(IMAGES),--images $(IMAGES)) \
		$(if $(TESTS),--tests $(TESTS)) $(if $(SBOMS),--sboms $(SBOMS))

deploy: .venv/.ready ## put a release in place in dev: deploy VERSION=…
	@$(PROMOTION) promote --environment dev --version "$${VERSION:-}"

rehearse: .venv/.ready ## train in dev with the release in place there
	@$(PROMOTION) rehearse --environment dev --version "$${VERSION:-}"

plan-release: .venv/.ready ## show what a release would change in prod, and keep the plan: plan-release VERSION=…
	@$(PROMOTION) plan --environment $(ENV) --version "$${VERSION:-}" --out .baton/plans/$(ENV).json

promote: .venv/.ready ## put a release in place in prod: promote VERSION=… (APPROVED_BY=… REASON=… PLAN=FILE)
	@$(PROMOTION) promote --environment $(ENV) --version "$${VERSION:-}" $(if $(PLAN),--plan $(PLAN)) \
		--by "$${APPROVED_BY:-}" --reason "$${REASON:-}"

rollback: .venv/.ready ## put the release before in place again in prod: rollback (TO=… APPROVED_BY=… REASON=…)
	@$(PROMOTION) rollback --environment $(ENV) --to "$${TO:-}" --by "$${APPROVED_BY:-}" --reason "$${REASON:-}"

releases: .venv/.ready ## print what ran where, when, and approved by whom
	@$(PROMOTION) releases

digests: .venv/.ready ## print each image's digest in dev, in prod and in what prod runs: digests VERSION=…
	@$(PROMOTION) digests --environment $(ENV) --version "$${VERSION:-}"

approve: .venv/.ready ## approve a model version in the registry: approve VERSION=3 REASON=…
	@$(PY) -m pipeline approve --version "$${VERSION:-}" --reason "$${REASON:-}"

release-batch: .venv/.ready ## let a batch through that was set aside: release-batch BATCH=… REASON=… (ENV=prod)
	@$(PY) -m pipeline release-batch --environment $(ENV) --batch "$${BATCH:-}" --reason "$${REASON:-}"

.PHONY: bench/promotion soak/promotion
bench/promotion: .venv/.ready ## bytes and seconds of a promotion beside docker pull, tag, push and skopeo
	@$(PY) -m bench.promotion

soak: soak/promotion
soak/promotion: .venv/.ready ## kill thirty promotions at random moments, and run each again
	@PROMOTIONS=30 $(PY) -m pytest tests/jenkins/test_killed.py
