// Lab 9. Who stops the world?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: one thread stops all others, again and again. Find it, and let it do that once at most.
static const char python[] =
    "import functools, time\n"
    "def logged(function):\n"
    "    @functools.wraps(function)\n"
    "    def wrapper(*args): return function(*args)\n"
    "    return wrapper\n"
    "def handle(n): return n * n\n"
    "def serve(requests):\n"
    "    return sum(logged(handle)(n) for n in requests)\n"
    "\n"
    "total, serving, moved = 0, True, [[], [0], [0]]\n"
    "def some():  # the next request comes when both others have moved on\n"
    "    for n in range(100):\n"
    "        for other in moved[1:]: other[0] = 0\n"
    "        while not all(map(all, moved)): time.sleep(0)\n"
    "        yield n\n"
    "def run(share, shares):\n"
    "    global total, serving\n"
    "    if not share: total, serving = serve(some()), False\n"
    "    while serving: sum(range(100)); moved[share][0] = 1\n"
    "def answer(): return total\n";

int main(void)
{
    gb_error error;
    gb_python pair[2];
    gb_wait stop = {0};
    bool right = true;
    double stopped[2];
    puts("Predict: one thread serves 100 requests, two others compute and share nothing with it. "
         "For what\ndo these wait, with the GIL and without?\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    for (int i = 0; i < 2; i++) {
        gb_round r;
        gb_task_config task = {.python = &pair[i], .source = python, .workers = 3, .split = true,
                               .waits = true};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        printf("  %-8s waits of %6.1f ms for the GIL, %6.1f ms for a stopped world\n", pair[i].id,
               r.waits.ms[GB_WAIT_GIL], r.waits.ms[GB_WAIT_WORLD]);
        stopped[i] = r.waits.ms[GB_WAIT_WORLD];
        for (int j = r.waits.count - 1; i && j >= 0; j--)
            if (r.waits.list[j].kind == GB_WAIT_WORLD && *r.waits.list[j].holder)
                stop = r.waits.list[j];
        right &= !strcmp(r.answer, "328350");
    }
    printf("\nWhy: without the GIL some changes need all threads to stand still: to replace what a "
           "function\nhas, to collect garbage, to fork. Here they did that %llu times, %.1f ms in "
           "all, for %s.\nWith the GIL the world needs no stopping (%.1f ms).\n\n",
           (unsigned long long)stop.count, stopped[1], *stop.holder ? stop.holder : "nobody",
           stopped[0]);
    right &= stop.count < 50;  // twice, for what is done once
    puts(right ? "PASS: nobody stops the world for a request any more."
               : "To do: wrap the function once, not for every request.");
    return !right;
}
