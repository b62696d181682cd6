# Provider, state and names of the account that a root is for. Every root links to this file.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Bucket and key are given at init; the lock is an object beside the state.
  backend "s3" {
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [local.account_id]

  default_tags {
    tags = { project = var.project, environment = var.environment }
  }
}

locals {
  account_id = var.accounts[var.environment]

  # What the templates of policies/, events/ and functions/ may name; pipeline/names.py gives the same.
  variables = {
    project                = var.project
    environment            = var.environment
    region                 = var.region
    account_id             = local.account_id
    dev_account_id         = var.accounts.dev
    registry_account_id    = var.accounts.registry
    prod_account_id        = var.accounts.prod
    data_bucket            = "${var.project}-data-${local.account_id}"
    models_bucket          = "${var.project}-models-${var.accounts.registry}"
    state_bucket           = "${var.project}-terraform-${local.account_id}"
    ci_account_id          = var.ci.account
    ci_role                = var.ci.role
    ci_external_id         = var.ci.external_id
    oidc_issuer            = var.ci.oidc_issuer
    oidc_subject           = var.ci.oidc_subject
    approval_scores_in     = var.score_on_approval ? "prod" : "nowhere"
    batch_schedule         = var.batch_schedule
    retrain_enabled        = tostring(var.retrain.enabled)
    retrain_cooldown_hours = tostring(var.retrain.cooldown_hours)
    retrain_daily_cap      = tostring(var.retrain.daily_cap)
  }
}
