import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest

from localaws.disk import DiskFull
from localaws.store import Key, Record, Store


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "db")
    yield made
    made.close()


def key(name, kind="Pipeline"):
    return Key(kind, "111111111111", "us-east-1", name)


def record(name, **body):
    return Record(key(name), body, "Active", "", 1.5, 2.5)


def names(store):
    return [found.key.name for found in store.select("kind=?", ("Pipeline",))]


def test_a_record_comes_back_as_it_was_put(store):
    with store.transaction():
        store.put(record("a", PipelineName="a", Number=1.25, Nested={"x": [None, True, "ü"]}))
    found = store.get(key("a"))
    assert (found.body, found.status, found.created, found.modified) == (
        {"PipelineName": "a", "Number": 1.25, "Nested": {"x": [None, True, "ü"]}}, "Active", 1.5, 2.5,
    )  # fmt: skip
    assert store.get(key("b")) is None


def test_putting_again_keeps_place_and_creation(store):
    with store.transaction():
        store.put(record("a"))
        store.put(record("b"))
    changed = record("a", New=1)
    changed.created = 9.0
    with store.transaction():
        store.put(changed)
    assert names(store) == ["a", "b"]
    assert store.get(key("a")).created == 1.5
    assert store.get(key("a")).body == {"New": 1}


def test_a_block_that_raises_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put(record("a"))
        raise ZeroDivisionError
    assert names(store) == []
    with store.transaction():
        store.put(record("b"))
    assert names(store) == ["b"]


def test_an_inner_block_that_raises_takes_back_only_its_own(store):
    called = []
    with store.transaction():
        store.put(record("outer"))
        store.after_commit(lambda: called.append("outer"))
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.put(record("inner"))
            store.after_commit(lambda: called.append("inner"))
            with store.transaction():
                store.put(record("innermost"))
            raise ZeroDivisionError
        with store.transaction():
            store.put(record("later"))
    assert names(store) == ["outer", "later"]
    assert called == ["outer"]


def test_an_outer_block_that_raises_takes_back_inner_ones(store):
    called = []
    with pytest.raises(ZeroDivisionError), store.transaction():
        with store.transaction():
            store.put(record("inner"))
            store.after_commit(lambda: called.append("inner"))
        raise ZeroDivisionError
    assert names(store) == []
    assert called == []


def test_after_commit_comes_after_the_outermost_block_and_may_write(store, tmp_path):
    seen = []
    other = Store(tmp_path / "db")

    def after():
        seen.append(names(other))
        with store.transaction():
            store.put(record("from after"))

    with store.transaction():
        with store.transaction():
            store.put(record("a"))
            store.after_commit(after)
        assert seen == []
    assert seen == [["a"]]
    assert names(other) == ["a", "from after"]
    other.close()


def test_threads_wait_for_one_another(store):
    with store.transaction():
        store.put(record("count", n=0))

    def add():
        for _ in range(50):
            with store.transaction():
                found = store.get(key("count"))
                found.body["n"] += 1
                store.put(found)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(key("count")).body["n"] == 200


def test_a_write_that_fails_in_sqlite_leaves_the_store_usable(store):
    with pytest.raises(sqlite3.Error), store.transaction():
        store.put(record("a"))
        store.write("INSERT INTO nowhere VALUES(1)")
    assert names(store) == []
    with store.transaction():
        store.put(record("b"))
    assert names(store) == ["b"]


def test_a_full_disk_loses_the_call_and_nothing_else(tmp_path):
    store = Store(tmp_path / "db")
    with store.transaction():
        store.put(record("before"))
    pages = store.rows("PRAGMA page_count")[0][0]
    store.rows(f"PRAGMA max_page_count={pages + 4}")
    with pytest.raises(DiskFull, match=str(tmp_path)), store.transaction():
        store.put(record("small"))
        with store.transaction():
            store.put(record("large", text="x" * 100_000))
    assert names(store) == ["before"]
    store.rows("PRAGMA max_page_count=100000")
    with store.transaction():
        store.put(record("after"))
    store.close()
    again = Store(tmp_path / "db")
    assert names(again) == ["before", "after"]
    again.close()


WRITER = """
    import sys
    from pathlib import Path
    from localaws.store import Key, Record, Store

    store = Store(Path(sys.argv[1]))
    for number in range(10**6):
        with store.transaction():
            for half in ("a", "b"):
                name = Key("Pipeline", "1" * 12, "us-east-1", f"{number}-{half}")
                store.put(Record(name, {"text": "x" * 2000}))
        print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_kill_at_any_moment_loses_no_answered_call_and_halves_none(tmp_path, after):
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "db")], stdout=subprocess.PIPE, text=True
    )
    answered = [int(writer.stdout.readline()) for _ in range(after)]
    os.kill(writer.pid, signal.SIGKILL)
    answered += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.wait()
    store = Store(tmp_path / "db")
    found = [tuple(found.key.name.split("-")) for found in store.select("kind=?", ("Pipeline",))]
    numbers = {int(number) for number, _ in found}
    assert set(answered) <= numbers
    assert len(found) == 2 * len(numbers)
    assert store.rows("PRAGMA integrity_check") == [("ok",)]
    store.close()
