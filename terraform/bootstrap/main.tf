# What comes first in every account, applied by a person who may do everything there: the bucket of Terraform's state,
# the boundary of all roles, and the CI role that does the rest.

module "state_key" {
  source        = "../modules/key"
  purpose       = "terraform"
  variables     = local.variables
  deletion_days = var.key_deletion_days
  protected     = var.protected
}

module "state" {
  source             = "../modules/bucket"
  purpose            = "terraform"
  name               = local.variables.state_bucket
  key_arn            = module.state_key.arn
  keeps_all_versions = true
  variables          = local.variables
  protected          = var.protected
}

module "ci" {
  source    = "../modules/ci"
  variables = local.variables
}

module "roles" {
  source     = "../modules/roles"
  layer      = "bootstrap"
  in_vpc     = false
  variables  = local.variables
  depends_on = [module.ci]
}
