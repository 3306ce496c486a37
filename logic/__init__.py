"""Stateless services: room publishing, repair, likes, census, totals."""
