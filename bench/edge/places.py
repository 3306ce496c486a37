"""Where the parts of one measurement are: ports, folder, secrets, config files."""

import json
import secrets
from pathlib import Path

from bench.ports import free_port_base

_PORTS = 6


class Places:
    """Ports, folder and secrets of one run."""

    def __init__(self, folder: Path) -> None:
        base = free_port_base(_PORTS)
        self.folder = folder
        self.clients = base
        self.http = f"http://127.0.0.1:{base + 1}"
        self.relay_http = f"127.0.0.1:{base + 2}"
        self.relay = f"tcp://127.0.0.1:{base + 3}"
        self.token_secret = secrets.token_urlsafe(32)
        self.store_password = secrets.token_urlsafe(16)

    def write(self, name: str, text: str) -> Path:
        """Write a file that this user alone can read."""
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return file

    def access_config(self, store_url: str) -> Path:
        """Write the node's config: places and secrets, all else by default."""
        return self.write(
            "access.toml",
            f'[node]\nid = "access-1"\nhttp = "{self.http.removeprefix("http://")}"\n'
            f'[access.tokens]\nsecret = "{self.token_secret}"\n'
            f"[access.edge]\nport = {self.clients}\n"
            f'[access.mesh]\nrelays = ["{self.relay}"]\n'
            f"[access.store]\nurl = {json.dumps(store_url)}\n",
        )

    def relay_config(self) -> Path:
        """Write the relay's config."""
        return self.write(
            "relay.toml",
            f'[node]\nid = "relay-1"\nhttp = "{self.relay_http}"\n'
            f'[relay]\nlisten = "{self.relay}"\n',
        )
