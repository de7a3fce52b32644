// The histogram against exact sorted values, the .hgrm text against its definition, and the
// interval against what it promises: how often it is wrong when nothing differs.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double worst_error(int digits, uint64_t lowest, uint64_t highest)
{
    enum { N = 5000 };
    static uint64_t values[N];
    static const double percentiles[] = {0.1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
    uint64_t rng = 7;
    double worst = 0;
    gb_histogram h;
    gb_histogram_init(&h, digits, NULL);
    for (int i = 0; i < N; i++) {
        values[i] = lowest + gb__rng_next(&rng) % (highest - lowest + 1);
        gb_histogram_record(&h, values[i]);
    }
    qsort(values, N, sizeof *values, by_value);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++) {
        size_t rank = (size_t)(percentiles[i] * N / 100 + 0.999999);
        double exact = (double)values[rank - 1];
        double got = (double)gb_histogram_percentile(&h, percentiles[i]);
        double error = got < exact ? 1 : (got - exact) / (exact > 0 ? exact : 1);
        if (error > worst) worst = error;
    }
    gb_histogram_free(&h);
    return worst;
}

static void test_precision(void)
{
    static const double allowed[] = {0, 0.1, 0.01, 0.001};
    for (int digits = 1; digits <= 3; digits++) {
        for (uint64_t top = 100; top <= 1000000000000; top *= 100) {
            double error = worst_error(digits, top / 10, top);
            ok(error <= allowed[digits], "%d digits, up to %llu ns: off by %.4f %%", digits,
               (unsigned long long)top, error * 100);
        }
    }
    ok(worst_error(3, 0, 2047) <= 0, "the first 2048 values are exact");
}

static void test_buckets(void)
{
    bool fine = true;
    for (int sub_bits = 5; sub_bits <= 11; sub_bits += 3) {
        size_t last = gb__bucket(sub_bits, GB__HOUR);
        uint64_t next = 0;
        for (size_t i = 0; i <= last; i++) {
            uint64_t low = gb__bucket_low(sub_bits, i), high = gb__bucket_low(sub_bits, i + 1);
            fine = fine && low == next && gb__bucket(sub_bits, low) == i &&
                   gb__bucket(sub_bits, high - 1) == i;
            next = high;
        }
        fine = fine && next > GB__HOUR;
    }
    ok(fine, "buckets join without gap or overlap, from 0 to an hour");
}

static void test_empty(void)
{
    gb_histogram h;
    gb_error error;
    is_u64((uint64_t)gb_histogram_init(&h, 3, &error), GB_OK, "three digits");
    is_u64(gb_histogram_percentile(&h, 50), 0, "p50 of nothing");
    near(gb_histogram_mean(&h), 0, 0, "mean of nothing");
    is_u64(h.min + h.max + h.total, 0, "no extremes");
    gb_histogram_free(&h);
    gb_histogram_free(&h);
    ok(!h.counts, "freed twice");
    is_u64((uint64_t)gb_histogram_init(&h, 4, &error), GB_USAGE, "four digits are too many");
    is_str(error.text, "a histogram has 1, 2 or 3 digits, not 4", "and it says so");
    ok(!h.counts && gb_histogram_init(&h, 0, NULL) == GB_USAGE, "nor are there zero");
}

static void test_extremes(void)
{
    gb_histogram h;
    gb_histogram_init(&h, 3, NULL);
    gb_histogram_record(&h, 123456789);
    is_u64(gb_histogram_percentile(&h, 0), 123456789, "p0 of one value");
    is_u64(gb_histogram_percentile(&h, 100), 123456789, "p100 of one value: never above the max");
    gb_histogram_record(&h, 0);
    is_u64(h.min, 0, "zero is a value");
    is_u64(gb_histogram_percentile(&h, 50), 0, "and has a bucket");
    gb_histogram_record(&h, 2 * GB__HOUR);
    gb_histogram_record(&h, UINT64_MAX);
    is_u64(h.max, UINT64_MAX, "the maximum is exact");
    near((double)gb_histogram_percentile(&h, 100), 3600e9, 3.6e9, "longer counts as an hour");
    is_u64(h.counts[h.length - 1], 2, "in the last bucket");
    gb_histogram_reset(&h);
    is_u64(h.total + h.max + gb_histogram_percentile(&h, 100), 0, "reset");
    gb_histogram_record(&h, 2 * GB__HOUR);
    is_u64(gb_histogram_percentile(&h, 50), 2 * GB__HOUR, "never below the minimum");
    gb_histogram_free(&h);
}

