// The page of a result made by hand: that it is well-formed, that no text injects anything, that
// values that aren't there and results of every size leave no hole and no nonsense.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

#include <locale.h>

// ---- results ------------------------------------------------------------------------------------

typedef struct shape {
    int builds, threads, peers;  // how many; threads double from 1 on
    int rounds;
    bool control, timeline, latency;
    const char *scenario, *name;  // name: what builds, servers and applications are called
} shape;

static const shape usual = {.builds = 2, .threads = 3, .rounds = 7, .control = true,
                            .timeline = true, .latency = true, .scenario = "wsgi-json"};

static double noise(uint64_t *rng)
{
    return 0.97 + 0.06 * (double)gb__rng_below(rng, 1000) / 1000;
}

// A GIL loses with threads, what has none gains; the control is faster than both.
static double rate_of(const gb_cell *c, size_t build)
{
    if (!*c->python) return 60000;
    return build % 2 ? 21000.0 * (c->threads > 1 ? 1.8 : 1) : 24000.0 / (c->threads > 1 ? 1.5 : 1);
}

static void fill_round(gb_round *r, const gb_cell *c, size_t build, const shape *s, uint64_t *rng)
{
    double rps = rate_of(c, build) * noise(rng), us = 1e6 / rps;
    bool gil = *c->python && build % 2 == 0;
    *r = (gb_round){.requests = (uint64_t)rps, .seconds = 1, .rps = rps,
                    .latency_ms = {us / 8, us / 9, us / 7, us / 4, us / 2, us},
                    .memory_mb = {40, 42, 38, 35}, .cpu = {us, us / 2, gil ? 1.02 : 1.97, 0.6},
                    .anatomy_us = {.read = {4, 9}, .attach_wait = {gil ? 20 * c->threads : 1, 300},
                                   .app = {30, 60}, .write = {8, 20}},
                    .gc = {12, 3}, .gil = {gil, ""}, .context_switches_per_request = 0.4};
    r->memory_mb.rss_peak += c->threads + 8.0 * (double)build;
    r->timeline.count = s->timeline ? 40 : 0;
    r->timeline.step_s = 0.025;
    for (int i = 0; i < r->timeline.count; i++) {
        r->timeline.rps[i] = rps * noise(rng);
        r->timeline.rss_mb[i] = r->memory_mb.rss_peak - 10.0 / (i + 1);
    }
}

static void fill_cell(gb_result *r, gb_cell *c, size_t build, const shape *s)
{
    uint64_t rng = r->cell_count + 1;
    c->rounds = calloc((size_t)s->rounds + 1, sizeof *c->rounds);
    gb_histogram_init(&c->latency, 3, NULL);
    for (; c->rounds && c->round_count < (size_t)s->rounds; c->round_count++)
        fill_round(&c->rounds[c->round_count], c, build, s, &rng);
    // A tail that thins out as a real one does.
    for (int i = 0; s->latency && i < 2000; i++) {
        double tail = 1e4 / (1 + (double)gb__rng_below(&rng, 10000));
        gb_histogram_record(&c->latency, (uint64_t)(64e9 / rate_of(c, build) * (1 + tail / 99)));
    }
}

static void add_cell(gb_result *r, const shape *s, int build, int peer, int threads)
{
    gb_cell *c = &r->cells[r->cell_count];
    const char *name = s->name ? s->name : "";
    gb__copy(c->scenario, sizeof c->scenario, s->scenario);
    if (build >= 0) gb__copy(c->python, sizeof c->python, r->pythons[build].id);
    if (peer) snprintf(c->server, sizeof c->server, "%sserver%d", name, peer);
    snprintf(c->app, sizeof c->app, "%sshop.py:app", name);
    snprintf(c->path, sizeof c->path, "%s/json", name);
    snprintf(c->id, sizeof c->id, "%zu/%.100s", r->cell_count, name);
    c->interface = build < 0 ? GB_C : GB_WSGI;
    c->workers = 1;
    c->threads = threads;
    c->connections = 128;
    fill_cell(r, c, (size_t)(build < 0 ? 0 : build), s);
    r->cell_count++;
}

