"""localaws: pipelines of trivial containers, beside the SageMaker SDK's own local mode in the same run."""

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/bench"
BUCKET = "bench"
IMAGES = ("bench/first", "bench/second", "bench/third")
