# What holds things in the registry account: models of every environment, their versions, and the signed releases.

module "models_key" {
  source        = "../../modules/key"
  purpose       = "models"
  variables     = local.variables
  deletion_days = var.key_deletion_days
  protected     = var.protected
}

module "events_key" {
  source        = "../../modules/key"
  purpose       = "events"
  variables     = local.variables
  deletion_days = var.key_deletion_days
  protected     = var.protected
}

module "releases_key" {
  source        = "../../modules/key"
  purpose       = "releases"
  variables     = local.variables
  deletion_days = var.key_deletion_days
  protected     = var.protected
  signing       = true
}

# What people sign approvals with. Retired by giving its alias to another key: docs/approvals.md.
module "approvals_key" {
  source        = "../../modules/key"
  purpose       = "approvals"
  variables     = local.variables
  deletion_days = var.key_deletion_days
  protected     = var.protected
  signing       = true
}

module "models" {
  source    = "../../modules/bucket"
  purpose   = "models"
  name      = local.variables.models_bucket
  key_arn   = module.models_key.arn
  variables = local.variables
  protected = var.protected
}

module "group" {
  source    = "../../modules/group"
  variables = local.variables
  protected = var.protected
}

module "notifications" {
  source    = "../../modules/notifications"
  key_arn   = module.events_key.arn
  addresses = var.notification_addresses
  variables = local.variables
}

module "roles" {
  source    = "../../modules/roles"
  layer     = "foundation"
  in_vpc    = length(var.network.subnet_ids) > 0
  variables = local.variables
}

module "budget" {
  source      = "../../modules/budget"
  monthly_usd = var.monthly_budget_usd
  topic_arn   = module.notifications.topic_arn
  variables   = local.variables
}
