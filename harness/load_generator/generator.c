/* An HTTP/1.1 load generator that costs little: one thread, epoll, keep-alive connections to 127.0.0.1.

   generator REQUESTS PORTS CONNECTIONS RATE WARM_UP SECONDS

   REQUESTS     a file of requests, each as its length, a line break and its bytes. They are sent in turn. A run of 16
                `#` in a request is replaced by a number that no other request has.
   PORTS        ports of 127.0.0.1, separated by commas. The connections are divided among them.
   CONNECTIONS  in a closed loop the number of connections, in an open loop the most.
   RATE         requests a second of an open loop; 0 for a closed loop.
   WARM_UP      seconds of the same load before the one that is measured.
   SECONDS      seconds of a turn.

   After the warm-up all requests are answered, and the program prints `ready`. For each line on standard input it takes
   a turn: it loads for SECONDS, until all requests are answered again, and prints `ready`. So its caller can read the
   servers' CPU time while nothing runs, and have other generators take turns. At the end of standard input the program
   prints the measurement of all turns as JSON. Times are in microseconds.

   In an open loop request n of a turn is due at n / RATE, and its latency counts from then. It waits if all connections
   are busy. `lateness` is how late a request was sent although a connection was free: the generator's own delay. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, STEPS = 2000, KINDS = 1000, EVENTS = 64, MARK = 16 };
enum { RESET = 1, CLOSED, REFUSED, TIMED_OUT, MALFORMED, NOT_SENT }; /* failures without a status, below 100 */
static const char *const FAILURES[] = {
    [RESET] = "connection reset", [CLOSED] = "connection closed", [REFUSED] = "connection refused",
    [TIMED_OUT] = "timed out", [MALFORMED] = "malformed answer", [NOT_SENT] = "not sent"};
static const uint64_t TIMEOUT = 20 * 1000000000ull, SECOND = 1000000000ull;

typedef struct { char *bytes; size_t length; char *mark; } Request;
typedef struct {
    int socket; /* -1: not open */
    int port;
    bool connecting, busy;
    const Request *request;
    uint64_t begun; /* when the request was due, or sent in a closed loop */
    uint64_t sent, free_since;
    size_t filled;
    char *buffer;
} Connection;

static Request *requests;
static size_t request_count, next_request;
static Connection *connections, **idle;
static int connection_count, idle_count, opened, busy_count, poller;
static uint64_t unique;
static uint64_t latency[STEPS], lateness[STEPS], failures[KINDS], ends[STEPS];
static int steps;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* The steps of a histogram: 1 µs up to 100 µs, and at most 2 % of a value above. Each is named by its upper end. */
static void make_steps(void) {
    for (uint64_t end = 1; steps < STEPS && end <= 1000000000; steps++) {
        ends[steps] = end;
        uint64_t decade = 1;
        while (end >= 1000 * decade)
            decade *= 10;
        end += end < 100 ? 1 : decade * (end < 200 * decade ? 2 : end < 500 * decade ? 5 : 10);
    }
}

static void count(uint64_t *histogram, uint64_t nanoseconds) {
    uint64_t value = (nanoseconds + 999) / 1000;
    int low = 0, high = steps - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (ends[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    histogram[low]++;
}

static void read_requests(const char *name) {
    FILE *file = fopen(name, "rb");
    size_t length;
    if (!file)
        fail(name);
    while (fscanf(file, "%zu", &length) == 1 && fgetc(file) == '\n') {
        requests = realloc(requests, (request_count + 1) * sizeof *requests);
        char *bytes = malloc(length + 1);
        if (!requests || !bytes || fread(bytes, 1, length, file) != length)
            fail("the requests");
        bytes[length] = 0;
        requests[request_count++] = (Request){bytes, length, strstr(bytes, "################")};
    }
    fclose(file);
    if (!request_count) {
        fprintf(stderr, "%s has no requests\n", name);
        exit(1);
    }
}

static void shut(Connection *one) {
    if (one->socket >= 0)
        close(one->socket);
    one->socket = -1;
    one->connecting = false;
    one->filled = 0;
}

static void release(Connection *one) {
    one->busy = false;
    one->free_since = now();
    busy_count--;
    idle[idle_count++] = one;
}

static void finish(Connection *one, int failure) {
    failures[failure]++;
    shut(one);
    release(one);
}

static void transmit(Connection *one) {
    ssize_t sent = send(one->socket, one->request->bytes, one->request->length, MSG_NOSIGNAL);
    if (sent == (ssize_t)one->request->length)
        one->connecting = false;
    else if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN) && one->connecting)
        return; /* until the socket is connected */
    else
        finish(one, errno == ECONNREFUSED ? REFUSED : errno == EPIPE ? CLOSED : RESET);
}

