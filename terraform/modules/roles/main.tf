# The roles of policies/roles.json that this account has. Each has the boundary that bootstrap made, and only the
# policies named here: one that is attached by hand shows in the next plan.

locals {
  folder = "${path.module}/../../../policies"
  all    = jsondecode(templatefile("${local.folder}/roles.json", var.variables))

  roles = {
    for key, role in local.all : try(role.name, key) => {
      description = role.description
      trust       = role.trust == "ci" && var.variables.oidc_issuer != "" ? "ci-oidc" : role.trust
      parts       = concat(role.policies, var.in_vpc && try(role.network, false) ? ["network"] : [])
    } if contains(role.accounts, var.variables.environment) && try(role.layer, "foundation") == var.layer
  }

  policies = merge([
    for name, role in local.roles : { for part in role.parts : "${name}/${part}" => { role = name, part = part } }
  ]...)
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${var.variables.project}-${replace(each.key, "_", "-")}"
  description          = each.value.description
  assume_role_policy   = jsonencode(jsondecode(templatefile("${local.folder}/trust-${each.value.trust}.json", var.variables)))
  permissions_boundary = "arn:aws:iam::${var.variables.account_id}:policy/${var.variables.project}-boundary"
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = each.value.part
  role   = aws_iam_role.this[each.value.role].name
  policy = jsonencode(jsondecode(templatefile("${local.folder}/role-${each.value.part}.json", var.variables)))
}

resource "aws_iam_role_policies_exclusive" "this" {
  for_each = local.roles

  role_name    = aws_iam_role.this[each.key].name
  policy_names = [for part in each.value.parts : aws_iam_role_policy.this["${each.key}/${part}"].name]
}

resource "aws_iam_role_policy_attachments_exclusive" "this" {
  for_each = local.roles

  role_name   = aws_iam_role.this[each.key].name
  policy_arns = []
}
