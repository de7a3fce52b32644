// A result's file: what is written is read again to the last digit, and what is damaged, cut short
// or hostile gets one sentence with its place. Runs under the sanitizers, as all of these do.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "result.h"
#include "tap.h"

// ---- helpers ------------------------------------------------------------------------------------

typedef struct text {
    char *data;
    size_t len;
} text;

static text write_with(gb_code (*report)(const gb_result *, FILE *, gb_error *), const gb_result *r)
{
    text t = {NULL, 0};
    FILE *out = open_memstream(&t.data, &t.len);
    if (report(r, out, NULL)) diag("a report can't be written");
    fclose(out);
    return t;
}

static gb_code json(const gb_result *r, FILE *out, gb_error *error)
{
    char *argv[] = {"gilbench", "compare"};
    return gb_report_json(r, 2, argv, out, error);
}

static gb_code read_bytes(const char *data, size_t len, gb_result *r, gb_error *error)
{
    FILE *in = len ? fmemopen((void *)(uintptr_t)data, len, "r") : fopen("/dev/null", "r");
    *error = (gb_error){0};
    gb_code code = gb_result_read(in, "old.json", r, error);
    fclose(in);
    return code;
}

static bool same(text a, text b)
{
    return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

// Reads it and frees what comes of it; the sentence is in *error.
static gb_code try_bytes(const char *data, size_t len, gb_error *error)
{
    gb_result r;
    gb_code code = read_bytes(data, len, &r, error);
    gb_result_free(&r);
    return code;
}

// ---- what is written is read again --------------------------------------------------------------

static void test_round_trip(void)
{
    static gb_code (*const reports[])(const gb_result *, FILE *, gb_error *) = {
        json, gb_report_table, gb_report_markdown, gb_report_csv};
    gb_result made, again;
    gb_error error = {0};
    make_result(&made, 0);
    text first = write_with(json, &made);
    ok(!read_bytes(first.data, first.len, &again, &error), "a result is read: %s", error.text);
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        text a = write_with(reports[i], &made), b = write_with(reports[i], &again);
        ok(a.len > 100 && same(a, b), "and report %zu of it is the same to the last byte", i);
        free(a.data);
        free(b.data);
    }
    const gb_cell *c = &made.cells[0], *d = &again.cells[0];
    ok(!memcmp(&c->summary, &d->summary, sizeof c->summary), "intervals are the same numbers");
    ok(!memcmp(c->latency.counts, d->latency.counts, c->latency.length * sizeof *c->latency.counts),
       "histograms have the same counts");
    ok(c->latency.total == d->latency.total && c->latency.min == d->latency.min &&
           c->latency.max == d->latency.max && !memcmp(&c->latency.sum, &d->latency.sum, 8),
       "and the same ends and sum");
    ok(!memcmp(&made.pythons[1], &again.pythons[1], sizeof made.pythons[1]), "builds are the same");
    ok(!memcmp(&made.host, &again.host, sizeof made.host), "the host is the same");
    ok(!memcmp(c->rounds, d->rounds, sizeof *c->rounds), "rounds are the same");
    is_str(again.name, "old.json", "it knows its file");
    ok(isnan(again.cells[2].summary[GB_RPS].median) && !again.cells[2].latency.counts,
       "a cell without measurements has none");
    ok(again.cells[2].broken && !again.cells[0].broken && again.interrupted &&
       again.cells[1].best && !again.cells[0].best, "flags are kept");
    is_str(again.comparisons[0].metric, made.comparisons[0].metric, "and a comparison's metric");
    free(first.data);
    gb_result_free(&made);
    gb_result_free(&again);
}

