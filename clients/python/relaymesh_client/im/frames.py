"""Events out of frames; what is not well-formed gives none."""

from typing import Any

from relaymesh_client.events import Frame
from relaymesh_client.im.events import DevicePresence, Message, Presence, Receipt, Signal, Typing

_NEEDED = {"stream": str, "n": int, "conv": str, "seq": int, "kind": str}


def is_message(frame: Frame) -> bool:
    """Say whether `frame` is a message with all that its order depends on."""
    return all(isinstance(frame.get(name), type_) for name, type_ in _NEEDED.items())


def message_of(frame: Frame) -> Message:
    """Return the message in `frame`, for which `is_message` holds."""
    body = frame.get("body")
    return Message(
        stream=frame["stream"],
        n=frame["n"],
        conv=frame["conv"],
        seq=frame["seq"],
        id=_text(frame, "id"),
        kind=frame["kind"],
        uid=_text(frame, "uid"),
        name=_text(frame, "name"),
        ts=_number(frame, "ts"),
        mid=_text(frame, "mid"),
        body=body if isinstance(body, dict) else {},
        recalled=frame.get("recalled") is True,
        frame=frame,
    )


def signal_of(frame: Frame) -> Signal | None:
    """Return the signal in `frame`, if it is one."""
    match frame.get("push"):
        case "typing":
            return Typing(_text(frame, "conv"), _text(frame, "uid"), frame.get("on") is True)
        case "receipt":
            conv, uid = _text(frame, "conv"), _text(frame, "uid")
            return Receipt(conv, uid, _number(frame, "seq"), _number(frame, "ts"))
        case "presence":
            return Presence(_text(frame, "uid"), _text(frame, "state"), _devices(frame))
    return None


def _devices(frame: Frame) -> tuple[DevicePresence, ...]:
    devices = frame.get("devices")
    return tuple(
        DevicePresence(_text(each, "device"), each.get("online") is True, _number(each, "seen_ms"))
        for each in (devices if isinstance(devices, list) else [])
        if isinstance(each, dict)
    )


def _text(frame: dict[str, Any], name: str) -> str:
    value = frame.get(name)
    return value if isinstance(value, str) else ""


def _number(frame: dict[str, Any], name: str) -> int:
    value = frame.get(name)
    return value if isinstance(value, int) else 0