static gb_result make(const shape *s)
{
    gb_result r = {.host = {.cpu_model = "A CPU", .cpus = 2, .memory = 8000000000, .turbo = -1}};
    const char *name = s->name ? s->name : "";
    snprintf(r.started, sizeof r.started, "2026-01-02T03:04:05Z");
    r.pythons = calloc((size_t)s->builds + 1, sizeof *r.pythons);
    r.cells = calloc((size_t)((s->builds * (s->peers + 1) + 1) * s->threads) + 1, sizeof *r.cells);
    for (; r.python_count < (size_t)s->builds; r.python_count++) {
        gb_python *p = &r.pythons[r.python_count];
        size_t n = r.python_count;
        snprintf(p->id, sizeof p->id, "%.50s3.14.7%s%.0zu", name, n % 2 ? "t" : "", n / 2);
        snprintf(p->executable, sizeof p->executable, "%s/bin/python", name);
        gb__copy(p->version, sizeof p->version, "3.14.7");
        gb__copy(p->optimized, sizeof p->optimized, "PGO+LTO");
        p->free_threaded = n % 2;
        p->gil = -1;
    }
    for (int t = 0; t < s->threads; t++) {
        for (int build = 0; build < s->builds; build++)
            for (int peer = 0; peer <= s->peers; peer++) add_cell(&r, s, build, peer, 1 << t);
        if (s->control) add_cell(&r, s, -1, 0, 1 << t);
    }
    gb__add_comparisons(&r, NULL);
    gb__warn(&r, "%sserver and client share 2 CPUs", name);
    return r;
}

static char *page_of(gb_result *r)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    gb_error error = {0};
    gb_code code = gb_report_html(r, out, &error);
    fclose(out);
    if (code) diag("%s", error.text);
    return text;
}

static char *page(const shape *s)
{
    gb_result r = make(s);
    char *text = page_of(&r);
    gb_result_free(&r);
    return text;
}

// ---- what a page must be ------------------------------------------------------------------------

static bool is_void(const char *tag)
{
    return !strcmp(tag, "meta") || !strcmp(tag, "link") || *tag == '!';
}

typedef struct walk {
    char open[64][32];  // elements that wait for their end
    int depth;
    const char *problem;
} walk;

// Is there a place in a picture that is none?
static bool has_no_number(const char *tag, const char *end)
{
    size_t n = (size_t)(end - tag);
    bool mark = n > 5 && (!memcmp(tag, "<path", 5) || !memcmp(tag, "<rect", 5) ||
                          !memcmp(tag, "<text", 5) || !memcmp(tag, "<svg ", 5));
    return mark && (memmem(tag, n, "nan", 3) || memmem(tag, n, "inf", 3));
}

// Reads one tag, which begins at `at` and has quoted attributes only; returns what follows it.
static const char *read_tag(walk *w, const char *at)
{
    char name[32];
    bool end = at[1] == '/';
    const char *s = at + 1 + end;
    size_t n = strcspn(s, " />\n");
    snprintf(name, sizeof name, "%.*s", n < 31 ? (int)n : 31, s);
    for (s += n; *s && *s != '>'; s++) {
        if (*s == '=' && s[1] != '"') w->problem = "an attribute without quotes";
        if (*s != '"') continue;
        s = strchr(s + 1, '"');
        if (!s) return w->problem = "an attribute without an end", "";
    }
    if (!*s) return w->problem = "a tag without an end", "";
    if (has_no_number(at, s)) w->problem = at;
    if (end && (!w->depth || strcmp(w->open[--w->depth], name))) w->problem = at;
    else if (!end && s[-1] != '/' && !is_void(name)) strcpy(w->open[w->depth++], name);
    return s + 1;
}

static const char *read_character(walk *w, const char *s)
{
    size_t n = gb__utf8_length((const unsigned char *)s);
    if (!n) w->problem = "no UTF-8";
    else if ((unsigned char)*s < 0x20 && *s != '\n') w->problem = "a control character";
    else if (*s == '>') w->problem = s;
    else if (*s == '&' && s[1] != '#') w->problem = s;
    return s + (n ? n : 1);
}

