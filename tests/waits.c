// Who waits for what, as a library says it of Python on threads: waits that are made on purpose, on
// each build that is here, in a child each because there is one interpreter a process.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "sandbox.h"
#include "tap.h"

#include <sys/syscall.h>

static const char planted[] =
    "import sys, types\n"
    "planted = sys.modules['planted'] = types.ModuleType('planted')\n"
    "exec('''\n"
    "import functools, logging, os, threading, time\n"
    "LOCK, CACHE, HISTORY = threading.Lock(), dict.fromkeys(range(100000)), [0] * 400000\n"
    "LOG, PIPE, clock, done = logging.getLogger('planted'), os.pipe(), [0.0], []\n"
    "class Slow(logging.StreamHandler):\n"
    "    def emit(self, record):\n"
    "        sum(range(20000))\n"
    "LOG.addHandler(Slow())\n"
    "LOG.propagate = False\n"
    "def holds():\n"
    "    for i in range(40): sum(range(300000))\n"
    "    done.append(1)\n"
    "def waits():\n"
    "    while not done:\n"
    "        os.write(PIPE[1], os.read(PIPE[0], 1))\n"
    "def locked():\n"
    "    for i in range(8):\n"
    "        began = time.perf_counter()\n"
    "        with LOCK:\n"
    "            clock[0] += time.perf_counter() - began\n"
    "            time.sleep(0.004)\n"
    "def span():\n"
    "    end = time.perf_counter() + 0.3\n"
    "    while time.perf_counter() < end: yield\n"
    "def copies():\n"
    "    for _ in span(): CACHE.copy()\n"
    "def lists():\n"
    "    for _ in span(): HISTORY.copy()\n"
    "def logs():\n"
    "    for _ in span(): LOG.warning('hello')\n"
    "class Key:\n"
    "    def __hash__(self): return 1\n"
    "    def __eq__(self, other): return sum(range(30000)) > 0\n"
    "@functools.lru_cache\n"
    "def cached(key): return 1\n"
    "def asks():\n"
    "    for _ in span(): cached(Key())\n"
    "def wraps():\n"
    "    for _ in span(): functools.wraps(holds)(lambda: None)\n"
    "def alone():\n"
    "    own = {}\n"
    "    for _ in span():\n"
    "        for i in range(1000): own[i] = i\n"
    "def idles():\n"
    "    threading.Event().wait(0.2)\n"
    "def run(*functions):\n"
    "    os.write(PIPE[1], b'xx')\n"
    "    start = time.perf_counter() + 0.05\n"
    "    def go(f):\n"
    "        time.sleep(max(0, start - time.perf_counter()))\n"
    "        f()\n"
    "    threads = [threading.Thread(target=go, args=(f,)) for f in functions]\n"
    "    for t in threads: t.start()\n"
    "    for t in threads: t.join()\n"
    "''', planted.__dict__)\n";

typedef struct seen {
    gb_code code;
    char problem[256];
    gb_waits waits;
    double clock_ms, wall_ms;
} seen;

static void child(const gb_python *python, const char *call, seen *s)
{
    gb_error error;
    char source[256];
    s->code = gb_python_start(python, &error);
    if (s->code) return;
    PyObject *namespace = gb__py_run(planted, "planted.py");
    snprintf(source, sizeof source, "from planted import *\nrun(%s)\nms = int(1e6 * clock[0])\n", call);
    s->code = namespace ? gb_waits_begin(&error) : GB_APP;
    if (s->code) gb__copy(s->problem, sizeof s->problem, error.text);
    if (s->code) return;
    uint64_t began = gb_now_ns();
    namespace = gb__py_run(source, "planted.py");
    s->wall_ms = (double)(gb_now_ns() - began) / 1e6;
    gb_waits_end(&s->waits);
    PyObject *ms = namespace ? gb_py.PyDict_GetItemString(namespace, "ms") : NULL;
    if (ms) s->clock_ms = (double)gb_py.PyLong_AsLong(ms) / 1e3;
    else gb__py_show(), s->code = GB_APP;
}

