"""The Docker engine of this machine, and the images on it."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from compilers.base import ImageMismatch, ImageMissing, Kind, SandboxUnavailable
from compilers.sandbox import podman
from compilers.sandbox.product import Product
from compilers.sandbox.protocol import VERSION
from compilers.sandbox.self_check import unsupported_limits
from gitsync.models import Repository
from gitsync.monitoring.doctor.finding import Check, CheckResult, fail, ok, warn
from gitsync.worker import sandbox

MAX_IMAGES = 100
"""Of repositories, so many are looked at."""
MAX_NAMED = 3

_UNTOLD = warn("cannot be told while the engine does not answer", "See engine.")


def engine() -> CheckResult:
    """Whether it answers, its version, and what of its hardening it tells."""
    found = sandbox.sandbox().engine
    try:
        client = found.client()
        with found.answering():
            return judged(client.info(), client.version())
    except SandboxUnavailable as exc:
        return fail(
            str(exc), "Python files and jars cannot be compiled by workers of this machine until it answers."
        )


def judged(info: dict[str, Any], answer: dict[str, Any]) -> CheckResult:
    """Return what the engine's own description (`docker info`, `docker version`) means."""
    product = Product.of(answer)
    options = [re.sub(r"^name=|,.*$", "", str(option)) for option in info.get("SecurityOptions") or ()]
    cgroups = f"cgroup v{info.get('CgroupVersion', '1')}"
    version = str(product) if product.is_podman else product.version
    told = f"{version}, {cgroups}, {', '.join(options) or 'no security options'}"
    if not product.is_supported:
        return fail(told, f"Upgrade it to {product.required}.")
    if missing := unsupported_limits(info):
        return fail(
            f"{told}; it limits no {', '.join(missing)}",
            "Enable these control groups (a rootless engine needs version 2, with delegation); `manage.py sandbox_check` "
            "tries every wall.",
        )
    if "seccomp" not in options:
        return fail(f"{told}; no seccomp", "Use an engine and a kernel with seccomp.")
    if product.is_podman:
        told = "; ".join([told, *podman.weaknesses(info)])
    if not {"rootless", "userns"} & set(options):
        return warn(
            f"{told}; neither rootless nor with user namespaces",
            "Consider one of them: root in a container is root of the machine where a wall falls.",
        )
    return ok(told)


def image(kind: Kind) -> CheckResult:
    """Whether the service's image for this kind is there and speaks this version's protocol."""
    name = sandbox.sandbox().config.images[kind]
    try:
        digest = sandbox.sandbox().image_digest(kind)
    except (ImageMissing, ImageMismatch) as exc:
        return fail(str(exc), "Run `make images`.")
    except SandboxUnavailable:
        return _UNTOLD
    return ok(f"{name}, protocol {VERSION}, {digest.removeprefix('sha256:')[:12]}")


def images_of_repositories() -> CheckResult:
    """The same of the images that repositories name themselves."""
    named = {
        (kind, name)
        for column, kind in (("image_python", Kind.PYTHON), ("image_java", Kind.JAR))
        for name in Repository.objects.exclude(**{column: ""})
        .order_by()
        .values_list(column, flat=True)
        .distinct()[:MAX_IMAGES]
    }
    wrong = []
    for kind, name in sorted(named):
        try:
            sandbox.sandbox().image_digest(kind, name)
        except ImageMismatch:
            wrong.append(f"{name} (not of this version)")
        except ImageMissing:
            wrong.append(f"{name} (not there)")
        except SandboxUnavailable:
            return _UNTOLD
    if wrong:
        more = f" and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
        return fail(
            f"{len(wrong)} of {len(named)} cannot be used: {', '.join(wrong[:MAX_NAMED])}{more}",
            "Build them anew from the current base of `make images`, or pull them.",
        )
    return ok(f"{len(named)} in use, all of this version" if named else "none is named")


CHECKS = (
    Check("engine", engine),
    *(Check(f"image-{kind.value}", partial(image, kind)) for kind in (Kind.PYTHON, Kind.JAR)),
    Check("images-of-repositories", images_of_repositories, needs_database=True),
)
