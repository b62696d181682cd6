"""A relay before a registry that counts what goes through: `python -m bench.promotion.counting HOST:PORT`.

It prints its own address, and answers each line on standard input with the bytes since the line before.
"""

from __future__ import annotations

import asyncio
import sys

BLOCK = 1 << 18


class Relay:
    """Connections to one address, and the bytes of both directions."""

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self.count = 0
        self._connections: set[asyncio.Task] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either side closes it."""
        # Nobody else holds a connection that waits, and what nobody holds is collected.
        self._connections.add(connection := asyncio.current_task())
        connection.add_done_callback(self._connections.discard)
        there, back = await asyncio.open_connection(self._host, int(self._port))
        try:
            await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        finally:
            for side in (writer, back):
                side.close()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while block := await source.read(BLOCK):
                self.count += len(block)
                target.write(block)
                await target.drain()
            target.write_eof()
        except (ConnectionError, OSError):
            target.close()


async def main(target: str) -> None:
    """Serve until standard input closes."""
    relay = Relay(target)
    server = await asyncio.start_server(relay.connected, "127.0.0.1", 0)
    print("{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(relay.count, flush=True)
        relay.count = 0


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
