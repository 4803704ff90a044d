"""Models: Connection has named, encrypted properties; DataKey has the wrapped keys that encrypt them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import connection as database
from django.db import models, transaction

from kiok import refs
from kiok.connections import envelope, redaction
from kiok.connections.errors import InvalidProperty, Tampered

ID_PATTERN = refs.CONNECTION_ID
PROPERTY_NAME = re.compile(refs.PROPERTY)
MAX_VALUE_BYTES = 256 * 1024
MAX_PROPERTIES = 200
# Not secret by themselves; redacting them would make messages unreadable.
PUBLIC_PROPERTIES = frozenset(
    {
        "allowedSigners",
        "host",
        "hostname",
        "hosts",
        "knownHosts",
        "openpgpKeys",
        "port",
        "url",
        "user",
        "username",
    }
)
_ROTATION_LOCK = 0x6B696F6B  # "kiok": any number that no other lock in this database uses


class DataKey(models.Model):
    """A version of the data key, wrapped by the master key.

    The key itself never changes; only `active` does, and with `manage.py rotate_master_key` the wrapping.
    """

    version = models.PositiveIntegerField(primary_key=True)
    salt = models.BinaryField()
    nonce = models.BinaryField()
    wrapped = models.BinaryField()
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "data key"
        constraints = (
            models.UniqueConstraint(
                fields=["active"], condition=models.Q(active=True), name="connections_one_active_data_key"
            ),
        )

    def __str__(self) -> str:
        return f"data key {self.version}"

    @classmethod
    def current(cls) -> DataKey:
        """Return the active key; create the first one if there is none. Raises what `rotate` raises."""
        return cls.objects.filter(active=True).first() or cls.rotate(only_if_none=True)

    @classmethod
    def rotate(cls, *, only_if_none: bool = False) -> DataKey:
        """Add a new version and make it active; older versions can still decrypt.

        Safe for concurrent processes. Raises MasterKeyMissing, MasterKeyTooShort, or MasterKeyWrong if the master key is
        not the one that wraps the current data key.
        """
        with transaction.atomic():
            lock_data_keys()
            active = cls.objects.filter(active=True).first()
            if active is not None:
                if only_if_none:
                    return active
                active.unwrap()  # with a second master key, no process could read all connections
            version = (cls.objects.aggregate(last=models.Max("version"))["last"] or 0) + 1
            wrapped = envelope.new_data_key(_master_key(), version)
            cls.objects.filter(active=True).update(active=False)
            return cls.objects.create(
                version=version, salt=wrapped.salt, nonce=wrapped.nonce, wrapped=wrapped.ciphertext
            )

    def unwrap(self) -> bytes:
        """Return the key itself. Raises MasterKeyMissing, MasterKeyTooShort or MasterKeyWrong."""
        return self.unwrap_with(_master_key())

    def unwrap_with(self, master_key: str | None) -> bytes:
        """Return the key itself, unwrapped by the given master key."""
        wrapped = envelope.Wrapped(bytes(self.salt), bytes(self.nonce), bytes(self.wrapped))
        return envelope.unwrap(master_key, self.version, wrapped)


class Connection(models.Model):
    """A set of named properties, each encrypted separately.

    `sealed` is `{name: {"v": key version, "n": nonce, "c": ciphertext}}`, nonce and ciphertext in base64. Property
    names are not secret; values leave this class only through `properties`. `type` is a label for users.
    """

    class Type(models.TextChoices):
        GIT = "git", "Git credential"
        SECRET = "secret", "Secret"
        S3 = "s3", "S3"
        JDBC = "jdbc", "JDBC"
        KAFKA = "kafka", "Kafka"
        GENERIC = "generic", "Generic"

    id = models.CharField(
        primary_key=True,
        max_length=100,
        validators=[RegexValidator(rf"\A{ID_PATTERN}\Z", f"An id matches {ID_PATTERN}")],
        help_text="Letters, digits, dot, underscore and dash; cannot be changed later.",
    )
    type = models.CharField(max_length=20, choices=Type, default=Type.GENERIC)
    description = models.TextField(blank=True, default="")
    sealed = models.JSONField(default=dict, editable=False)
    # Who may name it in references (`kiok.connections.usage`). The app that owns the repositories adds grants to them.
    usable_by_all = models.BooleanField(
        "everyone",
        default=False,
        db_default=False,
        help_text="DAGs of every repository may use the connection, also of repositories that are added later.",
    )
    usable_by_groups = models.ManyToManyField(
        Group,
        blank=True,
        related_name="usable_connections",
        verbose_name="teams",
        help_text="DAGs of the repositories of these groups may use the connection.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(id__regex=rf"^{ID_PATTERN}$"), name="connections_id_pattern"
            ),
        )

    def __str__(self) -> str:
        return self.id

    def property_names(self) -> list[str]:
        """Return the names of the properties, sorted. Needs no key."""
        return sorted(self.sealed)

    def properties(self) -> dict[str, str]:
        """Return all properties, decrypted, and register their values with `redaction`.

        Raises MasterKeyMissing, MasterKeyTooShort, MasterKeyWrong or Tampered.
        """
        keys = {key.version: key for key in DataKey.objects.filter(version__in=self.key_versions())}
        values = {name: self._open(name, keys) for name in self.property_names()}
        redaction.register(value for name, value in values.items() if name not in PUBLIC_PROPERTIES)
        return values

    def set_properties(self, values: Mapping[str, str]) -> None:
        """Replace all properties and save. Raises InvalidProperty and what `DataKey.current` raises."""
        self.sealed = self._seal(values)
        self.save()

    def update_properties(self, values: Mapping[str, str], remove: Iterable[str] = ()) -> None:
        """Set some properties and remove others; the rest keep their current value in the database.

        Safe for concurrent changes of the same connection. Raises what `set_properties` raises.
        """
        sealed = self._seal(values)
        with transaction.atomic():
            stored = Connection.objects.select_for_update().get(pk=self.pk).sealed
            kept = {name: value for name, value in stored.items() if name not in set(remove) - set(sealed)}
            self.sealed = kept | sealed
            if len(self.sealed) > MAX_PROPERTIES:
                raise InvalidProperty(f"a connection can have at most {MAX_PROPERTIES} properties")
            self.save(update_fields=["sealed", "updated_at"])

    def reencrypt(self, key: DataKey) -> bool:
        """Re-encrypt the stored properties under `key`; return whether any was under another. The row must be locked."""
        if self.key_versions() <= {key.version}:
            return False
        self.sealed = self._seal(self.properties(), key)
        # Not `updated_at`: for users the connection did not change.
        self.save(update_fields=["sealed"])
        return True

    def key_versions(self) -> set[int]:
        """Return the versions of the data keys that encrypt its properties."""
        found = (value.get("v") for value in self.sealed.values() if isinstance(value, dict))
        return {version for version in found if isinstance(version, int)}

    def _seal(self, values: Mapping[str, str], key: DataKey | None = None) -> dict[str, Any]:
        check_properties(values)
        if not values:
            return {}
        key = key or DataKey.current()
        data_key = key.unwrap()
        sealed = {name: envelope.seal(data_key, key.version, self.id, name, values[name]) for name in values}
        return {
            name: {"v": s.version, "n": _base64(s.nonce), "c": _base64(s.ciphertext)}
            for name, s in sealed.items()
        }

    def _open(self, name: str, keys: Mapping[int, DataKey]) -> str:
        stored = self.sealed[name]
        try:
            nonce, ciphertext = (
                base64.b64decode(stored["n"], validate=True),
                base64.b64decode(stored["c"], validate=True),
            )
            version = int(stored["v"])
        except (KeyError, TypeError, ValueError, binascii.Error) as exc:
            raise Tampered(self.id, name) from exc
        if version not in keys:
            raise Tampered(self.id, name)  # its data key no longer exists
        return envelope.open_sealed(
            keys[version].unwrap(), self.id, name, envelope.Sealed(version, nonce, ciphertext)
        )


def lock_data_keys() -> None:
    """Block other processes from creating or rewrapping data keys until the transaction ends."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ROTATION_LOCK])