static void test_numbers(void)
{
    uint64_t rng = 3;
    gb__json j = {0};
    bool fine = true;
    for (int i = 0; i < 20000 && fine; i++) {
        // Any double from 1e-18 to 1e18 and then some, by its bits.
        uint64_t bits = (gb__rng_next(&rng) >> 2) % ((uint64_t)120 << 52);
        double value, again = 0;
        bits += (uint64_t)963 << 52;
        memcpy(&value, &bits, sizeof value);
        if (value > GB__LARGEST_NUMBER) continue;
        j.text.len = 0;
        gb__json_number(&j, value);
        gb__reader r = {.name = "", .start = j.text.data, .at = j.text.data,
                        .end = j.text.data + j.text.len, .key = ""};
        fine = gb__read_double(&r, &again) && !memcmp(&value, &again, sizeof value);
    }
    ok(fine, "every number is the same again");
    gb__buf_free(&j.text);
}

// Makes a locale with a decimal comma, because a machine may have none.
static bool use_comma(void)
{
    char directory[] = "/tmp/gilbench-XXXXXX", command[512];
    if (!mkdtemp(directory)) return false;
    snprintf(command, sizeof command, "cd %s && printf 'LC_NUMERIC\\ndecimal_point \"<U002C>\"\\n"
             "thousands_sep \"<U002E>\"\\ngrouping 3;3\\nEND LC_NUMERIC\\n' >comma && "
             "localedef -c -i ./comma -f ANSI_X3.4-1968 ./xx_XX >/dev/null 2>&1", directory);
    bool made = system(command) != -1 && !setenv("LOCPATH", directory, 1) &&
                setlocale(LC_NUMERIC, "xx_XX");
    snprintf(command, sizeof command, "rm -r %s", directory);
    return !system(command) && made;
}

static void test_locale(void)
{
    gb_result made, again;
    gb_error error = {0};
    char number[8];
    make_result(&made, 0);
    text plain = write_with(json, &made);
    if (!use_comma()) {
        printf("ok %d # skip localedef can't make a locale here\n", ++tap_count);
    } else {
        snprintf(number, sizeof number, "%.1f", 1.5);
        is_str(number, "1,5", "a locale with a comma");
        text there = write_with(json, &made);
        ok(same(plain, there), "changes nothing in a file");
        ok(!read_bytes(there.data, there.len, &again, &error), "which is read: %s", error.text);
        text twice = write_with(json, &again);
        ok(same(plain, twice), "as what it is");
        snprintf(number, sizeof number, "%.1f", 1.5);
        is_str(number, "1,5", "and stays in force");
        gb_result_free(&again);
        free(there.data);
        free(twice.data);
        setlocale(LC_ALL, "C");
    }
    free(plain.data);
    gb_result_free(&made);
}

// ---- damage -------------------------------------------------------------------------------------

