"""A real container's response, corrupted in ten thousand ways in transit: no file gets a wrong result."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from compilers.formats.python import PYTHON
from compilers.sandbox.base import SandboxJob
from compilers.sandbox.config import SandboxConfig
from compilers.sandbox.container import start_container
from compilers.sandbox.engine import Engine
from compilers.sandbox.exchange import Exchange, StreamDemultiplexer
from compilers.sandbox.protocol import (
    CompileRequest,
    FatalFrame,
    ProtocolError,
    ResponseParser,
    ResultFrame,
    chunk,
)
from compilers.sandbox.source_tar import measure, tar_stream
from tests.support.trees import MemoryTree

CORRUPTIONS = 10_000
SEED = 20_240_229
MAX_PAYLOAD_BYTES = 1 << 16
MAX_OUTPUT_BYTES = 1_000
FRAME_HEAD_BYTES = 9


@dataclass(frozen=True)
class Recording:
    """The data that one container sent: with the engine's framing, without it, and its frames."""

    seal: int
    files: Sequence[str]
    framed: bytes
    plain: bytes
    results: Sequence[ResultFrame]

    def parser(self) -> ResponseParser:
        return ResponseParser(
            self.files,
            max_payload_bytes=MAX_PAYLOAD_BYTES,
            max_output_bytes=MAX_OUTPUT_BYTES,
            seal=self.seal,
        )

    def frames(self) -> list[bytes]:
        """Return the bytes of each frame: hello, the results, end."""
        found, at = [], 0
        while at < len(self.plain):
            length = struct.unpack_from(">I", self.plain, at + 1)[0]
            found.append(self.plain[at : at + FRAME_HEAD_BYTES + length])
            at += FRAME_HEAD_BYTES + length
        return found


class _Recorder:
    """A socket that records the received bytes, with all methods that `Exchange` uses."""

    def __init__(self, connection: object) -> None:
        self._connection = connection
        self.received = bytearray()

    def recv(self, size: int) -> bytes:
        data: bytes = self._connection.recv(size)  # type: ignore[attr-defined]
        self.received += data
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def _record(config: SandboxConfig, seal: int) -> Recording:
    """Return the responses for files that compile, fail, die and print, under other names for each seal."""
    files = {f"{seal}_{at}.py": source for at, source in enumerate(SOURCES)}
    tree = MemoryTree(files)
    size = measure(tree.entries, config.limits)
    job = SandboxJob(PYTHON, list(files), tree.entries, tree)
    container = start_container(Engine(config), config, job)
    recorder = _Recorder(container.connection)

    def request() -> Iterator[bytes]:
        yield CompileRequest(
            language="python",
            files=tuple(files),
            import_roots=("",),
            entries=size.entries,
            total_bytes=size.total_bytes,
            file_timeout_seconds=10.0,
            deadline_seconds=60.0,
            max_payload_bytes=MAX_PAYLOAD_BYTES,
            max_output_bytes=MAX_OUTPUT_BYTES,
            max_memory_bytes=256 << 20,
            max_file_bytes=64 << 20,
            max_open_files=256,
            max_cpu_seconds=10,
            seal=seal,
        ).to_bytes()
        yield chunk(b"".join(tar_stream(tree, tree.entries)))
        yield chunk(b"")

    parser = ResponseParser(
        list(files), max_payload_bytes=MAX_PAYLOAD_BYTES, max_output_bytes=MAX_OUTPUT_BYTES, seal=seal
    )
    try:
        exchange = Exchange(
            recorder,  # type: ignore[arg-type]
            request(),
            parser,
            until=time.monotonic() + 60,
            max_bytes=1 << 20,
        )
        results = [frame for frame in exchange.frames() if isinstance(frame, ResultFrame)]
    finally:
        container.end()
    framed = bytes(recorder.received)
    plain = b"".join(part for stream, part in StreamDemultiplexer().feed(framed) if stream == 1)
    assert [frame.index for frame in results] == list(range(len(files)))
    return Recording(seal, list(files), framed, plain, results)


SOURCES = (
    "from kiok import Dag\ndag = Dag('one')\ndag.task('t', script='true')\n",
    "raise RuntimeError('two')\n",
    "print('three')\n",
    "import os\nprint('said')\nos._exit(4)\n",
    "from kiok import Dag\ndag = Dag('five')\ndag.task('t', script='x' * 2000)\n",
    "from kiok import Dag\ndag = Dag('six')\ndag.task('t', script='true')\n",
)


@pytest.fixture(scope="module")
def recordings(python_image: str) -> tuple[Recording, Recording]:
    """Return two containers' responses to the same sources: one to corrupt, and one to take frames from."""
    config = SandboxConfig(images={PYTHON: python_image})
    return _record(config, 1), _record(config, 2)


def _flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    at = rng.randrange(len(changed))
    changed[at : at + rng.randint(1, 16)] = rng.randbytes(rng.randint(1, 16))
    return bytes(changed)


def _swap_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    one, other = rng.randrange(len(changed)), rng.randrange(len(changed))
    changed[one], changed[other] = changed[other], changed[one]
    return bytes(changed)


