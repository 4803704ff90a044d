"""Problems in the answers of the API."""

from __future__ import annotations

from typing import Any

URL = "https://127.0.0.1/dags.git"


def errors(answer: Any) -> dict[str, str]:
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.status_code == answer.json()["status"]
    return {item["field"]: item["message"] for item in answer.json()["errors"]}
