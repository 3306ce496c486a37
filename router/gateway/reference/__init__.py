"""The API's reference, made from its operations: an OpenAPI document, and a page for people."""
