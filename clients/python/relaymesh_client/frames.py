"""Reading what a server sends: frames out of messages, checked before anything relies on them."""

import json

from relaymesh_client.events import Frame


def frames_of(message: str) -> list[Frame]:
    """Return the frames of a server's message; what is not a well-formed frame is left out."""
    try:
        values = json.loads(message)
    except (ValueError, RecursionError):
        return []
    frames = values if isinstance(values, list) else []
    return [frame for frame in frames if isinstance(frame, dict) and _is_frame(frame)]


def is_of_stream(frame: Frame) -> bool:
    """Say whether a push has what its stream needs: epoch and number, or range for `skipped`."""
    numbers = ("from", "to") if frame["push"] == "skipped" else ("seq",)
    return isinstance(frame.get("epoch"), str) and all(
        isinstance(frame.get(each), int) for each in numbers
    )


def _is_frame(frame: Frame) -> bool:
    if "reply" in frame:
        return isinstance(frame.get("ok"), dict) or isinstance(frame.get("error"), dict)
    return isinstance(frame.get("push"), str)
