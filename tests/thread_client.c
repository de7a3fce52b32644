// The load generator against the server of this header and against servers that misbehave on
// purpose, all in one process. Compiled with the address and with the thread sanitizer.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

#include "tap.h"

// ---- a server that says what it is told to ----------------------------------------------------

enum { KEEP, CLOSE, RESET };

typedef struct peer {
    const char *answer;  // to every request
    size_t piece;        // bytes a packet; 0: all at once
    int after;           // the answer
    int every;           // only each so-manieth answer ends the connection; 0: each one
    int pause_us;        // between two pieces
    size_t filler;       // so many bytes of 'x' follow the answer
    bool ignores;        // never answers
    int until;           // answers no more than so many requests; 0: each one
    int listener, port;
    pthread_t thread;
    atomic_bool quit;
    atomic_int connections, requests, active;
    atomic_int broken;   // answers and connections that the client hung up on
} peer;

typedef struct peer_connection {
    peer *peer;
    int fd;
} peer_connection;

// Takes a request's head; requests with a body are not for this server, so the rest is left.
static bool peer_read(peer *p, int fd)
{
    char tail[4] = {0}, byte;
    while (memcmp(tail, "\r\n\r\n", 4)) {
        ssize_t n = recv(fd, &byte, 1, 0);
        if (n < 0 || (n == 0 && tail[3])) atomic_fetch_add(&p->broken, 1);
        if (n != 1) return false;
        memmove(tail, tail + 1, 3);
        tail[3] = byte;
    }
    return true;
}

static void peer_send(peer *p, int fd, const char *data, size_t len)
{
    size_t piece = p->piece ? p->piece : len;
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        if (send(fd, data + at, n, MSG_NOSIGNAL) < 0) {
            atomic_fetch_add(&p->broken, 1);
            return;
        }
        if (p->pause_us) usleep((useconds_t)p->pause_us);
    }
}

static void peer_fill(const peer *p, int fd)
{
    char block[4096];
    memset(block, 'x', sizeof block);
    for (size_t left = p->filler; left;) {
        size_t n = left < sizeof block ? left : sizeof block;
        if (send(fd, block, n, MSG_NOSIGNAL) < 0) return;
        left -= n;
    }
}

static void *peer_serve(void *arg)
{
    peer_connection c = *(peer_connection *)arg;
    peer *p = c.peer;
    free(arg);
    while (peer_read(p, c.fd)) {
        int nth = atomic_fetch_add(&p->requests, 1) + 1;
        if (p->ignores || (p->until && nth > p->until)) continue;
        peer_send(p, c.fd, p->answer, strlen(p->answer));
        peer_fill(p, c.fd);
        if (p->after != KEEP && (!p->every || nth % p->every == 0)) break;
    }
    if (p->after == RESET) {
        struct linger abort_it = {1, 0};
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
    }
    close(c.fd);
    atomic_fetch_sub(&p->active, 1);
    return NULL;
}

static void *peer_accept(void *arg)
{
    peer *p = arg;
    int on = 1;
    while (!atomic_load(&p->quit)) {
        struct pollfd ready = {.fd = p->listener, .events = POLLIN};
        if (poll(&ready, 1, 10) <= 0) continue;
        pthread_t id;
        peer_connection *c = malloc(sizeof *c);
        *c = (peer_connection){p, accept(p->listener, NULL, NULL)};
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        atomic_fetch_add(&p->connections, 1);
        atomic_fetch_add(&p->active, 1);
        pthread_create(&id, NULL, peer_serve, c);
        pthread_detach(id);
    }
    return NULL;
}

static int listen_somewhere(int backlog, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) abort();
    if (backlog && listen(fd, backlog)) abort();
    getsockname(fd, (struct sockaddr *)&address, &len);
    *port = ntohs(address.sin_port);
    return fd;
}

static void peer_start(peer *p)
{
    p->listener = listen_somewhere(128, &p->port);
    pthread_create(&p->thread, NULL, peer_accept, p);
}

static void peer_stop(peer *p)
{
    atomic_store(&p->quit, true);
    pthread_join(p->thread, NULL);
    close(p->listener);
    while (atomic_load(&p->active)) usleep(1000);
}

// ---- helpers ----------------------------------------------------------------------------------

static gb_code run(int port, gb_load_config config, gb_load_result *result, gb_error *error)
{
    char url[64];
    if (!config.url) {
        snprintf(url, sizeof url, "http://127.0.0.1:%d/x", port);
        config.url = url;
    }
    return gb_load(&config, result, error);
}

// Whether it took so much longer than it should that the machine must have stood still: what was
// measured then says nothing. Such a test is repeated, a few times.
static bool stalled(int attempt, uint64_t since, double expected_s)
{
    double took = (double)(gb_now_ns() - since) / 1e9;
    if (attempt > 4 || took < expected_s + 0.5) return false;
    diag("%.1f s took %.2f s; once more", expected_s, took);
    return true;
}

// Whether the schedule wasn't kept up with: a busy machine may be late at the end of a window, but
// not every time.
static bool lags(const gb_load_result *r, double rate)
{
    double share = (double)r->requests / (rate * r->seconds);
    if (share > 0.95 && share < 1.05) return false;
    diag("%.0f %% of the schedule", 100 * share);
    return true;
}

static gb_server *serve(gb_handler handler, int threads, void *user)
{
    gb_server_config config = {.handler = handler, .threads = threads, .user = user};
    gb_error error;
    gb_server *server = gb_server_start(&config, &error);
    if (!server) diag("%s", error.text);
    return server;
}

