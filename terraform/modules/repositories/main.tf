# A repository for the image of every step: a tag never moves, and each push is scanned.

locals {
  folder = "${path.module}/../../../policies"
  steps  = toset([for file in fileset("${path.module}/../../../steps", "*/Dockerfile") : dirname(file)])
}

resource "aws_ecr_repository" "this" {
  for_each = local.steps

  name                 = "${var.variables.project}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protected

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_repository_policy" "this" {
  for_each = local.steps

  repository = aws_ecr_repository.this[each.key].name
  policy     = jsonencode(jsondecode(templatefile("${local.folder}/repository.json", var.variables)))
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.steps

  repository = aws_ecr_repository.this[each.key].name
  policy     = jsonencode(jsondecode(templatefile("${local.folder}/repository-lifecycle.json", var.variables)))
}
