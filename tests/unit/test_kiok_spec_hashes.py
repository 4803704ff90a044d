"""Hashes of compiled DAGs: a new optional key of the format changes none of them, and so makes no new version.

The hashes were recorded with the versions before `owner` and `tags`, and before the keys for runs, were added. Never
change one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kiok.compile import compile_python_file
from kiok.yaml_dag import compile_yaml

FORMATS = Path(__file__).resolve().parents[1] / "sandbox" / "formats"
RECORDED = {
    "characters": "27c342f7a7025c9be56ad5a3cdfe802d0ae1a8451ee05aa211bd4cf9d5830467",
    "config_values": "d644721843ff68f0b82c154454da7c05a67bca9520feb76c8afd480ec6f1c430",
    "default_timeout_camel": "5e9a2667dada65139449743dc99487e5e46cdb4ced4e3f6dab5cb70fe56e8640",
    "default_timeout_snake": "3b5781717d2bab90be7a9561e1b31da4e3ddeb7e56882b7cbcd5154050b2bd46",
    "durations": "710ce4c89495f29a29030668b00f4212ee3817012d2370787abdbe8bc2f54eac",
    "every_field": "0c0f8499938a10f32b97124fafdf461f9e5571c62a2bddd3bcc04ec6b118311f",
    "http": "657010ed8767821c618805f5942a3c7bfed6c74c9e288920207d73e733fa1c9d",
    "livy": "fcb36eb2b31176ac9ccf616c0abea3e7848b9c1c74dc2f7632ff816bbbd45b6a",
    "nothing_but_needs": "a28ed9b45fb53b044eb9fd30a9896f2e8dbb372e1050da879ef262039cdfe38e",
    "no_tags": "2b2f91cd9d4a1a7383f3164cb587024c055a4b378145f6a41d4df1d89432bda9",
    "ontul": "cc1e60db7fa69c7ab5bc33d6c3e44c645d5cffcd82a5f878445e35d3528228cc",
    "owner_and_tags": "1c90f1e060019a78937d37fbc0444a39e6c1cc7ccb4e47b5a8466b026b7b60b7",
    "references": "13778a994ad4c61b671149f19486ecc3d4c18e0a29d93e725243085d6d3fd0cf",
    "task_types": "5d0eb581cfe6e917cc69423e244215eb24493f2a0a24574620cc28a901c14b2d",
    "trino": "4e369e11d8cb090d36416811afbde484a757f499a464cb498e1065a857793146",
}


@pytest.mark.parametrize("row", RECORDED)
def test_dags_keep_their_recorded_hash(row: str) -> None:
    """Java gives the same bytes: tests/sandbox/test_formats.py."""
    (from_yaml,) = compile_yaml((FORMATS / f"{row}.yaml").read_bytes(), row).dags
    (from_python,) = compile_python_file(FORMATS / f"{row}.py").dags
    assert from_yaml.sha256 == from_python.sha256 == RECORDED[row]
