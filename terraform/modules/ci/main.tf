# What the CI role stands on: the boundary of all roles of this account and, where it is wanted, the issuer of tokens.

resource "aws_iam_policy" "boundary" {
  name        = "${var.variables.project}-boundary"
  description = "What no role of ${var.variables.project} can ever do, whatever its own policies say"
  policy      = jsonencode(jsondecode(templatefile("${path.module}/../../../policies/boundary.json", var.variables)))
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.variables.oidc_issuer == "" ? 0 : 1

  url            = "https://${var.variables.oidc_issuer}"
  client_id_list = ["sts.amazonaws.com"]
}