static void test_ranks(void)
{
    gb_histogram h;
    gb_histogram_init(&h, 3, NULL);
    for (uint64_t i = 1; i <= 1000; i++) gb_histogram_record(&h, i);
    is_u64(gb_histogram_percentile(&h, 99.9), 999, "p99.9 of 1..1000: rounding stays out of it");
    is_u64(gb_histogram_percentile(&h, 50), 500, "p50");
    is_u64(gb_histogram_percentile(&h, 50.01), 501, "a little above p50");
    is_u64(gb_histogram_percentile(&h, 0), 1, "p0");
    is_u64(gb_histogram_percentile(&h, -1), 1, "below p0");
    is_u64(gb_histogram_percentile(&h, 200), 1000, "above p100");
    near(gb_histogram_mean(&h), 500.5, 0, "the mean is exact");
    near(gb__histogram_stddev(&h), 288.674990, 1e-5, "standard deviation");
    gb_histogram_free(&h);
}

static void test_merge(void)
{
    gb_histogram whole, parts[3], none = {0};
    uint64_t rng = 1;
    gb_histogram_init(&whole, 3, NULL);
    for (int i = 0; i < 3; i++) gb_histogram_init(&parts[i], 3, NULL);
    for (int i = 0; i < 3000; i++) {
        uint64_t ns = 1000 + gb__rng_below(&rng, 1000000000);
        gb_histogram_record(&whole, ns);
        gb_histogram_record(&parts[i % 2], ns);
    }
    for (int i = 0; i < 2; i++) gb_histogram_merge(&parts[2], &parts[i]);
    gb_histogram_merge(&parts[2], &none);
    is_u64(parts[2].total, whole.total, "merged: total");
    is_u64(parts[2].min, whole.min, "merged: min, though it began empty");
    is_u64(parts[2].max, whole.max, "merged: max");
    near(parts[2].sum, whole.sum, 1, "merged: sum");
    ok(!memcmp(parts[2].counts, whole.counts, whole.length * sizeof *whole.counts),
       "merged: every count");
    gb_histogram_free(&whole);
    for (int i = 0; i < 3; i++) gb_histogram_free(&parts[i]);
}

static char *hgrm(const gb_histogram *h)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out || gb_histogram_write(h, out, NULL)) return NULL;
    fclose(out);
    return text;
}

static uint64_t count_up_to(const gb_histogram *h, uint64_t ns)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= gb__bucket(h->sub_bits, ns); i++) count += h->counts[i];
    return count;
}

// One row of the percentile p, give or take what a double can't tell apart.
static bool row_is_true(const char *row, const gb_histogram *h, double p)
{
    char ladder[64], value_lo[32], value_hi[32];
    uint64_t lo = gb_histogram_percentile(h, p - 1e-9), hi = gb_histogram_percentile(h, p + 1e-9);
    unsigned long long count = strtoull(row + 26, NULL, 10);
    snprintf(value_lo, sizeof value_lo, "%12.3f ", (double)lo / 1e6);
    snprintf(value_hi, sizeof value_hi, "%12.3f ", (double)hi / 1e6);
    snprintf(ladder, sizeof ladder, "%12f ", p / 100);
    bool fine = (!strncmp(row, value_lo, 13) || !strncmp(row, value_hi, 13)) &&
                !strncmp(row + 13, ladder, 13);
    if (p < 100) snprintf(ladder, sizeof ladder, " %12.2f\n", 1 / (1 - p / 100));
    else snprintf(ladder, sizeof ladder, " %12s\n", "inf");
    fine = fine && !strncmp(row + 38, ladder, 14);
    return fine && count >= count_up_to(h, lo) && count <= count_up_to(h, hi);
}

// Walks the ladder as HdrHistogram defines it: five steps to each halving of what is left.
static int check_rows(const char *text, const gb_histogram *h)
{
    const char *row = strchr(text, '\n') + 2;
    double p = 0, half = 2;
    int rows = 0;
    bool fine = true;
    for (; *row && *row != '#'; row = strchr(row, '\n') + 1, rows++) {
        fine = fine && row_is_true(row, h, strncmp(row + 48, "inf\n", 4) ? p : 100);
        p += 100 / (5 * half);
        if (rows % 5 == 4) half *= 2;
        if (!fine) break;
    }
    if (!ok(fine, "%llu values: every row is true", (unsigned long long)h->total))
        diag("p %g: %.52s", p, row);
    return rows;
}

