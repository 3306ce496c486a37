"""Ways to write one frame to many sockets: a loop of `send`, or io_uring where there is one."""