// A sentence: one line, the file's name first, and the place.
static bool is_sentence(const gb_error *e)
{
    bool place = strstr(e->text, ": line ") || strstr(e->text, ": element ") ||
                 strstr(e->text, ": it is empty") || strstr(e->text, "an id is ");
    for (const char *s = e->text; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return false;
    return !strncmp(e->text, "old.json: ", 10) && place && strlen(e->text) < 400;
}

static void test_truncated(void)
{
    gb_result made;
    gb_error error;
    bool fine = true;
    make_result(&made, 1);
    text t = write_with(json, &made);
    while (t.data[t.len - 1] != '}') t.len--;
    for (size_t i = 0; i < t.len && fine; i += 7) {
        fine = try_bytes(t.data, i, &error) == GB_USAGE && is_sentence(&error) &&
               (!i || strstr(error.text, "it ends here, in the middle"));
        if (!fine) diag("cut after %zu bytes: %s", i, error.text);
    }
    ok(fine, "cut short behind every seventh of %zu bytes, it is refused with the place", t.len);
    free(t.data);
    gb_result_free(&made);
}

static void report_all(const gb_result *r)
{
    static gb_code (*const reports[])(const gb_result *, FILE *, gb_error *) = {
        json, gb_report_table, gb_report_markdown, gb_report_csv};
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        free(write_with(reports[i], r).data);
}

static void test_flipped(void)
{
    gb_result made, r;
    gb_error error;
    uint64_t rng = 11;
    size_t refused = 0, reported = 0;
    bool fine = true;
    make_result(&made, 1);
    text t = write_with(json, &made);
    for (size_t i = 0; i < t.len && fine; i += 7) {
        char was = t.data[i];
        t.data[i] = (char)(gb__rng_next(&rng) >> 56);
        gb_code code = read_bytes(t.data, t.len, &r, &error);
        fine = !code || (code == GB_USAGE && is_sentence(&error));
        if (!fine) diag("byte %zu is now %02x: %s", i, (unsigned char)t.data[i], error.text);
        refused += code != GB_OK;
        if (!code && ++reported % 8 == 0) report_all(&r);
        gb_result_free(&r);
        t.data[i] = was;
    }
    ok(fine && refused > t.len / 14, "any other byte is refused, or read and reported");
    free(t.data);
    gb_result_free(&made);
}

#define HEAD                                                                                       \
    "{\"schema\":\"gilbench/1\",\"pythons\":[],\"comparisons\":[],\"warnings\":[],\"cells\":["
#define CELL "{\"id\":\"a\",\"scenario\":\"s\",\"python\":\"\",\"rounds\":["
#define TAIL "]}]}"
#define ROUND(text) HEAD CELL "{" text "}" TAIL

static void test_hostile(void)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "it is empty"},
        {" \n ", "line 2, column 2: it ends here"},
        {"[]", "line 1, column 1: it must begin with an object"},
        {"\xef\xbb\xbf{}", "must begin with an object"},
        {"{}", "\"schema\" is missing"},
        {"{\"schema\":\"gilbench/2\"}", "its schema is \"gilbench/2\"; this gilbench"},
        {"{\"schema\":\"gil\\u001b\\n\"}", "its schema is \"gil??\""},
        {"{\"schema\":\"gilbench-load/1\",\"url\":1}", "its schema is \"gilbench-load/1\""},
        {"{\"schema\":\"gilbench/1\",\"pythons\":[]}", "\"cells\" is missing"},
        {HEAD CELL TAIL "x", "there is more behind its end"},
        {HEAD CELL TAIL "{", "there is more behind its end"},
        {ROUND("\"rps\":\"1\""), "\"rps\" must be a number"},
        {ROUND("\"rps\":-1"), "\"rps\" must be a number from 0"},
        {ROUND("\"rps\":1e999"), "\"rps\" must be a number from 0"},
        {ROUND("\"rps\":1e30"), "\"rps\" must be a number from 0"},
        {ROUND("\"rps\":NaN"), "\"rps\" must be a number"},
        {ROUND("\"rps\":Infinity"), "\"rps\" must be a number"},
        {ROUND("\"rps\":0x10"), "\"rps\" must be a number"},
        {ROUND("\"rps\":01"), "\"rps\" must be a number"},
        {ROUND("\"rps\":1e5.5"), "\"rps\" must be a number"},
        {ROUND("\"rps\":1."), "\"rps\" must be a number"},
        {ROUND("\"rps\":.5"), "\"rps\" must be a number"},
        {ROUND("\"rps\":+1"), "\"rps\" must be a number"},
        {ROUND("\"rps\":1e"), "\"rps\" must be a number"},
        {ROUND("\"rps\":-"), "\"rps\" must be a number"},
        {ROUND("\"rps\":true"), "\"rps\" must be a number"},
        {ROUND("\"rps\":1,"), "must be a text"},
        {ROUND("\"rps\":1 \"seconds\":1"), "\",\" or \"}\" is missing"},
        {ROUND("\"rps\""), "\":\" is missing"},
        {ROUND("\"requests\":-1"), "\"requests\" must be a whole number"},
        {ROUND("\"requests\":1.5"), "\"requests\" must be a whole number"},
        {ROUND("\"requests\":1e3"), "\"requests\" must be a whole number"},
        {ROUND("\"requests\":9223372036854775808"), "\"requests\" must be a whole number"},
        {ROUND("\"requests\":null"), "\"requests\" must be a number"},
        {ROUND("\"rps\":1,\"rps\":2"), "\"rps\" is here for the second time"},
        {ROUND("\"errors\":[]"), "\"errors\" must be an object"},
        {ROUND("\"errors\":{\"read\":-2}"), "\"read\" must be a whole number"},
        {ROUND("\"problem\":7"), "\"problem\" must be a text"},
        {ROUND("\"problem\":\"\\u0000\""), "of no character"},
        {ROUND("\"problem\":\"a\nb\""), "line 1, column 137: a control character"},
        {ROUND("\"problem\":\"\\ud800\""), "of no character"},
        {ROUND("\"problem\":\"\\udc00\\ud800\""), "of no character"},
        {ROUND("\"problem\":\"\\ud800\\u0041\""), "of no character"},
        {ROUND("\"problem\":\"\\u12g4\""), "of no character"},
        {ROUND("\"problem\":\"\\x41\""), "before what it can't stand"},
        {ROUND("\"problem\":\"\xff\""), "isn't UTF-8"},
        {ROUND("\"problem\":\"\xc0\xaf\""), "isn't UTF-8"},
        {ROUND("\"problem\":\"\xed\xa0\x80\""), "isn't UTF-8"},
        {ROUND("\"unknown\":\"\xff\""), "isn't UTF-8"},
        {ROUND("\"unknown\":tru"), "a value is missing"},
        {ROUND("\"unknown\":[1,]"), "a value is missing"},
        {ROUND("\"unknown\":{\"a\":1,}"), "must be a text"},
        {ROUND("\"unknown\":{1:1}"), "must be a text"},
        {ROUND("\"unknown\":[1}"), "\",\" or \"]\" is missing"},
        {ROUND("\"unsettled\":1"), "\"unsettled\" must be true or false"},
        {ROUND("\"interface\":\"cgi\""), "\"interface\" must be"},
        {ROUND("\"gil\":{\"enabled_after_load\":0}"), "must be true, false or null"},
        {ROUND("\"timeline\":{\"rps\":[1,2],\"rss_mb\":[1]}"), "\"rss_mb\" must be as long as"},
        {ROUND("\"requests_per_worker\":{}"), "must be an array"},
        {HEAD "{}]}", "\"id\" is missing"},
        {HEAD "1]}", "\"cells\" must be an object"},
        {HEAD CELL "]},]}", "\"cells\" must be an object"},
        {HEAD CELL "]}," CELL TAIL, "an id is there twice"},
        {HEAD "{\"id\":\"\",\"scenario\":\"\",\"python\":\"\",\"rounds\":[]}]}", "an id is empty"},
        {HEAD "{\"id\":\"a\",\"scenario\":\"\",\"python\":\"3\",\"rounds\":[]}]}",
         "element 1 of \"cells\": \"python\" must be"},
        {HEAD "{\"workers\":65}]}", "\"workers\" must be a whole number from 0 to 64"},
        {HEAD "{\"connections\":2147483648}]}", "\"connections\" must be a whole number"},
        {HEAD CELL "],\"summary\":{\"rps\":{\"ci95\":[1]}}}]}",
         "\"ci95\" must be an array of two"},
        {HEAD CELL "],\"summary\":{\"rps\":{\"ci95\":[1,2,3]}}}]}", "\"ci95\" has over 2 elements"},
        {HEAD CELL "],\"summary\":{\"rps\":{\"median\":1,\"ci95\":[2,1]}}}]}",
         "an interval of its \"summary\" is none"},
        {HEAD "],\"interrupted\":true,\"interrupted\":true}", "for the second time"},
    };
    gb_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gb_code code = try_bytes(cases[i].text, strlen(cases[i].text), &error);
        ok(code == GB_USAGE && strstr(error.text, cases[i].reason) && is_sentence(&error),
           "%s", cases[i].reason);
        if (code != GB_USAGE || !strstr(error.text, cases[i].reason)) diag("got: %s", error.text);
    }
    static const char nul[] = HEAD CELL "\0" TAIL;
    ok(try_bytes(nul, sizeof nul - 1, &error) == GB_USAGE && is_sentence(&error), "a NUL byte");
    static const char fine[] = HEAD CELL "{\"problem\":\"\\ud83d\\ude00\\u00e9\\/\"}" TAIL;
    gb_result r;
    ok(!read_bytes(fine, sizeof fine - 1, &r, &error), "escapes are fine: %s", error.text);
    is_str(r.cells[0].rounds[0].problem, "\xf0\x9f\x98\x80\xc3\xa9/", "and mean what they say");
    gb_result_free(&r);
}

