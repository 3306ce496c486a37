"""docs/config.md and configs/*.toml say which keys reload, as the settings do."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ops.config.schema import keys_of, tables_of
from ops.config.toml import RELOADS_SIGN
from ops.roles import ROLES

ROOT = Path(__file__).parents[3]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reload_table", ROOT / "docs/reload_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_that_of_the_settings() -> None:
    text = (ROOT / "docs" / "config.md").read_text()
    assert generator().with_table(text) == text, "run `just configs`"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="`reloads` markers, found 0"):
        generator().with_table("nothing")


@pytest.mark.parametrize("role", ROLES)
def test_each_key_that_reloads_has_the_sign_in_the_example(role: str) -> None:
    marked, comment = set[str](), ""
    for line in (ROOT / "configs" / f"{role}.toml").read_text().splitlines():
        if line.startswith("[") and "]" in line:
            table, comment = line.strip("[]"), ""
        elif line.startswith("#") and not line.endswith("="):
            comment += line
        elif line:
            name = line.removeprefix("# ").partition(" =")[0]
            marked |= {f"{table}.{name}"} if RELOADS_SIGN in comment else set()
            comment = ""
    assert marked == {key.dotted for key in keys_of(tables_of(role)).values() if key.reloads}
