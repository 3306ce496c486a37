"""API keys: long-lived secrets of back ends, each with scopes, limits and a rate of its own."""