static void test_comparisons(void)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"\"a\",\"candidate\":\"a\",\"metric\":\"rps\"", NULL},
        {"\"b\",\"candidate\":\"a\",\"metric\":\"rps\"", "\"baseline\" must be the id of a cell"},
        {"\"a\",\"candidate\":\"\",\"metric\":\"rps\"", "\"candidate\" must be the id of a cell"},
        {"\"a\",\"candidate\":\"a\",\"metric\":\"rpm\"", "a metric that this gilbench knows"},
        {"\"a\",\"candidate\":\"a\"", "\"metric\" is missing here"},
        {"\"a\",\"candidate\":\"a\",\"metric\":\"rps\",\"verdict\":\"best\"",
         "\"verdict\" must be"},
        {"\"a\",\"candidate\":\"a\",\"metric\":\"rps\",\"ratio\":{\"median\":1}",
         "no interval"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char data[1024];
        gb_error error;
        snprintf(data, sizeof data, "{\"schema\":\"gilbench/1\",\"pythons\":[],\"warnings\":[],"
                 "\"cells\":[" CELL "]}],\"comparisons\":[{\"baseline\":%s}]}", cases[i].text);
        gb_code code = try_bytes(data, strlen(data), &error);
        ok(cases[i].reason ? code && strstr(error.text, cases[i].reason) : !code,
           "comparison %zu: %s", i, error.text);
    }
}

