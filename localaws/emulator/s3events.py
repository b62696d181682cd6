"""S3's events, where the emulator is another process: what was created is told as S3 tells EventBridge.

Source: "Amazon S3 event notifications: EventBridge" (detail of Object Created).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from localaws.events import outbox

if TYPE_CHECKING:
    from localaws.application import Application

CREATES = ("PutObject", "CopyObject", "CompleteMultipartUpload")
"""The operations that make an object."""


def tell(app: Application, account: str, region: str, bucket: str, key: str, reason: str) -> None:
    """Write the event of a new object to its account's bus, if the bucket sends its events there."""
    s3 = app.client("s3", account, region)
    try:
        if "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket):
            return
        head = s3.head_object(Bucket=bucket, Key=key)
    except ClientError:
        # Another account's bucket: its own account isn't known here, and so isn't its bus.
        return
    made = {"key": key, "size": head["ContentLength"], "etag": head["ETag"].strip('"')}
    if head.get("VersionId"):
        made["version-id"] = head["VersionId"]
    detail = {"version": "0", "bucket": {"name": bucket}, "object": made, "requester": account, "reason": reason}
    outbox.put(app, account, region, "default", "aws.s3", "Object Created", [f"arn:aws:s3:::{bucket}"], detail)
