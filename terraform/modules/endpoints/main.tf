# What jobs in a VPC without a way out need to reach: S3 by a gateway, the other services by an address of their own.

locals {
  interfaces = toset(["ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "sagemaker.api", "sts"])
}

data "aws_subnet" "first" {
  id = var.subnet_ids[0]
}

data "aws_route_tables" "of_subnets" {
  vpc_id = data.aws_subnet.first.vpc_id

  filter {
    name   = "association.subnet-id"
    values = var.subnet_ids
  }
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = data.aws_subnet.first.vpc_id
  service_name      = "com.amazonaws.${var.variables.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = data.aws_route_tables.of_subnets.ids
  tags              = { Name = "${var.variables.project}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interfaces

  vpc_id              = data.aws_subnet.first.vpc_id
  service_name        = "com.amazonaws.${var.variables.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.subnet_ids
  security_group_ids  = var.security_group_ids
  private_dns_enabled = true
  tags                = { Name = "${var.variables.project}-${each.key}" }
}
