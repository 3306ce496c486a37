"""Rooms: publishing, repair, likes, who is there, totals, and what back ends push."""
