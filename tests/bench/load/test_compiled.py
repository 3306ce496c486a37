import click
import pytest

from bench.load import compiled


def test_without_a_compiler_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(click.ClickException, match=r"client\.c needs a C compiler: install gcc"):
        compiled.program("client")


def test_a_program_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = compiled.program("send_loop")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiled.program("send_loop") == made
    assert list(made.parent.iterdir()) == [made]
