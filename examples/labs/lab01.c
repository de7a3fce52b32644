// Lab 1. Do two threads compute twice as fast?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: each worker counts all primes, so more of them are no help. Let each do its share:
// those that range(3 + 2 * share, LIMIT, 2 * shares) gives.
static const char python[] =
    "LIMIT = 60000\n"
    "def is_prime(n):\n"
    "    d = 3\n"
    "    while d * d <= n:\n"
    "        if n % d == 0:\n"
    "            return False\n"
    "        d += 2\n"
    "    return True\n"
    "found = {}\n"
    "def run(share, shares):\n"
    "    found[share] = sum(is_prime(n) for n in range(3, LIMIT, 2))\n"
    "def answer():\n"
    "    return sum(found.values())\n";

int main(void)
{
    gb_error error;
    gb_python pair[2];
    gb_bar bars[6];
    double seconds[6], cores[6];
    bool right = true;
    puts("Predict: how many times as fast are 2 and 4 threads, with the GIL and without?\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    for (int i = 0; i < 6; i++) {
        const gb_python *build = &pair[i / 3];
        int threads = 1 << i % 3;
        gb_round r;
        gb_task_config task = {.python = build, .source = python, .workers = threads,
                               .split = true};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        snprintf(bars[i].label, sizeof bars[i].label, "%s, %d thread%s", build->id, threads,
                 threads > 1 ? "s" : "");
        seconds[i] = r.seconds;
        cores[i] = r.cpu.server_cores;
        bars[i].value = seconds[i - i % 3] / seconds[i];
        right &= !strcmp(r.answer, "6056");
    }
    gb_bars(bars, 6, "x", stdout);
    printf("\nWhy: with the GIL only one thread at a time runs Python: 4 had %.2f cores and took "
           "%.2f s,\none took %.2f s. Without it 4 had %.2f cores, of the %ld that are here, and "
           "took %.2f s.\n\n", cores[2], seconds[2], seconds[0], cores[5],
           sysconf(_SC_NPROCESSORS_ONLN), seconds[5]);
    puts(right ? "PASS: whoever counts, there are 6056 odd primes."
               : "To do: the threads together must find the 6056 odd primes once.");
    return !right;
}
