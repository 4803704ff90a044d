"""Envelope encryption: the master key wraps data keys, a data key encrypts values.

- The **master key** (`KIOK_MASTER_KEY`, at least 32 characters) is never stored. A wrapping key is derived
  from it by scrypt, with a separate salt for each data key. scrypt rather than HKDF: HKDF needs a uniformly
  random input, but an operator may type 32 characters, and guessing them from a stolen database must be
  expensive. It costs about 50 ms and 16 MiB, once per process and data key.
- A **data key** is 256 random bits, stored wrapped by AES-256-GCM. Rotating it does not need the old values: old
  versions still decrypt what they encrypted.
- Each **value** is encrypted separately, by AES-256-GCM with a random 96-bit nonce. Connection, property name and
  key version are its associated data, so a value that is moved to another row, name or version does not decrypt.
  NIST SP 800-38D (8.3) allows 2^32 random nonces per key.

This module does not use Django.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from kiok.connections.errors import MASTER_KEY, MasterKeyMissing, MasterKeyTooShort, MasterKeyWrong, Tampered

MIN_MASTER_KEY_LENGTH = 32
NONCE_BYTES = 12
SALT_BYTES = 16
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key, wrapped by the master key; all fields are bytes."""

    salt: bytes
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value, and the version of its data key."""

    version: int
    nonce: bytes
    ciphertext: bytes


def check_master_key(master_key: str | None, variable: str = MASTER_KEY) -> str:
    """Return the key if it is valid; `variable` is its source. Raises MasterKeyMissing or MasterKeyTooShort."""
    if not master_key:
        raise MasterKeyMissing(variable)
    if len(master_key) < MIN_MASTER_KEY_LENGTH:
        raise MasterKeyTooShort(len(master_key), MIN_MASTER_KEY_LENGTH, variable)
    return master_key


def new_data_key(master_key: str | None, version: int) -> Wrapped:
    """Return a new data key, wrapped. Raises MasterKeyMissing or MasterKeyTooShort."""
    return wrap(master_key, version, AESGCM.generate_key(KEY_BYTES * 8))


def wrap(master_key: str | None, version: int, key: bytes) -> Wrapped:
    """Wrap a data key by a master key. Raises MasterKeyMissing or MasterKeyTooShort."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    wrapping_key = _wrapping_key(check_master_key(master_key), salt)
    return Wrapped(salt, nonce, AESGCM(wrapping_key).encrypt(nonce, key, _key_label(version)))


def unwrap(master_key: str | None, version: int, wrapped: Wrapped) -> bytes:
    """Return the data key. Raises MasterKeyMissing, MasterKeyTooShort, or MasterKeyWrong."""
    wrapping_key = _wrapping_key(check_master_key(master_key), wrapped.salt)
    try:
        return AESGCM(wrapping_key).decrypt(wrapped.nonce, wrapped.ciphertext, _key_label(version))
    except InvalidTag as exc:
        raise MasterKeyWrong(version) from exc


def seal(key: bytes, version: int, connection: str, name: str, value: str) -> Sealed:
    """Encrypt the value of one property of one connection."""
    nonce = os.urandom(NONCE_BYTES)
    label = _value_label(version, connection, name)
    return Sealed(version, nonce, AESGCM(key).encrypt(nonce, value.encode(), label))


def open_sealed(key: bytes, connection: str, name: str, sealed: Sealed) -> str:
    """Decrypt a property's value. Raises Tampered."""
    label = _value_label(sealed.version, connection, name)
    try:
        return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, label).decode()
    except (InvalidTag, ValueError) as exc:
        raise Tampered(connection, name) from exc


@lru_cache(maxsize=64)
def _wrapping_key(master_key: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=2**14, r=8, p=1).derive(master_key.encode())


def _key_label(version: int) -> bytes:
    return json.dumps(["kiok data key", version]).encode()


def _value_label(version: int, connection: str, name: str) -> bytes:
    # A JSON list, since plain concatenation would not distinguish ("a", "bc") from ("ab", "c").
    return json.dumps(["kiok connection property", version, connection, name]).encode()
