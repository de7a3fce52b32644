// Lab 6. What does sharing cost those who only read?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: yours() gives all workers the same object to read. Give each its own, or make the object
// one that is never counted: a number below 257, None, or a constant of the code.
static const char python[] =
    "import sys\n"
    "def yours(share):\n"
    "    return ONE\n"
    "\n"
    "ONE = object()\n"
    "kinds = {'one object': lambda share: ONE, 'each its own': lambda share: object(),\n"
    "         'an immortal one': lambda share: 7, 'yours': yours}\n"
    "used = {}\n"
    "def run(share, shares):\n"
    "    box = [kinds[KIND](share)]\n"
    "    used[share] = box[0]\n"
    "    for _ in range(1000000):\n"
    "        box[0]\n"
    "def answer():\n"
    "    own = len({id(o) for o in used.values()}) == len(used)\n"
    "    return own or all(sys._is_immortal(o) for o in used.values())\n";

int main(void)
{
    static const char *const kinds[] = {"one object", "each its own", "an immortal one", "yours"};
    gb_error error;
    gb_python pair[2];
    gb_bar bars[8];
    bool right = true;
    puts("Predict: 2 threads read a list's item a million times each. Does it matter, with the GIL "
         "and\nwithout, whether that is one object for both?\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    for (int i = 0; i < 8; i++) {
        char source[sizeof python + 64];
        gb_round r;
        snprintf(source, sizeof source, "KIND = '%s'\n%s", kinds[i % 4], python);
        gb_task_config task = {.python = &pair[i / 4], .source = source, .workers = 2,
                               .split = true};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        snprintf(bars[i].label, sizeof bars[i].label, "%s, %s", pair[i / 4].id, kinds[i % 4]);
        bars[i].value = r.cpu.server_us_per_request / 2000;
        if (i % 4 == 3) right &= !strcmp(r.answer, "True");
    }
    gb_bars(bars, 8, "ns", stdout);
    printf("\nWhy: to read is to count: who holds a reference adds 1, and 1 is taken off later. "
           "Without the\nGIL two cores that count one object pass its cache line to and fro: %.0f "
           "ns of CPU a reading,\nwhere an object of its own takes %.0f and one that is never "
           "counted (immortal) %.0f. (On one\nfree core nothing is passed, and all take the "
           "same.)\n\n", bars[4].value, bars[5].value, bars[6].value);
    puts(right ? "PASS: your workers count nothing that another one counts."
               : "To do: both workers still count one object, which is not immortal.");
    return !right;
}
