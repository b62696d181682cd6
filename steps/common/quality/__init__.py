"""One measure of a model: what `evaluate` and `monitor` write for the same rows, in SageMaker Model Monitor's form.

`binary`, `multiclass` and `regression` have the same three names: the labelled rows, `members` (their metrics as the
developer guide documents them, with Baton's own beside them) and `difference` (how one model's headline metric differs
from another's on the same rows). The form: docs.aws.amazon.com/sagemaker/latest/dg/
model-monitor-model-quality-metrics.html.
"""
