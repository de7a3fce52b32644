// A server with a handler in C and a client that loads it, in one process and without Python.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

static void hello(gb_exchange *exchange, void *user)
{
    gb_slice name = gb_request_query(exchange);
    char text[256];
    int n = snprintf(text, sizeof text, "%s, %.*s!\n", (const char *)user,
                     name.len < 100 ? (int)name.len : 100, name.data);
    gb_respond(exchange, 200, "text/plain", text, (size_t)n);
}

int main(void)
{
    gb_error error;
    gb_server *server = gb_server_start(
        &(gb_server_config){.threads = 4, .handler = hello, .user = "Hello"}, &error);
    if (!server) return fprintf(stderr, "%s\n", error.text), 1;

    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/?world", gb_server_port(server));
    gb_load_result result;
    gb_code code = gb_load(&(gb_load_config){.url = url, .connections = 16, .requests = 10000,
                                             .expect = "Hello, world!"}, &result, &error);
    if (code) fprintf(stderr, "%s\n", error.text);
    else
        printf("%llu answers, %llu errors, %.0f req/s, p50 %.3f ms, p99 %.3f ms\n",
               (unsigned long long)result.requests,
               (unsigned long long)gb_load_error_count(&result.errors), result.rps,
               (double)gb_histogram_percentile(&result.latency, 50) / 1e6,
               (double)gb_histogram_percentile(&result.latency, 99) / 1e6);
    gb_load_free(&result);
    gb_server_stop(server);
    return code != GB_OK;
}
