"""Table of all properties of kiok, and the variables of the environment that are none.

Secrets are not properties: see kiok.server.keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from kiok.properties.property import Property, Setting
from kiok.properties.values import Properties
from kiok.server import keys

CONFIG_VARIABLE = "KIOK_CONFIG"
# Read elsewhere (kiok.server.keys, scripts/), so they cause no warning about an unknown variable.
_BY_SCRIPTS = (
    *("BASE_IMAGE", "DEBIAN_MIRROR", "IMAGE_PYTHON", "IMAGE_JAVA", "IMAGE_JAVA_BUILDER", "REBUILD"),
    *("BUILD_CA", "BUILD_PIP_CONF", "COMPOSE_DIR", "PUBLISH", "TAG"),
)
OTHER_VARIABLES = frozenset(
    {
        CONFIG_VARIABLE,
        *(f"{secret}{suffix}" for secret in keys.SECRETS for suffix in ("", "_FILE")),
        *(f"KIOK_{name}" for name in _BY_SCRIPTS),
    }
)

TABLE: Mapping[str, Property] = {
    line.name: line for line in (f.metadata.get("property") for f in fields(Properties)) if line is not None
}


def settings_of(values: Properties) -> Iterator[Setting]:
    """Yield every property in the order of the table, with its value as text and its source."""
    for line in TABLE.values():
        value = getattr(values, line.attribute)
        source = values.sources.get(line.name, "default")
        yield Setting(line.name, line.parser.show(value), source, line.description)
