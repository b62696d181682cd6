"""What needs no engine: how instance types are shared out, how lines are put together, how references are read."""

import pytest

from localaws.runtimes.docker.handle import MAX_LINE, lines
from localaws.runtimes.docker.images import _parts
from localaws.runtimes.docker.instances import GIB, Size, share, size


@pytest.mark.parametrize(
    ("name", "cpus", "gib"),
    [
        ("ml.t3.medium", 2, 4),
        ("ml.t3.xlarge", 4, 16),
        ("ml.m5.large", 2, 8),
        ("ml.m5.24xlarge", 96, 384),
        ("ml.c4.2xlarge", 8, 15),
        ("ml.c4.8xlarge", 36, 60),
        ("ml.c5.9xlarge", 36, 72),
        ("ml.c5n.18xlarge", 72, 189),
        ("ml.r5.4xlarge", 16, 128),
        ("ml.g4dn.xlarge", 4, 16),
        ("ml.p3.2xlarge", 8, 61),
        ("ml.p3dn.24xlarge", 96, 768),
        ("ml.p4d.24xlarge", 96, 1152),
        ("ml.trn1.32xlarge", 128, 512),
    ],
)
def test_sizes_are_those_that_aws_publishes(name, cpus, gib):
    assert size(name) == Size(cpus, gib * GIB)


@pytest.mark.parametrize("name", ["ml.x9.large", "ml.m5", "ml.m5.huge", "", "ml.m5.metal"])
def test_unknown_types_get_the_machine_and_say_so(name):
    machine = Size(2, 8 * GIB)
    given, sentence = share(name, machine)
    assert size(name) is None
    assert given == machine
    assert (
        sentence == f"localaws: {name} isn't known here; the container gets this machine's 2 CPUs and 8 GiB of memory."
    )


def test_nothing_is_said_where_the_machine_has_what_the_type_has():
    assert share("ml.m5.large", Size(64, 256 * GIB)) == (Size(2, 8 * GIB), None)


def test_a_smaller_machine_gives_what_it_has():
    given, sentence = share("ml.m5.4xlarge", Size(4, 15 * GIB))
    assert given == Size(4, 15 * GIB)
    assert sentence.endswith("ml.m5.4xlarge has 16 CPUs and 64 GiB of memory; "
                             "this machine gives the container 4 CPUs and 15 GiB of memory.")  # fmt: skip


def test_lines_of_both_streams_are_put_together_from_pieces():
    frames = [(b"on", None), (None, b"err"), (b"e\r\ntw", b"or\n"), (b"o\n\nend", None)]
    assert list(lines(iter(frames))) == ["one", "error", "two", "", "end"]


def test_text_that_is_not_utf_8_stays_a_line():
    assert list(lines(iter([(b"\xff!\n", None)]))) == ["\ufffd!"]


def test_long_lines_are_cut_before_they_end():
    frames = iter([(b"x" * MAX_LINE, None), (b"y" * 10, None), (b"\n", None)])
    assert [len(line) for line in lines(frames)] == [MAX_LINE, 10]


@pytest.mark.parametrize(
    ("reference", "repository", "what"),
    [
        ("127.0.0.1:5001/a/train@sha256:00", "127.0.0.1:5001/a/train", "sha256:00"),
        ("127.0.0.1:5001/a/train:1.0@sha256:00", "127.0.0.1:5001/a/train", "sha256:00"),
        ("127.0.0.1:5001/a/train:1.0", "127.0.0.1:5001/a/train", "1.0"),
        ("127.0.0.1:5001/a/train", "127.0.0.1:5001/a/train", "latest"),
        ("train", "train", "latest"),
    ],
)
def test_references(reference, repository, what):
    assert _parts(reference) == (repository, what)