static void say_ok(gb_exchange *exchange, void *user)
{
    if (user) atomic_fetch_add((atomic_int *)user, 1);
    gb_respond(exchange, 200, "text/plain", "fine", 4);
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

// ---- answers of every kind --------------------------------------------------------------------

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKED                                                                                    \
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"                             \
    "3;name=value\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n"
#define SIZE(head) "HTTP/1.1 " head "\r\nContent-Length: 5\r\n\r\nhello"

#define KIND(name) ((int)offsetof(gb_load_errors, name))
enum { FINE = -1 };

static const struct answer_case {
    const char *name, *answer;
    int after, kind;
    size_t piece;
    const char *method, *expect;
    size_t filler;
} answer_cases[] = {
    {"a plain answer", GOOD, KEEP, FINE, 0, NULL, "hello", 0},
    {"byte by byte", GOOD, KEEP, FINE, 1, NULL, "hello", 0},
    {"a field on two lines, byte by byte",
     "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length:\r\n\t5\r\n\r\nhello", KEEP, FINE, 1, NULL,
     "hello", 0},
    {"nothing expected", GOOD, KEEP, FINE, 0, NULL, "", 0},
    {"nothing expected of nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP, FINE, 0,
     NULL, "", 0},
    {"chunked with padding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5 \r\nhello\r\n0  \r\n\r\n", KEEP, FINE, 0, NULL, "hello", 0},
    {"chunked", CHUNKED, KEEP, FINE, 0, NULL, "hello", 0},
    {"chunked, byte by byte", CHUNKED, KEEP, FINE, 1, NULL, "hello", 0},
    {"chunked, seven bytes a packet", CHUNKED, KEEP, FINE, 7, NULL, "hello", 0},
    {"no body at all", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP, FINE, 0, NULL, NULL,
     0},
    {"no reason", SIZE("200"), KEEP, FINE, 0, NULL, NULL, 0},
    {"an interim answer before it", "HTTP/1.1 100 Continue\r\n\r\n" GOOD, KEEP, FINE, 0, NULL,
     "hello", 0},
    {"two of them, byte by byte",
     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
     "HTTP/1.1 100 Continue\r\n\r\n" GOOD,
     KEEP, FINE, 1, NULL, "hello", 0},
    {"204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", KEEP, FINE, 0,
     NULL, NULL, 0},
    {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", KEEP, FINE, 0,
     NULL, NULL, 0},
    {"304 with a coding", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", KEEP,
     FINE, 0, NULL, NULL, 0},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", KEEP, FINE, 0, "HEAD", NULL, 0},
    {"HEAD without a length", "HTTP/1.1 200 OK\r\n\r\n", KEEP, FINE, 0, "HEAD", NULL, 0},
    {"a body of many packets", "HTTP/1.1 200 OK\r\nContent-Length: 300005\r\n\r\nhello", KEEP, FINE,
     0, NULL, "hello", 300000},
    {"the closing announced",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", CLOSE, FINE, 0, NULL,
     "hello", 0},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", CLOSE, FINE, 0, NULL, NULL,
     0},
    {"a body to the close", "HTTP/1.1 200 OK\r\n\r\nhello", CLOSE, FINE, 0, NULL, "hello", 0},
    {"to the close, byte by byte", "HTTP/1.1 200 OK\r\n\r\nhello", CLOSE, FINE, 1, NULL, "hello",
     0},
    {"nothing to the close", "HTTP/1.1 200 OK\r\n\r\n", CLOSE, FINE, 0, NULL, NULL, 0},
    {"much to the close", "HTTP/1.1 200 OK\r\n\r\nhello", CLOSE, FINE, 0, NULL, "hello", 131072},
    {"404", SIZE("404 Not Found"), KEEP, KIND(status), 0, NULL, NULL, 0},
    {"500", SIZE("500 Internal Server Error"), KEEP, KIND(status), 0, NULL, NULL, 0},
    {"500 and an expectation", SIZE("500 Oops"), KEEP, KIND(status), 0, NULL, "other", 0},
    {"another text than expected", GOOD, KEEP, KIND(unexpected), 0, NULL, "other", 0},
    {"the text only across two answers", GOOD, KEEP, KIND(unexpected), 0, NULL, "hellohello", 0},
    {"a text expected of nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP,
     KIND(unexpected), 0, NULL, "other", 0},
    {"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", CLOSE, KIND(truncated), 0,
     NULL, NULL, 0},
    {"half a body, expected", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", CLOSE,
     KIND(truncated), 0, NULL, "hello", 0},
    {"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", CLOSE,
     KIND(truncated), 0, NULL, NULL, 0},
    {"no last line", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", CLOSE,
     KIND(truncated), 0, NULL, NULL, 0},
    {"half a head", "HTTP/1.1 200 OK\r\nContent-Le", CLOSE, KIND(truncated), 0, NULL, NULL, 0},
    {"no answer", "", CLOSE, KIND(read), 0, NULL, NULL, 0},
    {"an interim answer only", "HTTP/1.1 100 Continue\r\n\r\n", CLOSE, KIND(read), 0, NULL, NULL,
     0},
    {"a reset", "", RESET, KIND(read), 0, NULL, NULL, 0},
    {"garbage", "220 mail.example ESMTP\r\n\r\n", CLOSE, KIND(malformed), 0, NULL, NULL, 0},
    {"garbage, kept open", "\r\n\r\n\r\n", KEEP, KIND(malformed), 0, NULL, NULL, 0},
    {"zeros, as it were", "\x01\x02\x03\n\n\n\n", KEEP, KIND(malformed), 0, NULL, NULL, 0},
    {"HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP, KIND(malformed), 0, NULL,
     NULL, 0},
    {"HTTP/1.x", "HTTP/1.x 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP, KIND(malformed), 0, NULL,
     NULL, 0},
    {"a status of four digits", SIZE("2000 OK"), KEEP, KIND(malformed), 0, NULL, NULL, 0},
    {"a status of two digits", SIZE("20 OK"), KEEP, KIND(malformed), 0, NULL, NULL, 0},
    {"a status below 100", SIZE("099 Odd"), KEEP, KIND(malformed), 0, NULL, NULL, 0},
    {"no blank before the status", "HTTP/1.1-200 OK\r\nContent-Length: 0\r\n\r\n", KEEP,
     KIND(malformed), 0, NULL, NULL, 0},
    {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", KEEP, KIND(malformed), 0, NULL,
     NULL, 0},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", KEEP,
     KIND(malformed), 0, NULL, NULL, 0},
    {"a length below zero", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", KEEP,
     KIND(malformed), 0, NULL, NULL, 0},
    {"a length that overflows",
     "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello", KEEP, KIND(malformed),
     0, NULL, NULL, 0},
    {"a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", KEEP,
     KIND(malformed), 0, NULL, NULL, 0},
    {"a chunk longer than it says",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhello", KEEP, KIND(malformed), 0,
     NULL, NULL, 0},
    {"more than the answer", GOOD "more", KEEP, KIND(malformed), 0, NULL, NULL, 0},
    {"a head without an end", "HTTP/1.1 200 OK\r\nX: ", CLOSE, KIND(malformed), 0, NULL, NULL,
     200000},
    {"a line without an end", "HTTP/1.1 200 ", CLOSE, KIND(malformed), 0, NULL, NULL, 200000},
    {NULL, NULL, 0, 0, 0, NULL, NULL, 0}};

static uint64_t error_of(const gb_load_errors *errors, int kind)
{
    uint64_t n;
    memcpy(&n, (const char *)errors + kind, sizeof n);
    return n;
}

