"""The bus on RocketMQ 5.x through `rocketmq-client-python`.

`python -m backends.bus.rocketmq.install` installs that client. A pack is a message; records of a
room go to one queue, in order. Two things that the client can't do, making topics and telling
offsets, go to the broker in its own protocol (`remoting`).
"""
