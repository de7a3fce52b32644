// The answer in words, of results made by hand: planted figures make the expected sentences, the
// ledger's parts make its whole, and what isn't there is left out.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

// ---- results ------------------------------------------------------------------------------------

enum { ROUNDS = 8, CELLS = 32 };

static gb_result result;

// Two builds on a machine of so many CPUs, and no cells.
static void begin(int cpus)
{
    gb_result_free(&result);
    result.host.cpus = cpus;
    result.plan.seed = 1;
    result.python_count = 2;
    result.pythons = calloc(3, sizeof *result.pythons);
    result.cells = calloc(CELLS, sizeof *result.cells);
    for (int i = 0; i < 2; i++) {
        snprintf(result.pythons[i].id, sizeof result.pythons[i].id, "3.14.7%s", i ? "t" : "");
        result.pythons[i].free_threaded = i;
        result.pythons[i].gil = -1;
    }
}

// Adds a row of figures that are the same in every round, but for a drift that all rows share.
static gb_cell *row(const char *python, int workers, int threads, double rps, double cores,
                    double mb)
{
    gb_cell *c = &result.cells[result.cell_count++];
    *c = (gb_cell){.scenario = "wsgi-page", .path = "/page", .interface = GB_WSGI,
                   .workers = workers, .threads = threads, .connections = 64,
                   .worker_model = GB_PROCESSES, .round_count = ROUNDS};
    gb__copy(c->python, sizeof c->python, python);
    snprintf(c->id, sizeof c->id, "wsgi-page/%s/w%d-t%d", python, workers, threads);
    c->rounds = calloc(ROUNDS, sizeof *c->rounds);
    for (int i = 0; i < ROUNDS; i++)
        c->rounds[i] = (gb_round){.seconds = 1, .rps = rps * (1 + 0.01 * i),
                                  .latency_ms = {1, 1, 1, 50, 60, 70}, .memory_mb = {mb},
                                  .cpu = {0, 0, cores, 0.3}};
    gb_histogram_init(&c->latency, 3, NULL);
    gb__summarise_cell(c, 1);
    return c;
}

// The rows of one application: the price is 0.8x, two threads gain, 64 halve the GIL build.
static void usual(int cpus)
{
    begin(cpus);
    row("3.14.7", 1, 1, 1000, 1.0, 20);
    row("3.14.7t", 1, 1, 800, 1.0, 30);
    row("3.14.7", 1, 2, 900, 1.0, 21);
    row("3.14.7t", 1, 2, 1360, 1.88, 31);
    row("3.14.7", 1, 64, 500, 1.2, 83);
    row("3.14.7t", 1, 64, 1200, 1.9, 93);
    row("3.14.7", 2, 1, 1900, 1.9, 26);
}

// An interval as narrow as what it is of, " [1.51, 1.51]", depends on a last digit: it goes.
static void drop_narrow(char *text)
{
    for (char *s = text; (s = strstr(s, " [")); s++) {
        size_t n = strcspn(s + 2, ",]");
        if (s[2 + n] == ',' && !strncmp(s + 4 + n, s + 2, n) && s[4 + 2 * n] == ']')
            memmove(s, s + 5 + 2 * n, strlen(s + 5 + 2 * n) + 1);
    }
}

// With each sentence in one line.
static char *answer(void)
{
    char *text = NULL;
    size_t size;
    gb_error error = {0};
    FILE *out = open_memstream(&text, &size);
    if (gb_report_answer(&result, out, &error)) diag("%s", error.text);
    fclose(out);
    for (char *s = text; (s = strstr(s, "\n  ")); *s = ' ') memmove(s, s + 2, strlen(s + 1));
    drop_narrow(text);
    return text;
}

static bool has_nonsense(const char *text)
{
    size_t lines = 0;
    for (const char *s = text; *s; s++) lines += *s == '\n';
    return lines > 21 || strstr(text, "nan") || strstr(text, "inf") || strstr(text, " - ") ||
           strstr(text, "null");
}

