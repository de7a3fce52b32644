// The server and its clients in one process: handlers that read bodies; clients that are slow,
// quiet, many or gone; stopping under load; servers as workers of one process. Timeouts are short
// where one must pass; nothing asserts that something was quick.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MIB (1024u * 1024)

// ---- a plain client ----

static int dial(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {40, 0};  // less than the server has with a quiet connection
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    gb__no_delay(fd);
    if (!connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
    close(fd);
    return -1;
}

// A process that was stopped for a moment finds EINTR, because the socket has a timeout.
static ssize_t take(int fd, void *data, size_t len)
{
    ssize_t n;
    while ((n = recv(fd, data, len, 0)) < 0 && errno == EINTR) continue;
    return n;
}

static bool put(int fd, const void *data, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, (const char *)data + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        sent += (size_t)n;
    }
    return true;
}

static bool put_text(int fd, const char *text)
{
    return put(fd, text, strlen(text));
}

typedef struct answer {
    int status;    // -1: none that is complete
    size_t bytes;  // received of it
    size_t len;    // of the body
    char body[256];
    bool keep_alive, chunked;
} answer;

// One answer and not a byte more, so that the next stays in the socket.
static answer get(int fd, bool head_only)
{
    answer a = {.status = -1};
    char head[4096];
    gb__response r = {0};
    int parsed = GB__PARTIAL;
    while (parsed == GB__PARTIAL && a.bytes < sizeof head && take(fd, head + a.bytes, 1) == 1)
        parsed = gb__parse_response(&r, head, ++a.bytes);
    if (parsed && a.bytes)
        diag("no answer but \"%.*s\"", (int)(a.bytes < 300 ? a.bytes : 300), head);
    if (parsed) return a;
    size_t left = head_only || !gb__status_has_body(r.status) ? 0 : (size_t)r.content_length;
    while (left) {
        char block[16384];
        ssize_t n = take(fd, block, left < sizeof block ? left : sizeof block);
        if (n <= 0) return a;
        for (ssize_t i = 0; i < n && a.len + (size_t)i < sizeof a.body - 1; i++)
            a.body[a.len + (size_t)i] = block[i];
        a.len += (size_t)n;
        a.bytes += (size_t)n;
        left -= (size_t)n;
    }
    a.status = r.status;
    a.keep_alive = r.keep_alive;
    a.chunked = r.chunked;
    return a;
}

// Whether nothing but the end of the stream comes.
static bool at_end(int fd)
{
    char byte;
    return take(fd, &byte, 1) == 0;
}

static answer ask(int fd, const char *path)
{
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    put_text(fd, text);
    return get(fd, false);
}

static answer ask_once(int port, const char *path)
{
    int fd = dial(port);
    answer a = ask(fd, path);
    close(fd);
    return a;
}

static void pause_ms(unsigned ms)
{
    gb__sleep_until(gb_now_ns() + ms * 1000000ull);
}

// ---- handlers ----

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int waiting;
    bool open;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

static void gate_wait(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.open) pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_set(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    gate.waiting = 0;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_await(int waiting)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.waiting < waiting) pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static uint64_t sum_of(uint64_t sum, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) sum = sum * 31 + (unsigned char)data[i];
    return sum;
}

static void answer_text(gb_exchange *x, const char *text)
{
    gb_respond(x, 200, "text/plain", text, strlen(text));
}

// Reads the body through a buffer of the size that the query says. What it holds of the request's
// head it looks at before and after: it is valid during the whole handler.
static void handle_sum(gb_exchange *x)
{
    char text[64], buffer[8192];
    uint64_t size = sizeof buffer, len = 0, sum = 0;
    gb_slice method = gb_request_method(x), big = gb_request_header(x, "x-big");
    uint64_t before = sum_of(0, big.data, big.len);
    long n;
    gb__slice_u64(gb_request_query(x), &size);
    while ((n = gb_request_read(x, buffer, (size_t)size)) > 0) {
        len += (uint64_t)n;
        sum = sum_of(sum, buffer, (size_t)n);
    }
    if (n < 0) return;
    bool same = gb__slice_is(method, "POST") && sum_of(0, big.data, big.len) == before;
    snprintf(text, sizeof text, "%llu %llx%s", (unsigned long long)len, (unsigned long long)sum,
             same ? "" : ", and the head changed");
    answer_text(x, text);
}

static char *several_mib;  // 4 MiB
static atomic_int computing;
static atomic_bool computed;

