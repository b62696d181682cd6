"""Jobs in a VPC without a way out: the endpoints that the settings ask for, in the VPC of the given subnets."""

import json

import pytest

from terraform import cli

ROOT = """
terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = "5.100.0"
    }}
  }}
}}

provider "aws" {{
  region = "us-east-1"
}}

module "endpoints" {{
  source             = "{modules}/endpoints"
  subnet_ids         = {subnets}
  security_group_ids = {groups}
  variables          = {{ project = "mammography", region = "us-east-1" }}
}}
"""


@pytest.fixture
def network(other):
    """A VPC of two subnets with a route table, and a security group."""
    ec2 = other.accounts["dev"].client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(2)
    ]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(VpcId=vpc, GroupName="jobs", Description="jobs")["GroupId"]
    return {"vpc": vpc, "subnets": subnets, "table": table, "group": group}


def test_endpoints_are_made_where_the_jobs_run(_terraform, other, network, checkout, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text(
        ROOT.format(
            modules=checkout / "terraform" / "modules",
            subnets=json.dumps(network["subnets"]),
            groups=json.dumps([network["group"]]),
        )
    )
    environment = {
        "AWS_ENDPOINT_URL": other.address,
        "AWS_ACCESS_KEY_ID": "111111111111",
        "AWS_SECRET_ACCESS_KEY": "local",
        "TF_DATA_DIR": str(tmp_path / "data"),
    }
    plugins = cli.plugin_folder()
    cli.run(root, ["init", *([f"-plugin-dir={plugins}"] if plugins else [])], environment, quiet=True)
    cli.run(root, ["plan", "-out=plan"], environment, quiet=True)
    planned = json.loads(cli.run(root, ["show", "-json", "plan"], environment, quiet=True).stdout)
    cli.run(root, ["apply", "plan"], environment, quiet=True)

    # The emulator forgets an endpoint's security groups and its DNS, so these are looked at in the plan.
    for change in planned["resource_changes"]:
        after = change["change"]["after"]
        if after["vpc_endpoint_type"] == "Interface":
            assert after["private_dns_enabled"] and after["security_group_ids"] == [network["group"]]
    filters = [{"Name": "vpc-id", "Values": [network["vpc"]]}]
    made = other.accounts["dev"].client("ec2").describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    assert sorted(found["ServiceName"].removeprefix("com.amazonaws.us-east-1.") for found in made) == [
        "ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "s3", "sagemaker.api", "sts",
    ]  # fmt: skip
    for found in made:
        if found["VpcEndpointType"] == "Gateway":
            assert found["RouteTableIds"] == [network["table"]]
        else:
            assert sorted(found["SubnetIds"]) == sorted(network["subnets"])
