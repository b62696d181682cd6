"""What a container gets of this machine: what its instance type has, as far as the machine has it.

Source: Amazon EC2 instance types and Amazon SageMaker AI pricing, "vCPU" and "Memory". Within a family both double
with the size, so a family is its memory per vCPU; sizes that don't follow are listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GIB = 1024**3

MEMORY_PER_CPU = {
    **dict.fromkeys(("t3", "m4", "m5", "m5d", "m6i", "m6id", "m6g", "m6gd", "m7i", "m7g", "m8g"), 4.0),
    **dict.fromkeys(("c5", "c5d", "c6i", "c6id", "c6g", "c6gd", "c6gn", "c7i", "c7g", "c8g"), 2.0),
    **dict.fromkeys(("r5", "r5d", "r6i", "r6id", "r6g", "r6gd", "r7i", "r7g", "r8g"), 8.0),
    **dict.fromkeys(("g4dn", "g5", "g6", "trn1", "trn1n"), 4.0),
    **dict.fromkeys(("p3dn", "g6e"), 8.0),
    "c4": 1.875,
    "c5n": 2.625,
    "p3": 7.625,
    "p4d": 12.0,
}
"""GiB of memory per vCPU, by family."""

EXCEPTIONS = {
    "t3.medium": (2, 4.0),
    "c4.8xlarge": (36, 60.0),
    "p2.xlarge": (4, 61.0),
    "p2.8xlarge": (32, 488.0),
    "p2.16xlarge": (64, 732.0),
    "p5.48xlarge": (192, 2048.0),
}
"""vCPUs and GiB of the sizes that don't follow from their family."""


@dataclass(frozen=True)
class Size:
    """CPUs, and bytes of memory."""

    cpus: int
    memory: int

    def __str__(self) -> str:
        return f"{self.cpus} CPU{'s' if self.cpus > 1 else ''} and {self.memory / GIB:.3g} GiB of memory"


def size(instance_type: str) -> Size | None:
    """Return what an instance type such as ml.m5.xlarge has; None if it isn't known here."""
    name = instance_type.removeprefix("ml.")
    if name in EXCEPTIONS:
        cpus, memory = EXCEPTIONS[name]
        return Size(cpus, int(memory * GIB))
    family, _, word = name.partition(".")
    found = re.fullmatch(r"(\d*)x?large", word)
    if family not in MEMORY_PER_CPU or not found:
        return None
    cpus = 2 if word == "large" else 4 * int(found[1] or 1)
    return Size(cpus, int(cpus * MEMORY_PER_CPU[family] * GIB))


def share(instance_type: str, machine: Size) -> tuple[Size, str | None]:
    """Return what the container gets, and the sentence for its log where that isn't what its instance type has."""
    wanted = size(instance_type)
    if wanted is None:
        return machine, f"localaws: {instance_type} isn't known here; the container gets this machine's {machine}."
    given = Size(min(wanted.cpus, machine.cpus), min(wanted.memory, machine.memory))
    if given == wanted:
        return given, None
    return given, f"localaws: {instance_type} has {wanted}; this machine gives the container {given}."
