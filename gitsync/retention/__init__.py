"""Retention: removal of old rows in small steps, as configured by `kiok.retention.*`.

`rules` defines what may be removed and what is kept, `walk` scans a table in short transactions, `rounds` bounds the
cost of each of the leader's rounds, `mirrors` removes the mirrors of deleted repositories from this machine's disk.
See docs/adr/0024-retention.md.
"""

from gitsync.retention.mirrors import remove_leftover_mirrors
from gitsync.retention.rounds import Retention

__all__ = ["Retention", "remove_leftover_mirrors"]