static void test_answer(const struct answer_case *c)
{
    enum { N = 8, LINKS = 2 };
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = c->answer,
              .piece = c->piece,
              .after = c->after,
              .filler = c->filler,
              .pause_us = c->piece ? 50 : 0};
    peer_start(&p);
    gb_load_config config = {.connections = LINKS,
                             .requests = N,
                             .method = c->method,
                             .expect = c->expect,
                             .timeout_s = 4};
    gb_code code = run(p.port, config, &r, &error);
    uint64_t good = c->kind == FINE ? N : 0;
    bool fine = code == GB_OK && r.requests == good && r.latency.total == good &&
                gb_load_error_count(&r.errors) == N - good &&
                (good || error_of(&r.errors, c->kind) == N) && !*r.first_error == !!good;
    // Once to see whether anybody is there, then for good.
    bool kept = c->after != KEEP ||
                (c->kind != FINE && c->kind != KIND(status) && c->kind != KIND(unexpected)) ||
                atomic_load(&p.connections) == 1 + LINKS;
    ok(fine, "%s", c->name);
    ok(kept, "and its connection is kept where it can be");
    if (!fine || !kept) {
        diag("%llu answered, %llu failed; %s %s; %d connections", (unsigned long long)r.requests,
             (unsigned long long)gb_load_error_count(&r.errors), code ? error.text : "",
             r.first_error, atomic_load(&p.connections));
    }
    gb_load_free(&r);
    peer_stop(&p);
}

// ---- connections that end ---------------------------------------------------------------------

static void test_unannounced_close(int after, const char *name)
{
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = GOOD, .after = after, .every = 3};
    peer_start(&p);
    gb_code code = run(
        p.port, (gb_load_config){.connections = 4, .threads = 2, .requests = 60, .timeout_s = 5},
        &r, &error);
    is_u64(code, GB_OK, "%s after some answers, unannounced", name);
    is_u64(r.requests + gb_load_error_count(&r.errors), 60,
           "each request is an answer or an error");
    ok(r.requests >= 30, "those that were answered count");
    is_u64(r.errors.read + r.errors.write, 60 - r.requests, "the others broke");
    gb_load_free(&r);
    peer_stop(&p);
}

static void test_no_keepalive(void)
{
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = GOOD};
    peer_start(&p);
    gb_code code = run(
        p.port,
        (gb_load_config){.connections = 3, .requests = 30, .timeout_s = 5, .no_keepalive = true},
        &r, &error);
    is_u64(code, GB_OK, "without keep-alive");
    is_u64(r.requests, 30, "every request is answered");
    is_u64((uint64_t)atomic_load(&p.requests), 30, "and was sent once");
    is_u64((uint64_t)atomic_load(&p.connections), 31, "each on a connection of its own");
    gb_load_free(&r);
    peer_stop(&p);
}

static void test_few(void)
{
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = GOOD};
    peer_start(&p);
    gb_code code = run(p.port, (gb_load_config){.connections = 20, .threads = 2, .requests = 3},
                       &r, &error);
    is_u64(code, GB_OK, "fewer requests than connections");
    is_u64(r.requests, 3, "are answered");
    is_u64((uint64_t)atomic_load(&p.connections), 4, "over no more connections than they need");
    gb_load_free(&r);
    peer_stop(&p);
}

// ---- what an answer was -----------------------------------------------------------------------

static void test_statuses(void)
{
    static const struct {
        const char *answer;
        int class, status;
    } cases[] = {
        {"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello", 2, 201},
        {"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 5\r\n\r\nhello", 3, 302},
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello", 4, 400},
        {"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 4,
         404},
        {"HTTP/1.1 100 Continue\r\n\r\n" SIZE("999 Odd"), 5, 999}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gb_error error = {0};
        gb_load_result r;
        peer p = {.answer = cases[i].answer};
        peer_start(&p);
        gb_code code = run(p.port, (gb_load_config){.connections = 2, .requests = 6}, &r, &error);
        is_u64(code, GB_OK, "answers of %d", cases[i].status);
        is_u64(r.statuses[cases[i].class], 6, "are counted by their class");
        is_u64(r.statuses[1], cases[i].class == 5 ? 6 : 0, "interim ones, too");
        ok(r.first_answer.status == cases[i].status && r.first_answer.size == 5,
           "the first is kept: %d with %llu bytes", r.first_answer.status,
           (unsigned long long)r.first_answer.size);
        is_u64(r.requests, cases[i].class < 4 ? 6 : 0, "up to 3xx they count as answered");
        is_str(r.redirect, cases[i].class == 3 ? "/login" : "", "a redirect says where to");
        gb_load_free(&r);
        peer_stop(&p);
    }
}

static void malformed(const char *answer, size_t piece, const char *wanted)
{
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = answer, .piece = piece, .pause_us = piece ? 2000 : 0};
    peer_start(&p);
    run(p.port, (gb_load_config){.connections = 1, .requests = 2, .timeout_s = 5}, &r, &error);
    ok(r.errors.malformed == 2 && strstr(r.first_error, wanted), "malformed: %s", wanted);
    if (r.errors.malformed != 2) diag("%s", r.first_error);
    gb_load_free(&r);
    peer_stop(&p);
}

static void test_malformed(void)
{
#define CODED "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
    malformed("ICY 200 OK\r\n\r\n", 0, "was not HTTP/1.x");
    malformed("HTTP/1.1 200 OK\r\nX y\r\n\r\n", 0, "a field");
    malformed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 0,
              "two lengths");
    malformed(CODED "br\r\n\r\n", 0, "another than chunked");
    malformed(CODED "chunked\r\n\r\nx\r\n", 0, "a chunk");
    malformed(GOOD "more", 0, "more came");
    char *head = malloc(80000);
    memset(head, 'a', 70000);
    memcpy(head, "HTTP/1.1 200 OK\r\nX: ", 20);
    strcpy(head + 70000, "\r\nContent-Length: 0\r\n\r\n");
    malformed(head, 0, "too long");
    malformed(head, 66000, "too long");
    malformed(head, 30000, "too long");
    free(head);
}

// A body is searched while it comes, and not kept.
static void test_expect(void)
{
    static char block[65536];
    const char *text = "the needle";
    gb__client c = {.config.expect = text};
    gb__client_thread t = {.client = &c};
    gb__link l = {.fd = -1};
    for (int i = 0; i < 200; i++) gb__link_content(&t, &l, block, sizeof block);
    ok(!l.found && l.pending.cap < 4 * sizeof block, "of 13 MB without the text %zu bytes are kept",
       l.pending.cap);
    for (size_t i = 0; i < strlen(text); i++) {
        ok(!l.found, "not found in the first %zu bytes of it", i);
        gb__link_content(&t, &l, text + i, 1);
    }
    ok(l.found && l.body_size == 200 * sizeof block + strlen(text), "but with the last");
    gb__buf_free(&l.pending);
}

static void test_timeouts(void)
{
    gb_error error = {0};
    gb_load_result r;
    peer silent = {.ignores = true};
    peer slow = {.answer = GOOD, .piece = 1, .pause_us = 20000};
    gb_load_config config = {.connections = 2, .requests = 4, .timeout_s = 0.1};
    peer_start(&silent);
    uint64_t start = gb_now_ns();
    is_u64(run(silent.port, config, &r, &error), GB_OK, "a server that is silent");
    is_u64(r.errors.timeout, 4, "times out");
    is_u64(r.requests, 0, "and answers nothing");
    ok(gb_now_ns() - start >= 200000000u, "after the time set, not before");
    gb_load_free(&r);
    peer_stop(&silent);
    peer_start(&slow);
    is_u64(run(slow.port, config, &r, &error), GB_OK, "a server that dawdles");
    is_u64(r.errors.timeout, 4, "times out too: the limit is that of the whole answer");
    gb_load_free(&r);
    peer_stop(&slow);
}

