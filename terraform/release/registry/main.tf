# What the registry account tells others: rules and alarms. No release runs here.

module "events" {
  source    = "../../modules/events"
  variables = local.variables
}

module "alarms" {
  source    = "../../modules/alarms"
  variables = local.variables
}
