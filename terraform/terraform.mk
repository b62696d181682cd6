# The accounts by Terraform. AWS_ENDPOINT_URL points everything at local accounts instead of AWS.
#   make plan/dev                 what would change; DETAILED=1 exits with 2 if anything would
#   make apply/prod RELEASE=…     with a release; without RELEASE the deployed one stays
#   LAYER=foundation              only one of bootstrap, foundation, release; `all` for the three
#   YES=1                         don't ask
.PHONY: iam lint/terraform

TERRAFORM_OPTIONS = $(if $(LAYER),--layer $(LAYER)) $(if $(RELEASE)$(VERSION),--release $(or $(RELEASE),$(VERSION)))
TERRAFORM_YES = $(if $(YES),--yes)

plan/%: .venv/.ready ## show what Terraform would change in an account: plan/dev
	@$(call RENAMED,RELEASE) $(PY) -m terraform plan $* $(TERRAFORM_OPTIONS) $(if $(DETAILED),--detailed-exitcode)

apply/%: .venv/.ready ## make an account what it should be: apply/prod RELEASE=1.0
	@$(call RENAMED,RELEASE) $(PY) -m terraform apply $* $(TERRAFORM_OPTIONS) $(TERRAFORM_YES)

destroy/%: .venv/.ready ## leave an account with nothing that costs: destroy/dev
	@$(call RENAMED,RELEASE) $(PY) -m terraform destroy $* $(TERRAFORM_OPTIONS) $(TERRAFORM_YES)

unlock/%: .venv/.ready ## take the states' locks from a run that is gone for good: unlock/dev
	@$(PY) -m terraform unlock $*

iam: .venv/.ready ## write docs/iam.md: every IAM statement and its reason
	@$(PY) -m terraform iam

lint/terraform: .venv/.ready ## format, validity, module tests and policy scan of Terraform
	@$(PY) -m terraform lint
