"""What of a client's requests is answered here."""

from backends.database.database import Database
from logic.im.service import Handle
from logic.sessions.listing import ListHandler
from logic.sessions.marking import MarkHandler
from proto.requests.messages import Sessions, SessionSet


def handlers(database: Database) -> dict[type, Handle]:
    """Return the handler of each request about the session list."""
    return {
        Sessions: ListHandler(database).handle,
        SessionSet: MarkHandler(database).handle,
    }