static const char *problem_of(const char *text)
{
    walk w = {.depth = 0};
    if (strncmp(text, "<!DOCTYPE html>\n", 16)) return "no doctype";
    for (const char *s = text; *s && !w.problem;)
        s = *s == '<' ? read_tag(&w, s) : read_character(&w, s);
    if (!w.problem && w.depth) w.problem = w.open[w.depth - 1];
    return w.problem;
}

static void well_formed(const char *text, const char *what)
{
    const char *problem = problem_of(text);
    if (!ok(!problem, "%s: well-formed", what)) diag("%.80s", problem);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, what)); s += strlen(what)) n++;
    return n;
}

// The names of all tags, in their order.
static char *tags_of(const char *text)
{
    gb__buf b = {0};
    gb__buf_str(&b, "");
    for (const char *s = text; (s = strchr(s, '<')); s++) gb__buf_add(&b, s, strcspn(s, " >\n"));
    return b.data;
}

// ---- tests --------------------------------------------------------------------------------------

static void test_usual(void)
{
    char *text = page(&usual);
    well_formed(text, "two builds, three topologies");
    is_u64(count(text, "role=\"img\""), 1, "one picture");
    is_u64(count(text, "</title><desc>"), 1, "with a title and a description");
    is_u64(count(text, "<svg class=\"key\""), 3, "and a legend: builds, limit");
    ok(strstr(text, "</svg> 2 CPUs, each like 1 thread of 3.14.7</span>"), "which says what the "
       "machine's limit is");
    is_u64(count(text, "<details"), 0, "nothing is folded away, in print neither");
    is_u64(count(text, "<h1>"), 1, "one first heading");
    const char *answer = strstr(text, "<li><b>/json, 1 thread</b>: 3.14.7t (no GIL) serves ");
    ok(answer && answer < strstr(text, "role=\"img\"") && answer < strstr(text, "<table>"),
       "it begins with the answer");
    ok(!strstr(text, ".</b>"), "of which no whole sentence is bold");
    ok(strstr(text, " % of 82.0 us was waiting for the GIL."), "and says what time went on");
    ok(strstr(text, ">attach_wait us</th>") && strstr(text, ">mean ms</th>"),
       "the page's table has room for where a request's time went");
    ok(!strstr(text, "lock_wait us</th>"), "and no column of what wasn't seen of any row");
    ok(strstr(text, ">server and client share 2 CPUs.<"), "warnings are kept");
    ok(!strstr(text, "http://") && !strstr(text, "https://") && !strstr(text, "<script") &&
       !strstr(text, "url("), "nothing to fetch, no script");
    free(text);
}

static void test_hostile(void)
{
    static const char *const names[] = {
        "<script>alert(1)</script>", "\"><img src=x onerror=\"a()\">", "' onload='a()",
        "]]>--><!--", "\x01\x1b[31m\x7f\r\n\t", "\xff\xfe\xc3(",
        "\xc2\x85\xe2\x80\xae\xef\xbf\xbe", "</title></svg>", "</style><style>*{}",
        "&amp;&#60;&lt", "%s%n%d",
        "\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x90\x8d\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x90\x8d"};
    shape s = usual;
    s.peers = s.threads = 1;
    s.name = "plain";
    char *text = page(&s), *plain = tags_of(text);
    free(text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        s.name = names[i];
        text = page(&s);
        char *tags = tags_of(text);
        char what[32];
        snprintf(what, sizeof what, "hostile name %zu", i);
        well_formed(text, what);
        ok(!strcmp(tags, plain), "%s: no element more or less", what);
        free(tags);
        free(text);
    }
    free(plain);
}

