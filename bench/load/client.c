/* The load client: one thread, one epoll, thousands of connections of any protocol.
 *
 * It is told what to send and what to wait for (a script for each connection), then reads all that
 * comes and looks for markers in it:
 *
 *     @<19 digits: CLOCK_MONOTONIC, ns, at publishing><8 digits: number>@
 *
 * Each marker is a delivery: its age goes into a histogram, its number must be the last one of that
 * connection plus one. Commands are lines on standard input, answers one JSON object a line:
 *
 *     connect PORT FILE IN_PROGRESS TIMEOUT_MS   run the scripts of FILE, so many at a time
 *     reset                    forget all figures, and the numbers that came last
 *     report                   figures since the last reset
 *     await COUNT QUIET_MS LIMIT_MS   return at COUNT deliveries, or when nothing comes for so long
 *     pattern HEX              count this as well (`matches`), at most 29 bytes
 *     say HEX PER_S COUNT      send the bytes COUNT times, on one connection after the other
 *     keepalive SECONDS HEX    send the bytes on every connection so often
 *     stop-reading COUNT       leave the first COUNT connections unread
 *     resume-reading           read them again
 *     close                    close all connections
 *
 * FILE: for each connection u32 steps, for each step u32 bytes, what to send, u32 bytes, what to
 * wait for; u32 in the machine's order.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MARKER = 29,
    CARRY = MARKER - 1,
    READ_BYTES = 512 * 1024,
    EVENTS = 1024,
    SCRIPT_BYTES = 16 * 1024, /* of answers while a script runs */
    BUCKET_NS = 50 * 1000,
    BUCKETS = 400 * 1000, /* 20 s */
    LINE = 64 * 1024,
};

/* A WebSocket server's ping on an idle connection is answered, as browsers do. */
static const char PING[] = "\x89\x00", PONG[] = "\x8a\x80\0\0\0\0";

typedef struct {
    int fd;
    int32_t last; /* number of the last delivery, -1 before the first */
    uint8_t carried;
    uint8_t unread;
    char carry[CARRY];
    const char *script; /* the next step while it is opening, else NULL */
    uint32_t steps;
    char *answer; /* what came since it was opened */
    uint32_t answered, searched;
} Conn;

typedef struct {
    uint64_t deliveries, holes, doubles, bytes, matches, reads, lost_connections;
    uint64_t first_published_ns, last_received_ns, max_ns;
    double cpu_s, wall_s;
} Figures;

static Conn *conns;
static uint32_t conn_count;
static uint32_t open_count;
static Figures now_figures;
static uint32_t *histogram;
static char buffer[CARRY + READ_BYTES];
static char pattern[MARKER];
static size_t pattern_bytes;
static char *keepalive;
static size_t keepalive_bytes;
static double keepalive_s, keepalive_at;
static int epoll_fd;
static uint64_t last_bytes_ns;

/* of the `connect` that runs */
static uint32_t in_progress, opened, refused;
static char first_refusal[256];

static uint64_t clock_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static double seconds(void) { return (double)clock_ns() / 1e9; }

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void fail(const char *text) {
    printf("{\"error\":\"%s\"}\n", text);
    fflush(stdout);
    exit(1);
}

/* -- what arrives */

static int64_t digits(const char *at, int count) {
    int64_t value = 0;
    for (int n = 0; n < count; n++) {
        unsigned digit = (unsigned char)at[n] - '0';
        if (digit > 9) return -1;
        value = value * 10 + digit;
    }
    return value;
}

static void deliver(Conn *conn, int64_t published, int32_t number, uint64_t now) {
    uint64_t age = now > (uint64_t)published ? now - (uint64_t)published : 0;
    uint64_t bucket = age / BUCKET_NS;
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    now_figures.deliveries++;
    now_figures.last_received_ns = now;
    if (age > now_figures.max_ns) now_figures.max_ns = age;
    if (now_figures.first_published_ns == 0 || (uint64_t)published < now_figures.first_published_ns)
        now_figures.first_published_ns = (uint64_t)published;
    if (number <= conn->last)
        now_figures.doubles++;
    else if (conn->last >= 0)
        now_figures.holes += (uint64_t)(number - conn->last - 1);
    if (number > conn->last) conn->last = number;
}

