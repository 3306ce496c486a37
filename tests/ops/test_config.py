import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from ops.command import relaymesh
from ops.config.load import NodeConfig, complete, from_sources
from ops.config.schema import tables_of
from ops.config.sources import from_environment
from ops.config.toml import MASK, document, example
from ops.errors import Refusal
from proto.settings_types import Secret

pytestmark = pytest.mark.usefixtures("relay_settings")


def load(
    data: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    flags: list[str] | None = None,
) -> Any:
    sources = (data or {}, "relay.toml", environment or {}, flags or [])
    return complete("relay", from_sources("relay", *sources))


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(Refusal) as caught:
        load(*args, **kwargs)
    return str(caught.value.message)


def test_defaults_stand_where_nothing_is_given() -> None:
    config = load()
    assert isinstance(config, NodeConfig)
    assert config.own.lane.depth == 10
    assert config.log.level == "info"


def test_environment_overrides_the_file_and_flags_override_both() -> None:
    data = {"relay": {"lane": {"depth": 11}, "flush_s": 1, "mode": "fast"}}
    environment = {"RELAYMESH_RELAY__LANE__DEPTH": "12", "RELAYMESH_RELAY__FLUSH_S": "2.5"}
    config = load(data, environment, ["relay.lane.depth=13"])
    assert (config.own.lane.depth, config.own.flush_s, config.own.mode) == (13, 2.5, "fast")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ()), ("a", ("a",)), ("a, b", ("a", "b")), ('["a,b", "c"]', ("a,b", "c"))],
)
def test_a_list_may_be_given_as_text(text: str, expected: tuple[str, ...]) -> None:
    assert load(flags=[f"relay.origins={text}"]).own.origins == expected


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert load(flags=["relay.token_secret=123"]).own.token_secret == "123"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"relay": {"flush": 1}}, "relay.flush: unknown key; did you mean relay.flush_s?"),
        ({"relay": {"lane": {"dept": 1}}}, "did you mean relay.lane.depth?"),
        ({"rely": {"x": 1}}, "rely: unknown key"),
        ({"node": {"http_addres": ""}}, "node.http_addres: unknown key"),
        ({"relay": {"lane": 3}}, "relay.lane: is a table of keys"),
        ({"relay": {"flush_s": "x"}}, "relay.flush_s: expected `float`, got text 'x'"),
        ({"relay": {"strict": 1}}, "relay.strict: expected `bool`, got integer 1"),
        ({"relay": {"lane": {"depth": 0}}}, "relay.lane.depth: expected `int` >= 1, got integer 0"),
        ({"relay": {"lane": {"depth": True}}}, "relay.lane.depth: expected `int`, got boolean"),
        ({"relay": {"mode": "slow"}}, "relay.mode: expected 'fast' or 'safe', got text 'slow'"),
        ({"relay": {"origins": [1]}}, "relay.origins: expected `str`, got array [1]"),
        (
            {"node": {"http": "nowhere"}},
            "node.http: expected text such as 127.0.0.1:7780, got text 'nowhere'",
        ),
    ],
)
def test_what_a_file_has_wrong_is_refused_by_name(data: dict[str, Any], expected: str) -> None:
    message = refusal(data)
    assert expected in message
    assert message.endswith("(relay.toml)")


def test_every_mistake_is_named_at_once() -> None:
    message = refusal({"relay": {"flush_s": -1, "strict": 2, "wat": 3}})
    assert [line.split(":")[0] for line in message.splitlines()] == [
        "relay.flush_s",
        "relay.strict",
        "relay.wat",
    ]


def test_the_environment_is_checked_too() -> None:
    assert "relay.lan.depth: unknown key" in refusal(
        environment={"RELAYMESH_RELAY__LAN__DEPTH": "1"}
    )
    assert "log_level: unknown key; did you mean log.level?" in refusal(
        environment={"RELAYMESH_LOG_LEVEL": "debug"}
    )
    message = refusal(environment={"RELAYMESH_RELAY__FLUSH_S": "soon"})
    assert "(environment variable RELAYMESH_RELAY__FLUSH_S)" in message


