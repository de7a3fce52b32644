// Lab 2. And if the threads only wait?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: fetch() waits for an answer by looking at the clock until it is there. Let it sleep for
// that long instead, and return 1: one look.
static const char python[] =
    "import time\n"
    "looks = {}\n"
    "def fetch(seconds):\n"
    "    end = time.monotonic() + seconds\n"
    "    looked = 0\n"
    "    while time.monotonic() < end:\n"
    "        looked += 1\n"
    "    return looked\n"
    "def run(share, shares):\n"
    "    looks[share] = sum(fetch(0.02) for _ in range(share, 20, shares))\n"
    "def answer():\n"
    "    return sum(looks.values())\n";

int main(void)
{
    gb_error error;
    gb_python pair[2];
    gb_bar bars[6];
    double cores[6];
    long most = 0;
    puts("Predict: 20 answers that take 20 ms each, fetched by 1, 2 and 4 threads: how many times "
         "as fast,\nwith the GIL and without?\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    double one = 0;
    for (int i = 0; i < 6; i++) {
        const gb_python *build = &pair[i / 3];
        int threads = 1 << i % 3;
        gb_round r;
        gb_task_config task = {.python = build, .source = python, .workers = threads,
                               .split = true};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        snprintf(bars[i].label, sizeof bars[i].label, "%s, %d thread%s", build->id, threads,
                 threads > 1 ? "s" : "");
        if (threads == 1) one = r.seconds;
        bars[i].value = one / r.seconds;
        cores[i] = r.cpu.server_cores;
        if (atol(r.answer) > most) most = atol(r.answer);
    }
    gb_bars(bars, 6, "x", stdout);
    printf("\nWhy: a thread that sleeps, or waits for a socket, has let go of the GIL, so waiting "
           "was never\nwhat it forbade. A thread that looks and looks computes: with the GIL 4 "
           "threads used\n%.2f cores here, without %.2f, and the answers were looked for up to %ld "
           "times.\n\n", cores[2], cores[5], most);
    puts(most <= 20 ? "PASS: each of the 20 answers was waited for, not looked for."
                    : "To do: 20 answers are there after 20 looks; the rest was computing.");
    return most > 20;
}
