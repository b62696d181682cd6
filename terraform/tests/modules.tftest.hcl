# What the modules make of the templates, as far as a plan tells it. Nothing is asked of AWS.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "111111111111"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  protected = true

  variables = {
    project                = "mammography"
    environment            = "prod"
    region                 = "us-east-1"
    account_id             = "333333333333"
    dev_account_id         = "111111111111"
    registry_account_id    = "222222222222"
    prod_account_id        = "333333333333"
    data_bucket            = "mammography-data-333333333333"
    models_bucket          = "mammography-models-222222222222"
    state_bucket           = "mammography-terraform-333333333333"
    ci_account_id          = "222222222222"
    ci_role                = "jenkins"
    ci_external_id         = "x"
    oidc_issuer            = ""
    oidc_subject           = ""
    approval_scores_in     = "prod"
    batch_schedule         = "rate(1 day)"
    retrain_enabled        = "false"
    retrain_cooldown_hours = "24"
    retrain_daily_cap      = "1"
  }
}

run "prod_has_its_rules_and_only_functions_get_permissions" {
  command = plan
  module { source = "../modules/events" }

  assert {
    condition = (
      toset(keys(aws_cloudwatch_event_rule.this)) ==
      toset(["batch-arrived", "batch-schedule", "execution-failed", "ground-truth-arrived", "version-arrived", "version-scores"])
    )
    error_message = "Prod's rules are others: ${join(", ", keys(aws_cloudwatch_event_rule.this))}."
  }
  assert {
    condition     = keys(aws_lambda_permission.this) == ["execution-failed/on-failure"]
    error_message = "EventBridge may call other functions than on_failure: ${join(", ", keys(aws_lambda_permission.this))}."
  }
  assert {
    condition     = aws_lambda_permission.this["execution-failed/on-failure"].qualifier == "live"
    error_message = "The permission isn't the alias's."
  }
  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : length(target.dead_letter_config) == 1 && length(target.retry_policy) == 1])
    error_message = "A target has no dead-letter queue or no retry policy."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this["batch-schedule"].schedule_expression == "rate(1 day)"
    error_message = "The schedule isn't the setting's."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this["version-arrived"].event_bus_name == "mammography"
    error_message = "Versions arrive on another bus."
  }
}

run "roles_in_a_vpc_may_use_it" {
  command = plan
  module { source = "../modules/roles" }
  variables {
    layer  = "foundation"
    in_vpc = true
  }

  assert {
    condition     = contains(keys(aws_iam_role_policy.this), "train/network") && !contains(keys(aws_iam_role_policy.this), "resolve/network")
    error_message = "Jobs, and only jobs, get the network's policy."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.permissions_boundary == "arn:aws:iam::333333333333:policy/mammography-boundary"])
    error_message = "A role has no boundary."
  }
  assert {
    condition     = !contains(keys(aws_iam_role.this), "ci")
    error_message = "The CI role would make itself."
  }
}

run "roles_outside_a_vpc_may_not" {
  command = plan
  module { source = "../modules/roles" }
  variables {
    layer  = "foundation"
    in_vpc = false
  }

  assert {
    condition     = !contains(keys(aws_iam_role_policy.this), "train/network")
    error_message = "The network's policy is there without a VPC."
  }
}

run "ci_is_trusted_by_external_id" {
  command = plan
  module { source = "../modules/roles" }
  variables {
    layer  = "bootstrap"
    in_vpc = false
  }

  assert {
    condition     = keys(aws_iam_role.this) == ["ci"]
    error_message = "Bootstrap makes other roles too."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this["ci"].assume_role_policy).Statement[0].Condition.StringEquals["sts:ExternalId"] == "x"
    error_message = "The external id isn't asked for."
  }
}

run "ci_is_trusted_by_token_where_there_is_an_issuer" {
  command = plan
  module { source = "../modules/roles" }
  variables {
    layer  = "bootstrap"
    in_vpc = false
    variables = {
      project        = "mammography", environment = "prod", region = "us-east-1", account_id = "333333333333"
      dev_account_id = "111111111111", registry_account_id = "222222222222", prod_account_id = "333333333333"
      data_bucket    = "d", models_bucket = "m", state_bucket = "s"
      ci_account_id  = "222222222222", ci_role = "jenkins", ci_external_id = "x"
      oidc_issuer    = "ci.example.org/oidc", oidc_subject = "job/promote"
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["ci"].assume_role_policy).Statement[0].Condition.StringEquals["ci.example.org/oidc:sub"] == "job/promote"
    error_message = "The token's subject isn't asked for."
  }
}

run "a_protected_key_has_a_guard" {
  command = plan
  module { source = "../modules/key" }
  variables {
    purpose       = "data"
    deletion_days = 30
  }

  assert {
    condition     = length(terraform_data.protection) == 1 && aws_kms_key.this.enable_key_rotation
    error_message = "The key isn't guarded, or isn't rotated."
  }
}

run "a_signing_key_signs" {
  command = plan
  module { source = "../modules/key" }
  variables {
    purpose       = "releases"
    deletion_days = 30
    signing       = true
    protected     = false
  }

  assert {
    condition     = aws_kms_key.this.key_usage == "SIGN_VERIFY" && length(terraform_data.protection) == 0
    error_message = "The key doesn't sign, or is guarded where nothing is protected."
  }
}

run "a_protected_bucket_stays" {
  command = plan
  module { source = "../modules/bucket" }
  variables {
    purpose = "data"
    name    = "mammography-data-333333333333"
    key_arn = "arn:aws:kms:us-east-1:333333333333:key/1"
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy && length(terraform_data.protection) == 1
    error_message = "A protected bucket can be destroyed."
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this[0].rule) == 2
    error_message = "The lifecycle isn't that of policies/lifecycle.json."
  }
}

run "a_budget_is_at_least_a_dollar" {
  command = plan
  module { source = "../modules/budget" }
  variables {
    monthly_usd = 0
    topic_arn   = "arn:aws:sns:us-east-1:333333333333:mammography-notifications"
  }
  expect_failures = [var.monthly_usd]
}

run "every_step_with_an_image_has_a_repository" {
  command = plan
  module { source = "../modules/repositories" }

  assert {
    condition     = toset(keys(aws_ecr_repository.this)) == toset(["evaluate", "infer", "monitor", "preprocess", "train"])
    error_message = "The repositories are others: ${join(", ", keys(aws_ecr_repository.this))}."
  }
}

run "logs_have_an_end" {
  command = plan
  module { source = "../modules/logs" }
  variables { retention_days = 14 }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 14])
    error_message = "A log group keeps for another time."
  }
  assert {
    condition = toset(keys(aws_cloudwatch_log_group.this)) == toset([
      "/aws/lambda/mammography-on-failure", "/aws/lambda/mammography-record", "/aws/lambda/mammography-resolve", "/aws/lambda/mammography-seal",
      "/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/TransformJobs",
    ])
    error_message = "A function or a kind of job has no log group, or a group is nobody's."
  }
}

# Any file will do: a plan only takes its digest.
run "the_queue_of_dead_letters_takes_what_on_failure_fails_on" {
  command = plan
  module { source = "../modules/functions" }
  variables { archive = "settings.tf" }

  assert {
    condition     = [for name, function in aws_lambda_function.this : name if length(function.dead_letter_config) > 0] == ["on_failure"]
    error_message = "Another function than on_failure has a dead-letter queue."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.publish])
    error_message = "A function isn't published."
  }
}
