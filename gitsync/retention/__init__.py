"""What grows with use, cleared away by age: a little at a time, as `kiok.retention.*` say.

`rules` says what may go and what never does, `walk` goes over a table in short transactions, `rounds` bounds what a
round of the leader costs, `mirrors` removes what deleted repositories left on this machine's disk.
See docs/adr/0024-retention.md.
"""

from gitsync.retention.mirrors import remove_leftover_mirrors
from gitsync.retention.rounds import Retention

__all__ = ["Retention", "remove_leftover_mirrors"]
