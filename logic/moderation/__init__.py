"""Moderation of rooms: who may what, and the gifts' receipts."""