static void handle(gb_exchange *x, void *user)
{
    gb_slice path = gb_request_path(x);
    if (gb__slice_is(path, "/sum")) {
        handle_sum(x);
    } else if (gb__slice_is(path, "/wait")) {
        gate_wait();
        answer_text(x, "waited");
    } else if (gb__slice_is(path, "/nap")) {
        uint64_t ms = 100;
        gb__slice_u64(gb_request_query(x), &ms);
        pause_ms((unsigned)ms);
        answer_text(x, "rested");
    } else if (gb__slice_is(path, "/compute")) {
        atomic_fetch_add(&computing, 1);
        while (!atomic_load(&computed)) continue;
        answer_text(x, "computed");
    } else if (gb__slice_is(path, "/big")) {
        gb_respond(x, 200, "text/plain", several_mib, 4 * MIB);
    } else if (gb__slice_is(path, "/twice")) {
        answer_text(x, "first");
        answer_text(x, "second");
    } else if (gb__slice_is(path, "/nothing")) {
        gb_respond(x, 204, NULL, NULL, 0);
    } else if (!gb__slice_is(path, "/silent")) {
        answer_text(x, user ? user : "hello");
    }
}

static gb_server *start(gb_server_config config)
{
    gb_error error = {0};
    if (!config.handler) config.handler = handle;
    gb_server *s = gb_server_start(&config, &error);
    if (s) return s;
    printf("Bail out! no server: %s\n", error.text);
    exit(1);
}

// ---- out of descriptors: in a child, which has few of them ----

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// The child serves; each byte it gets is answered with the CPU time it used so far.
static void starved_child(int pipe_fd)
{
    const struct rlimit few = {40, 40};
    char byte;
    setrlimit(RLIMIT_NOFILE, &few);
    gb_server *s = start((gb_server_config){.threads = 2});
    int port = gb_server_port(s);
    put(pipe_fd, &port, sizeof port);
    while (take(pipe_fd, &byte, 1) == 1) {
        double used = cpu_s();
        put(pipe_fd, &used, sizeof used);
    }
    gb_server_stop(s);
    exit(0);
}

static double child_cpu_s(int pipe_fd)
{
    double used = -1;
    put_text(pipe_fd, "?");
    if (take(pipe_fd, &used, sizeof used) != sizeof used) diag("the child is gone");
    return used;
}

static void test_descriptors(void)
{
    enum { CLIENTS = 80 };
    int pair[2], fds[CLIENTS], port = 0, status = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) exit(1);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        close(pair[0]);
        starved_child(pair[1]);
    }
    close(pair[1]);
    if (take(pair[0], &port, sizeof port) != sizeof port) exit(1);
    for (int i = 0; i < CLIENTS; i++) fds[i] = dial(port);
    ok(ask(fds[0], "/").status == 200, "more connections than descriptors: the first are served");
    double used = child_cpu_s(pair[0]);
    uint64_t begun = gb_now_ns();
    pause_ms(1500);
    used = child_cpu_s(pair[0]) - used;
    double wall = (double)(gb_now_ns() - begun) / 1e9;
    ok(used >= 0 && used < wall / 3, "waiting for a descriptor is no busy loop");
    if (used >= wall / 3) diag("%.3f s of CPU time in %.3f s", used, wall);
    int served = 0;
    for (int i = 0; i < CLIENTS; i++) {
        served += ask(fds[i], "/").status == 200;
        close(fds[i]);
    }
    is_u64((uint64_t)served, CLIENTS, "as connections close, all are served");
    close(pair[0]);
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && !WEXITSTATUS(status), "and the server ends well");
}

// ---- bodies ----

static char *pattern(size_t len)
{
    char *data = malloc(len + 1);
    if (!data) exit(1);
    for (size_t i = 0; i < len; i++) data[i] = (char)(i * 7 + i / 251);
    data[len] = 0;
    return data;
}

static void add_chunked(gb__buf *b, const char *data, size_t len, size_t chunk)
{
    for (size_t at = 0; at < len; at += chunk) {
        size_t n = len - at < chunk ? len - at : chunk;
        gb__buf_printf(b, "%zx;at=%zu\r\n", n, at);
        gb__buf_add(b, data + at, n);
        gb__buf_str(b, "\r\n");
    }
    gb__buf_str(b, "0\r\nTrailer: x\r\n\r\n");
}

// With `chunk` 0 there is a Content-Length.
static gb__buf compose(const char *data, size_t len, size_t chunk, size_t buffer, size_t big)
{
    gb__buf b = {0};
    gb__buf_printf(&b, "POST /sum?%zu HTTP/1.1\r\nHost: a\r\n", buffer);
    if (big) gb__buf_printf(&b, "X-Big: %0*d\r\n", (int)big, 1);
    if (chunk) gb__buf_str(&b, "Transfer-Encoding: chunked\r\n\r\n");
    else gb__buf_printf(&b, "Content-Length: %zu\r\n\r\n", len);
    if (chunk) add_chunked(&b, data, len, chunk);
    else gb__buf_add(&b, data, len);
    return b;
}