static void test_refused(void)
{
    int port;
    int fd = listen_somewhere(0, &port);  // taken, but nobody listens
    gb_error error = {0};
    gb_load_result r;
    is_u64(run(port, (gb_load_config){0}, &r, &error), GB_NETWORK, "nobody there");
    ok(strstr(error.text, "refused") && strstr(error.text, "running?"), "is said: %s", error.text);
    gb_load_free(&r);
    close(fd);
}

typedef struct later {
    gb_server *server;
    useconds_t us;
} later;

static void *stop_later(void *arg)
{
    later *l = arg;
    usleep(l->us);
    gb_server_stop(l->server);
    return NULL;
}

// A number of requests takes until the last of them has ended, however it did.
static void test_failed_time(void)
{
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = GOOD, .until = 5};
    peer_start(&p);
    gb_load_config config = {.connections = 1, .requests = 8, .timeout_s = 0.1};
    is_u64(run(p.port, config, &r, &error), GB_OK, "a server that answers 5 of 8");
    ok(r.requests == 5 && r.errors.timeout == 3, "the others time out");
    ok(r.seconds >= 0.3 && fabs(r.rps * r.seconds - 5) < 1e-3, "and their time counts");
    gb_load_free(&r);
    peer_stop(&p);
}

// ---- the end of the window --------------------------------------------------------------------

// A server that falls silent for the rest of the load.
static void test_unanswered(double rate)
{
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = GOOD, .until = 20};
    peer_start(&p);
    gb_load_config config = {.connections = 4, .threads = 2, .duration_s = 0.5, .rate = rate};
    is_u64(run(p.port, config, &r, &error), GB_OK, "a server that falls silent, rate %.0f", rate);
    is_u64(r.requests, 20, "what it answered counts");
    is_u64(r.started, 24, "what was started, too");
    is_u64(gb_load_error_count(&r.errors), 0, "nothing has failed yet");
    if (rate > 0)
        near((double)(r.requests + r.unanswered), rate * r.seconds, 5, "all that was due is there");
    else is_u64(r.unanswered, 4, "the rest is unanswered");
    is_u64(r.latency.total, r.requests + r.unanswered, "each has a latency");
    ok(ms(r.latency.max) >= 1000, "of at least as long as it has waited");
    if (rate > 0) ok(ms(gb_histogram_percentile(&r.latency, 50)) >= 100, "and the median shows it");
    is_u64(r.rate_missed, rate > 0, "a rate that isn't reached is said");
    gb_load_free(&r);
    peer_stop(&p);
}

// What has waited for a connection since 1 ms, was sent at 4 ms and has no answer at 9 ms.
static void test_given_up(void)
{
    static gb__client client;
    static gb__link link = {.state = GB__LINK_BUSY, .intended = 1000000, .started = 4000000};
    static gb__client_thread t = {.client = &client, .links = &link, .link_count = 1,
                                  .interval_ns = 1000000};
    gb_histogram_init(&t.part.latency, 3, NULL);
    gb_histogram_init(&t.part.uncorrected, 3, NULL);
    gb__give_up(&t, 9000000);
    is_u64(t.part.unanswered, 1, "given up");
    is_u64(t.part.latency.max, 8000000, "its latency is from when it was due");
    is_u64(t.part.uncorrected.max, 5000000, "the uncorrected one from when it was sent");
    gb_histogram_free(&t.part.latency);
    gb_histogram_free(&t.part.uncorrected);
}

// What is in flight at the end is waited for, and not hung up on.
static void test_last_answers(gb_load_config config, const char *name)
{
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = GOOD, .piece = 4, .pause_us = 10000};
    peer_start(&p);
    config.connections = 4;
    config.duration_s = 0.05;
    is_u64(run(p.port, config, &r, &error), GB_OK, "answers that end behind the window: %s", name);
    is_u64(r.unanswered + gb_load_error_count(&r.errors), 0, "are waited for");
    // With a rate what was due within the window is still started, and late.
    uint64_t most = config.rate > 0 ? (uint64_t)(r.seconds * config.rate) + 1 : r.started;
    ok(r.latency.total >= r.started + (config.rate > 0) && r.latency.total <= most,
       "have their latency");
    is_u64(r.requests, 0, "and don't count as of the window");
    is_u64((uint64_t)atomic_load(&p.requests), r.latency.total, "nothing starts behind its end");
    gb_load_free(&r);
    peer_stop(&p);
    is_u64((uint64_t)atomic_load(&p.broken), 0, "the server isn't hung up on");
}

// The server goes away in the middle of a load.
static void test_server_dies(int attempt, gb_load_config config, const char *name)
{
    pthread_t id;
    gb_error error = {0};
    gb_load_result r;
    later l = {serve(say_ok, 2, NULL), 200000};
    int port = gb_server_port(l.server);
    uint64_t start = gb_now_ns();
    pthread_create(&id, NULL, stop_later, &l);
    gb_code code = run(port, config, &r, &error);
    pthread_join(id, NULL);
    if (stalled(attempt, start, 2)) {
        gb_load_free(&r);
        test_server_dies(attempt + 1, config, name);
        return;
    }
    is_u64(code, GB_OK, "%s: a server that goes away", name);
    ok(r.requests > 0, "has answered");
    ok(r.errors.connect > 0, "and then can't be reached");
    ok(strstr(r.first_error, "clos") || strstr(r.first_error, "refused") ||
           strstr(r.first_error, "reset") || strstr(r.first_error, "Broken"),
       "which is said: %s", r.first_error);
    if (config.requests)
        is_u64(r.requests + gb_load_error_count(&r.errors), config.requests,
               "each request is an answer or an error");
    gb_load_free(&r);
}

// ---- how many ---------------------------------------------------------------------------------

static void test_count(uint64_t n, int connections, int threads, double rate)
{
    atomic_int served = 0;
    gb_error error = {0};
    gb_load_result r;
    gb_server *server = serve(say_ok, 3, &served);
    gb_load_config config = {
        .connections = connections, .threads = threads, .requests = n, .rate = rate};
    is_u64(run(gb_server_port(server), config, &r, &error), GB_OK,
           "%llu requests, %d connections, %d threads", (unsigned long long)n, connections,
           threads);
    is_u64(r.requests, n, "are so many");
    is_u64(gb_load_error_count(&r.errors), 0, "without an error");
    is_u64((uint64_t)atomic_load(&served), n, "and no more were sent");
    is_u64(r.latency.total, n, "each has a latency");
    is_u64(r.uncorrected.total, rate > 0 ? n : 0, "the uncorrected one with a rate only");
    ok(r.seconds > 0 && r.cpu_ns > 0 && r.bytes > n * 20 &&
           fabs(r.rps * r.seconds - (double)n) < 1e-3 * (double)n,
       "and the figures agree");
    gb_load_free(&r);
    gb_server_stop(server);
}

