// A result with something in every field, so that none is forgotten: one of its cells failed.
// Figures come from a generator, the same every time. Include it after gilbench.h.
#ifndef RESULT_H
#define RESULT_H

static uint64_t made_state;

static double made_number(void)
{
    return (double)(gb__rng_next(&made_state) >> 12) / 7e9;
}

static gb_interval made_interval(void)
{
    double lo = made_number();
    return (gb_interval){lo * 1.1, lo, lo * 1.3};
}

static void made_numbers(double *first, size_t n)
{
    for (size_t i = 0; i < n; i++) first[i] = made_number();
}

static void make_round(gb_round *r, double rate)
{
    *r = (gb_round){.requests = gb__rng_next(&made_state) >> 40, .unsettled = true, .outlier = true,
                    .coarse = true, .drift = made_number(),
                    .workers = 3, .interface = GB_ASGI, .warmup_s = made_number(),
                    .seconds = 0.1, .rps = made_number()};
    r->unanswered = 3;
    for (int i = 1; i < 6; i++) r->statuses[i] = (uint64_t)i * 1000;
    r->first_answer = (gb_answer){302, 123456};
    gb__copy(r->first_error, sizeof r->first_error, "GET /: closed without an answer");
    gb__copy(r->redirect, sizeof r->redirect, "/login \"x\"");
    r->errors = (gb_load_errors){1, 2, 3, 4, 5, 6, 7, 8};
    made_numbers(&r->latency_ms.mean, sizeof r->latency_ms / sizeof(double));
    if (rate > 0) made_numbers(&r->uncorrected_ms.mean, sizeof r->latency_ms / sizeof(double));
    made_numbers(&r->memory_mb.service, sizeof r->memory_mb / sizeof(double));
    made_numbers(&r->cpu.server_us_per_request, sizeof r->cpu / sizeof(double));
    made_numbers(&r->anatomy_us.read.mean, sizeof r->anatomy_us / sizeof(double));
    r->all_waits = true;
    r->waits = (gb_waits){true, {1.5, 2.5, 0, 7}, 2,
                          {{GB_WAIT_LOCK, "a.py:1 f", "with x:", "", "", 0, "dict a.D", 3, 2.5},
                           {GB_WAIT_GIL, "a.py:2 g", "", "b.py:3 h", "y", 0.5, "", 1, 1.5}},
                          "why \"not\"", true, 1, {{"dict shop.CACHE", 12.5}}};
    r->gc.collections = 17;
    r->gc.pause_ms = made_number();
    r->gil.enabled_after_load = 1;
    gb__copy(r->gil.reenabled_by, sizeof r->gil.reenabled_by, "one, two");
    r->context_switches_per_request = made_number();
    for (int i = 0; i < r->workers; i++) r->requests_per_worker[i] = (uint64_t)i * 1000003;
    r->steal_ms = made_number();
    r->other_cores = made_number();
    r->timeline.count = 5;
    r->timeline.step_s = 0.02;
    made_numbers(r->timeline.rps, 5);
    made_numbers(r->timeline.rss_mb, 5);
}

static void make_cell(gb_cell *c, const char *python, int threads, size_t rounds)
{
    *c = (gb_cell){.scenario = "wsgi-json", .app = "builtin:wsgi", .interface = GB_WSGI,
                   .path = "/json", .workers = 1, .threads = threads, .connections = 16,
                   .server_cpus = threads > 1 ? 3 : 0, .worker_model = GB_PROCESSES,
                   .rate = threads > 1 ? 1000 / 3. : 0,
                   .round_count = rounds};
    gb__copy(c->python, sizeof c->python, python);
    snprintf(c->id, sizeof c->id, "wsgi-json/%s/w1-t%d-c16", *python ? python : "control", threads);
    c->rounds = calloc(rounds, sizeof *c->rounds);
    for (size_t i = 0; i < rounds; i++) make_round(&c->rounds[i], c->rate);
    gb_histogram_init(&c->latency, 3, NULL);
    gb_histogram_init(&c->uncorrected, 3, NULL);
    for (int i = 0; i < 40; i++)
        gb_histogram_record(&c->latency, gb__rng_next(&made_state) >> (20 + i % 30));
    if (c->rate > 0) gb_histogram_record(&c->uncorrected, 12345678);
    for (size_t i = 0; i < GB_METRIC_COUNT; i++) c->summary[i] = made_interval();
}

