"""Labels of states: one term per state, in every part of the product."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db.models import TextChoices

from gitsync.admin import states
from gitsync.management import terminal
from gitsync.models import DeliveryOutcome, FileState, RepositoryState, SyncState
from gitsync.repositories import notification_content
from gitsync.repositories.states import LABELS
from kiok.metadata.models import RunState
from kiok.notifications.models import DeliveryState, NotificationEvent
from kiok.text import in_sentence

TERMS = {"In sync", "Degraded", "Failing", "Syncing", "Queued", "Paused", "Never synced", "Disabled"}
GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
CHOICES = (
    RepositoryState,
    SyncState,
    FileState,
    DeliveryOutcome,
    RunState,
    DeliveryState,
    NotificationEvent,
)


def test_labels_of_a_repository_are_the_terms_of_the_glossary() -> None:
    assert set(LABELS.values()) == TERMS
    assert len(LABELS) == len(TERMS)
    states_of_it = GLOSSARY.read_text(encoding="utf-8").partition("## Terms")[0]
    assert set(re.findall(r"^\| \*\*(.+?)\*\* \|", states_of_it, re.MULTILINE)) == TERMS


def test_every_part_takes_its_labels_from_one_table() -> None:
    assert {state: label for state, (_, label) in states.REPOSITORY.items()} == dict(LABELS)
    assert set(terminal.COLOURS) == set(LABELS)
    assert {state.value: state.label for state in RepositoryState}.items() <= LABELS.items()
    assert SyncState.PARTIAL.label == LABELS[RepositoryState.DEGRADED]
    for event in (NotificationEvent.FAILING, NotificationEvent.DEGRADED):
        assert event.label == LABELS[event] == notification_content.LABELS_OF_EVENTS[event]
    recovered = notification_content.LABELS_OF_EVENTS[NotificationEvent.RECOVERED]
    assert f"{recovered} again" == NotificationEvent.RECOVERED.label


@pytest.mark.parametrize("choices", CHOICES)
def test_labels_begin_with_a_capital_letter(choices: type[TextChoices]) -> None:
    labels = [str(label) for label in choices.labels]
    assert labels == [label[:1].upper() + label[1:] for label in labels]
    assert all(" " in label or label[1:] == label[1:].lower() for label in labels)


def test_a_label_in_a_sentence_begins_with_a_small_letter() -> None:
    assert [in_sentence(label) for label in ("In sync", "Not a DAG", "")] == ["in sync", "not a DAG", ""]