// The answer has these words, and no nonsense.
static void says(const char *words, const char *what)
{
    char *text = answer();
    if (!ok(strstr(text, words) && !has_nonsense(text), "%s", what)) diag("%s", text);
    free(text);
}

static void says_not(const char *words, const char *what)
{
    char *text = answer();
    if (!ok(!strstr(text, words) && !has_nonsense(text), "%s", what)) diag("%s", text);
    free(text);
}

// ---- tests --------------------------------------------------------------------------------------

static void test_usual(void)
{
    usual(4);
    says("/page, 1 thread: 3.14.7t (no GIL) serves 0.80x the requests of 3.14.7, slower: the price "
         "of the build.\n/page, 2 threads: 1.51x, faster.\n/page, 64 threads: 2.40x, faster. 3.14.7t "
         "is ahead from 2 threads on.\n", "build against build, and where the two cross");
    says("3.14.7 with 2 threads serves 0.90x its requests with 1 thread, slower; 3.14.7 with 64 "
         "threads 0.50x, slower; 3.14.7t with 2 threads 1.70x, faster; 3.14.7t with 64 threads "
         "1.50x, faster.\n", "what more threads do to each");
    says("Memory: one more process costs 6.00 MB on 3.14.7; one more thread costs 1.00 MB on "
         "3.14.7, 1.00 MB on 3.14.7t. 3.14.7 serves 75,600 req/s per GB [73,800, 77,500] with",
         "memory");
    says("Why, 3.14.7t: 2 threads serve 1.70x the requests of 1 thread, 2x at best: 6 % is lost "
         "waiting, 10 % is lost because each costs 1.11x the CPU.\n", "why");
    says("Why, 3.14.7: 64 threads serve 0.50x the requests of 1 thread, 4x at best: 70 % is lost "
         "waiting, 58 % is lost because each costs 2.40x the CPU.\n", "why many lose");
    says_not("Best against best", "no winners were measured again: no word of it");
    says_not("Unsure", "nothing that makes it unsure");
}

static void test_file(void)
{
    char *text = NULL;
    size_t size;
    usual(4);
    FILE *out = open_memstream(&text, &size);
    gb_report_json(&result, 0, NULL, out, NULL);
    fclose(out);
    ok(strstr(text, "\"answer\":") && strstr(text, "\"Why, 3.14.7t: 2 threads serve "),
       "a file has it, too");
    gb_result again;
    FILE *in = fmemopen(text, size, "r");
    is_u64(in ? gb_result_read(in, "x", &again, NULL) : GB_SYSTEM, GB_OK, "which is read again");
    gb_result_free(&again);
    fclose(in);
    free(text);
}

static void test_best(void)
{
    usual(4);
    row("3.14.7", 2, 1, 2000, 1.9, 65)->best = true;
    row("3.14.7t", 1, 2, 1500, 1.9, 52)->best = true;
    says("Best against best, /page: 3.14.7 with 2 processes: 2,070 req/s, p99 50.0 ms, 65.0 MB; "
         "3.14.7t with 2 threads: 1,552 req/s, p99 50.0 ms, 52.0 MB. That is 0.75x the requests, "
         "slower; 1.00x the p99, no difference; 0.80x the memory, less.\n", "best against best");
    says("2 threads: 1.51x, faster", "their rows are none of the others");
    result.cells[result.cell_count - 1].best = false;
    result.cell_count--;
    says_not("Best against best", "not with one of them");
    gb_histogram_free(&result.cells[result.cell_count].latency);
    free(result.cells[result.cell_count].rounds);
    usual(4);
    for (size_t i = 0; i < result.cell_count; i++) {
        result.cells[i].interface = GB_TASK;
        result.cells[i].best = i < 2;
    }
    says("3.14.7 with 1 thread: 1,035 jobs/s, p99 ", "a task has jobs");
    says("That is 0.80x the jobs, slower; ", "which are compared");
}