static void test_histograms(void)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"3,\"total\":3,\"min_ns\":10,\"max_ns\":20,\"sum_ns\":40,\"buckets\":[[10,2],[20,1]]",
         NULL},
        {"3,\"total\":0,\"min_ns\":0,\"max_ns\":0,\"sum_ns\":0,\"buckets\":[]", "contradicts"},
        {"0,\"total\":0,\"min_ns\":0,\"max_ns\":0,\"sum_ns\":0,\"buckets\":[]",
         "\"digits\" must"},
        {"4,\"total\":0,\"min_ns\":0,\"max_ns\":0,\"sum_ns\":0,\"buckets\":[]", "from 0 to 3"},
        {"3,\"total\":4,\"min_ns\":10,\"max_ns\":20,\"sum_ns\":40,\"buckets\":[[10,2],[20,1]]",
         "contradicts"},
        {"3,\"total\":3,\"min_ns\":11,\"max_ns\":20,\"sum_ns\":40,\"buckets\":[[10,2],[20,1]]",
         "contradicts"},
        {"3,\"total\":3,\"min_ns\":10,\"max_ns\":21,\"sum_ns\":40,\"buckets\":[[10,2],[20,1]]",
         "contradicts"},
        {"3,\"total\":3,\"min_ns\":20,\"max_ns\":10,\"sum_ns\":40,\"buckets\":[[10,2],[20,1]]",
         "contradicts"},
        {"3,\"total\":3,\"min_ns\":10,\"max_ns\":20,\"sum_ns\":40,\"buckets\":[[20,1],[10,2]]",
         NULL},
        {"3,\"total\":1,\"min_ns\":10,\"max_ns\":10,\"sum_ns\":10,\"buckets\":[[10]]",
         "an array of two"},
        {"3,\"total\":1,\"min_ns\":4000000000000,\"max_ns\":4000000000000,\"sum_ns\":4e12,"
         "\"buckets\":[[4000000000000,1]]", NULL},
        {"3,\"total\":2,\"min_ns\":1,\"max_ns\":2,\"sum_ns\":3,"
         "\"buckets\":[[1,4611686018427387903],"
         "[2,4611686018427387903],[3,4611686018427387903]]", "contradicts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char data[1024];
        gb_error error;
        snprintf(data, sizeof data, HEAD CELL "],\"latency_histogram\":{\"digits\":%s}}]}",
                 cases[i].text);
        gb_code code = try_bytes(data, strlen(data), &error);
        ok(cases[i].reason ? code && strstr(error.text, cases[i].reason) : !code,
           "histogram %zu: %s", i, error.text);
    }
}

