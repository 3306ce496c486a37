"""Links to the relays of other regions: interest and requests go there, what is theirs comes."""