static void test_hgrm(void)
{
    gb_histogram h;
    uint64_t rng = 3;
    gb_histogram_init(&h, 3, NULL);
    for (int i = 0; i < 3; i++) {
        char *text = hgrm(&h);
        int rows = text ? check_rows(text, &h) : 0;
        is_u64((uint64_t)rows, 106, "and as many rows as ever");
        free(text);
        for (int k = 0; k < (i ? 30000 : 1); k++)
            gb_histogram_record(&h, 100000 + gb__rng_below(&rng, 50000000));
    }
    gb_histogram_free(&h);
}

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    if (!at) diag("missing: %s", line);
    return at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
}

static void test_hgrm_text(void)
{
    gb_histogram h;
    gb_error error;
    gb_histogram_init(&h, 3, NULL);
    for (uint64_t ms = 1; ms <= 10; ms++) gb_histogram_record(&h, ms * 1000000);
    char *text = hgrm(&h);
    ok(!strncmp(text, "       Value   Percentile   TotalCount 1/(1-Percentile)\n\n", 57), "head");
    ok(has_line(text, "       1.000     0.000000            1         1.00"), "0 %%");
    ok(has_line(text, "       5.001     0.500000            5         2.00"), "50 %%");
    ok(has_line(text, "       9.003     0.900000            9        10.00"), "90 %%");
    ok(has_line(text, "      10.000     0.999999           10   1747626.67"), "the last but one");
    ok(has_line(text, "      10.000     1.000000           10          inf"), "100 %%");
    ok(has_line(text, "#[Mean    =        5.500, StdDeviation   =        2.872]"), "mean");
    ok(has_line(text, "#[Max     =       10.000, Total count    =           10]"), "maximum");
    ok(has_line(text, "#[Buckets =           32, SubBuckets     =         2048]"), "buckets");
    ok(!strchr(text, '\t'), "no tabs: the plotter splits at spaces");
    free(text);
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        is_u64((uint64_t)gb_histogram_write(&h, full, &error), GB_SYSTEM, "a full disk is noticed");
        is_str(error.text,
               "the latency distribution could not be written: No space left on device", "why");
        fclose(full);
    }
    gb_histogram_free(&h);
    ok(gb_histogram_write(&h, stdout, NULL) == GB_USAGE, "no histogram at all");
}

static void test_rng(void)
{
    uint64_t a = 5, b = 5, c = 6, zero = 0;
    int counts[10] = {0};
    ok(gb__rng_next(&a) == gb__rng_next(&b) && gb__rng_next(&a) != gb__rng_next(&c), "by seed");
    is_u64(gb__rng_next(&zero), 0xe220a8397b1dcdafu, "splitmix64's first number for seed 0");
    for (int i = 0; i < 100000; i++) counts[gb__rng_below(&a, 10)]++;
    bool even = true;
    for (int i = 0; i < 10; i++) even = even && counts[i] > 9500 && counts[i] < 10500;
    ok(even, "indexes are evenly spread");
}

static void test_median(void)
{
    const double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};
    near(gb__median(odd, 3), 2, 0, "median of three");
    near(gb__median(even, 4), 2.5, 0, "median of four");
    near(gb__median(odd, 0), 0, 0, "median of none");
    near(odd[0], 3, 0, "the values stay as they were");
    near(gb__sqrt(2), 1.41421356237309515, 1e-15, "root of 2");
    near(gb__sqrt(1e-8), 1e-4, 1e-18, "of little");
    near(gb__sqrt(1e24), 1e12, 1e-3, "of much");
    near(gb__sqrt(0), 0, 0, "of nothing");
}

static bool is(double value, double wanted)
{
    return fabs(value - wanted) < 1e-9;
}

static void test_interval(void)
{
    const double values[] = {5, 1, 4, 2, 3, 9, 7};
    gb_interval i = gb_median_ci(values, 0, 1);
    ok(!(i.median > 0 || i.lo > 0 || i.hi > 0), "nothing gives zeros");
    i = gb_median_ci(values, 1, 1);
    ok(i.lo >= 5 && i.hi <= 5 && i.median >= 5 && i.median <= 5, "one value is all there is");
    i = gb_median_ci(values, 2, 1);
    ok(i.lo <= 1 && i.hi >= 5, "two: both");
    near(i.median, 3, 0, "and between them");
    i = gb_median_ci(values, 5, 1);
    ok(i.lo <= 1 && i.hi >= 5, "five: 95 %% isn't less than all of them");
    gb_interval a = gb_median_ci(values, 7, 42), b = gb_median_ci(values, 7, 42);
    ok(!memcmp(&a, &b, sizeof a), "the same seed, the same interval");
    near(a.median, 4, 0, "median of seven");
}

