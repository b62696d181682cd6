"""Entry point of the infer image: a hosting container, started with the argument `serve`."""

import os
import sys

import uvicorn

from steps.common import failure, paths
from steps.common.failure import StepFailed
from steps.infer.scoring import Model
from steps.infer.server import application


@failure.entry_point(failure.failure_file)
def main() -> int:
    """Load the model and serve it until SIGTERM."""
    if sys.argv[1:] not in ([], ["serve"]):
        raise StepFailed(f"argument {sys.argv[1]}: this image only knows `serve`.")
    model = Model(paths.root() / "model")
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")
    if not port.isdigit():
        raise StepFailed("SAGEMAKER_BIND_TO_PORT: not a port number.")
    # A container is reached through its own network; a plain process only from its own machine.
    host = "127.0.0.1" if paths.ROOT_VARIABLE in os.environ else "0.0.0.0"
    uvicorn.run(
        application(model),
        host=host,
        port=int(port),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
