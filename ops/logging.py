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

from ops.settings import Format, Level, LogSettings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class _Logger(structlog.BoundLoggerBase):
    """A logger whose methods are those of a level: `set_level` puts them here, so that a line
    below it costs no more than a call, and loggers that are cached everywhere follow."""


def configure(settings: LogSettings, *, node: str, role: str, stream: TextIO = sys.stderr) -> None:
    """Send every log line of this process to `stream`, bound to `node` and `role`."""
    shared = _shared_processors(node, role)
    renderers = _renderers(settings.format, stream)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, *renderers],
        wrapper_class=_Logger,
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(shared, renderers, stream)
    set_level(settings.level)


def set_level(level: Level) -> None:
    """Have all loggers, those that are in use already too, write lines of `level` and above.

    Libraries are heard from `warning` on.
    """
    for name, method in vars(structlog.make_filtering_bound_logger(_LEVELS[level])).items():
        if not name.startswith("__"):
            setattr(_Logger, name, method)
    logging.getLogger().setLevel(max(_LEVELS[level], _LEVELS["warning"]))


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
    shared: list[Processor], renderers: list[Processor], stream: TextIO
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
