"""A model's archive: what it may hold, and what of it is never followed."""

import gzip
import io
import tarfile

import pytest

from steps.common import model
from steps.common.failure import StepFailed

Entry = tuple[str, bytes | str]
"""A name, and a file's content or a tar type with which nothing else goes."""


def packed(*entries: Entry, **more: str) -> bytes:
    """Return a model.tar.gz; a text instead of content is the type of an entry that links to /etc/passwd."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = content.encode(), "/etc/passwd"
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def unpack(tmp_path, content: bytes) -> bytes:
    file = tmp_path / "model.tar.gz"
    file.write_bytes(content)
    return model.unpack(file, "input x")


@pytest.mark.parametrize("name", ["xgboost-model", "./xgboost-model", ".//xgboost-model"])
def test_the_model_is_found_whatever_lies_beside_it(tmp_path, name):
    others = [("metadata.json", b"{}"), ("code/a.py", b"1"), ("code/xgboost-model", b"2")]
    assert unpack(tmp_path, packed(*others, (name, b"M" * 100_000))) == b"M" * 100_000


LINK, OUT = "holds a link, a device or a file with holes.", "holds a path that leads out of the archive."
M = ("xgboost-model", b"M")
WRONG: dict[str, tuple[list[Entry], str]] = {
    "symbolic link": ([("xgboost-model", "2")], LINK),
    "hard link": ([("xgboost-model", "1")], LINK),
    "link beside it": ([M, ("metadata.json", "2")], LINK),
    "character device": ([("xgboost-model", "3")], LINK),
    "block device": ([("x", "4"), M], LINK),
    "pipe": ([M, ("x", "6")], LINK),
    "absolute": ([("/xgboost-model", b"M")], OUT),
    "absolute beside it": ([M, ("/etc/cron.d/x", b"1")], OUT),
    "outside": ([("../xgboost-model", b"M")], OUT),
    "outside, from within": ([M, ("a/../../x", b"1")], OUT),
    "twice": ([M, M], "holds xgboost-model twice."),
    "twice by two names": ([M, ("./xgboost-model", b"N")], "holds xgboost-model twice."),
    "none": ([("metadata.json", b"{}")], "holds no xgboost-model."),
    "a folder": ([("xgboost-model", "5")], "holds no xgboost-model."),
    "empty": ([], "holds no xgboost-model."),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_archive_of_a_model_does_not_hold_is_refused(tmp_path, name):
    entries, said = WRONG[name]
    with pytest.raises(StepFailed) as failed:
        unpack(tmp_path, packed(*entries))
    assert str(failed.value) == f"input x: {said}"


def test_a_file_with_holes_is_refused_before_they_are_filled(tmp_path):
    plain = tmp_path / "x.tar"
    with tarfile.open(plain, "w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("xgboost-model")
        entry.size = 512
        entry.pax_headers = {
            "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "xgboost-model",
            "GNU.sparse.realsize": str(1 << 42),
        }  # fmt: skip
        tar.addfile(entry, io.BytesIO(b"1\n0\n0\n".ljust(512, b"\0")))
    stream = io.BytesIO()
    stream.write(gzip.compress(plain.read_bytes()))
    with pytest.raises(StepFailed, match="holds a link, a device or a file with holes"):
        unpack(tmp_path, stream.getvalue())


@pytest.mark.parametrize("name", ["xgboost-model", "beside.bin"])
def test_a_bomb_goes_off_nowhere(tmp_path, monkeypatch, name):
    monkeypatch.setattr(model, "LARGEST_UNPACKED", 1 << 20)
    with pytest.raises(StepFailed, match="input x: unpacks to more than"):
        unpack(tmp_path, packed((name, bytes(2 << 20)), M))


def test_a_bomb_behind_the_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "LARGEST_UNPACKED", 1 << 20)
    with pytest.raises(StepFailed, match="input x: unpacks to more than"):
        unpack(tmp_path, packed(M) + gzip.compress(bytes(2 << 20)))


def test_headers_upon_headers(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = b"L", 2
    chain = (header.tobuf() + b"a\0".ljust(512, b"\0")) * 5000
    with pytest.raises(StepFailed, match="truncated, or not a model archive"):
        unpack(tmp_path, gzip.compress(chain + packed(M)))


@pytest.mark.parametrize(
    "spoil", [lambda whole: whole[:-4], lambda whole: whole[: len(whole) // 2], lambda _: b"", lambda _: b"PK"]
)
def test_an_archive_that_was_cut(tmp_path, spoil):
    with pytest.raises(StepFailed, match=r"^input x: truncated, or not a model archive\.$"):
        unpack(tmp_path, spoil(packed(("xgboost-model", bytes(range(256)) * 100))))
