"""The server that the other tests kill: it must really keep and really lose."""


def test_a_killed_server_keeps_what_it_confirmed(redis_server):
    with redis_server.client() as client:
        client.set("k", "v")
        redis_server.restart()
        assert client.get("k") == b"v"


def test_a_server_whose_disk_is_gone_starts_empty(redis_server):
    with redis_server.client() as client:
        client.set("k", "v")
        redis_server.kill()
        redis_server.lose_data()
        redis_server.start()
        assert client.get("k") is None


def test_servers_are_apart(redis_servers):
    one, other = redis_servers(), redis_servers()
    with one.client() as client_of_one, other.client() as client_of_other:
        client_of_one.set("k", "v")
        assert client_of_other.get("k") is None
