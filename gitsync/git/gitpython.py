"""GitPython, imported so that it runs nothing.

When it is imported, it runs `git version` with the whole environment of the service, its keys too, and fails if there
is no git. So it is imported here and nowhere else, and finds a git that cannot be run; ours is looked up for each call.
"""

from __future__ import annotations

import os

_LOOK_UP = {"GIT_PYTHON_REFRESH": "quiet", "GIT_PYTHON_GIT_EXECUTABLE": os.devnull}
_before = {name: os.environ.pop(name, None) for name in _LOOK_UP}
os.environ.update(_LOOK_UP)
try:
    from git.cmd import Git
    from git.exc import GitCommandNotFound
finally:
    for _name, _value in _before.items():
        del os.environ[_name]
        if _value is not None:
            os.environ[_name] = _value

__all__ = ["Git", "GitCommandNotFound"]