// The median of a resample is one of the values, and how often it is which follows from the
// binomial distribution: of 15 values the 4th is the lowest that 1.32 % of the medians are not above, of 9
// with 0.72 % the 2nd, of 7 with 0.41 % the 1st; with the tail for 31 values it would be the 2nd.
static void test_ends(void)
{
    double values[15], same[31], doubled[31];
    for (int i = 0; i < 15; i++) values[i] = (double)((i * 7) % 15 + 1);
    for (int i = 0; i < 31; i++) same[i] = 10, doubled[i] = 20;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gb_interval a = gb_median_ci(values, 15, seed);
        ok(is(a.lo, 4) && is(a.median, 8) && is(a.hi, 12), "15 values: %g [%g, %g]", a.median, a.lo,
           a.hi);
        const double nine[] = {9, 8, 7, 6, 5, 4, 3, 2, 1};
        a = gb_median_ci(nine, 9, seed);
        ok(is(a.lo, 2) && is(a.median, 5) && is(a.hi, 8), "9 values: %g [%g, %g]", a.median, a.lo,
           a.hi);
        a = gb_ratio_ci(same, 31, nine, 7, seed);
        ok(is(a.lo, 0.3) && is(a.median, 0.6) && is(a.hi, 0.9), "7 by 31: %g [%g, %g]", a.median,
           a.lo, a.hi);
        a = gb_ratio_ci(nine, 7, same, 31, seed);
        ok(is(a.lo, 10 / 9.) && is(a.median, 10 / 6.) && is(a.hi, 10 / 3.), "31 by 7: %g [%g, %g]",
           a.median, a.lo, a.hi);
        a = gb_ratio_ci(same, 31, doubled, 31, seed);
        ok(is(a.lo, 2) && is(a.median, 2) && is(a.hi, 2), "twice as many, whatever is drawn");
        a = gb_ratio_ci(same, 31, values, 15, seed);
        ok(is(a.lo, 0.4) && is(a.median, 0.8) && is(a.hi, 1.2), "15 by 31: %g [%g, %g]", a.median,
           a.lo, a.hi);
    }
    gb_interval none = gb_ratio_ci(same, 0, values, 15, 1);
    ok(isnan(none.median) && isnan(none.lo) && isnan(none.hi), "nothing to divide by");
}

// Twelve uniform numbers make a normal one, near enough up to three standard deviations.
static double normal(uint64_t *rng)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += (double)(gb__rng_next(rng) >> 11) / 9007199254740992.0;
    return sum;
}

// A against A: how often does the interval of the ratio claim a difference?
static double false_alarms(size_t n, int trials)
{
    double ratios[64];
    uint64_t rng = 1000 + n;
    int alarms = 0;
    for (int t = 0; t < trials; t++) {
        for (size_t i = 0; i < n; i++)
            ratios[i] = (1 + 0.03 * normal(&rng)) / (1 + 0.03 * normal(&rng));
        gb_interval interval = gb_median_ci(ratios, n, (uint64_t)t);
        alarms += interval.lo > 1 || interval.hi < 1;
    }
    return alarms / (double)trials;
}

// Five values can't do better than 2 * 2^-5: that is how often all lie on one side of the truth.
static void test_coverage(void)
{
    static const struct {
        size_t n;
        double worst;
    } cases[] = {{5, 0.075}, {6, 0.045}, {7, 0.03}, {10, 0.06}, {20, 0.06}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double alarms = false_alarms(cases[i].n, 400);
        diag("n = %zu: %.1f %% of 95 %% intervals miss the truth", cases[i].n, alarms * 100);
        ok(alarms <= cases[i].worst && alarms >= 0.005, "n = %zu: few false alarms", cases[i].n);
    }
}

// t and Phi by their integrals would need libm; these are from tables of both.
static void test_tails(void)
{
    near(gb__bootstrap_tail(10), 0.00855, 1e-5, "n = 10: t = 2.26216");
    near(gb__bootstrap_tail(30), 0.018754, 1e-6, "n = 30: the table's end");
    near(gb__bootstrap_tail(31), 0.018946, 1e-5, "n = 31: the formula goes on");
    near(gb__bootstrap_tail(100), 0.023064, 1e-5, "n = 100");
    near(gb__bootstrap_tail(1000000), 0.025, 1e-6, "many: the plain percentiles");
}

