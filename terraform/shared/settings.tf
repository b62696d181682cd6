# The settings of environments/*.tfvars.json, the same files that pipeline/settings.py reads. Every root links to
# this file. environments/README.md says what each setting means.

variable "environment" {
  description = "dev, registry or prod."
  type        = string

  validation {
    condition     = contains(["dev", "registry", "prod"], var.environment)
    error_message = "The environment must be dev, registry or prod."
  }
}

variable "project" {
  description = "First part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,24}$", var.project))
    error_message = "The project must be 2 to 25 small letters, digits and hyphens."
  }
}

variable "region" {
  description = "AWS region of everything."
  type        = string
}

variable "accounts" {
  description = "12-digit account ids."
  type        = object({ dev = string, registry = string, prod = string })

  validation {
    condition     = alltrue([for id in values(var.accounts) : can(regex("^[0-9]{12}$", id))])
    error_message = "Every account id must have 12 digits."
  }
  validation {
    condition     = length(distinct(values(var.accounts))) == 3
    error_message = "The three accounts must be three."
  }
}

variable "auc_score_threshold" {
  description = "Default of the gate; only the definitions use it."
  type        = number
}

variable "hyperparameters" {
  description = "Of the training; only the definitions use them."
  type        = map(string)
}

variable "instance_types" {
  description = "Defaults of the jobs; only the definitions use them."
  type        = object({ processing = string, training = string, transform = string })
}

variable "instance_counts" {
  description = "Defaults of the jobs; only the definitions use them."
  type        = object({ processing = number, training = number })
}

variable "volume_gb" {
  description = "Volume of each job; only the definitions use it."
  type        = number
}

variable "max_runtime_seconds" {
  description = "Limit of each job; only the definitions use it."
  type        = number
}

variable "network" {
  description = "Isolation of containers, the VPC that jobs run in, and whether it gets endpoints."
  type = object({
    isolation          = bool
    subnet_ids         = list(string)
    security_group_ids = list(string)
    endpoints          = bool
  })

  validation {
    condition     = (length(var.network.subnet_ids) > 0) == (length(var.network.security_group_ids) > 0)
    error_message = "The network has subnets without security groups, or the other way round."
  }
}

variable "retrain" {
  description = "Kill switch of automatic retraining, hours since the last training, starts per 24 hours."
  type        = object({ enabled = bool, cooldown_hours = number, daily_cap = number })
}

variable "score_on_approval" {
  description = "Whether approving a version starts scoring in prod."
  type        = bool
}

variable "batch_schedule" {
  description = "When prod looks for batches whose events were lost."
  type        = string
}

variable "notification_addresses" {
  description = "E-mail addresses that subscribe to the account's topic."
  type        = set(string)
}

variable "log_retention_days" {
  description = "Days that log groups keep."
  type        = number
}

variable "key_deletion_days" {
  description = "Waiting time of deleted keys."
  type        = number
}

variable "monthly_budget_usd" {
  description = "What the account may cost in a month before people are told."
  type        = number
}

variable "ci" {
  description = "Who may assume the CI role."
  type = object({
    account      = string
    role         = string
    external_id  = string
    oidc_issuer  = string
    oidc_subject = string
  })
}

variable "protected" {
  description = "Whether buckets, keys, repositories and the model package group are kept from being destroyed."
  type        = bool
}
