"""docs/scale.md says what the commands in it print."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "scale.md").read_text()


def scale_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale_tables", DOCS / "scale_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = scale_tables()
COMMANDS: list[list[str]] = TABLES.commands(TEXT)


def check(words: list[str]) -> None:
    for name, row in TABLES.rows(TABLES.figures(words)).items():
        assert row in TEXT, f"{name}: run `PYTHONPATH=. python docs/scale_tables.py`"


def test_the_document_names_a_command_for_each_row() -> None:
    clients = [words[words.index("--clients") + 1] for words in COMMANDS]
    assert clients == ["4000", "10000", "1000000", "10000000", "100000000"]


@pytest.mark.parametrize("words", COMMANDS[:2], ids=lambda words: words[1])
def test_the_smallest_rows_are_what_their_commands_print(words: list[str]) -> None:
    check(words)


@pytest.mark.cluster_long
@pytest.mark.parametrize("words", COMMANDS[2:], ids=lambda words: words[1])
def test_the_other_rows_are_what_their_commands_print(words: list[str]) -> None:
    check(words)
