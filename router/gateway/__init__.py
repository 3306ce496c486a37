"""The gateway: where a client connects, and how a back end publishes (`docs/http-api.md`)."""
