"""What can be tuned in a router; the config's keys are the names here."""

from typing import Annotated

import msgspec

from backends.bus.settings import BusSettings
from backends.provisioner.settings import ProvisionerSettings
from backends.redis.settings import StoreSettings
from backends.room_log.retention import Retention
from backends.token_keys.files import load_keyring
from mesh.settings import MeshSettings
from proto.regions import ONE_REGION, Regions
from proto.settings_types import RELOADS
from proto.token_settings import TokenSettings
from router.costs import Costs
from router.gateway.keys.file import load_keys
from router.gateway.settings import GatewaySettings
from router.heat.settings import HeatSettings


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A router: consumes the bus, decides where each record goes, and runs the gateway."""

    dedup_age_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds that the ids of routed records are remembered. 120: four times "
            "what RocketMQ takes to redeliver after a broker's crash.",
            ge=1,
            le=3600,
        ),
    ] = 120.0
    dedup_ids: Annotated[
        int,
        msgspec.Meta(
            description="Most ids remembered for each topic. 200,000 take about 40 MB.",
            ge=1000,
            le=10_000_000,
        ),
    ] = 200_000
    tokens: Annotated[TokenSettings, RELOADS]
    mesh: MeshSettings = MeshSettings()
    bus: BusSettings = BusSettings()
    store: StoreSettings = StoreSettings()
    regions: Regions = ONE_REGION
    room_log: Retention = Retention()
    costs: Annotated[Costs, RELOADS] = Costs()
    gateway: GatewaySettings = GatewaySettings()
    heat: Annotated[HeatSettings, RELOADS] = HeatSettings()
    provisioner: ProvisionerSettings = ProvisionerSettings()

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the key whose value is of no use."""
        load_keyring(self.tokens)
        load_keys(self.gateway.api_keys_file)