static void test_values_that_are_not_there(void)
{
    gb_result r = make(&usual);
    for (size_t i = 0; i < r.cell_count; i++) {
        gb_cell *c = &r.cells[i];
        gb_interval none = {NAN, NAN, NAN}, wild = {INFINITY, -INFINITY, 1e308};
        c->summary[GB_RPS] = i % 2 ? none : wild;
        c->summary[GB_RSS_PEAK] = i % 3 ? none : wild;
        if (i % 2) c->workers = GB_MAX_WORKERS, c->threads = GB__MAX_COUNT;
        c->server_cpus = i % 3 ? GB_MAX_CPUS : 0;
        for (size_t j = 0; j < c->round_count; j++) {
            gb_round *round = &c->rounds[j];
            round->rps = j % 2 ? NAN : 1e308;
            round->anatomy_us.app.mean = NAN;
            round->anatomy_us.read.mean = -1;
            round->anatomy_us.write.p99 = INFINITY;
            round->timeline.rps[1] = NAN;
            round->timeline.rss_mb[0] = -INFINITY;
            round->timeline.step_s = i ? 0 : NAN;
        }
    }
    for (size_t i = 0; i < r.comparison_count; i++)
        r.comparisons[i].ratio = (gb_interval){i % 2 ? NAN : 1, NAN, i % 3 ? INFINITY : 1e300};
    char *text = page_of(&r);
    well_formed(text, "values that are not there");
    free(text);
    gb_result_free(&r);
}

static void test_failures(void)
{
    gb_result r = make(&usual);
    for (size_t i = 0; i < r.cell_count; i++)
        for (size_t j = 0; i % 3 == 1 && j < r.cells[i].round_count; j++)
            snprintf(r.cells[i].rounds[j].problem, sizeof r.cells[i].rounds[j].problem, "no flask");
    r.comparison_count = 0;
    gb__add_comparisons(&r, NULL);
    char *text = page_of(&r);
    well_formed(text, "one build failed");
    is_u64(count(text, ">failed</td>"), 3, "its rows say so");
    ok(strstr(text, "3 of 9 rows failed"), "and so does the answer");
    free(text);
    gb_result_free(&r);
}

static void test_sizes(void)
{
    static const struct {
        const char *what;
        shape shape;
    } sizes[] = {
        {"nothing", {.scenario = "x"}},
        {"one cell", {.builds = 1, .threads = 1, .rounds = 1, .scenario = "x"}},
        {"no rounds", {.builds = 2, .threads = 2, .control = true, .scenario = "x"}},
        {"one build", {.builds = 1, .threads = 2, .rounds = 6, .latency = true, .scenario = "x"}},
        {"only the control", {.threads = 2, .rounds = 6, .control = true, .scenario = "x"}},
        {"57 cells", {.builds = 6, .threads = 3, .peers = 2, .rounds = 2, .control = true,
                       .timeline = true, .latency = true, .scenario = "article-wsgi-json"}}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = page(&sizes[i].shape);
        well_formed(text, sizes[i].what);
        free(text);
    }
}

static void test_two_results(void)
{
    gb_result before = make(&usual), after = make(&usual);
    gb_result_merge(&before, &after, "new", NULL);
    char *text = page_of(&before);
    well_formed(text, "two results");
    ok(strstr(text, "<li><b>Against the first result, of 9 rows that both have</b>: ") &&
       !strstr(text, "<li><b>/json, 1 thread"), "the answer is what changed between them");
    free(text);
    gb_result_free(&after);
    gb_result_free(&before);
}

static void test_reported(void)
{
    shape s = usual;
    s.scenario = "article-wsgi-json";
    char *text = page(&s);
    ok(strstr(text, ">28,500</td>"), "what the article reports is in a table");
    double rps = 0, mean = 0, mb = 0;
    for (size_t i = 0; i < sizeof gb__article / sizeof *gb__article; i++) {
        rps += gb__article[i].rps;
        mean += gb__article[i].mean_ms;
        mb += gb__article[i].mb;
    }
    near(rps, 164000, 0, "its figures add up: req/s");
    near(mean, 208.4, 1e-9, "mean latency");
    near(mb, 1780, 0, "memory");
    free(text);
}

static void test_rate(void)
{
    gb_result r = make(&usual);
    for (size_t i = 0; i < r.cell_count; i++) r.cells[i].rate = 500;
    char *text = page_of(&r);
    ok(strstr(text, ">500</td>") && strstr(text, " the p99 latency of 3.14.7, "),
       "an open loop is told by its latencies");
    free(text);
    gb_result_free(&r);
}