static void test_rate(int attempt)
{
    gb_error error = {0};
    gb_load_result r;
    gb_server *server = serve(say_ok, 2, NULL);
    gb_load_config config = {
        .connections = 7, .threads = 3, .rate = 500, .duration_s = 1, .warmup_s = 0.1};
    uint64_t start = gb_now_ns();
    is_u64(run(gb_server_port(server), config, &r, &error), GB_OK, "500 requests a second");
    if (stalled(attempt, start, 1.1) || (attempt < 5 && lags(&r, 500))) {
        gb_load_free(&r);
        gb_server_stop(server);
        test_rate(attempt + 1);
        return;
    }
    near((double)r.requests / r.seconds, 500, 25, "are 500");
    ok(!r.rate_missed && !r.unanswered, "and no fewer");
    is_u64(gb_load_error_count(&r.errors), 0, "without an error");
    ok(r.latency.max >= r.uncorrected.max && r.latency.sum >= r.uncorrected.sum,
       "the corrected latency is never below the other");
    gb_load_free(&r);
    gb_server_stop(server);
}

// ---- truth ------------------------------------------------------------------------------------

static void ten_ms(gb_exchange *exchange, void *user)
{
    (void)user;
    gb__sleep_until(gb_now_ns() + 10000000);
    gb_respond(exchange, 200, "text/plain", "late", 4);
}

static void test_ten_ms(void)
{
    gb_error error = {0};
    gb_load_result r;
    gb_server *server = serve(ten_ms, 4, NULL);
    gb_load_config config = {.connections = 4, .duration_s = 0.3, .warmup_s = 0.05};
    is_u64(run(gb_server_port(server), config, &r, &error), GB_OK, "a handler of 10 ms");
    ok(ms(gb_histogram_percentile(&r.latency, 50)) >= 10, "has a median of at least 10 ms");
    ok(ms(r.latency.min) >= 10, "and no answer took less");
    gb_load_free(&r);
    gb_server_stop(server);
}

typedef struct freeze {
    _Atomic uint64_t from, to;
} freeze;

static void freezing(gb_exchange *exchange, void *user)
{
    freeze *f = user;
    uint64_t now = gb_now_ns();
    if (now >= atomic_load(&f->from) && now < atomic_load(&f->to))
        gb__sleep_until(atomic_load(&f->to));
    gb_respond(exchange, 200, "text/plain", "fine", 4);
}

static void freeze_soon(void *user, bool end)
{
    freeze *f = user;
    if (end) return;
    atomic_store(&f->to, gb_now_ns() + 1200000000);
    atomic_store(&f->from, gb_now_ns() + 200000000);
}

typedef struct frozen_load {
    double rate;
    gb_load_result result;
    gb_code code;
} frozen_load;

static void *load_frozen(void *arg)
{
    frozen_load *l = arg;
    freeze f = {UINT64_MAX, 0};
    gb_error error = {0};
    gb_server *server = serve(freezing, 4, &f);
    gb_load_config config = {.connections = 4,
                             .rate = l->rate,
                             .duration_s = 1.8,
                             .warmup_s = 0.1,
                             .on_window = freeze_soon,
                             .user = &f};
    l->code = run(gb_server_port(server), config, &l->result, &error);
    gb_server_stop(server);
    return NULL;
}

// Two loads at once, each of a server that answers nothing for a second.
static void test_freeze(int attempt)
{
    frozen_load open = {.rate = 600}, closed = {.rate = 0};
    pthread_t id;
    uint64_t start = gb_now_ns();
    pthread_create(&id, NULL, load_frozen, &open);
    load_frozen(&closed);
    pthread_join(id, NULL);
    if (stalled(attempt, start, 1.9) || (attempt < 5 && lags(&open.result, 600))) {
        gb_load_free(&open.result);
        gb_load_free(&closed.result);
        test_freeze(attempt + 1);
        return;
    }
    const gb_load_result *r = &open.result;
    is_u64(open.code, GB_OK, "open loop, a server that freezes for a second");
    ok(ms(r->latency.max) >= 800, "the longest answer shows it");
    ok(ms(gb_histogram_percentile(&r->latency, 99)) >= 700, "so does p99, corrected");
    ok(ms(gb_histogram_percentile(&r->latency, 50)) >= 50, "and the median");
    ok(ms(gb_histogram_percentile(&r->uncorrected, 99)) < 500, "p99 uncorrected hides it");
    near((double)r->requests, 1080, 54, "and nothing of the schedule is left out");
    is_u64(closed.code, GB_OK, "closed loop");
    ok(ms(closed.result.latency.max) >= 800, "the longest answer shows it");
    is_u64(gb_load_error_count(&r->errors) + gb_load_error_count(&closed.result.errors), 0,
           "an answer that is late is no error");
    gb_load_free(&open.result);
    gb_load_free(&closed.result);
}

// ---- window and stop --------------------------------------------------------------------------

typedef struct window {
    atomic_int served;
    int calls, at_start, at_end;
    bool in_order;
    atomic_bool open;
} window;

static void note_window(void *user, bool end)
{
    window *w = user;
    w->in_order = end ? w->calls == 1 && w->in_order : w->calls == 0;
    *(end ? &w->at_end : &w->at_start) = atomic_load(&w->served);
    w->calls++;
    atomic_store(&w->open, true);
}

static void fail_before_window(gb_exchange *exchange, void *user)
{
    window *w = user;
    atomic_fetch_add(&w->served, 1);
    gb_respond(exchange, atomic_load(&w->open) ? 200 : 500, "text/plain", "fine", 4);
}

static void test_window(void)
{
    enum { LINKS = 8 };
    window w = {.open = false};
    gb_error error = {0};
    gb_load_result r;
    gb_server *server = serve(fail_before_window, 2, &w);
    gb_load_config config = {.connections = LINKS,
                             .threads = 2,
                             .duration_s = 0.2,
                             .warmup_s = 0.2,
                             .on_window = note_window,
                             .user = &w};
    is_u64(run(gb_server_port(server), config, &r, &error), GB_OK, "a load with a warm-up");
    ok(w.calls == 2 && w.in_order, "on_window: the start, then the end");
    ok(w.at_start >= LINKS, "the warm-up had an answer on each connection");
    ok(r.requests <= (uint64_t)(w.at_end - w.at_start) + LINKS, "and none of them counts");
    ok(r.requests > 0 && r.latency.total == r.started, "latency is of what starts within it");
    ok(r.errors.status <= LINKS, "errors before the window don't count either");
    ok(r.seconds >= 0.2, "and it lasts as long as asked for");
    gb_load_free(&r);
    gb_server_stop(server);
}