def test_what_the_environment_says_to_another_role_is_left_to_it() -> None:
    assert load(environment={"RELAYMESH_ACCESS__WHATEVER": "1"}).role == "relay"


def test_the_secret_that_the_token_command_reads_is_no_key() -> None:
    assert from_environment({"RELAYMESH_TOKEN_SECRET": "x"}) == {}


@pytest.mark.parametrize("flag", ["relay.flush_s", "flush_s=1", "=1"])
def test_a_flag_of_another_form_is_refused(flag: str) -> None:
    assert "expected TABLE.KEY=VALUE" in refusal(flags=[flag])


def test_a_secret_of_a_wrong_kind_is_not_repeated() -> None:
    assert refusal({"relay": {"token_secret": 987654}}).startswith(
        "relay.token_secret: expected `str`, got integer (relay.toml)"
    )


def test_the_example_documents_each_key_and_is_the_defaults() -> None:
    text = example("relay", tables_of("relay"))
    assert load(tomllib.loads(text)) == load()
    assert "# Seconds between flushes.\nflush_s = 0.5\n" in text
    assert "# Settings of a lane.\n[relay.lane]\n" in text


@pytest.mark.parametrize(
    "value", ["", 'quo"te\\', "tab\tnew\nline\x7f\x00", "ünï😀", -3, 2.5, True, ["a", "b"], []]
)
def test_a_written_document_reads_back_as_it_was(value: object) -> None:
    tables = {"relay": {"key": value, "inner": {"deep": value}}, "log": {}}
    assert tomllib.loads(document(tables)) == tables


def run(*arguments: str) -> Result:
    return CliRunner().invoke(relaymesh, arguments)


def test_check_says_that_a_file_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[relay]\nflush_s = 1\n")
    result = run("config", "check", str(file))
    assert (result.exit_code, "a valid relay config" in result.output) == (0, True)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[relay]\nflush = 1", "relay.flush: unknown key"),
        (b"[relay", "not valid TOML"),
        (b"[relay]\nx = '\xff'", "not valid UTF-8"),
        (b"[log]\nlevel = 'info'", "expected one role's table"),
        (b"[relay]\n[access]\n", "has [access] and [relay]"),
    ],
)
def test_check_refuses_with_exit_code_2(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "r.toml"
    file.write_bytes(content)
    result = run("config", "check", str(file))
    assert result.exit_code == 2
    assert expected in result.output
    assert "Traceback" not in result.output


def test_check_of_a_file_that_does_not_exist(tmp_path: Path) -> None:
    result = run("config", "check", str(tmp_path / "none.toml"))
    assert (result.exit_code, "No such file" in result.output) == (2, True)


def test_show_masks_secrets_and_passwords_in_urls(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text('[relay]\ntoken_secret = "s3cret"\nstore_url = "redis://me:s3cret@host/0"\n')
    result = run("config", "show", str(file))
    shown = tomllib.loads(result.output)
    assert result.exit_code == 0
    assert "s3cret" not in result.output
    assert shown["relay"]["token_secret"] == MASK
    assert shown["relay"]["store_url"] == f"redis://{MASK}@host/0"
    assert shown["relay"]["lane"] == {"depth": 10}


@pytest.fixture
def required_secret(relay_settings: type[msgspec.Struct], monkeypatch: pytest.MonkeyPatch) -> None:
    class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
        token_secret: Annotated[Secret, msgspec.Meta(description="A key without a default.")]

    monkeypatch.setattr(sys.modules["relay.settings"], "Settings", Settings)


@pytest.mark.usefixtures("required_secret")
def test_a_key_without_a_default_must_be_given_before_a_node_starts(tmp_path: Path) -> None:
    assert refusal() == "relay.token_secret: has no default and must be given"
    assert load(environment={"RELAYMESH_RELAY__TOKEN_SECRET": "x"}).own.token_secret == "x"
    file = tmp_path / "r.toml"
    file.write_text(example("relay", tables_of("relay")))
    checked, shown = run("config", "check", str(file)), run("config", "show", str(file))
    assert "to be given elsewhere before it starts: relay.token_secret" in checked.output
    assert "# relay.token_secret: has no default and is not given" in shown.output
    assert (checked.exit_code, shown.exit_code) == (0, 0)