// ---- too much -----------------------------------------------------------------------------------

// The head, then `unit` so many times, then the tail.
static gb_code try_many(const char *head, const char *unit, size_t times, const char *tail,
                        gb_error *error)
{
    gb__buf b = {0};
    gb__buf_str(&b, head);
    for (size_t i = 0; i < times; i++) gb__buf_str(&b, unit);
    gb__buf_str(&b, tail);
    gb_code code = try_bytes(b.data, b.len, error);
    gb__buf_free(&b);
    return code;
}

static void test_too_much(void)
{
    gb_error error;
    ok(try_many(ROUND("\"x\":"), "[", 100000, "", &error) == GB_USAGE, "a trailing flood");
    ok(try_many(HEAD CELL "{\"x\":", "[", 100000, "", &error) &&
           strstr(error.text, "nested over 32 deep"), "deep arrays: %s", error.text);
    ok(try_many(HEAD CELL "{\"x\":", "{\"x\":", 100000, "", &error) &&
           strstr(error.text, "nested over 32 deep"), "deep objects: %s", error.text);
    ok(try_many(HEAD CELL, "{},", 10000, "{}" TAIL, &error) &&
           strstr(error.text, "\"rounds\" has over 10000 elements"), "rounds: %s", error.text);
    ok(try_many(HEAD CELL "{\"requests_per_worker\":[", "1,", 64, "1]}" TAIL, &error) &&
           strstr(error.text, "has over 64 elements"), "workers: %s", error.text);
    ok(try_many(HEAD CELL "{\"timeline\":{\"rps\":[", "1,", 64, "1]}}" TAIL, &error) &&
           strstr(error.text, "has over 64 elements"), "a timeline: %s", error.text);
    ok(try_many(HEAD CELL "{\"rps\":", "1", 100000, "}" TAIL, &error) &&
           strstr(error.text, "must be a number from 0"), "a long number: %s", error.text);
    ok(!try_many(HEAD CELL "{\"problem\":\"", "\xe2\x82\xac", 100000, "\"}" TAIL, &error),
       "a long text is cut: %s", error.text);
    ok(!try_many(HEAD CELL "{\"", "k", 100000, "\":1}" TAIL, &error), "a long key is skipped: %s",
       error.text);
    // 40 cells of 8,193 rounds, for which there would be room for twice as many: 1 MB of text.
    gb__buf cells = {0};
    gb__buf_str(&cells, HEAD);
    for (int i = 0; i < 40; i++) {
        gb__buf_printf(&cells, "%s{\"id\":\"%d\",\"scenario\":\"\",\"python\":\"\",\"rounds\":[{}",
                       i ? "," : "", i);
        for (int k = 1; k < 8193; k++) gb__buf_str(&cells, ",{}");
        gb__buf_str(&cells, "]}");
    }
    ok(try_bytes(cells.data, cells.len, &error) &&
           strstr(error.text, "it would take over 1024 MiB"), "memory: %s", error.text);
    gb__buf_free(&cells);
    FILE *directory = fopen("/", "r");
    gb_result r;
    if (directory) {
        ok(gb_result_read(directory, "/", &r, &error) == GB_USAGE &&
               strstr(error.text, "directory"), "a directory: %s", error.text);
        gb_result_free(&r);
        fclose(directory);
    }
}

