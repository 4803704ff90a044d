"""Ways in which a file is damaged: what the field reports, and random bytes."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from random import Random

Damage = Callable[[Random, bytes], bytes]

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>Please sign in: now</body></html>\n"
)


def _insert(random: Random, content: bytes) -> bytes:
    at = random.randint(0, len(content))
    return content[:at] + random.randbytes(random.randint(1, 20)) + content[at:]


def _insert_ascii(random: Random, content: bytes) -> bytes:
    at = random.randint(0, len(content))
    return content[:at] + bytes(random.choices(range(32, 127), k=random.randint(1, 5))) + content[at:]


def _delete(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + content[at + random.randint(1, max(1, len(content) // 3)) :]


def _replace(random: Random, content: bytes) -> bytes:
    at, length = random.randrange(len(content)), random.randint(1, 12)
    return content[:at] + random.randbytes(length) + content[at + length :]


def _flip(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]


def _truncate(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content))]


def _lines(change: Callable[[Random, list[bytes]], None]) -> Damage:
    def damage(random: Random, content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        change(random, lines)
        return b"".join(lines)

    return damage


def _delete_line(random: Random, lines: list[bytes]) -> None:
    del lines[random.randrange(len(lines))]


def _repeat_line(random: Random, lines: list[bytes]) -> None:
    at = random.randrange(len(lines))
    lines.insert(at, lines[at])


def _swap_lines(random: Random, lines: list[bytes]) -> None:
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _comment_line(random: Random, lines: list[bytes]) -> None:
    at = random.randrange(len(lines))
    lines[at] = b"#" + lines[at]


def _indent_line(random: Random, lines: list[bytes]) -> None:
    at = random.randrange(len(lines))
    lines[at] = random.choice((b" ", b"\t", b"  ", b"- ", b"? ")) + lines[at]


def _conflict(random: Random, lines: list[bytes]) -> None:
    at = random.randrange(len(lines))
    lines[at : at + 1] = [b"<<<<<<< HEAD\n", lines[at], b"=======\n", lines[at], b">>>>>>> main\n"]


def _diff(random: Random, lines: list[bytes]) -> None:
    head = [b"diff --git a/x b/x\n", b"--- a/x\n", b"+++ b/x\n", b"@@ -1,9 +1,9 @@\n"]
    lines[:] = random.choice(([], head)) + [random.choice((b" ", b"+", b"-")) + line for line in lines]


def _key(new: bytes) -> Damage:
    """The first `dag` as a key, written otherwise. Without one (Python, a jar), a line is damaged."""

    def damage(random: Random, content: bytes) -> bytes:
        changed = re.sub(rb'"?\bdag\b"? ?:', new, content, count=1)
        return changed if changed != content else _lines(_comment_line)(random, content)

    return damage


def _in_encoding(name: str) -> Damage:
    return lambda _random, content: content.decode("utf-8", "replace").encode(name, "replace")


def _as(content: bytes) -> Damage:
    return lambda _random, _content: content


ANYWHERE: dict[str, Damage] = {
    "insert bytes": _insert,
    "insert text": _insert_ascii,
    "delete": _delete,
    "replace": _replace,
    "flip a bit": _flip,
    "truncate": _truncate,
    "delete a line": _lines(_delete_line),
    "repeat a line": _lines(_repeat_line),
    "swap lines": _lines(_swap_lines),
    "comment a line": _lines(_comment_line),
    "indent a line": _lines(_indent_line),
    "merge conflict": _lines(_conflict),
    "diff": _lines(_diff),
}
KNOWN: dict[str, Damage] = {
    "blank before dag": lambda _random, content: b" " + content,
    "tab before dag": lambda _random, content: b"\t" + content,
    "open quote": lambda _random, content: b'"' + content,
    "list item": lambda _random, content: b"- " + content,
    "no-break space": lambda _random, content: "\u00a0".encode() + content,
    "zero-width space": lambda _random, content: "\u200b".encode() + content,
    "dags": _key(b"dags:"),
    "Dag": _key(b"Dag:"),
    "DAG": _key(b"DAG:"),
    "dag with a blank": _key(b'"dag ":'),
    "dag without a colon": _key(b"dag"),
    "dag with another letter": _key(b"dog:"),
    "dag one level down": _key(b"x: dag:"),
    "commented dag": _key(b"#dag:"),
    "no dag": _key(b""),
    "empty": _as(b""),
    "blank": _as(b"\n \n"),
    "only a comment": _as(b"# to do\n"),
    "null": _as(b"null\n"),
    "a word": _as(b"todo\n"),
    "a page": _as(PAGE),
    "Git LFS pointer": _as(LFS),
    "git-crypt": lambda random, content: b"\0GITCRYPT\0" + random.randbytes(len(content)),
    "ansible-vault": _as(b"$ANSIBLE_VAULT;1.1;AES256\n366134653930\n"),
    "age": _as(b"age-encryption.org/v1\n-> X25519 abc\n"),
    "OpenPGP": _as(b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n"),
    "sops": lambda _random, content: (
        re.sub(rb": (\w.*)", b": ENC[AES256_GCM,data:xyz,type:str]", content)
        + b"\nsops:\n  mac: ENC[AES256_GCM,x]\n"
    ),
    "random bytes": lambda random, content: random.randbytes(len(content)),
    "gzip": lambda _random, content: gzip.compress(content, mtime=0),
    "UTF-16": _in_encoding("utf-16"),
    "UTF-16 without mark": _in_encoding("utf-16-le"),
    "UTF-16BE without mark": _in_encoding("utf-16-be"),
    "UTF-32": _in_encoding("utf-32"),
    "EBCDIC": _in_encoding("cp500"),
    "NUL bytes": lambda _random, content: content[:5] + b"\0" * 10 + content[5:],
    "zeros": lambda _random, content: b"\0" * len(content),
}


def damaged(random: Random, content: bytes) -> tuple[str, bytes]:
    """(the kind of the damage, the content with it), the content always another one."""
    while True:
        kinds = KNOWN if random.random() < 0.5 else ANYWHERE
        kind = random.choice(list(kinds))
        after = kinds[kind](random, content)
        if after != content:
            return kind, after
