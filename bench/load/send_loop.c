/* The baseline: a server that does nothing but call send() in a loop.
 *
 *     send_loop CONNECTIONS
 *
 * Prints {"port": N}, accepts so many connections, each with a minimal answer to its upgrade.
 * Then, for each line `RATE SECONDS` on standard input, it sends a frame of
 * 180 bytes (176 of payload, with the marker of client.c) to all of them, RATE times a second or,
 * with RATE 0, back to back, and prints what it sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 176, HEAD = 4, FRAME = HEAD + PAYLOAD, BACKLOG = 4096, COARSE_NS = 2000000 };

static const char ANSWER[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\n\r\n";

static uint64_t clock_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static int listening(void) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, BACKLOG) < 0) exit(1);
    getsockname(fd, (struct sockaddr *)&at, &size);
    printf("{\"port\":%u}\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static int accepted(int listener) {
    char request[8192];
    size_t used = 0;
    int one = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0) exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (memmem(request, used, "\r\n\r\n", 4) == NULL) {
        ssize_t got = recv(fd, request + used, sizeof request - used, 0);
        if (got <= 0) exit(1);
        used += (size_t)got;
    }
    send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
    return fd;
}

/* A socket that is full is waited for: nothing is left out. */
static void send_whole(int fd, const char *frame) {
    size_t sent = 0;
    while (sent < FRAME) {
        ssize_t more = send(fd, frame + sent, FRAME - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (more > 0) {
            sent += (size_t)more;
        } else if (errno == EAGAIN) {
            struct pollfd full = {.fd = fd, .events = POLLOUT};
            poll(&full, 1, 1000);
        } else
            exit(1);
    }
}

static void wait_until(uint64_t ns) {
    struct timespec at = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void run(const int *fds, int count, double rate, double seconds) {
    static unsigned number;
    char frame[FRAME + 1];
    uint64_t began = clock_ns(), end = began + (uint64_t)(seconds * 1e9), rounds = 0;
    memset(frame, 'x', sizeof frame);
    memcpy(frame, "\x81\x7e\x00\xb0", HEAD);
    for (;; rounds++) {
        uint64_t due = rate > 0 ? began + (uint64_t)((double)rounds * 1e9 / rate) : clock_ns();
        if (due >= end) break;
        if (rate > 0) wait_until(due);
        /* As payload.py has it: a round that is late counts from when it was due. */
        uint64_t now = clock_ns(), stamp = now - due > COARSE_NS ? due : now;
        snprintf(frame + HEAD, 30, "@%019llu%08u@", (unsigned long long)stamp, number++);
        frame[HEAD + 29] = 'x';
        for (int n = 0; n < count; n++) send_whole(fds[n], frame);
    }
    double took = (double)(clock_ns() - began) / 1e9;
    printf("{\"count\":%llu,\"deliveries\":%llu,\"per_s\":%.1f,\"seconds\":%.6f}\n",
           (unsigned long long)rounds, (unsigned long long)rounds * (unsigned long long)count,
           (double)rounds * count / took, took);
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int count = argc > 1 ? atoi(argv[1]) : 0, listener = listening();
    int *fds = malloc(sizeof *fds * (size_t)(count > 0 ? count : 1));
    for (int n = 0; n < count; n++) fds[n] = accepted(listener);
    double rate, seconds;
    while (scanf("%lf %lf", &rate, &seconds) == 2) run(fds, count, rate, seconds);
    return 0;
}
