"""The SageMaker Python SDK, kept to this machine: it reports its calls to its makers, and looks for settings."""

import os

# The SDK reads these when it is imported. Its own way to refuse the reports makes it validate its settings at each
# call, which takes minutes; a proxy that nobody runs refuses everything that isn't this machine at once.
for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
    os.environ[name] = "http://127.0.0.1:9"
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = "127.0.0.1,localhost"
for scope in ("USER", "ADMIN"):
    os.environ[f"SAGEMAKER_{scope}_CONFIG_OVERRIDE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"
