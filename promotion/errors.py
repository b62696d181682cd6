"""What promotion refuses, each by a name of its own. Every message is one sentence for a person."""


class PromotionError(Exception):
    """The base of everything below: nothing was changed that a second run would not put right."""


class WrongManifest(PromotionError):
    """A release manifest is malformed, or a field of it isn't what it must be."""


class ReleaseUnknown(PromotionError):
    """The registry account holds no release of this version."""


class ReleaseExists(PromotionError):
    """A version is taken by a release of other content."""


class ReleaseNotSigned(PromotionError):
    """A release has a manifest but no signature."""


class ReleaseTampered(PromotionError):
    """A manifest, or a file that it vouches for, is not what was signed."""


class ReleaseFailed(PromotionError):
    """The release is marked: it failed where it was deployed."""


class DigestMissing(PromotionError):
    """A registry doesn't hold an image that the manifest names."""


class DigestMismatch(PromotionError):
    """Bytes don't have the digest under which they were asked for or sent."""


class TagMoved(PromotionError):
    """A release's tag points to another image than the release's."""


class RegistryFailed(PromotionError):
    """A registry answered with an error, or not at all."""


class PromotionInProgress(PromotionError):
    """Somebody else holds the environment's lock."""


class LockLost(PromotionError):
    """The lock expired and somebody else took it."""


class ApprovalMissing(PromotionError):
    """A plan that changes something was not approved by a named person with a reason."""


class PlanStale(PromotionError):
    """The environment or the release isn't what the approved plan was made for."""


class DeployFailed(PromotionError):
    """The deployer could not plan or apply."""


class SmokeFailed(PromotionError):
    """The smoke-test batch did not come back as it must."""


class NothingToRollBackTo(PromotionError):
    """No earlier release has served in the environment."""


class UnsuitableImage(PromotionError):
    """An image is in a format, or for a machine, that SageMaker doesn't take."""


class NotBuilt(PromotionError):
    """A release could not be made of this checkout."""
