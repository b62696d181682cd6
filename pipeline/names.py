"""What things are called: every name and ARN follows from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings import Settings

STEPS = ("preprocess", "train", "evaluate", "monitor", "infer")
FUNCTIONS = ("resolve", "seal", "record", "on_failure")
PIPELINES = ("train", "inference", "quality")


@dataclass(frozen=True)
class Names:
    """Names and ARNs as one environment sees them."""

    settings: Settings

    def _arn(self, service: str, resource: str, account: str | None = None) -> str:
        return f"arn:aws:{service}:{self.settings.region}:{account or self.settings.account}:{resource}"

    def name(self, part: str) -> str:
        """Name of a pipeline, role, function, topic, queue, rule or alias: the project's name comes first."""
        return f"{self.settings.project}-{part.replace('_', '-')}"

    @property
    def data_bucket(self) -> str:
        """Bucket of this account's data, runs and ledger."""
        return self.name(f"data-{self.settings.account}")

    @property
    def models_bucket(self) -> str:
        """Bucket of every environment's models, in the registry account."""
        return self.name(f"models-{self.settings.accounts.registry}")

    @property
    def state_bucket(self) -> str:
        """Bucket of Terraform's state of this account."""
        return self.name(f"terraform-{self.settings.account}")

    @property
    def data_key(self) -> str:
        """ARN of the alias of this account's data key."""
        return self._arn("kms", f"alias/{self.name('data')}")

    @property
    def models_key(self) -> str:
        """ARN of the alias of the registry account's models key."""
        return self._arn("kms", f"alias/{self.name('models')}", self.settings.accounts.registry)

    @property
    def group(self) -> str:
        """ARN of the model package group."""
        return self._arn("sagemaker", f"model-package-group/{self.settings.project}", self.settings.accounts.registry)

    def role(self, part: str) -> str:
        """ARN of a role of this account."""
        return f"arn:aws:iam::{self.settings.account}:role/{self.name(part)}"

    def function(self, part: str, version: str) -> str:
        """ARN of a function's published version."""
        return self._arn("lambda", f"function:{self.name(part)}:{version}")

    def topic(self) -> str:
        """ARN of this account's topic of notifications."""
        return self._arn("sns", self.name("notifications"))

    def dead_letters(self) -> str:
        """ARN of this account's queue of events that could not be delivered or dealt with."""
        return self._arn("sqs", self.name("dead-letters"))

    def repository(self, step: str) -> str:
        """Name of a step's ECR repository."""
        return f"{self.settings.project}/{step}"

    def image(self, step: str, digest: str) -> str:
        """URI of a step's image in this account's registry."""
        registry = f"{self.settings.account}.dkr.ecr.{self.settings.region}.amazonaws.com"
        return f"{registry}/{self.repository(step)}@{digest}"

    def variables(self) -> dict[str, str]:
        """Return the variables of the templates in events/, policies/ and functions/."""
        settings = self.settings
        return {
            "project": settings.project,
            "environment": settings.environment,
            "region": settings.region,
            "account_id": settings.account,
            "dev_account_id": settings.accounts.dev,
            "registry_account_id": settings.accounts.registry,
            "prod_account_id": settings.accounts.prod,
            "data_bucket": self.data_bucket,
            "models_bucket": self.models_bucket,
            "state_bucket": self.state_bucket,
            "ci_account_id": settings.ci.account,
            "ci_role": settings.ci.role,
            "ci_external_id": settings.ci.external_id,
            "oidc_issuer": settings.ci.oidc_issuer,
            "oidc_subject": settings.ci.oidc_subject,
            "approval_scores_in": "prod" if settings.score_on_approval else "nowhere",
            "batch_schedule": settings.batch_schedule,
            "retrain_enabled": str(settings.retrain.enabled).lower(),
            "retrain_cooldown_hours": f"{settings.retrain.cooldown_hours:g}",
            "retrain_daily_cap": str(settings.retrain.daily_cap),
        }