static void late_at_first(gb_exchange *exchange, void *user)
{
    if (!atomic_flag_test_and_set((atomic_flag *)user)) usleep(300000);
    gb_respond(exchange, 200, "text/plain", "fine", 4);
}

// Nothing at all is an even rate: a window that begins before the first answers would measure them.
static void test_first_answers(void)
{
    atomic_flag asked = ATOMIC_FLAG_INIT;
    gb_error error = {0};
    gb_load_result r;
    gb_server *server = serve(late_at_first, 1, &asked);
    gb_load_config config = {.connections = 1, .duration_s = 0.05, .warmup_s = 0.01};
    is_u64(run(gb_server_port(server), config, &r, &error), GB_OK, "an answer that comes late");
    ok(r.warmup_s >= 0.3, "a warm-up lasts until the first answers are there");
    gb_load_free(&r);
    gb_server_stop(server);
}

typedef struct stopper {
    useconds_t us;
    bool stop;
} stopper;

static void *stop_soon(void *arg)
{
    stopper *s = arg;
    usleep(s->us);
    __atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
    return NULL;
}

static void test_stop(gb_load_config config, const char *name)
{
    gb_error error = {0};
    gb_load_result r;
    pthread_t id;
    stopper s = {200000, false};
    gb_server *server = serve(say_ok, 2, NULL);
    config.stop = &s.stop;
    pthread_create(&id, NULL, stop_soon, &s);
    is_u64(run(gb_server_port(server), config, &r, &error), GB_INTERRUPTED, "stopped early: %s",
           name);
    pthread_join(id, NULL);
    ok(r.requests > 0 && r.rps > 0 && r.latency.total == r.started, "with what was measured");
    ok(strstr(error.text, "stopped"), "and said so: %s", error.text);
    gb_load_free(&r);
    gb_server_stop(server);
}

// ---- bodies -----------------------------------------------------------------------------------

static void swallow(gb_exchange *exchange, void *user)
{
    char buffer[16384];
    long n;
    size_t size = 0, wrong = 0;
    (void)user;
    while ((n = gb_request_read(exchange, buffer, sizeof buffer)) > 0)
        for (long i = 0; i < n; i++, size++) wrong += (unsigned char)buffer[i] != size % 251;
    bool good =
        n == 0 && size == 1 << 20 && !wrong && gb__slice_is(gb_request_method(exchange), "POST");
    gb_respond(exchange, good ? 200 : 500, "text/plain", "all of it", 9);
}

// The calling thread may look at the clock when the window is long over.
static void oversleep(void *user, const gb_load_progress *progress)
{
    bool *slept = user;
    if (*slept || !progress->in_window) return;
    *slept = true;
    nanosleep(&(struct timespec){.tv_nsec = 400000000}, NULL);
}

static void test_late_look(void)
{
    bool slept = false;
    gb_error error = {0};
    gb_load_result r;
    peer p = {.answer = GOOD};
    peer_start(&p);
    gb_load_config config = {.connections = 2, .duration_s = 0.1, .warmup_s = 0.05,
                             .on_progress = oversleep, .user = &slept};
    is_u64(run(p.port, config, &r, &error), GB_OK, "a look at the clock that is late");
    ok(slept && r.cpu_ns > 0 && r.cpu_ns < GB__NS, "the client's CPU time is that of the window");
    gb_load_free(&r);
    peer_stop(&p);
}

static void test_upload(void)
{
    gb_error error = {0};
    gb_load_result r;
    size_t size = 1 << 20;
    unsigned char *body = malloc(size);
    for (size_t i = 0; i < size; i++) body[i] = (unsigned char)(i % 251);
    gb_server *server = serve(swallow, 2, NULL);
    gb_load_config config = {.connections = 3,
                             .requests = 12,
                             .body = body,
                             .body_size = size,
                             .expect = "all of it",
                             .timeout_s = 10};
    is_u64(run(gb_server_port(server), config, &r, &error), GB_OK, "bodies of 1 MB");
    is_u64(r.requests, 12, "arrive whole");
    if (*r.first_error) diag("%s", r.first_error);
    gb_load_free(&r);
    gb_server_stop(server);

    // The server answers before it has read the body, and won't read it.
    gb_server_config small = {.threads = 2, .max_body = 1000};
    server = gb_server_start(&small, &error);
    is_u64(run(gb_server_port(server), config, &r, &error), GB_OK, "bodies that are too large");
    is_u64(r.errors.status, 12, "are refused: the answer counts, not the broken connection");
    ok(strstr(r.first_error, "413"), "%s", r.first_error);
    gb_load_free(&r);
    gb_server_stop(server);

    peer rude = {.answer = SIZE("413 Content Too Large\r\nConnection: close"), .after = CLOSE};
    peer_start(&rude);
    is_u64(run(rude.port, config, &r, &error), GB_OK, "a server that closes on them");
    is_u64(r.requests, 0, "answers nothing well");
    is_u64(gb_load_error_count(&r.errors), 12, "each request has one error");
    is_u64(r.errors.status, 12, "and its last word is heard");
    if (r.errors.status != 12)
        diag("%llu write, %llu read: %s", (unsigned long long)r.errors.write,
             (unsigned long long)r.errors.read, r.first_error);
    gb_load_free(&r);
    peer_stop(&rude);
    free(body);
}

// ---- what is sent -----------------------------------------------------------------------------

