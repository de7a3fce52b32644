// Lab 10. Thread, process, interpreter or event loop: who has four requests in flight?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: handle() waits as a thread does, and its loop with it: nobody else's request goes on
// meanwhile. Let it wait with `await asyncio.sleep(0.005)`.
static const char python[] =
    "import asyncio, time\n"
    "def compute(): sorted(range(2000, 0, -1), key=str)\n"
    "async def handle():\n"
    "    compute()\n"
    "    time.sleep(0.005)\n"
    "flying = most = 0\n"
    "async def client():\n"
    "    global flying, most\n"
    "    for _ in range(25):\n"
    "        most = max(most, flying := flying + 1)\n"
    "        await handle()\n"
    "        flying -= 1\n"
    "async def all(): await asyncio.gather(*(client() for _ in range(4)))\n"
    "def run():\n"
    "    for _ in range(0 if LOOP else 25):\n"
    "        compute()\n"
    "        time.sleep(0.005)\n"
    "    if LOOP: asyncio.run(all())\n"
    "def answer(): return most\n";
int main(void)
{
    static const char *const names[] = {"4 threads", "4 processes", "4 interpreters", "1 loop"};
    static const gb_worker_model models[] = {GB_THREADS, GB_PROCESSES, GB_SUBINTERPRETERS};
    int flying = 0;
    gb_error error;
    gb_python pair[2];
    gb_bar speed[8], memory[8];
    puts("Predict: who answers most of 100 requests a second, and in how much memory?\n");
    if (gb_python_pair(pair, &error)) return puts(error.text), 1;
    for (int i = 0; i < 8; i++) {
        char source[sizeof python + 16];
        gb_round r;
        bool loop = i % 4 == 3;
        snprintf(source, sizeof source, "LOOP = %d\n%s", loop, python);
        gb_task_config task = {.python = &pair[i / 4], .source = source, .workers = loop ? 1 : 4,
                               .model = models[loop ? 0 : i % 4]};
        if (gb_task(&task, &r, &error)) return puts(error.text), 1;
        snprintf(speed[i].label, sizeof speed[i].label, "%s, %s", pair[i / 4].id, names[i % 4]);
        memory[i] = speed[i];
        speed[i].value = 100 / r.seconds;
        memory[i].value = r.memory_mb.service;
        if (loop) flying = atoi(r.answer);
    }
    gb_bars(speed, 8, "/s", stdout);
    gb_bars(memory, 8, "MB", stdout);
    printf("\nWhy: all wait at the same time, if their waiting lets others go on. To compute at "
           "the same time\ntakes processes (here four in %.0f MB), interpreters (%.0f MB) or, "
           "without the GIL, threads (%.0f MB).\nThe loop had %d of 4 in flight.\n\n",
           memory[1].value, memory[2].value, memory[4].value, flying);
    puts(flying == 4 ? "PASS: the loop has all four in flight."
                     : "To do: the loop serves one request after the other.");
    return flying != 4;
}
