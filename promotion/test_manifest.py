"""The manifest: one byte form, one identity, and every malformed field named."""

import json
from dataclasses import replace

import pytest

from pipeline.names import STEPS
from promotion.errors import WrongManifest
from promotion.manifest import Manifest, digest

IMAGES = {step: digest(step.encode()) for step in STEPS}
MANIFEST = Manifest("1.0", "abc", True, IMAGES, {"dev/train": digest(b"t")}, {"train": digest(b"s")}, digest(b"f"))


def changed(**fields):
    value = json.loads(MANIFEST.content())
    return json.dumps({**value, **fields}, sort_keys=True, separators=(",", ":")).encode()


def test_a_manifest_is_read_as_it_was_written():
    assert Manifest.read(MANIFEST.content(), "here") == MANIFEST


def test_its_identity_changes_with_every_part():
    others = [
        Manifest("1.1", "abc", True, IMAGES),
        Manifest("1.0", "abd", True, IMAGES),
        Manifest("1.0", "abc", True, IMAGES | {"train": digest(b"x")}),
        Manifest("1.0", "abc", True, IMAGES, terraform=digest(b"x")),
        Manifest("1.0", "abc", True, IMAGES),
    ]
    assert len({manifest.identity for manifest in [MANIFEST, *others]}) == len(others) + 1


def test_a_release_has_its_own_pipelines_in_each_environment():
    definitions = {name: digest(b"x") for name in ("dev/train", "prod/train", "prod/quality")}
    manifest = replace(MANIFEST, definitions=definitions)
    assert manifest.pipelines("dev") == ("train",)
    assert manifest.pipelines("prod") == ("quality", "train")
    assert manifest.pipelines("registry") == ()


def test_it_vouches_for_every_file_by_its_path():
    assert MANIFEST.files() == {
        "definitions/dev/train.json": digest(b"t"),
        "sboms/train.cdx.json": digest(b"s"),
        "functions.zip": digest(b"f"),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "here: not JSON"),
        (b"[]", "not a release manifest of format 1"),
        (changed(format=2), "not a release manifest of format 1"),
        (changed(more=1), "field more is unknown"),
        (changed(images={**IMAGES, "train": "latest"}), "images.train isn't a digest"),
        (changed(images={}), "images.preprocess isn't there"),
        (changed(version="1 0"), "version isn't letters"),
        (changed(git_clean="yes"), "git_clean isn't true or false"),
        (changed(definitions={"../x": digest(b"t")}), "definitions.../x isn't a name"),
        (changed(terraform="x"), "terraform isn't a digest"),
        (MANIFEST.content() + b"\n", "not in the one byte form"),
    ],
)
def test_a_malformed_manifest_is_named(content, said):
    with pytest.raises(WrongManifest, match=said):
        Manifest.read(content, "here")
