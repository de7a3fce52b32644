// Lab 4. Change the switch interval: what moves?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: choose an interval, in seconds, with which the thread that wants little has its turn at
// least four times as often as with CPython's own, 0.005.
static const char python[] =
    "import sys, time\n"
    "YOURS = 0.005\n"
    "sys.setswitchinterval(INTERVAL or YOURS)\n"
    "turns, at = 0, -1  # how far the other one is\n"
    "def run(share, shares):\n"
    "    global turns, at\n"
    "    if share == 0:\n"
    "        for at in range(3000000): pass\n"
    "    seen = -1\n"
    "    while at < 2999999:\n"
    "        turns += at > seen  # it had the GIL since\n"
    "        seen = at\n"
    "        time.sleep(0)\n"
    "def answer():\n"
    "    return turns\n";

int main(void)
{
    static const double intervals[] = {0.005, 0.0005, 0.00005, 0};
    gb_error error;
    gb_python pair[2];
    gb_bar seconds[8], turns[8];
    puts("Predict: one thread computes; another wants a moment, again and again. How often has it "
         "its turn\nmeanwhile, and how long does the computing take, with which interval?\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    for (int i = 0; i < 8; i++) {
        char source[sizeof python + 64];
        gb_round r;
        double interval = intervals[i % 4];
        snprintf(source, sizeof source, "INTERVAL = %g\n%s", interval, python);
        gb_task_config task = {.python = &pair[i / 4], .source = source, .workers = 2,
                               .split = true};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        snprintf(turns[i].label, sizeof turns[i].label, "%s, %g ms", pair[i / 4].id,
                 1000 * interval);
        if (interval <= 0) snprintf(turns[i].label, 128, "%s, yours", pair[i / 4].id);
        seconds[i] = turns[i];
        turns[i].value = atof(r.answer);
        seconds[i].value = r.latency_ms.max;
    }
    gb_bars(turns, 4, "", stdout);
    gb_bars(seconds, 8, "ms", stdout);
    printf("\nWhy: who wants the GIL waits for an interval and then asks its holder to let go. "
           "With 5 ms it had\n%.0f turns, with 0.05 ms %.0f, which cost %.0f ms instead of %.0f. "
           "Without the GIL nobody asks:\nthe interval moves nothing (%.0f and %.0f ms).\n\n",
           turns[0].value, turns[2].value, seconds[2].value, seconds[0].value, seconds[4].value,
           seconds[6].value);
    bool often = turns[3].value >= 4 * turns[0].value;
    puts(often ? "PASS: your interval gives it its turn at least four times as often."
               : "To do: your interval doesn't give it its turn four times as often.");
    return !often;
}
