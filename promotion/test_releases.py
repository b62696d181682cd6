"""Releases in the registry account: kept once, signed by CI's key, refused by name when anything was touched."""

import json
from dataclasses import replace

import pytest

from pipeline.names import STEPS
from promotion import registry as registries
from promotion import show
from promotion.accounts import account
from promotion.build import build, default_version, join_reports, pushed, read_sboms, repositories
from promotion.errors import (
    DigestMissing,
    NotBuilt,
    ReleaseExists,
    ReleaseFailed,
    ReleaseNotSigned,
    ReleaseTampered,
    ReleaseUnknown,
    TagMoved,
    WrongManifest,
)
from promotion.objects import Taken
from promotion.promote import Environment
from promotion.releases import AUTOMATIC_ROLLBACK, PROMOTE, ROLLBACK, Releases

REPORT = """<testsuites><testsuite name="pytest" tests="2" failures="0" errors="0" skipped="1" time="{time}">
<testcase classname="a" name="b" time="{time}"/><testcase classname="a" name="c"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def release(foundation):
    """An unsigned release of this checkout."""
    return build("1.0")


@pytest.fixture
def releases(release):
    return Releases(account("registry"))


def overwrite(releases, path, content):
    """What somebody does who may write to the bucket."""
    bucket = releases.objects.bucket
    account("registry").client("s3").put_object(Bucket=bucket, Key=f"releases/versions/1.0/{path}", Body=content)


def trusted(version="1.0"):
    """What every promotion does first."""
    return Environment("prod", None, None, say=lambda _: None)._trusted(version)


def test_a_release_is_the_same_however_often_it_is_built(release):
    assert build("1.0") == release
    assert {path.split("/")[0] for path in release.files()} == {"definitions", "sboms", "functions.zip"}


def test_a_version_is_built_once(release, tmp_path):
    with pytest.raises(ReleaseExists, match=r"Release 1.0 exists with another"):
        build("1.0", tests=b"<other/>")


def test_only_what_is_signed_is_trusted(releases, release):
    with pytest.raises(ReleaseNotSigned, match=r"Release 1.0 is not signed"):
        trusted()
    releases.sign("1.0")
    assert trusted() == release


@pytest.mark.parametrize("version", ["2.0", "", "../1.0"])
def test_an_unknown_version_is_named(releases, version):
    with pytest.raises(ReleaseUnknown, match=r"doesn't exist in the registry account"):
        trusted(version)


def test_a_changed_manifest_is_refused(releases, release):
    releases.sign("1.0")
    overwrite(releases, "manifest.json", release.content().replace(b'"git_clean":', b'"git_clean" :'))
    with pytest.raises(ReleaseTampered, match=r"isn't what alias/mammography-releases signed"):
        trusted()


def test_another_releases_manifest_is_refused_though_it_is_signed(releases):
    releases.sign("1.0")
    other = build("1.1")
    releases.sign("1.1")
    overwrite(releases, "manifest.json", other.content())
    overwrite(releases, "signature.json", releases.objects.get("versions/1.1/signature.json"))
    with pytest.raises(ReleaseTampered, match=r"the signed manifest is that of 1.1"):
        trusted()


@pytest.mark.parametrize("signature", [b"{}", b"x", json.dumps({"signature": "AAAA"}).encode()])
def test_a_signature_that_is_none_is_refused(releases, signature):
    releases.sign("1.0")
    overwrite(releases, "signature.json", signature)
    with pytest.raises(ReleaseTampered):
        trusted()


def test_another_key_does_not_count(releases, release):
    kms = account("registry").client("kms")
    other = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    releases.sign("1.0")
    kms.update_alias(AliasName="alias/mammography-releases", TargetKeyId=other)
    with pytest.raises(ReleaseTampered):
        trusted()


def test_a_missing_key_is_named(releases):
    account("registry").client("kms").delete_alias(AliasName="alias/mammography-releases")
    with pytest.raises(ReleaseNotSigned, match=r"alias/mammography-releases in account 222222222222 did not sign"):
        releases.sign("1.0")


@pytest.mark.parametrize("path", ["functions.zip", "definitions/prod/inference.json", "sboms/train.cdx.json"])
def test_a_changed_file_is_named(releases, release, tmp_path, path):
    releases.sign("1.0")
    overwrite(releases, path, b"other")
    with pytest.raises(ReleaseTampered, match=f"{path} is not what was signed"):
        releases.fetch(release, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_malformed_manifest_is_not_signed(releases):
    overwrite(releases, "manifest.json", b"{}")
    with pytest.raises(WrongManifest, match=r"Release 1.0: not a release manifest"):
        releases.sign("1.0")


def test_files_are_fetched_whole_and_only_once(releases, release, tmp_path):
    folder = releases.fetch(release, tmp_path)
    first = (folder / "manifest.json").stat().st_mtime_ns
    assert releases.fetch(release, tmp_path) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == first
    (folder / "functions.zip").write_bytes(b"other")
    releases.fetch(release, tmp_path)
    assert (folder / "functions.zip").read_bytes() == releases.file(release, "functions.zip")


def test_a_digest_that_dev_does_not_hold_is_named(releases, release):
    wrong = "sha256:" + "0" * 64
    releases.store(replace(release, version="1.2", images={**release.images, "train": wrong}), {})
    releases.sign("1.2")
    with pytest.raises(DigestMissing, match=f"{account('dev').names.repository('train')} doesn't hold {wrong}"):
        trusted("1.2")


def test_a_release_of_a_digest_that_is_nowhere_is_not_built(release):
    with pytest.raises(DigestMissing, match=r"doesn't hold sha256:0"):
        build("1.2", images={**release.images, "train": "sha256:" + "0" * 64})
    with pytest.raises(NotBuilt, match=r"images.train: not a digest"):
        build("1.2", images={**release.images, "train": "latest"})
    assert Releases(account("registry")).versions() == ["1.0"]


def test_a_tag_that_moved_is_named(releases, release):
    releases.sign("1.0")
    ecr, repository = account("dev").client("ecr"), account("dev").names.repository("train")
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="MUTABLE")
    other = json.dumps({"schemaVersion": 2, "config": {}, "layers": []})
    ecr.put_image(repositoryName=repository, imageManifest=other, imageTag="1.0")
    with pytest.raises(TagMoved, match=f"{repository}:1.0 points to sha256:.*, not to {release.images['train']}"):
        trusted()


def test_a_failed_release_is_not_promoted_again(releases, release):
    releases.sign("1.0")
    releases.mark(release, "prod", "the smoke-test batch came back empty")
    with pytest.raises(ReleaseFailed, match=r"Release 1.0 failed in prod at .*: the smoke-test batch came back empty"):
        trusted()
    assert Environment("dev", None, None, say=lambda _: None)._trusted("1.0") == release


def test_the_history_only_grows(releases, release):
    first = releases.record("prod", "approved", PROMOTE, release, "good", who="Ann")
    releases.record("prod", "serving", PROMOTE, release, "good", who="Ann")
    assert [event.what for event in releases.history("prod")] == ["serving", "approved"]
    assert list(releases.history("prod"))[-1] == first
    assert releases.serving("prod").who == "Ann"
    assert releases.serving("dev") is None
    with pytest.raises(Taken):
        releases.objects.create("history/prod/000001.json", b"other")


def test_a_line_of_releases_walks_back_once_per_rollback(releases, release):
    made = {name: build(name) for name in ("a", "b", "c")}
    for name in "abc":
        releases.record("prod", "serving", PROMOTE, made[name], "next")
    assert releases.line("prod") == ["a", "b", "c"]
    releases.record("prod", "serving", ROLLBACK, made["b"], "back")
    assert releases.line("prod") == ["a", "b"]
    releases.record("prod", "serving", AUTOMATIC_ROLLBACK, made["b"], "c failed again")
    assert releases.line("prod") == ["a", "b"]
    releases.record("prod", "serving", PROMOTE, made["c"], "once more")
    assert releases.line("prod") == ["a", "b", "c"]


def test_images_carry_the_releases_tag_in_dev(release):
    dev = registries.of(account("dev"))
    assert {name: dev.tagged(name, "1.0") for name in repositories(release)} == repositories(release)


def test_a_release_names_its_commit_and_what_a_changed_checkout_holds():
    images_of = {step: f"sha256:{number:064x}" for number, step in enumerate(STEPS)}
    other = images_of | {"train": f"sha256:{99:064x}"}
    clean = default_version("c" * 40, True, images_of)
    dirty = default_version("c" * 40, False, images_of)
    assert clean.endswith("-" + "c" * 12)
    assert dirty.startswith(clean)
    assert dirty != default_version("c" * 40, False, other)


@pytest.mark.parametrize("version", ["1.0", ""])
@pytest.mark.parametrize("wrong", [{}, {"train": "latest"}, {"train": ""}])
def test_a_step_without_an_image_is_named_whether_or_not_the_release_has_a_name(local, version, wrong):
    digests = {step: f"sha256:{number:064x}" for number, step in enumerate(STEPS) if step != "train"}
    with pytest.raises(NotBuilt, match=r"^images\.train: not a digest \(sha256:…\)\.$"):
        build(version, digests | wrong)


def test_images_of_another_commit_are_refused(foundation, tmp_path):
    file = tmp_path / "dev.json"
    for content, said in (
        (None, "can't be read"),
        ("{}", "not what pushing images writes"),
        (json.dumps({"images": {}, "git_commit": "other"}), "the images were built of commit other"),
    ):
        if content is not None:
            file.write_text(content)
        with pytest.raises(NotBuilt, match=said):
            pushed(file)


def test_reports_are_joined_without_their_times_and_hold_no_failure(tmp_path):
    joined = set()
    for time in ("1", "2"):
        (tmp_path / "one.xml").write_text(REPORT.format(time=time))
        joined.add(join_reports([tmp_path / "one.xml"]))
    assert len(joined) == 1
    (tmp_path / "one.xml").write_text(REPORT.format(time=1).replace("<skipped/>", "<failure/>"))
    with pytest.raises(NotBuilt, match=r"c failed; a release is built of what passed its tests"):
        join_reports([tmp_path / "one.xml"])
    (tmp_path / "one.xml").write_text("<testsuites/>")
    with pytest.raises(NotBuilt, match=r"no test that ran"):
        join_reports([tmp_path / "one.xml"])
    (tmp_path / "one.xml").write_text("<")
    with pytest.raises(NotBuilt, match=r"one.xml: not a JUnit report"):
        join_reports([tmp_path / "one.xml"])


def test_an_sbom_that_is_missing_is_named(tmp_path):
    with pytest.raises(NotBuilt, match=r"preprocess.cdx.json: can't be read"):
        read_sboms(tmp_path)
    (tmp_path / "preprocess.cdx.json").write_text("{}")
    with pytest.raises(NotBuilt, match=r"preprocess.cdx.json: not a CycloneDX document"):
        read_sboms(tmp_path)


def test_the_history_is_a_line_per_event_however_long_its_reason(releases, release, capsys):
    why = "[red] is a column of ours, and " + "so on " * 50 + "to the end"
    releases.record("prod", "serving", PROMOTE, release, why, who="Ann")
    show.history()
    dev, prod, heading, line = capsys.readouterr().out.splitlines()
    assert (dev, prod) == ("dev: no release", "prod: 1.0")
    assert heading.split() == ["when", "what", "release", "by", "why"]
    assert line.endswith(f"promote: serving  1.0      Ann  {why}")