def check_properties(values: Mapping[str, str]) -> None:
    """Raise InvalidProperty for a name or value that cannot be stored; never shows a value."""
    for name, value in values.items():
        if not PROPERTY_NAME.fullmatch(name):
            raise InvalidProperty(f"property name {name!r} does not match {PROPERTY_NAME.pattern}")
        try:
            size = len(value.encode())
        except UnicodeEncodeError as exc:
            raise InvalidProperty(f"property {name!r}: the value is not valid Unicode text") from exc
        if "\0" in value:
            raise InvalidProperty(f"property {name!r}: the value holds a NUL character")
        if size > MAX_VALUE_BYTES:
            raise InvalidProperty(f"property {name!r} has {size} bytes; allowed: {MAX_VALUE_BYTES}")
    if len(values) > MAX_PROPERTIES:
        raise InvalidProperty(f"a connection can have at most {MAX_PROPERTIES} properties")


def check_master_key() -> None:
    """Raise MasterKeyMissing, MasterKeyTooShort or MasterKeyWrong if connections cannot be stored or read."""
    envelope.check_master_key(_master_key())
    active = DataKey.objects.filter(active=True).first()
    if active is not None:
        active.unwrap()


def _master_key() -> str | None:
    """Return the master key. The setting is a function, so that a key is read or generated only where it is needed."""
    key: str | None = settings.KIOK_MASTER_KEY()
    return key


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
