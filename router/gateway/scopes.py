"""Scopes: what a back end may do. An API key has some of them, a token of role `server` all."""

from enum import StrEnum


class Scope(StrEnum):
    """One thing that may be allowed; `MEANINGS` says what it opens."""

    PUBLISH_ROOM = "publish:room"
    PUBLISH_USER = "publish:user"
    PUBLISH_ALL = "publish:all"
    READ_ROOM = "read:room"
    READ_HISTORY = "read:history"
    READ_PRESENCE = "read:presence"
    GROUPS = "groups"
    MODERATE = "moderate"
    KICK = "kick"
    REVOKE = "revoke"
    OPERATE = "operate"


ALL_SCOPES = frozenset(Scope)

MEANINGS: dict[Scope, str] = {
    Scope.PUBLISH_ROOM: "Publish to rooms.",
    Scope.PUBLISH_USER: "Publish to users, and send them instant messages as the system.",
    Scope.PUBLISH_ALL: "Publish to everybody who is connected.",
    Scope.READ_ROOM: "Read how a room is: online, likes, whether it is hot.",
    Scope.READ_HISTORY: "Read what was said in rooms and groups.",
    Scope.READ_PRESENCE: "Read who is online, and on which devices.",
    Scope.GROUPS: "Make and end groups, bring users in and out, list them, and speak there.",
    Scope.MODERATE: "Mute, ban, send out and give roles in rooms, and read what holds there.",
    Scope.KICK: "Close a user's connections.",
    Scope.REVOKE: "Revoke a user's tokens, or those of one login.",
    Scope.OPERATE: "Read status and heat, change heat, drain nodes.",
}
