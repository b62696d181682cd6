# The model package group that every environment registers into.

resource "aws_sagemaker_model_package_group" "this" {
  model_package_group_name        = var.variables.project
  model_package_group_description = "Versions of ${var.variables.project} from every environment"
}

resource "aws_sagemaker_model_package_group_policy" "this" {
  model_package_group_name = aws_sagemaker_model_package_group.this.model_package_group_name
  resource_policy          = jsonencode(jsondecode(templatefile("${path.module}/../../../policies/group.json", var.variables)))
}

# Destroying the group means destroying or replacing this, which Terraform refuses at plan.
resource "terraform_data" "protection" {
  count = var.protected ? 1 : 0

  lifecycle {
    prevent_destroy      = true
    replace_triggered_by = [aws_sagemaker_model_package_group.this.id]
  }
}
