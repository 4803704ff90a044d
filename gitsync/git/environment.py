"""The environment and configuration of every git command: fixed lists, independent of the machine's settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# The only variables that git inherits from the service.
INHERITED = (
    "PATH",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
)

# Passed on every call. This scope has precedence over any configuration file.
CONFIG: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.logAllRefUpdates": "false",
    "credential.helper": "",
    "credential.useHttpPath": "false",
    "fetch.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # always keep the pack: no thousands of loose objects
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.sslVerify": "true",
    "http.emptyAuth": "false",
    "http.extraHeader": "",
    "http.cookieFile": "",
    "maintenance.auto": "false",
    "pack.writeReverseIndex": "false",
    "protocol.version": "2",
    "repack.updateServerInfo": "false",
    "repack.writeBitmaps": "false",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.fsckObjects": "true",
}

# Makes git print the headers of HTTP responses to stderr, without credentials and bodies.
TRACE: Mapping[str, str] = {"GIT_TRACE_CURL": "2", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}


def environment(home: Path, askpass: Path, directory: Path | None) -> dict[str, str]:
    """Return the environment of a git command on the bare repository `directory`, or on none."""
    values = {name: os.environ[name] for name in INHERITED if name in os.environ}
    values |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": str(askpass),
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_CEILING_DIRECTORIES": str(home),
    }
    if directory is not None:
        values["GIT_DIR"] = str(directory)
    return values
