// The room of the waits beside threads of C, with an interpreter of which only that is there which
// the room reads: how waits are told apart, summed and counted.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

#define MS 1000000u

typedef struct code {
    uintptr_t references, type, more[2];
    char instructions[64];
} code;

typedef struct frame {
    struct frame *previous;
    const code *code;
    const char *instruction;
    char owner, padding[7];
} frame;

typedef struct gil {
    uintptr_t holder;
    int locked;
    bool awaited;  // by a thread that is in its wait
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} gil;

typedef struct interpreter {
    gil *has;
    gil own;
} interpreter;

typedef struct state {
    interpreter *of;
    frame *runs;
} state;

static interpreter world;
static code waiting = {.type = 1}, holding = {.type = 1};
static frame waits = {NULL, &waiting, waiting.instructions + 8, 0, ""};
static frame holds = {NULL, &holding, holding.instructions + 16, 0, ""};
static state holder = {&world, &holds};
static _Thread_local state *mine;

static PyThreadState *own_state(void)
{
    return (PyThreadState *)mine;
}

static const gb__offsets offsets = {
    .interpreter = {.size = sizeof world, .gil = offsetof(interpreter, has),
                    .gil_state = offsetof(interpreter, own),
                    .locked = offsetof(interpreter, own.locked),
                    .holder = offsetof(interpreter, own.holder)},
    .thread = {.size = sizeof(state), .interpreter = offsetof(state, of),
               .frame = offsetof(state, runs)},
    .frame = {.size = sizeof(frame), .previous = offsetof(frame, previous),
              .code = offsetof(frame, code), .instruction = offsetof(frame, instruction),
              .owner = offsetof(frame, owner)},
    .code = {.instructions = offsetof(code, instructions)},
    .object = {.size = 16, .type = offsetof(code, type)}};

static void begin(void)
{
    pthread_mutex_lock(&gb__seen.lock);
    free(gb__seen.rows);
    gb__seen.rows = calloc(GB__ALL_ROWS, sizeof *gb__seen.rows);
    gb__seen.since = gb_now_ns();
    pthread_mutex_unlock(&gb__seen.lock);
}

// All of a kind, and how many rows they are in.
static gb__wait_row sum(gb_wait_kind kind, int *rows)
{
    gb__wait_row all = {0};
    *rows = 0;
    pthread_mutex_lock(&gb__seen.lock);
    for (const gb__wait_row *r = gb__seen.rows; r < gb__seen.rows + GB__ALL_ROWS; r++) {
        if (!r->used || r->key.kind != kind) continue;
        all.key = r->key;
        all.count += r->count;
        all.ns += r->ns;
        ++*rows;
    }
    pthread_mutex_unlock(&gb__seen.lock);
    return all;
}

static void test_rows(void)
{
    enum { KINDS = 5000 };
    int rows;
    begin();
    for (uintptr_t i = 0; i < 2 * KINDS; i++) {
        gb__standing w = {.key = {GB_WAIT_LOCK, 16 + i % KINDS, {16, 2}, {0}},
                          .began = gb__seen.since + 1};
        gb__note(&w, gb__seen.since + 1 + MS);
    }
    gb__wait_row all = sum(GB_WAIT_LOCK, &rows);
    ok(rows > GB__WAIT_ROWS / 2 && rows <= GB__WAIT_ROWS + 1, "of many kinds %d have a row", rows);
    is_u64(all.count, 2 * KINDS, "and no wait is lost");
    is_u64(all.ns, 2ull * KINDS * MS, "nor its time");
    is_u64(all.key.waiter.at, GB__ELSEWHERE, "the last row has the others");
}

static void test_window(void)
{
    int rows;
    gb__standing w = {.key = {.kind = GB_WAIT_LOCK}, .began = gb_now_ns() - 60ull * GB__NS};
    begin();
    gb__note(&w, gb__seen.since + 3 * MS);
    is_u64(sum(GB_WAIT_LOCK, &rows).ns, 3 * MS,
           "of a wait that began ahead of the window the part within it counts");
    begin();
    gb__note(&w, gb__seen.since - MS);
    is_u64(sum(GB_WAIT_LOCK, &rows).ns, 0, "and of one that ended ahead of it nothing");
}

// As CPython takes its GIL, with its patience of 5 ms.
static void take_gil(gil *g, int ms)
{
    pthread_mutex_lock(&g->mutex);
    while (g->locked) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ms * (long)MS;
        if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        g->awaited = true;
        gb__cond_timedwait(&g->changed, &g->mutex, &until);
    }
    g->locked = 1;
    g->awaited = false;
    pthread_mutex_unlock(&g->mutex);
}