static bool is_sum(const answer *a, const char *data, size_t len)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%zu %llx", len, (unsigned long long)sum_of(0, data, len));
    return a->status == 200 && !strcmp(a->body, wanted);
}

static bool body_arrives(int fd, size_t len, size_t chunk, size_t buffer, size_t big)
{
    char *data = pattern(len);
    gb__buf b = compose(data, len, chunk, buffer, big);
    put(fd, b.data, b.len);
    answer a = get(fd, false);
    bool fine = is_sum(&a, data, len) && a.keep_alive;
    if (!fine) diag("%zu bytes, chunks of %zu: %d, \"%s\"", len, chunk, a.status, a.body);
    gb__buf_free(&b);
    free(data);
    return fine;
}

static void test_bodies(int port)
{
    static const struct {
        size_t len, chunk, buffer, big;
    } rows[] = {
        {0, 0, 8192, 0}, {1, 0, 8192, 0}, {1000, 0, 7, 0}, {65536, 0, 8192, 0},
        {65537, 0, 8192, 0}, {3 * MIB + 1, 0, 8192, 0}, {0, 1, 8192, 0}, {1, 1, 1, 0},
        {1000, 1, 8192, 0}, {1000, 999, 1, 0}, {100000, 4096, 8192, 0},
        {3 * MIB + 1, 100000, 8192, 0}, {MIB, MIB, 8191, 0}, {MIB, 0, 8192, 30000},
        {MIB, 5000, 8192, 60000}, {200000, 0, 8192, 20000},
    };
    int fd = dial(port);
    for (size_t i = 0; i < COUNT(rows); i++)
        ok(body_arrives(fd, rows[i].len, rows[i].chunk, rows[i].buffer, rows[i].big),
           "a body of %zu bytes, %s, read by %zu, behind a head of %zu", rows[i].len,
           rows[i].chunk ? "chunked" : "with a length", rows[i].buffer, rows[i].big + 100);
    close(fd);
}

// The same bytes however the network cuts them.
static void test_pieces(int port)
{
    char *data = pattern(40);
    int answered = 0, tried = 0;
    int fd = dial(port);
    for (size_t chunk = 0; chunk < 30; chunk += 13) {
        gb__buf b = compose(data, 40, chunk, 16, 0);
        for (size_t cut = 1; cut < b.len; cut += 3, tried++) {
            put(fd, b.data, cut);
            sched_yield();
            put(fd, b.data + cut, b.len - cut);
            answer a = get(fd, false);
            answered += is_sum(&a, data, 40);
        }
        gb__buf_free(&b);
    }
    is_u64((uint64_t)answered, (uint64_t)tried, "requests cut in two");
    close(fd);
    free(data);
}

static void test_pipelined_bodies(int port)
{
    enum { REQUESTS = 30 };
    gb__buf all = {0};
    char *data = pattern(3000);
    int fine = 0, fd = dial(port);
    for (size_t i = 0; i < REQUESTS; i++) {
        gb__buf b = compose(data, i * 100, i % 3 ? i * 10 : 0, 512, 0);
        gb__buf_add(&all, b.data, b.len);
        gb__buf_free(&b);
        // A body that the handler leaves unread.
        gb__buf_str(&all, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
                          "GET /not HTTP/1.1\r\n\r");
    }
    put(fd, all.data, all.len);
    for (size_t i = 0; i < REQUESTS; i++) {
        answer a = get(fd, false), unread = get(fd, false);
        fine += is_sum(&a, data, i * 100) && unread.status == 200;
    }
    is_u64((uint64_t)fine, REQUESTS, "pipelined requests with bodies, read and unread");
    gb__buf_free(&all);
    free(data);
    close(fd);
}

// Sends the bytes, expects the status and a close.
static void refused_bytes(int port, const char *name, const char *bytes, size_t len, int status)
{
    int fd = dial(port);
    put(fd, bytes, len);
    answer a = get(fd, false);
    bool end = at_end(fd);
    ok(a.status == status && !a.keep_alive && end, "%s: %d, close", name, status);
    if (a.status != status) diag("status %d", a.status);
    if (!end) diag("no clean end");
    close(fd);
}

static void refused(int port, const char *name, const char *text, int status)
{
    refused_bytes(port, name, text, strlen(text), status);
}

