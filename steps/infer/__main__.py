"""Entry point of the infer image: a hosting container, started with the argument `serve`."""

import os
import socket
import sys
from pathlib import Path

from steps.common import failure, log, paths
from steps.common.failure import StepFailed

SHUTDOWN = 25
"""Seconds for answers under way after SIGTERM; SageMaker kills the container after 30."""


@failure.entry_point(None)
def main() -> int:
    """Load the model and serve it until SIGTERM."""
    if sys.argv[1:2] == ["score"]:
        return score(sys.argv[2:])
    if sys.argv[1:] not in ([], ["serve"]):
        raise StepFailed(f"argument {sys.argv[1]}: this image only knows `serve` and `score`.")
    port = os.environ.get("SAGEMAKER_BIND_TO_PORT") or "8080"
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise StepFailed("SAGEMAKER_BIND_TO_PORT: not a port number.")

    # A container is reached through its own network; a plain process only from its own machine.
    host = "127.0.0.1" if os.environ.get(paths.ROOT_VARIABLE) else "0.0.0.0"
    # The heavy imports wait until the cheap checks are done.
    import uvicorn

    from steps.infer import pool
    from steps.infer.server import Application

    with _listener(host, int(port)) as listener:
        executor, workers = pool.start(paths.root() / "model")
        config = uvicorn.Config(
            Application(executor, workers),
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=SHUTDOWN,
        )
        log.info(f"Serving on port {port}.")
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def score(arguments: list[str]) -> int:
    """Score a file: what came, what goes, by names that tell their types."""
    if len(arguments) != 2:
        raise StepFailed("score: takes the file of rows and the file of answers.")
    from steps.infer import files, pool

    source, goal = map(Path, arguments)
    files.kind(source), files.kind(goal)
    executor, workers = pool.start(paths.root() / "model")
    rejected = files.score(source, goal, executor, workers)
    executor.shutdown()
    if rejected:
        log.info(f"{rejected} row{'s'[rejected == 1 :]} of {source.name} rejected in all.")
    return 0


def _listener(host: str, port: int) -> socket.socket:
    # Named by its protocol: only then asyncio sets TCP_NODELAY on what it accepts, without which small answers wait
    # 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(100)
    except OSError as error:
        listener.close()
        raise StepFailed(f"port {port}: {os.strerror(error.errno or 0)}.") from None
    return listener


if __name__ == "__main__":
    sys.exit(main())