// Parts that multiply to the whole, in rounds that differ by a lot.
static void test_ledger(void)
{
    uint64_t rng = 7;
    bool exact = true, within = true;
    for (int i = 0; i < 10; i++) {
        begin(4);
        gb_cell *cells[] = {row("3.14.7t", 1, 1, 800, 1, 30), row("3.14.7t", 1, 4, 2500, 3.7, 31),
                            row("", 1, 1, 9000, 1, 5), row("", 1, 4, 30000, 3.9, 5)};
        for (int j = 0; j < 4 * ROUNDS; j++) {
            gb_round *r = &cells[j / ROUNDS]->rounds[j % ROUNDS];
            r->rps *= 0.5 + (double)gb__rng_below(&rng, 1000) / 1000;
            r->cpu.server_cores *= 0.5 + (double)gb__rng_below(&rng, 1000) / 1000;
        }
        gb__ledger l = gb__ledger_of(&result, cells[0], cells[1], cells[2], cells[3], 4);
        exact &= fabs(l.waiting.median / l.cost.median / l.whole.median - 1) < 1e-9 &&
                 l.machine > 0;
        within &= l.cost.lo <= l.cost.median && l.cost.median <= l.cost.hi;
    }
    ok(exact, "a ledger's parts make its whole");
    ok(within, "and lie within their intervals");
    begin(4);
    row("3.14.7t", 1, 1, 1000, 1, 30);
    row("3.14.7t", 1, 4, 3200, 4, 30);
    row("", 1, 1, 9000, 1, 5);
    row("", 1, 4, 30000, 4, 5);
    says("4x at best: nothing is lost waiting, 20 % is lost because each costs 1.25x the CPU (the "
         "C handler's: 1.20x, which is the machine).", "what the control has, too, is said");
    for (int i = 0; i < ROUNDS; i++) result.cells[1].rounds[i].rps *= 1.25;
    gb__summarise_cell(&result.cells[1], 1);
    says_not("C handler's", "but not what the control alone has");
    begin(4);
    row("3.14.7t", 1, 1, 1000, 0.8, 30);
    row("3.14.7t", 1, 4, 5000, 4, 30);
    says("25 % is won by waiting less, and each costs the same CPU", "or is won");
    for (int i = 0; i < ROUNDS; i++) result.cells[1].rounds[i].rps *= 1 + 0.5 * (i % 4);
    says_not("Why", "a ratio that isn't known is not taken apart");
}

static void test_missing(void)
{
    begin(2);
    says_not("/page", "no cells");
    row("3.14.7", 1, 1, 1000, 1, 20);
    says_not("/page", "one row says nothing");
    row("3.14.7", 1, 64, 500, 1, 20);
    says("3.14.7 with 64 threads serves 0.50x its requests with 1 thread, slower.", "one build "
         "alone");
    usual(4);
    for (int i = 0; i < ROUNDS; i++) snprintf(result.cells[3].rounds[i].problem, 8, "it died");
    gb__summarise_cell(&result.cells[3], 1);
    says("1 of 7 rows failed, the first of /page. ", "a row that failed");
    says("the price of the build.\n/page, 64 threads: ", "is left out");
    usual(4);
    result.python_count = 1;
    result.pythons[0] = result.pythons[1];
    says("3.14.7t with 2 threads serves 1.70x its requests with 1 thread", "a free-threaded "
         "build alone");
    says_not("; 3.14.7t with 2 threads 1", "is told once");
    usual(4);
    for (size_t i = 0; i < result.cell_count; i++)
        gb__copy(result.cells[i].server, sizeof result.cells[i].server, "granian");
    says_not("/page", "others' servers");
    usual(4);
    for (size_t i = 0; i < result.cell_count; i++) {
        result.cells[i].rounds[0] = (gb_round){.rps = 1000, .seconds = 1};
        result.cells[i].round_count = 1;
        gb__summarise_cell(&result.cells[i], 1);
    }
    says("1.00x the requests of 3.14.7, too few rounds; 2 threads: ", "one round, as old as files are");
    says("Unsure: fewer than 6 rounds can't give an interval of 95 %. What to do first: measure "
         "10 --rounds.",
         "and what to do about it");
    usual(4);
    for (size_t i = 0; i < result.cell_count; i++)
        for (int j = 0; j < ROUNDS; j++) result.cells[i].rounds[j].cpu.server_cores = NAN;
    says_not("Why", "cores that aren't known");
}