// ---- two results in one -------------------------------------------------------------------------

static void test_merge(void)
{
    static const char *const labels[] = {"new", "new", "", "a/b\"\x1b<", "\xff",
                                         "a label that is far longer than any id has room for"};
    gb_result into, from, again;
    gb_error error = {0};
    make_result(&into, false);
    size_t cells = into.cell_count;
    bool fine = true;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        make_result(&from, false);
        fine = fine && !gb_result_merge(&into, &from, labels[i], &error) && !from.cell_count;
        gb_result_free(&from);
    }
    ok(fine && into.cell_count == 7 * cells, "results are moved into another: %s", error.text);
    report_all(&into);
    text t = write_with(json, &into);
    ok(!read_bytes(t.data, t.len, &again, &error), "whose ids are still unique: %s", error.text);
    is_str(into.cells[cells].source, "new", "a cell says where it is from");
    is_str(into.cells[2 * cells].source, "new#2", "also where two have one label");
    is_str(into.cells[cells].python, "3.14.7@new", "and so does its build");
    size_t same = 0;
    for (size_t i = 0; i < into.comparison_count; i++) {
        const gb_comparison *k = &into.comparisons[i];
        same += !strcmp(k->baseline, into.cells[0].id) && k->verdict == GB_UNCLEAR && !k->rounds &&
                !strcmp(k->candidate, into.cells[cells].id) && k->ratio.median >= 1 &&
                k->ratio.median <= 1;
    }
    is_u64(same, 4, "the same again is no verdict, whatever is measured");
    free(t.data);
    gb_result_free(&again);
    gb_result_free(&into);
}

// What older versions called "no difference", or judged though the GIL was back.
static void test_withdrawn(void)
{
    static const struct {
        gb_interval ratio;
        size_t rounds;
        int gil;
        gb_verdict given, kept;
    } cases[] = {{{1, 0.5, 2}, 6, 0, GB_NO_DIFFERENCE, GB_UNCLEAR},
                 {{1, 0.995, 1.005}, 6, 0, GB_NO_DIFFERENCE, GB_NO_DIFFERENCE},
                 {{2, 1.9, 2.1}, 6, 0, GB_FASTER, GB_FASTER},
                 {{2, 1.9, 2.1}, 5, 0, GB_FASTER, GB_UNCLEAR},
                 {{2, 1.9, 2.1}, 6, 1, GB_FASTER, GB_UNCLEAR}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gb_result r, again;
        gb_error error = {0};
        make_result(&r, false);
        gb_comparison *c = r.comparisons;
        r.pythons[1].gil = -1;
        for (size_t j = 0; j < 6; j++) r.cells[1].rounds[j].gil.enabled_after_load = cases[i].gil;
        r.cells[1].round_count = cases[i].rounds;
        c->ratio = cases[i].ratio;
        c->verdict = cases[i].given;
        c->gil_back = false;
        text t = write_with(json, &r);
        ok(!read_bytes(t.data, t.len, &again, &error), "read: %s", error.text);
        is_u64(again.comparisons->verdict, cases[i].kept, "verdict %zu is by today's rules", i);
        free(t.data);
        gb_result_free(&again);
        gb_result_free(&r);
    }
}

int main(void)
{
    test_withdrawn();
    test_round_trip();
    test_numbers();
    test_locale();
    test_truncated();
    test_flipped();
    test_hostile();
    test_comparisons();
    test_histograms();
    test_too_much();
    test_merge();
    return tap_end();
}
