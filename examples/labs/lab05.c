// Lab 5. Is n += 1 safe?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: make add() safe, whoever runs it. `with lock:` around a statement lets one thread in.
static const char python[] =
    "import threading, time\n"
    "lock = threading.Lock()\n"
    "def add(counter):\n"
    "    counter.n += 1\n"
    "\n"
    "class Counter:\n"
    "    n = 0\n"
    "class Slow:  # between its reading and its writing another thread has its turn\n"
    "    value = 0\n"
    "    @property\n"
    "    def n(self):\n"
    "        seen = self.value\n"
    "        time.sleep(0.001)\n"
    "        return seen\n"
    "    @n.setter\n"
    "    def n(self, value):\n"
    "        time.sleep(0.001); self.value = value\n"
    "counter, slow = Counter(), Slow()\n"
    "def run():\n"
    "    for _ in range(20000):\n"
    "        add(counter)\n"
    "    for _ in range(25):\n"
    "        add(slow)\n"
    "def answer():\n"
    "    return f'{80000 - counter.n} {100 - slow.n}'\n";

int main(void)
{
    gb_error error;
    gb_python pair[2];
    gb_bar bars[10];
    int lost[2] = {0}, slow = 0;
    puts("Predict: 4 threads add 1 to a counter, 20,000 times each. How many of the 80,000 are "
         "lost,\nwith the GIL and without? Each is tried five times.\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    for (int i = 0; i < 10; i++) {
        gb_round r;
        gb_task_config task = {.python = &pair[i / 5], .source = python, .workers = 4};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        int plain = atoi(r.answer);
        snprintf(bars[i].label, sizeof bars[i].label, "%s, lost", pair[i / 5].id);
        bars[i].value = plain;
        lost[i / 5] += plain;
        slow += atoi(strchr(r.answer, ' '));
    }
    gb_bars(bars, 10, "", stdout);
    printf("\nWhy: n += 1 reads, adds and writes. %s lost %d, %s lost %d. A 0 proves nothing: the "
           "GIL\nchanges hands wherever reading or writing n runs more than an instruction, and "
           "where reading\nand writing take 1 ms each, as in a database, %d of 1,000 are lost, "
           "on both builds together.\n\n", pair[0].id, lost[0], pair[1].id, lost[1], slow);
    puts(!slow ? "PASS: nothing is lost, even where every read lets another thread in."
               : "To do: one thread at a time may read, add and write.");
    return slow > 0;
}
