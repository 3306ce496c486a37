"""Moderation of rooms at the edge: who may not enter, who is sent out, what moderators ask."""
