import re

import pytest

from localaws import wire
from localaws.patterns import compiled, matches


def every_pattern():
    model = wire.service()
    found = {}
    for name in model.shape_names:
        pattern = model.shape_for(name).metadata.get("pattern")
        if pattern:
            found.setdefault(pattern, name)
    return found


def test_every_pattern_of_the_model_compiles():
    found = every_pattern()
    assert len(found) > 200
    for pattern, name in found.items():
        assert isinstance(compiled(pattern), re.Pattern), name


def shaped(name):
    return wire.service().shape_for(name).metadata["pattern"]


@pytest.mark.parametrize(
    ("shape", "value", "fits"),
    [
        ("PipelineName", "mammography-train", True),
        ("PipelineName", "-train", False),
        ("PipelineName", "train\n", False),
        ("TagKey", "owner", True),
        ("TagKey", "Größe/日本 ✓", False),
        ("TagKey", "Größe/日本", True),
        ("TagKey", "a*b", False),
        ("RoleArn", "arn:aws:iam::111111111111:role/service-role/x", True),
        ("RoleArn", "arn:aws:iam::111:role/x", False),
        ("S3Uri", "s3://bucket/key", True),
        ("S3Uri", "ftp://bucket/key", False),
        ("CallbackToken", "a1B2c3D4e5", True),
        ("CallbackToken", "a-b", False),
    ],
)
def test_patterns_mean_what_they_mean_in_java(shape, value, fits):
    assert matches(shaped(shape), value) is fits


def test_properties_and_planes_beyond_the_first():
    assert matches(r"[\p{L}\p{Z}\p{N}]*", "é 日 9 𝐀")
    assert not matches(r"[\p{L}]*", "9")
    assert matches(r"[\uD800\uDC00-\uDBFF\uDFFF]", "😀")
    assert not matches(r"[\uD800\uDC00-\uDBFF\uDFFF]", "a")
    assert matches(r"[\p{Alnum}\-]+", "aZ-9")
    assert not matches(r"[\p{Alnum}]+", "é")
