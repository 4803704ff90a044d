"""The https git server of the tests as a program in a container: /repositories at port 8443."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.servers.https import HttpsServer

STATE = Path("/state")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: exit(0))
    certificates = (STATE / "server.pem", STATE / "server.key")
    with HttpsServer(Path("/repositories"), STATE, listen=("0.0.0.0", 8443), certificates=certificates):
        signal.pause()


if __name__ == "__main__":
    main()