static bool sandboxed;

static seen watch(const gb_python *python, const char *call)
{
    seen s = {.code = GB_SYSTEM};
    int pair[2];
    if (pipe(pair)) return s;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        // A process may not be let to read memory through the kernel, not even its own.
        if (!sandboxed || refuse_call(SYS_process_vm_readv)) child(python, call, &s);
        _exit(write(pair[1], &s, sizeof s) != sizeof s);
    }
    close(pair[1]);
    for (size_t n = 0; n < sizeof s;) {
        ssize_t more = read(pair[0], (char *)&s + n, sizeof s - n);
        if (more <= 0) break;
        n += (size_t)more;
    }
    close(pair[0]);
    waitpid(pid, NULL, 0);
    if (s.code) diag("code %d: %s", s.code, s.problem);
    for (int i = 0; i < s.waits.count && i < 4; i++) {
        const gb_wait *w = &s.waits.list[i];
        diag("%d %.1f ms, %llu times: %s <- %s, %s", w->kind, w->ms, (unsigned long long)w->count,
             w->waiter, w->holder, w->object);
    }
    return s;
}

static void test_names(const gb_python *python, const char *call, gb_wait_kind kind,
                       const char *waiter, const char *what)
{
    seen s = watch(python, call);
    const gb_wait *w = &s.waits.list[0];
    ok(!s.code && s.waits.count && w->kind == kind && strstr(w->waiter, waiter) &&
       strstr(kind == GB_WAIT_LOCK ? w->object : w->holder, what),
       "%s: %s is what%s waits for first", python->id, what, *waiter ? waiter : " everybody");
}

// A thread that loses its CPU between its clock and the lock makes its clock tell more: of three.
static void test_clock(const gb_python *python)
{
    seen s;
    bool agrees = false;
    for (int try = 0; try < 3 && !agrees; try++) {
        double ms = 0;
        s = watch(python, "locked, locked, locked, locked");
        for (int i = 0; i < s.waits.count; i++)
            if (strstr(s.waits.list[i].object, "planted.LOCK")) ms += s.waits.list[i].ms;
        agrees = ms > 0.9 * s.clock_ms && ms < 1.1 * s.clock_ms;
        diag("%.1f ms of %.1f", ms, s.clock_ms);
    }
    ok(agrees, "%s: the waits for a lock are those of its own clock", python->id);
    const gb_wait *w = &s.waits.list[0];
    ok(w->kind == GB_WAIT_LOCK && !strcmp(w->object, "_thread.lock planted.LOCK") &&
       strstr(w->waiter, " locked"), "%s: and it has a name and a line", python->id);
}

// Waits are noted in the process that asked; of its forks nobody can say that there were none.
static void test_forked(const gb_python *python)
{
    gb_round round = {0};
    gb_error error = {0};
    const gb_task_config task = {.python = python, .workers = 2, .model = GB_PROCESSES,
                                 .source = "def run(): return 7", .waits = true};
    ok(!gb_task(&task, &round, &error) && !strcmp(round.answer, "7") && !round.waits.noted,
       "%s: a task of forked processes says that nobody noted its waits (\"%s\", %s)",
       python->id, round.answer, error.text);
}

static void test_sandbox(const gb_python *python)
{
    sandboxed = true;
    seen s = watch(python, python->free_threaded ? "locked, locked, locked, locked"
                                                 : "waits, holds");
    const gb_wait *w = s.waits.list;
    sandboxed = false;
    ok(!s.code && s.waits.noted && strstr(w->waiter, python->free_threaded ? " locked" : " waits") &&
       !*w->holder && strstr(s.waits.problem, "process_vm_readv"),
       "%s: in a sandbox its own lines are there, and why the others aren't", python->id);
}

