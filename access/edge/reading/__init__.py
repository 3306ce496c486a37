"""What clients send: the short way for usual frames, wsproto and bounded inflating for the rest."""
