# One customer key with its alias. Policies find keys by alias, so no key id is ever written anywhere.

locals {
  policy = templatefile("${path.module}/../../../policies/key-${var.purpose}.json", var.variables)
}

resource "aws_kms_key" "this" {
  description              = "${var.variables.project}: ${var.purpose}"
  policy                   = jsonencode(jsondecode(local.policy))
  key_usage                = var.signing ? "SIGN_VERIFY" : "ENCRYPT_DECRYPT"
  customer_master_key_spec = var.signing ? "ECC_NIST_P256" : "SYMMETRIC_DEFAULT"
  enable_key_rotation      = !var.signing
  deletion_window_in_days  = var.deletion_days

  # By this an interrupted run finds the key again before it has an alias.
  tags = { purpose = var.purpose }
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.variables.project}-${var.purpose}"
  target_key_id = aws_kms_key.this.key_id
}

# Destroying the key means destroying or replacing this, which Terraform refuses at plan.
resource "terraform_data" "protection" {
  count = var.protected ? 1 : 0

  lifecycle {
    prevent_destroy      = true
    replace_triggered_by = [aws_kms_key.this.id]
  }
}
