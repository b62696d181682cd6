"""The lock: one holder, who renews it; a killed holder's lease runs out by S3's own clock."""

import json
import threading
import time

import pytest

from promotion.accounts import account
from promotion.errors import LockLost, PromotionInProgress
from promotion.lock import Lock, held
from promotion.objects import Objects


@pytest.fixture
def objects(foundation, monkeypatch):
    monkeypatch.setenv("BATON_LOCK_SECONDS", "1")
    return Objects(account("registry"))


def test_two_at_once_are_distinguished_by_name(objects):
    with (
        held(objects, "prod", "promote 1.0"),
        pytest.raises(PromotionInProgress, match=r"prod is locked by tests \(promote 1.0\)"),
    ):
        Lock(objects, "prod", "promote 2.0").take(wait=0)


def test_environments_do_not_lock_each_other(objects):
    with held(objects, "prod", "one"), held(objects, "dev", "other"):
        pass


def test_a_holder_who_works_longer_than_the_lease_keeps_it(objects):
    with held(objects, "prod", "long work") as lock:
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            with pytest.raises(PromotionInProgress):
                Lock(objects, "prod", "other").take(wait=0)
            time.sleep(0.2)
        lock.check()


def test_a_killed_holders_lock_is_taken_after_its_lease(objects):
    killed = Lock(objects, "prod", "killed")
    killed.take()
    killed._released.set()  # a killed process renews nothing
    with pytest.raises(PromotionInProgress):
        Lock(objects, "prod", "too early").take(wait=0)
    with held(objects, "prod", "next"):
        content = json.loads(objects.get("locks/prod.json"))
        assert content["purpose"] == "next"
        time.sleep(1.1)
        with pytest.raises(LockLost, match="The lock of prod was lost"):
            killed.check()
        killed.release()
        assert objects.get("locks/prod.json") is not None


def test_a_lock_is_given_back(objects):
    with held(objects, "prod", "one"):
        pass
    assert objects.get("locks/prod.json") is None


def test_of_many_exactly_one_gets_it(objects):
    taken, start = [], threading.Barrier(8)

    def take(number):
        lock = Lock(objects, "prod", str(number))
        start.wait()
        try:
            lock.take(wait=0)
        except PromotionInProgress:
            return
        taken.append(lock)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    taken[0].release()
