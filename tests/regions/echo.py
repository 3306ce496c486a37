"""Two programs: `listen HOST:PORT` says everything back; `ask HOST:PORT COUNT` says COUNT numbered
lines, 10 ms apart, and tells each that comes back with the milliseconds that it took."""

import sys
import threading
import time
from socket import SO_REUSEADDR, SOL_SOCKET, create_connection, create_server, socket


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def listen(address: str) -> None:
    with create_server(split(address)) as server:
        server.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        tell("ready")
        while True:
            connection, _ = server.accept()
            threading.Thread(target=echo, args=[connection], daemon=True).start()


def echo(connection: socket) -> None:
    with connection:
        while data := connection.recv(65_536):
            connection.sendall(data)


def ask(address: str, count: int) -> None:
    with create_connection(split(address)) as connection:
        threading.Thread(target=say, args=[connection, count], daemon=True).start()
        lines = connection.makefile()
        for _ in range(count):
            number, said_s = lines.readline().split()
            tell(f"{number} {(time.monotonic() - float(said_s)) * 1000}")


def say(connection: socket, count: int) -> None:
    for number in range(count):
        connection.sendall(f"{number} {time.monotonic()}\n".encode())
        time.sleep(0.01)


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen(sys.argv[2])
    else:
        ask(sys.argv[2], int(sys.argv[3]))
