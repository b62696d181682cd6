"""The door under load: permissions are asked for through the port itself, and must never wait for each other."""

import threading
from concurrent.futures import ThreadPoolExecutor

from localaws.access.authorization import THREADS
from localaws.conftest import allow

AT_ONCE = 3 * THREADS


def test_more_new_sessions_at_once_than_threads_are_all_answered(account):
    bucket = account.bucket()
    account.role("reads", allow("s3:ListBucket"))
    clients = [account.act("reads", "s3", f"session-{number}") for number in range(AT_ONCE)]
    # Whoever is asked about first is asked about by everybody: a change has made everything unknown.
    account.allow("reads", allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    together = threading.Barrier(AT_ONCE)

    def look(client):
        together.wait()
        return client.list_objects_v2(Bucket=bucket)["KeyCount"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(look, clients)) == [0] * AT_ONCE