#define POST_CHUNKED "POST /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static void test_bad_bodies(int port)
{
    refused(port, "a bad chunk size", POST_CHUNKED "x\r\n", 400);
    refused(port, "a bad second chunk", POST_CHUNKED "1\r\na\r\nx\r\n", 400);
    refused(port, "a chunk that is too long", POST_CHUNKED "1\r\nab\r\n0\r\n\r\n", 400);
    refused(port, "a bare LF in the coding", POST_CHUNKED "1\na\r\n0\r\n\r\n", 400);
    refused(port, "a chunk size of 64 bits", POST_CHUNKED "ffffffffffffffff\r\n", 400);
    refused(port, "a bad trailer", POST_CHUNKED "0\r\n: x\r\n\r\n", 400);
}

static void test_max_body(void)
{
    gb_server *s = start((gb_server_config){.max_body = 100000});
    int port = gb_server_port(s), fd = dial(port);
    ok(body_arrives(fd, 100000, 0, 8192, 0) && body_arrives(fd, 100000, 7777, 8192, 0),
       "a body exactly at the limit");
    close(fd);
    char *data = pattern(100001);
    for (size_t chunk = 0; chunk < 10000; chunk += 7777) {
        gb__buf b = compose(data, 100001, chunk, 8192, 0);
        refused_bytes(port, chunk ? "one byte more, chunked" : "one byte more", b.data, b.len, 413);
        gb__buf_free(&b);
    }
    free(data);
    refused(port, "a huge Content-Length",
            "POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775000\r\n\r\n", 413);
    refused(port, "a huge chunk", POST_CHUNKED "fffffffffffffff\r\nabc", 413);
    gb_server_stop(s);
}

static void test_expect(int port)
{
    const char *head = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
                       "Expect: 100-continue\r\n\r\n";
    char text[256];
    int fd = dial(port);
    snprintf(text, sizeof text, head, "/sum", 5);
    put_text(fd, text);
    answer a = get(fd, false);
    is_u64((uint64_t)a.status, 100, "Expect: a handler that reads gets the client to send");
    put_text(fd, "hello");
    a = get(fd, false);
    ok(is_sum(&a, "hello", 5) && a.keep_alive, "Expect: and the body");
    put_text(fd, text);
    put_text(fd, "hello");
    a = get(fd, false);
    if (a.status == 100) a = get(fd, false);
    ok(is_sum(&a, "hello", 5), "Expect: a client that doesn't wait");
    close(fd);
    snprintf(text, sizeof text, head, "/unread", 200000);
    refused(port, "Expect: a handler that doesn't read", text, 200);
}

// ---- answers ----

