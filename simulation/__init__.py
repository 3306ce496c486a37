"""A deployment on paper: the real pure parts in virtual time, up to 100 million clients.

Nothing here opens a socket. Real are the subscription table, the rendezvous hash, the routing plan,
the heat machine, the like merger and the joiner of the edge; what they are given is drawn: rooms
with Zipf sizes, their viewers on nodes, messages as they come at random. What a step costs is
measured (`costs.py` names where), and what a queue adds is reckoned.

Clients are no objects: of a room only its size counts, and on how many of each region's nodes its
viewers are. The largest rooms are all there; of the many small ones a few of each size stand for
the rest (`rooms.py`). One access node of each kind runs message by message (`edge.py`).
"""
