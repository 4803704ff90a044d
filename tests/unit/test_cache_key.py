"""The key of a cached result: its text must stay as it is, because keys are stored."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from compilers.build_cache import COMPILER_VERSION, CacheInputs, View
from compilers.source import DiscoveredFile
from tests.support.trees import MemoryTree

TEXTS = st.text(max_size=20)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=3))
def test_key_is_the_digest_of_all_inputs_as_json(
    kind: str, path: str, blob: str, image: str, limits: str, roots: list[str], questions: list[str]
) -> None:
    view = View(MemoryTree({"dags/a.py": "a"}).entries)
    inputs = CacheInputs(view, None, limits, roots)
    answers = [[question, view.answer(question)] for question in sorted(questions)]
    text = json.dumps(
        [COMPILER_VERSION, kind, path, blob, image, limits, roots, answers], separators=(",", ":")
    )
    key = inputs.key(DiscoveredFile(path, kind, blob, 1), questions, image)
    assert key == hashlib.sha256(text.encode()).hexdigest()
