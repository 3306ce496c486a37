"""The operations of the HTTP API, by subject: each class has some of them."""