// A curve of the law gives back what made it.
static void test_law(void)
{
    static const double n[] = {1, 2, 4, 8, 12, 16};
    static const struct {
        double sigma, kappa, peak;
        const char *what;
    } laws[] = {{0.05, 0.002, 21.7944947, "both"}, {0, 0, INFINITY, "linear"},
                {0.1, 0, INFINITY, "Amdahl: no peak"}, {0, 0.01, 10, "coherency alone"},
                {1, 0, 1, "one at a time: flat"}, {0.9, 0.2, 1, "falls from the second on"}};
    double x[6], fit[GB__LAW_FIGURES];
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        for (int j = 0; j < 6; j++)
            x[j] = 500 * n[j] / (1 + (laws[i].sigma + laws[i].kappa * n[j]) * (n[j] - 1));
        gb__law_fit(fit, n, x, 6);
        near(fit[GB__LAMBDA], 500, 1e-6, "%s", laws[i].what);
        near(fit[GB__SIGMA], laws[i].sigma, 1e-9, "its contention");
        near(fit[GB__KAPPA], laws[i].kappa, 1e-9, "its coherency");
        if (isfinite(laws[i].peak)) near(fit[GB__PEAK], laws[i].peak, 1e-6, "its peak");
        else ok(isinf(fit[GB__PEAK]), "which it doesn't have");
    }
    for (int j = 0; j < 6; j++) x[j] = 500 * n[j] / (1 + 1.25 * (n[j] - 1));
    gb__law_fit(fit, n, x, 6);
    ok(fit[GB__SIGMA] <= 1 && fit[GB__KAPPA] > 0 && is(fit[GB__PEAK], 1),
       "less than one's from the second on: contention is all of it at most");
    for (int j = 0; j < 6; j++) x[j] = n[j] * n[j];
    gb__law_fit(fit, n, x, 6);
    ok(is(fit[GB__SIGMA], 0) && is(fit[GB__KAPPA], 0) && isinf(fit[GB__PEAK]),
       "more than n times one's: nothing is negative");
}

// Whatever is measured, there are figures, none of them negative, and no other sigma or kappa nearby
// leaves smaller relative errors.
static void test_law_of_anything(void)
{
    uint64_t rng = 3;
    bool sound = true, least = true;
    for (int trial = 0; trial < 300; trial++) {
        double n[8], x[8], fit[GB__LAW_FIGURES], misfit[9] = {0};
        for (int i = 0; i < 8; i++) {
            n[i] = (trial % 3 + 1) * i + trial % 5 + 1;
            x[i] = 500 + (double)gb__rng_below(&rng, 1000) * (trial % 2 ? 1 : n[i]);
            if (trial % 5 == 0) x[i] -= 499.9;  // may want a negative lambda
        }
        gb__law_fit(fit, n, x, 8);
        for (int f = 0; f < GB__LAW_FIGURES; f++) sound &= fit[f] >= 0;
        sound &= fit[GB__SIGMA] <= 1;
        sound &= fit[GB__LAMBDA] > 0 && isfinite(fit[GB__SIGMA]) && isfinite(fit[GB__KAPPA]);
        for (int k = 0; k < 9; k++)
            for (int i = 0; i < 8; i++) {
                double sigma = fabs(fit[GB__SIGMA] + (k % 3 - 1) * 1e-3);
                if (sigma > 1) sigma = 1;
                double kappa = fabs(fit[GB__KAPPA] + (k / 3 - 1) * 1e-4);
                double law = fit[GB__LAMBDA] * n[i] / (1 + (sigma + kappa * n[i]) * (n[i] - 1));
                misfit[k] += (x[i] / law - 1) * (x[i] / law - 1);
            }
        for (int k = 0; k < 9 && trial % 5; k++)
            least &= misfit[k] >= misfit[4] * (1 - 1e-9);
    }
    ok(sound, "figures of anything");
    ok(least, "which are those of least squares");
}

int main(void)
{
    test_precision();
    test_buckets();
    test_empty();
    test_extremes();
    test_ranks();
    test_merge();
    test_hgrm();
    test_hgrm_text();
    test_rng();
    test_median();
    test_interval();
    test_ends();
    test_tails();
    test_coverage();
    test_law();
    test_law_of_anything();
    return tap_end();
}
