# Releases: built once, signed, and carried by digest. Settings are variables: `make promote RELEASE=0.1.0-… REASON=…`.
# They reach the commands through the environment, so that a reason may hold any character.
.PHONY: release sign deploy rehearse plan-release promote rollback releases digests approve seal revoke requeue release-batch

ENV ?= prod
PROMOTION := $(PY) -m promotion
# VERSION= meant either; it is accepted for one release.
RENAMED = [ -z "$${VERSION:-}" ] || echo "VERSION= is $(1)= now, and goes with the next release." >&2;
export RELEASE MODEL VERSION APPROVED_BY REASON TO BATCH

release: .venv/.ready ## make a release of this checkout and sign it: release RELEASE=… (default: version and commit)
	@$(call RENAMED,RELEASE) $(PROMOTION) build --release "$${RELEASE:-$${VERSION:-}}" $(if $(IMAGES),--images $(IMAGES)) \
		$(if $(TESTS),--tests $(TESTS)) $(if $(SBOMS),--sboms $(SBOMS))

deploy: .venv/.ready ## deploy a release in dev: deploy RELEASE=…
	@$(call RENAMED,RELEASE) $(PROMOTION) promote --environment dev --release "$${RELEASE:-$${VERSION:-}}"

rehearse: .venv/.ready ## train in dev with the deployed release
	@$(call RENAMED,RELEASE) $(PROMOTION) rehearse --environment dev --release "$${RELEASE:-$${VERSION:-}}"

plan-release: .venv/.ready ## show what a release would change in prod, and keep the plan: plan-release RELEASE=…
	@$(call RENAMED,RELEASE) $(PROMOTION) plan --environment $(ENV) --release "$${RELEASE:-$${VERSION:-}}" \
		--out .baton/plans/$(ENV).json

promote: .venv/.ready ## deploy a release in prod: promote RELEASE=… (APPROVED_BY=… REASON=… PLAN=FILE)
	@$(call RENAMED,RELEASE) $(PROMOTION) promote --environment $(ENV) --release "$${RELEASE:-$${VERSION:-}}" $(if $(PLAN),--plan $(PLAN)) \
		--by "$${APPROVED_BY:-}" --reason "$${REASON:-}"

rollback: .venv/.ready ## deploy the release before again in prod: rollback (TO=… APPROVED_BY=… REASON=…)
	@$(PROMOTION) rollback --environment $(ENV) --to "$${TO:-}" --by "$${APPROVED_BY:-}" --reason "$${REASON:-}"

releases: .venv/.ready ## print what ran where, when, and approved by whom
	@$(PROMOTION) releases

digests: .venv/.ready ## print each image's digest in dev, in prod and in what prod runs: digests RELEASE=…
	@$(call RENAMED,RELEASE) $(PROMOTION) digests --environment $(ENV) --release "$${RELEASE:-$${VERSION:-}}"

approve: .venv/.ready ## approve a model version in the registry: approve MODEL=3 REASON=…
	@$(call RENAMED,MODEL) $(PY) -m pipeline approve --model "$${MODEL:-$${VERSION:-}}" --reason "$${REASON:-}"

seal: .venv/.ready ## seal a model version from before versions were sealed: seal MODEL=3 REASON=…
	@$(PY) -m pipeline seal --model "$${MODEL:-}" --reason "$${REASON:-}"

revoke: .venv/.ready ## take a model version's approval away, everywhere: revoke MODEL=3 REASON=…
	@$(PY) -m pipeline revoke --model "$${MODEL:-}" --reason "$${REASON:-}"

requeue: .venv/.ready ## make a quarantined or failed batch pending again: requeue BATCH=… REASON=… (ENV=prod)
	@$(PY) -m pipeline requeue --environment $(ENV) --batch "$${BATCH:-}" --reason "$${REASON:-}"

release-batch: requeue ## the older name of requeue, for one release
	@echo "release-batch is requeue now, and goes with the next release." >&2

.PHONY: bench/promotion soak/promotion
bench/promotion: .venv/.ready ## bytes and seconds of a promotion beside docker pull, tag, push and skopeo
	@$(PY) -m bench.promotion

soak: soak/promotion
soak/promotion: .venv/.ready ## kill thirty promotions at random moments, and run each again
	@PROMOTIONS=30 $(PY) -m pytest tests/jenkins/test_killed.py
