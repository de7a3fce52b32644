// What must hold for the parsers whatever they are given. A rule returns NULL, or what was broken.
// The input is tried whole and in pieces of `step` bytes, each time ending right before a page that
// can't be read.
#ifndef HTTP_RULES_H
#define HTTP_RULES_H

#include <sys/mman.h>

enum { FENCED_SIZE = 1 << 18 };

// A copy of the bytes that ends where reading faults; valid until the next call.
static char *fenced(const char *data, size_t len)
{
    static char *fence;
    if (!fence) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        char *area = mmap(NULL, FENCED_SIZE + page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED || mprotect(area + FENCED_SIZE, page, PROT_NONE)) abort();
        fence = area + FENCED_SIZE;
    }
    if (len) memcpy(fence - len, data, len);
    return fence - len;
}

// ---- requests ----

static bool within(gb_slice s, const char *data, size_t end)
{
    return !s.len || (s.data >= data && s.data + s.len <= data + end);
}

static const char *request_parts(const gb__request *r, const char *data)
{
    const gb_slice parts[] = {r->method, r->target, r->path, r->query, r->authority};
    if (r->field_count > GB_MAX_HEADERS) return "more fields than there is room for";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!within(parts[i], data, r->head_len))
            return "a part of the request line outside of the head";
    for (size_t i = 0; i < r->field_count; i++)
        if (!r->fields[i].name.len || !within(r->fields[i].name, data, r->head_len) ||
            !within(r->fields[i].value, data, r->head_len))
            return "a field outside of the head";
    return NULL;
}

static const char *request_done(const gb__request *r, const char *data, size_t len)
{
    if (r->head_len > len || r->head_len < 4) return "a head that is longer than the input";
    if (memcmp(data + r->head_len - 4, "\r\n\r\n", 4)) return "a head without its end";
    if (r->chunked && r->has_length) return "two ideas of where the body ends";
    if (!r->has_length && r->content_length) return "a length from nowhere";
    return request_parts(r, data);
}

static const char *request_rules(const char *data, size_t len, size_t step)
{
    gb__request whole, part;
    const char *copy = fenced(data, len);
    int status = gb__parse_request(&whole, copy, len);
    if (status != GB__PARTIAL && status && (status < 400 || status > 599)) return "an odd status";
    const char *broken = status ? NULL : request_done(&whole, copy, len);
    for (size_t n = 0; n < len && !broken; n += step) {
        int early = gb__parse_request(&part, fenced(data, n), n);
        if (early == GB__PARTIAL) continue;
        if (early != status) broken = "a result that more bytes change";
        if (!early && part.head_len != whole.head_len) broken = "a head that more bytes change";
    }
    return broken;
}

// ---- responses ----

static const char *response_rules(const char *data, size_t len, size_t step)
{
    gb__response whole, part;
    char *copy = fenced(data, len);
    int status = gb__parse_response(&whole, copy, len);
    const char *broken = NULL;
    if (!status && (whole.head_len > len || memcmp(data + whole.head_len - 4, "\r\n\r\n", 4)))
        broken = "an answer's head without its end";
    if (!status && (whole.status < 100 || whole.status > 999)) broken = "an odd answer";
    if (status > 0 && !whole.problem) broken = "an answer refused without a reason";
    if (!status && !within(whole.location, copy, whole.head_len)) broken = "a location out of the head";
    for (size_t n = 0; n < len && !broken; n += step) {
        int early = gb__parse_response(&part, fenced(data, n), n);
        if (early == GB__PARTIAL) continue;
        if (early != status) broken = "an answer that more bytes change";
        if (!early && part.head_len != whole.head_len) broken = "an answer's head that they change";
    }
    return broken;
}

// ---- the chunked coding ----

typedef struct decoded {
    gb__framing state;
    size_t used;
    size_t len;
    uint64_t sum;       // of the content, each byte by its place
    const char *broken;
    char text[4096];    // as much as fits
} decoded;

static void decoded_add(decoded *d, gb_slice piece)
{
    for (size_t i = 0; i < piece.len; i++, d->len++) {
        d->sum = d->sum * 31 + (unsigned char)piece.data[i];
        if (d->len < sizeof d->text) d->text[d->len] = piece.data[i];
    }
}

static void decode_piece(decoded *d, const char *data, size_t len)
{
    size_t at = 0;
    while (at < len && d->state.state < GB__CHUNK_DONE && !d->broken) {
        gb_slice piece;
        size_t n = gb__read_framed(&d->state, data + at, len - at, &piece);
        if (!n || n > len - at) d->broken = "a decoder that takes nothing, or too much";
        else if (piece.data < data + at || piece.data + piece.len > data + at + n)
            d->broken = "content from outside of the input";
        else decoded_add(d, piece);
        at += n;
    }
    d->used += at;
}

static void decode(decoded *d, const char *data, size_t len, size_t step, bool tolerant)
{
    *d = (decoded){.state.tolerant = tolerant};
    for (size_t at = 0; at < len && d->state.state < GB__CHUNK_DONE && !d->broken; at += step) {
        size_t n = len - at < step ? len - at : step;
        decode_piece(d, fenced(data + at, n), n);
    }
}

static const char *chunked_rules(const char *data, size_t len, size_t step, bool tolerant)
{
    static decoded whole, parts;
    decode(&whole, data, len, len + 1, tolerant);
    decode(&parts, data, len, step, tolerant);
    if (whole.broken) return whole.broken;
    if (parts.broken) return parts.broken;
    if (whole.used > len) return "more was decoded than there is";
    if (whole.state.state != parts.state.state || whole.used != parts.used)
        return "a coding that ends elsewhere when it comes in pieces";
    return whole.len != parts.len || whole.sum != parts.sum ? "other content in pieces" : NULL;
}

// What is taken of a request has to be taken of an answer, and as the same.
static const char *tolerance_rules(const char *data, size_t len)
{
    static decoded strict, tolerant;
    decode(&strict, data, len, len + 1, false);
    decode(&tolerant, data, len, len + 1, true);
    if (strict.state.state == GB__CHUNK_BAD) return NULL;
    if (strict.used != tolerant.used || strict.len != tolerant.len || strict.sum != tolerant.sum)
        return "strict and tolerant read another body";
    return (strict.state.state == GB__CHUNK_DONE) == (tolerant.state.state == GB__CHUNK_DONE)
               ? NULL : "only one of strict and tolerant sees the end";
}

static const char *all_rules(const char *data, size_t len, size_t step)
{
    const char *broken = request_rules(data, len, step);
    if (!broken) broken = response_rules(data, len, step);
    if (!broken) broken = chunked_rules(data, len, step, false);
    if (!broken) broken = chunked_rules(data, len, step, true);
    return broken ? broken : tolerance_rules(data, len);
}

#endif
