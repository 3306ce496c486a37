"""Logs: structlog all the way, JSON in production and readable at a terminal.

Each line says which node and role wrote it; a message's trace id is the key `trace`. Lines of
libraries that use the standard `logging` come out in the same form.
"""

import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ops.settings import Format, LogSettings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_encode = msgspec.json.Encoder(enc_hook=repr).encode


def configure(settings: LogSettings, *, node: str, role: str, stream: TextIO = sys.stderr) -> None:
    """Send every log line of this process to `stream`, bound to `node` and `role`."""
    level = _LEVELS[settings.level]
    shared = _shared_processors(node, role)
    renderers = _renderers(settings.format, stream)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(max(level, _LEVELS["warning"]), shared, renderers, stream)


def is_console(form: Format, stream: TextIO = sys.stderr) -> bool:
    """Return whether log lines are for eyes."""
    return form == "console" or (form == "auto" and stream.isatty())


def _shared_processors(node: str, role: str) -> list[Processor]:
    def bind_node(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("node", node)
        event.setdefault("role", role)
        return event

    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        bind_node,
    ]


def _renderers(form: Format, stream: TextIO) -> list[Processor]:
    if is_console(form, stream):
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    json = structlog.processors.JSONRenderer(serializer=_json)
    return [structlog.processors.format_exc_info, json]


def _json(event: Any, **_: object) -> str:
    return _encode(event).decode()


def _adopt_standard_logging(
    level: int, shared: list[Processor], renderers: list[Processor], stream: TextIO
) -> None:
    """Give the standard library's root logger one handler that renders as structlog does."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
