"""The last batches' verdicts, however many there were."""

from functions.common import recent
from functions.common.context import client, read_json
from functions.common.ledger import SCORED, Batch, Entry


def listed(context):
    found = client("s3").list_objects_v2(Bucket=context.data_bucket, Prefix=recent.PREFIX).get("Contents", [])
    return [item["Key"].removeprefix(recent.PREFIX) for item in found]


def entry(number, verdict):
    at = f"2026-01-01T{number // 60:02}:{number % 60:02}:00+00:00"
    batch = Batch(f"b{number}", f"s3://b/data/batches/b{number}.csv", (), at)
    return Entry(batch, SCORED, "arn:x", 1, verdict=verdict, history=({"at": at, "state": SCORED},))


def test_only_the_last_verdicts_stay(context):
    recent.never_empty(context)
    for number in range(recent.LAST + 3):
        recent.note(context, entry(number, {"rows": number}))
    names = [name.partition("-")[2] for name in listed(context) if "-" in name]
    assert names == [f"b{number}.json" for number in range(recent.LAST + 2, 2, -1)]
    assert "claimed.json" in listed(context)
    newest = recent.PREFIX + listed(context)[0]
    assert read_json(context.data_bucket, newest)[0] == {"verdict": {"rows": recent.LAST + 2}}


def test_what_has_no_verdict_is_not_noted(context):
    recent.note(context, entry(1, None))
    assert listed(context) == []