static void dial(Connection *one) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)one->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    one->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->socket < 0)
        fail("socket");
    setsockopt(one->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    one->connecting = true;
    if (connect(one->socket, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        shut(one);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = one};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, one->socket, &event) < 0)
        fail("epoll_ctl");
}

/* Send the next request on a free connection, the one that was used last. The caller has checked that there is one. */
static void start(uint64_t begun) {
    Connection *one = idle_count ? idle[--idle_count] : &connections[opened++];
    one->request = &requests[next_request++ % request_count];
    if (one->request->mark) {
        char number[MARK + 1];
        snprintf(number, sizeof number, "%016llx", (unsigned long long)unique++);
        memcpy(one->request->mark, number, MARK);
    }
    one->begun = begun;
    one->sent = now();
    one->busy = true;
    busy_count++;
    if (one->socket < 0)
        dial(one);
    if (one->socket < 0)
        finish(one, REFUSED);
    else
        transmit(one);
}

/* Return the length of a chunked body, 0 if it is not complete, -1 if it is malformed. */
static long chunked(const char *at, size_t length) {
    const char *begin = at, *end = at + length, *line;
    while ((line = memmem(at, (size_t)(end - at), "\r\n", 2))) {
        if (!isxdigit((unsigned char)*at))
            return -1;
        unsigned long size = strtoul(at, NULL, 16);
        if (size > BUFFER)
            return -1;
        at = line + 2 + size + 2;
        if (at > end)
            return 0;
        if (!size)
            return at - begin; /* no trailers */
    }
    return 0;
}

/* Return the length of an answer, 0 if it is not complete, -1 if it is malformed. */
static long parse(const char *answer, size_t length, int *status, bool *closes) {
    const char *head = memmem(answer, length, "\r\n\r\n", 4);
    if (!head)
        return length < 16384 ? 0 : -1;
    if (length < 13 || memcmp(answer, "HTTP/1.", 7))
        return -1;
    *status = atoi(answer + 9);
    *closes = answer[7] == '0';
    long body = *status == 204 || *status == 304 ? 0 : -1;
    bool in_chunks = false;
    for (const char *line = memchr(answer, '\n', length) + 1; line < head;) {
        if (!strncasecmp(line, "content-length:", 15))
            body = strtol(line + 15, NULL, 10);
        else if (!strncasecmp(line, "transfer-encoding: chunked", 26))
            in_chunks = true;
        else if (!strncasecmp(line, "connection: close", 17))
            *closes = true;
        line = (const char *)memchr(line, '\n', (size_t)(head + 2 - line)) + 1;
    }
    long before = head + 4 - answer;
    if (in_chunks) {
        body = chunked(head + 4, length - (size_t)before);
        return body <= 0 ? body : before + body;
    }
    if (body < 0 || before + body > BUFFER)
        return -1;
    return (size_t)(before + body) <= length ? before + body : 0;
}

/* `ended`: the server has closed its side, and no event will say so again. */
static void receive(Connection *one, bool ended) {
    for (;;) {
        ssize_t got = recv(one->socket, one->buffer + one->filled, BUFFER - one->filled, 0);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            int failure = got == 0 ? CLOSED : errno == ECONNREFUSED ? REFUSED : RESET;
            if (one->busy)
                finish(one, failure);
            else
                shut(one); /* an idle connection that the server closed; the next request opens a new one */
            return;
        }
        one->filled += (size_t)got;
        int status = 0;
        bool closes = false;
        long length = one->busy ? parse(one->buffer, one->filled, &status, &closes) : -1;
        if (length < 0 || (length > 0 && (size_t)length != one->filled) || one->filled == BUFFER) {
            if (one->busy)
                finish(one, MALFORMED);
            else
                shut(one);
            return;
        }
        if (length > 0) {
            if (status >= 200 && status < 300)
                count(latency, now() - one->begun);
            else
                failures[status < KINDS ? status : MALFORMED]++;
            one->filled = 0;
            release(one);
            if (closes || ended)
                shut(one);
            return;
        }
    }
}

