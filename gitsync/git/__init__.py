"""Git without a work tree: urls, refs, credentials, one door to the git command, bare mirrors.

Knows no Django. Everything a row, a server or a commit says is untrusted input here.

    url, ref, subpath   text typed by users, parsed once, strictly
    credentials         secrets, and the environment that hands them to one git process
    client, process     the one door: every git command, its environment, its limits
    mirror, tree        a bare depth-1 mirror, and a commit's files read from it
    signature, ...      whose signature a commit or tag carries (signed_object, openpgp, allowed_signers, signer)
    errors, failure     what can go wrong, split by who must act
"""

from __future__ import annotations

import os

# GitPython, when it is imported, runs `git version` with the whole environment of the service, its keys too, and
# fails if there is no git. So it is imported here, before any module that uses it, and finds a git that cannot
# be run; ours is looked up for each call.
_LOOK_UP = {"GIT_PYTHON_REFRESH": "quiet", "GIT_PYTHON_GIT_EXECUTABLE": os.devnull}
_before = {name: os.environ.pop(name, None) for name in _LOOK_UP}
os.environ.update(_LOOK_UP)
try:
    import git as _git  # noqa: F401
finally:
    for _name, _value in _before.items():
        del os.environ[_name]
        if _value is not None:
            os.environ[_name] = _value
