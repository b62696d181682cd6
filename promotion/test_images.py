"""Images: their digests follow their content, and copies move only what is missing."""

import json
import shutil

import pytest

from promotion import image_format, images, source
from promotion import registry as registries
from promotion.accounts import account
from promotion.errors import DigestMismatch, DigestMissing, NotBuilt, TagMoved, UnsuitableImage
from promotion.manifest import digest

BUILT = ("preprocess", "train")


@pytest.fixture
def registered(foundation):
    """Two steps in dev's registry: repository → digest."""
    digests = source.register("dev", BUILT, tag="1.0")
    return {account("dev").names.repository(step): found for step, found in digests.items()}


@pytest.fixture
def checkout(tmp_path):
    """A copy of what images are made of, free to be changed."""
    for name in ("steps", "localaws"):
        shutil.copytree(source.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(source.ROOT / name, tmp_path)
    (tmp_path / ".tools" / "bin").mkdir(parents=True)
    found = source.ROOT / ".tools" / "bin" / "uv"
    if found.is_file():
        (tmp_path / ".tools" / "bin" / "uv").symlink_to(found)
    return tmp_path


def test_a_digest_changes_exactly_when_the_step_does(checkout):
    before = {step: source.image(step, checkout).digest for step in BUILT}
    (checkout / "steps" / "train" / "test_new.py").write_text("assert True\n")
    (checkout / "steps" / "train" / "README.md").write_text("new\n")
    assert {step: source.image(step, checkout).digest for step in BUILT} == before

    (checkout / "steps" / "train" / "new.py").write_text("VALUE = 1\n")
    assert source.image("train", checkout).digest != before["train"]
    assert source.image("preprocess", checkout).digest == before["preprocess"]

    (checkout / "steps" / "common" / "new.py").write_text("VALUE = 1\n")
    assert source.image("preprocess", checkout).digest != before["preprocess"]


def test_a_locked_dependency_is_part_of_the_digest(checkout):
    before = source.image("train", checkout).digest
    lock = (checkout / "uv.lock").read_text()
    start = lock.index('\nname = "numpy"\n')
    at = lock.index("sha256:", start) + len("sha256:")
    (checkout / "uv.lock").write_text(lock[:at] + "0" * 64 + lock[at + 64 :])
    assert source.image("train", checkout).digest != before


def test_a_step_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotBuilt, match="steps/nosuch"):
        source.image("nosuch", tmp_path)


def test_the_lock_is_read_without_a_home_to_cache_anything_in(monkeypatch):
    monkeypatch.setenv("HOME", "/proc/nowhere")
    for name in ("UV_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert b"xgboost" in source.requirements("train")


def test_an_sbom_lists_the_locked_dependencies_the_same_each_time():
    document = json.loads(source.sbom("train"))
    assert document["bomFormat"] == "CycloneDX"
    assert "numpy" in {component["name"] for component in document["components"]}
    assert source.sbom("train") == source.sbom("train")


def test_a_copy_keeps_digests_and_moves_nothing_twice(registered):
    dev, prod = registries.of(account("dev")), registries.of(account("prod"))
    first = images.copy(dev, prod, registered, "1.0")
    assert first.sent and first.size and not first.present
    for repository, found in registered.items():
        assert prod.tagged(repository, "1.0") == found
        held = account("prod").client("ecr").describe_images(repositoryName=repository)["imageDetails"]
        assert [(image["imageDigest"], image["imageTags"]) for image in held] == [(found, ["1.0"])]

    again = images.copy(dev, prod, registered, "1.0")
    assert (again.sent, again.mounted, again.size, again.present) == (0, 0, 0, len(registered))


def test_a_layer_shared_by_two_images_is_sent_once(foundation):
    dev, prod = registries.of(account("dev")), registries.of(account("prod"))
    shared = b"x" * 3_000_000
    digests = {}
    for step in BUILT:
        repository = account("dev").names.repository(step)
        config = json.dumps({"step": step, "os": "linux", "architecture": "amd64"}).encode()
        parts = [{"digest": digest(content), "size": len(content)} for content in (config, shared)]
        parts[0]["mediaType"] = image_format.CONFIG
        head = {"schemaVersion": 2, "mediaType": image_format.MANIFEST}
        manifest = json.dumps({**head, "config": parts[0], "layers": parts[1:]}).encode()
        for content in (config, shared):
            dev.put_blob(repository, digest(content), len(content), iter([content]))
        dev.put_manifest(repository, digest(manifest), manifest, image_format.MANIFEST)
        digests[repository] = digest(manifest)
    done = images.copy(dev, prod, digests, "2.0")
    assert done.mounted == 1
    assert len(shared) <= done.size < 2 * len(shared)


def test_an_index_is_refused_by_name_and_nothing_is_copied(registered):
    dev, prod = registries.of(account("dev")), registries.of(account("prod"))
    repository, found = next(iter(registered.items()))
    content, media_type = dev.manifest(repository, found)
    listed = {"mediaType": media_type, "digest": found, "size": len(content)}
    kind = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [listed]}).encode()
    dev.put_manifest(repository, digest(index), index, kind)
    with pytest.raises(UnsuitableImage, match=f"{repository}@{digest(index)} is an OCI index"):
        images.copy(dev, prod, {repository: digest(index)}, "3.0")
    assert prod.tagged(repository, "3.0") is None


def test_what_is_made_of_sources_is_what_sagemaker_takes(registered):
    dev = registries.of(account("dev"))
    for repository, found in registered.items():
        assert dev.suitable(repository, found)[1] == image_format.MANIFEST


def test_a_digest_that_dev_does_not_hold_is_named(registered):
    dev, prod = registries.of(account("dev")), registries.of(account("prod"))
    wrong = "sha256:" + "0" * 64
    repository = next(iter(registered))
    with pytest.raises(DigestMissing, match=f"{repository} doesn't hold {wrong}"):
        images.copy(dev, prod, {repository: wrong}, "1.0")
    assert prod.tagged(repository, "1.0") is None


def test_a_tag_that_moved_is_named_and_nothing_is_copied(registered):
    dev, prod = registries.of(account("dev")), registries.of(account("prod"))
    preprocess, train = registered
    other = {"schemaVersion": 2, "config": {}, "layers": []}
    account("prod").client("ecr").put_image(repositoryName=train, imageManifest=json.dumps(other), imageTag="1.0")
    with pytest.raises(TagMoved, match=f"{train}:1.0 points to"):
        images.copy(dev, prod, registered, "1.0")
    assert prod.tagged(preprocess, "1.0") is None


def test_bytes_that_are_not_the_digests_are_never_stored(registered):
    prod = registries.of(account("prod"))
    repository = next(iter(registered))
    wrong = digest(b"right")
    with pytest.raises(registries.RegistryFailed, match="DIGEST_INVALID"):
        prod.put_blob(repository, wrong, 5, iter([b"wrong"]))
    assert not prod.holds(repository, "blobs", wrong)


def test_a_broken_source_is_noticed_before_its_blob_is_stored(registered, monkeypatch):
    dev, prod = registries.of(account("dev")), registries.of(account("prod"))
    monkeypatch.setattr(dev, "blob", lambda repository, found: _lying(dev, repository, found))
    with pytest.raises(DigestMismatch):
        images.copy(dev, prod, registered, "1.0")
    assert [prod.tagged(repository, "1.0") for repository in registered] == [None, None]


def _lying(registry, repository, found):
    blocks = list(registries.Registry.blob(registry, repository, found))
    yield b"\0" * sum(map(len, blocks))
    raise DigestMismatch("other bytes")
