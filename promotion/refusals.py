"""What promotion refuses, each by a name of its own. Every message is one sentence for a person."""


class Refused(Exception):
    """The base of everything below: nothing was changed that a second run would not put right."""


class WrongManifest(Refused):
    """A release manifest is malformed, or a field of it isn't what it must be."""


class ReleaseUnknown(Refused):
    """The registry account holds no release of this version."""


class ReleaseExists(Refused):
    """A version is taken by a release of other content."""


class ReleaseNotSigned(Refused):
    """A release has a manifest but no signature."""


class ReleaseTampered(Refused):
    """A manifest, or a file that it vouches for, is not what was signed."""


class ReleaseFailed(Refused):
    """The release is marked: it failed where it was deployed."""


class DigestMissing(Refused):
    """A registry doesn't hold an image that the manifest names."""


class DigestMismatch(Refused):
    """Bytes don't have the digest under which they were asked for or sent."""


class TagMoved(Refused):
    """A release's tag points to another image than the release's."""


class RegistryFailed(Refused):
    """A registry answered with an error, or not at all."""


class PromotionUnderWay(Refused):
    """Somebody else holds the environment's lock."""


class LockLost(Refused):
    """The lock expired and somebody else took it."""


class ApprovalMissing(Refused):
    """A plan that changes something was not approved by a named person with a reason."""


class PlanStale(Refused):
    """The environment or the release isn't what the approved plan was made for."""


class DeployFailed(Refused):
    """The deployer could not plan or apply."""


class SmokeFailed(Refused):
    """The canary batch did not come back as it must."""


class NothingToRollBackTo(Refused):
    """No earlier release has served in the environment."""


class NotBuilt(Refused):
    """A release could not be made of this checkout."""