static void test_build(const gb_python *python)
{
    test_clock(python);
    test_forked(python);
    test_sandbox(python);
    seen s = watch(python, "idles, idles");
    double ms = s.waits.ms[GB_WAIT_LOCK] + s.waits.ms[GB_WAIT_EVENT];
    ok(!s.code && s.waits.noted && ms < 0.1 * s.wall_ms, "%s: to wait to be told is no contention",
       python->id);
    if (!python->free_threaded) {
        test_names(python, "waits, holds", GB_WAIT_GIL, " waits", " holds");
        return;
    }
    test_names(python, "copies, copies, copies, copies", GB_WAIT_LOCK, " copies", "dict planted.CACHE");
    test_names(python, "lists, lists, lists, lists", GB_WAIT_LOCK, " lists", "list planted.HISTORY");
    test_names(python, "logs, logs, logs, logs", GB_WAIT_LOCK, " Handler.handle", "_thread.RLock");
    test_names(python, "asks, asks, asks, asks", GB_WAIT_LOCK, " asks",
               "functools._lru_cache_wrapper planted.cached");
    test_names(python, "wraps, alone, alone", GB_WAIT_WORLD, "", " update_wrapper");
    s = watch(python, "alone, alone, alone, alone");
    ms = s.waits.ms[GB_WAIT_WORLD];
    for (int i = 0; i < s.waits.count; i++)
        if (s.waits.list[i].kind == GB_WAIT_LOCK && !strstr(s.waits.list[i].object, "a lock"))
            ms += s.waits.list[i].ms;
    ok(!s.code && s.waits.noted && ms < 0.01 * 4 * s.wall_ms,
       "%s: where nothing is shared nothing is named", python->id);
}

static void test_laps(void)
{
    gb_exchange x = {.timed = true, .lap = gb_now_ns() - 1000, .waited = {5}};
    gb__lap(&x, GB__PHASE_READ);
    ok(x.phases[GB__PHASE_READ] >= 1000 && !x.phases[GB__PHASE_ATTACH],
       "what an application's thread has waited before is no wait of the request");
    gb__is_serving = true;
    gb__waited[GB_WAIT_GIL] = 305;
    x.lap = gb_now_ns() - 1000;
    gb__lap(&x, GB__PHASE_APP);
    is_u64(x.phases[GB__PHASE_ATTACH], 300, "what the request's thread waits for is one");
    gb__is_serving = false;
}

// All that passes between the event and the end is in one part or another.
static void test_sum(void)
{
    gb_server server = {0};
    uint64_t now = gb_now_ns(), sum = 0;
    gb__thread t = {.server = &server, .ready_at = now - 700};
    gb__conn c = {0};
    gb_exchange *x = gb__exchange_begin(&t, &c, now - 400);
    x->timed = true;
    const int phases[] = {GB__PHASE_READ, GB__PHASE_ATTACH, GB__PHASE_APP, GB__PHASE_WRITE};
    gb__is_serving = true;
    for (int i = 0; i < 4; i++) {
        gb__waited[i % GB__WAITED] += 40;
        gb__lap(x, phases[i]);
    }
    gb__is_serving = false;
    for (int i = 0; i < GB__PHASES; i++) sum += i == GB__PHASE_OFF ? 0 : x->phases[i];
    is_u64(x->phases[GB__PHASE_READY], 300, "that nobody had taken it up is a part of a request");
    is_u64(sum, x->lap - (now - 700), "and its parts are all of it");
    x = gb__exchange_begin(&t, &c, x->lap);
    is_u64(x->phases[GB__PHASE_READY], 0, "the next one of the same take waits for nobody");
}

int main(void)
{
    gb_error error;
    gb_python *found = NULL;
    size_t n = 0;
    test_laps();
    test_sum();
    if (gb_pythons(NULL, 0, &found, &n, &error)) n = 0;
    for (int ft = 0; ft < 2; ft++)
        for (size_t i = 0; i < n; i++)
            if (found[i].usable && found[i].hex >> 16 == 0x030e && found[i].free_threaded == ft) {
                test_build(&found[i]);
                break;
            }
    if (!n) diag("no interpreter is here");
    free(found);
    return tap_end();
}
