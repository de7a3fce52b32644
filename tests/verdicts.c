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
    ok(!settled((uint64_t[]){900, 900, 900, 900, 900, 900}, 6), "too early to say");
    ok(settled((uint64_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12), "nothing at all is even");
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
    gb_plan plan = {.seed = 1};
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
    is_u64(gb__add_comparisons(&plan, &m.result, NULL), GB_OK, "compared");
    const gb_comparison *rps = verdict(&m, "rps", "s/a/1", "s/b/1");
    near(rps->ratio.median, 1.5, 1e-9, "the ratio is the candidate's share of the baseline");
    is_u64(rps->verdict, GB_FASTER, "more requests are faster");
    is_u64(verdict(&m, "latency_ms.p50", "s/a/1", "s/b/1")->verdict, GB_FASTER, "so is a lower p50");
    is_u64(verdict(&m, "latency_ms.p99", "s/a/1", "s/b/1")->verdict, GB_SLOWER, "a higher p99 isn't");
    is_u64(verdict(&m, "memory_mb.service", "s/a/1", "s/b/1")->verdict, GB_FASTER,
           "less memory is the better verdict");
    is_u64(verdict(&m, "memory_mb.service", "s/a/4", "s/b/4")->verdict, GB_SLOWER, "more the worse");
    is_str(gb__find_metric("memory_mb.service")->words[GB_SLOWER], "more", "and is said so");
    is_u64(verdict(&m, "rps", "s/a/4", "s/b/4")->verdict, GB_NO_DIFFERENCE,
           "0.9 %% are below what anybody can tell");
    is_u64(verdict(&m, "rps", "s/b/1", "s/b/4")->verdict, GB_SLOWER, "4 threads against 1");
    is_u64(verdict(&m, "rps", "s//1", "s//4")->verdict, GB_NO_DIFFERENCE, "the control, too");
    free(m.result.comparisons);
}

static void test_missing_rounds(void)
{
    static made m;
    size_t n;
    make(&m);
    for (int j = 0; j < ROUNDS; j++) m.rounds[1][j].rps = 200;
    strcpy(m.rounds[0][3].problem, "it fell over");
    strcpy(m.rounds[1][5].problem, "so did this");
    gb_interval ratio = gb__paired_ratio(&m.cells[0], &m.cells[1], &gb__metrics[0], 1, &n);
    is_u64(n, ROUNDS - 2, "a round counts where both sides have it");
    near(ratio.median, 2, 0.05, "and the others do count");
    m.cells[1].round_count = 1;
    ratio = gb__paired_ratio(&m.cells[0], &m.cells[1], &gb__metrics[0], 1, &n);
    is_u64(gb__judge(&gb__metrics[0], ratio, n), GB_NO_DIFFERENCE, "one round is no verdict");
}

static void test_precision(void)
{
    static made m;
    gb_plan plan = {.seed = 1, .precision = 0.05};
    make(&m);
    ok(gb__is_precise(&plan, &m.result), "ratios that are all alike are precise");
    for (int j = 0; j < ROUNDS; j++) m.rounds[2][j].rps = j % 2 ? 100 : 300;
    ok(gb__is_precise(&plan, &m.result), "the control is no build's measure");
    for (int j = 0; j < ROUNDS; j++) m.rounds[4][j].rps = j % 2 ? 100 : 120;
    ok(!gb__is_precise(&plan, &m.result), "one that scatters by 20 %% is not known to 5 %%");
    plan.precision = 0.2;
    ok(gb__is_precise(&plan, &m.result), "but to 20 %%");
}

static void test_rounds(void)
{
    gb_plan plan = {.duration_s = 0.4, .warmup_s = 0.15};
    gb__default_rounds(&plan, 2);
    is_u64((uint64_t)plan.rounds, 60, "two cells: many rounds");
    near(plan.precision, 0.02, 1e-9, "until 2 %% are reached");
    plan.rounds = 0;
    plan.precision = 0;
    gb__default_rounds(&plan, 100);
    is_u64((uint64_t)plan.rounds, 8, "a hundred cells: the fewest");
    plan = (gb_plan){.rounds = 5, .duration_s = 1, .warmup_s = 1};
    gb__default_rounds(&plan, 2);
    is_u64((uint64_t)plan.rounds, 5, "so many as asked for");
    near(plan.precision, 0, 1e-9, "and all of them");
    plan = (gb_plan){.precision = 0.01, .duration_s = 1, .warmup_s = 1};
    gb__default_rounds(&plan, 100);
    is_u64((uint64_t)plan.rounds, 200, "a precision goes on for longer");
}

static void test_outliers(void)
{
    static made m;
    make(&m);
    m.rounds[0][4].rps = 60;
    m.rounds[1][4].rps = 103;
    gb__summarise_cell(&m.cells[0], 1);
    gb__summarise_cell(&m.cells[1], 1);
    size_t found = 0;
    for (int j = 0; j < ROUNDS; j++) found += m.rounds[0][j].outlier;
    is_u64(found, 1, "one round is far from the others");
    ok(m.rounds[0][4].outlier, "that one");
    ok(!m.rounds[1][4].outlier, "3 %% are not far");
    gb__warn_cell(&m.result, &m.cells[0]);
    is_u64(m.result.warning_count, 1, "it is told of");
    ok(m.result.warning_count && strstr(m.result.warnings[0], "the farthest with 60 (they"), "with its figure");
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
        gb__draw_order(&m.result, order, groups, &rng);
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

int main(void)
{
    test_settling();
    test_verdicts();
    test_missing_rounds();
    test_precision();
    test_rounds();
    test_outliers();
    test_order();
    test_unsettled();
    return tap_end();
}
