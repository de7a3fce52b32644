// The process that serves: it contains nothing of the program that started it, which has a large
// heap, many descriptors and a second thread here; and what it can't be told is refused.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

#define HEAP (200u << 20)

static int count_descriptors(int pid)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    while (dir && readdir(dir)) count++;
    if (dir) closedir(dir);
    return count - 2;  // . and ..
}

typedef struct facts {
    gb_usage usage;
    int descriptors;
} facts;

static facts start_and_look(const gb_service_config *config)
{
    facts f = {.descriptors = -1};
    gb_error error = {0};
    gb_service *s = gb_service_start(config, &error);
    if (!s) return diag("%s", error.text), f;
    if (gb_usage_read(gb_service_pid(s), true, &f.usage, &error)) diag("%s", error.text);
    f.descriptors = count_descriptors(gb_service_pid(s));
    if (gb_service_stop(s, &error)) diag("%s", error.text);
    return f;
}

static void respond(gb_exchange *exchange, void *user)
{
    gb_respond(exchange, 200, "text/plain", user, strlen(user));
}

static void *idle(void *arg)
{
    (void)arg;
    for (;;) pause();
    return NULL;
}

// What is started before and after this program has grown must be the same.
static void grow(char **heap)
{
    pthread_t id;
    *heap = malloc(HEAP);
    if (*heap) memset(*heap, 1, HEAP);
    ok(*heap && !pthread_create(&id, NULL, idle, NULL) && !pthread_detach(id), "a large program");
    for (int i = 0; i < 50; i++)
        if (dup(STDIN_FILENO) < 0) diag("dup: %s", strerror(errno));
}

static void compare(const char *what, facts small, facts large)
{
    near((double)large.usage.rss / 1e6, (double)small.usage.rss / 1e6, 8, "%s: RSS", what);
    near((double)large.usage.pss / 1e6, (double)small.usage.pss / 1e6, 8, "%s: PSS", what);
    ok(small.descriptors > 0 && small.descriptors == large.descriptors, "%s: descriptors", what);
}

static void test_handler(char *heap)
{
    gb_round round;
    gb_error error = {0};
    gb_measure_config config = {
        .service = {.app = "builtin:c", .server = {.handler = respond, .user = heap}},
        .load = {.connections = 2, .duration_s = 0.1, .expect = "from the heap"}};
    strcpy(heap, "hello from the heap");
    ok(!gb_measure(&config, &round, &error), "a handler has its caller's memory") ||
        (diag("%s", error.text), false);
    is_u64(gb_load_error_count(&round.errors), 0, "and answers with it");
}

static void test_too_long(void)
{
    static char name[2 * GB_PATH];
    gb_error error = {0};
    memset(name, 'x', sizeof name - 1);
    gb_service_config config = {.app = name};
    ok(!gb_service_start(&config, &error) && error.code == GB_USAGE, "a name that is too long");
    ok(strstr(error.text, "longer than"), "is refused with the reason");
}

static void test_command(void)
{
    static gb_python python = {.executable = "/a b/py'thon"};
    gb_service_config config = {.python = &python, .workers = 2,
                                .command = "{python} -b \"127.0.0.1:{port}\" {threads} {workers}"};
    char *command = gb__peer_command(&config, 8000);
    is_str(command, "exec /a\\ b/py\\'thon -b \"127.0.0.1:8000\" 1 2", "a command for sh");
    free(command);
}

// Who is to blame for a GIL that is back is asked of a child, of which nothing stays behind.
static void test_culprits(const gb_python *python)
{
    gb_round round = {.requests = 0};
    int before = count_descriptors(getpid());
    for (int i = 0; i < 3; i++)
        gb__gil_culprits(&(gb_service_config){.python = python}, "json", &round);
    is_str(round.gil.reenabled_by, "", "json is not to blame");
    is_u64((uint64_t)count_descriptors(getpid()), (uint64_t)before, "no descriptor stays behind");
}

int main(void)
{
    gb_python *found = NULL;
    size_t n = 0;
    gb_error error;
    facts small[8], large[8];
    gb_service_config configs[8] = {{.app = "builtin:c"}};
    int count = 1;
    char *heap = NULL;
    if (gb_pythons(NULL, 0, &found, &n, &error)) diag("%s", error.text);
    for (size_t i = 0; i < n && count < 7; i++)
        if (found[i].usable)
            configs[count++] = (gb_service_config){.app = "builtin:wsgi", .python = &found[i]};
    if (count > 1) {
        configs[count] = configs[count - 1];
        configs[count].workers = 2;
        configs[count++].worker_model = GB_PROCESSES;
    }
    for (int i = 0; i < count; i++) small[i] = start_and_look(&configs[i]);
    grow(&heap);
    for (int i = 0; i < count; i++) large[i] = start_and_look(&configs[i]);
    for (int i = 0; i < count; i++)
        compare(configs[i].python ? configs[i].python->id : configs[i].app, small[i], large[i]);
    if (heap) test_handler(heap);
    if (count > 1) test_culprits(configs[1].python);
    test_too_long();
    test_command();
    free(found);
    free(heap);
    return tap_end();
}
