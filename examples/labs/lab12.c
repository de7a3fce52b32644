// Lab 12. Did you measure the server or the client?
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

// To do: the letters of the rows that say something true of the server: "AB" if it were those two.
static const char yours[] = "";

static _Atomic int answered;

// Answers at once, but for every 2,000th, which keeps all of the server's one thread for 0.2 s.
static void stalls(gb_exchange *exchange, void *user)
{
    (void)user;
    if (++answered % 2000 == 0) usleep(200000);
    gb_respond(exchange, 200, "text/plain", "well\n", 5);
}

// Loads a server of its own for a second.
static gb_load_result row(char letter, const char *what, gb_handler handler, double rate)
{
    char url[64];
    gb_error error;
    gb_load_result r = {0};
    gb_server *server = gb_server_start(&(gb_server_config){.handler = handler}, &error);
    if (!server) exit((puts(error.text), 1));
    snprintf(url, sizeof url, "http://127.0.0.1:%d/json", gb_server_port(server));
    gb_load_config load = {.url = url, .connections = 8, .duration_s = 1, .rate = rate};
    if (gb_load(&load, &r, &error)) exit((puts(error.text), 1));
    gb_server_stop(server);
    const gb_histogram *h = letter == 'B' ? &r.uncorrected : &r.latency;
    printf("  %c  %-46s %7.0f req/s  p99 %6.1f ms\n", letter, what, r.rps,
           (double)gb_histogram_percentile(h, 99) / 1e6);
    return r;
}

int main(void)
{
    puts("Predict: the server of A to C stalls for 0.2 s every 2,000 requests; E is D again, "
         "called a new version.\nWhich of these rows would you publish?\n");
    gb_load_result a = row('A', "stalls, next request when the last is answered", stalls, 0);
    gb_load_result b = row('B', "stalls, 2,000 a second, timed from the sending", stalls, 2000);
    gb_load_result c = row('C', "stalls, 2,000 a second, timed from when due", stalls, 2000);
    gb_load_result d = row('D', "C code, as fast as one thread of a client asks", NULL, 0);
    gb_load_result e = row('E', "\"the new version\", compared by one round", NULL, 0);
    double due = (double)gb_histogram_percentile(&c.latency, 99) / 1e6;
    double sent = (double)gb_histogram_percentile(&c.uncorrected, 99) / 1e6;
    printf("\nWhy: while the server stalls, the client of A and B sends nothing, so a stall is one "
           "slow request\nin 2,000 instead of all that were due (coordinated omission): C's p99 is "
           "%.1f ms, timed from the\nsending %.1f. In D the client took %.1f us of CPU a request, "
           "so it is what was measured. E is the\nsame server, and \"%+.1f %%\" is what one round "
           "differs from another by.\n\n", due, sent, (double)d.cpu_ns / 1e3 / (double)d.requests,
           100 * (e.rps / d.rps - 1));
    gb_load_result *all[] = {&a, &b, &c, &d, &e};
    for (int i = 0; i < 5; i++) gb_load_free(all[i]);
    bool right = !strcmp(yours, "C");
    puts(right ? "PASS: C alone says how long somebody waits who comes when they come."
               : "To do: name the rows that neither the client nor chance has made.");
    return !right;
}
