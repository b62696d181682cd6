# Settings that must be refused, whoever hands them in.

variables {
  environment            = "dev"
  project                = "mammography"
  region                 = "us-east-1"
  accounts               = { dev = "111111111111", registry = "222222222222", prod = "333333333333" }
  auc_score_threshold    = 0.85
  hyperparameters        = {}
  instance_types         = { processing = "ml.m5.large", training = "ml.m5.large", transform = "ml.m5.large" }
  instance_counts        = { processing = 1, training = 1 }
  volume_gb              = 30
  max_runtime_seconds    = 3600
  network                = { isolation = true, subnet_ids = [], security_group_ids = [], endpoints = false }
  retrain                = { enabled = false, cooldown_hours = 24, daily_cap = 1 }
  score_on_approval      = true
  batch_schedule         = "rate(1 day)"
  notification_addresses = []
  log_retention_days     = 30
  key_deletion_days      = 7
  monthly_budget_usd     = 50
  ci                     = { account = "222222222222", role = "jenkins", external_id = "x", oidc_issuer = "", oidc_subject = "" }
  protected              = true
}

run "good_settings_pass" {
  command = plan
}

run "an_account_id_has_12_digits" {
  command = plan
  variables { accounts = { dev = "11111111111", registry = "222222222222", prod = "333333333333" } }
  expect_failures = [var.accounts]
}

run "three_accounts_are_three" {
  command = plan
  variables { accounts = { dev = "111111111111", registry = "222222222222", prod = "111111111111" } }
  expect_failures = [var.accounts]
}

run "an_environment_is_one_of_three" {
  command = plan
  variables { environment = "staging" }
  expect_failures = [var.environment]
}

run "a_project_is_a_name" {
  command = plan
  variables { project = "Mammography_1" }
  expect_failures = [var.project]
}

run "subnets_need_security_groups" {
  command = plan
  variables { network = { isolation = true, subnet_ids = ["subnet-1"], security_group_ids = [], endpoints = false } }
  expect_failures = [var.network]
}