static void test_builds(void)
{
    usual(4);
    for (size_t i = 1; i < 6; i += 2)
        for (int j = 0; j < ROUNDS; j++) {
            result.cells[i].rounds[j].gil.enabled_after_load = 1;
            gb__copy(result.cells[i].rounds[j].gil.reenabled_by, 16, "orjson");
        }
    says_not("no GIL", "a GIL that came back makes no free-threaded row");
    says("the GIL came back in 3 rows (orjson), left out here", "and is said");
    usual(4);
    result.pythons[1].free_threaded = false;
    says("/page, 1 thread: 3.14.7t serves 0.80x the requests of 3.14.7, slower.", "two builds with "
         "a GIL");
    usual(4);
    result.pythons[2] = result.pythons[1];
    result.pythons[1].gil = 1;
    gb__copy(result.pythons[1].id, 16, "3.14.7t,gil=1");
    result.python_count = 3;
    row("3.14.7t,gil=1", 1, 1, 700, 1, 30);
    says("3.14.7t (no GIL) serves 0.80x the requests of 3.14.7,", "of three, the first of each kind");
    gb_python first = result.pythons[0];
    result.pythons[0] = result.pythons[2];
    result.pythons[2] = first;
    says("3.14.7t (no GIL) serves 1.14x the requests of 3.14.7t,gil=1, faster.", "in their order");
    begin(4);
    result.pythons[2] = result.pythons[1];
    gb__copy(result.pythons[2].id, 16, "3.15.0t");
    result.python_count = 3;
    for (int i = 0; i < 4; i++)
        row(i % 2 ? "3.14.7t" : "3.14.7", i < 2 ? 2 : 4, 1, 1000, 1, 20 + i);
    row("3.15.0t", 1, 1, 1000, 1, 20);
    says("Memory: one more process costs 1.00 MB on 3.14.7, 1.00 MB on 3.14.7t.",
         "a third that alone has one worker hides none of them");
}

static void test_topologies(void)
{
    begin(2);
    row("3.14.7", 1, 1, 1000, 1, 20);
    row("3.14.7t", 1, 1, 800, 1, 30);
    row("3.14.7", 2, 1, 1900, 1.9, 40);
    row("3.14.7t", 2, 1, 1600, 1.9, 36);
    for (size_t i = 0; i < 4; i++) {
        result.cells[i].interface = GB_ASGI;
        result.cells[i].worker_model = i % 2 ? GB_THREADS : GB_PROCESSES;
    }
    says("the price of the build.\n/page, 2 event loops against 2 processes: 0.84x, slower.\n",
         "event loops");
    says("one more process costs 20.0 MB on 3.14.7; one more event loop costs 6.00 MB on 3.14.7t.",
         "and their memory");
    result.cells[3].interface = GB_WSGI;
    result.cells[3].threads = 4;
    gb__phrase text;
    is_str(gb__topology_words(&result.cells[3], text), "2 groups of 4 threads", "groups");
    result.cells[3].worker_model = GB_PROCESSES;
    is_str(gb__topology_words(&result.cells[3], text), "2 processes of 4 threads", "processes");
    result.cells[3].worker_model = GB_SUBINTERPRETERS;
    result.cells[3].threads = 1;
    is_str(gb__topology_words(&result.cells[3], text), "2 subinterpreters", "subinterpreters");
}

static void test_rate(void)
{
    usual(4);
    for (size_t i = 0; i < result.cell_count; i++) {
        result.cells[i].rate = 500;
        for (int j = 0; j < ROUNDS; j++)
            result.cells[i].rounds[j].latency_ms.p99 = i % 2 ? 20 : 10;
    }
    says("/page, 1 thread: 3.14.7t (no GIL) has 2.00x the p99 latency of 3.14.7, slower",
         "a rate: latencies");
    says_not("Why", "and no ledger");
    says_not("per GB", "nor req/s");
    for (size_t i = 0; i < 2; i++) result.cells[i].best = true;
    says(" That is 2.00x the p99, slower; ", "nor are the requests of the best compared");
}