/* Look at `size` bytes, of which the first `known` were looked at before. */
static void scan(Conn *conn, const char *data, size_t size, size_t known) {
    uint64_t now = clock_ns();
    const char *at = data, *end = data + size;
    while ((at = memchr(at, '@', (size_t)(end - at))) != NULL && end - at >= MARKER) {
        int64_t published, number;
        if (at[MARKER - 1] == '@' && (published = digits(at + 1, 19)) >= 0 &&
            (number = digits(at + 20, 8)) >= 0) {
            deliver(conn, published, (int32_t)number, now);
            at += MARKER;
        } else
            at++;
    }
    if (pattern_bytes == 0) return;
    at = data;
    while ((at = memmem(at, (size_t)(end - at), pattern, pattern_bytes)) != NULL) {
        at += pattern_bytes;
        if (at > data + known) now_figures.matches++;
    }
}

static void take(Conn *conn, const char *data, size_t size, size_t known) {
    scan(conn, data, size, known);
    conn->carried = size < CARRY ? (uint8_t)size : CARRY;
    memcpy(conn->carry, data + size - conn->carried, conn->carried);
}

static void drop(Conn *conn) {
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    close(conn->fd);
    conn->fd = -1;
    free(conn->answer);
    conn->answer = NULL;
}

/* -- scripts */

