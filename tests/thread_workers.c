// Groups of threads with C handlers in one process, fed by a dispatcher, under load: started and
// stopped again and again, and no descriptor stays behind.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

#define WORKERS 3

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static gb_load_result load(int port, int connections)
{
    char url[64];
    gb_error error = {0};
    gb_load_result result = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/json", port);
    gb_load_config config = {.url = url, .connections = connections, .duration_s = 0.3,
                             .warmup_s = 0.05};
    if (gb_load(&config, &result, &error)) diag("load: %s", error.text);
    return result;
}

static void test_load(int threads)
{
    gb__hosted h;
    gb_error error = {0};
    gb_service_config config = {.app = "builtin:c", .workers = WORKERS,
                                .worker_model = GB_THREADS, .server = {.threads = threads}};
    gb_code code = gb__hosted_start(&h, &config, NULL, &error);
    if (!ok(!code, "%d workers of %d threads start", WORKERS, threads)) diag("%s", error.text);
    gb__hosted_window_begin(&h, NULL);
    gb_load_result result = load(gb__hosted_port(&h), 30);
    ok(result.requests > 0, "they answer");
    static gb__window_stats stats;
    stats = (gb__window_stats){0};
    gb__hosted_stats(&h, &stats);
    is_u64((uint64_t)stats.workers, WORKERS, "each tells");
    for (int i = 0; i < WORKERS; i++) ok(stats.requests[i] > 0, "worker %d has answered", i + 1);
    gb_load_free(&result);
    ok(gb__hosted_stop(&h), "they stop");
}

static void *load_meanwhile(void *arg)
{
    gb_load_result result = load(*(int *)arg, 12);
    gb_load_free(&result);
    return NULL;
}

static void test_again_and_again(void)
{
    int before = count_descriptors(), stopped = 0;
    for (int i = 0; i < 8; i++) {
        gb__hosted h;
        gb_error error = {0};
        pthread_t client;
        gb_service_config config = {.app = "builtin:c", .workers = WORKERS,
                                    .worker_model = GB_THREADS, .server = {.threads = 1 + i % 2}};
        if (gb__hosted_start(&h, &config, NULL, &error)) diag("%s", error.text);
        int port = gb__hosted_port(&h);
        bool loaded = i % 2 && !pthread_create(&client, NULL, load_meanwhile, &port);
        if (loaded) gb__sleep_until(gb_now_ns() + GB__NS / 10);
        stopped += gb__hosted_stop(&h);
        if (loaded) pthread_join(client, NULL);
    }
    is_u64((uint64_t)stopped, 8, "stops, also under load");
    is_u64((uint64_t)count_descriptors(), (uint64_t)before, "no descriptor stays behind");
}

static void test_taken_port(void)
{
    gb__hosted h;
    gb_error error = {0};
    int before = count_descriptors(), fd = gb__listen("127.0.0.1", 0, &error);
    gb_service_config config = {.app = "builtin:c", .workers = WORKERS,
                                .server = {.port = gb__bound_port(fd)}};
    ok(gb__hosted_start(&h, &config, NULL, &error) == GB_NETWORK, "a port that is taken is refused");
    gb__hosted_stop(&h);
    close(fd);
    is_u64((uint64_t)count_descriptors(), (uint64_t)before, "no descriptor stays behind");
}

int main(void)
{
    test_load(1);
    test_load(4);
    test_again_and_again();
    test_taken_port();
    return tap_end();
}
