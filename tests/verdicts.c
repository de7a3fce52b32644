// How a comparison comes to its verdicts: when a warm-up has settled, in which order cells are
// measured, which rounds are outliers, when there were enough rounds, and what a ratio means.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

// ---- settling -----------------------------------------------------------------------------------

// Answers per step, as a client would have seen them.
static bool settled(const uint64_t *answers, size_t steps)
{
    gb__client c = {0};
    uint64_t sum = 0;
    c.pace.marks[c.pace.count++].at = 1000;
    for (size_t i = 0; i < steps; i++) {
        sum += answers[i];
        c.pace.marks[c.pace.count].at = 1000 + (i + 1) * GB__STEP_NS;
        c.pace.marks[c.pace.count++].answered = sum;
    }
    return gb__has_settled(&c);
}

static void test_settling(void)
{
    ok(settled((uint64_t[]){900, 910, 890, 900, 905, 895, 900, 900, 910, 890, 905, 895}, 12),
       "an even rate has settled");
    ok(settled((uint64_t[]){1, 0, 2, 1, 0, 1, 2, 0, 1, 1, 0, 2}, 12),
       "a few answers a step: their scatter says nothing else");
    ok(!settled((uint64_t[]){100, 200, 300, 400, 500, 600, 700, 800, 850, 880, 900, 900}, 12),
       "a rising one has not");
    ok(!settled((uint64_t[]){900, 900, 900, 900, 900, 900, 700, 700, 700, 700, 700, 700}, 12),
       "nor a falling one");
    ok(!settled((uint64_t[]){900, 901, 899, 900, 900, 900, 980, 981, 979, 980, 980, 980}, 12),
       "nor one that is 9 %% higher of late");
    ok(!settled((uint64_t[]){900, 900, 900, 900, 900, 900}, 6), "too early to say");
    ok(settled((uint64_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12), "nothing at all is even");
}

// ---- bursts -------------------------------------------------------------------------------------

// Begins the window of a load whose shortest latency was so long.
static void begin(gb__client *c, gb__client_thread *t, double duration_s, double shortest_s)
{
    *c = (gb__client){.config = {.duration_s = duration_s}, .threads = t, .started = 1};
    atomic_store(&t->shortest, gb__seconds_ns(shortest_s));
    gb__begin_window(c);
}

// Req/s that a window sees of 8 answers together every `period`, the first of them `phase` of it
// behind its begin.
static double counted(const gb__client *c, double period_s, double phase)
{
    uint64_t period = gb__seconds_ns(period_s), first = c->begin + gb__seconds_ns(phase * period_s);
    double count = 0;
    for (uint64_t at = first; at < c->end; at += period) count += 8 * gb__weight(c, at);
    return count / ((double)(c->end - c->begin - c->ramp) / 1e9);
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void test_bursts(void)
{
    static const double periods[] = {0.0001, 0.001, 0.01, 0.013, 0.05, 0.051, 0.13, 0.15, 0.2,
                                     0.208, 0.25, 0.3, 0.5, 1, 2};
    static gb__client_thread t;
    gb__client c;
    double worst = 0, worst_off = 0, longest = 0;
    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++)
        for (double phase = 0; phase < 1; phase += 0.05) {
            double truth = 8 / periods[i];
            begin(&c, &t, 0.4, periods[i]);
            worst = larger(worst, fabs(counted(&c, periods[i], phase) / truth - 1));
            double window = (double)(c.end - c.begin) / 1e9;
            longest = larger(longest, window / larger(0.4, 4 * periods[i]));
            begin(&c, &t, 0.4, 0.9 * periods[i]);
            worst_off = larger(worst_off, fabs(counted(&c, periods[i], phase) / truth - 1));
        }
    ok(worst < 0.001, "bursts at any distance and place: %.2g %% off", 100 * worst);
    ok(worst_off < 0.02, "with a distance that is off by 10 %%: %.2g %%", 100 * worst_off);
    ok(longest < 1.3, "in windows not much longer than four bursts need: %.2f times", longest);
    begin(&c, &t, 0.4, 600);
    near((double)(c.end - c.begin) / 1e9, 10, 0.1, "which don't grow forever");
    c.config.rate = 10;
    gb__begin_window(&c);
    atomic_store(&t.shortest, 1000);
    gb__begin_window(&c);
    near((double)c.ramp / 1e9, 0.2, 1e-6, "a schedule's starts are bursts as well");
    c.config.rate = 0;
    c.pace.gap = GB__NS / 4;
    gb__begin_window(&c);
    near((double)c.ramp / 1e9, 0.5, 1e-6, "so are the answers behind a gap");
}

static void sleep_a_little(gb_exchange *exchange, void *user)
{
    usleep(gb__slice_is(gb_request_path(exchange), "/80") ? 80000 : 150000);
    gb_respond(exchange, 200, "text/plain", user, 2);
}

// Four threads that sleep: bursts of four answers, of which 0.2 s would hold one or two.
static void test_slow_answers(void)
{
    char url[64], body[] = "ok";
    gb_error error = {GB_OK, ""};
    gb_server_config config = {.threads = 4, .handler = sleep_a_little, .user = body};
    gb_server *server = gb_server_start(&config, &error);
    if (!server) {
        ok(false, "%s", error.text);
        return;
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", gb_server_port(server));
    gb_load_config k = {.url = url, .connections = 8, .duration_s = 0.2, .warmup_s = 0.05};
    gb_load_result r;
    if (gb_load(&k, &r, &error)) {
        ok(false, "%s", error.text);
    } else {
        near(r.rps, 4 / 0.15, 5.5, "4 threads, 150 ms: %.2f req/s", r.rps);
        ok(r.seconds > 0.5 && r.seconds < 2, "in a window of four bursts, not 0.2 s");
        ok(!(r.drift > 0), "which says nothing of a drift");
        gb_load_free(&r);
    }
    // Twenty connections to a thread: what begins in the window is answered 1.6 s later.
    snprintf(url, sizeof url, "http://127.0.0.1:%d/80", gb_server_port(server));
    k.connections = 80;
    if (gb_load(&k, &r, &error)) {
        ok(false, "%s", error.text);
    } else {
        is_u64(r.unanswered, 0, "latencies longer than the window are waited for");
        near((double)gb_histogram_percentile(&r.latency, 50) / 1e9, 1.6, 0.3, "and are whole");
        gb_load_free(&r);
    }
    gb_server_stop(server);
}

static _Atomic uint64_t began;

// Answers faster and faster for two seconds.
static void warm_up(gb_exchange *exchange, void *user)
{
    uint64_t none = 0;
    atomic_compare_exchange_strong(&began, &none, gb_now_ns());
    double age = (double)(gb_now_ns() - began) / 1e9;
    usleep(age < 1.9 ? (unsigned)(3000 * (1 - age / 2)) : 150);
    gb_respond(exchange, 200, "text/plain", user, 2);
}

static void test_warm_up(void)
{
    char url[64], body[] = "ok";
    gb_error error = {GB_OK, ""};
    gb_server_config config = {.threads = 2, .handler = warm_up, .user = body};
    gb_server *server = gb_server_start(&config, &error);
    if (!server) {
        ok(false, "%s", error.text);
        return;
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", gb_server_port(server));
    gb_load_config k = {.url = url, .connections = 4, .duration_s = 1, .warmup_s = 0.1};
    gb_load_result r;
    gb_code code = gb_load(&k, &r, &error);
    // A busy machine's window can begin when most of the warming up is over.
    for (int again = 4; again && !code && r.drift <= 1.15; again--) {
        gb_load_free(&r);
        atomic_store(&began, 0);
        code = gb_load(&k, &r, &error);
    }
    if (code) {
        ok(false, "%s", error.text);
    } else {
        ok(r.drift > 1.15, "the window's second half had %.2f times the req/s", r.drift);
        ok(!r.coarse, "of answers that are not too few");
        gb_load_free(&r);
    }
    k.warmup_s = 0.01;
    k.duration_s = 0.1;
    if (gb_load(&k, &r, &error)) {
        ok(false, "%s", error.text);
    } else {
        ok(r.warmup_s > GB__PACE_STEPS * 0.01, "a short warm-up lasts until a rate can be judged");
        gb_load_free(&r);
    }
    gb_server_stop(server);
}

// A round's figures from what was read at the ends of its window, which is 0.1 s shorter than the
// time between the readings.
static void test_figures(void)
{
    static gb__measuring m;
    gb_round r = {0};
    gb_load_result load = {.seconds = 0.4, .requests = 390, .rps = 1000, .cpu_ns = GB__NS / 5,
                           .drift = 1.5, .coarse = true};
    m.before = (gb_usage){.at = GB__NS, .user_ns = 100, .system_ns = 200, .context_switches = 7};
    m.after = (gb_usage){.at = GB__NS + GB__NS / 2, .user_ns = 100 + GB__NS / 4,
                         .system_ns = 200 + GB__NS / 2, .context_switches = 1007};
    m.exact = (gb_usage){.service = 5000000, .rss_peak = 6000000, .pss = 4000000, .uss = 3000000};
    m.machine = (gb__machine_time){.busy_ns = GB__NS * 5 / 4, .steal_ns = GB__NS / 50};
    m.own_ns = GB__NS / 4;
    m.sampler.samples = 3;
    m.sampler.rss_sum = 16500000;
    m.reply.stats.collections = 3;
    m.reply.stats.pause_ms = 2.5;
    gb_histogram_init(&load.latency, 3, NULL);
    for (int i = 1; i <= 1000; i++) gb_histogram_record(&load.latency, (uint64_t)i * 10000);
    gb__stats_open(&m.reply.stats);
    for (int i = 1; i <= 1000; i++)
        gb_histogram_record(&m.reply.stats.phases[GB__PHASE_APP], (uint64_t)i * 1000);
    gb__round_fill(&r, &m, &load, 2);
    gb_histogram_free(&load.latency);
    near(r.cpu.server_cores, 1.5, 1e-6, "cores: user and system time, by the time between");
    near(r.cpu.server_us_per_request, 1500, 1e-3, "CPU a request");
    near(r.context_switches_per_request, 2, 1e-6, "switches a request");
    near(r.cpu.client_share, 0.25, 1e-9, "the client's share of each of its threads");
    near(r.cpu.client_us_per_request, 2e5 / 390, 1e-6, "its CPU a request");
    near(r.other_cores, 0.5, 1e-6, "what others used");
    near(r.steal_ms, 20, 1e-9, "what the hypervisor took");
    near(r.memory_mb.service, 5, 1e-9, "memory");
    near(r.memory_mb.rss, 5.5, 1e-9, "RSS");
    near(r.memory_mb.rss_peak, 6, 1e-9, "its peak");
    near(r.memory_mb.pss, 4, 1e-9, "PSS");
    near(r.memory_mb.uss, 3, 1e-9, "USS");
    near(r.gc.pause_ms, 2.5, 1e-9, "pauses");
    is_u64(r.gc.collections, 3, "collections");
    near(r.latency_ms.p50, 5, 0.01, "p50");
    near(r.latency_ms.p90, 9, 0.01, "p90");
    near(r.latency_ms.p99, 9.9, 0.01, "p99");
    near(r.latency_ms.max, 10, 0.01, "max");
    near(r.latency_ms.mean, 5.005, 0.01, "mean");
    near(r.anatomy_us.app.mean, 500.5, 1e-9, "a phase's mean");
    near(r.anatomy_us.app.p99, 990, 10, "and its p99");
    ok(r.coarse && r.drift > 1.4 && r.rps > 999, "what the load says is kept");
}

// What the process that serves tells of its garbage collections.
static void test_pauses(void)
{
    static gb__hosted hosted;
    static gb__window_stats stats;
    atomic_store(&gb__gc_collections, 3);
    atomic_store(&gb__gc_pause_ns, 2500000);
    gb__hosted_stats(&hosted, &stats);
    is_u64(stats.collections, 3, "three collections");
    near(stats.pause_ms, 2.5, 1e-9, "of 2.5 ms");
}

static void test_timeline(void)
{
    gb_round r = {.timeline = {.step_s = 0.05}};
    gb_measure_config config = {.path = "/"};
    gb__measuring m = {.config = &config, .round = &r, .sampler.pid = getpid()};
    for (int i = 0; i <= 1200; i++) {
        gb_load_progress now = {.seconds = i / 100., .in_window = i > 20};
        now.answered = (uint64_t)(i < 600 ? i : 3 * i - 1200);
        gb__on_progress(&m, &now);
    }
    near(r.timeline.count * r.timeline.step_s, 11.8, 0.8, "a timeline of the whole window");
    near(r.timeline.rps[1], 100, 1, "at its begin");
    near(r.timeline.rps[r.timeline.count - 1], 300, 1, "and at its end");
    ok(r.timeline.rss_mb[r.timeline.count - 1] > 0.5, "with the memory of each step");
    gb__sampler_free(&m.sampler);
}

// ---- hand-made results --------------------------------------------------------------------------

enum { CELLS = 6, ROUNDS = 12 };

typedef struct made {
    gb_result result;
    gb_cell cells[CELLS];
    gb_round rounds[CELLS][ROUNDS];
    gb_python pythons[2];
} made;

// Two builds and the control with 1 and with 4 threads, and a hundred requests a second each.
static void make(made *m)
{
    static const char *const pythons[] = {"a", "b", ""};
    *m = (made){0};
    m->result = (gb_result){.cells = m->cells, .cell_count = CELLS, .pythons = m->pythons,
                            .python_count = 2};
    for (int i = 0; i < 2; i++) gb__copy(m->pythons[i].id, sizeof m->pythons[i].id, pythons[i]);
    for (int i = 0; i < CELLS; i++) {
        gb_cell *c = &m->cells[i];
        *c = (gb_cell){.workers = 1, .threads = i < 3 ? 1 : 4, .connections = 8,
                       .rounds = m->rounds[i], .round_count = ROUNDS};
        gb__copy(c->scenario, sizeof c->scenario, "s");
        gb__copy(c->python, sizeof c->python, pythons[i % 3]);
        snprintf(c->id, sizeof c->id, "s/%s/%d", pythons[i % 3], c->threads);
        for (int j = 0; j < ROUNDS; j++)
            m->rounds[i][j] = (gb_round){.rps = 100 + j % 3, .seconds = 1,
                                         .latency_ms = {.p50 = 10, .p99 = 20},
                                         .memory_mb = {.service = 30}};
    }
}

static const gb_comparison *verdict(const made *m, const char *metric, const char *baseline,
                                    const char *candidate)
{
    static const gb_comparison none = {.verdict = GB_NO_DIFFERENCE};
    for (size_t i = 0; i < m->result.comparison_count; i++) {
        const gb_comparison *c = &m->result.comparisons[i];
        if (!strcmp(c->metric, metric) && !strcmp(c->baseline, baseline) &&
            !strcmp(c->candidate, candidate))
            return c;
    }
    diag("no comparison of %s and %s by %s", baseline, candidate, metric);
    return &none;
}

static void test_verdicts(void)
{
    static made m;
    make(&m);
    for (int j = 0; j < ROUNDS; j++) {
        gb_round *b = &m.rounds[1][j];
        b->rps *= 1.5;
        b->latency_ms.p50 *= 0.5;
        b->latency_ms.p99 *= 2;
        b->memory_mb.service *= 0.9;
        m.rounds[4][j].memory_mb.service *= 1.1;
        m.rounds[4][j].rps *= 1.009;
    }
    is_u64(gb__add_comparisons(&m.result, NULL), GB_OK, "compared");
    const gb_comparison *rps = verdict(&m, "rps", "s/a/1", "s/b/1");
    near(rps->ratio.median, 1.5, 1e-9, "the ratio is the candidate's share of the baseline");
    is_u64(rps->verdict, GB_FASTER, "more requests are faster");
    is_u64(verdict(&m, "latency_ms.p50", "s/a/1", "s/b/1")->verdict, GB_FASTER, "so is a lower p50");
    is_u64(verdict(&m, "latency_ms.p99", "s/a/1", "s/b/1")->verdict, GB_SLOWER, "a higher p99 isn't");
    is_u64(verdict(&m, "memory_mb.service", "s/a/1", "s/b/1")->verdict, GB_FASTER,
           "less memory is the better verdict");
    is_u64(verdict(&m, "memory_mb.service", "s/a/4", "s/b/4")->verdict, GB_SLOWER,
           "more the worse");
    is_str(gb__find_metric("memory_mb.service")->words[GB_SLOWER], "more", "and is said so");
    is_u64((uint64_t)rps->rounds, ROUNDS, "of so many rounds");
    is_u64(verdict(&m, "rps", "s/a/4", "s/b/4")->verdict, GB_NO_DIFFERENCE,
           "0.9 %% are below what anybody can tell");
    is_u64(verdict(&m, "rps", "s/b/1", "s/b/4")->verdict, GB_SLOWER, "4 threads against 1");
    is_u64(verdict(&m, "rps", "s//1", "s//4")->verdict, GB_NO_DIFFERENCE, "the control, too");
    free(m.result.comparisons);
}

// The same build on fewer CPUs is a baseline, like fewer threads, and other CPUs are another
// topology.
static void test_server_cpus(void)
{
    static made m;
    make(&m);
    for (int i = 0; i < CELLS; i++) m.cells[i].threads = 4, m.cells[i].server_cpus = i < 3 ? 1 : 2;
    for (int j = 0; j < ROUNDS; j++) m.rounds[4][j].rps *= 2;
    is_u64(gb__add_comparisons(&m.result, NULL), GB_OK, "compared");
    is_u64(verdict(&m, "rps", "s/b/1", "s/b/4")->verdict, GB_FASTER, "2 CPUs against 1");
    is_u64(verdict(&m, "rps", "s/a/4", "s/b/4")->verdict, GB_FASTER, "the builds, each on 2");
    is_u64(m.result.comparison_count, 5 * 4, "and no others");
    free(m.result.comparisons);
}

static void own_cpus(void *user, const gb_load_progress *progress)
{
    (void)progress;
    sched_getaffinity(0, sizeof(cpu_set_t), user);
}

// The client's threads begin as those of whoever measures.
static void test_client_cpus(void)
{
    char url[64], body[] = "ok";
    cpu_set_t before, during, after;
    gb_error error = {GB_OK, ""};
    gb_load_result r;
    gb__cpus here;
    gb_server *server = gb_server_start(&(gb_server_config){.user = body}, &error);
    gb__cpus_here(&here);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/json", server ? gb_server_port(server) : 0);
    gb_load_config k = {.url = url, .duration_s = 0.05, .on_progress = own_cpus, .user = &during,
                        .cpus = &here.of[here.count - 1].number, .cpu_count = 1};
    sched_getaffinity(0, sizeof before, &before);
    gb_code code = gb_load(&k, &r, &error);
    sched_getaffinity(0, sizeof after, &after);
    ok(!code && CPU_COUNT(&during) == 1 && CPU_ISSET((size_t)*k.cpus, &during),
       "a load runs on the CPU that it is given: %s", error.text);
    ok(CPU_EQUAL(&before, &after), "and who called has its own back");
    if (!code) gb_load_free(&r);
    if (server) gb_server_stop(server);
}

// How many threads a client with two CPUs gets for a page of the C handler.
static int client_threads(const char *path, int connections, gb_error *first)
{
    gb_plan plan = {.load = {.duration_s = 0.05, .warmup_s = 0.01}};
    gb_python python = {.id = "a"};
    gb_round round = {.requests = 0};
    gb_cell cell = {.workers = 1, .threads = 1, .connections = connections, .rounds = &round};
    gb__cpus here;
    gb__cpus_here(&here);
    int last = here.of[here.count - 1].number;
    gb_result r = {.pythons = &python, .python_count = 1, .cells = &cell, .cell_count = 1,
                   .plan.cpus = {{here.of[0].number}, {last, last}, 1, 2}};
    gb__copy(cell.app, sizeof cell.app, path ? "builtin:c" : "none.py:app");
    gb__copy(cell.path, sizeof cell.path, path ? path : "/");
    gb_histogram_init(&cell.latency, 3, NULL);
    gb_histogram_init(&cell.uncorrected, 3, NULL);
    *first = (gb_error){GB_OK, ""};
    gb__grow_client(&plan, &r, first);
    ok(!cell.round_count && !cell.latency.total, "which is no round of it");
    ok(cell.broken == !path, "%s", *round.problem ? round.problem : "it works");
    if (!path) gb__compare_step(&plan, &r, &cell, NULL, first);
    if (!path) ok(cell.round_count == 1 && *round.problem, "its round says so without a try");
    gb_histogram_free(&cell.latency);
    gb_histogram_free(&cell.uncorrected);
    return plan.load.threads;
}

static void test_client_threads(void)
{
    gb_error first;
    is_u64((uint64_t)client_threads("/query", 4, &first), 1, "a page that waits needs one thread");
    is_u64((uint64_t)client_threads("/json", 1, &first), 1, "so does one connection");
    int threads = client_threads("/json", 4, &first);
    ok(threads == 1 || threads == 2, "%d, and never more than it has CPUs", threads);
    is_u64(first.code, GB_OK, "nothing has failed");
    is_u64((uint64_t)client_threads("/none", 4, &first), 1, "no answer");
    is_u64(first.code, GB_OK, "is left to the rounds");
    gb__cpus here;
    gb__cpus_here(&here);
    if (here.count < 2) return;
    is_u64((uint64_t)client_threads(NULL, 4, &first), 1, "what can't be loaded");
    ok(first.code, "is an error: %s", first.text);
}

// The second build's best has four threads, the first one's has one.
static void test_best(void)
{
    static made m;
    gb_cell c;
    make(&m);
    m.cells[0].best = m.cells[4].best = true;
    is_u64(gb__add_comparisons(&m.result, NULL), GB_OK, "with two cells that are best");
    is_u64((uint64_t)verdict(&m, "rps", "s/a/1", "s/b/4")->rounds, ROUNDS,
           "they are held against each other, whatever their topologies");
    size_t beside = 0;
    for (size_t i = 0; i < m.result.comparison_count; i++)
        beside += !strcmp(m.result.comparisons[i].candidate, "s/b/4") !=
                  !strcmp(m.result.comparisons[i].baseline, "s/a/1");
    is_u64(beside, 0, "and against no other");
    is_u64(m.result.comparison_count, 2 * 4, "as the control's threads are");
    c = m.cells[4];
    c.connections = 9;
    ok(!gb__is_against(&m.cells[0], &c, GB__AGAINST_BUILD), "another load is another question");
    free(m.result.comparisons);
}

static void test_missing_rounds(void)
{
    static made m;
    make(&m);
    for (int j = 0; j < ROUNDS; j++) m.rounds[1][j].rps = 200;
    strcpy(m.rounds[0][3].problem, "it fell over");
    strcpy(m.rounds[1][5].problem, "so did this");
    gb_comparison c = gb__compare_cells(&m.result, &m.cells[0], &m.cells[1], GB_RPS);
    is_u64((uint64_t)c.rounds, ROUNDS - 2, "a round counts where both sides have it");
    near(c.ratio.median, 200 / 101., 1e-9, "and the others do count");
}

static gb_verdict judged(double lo, double hi, int metric)
{
    return gb__judge(&gb__metrics[metric], (gb_interval){(lo + hi) / 2, lo, hi});
}

static void test_judging(void)
{
    is_u64(judged(1.011, 1.5, GB_RPS), GB_FASTER, "clear of 1 by 1 %%: faster");
    is_u64(judged(1.009, 1.5, GB_RPS), GB_UNCLEAR, "not clear of it: unclear");
    is_u64(judged(0.5, 0.989, GB_RPS), GB_SLOWER, "the same below 1");
    is_u64(judged(0.5, 0.991, GB_RPS), GB_UNCLEAR, "and here");
    is_u64(judged(0.991, 1.009, GB_RPS), GB_NO_DIFFERENCE, "within 1 %%: no difference");
    is_u64(judged(0.989, 1.009, GB_RPS), GB_UNCLEAR, "a hair lower: unclear");
    is_u64(judged(0.991, 1.011, GB_RPS), GB_UNCLEAR, "a hair higher, too");
    is_u64(judged(0.04, 9.52, GB_LATENCY_P99), GB_UNCLEAR, "nothing is known of this");
    is_u64(judged(1.2, 1.3, GB_LATENCY_P99), GB_SLOWER, "more latency is slower");
    is_u64(judged(1.2, 1.3, GB_MEMORY), GB_SLOWER, "more memory is more");
    is_u64(judged(NAN, NAN, GB_RPS), GB_UNCLEAR, "nor of what isn't there");
    is_str(gb_verdict_text(GB_UNCLEAR), "unclear", "its word");
}

// The same twelve rounds, or fewer of them.
static gb_verdict verdict_of(made *m, size_t rounds)
{
    for (int i = 0; i < CELLS; i++) m->cells[i].round_count = rounds;
    gb__add_comparisons(&m->result, NULL);
    gb_verdict found = verdict(m, "rps", "s/a/1", "s/b/1")->verdict;
    free(m->result.comparisons);
    m->result.comparisons = NULL;
    m->result.comparison_count = 0;
    return found;
}

static void test_no_verdict(void)
{
    static made m;
    make(&m);
    for (int j = 0; j < ROUNDS; j++) m.rounds[1][j].rps *= 2;
    is_u64(verdict_of(&m, 6), GB_FASTER, "twice as fast in six rounds");
    is_u64(verdict_of(&m, 5), GB_UNCLEAR, "no verdict of five");
    strcpy(m.rounds[0][2].problem, "it fell over");
    is_u64(verdict_of(&m, 6), GB_UNCLEAR, "nor of six of which one has no measurement");
    is_u64(verdict_of(&m, 7), GB_FASTER, "one more makes up for it");
    for (int j = 0; j < 5; j++) m.rounds[0][j].coarse = true;
    is_u64(verdict_of(&m, 7), GB_UNCLEAR, "none where most windows held too few answers");
    is_u64(verdict_of(&m, 9), GB_FASTER, "half of them are not most");
    m.pythons[1].free_threaded = true;
    m.pythons[1].gil = -1;
    m.rounds[1][3].gil.enabled_after_load = 1;
    is_u64(verdict_of(&m, ROUNDS), GB_UNCLEAR, "none of a free-threaded build with a GIL");
    m.pythons[1].gil = 1;
    is_u64(verdict_of(&m, ROUNDS), GB_FASTER, "unless it was asked for");
}

static void test_sessions(void)
{
    gb_interval i = gb__allow_for_sessions((gb_interval){1, 1, 1});
    near(i.lo, 1 - 1.96 * 0.02 * 1.41421356, 1e-5, "two sessions of one service: 5.5 %% lower");
    near(i.hi, 1 + 1.96 * 0.02 * 1.41421356, 1e-5, "or higher");
    i = gb__allow_for_sessions((gb_interval){2, 1.4, 2.1});
    near(i.median, 2, 0, "the ratio stays");
    near(i.lo, 2 - 0.610, 0.001, "what the rounds leave open is most of it");
    near(i.hi, 2 + 0.149, 0.001, "or as much");
    i = gb__allow_for_sessions((gb_interval){1, 0.001, 1});
    near(i.lo, 0, 0, "but never less than nothing, which no file may say");
}

static void test_rounds_needed(void)
{
    gb_comparison c = {.ratio = {1, 0.9, 1.1}, .rounds = 8};
    is_u64((uint64_t)gb_rounds_needed(&c, 0.05), 98, "10 %% after 8 rounds: 98 for 5 %%");
    c.ratio = (gb_interval){2, 1.8, 2.2};
    is_u64((uint64_t)gb_rounds_needed(&c, 0.05), 98, "whatever the ratio");
    c.ratio = (gb_interval){1, 0.999, 1.001};
    is_u64((uint64_t)gb_rounds_needed(&c, 0.05), 6, "never fewer than make a verdict");
    is_u64((uint64_t)gb_rounds_needed(&c, 0.01), 0, "1 %% is below what can be told");
    c.ratio = (gb_interval){1, 0.1, 3};
    is_u64((uint64_t)gb_rounds_needed(&c, 0.05), 0, "nobody is told to run more than 10,000");
    c.rounds = 0;
    is_u64((uint64_t)gb_rounds_needed(&c, 0.05), 0, "not where rounds aren't paired");
}

static void test_precision(void)
{
    static made m;
    gb_plan plan = {.seed = 1, .precision = 0.05};
    make(&m);
    for (int j = 0; j < ROUNDS; j++) m.rounds[4][j].latency_ms.p99 = j % 2 ? 10 : 30;
    m.cells[1].rate = m.cells[4].rate = 100;
    ok(!gb__is_precise(&plan, &m.result, 0), "at a rate it is latencies that have to be known");
    m.cells[1].rate = m.cells[4].rate = 0;
    ok(gb__is_precise(&plan, &m.result, 0), "ratios that are all alike are precise");
    for (int j = 0; j < ROUNDS; j++) m.rounds[2][j].rps = j % 2 ? 100 : 300;
    ok(gb__is_precise(&plan, &m.result, 0), "the control is no build's measure");
    for (int j = 0; j < ROUNDS; j++) m.rounds[4][j].rps = j < 5 ? 60 : 100;
    ok(!gb__is_precise(&plan, &m.result, 0), "one that is 40 %% lower at times is not known, either");
    gb__copy(m.cells[4].server, sizeof m.cells[4].server, "peer");
    gb__copy(m.cells[4].python, sizeof m.cells[4].python, "a");
    ok(!gb__is_precise(&plan, &m.result, 0), "nor if it is somebody else's server on the same build");
    *m.cells[4].server = 0;
    gb__copy(m.cells[4].python, sizeof m.cells[4].python, "b");
    for (int j = 0; j < ROUNDS; j++) m.rounds[4][j].rps = j % 2 ? 100 : 120;
    ok(!gb__is_precise(&plan, &m.result, 0), "one that scatters by 20 %% is not known to 5 %%");
    plan.precision = 0.2;
    ok(gb__is_precise(&plan, &m.result, 0), "but to 20 %%");
}

static void test_rounds(void)
{
    gb_plan plan = gb__plan_defaults(&(gb_plan){0});
    is_u64((uint64_t)plan.rounds, 60, "many rounds");
    near(plan.precision, 0.02, 1e-9, "until 2 %% are reached");
    near(plan.budget_s, 120, 1e-9, "or two minutes are over");
    plan = gb__plan_defaults(&(gb_plan){.rounds = 5});
    is_u64((uint64_t)plan.rounds, 5, "so many as asked for");
    near(plan.precision + plan.budget_s, 0, 1e-9, "and all of them");
    plan = gb__plan_defaults(&(gb_plan){.precision = 0.01});
    is_u64((uint64_t)plan.rounds, 200, "a precision goes on for longer");
    near(plan.budget_s, 0, 1e-9, "however long");
}

static void test_budget(void)
{
    gb_plan plan = {.budget_s = 10};
    gb__watcher w = {.plan = &plan, .start = gb_now_ns() - 9 * GB__NS, .done = 8};
    ok(!gb__has_time(&w, 1), "no measurement that would end too late");
    w.start = gb_now_ns() - 8 * GB__NS;
    ok(gb__has_time(&w, 1), "one that fits");
    ok(!gb__has_time(&w, 3), "but not three");
    plan.budget_s = 0;
    ok(gb__has_time(&w, 1000), "without a limit there is always time");
}

// ---- the plan -----------------------------------------------------------------------------------

// A plan of two builds for so many CPUs, without a measurement.
static gb_plan planned(gb_result *r, int cpus, const gb_plan *given)
{
    static gb_python pythons[2] = {{.id = "gil", .gil = -1},
                                   {.id = "ft", .gil = -1, .free_threaded = true}};
    gb_plan p = *given;
    p.pythons = pythons;
    if (!p.python_count) p.python_count = 2;
    p = gb__plan_defaults(&p);
    *r = (gb_result){.host.cpus = cpus};
    is_u64(gb__plan_cells(&p, r, NULL), GB_OK, "a plan for %d CPUs", cpus);
    return p;
}

// The topologies of a build in their order, "2x1p" being two processes and "2x1t" two groups of
// threads; "+" where the control has it, too.
static const char *topologies(const gb_result *r, const char *python, bool names)
{
    static char text[1024];
    size_t len = 0;
    *text = 0;
    for (size_t i = 0; i < r->cell_count; i++) {
        const gb_cell *c = &r->cells[i];
        size_t group = gb__group_length(r, i);
        if (strcmp(c->python, python)) continue;
        for (size_t j = i; names && j < i + group; j++) names &= gb__same_topology(c, &r->cells[j]);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s%dx%d%s%s", len ? " " : "",
                                names ? c->scenario : "", names ? ":" : "", c->workers, c->threads,
                                c->workers == 1 ? "" : c->worker_model == GB_THREADS ? "t" : "p",
                                gb__cell_is_control(&r->cells[i + group - 1]) ? "+" : "");
    }
    return text;
}

static void test_topologies(void)
{
    static const gb_scenario wsgi = {.name = "s", .app = "a:b", .path = "/", .interface = GB_WSGI},
                             asgi = {.name = "s", .app = "a:b", .path = "/", .interface = GB_ASGI},
                             own = {.name = "s", .app = "a:b", .path = "/page", .threads = 3,
                                    .workers = 2, .interface = GB_WSGI};
    static const struct {
        int cpus;
        const char *wsgi, *gil, *ft;
    } cases[] = {{0, "1x1 1x64", "1x1", "1x1"},
                 {1, "1x1 1x64", "1x1", "1x1"},
                 {2, "1x1 1x2 1x64 2x1p", "1x1 2x1p", "1x1 2x1t"},
                 {4, "1x1 1x4 1x64 4x1p", "1x1 4x1p", "1x1 4x1t"},
                 {16, "1x1 1x16 1x64 16x1p", "1x1 16x1p", "1x1 16x1t"},
                 {64, "1x1 1x64 64x1p", "1x1 64x1p", "1x1 64x1t"},
                 {96, "1x1 1x96 1x64 64x1p", "1x1 64x1p", "1x1 64x1t"}};
    gb_result r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        planned(&r, cases[i].cpus, &(gb_plan){.scenarios = &wsgi, .scenario_count = 1});
        is_str(topologies(&r, "gil", false), cases[i].wsgi, "WSGI, with the GIL");
        is_str(topologies(&r, "ft", false), cases[i].wsgi, "and without");
        gb_result_free(&r);
        planned(&r, cases[i].cpus, &(gb_plan){.scenarios = &asgi, .scenario_count = 1});
        is_str(topologies(&r, "gil", false), cases[i].gil, "ASGI, with the GIL");
        is_str(topologies(&r, "ft", false), cases[i].ft, "and without");
        gb_result_free(&r);
    }
    planned(&r, 4, &(gb_plan){.scenarios = &wsgi, .scenario_count = 1, .worker_model = GB_THREADS});
    is_str(topologies(&r, "gil", false), "1x1 1x4 1x64 4x1t", "a worker model that is asked for");
    gb_result_free(&r);
    planned(&r, 4, &(gb_plan){.scenarios = &own, .scenario_count = 1});
    is_str(topologies(&r, "ft", false), "2x3t+", "a scenario's own");
    gb_result_free(&r);
    planned(&r, 4, &(gb_plan){.scenarios = &wsgi, .scenario_count = 1, .threads = (int[]){2, 3},
                              .thread_count = 2});
    is_str(topologies(&r, "ft", false), "1x2 1x3", "a list");
    gb_result_free(&r);
    planned(&r, 4, &(gb_plan){.scenarios = &wsgi, .scenario_count = 1, .workers = (int[]){2},
                              .worker_count = 1});
    is_str(topologies(&r, "ft", false), "2x1t 2x64t", "of workers");
    gb_result_free(&r);
}

// How many rows of the GIL build somebody else's server has in the usual topologies.
static uint64_t peer_rows(const char *command)
{
    static const gb_scenario s = {.name = "s", .app = "a:b", .path = "/", .interface = GB_WSGI};
    const gb_peer peer = {.name = "p", .command = command};
    gb_result r;
    uint64_t rows = 0;
    planned(&r, 4, &(gb_plan){.scenarios = &s, .scenario_count = 1, .peers = &peer,
                              .peer_count = 1});
    for (size_t i = 0; i < r.cell_count; i++)
        rows += *r.cells[i].server && !strcmp(r.cells[i].python, "gil");
    gb_result_free(&r);
    return rows;
}

static void test_peer_topologies(void)
{
    is_u64(peer_rows("x {port}"), 1, "a server that isn't told how many threads is measured once");
    is_u64(peer_rows("x {port} {workers}"), 2, "with one worker and with one a CPU");
    is_u64(peer_rows("x {port} {threads}"), 3, "with 1, 4 and 64 threads");
    is_u64(peer_rows("x {port} {threads} {workers}"), 4, "or in each topology");
}

static void test_importance(void)
{
    gb_result r;
    planned(&r, 2, &(gb_plan){0});
    is_str(topologies(&r, "ft", true), "wsgi-page:1x1+ wsgi-page:1x2+ wsgi-page:1x64+ "
           "wsgi-page:2x1p wsgi-query:1x64 wsgi-query:2x1p asgi-page:1x1 wsgi-io:1x64 "
           "asgi-page:2x1t wsgi-json:1x1 wsgi-json:1x2 wsgi-json:1x64 asgi-io:1x1 asgi-json:1x1 "
           "wsgi-query:1x2 wsgi-query:1x1", "what matters most comes first");
    gb_result_free(&r);
    planned(&r, 1, &(gb_plan){.python_count = 1, .no_control = true});
    is_str(topologies(&r, "gil", true), "wsgi-page:1x1 wsgi-page:1x64 wsgi-query:1x64 "
           "asgi-page:1x1 wsgi-io:1x64 wsgi-json:1x1 wsgi-json:1x64 asgi-io:1x1 asgi-json:1x1 "
           "wsgi-query:1x1", "on one CPU there is less");
    gb_result_free(&r);
}

static double cell_s;  // that each measurement takes

static void pass_time(void *user, const gb_progress *progress)
{
    gb__watcher *w = user;
    (void)progress;
    w->start -= gb__seconds_ns(cell_s);
}

// What the default comparison has time for where each cell takes so long: nothing is measured,
// because each of them is known to be broken.
static void chosen(gb__watcher *w, gb_result *r, gb_plan *p, int cpus, double seconds)
{
    gb_error first = {0};
    *p = planned(r, cpus, &(gb_plan){.on_progress = pass_time, .user = w});
    *w = (gb__watcher){.plan = p, .start = gb_now_ns(), .rng = 1};
    w->order = calloc(4 * r->cell_count, sizeof *w->order);
    cell_s = seconds;
    for (size_t i = 0; i < r->cell_count; i++) {
        r->cells[i].broken = true;
        strcpy(r->cells[i].rounds[r->cells[i].round_count++].problem, "known");
    }
    w->winners = gb__count_winners(p, r);
    gb__choose_cells(w, r, &first);
    free(w->order);
}

static void test_choice(void)
{
    gb__watcher w;
    gb_result r;
    gb_plan p;
    chosen(&w, &r, &p, 2, 0.7);
    is_str(topologies(&r, "gil", true), "wsgi-page:1x1+ wsgi-page:1x2+ wsgi-page:1x64+ "
           "wsgi-page:2x1p wsgi-query:1x64 wsgi-query:2x1p asgi-page:1x1 wsgi-io:1x64",
           "0.7 s a cell: so much in two minutes");
    is_str(w.left_out, "asgi-page, wsgi-json, asgi-io, asgi-json, wsgi-query",
           "the rest is left out, and named");
    is_u64(w.winners, 2, "and the first scenario's best is measured again");
    is_u64(w.done, r.cell_count, "that was the first round");
    gb_result_free(&r);
    chosen(&w, &r, &p, 2, 0.85);
    is_str(topologies(&r, "gil", true), "wsgi-page:1x1+ wsgi-page:1x2+ wsgi-page:1x64+ "
           "wsgi-page:2x1p wsgi-query:1x64 wsgi-query:2x1p", "0.85 s: less");
    gb_result_free(&r);
    chosen(&w, &r, &p, 2, 0.3);
    is_u64(w.winners, 8, "0.3 s: all of it, and four scenarios' best");
    is_str(w.left_out, "", "nothing is left out");
    gb_result_free(&r);
    chosen(&w, &r, &p, 2, 20);
    is_str(topologies(&r, "gil", true), "wsgi-page:1x1+", "20 s: never nothing");
    is_u64(w.winners, 0, "one topology has no best");
    gb_result_free(&r);
}

static const char *winner(const made *m, const char *python)
{
    const gb_cell *c = gb__winner(&m->result, &m->cells[0], python);
    return c ? c->id : "";
}

static void test_winners(void)
{
    static made m;
    gb_plan plan = {.python_count = 2, .rounds = ROUNDS};
    make(&m);
    is_str(winner(&m, "a"), "s/a/1", "of two that are alike the first is best");
    for (int j = 0; j < ROUNDS; j++) m.rounds[3][j].rps = j == ROUNDS - 1 ? 90 : 102;
    for (int j = 0; j < ROUNDS; j++) m.rounds[0][j].rps = j == ROUNDS - 1 ? 5000 : 101;
    is_str(winner(&m, "a"), "s/a/4", "the median counts");
    is_str(winner(&m, "b"), "s/b/1", "of each build its own");
    ok(gb__opens_contest(&m.result, &m.cells[0]) && !gb__opens_contest(&m.result, &m.cells[1]) &&
       !gb__opens_contest(&m.result, &m.cells[2]), "one contest a scenario");
    is_u64(gb__count_winners(&plan, &m.result), 2, "which each build takes part in");
    plan.rounds = 5;
    is_u64(gb__count_winners(&plan, &m.result), 0, "but not with too few rounds for a verdict");
    plan.rounds = 6;
    plan.python_count = 1;
    is_u64(gb__count_winners(&plan, &m.result), 0, "nor with one build");
    m.rounds[3][5].errors.status = 1;
    is_str(winner(&m, "a"), "s/a/1", "one that failed a request is not best");
    m.rounds[3][5].errors.status = 0;
    strcpy(m.rounds[3][5].problem, "it fell over");
    is_str(winner(&m, "a"), "s/a/1", "nor one that fell over");
    *m.rounds[3][5].problem = 0;
    for (int j = 0; j < 7; j++) m.rounds[3][j].coarse = true;
    is_str(winner(&m, "a"), "s/a/1", "nor one of which too little is known");
    m.rounds[3][6].coarse = false;
    m.cells[3].connections = 9;
    is_str(winner(&m, "a"), "s/a/1", "nor one under another load");
    ok(!gb__opens_contest(&m.result, &m.cells[3]), "in which it is alone");
    m.cells[3].connections = 8;
    gb__copy(m.cells[3].server, sizeof m.cells[3].server, "peer");
    is_str(winner(&m, "a"), "s/a/1", "nor somebody else's server");
    *m.cells[3].server = 0;
    m.cells[0].rate = m.cells[3].rate = 100;
    for (int j = 0; j < ROUNDS; j++) m.rounds[3][j].latency_ms.p99 = 21;
    is_str(winner(&m, "a"), "s/a/1", "at a rate the lower p99 is best");
    m.pythons[1].free_threaded = true;
    m.pythons[1].gil = -1;
    m.rounds[1][0].gil.enabled_after_load = m.rounds[4][0].gil.enabled_after_load = 1;
    is_str(winner(&m, "b"), "", "a build whose GIL came back has no best");
}

static void test_outliers(void)
{
    static made m;
    make(&m);
    m.rounds[0][4].rps = 60;
    m.rounds[1][4].rps = 103;
    m.rounds[2][7].rps = 88;
    gb__summarise_cell(&m.cells[2], 1);
    ok(m.rounds[2][7].outlier, "13 %% below where others differ by 2 %% is far");
    gb__summarise_cell(&m.cells[0], 1);
    gb__summarise_cell(&m.cells[1], 1);
    size_t found = 0;
    for (int j = 0; j < ROUNDS; j++) found += m.rounds[0][j].outlier;
    is_u64(found, 1, "one round is far from the others");
    ok(m.rounds[0][4].outlier, "that one");
    ok(!m.rounds[1][4].outlier, "3 %% are not far");
    gb__warn_cell(&m.result, &m.cells[0]);
    is_u64(m.result.warning_count, 1, "it is told of");
    ok(m.result.warning_count && strstr(m.result.warnings[0], "1 of 12 rounds is far from the median "
                                        "of 101 req/s, the farthest with 60.0 (it counts)"),
       "with its figure");
    near(m.cells[0].summary[GB_RPS].median, 101, 1, "and counts");
    free(m.result.warnings);
}

static void test_order(void)
{
    static made m;
    size_t order[CELLS], groups[CELLS], together = 0, firsts[CELLS] = {0};
    uint64_t rng = 3;
    make(&m);
    for (int draw = 0; draw < 600; draw++) {
        bool seen[CELLS] = {false};
        gb__draw_order(&m.result, 0, order, groups, &rng);
        for (int i = 0; i < CELLS; i++) seen[order[i]] = true;
        for (int i = 0; i < CELLS; i++) together += seen[i] && order[i] / 3 == order[i / 3 * 3] / 3;
        firsts[order[0]]++;
    }
    is_u64(together, 600 * CELLS, "each cell once a round, next to its like");
    for (int i = 0; i < CELLS; i++)
        ok(firsts[i] > 60 && firsts[i] < 140, "cell %d comes first as often as others", i);
}

static void test_unsettled(void)
{
    static made m;
    make(&m);
    m.rounds[0][1].unsettled = m.rounds[0][2].unsettled = true;
    gb__warn_cell(&m.result, &m.cells[0]);
    ok(m.result.warning_count == 1 && strstr(m.result.warnings[0], "when 2 of 12 windows began"),
       "rounds that began too early are told of");
    free(m.result.warnings);
}

// ---- what could be unfair -----------------------------------------------------------------------

static bool warns(gb_result *r, const char *what)
{
    bool found = false;
    for (size_t i = 0; i < r->warning_count; i++) found |= strstr(r->warnings[i], what) != NULL;
    return found;
}

static void forget(gb_result *r)
{
    free(r->warnings);
    r->warnings = NULL;
    r->warning_count = 0;
}

static void made_fair(made *m)
{
    make(m);
    m->result.host = (gb_host){.cpus = 8, .threads_per_core = 1, .swapped_pages = UINT64_MAX,
                               .governor = "performance"};
    for (int i = 0; i < 2; i++) {
        gb__copy(m->pythons[i].version, sizeof m->pythons[i].version, "3.14.7");
        gb__copy(m->pythons[i].configure_args, sizeof m->pythons[i].configure_args,
                 i ? "'--disable-gil' '--prefix=/b'" : "'--prefix=/a'");
        gb__copy(m->pythons[i].packages, sizeof m->pythons[i].packages, "flask 3.1, pip 25");
    }
}

// A flawless result; which warnings there are to be none of, by `check`.
#define FAIR(check)                                                                                \
    do {                                                                                           \
        made_fair(&m);                                                                             \
        summarise(&m);                                                                             \
        check;                                                                                     \
        ok(!m.result.warning_count, "nothing wrong, no warning");                                  \
        forget(&m.result);                                                                         \
    } while (0)

// Sets something wrong in an otherwise flawless result; which warning is to come of it.
#define WARNS(flaw, check, what)                                                                   \
    do {                                                                                           \
        made_fair(&m);                                                                             \
        flaw;                                                                                      \
        check;                                                                                     \
        ok(warns(&m.result, what), "warned of: %s", what);                                         \
        forget(&m.result);                                                                         \
    } while (0)

// Of the cells that warnings are looked for in.
static void summarise(made *m)
{
    for (int i = 0; i < 2; i++) gb__summarise_cell(&m->cells[i], 1);
}

#define ALL_ROUNDS(change)                                                                         \
    for (int j = 0; j < ROUNDS; j++) {                                                             \
        gb_round *r = &m.rounds[0][j];                                                             \
        change;                                                                                    \
    }                                                                                              \
    summarise(&m)

static void test_fair_builds(void)
{
    static made m;
    FAIR(gb__warn_builds(&m.result));
#define BUILDS(flaw, what) WARNS(flaw, gb__warn_builds(&m.result), what)
    BUILDS(m.pythons[1].debug = true, "b is a debug build");
    BUILDS(strcpy(m.pythons[1].version, "3.15.0"), "different versions");
    BUILDS(strcpy(m.pythons[0].optimized, "PGO"), "was compiled with PGO");
    BUILDS(strcpy(m.pythons[1].compiler, "Clang"), "different compilers or configure arguments");
    BUILDS(strcpy(m.pythons[1].configure_args, "'--with-x'"), "different compilers or configure");
    BUILDS(strcpy(m.pythons[1].packages, "flask 3.2, pip 25"), "flask 3.1 is in a, but not in b");
    BUILDS(strcpy(m.pythons[0].packages, "flask 3.1"), "pip 25 is in b, but not in a");
}

static void test_fair_host(void)
{
    static made m;
    FAIR(gb__warn_host(&m.result));
#define HOST(flaw, what) WARNS(flaw, gb__warn_host(&m.result), what)
    HOST(m.result.plan.cpus = ((gb_placement){{0, 1}, {0, 1}, 2, 2}), "share 2 CPUs");
    HOST(m.result.host.threads_per_core = 2, "2 CPUs share a core (SMT)");
    HOST(m.result.host.load_1min = 7, "load average 7.00");
    HOST(m.result.host.cgroup_cpus = 1.5, "may use 1.50 of 8 CPUs");
    HOST(strcpy(m.result.host.governor, "powersave"), "governor is \"powersave\"");
    HOST(m.result.host.turbo = 1, "turbo is on");
    made_fair(&m);
    m.result.host.cgroup_cpus = 8;
    gb__warn_host(&m.result);
    is_u64(m.result.warning_count, 0, "a quota of all CPUs is none");
    m.result.host.swapped_pages = 0;
    gb_host now;
    gb_host_read(&now);
    gb__warn_host(&m.result);
    ok(warns(&m.result, "swapped") == (now.swapped_pages > 0), "warned of swapping, if there is any");
    forget(&m.result);
}

static void test_fair_cells(void)
{
    static made m;
    static const gb_answer page = {200, 5120};
    FAIR(gb__warn_cell(&m.result, &m.cells[0]));
#define CELL(change, what) WARNS(ALL_ROUNDS(change), gb__warn_cell(&m.result, &m.cells[0]), what)
    CELL(r->drift = 1.2, "still getting faster: the second half of its windows had 20 % more");
    CELL(r->drift = 0.8, "still getting slower: the second half of its windows had 20 % fewer");
    CELL(r->coarse = true, "too few answers to know req/s");
    CELL(r->rps = j % 2 ? 60 : 120, "far apart: req/s are known from 60.0 to 120 only");
    CELL(m.cells[0].interface = GB_TASK; r->rps = j % 2 ? 60 : 120,
         "far apart: jobs/s are known from 60.0 to 120 only");
    CELL(r->cpu.client_share = 0.95, "the client used 95 % of its CPU");
    CELL((r->statuses[3] = 2, strcpy(r->redirect, "/login")),
         "24 answers were redirects, the first to \"/login\"");
    CELL(r->unanswered = 1, "12 requests had no answer");
    CELL((r->statuses[3] = !j, strcpy(r->redirect, "/login")),
         "1 answer was a redirect, to \"/login\"");
    CELL(r->unanswered = !j, "1 request had no answer");
    CELL(r->errors.timeout = !j, "1 request failed");
    CELL((r->errors.timeout = 1, strcpy(r->first_error, "GET /x: no answer")),
         "12 requests failed, for example GET /x: no answer");
#define ANSWERS(change, what)                                                                      \
    WARNS(ALL_ROUNDS(gb_answer *other = &m.rounds[1][j].first_answer;                              \
                     *other = r->first_answer = page; change),                                    \
          gb__warn_cell(&m.result, &m.cells[1]), what)
    FAIR(ALL_ROUNDS(m.rounds[1][j].first_answer = r->first_answer = page);
         gb__warn_cell(&m.result, &m.cells[1]));
    ANSWERS(other->size = j > 1 ? 5400 : 5120,
            ": a answered 200 with 5120 bytes, b 200 with 5400: is that the same work?");
    ANSWERS(if (j == 7) (*other = (gb_answer){500, 21}),
            ": a answered 200 with 5120 bytes, b 500 with 21: is that the same work?");
    ANSWERS((*other = (gb_answer){302, 0}); strcpy(m.rounds[1][j].problem, "x"),
            "b 302 with 0: is that");
    made_fair(&m);
    // What varies from answer to answer, or is a little longer, or isn't known.
    ALL_ROUNDS((r->first_answer = (gb_answer){200, j % 3 ? 1000 : 2000},
                m.rounds[1][j].first_answer = (gb_answer){200, j % 3 == 1 ? 2000 : 1040}));
    m.rounds[1][4].first_answer.status = 0;
    gb__warn_cell(&m.result, &m.cells[1]);
    is_u64(m.result.warning_count, 0, "sizes that vary from answer to answer");
    forget(&m.result);
    CELL(if (j == 3) strcpy(r->problem, "it fell over"), "it fell over");
    CELL((m.cells[0].rate = 200, r->drift = 1), "101 of 200 req/s were answered");
    CELL(m.pythons[0].free_threaded = true; m.pythons[0].gil = -1; r->gil.enabled_after_load = 1,
         "the GIL came back");
    made_fair(&m);
    ALL_ROUNDS(r->drift = j % 2 ? 0.9 : 1.12);
    m.cells[0].rate = 101.5;
    m.rounds[0][2].coarse = true;
    gb__warn_cell(&m.result, &m.cells[0]);
    is_u64(m.result.warning_count, 0, "halves that differ both ways, a rate that is nearly met");
    forget(&m.result);
}

static void test_fair_others(void)
{
    static made m;
    FAIR(gb__warn_disturbance(&m.result); gb__warn_rounds(&m.result));
#define OTHERS(change, what) WARNS(ALL_ROUNDS(change), gb__warn_disturbance(&m.result), what)
    OTHERS(r->steal_ms = 2000, "hypervisor took 4.2 % of the CPU time");
    OTHERS(r->other_cores = 0.9, "other processes used 0.15 of 8 CPUs");
    WARNS(m.cells[2].round_count = 5, gb__warn_rounds(&m.result), "fewer than 6 rounds");
    WARNS(m.result.interrupted = true, gb__warn_rounds(&m.result), "interrupted");
}

int main(void)
{
    test_settling();
    test_bursts();
    test_slow_answers();
    test_warm_up();
    test_figures();
    test_pauses();
    test_timeline();
    test_sessions();
    test_judging();
    test_no_verdict();
    test_rounds_needed();
    test_budget();
    test_topologies();
    test_peer_topologies();
    test_importance();
    test_choice();
    test_winners();
    test_verdicts();
    test_server_cpus();
    test_client_cpus();
    test_client_threads();
    test_best();
    test_missing_rounds();
    test_precision();
    test_rounds();
    test_outliers();
    test_order();
    test_unsettled();
    test_fair_builds();
    test_fair_host();
    test_fair_cells();
    test_fair_others();
    return tap_end();
}