static void test_numbers(void)
{
    static const struct {
        double value;
        const char *text;
    } numbers[] = {{0, "0"}, {0.054, "0.054"}, {0.3456, "0.346"}, {3.45, "3.45"},
                   {9.994, "9.99"}, {9.996, "10.0"},
                   {12.34, "12.3"}, {99.96, "100"},
                   {123.4, "123"}, {999.4, "999"}, {999.6, "1,000"}, {41200, "41,200"},
                   {1234567, "1,234,567"}, {-0.0123, "-0.012"}, {-5.6, "-5.60"},
                   {NAN, "-"}, {INFINITY, "-"}, {1e300, "1e+300"}};
    gb__small text;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        is_str(gb__number(text, numbers[i].value), numbers[i].text, "%g", numbers[i].value);
    bool fine = true;
    for (double max = 1e-6; max < 1e12; max *= 1.7) {
        gb__chart k = {.top = 0};
        gb__fit_scale(&k, max);
        double steps = k.top / k.step;
        fine &= k.top >= max * 0.999 && k.top <= 2 * max && steps < 5.001 && steps > 1.999;
    }
    ok(fine, "scales end above their values, in two to five round steps");
}

// ---- what pictures show, by number --------------------------------------------------------------

// Two builds with 1 and 100 threads, of figures that are easy to tell apart.
static gb_result known(void)
{
    gb_result r = make(&(shape){.builds = 2, .threads = 2, .rounds = 1, .scenario = "x"});
    for (size_t i = 0; i < 4; i++) {
        gb_cell *c = &r.cells[i];
        gb_round *round = c->rounds;
        double times = (double)(i + 1);
        c->threads = i < 2 ? 1 : 100;
        *round = (gb_round){.rps = 100 * times, .seconds = 1,
                            .memory_mb = {20 * times, .rss = 1, .rss_peak = 2, .pss = 3}};
        round->anatomy_us.read.mean = 10;
        round->anatomy_us.attach_wait.mean = 20;
        round->anatomy_us.app.mean = 30;
        round->anatomy_us.write.mean = 40;
        for (size_t m = 0; m < GB_METRIC_COUNT; m++) c->summary[m] = (gb_interval){1, 1, 1};
        c->summary[GB_RPS] = (gb_interval){100 * times, 80 * times, 125 * times};
        c->summary[GB_MEMORY] = (gb_interval){20 * times, 10 * times, 25 * times};
        for (int j = 0; j < 1000; j++)
            gb_histogram_record(&c->latency, j < 500 ? 1000000 : 10000000);
    }
    for (size_t i = 0; i < r.comparison_count; i++)
        r.comparisons[i].ratio = (gb_interval){1.6, 1.2, 2};
    return r;
}

typedef struct mark {
    const char *what, *markup;
} mark;

static void has_marks(const char *text, const mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!ok(strstr(text, marks[i].markup), "%s", marks[i].what)) diag("%s", marks[i].markup);
}

static void test_coordinates(void)
{
    static const mark marks[] = {
        // 100 and 300 of 500, between 156 and 22.
        {"a line goes from point to point", "<path class=\"l\" d=\"M52.5 129.2L296.5 75.6\"/>"},
        {"with an interval at each", "<path class=\"w\" d=\"M52.5 134.6L52.5 122.5\"/>"},
        {"and a marker", "<path class=\"m\" transform=\"translate(52.5 129.2)\""},
        {"its legend says which it is", "</svg> 3.14.7</span>"},
        {"numbers of threads are where they belong",
         "<text class=\"c\" x=\"298.0\" y=\"170.0\">100</text>"}};
    gb_result r = known();
    char *text = page_of(&r);
    well_formed(text, "known figures");
    has_marks(text, marks, sizeof marks / sizeof *marks);
    free(text);
    gb_result_free(&r);
}

// 1, 2 and 4 CPUs: one thread, as many threads, and as many workers.
static gb_result with_cpus(void)
{
    gb_result r = make(&(shape){.builds = 2, .threads = 9, .rounds = 7, .scenario = "x"});
    static const double rates[2][3] = {{100, 40, 90}, {80, 75, 70}};
    for (size_t i = 0; i < r.cell_count; i++) {
        gb_cell *c = &r.cells[i];
        size_t kind = i / 2 % 3;
        c->server_cpus = 1 << i / 6;
        c->threads = kind == 1 ? c->server_cpus : 1;
        c->workers = kind == 2 ? c->server_cpus : 1;
        double y = i < 6 ? rates[i % 2][0] : rates[i % 2][kind] * (kind ? c->server_cpus : 1);
        c->summary[GB_RPS] = (gb_interval){y, y - 10, y + 10};
    }
    return r;
}

