"""docs/protocol.md says what the catalogues say."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from proto import client_requests, close_codes, errors
from proto.client_requests import OPS, parse

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "protocol.md").read_text()


def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_catalogues() -> None:
    assert tables().with_tables(TEXT) == TEXT, "run `python docs/tables.py`"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="errors"):
        tables().with_tables("# Nothing")


def test_every_code_has_an_entry() -> None:
    assert set(errors.CATALOGUE) == set(errors.ErrorCode)
    assert set(close_codes.CATALOGUE) == set(close_codes.CloseCode)


def test_every_op_is_described_and_no_other() -> None:
    section = TEXT.split("## Requests and replies")[1].split("## Streams")[0]
    described = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert described == set(OPS)


def test_the_limits_named_are_the_limits() -> None:
    assert f"(1–{client_requests.MAX_TEXT_CHARACTERS} characters)" in TEXT
    assert f"0–{client_requests.MAX_GIFT_VALUE:,}" in TEXT
    assert f"`count` (1–{client_requests.MAX_LIKES_PER_FRAME}" in TEXT
    assert f"list of ≤ {client_requests.MAX_ROOMS_PER_HELLO} " in TEXT
    assert f"`history`: 0–{client_requests.MAX_HISTORY}" in TEXT
    assert f"at most {client_requests.MAX_FETCH} numbers" in TEXT


def test_the_requests_of_the_example_are_requests() -> None:
    lines = re.findall(r"^    > (.*)$", TEXT, re.MULTILINE)
    assert len(lines) >= 2
    for line in lines:
        assert parse(line.encode())


def test_the_answers_of_the_example_are_json_arrays_of_frames() -> None:
    for line in re.findall(r"^    < (.*)$", TEXT, re.MULTILINE):
        for frame in json.loads(line):
            assert ("reply" in frame) != ("push" in frame)