static void test_urls(void)
{
    static const struct {
        const char *url, *host;
        int port;
        const char *start;  // of the request
    } good[] = {
        {"http://localhost", "localhost", 80, "GET / HTTP/1.1\r\nHost: localhost\r\n"},
        {"http://localhost/", "localhost", 80, "GET / HTTP/1.1\r\nHost: localhost\r\n"},
        {"HTTP://LocalHost/A", "LocalHost", 80, "GET /A HTTP/1.1\r\nHost: LocalHost\r\n"},
        {"http://h:1/", "h", 1, "GET / HTTP/1.1\r\nHost: h:1\r\n"},
        {"http://h:65535/a/b?c=d&e", "h", 65535, "GET /a/b?c=d&e HTTP/1.1\r\nHost: h:65535\r\n"},
        {"http://h?q", "h", 80, "GET /?q HTTP/1.1\r\nHost: h\r\n"},
        {"http://h:8080?q=/x", "h", 8080, "GET /?q=/x HTTP/1.1\r\nHost: h:8080\r\n"},
        {"http://h#part", "h", 80, "GET / HTTP/1.1\r\nHost: h\r\n"},
        {"http://h/a#part?no", "h", 80, "GET /a HTTP/1.1\r\nHost: h\r\n"},
        {"http://h/a@b:c", "h", 80, "GET /a@b:c HTTP/1.1\r\nHost: h\r\n"},
        {"http://h//a", "h", 80, "GET //a HTTP/1.1\r\nHost: h\r\n"},
        {"http://[::1]", "::1", 80, "GET / HTTP/1.1\r\nHost: [::1]\r\n"},
        {"http://[::1]:8000/a]b", "::1", 8000, "GET /a]b HTTP/1.1\r\nHost: [::1]:8000\r\n"},
        {"http://[fe80::1%25lo]/", "fe80::1%25lo", 80,
         "GET / HTTP/1.1\r\nHost: [fe80::1%25lo]\r\n"},
        {NULL, NULL, 0, NULL}};
    static const char *const bad[] = {"",
                                      "h",
                                      "h:80",
                                      "//h/",
                                      "/x",
                                      "http:",
                                      "http:/",
                                      "http://",
                                      "http:///x",
                                      "http://?x",
                                      "http://#x",
                                      "http:// h/",
                                      "http://h /",
                                      "http://h h/",
                                      "http://:80/",
                                      "http://h:/",
                                      "http://h:0/",
                                      "http://h:65536/",
                                      "http://h:99999999999999999999/",
                                      "http://h:8x/",
                                      "http://h:-1/",
                                      "http://h:+1/",
                                      "http://h: 80/",
                                      "http://h:80:80/",
                                      "http://[::1/",
                                      "http://[]/",
                                      "http://[::1]x/",
                                      "http://[::1]x:80/",
                                      "http://[::1]80/",
                                      "http://::1/",
                                      "http://u@h/",
                                      "http://u:p@h/",
                                      "http://u:p@h:80/",
                                      "http://u@[::1]/",
                                      "https://h/",
                                      "ftp://h/",
                                      "file:///etc/passwd",
                                      "unix:///tmp/x",
                                      "http://h/a b",
                                      "http://h/a\tb",
                                      "http://h/\r\nX: y",
                                      "http://h/?a\nb",
                                      "http://h\r\nX: y/",
                                      "http://h\nX/",
                                      "http://h/\x7f",
                                      "http://h/\xc3\xa9",
                                      "http://h\\x/",
                                      "http://\"h\"/",
                                      "http://h\t/",
                                      "http://[h\r\nX: y]/",
                                      NULL};
    gb_error error;
    gb__url u;
    for (int i = 0; good[i].url; i++) {
        gb__client c = {.config = {.url = good[i].url, .method = "GET"}};
        bool fine = !gb__parse_url(good[i].url, &u, &error) &&
                    !gb__compose_requests(&c, &u, &error) && !strcmp(u.host, good[i].host) &&
                    u.port == good[i].port &&
                    !strncmp(c.requests->text.data, good[i].start, strlen(good[i].start));
        ok(fine, "%s", good[i].url);
        gb__requests_free(&c);
    }
    for (int i = 0; bad[i]; i++) {
        gb__client c = {.config = {.url = bad[i], .method = "GET"}};
        error.code = GB_OK;
        gb_code code = gb__parse_url(bad[i], &u, &error);
        if (!code) code = gb__compose_requests(&c, &u, &error);
        ok(code == GB_USAGE && error.code == code, "refused: bad URL %d", i);
        if (code != GB_USAGE) diag("%s", bad[i]);
        gb__requests_free(&c);
    }
    char host[1000];
    snprintf(host, sizeof host, "http://%0990d/", 1);
    is_u64(gb__parse_url(host, &u, &error), GB_USAGE, "refused: a name of 990 characters");
}

static void test_heads(void)
{
    static const char *const bad[] = {
        "",       "X",        ": y",     "X y: z", " X: y", "X : y", "X: y\r\nZ: 1",
        "X: y\n", "X\r\n: y", "X: \x01", NULL};
    gb_error error;
    gb__url u;
    gb__parse_url("http://h:1/a", &u, &error);
    const char *const own[] = {"X: y", "hOST: other", "Empty:"};
    gb__client c = {.config = {.url = "",
                               .method = "PUT",
                               .headers = own,
                               .header_count = 3,
                               .body = "ab",
                               .body_size = 2,
                               .no_keepalive = true}};
    is_u64(gb__compose_requests(&c, &u, &error), GB_OK, "a request with all there is");
    gb__buf_add(&c.requests->text, "", 1);
    is_str(c.requests->text.data,
           "PUT /a HTTP/1.1\r\nX: y\r\nhOST: other\r\nEmpty:\r\nConnection: close\r\n"
           "Content-Length: 2\r\n\r\nab",
           "has one Host, the one given");
    gb__requests_free(&c);
    for (int i = 0; bad[i]; i++) {
        c = (gb__client){
            .config = {.url = "", .method = "GET", .headers = &bad[i], .header_count = 1}};
        is_u64(gb__compose_requests(&c, &u, &error), GB_USAGE, "refused: bad header %d", i);
        gb__requests_free(&c);
    }
    static const char *const lengths[] = {"Content-Length: 2", "transfer-encoding: chunked", NULL};
    for (int i = 0; lengths[i]; i++) {
        c = (gb__client){.config = {.url = "", .method = "POST", .headers = &lengths[i],
                                    .header_count = 1, .body = "ab", .body_size = 2}};
        is_u64(gb__compose_requests(&c, &u, &error), GB_USAGE, "refused: %s and a body", lengths[i]);
        gb__requests_free(&c);
        c = (gb__client){.config = {.url = "", .method = "POST", .headers = &lengths[i],
                                    .header_count = 1}};
        is_u64(gb__compose_requests(&c, &u, &error), GB_OK, "%s alone is as it is", lengths[i]);
        ok(!memmem(c.requests->text.data, c.requests->text.len, "Length: 0", 9), "with nothing to contradict it");
        gb__requests_free(&c);
    }
    static const char *const verbs[] = {"GET", "HEAD", "DELETE", "POST", "PUT", "PATCH", NULL};
    for (int i = 0; verbs[i]; i++) {
        c = (gb__client){.config = {.url = "", .method = verbs[i]}};
        gb__compose_requests(&c, &u, &error);
        bool sized = memmem(c.requests->text.data, c.requests->text.len, "\r\nContent-Length: 0\r\n", 21);
        is_u64(sized, i > 2, "%s without a body", verbs[i]);
        gb__requests_free(&c);
    }
    static const char *const methods[] = {"", "GET /", "G\r\nX: y", "G(T", NULL};
    for (int i = 0; methods[i]; i++) {
        c = (gb__client){.config = {.url = "", .method = methods[i]}};
        is_u64(gb__compose_requests(&c, &u, &error), GB_USAGE, "refused: bad method %d", i);
        gb__requests_free(&c);
    }
}

// ---- a mix of requests ----------------------------------------------------------------------------

typedef struct counts {
    atomic_int get, post, head, wrong;
    atomic_int order[12], answered;
} counts;

