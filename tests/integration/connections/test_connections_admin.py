"""Connections in the admin: properties go in and never come out."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client, override_settings

from kiok.connections import property_text
from kiok.connections.errors import InvalidProperty
from kiok.connections.models import Connection
from tests.unit.key_text import key_text

ADD = "/admin/connections/connection/add/"
LIST = "/admin/connections/connection/"
SECRET = "s3cr3t-hunter2"
PEM = key_text(b"open" * 20).rstrip()


def fields(id: str = "git-main", changes: str = "", **more: str) -> dict[str, str]:
    return {"id": id, "type": "git", "description": "", "changes": changes, **more}


def change_url(id: str = "git-main") -> str:
    return f"/admin/connections/connection/{id}/change/"


def stored(id: str = "git-main") -> dict[str, str]:
    return Connection.objects.get(pk=id).properties()


@pytest.fixture
def saved() -> Connection:
    connection = Connection(id="git-main", type="git")
    connection.set_properties({"username": "deploy", "password": SECRET})
    return connection


def test_a_connection_is_added_with_its_properties(admin_client: Client) -> None:
    answer = admin_client.post(
        ADD, fields(changes=f"username=deploy\r\nprivateKey={PEM}\r\n".replace("\n", "\r\n"))
    )
    assert answer.status_code == 302
    assert stored() == {"username": "deploy", "privateKey": PEM + "\n"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("token= abc", "'token' begins with a space"),
        ("token=abc ", "'token' ends with a space"),
        ("token=<<END\nabc\nEND", "'token' ends with a line break"),
        ("token=a\u200bbc", "has a character U+200B as character 2"),
        ("token=a\u00a0bc", "has a character U+00A0 as character 2"),
        ("username=ada\npassword=hunter22\t", "'password' ends with a tab"),
        ("username=ada \npassword=hunter22", "'username' ends with a space"),
        (
            f"privateKey={PEM}".replace("\n", "\n  "),
            "'privateKey' has white space at the beginning of line 2",
        ),
        ("privateKey=" + PEM.replace("\n", "\\n"), "contains the two characters \\n"),
        ("privateKey=ssh-ed25519 AAAAC3NzaC1 ada", "is a public key"),
        ("privateKey=PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none", "puttygen KEY.ppk"),
        (
            "privateKey=" + PEM.rpartition("\n")[0],
            "has no end; expected a line '-----END OPENSSH PRIVATE KEY-----'",
        ),
        ("privateKey=" + PEM.replace(PEM.split("\n")[1] + "\n", ""), "some of its lines are missing"),
    ],
)
def test_a_value_that_git_could_not_use_is_refused_by_the_form(
    admin_client: Client, changes: str, message: str
) -> None:
    answer = admin_client.post(ADD, fields(changes=changes))
    (error,) = answer.context["adminform"].form.errors["changes"]
    assert message in error
    assert "Enter all lines again" in error
    assert "hunter22" not in answer.content.decode()
    assert not Connection.objects.exists()


def test_a_key_with_byte_order_mark_and_blank_lines_is_accepted(admin_client: Client) -> None:
    text = "\ufeffprivateKey=\n\n" + PEM.replace("\n", "  \r\n") + "\n"
    assert admin_client.post(ADD, fields(changes=text)).status_code == 302
    assert stored()["privateKey"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")


@pytest.mark.parametrize("kind", ["generic", "secret"])
def test_values_that_are_not_for_git_are_stored_as_they_are(admin_client: Client, kind: str) -> None:
    changes = "password= x \ntoken=<<END\na b\nEND"
    assert admin_client.post(ADD, fields(changes=changes, type=kind)).status_code == 302
    assert stored() == {"password": " x ", "token": "a b\n"}


def test_the_types_are_those_of_the_model_in_their_order(admin_client: Client) -> None:
    field = admin_client.get(ADD).context["adminform"].form.fields["type"]
    assert field.choices == [
        *(("git", "Git credential"), ("secret", "Secret"), ("s3", "S3"), ("jdbc", "JDBC")),
        *(("kafka", "Kafka"), ("generic", "Generic")),
    ]
    assert field.initial == "generic"


def test_stored_values_are_on_no_page_but_their_names_are(admin_client: Client, saved: Connection) -> None:
    for page in (change_url(), LIST, f"{LIST}git-main/history/", f"{LIST}git-main/delete/"):
        answer = admin_client.get(page)
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()
    assert "password, username" in admin_client.get(change_url()).content.decode()
    assert "password, username" in admin_client.get(LIST).content.decode()


def test_saving_without_naming_properties_leaves_them_as_they_are(
    admin_client: Client, saved: Connection
) -> None:
    assert admin_client.post(change_url(), fields(description="new")).status_code == 302
    assert stored() == {"username": "deploy", "password": SECRET}
    assert Connection.objects.get().description == "new"


def test_named_properties_are_set_and_removed(admin_client: Client, saved: Connection) -> None:
    assert admin_client.post(change_url(), fields(changes="-password\ntoken=abc")).status_code == 302
    assert stored() == {"username": "deploy", "token": "abc"}


def test_a_form_with_an_error_is_shown_without_the_values(admin_client: Client) -> None:
    answer = admin_client.post(ADD, fields(id="bad id", changes=f"password={SECRET}"))
    assert answer.status_code == 200
    assert b"An id matches" in answer.content
    assert SECRET not in answer.content.decode()
    answer = admin_client.post(ADD, fields(changes=f"password={SECRET}\n{SECRET}"))
    assert b"line 2: expected name=value" in answer.content
    assert SECRET not in answer.content.decode()
    assert not Connection.objects.exists()


def test_no_value_is_in_messages_or_the_admins_log(admin_client: Client, saved: Connection) -> None:
    answer = admin_client.post(change_url(), fields(changes="password=brand-new-value\n-username"))
    assert "brand-new-value" not in "".join(str(message) for message in get_messages(answer.wsgi_request))
    admin_client.post(ADD, fields(id="other", changes="password=brand-new-value"))
    entries = [entry.change_message + entry.object_repr for entry in LogEntry.objects.all()]
    assert len(entries) == 2
    assert "brand-new-value" not in "".join(entries)
    assert "password, -username" in "".join(entries)


def test_without_a_master_key_the_pages_show_a_remedy(admin_client: Client) -> None:
    with override_settings(KIOK_MASTER_KEY=lambda: None):
        for page in (LIST, ADD):
            answer = admin_client.get(page)
            assert answer.status_code == 200
            assert b"set the environment variable KIOK_MASTER_KEY" in answer.content
        answer = admin_client.post(ADD, fields(changes=f"password={SECRET}"))
        assert answer.status_code == 200
        assert b"set the environment variable KIOK_MASTER_KEY" in answer.content
    assert SECRET not in answer.content.decode()
    assert not Connection.objects.exists()


def test_with_another_master_key_the_pages_report_it(admin_client: Client, saved: Connection) -> None:
    with override_settings(KIOK_MASTER_KEY=lambda: "another master key of enough characters"):
        answer = admin_client.get(change_url())
        assert b"does not decrypt data key 1" in answer.content
        answer = admin_client.post(change_url(), fields(changes="password=x"))
        assert b"does not decrypt data key 1" in answer.content
    assert stored()["password"] == SECRET


def test_removing_a_missing_property_is_an_error(admin_client: Client, saved: Connection) -> None:
    answer = admin_client.post(change_url(), fields(changes="-pasword"))
    assert b"There is no property &#x27;pasword&#x27; to remove" in answer.content


def test_the_id_cannot_be_changed(admin_client: Client, saved: Connection) -> None:
    admin_client.post(change_url(), fields(id="renamed", changes="a=1"))
    assert [connection.id for connection in Connection.objects.all()] == ["git-main"]


def test_an_edit_from_a_stale_page_keeps_concurrent_changes(admin_client: Client, saved: Connection) -> None:
    admin_client.get(change_url())
    Connection.objects.get().update_properties({"token": "meanwhile"})
    admin_client.post(change_url(), fields(changes="other=1"))
    assert stored() == {"username": "deploy", "password": SECRET, "token": "meanwhile", "other": "1"}


@pytest.mark.django_db
def test_only_staff_sees_connections(client: Client, saved: Connection) -> None:
    for page in (LIST, ADD, change_url()):
        answer = client.get(page)
        assert answer.status_code == 302
        assert "/admin/login/" in answer.headers["Location"]


# The text.


@pytest.mark.parametrize(
    ("text", "values", "remove"),
    [
        ("", {}, set()),
        ("\n# a=1\n  \n", {}, set()),
        ("a=1", {"a": "1"}, set()),
        ("a= b=c  ", {"a": " b=c  "}, set()),
        (" a =1\r\nb=", {"a": "1", "b": ""}, set()),
        ("-a\n- b", {}, {"a", "b"}),
        ("a=<<X\none\n\n-two\nX\nb=2", {"a": "one\n\n-two\n", "b": "2"}, set()),
        ("a=<< not a word", {"a": "<< not a word"}, set()),
        (f"k={PEM}\nb=2", {"k": PEM + "\n", "b": "2"}, set()),
        (f"k=\n{PEM}\n-c", {"k": PEM + "\n"}, {"c"}),
        (
            "openpgpKeys=-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----",
            {
                "openpgpKeys": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n=abcd\n"
                "-----END PGP PUBLIC KEY BLOCK-----\n"
            },
            set(),
        ),
        ("k=-----BEGIN and no more", {"k": "-----BEGIN and no more"}, set()),
    ],
)
def test_the_text_is_read(text: str, values: dict[str, str], remove: set[str]) -> None:
    changes = property_text.parse(text)
    assert changes.set == values
    assert changes.remove == remove
    assert "set=" not in repr(changes), "it would show the values"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=1\nhunter2", "line 2: expected name=value"),
        ("=hunter2", "line 1: expected name=value"),
        ("hunter2 x=1", "line 1: the property name before = may have only"),
        ("a=1\na=hunter2", "line 2: property 'a' is duplicated"),
        ("a=1\n-a", "line 2: property 'a' is duplicated"),
        ("a=<<X\nhunter2", "line 1: the value of 'a' has no end; expected a line 'X'"),
        ("a=-----BEGIN K-----\nhunter2", "expected a line '-----END K-----'"),
        ("-----BEGIN K-----\nhunter2", "line 1: expected name=value"),
        ("-hunter 2=x", "line 1: to remove a property, write -name"),
    ],
)
def test_a_mistake_in_the_text_names_its_line_and_no_value(text: str, message: str) -> None:
    with pytest.raises(InvalidProperty) as caught:
        property_text.parse(text)
    assert message in str(caught.value)
    assert "hunter" not in str(caught.value)
