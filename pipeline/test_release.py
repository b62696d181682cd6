import json

import pytest

from pipeline.conftest import RELEASE
from pipeline.release import Release, WrongRelease

DIGEST = "sha256:" + "0" * 64


def test_a_manifest_gives_its_release(manifest):
    assert Release.read(manifest) == RELEASE


def test_a_manifest_may_leave_the_functions_versions_to_the_account(manifest):
    content = json.loads(manifest.read_text())
    del content["functions"]
    manifest.write_text(json.dumps(content))
    assert Release.read(manifest).functions == {}


WRONG = {
    "missing": (None, "can't be read (No such file or directory)."),
    "not JSON": ("{", "not JSON ("),
    "a list": ("[]", "not a release manifest ("),
    "empty": ("{}", "not a release manifest (KeyError: 'version')."),
    "images are a list": ({"images": [1]}, "not a release manifest ("),
    "functions are a list": ({"functions": []}, "not a release manifest ("),
    "an image is missing": ({"images": {}}, "images.preprocess isn't a digest (sha256:…)."),
    "a tag": ({"images": {**RELEASE.images, "train": "latest"}}, "images.train isn't a digest (sha256:…)."),
    "a number": ({"images": {**RELEASE.images, "infer": 7}}, "images.infer isn't a digest (sha256:…)."),
    "an alias": ({"functions": {"resolve": "live"}}, "functions.resolve isn't a published version of a function."),
    "an unknown function": ({"functions": {"other": "1"}}, "functions.other isn't a published version of a function."),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_is_one_sentence_that_names_it(manifest, content, sentence):
    if content is None:
        manifest.unlink()
    else:
        whole = json.loads(manifest.read_text())
        manifest.write_text(content if isinstance(content, str) else json.dumps({**whole, **content}))
    with pytest.raises(WrongRelease) as wrong:
        Release.read(manifest)
    assert str(wrong.value).startswith(f"{manifest}: {sentence}") and "\n" not in str(wrong.value)


def test_what_a_release_does_not_say_is_a_variable():
    assert Release().digest("train") == "${train_digest}"
    assert Release().function("resolve") == "${resolve_version}"
    assert Release(images={"train": DIGEST}).digest("train") == DIGEST