static void count_handler(gb_exchange *x, void *user)
{
    counts *n = user;
    char body[16] = "";
    bool own = gb__slice_is(gb_request_header(x, "X-Own"), "yes");
    gb_slice method = gb_request_method(x), path = gb_request_path(x);
    int which = *method.data == 'G' ? 0 : *method.data == 'P' ? 1 : 2;
    int at = atomic_fetch_add(&n->answered, 1);
    if (at < 12) n->order[at] = which;
    atomic_fetch_add(which == 0 ? &n->get : which == 1 ? &n->post : &n->head, 1);
    if (which == 1 && (gb_request_read(x, body, sizeof body) != 3 || strcmp(body, "a\nb") ||
                       !gb__slice_is(path, "/cart") ||
                       !gb__slice_is(gb_request_header(x, "X-A"), "1")))
        own = false;
    if (which == 0 && !(gb__slice_is(path, "/") && gb__slice_is(gb_request_query(x), "b=c")))
        own = false;
    if (!own) atomic_fetch_add(&n->wrong, 1);
    gb_respond(x, which == 1 ? 204 : 200, which == 1 ? NULL : "text/plain", "hello",
               which == 1 ? 0 : 5);
}

static void test_mix(void)
{
    static const char *const one = "X-A: 1", *const own = "X-Own: yes";
    const gb_request mix[] = {
        {.path = "/?b=c", .weight = 3},
        {.path = "/cart", .headers = &one, .header_count = 1, .body = "a\nb", .body_size = 3,
         .weight = 2},
        {.path = "/h", .method = "HEAD"}};
    static counts n;
    static const int order[12] = {0, 1, 0, 2, 1, 0, 0, 1, 0, 2, 1, 0};
    char url[64];
    gb_error error = {0};
    gb_load_result r;
    gb_server *server = gb_server_start(
        &(gb_server_config){.threads = 2, .handler = count_handler, .user = &n}, &error);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", gb_server_port(server));
    gb_load_config k = {.url = url, .mix = mix, .mix_count = 3, .headers = &own, .header_count = 1,
                        .connections = 1, .requests = 12};
    ok(!gb_load(&k, &r, &error) && !gb_load_error_count(&r.errors), "a mix: %s", error.text);
    bool same = true;
    for (int i = 0; i < 12; i++) same &= atomic_load(&n.order[i]) == order[i];
    ok(same, "in the order in which each has its share at any time");
    ok(r.first_answer.status == 200 && r.first_answer.size == 5, "the first answer is the first's");
    gb_load_free(&r);
    for (int threads = 1; threads <= 2; threads++) {
        atomic_store(&n.get, 0);
        atomic_store(&n.post, 0);
        atomic_store(&n.head, 0);
        k.requests = 600;
        k.connections = 8;
        k.threads = threads;
        ok(!gb_load(&k, &r, &error) && r.statuses[2] == 600 && r.latency.total == 600,
           "600 of it with %d threads: %s", threads, *r.first_error ? r.first_error : error.text);
        int gets = atomic_load(&n.get), posts = atomic_load(&n.post), heads = atomic_load(&n.head);
        ok(abs(gets - 300) < threads && abs(posts - 200) < threads && abs(heads - 100) < threads,
           "each has its share: %d %d %d", gets, posts, heads);
        gb_load_free(&r);
    }
    ok(!atomic_load(&n.wrong), "with its headers, those of all, and its body");
    gb_server_stop(server);
}

// What failed is said, and it is the request's own.
static void test_mix_errors(void)
{
    const gb_request mix[] = {{.path = "/json", .weight = 0.9}, {.path = "/none", .weight = 0.1}};
    char url[64];
    gb_error error = {0};
    gb_load_result r;
    gb_server *server = gb_server_start(&(gb_server_config){.threads = 1}, &error);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", gb_server_port(server));
    ok(!gb_load(&(gb_load_config){.url = url, .mix = mix, .mix_count = 2, .requests = 100,
                                  .connections = 1}, &r, &error), "a mix with an error: %s",
       error.text);
    is_u64(r.errors.status, 10, "of which each tenth fails");
    is_u64(r.requests, 90, "and the others don't");
    is_str(r.first_error, "GET /none: the answer's status was 404", "which is said");
    gb_load_free(&r);
    gb_server_stop(server);
}

static void test_refused_configs(void)
{
    static const gb_load_config bad[] = {
        {.url = NULL},
        {.url = "http://127.0.0.1:9/", .connections = -1},
        {.url = "http://127.0.0.1:9/", .connections = 100001},
        {.url = "http://127.0.0.1:9/", .connections = 2, .threads = 3},
        {.url = "http://127.0.0.1:9/", .threads = -1},
        {.url = "http://127.0.0.1:9/", .rate = -1},
        {.url = "http://127.0.0.1:9/", .rate = 1e8},
        {.url = "gopher://127.0.0.1/"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gb_error error = {0};
        gb_load_result r;
        gb_code code = gb_load(&bad[i], &r, &error);
        ok(code == GB_USAGE && *error.text, "refused: %s", error.text);
        is_u64(gb_load(&bad[i], &r, NULL), GB_USAGE, "without a gb_error, too");
        gb_load_free(&r);
    }
}

int main(void)
{
    test_urls();
    test_heads();
    test_mix();
    test_mix_errors();
    test_refused_configs();
    for (const struct answer_case *c = answer_cases; c->name; c++) test_answer(c);
    test_unannounced_close(CLOSE, "closed");
    test_unannounced_close(RESET, "reset");
    test_no_keepalive();
    test_few();
    test_statuses();
    test_malformed();
    test_expect();
    test_timeouts();
    test_failed_time();
    test_given_up();
    test_unanswered(0);
    test_unanswered(200);
    test_last_answers((gb_load_config){.rate = 0}, "a closed loop");
    test_last_answers((gb_load_config){.rate = 400}, "a rate");
    test_last_answers((gb_load_config){.no_keepalive = true}, "without keep-alive");
    test_refused();
    test_server_dies(1, (gb_load_config){.connections = 4, .duration_s = 0.5}, "closed loop");
    test_server_dies(1, (gb_load_config){.connections = 4, .duration_s = 0.5, .rate = 400},
                     "a rate");
    test_server_dies(
        1, (gb_load_config){.connections = 4, .threads = 2, .requests = 230, .rate = 1000},
        "so many requests");
    test_count(1, 1, 1, 0);
    test_count(5, 16, 4, 0);
    test_count(1000, 10, 3, 0);
    test_count(64, 64, 1, 0);
    test_count(200, 5, 2, 2000);
    test_rate(1);
    test_ten_ms();
    test_freeze(1);
    test_window();
    test_first_answers();
    test_late_look();
    test_stop((gb_load_config){.connections = 4, .duration_s = 30}, "a duration");
    test_stop((gb_load_config){.connections = 4, .requests = 1000000000}, "a number of requests");
    test_upload();
    return tap_end();
}
