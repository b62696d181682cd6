"""What is refused before anything is changed; every message is one sentence for a person."""


class TerraformError(Exception):
    """The base of everything below."""


class NoTerraform(TerraformError):
    """There is no Terraform here, or none that can be used."""


class WrongAccount(TerraformError):
    """The credentials at hand don't lead to the environment's account."""


class WrongDefinition(TerraformError):
    """SageMaker would refuse a definition of the release."""


class NotEmpty(TerraformError):
    """The account holds what Terraform would make, and nothing says that Terraform made it."""


class Locked(TerraformError):
    """Another run holds the state."""


class Protected(TerraformError):
    """The settings keep the environment from being destroyed."""


class NotConfirmed(TerraformError):
    """Nobody said yes to the plan."""


class NotDestroyed(TerraformError):
    """Something still uses what is to be destroyed."""


class Failed(TerraformError):
    """Terraform itself failed; it has said why."""