static void wait_for_events(uint64_t until) {
    static uint64_t scanned;
    struct epoll_event events[EVENTS];
    uint64_t time = now();
    uint64_t left = until > time ? until - time : 0;
    if (left > SECOND / 10)
        left = SECOND / 10; /* for time-outs */
    struct timespec limit = {(time_t)(left / SECOND), (long)(left % SECOND)};
    long found = syscall(SYS_epoll_pwait2, poller, events, EVENTS, &limit, NULL, 0);
    if (found < 0 && errno != EINTR)
        fail("epoll_pwait2 (Linux 5.11 or later)");
    for (long index = 0; index < found; index++) {
        Connection *one = events[index].data.ptr;
        if (one->socket < 0)
            continue;
        if (one->connecting && one->busy && !(events[index].events & (EPOLLERR | EPOLLHUP)))
            transmit(one);
        if (one->socket >= 0 && events[index].events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
            receive(one, events[index].events & EPOLLRDHUP);
    }
    if (time - scanned > SECOND / 10) {
        scanned = time;
        for (int index = 0; index < opened; index++)
            if (connections[index].busy && time - connections[index].sent > TIMEOUT)
                finish(&connections[index], TIMED_OUT);
    }
}

/* Load for so many seconds, and return the duration when all requests are answered. */
static double run(double seconds, double rate) {
    uint64_t begun = now(), end = begun + (uint64_t)(seconds * 1e9), number = 0;
    uint64_t planned = (uint64_t)(seconds * rate);
    for (;;) {
        uint64_t time = now(), due = begun + (uint64_t)((double)number * 1e9 / rate);
        bool sending = rate > 0 ? number < planned : time < end;
        bool free = idle_count || opened < connection_count;
        if (!sending && !busy_count)
            break;
        if (rate > 0 && sending && time > end + TIMEOUT) {
            failures[NOT_SENT] += planned - number;
            number = planned;
        } else if (sending && free && rate <= 0) {
            start(time);
            continue;
        } else if (sending && free && due <= time) {
            if (opened < connection_count || idle[0]->free_since <= due)
                count(lateness, time - due);
            start(due);
            number++;
            continue;
        }
        wait_for_events(rate > 0 && sending && free ? due : UINT64_MAX);
    }
    return rate > 0 ? seconds : (double)(now() - begun) / 1e9;
}

static void print_histogram(const char *name, const uint64_t *histogram) {
    printf("\"%s\": {", name);
    const char *separator = "";
    for (int step = 0; step < steps; step++)
        if (histogram[step]) {
            printf("%s\"%llu\": %llu", separator, (unsigned long long)ends[step], (unsigned long long)histogram[step]);
            separator = ", ";
        }
    printf("}");
}

static double cpu_seconds(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* Say that all requests are answered, and return whether to take another turn. */
static bool asked(void) {
    int byte;
    printf("ready\n");
    fflush(stdout);
    while ((byte = getchar()) != '\n' && byte != EOF)
        ;
    return byte != EOF;
}

int main(int given, char **arguments) {
    if (given != 7) {
        fprintf(stderr, "usage: generator REQUESTS PORTS CONNECTIONS RATE WARM_UP SECONDS\n");
        return 2;
    }
    int ports[64], port_count = 0;
    read_requests(arguments[1]);
    for (char *port = strtok(arguments[2], ","); port && port_count < 64; port = strtok(NULL, ","))
        ports[port_count++] = atoi(port);
    connection_count = atoi(arguments[3]);
    double rate = atof(arguments[4]);
    connections = calloc((size_t)connection_count, sizeof *connections);
    idle = calloc((size_t)connection_count, sizeof *idle);
    if (!port_count || connection_count < 1 || !connections || !idle)
        fail("connections");
    for (int index = 0; index < connection_count; index++) {
        connections[index] = (Connection){.socket = -1, .port = ports[index % port_count], .buffer = malloc(BUFFER)};
        if (!connections[index].buffer)
            fail("memory");
    }
    make_steps();
    if (getrandom(&unique, sizeof unique, 0) < 0 || (poller = epoll_create1(EPOLL_CLOEXEC)) < 0)
        fail("start");
    prctl(PR_SET_TIMERSLACK, 1);
    setpriority(PRIO_PROCESS, 0, -15); /* best effort: before PostgreSQL, which may be on the same core */
    run(atof(arguments[5]), rate);
    memset(latency, 0, sizeof latency);
    memset(lateness, 0, sizeof lateness);
    memset(failures, 0, sizeof failures);
    double used = cpu_seconds(), seconds = 0;
    while (asked())
        seconds += run(atof(arguments[6]), rate);
    printf("{\"seconds\": %.6f, \"cpu_seconds\": %.6f, ", seconds, cpu_seconds() - used);
    print_histogram("latency", latency);
    printf(", ");
    print_histogram("lateness", lateness);
    printf(", \"failures\": {");
    const char *separator = "";
    for (int kind = 0; kind < KINDS; kind++)
        if (failures[kind]) {
            if (kind < 100)
                printf("%s\"%s\": %llu", separator, FAILURES[kind], (unsigned long long)failures[kind]);
            else
                printf("%s\"%d\": %llu", separator, kind, (unsigned long long)failures[kind]);
            separator = ", ";
        }
    printf("}}\n");
    return 0;
}