static uint32_t u32(const char *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void refuse(Conn *conn, const char *why) {
    if (first_refusal[0] == 0) {
        size_t used = 0, room = sizeof first_refusal - 1;
        const char *text = conn->answered ? conn->answer : why;
        size_t size = conn->answered ? conn->answered : strlen(why);
        for (size_t n = 0; n < size && used < room; n++)
            first_refusal[used++] =
                text[n] < 32 || text[n] > 126 || strchr("\"\\", text[n]) ? ' ' : text[n];
        first_refusal[used] = 0;
    }
    refused++;
    in_progress--;
    conn->script = NULL;
    drop(conn);
}

static void say_step(Conn *conn) {
    uint32_t size = u32(conn->script);
    if (size && send(conn->fd, conn->script + 4, size, MSG_NOSIGNAL) != (ssize_t)size)
        refuse(conn, strerror(errno));
}

/* Go on as far as the answer so far permits. */
static void advance(Conn *conn) {
    while (conn->script) {
        const char *wanted = conn->script + 4 + u32(conn->script);
        uint32_t size = u32(wanted);
        char *found = memmem(conn->answer + conn->searched, conn->answered - conn->searched,
                             wanted + 4, size);
        if (found == NULL) return;
        conn->searched = (uint32_t)(found - conn->answer) + size;
        conn->script = wanted + 4 + size;
        if (--conn->steps) {
            say_step(conn);
            continue;
        }
        conn->script = NULL;
        in_progress--;
        opened++;
        open_count++;
        take(conn, conn->answer + conn->searched, conn->answered - conn->searched, 0);
        free(conn->answer);
        conn->answer = NULL;
    }
}

static void read_opening(Conn *conn) {
    ssize_t got = recv(conn->fd, conn->answer + conn->answered, SCRIPT_BYTES - conn->answered, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        refuse(conn, got == 0 ? "closed without a word" : strerror(errno));
        return;
    }
    conn->answered += (uint32_t)got;
    advance(conn);
    if (conn->script && conn->answered == SCRIPT_BYTES) refuse(conn, "too long an answer");
}

static void watch(Conn *conn, uint32_t index, uint32_t events, int how) {
    struct epoll_event event = {.events = events, .data.u32 = index};
    epoll_ctl(epoll_fd, how, conn->fd, &event);
}

static void begin(uint32_t index, uint16_t port) {
    Conn *conn = &conns[index];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->answer = malloc(SCRIPT_BYTES);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) fail("the limit of open files is too low for so many connections");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    in_progress++;
    if (connect(conn->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        refuse(conn, strerror(errno));
        return;
    }
    watch(conn, index, EPOLLOUT, EPOLL_CTL_ADD);
}

/* -- the loop */

static void read_open(Conn *conn) {
    char *start = buffer + CARRY - conn->carried;
    memcpy(start, conn->carry, conn->carried);
    ssize_t got = recv(conn->fd, buffer + CARRY, READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        drop(conn);
        open_count--;
        now_figures.lost_connections++;
        return;
    }
    if (got == 2 && memcmp(buffer + CARRY, PING, 2) == 0)
        send(conn->fd, PONG, sizeof PONG - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    now_figures.reads++;
    now_figures.bytes += (uint64_t)got;
    take(conn, start, (size_t)conn->carried + (size_t)got, conn->carried);
}

static void happened(uint32_t index, uint32_t events) {
    Conn *conn = &conns[index];
    if (conn->fd < 0) return;
    if (conn->script == NULL) {
        read_open(conn);
    } else if (events & EPOLLOUT) {
        watch(conn, index, EPOLLIN, EPOLL_CTL_MOD);
        say_step(conn);
    } else
        read_opening(conn);
}

static void stay_alive(void) {
    if (keepalive_s <= 0 || seconds() < keepalive_at) return;
    keepalive_at = seconds() + keepalive_s;
    for (uint32_t n = 0; n < conn_count; n++)
        if (conns[n].fd >= 0 && conns[n].script == NULL)
            send(conns[n].fd, keepalive, keepalive_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns whether standard input has something. */
static int step(int timeout_ms) {
    static struct epoll_event events[EVENTS];
    int input = 0, count = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);
    if (count > 0) last_bytes_ns = clock_ns();
    for (int n = 0; n < count; n++) {
        if (events[n].data.u32 == UINT32_MAX)
            input = 1;
        else
            happened(events[n].data.u32, events[n].events);
    }
    stay_alive();
    return input;
}

/* Standard input is not watched while a command runs: the next one waits. */
static void watch_input(int how) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    epoll_ctl(epoll_fd, how, STDIN_FILENO, &event);
}

/* -- commands */

static char *whole_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail("the file of scripts can't be read");
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    if (fread(data, 1, *size, file) != *size) fail("the file of scripts can't be read");
    fclose(file);
    return data;
}

static uint32_t add_conns(const char *at, const char *end) {
    uint32_t first = conn_count;
    while (at < end) {
        conns = realloc(conns, (conn_count + 1) * sizeof *conns);
        Conn *conn = &conns[conn_count++];
        memset(conn, 0, sizeof *conn);
        conn->fd = -1;
        conn->last = -1;
        conn->steps = u32(at);
        at += 4;
        conn->script = at;
        for (uint32_t n = 0; n < 2 * conn->steps; n++) at += 4 + u32(at);
    }
    return first;
}

static void do_connect(const char *arguments) {
    unsigned port, at_once, timeout_ms;
    char path[4096];
    size_t size;
    if (sscanf(arguments, "%u %4095s %u %u", &port, path, &at_once, &timeout_ms) != 4)
        fail("connect takes PORT FILE IN_PROGRESS TIMEOUT_MS");
    char *scripts = whole_file(path, &size);
    uint32_t next = add_conns(scripts, scripts + size);
    uint32_t first = next;
    double began = seconds(), until = began + timeout_ms / 1e3;
    opened = refused = in_progress = 0;
    first_refusal[0] = 0;
    while ((next < conn_count || in_progress) && seconds() < until) {
        while (next < conn_count && in_progress < at_once) begin(next++, (uint16_t)port);
        step(10);
    }
    double took = seconds() - began;
    for (uint32_t n = first; n < conn_count; n++)
        if (conns[n].script && conns[n].fd >= 0) refuse(&conns[n], "no answer in time");
    for (uint32_t n = next; n < conn_count; n++) conns[n].script = NULL; /* never begun */
    free(scripts);
    printf("{\"opened\":%u,\"refused\":%u,\"seconds\":%.6f,\"first_refusal\":\"%s\"}\n", opened,
           refused + (conn_count - next), took, first_refusal);
}

static void do_reset(void) {
    memset(&now_figures, 0, sizeof now_figures);
    memset(histogram, 0, BUCKETS * sizeof *histogram);
    for (uint32_t n = 0; n < conn_count; n++) conns[n].last = -1;
    now_figures.cpu_s = cpu_seconds();
    now_figures.wall_s = seconds();
    printf("{\"open\":%u}\n", open_count);
}

static double quantile_ms(double share) {
    uint64_t below = 0, wanted = (uint64_t)((double)now_figures.deliveries * share);
    for (uint32_t n = 0; n < BUCKETS; n++)
        if ((below += histogram[n]) > wanted) return (n + 0.5) * BUCKET_NS / 1e6;
    return 0;
}

static void do_report(void) {
    const Figures *f = &now_figures;
    double wall = seconds() - f->wall_s, cpu = cpu_seconds() - f->cpu_s;
    printf("{\"deliveries\":%llu,\"holes\":%llu,\"doubles\":%llu,\"bytes\":%llu,\"reads\":%llu,"
           "\"matches\":%llu,\"lost_connections\":%llu,\"open\":%u,",
           (unsigned long long)f->deliveries, (unsigned long long)f->holes,
           (unsigned long long)f->doubles, (unsigned long long)f->bytes,
           (unsigned long long)f->reads, (unsigned long long)f->matches,
           (unsigned long long)f->lost_connections, open_count);
    printf("\"first_published_ns\":%llu,\"last_received_ns\":%llu,\"p50_ms\":%.3f,\"p90_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"cpu_s\":%.6f,\"wall_s\":%.6f}\n",
           (unsigned long long)f->first_published_ns, (unsigned long long)f->last_received_ns,
           quantile_ms(0.5), quantile_ms(0.9), quantile_ms(0.99), quantile_ms(0.999),
           (double)f->max_ns / 1e6, cpu, wall);
}

static void do_await(const char *arguments) {
    unsigned long long count;
    unsigned quiet_ms, limit_ms;
    if (sscanf(arguments, "%llu %u %u", &count, &quiet_ms, &limit_ms) != 3)
        fail("await takes COUNT QUIET_MS LIMIT_MS");
    double until = seconds() + limit_ms / 1e3;
    last_bytes_ns = clock_ns();
    while (now_figures.deliveries < count && seconds() < until &&
           clock_ns() - last_bytes_ns < (uint64_t)quiet_ms * 1000000u)
        step(5);
    printf("{\"deliveries\":%llu}\n", (unsigned long long)now_figures.deliveries);
}

static char *from_hex(const char *text, size_t *size) {
    size_t count = strspn(text, "0123456789abcdef") / 2;
    char *bytes = malloc(count + 1);
    for (size_t n = 0; n < count; n++) {
        char pair[3] = {text[2 * n], text[2 * n + 1], 0};
        bytes[n] = (char)strtoul(pair, NULL, 16);
    }
    *size = count;
    return bytes;
}

static void do_pattern(const char *arguments) {
    size_t size;
    char *bytes = from_hex(arguments, &size);
    if (size > MARKER) fail("a pattern has at most 29 bytes");
    memcpy(pattern, bytes, pattern_bytes = size);
    free(bytes);
    printf("{\"ok\":true}\n");
}

static void do_say(const char *arguments) {
    size_t size, skip = strcspn(arguments, " ");
    double per_s;
    unsigned count, said = 0, full = 0;
    char *bytes = from_hex(arguments, &size);
    if (sscanf(arguments + skip, "%lf %u", &per_s, &count) != 2 || open_count == 0)
        fail("say takes HEX PER_S COUNT, and needs connections");
    double began = seconds();
    for (uint32_t n = 0; said + full < count; n = (n + 1) % conn_count) {
        if (conns[n].fd < 0) continue;
        while (seconds() < began + (said + full) / per_s) step(1);
        if (send(conns[n].fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size)
            said++;
        else
            full++;
    }
    free(bytes);
    printf("{\"sent\":%u,\"not_sent\":%u,\"seconds\":%.6f}\n", said, full, seconds() - began);
}

static void do_keepalive(const char *arguments) {
    int used = 0;
    if (sscanf(arguments, "%lf %n", &keepalive_s, &used) != 1) fail("keepalive takes SECONDS HEX");
    free(keepalive);
    keepalive = from_hex(arguments + used, &keepalive_bytes);
    keepalive_at = seconds() + keepalive_s;
    printf("{\"ok\":true}\n");
}

static void do_stop_reading(uint32_t count) {
    uint32_t stopped = 0;
    for (uint32_t n = 0; n < conn_count && stopped < count; n++) {
        if (conns[n].fd < 0 || conns[n].unread) continue;
        watch(&conns[n], n, 0, EPOLL_CTL_DEL);
        conns[n].unread = 1;
        stopped++;
    }
    printf("{\"stopped\":%u}\n", stopped);
}

static void do_resume_reading(void) {
    uint32_t resumed = 0;
    for (uint32_t n = 0; n < conn_count; n++) {
        if (!conns[n].unread || conns[n].fd < 0) continue;
        watch(&conns[n], n, EPOLLIN, EPOLL_CTL_ADD);
        conns[n].unread = 0;
        resumed++;
    }
    printf("{\"resumed\":%u}\n", resumed);
}

static void do_close(void) {
    for (uint32_t n = 0; n < conn_count; n++)
        if (conns[n].fd >= 0) drop(&conns[n]);
    free(conns);
    conns = NULL;
    conn_count = open_count = 0;
    printf("{\"ok\":true}\n");
}

static void obey(char *line) {
    size_t word = strcspn(line, " ");
    const char *arguments = line[word] ? line + word + 1 : "";
    line[word] = 0;
    if (strcmp(line, "connect") == 0) do_connect(arguments);
    else if (strcmp(line, "reset") == 0) do_reset();
    else if (strcmp(line, "report") == 0) do_report();
    else if (strcmp(line, "await") == 0) do_await(arguments);
    else if (strcmp(line, "pattern") == 0) do_pattern(arguments);
    else if (strcmp(line, "say") == 0) do_say(arguments);
    else if (strcmp(line, "keepalive") == 0) do_keepalive(arguments);
    else if (strcmp(line, "stop-reading") == 0) do_stop_reading((uint32_t)atoi(arguments));
    else if (strcmp(line, "resume-reading") == 0) do_resume_reading();
    else if (strcmp(line, "close") == 0) do_close();
    else fail("unknown command");
    fflush(stdout);
}

/* Reads what there is; returns 0 at the end of the input. */
static int read_commands(void) {
    static char line[LINE];
    static size_t used;
    ssize_t got = read(STDIN_FILENO, line + used, sizeof line - 1 - used);
    if (got <= 0) return 0;
    used += (size_t)got;
    char *end;
    while ((end = memchr(line, '\n', used)) != NULL) {
        *end = 0;
        watch_input(EPOLL_CTL_DEL);
        obey(line);
        watch_input(EPOLL_CTL_ADD);
        used -= (size_t)(end + 1 - line);
        memmove(line, end + 1, used);
    }
    if (used == sizeof line - 1) fail("too long a command");
    return 1;
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    histogram = calloc(BUCKETS, sizeof *histogram);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    now_figures.wall_s = seconds();
    watch_input(EPOLL_CTL_ADD);
    while (!step(1000) || read_commands()) {
    }
    return 0;
}