static void test_cpus(void)
{
    static const mark parts[] = {
        {"the server's CPUs are its axis", ">CPUs of the server</text>"},
        {"the caption says which rows", "128 connections: on each number of CPUs the fastest row of "
         "one worker&#39;s threads, and of several workers; medians"},
        {"a line of each build's threads", "</svg> 3.14.7t</span>"},
        {"and of its workers", "</svg> 3.14.7t, several workers</span>"},
        {"the limit is in proportion to the first", "</svg> in proportion to 3.14.7 on 1 CPU</span>"},
        // Of 400, between 156 and 22: 100 and 160 where 80 and 100 are, too; then 100, 180, 360.
        {"of rows of one place the fastest is shown", "M48.0 122.5L129.3 122.5L292.0 102.4\"/>"},
        {"several workers have a line of their own", "M135.3 95.7L298.0 35.4\"/>"},
        {"the limit is straight", "M60.0 122.5L141.3 89.0L304.0 22.0\"/>"}};
    gb_result r = with_cpus();
    char *text = page_of(&r);
    well_formed(text, "several numbers of CPUs");
    has_marks(text, parts, sizeof parts / sizeof *parts);
    is_u64(count(text, "role=\"img\""), 1, "one picture");
    is_u64(count(text, "<svg class=\"key\""), 5, "of two builds' threads and workers, and the limit");
    free(text);
    gb_result_free(&r);
}

// A limit is a line: of rows of one place there is none. Tasks have jobs.
static void test_one_place(void)
{
    gb_result r = make(&(shape){.builds = 2, .threads = 1, .rounds = 7, .scenario = "x"});
    char *text = page_of(&r);
    is_u64(count(text, "<svg class=\"key\""), 2, "rows of one place: two builds and no limit");
    free(text);
    r.cells[0].interface = r.cells[1].interface = GB_TASK;
    text = page_of(&r);
    is_u64(count(text, ">CPU us/job</th>"), 1, "what a job costs");
    free(text);
    gb_result_free(&r);
}

// What is without Python would squeeze the others.
static void test_control(void)
{
    gb_result r = make(&usual);
    for (size_t i = 0; i < r.cell_count; i++)
        if (gb__cell_is_control(&r.cells[i]))
            r.cells[i].summary[GB_RPS] = (gb_interval){210000, 209000, 211000};
    char *text = page_of(&r);
    ok(!strstr(text, "</svg> C handler") && strstr(text, ">40k</text>") &&
       !strstr(text, ">250k</text>"), "the control isn't in the picture");
    free(text);
    gb_result_free(&r);
}

static void test_gil_that_is_back(void)
{
    gb_result r = make(&usual);
    for (size_t i = 0; i < r.cell_count; i++) {
        const gb_cell *c = &r.cells[i];
        for (size_t j = 0; j < c->round_count && !strcmp(c->python, "3.14.7t"); j++) {
            c->rounds[j].gil.enabled_after_load = 1;
            gb__copy(c->rounds[j].gil.reenabled_by, 8, "orjson");
        }
    }
    char *text = page_of(&r);
    ok(!strstr(text, "(no GIL)") && strstr(text, "the GIL came back in 3 rows (orjson)"),
       "no answer for free-threading where the GIL is back");
    is_u64(count(text, "</svg> 3.14.7t, GIL back</span>"), 1, "its line says so");
    ok(strstr(text, ">3.14.7t, GIL back: orjson</th>"), "the table names who did it");
    ok(strstr(text, "<b>3.14.7, ") == NULL, "the build with the GIL is what it is");
    free(text);
    gb_result_free(&r);
}

