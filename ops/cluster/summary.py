"""What `up` prints when the cluster is ready."""

import json

from ops.cluster.run import Cluster
from ops.processes.supervisor import Supervisor


def machine(cluster: Cluster, supervisor: Supervisor) -> str:
    """Return one line of JSON with the addresses, the state folder and the process ids."""
    plan = cluster.plan
    return json.dumps(
        {
            "ready": True,
            "demo": f"{plan.gateway}/",
            "gateway": plan.gateway,
            "access": access_urls(cluster),
            "state_dir": str(cluster.state.path),
            "pids": supervisor.pids(),
        }
    )


def demo_page(cluster: Cluster) -> str:
    """Return the lines with the addresses of the demo's live room and messenger."""
    gateway = cluster.plan.gateway
    return f"demo page  {gateway}/\nmessenger  {gateway}/messenger/"


def human(cluster: Cluster) -> str:
    """Return the nodes with their addresses and the link arithmetic, as lines for eyes."""
    plan = cluster.plan
    lines = [""]
    for node in plan.nodes:
        ports = "  ".join(f"{name} {port}" for name, port in node.ports.items())
        lines.append(f"  {node.id:<12} {ports}")
    lines += [f"  {each.name:<12} {each.socket}" for each in cluster.redis]
    links = plan.links
    lines += [
        "",
        f"links      {links['held']} held, {links['full_mesh']} in a full mesh",
        f"state      {cluster.state.path}",
        "stop       Ctrl-C",
    ]
    return "\n".join(lines)


def access_urls(cluster: Cluster) -> list[str]:
    """Return the WebSocket URLs of the access nodes."""
    return [f"ws://{node.address('websocket')}/v1" for node in cluster.plan.of("access")]
