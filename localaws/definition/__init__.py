"""SageMaker's pipeline definition language, version 2020-12-01: read, validated and resolved, without I/O.

Sources: the published JSON schema
(https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/), botocore's
shapes of the calls that SageMaker makes for a step, and the JSON that the SageMaker Python SDK emits.
"""

from localaws.definition.conditions import evaluate
from localaws.definition.errors import InvalidDefinition, InvalidParameter, Unresolvable
from localaws.definition.model import CacheConfig, Definition, Parameter, PropertyFile, RetryPolicy, Step
from localaws.definition.parse import parse, problems
from localaws.definition.resolve import Scope, resolve
from localaws.definition.steptypes import EXECUTED

__all__ = [
    "EXECUTED",
    "CacheConfig",
    "Definition",
    "InvalidDefinition",
    "InvalidParameter",
    "Parameter",
    "PropertyFile",
    "RetryPolicy",
    "Scope",
    "Step",
    "Unresolvable",
    "evaluate",
    "parse",
    "problems",
    "resolve",
]