// Without two cells of one topology no ratio has a bar, but all are there.
static void test_one_build(void)
{
    char *text = page(&(shape){.builds = 1, .threads = 2, .rounds = 6, .scenario = "x"});
    const char *table = strstr(text, "Every comparison: ratios");
    ok(table && strstr(table, ">1 thread</td>"), "one build: every comparison is in the page");
    ok(!strstr(text, "</b>: 1 thread 1.00x"), "and it isn't held against itself");
    free(text);
}

// What isn't known is grey.
static void test_unclear(void)
{
    gb_result r = make(&usual);
    for (size_t i = 0; i < r.comparison_count; i++) {
        r.comparisons[i].verdict = GB_UNCLEAR;
        r.comparisons[i].ratio = (gb_interval){1, 0.9, 1.1};
        r.comparisons[i].rounds = 7;
    }
    char *text = page_of(&r);
    ok(strstr(text, "<td class=\"mute\">1.00x [0.90, 1.10] unclear</td>"), "unclear is grey");
    free(text);
    for (size_t i = 0; i < r.comparison_count; i++) r.comparisons[i].rounds = 5;
    text = page_of(&r);
    ok(strstr(text, ">1.00x [0.90, 1.10] too few rounds</td>"), "five rounds are too few");
    free(text);
    for (size_t i = 0; i < r.comparison_count; i++) r.comparisons[i].gil_back = true;
    text = page_of(&r);
    ok(strstr(text, ">1.00x [0.90, 1.10] no verdict</td>"), "with a GIL that is back there is none");
    free(text);
    gb_result_free(&r);
}

// Half of what a file may hold: a scenario a cell, and comparisons.
static void test_largest(void)
{
    gb_result r = {.cell_count = GB__MAX_CELLS / 2, .comparison_count = GB__MAX_COMPARISONS / 2};
    r.cells = calloc(r.cell_count, sizeof *r.cells);
    r.comparisons = calloc(r.comparison_count, sizeof *r.comparisons);
    for (size_t i = 0; i < r.cell_count; i++) {
        gb_cell *c = &r.cells[i];
        snprintf(c->id, sizeof c->id, "a rather long name of a cell, which is number %zu", i);
        snprintf(c->scenario, sizeof c->scenario, "scenario %zu", i);
    }
    for (size_t i = 0; i < r.comparison_count; i++) {
        gb_comparison *k = &r.comparisons[i];
        k->metric = gb__metrics[i % GB_METRIC_COUNT].name;
        gb__copy(k->baseline, sizeof k->baseline, r.cells[i * 7 % r.cell_count].id);
        gb__copy(k->candidate, sizeof k->candidate, r.cells[i % r.cell_count].id);
    }
    clock_t before = clock();  // of the CPU: others may keep it busy
    char *text = page_of(&r);
    double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
    well_formed(text, "a large result");
    ok(seconds < 15, "it takes no minutes, but %.1f s", seconds);
    free(text);
    gb_result_free(&r);
}

// In a locale with a decimal comma, where this machine has one.
static void test_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "fr_FR.utf8"};
    char *before = page(&usual);
    bool found = false;
    for (size_t i = 0; i < 4 && !found; i++) found = setlocale(LC_ALL, names[i]);
    if (!found) {
        ok(true, "decimal commas # SKIP no locale that has them");
    } else {
        char *text = page(&usual);
        ok(!strcmp(text, before), "no decimal commas");
        free(text);
    }
    setlocale(LC_ALL, "C");
    free(before);
}

static void test_full_disk(void)
{
    gb_result r = make(&usual);
    gb_error error = {0};
    FILE *out = fopen("/dev/full", "w");
    ok(out && gb_report_html(&r, out, &error) == GB_SYSTEM && strstr(error.text, "No space"),
       "a full disk is told: %s", error.text);
    if (out) fclose(out);
    gb_result_free(&r);
}

int main(void)
{
    test_usual();
    test_hostile();
    test_values_that_are_not_there();
    test_failures();
    test_sizes();
    test_two_results();
    test_reported();
    test_rate();
    test_numbers();
    test_coordinates();
    test_cpus();
    test_one_place();
    test_control();
    test_gil_that_is_back();
    test_one_build();
    test_unclear();
    test_largest();
    test_locale();
    test_full_disk();
    return tap_end();
}
