// The pure parsers: requests, answers and the chunked coding, on what is right, what is wrong and
// what is random. The limits are shrunk; tests/limits.t sees the real ones.
#define GILBENCH_IMPLEMENTATION
#define GB_MAX_REQUEST_LINE 96
#define GB_MAX_HEAD 512
#define GB_MAX_HEADERS 8
#include "gilbench.h"
#include "http_rules.h"
#include "tap.h"

#define BYTES(text) text, sizeof(text) - 1
#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct row {
    const char *name, *bytes;
    size_t len;
    int result;
} row;

// ---- requests ----

static void request_row(const char *name, const char *bytes, size_t len, int wanted)
{
    gb__request r;
    int got = gb__parse_request(&r, fenced(bytes, len), len);
    const char *broken = request_rules(bytes, len, 1);
    ok(got == wanted && !broken, "request: %s", name);
    if (got != wanted) diag("got %d, wanted %d", got, wanted);
    if (broken) diag("%s", broken);
}

static void request_rows(const row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        request_row(rows[i].name, rows[i].bytes, rows[i].len, rows[i].result);
}

static void test_request_lines(void)
{
#define LINE(text) BYTES(text "\r\nHost: a\r\n\r\n")
    static const row rows[] = {
        {"the simplest", LINE("GET / HTTP/1.1"), 0},
        {"a method of every token character", LINE("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1"), 0},
        {"no method", LINE(" / HTTP/1.1"), 400},
        {"a method with a colon", LINE("GE:T / HTTP/1.1"), 400},
        {"a method with a high byte", LINE("GET\xe9 / HTTP/1.1"), 400},
        {"a tab for a space", LINE("GET\t/ HTTP/1.1"), 400},
        {"two spaces before the target", LINE("GET  / HTTP/1.1"), 400},
        {"two spaces behind the target", LINE("GET /  HTTP/1.1"), 400},
        {"a space at the end", LINE("GET / HTTP/1.1 "), 400},
        {"a space at the start", LINE(" GET / HTTP/1.1"), 400},
        {"a space in the target", LINE("GET /a b HTTP/1.1"), 400},
        {"a tab in the target", LINE("GET /a\tb HTTP/1.1"), 400},
        {"a NUL in the target", LINE("GET /a\0b HTTP/1.1"), 400},
        {"a bare CR in the target", LINE("GET /a\rb HTTP/1.1"), 400},
        {"DEL in the target", LINE("GET /\x7f HTTP/1.1"), 400},
        {"UTF-8 in the target", LINE("GET /\xc3\xa9 HTTP/1.1"), 400},
        {"a fragment in the target", LINE("GET /a?b#c HTTP/1.1"), 400},
        {"a fragment in absolute-form", LINE("GET http://a/b#c HTTP/1.1"), 400},
        {"no target", LINE("GET HTTP/1.1"), 400},
        {"an empty target", LINE("GET  HTTP/1.1"), 400},
        {"a target without a slash", LINE("GET a HTTP/1.1"), 400},
        {"a query alone", LINE("GET ?a HTTP/1.1"), 400},
        {"only a method", LINE("GET"), 400},
        {"HTTP/0.9", LINE("GET /"), 400},
        {"an empty version", LINE("GET / "), 400},
        {"HTTP/1.0", LINE("GET / HTTP/1.0"), 0},
        {"HTTP/1.2", LINE("GET / HTTP/1.2"), 505},
        {"HTTP/2.0", LINE("GET / HTTP/2.0"), 505},
        {"HTTP/0.9 by name", LINE("GET / HTTP/0.9"), 505},
        {"HTTP/2's preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
        {"HTTP/1", LINE("GET / HTTP/1"), 400},
        {"HTTP/1.10", LINE("GET / HTTP/1.10"), 400},
        {"HTTP/11", LINE("GET / HTTP/11.1"), 400},
        {"HTTP/1,1", LINE("GET / HTTP/1,1"), 400},
        {"HTTP/A.1", LINE("GET / HTTP/A.1"), 400},
        {"http/1.1", LINE("GET / http/1.1"), 400},
        {"another protocol", LINE("GET / ICAP/1.0"), 400},
        {"TLS", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"), 400},
        {"absolute-form", LINE("GET http://a/b?c HTTP/1.1"), 0},
        {"absolute-form without a path", LINE("GET http://a HTTP/1.1"), 0},
        {"absolute-form without a host", LINE("GET http:///b HTTP/1.1"), 400},
        {"absolute-form without anything", LINE("GET http:// HTTP/1.1"), 400},
        {"absolute-form with a user", LINE("GET http://user@a/ HTTP/1.1"), 400},
        {"absolute-form with a bad host", LINE("GET http://a\\b/ HTTP/1.1"), 400},
        {"https", LINE("GET https://a/b HTTP/1.1"), 400},
        {"authority-form", LINE("GET a:80 HTTP/1.1"), 400},
        {"OPTIONS *", LINE("OPTIONS * HTTP/1.1"), 0},
        {"GET *", LINE("GET * HTTP/1.1"), 400},
        {"OPTIONS **", LINE("OPTIONS ** HTTP/1.1"), 400},
        {"CONNECT", LINE("CONNECT a:80 HTTP/1.1"), 501},
        {"a bare LF behind the request line", BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
        {"an empty line first", BYTES("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
        {"two empty lines first", BYTES("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0},
        {"a bare LF first", BYTES("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a bare CR first", BYTES("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"nothing", BYTES(""), GB__PARTIAL},
        {"half a line", BYTES("GET / HT"), GB__PARTIAL},
        {"no end of the head", BYTES("GET / HTTP/1.1\r\nHost: a\r\n"), GB__PARTIAL},
        {"no LF at the end of the head", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r"), GB__PARTIAL},
    };
#undef LINE
    request_rows(rows, COUNT(rows));
}

static void test_hosts(void)
{
    static const row rows[] = {
        {"no Host", BYTES("GET / HTTP/1.1\r\n\r\n"), 400},
        {"no Host in HTTP/1.0", BYTES("GET / HTTP/1.0\r\n\r\n"), 0},
        {"two Hosts", BYTES("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400},
        {"two Hosts in HTTP/1.0", BYTES("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400},
        {"an empty Host", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0},
        {"a Host and a port", BYTES("GET / HTTP/1.1\r\nHOST:  a.b-c:80 \t\r\n\r\n"), 0},
        {"a Host of IPv6", BYTES("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), 0},
        {"a Host with a space", BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
        {"a Host with a slash", BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
        {"a Host with a user", BYTES("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400},
        {"absolute-form without a Host", BYTES("GET http://a/ HTTP/1.1\r\n\r\n"), 400},
        {"another Host than the absolute-form's",
         BYTES("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), 0},
    };
    request_rows(rows, COUNT(rows));
}

#define FIELDS(text) BYTES("POST / HTTP/1.1\r\nHost: a\r\n" text "\r\n")

static void test_fields(void)
{
    static const row rows[] = {
        {"a name of every token character", FIELDS("!#$%&'*+-.^_`|~09azAZ: 1\r\n"), 0},
        {"no colon", FIELDS("Name\r\n"), 400},
        {"no name", FIELDS(": value\r\n"), 400},
        {"a space before the colon", FIELDS("Name : value\r\n"), 400},
        {"a tab before the colon", FIELDS("Name\t: value\r\n"), 400},
        {"a space before the name", FIELDS(" Name: value\r\n"), 400},
        {"a space within the name", FIELDS("Na me: value\r\n"), 400},
        {"a NUL in the name", FIELDS("Na\0me: value\r\n"), 400},
        {"a parenthesis in the name", FIELDS("Name(: value\r\n"), 400},
        {"a high byte in the name", FIELDS("N\xe4me: value\r\n"), 400},
        {"obs-fold with a space", FIELDS("Name: a\r\n b\r\n"), 400},
        {"obs-fold with a tab", FIELDS("Name: a\r\n\tb\r\n"), 400},
        {"a line of a space", FIELDS("Name: a\r\n \r\n"), 400},
        {"an empty value", FIELDS("Name:\r\n"), 0},
        {"a value of blanks", FIELDS("Name: \t \r\n"), 0},
        {"no space behind the colon", FIELDS("Name:value\r\n"), 0},
        {"a tab in the value", FIELDS("Name: a\tb\r\n"), 0},
        {"a high byte in the value", FIELDS("Name: \xe4\xff\r\n"), 0},
        {"a NUL in the value", FIELDS("Name: a\0b\r\n"), 400},
        {"a NUL at the end of the value", FIELDS("Name: a\0\r\n"), 400},
        {"a control character in the value", FIELDS("Name: a\x01\r\n"), 400},
        {"DEL in the value", FIELDS("Name: a\x7f\r\n"), 400},
        {"a bare CR in the value", FIELDS("Name: a\rb\r\n"), 400},
        {"a bare CR before the CRLF", FIELDS("Name: a\r\r\n"), 400},
        {"a bare CR before the value", FIELDS("Name:\ra\r\n"), 400},
        {"a bare LF behind the value", FIELDS("Name: a\nOther: b\r\n"), 400},
        {"a bare LF as the empty line", FIELDS("Name: a\r\n\n"), 400},
        {"LF CR", FIELDS("Name: a\n\rOther: b\r\n"), 400},
        {"Content-Type twice", FIELDS("Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400},
        {"the same User-Agent twice", FIELDS("User-Agent: a\r\nX: y\r\nuser-agent: a\r\n"), 400},
        {"two fields that are there once", FIELDS("Date: a\r\nFrom: b\r\nRange: c\r\n"), 0},
        {"a list on two lines", FIELDS("Accept: a\r\nAccept: b\r\n"), 0},
        {"Cookie twice", FIELDS("Cookie: a=b\r\nCookie: c=d\r\n"), 0},
        {"Expect", FIELDS("Expect: 100-Continue\r\n"), 0},
        {"another Expect", FIELDS("Expect: 200-ok\r\n"), 417},
        {"an empty Expect", FIELDS("Expect:\r\n"), 417},
    };
    request_rows(rows, COUNT(rows));
}

// What request smuggling is made of: any doubt about where the body ends is an error.
static void test_framing(void)
{
    static const row rows[] = {
        {"Content-Length", FIELDS("Content-Length: 5\r\n"), 0},
        {"Content-Length with zeros", FIELDS("content-length: 0005\r\n"), 0},
        {"the same twice", FIELDS("Content-Length: 5\r\nContent-Length: 5\r\n"), 0},
        {"two different ones", FIELDS("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
        {"a list", FIELDS("Content-Length: 5, 6\r\n"), 400},
        {"a list of the same", FIELDS("Content-Length: 5,5\r\n"), 400},
        {"plus", FIELDS("Content-Length: +5\r\n"), 400},
        {"minus", FIELDS("Content-Length: -5\r\n"), 400},
        {"minus zero", FIELDS("Content-Length: -0\r\n"), 400},
        {"hexadecimal", FIELDS("Content-Length: 0x5\r\n"), 400},
        {"a letter behind it", FIELDS("Content-Length: 5a\r\n"), 400},
        {"a point", FIELDS("Content-Length: 5.0\r\n"), 400},
        {"an exponent", FIELDS("Content-Length: 1e3\r\n"), 400},
        {"a space within", FIELDS("Content-Length: 5 5\r\n"), 400},
        {"an underscore", FIELDS("Content-Length: 1_0\r\n"), 400},
        {"quotes", FIELDS("Content-Length: \"5\"\r\n"), 400},
        {"an empty one", FIELDS("Content-Length:\r\n"), 400},
        {"an empty one and a good one", FIELDS("Content-Length:\r\nContent-Length: 5\r\n"), 400},
        {"63 bits", FIELDS("Content-Length: 9223372036854775000\r\n"), 0},
        {"64 bits", FIELDS("Content-Length: 18446744073709551615\r\n"), 400},
        {"65 bits", FIELDS("Content-Length: 18446744073709551621\r\n"), 400},
        {"many digits", FIELDS("Content-Length: 100000000000000000000000000000005\r\n"), 400},
        {"a space before the colon", FIELDS("Content-Length : 5\r\n"), 400},
        {"chunked", FIELDS("Transfer-Encoding: chunked\r\n"), 0},
        {"CHUNKED", FIELDS("TRANSFER-encoding: CHUNKED\r\n"), 0},
        {"chunked in a list with nothing", FIELDS("Transfer-Encoding: , chunked ,\r\n"), 0},
        {"chunked with a tab before it", FIELDS("Transfer-Encoding:\tchunked\r\n"), 0},
        {"chunked with VT before it", FIELDS("Transfer-Encoding: \x0b" "chunked\r\n"), 400},
        {"chunked with CR before it", FIELDS("Transfer-Encoding:\rchunked\r\n"), 400},
        {"chunked on a second line", FIELDS("Transfer-Encoding:\r\n chunked\r\n"), 400},
        {"chunked, chunked", FIELDS("Transfer-Encoding: chunked, chunked\r\n"), 400},
        {"chunked twice",
         FIELDS("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        {"chunked and identity",
         FIELDS("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
        {"gzip, chunked", FIELDS("Transfer-Encoding: gzip, chunked\r\n"), 501},
        {"gzip and chunked",
         FIELDS("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501},
        {"gzip, chunked with a length",
         FIELDS("Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n"), 400},
        {"chunked, gzip, chunked", FIELDS("Transfer-Encoding: chunked, gzip, chunked\r\n"), 400},
        {"chunked, gzip", FIELDS("Transfer-Encoding: chunked, gzip\r\n"), 400},
        {"gzip", FIELDS("Transfer-Encoding: gzip\r\n"), 400},
        {"identity", FIELDS("Transfer-Encoding: identity\r\n"), 400},
        {"xchunked", FIELDS("Transfer-Encoding: xchunked\r\n"), 400},
        {"chunkedx", FIELDS("Transfer-Encoding: chunkedx\r\n"), 400},
        {"chunked;a=b", FIELDS("Transfer-Encoding: chunked;a=b\r\n"), 400},
        {"\"chunked\"", FIELDS("Transfer-Encoding: \"chunked\"\r\n"), 400},
        {"an empty coding", FIELDS("Transfer-Encoding:\r\n"), 400},
        {"a coding of commas", FIELDS("Transfer-Encoding: ,,\r\n"), 400},
        {"both", FIELDS("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
        {"both, the other way round",
         FIELDS("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
        {"both, with a length of 0",
         FIELDS("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400},
        {"both, an empty coding", FIELDS("Transfer-Encoding:\r\nContent-Length: 5\r\n"), 400},
        {"a coding with a space before the colon", FIELDS("Transfer-Encoding : chunked\r\n"), 400},
        {"a coding in HTTP/1.0",
         BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
        {"both in HTTP/1.0", BYTES("POST / HTTP/1.0\r\nContent-Length: 5\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n"), 400},
    };
    request_rows(rows, COUNT(rows));
}

static void test_request_parts(void)
{
    static const char get[] = "GET http://User.example:80/a/b?c=d?e HTTP/1.1\r\n"
                              "Host: other \t\r\nX-Empty:\r\nX:  a \t b\t\r\n\r\nrest";
    gb__request r;
    ok(!gb__parse_request(&r, get, sizeof get - 1), "a request with everything");
    ok(gb__slice_is(r.method, "GET"), "method");
    ok(gb__slice_is(r.target, "http://User.example:80/a/b?c=d?e"), "target");
    ok(gb__slice_is(r.authority, "User.example:80"), "authority");
    ok(gb__slice_is(r.path, "/a/b"), "path");
    ok(gb__slice_is(r.query, "c=d?e"), "query: only the first question mark splits");
    is_u64(r.field_count, 3, "fields");
    ok(gb__slice_is(r.fields[0].value, "other"), "blanks around a value are not the value's");
    ok(gb__slice_is(r.fields[1].name, "X-Empty") && !r.fields[1].value.len, "an empty value");
    ok(gb__slice_is(r.fields[2].value, "a \t b"), "blanks within a value are");
    is_u64(r.head_len, sizeof get - 1 - 4, "head_len");

    static const char bare[] = "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n";
    ok(!gb__parse_request(&r, bare, sizeof bare - 1) && !r.path.len && gb__slice_is(r.query, "b"),
       "absolute-form with only a query");

    static const char star[] = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    ok(!gb__parse_request(&r, star, sizeof star - 1) && gb__slice_is(r.path, "*"), "OPTIONS *");
}

static void flags_row(const char *name, const char *text, bool keep_alive, bool expect)
{
    gb__request r;
    int status = gb__parse_request(&r, text, strlen(text));
    ok(!status && r.keep_alive == keep_alive && r.expect_continue == expect, "%s", name);
}

static void test_request_flags(void)
{
#define HTTP11(text) "GET / HTTP/1.1\r\nHost: a\r\n" text "\r\n"
#define HTTP10(text) "GET / HTTP/1.0\r\n" text "\r\n"
    flags_row("HTTP/1.1 keeps the connection", HTTP11(""), true, false);
    flags_row("unless told", HTTP11("Connection: close\r\n"), false, false);
    flags_row("in any case", HTTP11("Connection: Close\r\n"), false, false);
    flags_row("or in a list", HTTP11("Connection: a,\tclose , b\r\n"), false, false);
    flags_row("by the last of two", HTTP11("Connection: a\r\nConnection: close\r\n"), false, false);
    flags_row("close wins", HTTP11("Connection: close\r\nConnection: keep-alive\r\n"), false,
              false);
    flags_row("closed is not close", HTTP11("Connection: closed\r\n"), true, false);
    flags_row("HTTP/1.0 doesn't", HTTP10(""), false, false);
    flags_row("unless asked", HTTP10("Connection: Keep-Alive\r\n"), true, false);
    flags_row("where close wins, too", HTTP10("Connection: keep-alive, close\r\n"), false, false);
    flags_row("Expect", HTTP11("Expect: 100-continue\r\n"), true, true);
    flags_row("HTTP/1.0 has no Expect", HTTP10("Expect: 100-continue\r\n"), false, false);
#undef HTTP11
#undef HTTP10
}

// ---- limits: exactly at, and one over ----

static gb__buf text_of(const char *before, char c, size_t count, const char *after)
{
    gb__buf b = {0};
    gb__buf_str(&b, before);
    for (size_t i = 0; i < count; i++) gb__buf_add(&b, &c, 1);
    gb__buf_str(&b, after);
    return b;
}

static void limit_row(const char *name, gb__buf text, int wanted)
{
    request_row(name, text.data, text.len, wanted);
    gb__buf_free(&text);
}

static void test_line_limit(void)
{
    size_t room = GB_MAX_REQUEST_LINE - strlen("GET / HTTP/1.1");
    const char *end = " HTTP/1.1\r\nHost: a\r\n\r\n";
    limit_row("the longest request line", text_of("GET /", 'a', room, end), 0);
    limit_row("one longer", text_of("GET /", 'a', room + 1, end), 414);
    limit_row("much longer, its end not in sight", text_of("GET /", 'a', room * 3, ""), 414);
    limit_row("a long line without an LF yet", text_of("GET /", 'a', room, " HTTP/1.1\r"),
              GB__PARTIAL);
    limit_row("a method without an end", text_of("", 'A', GB_MAX_REQUEST_LINE * 2, ""), 414);
}

static void test_head_limit(void)
{
    const char *line = "GET / HTTP/1.1\r\n", *host = "Host: a\r\nName: ";
    size_t room = GB_MAX_HEAD - strlen(host) - 4;
    char before[64];
    snprintf(before, sizeof before, "%s%s", line, host);
    limit_row("the longest head", text_of(before, 'a', room, "\r\n\r\n"), 0);
    limit_row("one longer", text_of(before, 'a', room + 1, "\r\n\r\n"), 431);
    limit_row("two longer", text_of(before, 'a', room + 2, "\r\n\r\n"), 431);
    limit_row("three longer", text_of(before, 'a', room + 3, "\r\n\r\n"), 431);
    limit_row("a field without an end", text_of(before, 'a', GB_MAX_HEAD, ""), 431);
    limit_row("blanks without an end", text_of(before, ' ', GB_MAX_HEAD, ""), 431);
}

static void count_row(const char *name, int fields, int wanted)
{
    gb__buf b = {0};
    gb__buf_str(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < fields; i++) gb__buf_printf(&b, "N%d: %d\r\n", i, i);
    gb__buf_str(&b, "\r\n");
    limit_row(name, b, wanted);
}

static void test_empty_lines(void)
{
    gb__buf b = {0};
    while (b.len < GB_MAX_REQUEST_LINE * 2) gb__buf_str(&b, "\r\n");
    limit_row("empty lines without an end", b, 400);
    is_u64(gb__empty_lines("", 0), 0, "empty lines: nothing");
    is_u64(gb__empty_lines("\r", 1), 0, "empty lines: half of one may go on");
    is_u64(gb__empty_lines("\r\n\r\n\r", 5), 4, "empty lines: two, and half of one");
    is_u64(gb__empty_lines("\r\nGET", 5), 2, "empty lines: one before a request");
    is_u64(gb__empty_lines("\n\r\n", 3), 0, "empty lines: a bare LF is none");
}

// ---- pipelined requests ----

static void test_pipeline(void)
{
    static const char text[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                               "\r\nGET /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                               "GET /3 HTTP/1.0\r\n\r\n"
                               "GET /4 HTTP/1.1\r\n";
    const char *paths[] = {"/1", "/2", "/3"};
    gb__request r;
    size_t at = 0, left = sizeof text - 1;
    for (size_t i = 0; i < COUNT(paths); i++) {
        const char *bytes = fenced(text + at, left - at);
        ok(!gb__parse_request(&r, bytes, left - at) && gb__slice_is(r.path, paths[i]),
           "pipelined: %s", paths[i]);
        at += r.head_len;
    }
    ok(gb__parse_request(&r, fenced(text + at, left - at), left - at) == GB__PARTIAL,
       "pipelined: the last is not complete");
}

// ---- answers ----

static void response_row(const char *name, const char *bytes, size_t len, int wanted)
{
    gb__response r;
    int got = gb__parse_response(&r, fenced(bytes, len), len);
    const char *broken = response_rules(bytes, len, 1);
    ok(got == wanted && !broken, "answer: %s", name);
    if (got != wanted) diag("got %d, wanted %d", got, wanted);
    if (broken) diag("%s", broken);
}

static void test_response_lines(void)
{
#define LINE(text) BYTES(text "\r\n\r\n")
    static const row rows[] = {
        {"200", LINE("HTTP/1.1 200 OK"), 0},
        {"no reason", LINE("HTTP/1.1 200 "), 0},
        {"nor a space before it", LINE("HTTP/1.1 200"), 0},
        {"a long reason", LINE("HTTP/1.1 404 It was \xc3\xbc" "ber here"), 0},
        {"HTTP/1.0", LINE("HTTP/1.0 200 OK"), 0},
        {"100", LINE("HTTP/1.1 100 Continue"), 0},
        {"999", LINE("HTTP/1.1 999 What"), 0},
        {"HTTP/2", LINE("HTTP/2 200 OK"), 1},
        {"HTTP/2.0", LINE("HTTP/2.0 200 OK"), 1},
        {"a version of letters", LINE("HTTP/1.x 200 OK"), 1},
        {"http", LINE("http/1.1 200 OK"), 1},
        {"another protocol", LINE("SIP/2.0 200 OK"), 1},
        {"SSH", LINE("SSH-2.0-OpenSSH_9.2p1 Debian"), 1},
        {"two digits", LINE("HTTP/1.1 20 OK"), 1},
        {"four digits", LINE("HTTP/1.1 2000 OK"), 1},
        {"below 100", LINE("HTTP/1.1 099 Odd"), 1},
        {"a negative status", LINE("HTTP/1.1 -20 OK"), 1},
        {"letters", LINE("HTTP/1.1 2OO OK"), 1},
        {"no space before the status", LINE("HTTP/1.1200 OK"), 1},
        {"another byte than a space", LINE("HTTP/1.1\t200 OK"), 1},
        {"two spaces", LINE("HTTP/1.1  200 OK"), 1},
        {"a reason without a space", LINE("HTTP/1.1 200OK"), 1},
        {"a NUL in the reason", LINE("HTTP/1.1 200 O\0K"), 1},
        {"a bare CR in the reason", LINE("HTTP/1.1 200 O\rK"), 1},
        {"a bare LF", BYTES("HTTP/1.1 200 OK\n\n"), 1},
        {"nothing", BYTES(""), GB__PARTIAL},
        {"half a line", BYTES("HTTP/1.1 20"), GB__PARTIAL},
        {"no end", BYTES("HTTP/1.1 200 OK\r\nA: b\r\n"), GB__PARTIAL},
        {"an empty line first", BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), 1},
    };
#undef LINE
    for (size_t i = 0; i < COUNT(rows); i++)
        response_row(rows[i].name, rows[i].bytes, rows[i].len, rows[i].result);
}

static void test_response_fields(void)
{
#define WITH(text) BYTES("HTTP/1.1 200 OK\r\n" text "\r\n")
    static const row rows[] = {
        {"two lengths that agree", WITH("Content-Length: 5\r\nContent-length: 5\r\n"), 0},
        {"two that don't", WITH("Content-Length: 5\r\nContent-Length: 6\r\n"), 1},
        {"a length with a sign", WITH("Content-Length: +5\r\n"), 1},
        {"a length of 65 bits", WITH("Content-Length: 18446744073709551621\r\n"), 1},
        {"gzip, chunked", WITH("Transfer-Encoding: gzip, chunked\r\n"), 1},
        {"chunked twice", WITH("Transfer-Encoding: chunked, chunked\r\n"), 1},
        {"no colon", WITH("Name\r\n"), 1},
        {"a space before the colon", WITH("Name : a\r\n"), 1},
        {"obs-fold", WITH("Name: a\r\n b\r\n"), 0},
        {"obs-fold with a tab, twice", WITH("Name:\r\n\ta\r\n b\r\nOther: c\r\n"), 0},
        {"obs-fold of nothing", WITH("Name: a\r\n \r\n"), 0},
        {"obs-fold in a length", WITH("Content-Length:\r\n 5\r\n"), 0},
        {"obs-fold within a length", WITH("Content-Length: 5\r\n 5\r\n"), 1},
        {"obs-fold before any field", WITH(" a\r\n"), 1},
        {"a bare LF in an obs-fold", WITH("Name: a\r\n b\n c\r\n"), 1},
        {"chunked behind chunked",
         WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 1},
        {"a NUL", WITH("Name: \0\r\n"), 1},
        {"a bare CR", WITH("Name: a\rb\r\n"), 1},
        {"a bare LF", WITH("Name: a\nOther: b\r\n"), 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        response_row(rows[i].name, rows[i].bytes, rows[i].len, rows[i].result);
}

// An answer's head may be this long as a whole, however it is cut.
static void test_response_limit(void)
{
    const char *line = "HTTP/1.1 200 OK\r\nName: ", *end = "\r\n\r\n";
    size_t room = GB_MAX_HEAD - strlen(line) - strlen(end);
    gb__buf most = text_of(line, 'a', room, end), more = text_of(line, 'a', room + 1, end);
    gb__buf lines = {0};
    gb__buf_str(&lines, "HTTP/1.1 200 OK\r\n");
    while (lines.len <= GB_MAX_HEAD) gb__buf_str(&lines, "A: b\r\n c\r\n");
    response_row("the longest head", most.data, most.len, 0);
    response_row("one longer", more.data, more.len, 1);
    response_row("too many lines", lines.data, lines.len, 1);
    gb__buf_free(&most);
    gb__buf_free(&more);
    gb__buf_free(&lines);
}

static gb__response answer_of(const char *text)
{
    gb__response r;
    size_t len = strlen(text);
    if (gb__parse_response(&r, fenced(text, len), len)) diag("not an answer: %s", text);
    return r;
}

static void problem_row(const char *text, const char *wanted)
{
    gb__response r;
    size_t len = strlen(text);
    ok(gb__parse_response(&r, fenced(text, len), len) > 0 && strstr(r.problem, wanted),
       "malformed: %s", wanted);
}

static void test_problems(void)
{
    problem_row("SSH-2.0-OpenSSH\r\n", "not HTTP/1.x");
    problem_row("HTTP/1.1 200 OK\r\nName\r\n\r\n", "a field");
    problem_row("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two lengths");
    problem_row("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "another than chunked");
}

static void test_response_parts(void)
{
    gb__response r = answer_of("HTTP/1.1 404 Not Found\r\nContent-Length: 17\r\n\r\nrest");
    ok(r.status == 404 && r.has_length && r.content_length == 17 && !r.chunked && r.keep_alive,
       "an answer with a length");
    is_u64(r.head_len, strlen("HTTP/1.1 404 Not Found\r\nContent-Length: 17\r\n\r\n"), "its head");
    r = answer_of("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nConnection: a, Close\r\n\r\n");
    ok(r.chunked && !r.has_length && !r.keep_alive, "a chunked one, and the last");
    r = answer_of("HTTP/1.1 200 OK\r\n\r\n");
    ok(!r.chunked && !r.has_length && r.keep_alive, "one that only the close ends");
    ok(!answer_of("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").keep_alive, "HTTP/1.0 closes");
    ok(answer_of("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").keep_alive,
       "unless it says otherwise");
    ok(!answer_of("HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n")
            .keep_alive, "twice: close wins");
    const char *moved = "HTTP/1.1 302 Found\r\nLocation: /a\r\n  b\r\nX: y\r\n\r\n";
    r = answer_of(moved);
    ok(gb__slice_is(r.location, "/a    b"),
       "a location over two lines");
    ok(!gb__status_has_body(100) && !gb__status_has_body(204) && !gb__status_has_body(304) &&
           gb__status_has_body(200) && gb__status_has_body(206) && gb__status_has_body(500),
       "which statuses have a body");
    is_str(gb__reason(431), "Request Header Fields Too Large", "a reason");
    is_str(gb__reason(418), "", "no reason");
    is_str(gb__reason(451), "Unavailable For Legal Reasons", "and one for each that is registered");
}

// ---- the chunked coding ----

typedef struct chunked_row {
    const char *name, *bytes;
    size_t len;
    const char *content;
    unsigned end;  // the state
    size_t rest;   // bytes that are the next message's
    bool tolerant; // of an answer
} chunked_row;

static void check_chunked(const chunked_row *c)
{
    static decoded d;
    const char *broken = NULL;
    decode(&d, c->bytes, c->len, c->len + 1, c->tolerant);
    for (size_t step = 1; step <= c->len && !broken; step++)
        broken = chunked_rules(c->bytes, c->len, step, c->tolerant);
    bool fine = d.state.state == c->end && !broken;
    if (c->content)
        fine = fine && d.len == strlen(c->content) && !memcmp(d.text, c->content, d.len);
    if (c->end == GB__CHUNK_DONE) fine = fine && c->len - d.used == c->rest;
    ok(fine, "chunked: %s", c->name);
    if (!fine)
        diag("state %d, %zu of %zu bytes used, content \"%.*s\"%s%s", (int)d.state.state, d.used,
             c->len, (int)d.len, d.text, broken ? ", " : "", broken ? broken : "");
}

static void test_chunked(void)
{
    enum { DONE = GB__CHUNK_DONE, BAD = GB__CHUNK_BAD };
    static const chunked_row rows[] = {
        {"empty", BYTES("0\r\n\r\n"), "", DONE, 0, false},
        {"one", BYTES("5\r\nhello\r\n0\r\n\r\n"), "hello", DONE, 0, false},
        {"two", BYTES("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), "hello!", DONE, 0, false},
        {"the next message behind it", BYTES("1\r\na\r\n0\r\n\r\nGET /"), "a", DONE, 5, false},
        {"data that looks like framing", BYTES("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"),
         "\r\n0\r\n\r\n", DONE, 0, false},
        {"hexadecimal", BYTES("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
         "01234567890123456789a", DONE, 0, false},
        {"zeros before the size", BYTES("0001\r\na\r\n000\r\n\r\n"), "a", DONE, 0, false},
        {"an extension", BYTES("1;name\r\na\r\n0;last=1\r\n\r\n"), "a", DONE, 0, false},
        {"an extension with quotes",
         BYTES("1;n=\"a;\\\"b\"\r\na\r\n0\r\n\r\n"), "a", DONE, 0, false},
        {"a blank before an extension",
         BYTES("1 \t; n = v\r\na\r\n0\r\n\r\n"), "a", DONE, 0, false},
        {"blanks behind the size", BYTES("1  \r\n"), NULL, BAD, 0, false},
        {"a tab behind the last size", BYTES("0\t\r\n\r\n"), NULL, BAD, 0, false},
        {"blanks, of an answer", BYTES("1  \r\na\r\n0 \t\r\n\r\n"), "a", DONE, 0, true},
        {"an extension without a name", BYTES("1;\r\n"), NULL, BAD, 0, false},
        {"one without a value", BYTES("1;a=\r\n"), NULL, BAD, 0, false},
        {"one with a bad value", BYTES("1;bad[=x\r\n"), NULL, BAD, 0, false},
        {"one with a blank behind it", BYTES("1;a \r\n"), NULL, BAD, 0, false},
        {"one with two values", BYTES("1;a=b=c\r\n"), NULL, BAD, 0, false},
        {"one whose quotes don't end", BYTES("1;a=\"b\r\n"), NULL, BAD, 0, false},
        {"one whose quotes go on", BYTES("1;a=\"b\"c\r\n"), NULL, BAD, 0, false},
        {"one with a quote that is escaped by the end",
         BYTES("1;a=\"b\\\r\n"), NULL, BAD, 0, false},
        {"two behind another", BYTES("1;a;b=c ;d=\"\" ; e\r\na\r\n0\r\n\r\n"), "a", DONE, 0, false},
        {"odd ones, of an answer", BYTES("1;\r\na\r\n1;b[\"=\r\na\r\n0;;\r\n\r\n"), "aa", DONE, 0,
         true},
        {"a size behind a blank, of an answer", BYTES("1 1\r\na\r\n"), NULL, BAD, 0, true},
        {"a bare LF in an extension, of an answer", BYTES("1;a\nb\r\n"), NULL, BAD, 0, true},
        {"trailers", BYTES("0\r\nA: b\r\nC:\td \r\n\r\n"), "", DONE, 0, false},
        {"no size", BYTES("\r\na\r\n"), NULL, BAD, 0, false},
        {"only an extension", BYTES(";a=b\r\n"), NULL, BAD, 0, false},
        {"a space before the size", BYTES(" 1\r\na\r\n"), NULL, BAD, 0, false},
        {"plus", BYTES("+1\r\na\r\n"), NULL, BAD, 0, false},
        {"minus", BYTES("-1\r\na\r\n"), NULL, BAD, 0, false},
        {"0x", BYTES("0x1\r\na\r\n"), NULL, BAD, 0, false},
        {"a letter", BYTES("1g\r\na\r\n"), NULL, BAD, 0, false},
        {"a size behind a blank", BYTES("1 1\r\na\r\n"), NULL, BAD, 0, false},
        {"words behind a blank", BYTES("1 a b\r\na\r\n"), NULL, BAD, 0, false},
        {"an underscore", BYTES("1_1\r\na\r\n"), NULL, BAD, 0, false},
        {"a NUL", BYTES("1\0\r\na\r\n"), NULL, BAD, 0, false},
        {"15 digits", BYTES("fffffffffffffff\r\na"), "a", GB__CHUNK_DATA, 0, false},
        {"17 digits", BYTES("10000000000000001\r\na\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"32 digits",
         BYTES("00000000000000000000000000000001\r\na\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"a bare LF behind the size", BYTES("1\na\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"a bare CR behind the size", BYTES("1\ra\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"a bare LF in an extension", BYTES("1;a\nb\r\na\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"a bare CR in an extension", BYTES("1;a\rb\r\na\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"a NUL in an extension", BYTES("1;\0\r\na\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"no CRLF behind the data", BYTES("1\r\na0\r\n\r\n"), NULL, BAD, 0, false},
        {"only LF behind the data", BYTES("1\r\na\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"only CR behind the data", BYTES("1\r\na\r0\r\n\r\n"), NULL, BAD, 0, false},
        {"more data than the size", BYTES("1\r\nab\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"less data than the size", BYTES("4\r\na\r\n0\r\n\r\n"), NULL, BAD, 0, false},
        {"a bare LF at the end", BYTES("0\r\n\n"), NULL, BAD, 0, false},
        {"a bare CR at the end", BYTES("0\r\n\rG"), NULL, BAD, 0, false},
        {"a trailer without a name", BYTES("0\r\n: b\r\n\r\n"), NULL, BAD, 0, false},
        {"a trailer without a colon", BYTES("0\r\nab\r\n\r\n"), NULL, BAD, 0, false},
        {"a trailer with a blank in its name", BYTES("0\r\na b: c\r\n\r\n"), NULL, BAD, 0, false},
        {"a trailer with a space before the colon",
         BYTES("0\r\na : c\r\n\r\n"), NULL, BAD, 0, false},
        {"obs-fold in a trailer", BYTES("0\r\na: b\r\n c\r\n\r\n"), NULL, BAD, 0, false},
        {"a bare LF in a trailer", BYTES("0\r\na: b\n\r\n"), NULL, BAD, 0, false},
        {"a bare CR in a trailer", BYTES("0\r\na: \rb\r\n\r\n"), NULL, BAD, 0, false},
        {"a NUL in a trailer", BYTES("0\r\na: \0\r\n\r\n"), NULL, BAD, 0, false},
        {"a request for a trailer", BYTES("0\r\nGET / HTTP/1.1\r\n\r\n"), NULL, BAD, 0, false},
        {"no end of the size", BYTES("5"), "", GB__CHUNK_SIZE, 0, false},
        {"no end of the data", BYTES("5\r\nhel"), "hel", GB__CHUNK_DATA, 0, false},
        {"no last chunk", BYTES("1\r\na\r\n"), "a", GB__CHUNK_SIZE, 0, false},
        {"no empty line", BYTES("0\r\n"), "", GB__CHUNK_TRAILER, 0, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) check_chunked(&rows[i]);
}

static void overhead_row(const char *name, gb__buf text, unsigned end)
{
    check_chunked(&(chunked_row){name, text.data, text.len, NULL, end, 0, false});
    gb__buf_free(&text);
}

// The framing between two pieces of data is as long as a head may be, and no longer.
static void test_chunked_limits(void)
{
    size_t extension = GB_MAX_HEAD - strlen("1;\r\n");
    size_t trailer = GB_MAX_HEAD - strlen("0\r\na:\r\n\r\n");
    const char *end = "\r\na\r\n0\r\n\r\n";
    overhead_row("the longest extension", text_of("1;", 'a', extension - 2, end), GB__CHUNK_DONE);
    overhead_row("a longer one", text_of("1;", 'a', extension + 1, end), GB__CHUNK_BAD);
    overhead_row("one without an end", text_of("1;", 'a', GB_MAX_HEAD * 2, ""), GB__CHUNK_BAD);
    overhead_row("the longest trailers", text_of("0\r\na:", 'a', trailer, "\r\n\r\n"),
                 GB__CHUNK_DONE);
    overhead_row("longer ones", text_of("0\r\na:", 'a', trailer + 1, "\r\n\r\n"), GB__CHUNK_BAD);
    gb__buf many = {0};
    for (int i = 0; i < GB_MAX_HEAD; i++) gb__buf_str(&many, "1;ab\r\na\r\n");
    gb__buf_str(&many, "0\r\n\r\n");
    static decoded d;
    decode(&d, many.data, many.len, 7, false);
    ok(d.state.state == GB__CHUNK_DONE && d.len == GB_MAX_HEAD,
       "chunked: many chunks, each with its own little framing");
    gb__buf_free(&many);
}

// ---- random input ----

static const char *const seeds[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST http://a/b HTTP/1.0\r\nConnection: keep-alive, close\r\nX: \t y \r\n\r\n",
    "PUT / HTTP/1.1\r\nhost:\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nA: 1\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    "HTTP/1.0 404 Not Found\r\nTransfer-Encoding: , chunked\r\n\r\n",
    "5\r\nhello\r\n1 ;a=\"b\"\r\n!\r\n0\r\nTrailer: x\r\nOther:\r\n\r\nGET /",
    "fffffffffffffff\r\n", "000a\r\n0123456789\r\n00\r\n\r\n",
};

static const char *const words[] = {
    "\r\n", "\r", "\n", "\r\n\r\n", "", " ", ":", ": ", ",", ";", "0", "1", "f", "chunked",
    "Transfer-Encoding: ", "Content-Length: ", "Connection: close\r\n", "Expect: ", "Host: a\r\n",
    "HTTP/1.1", "HTTP/1.0", "http://", "GET ", "0\r\n\r\n", "ffffffff", "\t", "\x7f", "\xff",
};

static size_t pick(uint64_t *rng, size_t n)
{
    return gb__rng_below(rng, n);
}

static void mutate(gb__buf *b, uint64_t *rng)
{
    size_t at = pick(rng, b->len + 1), cut = pick(rng, 8);
    const char *word = words[pick(rng, COUNT(words))];
    gb__buf old = *b;
    *b = (gb__buf){0};
    if (cut > old.len - at || pick(rng, 2)) cut = 0;
    gb__buf_add(b, old.data, at);
    switch (pick(rng, 4)) {
    case 0: gb__buf_add(b, &(char){(char)pick(rng, 256)}, 1); break;
    case 1: gb__buf_str(b, word); break;
    case 2: gb__buf_add(b, old.data + at, pick(rng, old.len - at + 1)); break;
    case 3: break;
    }
    gb__buf_add(b, old.data + at + cut, old.len - at - cut);
    gb__buf_free(&old);
}

static void test_mutations(void)
{
    uint64_t rng = 20240601;
    const char *broken = NULL;
    unsigned long tried = 0;
    gb__buf b = {0};
    for (; tried < 50000 && !broken; tried++) {
        b.len = 0;
        gb__buf_str(&b, seeds[pick(&rng, COUNT(seeds))]);
        for (size_t i = pick(&rng, 6); i; i--) mutate(&b, &rng);
        broken = all_rules(b.data, b.len, 1 + pick(&rng, 16));
    }
    ok(!broken, "%lu mutated messages", tried);
    if (broken) {
        diag("%s, input %lu:", broken, tried);
        for (size_t i = 0; i < b.len; i += 16) {
            char hex[64];
            int n = 0;
            for (size_t j = i; j < b.len && j < i + 16; j++)
                n += snprintf(hex + n, sizeof hex - (size_t)n, "%02x ", (unsigned char)b.data[j]);
            diag("%s", hex);
        }
    }
    gb__buf_free(&b);
}

int main(void)
{
    test_request_lines();
    test_hosts();
    test_fields();
    test_framing();
    test_request_parts();
    test_request_flags();
    test_line_limit();
    test_head_limit();
    count_row("the most fields", GB_MAX_HEADERS, 0);
    count_row("one more", GB_MAX_HEADERS + 1, 431);
    test_empty_lines();
    test_pipeline();
    test_response_lines();
    test_response_fields();
    test_response_limit();
    test_response_parts();
    test_problems();
    test_chunked();
    test_chunked_limits();
    test_mutations();
    return tap_end();
}
