"""Single-flight probe cache: one `ls-remote` for all repositories with the same url, ref and credential.

A large repository is often configured many times, once for each team's folder. This spares its server a request for
each of them. A repository with another credential, or none, never gets an answer that was given to this one.
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
    """Probe that is running or done; `began` is a time of the monotonic clock."""

    began: float
    done: threading.Event = field(default_factory=threading.Event)
    commit: str = ""
    error: Exception | None = None


class ProbeCache:
    """Single-flight cache of this process's probes. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._probes: dict[bytes, _Probe] = {}
        self._salt = os.urandom(32)

    def probe(self, remote: Remote, max_age_seconds: float) -> str:
        """Return the commit that the ref named at most `max_age_seconds` ago. Raises the errors of `Remote.probe`.

        A caller that comes while the same probe is running waits for its result.
        """
        key = self._key(remote)
        now = time.monotonic()
        with self._lock:
            found = self._probes.get(key)
            if found is None or now - found.began > max_age_seconds:
                # Drop finished probes that are too old for this caller.
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
        """Return a digest of url, ref and credential; keyed, so that it reveals nothing about a secret."""
        credential = () if remote.credential is None else astuple(remote.credential)
        # List every field: the repr of a credential omits its secrets.
        parts = (astuple(remote.url), str(remote.ref), type(remote.credential).__name__, credential)
        return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), key=self._salt).digest()
