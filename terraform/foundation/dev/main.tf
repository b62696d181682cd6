# What holds things in dev: where models are built and tried.

module "data_key" {
  source        = "../../modules/key"
  purpose       = "data"
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

module "data" {
  source       = "../../modules/bucket"
  purpose      = "data"
  name         = local.variables.data_bucket
  key_arn      = module.data_key.arn
  sends_events = true
  variables    = local.variables
  protected    = var.protected
}

# Processing inputs are never optional: where there is no champion yet, this object stands in.
resource "aws_s3_object" "no_champion" {
  bucket  = module.data.name
  key     = "placeholders/none"
  content = "none\n"
}

module "repositories" {
  source    = "../../modules/repositories"
  variables = local.variables
  protected = var.protected
}

module "logs" {
  source         = "../../modules/logs"
  retention_days = var.log_retention_days
  variables      = local.variables
}

module "endpoints" {
  source             = "../../modules/endpoints"
  count              = var.network.endpoints ? 1 : 0
  subnet_ids         = var.network.subnet_ids
  security_group_ids = var.network.security_group_ids
  variables          = local.variables
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
