// A lab in thirty lines: does the GIL cost this machine anything on an ordinary page?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

int main(void)
{
    gb_error error;
    gb_python *found;
    size_t n;
    if (gb_pythons(NULL, 0, &found, &n, &error)) return fprintf(stderr, "%s\n", error.text), 1;

    for (size_t i = 0; i < n; i++) {
        if (!found[i].usable) continue;
        for (int threads = 1; threads <= 4; threads *= 4) {
            gb_measure_config config = {
                .service = {.python = &found[i], .app = "builtin:wsgi",
                            .server = {.threads = threads}},
                .path = "/page",
                .load = {.connections = 32, .duration_s = 0.5, .warmup_s = 0.1}};
            gb_round r;
            if (gb_measure(&config, &r, &error)) return fprintf(stderr, "%s\n", error.text), 1;
            printf("%-12s %d threads: %6.0f req/s, p99 %6.2f ms, %5.1f MB, "
                   "%5.1f us of each request waiting for the GIL\n",
                   found[i].id, threads, r.rps, r.latency_ms.p99, r.memory_mb.service,
                   r.anatomy_us.attach_wait.mean);
        }
    }
    free(found);
    return 0;
}
