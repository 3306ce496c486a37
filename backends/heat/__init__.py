"""What is kept about hot rooms: state, rules, acknowledgements, tags."""
