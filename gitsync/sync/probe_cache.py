"""One `ls-remote` for several repositories that ask the same remote, for the same ref, with the same credential.

A large repository is often configured many times, once for each team's folder. Its server need not be asked
for each of them; and whoever has another credential, or none, learns nothing from what was answered to one who has.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import astuple, dataclass, field

from gitsync.sync.remote import Remote


@dataclass(slots=True)
class _Probe:
    """One that is under way or over; `began` by the monotonic clock."""

    began: float
    done: threading.Event = field(default_factory=threading.Event)
    commit: str = ""
    error: Exception | None = None


class ProbeCache:
    """Probes of this process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._probes: dict[bytes, _Probe] = {}
        self._salt = os.urandom(32)

    def probe(self, remote: Remote, max_age_seconds: float) -> str:
        """The commit the ref named at most `max_age_seconds` ago. Raises as `Remote.probe`.

        Who asks while a probe is under way waits for that one.
        """
        key = self._key(remote)
        now = time.monotonic()
        with self._lock:
            found = self._probes.get(key)
            if found is None or now - found.began > max_age_seconds:
                # What is over is kept for as long as this asker's answer may be used.
                self._probes = {
                    other: probe
                    for other, probe in self._probes.items()
                    if not probe.done.is_set() or now - probe.began <= max_age_seconds
                }
                mine = self._probes[key] = _Probe(now)
                found = None
        if found is None:
            return self._run(mine, remote)
        found.done.wait()
        if found.error is not None:
            raise found.error
        return found.commit

    @staticmethod
    def _run(probe: _Probe, remote: Remote) -> str:
        try:
            probe.commit = remote.probe()
        except Exception as exc:
            probe.error = exc
            raise
        finally:
            probe.done.set()
        return probe.commit

    def _key(self, remote: Remote) -> bytes:
        """Digest of url, ref and credential; keyed, so that it tells nothing about a secret."""
        credential = () if remote.credential is None else astuple(remote.credential)
        # Every field by hand: the repr of a credential leaves its secrets out.
        parts = (astuple(remote.url), str(remote.ref), type(remote.credential).__name__, credential)
        return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), key=self._salt).digest()