static void test_unsure(void)
{
    usual(2);
    says("Unsure: server and client share 2 CPUs. What to do first: measure on a machine with 4 "
         "CPUs "
         "or more.", "few CPUs");
    for (int i = 0; i < ROUNDS; i++)
        for (size_t j = 0; j < result.cell_count; j++) {
            gb_round *r = &result.cells[j].rounds[i];
            r->other_cores = 0.5;
            if (j == 1) r->rps *= 1 + 0.1 * (i % 4);
        }
    says("Unsure: other processes used 0.50 of 2 CPUs; ", "other load is worse");
    says("; 1 of these 7 ratios is unclear, the widest is ", "what is unclear is said");
    says("What to do first: end what else runs here and measure again.", "and one thing to do");
    for (int i = 0; i < ROUNDS; i++)
        for (size_t j = 0; j < result.cell_count; j++) result.cells[j].rounds[i].other_cores = 0;
    says(" --rounds would tell 5 %.", "or more rounds");
    result.plan.duration_s = 1000;
    says("What to do first: find a quieter or a bigger machine: ", "but no hours of them");
    result.plan.duration_s = 0;
    for (int i = 0; i < ROUNDS; i++) result.cells[1].rounds[i].rps *= i % 2 ? 1 : 30;
    says("What to do first: find a quieter or a bigger machine: ", "nor thousands");
}

static void test_many_scenarios(void)
{
    begin(2);
    for (int i = 0; i < 15; i++) {
        snprintf(row("3.14.7", 1, 1, 1000, i == 1, 20)->scenario, 8, "s%d", i);
        snprintf(row("3.14.7t", 1, 1, 900, i == 1, 20)->scenario, 8, "s%d", i);
    }
    says("/page (s0), 1 thread: ", "fifteen scenarios, which are named");
    gb__sentences *a = gb__sentences_of(&result);
    ok(a && a->count <= GB__ANSWER_LINES, "%zu lines", a ? a->count : 0);
    for (size_t i = 0; a && i < 60; i++)
        if (gb__begin(a)) gb__words(a, "%0200d%01000d", 1, 2);
    is_u64(a ? a->count : 0, GB__ANSWER_LINES - 1, "there are never more, and one is kept");
    free(a);
}

static void test_changes(void)
{
    usual(4);
    gb_result old = result;
    result = (gb_result){0};
    usual(4);
    for (size_t i = 0; i < result.cell_count; i++)
        for (int j = 0; j < ROUNDS && !i; j++) result.cells[i].rounds[j].rps *= 1.5;
    gb_result_merge(&old, &result, "new", NULL);
    gb_result_free(&result);
    result = old;
    says("Against the first result, of 7 rows that both have: 1 faster, 0 slower, 0 no "
         "difference, 6 "
         "unclear.\n", "two results: what changed");
    result.comparison_count = 0;
    says_not("Against", "no row that both have: no word of it");
}

// What the requests of a row waited for, which was noted in a round of its own.
static void wait_for(gb_cell *c, gb_wait wait)
{
    c->noted_rounds = calloc(1, sizeof *c->noted_rounds);
    c->noted_round_count = 1;
    c->noted_rounds->waits = (gb_waits){.noted = true, .count = 1, .list = {wait}};
    for (size_t i = 0; i < c->round_count; i++) {
        c->rounds[i].all_waits = true;
        c->rounds[i].anatomy_us.app.mean = 20;
        (&c->rounds[i].anatomy_us.attach_wait)[wait.kind ? wait.kind + 2 : 0].mean = 80;
    }
}

