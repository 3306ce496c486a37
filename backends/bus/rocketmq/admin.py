"""Topics and offsets of the cluster behind some name servers. Blocking: use worker threads."""

from typing import NamedTuple

import msgspec

from backends.bus.rocketmq import remoting
from backends.bus.rocketmq.remoting import RemotingError, call

MASTER = "0"
READ_AND_WRITE = 6


class Queue(NamedTuple):
    """A queue of a topic: the address of its broker, and its number there."""

    broker: str
    number: int


class NoBrokerError(RemotingError):
    """A name server that knows no broker, as one does while the broker starts."""


class Admin:
    """Methods raise `OSError` or `RemotingError`."""

    def __init__(self, name_servers: str) -> None:
        self._name_servers = [name for name in name_servers.split(";") if name]

    def make_topic(self, topic: str, queues: int) -> None:
        """Make `topic` with that many queues on every master, unless it exists."""
        if self.queues(topic):
            return
        for master in self.masters():
            call(
                master,
                remoting.UPDATE_AND_CREATE_TOPIC,
                topic=topic,
                defaultTopic="TBW102",
                readQueueNums=queues,
                writeQueueNums=queues,
                perm=READ_AND_WRITE,
                topicFilterType="SINGLE_TAG",
                topicSysFlag=0,
                order="false",
            ).expect(remoting.SUCCESS)

    def queues(self, topic: str) -> list[Queue]:
        """Return the queues of `topic`; none when there is no such topic."""
        answer = self._ask(remoting.GET_ROUTE, topic=topic, acceptStandardJsonOnly="true")
        if answer.expect(remoting.SUCCESS, remoting.TOPIC_NOT_EXIST).code != remoting.SUCCESS:
            return []
        route = answer.json()
        masters = {b["brokerName"]: b["brokerAddrs"].get(MASTER) for b in route["brokerDatas"]}
        return [
            Queue(masters[queues["brokerName"]], number)
            for queues in route["queueDatas"]
            if masters.get(queues["brokerName"])
            for number in range(queues["readQueueNums"])
        ]

    def end(self, topic: str, queue: Queue) -> int:
        """Return the offset that the next message of the queue will have."""
        answer = call(
            queue.broker, remoting.GET_MAX_OFFSET, topic=topic, queueId=queue.number
        ).expect(remoting.SUCCESS)
        return int((answer.extFields or {})["offset"])

    def committed(self, group: str, topic: str, queue: Queue) -> int | None:
        """Return where `group` goes on in the queue; None if it was never there."""
        answer = call(
            queue.broker,
            remoting.QUERY_CONSUMER_OFFSET,
            consumerGroup=group,
            topic=topic,
            queueId=queue.number,
            setZeroIfNotFound="false",
        ).expect(remoting.SUCCESS, remoting.QUERY_NOT_FOUND)
        found = answer.code == remoting.SUCCESS
        return int((answer.extFields or {})["offset"]) if found else None

    def commit(self, group: str, topic: str, queue: Queue, offset: int) -> None:
        """Let `group` go on at `offset`."""
        call(
            queue.broker,
            remoting.UPDATE_CONSUMER_OFFSET,
            consumerGroup=group,
            topic=topic,
            queueId=queue.number,
            commitOffset=offset,
        ).expect(remoting.SUCCESS)

    def start_at_end(self, group: str, topic: str) -> None:
        """Let a group that is new start with what comes from now on; leave a known one alone."""
        queues = self.queues(topic)
        if any(self.committed(group, topic, queue) is not None for queue in queues):
            return
        for broker in {queue.broker for queue in queues}:
            config = msgspec.json.encode({"groupName": group})
            call(broker, remoting.UPDATE_AND_CREATE_GROUP, body=config).expect(remoting.SUCCESS)
        for queue in queues:
            self.commit(group, topic, queue, self.end(topic, queue))

    def lag(self, group: str, topic: str) -> int:
        """Return how many messages `group` has not committed (members commit every 5 s)."""
        return sum(
            self.end(topic, queue) - (self.committed(group, topic, queue) or 0)
            for queue in self.queues(topic)
        )

    def total(self, topic: str) -> int:
        """Return how many messages `topic` was ever given."""
        return sum(self.end(topic, queue) for queue in self.queues(topic))

    def masters(self) -> list[str]:
        """Return HOST:PORT of each master broker; there is at least one."""
        table = self._ask(remoting.GET_CLUSTER).expect(remoting.SUCCESS).json()["brokerAddrTable"]
        masters = [broker["brokerAddrs"].get(MASTER) for broker in table.values()]
        if not any(masters):
            raise NoBrokerError("no broker has registered yet")
        return [master for master in masters if master]

    def _ask(self, code: int, **fields: object) -> remoting.Answer:
        """Ask the first name server that answers."""
        problem: OSError = ConnectionError("no name server is configured")
        for address in self._name_servers:
            try:
                return call(address, code, body=b"", **fields)
            except OSError as error:
                problem = error
        raise problem