def _swap_spans(data: bytes, rng: random.Random) -> bytes:
    a, b, c, d = sorted(rng.randrange(len(data)) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _delete(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 9, 100, 1000)) :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    start = rng.randrange(len(data))
    span = rng.choice((rng.randbytes(rng.randint(1, 100)), data[start : start + rng.randint(1, 1000)]))
    return data[:at] + span + data[at:]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


BYTES: Sequence[Callable[[bytes, random.Random], bytes]] = (
    _flip_bits,
    _set_bytes,
    _swap_bytes,
    _swap_spans,
    _delete,
    _insert,
    _truncate,
)


def _frames_shuffled(ours: list[bytes], theirs: list[bytes], rng: random.Random) -> list[bytes]:
    return rng.sample(ours, len(ours))


def _frame_again(ours: list[bytes], theirs: list[bytes], rng: random.Random) -> list[bytes]:
    at = rng.randint(0, len(ours))
    return [*ours[:at], rng.choice(ours), *ours[at:]]


def _frame_missing(ours: list[bytes], theirs: list[bytes], rng: random.Random) -> list[bytes]:
    at = rng.randrange(len(ours))
    return ours[:at] + ours[at + 1 :]


def _frame_of_another_file(ours: list[bytes], theirs: list[bytes], rng: random.Random) -> list[bytes]:
    at = rng.randrange(len(ours))
    return [*ours[:at], rng.choice(ours), *ours[at + 1 :]]


def _frame_of_another_container(ours: list[bytes], theirs: list[bytes], rng: random.Random) -> list[bytes]:
    at = rng.randrange(len(ours))
    return [*ours[:at], rng.choice((theirs[at], rng.choice(theirs))), *ours[at + 1 :]]


def _rest_of_another_container(ours: list[bytes], theirs: list[bytes], rng: random.Random) -> list[bytes]:
    at = rng.randrange(1, len(ours))
    return ours[:at] + theirs[at:]


FRAMES: Sequence[Callable[[list[bytes], list[bytes], random.Random], list[bytes]]] = (
    _frames_shuffled,
    _frame_again,
    _frame_missing,
    _frame_of_another_file,
    _frame_of_another_container,
    _rest_of_another_container,
)


def _corrupted(ours: Recording, theirs: Recording, rng: random.Random) -> tuple[str, bytes, bool]:
    """Return the kind of change, the bytes, and whether they have the engine's framing. Sometimes two changes apply."""
    if rng.random() < 0.3:
        change = rng.choice(FRAMES)
        data = b"".join(change(ours.frames(), theirs.frames(), rng))
        if rng.random() < 0.2:
            data = _flip_bits(data, rng) if data else data
        return change.__name__, data, False
    framed = rng.random() < 0.3
    data = ours.framed if framed else ours.plain
    names = []
    for change_bytes in rng.sample(BYTES, rng.choice((1, 1, 1, 2))):
        names.append(change_bytes.__name__)
        data = change_bytes(data, rng) if data else data
    return " then ".join(names), data, framed


def _read(parser: ResponseParser, data: bytes, framed: bool, rng: random.Random) -> list[ResultFrame]:
    """Return the results that the host would accept, from pieces as a socket might deliver them."""
    accepted: list[ResultFrame] = []
    demultiplexer = StreamDemultiplexer()
    step = rng.choice((7, 500, 65_536))
    try:
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            for stream, part in demultiplexer.feed(piece) if framed else ((1, piece),):
                if stream == 1:
                    frames: Iterator[ResultFrame | FatalFrame] = parser.feed(part)
                    for frame in frames:
                        assert isinstance(frame, ResultFrame), frame
                        accepted.append(frame)
    except ProtocolError:
        pass
    return accepted


def test_ten_thousand_corrupt_responses_give_no_file_a_wrong_result(
    recordings: tuple[Recording, Recording],
) -> None:
    ours, theirs = recordings
    rng = random.Random(SEED)
    refused = 0
    for number in range(CORRUPTIONS):
        how, data, framed = _corrupted(ours, theirs, rng)
        parser = ours.parser()
        accepted = _read(parser, data, framed, rng)
        assert accepted == list(ours.results[: len(accepted)]), f"corruption {number} of seed {SEED}: {how}"
        whole = parser.done and len(accepted) == len(ours.results)
        if not framed:
            assert whole is data.startswith(ours.plain), f"corruption {number} of seed {SEED}: {how}"
        refused += not whole
    # Shuffling may leave a response unchanged, and a change in the engine's padding has no effect.
    assert refused > CORRUPTIONS * 0.95


def test_an_answer_that_is_not_garbled_is_accepted_however_it_is_cut(
    recordings: tuple[Recording, Recording],
) -> None:
    for recording in recordings:
        for framed, data in ((True, recording.framed), (False, recording.plain)):
            for seed in range(10):
                parser = recording.parser()
                assert _read(parser, data, framed, random.Random(seed)) == recording.results
                assert parser.done


def test_the_answer_of_one_container_is_refused_as_the_answer_of_another(
    recordings: tuple[Recording, Recording],
) -> None:
    ours, theirs = recordings
    with pytest.raises(ProtocolError, match="does not match its checksum"):
        list(ours.parser().feed(theirs.plain))