static void test_waits(void)
{
    usual(4);
    says_not(" waits ", "where no waits were noted there is no word of them");
    wait_for(&result.cells[4], (gb_wait){GB_WAIT_GIL, "shop.py:71 page", "", "run.py:3 run", "", 1,
                                         "", 1, 1});
    says("With 64 threads a request on 3.14.7 waits 80 % of its time for the GIL: most at "
         "shop.py:71 page, held by run.py:3 run.\n", "who waits for the GIL, and who has it");
    wait_for(&result.cells[5], (gb_wait){GB_WAIT_LOCK, "shop.py:71 page", "", "", "", 0,
                                         "dict shop.CACHE", 1, 1});
    says("With 64 threads a request on 3.14.7t waits 80 % of its time for locks: most at "
         "shop.py:71 page, of dict shop.CACHE.\n", "whose lock it is");
    result.cells[4].noted_rounds->waits.list[0] = (gb_wait){.waiter = "a request's beginning"};
    says("for the GIL: most at its beginning, held by no line of Python.\n", "no line is one");
    free(result.cells[5].noted_rounds);
    wait_for(&result.cells[5], (gb_wait){GB_WAIT_WORLD, "", "", "shop.py:9 wraps", "", 1, "", 1,
                                         1});
    says(" for a stopped world: shop.py:9 wraps stops it.\n", "who stops the world");
}

// Rows of a list of thread counts, in which the free-threaded build keeps to the law.
static void listed(int cpus, const int *threads, size_t count)
{
    begin(cpus);
    for (size_t i = 0; i < count; i++) {
        double n = threads[i], law = n / (1 + (0.02 + 0.001 * n) * (n - 1));
        row("3.14.7", 1, threads[i], 1000, 1, 20);
        row("3.14.7t", 1, threads[i], 800 * law, law, 30);
    }
}

static void test_scaling(void)
{
    static const int threads[] = {1, 2, 4, 6, 8, 12, 64};
    char *text = NULL;
    size_t size;
    listed(16, threads, 6);
    says("Scaling of /page over 6 thread counts (universal scalability law): 3.14.7 contention 1, "
         "coherency 0, peak at 1; 3.14.7t contention 0.02, coherency 0.001, peak at 31 (beyond "
         "what was measured).\n", "the law of six thread counts on 16 CPUs");
    FILE *out = open_memstream(&text, &size);
    gb_report_json(&result, 0, NULL, out, NULL);
    fclose(out);
    const char *t = strstr(text, "\"python\":\"3.14.7t\",\n   \"server\":\"\",\n   \"by\":\"threads\"");
    t = t ? strstr(t, "\"peak\":") : NULL;
    near(t ? strtod(strstr(t, "\"median\":") + 9, NULL) : 0, 31.3, 0.01, "and in a file");
    free(text);
    listed(16, threads, 7);
    says("over 6 thread counts (universal scalability law): ", "more threads than CPUs aren't of it");
    listed(4, threads, 6);
    says("over 6 thread counts (universal scalability law; to wait for a CPU counts as contention): ",
         "unless there would be too few");
    result.host.cgroup_cpus = 2;
    says("A fit of the universal scalability law needs 6 thread counts on 4 CPUs: 6 on 2 here.\n",
         "it isn't fitted on two CPUs");
    listed(16, threads, 5);
    says("law needs 6 thread counts on 4 CPUs: 5 on 16 here.\n", "nor to five points");
    listed(16, threads, 3);
    says_not("scalability law", "the usual three are no list");
    for (size_t i = 0; i < result.cell_count; i++) result.cells[i].connections = 0;
    says("4 CPUs: 3 on 16 here.\n", "but of tasks");
    listed(8, threads, 6);
    for (size_t i = 0; i < result.cell_count; i++) {
        result.cells[i].workers = result.cells[i].threads;
        result.cells[i].threads = 1;
    }
    says("over 6 worker counts (", "workers");
    snprintf(result.cells[3].rounds[2].problem, 8, "it died");
    says("over 6 worker counts (", "a round that failed in one row is left out of all");
    for (size_t i = 0; i < result.cell_count; i++) result.cells[i].rate = 500;
    says_not("scalability law", "a rate fixes what more of them do");
}

int main(void)
{
    test_usual();
    test_scaling();
    test_waits();
    test_file();
    test_best();
    test_ledger();
    test_missing();
    test_builds();
    test_topologies();
    test_rate();
    test_unsure();
    test_many_scenarios();
    test_changes();
    gb_result_free(&result);
    return tap_end();
}
