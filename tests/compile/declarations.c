// The declarations alone, after whatever else a program includes: no feature macro is needed.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gilbench.h"

#include "gilbench.h"

static void answer(gb_exchange *exchange, void *user)
{
    gb_slice path = gb_request_path(exchange);
    (void)user;
    gb_respond(exchange, 200, "text/plain", path.data, path.len);
}

// Everything that a lab program starts with, so that a name that clashes shows here.
int serve_and_load(const char *url);
int serve_and_load(const char *url)
{
    gb_error error = {.code = GB_OK};
    gb_server_config config = {.threads = 2, .handler = answer};
    gb_load_config load = {.url = url, .connections = 4, .requests = 10};
    gb_load_result result;
    gb_server *server = gb_server_start(&config, &error);
    if (!server) return EXIT_FAILURE;
    gb_code code = gb_load(&load, &result, &error);
    if (!code) gb_load_free(&result);
    gb_server_stop(server);
    return strcmp(gb_code_text(code), "done") ? errno : 0;
}
