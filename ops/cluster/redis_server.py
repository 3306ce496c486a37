"""The cluster's own stores: a server, its config and its data in the state folder."""

from pathlib import Path

from backends.redis import server
from backends.redis.server import NoServerError, Redis
from ops.cluster.state_dir import StateDir
from ops.errors import Failure


def find_server(given: Path | None) -> Path:
    """Return the server program: `given`, else the wheel's, else the first on PATH.

    Raises `Failure` with one line if there is none, or the one found can't be used.
    """
    try:
        return server.find_server(given)
    except NoServerError as error:
        raise Failure(f"{error}; --redis-server PATH names another") from None


def prepare(program: Path, name: str, state: StateDir, password: str) -> Redis:
    """Write the config of the server `name` (also its data folder); returns how to run it.

    Raises `Failure` with one line if the place for its socket is not private.
    """
    data = state.folder(name)
    try:
        socket = server.socket_path(data)
    except NoServerError as error:
        raise Failure(str(error)) from None
    config = state.write_config(f"{name}.conf", server.config_text(data, socket, password))
    return Redis(name, (str(program), str(config)), socket, password)