static void test_answers(int port)
{
    int fd = dial(port);
    answer a = ask(fd, "/silent");
    ok(a.status == 500 && a.keep_alive, "a handler that doesn't answer: 500");
    ok(ask(fd, "/").status == 200, "and the connection is usable");
    is_str(ask(fd, "/twice").body, "first", "the first answer counts");
    a = ask(fd, "/nothing");
    ok(a.status == 204 && a.bytes && !a.len && ask(fd, "/").status == 200, "204 has no body");
    put_text(fd, "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n");
    a = get(fd, true);
    ok(a.status == 200 && ask(fd, "/").status == 200, "HEAD has no body");
    a = ask(fd, "/big");
    ok(a.status == 200 && a.len == 4 * MIB, "an answer of several MB");
    close(fd);
    for (int i = 0; i < 20; i++) {
        const struct linger reset = {1, 0};
        fd = dial(port);
        put_text(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i % 2) take(fd, &(char){0}, 1);
        if (i % 4 < 2) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    is_u64((uint64_t)ask_once(port, "/").status, 200, "clients that left in the middle of it");
    fd = dial(port);
    put_text(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(fd, SHUT_WR);
    ok(get(fd, false).status == 200 && at_end(fd), "a half-closed client gets its answer");
    close(fd);
}

// ---- time ----

#define POST_LENGTH(length) "POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"

// Each sends its text and then nothing, or `drip` again and again, until an answer comes.
static const struct late {
    const char *name, *text, *drip;
} late[] = {
    {"a request line without an end", "GET", ""},
    {"a head without an end", "GET / HTTP/1.1\r\nHost: a\r\n", ""},
    {"a head that drips", "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n"},
    {"a small body that stops", POST_LENGTH("10") "123", ""},
    {"a small body that drips", POST_LENGTH("10000"), "1"},
    {"a large body that stops", POST_LENGTH("100000") "123", ""},
    {"a large body that drips", POST_LENGTH("100000"), "1"},
    {"a chunked body that stops", POST_CHUNKED "5\r\n123", ""},
    {"a chunked body that drips", POST_CHUNKED, "1\r\na\r\n"},
};

static void drip(struct pollfd *clients)
{
    bool waiting = true;
    for (int i = 0; waiting && i < 100; i++) {  // 100 fields are within the limits
        pause_ms(100);
        waiting = false;
        poll(clients, COUNT(late), 0);
        for (size_t j = 0; j < COUNT(late); j++) {
            if (!*late[j].drip || clients[j].revents) continue;
            put_text(clients[j].fd, late[j].drip);
            waiting = true;
        }
    }
}

static void test_late(void)
{
    struct pollfd clients[COUNT(late)];
    gb_server *s = start((gb_server_config){.threads = 8, .read_timeout_s = 0.5});
    for (size_t i = 0; i < COUNT(late); i++) {
        clients[i] = (struct pollfd){.fd = dial(gb_server_port(s)), .events = POLLIN};
        put_text(clients[i].fd, late[i].text);
    }
    drip(clients);
    for (size_t i = 0; i < COUNT(late); i++) {
        answer a = get(clients[i].fd, false);
        ok(a.status == 408 && !a.keep_alive && at_end(clients[i].fd), "%s: 408, close",
           late[i].name);
        if (a.status != 408) diag("status %d", a.status);
        close(clients[i].fd);
    }
    int fd = dial(gb_server_port(s));
    bool first = ask(fd, "/").status == 200;
    put_text(fd, "GET");
    ok(first && get(fd, false).status == 408, "the second request of a connection, too");
    close(fd);
    gb_server_stop(s);
}

static void test_idle(void)
{
    gb_server *s = start((gb_server_config){.threads = 2, .idle_timeout_s = 0.3});
    int port = gb_server_port(s), fd = dial(port);
    ok(at_end(fd), "a connection without a request is closed silently");
    close(fd);
    fd = dial(port);
    ok(ask(fd, "/").status == 200 && at_end(fd), "an idle one, too");
    close(fd);
    gb_server_stop(s);
}

// Time that the server itself took is not the client's delay.
static void test_busy_server(void)
{
    gb_server *s = start((gb_server_config){.idle_timeout_s = 0.4, .read_timeout_s = 0.4});
    int port = gb_server_port(s), waiting = dial(port), quiet = dial(port), partial = dial(port);
    bool before = ask(waiting, "/").status == 200 && ask(quiet, "/").status == 200;
    char *data = pattern(60000);  // more than is read at once
    gb__buf b = compose(data, 60000, 0, 8192, 0);
    put(partial, b.data, 30);
    before = before && ask(waiting, "/").status == 200;
    gate_set(false);
    put_text(waiting, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    gate_await(1);
    put_text(quiet, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    put(partial, b.data + 30, b.len - 30);
    pause_ms(1000);
    gate_set(true);
    ok(before && get(waiting, false).status == 200, "a handler longer than the timeouts");
    is_u64((uint64_t)get(quiet, false).status, 200, "a request that came meanwhile is answered");
    is_u64((uint64_t)get(partial, false).status, 200, "so is one whose end came meanwhile");
    close(waiting);
    close(quiet);
    close(partial);
    gb__buf_free(&b);
    free(data);
    gb_server_stop(s);
}

// Connections that expire while others are being used: what a sweep and a thread both know.
static void test_expiry(void)
{
    enum { ROUNDS = 4, CLIENTS = 60 };
    gb_server *s = start((gb_server_config){
        .threads = 8, .read_timeout_s = 0.05, .idle_timeout_s = 0.05});
    int port = gb_server_port(s), odd = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int fds[CLIENTS];
        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = dial(port);
            if (i % 3) put_text(fds[i], "GET / HTTP/1.1\r\n");
        }
        for (int step = 0; step < 12; step++) {
            for (int i = step % 2; i < CLIENTS; i += 2) put_text(fds[i], "A: b\r\n");
            pause_ms(25);
        }
        for (int i = 0; i < CLIENTS; i++) {
            answer a = get(fds[i], false);
            odd += a.status != 408 && a.status != 400 && a.bytes;
            close(fds[i]);
        }
    }
    ok(!odd && ask_once(port, "/").status == 200, "connections that expire while they are used");
    gb_server_stop(s);
}

// ---- threads ----

static void test_progress(int threads)
{
    gb_server *s = start((gb_server_config){.threads = threads});
    int port = gb_server_port(s), slow = threads - 1, fds[64], answered = 0;
    gate_set(false);
    for (int i = 0; i < slow; i++) {
        fds[i] = dial(port);
        put_text(fds[i], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    gate_await(slow);
    int fd = dial(port), fast = 0;
    for (int i = 0; i < 20; i++) fast += ask(fd, "/").status == 200;
    close(fd);
    is_u64((uint64_t)fast, 20, "%d of %d threads are stuck: the other one serves", slow, threads);
    gate_set(true);
    for (int i = 0; i < slow; i++) {
        answered += get(fds[i], false).status == 200;
        close(fds[i]);
    }
    is_u64((uint64_t)answered, (uint64_t)slow, "and they end well");
    gb_server_stop(s);
}

typedef struct loader {
    pthread_t id;
    gb_load_config config;
    char url[64];
    gb_load_result result;
    gb_code code;
} loader;

static void *run_load(void *arg)
{
    loader *l = arg;
    l->code = gb_load(&l->config, &l->result, NULL);
    return NULL;
}

static void begin_load(loader *l, int port, const char *path)
{
    snprintf(l->url, sizeof l->url, "http://127.0.0.1:%d%s", port, path);
    l->config.url = l->url;
    if (pthread_create(&l->id, NULL, run_load, l)) exit(1);
}

static void end_load(loader *l, const char *name)
{
    pthread_join(l->id, NULL);
    uint64_t errors = gb_load_error_count(&l->result.errors);
    ok(!l->code && !errors && l->result.requests == l->config.requests, "%s: %llu requests", name,
       (unsigned long long)l->config.requests);
    if (errors || l->code)
        diag("%llu errors, %s, %s", (unsigned long long)errors, gb_code_text(l->code),
             l->result.first_error);
    gb_load_free(&l->result);
}

static void test_two_of_each(void)
{
    char one_text[] = "I am one", two_text[] = "I am two";
    gb_server *one = start((gb_server_config){.threads = 3, .user = one_text});
    gb_server *two = start((gb_server_config){.threads = 64, .user = two_text});
    loader first = {.config = {.requests = 2000, .connections = 8, .expect = "I am one"}};
    loader second = {.config = {.requests = 2000, .connections = 70, .threads = 2,
                                .expect = "I am two"}};
    ok(gb_server_port(one) != gb_server_port(two), "two servers, two ports");
    begin_load(&first, gb_server_port(one), "/");
    begin_load(&second, gb_server_port(two), "/");
    end_load(&first, "two loads at once, 3 threads serve");
    end_load(&second, "two loads at once, 64 threads serve");
    loader third = {.config = {.requests = 300, .connections = 10, .no_keepalive = true}};
    begin_load(&third, gb_server_port(two), "/");
    end_load(&third, "a connection for each request");
    gb_server_stop(one);
    gb_server_stop(two);
}

// ---- stopping ----

typedef struct asker {
    pthread_t id;
    int port;
    int answered, broken;
} asker;

// Asks until the connection is closed; an answer comes whole or not at all.
static void *keep_asking(void *arg)
{
    asker *a = arg;
    const char *paths[] = {"/", "/big", "/silent"};
    int fd = dial(a->port);
    for (int i = 0; fd >= 0; i++) {
        answer got = ask(fd, paths[i % 3]);
        a->answered += got.status > 0;
        a->broken += got.status < 0 && got.bytes;
        if (got.status < 0) break;
    }
    close(fd);
    return NULL;
}

static void test_stop_under_load(int threads)
{
    asker askers[12] = {0};
    gb_server *s = start((gb_server_config){.threads = threads});
    int answered = 0, broken = 0, port = gb_server_port(s), idle = dial(port);
    for (size_t i = 0; i < COUNT(askers); i++) {
        askers[i].port = port;
        if (pthread_create(&askers[i].id, NULL, keep_asking, &askers[i])) exit(1);
    }
    pause_ms(300);
    gb_server_stop(s);
    for (size_t i = 0; i < COUNT(askers); i++) {
        pthread_join(askers[i].id, NULL);
        answered += askers[i].answered;
        broken += askers[i].broken;
    }
    ok(answered && !broken, "%d threads stop under load: no answer is cut", threads);
    if (broken) diag("%d of %d answers", broken, answered + broken);
    ok(at_end(idle) && dial(port) < 0, "idle connections are closed, and so is the port");
    close(idle);
}

static void *stop_server(void *server)
{
    gb_server_stop(server);
    return NULL;
}

static void test_stop_waits(void)
{
    pthread_t stopper;
    gb_server *s = start((gb_server_config){.threads = 2});
    int fd = dial(gb_server_port(s));
    gate_set(false);
    put_text(fd, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    gate_await(1);
    if (pthread_create(&stopper, NULL, stop_server, s)) exit(1);
    pause_ms(200);
    gate_set(true);
    is_u64((uint64_t)get(fd, false).status, 200, "what is in flight is finished");
    pthread_join(stopper, NULL);
    ok(at_end(fd), "and then closed");
    close(fd);
}

// One thread, so that all but the first request are still to be read when the server stops.
static void test_stop_skips(void)
{
    pthread_t stopper;
    gb_server *s = start((gb_server_config){.threads = 1});
    int fds[5];
    gate_set(false);
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = dial(gb_server_port(s));
        put_text(fds[i], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        if (!i) gate_await(1);
        if (i % 2) gb__no_linger(fds[i]);
        if (i % 2) close(fds[i]);
    }
    if (pthread_create(&stopper, NULL, stop_server, s)) exit(1);
    pause_ms(200);
    gate_set(true);
    for (size_t i = 0; i < COUNT(fds); i += 2) {
        is_u64((uint64_t)get(fds[i], false).status, 200, "who still waits is answered");
        close(fds[i]);
    }
    pthread_join(stopper, NULL);
    is_u64((uint64_t)gate.waiting, 2, "for who has reset the connection nothing is called");
}

// One thread, or two, get a request that keeps them busy until two more have arrived.
static void keep_busy(const int *fds, int threads, const char *third, const char *fourth)
{
    const char *const paths[] = {"/nap", "/nap?500", third, fourth};
    for (size_t i = 0; i < COUNT(paths); i++) {
        char request[64];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        if (i != 1 || threads > 1) put_text(fds[i], request);
    }
}

// While all threads are busy two more requests arrive. The first's answer could be held to be sent
// with the second's, but that takes too long; its connection is free meanwhile as well.
static void test_overdue(int threads)
{
    gb_server *s = start((gb_server_config){.threads = threads});
    int fds[4];
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = dial(gb_server_port(s));
        ask(fds[i], "/");
    }
    gate_set(false);
    keep_busy(fds, threads, "/", "/wait");
    gate_await(1);
    is_str(get(fds[2], false).body, "hello", "%d threads: long work delays no answer", threads);
    if (threads > 1) is_str(ask(fds[2], "/").body, "hello", "nor the connection's next request");
    gate_set(true);
    is_str(get(fds[3], false).body, "waited", "the work ends well");
    is_str(ask(fds[2], "/").body, "hello", "and the answer was sent once");
    for (size_t i = 0; i < COUNT(fds); i++) close(fds[i]);
    gb_server_stop(s);
}

// As many threads compute as there are CPUs: one more still serves.
static void test_computing(void)
{
    enum { MOST = 64 };
    int fds[MOST], cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), answered = 0;
    if (cpus > MOST) cpus = MOST;
    gb_server *s = start((gb_server_config){.threads = cpus + 1});
    int fd = dial(gb_server_port(s));
    for (int i = 0; i < cpus; i++) {
        fds[i] = dial(gb_server_port(s));
        put_text(fds[i], "GET /compute HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    while (atomic_load(&computing) < cpus) pause_ms(1);
    is_u64((uint64_t)ask(fd, "/").status, 200, "while %d threads compute another serves", cpus);
    atomic_store(&computed, true);
    for (int i = 0; i < cpus; i++) {
        answered += get(fds[i], false).status == 200;
        close(fds[i]);
    }
    is_u64((uint64_t)answered, (uint64_t)cpus, "and they end well");
    close(fd);
    gb_server_stop(s);
}

// Threads that go in step: some of their requests are timed, neither all nor none.
static void test_timed(void)
{
    enum { MANY = 32 };
    int fds[MANY];
    uint64_t seen = 0;
    gb_histogram all[GB__PHASES];
    gb_server *s = start((gb_server_config){.threads = MANY});
    for (int p = 0; p < GB__PHASES; p++) gb_histogram_init(&all[p], 2, NULL);
    gate_set(false);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(gb_server_port(s));
        put_text(fds[i], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    gate_await(MANY);
    gate_set(true);
    for (int i = 0; i < MANY; i++) {
        get(fds[i], false);
        close(fds[i]);
    }
    for (int patience = 5000; (seen += gb__server_window(s, all)) < MANY && patience; patience--)
        pause_ms(1);
    ok(all[0].total > 0 && all[0].total < MANY, "%llu of %d first requests are timed",
       (unsigned long long)all[0].total, MANY);
    gb__server_window(s, NULL);
    is_u64(gb__server_window(s, all), 0, "a look ends the window");
    for (int p = 0; p < GB__PHASES; p++) gb_histogram_free(&all[p]);
    gb_server_stop(s);
}

static void not_started(const char *name, gb_server_config config, gb_code code)
{
    gb_error error = {0};
    gb_server *s = gb_server_start(&config, &error);
    ok(!s && error.code == code && *error.text, "%s: \"%s\"", name, error.text);
    if (s) gb_server_stop(s);
}

static void test_start(int port)
{
    not_started("a port in use", (gb_server_config){.port = port}, GB_NETWORK);
    not_started("an address of somebody else", (gb_server_config){.host = "192.0.2.1"},
                GB_NETWORK);
    not_started("no address", (gb_server_config){.host = "not an address"}, GB_NETWORK);
    not_started("too many threads", (gb_server_config){.threads = 5000}, GB_USAGE);
    not_started("fewer than none", (gb_server_config){.threads = -1}, GB_USAGE);
}

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 4096; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

// ---- groups of threads in one process, fed by a dispatcher ----

#define WORKERS 3

static gb_load_result load_workers(int port, int connections)
{
    char url[64];
    gb_error error = {0};
    gb_load_result result = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/json", port);
    gb_load_config config = {.url = url, .connections = connections, .duration_s = 0.3,
                             .warmup_s = 0.05};
    if (gb_load(&config, &result, &error)) diag("load: %s", error.text);
    return result;
}

static void test_workers(int threads)
{
    gb__hosted h;
    gb_error error = {0};
    gb_service_config config = {.app = "builtin:c", .workers = WORKERS,
                                .worker_model = GB_THREADS, .server = {.threads = threads}};
    gb_code code = gb__hosted_start(&h, &config, NULL, &error);
    if (!ok(!code, "%d workers of %d threads start", WORKERS, threads)) diag("%s", error.text);
    gb__hosted_window_begin(&h, NULL);
    gb_load_result result = load_workers(gb__hosted_port(&h), 30);
    ok(result.requests > 0, "they answer");
    static gb__window_stats stats;
    stats = (gb__window_stats){0};
    gb__hosted_stats(&h, &stats);
    is_u64((uint64_t)stats.workers, WORKERS, "each tells");
    for (int i = 0; i < WORKERS; i++) ok(stats.requests[i] > 0, "worker %d has answered", i + 1);
    gb_load_free(&result);
    ok(gb__hosted_stop(&h), "they stop");
}

static void *load_meanwhile(void *arg)
{
    gb_load_result result = load_workers(*(int *)arg, 12);
    gb_load_free(&result);
    return NULL;
}

static void test_workers_again(void)
{
    int stopped = 0;
    for (int i = 0; i < 8; i++) {
        gb__hosted h;
        gb_error error = {0};
        pthread_t client;
        gb_service_config config = {.app = "builtin:c", .workers = WORKERS,
                                    .worker_model = GB_THREADS, .server = {.threads = 1 + i % 2}};
        if (gb__hosted_start(&h, &config, NULL, &error)) diag("%s", error.text);
        int port = gb__hosted_port(&h);
        bool loaded = i % 2 && !pthread_create(&client, NULL, load_meanwhile, &port);
        if (loaded) gb__sleep_until(gb_now_ns() + GB__NS / 10);
        stopped += gb__hosted_stop(&h);
        if (loaded) pthread_join(client, NULL);
    }
    is_u64((uint64_t)stopped, 8, "stops, also under load");
}

static void test_workers_port(void)
{
    gb__hosted h;
    gb_error error = {0};
    int fd = gb__listen("127.0.0.1", 0, &error);
    gb_service_config config = {.app = "builtin:c", .workers = WORKERS,
                                .server = {.port = gb__bound_port(fd)}};
    ok(gb__hosted_start(&h, &config, NULL, &error) == GB_NETWORK, "a port that is taken is refused");
    gb__hosted_stop(&h);
    close(fd);
}

int main(void)
{
    several_mib = pattern(4 * MIB);
    test_descriptors();
    int before = open_descriptors();
    gb_server *s = start((gb_server_config){.threads = 4});
    int port = gb_server_port(s);
    test_bodies(port);
    test_pieces(port);
    test_pipelined_bodies(port);
    test_bad_bodies(port);
    test_expect(port);
    test_answers(port);
    test_start(port);
    gb_server_stop(s);
    test_max_body();
    test_late();
    test_idle();
    test_busy_server();
    test_expiry();
    test_progress(4);
    test_progress(65);
    test_two_of_each();
    test_stop_under_load(1);
    test_stop_under_load(8);
    test_stop_under_load(64);
    test_stop_waits();
    test_stop_skips();
    test_overdue(1);
    test_overdue(2);
    test_computing();
    test_timed();
    test_workers(1);
    test_workers(4);
    test_workers_again();
    test_workers_port();
    is_u64((uint64_t)open_descriptors(), (uint64_t)before, "no descriptor is left open");
    free(several_mib);
    return tap_end();
}
