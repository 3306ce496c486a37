from pathlib import Path

import pytest
from sqlalchemy import Table

from backends.database.schema import metadata

DOCUMENT = (Path(__file__).parents[3] / "docs" / "database.md").read_text()


@pytest.mark.parametrize("table", metadata.tables.values(), ids=str)
def test_the_document_has_each_table_whole(table: Table) -> None:
    lines = [line for line in DOCUMENT.splitlines() if line.startswith(f"| `{table.name}` |")]
    if table.name == "settings":
        lines = [line for line in DOCUMENT.splitlines() if "`settings` (" in line]
    missing = [column.name for column in table.columns if f"`{column.name}`" not in lines[0]]
    assert missing == []


@pytest.mark.parametrize("table", metadata.tables.values(), ids=str)
def test_the_document_has_each_index(table: Table) -> None:
    for index in table.indexes:
        assert f"| `{index.name}`" in DOCUMENT
