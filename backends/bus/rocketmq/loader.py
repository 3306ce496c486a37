"""Load `rocketmq-client-python` with a native library that lacks a few of its symbols."""

import contextlib
import ctypes
import ctypes.util
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

LIBRARY = Path(
    os.environ.get("RELAYMESH_ROCKETMQ_LIBRARY")
    or Path(sys.prefix, "lib", "relaymesh", "librocketmq.so")
)


class RocketMQClientMissingError(Exception):
    """The client is not installed; the text says what to run."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"RocketMQ client missing ({what}): run `python -m backends.bus.rocketmq.install`"
        )


class MissingSymbol:
    """Stands for a symbol that the library lacks; takes `argtypes`, and raises when called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *_: object) -> None:
        """Raise `NotImplementedError`."""
        raise NotImplementedError(f"{self._name} is not in {LIBRARY}")


class LenientLibrary(ctypes.CDLL):
    """A library whose missing symbols are an error only when they are called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return super().__getattr__(name)
        except AttributeError:
            missing = MissingSymbol(name)
            setattr(self, name, missing)
            return missing


def load_client() -> ModuleType:
    """Return the module `rocketmq.client`; raises `RocketMQClientMissingError`."""
    if not LIBRARY.exists():
        raise RocketMQClientMissingError(f"no {LIBRARY}")
    try:
        with _library_found():
            client = importlib.import_module("rocketmq.client")
    except (ImportError, OSError) as error:
        raise RocketMQClientMissingError(str(error)) from error
    _declare(client.dll)
    return client


@contextlib.contextmanager
def _library_found() -> Iterator[None]:
    """Answer the bindings' search for their library while they are imported, and only then."""
    find_library, load_library = ctypes.util.find_library, ctypes.cdll.LoadLibrary
    path = str(LIBRARY)

    def find(name: str) -> str | None:
        return path if name == "rocketmq" else find_library(name)

    def load(name: str) -> ctypes.CDLL:
        return LenientLibrary(name) if name == path else load_library(name)

    ctypes.util.find_library = find
    ctypes.cdll.LoadLibrary = load  # type: ignore[method-assign]
    try:
        yield
    finally:
        ctypes.util.find_library = find_library
        del ctypes.cdll.LoadLibrary


QueueSelector = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def _declare(library: Any) -> None:
    """Declare what the library has and the bindings don't: a queue of our choice, its log."""
    library.SendMessageOrderly.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        QueueSelector,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
    ]
    library.SendMessageOrderly.restype = ctypes.c_int
    for kind in ("Producer", "PushConsumer"):
        size = getattr(library, f"Set{kind}LogFileNumAndSize")
        size.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long]
        getattr(library, f"Set{kind}LogLevel").argtypes = [ctypes.c_void_p, ctypes.c_int]