static void drop_gil(gil *g, bool tell)
{
    pthread_mutex_lock(&g->mutex);
    g->locked = 0;
    if (tell) pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

static void *take_twice(void *ms)
{
    state own = {&world, &waits};
    mine = &own;
    for (int i = 0; i < 2; i++) take_gil(&world.own, *(int *)ms);
    return NULL;
}

// A thread that waits for the GIL twice, for 28 ms or until its patience ends.
static gb__wait_row two_waits(int patience_ms, bool tell)
{
    pthread_t id;
    int rows;
    begin();
    world.own.locked = 1;
    if (pthread_create(&id, NULL, take_twice, &patience_ms)) return (gb__wait_row){0};
    for (int i = 0; i < 2; i++) {
        for (bool awaited = false; !awaited; gb__sleep_until(gb_now_ns() + MS)) {
            pthread_mutex_lock(&world.own.mutex);
            awaited = world.own.locked && world.own.awaited;
            pthread_mutex_unlock(&world.own.mutex);
        }
        gb__sleep_until(gb_now_ns() + 28 * MS);
        drop_gil(&world.own, tell);
    }
    pthread_join(id, NULL);
    return sum(GB_WAIT_GIL, &rows);
}

static void test_gil(void)
{
    gb__wait_row all = two_waits(5, true);
    is_u64(all.count, 2, "a thread that looks every 5 ms waits once each time");
    ok(all.ns > 40 * MS, "and all of its time counts: %.1f ms", (double)all.ns / 1e6);
    is_u64(all.key.waiter.code, (uintptr_t)&waiting, "by the code that waits");
    is_u64(all.key.waiter.at, 8, "and where in it");
    is_u64(all.key.holder.code, (uintptr_t)&holding, "and the code that holds the GIL");
    is_u64(all.key.holder.at, 16, "and where in it");
    is_u64(two_waits(500, false).count, 2, "as does one whose patience ends when the GIL is free");
}

// What CPython has on the stack of a thread that it parks.
typedef struct parked {
    int64_t *until;
    uintptr_t address;
    sem_t semaphore;
} parked;

static void wait_at(sem_t *s)
{
    sem_init(s, 0, 1);
    gb__sem_wait(s);
    sem_destroy(s);
}

static void test_semaphores(void)
{
    state own = {&world, &waits};
    int64_t *until = __builtin_alloca(sizeof *until);
    parked *p = __builtin_alloca(sizeof *p);
    sem_t *elsewhere = malloc(sizeof *elsewhere);
    int rows;
    if (!elsewhere) return;
    mine = &own;
    *until = 1;
    begin();
    p->until = until;
    p->address = 4096;
    wait_at(&p->semaphore);
    gb__wait_row r = sum(GB_WAIT_LOCK, &rows);
    ok(r.count == 1 && r.key.at == 4096, "who is parked waits for the mutex at that address");
    begin();
    *until = 0;
    wait_at(&p->semaphore);
    p->until = NULL;
    wait_at(&p->semaphore);
    sum(GB_WAIT_LOCK, &rows);
    ok(!rows, "with no time until which it need not be handed over, or without, it is none");
    const parked others[] = {{until, 0, {{0}}}, {(int64_t *)((char *)until + 1), 4096, {{0}}},
                             {&(int64_t){1} - 100000, 4096, {{0}}}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        begin();
        *p = others[i];
        wait_at(&p->semaphore);
        r = sum(GB_WAIT_LOCK, &rows);
        ok(r.count == 1 && r.key.at == GB__IN_C, "another entry on the stack is a lock in C");
    }
    begin();
    wait_at(elsewhere);
    r = sum(GB_WAIT_LOCK, &rows);
    ok(r.count == 1 && r.key.at == GB__IN_C, "as is a semaphore that is elsewhere");
    free(elsewhere);
    mine = NULL;
}

static _Atomic bool over;
static sem_t lock;

static void *contend(void *unused)
{
    state own = {&world, &waits};
    mine = &own;
    while (!atomic_load(&over)) {
        gb__sem_wait(&lock);
        gb__sched_yield();
        sem_post(&lock);
        take_gil(&world.own, 5);
        drop_gil(&world.own, true);
    }
    return unused;
}

// Threads that wait while noting begins and ends: for the thread sanitizer.
static void test_threads(void)
{
    pthread_t id[4], watcher;
    int rows, started = 0;
    world.own.locked = 0;
    sem_init(&lock, 0, 1);
    while (started < 4 && !pthread_create(&id[started], NULL, contend, NULL)) started++;
    for (int i = 0; i < 20; i++) {
        begin();
        atomic_store(&gb__seen.notes, true);
        bool watched = !pthread_create(&watcher, NULL, gb__watch_holder, NULL);
        gb__sleep_until(gb_now_ns() + 5 * MS);
        atomic_store(&gb__seen.notes, false);
        if (watched) pthread_join(watcher, NULL);
    }
    gb__wait_row all = sum(GB_WAIT_GIL, &rows);
    atomic_store(&over, true);
    for (int i = 0; i < started; i++) pthread_join(id[i], NULL);
    sem_destroy(&lock);
    ok(!rows || all.key.waiter.code == (uintptr_t)&waiting, "threads wait side by side");
}

int main(void)
{
    gb_py.PyGILState_GetThisThreadState = own_state;
    world.has = &world.own;
    world.own.holder = (uintptr_t)&holder;
    pthread_mutex_init(&world.own.mutex, NULL);
    pthread_cond_init(&world.own.changed, NULL);
    gb__seen.at = &offsets;
    gb__seen.code_type = 1;
    gb__seen.pid = getpid();
    gb__seen.gil = (uintptr_t)&world.own;
    atomic_store(&gb__seen.counts, true);
    atomic_store(&gb__seen.notes, true);
    test_rows();
    test_window();
    test_gil();
    test_semaphores();
    test_threads();
    free(gb__seen.rows);
    return tap_end();
}