static void make_failed(gb_cell *c)
{
    c->broken = true;
    for (size_t i = 0; i < c->round_count; i++) {
        c->rounds[i] = (gb_round){.gil.enabled_after_load = -1};
        gb__copy(c->rounds[i].problem, sizeof c->rounds[i].problem,
                 "it said: \"no\"\n\t<b>\x1b[31m\\ \xe2\x82\xac");
    }
    gb_histogram_reset(&c->latency);
    for (size_t i = 0; i < GB_METRIC_COUNT; i++)
        c->summary[i] = (gb_interval){NAN, NAN, NAN};
}

static void make_python(gb_python *p, const char *id, bool free_threaded)
{
    *p = (gb_python){.version = "3.14.7", .hex = 0x030e07f0, .free_threaded = free_threaded,
                     .debug = true, .jit = true, .optimized = "PGO", .executable = "/usr/bin/p",
                     .libpython = "/usr/lib/p.so", .home = "/usr", .prefix = "/a",
                     .base_prefix = "/b", .include = "/c", .configure_args = "'--x=\\\"y\\\"'",
                     .packages = "flask 3.1, pip 25",
                     .compiler = "GCC 12", .cflags = "-O2 -g", .usable = true,
                     .gil = free_threaded, .use_jit = -1};
    gb__copy(p->id, sizeof p->id, id);
}

// `small`: a single round of a single cell.
static void make_result(gb_result *r, bool small)
{
    static const char warning[] = "say \"so\"";
    made_state = 1;
    *r = (gb_result){.gilbench = "0.1.0", .started = "2026-01-01T00:00:00Z", .interrupted = true,
                     .python_count = 2, .cell_count = small ? 1 : 4, .comparison_count = 1,
                     .warning_count = 1};
    r->plan = (gb_method){"uvloop", "{\"x\"", "POST of 3 bytes", 0.25, 0.125, 1000 / 3., 0.02, 60, 3,
                          1ull << 52, {{0, 2, 1}, {3, 1023}, 3, 2}, true};
    r->host = (gb_host){"host", "Linux", "CPU \"x\"", "performance", 8, 1ull << 34, 1 / 3., 17,
                        2.5, 2, 1, 99};
    r->pythons = calloc(2, sizeof *r->pythons);
    r->cells = calloc(4, sizeof *r->cells);
    r->comparisons = calloc(1, sizeof *r->comparisons);
    r->warnings = calloc(1, sizeof *r->warnings);
    make_python(&r->pythons[0], "3.14.7", false);
    make_python(&r->pythons[1], "3.14.7t", true);
    make_cell(&r->cells[0], "3.14.7", 1, small ? 1 : 6);
    if (!small) {
        make_cell(&r->cells[1], "3.14.7t", 1, 6);
        r->cells[1].best = true;
        make_cell(&r->cells[2], "3.14.7t", 8, 2);
        make_failed(&r->cells[2]);
        make_cell(&r->cells[3], "", 8, 6);
    }
    gb_comparison *c = r->comparisons;
    *c = (gb_comparison){.scenario = "wsgi-json", .metric = gb__metrics[GB_PSS].name,
                         .ratio = made_interval(), .verdict = GB_UNCLEAR, .rounds = 6,
                         .gil_back = true};
    gb__copy(c->baseline, sizeof c->baseline, r->cells[0].id);
    gb__copy(c->candidate, sizeof c->candidate, r->cells[small ? 0 : 1].id);
    memcpy(r->warnings[0], warning, sizeof warning);
}

#endif
