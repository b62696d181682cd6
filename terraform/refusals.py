"""What is refused before anything is changed; every message is one sentence for a person."""


class Refused(Exception):
    """The base of everything below."""


class NoTerraform(Refused):
    """There is no Terraform here, or none that can be used."""


class WrongAccount(Refused):
    """The credentials at hand don't lead to the environment's account."""


class WrongDefinition(Refused):
    """SageMaker would refuse a definition of the release."""


class NotEmpty(Refused):
    """The account holds what Terraform would make, and nothing says that Terraform made it."""


class Locked(Refused):
    """Another run holds the state."""


class Protected(Refused):
    """The settings keep the environment from being destroyed."""


class NotConfirmed(Refused):
    """Nobody said yes to the plan."""


class NotDestroyed(Refused):
    """Something still uses what is to be destroyed."""


class Failed(Refused):
    """Terraform itself failed; it has said why."""
