"""The folder of all regions: configs, logs, data. One folder in it for each region."""

import secrets
from collections.abc import Iterable
from pathlib import Path

from backends.redis.server import Redis, find_server
from bench.regions.description import STORE, Host
from bench.regions.place import Place
from bench.regions.tables import Own, Shared, node_tables
from bench.regions.toml import document


class Folder:
    """Writes what the nodes of regions read, and knows where they log."""

    def __init__(self, path: Path, place: Place, regions: Iterable[str]) -> None:
        self._path = path
        self._place = place
        self.stores = {region: self._make_store(region) for region in regions}
        """The Redis of each region, which is its bus too."""

    def config(self, host: Host) -> Path:
        """Return the config file of a node."""
        return self._path / host.region / f"{host.name}.toml"

    def log(self, host: Host) -> Path:
        """Return the log of a process."""
        return self._path / host.region / f"{host.name}.log"

    def write_configs(self, region: str, hosts: Iterable[Host], shared: Shared) -> None:
        """Write the config of each of a region's `hosts`, whole files only."""
        store_url = self._place.redis_url(Host(region, STORE), self.stores[region])
        own = Own(store_url, f"sqlite:///{self._path / region}/relaymesh.db")
        for host in hosts:
            new = self.config(host).with_suffix(".new")
            new.write_text(document(node_tables(host, shared, own)))
            new.replace(self.config(host))

    def _make_store(self, region: str) -> Redis:
        folder = self._path / region / STORE
        folder.mkdir(parents=True, mode=0o700)
        password = secrets.token_urlsafe(24)
        return self._place.redis(Host(region, STORE), find_server(None), folder, password)
