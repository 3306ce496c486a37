"""The heat of rooms: when one moves to dedicated nodes, and when it comes back."""
