"""Checks of this machine's Docker engine and its images."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from compilers.formats import languages
from compilers.sandbox import podman
from compilers.sandbox.base import ImageMismatch, ImageMissing, SandboxUnavailable
from compilers.sandbox.language import Language
from compilers.sandbox.product import Product
from compilers.sandbox.protocol import VERSION
from compilers.sandbox.self_check import unsupported_limits
from gitsync.models import Repository
from gitsync.monitoring.doctor.check import Check, fail, ok, warn
from gitsync.worker import sandbox
from kiok.checks import CheckResult

MAX_IMAGES = 100  # of the images that repositories name, so many are checked
MAX_NAMED = 3

_UNTOLD = warn("unknown while the engine does not respond", "See the check `engine`.")


def engine() -> CheckResult:
    """Check that the engine responds, its version, and the hardening that it reports."""
    found = sandbox.sandbox().engine
    try:
        client = found.client()
        with found.answering():
            return judged(client.info(), client.version())
    except SandboxUnavailable as exc:
        return fail(
            str(exc),
            "Workers on this machine cannot compile Python files and jars until the engine responds.",
        )


def judged(info: dict[str, Any], answer: dict[str, Any]) -> CheckResult:
    """Return the finding for the output of `docker info` and `docker version`."""
    product = Product.of(answer)
    options = [re.sub(r"^name=|,.*$", "", str(option)) for option in info.get("SecurityOptions") or ()]
    cgroups = f"cgroup v{info.get('CgroupVersion', '1')}"
    version = str(product) if product.is_podman else product.version
    told = f"{version}, {cgroups}, {', '.join(options) or 'no security options'}"
    if not product.is_supported:
        return fail(told, f"Upgrade the engine to {product.required}.")
    if missing := unsupported_limits(info):
        return fail(
            f"{told}; it cannot limit {', '.join(missing)}",
            "Enable these cgroup controllers (a rootless engine needs cgroup v2 with delegation). `manage.py sandbox_check` "
            "tests every isolation layer.",
        )
    if "seccomp" not in options:
        return fail(f"{told}; no seccomp", "Use an engine and a kernel with seccomp.")
    if product.is_podman:
        told = "; ".join([told, *podman.weaknesses(info)])
    if not {"rootless", "userns"} & set(options):
        return warn(
            f"{told}; neither rootless nor with user namespaces",
            "Consider one of them. Otherwise, a process that escapes from its container is root on this machine.",
        )
    return ok(told)


def image(language: Language) -> CheckResult:
    """Check that the service's image for this language exists and speaks this version's protocol."""
    name = sandbox.sandbox().config.images[language]
    try:
        digest = sandbox.sandbox().image_digest(language)
    except (ImageMissing, ImageMismatch) as exc:
        return fail(str(exc), "Run `make images`.")
    except SandboxUnavailable:
        return _UNTOLD
    return ok(f"{name}, protocol {VERSION}, {digest.removeprefix('sha256:')[:12]}")


def images_of_repositories() -> CheckResult:
    """Check the images that repositories name themselves in the same way."""
    stored = Repository.objects.exclude(images={}).order_by().values_list("images", flat=True).distinct()
    named = {
        (language, images[language.name])
        for images in stored[:MAX_IMAGES]
        for language in languages()
        if images.get(language.name)
    }
    wrong = []
    for language, name in sorted(named, key=lambda item: (item[0].name, item[1])):
        try:
            sandbox.sandbox().image_digest(language, name)
        except ImageMismatch:
            wrong.append(f"{name} (built for another version)")
        except ImageMissing:
            wrong.append(f"{name} (missing)")
        except SandboxUnavailable:
            return _UNTOLD
    if wrong:
        more = f" and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
        return fail(
            f"{len(wrong)} of {len(named)} images cannot be used: {', '.join(wrong[:MAX_NAMED])}{more}",
            "Rebuild them from the current base of `make images`, or pull them.",
        )
    return ok(f"{len(named)} images in use, all of this version" if named else "no repository names an image")


CHECKS = (
    Check("engine", engine),
    *(Check(f"image-{language.name}", partial(image, language)) for language in languages()),
    Check("images-of-repositories", images_of_repositories, needs_database=True),
)
