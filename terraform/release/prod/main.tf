# What runs in prod: one release, and what its executions set off.

module "functions" {
  source    = "../../modules/functions"
  count     = var.release == null ? 0 : 1
  archive   = "${var.release}/functions.zip"
  variables = local.variables
}

module "pipelines" {
  source            = "../../modules/pipelines"
  count             = var.release == null ? 0 : 1
  definitions       = "${var.release}/definitions/prod"
  function_versions = module.functions[0].versions
  release           = local.manifest
  variables         = local.variables
}

module "events" {
  source     = "../../modules/events"
  variables  = local.variables
  depends_on = [module.functions, module.pipelines]
}

module "alarms" {
  source    = "../../modules/alarms"
  variables = local.variables
}
