"""Entry point of the infer image: a hosting container, started with the argument `serve`."""

import os
import socket
import sys

from steps.common import failure, log, paths
from steps.common.failure import StepFailed

SHUTDOWN = 25
"""Seconds for answers under way after SIGTERM; SageMaker kills the container after 30."""


@failure.entry_point(None)
def main() -> int:
    """Load the model and serve it until SIGTERM."""
    if sys.argv[1:] not in ([], ["serve"]):
        raise StepFailed(f"argument {sys.argv[1]}: this image only knows `serve`.")
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT") or "8080"
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise StepFailed("SAGEMAKER_BIND_TO_PORT: not a port number.")

    # The heavy imports wait until the cheap checks are done.
    import uvicorn

    from steps.infer.scoring import Model
    from steps.infer.server import application

    config = uvicorn.Config(
        application(Model(paths.root() / "model")),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN,
    )
    # A container is reached through its own network; a plain process only from its own machine.
    host = "127.0.0.1" if os.environ.get(paths.ROOT_VARIABLE) else "0.0.0.0"
    try:
        listener = socket.create_server((host, int(port)))
    except OSError as error:
        raise StepFailed(f"port {port}: {os.strerror(error.errno or 0)}.") from None
    log.info(f"Serving on port {port}.")
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
