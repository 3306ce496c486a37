"""The table of attacks names tests that exist, and each test of this folder."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TABLE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"\| `(\S+\.py)::(test_\w+)` \|$", TABLE, re.MULTILINE)


@cache
def names_in(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (\w+)", file.read_text(), re.MULTILINE))


def file_of(name: str) -> Path:
    return ROOT / name if "/" in name else HERE / name


def test_each_row_ends_with_a_test_that_exists() -> None:
    rows = re.findall(r"^\| .* \| .* \| .* \| .* \|$", TABLE, re.MULTILINE)
    headings = [row for row in rows if row.startswith("| attack |")]
    assert len(NAMED) == len(rows) - len(headings)
    missing = [(name, test) for name, test in NAMED if test not in names_in(file_of(name))]
    assert missing == []


def test_each_attack_of_this_folder_has_a_row() -> None:
    attacks = {
        (file.name, test)
        for file in HERE.glob("test_*.py")
        for test in names_in(file)
        if test.startswith("test_") and file != Path(__file__)
    }
    assert attacks - set(NAMED) == set()
