"""A notification as FCM's HTTP v1 API takes it (reference: `projects.messages`). Pure."""

from typing import Any

from backends.push.interface import Notification
from proto.server_frames import encode_json

ALERT, QUIET = "10", "5"
"""Priorities of APNs: at once; when it suits the device, the only one without an alert."""


def fcm_body(notification: Notification, ttl_s: int, now_s: float) -> bytes:
    """Return the body of `messages:send`.

    All of it stays far below FCM's 4096 bytes: titles and bodies are cut before they come here.
    """
    message: dict[str, Any] = {
        "token": notification.token,
        "data": _data(notification),
        "android": _android(notification, ttl_s),
        "apns": _apns(notification, ttl_s, now_s),
    }
    if not notification.quiet:
        message["notification"] = {"title": notification.title, "body": notification.body}
    return encode_json({"message": message})


def _data(notification: Notification) -> dict[str, str]:
    """Return what the app itself is given: strings alone, and no name that FCM keeps to itself
    (`from`, `message_type`, `google.…`, `gcm.notification.…`)."""
    return {
        "id": notification.id,
        "conv": notification.conv,
        "seq": str(notification.seq),
        "kind": notification.kind,
        "ts": str(notification.ts_ms),
        "uid": notification.uid,
        "badge": str(notification.badge),
    }


def _android(notification: Notification, ttl_s: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "collapse_key": notification.id,
        "priority": "NORMAL" if notification.quiet else "HIGH",
        "ttl": f"{ttl_s}s",
    }
    if not notification.quiet:
        # What is shown is replaced by its tag alone: `collapse_key` counts on the way.
        config["notification"] = {
            "tag": notification.id,
            "notification_count": notification.badge,
        }
    return config


def _apns(notification: Notification, ttl_s: int, now_s: float) -> dict[str, Any]:
    aps: dict[str, Any] = {"badge": notification.badge, "thread-id": notification.conv}
    if notification.quiet:
        aps = {"content-available": 1, "badge": notification.badge}
    else:
        aps["sound"] = "default"
    headers = {
        "apns-collapse-id": notification.id,
        "apns-priority": QUIET if notification.quiet else ALERT,
        "apns-push-type": "background" if notification.quiet else "alert",
        "apns-expiration": str(int(now_s) + ttl_s),
    }
    return {"headers": headers, "payload": {"aps": aps}}
