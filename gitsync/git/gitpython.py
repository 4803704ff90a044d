"""GitPython, imported in a way that runs no program.

On import, GitPython runs `git version` with the whole environment of the service, including its keys, and fails if git is
missing. So this is the only module that imports it, with a git executable that cannot be run. The real one is searched
for on each call.
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
