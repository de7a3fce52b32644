// gilbench.h - 0.1.0 - CPython with and without the GIL, on web workloads - MIT or public domain
//
// One header, one translation unit, one binary: it finds the CPython builds of this machine, serves
// an application on each with a small HTTP server, loads it, and says what free-threading does to
// throughput, latency and memory here: with intervals, and with the time that requests waited for
// the GIL. Needs Linux, libc and pthreads; no Python headers, no link against libpython.
//
//     // lab.c                                       cc -O2 lab.c -o lab -pthread && ./lab
//     #define GILBENCH_IMPLEMENTATION
//     #include "gilbench.h"
//
//     int main(void)
//     {
//         gb_error error;
//         gb_python *found;
//         size_t n;
//         if (gb_pythons(NULL, 0, &found, &n, &error)) return puts(error.text), 1;
//         for (size_t i = 0; i < n; i++) {
//             if (!found[i].usable) continue;
//             gb_measure_config config = {.service = {.python = &found[i],
//                                                     .app = "builtin:wsgi",
//                                                     .server = {.threads = 4}},
//                                         .path = "/page",
//                                         .load = {.connections = 32, .duration_s = 1}};
//             gb_round r;
//             if (gb_measure(&config, &r, &error)) return puts(error.text), 1;
//             printf("%s: %.0f req/s, %.1f us a request waiting for the GIL\n", found[i].id, r.rps,
//                    r.anatomy_us.attach_wait.mean);
//         }
//         free(found);
//         return 0;
//     }
//
// The whole comparison as a program (examples/gilbench.c) is an include and one line:
//
//     int main(int argc, char **argv) { return gb_main(argc, argv); }
//
//     gilbench                                        the default comparison, under three minutes
//     gilbench compare --app shop.py:app --path /cart --python .venv --python .venv-t
//     gilbench compare --app shop.py:app --requests mix.jsonl -H 'Cookie: session=7'
//     gilbench compare --scenario article             both tables of the article, row by row
//     gilbench why --app shop.py:app --path /cart     who waits there for what, line by line
//     gilbench cpu --task fib --threads 1,4           Python code on threads, without a server
//     gilbench serve --app shop.py:app --threads 8    that server alone, for any client
//     gilbench load http://127.0.0.1:8000/cart -c 64  that client alone, for any server
//     gilbench pythons                                what it found, and what it can't use and why
//     gilbench report old.json new.json --html -      a result again, and what changed since
//
// An older libc wants -ldl at the end of the compiler's line.
//
// CONTENTS (search for the tag)
//
//     this manual      building, using, what is measured and how, limits
//     public API       types and calls, in the order of the rooms
//     >>config         what the implementation needs; limits a build may change
//     >>error          one way to fail
//     >>buffer         slices and growing text
//     >>clock          the one monotonic clock
//     >>stats          histogram, percentiles, intervals
//     >>proc           memory and CPU from /proc
//     >>cpus           which CPUs the server and the client have
//     >>host           facts of the machine
//     >>http           request and response parsers, chunked coding
//     >>net            sockets
//     >>server         what a server is made of, and who owns which part
//     >>exchange       a request's body and its answer, as a gateway sees them
//     >>connections    from accept to close, for threads and for loops
//     >>threads        thread mode: who waits, who takes which
//     >>loop           loop mode: what somebody else's event loop calls
//     >>handler        handlers in C
//     >>serving        start and stop of a server
//     >>client         the load generator: connections and their thread
//     >>load           the load generator: a whole load
//     >>python         load a libpython, start it, call it
//     >>probe          what an interpreter says of itself
//     >>builds         find the builds of a machine
//     >>gateway        an application and its interface
//     >>wsgi           PEP 3333: wsgi.input, start_response, the answer
//     >>environ        PEP 3333: environ, one call, setting up
//     >>asgi           ASGI 3.0: a worker's state, what the application waits for
//     >>coroutine      ASGI 3.0: what it sends, its scope, one request
//     >>eventloop      ASGI 3.0: the loop of a worker
//     >>waits          who waits for what, and who made them wait
//     >>service        an application behind a server, here or in a child
//     >>task           Python code on several workers, without a server
//     >>peers          somebody else's server
//     >>workers        several processes that serve as one
//     >>run            one measurement
//     >>plan           scenarios, and the matrix of cells
//     >>verdict        what the rounds say: medians, ratios, verdicts
//     >>fairness       what could make a comparison unfair
//     >>compare        the matrix, measured round by round
//     >>merge          several results as one
//     >>answer         a result in plain sentences
//     >>table          rows of text: aligned, Markdown, CSV
//     >>report         a result in tables
//     >>json           JSON, written and read
//     >>schema         the keys of a result's file
//     >>file           a result's file, written and read
//     >>export         files for pyperf and HdrHistogram's plotter
//     >>svg            markup, and a chart of lines
//     >>lines          the picture of a scenario
//     >>paper          a terminal, Markdown, or an HTML page
//     >>page           a result to be read
//     >>class          the results of several machines on one page
//     >>options        the command line: one table of options
//     >>commands       the command line: pythons, serve, load
//     >>main           the command line: compare, report
//
// A room calls only the rooms above it.
//
// BUILDING
//
// Define GILBENCH_IMPLEMENTATION in one .c file before the include; include the header without it
// wherever else you need the declarations (C11 or C++17). Define GILBENCH_STATIC in both to make
// everything private to the file. The implementation wants to be the first include of its file, or
// -D_GNU_SOURCE on the command line; it says so if neither is the case.
//
// WHAT IT DOES NOT DO
//
// No TLS, no HTTP/2, no websockets. No load on another machine: server and client share this one,
// and the report says so. It is a measuring instrument, not a server for production.
//
// INTERPRETERS
//
// CPython 3.14 or newer (it is started through PEP 741) with a shared libpython. The GIL build and
// the free-threaded one have different ABIs, so a program compiled for one can't run the other; but
// code that only calls functions can, so each measurement has a child process, which loads the
// build's libpython with dlopen and calls it through the table gb_py; your code may use it, too. A
// virtual environment counts as its base build with its own site-packages. PYTHON* variables and
// the locale count as they do for the command `python`, for every build and for every server alike;
// but PYTHONHOME doesn't, and PYTHON_GIL and PYTHON_JIT are what gil= and jit= ask for.
//
// APPLICATIONS
//
// FILE.py:NAME, or module:NAME found from the current directory; NAME may be dotted, and NAME()
// calls a factory. --app-dir is that directory for every server, somebody else's as well, and
// --env K=V gives them variables, from before the interpreter starts. A FILE.py among __init__.py's
// is that module of its package. The interface, WSGI (PEP 3333) or ASGI 3.0, is found out from the
// application.
// builtin:wsgi and builtin:asgi have the article's /json and /io (10 ms of sleep), /page (what an
// ordinary page costs in Python: 0.25 ms of choosing, sorting, formatting and JSON, no lock) and
// /query (the page after a wait of 5 ms). builtin:c gives the same answers from C: the control,
// which has no lock and no interpreter, and computes nothing.
//
// THE SERVER
//
// It stands for the servers that people use, so it has no cleverness of its own: N threads are N
// threads, and an answer that is complete is sent at once.
//
// WSGI and C: N threads share one epoll instance. One of them waits in it and hands the connections
// that are ready to those that are idle. A thread takes a connection, reads, parses, calls the
// application, writes, and takes the next; it holds one Python thread state for its life and is
// attached to the interpreter only while it runs Python, never in a read, in a wait, or in a write
// that could wait.
//
// ASGI: one event loop (asyncio, or uvloop and rloop where they are installed) that serves all its
// connections; each request is an eager task. With one worker the loop has the main thread.
//
// Workers: W processes with that many threads or a loop each, or, where the GIL is off, W groups of
// threads or loops in one interpreter. Connections go to them in turn. A worker that dies ends the
// measurement. The processes are forked once the application is loaded, as by gunicorn --preload,
// behind gc.freeze(), and share what they don't write to; loops and lifespans begin in each.
// Threads that an application starts while it is imported don't survive a fork, and what it has
// opened then all of them have: where that won't do, --worker-model processes-each loads it in
// each. --worker-model subinterpreters has W interpreters in one process, each with threads or a
// loop, and a GIL, of its own (PEP 684). A row whose application imports what can't be loaded there
// fails, and names it; no fork and no daemon threads are allowed.
//
// What bad input gets:
//
//     malformed request line or field, bare CR, LF or NUL, obs-fold, bad chunk    400, close
//     Content-Length with Transfer-Encoding, two different lengths                400, close
//     a transfer coding before chunked, CONNECT                                   501, close
//     Host missing or twice in HTTP/1.1, Content-Type or its like twice           400, close
//     request line over 8 KiB                                                     414, close
//     fields over 64 KiB or 128 of them                                           431, close
//     body over 16 MiB (gb_server_config.max_body)                                413, close
//     an expectation other than 100-continue                                      417, close
//     a version other than 1.0 and 1.1                                            505, close
//     head or body slower than 10 s (read_timeout_s)                              408, close
//     nothing for 60 s (idle_timeout_s)                                           closed
//     application raises before its answer began                                  500
//     application raises later                                                    closed: truncated
//     application's header with a control character                               500
//     application's field about the connection (hop-by-hop)                       dropped
//     client gone: ASGI's send does nothing, receive gives http.disconnect
//     out of descriptors                                                          accepts later
//
// Of the fields about the connection, an ASGI application's "Connection: close" is honoured, and
// a WSGI application gets one warning. Two choices of WSGI alone: request fields with an underscore
// in their name are dropped, because "a_b" and "a-b" are the same variable; and a repeated field
// is joined with a comma, a Cookie with a semicolon.
//
// THE CLIENT
//
// A closed loop by default: each connection sends its next request as soon as the answer is there.
// With a rate it is an open loop: requests start on a fixed schedule whatever the server does, and
// latency counts from the scheduled start, so that a stall shows in every request it delayed
// (coordinated omission; Gil Tene, "How NOT to Measure Latency"). The uncorrected latency is shown
// beside it. A status of 400 or more, a truncated or unexpected body and a timeout are errors by
// kind; none of them counts as answered, and their latency isn't recorded. Redirects are answers,
// but they are counted apart and named: few mean to measure the way to a login page.
//
// A mix is a file of JSON lines, a request each: "path" and, if need be, "method", "headers" (an
// object), "body" and "weight" (default 1). Each thread sends them in a fixed order in which every
// request has its share in any short while; latencies are those of all of them.
//
// Requests a second are of what is answered within the window; latency is of what was to start
// within it. So the client goes on reading when the window is over until all of that is answered:
// for a second, or twice as long as the slowest answer took, never beyond the timeout. What has no
// answer then, or, with a rate, was due and found no free connection, is `unanswered`: it counts in
// the latencies with the time that it had waited.
//
// CPUS
//
// From 4 CPUs on, as many as this process may use and a container's quota allows, a comparison
// gives a quarter of them to the client and the others to its servers (sched_setaffinity), in whole
// cores; below that they share. The report says which. The client has one thread, or as many as it
// takes to need less than 0.8 of their CPUs with the fastest cell, the same for all cells.
// --client-threads N gives it N threads and CPUs instead. --server-cpus 1,2,4 measures each cell on
// so many: one of each core, as long as there are cores, then the second ones (SMT).
//
// MEMORY AND CPU
//
// From /proc over the server's whole process tree. Memory is that of the service, whoever else
// runs: its anonymous pages, those that its processes share by fork once; and the resident pages of
// each file that it maps (libpython, extensions) once, as much as the process has that has most. To
// what is there at the window's end is added what each process had more at its peak within it.
// Beside it stand RSS and its peak, in which a shared page counts in each process; PSS, which
// divides it by all who map it, strangers included; and USS, the private pages. 1 MB is 1,000,000
// bytes. CPU is user plus system time over the time between two readings. A client that used up its
// own may be the limit, and a warning says so.
//
// WHERE A REQUEST'S TIME GOES
//
// ready_wait (since epoll told of it until a thread takes it up, or the loop comes to it: long with
// more connections than threads, so shares are of the others), read (to a parsed request),
// attach_wait (for the GIL, wherever that happens), lock_wait and world_wait (for locks and for a
// stopped world), app (Python, and building the answer; off_cpu is what of that was not on a CPU:
// in a sleep, a query, or because others had it), write: of one request in four, picked at random,
// off_cpu of one in 32. They add up to the request's time. Of an event loop's requests each has
// what the loop waits for while it is on; what an executor's thread waits for is off_cpu there.
// Garbage collections and their pauses are counted beside them. Where the waits of an interpreter
// can't be followed (see below) attach_wait is that of WSGI at a request's beginning, and after it
// was read or written; all others are "-".
//
// WHO WAITS FOR WHAT
//
// `gilbench why` (gb_service_config.waits, and gb_waits_begin for any other program) notes every
// wait of 3.14's threads for the GIL, for the locks of objects and of threading, and for a stopped
// world: how long, the line of Python that waits, and the line that had the GIL or stopped the
// world or the object whose lock it is, by name where a module leads to it. To wait to be told (a
// Condition, an Event, a queue) is kept apart, and noted only in the server's own threads.
// libpython's calls of the C library's waiting functions are led to this program; lines are read by
// the offsets that CPython has for debuggers. Each part of that is tried at the start, and where it
// fails (another version, a static libpython) the report says so. Where a sandbox forbids
// process_vm_readv, the lines that make others wait are left out; of workers with interpreters of
// their own (subinterpreters) all is. Who has the GIL is looked up 1,400 times a second: shorter
// holds are seen by chance; "no line of Python" has it between requests, or in C. A free-threaded
// thread yields up to 40 times before it is parked, which counts as its line's wait. Locks that an
// extension takes from the C library aren't seen; from PyThread_allocate_lock, without a name.
// Names and lines are looked up at the end: of code or a lock that is no more by then none is
// found, or that of the code or lock that came to its place. To note lines slows down who waits, so
// compare counts waits only, and measures those rows once more, apart, whose requests wait for over
// a tenth of their time, to say what for.
//
// Of WSGI without a GIL `why` also names the objects whose references threads count that don't own
// them: the counts of all objects are read again and again ahead of the window, under load. How
// often a request changes one is told by sys.stderr's, which each changes twice; those with less
// than 8 are left out. Where they "couldn't be seen" the machine was too busy, or there is no WSGI.
// --what-if makes four of those that a module's name leads to immortal, which ends their counting,
// in one of two arms that are measured in turn: what the application would gain. Their locks stay.
//
// METHOD
//
// A cell is one combination of build, application and topology. A round measures every cell once,
// each on a fresh server process, in a shuffled order in which what is to be compared stands next
// to each other: machines drift within seconds. The warm-up ends when the rate has settled, and
// the load runs on into the window.
//
// Without --threads and --workers the topologies are those that people run: 1 thread, a thread a
// CPU and 64, and a process a CPU, on each build; of ASGI one event loop, and a worker a CPU of the
// kind that suits the build. The default comparison begins with what matters most; what eight
// rounds in two minutes have no room for is left out and named.
//
// Best against best: when the matrix is measured (in 6 rounds or more), each build's topology with
// the most req/s (with a rate, the lowest p99) is measured again beside the other builds' best, in
// as many rounds of its own. To choose and to compare by the same rounds would make luck a result.
//
// Ratios are taken within a round and summarised over rounds: median and 95 % bootstrap interval
// (percentiles widened for few rounds; T. Hesterberg, "What Teachers Should Know About the
// Bootstrap", 2015. For 6 to 30 ratios, normal, contaminated, bimodal or skewed, it missed the
// truth in 1 to 6 % of 600 cases each, plain percentiles and BCa in 4 to 11 %). "Faster" and
// "slower" need the interval, not the median, to be clear of 1 by 1 %; "no difference" needs it to
// lie within that 1 %; all else is "unclear", as is everything with fewer than 6 rounds, which give
// no interval of 95 %, and a free-threaded build whose GIL came back. Few cells get more rounds
// than many: by default they go on until each ratio of req/s (with a rate, of latencies) is known
// to 2 %, or two minutes are over, but for 8 at least. `make calibrate` shows what verdicts are
// worth.
//
// Answers that sleep or wait come in bursts: of all threads, or of all connections. How many bursts
// a window catches is chance, so behind a warm-up answers near its ends count in part, and the
// window is made to fit the bursts' distance, four of them at least (up to 10 s; beyond that, and
// where few steps have answers, a warning says that req/s can't be known). Req/s are then right to
// 1 % whatever the phase, and a window of 0.4 s lasts for 0.8 where an answer takes 0.2.
//
// The rounds of two results (gilbench report old.json new.json) aren't paired, and two sessions of
// one machine differ by themselves: there the ratio is one of medians, and its interval that of two
// independent samples, widened for sessions that differ by 2 %. It tells no less than about 7 %.
//
// A free-threaded build turns its GIL on again when it imports an extension module that doesn't
// declare that it runs without. The state is asked after the load, and every such module is named.
//
// TASKS
//
// gilbench cpu measures Python code without a server, as rows of the same kind. Its workers are
// threads, threads with an interpreter each, or processes, and begin together; each does the whole
// job, or a share of it (--split). Built-in jobs have a size, fib(40), that becomes smaller where a
// round would take more than ten seconds or so, unless it is given (fib:40). An exception in any
// worker fails the row.
//
// SOMEBODY ELSE'S SERVER
//
// compare --server 'granian --interface wsgi --port {port} shop:app' --app shop.py:app measures
// that server on each build as well: same client, same topology, alternating with ours. The
// command is run by sh as `exec COMMAND`; {port}, which it must have, {python}, {threads} and
// {workers} are replaced: without the last two the usual topologies are one to it. The build's
// directory comes first in its PATH, and it is ready when its path answers. From outside there is
// no anatomy, and of the GIL only CPython's warning that it came back.
//
// ENVIRONMENTS
//
// Scenarios with packages (--scenario article, realistic) and servers use the environments that
// `make venvs` keeps in the per-user cache, where each build has one. Without, the article is
// measured with the built-in applications, which the report says; its published figures stand
// beside the rows as reported, with their source: another machine's, and no target.
//
// REPORTS
//
// Tables and pages begin with the answer in at most twenty sentences, of what was measured alone:
// build against build by number of threads, what threads do to each, best against best where the
// winners were measured again, memory, and why: the ledger, which is exact arithmetic. Of the CPU
// time that N threads could have used, a part is lost waiting; of the rest each request may cost
// more than one thread's does: req/s / (N x one thread's) = [cores / (N x one's)] / [CPU of a
// request / one's]. Of six thread counts or more on four CPUs or more it has a fit of the universal
// scalability law (N. Gunther): N threads do N / (1 + contention (N - 1) + coherency N (N - 1)) of
// one's, so contention is what only one at a time can do, coherency what each pair of them costs.
// It ends with what makes this unsure, and what to do about that first.
//
// --json keeps everything that was measured; `gilbench report` makes each of the other formats from
// it, to the same last digit. CSV has all figures in full: a row a cell, then a row a comparison,
// whose figures are ratios to the cell in `against`. A row whose GIL came back is called "GIL back"
// wherever it is named; what wasn't measured is "-", never 0. Files of several machines
// stand side by side, on one page (--html). Of others the first is what the rest is held against:
// cells of the same scenario and topology, on the build of the same id or, between
// versions, of the same kind. Rounds of two files aren't paired, so the ratio is one of medians,
// and what else is not the same (machine, kernel, version, compiler) becomes a warning.
// --pyperf writes a file a build, in seconds a request of the whole server, 1 / (req/s), because
// pyperf takes lower for better; its median of an even number of rounds is therefore a hair off 1 /
// median. --hdr writes the latencies of all rounds of a cell. Files are named by ids, with "~" for
// "/". Names that come from outside are text in every format: never a control character, markup, or
// a spreadsheet's formula (in CSV a ' stands before what would be one).
//
// ERRORS, OWNERSHIP, THREADS
//
// Strings in configurations are borrowed for the call (gb_server_start and gb_service_start copy
// what they keep). Configurations are structs in which zero means the default. Different
// servers, loads and results may be used from different threads; one object by one thread at a
// time. gb_service_start, gb_measure and gb_compare execute this program again for each server: the
// child does its work before main and has nothing of its parent's memory. gb_pythons forks, and so
// do they for a handler that is a function of yours, whose memory then counts as the server's, and
// in a shared library: call it while no other thread holds a lock. There is one interpreter a
// process: gb_python_start and gb_serve are for a process that runs no other; gb_python_start sets
// PYTHONHOME, PYTHON_GIL and PYTHON_JIT in its environment. The library never exits the
// process and prints nothing, but for the application's tracebacks, the last words of somebody
// else's server and a line when an import takes more than 5 s, which go to stderr.
//
// LICENSE
//
// MIT or public domain, as you like; the texts are at the end of this file.

#ifndef GILBENCH_H
#define GILBENCH_H

// The implementation needs Linux and GNU interfaces; the macro that asks for them must come before
// the first system header of the translation unit.
#if defined GILBENCH_IMPLEMENTATION && !defined _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GB_VERSION "0.1.0"

#ifdef GILBENCH_STATIC
#if defined __GNUC__
#define GB_API __attribute__((unused)) static
#else
#define GB_API static
#endif
#else
#define GB_API extern
#endif

// ---- errors -------------------------------------------------------------------------------------
// A call that can fail returns a gb_code (GB_OK is 0) or NULL, and puts one sentence that says what
// to do into *error, which is the caller's and may be NULL.

#define GB_CODES(X)                                                                                \
    X(GB_OK, "done")                                                                               \
    X(GB_USAGE, "an argument or a configuration field is wrong")                                   \
    X(GB_NO_PYTHON, "no usable interpreter: needs CPython 3.14 or newer with a shared libpython")  \
    X(GB_APP, "the application could not be imported or started")                                  \
    X(GB_NETWORK, "an address could not be bound, reached or resolved")                            \
    X(GB_SYSTEM, "the operating system refused a call")                                            \
    X(GB_MEASUREMENT, "a measurement failed, or answers were wrong")                               \
    X(GB_INTERRUPTED, "stopped by a signal; what was measured so far is kept")

#define GB_CODE_NAME(name, text) name,
typedef enum gb_code { GB_CODES(GB_CODE_NAME) GB_CODE_COUNT } gb_code;
#undef GB_CODE_NAME

typedef struct gb_error {
    gb_code code;
    char text[1024];
} gb_error;

GB_API const char *gb_code_text(gb_code code);

// ---- slices -------------------------------------------------------------------------------------
// Bytes that belong to somebody else: not NUL-terminated, valid as long as the owner says.

typedef struct gb_slice {
    const char *data;
    size_t len;
} gb_slice;

// ---- clock --------------------------------------------------------------------------------------
// Nanoseconds of CLOCK_MONOTONIC: the only clock that durations are taken from.

GB_API uint64_t gb_now_ns(void);

// ---- stats --------------------------------------------------------------------------------------
// HdrHistogram's bucketing (Gil Tene, hdrhistogram.org) with a unit of 1 ns: `digits` significant
// decimal digits from 1 us up to an hour; anything longer counts as an hour. One writer at a time.

typedef struct gb_histogram {
    int sub_bits;       // log2 of the number of linear steps an octave is divided into, plus one
    size_t length;      // of counts
    uint64_t *counts;   // owned
    uint64_t total;     // values recorded
    uint64_t min, max;  // ns, exact; 0 when empty
    double sum;         // ns
} gb_histogram;

GB_API gb_code gb_histogram_init(gb_histogram *h, int digits, gb_error *error);  // digits 1..3
GB_API void gb_histogram_free(gb_histogram *h);
GB_API void gb_histogram_reset(gb_histogram *h);
GB_API void gb_histogram_record(gb_histogram *h, uint64_t ns);
// Adds all of `from`, which must have the same digits, to `into`.
GB_API void gb_histogram_merge(gb_histogram *into, const gb_histogram *from);
// The value, in ns, at or below which `percentile` (0..100) of the values lie; 0 when empty.
GB_API uint64_t gb_histogram_percentile(const gb_histogram *h, double percentile);
GB_API double gb_histogram_mean(const gb_histogram *h);  // ns; 0 when empty
// Writes the percentile distribution in milliseconds as HdrHistogram's plotter reads it (.hgrm),
// always with the same ladder of percentiles, because the plotter pairs the rows of several files.
GB_API gb_code gb_histogram_write(const gb_histogram *h, FILE *out, gb_error *error);

typedef struct gb_interval {
    double median, lo, hi;  // lo..hi is a 95 % interval of the median
} gb_interval;

// Median of n values with a 95 % bootstrap interval; the same seed gives the same interval.
GB_API gb_interval gb_median_ci(const double *values, size_t n, uint64_t seed);
// Median of b over median of a, of two samples that have nothing to do with each other, with a
// 95 % bootstrap interval.
GB_API gb_interval gb_ratio_ci(const double *a, size_t a_count, const double *b, size_t b_count,
                               uint64_t seed);

// ---- proc ---------------------------------------------------------------------------------------
// Memory and CPU of a process and all its descendants, from /proc.

typedef struct gb_usage {
    size_t processes, threads;
    uint64_t rss, rss_peak;         // bytes now, and at most since gb_peak_reset
    uint64_t pss, uss, service;     // bytes; 0 unless asked for with `exact`
    uint64_t at;                    // gb_now_ns() when the CPU time was read
    uint64_t user_ns, system_ns;    // CPU time since each process started
    uint64_t context_switches;      // voluntary and involuntary, of the threads that are alive
} gb_usage;

// `exact` also reads smaps (PSS, USS, service): it walks the page tables and stalls the process's
// own mmap for milliseconds, so it belongs at the end of a window.
GB_API gb_code gb_usage_read(int pid, bool exact, gb_usage *usage, gb_error *error);
GB_API void gb_peak_reset(int pid);  // peak RSS of the tree counts from here

// What the machine is: everything a reader needs to judge a result. Unknown facts are "" or 0.
typedef struct gb_host {
    char hostname[256], kernel[256], cpu_model[256], governor[64];
    int cpus;                  // that this process may run on
    uint64_t memory;           // bytes
    double load_1min;
    uint64_t steal_ns;         // since boot, summed over the CPUs
    double cgroup_cpus;        // CPU quota of the container (cgroup v2), in CPUs; 0 = none
    int threads_per_core;      // more than 1: some of the CPUs are halves of a core (SMT)
    int turbo;                 // 1 on, 0 off, -1 unknown
    uint64_t swapped_pages;    // in and out, since boot
} gb_host;

GB_API void gb_host_read(gb_host *host);

#define GB_MAX_CPUS 1024

// Which CPUs a comparison gives to its servers and which to its client; no count: nobody knows.
typedef struct gb_placement {
    int server_cpus[GB_MAX_CPUS];  // a server that has fewer has the first of them
    int client_cpus[GB_MAX_CPUS];  // the same where there are too few to part
    int server_cpu_count, client_cpu_count;
} gb_placement;

// ---- http server --------------------------------------------------------------------------------
// A minimal HTTP/1.1 server for handlers written in C. N threads share one epoll instance.

typedef struct gb_exchange gb_exchange;  // one request and its answer; valid during the handler
typedef void (*gb_handler)(gb_exchange *exchange, void *user);

GB_API gb_slice gb_request_method(const gb_exchange *exchange);
GB_API gb_slice gb_request_path(const gb_exchange *exchange);   // raw: not percent-decoded
GB_API gb_slice gb_request_query(const gb_exchange *exchange);  // after '?', raw
GB_API gb_slice gb_request_header(const gb_exchange *exchange, const char *name);  // "" if absent
// Reads up to `size` bytes of the request's body: 0 at its end, -1 when it can't be read.
GB_API long gb_request_read(gb_exchange *exchange, void *buffer, size_t size);
// Answers with a complete body. A handler that returns without an answer gives a 500. Where there
// is no body, content_type may be NULL.
GB_API void gb_respond(gb_exchange *exchange, int status, const char *content_type,
                       const void *body, size_t size);

typedef struct gb_server_config {
    const char *host;         // default "127.0.0.1"
    int port;                 // default 0: a free one, see gb_server_port
    int threads;              // default 1
    gb_handler handler;       // default: that of builtin:c
    void *user;               // handed to the handler
    uint64_t max_body;        // default 16 MiB; more is answered with 413
    double read_timeout_s;    // default 10: a request's head or body slower than this gets a 408
    double idle_timeout_s;    // default 60: a quiet keep-alive connection is closed after this
} gb_server_config;

typedef struct gb_server gb_server;

GB_API gb_server *gb_server_start(const gb_server_config *config, gb_error *error);
GB_API int gb_server_port(const gb_server *server);
// Finishes what is in flight, closes every connection and frees the server.
GB_API void gb_server_stop(gb_server *server);

// ---- http client --------------------------------------------------------------------------------

// What can go wrong with a request; none of these counts as answered.
#define GB_LOAD_ERRORS(X)                                                                          \
    X(connect, "the connection was refused or failed")                                             \
    X(read, "the connection broke while an answer was awaited")                                    \
    X(write, "the connection broke while a request was sent")                                      \
    X(timeout, "no complete answer in time")                                                       \
    X(truncated, "the connection closed in the middle of an answer")                               \
    X(malformed, "an answer that breaks the rules of HTTP/1.x")                                    \
    X(status, "an answer with a status of 400 or more")                                            \
    X(unexpected, "a body without the expected text")

#define GB_LOAD_ERROR_FIELD(name, text) uint64_t name;
typedef struct gb_load_errors {
    GB_LOAD_ERRORS(GB_LOAD_ERROR_FIELD)
} gb_load_errors;
#undef GB_LOAD_ERROR_FIELD

typedef struct gb_load_progress {
    double seconds;              // since the load began
    uint64_t answered;           // since then
    double rps;                  // in the last tenth of a second or so
    bool in_window;              // the warm-up is over
} gb_load_progress;

// One of several requests that a load is a mix of.
typedef struct gb_request {
    const char *method;          // default GET, or POST with a body
    const char *path;            // default: the URL's
    const char *const *headers;  // "Name: value" lines, header_count of them
    size_t header_count;
    const void *body;
    size_t body_size;
    double weight;               // how often it is sent, beside the others; default 1
} gb_request;

typedef struct gb_load_config {
    const char *url;             // http://HOST[:PORT]/PATH
    int connections;             // default 64
    int threads;                 // default 1
    const int *cpus;             // cpu_count of them, that they run on; default: the caller's
    int cpu_count;
    double duration_s;           // default 10; counted from the end of the warm-up
    double warmup_s;             // default 0; runs on without a gap, until every connection
                                 // has also had one answer and the rate has settled, within
                                 // ten times this
    uint64_t requests;           // stop after so many instead; default 0: by duration
    double rate;                 // requests/s over all connections on a fixed schedule (an open
                                 // loop); default 0: the next as soon as the answer is there
    const char *method;          // default GET, or POST with a body
    const char *const *headers;  // "Name: value" lines, header_count of them
    size_t header_count;
    const void *body;
    size_t body_size;
    const gb_request *mix;       // instead of `method` and `body`; `headers` are in each
    size_t mix_count;
    const char *expect;          // text that each body must contain; default NULL
    bool no_keepalive;           // a new connection for each request
    double timeout_s;            // of one request; default 30
    // Called by the calling thread at the start and at the end of the measured window, while the
    // load runs.
    void (*on_window)(void *user, bool end);
    // Called by the calling thread every 10 ms or so while the load runs.
    void (*on_progress)(void *user, const gb_load_progress *progress);
    void *user;
    const bool *stop;            // set to true (by a signal handler, say) to end early
} gb_load_config;

typedef struct gb_answer {
    int status;
    uint64_t size;               // of its body
} gb_answer;

typedef struct gb_load_result {
    double warmup_s;             // how long it was
    bool unsettled;              // the rate had not settled when it ended
    double seconds;              // of the measured window; may be more than was asked for
    double drift;                // req/s of its second half by those of its first; 0: can't be said
    bool coarse;                 // answers came in bursts too far apart to know req/s from it
    uint64_t requests;           // answered well within it
    uint64_t started;            // begun within it
    bool rate_missed;            // these are fewer than the rate asked for
    uint64_t unanswered;         // in flight or overdue at its end, and still a while later
    uint64_t bytes;              // received
    gb_load_errors errors;
    uint64_t statuses[6];        // complete answers within it by class: [2] is 2xx; [5] is the rest
    gb_answer first_answer;      // to the first request of a mix
    double rps;                  // requests / seconds; after a warm-up counted softly, see METHOD
    gb_histogram latency;        // of what was to start within it, see THE CLIENT
    gb_histogram uncorrected;    // with a rate: from the actual start; else empty
    uint64_t cpu_ns;             // CPU time of the client's threads in the window
    char first_error[256];       // one example in words; "" without errors
    char redirect[256];          // where the first 3xx pointed to; "" without
} gb_load_result;

// GB_OK and GB_INTERRUPTED leave a result, which gb_load_free frees; anything else leaves none.
GB_API gb_code gb_load(const gb_load_config *config, gb_load_result *result, gb_error *error);
GB_API void gb_load_free(gb_load_result *result);
GB_API uint64_t gb_load_error_count(const gb_load_errors *errors);

// ---- python -------------------------------------------------------------------------------------

#define GB_PATH 1024

typedef struct gb_python {
    char id[64];               // unique in a list: "3.14.7", "3.14.7t", or the name given
    char version[32];          // "3.14.7"
    int hex;                   // sys.hexversion
    bool free_threaded;        // built with --disable-gil
    bool debug;                // built with --with-pydebug
    bool jit;                  // the build has a JIT
    char optimized[32];        // "PGO+LTO", "PGO", "LTO", "-O3", ...: how it was compiled
    char executable[GB_PATH];  // of the virtual environment, where one was given
    char libpython[GB_PATH];
    char home[GB_PATH];        // PYTHONHOME for builds that don't find their library; else ""
    char prefix[GB_PATH];      // sys.prefix: differs from base_prefix in a virtual environment
    char base_prefix[GB_PATH];
    char include[GB_PATH];     // where its Python.h is, if it has one
    char configure_args[2048];
    char packages[4096];       // "flask 3.1.3, jinja2 3.1.6": what is installed; as far as it fits
    char compiler[256];
    char cflags[2048];
    bool usable;
    char problem[512];         // if it is not usable: why, and how to get one that is
    int gil;                   // -1 as the build does by default, 0 off, 1 forced on
    int use_jit;               // -1 as the build does by default, 0 off, 1 on
} gb_python;

// Finds interpreters: those of `wanted` (an executable, a virtual environment, an installation, a
// libpython; ",gil=0|1,jit=0|1,name=TEXT" may follow) or, with none, all that this machine has in
// the usual places, beside this program first. *list is the caller's: free() it. Also lists what
// can't be used, with the reason. Fails when something in `wanted` isn't an interpreter at all.
GB_API gb_code gb_pythons(const char *const *wanted, size_t count, gb_python **list, size_t *length,
                          gb_error *error);
// Of those that this machine has: the GIL build and the free-threaded build of the newest version
// that has both, of several the two that compare best.
GB_API gb_code gb_python_pair(gb_python pair[2], gb_error *error);

// The C API of the interpreter that this process has loaded, for code that only calls: opaque
// objects, no macros, no fields, so that one binary runs every build. gb_py.PyDict_New() is
// CPython's own function, with CPython's own rules (docs.python.org/3/c-api). Only functions with
// the same prototype in every build belong here; tests/prototypes.c holds the list against the
// Python.h of each build found.

typedef struct _object PyObject;
typedef struct _typeobject PyTypeObject;
typedef struct _ts PyThreadState;
typedef struct _is PyInterpreterState;
typedef struct PyInitConfig PyInitConfig;
typedef ptrdiff_t Py_ssize_t;

#ifndef Py_PYTHON_H
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);
typedef struct PyMethodDef {
    const char *ml_name;
    PyCFunction ml_meth;
    int ml_flags;
    const char *ml_doc;
} PyMethodDef;
typedef struct PyType_Slot {
    int slot;
    void *pfunc;
} PyType_Slot;
typedef struct PyType_Spec {
    const char *name;
    int basicsize;  // negative: so many bytes beyond the base type, as each build lays it out
    int itemsize;
    unsigned int flags;
    PyType_Slot *slots;
} PyType_Spec;
typedef struct PyStatus {
    unsigned int _type;  // an enum; 0: fine
    const char *func, *err_msg;
    int exitcode;
} PyStatus;
typedef struct PyInterpreterConfig {
    int use_main_obmalloc, allow_fork, allow_exec, allow_threads, allow_daemon_threads;
    int check_multi_interp_extensions, gil;
} PyInterpreterConfig;
#endif

#define GB_PY_FUNCTIONS(X)                                                                         \
    X(PyInitConfig *, PyInitConfig_Create, (void))                                                 \
    X(void, PyInitConfig_Free, (PyInitConfig *))                                                   \
    X(int, PyInitConfig_HasOption, (PyInitConfig *, const char *))                                 \
    X(int, PyInitConfig_SetInt, (PyInitConfig *, const char *, int64_t))                           \
    X(int, PyInitConfig_SetStr, (PyInitConfig *, const char *, const char *))                      \
    X(int, PyInitConfig_GetError, (PyInitConfig *, const char **))                                 \
    X(int, Py_InitializeFromInitConfig, (PyInitConfig *))                                          \
    X(int, Py_FinalizeEx, (void))                                                                  \
    X(void, PyOS_BeforeFork, (void))                                                               \
    X(void, PyOS_AfterFork_Parent, (void))                                                         \
    X(void, PyOS_AfterFork_Child, (void))                                                          \
    X(PyStatus, Py_NewInterpreterFromConfig, (PyThreadState **, const PyInterpreterConfig *))      \
    X(void, Py_EndInterpreter, (PyThreadState *))                                                  \
    X(PyInterpreterState *, PyInterpreterState_Get, (void))                                        \
    X(PyThreadState *, PyThreadState_New, (PyInterpreterState *))                                  \
    X(void, PyThreadState_Clear, (PyThreadState *))                                                \
    X(void, PyThreadState_DeleteCurrent, (void))                                                   \
    X(PyThreadState *, PyGILState_GetThisThreadState, (void))                                      \
    X(PyThreadState *, PyEval_SaveThread, (void))                                                  \
    X(void, PyEval_RestoreThread, (PyThreadState *))                                               \
    X(PyObject *, PyEval_EvalCode, (PyObject *, PyObject *, PyObject *))                           \
    X(PyObject *, PyEval_GetBuiltins, (void))                                                      \
    X(PyObject *, Py_CompileString, (const char *, const char *, int))                             \
    X(PyObject *, PyImport_ImportModule, (const char *))                                           \
    X(PyObject *, PySys_GetObject, (const char *))                                                 \
    X(PyObject *, Py_GetConstantBorrowed, (unsigned int))                                          \
    X(void, Py_IncRef, (PyObject *))                                                               \
    X(void, Py_DecRef, (PyObject *))                                                               \
    X(PyTypeObject *, Py_TYPE, (PyObject *))                                                       \
    X(PyObject *, PyObject_GetAttrString, (PyObject *, const char *))                              \
    X(int, PyObject_GetOptionalAttr, (PyObject *, PyObject *, PyObject **))                        \
    X(PyObject *, PyObject_CallNoArgs, (PyObject *))                                               \
    X(PyObject *, PyObject_CallOneArg, (PyObject *, PyObject *))                                   \
    X(PyObject *, PyObject_CallFunctionObjArgs, (PyObject *, ...))                                 \
    X(PyObject *, PyObject_CallMethod, (PyObject *, const char *, const char *, ...))              \
    X(PyObject *, PyObject_Vectorcall, (PyObject *, PyObject *const *, size_t, PyObject *))        \
    X(PyObject *, PyObject_Str, (PyObject *))                                                      \
    X(PyObject *, PyObject_GetIter, (PyObject *))                                                  \
    X(int, PyObject_IsTrue, (PyObject *))                                                          \
    X(PyObject *, PyIter_Next, (PyObject *))                                                       \
    X(int, PyCallable_Check, (PyObject *))                                                         \
    X(PyObject *, PyCMethod_New, (PyMethodDef *, PyObject *, PyObject *, PyTypeObject *))          \
    X(PyObject *, PyType_FromSpec, (PyType_Spec *))                                                \
    X(PyObject *, PyType_GenericAlloc, (PyTypeObject *, Py_ssize_t))                               \
    X(unsigned long, PyType_GetFlags, (PyTypeObject *))                                            \
    X(void *, PyObject_GetTypeData, (PyObject *, PyTypeObject *))                                  \
    X(void, PyObject_Free, (void *))                                                               \
    X(PyObject *, PyUnicode_FromString, (const char *))                                            \
    X(PyObject *, PyUnicode_FromStringAndSize, (const char *, Py_ssize_t))                         \
    X(PyObject *, PyUnicode_FromFormat, (const char *, ...))                                       \
    X(PyObject *, PyUnicode_InternFromString, (const char *))                                      \
    X(PyObject *, PyUnicode_DecodeLatin1, (const char *, Py_ssize_t, const char *))                \
    X(PyObject *, PyUnicode_DecodeUTF8, (const char *, Py_ssize_t, const char *))                  \
    X(PyObject *, PyUnicode_AsLatin1String, (PyObject *))                                          \
    X(const char *, PyUnicode_AsUTF8AndSize, (PyObject *, Py_ssize_t *))                           \
    X(PyObject *, PyBytes_FromStringAndSize, (const char *, Py_ssize_t))                           \
    X(int, PyBytes_AsStringAndSize, (PyObject *, char **, Py_ssize_t *))                           \
    X(PyObject *, PyBytes_FromObject, (PyObject *))                                                \
    X(PyObject *, PyLong_FromLong, (long))                                                         \
    X(PyObject *, PyLong_FromLongLong, (long long))                                                \
    X(long, PyLong_AsLong, (PyObject *))                                                           \
    X(Py_ssize_t, PyLong_AsSsize_t, (PyObject *))                                                  \
    X(PyObject *, PyBool_FromLong, (long))                                                         \
    X(PyObject *, PySequence_Tuple, (PyObject *))                                                  \
    X(PyObject *, PyTuple_Pack, (Py_ssize_t, ...))                                                 \
    X(Py_ssize_t, PyTuple_Size, (PyObject *))                                                      \
    X(PyObject *, PyTuple_GetItem, (PyObject *, Py_ssize_t))                                       \
    X(PyObject *, PyList_New, (Py_ssize_t))                                                        \
    X(int, PyList_Append, (PyObject *, PyObject *))                                                \
    X(Py_ssize_t, PyList_Size, (PyObject *))                                                       \
    X(PyObject *, PyList_GetItemRef, (PyObject *, Py_ssize_t))                                     \
    X(PyObject *, PyDict_New, (void))                                                              \
    X(PyObject *, PyDict_Copy, (PyObject *))                                                       \
    X(int, PyDict_SetItem, (PyObject *, PyObject *, PyObject *))                                   \
    X(int, PyDict_SetItemString, (PyObject *, const char *, PyObject *))                           \
    X(PyObject *, PyDict_GetItemString, (PyObject *, const char *))                                \
    X(int, PyMapping_GetOptionalItem, (PyObject *, PyObject *, PyObject **))                       \
    X(int, PyDict_SetDefaultRef, (PyObject *, PyObject *, PyObject *, PyObject **))                \
    X(int, PyErr_CheckSignals, (void))                                                             \
    X(void, PyErr_Clear, (void))                                                                   \
    X(void, PyErr_DisplayException, (PyObject *))                                                  \
    X(PyObject *, PyErr_Occurred, (void))                                                          \
    X(void, PyErr_SetString, (PyObject *, const char *))                                           \
    X(PyObject *, PyErr_Format, (PyObject *, const char *, ...))                                   \
    X(PyObject *, PyErr_NoMemory, (void))                                                          \
    X(int, PyErr_GivenExceptionMatches, (PyObject *, PyObject *))                                  \
    X(PyObject *, PyErr_GetRaisedException, (void))                                                \
    X(void, PyErr_SetRaisedException, (PyObject *))                                                \
    X(void, PyErr_WriteUnraisable, (PyObject *))                                                   \
    X(int, PyArg_ParseTuple, (PyObject *, const char *, ...))                                      \
    X(int, PyArg_UnpackTuple, (PyObject *, const char *, Py_ssize_t, Py_ssize_t, ...))

// Exported as variables; each holds a borrowed reference.
#define GB_PY_EXCEPTIONS(X)                                                                        \
    X(PyExc_AssertionError)                                                                        \
    X(PyExc_OSError)                                                                               \
    X(PyExc_RuntimeError)                                                                          \
    X(PyExc_TypeError)                                                                             \
    X(PyExc_ValueError)

#define GB_PY_FIELD(type, name, arguments) type(*name) arguments;
#define GB_PY_EXCEPTION(name) PyObject *name;
typedef struct gb_python_api {
    GB_PY_FUNCTIONS(GB_PY_FIELD)
    GB_PY_EXCEPTIONS(GB_PY_EXCEPTION)
} gb_python_api;
#undef GB_PY_FIELD
#undef GB_PY_EXCEPTION

// One table a process, because CPython is one a process; all NULL until gb_python_start.
GB_API gb_python_api gb_py;

// Loads the build's libpython into this process and starts it, once a process and for good: to
// compare builds, fork (gb_service_start does). Afterwards the calling thread is attached.
GB_API gb_code gb_python_start(const gb_python *python, gb_error *error);

// ---- waits --------------------------------------------------------------------------------------
// Who waited for what in the interpreter that this process has started, in all of its threads.

typedef enum gb_wait_kind {
    GB_WAIT_GIL,
    GB_WAIT_LOCK,   // of an object, of threading, or of the interpreter's own
    GB_WAIT_WORLD,  // for the world to start again, or to stop it: a free-threaded build
    GB_WAIT_EVENT   // to be told by another thread: no contention; noted within requests only
} gb_wait_kind;

#define GB_WAITS 12
#define GB_WAIT_TEXT 112

typedef struct gb_wait {
    gb_wait_kind kind;
    char waiter[GB_WAIT_TEXT];         // "shop.py:71 page"
    char waiter_source[GB_WAIT_TEXT];  // that line's text; "" where there is none
    char holder[GB_WAIT_TEXT];         // who most of the time had the GIL, or stopped the world;
                                       // "": no line of Python
    char holder_source[GB_WAIT_TEXT];
    double holder_ms;                  // that it had it
    char object[GB_WAIT_TEXT];         // whose lock it is: "dict shop.CACHE"; "" where none is
    uint64_t count;
    double ms;                         // of all threads together
} gb_wait;

#define GB_SHARED 10

typedef struct gb_shared {
    char object[GB_WAIT_TEXT];         // "dict shop.CACHE"
    double changes;                    // of its count in a request, at least
} gb_shared;

typedef struct gb_waits {
    bool noted;                        // false: nobody looked
    double ms[4];                      // of all waits of a kind
    int count;
    gb_wait list[GB_WAITS];            // the longest first
    char problem[256];                 // why nothing can be seen of this interpreter; "": it can
    bool counts_seen;                  // of references; false: nobody looked
    int shared_count;
    gb_shared shared[GB_SHARED];       // whose counts several threads write, most often first
} gb_waits;

// Between the two, each wait is noted by the lines of Python that it is of. Call them attached, the
// first one in the thread that called gb_python_start. Fails where the interpreter or the C library
// isn't one of those whose waits can be seen.
GB_API gb_code gb_waits_begin(gb_error *error);
GB_API void gb_waits_end(gb_waits *waits);

// ---- services -----------------------------------------------------------------------------------
// An application behind a server.

// GB_TASK is code that no server calls.
typedef enum gb_interface { GB_AUTO, GB_WSGI, GB_ASGI, GB_C, GB_TASK } gb_interface;

// What a worker is: see THE SERVER.
typedef enum gb_worker_model {
    GB_WORKERS_AUTO,              // GB_THREADS where the GIL is off, else GB_PROCESSES
    GB_PROCESSES,                 // forked once the application is loaded
    GB_THREADS,                   // groups of them in one interpreter
    GB_PROCESSES_EACH,            // each loads the application
    GB_SUBINTERPRETERS            // each with threads
} gb_worker_model;

#define GB_MAX_WORKERS 64

// What a server's process has before there is an interpreter in it. That of gb_serve is this one,
// which keeps it.
typedef struct gb_process {
    const char *directory;    // where it works, and module:NAME is found; default: this process's
    const char *const *environment;  // "NAME=value", beside this process's; environment_count
    size_t environment_count;
} gb_process;

typedef struct gb_service_config {
    const gb_python *python;  // not needed by builtin:c
    const char *app;          // FILE.py:NAME, module:NAME, builtin:wsgi (default), builtin:asgi
                              // or builtin:c
    gb_interface interface;   // default GB_AUTO: found out from the application
    const char *loop;         // of ASGI: a module with new_event_loop, like "uvloop"; default
                              // "asyncio"
    int workers;              // default 1; each has server.threads threads, or an event loop
    gb_worker_model worker_model;
    const int *cpus;          // cpu_count of them, that it may run on; default: the caller's
    int cpu_count;
    gb_server_config server;  // handler and user are for builtin:c alone
    const char *command;      // somebody else's server instead of this one: see there
    const char *ready_path;   // the command serves as soon as this answers; default "/json"
    bool waits;               // who waits for what is noted during the window: see gb_round.waits
    bool sharing;             // with waits, of several threads: also, ahead of it, what they share
    const char *unshared;     // "shop.CACHE, shop.RATES": made immortal ahead of the window
    gb_process process;
} gb_service_config;

// Serves in this process until SIGINT or SIGTERM, then finishes what is in flight. `on_ready` is
// called once, with the port, as soon as requests are answered.
GB_API gb_code gb_serve(const gb_service_config *config, void (*on_ready)(void *user, int port),
                        void *user, gb_error *error);

typedef struct gb_service gb_service;  // a child process that serves

// Fails with GB_APP and the last line of the traceback (all of it goes to stderr) when the
// application can't be imported. The child ends with the thread that started it.
GB_API gb_service *gb_service_start(const gb_service_config *config, gb_error *error);
GB_API int gb_service_port(const gb_service *service);
GB_API int gb_service_pid(const gb_service *service);
// Ends the child: lets it finish what is in flight, then kills it. Fails when it had crashed.
GB_API gb_code gb_service_stop(gb_service *service, gb_error *error);

// ---- measurements -------------------------------------------------------------------------------
// A cell is one combination of build, application and topology; a round is one measurement of it,
// on a fresh server process.

typedef struct gb_phase {
    double mean, p99;
} gb_phase;

typedef struct gb_latency {
    double mean, p50, p90, p99, p999, max;
} gb_latency;

#define GB_TIMELINE 64

typedef struct gb_round {
    char problem[512];            // why there is no measurement; "" if there is one
    uint64_t requests, unanswered;
    gb_load_errors errors;
    uint64_t statuses[6];         // as in gb_load_result, as are the next three
    gb_answer first_answer;
    char first_error[256], redirect[256];
    double warmup_s;              // until the rate had settled
    bool unsettled;               // it had not within ten times the warm-up asked for
    bool outlier;                 // req/s far from the other rounds'; it counts all the same
    bool ended_late;              // afterwards the server didn't end in time and was killed
    bool coarse;                  // as in gb_load_result, as is the next
    double drift;
    double seconds;
    double rps;
    gb_latency latency_ms;        // corrected for coordinated omission where there is a rate
    gb_latency uncorrected_ms;    // with a rate only
    struct {
        double service;           // the headline: see MEMORY AND CPU
        double rss, rss_peak, pss, uss;
    } memory_mb;                  // of the server's process tree; 1 MB = 1,000,000 bytes
    struct {
        double server_us_per_request, client_us_per_request;
        double server_cores;      // CPU seconds a second
        double client_share;      // of one core per client thread: near 1, the client is the limit
    } cpu;
    struct {
        gb_phase read, attach_wait, app, write;
        gb_phase lock_wait, world_wait;  // with all_waits only
        gb_phase off_cpu;                // of app's, not on a CPU; with all_waits only
        gb_phase ready_wait;             // ahead of the others
    } anatomy_us;
    bool all_waits;               // the waits are all there are, not the first for the GIL alone
    struct {
        uint64_t collections;
        double pause_ms;
    } gc;
    struct {
        int enabled_after_load;   // 0, 1, or -1 where there is no interpreter
        char reenabled_by[512];   // modules that brought the GIL back: "a, b"
    } gil;
    double context_switches_per_request;
    uint64_t requests_per_worker[GB_MAX_WORKERS];
    int workers;                  // how many of them; 0 where a server doesn't tell
    char answer[256];             // of a task
    gb_waits waits;               // with service.waits: where the server's threads waited
    gb_interface interface;       // what the application turned out to be; GB_AUTO where unknown
    double steal_ms;              // CPU time that the hypervisor gave to others, in the window
    double other_cores;           // CPU seconds a second that went to neither server nor client
    struct {                      // the window in `count` steps of the same length
        int count;
        double step_s;
        double rps[GB_TIMELINE], rss_mb[GB_TIMELINE];
    } timeline;
} gb_round;

// What the rounds of a cell are summarised by.
typedef enum gb_metric {
    GB_RPS,
    GB_LATENCY_P50,
    GB_LATENCY_P99,
    GB_MEMORY,                    // those before and this are what cells are compared by
    GB_LATENCY_MEAN,
    GB_RSS_PEAK,
    GB_PSS,
    GB_METRIC_COUNT
} gb_metric;

// See METHOD. Of memory, GB_FASTER means less and GB_SLOWER more.
typedef enum gb_verdict { GB_NO_DIFFERENCE, GB_FASTER, GB_SLOWER, GB_UNCLEAR } gb_verdict;

typedef struct gb_what_if {
    char objects[256];            // made immortal: "shop.CACHE, shop.RATES"; "": nothing was tried
    gb_interval ratio;            // of req/s, to those of the application as it is
    int rounds;
    gb_verdict verdict;
} gb_what_if;

typedef struct gb_cell {
    char id[256];                 // scenario/python/topology
    char source[64];              // which of several results it is from; "" where there is one
    char scenario[64];
    char python[64];              // gb_python.id; "" for the control, the C handler
    char server[64];              // whose it is; "" for this one. Of a task: what its workers are;
                                  // "" where they are threads
    char command[GB_PATH];        // that started it; "" for this one
    char app[GB_PATH];
    gb_interface interface;
    char path[GB_PATH];           // of the URL; of a task: what it does, "fib(35)"
    int workers, threads, connections;
    int server_cpus;              // 0: all that the plan's placement gives to servers
    gb_worker_model worker_model; // as it was: never GB_WORKERS_AUTO
    double rate;
    bool broken;                  // it can't be loaded: no further round was tried
    bool best;                    // its build's best topology, measured again: see METHOD
    gb_round *rounds;             // owned
    size_t round_count;
    gb_round *noted_rounds;       // owned: one more, which counts nowhere else, in which the waits
    size_t noted_round_count;     // were noted, where requests waited for much of their time
    gb_what_if what_if;
    gb_histogram latency;         // of all rounds; owned, as is the next
    gb_histogram uncorrected;     // with a rate only
    gb_interval summary[GB_METRIC_COUNT];  // over the rounds with a measurement; NAN without any
} gb_cell;

typedef struct gb_measure_config {
    gb_service_config service;
    const char *path;             // default "/json"
    gb_load_config load;          // url and on_window are filled in
    // The latencies of the window are added to these, which have 3 digits; default: to none.
    gb_histogram *latency, *uncorrected;
} gb_measure_config;

// One round: starts the service, warms it up, loads it, samples it, stops it. What goes wrong on
// the server's side is the round's `problem` and the returned error.
GB_API gb_code gb_measure(const gb_measure_config *config, gb_round *round, gb_error *error);

typedef struct gb_task_config {
    const gb_python *python;
    // NAME or NAME:SIZE of a built-in task (fib, bubble, json, page, alloc, shared, private), or
    // FILE.py:FUNC.
    const char *task;
    const char *source;           // instead: Python that defines run(); where it also defines
                                  // answer(), that is called at the end
    int workers;                  // default 1, at most GB_MAX_WORKERS
    gb_worker_model model;        // default GB_THREADS
    bool split;                   // the function is called with (share, shares), from (0, N) to
                                  // (N - 1, N), and does its share; else each does the whole job
    bool waits;                   // of threads: see gb_service_config
    gb_histogram *latency;        // as in gb_measure_config
    const bool *stop;             // as in gb_load_config
} gb_task_config;

// See TASKS. Of the round it fills in seconds (from the common beginning to the end of the last),
// requests and rps (jobs), latency_ms (how long each worker took), cpu, memory_mb, gc, gil and
// answer: what answer() returned, or else the first worker. In less than 0.02 s nothing can be told
// of CPUs: those figures are 0. An exception in any worker is the round's `problem` and the
// returned error.
GB_API gb_code gb_task(const gb_task_config *config, gb_round *round, gb_error *error);

// ---- comparisons --------------------------------------------------------------------------------

typedef struct gb_scenario {
    const char *name, *description;
    const char *app;                // of GB_TASK: what gb_task_config.task is
    const char *path;
    const char *package;            // that `app` imports; default: none
    const char *fallback;           // the app where a build has no such package; default: none
    gb_interface interface;
    int workers, threads, connections;  // default: those of the plan
} gb_scenario;

// Somebody else's server, to be measured beside this one. The application that its command names
// should be the scenario's.
typedef struct gb_peer {
    const char *name;             // in reports; default: its program's
    const char *command;          // see gb_service_config
} gb_peer;

// The built-in scenarios; ends with a NULL name. Several may have one name: its rows.
GB_API const gb_scenario *gb_scenarios(void);

typedef struct gb_progress {
    const gb_cell *cell;          // about to be measured
    size_t done, total;           // measurements
    int round, rounds;
    bool at_most;                 // so many rounds and seconds: the precision may be reached before
    double seconds_left;          // estimated
    double rps;                   // right now; 0 before the load has begun
} gb_progress;

typedef struct gb_plan {
    const gb_python *pythons;     // the first is the baseline
    size_t python_count;
    const gb_scenario *scenarios; // default: those with a built-in application, in the order of
                                  // importance, as many as the budget has room for; see METHOD
    size_t scenario_count;
    const gb_peer *peers;         // default none
    size_t peer_count;
    const int *threads;           // default 1 and 64; without `workers`, too, see METHOD
    size_t thread_count;
    const int *workers;           // default 1
    size_t worker_count;
    gb_worker_model worker_model;
    const int *connections;       // default 128
    size_t connection_count;
    const int *server_cpus;       // how many a server may run on; default: see CPUS
    size_t server_cpus_count;
    int rounds;                   // default: at most 60, or 200 with a precision
    double budget_s;              // no more rounds after so long, but 8 at least; default: 120
                                  // without `rounds` and `precision`, else any time
    double precision;             // no more rounds once each ratio is known so well; default:
                                  // 0.02 (2 %) without `rounds`, else 0
    gb_load_config load;          // of each cell, but for url, connections, CPUs and callbacks;
                                  // default 0.4 s after a warm-up of 0.15, threads: see CPUS;
                                  // `stop` ends early and keeps what was measured
    const char *loop;             // see gb_service_config
    gb_process process;
    const gb_worker_model *models;  // of tasks' workers, of which there are `threads`; default
    size_t model_count;             // GB_THREADS
    bool split;                   // tasks: see gb_task_config
    uint64_t seed;                // of the order and of the intervals; default 1
    bool no_control;              // leaves out the C handler
    bool waits;                   // see gb_service_config: its rows are slower than they would be
    int what_if;                  // with waits, rounds to see what its most shared objects cost
    void (*on_progress)(void *user, const gb_progress *progress);
    void *user;
} gb_plan;

typedef struct gb_comparison {
    char scenario[64];
    char baseline[256], candidate[256];  // cell ids
    const char *metric;                  // "rps", "latency_ms.p50", "latency_ms.p99" or
                                         // "memory_mb.service"; older files have others
    gb_interval ratio;                   // candidate / baseline, paired within rounds
    gb_verdict verdict;
    int rounds;                          // that are paired; 0: none, of two results
    bool gil_back;                       // one of them is a free-threaded build whose GIL came
                                         // back: no verdict
} gb_comparison;

// The part of a plan that its cells don't tell.
typedef struct gb_method {
    char loop[64], expect[256];
    char requests[512];           // what is asked for, in words; "" where that is a plain GET
    double duration_s, warmup_s, rate, precision;
    int rounds, client_threads;
    uint64_t seed;
    gb_placement cpus;
    bool waits;
} gb_method;

typedef struct gb_result {
    char name[256];               // of the file it was read from; "" if it was measured here
    char gilbench[32];            // the version that measured it
    char started[32];             // UTC, ISO 8601
    gb_method plan;
    gb_host host;
    gb_python *pythons;
    size_t python_count;
    gb_cell *cells;
    size_t cell_count;
    gb_comparison *comparisons;
    size_t comparison_count;
    char (*warnings)[512];
    size_t warning_count;
    bool interrupted;
} gb_result;

// Measures every cell of the plan, round by round, each round in an order shuffled from the seed.
// A cell that fails is recorded as such and the rest goes on; GB_INTERRUPTED and GB_MEASUREMENT
// still leave a result to report. Free it with gb_result_free in any case.
GB_API gb_code gb_compare(const gb_plan *plan, gb_result *result, gb_error *error);
GB_API void gb_result_free(gb_result *result);
// Reads what gb_report_json has written. A damaged file is GB_USAGE, with the place of the damage;
// `name` is what to call the file. Free the result in any case.
GB_API gb_code gb_result_read(FILE *in, const char *name, gb_result *result, gb_error *error);
// Moves what is in `from` into `into`, and compares each cell of `from` with its like in `into`.
// `label` tells the moved cells and builds from the others. Free both in any case.
GB_API gb_code gb_result_merge(gb_result *into, gb_result *from, const char *label,
                               gb_error *error);
GB_API const char *gb_verdict_text(gb_verdict verdict);
// About how many rounds would tell a difference of so much (0.05: 5 %); 0: can't be said.
GB_API int gb_rounds_needed(const gb_comparison *comparison, double difference);

// ---- reports ------------------------------------------------------------------------------------
// Each goes to `out`, which stays open; a failed write is GB_SYSTEM.

// What free-threading costs and gains in plain sentences, at most twenty; the other reports, except
// CSV, have them as well.
GB_API gb_code gb_report_answer(const gb_result *result, FILE *out, gb_error *error);
GB_API gb_code gb_report_table(const gb_result *result, FILE *out, gb_error *error);
GB_API gb_code gb_report_markdown(const gb_result *result, FILE *out, gb_error *error);
GB_API gb_code gb_report_csv(const gb_result *result, FILE *out, gb_error *error);
// argv is kept in the file as the command that made it.
GB_API gb_code gb_report_json(const gb_result *result, int argc, char *const *argv, FILE *out,
                              gb_error *error);
// One self-contained page: tables and pictures, no script, nothing fetched.
GB_API gb_code gb_report_html(const gb_result *result, FILE *out, gb_error *error);
// The results of several machines on one page; none of them is held against another.
GB_API gb_code gb_report_class(const gb_result *results, size_t count, FILE *out, gb_error *error);
// A file a build for `python -m pyperf compare_to`, into a directory that is made where it isn't
// there.
GB_API gb_code gb_report_pyperf(const gb_result *result, const char *directory, gb_error *error);
// A file a cell, as gb_histogram_write writes it.
GB_API gb_code gb_report_hdr(const gb_result *result, const char *directory, gb_error *error);

typedef struct gb_bar {
    char label[128];              // as much as fits is shown
    double value;
} gb_bar;

// A line a value, its bar as long as it is to the greatest; all within 80 columns.
GB_API void gb_bars(const gb_bar *bars, size_t count, const char *unit, FILE *out);

// ---- command line -------------------------------------------------------------------------------

// All of gilbench as a program: `int main(int c, char **v) { return gb_main(c, v); }`.
// Returns the exit status: 0 done, 1 a measurement failed or answers were wrong, 2 the command
// line, 3 no usable interpreter.
GB_API int gb_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif  // GILBENCH_H
#ifdef GILBENCH_IMPLEMENTATION

// ================================================================================================
// >>config
// What the implementation needs, and the limits that a build may change with -D.

#ifdef __cplusplus
#error "gilbench.h: the implementation is C; compile it in a .c file, include it for declarations"
#endif
#ifndef __linux__
#error "gilbench.h: the implementation reads /proc and waits with epoll; it needs Linux"
#endif
#ifndef __USE_GNU
#error "gilbench.h: an earlier #include fixed the feature macros; include gilbench.h first or \
compile with -D_GNU_SOURCE"
#endif

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <link.h>
#include <locale.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef GB_MAX_REQUEST_LINE
#define GB_MAX_REQUEST_LINE 8192
#endif
#ifndef GB_MAX_HEAD
#define GB_MAX_HEAD 65536  // header lines of one message, all together
#endif
#ifndef GB_MAX_HEADERS
#define GB_MAX_HEADERS 128
#endif
#ifndef GB_MAX_BODY
#define GB_MAX_BODY (16u << 20)
#endif

// Most rooms run a few times a measurement: they aren't worth a compiler's time, nor space in the
// program. gcc 12 -O2 takes 4.1 s for all of this file without these, and less than half of that
// with them, and the program is 37 KB smaller (by -Og alone it is larger: it inlines nothing).
#if defined __GNUC__ && !defined __clang__ && defined __OPTIMIZE__
#define GB__OPTIMIZE_LESS                                                                          \
    _Pragma("GCC push_options")                                                                    \
    _Pragma("GCC optimize (\"Og,inline-functions-called-once,crossjumping,peephole2\")")           \
    _Pragma("GCC optimize (\"no-reorder-blocks,align-functions=1,align-loops=1,align-jumps=1\")")
#define GB__OPTIMIZE_AGAIN _Pragma("GCC pop_options")
#else
#define GB__OPTIMIZE_LESS
#define GB__OPTIMIZE_AGAIN
#endif

#define GB__NS 1000000000ull

#define GB__PRINTF(text, first) __attribute__((format(printf, text, first)))

// ================================================================================================
// >>error
// One way to fail: a code, and a sentence that says what to do.

GB_API const char *gb_code_text(gb_code code)
{
#define GB__CODE_TEXT(name, text) text,
    static const char *const texts[] = {GB_CODES(GB__CODE_TEXT)};
#undef GB__CODE_TEXT
    return code >= GB_OK && code < GB_CODE_COUNT ? texts[code] : "unknown";
}

GB__PRINTF(3, 4) static gb_code gb__fail(gb_error *error, gb_code code, const char *format, ...)
{
    if (error) {
        va_list args;
        error->code = code;
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return code;
}

static gb_code gb__fail_memory(gb_error *error)
{
    return gb__fail(error, GB_SYSTEM, "out of memory");
}

// ================================================================================================
// >>buffer
// Slices, and text that grows. A buffer that ran out of memory stays valid and remembers it, so
// that a writer checks once, at the end.

typedef struct gb__buf {
    char *data;  // NUL-terminated once anything was added
    size_t len, cap;
    bool failed;
} gb__buf;

static void gb__buf_free(gb__buf *b)
{
    free(b->data);
    *b = (gb__buf){0};
}

// Makes room for `more` bytes and a NUL behind what is there.
static bool gb__buf_reserve(gb__buf *b, size_t more)
{
    if (b->cap - b->len > more) return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->len <= more) cap *= 2;
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

static void gb__buf_add(gb__buf *b, const void *data, size_t len)
{
    if (!gb__buf_reserve(b, len)) return;
    if (len) memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = 0;
}

static void gb__buf_str(gb__buf *b, const char *text)
{
    gb__buf_add(b, text, strlen(text));
}

GB__PRINTF(2, 3) static void gb__buf_printf(gb__buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && gb__buf_reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

// The array, moved where it is full, which it is at 0, 1, 2, 4, ... elements: it has room for one
// more. NULL without memory; then the old one stays.
static void *gb__with_room(void *array, size_t count, size_t size)
{
    return count & (count - 1) ? array : realloc(array, (2 * count + 1) * size);
}

// Drops the first n bytes.
static void gb__buf_consume(gb__buf *b, size_t n)
{
    if (n) memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

// printf needs a locale, a format and 100 ns; a response's Content-Length needs none of them.
static void gb__buf_u64(gb__buf *b, uint64_t value)
{
    char digits[20];
    size_t i = sizeof digits;
    do digits[--i] = (char)('0' + value % 10);
    while (value /= 10);
    gb__buf_add(b, digits + i, sizeof digits - i);
}

static gb_slice gb__slice(const char *text)
{
    return (gb_slice){text, strlen(text)};
}

static bool gb__slice_is(gb_slice s, const char *text)
{
    return s.len == strlen(text) && !memcmp(s.data, text, s.len);
}

// Cases of ASCII in every locale, unlike tolower and strncasecmp: a Turkish 'I' is no 'i'.
static char gb__lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool gb__same_nocase(gb_slice a, gb_slice b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (gb__lower(a.data[i]) != gb__lower(b.data[i])) return false;
    return true;
}

static bool gb__slice_is_nocase(gb_slice s, const char *text)
{
    return gb__same_nocase(s, gb__slice(text));
}

// Its place in a list of names, in any case; -1 where it isn't there.
static int gb__find_name(gb_slice name, const gb_slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (gb__same_nocase(name, names[i])) return (int)i;
    return -1;
}

static gb_slice gb__slice_trim(gb_slice s)
{
    while (s.len && (*s.data == ' ' || *s.data == '\t')) s.data++, s.len--;
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) s.len--;
    return s;
}

// A decimal number and nothing else; false when it isn't one or doesn't fit 63 bits.
static bool gb__slice_u64(gb_slice s, uint64_t *value)
{
    uint64_t n = 0;
    if (!s.len) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9' || n > (INT64_MAX - 9) / 10) return false;
        n = n * 10 + (uint64_t)(s.data[i] - '0');
    }
    *value = n;
    return true;
}

static size_t gb__utf8_encode(int c, char *to)
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i; i--, c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(leads[n == 1 ? 0 : n] | c);
    return n;
}

// How long the UTF-8 sequence at s is, 0 when it isn't one (RFC 3629).
static size_t gb__utf8_length(const unsigned char *s)
{
    size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3
             : *s >= 0xf0 && *s < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
        (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

// Copies into a fixed field, cutting what doesn't fit; fields are sized so that nothing real is.
static void gb__copy_slice(char *to, size_t size, gb_slice from)
{
    size_t len = from.len < size ? from.len : size - 1;
    memcpy(to, from.data, len);
    to[len] = 0;
}

static void gb__copy(char *to, size_t size, const char *from)
{
    gb__copy_slice(to, size, gb__slice(from));
}

typedef char gb__small[32];

// A figure for people: three significant digits, or the whole part where that shows more.
static const char *gb__number(gb__small text, double value)
{
    double size = fabs(value);
    int digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : size > 0 ? 3 : 0;
    if (value < 999.5 || !(value < 1e12)) {
        snprintf(text, sizeof(gb__small), !isfinite(value) ? "-" : value < 1e12 ? "%.*f" : "%.*g",
                 digits, value);
        return text;
    }
    char plain[32];
    size_t len = (size_t)snprintf(plain, sizeof plain, "%.0f", value), out = 0;
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) text[out++] = ',';
        text[out++] = plain[i];
    }
    text[out] = 0;
    return text;
}

// Files have a point in their numbers, whatever the locale of the program writes: between these
// two, this thread does so too.
static locale_t gb__use_point(void)
{
    locale_t point = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return point ? uselocale(point) : (locale_t)0;
}

static void gb__restore_locale(locale_t before)
{
    if (before) freelocale(uselocale(before));
}

// Reads a file, of a size that /proc doesn't tell beforehand, in place of what `b` has. False (and
// errno) if it can't.
static bool gb__read_file(const char *path, gb__buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    b->len = 0;
    if (fd < 0) return false;
    ssize_t n = -1;
    do {
        if (!gb__buf_reserve(b, 4096)) break;
        n = read(fd, b->data + b->len, b->cap - b->len - 1);
        if (n > 0) b->len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    int saved = n < 0 ? errno : 0;
    close(fd);
    if (b->data) b->data[b->len] = 0;
    errno = b->failed ? ENOMEM : saved;
    return n == 0;
}

// ================================================================================================
// >>clock
// The only place where time is read.

static uint64_t gb__clock_ns(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * GB__NS + (uint64_t)t.tv_nsec;
}

GB_API uint64_t gb_now_ns(void)
{
    return gb__clock_ns(CLOCK_MONOTONIC);
}

static uint64_t gb__seconds_ns(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

static struct timespec gb__timespec(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / GB__NS), (long)(ns % GB__NS)};
}

static void gb__sleep_until(uint64_t ns)
{
    struct timespec t = gb__timespec(ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) continue;
}

// A flag of the caller's, which a signal handler or another thread sets; NULL is never set.
static bool gb__flag_is_set(const bool *flag)
{
    return flag && __atomic_load_n(flag, __ATOMIC_RELAXED);
}

// ================================================================================================
// >>stats
// Histogram, median and its interval. Pure: no clock, and no file but the one handed in. A
// histogram belongs to one thread at a time. Its counts add up to `total`, always.
// libm is not linked (gcc calls it for sqrt at -O0), so the one root is taken here.

// ---- random numbers: the same everywhere for the same seed --------------------------------------

// splitmix64 (Steele, Lea, Flood 2014): one word of state, and any seed will do, even 0.
static uint64_t gb__rng_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Below n, which is below 2^32. Multiplying instead of dividing favours some results by n / 2^32:
// a few in a billion for the few dozen cells and rounds this is used on.
static size_t gb__rng_below(uint64_t *state, size_t n)
{
    return (size_t)(((gb__rng_next(state) >> 32) * n) >> 32);
}

// ---- histogram ----------------------------------------------------------------------------------

#define GB__HOUR (3600 * GB__NS)
#define GB__LADDER 21  // halvings of the distance to 100 % in .hgrm: the last rows are 99.9999 %
#define GB__TICKS 5    // rows in each, as HdrHistogram's own tools write them

// The top sub_bits bits of a value are its bucket; `shift` counts the bits that are dropped. The
// `|` keeps the first two octaves linear without a branch.
static size_t gb__bucket(int sub_bits, uint64_t ns)
{
    int kept = sub_bits - 1;
    int shift = 63 - __builtin_clzll(ns | (1ull << kept)) - kept;
    return ((size_t)shift << kept) + (size_t)(ns >> shift);
}

static size_t gb__bucket_of(const gb_histogram *h, uint64_t ns)
{
    return gb__bucket(h->sub_bits, ns < GB__HOUR ? ns : GB__HOUR);
}

static int gb__bucket_shift(int sub_bits, size_t bucket)
{
    int octave = (int)(bucket >> (sub_bits - 1));
    return octave ? octave - 1 : 0;
}

static uint64_t gb__bucket_low(int sub_bits, size_t bucket)
{
    int shift = gb__bucket_shift(sub_bits, bucket);
    return (uint64_t)(bucket - ((size_t)shift << (sub_bits - 1))) << shift;
}

GB_API gb_code gb_histogram_init(gb_histogram *h, int digits, gb_error *error)
{
    // The smallest power of two of linear steps whose upper half still resolves 10^digits.
    static const int sub_bits[] = {5, 8, 11};
    *h = (gb_histogram){0};
    if (digits < 1 || digits > 3)
        return gb__fail(error, GB_USAGE, "a histogram has 1, 2 or 3 digits, not %d", digits);
    h->sub_bits = sub_bits[digits - 1];
    h->length = gb__bucket(h->sub_bits, GB__HOUR) + 1;
    h->counts = calloc(h->length, sizeof *h->counts);
    if (h->counts) return GB_OK;
    *h = (gb_histogram){0};
    return gb__fail_memory(error);
}

GB_API void gb_histogram_free(gb_histogram *h)
{
    free(h->counts);
    *h = (gb_histogram){0};
}

GB_API void gb_histogram_reset(gb_histogram *h)
{
    size_t first = h->total ? gb__bucket_of(h, h->min) : 1, last = gb__bucket_of(h, h->max);
    // Only what was used: memory that nobody has written is none.
    for (size_t i = first; i <= last; i++)
        if (h->counts[i]) h->counts[i] = 0;
    h->total = h->min = h->max = 0;
    h->sum = 0;
}

GB_API void gb_histogram_record(gb_histogram *h, uint64_t ns)
{
    h->counts[gb__bucket_of(h, ns)]++;
    if (ns > h->max) h->max = ns;
    if (ns < h->min || !h->total) h->min = ns;
    h->sum += (double)ns;
    h->total++;
}

// Goes by value, not by index: with the same digits that is the same bucket, and with others it
// is still the right one.
GB_API void gb_histogram_merge(gb_histogram *into, const gb_histogram *from)
{
    if (!from->total) return;
    for (size_t i = 0; i < from->length; i++) {
        uint64_t low = gb__bucket_low(from->sub_bits, i);
        if (from->counts[i]) into->counts[gb__bucket(into->sub_bits, low)] += from->counts[i];
    }
    if (from->max > into->max) into->max = from->max;
    if (from->min < into->min || !into->total) into->min = from->min;
    into->sum += from->sum;
    into->total += from->total;
}

// A place in a histogram: the buckets before `next` hold `seen` values. Ranks that are asked for
// in rising order cost one pass over the counts, however many they are.
typedef struct gb__walk {
    const gb_histogram *histogram;
    size_t next;
    uint64_t seen;
} gb__walk;

// The highest value that is indistinguishable from the one of this rank (1 = the smallest), but
// never one outside of what was recorded.
static uint64_t gb__walk_to(gb__walk *walk, uint64_t rank)
{
    const gb_histogram *h = walk->histogram;
    while (walk->seen < rank && walk->next < h->length) walk->seen += h->counts[walk->next++];
    if (!walk->next) return h->min;
    uint64_t high = gb__bucket_low(h->sub_bits, walk->next) - 1;
    if (high > h->max) return h->max;
    return high < h->min ? h->min : high;
}

GB_API uint64_t gb_histogram_percentile(const gb_histogram *h, double percentile)
{
    if (!h->total) return 0;
    // 99.9 % of 1000 comes out a hair above 999 and must not round up to the 1000th value.
    double exact = percentile / 100 * (double)h->total * (1 - 1e-15);
    uint64_t rank = 1;
    if (exact >= (double)h->total) rank = h->total;
    else if (exact > 1) rank = (uint64_t)exact + (exact > (double)(uint64_t)exact);
    return gb__walk_to(&(gb__walk){h, 0, 0}, rank);
}

GB_API double gb_histogram_mean(const gb_histogram *h)
{
    return h->total ? h->sum / (double)h->total : 0;
}

// Newton's iteration from above falls until it has arrived.
static double gb__sqrt(double x)
{
    double root = x > 1 ? x : 1, next = (root + x / root) / 2;
    if (!(x > 0)) return 0;
    while (next < root) {
        root = next;
        next = (root + x / root) / 2;
    }
    return root;
}

static double gb__histogram_stddev(const gb_histogram *h)
{
    double mean = gb_histogram_mean(h), squares = 0;
    for (size_t i = 0; i < h->length; i++) {
        uint64_t ends = gb__bucket_low(h->sub_bits, i) + gb__bucket_low(h->sub_bits, i + 1);
        uint64_t middle = ends / 2;
        double off = (double)middle - mean;
        squares += (double)h->counts[i] * off * off;
    }
    return h->total ? gb__sqrt(squares / (double)h->total) : 0;
}

// Every row, whatever the data: HdrHistogram's plotter takes the percentiles of the first file
// for all of them, and a ladder that stops where the data does would put a p90 at another's p50.
static void gb__hgrm_rows(const gb_histogram *h, FILE *out)
{
    gb__walk walk = {h, 0, 0};
    for (int row = 0; row < GB__LADDER * GB__TICKS; row++) {
        // What lies above this row: left / (2 * GB__TICKS * 2^halvings), in whole numbers so that
        // the rank is exact.
        uint64_t left = (uint64_t)(2 * GB__TICKS - row % GB__TICKS);
        uint64_t whole = (2ull * GB__TICKS) << (row / GB__TICKS);
        uint64_t above = h->total / whole * left + h->total % whole * left / whole;
        uint64_t rank = h->total - above;
        uint64_t value = gb__walk_to(&walk, rank || !h->total ? rank : 1);
        fprintf(out, "%12.3f %12f %12llu %12.2f\n", (double)value / 1e6,
                1 - (double)left / (double)whole, (unsigned long long)walk.seen,
                (double)whole / (double)left);
    }
    uint64_t last = gb__walk_to(&walk, h->total);
    fprintf(out, "%12.3f %12f %12llu %12s\n", (double)last / 1e6, 1.0,
            (unsigned long long)walk.seen, "inf");
}

GB_API gb_code gb_histogram_write(const gb_histogram *h, FILE *out, gb_error *error)
{
    if (!h->counts) return gb__fail(error, GB_USAGE, "the histogram was never initialised");
    locale_t before = gb__use_point();
    errno = 0;
    fprintf(out, "%12s %12s %12s %12s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    gb__hgrm_rows(h, out);
    fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", gb_histogram_mean(h) / 1e6,
            gb__histogram_stddev(h) / 1e6);
    fprintf(out, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)h->max / 1e6,
            (unsigned long long)h->total);
    fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n",
            gb__bucket_shift(h->sub_bits, h->length - 1) + 1, 1 << h->sub_bits);
    gb__restore_locale(before);
    // A full disk shows only when the stream is emptied.
    if (!fflush(out) && !ferror(out)) return GB_OK;
    return gb__fail(error, GB_SYSTEM, "the latency distribution could not be written: %s",
                    errno ? strerror(errno) : "the stream had failed before");
}

// ---- median -------------------------------------------------------------------------------------

// With 2000 the ends of the interval move by at most 6 % of its width from seed to seed (standard
// deviation, 6 to 51 normal values).
#define GB__RESAMPLES 2000

static int gb__compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double *gb__sorted(const double *values, size_t n)
{
    double *sorted = malloc((n + 1) * sizeof *sorted);
    if (!sorted) return NULL;
    if (n) memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, gb__compare_doubles);
    return sorted;
}

static double gb__median_sorted(const double *sorted, size_t n)
{
    double upper = sorted[n / 2];
    return n % 2 ? upper : (sorted[n / 2 - 1] + upper) / 2;
}

// 0 of nothing; NAN without memory, which compares as neither more nor less than anything.
static double gb__median(const double *values, size_t n)
{
    if (!n) return 0;
    double *sorted = gb__sorted(values, n);
    double median = sorted ? gb__median_sorted(sorted, n) : NAN;
    free(sorted);
    return median;
}

// A resample of sorted values is how often each was drawn, so its median needs counting only.
// `drawn` is n zeros, and is again afterwards.
static double gb__resampled_median(const double *sorted, uint32_t *drawn, size_t n, uint64_t *rng)
{
    size_t lower = 0, upper = 0, below;
    for (size_t i = 0; i < n; i++) drawn[gb__rng_below(rng, n)]++;
    for (below = drawn[0]; below <= (n - 1) / 2; below += drawn[++lower]) continue;
    for (below = drawn[0]; below <= n / 2; below += drawn[++upper]) continue;
    memset(drawn, 0, n * sizeof *drawn);
    return lower == upper ? sorted[lower] : (sorted[lower] + sorted[upper]) / 2;
}

// Percentiles of a bootstrap are too close together for few values: its spread lacks the factor
// sqrt(n / (n - 1)), and the normal's tails are not Student's. Instead of 0.025 they are taken at
// Phi(-sqrt(n / (n - 1)) * t(0.975, n - 1)) (T. Hesterberg, What Teachers Should Know About the
// Bootstrap, The American Statistician 69(4), 2015). The formula behind the table is a fit that
// is right to 1e-5; Phi and t themselves would need libm.
static double gb__bootstrap_tail(size_t n)
{
    static const double tails[] = {
        0,        0,        0,        6.83e-8,  0.000119, 0.000954, 0.002432, 0.004109,
        0.005738, 0.007225, 0.008551, 0.009722, 0.010757, 0.011671, 0.012483, 0.013207,
        0.013856, 0.014439, 0.014966, 0.015445, 0.015881, 0.016280, 0.016646, 0.016983,
        0.017294, 0.017582, 0.017850, 0.018099, 0.018332, 0.018550, 0.018754};
    if (n < sizeof tails / sizeof *tails) return tails[n];
    return 0.025 - (0.1959 - 0.255 / (double)n) / (double)n;
}

// Of the ratio of two samples' medians, or, without a `base`, of the median of `values`.
static gb_interval gb__resampled(const double *base, size_t base_count, const double *values,
                                 size_t n, uint64_t seed)
{
    gb_interval interval = {NAN, NAN, NAN};
    double medians[GB__RESAMPLES];
    double *before = gb__sorted(base, base_count), *after = gb__sorted(values, n);
    uint32_t *drawn = calloc(base_count + n, sizeof *drawn);
    if (before && after && drawn) {
        for (size_t i = 0; i < GB__RESAMPLES; i++) {
            double by = base ? gb__resampled_median(before, drawn, base_count, &seed) : 1;
            medians[i] = gb__resampled_median(after, drawn, n, &seed) / by;
        }
        qsort(medians, GB__RESAMPLES, sizeof *medians, gb__compare_doubles);
        size_t fewest = base && base_count < n ? base_count : n;
        size_t cut = (size_t)(gb__bootstrap_tail(fewest) * GB__RESAMPLES);
        interval.median = gb__median_sorted(after, n);
        if (base) interval.median /= gb__median_sorted(before, base_count);
        interval.lo = medians[cut];
        interval.hi = medians[GB__RESAMPLES - 1 - cut];
    }
    free(drawn);
    free(before);
    free(after);
    return interval;
}

GB_API gb_interval gb_median_ci(const double *values, size_t n, uint64_t seed)
{
    return n ? gb__resampled(NULL, 0, values, n, seed) : (gb_interval){0, 0, 0};
}

GB_API gb_interval gb_ratio_ci(const double *a, size_t a_count, const double *b, size_t b_count,
                               uint64_t seed)
{
    if (!a_count || !b_count) return (gb_interval){NAN, NAN, NAN};
    return gb__resampled(a, a_count, b, b_count, seed);
}

// ---- scaling ------------------------------------------------------------------------------------

// The universal scalability law (N. Gunther, Guerrilla Capacity Planning, 2007): n workers do
// x = lambda n / (1 + sigma (n - 1) + kappa n (n - 1)), and most where there are as many as the
// peak, sqrt((1 - sigma) / kappa); INFINITY where more always do more.
enum { GB__LAMBDA, GB__SIGMA, GB__KAPPA, GB__PEAK, GB__LAW_FIGURES };

// As Gunther does, n / x is fitted, which is a + b (n - 1) + c n (n - 1), here by least squares of
// relative errors, as those of a rate are. Where b or c would be negative, the other one is alone.
static void gb__law_fit(double of[GB__LAW_FIGURES], const double *n, const double *x, size_t count)
{
    double s[4][4] = {{0}};
    for (size_t i = 0; i < count; i++) {
        const double z[4] = {1, n[i] - 1, n[i] * (n[i] - 1), n[i] / x[i]};
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++) s[j][k] += z[j] * z[k] / (z[3] * z[3]);
    }
    const double nn = s[0][0] + 2 * s[0][1] + s[1][1], nm = s[0][2] + s[1][2];
    const double ny = s[0][3] + s[1][3], mm = s[2][2], my = s[2][3];
    for (int j = 1; j < 4; j++)  // from here on about the means
        for (int k = 1; k < 4; k++) s[j][k] -= s[0][j] * s[0][k] / s[0][0];
    double area = s[1][1] * s[2][2] - s[1][2] * s[1][2];
    double b = (s[1][3] * s[2][2] - s[2][3] * s[1][2]) / area;
    double c = (s[2][3] * s[1][1] - s[1][3] * s[1][2]) / area;
    if (!(b >= 0 && c >= 0)) {
        b = s[1][3] > 0 ? s[1][3] / s[1][1] : 0;
        c = s[2][3] > 0 ? s[2][3] / s[2][2] : 0;
        *(b * s[1][3] > c * s[2][3] ? &c : &b) = 0;
    }
    double a = (s[0][3] - b * s[0][1] - c * s[0][2]) / s[0][0];
    if (b > a) {  // what one at a time can do is all of it at most: a n + c n (n - 1)
        c = my * nn > ny * nm ? (my * nn - ny * nm) / (nn * mm - nm * nm) : 0;
        a = b = (ny - c * nm) / nn;
    }
    const double least = 1e-6 * s[0][3] / s[0][0];
    if (a < least) a = least;  // lambda is something
    of[GB__LAMBDA] = 1 / a;
    of[GB__SIGMA] = b > 1e-9 * a ? b / a : 0;
    of[GB__KAPPA] = c > 1e-9 * a ? c / a : 0;
    double peak = of[GB__SIGMA] < 1 - 1e-9 ? (double)INFINITY : 1;
    if (of[GB__KAPPA] > 0) peak = gb__sqrt((1 - of[GB__SIGMA]) / of[GB__KAPPA]);
    of[GB__PEAK] = peak > 1 ? peak : 1;
}

GB__OPTIMIZE_LESS

// ================================================================================================
// >>proc
// Memory and CPU from /proc. Parsing is pure (text in, numbers out).
// A process may vanish between any two reads: it is left out, and only a missing root is an error.

// ---- parsing ------------------------------------------------------------------------------------

// Reads n numbers with blanks between them; false when there are fewer.
static bool gb__parse_numbers(const char *text, uint64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *end;
        numbers[i] = strtoull(text, &end, 10);
        if (end == text) return false;
        text = end;
    }
    return true;
}

// What stat tells, times in clock ticks. Those of reaped children are in it, so that the total of
// a tree keeps the work of a child that came and went.
typedef struct gb__stat {
    int parent;
    uint64_t threads, user, system, child_user, child_system;
} gb__stat;

// The name of a program may hold spaces and parentheses; nothing behind it does. Behind it come the
// state, one letter, and then numbers: proc(5)'s field 4 is number 0 here.
static bool gb__parse_stat(const char *text, gb__stat *stat)
{
    uint64_t numbers[17];
    const char *rest = strrchr(text, ')');
    errno = EPROTO;
    if (!rest || strlen(rest) < 4 || !gb__parse_numbers(rest + 3, numbers, 17)) return false;
    stat->parent = (int)numbers[0];
    stat->user = numbers[10];
    stat->system = numbers[11];
    stat->child_user = numbers[12];
    stat->child_system = numbers[13];
    stat->threads = numbers[16];
    return true;
}

// statm counts in pages: all, resident, ...; a zombie has none.
static uint64_t gb__parse_statm(const char *text, uint64_t page_size)
{
    uint64_t pages[2];
    return gb__parse_numbers(text, pages, 2) ? pages[1] * page_size : 0;
}

// The value of a "name: value" line, as status, smaps_rollup, meminfo and cpuinfo have them, or of
// "name value" as in vmstat; empty where there is none.
static gb_slice gb__proc_value(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *end, *line = text; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (strncmp(line, name, len) || strcspn(line + len, ": \t")) continue;
        const char *value = line + len + strspn(line + len, ": \t");
        return gb__slice_trim((gb_slice){value, (size_t)(end - value)});
    }
    return (gb_slice){"", 0};
}

static uint64_t gb__proc_number(const char *text, const char *name)
{
    return strtoull(gb__proc_value(text, name).data, NULL, 10);
}

// Memory is in kB, which are KiB.
static uint64_t gb__proc_bytes(const char *text, const char *name)
{
    return gb__proc_number(text, name) * 1024;
}

static uint64_t gb__parse_switches(const char *status)
{
    return gb__proc_number(status, "voluntary_ctxt_switches") +
           gb__proc_number(status, "nonvoluntary_ctxt_switches");
}

// What the process alone keeps in memory, and would give back by ending.
static uint64_t gb__parse_uss(const char *smaps_rollup)
{
    return gb__proc_bytes(smaps_rollup, "Private_Clean") +
           gb__proc_bytes(smaps_rollup, "Private_Dirty") +
           gb__proc_bytes(smaps_rollup, "Private_Hugetlb");
}

static uint64_t gb__ticks_ns(uint64_t ticks)
{
    return ticks * GB__NS / (uint64_t)sysconf(_SC_CLK_TCK);
}

// CPU time since boot, over all CPUs.
typedef struct gb__machine_time {
    uint64_t busy_ns, steal_ns;
} gb__machine_time;

// Interrupts are left out of `busy`: some kernels count them as the interrupted process's as well.
static gb__machine_time gb__parse_machine_time(const char *stat)
{
    uint64_t ticks[8];  // user, nice, system, idle, iowait, irq, softirq, steal
    if (strncmp(stat, "cpu ", 4) || !gb__parse_numbers(stat + 4, ticks, 8))
        return (gb__machine_time){0, 0};
    return (gb__machine_time){gb__ticks_ns(ticks[0] + ticks[1] + ticks[2]),
                              gb__ticks_ns(ticks[7])};
}

// "150000 100000" is 1.5 CPUs; "max 100000" is no limit.
static double gb__parse_quota(const char *text)
{
    uint64_t quota[2];
    return gb__parse_numbers(text, quota, 2) && quota[1] ? (double)quota[0] / (double)quota[1] : 0;
}

// ---- the tree of processes ----------------------------------------------------------------------

typedef struct gb__pids {
    int *items;
    size_t count;
} gb__pids;

static void gb__pids_free(gb__pids *list)
{
    free(list->items);
    *list = (gb__pids){0};
}

static bool gb__pids_has(const gb__pids *list, int pid)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == pid) return true;
    return false;
}

// Once only: a number that was given to a new process while we looked could close a circle.
static bool gb__pids_add(gb__pids *list, int pid)
{
    if (gb__pids_has(list, pid)) return true;
    int *items = gb__with_room(list->items, list->count, sizeof *items);
    if (!items) return false;
    list->items = items;
    items[list->count++] = pid;
    return true;
}

// Reads /proc/PID/NAME into `text`, in place of what was there.
static bool gb__proc_read(gb__buf *text, int pid, const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    if (!gb__read_file(path, text)) return false;
    if (!text->len) errno = ESRCH;  // what a vanishing process can look like
    return text->len > 0;
}

// The next entry of a directory of /proc that is a number; 0 at its end.
static int gb__next_id(DIR *dir)
{
    const struct dirent *entry;
    while ((entry = readdir(dir)))
        if (isdigit((unsigned char)entry->d_name[0])) return atoi(entry->d_name);
    return 0;
}

// The slow way: asks every process of the machine for its parent, until none is new.
static bool gb__tree_scan(gb__pids *tree, gb__buf *text)
{
    bool fine = true;
    for (size_t before = 0; fine && tree->count > before;) {
        gb__stat stat;
        DIR *dir = opendir("/proc");
        if (!dir) return false;
        before = tree->count;
        for (int pid; fine && (pid = gb__next_id(dir));)
            if (gb__proc_read(text, pid, "stat") && gb__parse_stat(text->data, &stat) &&
                gb__pids_has(tree, stat.parent))
                fine = gb__pids_add(tree, pid);
        closedir(dir);
    }
    return fine;
}

// Adds the children of all threads of one process. `tasks` is its /proc/PID/task.
static bool gb__tree_children(gb__pids *tree, const char *tasks, gb__buf *text)
{
    bool fine = true;
    DIR *dir = opendir(tasks);
    if (!dir) return true;
    for (int thread; fine && (thread = gb__next_id(dir));) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%d/children", tasks, thread);
        if (!gb__read_file(path, text)) continue;
        char *end = text->data;
        for (long pid; fine && (pid = strtol(end, &end, 10)) > 0;)
            fine = gb__pids_add(tree, (int)pid);
    }
    closedir(dir);
    return fine;
}

// The root and all its descendants; the root comes first whether it lives or not. False without
// memory (or /proc). Not every kernel has `children` (CONFIG_PROC_CHILDREN); where it is there, it
// spares us a look at each process of the machine.
static bool gb__tree_read(gb__pids *tree, int root, gb__buf *text)
{
    char path[64];
    tree->count = 0;
    if (!gb__pids_add(tree, root)) return false;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", root, root);
    if (access(path, R_OK)) return gb__tree_scan(tree, text);
    for (size_t i = 0; i < tree->count; i++) {
        snprintf(path, sizeof path, "/proc/%d/task", tree->items[i]);
        if (!gb__tree_children(tree, path, text)) return false;
    }
    return true;
}

// ---- usage --------------------------------------------------------------------------------------

// stat's times are whole clock ticks, 10 ms mostly: too coarse for a window of a second. The CPU
// clock of the process counts ns, ended threads included (task/*/schedstat forgets those). So
// user + system is exact, and only how it is split is as coarse as stat; a difference of two
// readings of one part alone may be off by two ticks and even below zero.
static void gb__add_cpu(int pid, const gb__stat *stat, gb_usage *usage)
{
    clockid_t clock;
    uint64_t user = gb__ticks_ns(stat->user), system = gb__ticks_ns(stat->system);
    uint64_t total = clock_getcpuclockid(pid, &clock) ? 0 : gb__clock_ns(clock);
    if (total) {
        double share = user + system ? (double)system / (double)(user + system) : 0;
        system = (uint64_t)(share * (double)total);
        user = total - system;
    }
    usage->user_ns += user + gb__ticks_ns(stat->child_user);
    usage->system_ns += system + gb__ticks_ns(stat->child_system);
}

static void gb__add_switches(int pid, gb__buf *text, gb_usage *usage)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/task", pid);
    DIR *dir = opendir(name);
    if (!dir) return;
    for (int thread; (thread = gb__next_id(dir));) {
        snprintf(name, sizeof name, "task/%d/status", thread);
        if (gb__proc_read(text, pid, name))
            usage->context_switches += gb__parse_switches(text->data);
    }
    closedir(dir);
}

// A file that a tree maps (memory shared on purpose is one, too): how much of it is resident in the
// process that is being looked at, and in the one that has most of it.
typedef struct gb__file {
    uint64_t device, inode, here, most;
} gb__file;

typedef struct gb__files {
    gb__file *items;
    size_t count;
} gb__files;

static gb__file *gb__find_file(gb__files *files, uint64_t device, uint64_t inode)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].inode == inode && files->items[i].device == device)
            return &files->items[i];
    gb__file *grown = gb__with_room(files->items, files->count, sizeof *grown);
    if (!grown) return NULL;
    files->items = grown;
    grown[files->count] = (gb__file){.device = device, .inode = inode};
    return &grown[files->count++];
}

// What of files a process has resident, by its smaps: a mapping's head ("addresses permissions
// offset device inode path"), then its figures. What it wrote to in private is anonymous.
static void gb__parse_smaps(const char *smaps, gb__files *files)
{
    gb__file *file = NULL;
    for (const char *line = smaps; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        unsigned major, minor;
        unsigned long long inode;
        if (file && !strncmp(line, "Rss:", 4))
            file->here += strtoull(line + 4, NULL, 10) * 1024;
        else if (file && !strncmp(line, "Anonymous:", 10))
            file->here -= strtoull(line + 10, NULL, 10) * 1024;
        else if (sscanf(line, "%*x-%*x %*s %*x %x:%x %llu", &major, &minor, &inode) == 3)
            file = inode ? gb__find_file(files, (uint64_t)major << 32 | minor, inode) : NULL;
    }
    for (size_t i = 0; i < files->count; i++) {
        gb__file *f = &files->items[i];
        if (f->here > f->most) f->most = f->here;
        f->here = 0;
    }
}

// False only when the kernel won't show this process to us: half a sum would look like a result.
// Pages that a process shares by fork are divided among those that have them, so the parts add up
// to each page once; with a file's pages they don't, because strangers may map it as well.
static bool gb__add_exact(int pid, gb__buf *text, gb__files *files, gb_usage *usage)
{
    if (!gb__proc_read(text, pid, "smaps_rollup")) return errno != EACCES && errno != EPERM;
    usage->pss += gb__proc_bytes(text->data, "Pss");
    usage->uss += gb__parse_uss(text->data);
    usage->service += gb__proc_bytes(text->data, "Pss_Anon");
    if (gb__proc_read(text, pid, "smaps")) gb__parse_smaps(text->data, files);
    return true;
}

// What it had more at its peak in the window than now is gone, so it was anonymous.
static void gb__add_resident(int pid, gb__buf *text, bool exact, gb_usage *usage)
{
    if (!gb__proc_read(text, pid, "status")) return;
    uint64_t now = gb__proc_bytes(text->data, "VmRSS");
    uint64_t peak = gb__proc_bytes(text->data, "VmHWM");
    usage->rss += now;
    usage->rss_peak += peak;
    if (exact && peak > now) usage->service += peak - now;
}

// False (and errno) when the process is gone.
static bool gb__add_process(int pid, gb__buf *text, gb_usage *usage)
{
    gb__stat stat;
    if (!gb__proc_read(text, pid, "stat") || !gb__parse_stat(text->data, &stat)) return false;
    usage->processes++;
    usage->threads += stat.threads;
    gb__add_cpu(pid, &stat, usage);
    return true;
}

// CPU time first, of all processes at once: it is divided by the time between two of these moments,
// while the rest takes milliseconds where there are many threads.
static gb_code gb__usage_read(const gb__pids *tree, bool exact, gb__buf *text,
                              gb_usage *usage, gb_error *error)
{
    gb__files files = {0};
    gb_code code = GB_OK;
    for (size_t i = 0; i < tree->count; i++)
        if (!gb__add_process(tree->items[i], text, usage) && !i)
            return gb__fail(error, GB_SYSTEM,
                            "can't read /proc/%d/stat: %s; the process has ended, or /proc isn't "
                            "mounted", tree->items[i], strerror(errno));
    usage->at = gb_now_ns();
    for (size_t i = 0; i < tree->count && !code; i++) {
        int pid = tree->items[i];
        gb__add_resident(pid, text, exact, usage);
        gb__add_switches(pid, text, usage);
        if (exact && !gb__add_exact(pid, text, &files, usage))
            code = gb__fail(error, GB_SYSTEM,
                            "can't read /proc/%d/smaps_rollup: %s; the memory of a process needs "
                            "its own user, or root", pid, strerror(errno));
    }
    for (size_t i = 0; i < files.count; i++) usage->service += files.items[i].most;
    free(files.items);
    return code;
}

GB_API gb_code gb_usage_read(int pid, bool exact, gb_usage *usage, gb_error *error)
{
    gb__pids tree = {0};
    gb__buf text = {0};
    *usage = (gb_usage){0};
    gb_code code = gb__tree_read(&tree, pid, &text)
                       ? gb__usage_read(&tree, exact, &text, usage, error)
                       : gb__fail(error, GB_SYSTEM, "can't list the processes below %d: %s", pid,
                                  strerror(errno));
    gb__pids_free(&tree);
    gb__buf_free(&text);
    return code;
}

// Writing "5" brings the high-water mark down to what is resident now. Where that isn't permitted
// (another user's process, a read-only /proc) the peak counts from the start of the process.
GB_API void gb_peak_reset(int pid)
{
    gb__pids tree = {0};
    gb__buf text = {0};
    gb__tree_read(&tree, pid, &text);
    for (size_t i = 0; i < tree.count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/clear_refs", tree.items[i]);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) continue;
        (void)!write(fd, "5", 1);
        close(fd);
    }
    gb__pids_free(&tree);
    gb__buf_free(&text);
}

// ---- memory over time ---------------------------------------------------------------------------

// What a tree has resident: whoever measures it takes a sample now and then. It shares the machine
// with what is measured, so a sample is one small file for each process.
typedef struct gb__sampler {
    int pid;
    gb__pids tree;
    gb__buf text;
    uint64_t rescan;  // when to look for new processes, which is what costs
    uint64_t samples, rss_sum, rss_last;
} gb__sampler;

// A sample in which nobody is left isn't one of zero bytes: it is none.
static void gb__sample(gb__sampler *s)
{
    uint64_t rss = 0, now = gb_now_ns();
    if (now >= s->rescan) {
        gb__tree_read(&s->tree, s->pid, &s->text);
        s->rescan = now + GB__NS;
    }
    for (size_t i = 0; i < s->tree.count; i++)
        if (gb__proc_read(&s->text, s->tree.items[i], "statm"))
            rss += gb__parse_statm(s->text.data, (uint64_t)sysconf(_SC_PAGESIZE));
    if (!rss) return;
    s->samples++;
    s->rss_sum += rss;
    s->rss_last = rss;
}

static void gb__sampler_free(gb__sampler *s)
{
    gb__pids_free(&s->tree);
    gb__buf_free(&s->text);
}

// ================================================================================================
// >>cpus
// Which CPUs the server and the client have. From 4 on each has whole cores of its own, so that
// neither takes the other's time. To place them is pure.

typedef struct gb__cpu {
    int number, package;
    int core;     // the lowest number of the CPUs that share it
    int sibling;  // its place among those of them that may be used
} gb__cpu;

typedef struct gb__cpus {
    gb__cpu of[GB_MAX_CPUS];  // in the order in which a server takes them
    int count, per_core;      // the most that share one
} gb__cpus;

// One CPU of each core comes before the second of any (SMT): N CPUs are N cores as long as there
// are so many, which is where the kernel puts N busy threads, and what twice the CPUs are taken
// for. Then what is near: one package before the next.
static int gb__cpu_order(const void *a, const void *b)
{
    const gb__cpu *x = a, *y = b;
    if (x->sibling != y->sibling) return x->sibling - y->sibling;
    return x->package != y->package ? x->package - y->package : x->core - y->core;
}

// The number that a file of a CPU's topology begins with.
static int gb__cpu_fact(const char *root, int cpu, const char *name, int unknown, gb__buf *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/cpu%d/topology/%s", root, cpu, name);
    return gb__read_file(path, text) && *text->data != '-' ? atoi(text->data) : unknown;
}

// Those of the set. A machine that doesn't tell has cores of one CPU; a single core is treated as
// such, or there would be nothing to part.
static void gb__cpus_read(gb__cpus *all, const char *root, const cpu_set_t *set)
{
    gb__buf text = {0};
    int n = all->per_core = 0;
    for (int i = 0; i < GB_MAX_CPUS && i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, set)) continue;
        gb__cpu c = {.number = i, .core = gb__cpu_fact(root, i, "thread_siblings_list", i, &text),
                     .package = gb__cpu_fact(root, i, "physical_package_id", 0, &text)};
        if (c.core > i) c.core = i;
        for (int j = 0; j < n; j++) c.sibling += all->of[j].core == c.core;
        if (c.sibling >= all->per_core) all->per_core = c.sibling + 1;
        all->of[n++] = c;
    }
    for (int i = 0; i < n && all->per_core == n; i++)
        all->of[i].core = all->of[i].number, all->of[i].sibling = 0;
    qsort(all->of, (size_t)n, sizeof *all->of, gb__cpu_order);
    all->count = n;
    gb__buf_free(&text);
}

// Those that this process may run on, as far as it may choose among them; none where there are more
// than are counted here.
static void gb__cpus_here(gb__cpus *all)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) || sched_setaffinity(0, sizeof set, &set))
        CPU_ZERO(&set);
    gb__cpus_read(all, "/sys/devices/system/cpu", &set);
}

// A server that is to have `server` CPUs (0: all that are left), and a client with `client` threads
// (0: all that is left, or a quarter where that isn't said either: a page that costs Python 0.25 ms
// costs the client 0.01, and hello in C costs both sides the same). The client has cores from the
// last on; with `server`, as long as that has as many cores as it is to have CPUs, but one at
// least. A quota (0: none) is for both together. False where one of them gets too little.
static bool gb__place_cpus(const gb__cpus *all, double quota, int server, int client,
                           gb_placement *to)
{
    bool taken[GB_MAX_CPUS] = {false};
    int n = quota > 0 && quota < all->count ? quota > 1 ? (int)quota : 1 : all->count;
    int left = n, cores = 0, need = server ? server : 1;
    bool parted = server || n >= 4;
    int want = !parted ? 0 : client ? client : server ? n - server : (n + 2) / 4;
    *to = (gb_placement){.client_cpu_count = 0};
    while (cores < n && !all->of[cores].sibling) cores++;
    for (int kept = cores; kept > 1 && n - left < want; kept--) {
        int core = all->of[kept - 1].core, size = 0;
        for (int i = 0; i < n; i++) size += all->of[i].core == core;
        if (left - size < need || (kept < cores && kept <= need)) break;
        left -= size;
        taken[core] = true;
    }
    for (int i = 0; i < n; i++) {
        const gb__cpu *c = &all->of[i];
        if (taken[c->core] || !parted) to->client_cpus[to->client_cpu_count++] = c->number;
        if (!taken[c->core] && to->server_cpu_count < (server ? server : n))
            to->server_cpus[to->server_cpu_count++] = c->number;
    }
    return to->client_cpu_count && to->server_cpu_count >= need;
}

// For servers that are to have so many CPUs each, on this machine.
static gb_code gb__place_here(double quota, const int *servers, size_t count, int client,
                              gb_placement *to, gb_error *error)
{
    gb__cpus all;
    int most = 0;
    for (size_t i = 0; i < count; i++) most = servers[i] > most ? servers[i] : most;
    gb__cpus_here(&all);
    if (gb__place_cpus(&all, quota, most, client, to) || !most) return GB_OK;
    return gb__fail(error, GB_USAGE, "a server can't have %d of the %d CPUs that may be used here, "
                    "because the client needs a core of its own: give it fewer", most, all.count);
}

static bool gb__is_parted(const gb_placement *p)
{
    return p->server_cpu_count && *p->server_cpus != *p->client_cpus;
}

typedef char gb__ranges[5 * GB_MAX_CPUS];

// "0-5,8", whatever order they come in.
static const char *gb__cpus_text(const int *cpus, int count, gb__ranges text)
{
    bool in[GB_MAX_CPUS + 1] = {false};
    int n = 0;
    *text = 0;
    for (int i = 0; i < count; i++) in[cpus[i]] = true;
    for (int i = 0, last; i < GB_MAX_CPUS; i = last + 1) {
        for (last = i; in[i] && in[last + 1];) last++;
        if (in[i]) n += sprintf(text + n, i < last ? "%s%d-%d" : "%s%d", n ? "," : "", i, last);
    }
    return text;
}

// For the calling thread and what it starts, until it gives itself back what it had before.
static gb_code gb__enter_cpus(const int *cpus, int count, cpu_set_t *before, gb_error *error)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < count; i++)
        if (cpus[i] >= 0 && cpus[i] < CPU_SETSIZE) CPU_SET((size_t)cpus[i], &set);
    if (!count || (!sched_getaffinity(0, sizeof *before, before) &&
                   !sched_setaffinity(0, sizeof set, &set)))
        return GB_OK;
    return gb__fail(error, GB_SYSTEM, "can't run on CPU %d: %s", *cpus, strerror(errno));
}

// ================================================================================================
// >>host
// The machine, and what else it does: facts that stand beside every result.

// x86 names the model, a Raspberry Pi the board; other ARM machines have their architecture only.
static void gb__host_cpu(gb_host *host, gb__buf *text, const char *machine)
{
    static const char *const names[] = {"model name", "Model", "cpu model", "Hardware"};
    gb__copy(host->cpu_model, sizeof host->cpu_model, machine);
    if (!gb__read_file("/proc/cpuinfo", text)) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gb_slice model = gb__proc_value(text->data, names[i]);
        if (!model.len) continue;
        gb__copy_slice(host->cpu_model, sizeof host->cpu_model, model);
        return;
    }
}

static gb__machine_time gb__machine_time_read(gb__buf *text)
{
    if (!gb__read_file("/proc/stat", text)) return (gb__machine_time){0, 0};
    return gb__parse_machine_time(text->data);
}

// Intel's driver says whether turbo is off, everybody else's whether boost is on.
static int gb__host_turbo(gb__buf *text)
{
    if (gb__read_file("/sys/devices/system/cpu/intel_pstate/no_turbo", text))
        return *text->data == '0';
    if (gb__read_file("/sys/devices/system/cpu/cpufreq/boost", text)) return *text->data == '1';
    return -1;
}

// The tightest quota from our cgroup (of version 2) up to the mount. A container may see its own
// cgroup at the mount while /proc names the path outside of it: that path isn't there and is passed
// by.
static double gb__cgroup_cpus(const char *mount, gb_slice own, gb__buf *text)
{
    char dir[PATH_MAX], path[PATH_MAX + 16];
    double tightest = 0;
    size_t top = strlen(mount), len = top + own.len;
    if (len >= sizeof dir) return 0;
    snprintf(dir, sizeof dir, "%s%.*s", mount, (int)own.len, own.data);
    for (;;) {
        snprintf(path, sizeof path, "%s/cpu.max", dir);
        double cpus = gb__read_file(path, text) ? gb__parse_quota(text->data) : 0;
        if (cpus > 0 && (tightest <= 0 || cpus < tightest)) tightest = cpus;
        if (len <= top) return tightest;
        while (len > top && dir[--len] != '/') continue;
        dir[len] = 0;
    }
}

GB_API void gb_host_read(gb_host *host)
{
    gb__buf text = {0};
    gb__cpus cpus;
    struct utsname name;
    *host = (gb_host){0};
    if (!uname(&name)) {
        gb__copy(host->hostname, sizeof host->hostname, name.nodename);
        snprintf(host->kernel, sizeof host->kernel, "%s %s %s", name.sysname, name.release,
                 name.machine);
        gb__host_cpu(host, &text, name.machine);
    }
    if (gb__read_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", &text))
        gb__copy_slice(host->governor, sizeof host->governor,
                       (gb_slice){text.data, strcspn(text.data, "\n")});
    if (gb__read_file("/proc/meminfo", &text))
        host->memory = gb__proc_bytes(text.data, "MemTotal");
    host->steal_ns = gb__machine_time_read(&text).steal_ns;
    if (gb__read_file("/proc/vmstat", &text))
        host->swapped_pages = gb__proc_number(text.data, "pswpin") +
                              gb__proc_number(text.data, "pswpout");
    gb__cpus_here(&cpus);
    host->cpus = cpus.count ? cpus.count : (int)sysconf(_SC_NPROCESSORS_ONLN);
    host->threads_per_core = cpus.per_core;
    host->turbo = gb__host_turbo(&text);
    if (getloadavg(&host->load_1min, 1) != 1) host->load_1min = 0;
    if (gb__read_file("/proc/self/cgroup", &text))  // "0::/path"
        host->cgroup_cpus = gb__cgroup_cpus("/sys/fs/cgroup", gb__proc_value(text.data, "0"),
                                            &text);
    gb__buf_free(&text);
}

GB__OPTIMIZE_AGAIN

// ================================================================================================
// >>http
// HTTP/1.1 messages (RFC 9110, RFC 9112): parsers over bytes that the caller keeps, and the text of
// heads. Pure: no sockets, no allocation. What was parsed points into the bytes. Where the RFC
// leaves a choice a request gets the strict one, because two readers that differ about where a
// message ends are what request smuggling lives on.

enum { GB__PARTIAL = -1 };  // parsers: more bytes are needed; 0 is done, above 0 a status to answer

typedef struct gb__field {
    gb_slice name, value;
} gb__field;

typedef struct gb__request {
    gb_slice method, target, path, query;
    gb_slice authority;      // of an absolute-form target
    int minor;  // of HTTP/1.x
    size_t field_count;
    size_t head_len;         // the body starts here
    bool has_length;         // there is a Content-Length
    bool chunked;
    uint64_t content_length;
    bool keep_alive;
    bool expect_continue;
    gb__field fields[GB_MAX_HEADERS];
} gb__request;

typedef struct gb__response {
    int status, minor;
    size_t head_len;
    bool has_length, chunked, keep_alive;
    uint64_t content_length;
    gb_slice location;
    const char *problem;     // why it is malformed
} gb__response;

static bool gb__is_token_char(unsigned char c)
{
    static const uint64_t token[2] = {0x3ff6cfa00000000, 0x57ffffffc7fffffe};
    return c < 128 && (token[c >> 6] >> (c & 63) & 1);
}

static bool gb__is_value_char(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

// No fragment, and nothing raw that has to be percent-encoded for not being ASCII (RFC 3986).
static bool gb__is_target_char(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '#';
}

static bool gb__is_host_char(unsigned char c)
{
    static const uint64_t host[2] = {0x2fff7ff200000000, 0x47fffffeaffffffe};
    return c >= 128 || (host[c >> 6] >> (c & 63) & 1);
}

// Inlined for the sake of `is`, which then is no call for each byte.
__attribute__((always_inline)) static inline bool gb__all(gb_slice s, bool (*is)(unsigned char))
{
    for (size_t i = 0; i < s.len; i++)
        if (!is((unsigned char)s.data[i])) return false;
    return true;
}

// Splits at the first `c`; without one, *before is all of it and the result is false.
static bool gb__split(gb_slice s, char c, gb_slice *before, gb_slice *after)
{
    const char *hit = s.len ? memchr(s.data, c, s.len) : NULL;
    size_t n = hit ? (size_t)(hit - s.data) : s.len;
    *before = (gb_slice){s.data, n};
    *after = hit ? (gb_slice){hit + 1, s.len - n - 1} : (gb_slice){s.data + s.len, 0};
    return hit;
}

// The line that starts at *at, without its CRLF; moves *at behind it. A line that is longer than
// `limit` is reported as soon as so many bytes are there.
enum { GB__LINE_OK, GB__LINE_PARTIAL, GB__LINE_LONG, GB__LINE_BAD };

static int gb__next_line(const char *data, size_t len, size_t limit, size_t *at, gb_slice *line)
{
    size_t left = len - *at;
    const char *end = left ? memchr(data + *at, '\n', left) : NULL;
    size_t n = end ? (size_t)(end - data) - *at : left;
    if (n > limit + 1) return GB__LINE_LONG;
    if (!end) return GB__LINE_PARTIAL;
    if (!n || end[-1] != '\r') return GB__LINE_BAD;  // a bare LF
    *line = (gb_slice){data + *at, n - 1};
    *at += n + 1;
    return GB__LINE_OK;
}

// Of a target in absolute form, else empty.
static gb_slice gb__authority(gb_slice target)
{
    size_t begin = strlen("http://"), end = begin;
    if (target.len < begin || !gb__slice_is_nocase((gb_slice){target.data, begin}, "http://"))
        return (gb_slice){target.data, 0};
    while (end < target.len && target.data[end] != '/' && target.data[end] != '?') end++;
    return (gb_slice){target.data + begin, end - begin};
}

static int gb__parse_request_line(gb__request *r, gb_slice line)
{
    gb_slice rest, target, version;
    if (!gb__split(line, ' ', &r->method, &rest) || !gb__split(rest, ' ', &target, &version))
        return 400;
    if (!r->method.len || !gb__all(r->method, gb__is_token_char)) return 400;
    if (!target.len || !gb__all(target, gb__is_target_char)) return 400;
    if (version.len != 8 || memcmp(version.data, "HTTP/", 5) || version.data[6] != '.' ||
        !isdigit((unsigned char)version.data[5]) || !isdigit((unsigned char)version.data[7]))
        return 400;
    if (version.data[5] != '1' || version.data[7] > '1') return 505;
    if (gb__slice_is(r->method, "CONNECT")) return 501;
    // The origin is ours whatever it says, the rest is the path (RFC 9112, 3.2.2).
    gb_slice a = gb__authority(target);
    size_t origin = a.len ? (size_t)(a.data - target.data) + a.len : 0;
    bool asterisk = gb__slice_is(target, "*") && gb__slice_is(r->method, "OPTIONS");
    if (!origin && *target.data != '/' && !asterisk) return 400;
    if (!gb__all(a, gb__is_host_char)) return 400;
    gb__split((gb_slice){target.data + origin, target.len - origin}, '?', &r->path, &r->query);
    r->minor = version.data[7] - '0';
    r->target = target;
    r->authority = a;
    return 0;
}

static bool gb__parse_field(gb_slice line, gb__field *f)
{
    if (!gb__split(line, ':', &f->name, &f->value)) return false;
    f->value = gb__slice_trim(f->value);
    return f->name.len && gb__all(f->name, gb__is_token_char) &&
           gb__all(f->value, gb__is_value_char);
}

// A second Content-Length is tolerated only when it says the same (RFC 9112, 6.3).
static bool gb__parse_length(gb_slice value, bool *has, uint64_t *length)
{
    uint64_t n;
    if (!gb__slice_u64(value, &n) || (*has && n != *length)) return false;
    *has = true;
    *length = n;
    return true;
}

// Calls `each` for every element of a comma-separated list until it returns non-zero.
static int gb__each_element(gb_slice list, int (*each)(gb_slice element, void *user), void *user)
{
    gb_slice element;
    int result = 0;
    while (!result && list.len) {
        gb__split(list, ',', &element, &list);
        element = gb__slice_trim(element);
        if (element.len) result = each(element, user);
    }
    return result;
}

// What has been seen of a head.
typedef struct gb__head_seen {
    int hosts;
    unsigned once;  // of the fields that may be there only once
    bool coding, chunked, other_coding, close, keep_alive;
} gb__head_seen;

static int gb__connection_option(gb_slice option, void *user)
{
    gb__head_seen *seen = user;
    seen->close |= gb__slice_is_nocase(option, "close");
    seen->keep_alive |= gb__slice_is_nocase(option, "keep-alive");
    return 0;
}

// "close" wins over any other option (RFC 9112, 9.3).
static bool gb__is_kept(const gb__head_seen *seen, int minor)
{
    return !seen->close && (minor || seen->keep_alive);
}

// Only chunked, once and last, says where a message ends (RFC 9112, 6.3).
static int gb__transfer_coding(gb_slice coding, void *user)
{
    gb__head_seen *seen = user;
    if (seen->chunked) return 400;
    seen->chunked = gb__slice_is_nocase(coding, "chunked");
    seen->other_coding |= !seen->chunked;
    return 0;
}

// A repeated field is read as a list (RFC 9110, 5.3), which the values of these can't be: one
// reader would take the first and the next one the last.
static bool gb__is_repeated(gb__head_seen *seen, gb_slice name)
{
    static const gb_slice names[] = {
        {"authorization", 13}, {"content-location", 16}, {"content-range", 13},
        {"content-type", 12}, {"date", 4}, {"from", 4}, {"if-modified-since", 17}, {"if-range", 8},
        {"if-unmodified-since", 19}, {"max-forwards", 12}, {"proxy-authorization", 19},
        {"range", 5}, {"referer", 7}, {"user-agent", 10}};
    int i = gb__find_name(name, names, sizeof names / sizeof *names);
    bool before = i >= 0 && seen->once >> i & 1;
    if (i >= 0) seen->once |= 1u << i;
    return before;
}

// What a field means for the framing of the request; 0 or a status.
static int gb__request_field(gb__request *r, gb__head_seen *seen, gb_slice name, gb_slice value)
{
    if (gb__slice_is_nocase(name, "host"))
        return ++seen->hosts == 1 && gb__all(value, gb__is_host_char) ? 0 : 400;
    if (gb__slice_is_nocase(name, "content-length"))
        return gb__parse_length(value, &r->has_length, &r->content_length) ? 0 : 400;
    if (gb__slice_is_nocase(name, "transfer-encoding")) {
        seen->coding = true;
        return gb__each_element(value, gb__transfer_coding, seen);
    }
    if (gb__is_repeated(seen, name)) return 400;
    if (gb__slice_is_nocase(name, "connection"))
        gb__each_element(value, gb__connection_option, seen);
    if (gb__slice_is_nocase(name, "expect")) {
        if (!gb__slice_is_nocase(value, "100-continue")) return 417;
        r->expect_continue = r->minor > 0;
    }
    return 0;
}

static int gb__check_framing(gb__request *r, const gb__head_seen *seen)
{
    if (r->minor && seen->hosts != 1) return 400;
    if (seen->coding && (r->has_length || !seen->chunked || !r->minor)) return 400;
    if (seen->other_coding) return 501;
    r->chunked = seen->chunked;
    r->keep_alive = gb__is_kept(seen, r->minor);
    return 0;
}

static int gb__parse_fields(gb__request *r, const char *data, size_t len, size_t at)
{
    gb__head_seen seen = {0};
    gb_slice line;
    gb__field field;
    size_t start = at;
    for (;;) {
        int got = gb__next_line(data, len, GB_MAX_HEAD - (at - start), &at, &line);
        if (got == GB__LINE_PARTIAL) return GB__PARTIAL;
        if (got == GB__LINE_LONG || at - start > GB_MAX_HEAD) return 431;
        if (got == GB__LINE_BAD) return 400;
        if (!line.len) break;
        if (!gb__parse_field(line, &field)) return 400;  // obs-fold too: no token there
        if (r->field_count == GB_MAX_HEADERS) return 431;
        r->fields[r->field_count++] = field;
        int status = gb__request_field(r, &seen, field.name, field.value);
        if (status) return status;
    }
    r->head_len = at;
    return gb__check_framing(r, &seen);
}

// How long the empty lines before a request are: an old client's habit (RFC 9112, 2.2). They begin
// nothing, so whoever waits for a request drops them at once.
static size_t gb__empty_lines(const char *data, size_t len)
{
    size_t at = 0;
    while (len - at >= 2 && data[at] == '\r' && data[at + 1] == '\n') at += 2;
    return at;
}

// Parses a request's head from its first byte; call it again with more on GB__PARTIAL.
static int gb__parse_request(gb__request *r, const char *data, size_t len)
{
    gb_slice line = {0};
    size_t at = gb__empty_lines(data, len);
    // Everything but the field table, which is 4 KiB that nobody reads beyond field_count.
    memset(r, 0, offsetof(gb__request, fields));
    r->minor = 1;
    if (at > GB_MAX_REQUEST_LINE) return 400;
    if (len - at == 1 && data[at] == '\r') return GB__PARTIAL;
    int got = gb__next_line(data, len, GB_MAX_REQUEST_LINE, &at, &line);
    if (got == GB__LINE_PARTIAL) return GB__PARTIAL;
    if (got != GB__LINE_OK) return got == GB__LINE_LONG ? 414 : 400;
    int status = gb__parse_request_line(r, line);
    return status ? status : gb__parse_fields(r, data, len, at);
}

static int gb__malformed(gb__response *r, const char *problem)
{
    r->problem = problem;
    return 1;
}

// What a field means for the answer; above 0 when it contradicts itself.
static int gb__response_field(gb__response *r, gb__head_seen *seen, gb_slice name, gb_slice value)
{
    if (gb__slice_is_nocase(name, "transfer-encoding")) {
        if (gb__each_element(value, gb__transfer_coding, seen) || seen->other_coding)
            return gb__malformed(r, "the answer's transfer coding is another than chunked");
        r->chunked = seen->chunked;
    }
    if (gb__slice_is_nocase(name, "content-length") &&
        !gb__parse_length(value, &r->has_length, &r->content_length))
        return gb__malformed(r, "the answer has two lengths, or one that is no number");
    if (gb__slice_is_nocase(name, "connection"))
        gb__each_element(value, gb__connection_option, seen);
    if (gb__slice_is_nocase(name, "location")) r->location = value;
    return 0;
}

// "HTTP/1.1 200 OK"; an empty reason may lack even its space.
static bool gb__parse_status_line(gb__response *r, gb_slice line)
{
    uint64_t status;
    if (line.len < 12 || memcmp(line.data, "HTTP/1.", 7) || line.data[8] != ' ' ||
        !isdigit((unsigned char)line.data[7]) ||
        !gb__slice_u64((gb_slice){line.data + 9, 3}, &status))
        return false;
    r->status = (int)status;
    gb_slice reason = {line.data + 12, line.len - 12};
    r->minor = line.data[7] - '0';
    return r->status >= 100 && (!reason.len || *reason.data == ' ') &&
           gb__all(reason, gb__is_value_char);
}

// A line of a head, with those that continue it (obs-fold). A user agent has to read them as one
// with blanks between (RFC 9112, 5.2), which is written where the line ends were.
static int gb__next_field(char *data, size_t len, size_t *at, gb_slice *line)
{
    gb_slice more;
    int got = gb__next_line(data, len, GB_MAX_HEAD - *at, at, line);
    while (got == GB__LINE_OK && line->len && *at <= GB_MAX_HEAD) {
        if (*at == len) return GB__LINE_PARTIAL;
        if (data[*at] != ' ' && data[*at] != '\t') break;
        data[*at - 2] = data[*at - 1] = ' ';
        got = gb__next_line(data, len, GB_MAX_HEAD - *at, at, &more);
        if (got == GB__LINE_OK) line->len = (size_t)(more.data - line->data) + more.len;
    }
    return *at > GB_MAX_HEAD ? GB__LINE_LONG : got;
}

// Parses an answer's head; 0, GB__PARTIAL, or above 0 and why when it is malformed.
static int gb__parse_response(gb__response *r, char *data, size_t len)
{
    static const char *const problems[] = {
        [GB__LINE_LONG] = "the answer's head is too long",
        [GB__LINE_BAD] = "a field in the answer's head is malformed"};
    gb__head_seen seen = {0};
    gb_slice line;
    gb__field field;
    size_t at = 0;
    *r = (gb__response){.location = {"", 0}};
    int got = gb__next_line(data, len, GB_MAX_HEAD, &at, &line);
    if (got == GB__LINE_BAD || (got == GB__LINE_OK && !gb__parse_status_line(r, line)))
        return gb__malformed(r, "the answer was not HTTP/1.x");
    while (got == GB__LINE_OK) {
        got = gb__next_field(data, len, &at, &line);
        if (got != GB__LINE_OK || !line.len) break;
        if (!gb__parse_field(line, &field)) got = GB__LINE_BAD;
        else if (gb__response_field(r, &seen, field.name, field.value)) return 1;
    }
    r->head_len = at;
    r->keep_alive = gb__is_kept(&seen, r->minor);
    if (got == GB__LINE_PARTIAL) return GB__PARTIAL;
    return got == GB__LINE_OK ? 0 : gb__malformed(r, problems[got]);
}

// How far a body has been read, decoded where it lies: so many bytes, or the chunked coding
// (RFC 9112, 7.1), which begins with zeros.
typedef struct gb__framing {
    enum {
        GB__CHUNK_SIZE,
        GB__CHUNK_SIZE_END,  // behind a size, or an extension's quotes
        GB__CHUNK_BLANK, GB__CHUNK_EXTENSION, GB__CHUNK_NAME, GB__CHUNK_NAME_END,
        GB__CHUNK_EQUALS, GB__CHUNK_VALUE, GB__CHUNK_QUOTED, GB__CHUNK_ESCAPED,
        // Tolerated: blanks behind a size, which some servers pad it with, and any extension.
        GB__CHUNK_PADDING, GB__CHUNK_ANYTHING,
        GB__CHUNK_SIZE_LF, GB__CHUNK_DATA, GB__CHUNK_DATA_CR, GB__CHUNK_DATA_LF,
        GB__CHUNK_TRAILER,   // at the start of a line
        GB__CHUNK_TRAILER_NAME, GB__CHUNK_TRAILER_VALUE, GB__CHUNK_TRAILER_LF,
        GB__CHUNK_LAST_LF, GB__CHUNK_DONE, GB__CHUNK_BAD
    } state;
    bool counted;     // not chunked
    bool tolerant;    // of an answer's size lines: nobody forwards what is read here
    uint64_t left;    // of all, or of the chunk
    size_t overhead;  // bytes since the last data: digits, extensions and trailers are limited
} gb__framing;

static gb__framing gb__frame(bool chunked, uint64_t length)
{
    if (chunked) return (gb__framing){.state = GB__CHUNK_SIZE};
    return (gb__framing){.state = length ? GB__CHUNK_DATA : GB__CHUNK_DONE, .counted = true,
                         .left = length};
}

static bool gb__is_over(const gb__framing *f)
{
    return f->state == GB__CHUNK_DONE;
}

static int gb__hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return (c | 0x20) - 'a' + 10;
    return -1;
}

// The framing, but for the digits of a size: the state that a byte leads to. Another digit behind a
// blank would make two readers disagree about the size.
static unsigned gb__chunk_next(unsigned state, char byte)
{
    enum {
        X = GB__CHUNK_EXTENSION, N = GB__CHUNK_NAME, M = GB__CHUNK_NAME_END, E = GB__CHUNK_EQUALS,
        V = GB__CHUNK_VALUE, Q = GB__CHUNK_QUOTED, C = GB__CHUNK_ESCAPED, S = GB__CHUNK_SIZE_END,
        B = GB__CHUNK_BLANK, P = GB__CHUNK_PADDING, A = GB__CHUNK_ANYTHING, L = GB__CHUNK_SIZE_LF,
        T = GB__CHUNK_TRAILER, K = GB__CHUNK_TRAILER_NAME, W = GB__CHUNK_TRAILER_VALUE
    };
    static const unsigned char next[][10] = {  // ; = " \ : CR LF blank token other
        [GB__CHUNK_SIZE_END] = {X, 0, 0, 0, 0, L, 0, B, 0, 0},
        [GB__CHUNK_BLANK] = {X, 0, 0, 0, 0, 0, 0, B, 0, 0},
        [GB__CHUNK_EXTENSION] = {0, 0, 0, 0, 0, 0, 0, X, N, 0},
        [GB__CHUNK_NAME] = {X, E, 0, 0, 0, L, 0, M, N, 0},
        [GB__CHUNK_NAME_END] = {X, E, 0, 0, 0, 0, 0, M, 0, 0},
        [GB__CHUNK_EQUALS] = {0, 0, Q, 0, 0, 0, 0, E, V, 0},
        [GB__CHUNK_VALUE] = {X, 0, 0, 0, 0, L, 0, B, V, 0},
        [GB__CHUNK_QUOTED] = {Q, Q, S, C, Q, 0, 0, Q, Q, Q},
        [GB__CHUNK_ESCAPED] = {Q, Q, Q, Q, Q, 0, 0, Q, Q, Q},
        [GB__CHUNK_PADDING] = {A, 0, 0, 0, 0, L, 0, P, 0, 0},
        [GB__CHUNK_ANYTHING] = {A, A, A, A, A, L, 0, A, A, A},
        [GB__CHUNK_SIZE_LF] = {0, 0, 0, 0, 0, 0, GB__CHUNK_DATA, 0, 0, 0},
        [GB__CHUNK_DATA_CR] = {0, 0, 0, 0, 0, GB__CHUNK_DATA_LF, 0, 0, 0, 0},
        [GB__CHUNK_TRAILER] = {0, 0, 0, 0, 0, GB__CHUNK_LAST_LF, 0, 0, K, 0},
        [GB__CHUNK_TRAILER_NAME] = {0, 0, 0, 0, W, 0, 0, 0, K, 0},
        [GB__CHUNK_TRAILER_VALUE] = {W, W, W, W, W, GB__CHUNK_TRAILER_LF, 0, W, W, W},
        [GB__CHUNK_TRAILER_LF] = {0, 0, 0, 0, 0, 0, T, 0, 0, 0},
        [GB__CHUNK_LAST_LF] = {0, 0, 0, 0, 0, 0, GB__CHUNK_DONE, 0, 0, 0},
    };
    static const char kinds[] = ";=\"\\:\r\n ";
    unsigned char c = (unsigned char)(byte == '\t' ? ' ' : byte);
    const char *kind = memchr(kinds, c, sizeof kinds - 1);
    size_t column = kind ? (size_t)(kind - kinds) : gb__is_token_char(c) ? 8 : 9;
    bool taken = (kind || gb__is_value_char(c)) && next[state][column];
    return taken ? next[state][column] : GB__CHUNK_BAD;
}

// One byte of framing, that is, of anything but data.
static void gb__chunk_byte(gb__framing *c, char byte)
{
    int digit = gb__hex_digit(byte);
    if (c->state == GB__CHUNK_DATA_LF && byte == '\n') {
        c->state = GB__CHUNK_SIZE;
        c->overhead = 0;
    } else if (++c->overhead > GB_MAX_HEAD) {
        c->state = GB__CHUNK_BAD;
    } else if (c->state == GB__CHUNK_SIZE && digit >= 0 && c->overhead <= 15) {
        c->left = c->left << 4 | (uint64_t)digit;
    } else {
        if (c->state == GB__CHUNK_SIZE && c->overhead > 1)
            c->state = c->tolerant ? GB__CHUNK_PADDING : GB__CHUNK_SIZE_END;
        c->state = gb__chunk_next(c->state, byte);
        if (c->state == GB__CHUNK_DATA && !c->left) c->state = GB__CHUNK_TRAILER;
    }
}

// Consumes up to `len` bytes and says how many; *content is the next piece of data among them, or
// empty when there is none. Nothing more is read in the states DONE and BAD.
static size_t gb__read_framed(gb__framing *f, const char *in, size_t len, gb_slice *content)
{
    size_t at = 0;
    *content = (gb_slice){in, 0};
    while (at < len && f->state < GB__CHUNK_DONE && f->state != GB__CHUNK_DATA)
        gb__chunk_byte(f, in[at++]);
    if (f->state != GB__CHUNK_DATA || at == len) return at;
    size_t n = len - at < f->left ? len - at : (size_t)f->left;
    *content = (gb_slice){in + at, n};
    f->left -= n;
    if (!f->left) f->state = f->counted ? GB__CHUNK_DONE : GB__CHUNK_DATA_CR;
    return at + n;
}

// What IANA's registry calls it; "" where that has none. A number stands before the first of those
// that follow one another.
static const char *gb__reason(int status)
{
    static const char *const reasons[] = {
        [100] = "Continue", "Switching Protocols", "Processing", "Early Hints",
        [200] = "OK", "Created", "Accepted", "Non-Authoritative Information", "No Content",
        [205] = "Reset Content", "Partial Content", "Multi-Status", "Already Reported",
        [226] = "IM Used",
        [300] = "Multiple Choices", "Moved Permanently", "Found", "See Other", "Not Modified",
        [305] = "Use Proxy", [307] = "Temporary Redirect", "Permanent Redirect",
        [400] = "Bad Request", "Unauthorized", "Payment Required", "Forbidden", "Not Found",
        [405] = "Method Not Allowed", "Not Acceptable", "Proxy Authentication Required",
        [408] = "Request Timeout", "Conflict", "Gone", "Length Required", "Precondition Failed",
        [413] = "Content Too Large", "URI Too Long", "Unsupported Media Type",
        [416] = "Range Not Satisfiable", "Expectation Failed",
        [421] = "Misdirected Request", "Unprocessable Content", "Locked", "Failed Dependency",
        [425] = "Too Early", "Upgrade Required",
        [428] = "Precondition Required", "Too Many Requests",
        [431] = "Request Header Fields Too Large", [451] = "Unavailable For Legal Reasons",
        [500] = "Internal Server Error", "Not Implemented", "Bad Gateway", "Service Unavailable",
        [504] = "Gateway Timeout", "HTTP Version Not Supported", "Variant Also Negotiates",
        [507] = "Insufficient Storage", "Loop Detected",
        [510] = "Not Extended", "Network Authentication Required"};
    bool listed = status >= 0 && status < (int)(sizeof reasons / sizeof *reasons);
    return listed && reasons[status] ? reasons[status] : "";
}

// An answer with one of these has no body, whatever its header says (RFC 9110, 6.4.1), and needs no
// Content-Length: with 1xx and 204 it is forbidden, and with 304 an application's is that of its
// empty body, where the one of a 200 would have to stand (8.6).
static bool gb__status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

// Connection-level fields belong to the server, never to an application (PEP 3333).
static bool gb__is_hop_by_hop(gb_slice name)
{
    static const gb_slice names[] = {{"connection", 10}, {"keep-alive", 10}, {"te", 2},
                                     {"trailer", 7}, {"trailers", 8}, {"transfer-encoding", 17},
                                     {"upgrade", 7}, {"proxy-authenticate", 18},
                                     {"proxy-authorization", 19}};
    return gb__find_name(name, names, sizeof names / sizeof *names) >= 0;
}

// ================================================================================================
// >>net
// The only place where sockets are touched: listen, connect, and reads and writes that end by a
// deadline. Every socket is close-on-exec and without Nagle's delay.

static bool gb__wait_ready(int fd, short events, uint64_t deadline)
{
    for (;;) {
        uint64_t now = gb_now_ns(), ms = now < deadline ? (deadline - now) / 1000000 + 1 : 0;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, ms > INT_MAX ? INT_MAX : (int)ms);
        if (n > 0) return true;
        if (n == 0 && !ms) errno = ETIMEDOUT;
        if (n == 0 ? !ms : errno != EINTR) return false;
    }
}

// Sends what the socket takes without waiting and moves *iov and *count behind it; false with
// errno.
static bool gb__send_some(int fd, struct iovec **iov, int *count)
{
    while (*count) {
        struct msghdr message = {.msg_iov = *iov, .msg_iovlen = (size_t)*count};
        ssize_t n = *count == 1 ? send(fd, (*iov)->iov_base, (*iov)->iov_len,
                                       MSG_NOSIGNAL | MSG_DONTWAIT)
                                : sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        size_t left = (size_t)n;
        for (; *count && left >= (*iov)->iov_len; ++*iov, --*count) left -= (*iov)->iov_len;
        if (!*count) break;
        (*iov)->iov_base = (char *)(*iov)->iov_base + left;
        (*iov)->iov_len -= left;
    }
    return true;
}

// Sends everything, or fails with errno. Each piece that the peer takes renews the deadline: a slow
// reader is not a dead one.
static bool gb__send(int fd, struct iovec *iov, int count, uint64_t patience_ns)
{
    while (gb__send_some(fd, &iov, &count) && count)
        if (!gb__wait_ready(fd, POLLOUT, gb_now_ns() + patience_ns)) return false;
    return !count;
}

// To be closed with a reset: the other side needn't answer what it has been asked.
static void gb__no_linger(int fd)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

static bool gb__is_reset(int fd)
{
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

static void gb__no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static struct addrinfo *gb__resolve(const char *host, int port, gb_error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed) gb__fail(error, GB_NETWORK, "can't resolve %s: %s", host, gai_strerror(failed));
    return failed ? NULL : found;
}

static int gb__listen(const char *host, int port, gb_error *error)
{
    struct addrinfo *a = gb__resolve(host, port, error);
    if (!a) return -1;
    int on = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
              !bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, 4096);
    int saved = errno;
    freeaddrinfo(a);
    if (ok) return fd;
    gb__fail(error, GB_NETWORK, "can't listen on %s:%d: %s%s", host, port, strerror(saved),
             saved == EADDRINUSE ? "; choose another port, or 0 for a free one" : "");
    if (fd >= 0) close(fd);
    return -1;
}

static int gb__bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len)) return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

// Hands a connection to whoever has the other end of a socket pair; false with EAGAIN when that has
// many already that it hasn't taken.
static bool gb__send_fd(int socket, int fd)
{
    char byte = 0;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

// Takes a connection that was handed over; -1 with EAGAIN when there is none. It looks first:
// out of descriptors, to take it would lose it.
static int gb__receive_fd(int socket)
{
    char byte;
    int fd = -1;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) return -1;
    struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(header), sizeof fd);
    if (fd >= 0) (void)!recv(socket, &byte, 1, MSG_DONTWAIT);
    else errno = n > 0 ? EMFILE : EAGAIN;
    return fd;
}

// Begins to connect without waiting; -1 with errno when that fails at once.
static int gb__connect(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    gb__no_delay(fd);
    if (!connect(fd, a->ai_addr, a->ai_addrlen) || errno == EINPROGRESS) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

// ================================================================================================
// >>server
// What a server is made of, and which thread may touch which part of it. There are two modes with
// one core of connections. In thread mode N threads share one epoll instance: one of them waits,
// and each takes a connection that is ready, reads, parses, calls the gateway and writes, and may
// block in all of that. In loop mode the server has one thread, which runs somebody else's event
// loop; that loop calls gb__loop_turn when the epoll instance can be read, and nothing may block.
// The modes differ in who waits and in who calls. The gateway is a table of functions; what runs
// behind it is none of the server's business.

#define GB__PEER (INET6_ADDRSTRLEN + 16)  // an address, and the interface of one that is local
#define GB__READY_MAX 64          // events taken from epoll at once
#define GB__READ_SIZE 16384
#define GB__PREREAD_MAX 65536     // a body up to this is awaited in epoll, not by a thread
#define GB__SWEEP_NS 250000000    // how often deadlines are looked at
#define GB__STOP_GRACE_S 10       // what isn't answered so long after the stop never will be

typedef struct gb__thread gb__thread;
typedef struct gb__conn gb__conn;

typedef struct gb__gateway {
    void *self;
    // Called by each thread before its first request; *local, which is self without an enter,
    // comes back in the others.
    bool (*enter)(void *self, const gb_server *server, void **local, gb_error *error);
    void (*leave)(void *local);
    void (*handle)(void *local, gb_exchange *x);
    // Loop mode has these as well; there handle only starts what answers.
    void (*run)(void *local, gb__thread *t);      // gb__loop_turn whenever the server's epoll can
                                                  // be read, until that is false
    void (*resume)(void *local, gb_exchange *x);  // what the exchange waits for may be there
    void (*over)(void *local, gb_exchange *x);    // answered or failed: the last call about it
} gb__gateway;

// Where a request's time goes. The gateway ends the first phase and times its attaching; what a
// thread waits for in Python is its own, in whichever phase. Of the application's time some is off
// the CPU.
enum {
    GB__PHASE_READ,
    GB__PHASE_ATTACH,
    GB__PHASE_LOCK,
    GB__PHASE_WORLD,
    GB__PHASE_APP,
    GB__PHASE_OFF,
    GB__PHASE_WRITE,
    GB__PHASE_READY,        // ahead of the others: for a thread to take it up
    GB__PHASES
};

// How long this thread has waited in Python, by gb_wait_kind, in ns: >>waits counts it.
enum { GB__WAITED = GB_WAIT_EVENT };
static _Thread_local uint64_t gb__waited[GB__WAITED];
static _Thread_local bool gb__is_serving;  // a server's thread: what it waits for is a request's
static _Thread_local int gb__timed;        // of the requests in this thread; without, none counts

// How far an answer is, and what the client gets if the application fails at that point:
//
//     NONE        nothing of it exists                             a 500
//     COMPOSED    its head is in the thread's `out`, unsent        a 500
//     SENT        its head has left, and perhaps some of its body  a connection cut short
//     FINISHED    all of it has left, or waits for the socket      all of it
//     FAILED      it can't be completed                            a connection cut short
typedef enum gb__answer_state {
    GB__ANSWER_NONE,
    GB__ANSWER_COMPOSED,
    GB__ANSWER_SENT,
    GB__ANSWER_FINISHED,
    GB__ANSWER_FAILED
} gb__answer_state;

// One request and its answer: the thread's that has the connection, from the parsed head to the
// last byte of the answer.
struct gb_exchange {
    gb__thread *thread;
    gb__conn *conn;
    gb__request *request;   // during handle, as it is its thread's
    gb__buf *in;            // its thread's; its connection's once the loop goes on without it
    size_t head_len;        // of the request's head, in `in`
    int minor;              // of HTTP/1.x
    bool is_head;
    bool expects_continue;  // and wasn't told to go on yet
    // the request's body
    size_t at;              // of its next byte in `in`
    gb__framing body;
    uint64_t body_seen;
    uint64_t body_patience; // ns that the client may still keep it waiting
    int body_error;         // a status to answer with, or -1: the client is gone
    // the answer
    gb__answer_state state;
    bool close, send_chunked, bodyless;
    bool counted;           // a Content-Length was promised: answer_left more bytes
    uint64_t answer_left;
    bool may_not_wait;      // thread mode: for what the socket doesn't take at once
    gb__buf unsent;         // what it has not taken yet, from unsent_at on
    size_t unsent_at;
    void *call;             // the gateway's
    bool handled;           // the gateway has seen it: it counts
    bool timed;             // one of those whose phases are told apart
    bool clocked;           // and one of those whose CPU time is asked for
    uint64_t lap;           // when the current phase began; if it isn't timed, the request
    uint64_t cpu, waited[GB__WAITED];  // of the thread, when the current phase began
    uint64_t phases[GB__PHASES];
};

struct gb__conn {
    // guarded by the server's lock
    gb__conn *previous, *next;  // in the list of all; next in the list of closed ones
    gb__conn *next_ready;
    enum {
        GB__CONN_WAITING,       // for an event
        GB__CONN_READY,         // in the list
        GB__CONN_TAKEN,         // by a thread
        GB__CONN_TAKEN_AGAIN,   // and something has happened since
        GB__CONN_CLOSED         // freed when no event can speak of it any more
    } state;
    uint32_t events;        // that came since it was last taken
    uint64_t deadline;      // of the wait for the client, 0: none; the taker's while it is taken
    uint64_t ready_at;      // when its last event came
    // the rest belongs to the thread that took it, in loop mode always to the one there is
    int fd;
    bool readable;          // there may be something to read
    bool gone;              // the client sends no more
    bool reset;             // nor does it read
    bool writable;          // the socket takes more than it did
    bool again;             // there is something to do without another event
    bool partial;           // part of a request is there: late means 408, not a silent close
    bool busy;              // the exchange is on
    bool wanted;            // loop mode: the exchange waits for more of its request's body
    bool lingering;         // answered and half-closed: what still comes is thrown away
    gb__buf pending;        // received, but not answered yet
    uint64_t request_deadline;
    char peer[GB__PEER];    // the client's address
    char peer_port[8];
    gb_exchange exchange;
};

struct gb__thread {
    gb_server *server;
    pthread_t id;
    gb__thread *below;      // in the stack of idle threads; guarded by the server's lock
    sem_t wake;
    // this thread's own
    gb__conn *conn;         // the one that it has taken; NULL once that is closed
    bool stopping;          // as of the last take: answer with Connection: close
    uint64_t ready_at;      // of what was taken, until a request of it begins
    void *local;            // the gateway's
    gb__buf in, out;
    gb__request request;
    time_t date_second;
    char date[96];
    uint64_t chance;        // state of the numbers that pick the requests to be timed
    _Atomic uint64_t requests;  // since somebody asked for the window's figures
};

// The place of a server in its process. Without a port it listens for itself; with one, its
// connections come through the inbox, or are put straight into its epoll where there is none.
typedef struct gb__place {
    int inbox, port;
    int stop_event;                  // see gb_server; -1: one of its own
    bool multithread, multiprocess;  // as wsgi.multithread and wsgi.multiprocess are to say
    bool here;                       // its one thread is the caller's: see gb__server_run
} gb__place;

struct gb_server {
    gb_server_config config;
    gb__gateway gateway;
    gb__place place;
    char host[128];
    int port, epoll, timer;
    int listener;           // or the inbox; -1 without
    int stop_event;         // an eventfd that is written once, from anywhere, and never read
    gb__thread *threads;
    int started;            // threads that are there to be joined
    sem_t entered;
    pthread_mutex_t lock;
    // guarded by lock
    bool leader;            // somebody waits in epoll
    uint64_t woken_at;      // when somebody last did
    bool accepting, stopping, drained;
    uint64_t stop_deadline;
    gb_error enter_error;
    gb__thread *idle;       // a stack
    gb__conn connections;   // the list's head
    gb__conn *ready, **ready_end;
    gb__conn *closed;
    // One set for all threads, for a thread's memory is to be Python's; guarded by phases_lock.
    pthread_mutex_t phases_lock;
    gb_histogram phases[GB__PHASES];
};

static bool gb__is_loop(const gb_server *s)
{
    return s->gateway.run;
}

// ================================================================================================
// >>exchange
// A request's body and its answer, as a gateway sees them.

static void gb__lap(gb_exchange *x, int phase)
{
    if (!x->timed && phase != GB__PHASE_WRITE) return;  // the last phase ends with the request
    uint64_t now = gb_now_ns(), rest = now - x->lap;
    // In a thread of the application's own, which may have the request, waits and clock are others.
    for (int i = 0; gb__is_serving && i < GB__WAITED; i++) {
        uint64_t waited = gb__waited[i] - x->waited[i];
        if (waited > rest) waited = rest;
        x->waited[i] = gb__waited[i];
        x->phases[GB__PHASE_ATTACH + i] += waited;
        rest -= waited;
    }
    x->phases[phase] += rest;
    x->lap = now;
    if (!x->clocked || !gb__is_serving) return;
    uint64_t cpu = gb__clock_ns(CLOCK_THREAD_CPUTIME_ID), used = cpu - x->cpu;
    if (phase == GB__PHASE_APP && rest > used) x->phases[GB__PHASE_OFF] += rest - used;
    x->cpu = cpu;
}

static uint64_t gb__patience_ns(const gb_exchange *x)
{
    return gb__seconds_ns(x->thread->server->config.read_timeout_s);
}

// Thread mode waits until the socket has taken everything; loop mode, and a gateway that may not
// wait now, keep what it doesn't take.
static bool gb__put(gb_exchange *x, struct iovec *iov, int count)
{
    if (!gb__is_loop(x->thread->server) && !x->may_not_wait)
        return gb__send(x->conn->fd, iov, count, gb__patience_ns(x));
    if (!x->unsent.len && !gb__send_some(x->conn->fd, &iov, &count)) return false;
    for (; count; iov++, count--) gb__buf_add(&x->unsent, iov->iov_base, iov->iov_len);
    return !x->unsent.failed;
}

// ---- the request --------------------------------------------------------------------------------

GB_API gb_slice gb_request_method(const gb_exchange *x)
{
    return x->request->method;
}

GB_API gb_slice gb_request_path(const gb_exchange *x)
{
    gb_slice path = x->request->path;
    return path.len ? path : (gb_slice){"/", 1};  // "http://host" has none
}

GB_API gb_slice gb_request_query(const gb_exchange *x)
{
    return x->request->query;
}

GB_API gb_slice gb_request_header(const gb_exchange *x, const char *name)
{
    const gb__request *r = x->request;
    // The authority of an absolute-form target replaces the Host field (RFC 9112, 3.2.2).
    if (r->authority.len && gb__slice_is_nocase(gb__slice(name), "host")) return r->authority;
    for (size_t i = 0; i < r->field_count; i++)
        if (gb__slice_is_nocase(r->fields[i].name, name)) return r->fields[i].value;
    return (gb_slice){"", 0};
}

// ---- its body -----------------------------------------------------------------------------------

enum { GB__BODY_WAIT, GB__BODY_PIECE, GB__BODY_END, GB__BODY_FAILED };

// Reads what has arrived, at most `size` bytes, behind what is in `b`. The edge that epoll reports
// may speak of the last bytes and of the end of the stream, and a read that takes the bytes doesn't
// show the end: a client that is gone stays readable until a read says so.
static void gb__receive(gb__conn *c, gb__buf *b, size_t size)
{
    ssize_t n = -1;
    errno = ENOMEM;
    if (gb__buf_reserve(b, size)) n = recv(c->fd, b->data + b->len, size, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) return;
    if (n > 0) b->len += (size_t)n;
    else if (n == 0 || errno != EAGAIN) c->gone = true;
    c->readable = n > 0 && (n == (ssize_t)size || c->gone);
}

// The next piece of the body among the bytes that are there, at most `size` of it.
static gb_slice gb__body_next(gb_exchange *x, size_t size)
{
    gb_slice piece;
    size_t n = x->in->len - x->at < size ? x->in->len - x->at : size;
    x->at += gb__read_framed(&x->body, x->in->data + x->at, n, &piece);
    x->body_seen += piece.len;
    // A chunk that would go beyond the limit needn't be waited for.
    if (x->body.state == GB__CHUNK_BAD) x->body_error = 400;
    else if (x->body_seen + x->body.left > x->thread->server->config.max_body) x->body_error = 413;
    return piece;
}

// The next piece of the body, valid until the next call, without waiting for it. In thread mode a
// read never moves the head, which a handler may hold slices of: there was made room before.
static int gb__body_piece(gb_exchange *x, size_t size, gb_slice *piece)
{
    gb__conn *c = x->conn;
    *piece = (gb_slice){"", 0};
    while (size && !gb__is_over(&x->body) && !x->body_error) {
        if (x->at < x->in->len) {
            *piece = gb__body_next(x, size);
            if (piece->len && !x->body_error) return GB__BODY_PIECE;
        } else if (c->readable) {
            x->in->len = x->at = x->head_len;  // over what was consumed
            gb__receive(c, x->in,
                        gb__is_loop(x->thread->server) ? GB__PREREAD_MAX : GB__READ_SIZE);
        } else if (c->gone) {
            x->body_error = -1;
        } else {
            return GB__BODY_WAIT;
        }
    }
    return x->body_error ? GB__BODY_FAILED : GB__BODY_END;
}

// Whether the next piece can be had without waiting for the client: not where what is there may be
// a chunk's framing alone.
static bool gb__body_ready(const gb_exchange *x)
{
    if (gb__is_over(&x->body) || x->body_error) return true;
    return x->at < x->in->len && x->body.state == GB__CHUNK_DATA;
}

static bool gb__send_continue(gb_exchange *x)
{
    struct iovec iov = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
    if (!x->expects_continue || x->state != GB__ANSWER_NONE) return true;
    x->expects_continue = false;
    return gb__put(x, &iov, 1);
}

// Thread mode: waits for more of the body. The time is for all of it, or a byte now and then would
// hold the thread for ever; what the handler takes between two reads doesn't count.
static void gb__body_wait(gb_exchange *x)
{
    uint64_t begun = gb_now_ns();
    if (gb__send_continue(x) && gb__wait_ready(x->conn->fd, POLLIN, begun + x->body_patience))
        x->conn->readable = true;
    else
        x->body_error = errno == ETIMEDOUT ? 408 : -1;
    uint64_t spent = gb_now_ns() - begun;
    x->body_patience -= spent < x->body_patience ? spent : x->body_patience;
}

GB_API long gb_request_read(gb_exchange *x, void *buffer, size_t size)
{
    gb_slice piece;
    int got;
    while ((got = gb__body_piece(x, size, &piece)) == GB__BODY_WAIT) gb__body_wait(x);
    if (got == GB__BODY_PIECE) memcpy(buffer, piece.data, piece.len);
    return got == GB__BODY_PIECE ? (long)piece.len : got == GB__BODY_END ? 0 : -1;
}

// ---- the answer ---------------------------------------------------------------------------------

// The Date field (RFC 9110, 6.6.1), made anew once a second.
static void gb__add_date(gb__thread *t)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != t->date_second) {
        t->date_second = now.tv_sec;
        gmtime_r(&now.tv_sec, &tm);
        // Not strftime("%a %b"): the names in a Date field don't follow the locale.
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        snprintf(t->date, sizeof t->date, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    }
    gb__buf_add(&t->out, t->date, 37);
}

typedef struct gb__answer {
    int status;
    gb_slice reason;       // of an application; default: IANA's
    const char *content_type;  // of an answer in C, else NULL
    gb_slice fields;       // complete lines of the application, without Content-Length
    bool has_length;       // content_length is known
    bool length_given;     // by the application, which knows it also where there is no body
    bool date_in_fields;
    bool closes;           // the application says that the connection is to end
    char dropped[32];      // the first field of its that was left out
    uint64_t content_length;
} gb__answer;

static void gb__add_framing(gb_exchange *x, const gb__answer *a)
{
    gb__buf *out = &x->thread->out;
    bool unknown = x->bodyless && !a->length_given && !a->content_length;  // a HEAD's may be
    if (a->has_length && gb__status_has_body(a->status) && !unknown) {
        gb__buf_str(out, "Content-Length: ");
        gb__buf_u64(out, a->content_length);
        gb__buf_str(out, "\r\n");
    } else if (!a->has_length && !x->bodyless) {
        x->send_chunked = x->minor > 0;
        if (x->send_chunked) gb__buf_str(out, "Transfer-Encoding: chunked\r\n");
        else x->close = true;
    }
    if (x->close) gb__buf_str(out, "Connection: close\r\n");
    else if (!x->minor) gb__buf_str(out, "Connection: keep-alive\r\n");
}

// Composes the head; it is sent with the first bytes of the body.
static void gb__answer_begin(gb_exchange *x, const gb__answer *a)
{
    gb__buf *out = &x->thread->out;
    x->state = GB__ANSWER_COMPOSED;
    x->send_chunked = false;
    x->bodyless = !gb__status_has_body(a->status) || x->is_head;
    x->counted = a->has_length;
    x->answer_left = a->content_length;
    // A body that nobody read stands where the next request would begin.
    if (!gb__is_over(&x->body) && (x->expects_continue || !x->body.counted ||
                                   x->at + x->body.left > x->in->len))
        x->close = true;
    if (x->thread->stopping) x->close = true;
    out->len = 0;
    gb__buf_str(out, "HTTP/1.1 ");
    gb__buf_u64(out, (uint64_t)a->status);
    gb__buf_str(out, " ");
    if (a->reason.data) gb__buf_add(out, a->reason.data, a->reason.len);
    else gb__buf_str(out, gb__reason(a->status));
    gb__buf_str(out, "\r\n");
    gb__buf_add(out, a->fields.data, a->fields.len);
    if (a->content_type) {
        gb__buf_str(out, "Content-Type: ");
        gb__buf_str(out, a->content_type);
        gb__buf_str(out, "\r\n");
    }
    if (!a->date_in_fields) gb__add_date(x->thread);
    gb__add_framing(x, a);
    gb__buf_str(out, "\r\n");
}

// Sends what was composed, and `data` behind it, framed as a chunk where that is the coding.
static bool gb__flush(gb_exchange *x, const void *data, size_t len)
{
    gb__buf *out = &x->thread->out;
    struct iovec iov[3] = {{out->data, out->len}, {(void *)(uintptr_t)data, len}, {"\r\n", 2}};
    int count = !len ? 1 : x->send_chunked ? 3 : 2;
    if (out->failed || ((out->len || len) && x->state != GB__ANSWER_FAILED &&
                        !gb__put(x, iov, count)))
        x->state = GB__ANSWER_FAILED;
    if (x->state == GB__ANSWER_COMPOSED) x->state = GB__ANSWER_SENT;
    out->len = 0;
    return x->state != GB__ANSWER_FAILED;
}

// Begins a piece of the body: its chunk's size, where that is the coding. What goes beyond the
// promised Content-Length is cut: it would be read as the next answer.
static size_t gb__begin_piece(gb_exchange *x, size_t len)
{
    if (x->bodyless) return 0;
    if (x->counted && len > x->answer_left) len = (size_t)x->answer_left;
    if (x->counted) x->answer_left -= len;
    if (x->send_chunked && len) gb__buf_printf(&x->thread->out, "%zx\r\n", len);
    return len;
}

// Adds to the answer without sending it yet; for small pieces.
static void gb__answer_add(gb_exchange *x, const void *data, size_t len)
{
    len = gb__begin_piece(x, len);
    gb__buf_add(&x->thread->out, data, len);
    if (x->send_chunked && len) gb__buf_str(&x->thread->out, "\r\n");
}

// Sends a piece of the body, and the head before the first. False when the client is gone.
static bool gb__answer_send(gb_exchange *x, const void *data, size_t len)
{
    len = gb__begin_piece(x, len);
    return gb__flush(x, data, len);
}

// Thread mode: waits until the socket has taken what was kept.
static bool gb__send_kept(gb_exchange *x)
{
    struct iovec iov = {x->unsent.data, x->unsent.len};
    if (!gb__send(x->conn->fd, &iov, 1, gb__patience_ns(x))) x->state = GB__ANSWER_FAILED;
    x->unsent.len = 0;
    return x->state != GB__ANSWER_FAILED;
}

// Sends what there is still to send. A body that is too short ends as a connection cut short.
static void gb__answer_end(gb_exchange *x)
{
    if (x->send_chunked) gb__buf_str(&x->thread->out, "0\r\n\r\n");
    bool complete = !x->counted || !x->answer_left || x->bodyless;
    if (gb__flush(x, NULL, 0)) x->state = complete ? GB__ANSWER_FINISHED : GB__ANSWER_FAILED;
}

GB_API void gb_respond(gb_exchange *x, int status, const char *content_type, const void *body,
                       size_t size)
{
    if (x->state != GB__ANSWER_NONE) return;
    gb__answer a = {.status = status, .content_type = content_type,
                    .has_length = true, .content_length = size};
    gb__lap(x, GB__PHASE_APP);
    gb__answer_begin(x, &a);
    if (size <= GB__READ_SIZE) gb__answer_add(x, body, size);
    else gb__answer_send(x, body, size);
    gb__answer_end(x);
    gb__lap(x, GB__PHASE_WRITE);
}

// An answer of the server's own, which says no more than its status.
static void gb__answer_status(gb_exchange *x, int status)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%d %s\n", status, gb__reason(status));
    gb_respond(x, status, "text/plain", text, (size_t)n);
}

// ---- its beginning and its end ------------------------------------------------------------------

// Begins the exchange of the request in thread->request, whose bytes are in thread->in.
static gb_exchange *gb__exchange_begin(gb__thread *t, gb__conn *c, uint64_t since)
{
    const gb__request *r = &t->request;
    gb_exchange *x = &c->exchange;
    *x = (gb_exchange){.thread = t, .conn = c, .request = &t->request, .in = &t->in, .lap = since,
                       .minor = r->minor, .expects_continue = r->expect_continue,
                       .body = gb__frame(r->chunked, r->content_length)};
    memcpy(x->waited, gb__waited, sizeof x->waited);
    if (t->ready_at && since > t->ready_at) x->phases[GB__PHASE_READY] = since - t->ready_at;
    t->ready_at = 0;
    // One request in four, but not every fourth, which a pattern in the requests might favour. To
    // time all of them takes 1.5 % more CPU for a small answer; of this nothing can be seen (0.997
    // times as much, [0.991, 1.002], over 60 pairs of fresh servers). The thread's clock is a
    // system call of half a microsecond.
    x->timed = !gb__rng_below(&t->chance, 4);
    gb__timed += x->timed;
    x->clocked = x->timed && !gb__rng_below(&t->chance, 8);
    if (x->clocked) x->cpu = gb__clock_ns(CLOCK_THREAD_CPUTIME_ID);
    x->at = x->head_len = r->head_len;
    x->is_head = gb__slice_is(gb_request_method(x), "HEAD");
    x->body_patience = gb__patience_ns(x);
    x->close = !r->keep_alive || t->stopping;
    t->out.len = 0;
    c->busy = true;
    c->deadline = 0;
    return x;
}

static void gb__record_phases(const gb_exchange *x)
{
    gb_server *s = x->thread->server;
    pthread_mutex_lock(&s->phases_lock);
    for (int i = 0; i < GB__PHASES; i++)
        if (i != GB__PHASE_OFF || x->clocked) gb_histogram_record(&s->phases[i], x->phases[i]);
    pthread_mutex_unlock(&s->phases_lock);
}

static void gb__exchange_over(gb_exchange *x)
{
    gb__thread *t = x->thread;
    x->conn->busy = x->conn->wanted = false;
    gb__timed -= x->timed;
    if (x->handled) atomic_fetch_add(&t->requests, 1);
    if (x->handled && x->timed) gb__record_phases(x);
    if (x->call) t->server->gateway.over(t->local, x);
    gb__buf_free(&x->unsent);
}

// ================================================================================================
// >>connections
// A server's connections, from accept to close, for both modes. Each descriptor is registered once,
// edge-triggered, so that a request costs a read, a write and a share of a wait. What epoll reports
// puts a connection in the list of those that are ready; whoever takes it from there has it alone
// until it is given back, and what arrives meanwhile puts it in the list again then.

static bool gb__watch(const gb_server *s, int op, int fd, uint32_t events, void *ptr)
{
    struct epoll_event event = {.events = events, .data.ptr = ptr};
    return !epoll_ctl(s->epoll, op, fd, &event);
}

// A loop can't wait for a socket to take more, so it is told.
static bool gb__watch_conn(const gb_server *s, int op, gb__conn *c)
{
    uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET | (gb__is_loop(s) ? EPOLLOUT : 0u);
    return gb__watch(s, op, c->fd, events, c);
}

static void gb__set_accepting(gb_server *s, bool on)  // locked
{
    if (s->accepting == on || s->listener < 0 || (on && s->stopping)) return;
    s->accepting = on;
    gb__watch(s, EPOLL_CTL_MOD, s->listener, on ? EPOLLIN : 0, &s->listener);
}

static bool gb__has_connections(const gb_server *s)
{
    return s->connections.next != &s->connections;
}

static uint64_t gb__idle_deadline(const gb_server *s, uint64_t now)
{
    return now + gb__seconds_ns(s->config.idle_timeout_s);
}

static void gb__make_ready(gb_server *s, gb__conn *c)  // locked
{
    c->state = GB__CONN_READY;
    c->next_ready = NULL;
    *s->ready_end = c;
    s->ready_end = &c->next_ready;
}

static void gb__conn_event(gb_server *s, gb__conn *c, uint32_t events)  // locked
{
    c->events |= events;
    c->ready_at = s->woken_at;
    if (c->state == GB__CONN_WAITING) gb__make_ready(s, c);
    else if (c->state == GB__CONN_TAKEN) c->state = GB__CONN_TAKEN_AGAIN;
}

// ---- from accept to close -----------------------------------------------------------------------

// `op` is EPOLL_CTL_MOD for a descriptor that a dispatcher has put into epoll.
static void gb__conn_new(gb_server *s, int fd, int op)  // locked
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    gb__conn *c = calloc(1, sizeof *c);
    if (c) c->fd = fd;
    if (!c || !gb__watch_conn(s, op, c)) {
        free(c);
        close(fd);
        return;
    }
    if (!getpeername(fd, (struct sockaddr *)&address, &len))
        getnameinfo((struct sockaddr *)&address, len, c->peer, sizeof c->peer, c->peer_port,
                    sizeof c->peer_port, NI_NUMERICHOST | NI_NUMERICSERV);
    gb__no_delay(fd);
    c->deadline = gb__idle_deadline(s, gb_now_ns());
    c->previous = &s->connections;
    c->next = s->connections.next;
    c->previous->next = c->next->previous = c;
    if (s->stopping) gb__conn_event(s, c, EPOLLIN);  // to be looked at once, and closed
}

static void gb__accept(gb_server *s)  // locked
{
    int fd;
    do {
        fd = s->place.inbox < 0 ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)
                                : gb__receive_fd(s->listener);
        if (fd >= 0) gb__conn_new(s, fd, EPOLL_CTL_ADD);
    } while (fd >= 0 || errno == EINTR || errno == ECONNABORTED);
    // Out of descriptors or memory: the listener would stay ready and the loop spin, so it
    // rests until a connection closes or the next sweep.
    if (errno != EAGAIN) gb__set_accepting(s, false);
}

// Its memory stays for a while: somebody may hold an event of it that wasn't looked at yet.
static void gb__conn_close(gb__thread *t, gb__conn *c)
{
    gb_server *s = t->server;
    if (c->busy) gb__exchange_over(&c->exchange);
    gb__buf_free(&c->pending);
    if (t->conn == c) t->conn = NULL;
    pthread_mutex_lock(&s->lock);
    c->state = GB__CONN_CLOSED;
    c->previous->next = c->next;
    c->next->previous = c->previous;
    c->next = s->closed;
    s->closed = c;
    // Where the application forked, a child has the socket, too: to close it here is not its end.
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    gb__set_accepting(s, true);  // a descriptor is free again
    pthread_mutex_unlock(&s->lock);
}

static void gb__free_closed(gb_server *s)  // locked; between two waits, when no event is at hand
{
    while (s->closed) {
        gb__conn *c = s->closed;
        s->closed = c->next;
        free(c);
    }
}

// There is more to do than the next event says. Setting the descriptor anew makes the kernel report
// what is ready once more; who has taken the connection does without.
static void gb__conn_again(gb__thread *t, gb__conn *c)
{
    c->again = true;
    if (t->conn != c) gb__watch_conn(t->server, EPOLL_CTL_MOD, c);
}

// To close with unread bytes in the socket would reset the connection, and the answer with it.
static void gb__conn_linger(gb__thread *t, gb__conn *c)
{
    if ((c->gone && !c->readable) || shutdown(c->fd, SHUT_WR)) {
        gb__conn_close(t, c);
        return;
    }
    c->lingering = c->readable = true;
    c->partial = false;
    c->deadline = gb_now_ns() + GB__NS;
    gb__conn_again(t, c);
}

// ---- who is ready -------------------------------------------------------------------------------

// Takes the first that is ready; false when there is none.
static bool gb__take_ready(gb__thread *t)  // locked
{
    gb_server *s = t->server;
    gb__conn *c = s->ready;
    while (c && c->state == GB__CONN_CLOSED) c = c->next_ready;
    s->ready = c ? c->next_ready : NULL;
    if (!s->ready) s->ready_end = &s->ready;
    t->conn = c;
    t->stopping = s->stopping;
    if (!c) return false;
    c->state = GB__CONN_TAKEN;
    t->ready_at = c->busy ? 0 : c->ready_at;
    c->again = false;
    c->readable |= (c->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    c->gone |= (c->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    c->reset |= (c->events & EPOLLERR) != 0;
    c->writable = (c->events & EPOLLOUT) != 0;
    c->events = 0;
    return true;
}

// Who has more to do goes back by way of epoll, never straight into the list: the list would not
// get empty, and whom only epoll knows of would starve.
static void gb__give_back(gb__thread *t)  // locked
{
    gb__conn *c = t->conn;
    t->conn = NULL;
    if (!c) return;
    if (c->state == GB__CONN_TAKEN_AGAIN) {
        gb__make_ready(t->server, c);
    } else {
        c->state = GB__CONN_WAITING;
        if (c->again) gb__watch_conn(t->server, EPOLL_CTL_MOD, c);
    }
}

static void gb__set_timer(const gb_server *s, long ns)
{
    const struct itimerspec every = {.it_interval = {0, ns}, .it_value = {0, ns}};
    timerfd_settime(s->timer, 0, &every, NULL);
}

// Who is overdue is ready: the thread that takes such a connection answers and closes it, so that a
// connection never has two owners.
static void gb__sweep(gb_server *s)  // locked
{
    uint64_t ticks, now = gb_now_ns();
    (void)!read(s->timer, &ticks, sizeof ticks);
    bool all = s->stopping && now > s->stop_deadline;
    for (gb__conn *c = s->connections.next; c != &s->connections; c = c->next) {
        if (c->state != GB__CONN_WAITING) continue;
        if (all) c->deadline = now;
        if (c->deadline && c->deadline <= now) gb__make_ready(s, c);
    }
    gb__set_accepting(s, true);
}

// What has arrived is still answered, and what is being answered is finished.
static void gb__stop_accepting(gb_server *s)  // locked
{
    if (s->stopping) return;
    if (s->listener >= 0) {
        gb__accept(s);
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listener, NULL);
    }
    s->stopping = true;
    s->stop_deadline = gb_now_ns() + GB__STOP_GRACE_S * GB__NS;
    gb__set_timer(s, 10000000);  // the end is near, and nobody should wait for it
    // Each is looked at once more: something may have come, and who has nothing to do is closed.
    for (gb__conn *c = s->connections.next; c != &s->connections; c = c->next)
        gb__conn_event(s, c, EPOLLIN);
}

// Waits for events and lists what is ready. Only one thread at a time does.
static void gb__wait(gb_server *s, int timeout_ms)  // locked; unlocked while it waits
{
    struct epoll_event events[GB__READY_MAX];
    gb__free_closed(s);
    s->leader = true;
    pthread_mutex_unlock(&s->lock);
    int n = epoll_wait(s->epoll, events, GB__READY_MAX, timeout_ms);
    pthread_mutex_lock(&s->lock);
    s->leader = false;
    if (n > 0) s->woken_at = gb_now_ns();
    for (int i = 0; i < n; i++) {
        void *what = events[i].data.ptr;
        uint64_t number = events[i].data.u64;
        if (what == &s->timer) gb__sweep(s);
        else if (what == &s->listener) gb__accept(s);
        else if (what == &s->stop_event) gb__stop_accepting(s);
        else if (number & 1) gb__conn_new(s, (int)(number >> 1), EPOLL_CTL_MOD);
        else gb__conn_event(s, what, events[i].events);
    }
}

// ---- what a connection that was taken is for ----------------------------------------------------

// The bytes behind an exchange that the loop went on without are the next request's.
static void gb__conn_next(gb_exchange *x)
{
    gb__conn *c = x->conn;
    gb__buf *pending = &c->pending;
    size_t end = x->at + (size_t)x->body.left;
    gb__buf_consume(pending, end < pending->len ? end : pending->len);
    if (!pending->len) gb__buf_free(pending);
    c->deadline = gb__idle_deadline(x->thread->server, x->lap);
    if (pending->len || c->readable || x->thread->stopping) gb__conn_again(x->thread, c);
}

// After whatever may have ended the exchange: true while it goes on.
static bool gb__settle(gb_exchange *x)
{
    gb__conn *c = x->conn;
    if (!c->busy) return false;
    if (x->unsent.len && !c->deadline) c->deadline = gb_now_ns() + gb__patience_ns(x);
    if (x->state < GB__ANSWER_FINISHED || (x->state == GB__ANSWER_FINISHED && x->unsent.len))
        return true;
    bool unread = !gb__is_over(&x->body) || x->at < x->in->len || c->readable;
    gb__exchange_over(x);
    if (x->state == GB__ANSWER_FAILED || (x->close && !unread)) gb__conn_close(x->thread, c);
    else if (x->close) gb__conn_linger(x->thread, c);
    else if (x->in == &c->pending) gb__conn_next(x);
    return false;
}

// Ends an exchange that can't be answered as was meant: by this status, or by cutting it short
// where there is an answer already, or nobody to read it (a status of -1).
static void gb__refuse(gb_exchange *x, int status)
{
    x->close = true;
    if (x->state == GB__ANSWER_NONE && status > 0) gb__answer_status(x, status);
    else x->state = GB__ANSWER_FAILED;
    gb__settle(x);
}

// A handler has returned: what it left open ends here.
static void gb__conclude(gb_exchange *x)
{
    if (x->state == GB__ANSWER_NONE && x->body_error) {
        gb__refuse(x, x->body_error);
        return;
    }
    if (x->state == GB__ANSWER_NONE) gb__answer_status(x, 500);
    if (x->state != GB__ANSWER_FINISHED) x->state = GB__ANSWER_FAILED;
    gb__settle(x);
}

// The loop goes on without this exchange: what is behind its head goes to the connection, because
// the thread's buffer is needed for others.
static void gb__set_aside(gb_exchange *x)
{
    gb__buf *pending = &x->conn->pending;
    pending->len = 0;
    if (x->at < x->in->len) gb__buf_add(pending, x->in->data + x->at, x->in->len - x->at);
    x->in = pending;
    x->at = x->head_len = 0;
    if (pending->failed) gb__refuse(x, -1);
}

// Has the request at the start of thread->in answered; false when the connection isn't idle then.
static bool gb__answer_request(gb__thread *t, gb__conn *c, uint64_t since)
{
    gb_server *s = t->server;
    gb_exchange *x = gb__exchange_begin(t, c, since);
    x->handled = true;
    s->gateway.handle(t->local, x);
    if (!gb__is_loop(s)) gb__conclude(x);
    else if (c->busy) gb__set_aside(x);
    return t->conn == c && !c->busy && !c->lingering;
}

// Whether the request whose head is parsed should wait in epoll until its body is there.
static bool gb__await_body(const gb__thread *t)
{
    const gb__request *r = &t->request;
    return !gb__is_loop(t->server) && !r->chunked && r->content_length <= GB__PREREAD_MAX &&
           t->in.len - r->head_len < r->content_length && !r->expect_continue;
}

// Keeps what is in thread->in, the beginning of a request or nothing, with the connection.
static void gb__keep_input(gb__thread *t, gb__conn *c, uint64_t now)
{
    gb_server *s = t->server;
    if (!c->partial) c->request_deadline = now + gb__seconds_ns(s->config.read_timeout_s);
    c->partial = t->in.len > 0;
    c->pending.len = 0;
    if (c->partial) gb__buf_add(&c->pending, t->in.data, t->in.len);
    else gb__buf_free(&c->pending);
    c->deadline = c->partial ? c->request_deadline : gb__idle_deadline(s, now);
    if (c->pending.failed) gb__conn_close(t, c);
}

// Has the requests in thread->in answered one after the other, as long as each is at once, and
// keeps the rest. Empty lines before a request are none of it (RFC 9112, 2.2).
static void gb__serve_input(gb__thread *t, gb__conn *c, uint64_t since)
{
    gb__buf *in = &t->in;
    while (gb__buf_consume(in, gb__empty_lines(in->data, in->len)), in->len) {
        // With room to read a body into: the head may not move any more, once it is parsed.
        if (!gb__buf_reserve(in, GB__READ_SIZE)) {
            gb__conn_close(t, c);
            return;
        }
        int status = gb__parse_request(&t->request, in->data, in->len);
        if (!status && t->request.content_length > t->server->config.max_body) status = 413;
        if (status > 0) {
            gb__refuse(gb__exchange_begin(t, c, since), status);
            return;
        }
        if (status == GB__PARTIAL || gb__await_body(t)) break;
        c->partial = false;
        if (!gb__answer_request(t, c, since)) return;
        // What is behind the request's body, read or not, is the next request.
        gb__buf_consume(in, c->exchange.at + (size_t)c->exchange.body.left);
        since = c->exchange.lap;
    }
    gb__keep_input(t, c, since);
}

static void gb__serve_idle(gb__thread *t, gb__conn *c, uint64_t now)
{
    gb__buf *in = &t->in;
    bool late = c->deadline <= now;
    in->len = 0;
    if (c->pending.len) gb__buf_add(in, c->pending.data, c->pending.len);
    // Whole requests are answered first, or they would pile up.
    size_t before = c->partial ? in->len : 0;
    if (c->readable && in->len == before) gb__receive(c, in, GB__READ_SIZE);
    if (in->len > before) gb__serve_input(t, c, now);
    if (t->conn != c || c->busy || c->lingering) return;
    // By what was read so far: the rest may have come in time, while all threads were busy.
    if (in->len > before) late = c->partial && c->deadline <= now;
    if (c->readable) {
        c->again = true;
    } else if (late && c->partial) {
        gb__parse_request(&t->request, "", 0);  // there is none to speak of
        gb__refuse(gb__exchange_begin(t, c, gb_now_ns()), 408);
    } else if (late || c->gone || t->stopping) {
        gb__conn_close(t, c);
    }
}

static void gb__serve_lingering(gb__thread *t, gb__conn *c, uint64_t now)
{
    t->in.len = 0;
    if (c->readable) gb__receive(c, &t->in, GB__READ_SIZE);
    if (c->readable && c->deadline > now) c->again = true;
    else if (c->gone || c->deadline <= now) gb__conn_close(t, c);
}

// Loop mode: sends more of what the socket didn't take.
static void gb__drain(gb_exchange *x, uint64_t now)
{
    gb__conn *c = x->conn;
    gb__buf *b = &x->unsent;
    struct iovec left = {b->data + x->unsent_at, b->len - x->unsent_at}, *iov = &left;
    size_t before = left.iov_len;
    int count = 1;
    if (!gb__send_some(c->fd, &iov, &count)) x->state = GB__ANSWER_FAILED;
    if (count && left.iov_len == before) return;
    // Each piece that the client takes renews the deadline: a slow reader is not a dead one.
    x->unsent_at = b->len - (count ? left.iov_len : 0);
    if (!count) b->len = x->unsent_at = 0;
    c->deadline = count ? now + gb__patience_ns(x) : c->wanted ? now + x->body_patience : 0;
    gb__lap(x, GB__PHASE_WRITE);
}

// Loop mode: what an exchange that is on waits for may be there, or won't come any more.
static void gb__serve_busy(gb__thread *t, gb__conn *c, uint64_t now)
{
    gb_exchange *x = &c->exchange;
    bool full = x->unsent.len, drained = false;
    // A socket may take a little more at any time: that its client reads is what an event says.
    if (c->reset) x->state = GB__ANSWER_FAILED;
    else if (full && (c->writable || c->deadline > now)) gb__drain(x, now);
    drained = full && !x->unsent.len;
    if (!gb__settle(x)) return;
    if (c->deadline && c->deadline <= now && !(c->wanted && c->readable)) {
        gb__refuse(x, c->wanted && !x->unsent.len ? 408 : -1);
    } else if (drained || c->gone || (c->wanted && c->readable)) {
        // What is left of the time is for all of the rest of the body: see gb__body_wait.
        if (c->wanted) x->body_patience = c->deadline > now ? c->deadline - now : 0;
        c->wanted = false;
        if (!x->unsent.len) c->deadline = 0;
        if (x->call) t->server->gateway.resume(t->local, x);
    }
}

static void gb__serve(gb__thread *t)
{
    gb__conn *c = t->conn;
    uint64_t now = gb_now_ns();
    // A server that stops has no time for those who don't wait for their answer any more.
    if (!c->busy && (c->reset || (t->stopping && gb__is_reset(c->fd)))) gb__conn_close(t, c);
    else if (c->busy) gb__serve_busy(t, c, now);
    else if (c->lingering) gb__serve_lingering(t, c, now);
    else gb__serve_idle(t, c, now);
}

// ================================================================================================
// >>threads
// Thread mode: N threads serve, and none is told how many may run. One of them at a time, the
// leader, waits in epoll (a burst would wake everybody that waited there), and lists who is ready.
// It takes the first, and wakes an idle thread, if there is one, which takes the next or leads.

static void gb__wake_one(gb_server *s)  // locked
{
    gb__thread *t = s->idle;
    if (!t) return;
    s->idle = t->below;
    sem_post(&t->wake);
}

static void gb__park(gb__thread *t)  // locked; unlocked while it sleeps
{
    gb_server *s = t->server;
    // A stack, not a queue: the thread that ran last has its caches, and CPython's heaps, warm.
    t->below = s->idle;
    s->idle = t;
    pthread_mutex_unlock(&s->lock);
    while (sem_wait(&t->wake) && errno == EINTR) continue;
    pthread_mutex_lock(&s->lock);
}

static void gb__lead(gb_server *s)  // locked; unlocked while it waits
{
    gb__wait(s, -1);
    if (!s->stopping || gb__has_connections(s)) return;
    s->drained = true;
    while (s->idle) gb__wake_one(s);
}

// Gives back the connection that the thread has, if any, and takes the next: false at the end.
static bool gb__take_next(gb__thread *t)
{
    gb_server *s = t->server;
    pthread_mutex_lock(&s->lock);
    gb__give_back(t);
    while (!gb__take_ready(t) && !s->drained) {
        if (s->leader) gb__park(t);
        else gb__lead(s);
    }
    if (s->ready || !s->leader) gb__wake_one(s);
    pthread_mutex_unlock(&s->lock);
    return t->conn;
}

// ================================================================================================
// >>loop
// Loop mode: what a gateway calls that runs its own event loop, all in the thread of that loop.

// The next piece of the request's body, valid until the next call, or GB__BODY_END. On
// GB__BODY_WAIT resume() is called when it pays to try again; GB__BODY_FAILED ended the exchange.
static int gb__loop_read(gb_exchange *x, gb_slice *piece)
{
    gb__conn *c = x->conn;
    int got = gb__body_piece(x, GB__PREREAD_MAX, piece);
    if (got == GB__BODY_FAILED) {
        gb__refuse(x, x->body_error);
    } else if (got == GB__BODY_WAIT) {
        c->wanted = true;
        if (!x->unsent.len) c->deadline = gb_now_ns() + x->body_patience;
        if (!gb__send_continue(x)) gb__refuse(x, -1);
    }
    return c->busy ? got : GB__BODY_FAILED;
}

// Takes what is ready. False when the server stops and no connection is left.
static bool gb__loop_turn(gb__thread *t)
{
    gb_server *s = t->server;
    pthread_mutex_lock(&s->lock);
    gb__wait(s, 0);
    while (gb__take_ready(t)) {
        pthread_mutex_unlock(&s->lock);
        gb__serve(t);
        pthread_mutex_lock(&s->lock);
        gb__give_back(t);
    }
    bool over = s->stopping && !gb__has_connections(s);
    pthread_mutex_unlock(&s->lock);
    return !over;
}

// ================================================================================================
// >>handler
// The gateway of handlers in C, and the control of every comparison as one: the endpoints of the
// built-in applications.

static void gb__c_handle(void *local, gb_exchange *x)
{
    const gb_server_config *config = local;
    gb__lap(x, GB__PHASE_READ);
    config->handler(x, config->user);
}

// What GB__PAGE computes. The control is there for its topology, so it computes nothing: its rows
// say what threads, sockets and waits cost when Python costs nothing.
static const char gb__page_answer[] =
    "{\"found\": 181, \"total\": \"152,928.91\", \"items\": ["
    "{\"id\": 235, \"name\": \"Ash Table\", \"price\": \"199.53\", \"value\": \"1,795.77\"}, "
    "{\"id\": 48, \"name\": \"Elm Bench\", \"price\": \"199.14\", \"value\": \"1,792.26\"}, "
    "{\"id\": 96, \"name\": \"Beech Bench\", \"price\": \"198.17\", \"value\": \"198.17\"}, "
    "{\"id\": 192, \"name\": \"Cherry Bench\", \"price\": \"196.23\", \"value\": \"392.46\"}, "
    "{\"id\": 5, \"name\": \"Ash Chair\", \"price\": \"195.84\", \"value\": \"391.68\"}, "
    "{\"id\": 240, \"name\": \"Ash Bench\", \"price\": \"195.26\", \"value\": \"2,147.86\"}, "
    "{\"id\": 53, \"name\": \"Elm Chair\", \"price\": \"194.87\", \"value\": \"2,143.57\"}, "
    "{\"id\": 101, \"name\": \"Beech Chair\", \"price\": \"193.90\", \"value\": \"581.70\"}]}";

static void gb__builtin_handler(gb_exchange *x, void *user)
{
    static const struct {
        const char *path;
        uint64_t wait_ns;
        const char *answer;
    } pages[] = {{"/json", 0, "{\"message\": \"Hello World\"}"},
                 {"/io", 10000000, "{\"status\": \"done\"}"},
                 {"/page", 0, gb__page_answer},
                 {"/query", 5000000, gb__page_answer}};
    size_t i = 0;
    (void)user;
    while (i < 4 && !gb__slice_is(gb_request_path(x), pages[i].path)) i++;
    if (i == 4) {
        gb_respond(x, 404, "text/plain", "not found\n", 10);
    } else {
        if (pages[i].wait_ns) gb__sleep_until(gb_now_ns() + pages[i].wait_ns);
        gb_respond(x, 200, "application/json", pages[i].answer, strlen(pages[i].answer));
    }
}

// ================================================================================================
// >>serving
// How a server of either mode is started and stopped, and what its threads saw in a window.

static gb_server_config gb__server_defaults(const gb_server_config *given)
{
    gb_server_config c = given ? *given : (gb_server_config){0};
    if (!c.host) c.host = "127.0.0.1";
    if (!c.threads) c.threads = 1;
    if (!c.handler) c.handler = gb__builtin_handler;
    if (!c.max_body) c.max_body = GB_MAX_BODY;
    if (c.read_timeout_s <= 0) c.read_timeout_s = 10;
    if (c.idle_timeout_s <= 0) c.idle_timeout_s = 60;
    return c;
}

// ---- a thread's life ----------------------------------------------------------------------------

static bool gb__thread_enter(gb__thread *t)
{
    gb_server *s = t->server;
    gb_error error = {0};
    t->local = s->gateway.self;
    bool entered = !s->gateway.enter ||
                   s->gateway.enter(s->gateway.self, s, &t->local, &error);
    pthread_mutex_lock(&s->lock);
    if (!entered) s->enter_error = error;
    pthread_mutex_unlock(&s->lock);
    return entered;
}

static void gb__thread_run(gb__thread *t)
{
    const gb__gateway *g = &t->server->gateway;
    gb__is_serving = true;
    if (g->run) g->run(t->local, t);
    else while (gb__take_next(t)) gb__serve(t);
    if (g->leave) g->leave(t->local);
}

static void *gb__thread_main(void *arg)
{
    gb__thread *t = arg;
    bool entered = gb__thread_enter(t);
    sem_post(&t->server->entered);
    if (entered) gb__thread_run(t);
    return NULL;
}

// ---- start and stop -----------------------------------------------------------------------------

static void gb__server_free(gb_server *s)
{
    for (gb__conn *c = s->connections.next, *next; c != &s->connections; c = next) {
        next = c->next;
        close(c->fd);
        gb__buf_free(&c->pending);
        free(c);
    }
    gb__free_closed(s);
    for (int i = 0; s->threads && i < s->config.threads; i++) {
        gb__thread *t = &s->threads[i];
        gb__buf_free(&t->in);
        gb__buf_free(&t->out);
        sem_destroy(&t->wake);
    }
    for (int p = 0; p < GB__PHASES; p++) gb_histogram_free(&s->phases[p]);
    pthread_mutex_destroy(&s->phases_lock);
    free(s->threads);
    if (s->epoll >= 0) close(s->epoll);
    if (s->timer >= 0) close(s->timer);
    if (s->listener >= 0) close(s->listener);
    if (s->stop_event >= 0 && s->place.stop_event < 0) close(s->stop_event);
    pthread_mutex_destroy(&s->lock);
    sem_destroy(&s->entered);
    free(s);
}

static bool gb__server_prepare_threads(gb_server *s, gb_error *error)
{
    s->threads = calloc((size_t)s->config.threads, sizeof *s->threads);
    if (!s->threads) return !gb__fail_memory(error);
    for (int i = 0; i < s->config.threads; i++) {
        gb__thread *t = &s->threads[i];
        t->server = s;
        t->chance = (uint64_t)i;  // threads that go in step are not to be timed in step
        sem_init(&t->wake, 0, 0);
    }
    for (int p = 0; p < GB__PHASES; p++)
        if (gb_histogram_init(&s->phases[p], 2, error)) return false;
    return true;
}

static bool gb__server_prepare(gb_server *s, gb_error *error)
{
    if (!gb__server_prepare_threads(s, error)) return false;
    s->listener = s->place.port ? s->place.inbox
                                : gb__listen(s->config.host, s->config.port, error);
    if (s->listener < 0 && !s->place.port) return false;
    s->port = s->place.port ? s->place.port : gb__bound_port(s->listener);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s->stop_event = s->place.stop_event >= 0 ? s->place.stop_event : eventfd(0, EFD_CLOEXEC);
    s->accepting = true;
    if (s->epoll >= 0 && s->timer >= 0 && s->stop_event >= 0 &&
        gb__watch(s, EPOLL_CTL_ADD, s->timer, EPOLLIN, &s->timer) &&
        gb__watch(s, EPOLL_CTL_ADD, s->stop_event, EPOLLIN | EPOLLET, &s->stop_event) &&
        (s->listener < 0 || gb__watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, &s->listener))) {
        gb__set_timer(s, GB__SWEEP_NS);
        return true;
    }
    gb__fail(error, GB_SYSTEM, "can't create epoll, a timer or an eventfd: %s", strerror(errno));
    return false;
}

static bool gb__server_spawn(gb_server *s, gb_error *error)
{
    int failed = 0;
    while (!failed && !s->place.here && s->started < s->config.threads) {
        gb__thread *t = &s->threads[s->started];
        failed = pthread_create(&t->id, NULL, gb__thread_main, t);
        if (!failed) s->started++;
    }
    for (int i = 0; i < s->started; i++)
        while (sem_wait(&s->entered) && errno == EINTR) continue;
    if (s->place.here) s->place.here = gb__thread_enter(&s->threads[0]);
    if (failed)
        gb__fail(error, GB_SYSTEM, "can't start %d threads: %s; use fewer", s->config.threads,
                 strerror(failed));
    else if (s->enter_error.code)
        gb__fail(error, s->enter_error.code, "%s", s->enter_error.text);
    return !failed && !s->enter_error.code;
}

// Takes the inbox of its place over, if it has one.
static gb_server *gb__server_start(const gb_server_config *given, const gb__gateway *gateway,
                                   const gb__place *place, gb_error *error)
{
    gb_server_config config = gb__server_defaults(given);
    if (config.threads < 0 || config.threads > 4096) {
        gb__fail(error, GB_USAGE, "threads is %d: from 1 to 4096 can serve", config.threads);
        return NULL;
    }
    gb_server *s = calloc(1, sizeof *s);
    if (!s) {
        gb__fail_memory(error);
        return NULL;
    }
    s->config = config;
    s->place = place ? *place : (gb__place){.inbox = -1, .stop_event = -1,
                                            .multithread = config.threads > 1};
    gb__copy(s->host, sizeof s->host, config.host);
    s->config.host = s->host;
    s->gateway = gateway ? *gateway
                         : (gb__gateway){.self = &s->config, .handle = gb__c_handle};
    s->epoll = s->timer = s->listener = s->stop_event = -1;
    s->connections.next = s->connections.previous = &s->connections;
    s->ready_end = &s->ready;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->phases_lock, NULL);
    sem_init(&s->entered, 0, 0);
    if (!gb__server_prepare(s, error)) {
        gb__server_free(s);
        return NULL;
    }
    if (gb__server_spawn(s, error)) return s;
    gb_server_stop(s);
    return NULL;
}

GB_API gb_server *gb_server_start(const gb_server_config *config, gb_error *error)
{
    return gb__server_start(config, NULL, NULL, error);
}

GB_API int gb_server_port(const gb_server *server)
{
    return server->port;
}

// Serves in this thread until the stop event is written: for a server whose place is `here`.
static void gb__server_run(gb_server *s)
{
    if (s->place.here) gb__thread_run(&s->threads[0]);
    s->place.here = false;
}

static void gb__begin_stop(int stop_event)
{
    (void)!write(stop_event, &(uint64_t){1}, sizeof(uint64_t));
}

GB_API void gb_server_stop(gb_server *s)
{
    gb__begin_stop(s->stop_event);
    gb__server_run(s);
    for (int i = 0; i < s->started; i++) pthread_join(s->threads[i].id, NULL);
    gb__server_free(s);
}

// ---- what the threads saw in a window -----------------------------------------------------------

// Adds up what the threads have seen since the last call: their requests, and each phase to one of
// the histograms, if there are any.
static uint64_t gb__server_window(gb_server *s, gb_histogram *phases)
{
    uint64_t requests = 0;
    for (int i = 0; i < s->config.threads; i++)
        requests += atomic_exchange(&s->threads[i].requests, 0);
    pthread_mutex_lock(&s->phases_lock);
    for (int p = 0; p < GB__PHASES; p++) {
        if (phases) gb_histogram_merge(&phases[p], &s->phases[p]);
        gb_histogram_reset(&s->phases[p]);
    }
    pthread_mutex_unlock(&s->phases_lock);
    return requests;
}

// ================================================================================================
// >>client
// The load generator. Each thread runs an epoll loop over its share of the connections; the next
// request is written as soon as an answer is complete, without touching epoll: a read and a write a
// request, one wait for many. Descriptors are registered once, edge-triggered. Everything in a
// gb__client_thread is that thread's alone until it is joined; the window's bounds are shared.

#define GB__RECV_SIZE 65536
#define GB__EVENTS 256
#define GB__RETRY_NS 50000000ull  // between attempts to connect to a server that refuses
#define GB__EXCERPT 80            // of a body, for an example

typedef struct gb__url {
    char host[256];
    char authority[300];  // for the Host field
    int port;
    const char *target;   // within the URL
} gb__url;

typedef struct gb__link {
    int fd;  // -1 while there is none
    enum { GB__LINK_DOWN, GB__LINK_CONNECTING, GB__LINK_IDLE, GB__LINK_BUSY, GB__LINK_DONE } state;
    bool answered;        // at least once
    bool ended;           // the server sends nothing more
    bool ticket;          // for its next request
    bool has_head;
    bool found;           // the expected text
    size_t asked;         // which of the client's requests it has
    size_t sent;          // of that
    uint64_t intended, started;
    uint64_t retry_at;
    gb__response head;
    uint64_t body_size;
    gb__framing body;
    gb__buf pending;      // a part of a head, or the last of a body that is searched
    struct gb__link *next_idle;
} gb__link;

#define GB__STEP_NS 10000000ull
#define GB__PACE_STEPS 12  // what a judgement on the rate looks at

// How many answers there were at the end of each of the last steps.
typedef struct gb__pace {
    uint64_t began;
    size_t count;
    struct {
        uint64_t at, answered;
    } marks[GB__PACE_STEPS + 1];
    uint64_t last;               // step with an answer
    uint64_t gap;                // the longest from one of them to the next
    uint64_t burst;              // how far apart bursts of answers may be
    size_t steps, empty;         // since the window began; those without an answer
} gb__pace;

// A request as it is sent.
typedef struct gb__ready {
    gb__buf text;
    int line;     // length of its method and target
    bool is_head;
    double weight;
} gb__ready;

// What a thread keeps of a request.
typedef struct gb__turn {
    double owed;          // the one with most of it is sent next
    gb__buf known_head;   // of its last answer, and what it means
    gb__response known;
} gb__turn;

typedef struct gb__client gb__client;

typedef struct gb__client_thread {
    gb__client *client;
    pthread_t id;
    int epoll, timer;
    gb__link *links;
    int link_count, done;
    gb__link *idle, **idle_end;  // with a rate: the queue for the next intended starts
    double interval_ns;   // with a rate: between two starts of this thread
    uint64_t start;       // of the schedule
    uint64_t issued;      // starts of the schedule that were taken
    char *input;
    gb__turn *turns;      // one a request
    uint64_t next_check;
    _Atomic uint64_t answered;  // well, in the window or not; the calling thread looks at it
    _Atomic uint64_t shortest;  // of their latencies; so it does at this
    uint64_t longest;
    gb_load_result part;  // of the result: what this thread counts; req/s are a count
    uint64_t last_start;
    uint64_t last_end;    // of a request that counts, whatever came of it
    uint64_t cpu_ns;      // at the end of the window
} gb__client_thread;

struct gb__client {
    gb_load_config config;
    gb__ready *requests;  // written before there are threads
    size_t request_count;
    double weight;        // of all of them
    struct addrinfo *address, *resolved;
    gb__client_thread *threads;
    int started;
    _Atomic uint64_t begin, end;  // of the window; nothing starts behind its end
    _Atomic uint64_t ramp;        // at either end of it
    atomic_int unheard;           // connections that had no answer yet
    atomic_int busy_threads;      // with a connection that isn't done
    _Atomic uint64_t tickets;     // requests still to be started, where their number is limited
    gb__pace pace;                // the calling thread's
};

// ---- what to send -------------------------------------------------------------------------------

static gb_code gb__parse_url(const char *url, gb__url *u, gb_error *error)
{
    if (!gb__slice_is_nocase((gb_slice){url, strnlen(url, 7)}, "http://"))
        return gb__fail(error, GB_USAGE, "\"%s\" is not an http:// URL", url);
    const char *start = url + 7;
    bool six = *start == '[';
    size_t len = strcspn(start, "/?#"), size = strcspn(start + six, six ? "]/?#" : ":/?#");
    size_t used = six ? size + 2 : size;
    uint64_t port = 80;
    bool ok = size && size < sizeof u->host && used <= len && (!six || start[used - 1] == ']') &&
              len < sizeof u->authority && gb__all((gb_slice){start, len}, gb__is_host_char) &&
              (used == len ||
               (start[used] == ':' &&
                gb__slice_u64((gb_slice){start + used + 1, len - used - 1}, &port) && port > 0 &&
                port < 65536));
    if (!ok) return gb__fail(error, GB_USAGE, "\"%s\" is not http://HOST[:PORT]/PATH", url);
    u->target = start + len;
    u->port = (int)port;
    snprintf(u->host, sizeof u->host, "%.*s", (int)size, start + six);
    snprintf(u->authority, sizeof u->authority, "%.*s", (int)len, start);
    return GB_OK;
}

static gb_code gb__compose_request(const gb_load_config *k, const gb__url *u, const gb_request *q,
                                   gb__ready *to, gb_error *error)
{
    gb__buf *b = &to->text;
    bool has_host = false, framed = false;
    const char *method = q->method ? q->method : q->body ? "POST" : "GET";
    const char *target = q->path ? q->path : u->target;
    int len = (int)strcspn(target, "#");
    bool posts = !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
    if (!gb__all(gb__slice(method), gb__is_token_char) || !*method)
        return gb__fail(error, GB_USAGE, "\"%s\" is not a method", method);
    if (!gb__all((gb_slice){target, (size_t)len}, gb__is_target_char))
        return gb__fail(error, GB_USAGE, "\"%s\" has a character that has to be percent-encoded",
                        q->path ? target : k->url);
    gb__buf_printf(b, "%s %s%.*s", method, *target == '/' ? "" : "/", len, target);
    *to = (gb__ready){*b, (int)b->len, !strcmp(method, "HEAD"), q->weight > 0 ? q->weight : 1};
    gb__buf_str(b, " HTTP/1.1\r\n");
    for (size_t i = 0; i < k->header_count + q->header_count; i++) {
        const char *line = i < k->header_count ? k->headers[i] : q->headers[i - k->header_count];
        gb__field f;
        if (!gb__parse_field(gb__slice(line), &f))
            return gb__fail(error, GB_USAGE, "\"%s\" is not a header: give \"Name: value\"", line);
        has_host |= gb__slice_is_nocase(f.name, "host");
        framed |= gb__slice_is_nocase(f.name, "content-length") ||
                  gb__slice_is_nocase(f.name, "transfer-encoding");
        if (framed && q->body)
            return gb__fail(error, GB_USAGE, "\"%s\" and a body exclude each other: the body's "
                            "length is sent with it", line);
        gb__buf_printf(b, "%s\r\n", line);
    }
    if (!has_host) gb__buf_printf(b, "Host: %s\r\n", u->authority);
    if (k->no_keepalive) gb__buf_str(b, "Connection: close\r\n");
    if (q->body || (posts && !framed))
        gb__buf_printf(b, "Content-Length: %zu\r\n", q->body ? q->body_size : 0);
    gb__buf_str(b, "\r\n");
    if (q->body) gb__buf_add(b, q->body, q->body_size);
    return b->failed ? gb__fail_memory(error) : GB_OK;
}

static gb_code gb__compose_requests(gb__client *c, const gb__url *u, gb_error *error)
{
    const gb_load_config *k = &c->config;
    const gb_request one = {.method = k->method, .body = k->body, .body_size = k->body_size};
    c->request_count = k->mix_count ? k->mix_count : 1;
    c->requests = calloc(c->request_count, sizeof *c->requests);
    gb_code code = c->requests ? GB_OK : gb__fail_memory(error);
    for (size_t i = 0; i < c->request_count && !code; i++) {
        code = gb__compose_request(k, u, k->mix_count ? &k->mix[i] : &one, &c->requests[i], error);
        c->weight += c->requests[i].weight;
    }
    return code;
}

static void gb__requests_free(gb__client *c)
{
    for (size_t i = 0; c->requests && i < c->request_count; i++)
        gb__buf_free(&c->requests[i].text);
    free(c->requests);
}

// Says what is asked for, if that isn't a plain GET: "60 % GET /, 40 % POST /cart", as far as it
// fits. Fails where it can't be sent.
static gb_code gb__describe_requests(const gb_load_config *k, char *text, size_t size,
                                     gb_error *error)
{
    gb__client c = {.config = *k};
    gb__buf b = {0};
    gb_code code = gb__compose_requests(&c, &(gb__url){.authority = "h", .target = ""}, error);
    for (size_t i = 0; i < k->mix_count && !code; i++)
        gb__buf_printf(&b, "%s%.3g %% %.*s", i ? ", " : "", 100 * c.requests[i].weight / c.weight,
                       c.requests[i].line, c.requests[i].text.data);
    if (!code && (k->method || k->body))
        gb__buf_printf(&b, "%.*s", c.requests->line - 2, c.requests->text.data);
    if (k->body) gb__buf_printf(&b, " of %zu bytes", k->body_size);
    if (k->header_count) gb__buf_printf(&b, ", header fields given: %zu", k->header_count);
    if (k->no_keepalive) gb__buf_str(&b, ", a connection for each");
    if (size) gb__copy(text, size, b.data ? b.data + (*b.data == ',' ? 2 : 0) : "");
    gb__buf_free(&b);
    gb__requests_free(&c);
    return code;
}

// ---- one thread ---------------------------------------------------------------------------------

static bool gb__in_window(const gb__client *c, uint64_t now)
{
    return now >= atomic_load(&c->begin) && now < atomic_load(&c->end);
}

// Counts, unless it was before the window; what is in flight at the end of that can still fail.
// The example says which request it was.
GB__PRINTF(4, 5)
static void gb__load_error(gb__client_thread *t, const gb__link *l, uint64_t *counter,
                           const char *format, ...)
{
    const gb__ready *q = &t->client->requests[l->asked];
    int n = l->state == GB__LINK_BUSY ? q->line < 80 ? q->line : 80 : 0;
    char *example = t->part.first_error;
    uint64_t now = gb_now_ns();
    if (now < atomic_load(&t->client->begin)) return;
    ++*counter;
    t->last_end = now;
    if (*example) return;
    if (n) n = sprintf(example, "%.*s: ", n, q->text.data);
    va_list args;
    va_start(args, format);
    vsnprintf(example + n, sizeof t->part.first_error - (size_t)n, format, args);
    va_end(args);
}

static void gb__link_down(gb__link *l, uint64_t retry_at)
{
    if (l->fd >= 0) close(l->fd);  // epoll forgets it with that
    l->fd = -1;
    l->state = GB__LINK_DOWN;
    l->retry_at = retry_at;
}

// A ticket to start one more request; without a limit there is always one.
static bool gb__take_ticket(gb__client *c)
{
    if (!c->config.requests) return true;
    uint64_t left = atomic_load(&c->tickets);
    while (left && !atomic_compare_exchange_weak(&c->tickets, &left, left - 1)) continue;
    return left > 0;
}

static void gb__link_done(gb__client_thread *t, gb__link *l)
{
    l->state = GB__LINK_DONE;
    if (++t->done == t->link_count) atomic_fetch_sub(&t->client->busy_threads, 1);
}

// When the next request is to start: at once, or by the schedule.
static uint64_t gb__next_start(const gb__client_thread *t, uint64_t now)
{
    if (t->interval_ns <= 0) return now;
    return t->start + (uint64_t)((double)t->issued * t->interval_ns);
}

// Whether there is a request for this connection: one that starts within the window, and for which
// it has or gets a ticket, once it is due. Else the connection is done.
static bool gb__link_wanted(gb__client_thread *t, gb__link *l, uint64_t start, uint64_t now)
{
    bool wanted = start < atomic_load(&t->client->end);
    if (wanted && !l->ticket && start <= now) wanted = l->ticket = gb__take_ticket(t->client);
    if (!wanted) gb__link_done(t, l);
    return wanted;
}

// Costs a ticket, so that a limited number of requests comes to an end without a server, too; with
// none left there is no request that could have failed.
static void gb__connect_failed(gb__client_thread *t, gb__link *l, const char *why)
{
    bool counts = l->ticket || gb__take_ticket(t->client);
    l->ticket = false;
    gb__link_down(l, gb_now_ns() + GB__RETRY_NS);
    if (counts) gb__load_error(t, l, &t->part.errors.connect, "connect: %s", why);
    else gb__link_done(t, l);
}

static void gb__link_connect(gb__client_thread *t, gb__link *l, uint64_t now)
{
    if (!gb__link_wanted(t, l, gb__next_start(t, now), now)) return;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = l};
    l->state = GB__LINK_CONNECTING;
    l->ended = false;
    l->started = now;
    l->fd = gb__connect(t->client->address);
    if (l->fd < 0 || epoll_ctl(t->epoll, EPOLL_CTL_ADD, l->fd, &event))
        gb__connect_failed(t, l, strerror(errno));
}

static void gb__link_broken(gb__client_thread *t, gb__link *l, uint64_t *counter, const char *how)
{
    gb__load_error(t, l, counter, "%s", how);
    gb__link_down(l, gb_now_ns());
}

static void gb__link_send(gb__client_thread *t, gb__link *l)
{
    const gb__buf *request = &t->client->requests[l->asked].text;
    char byte;
    while (l->sent < request->len) {
        ssize_t n = send(l->fd, request->data + l->sent, request->len - l->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) l->sent += (size_t)n;
        else if (errno != EINTR) break;
    }
    if (l->sent == request->len || errno == EAGAIN) return;  // EPOLLOUT goes on with it
    int why = errno;
    // The server may have said why it takes no more: what has arrived has an event to come.
    if (recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return;
    gb__link_broken(t, l, &t->part.errors.write, strerror(why));
}

// The request whose turn it is: the one that is owed most. So each has its share in any short
// while, and the order is the same for every server.
static size_t gb__next_request(gb__client_thread *t)
{
    const gb__client *c = t->client;
    size_t next = 0;
    if (c->request_count == 1) return 0;
    for (size_t i = 0; i < c->request_count; i++) {
        t->turns[i].owed += c->requests[i].weight;
        if (t->turns[i].owed > t->turns[next].owed) next = i;
    }
    t->turns[next].owed -= c->weight;
    return next;
}

static void gb__link_begin(gb__client_thread *t, gb__link *l, uint64_t intended, uint64_t now)
{
    const gb_load_config *k = &t->client->config;
    l->state = GB__LINK_BUSY;
    l->asked = gb__next_request(t);
    l->intended = intended;
    l->started = t->last_start = now;
    l->sent = 0;
    l->body_size = 0;
    l->ticket = l->has_head = false;
    l->found = !k->expect || !*k->expect;
    l->pending.len = 0;
    t->issued++;
    t->part.started += gb__in_window(t->client, now);
    gb__link_send(t, l);
}

// The connection is up and free: starts its next request, or lets it wait for the schedule.
static void gb__link_next(gb__client_thread *t, gb__link *l, uint64_t now)
{
    uint64_t intended = gb__next_start(t, now);
    l->state = GB__LINK_IDLE;
    // A connection of its own belongs to the request, so its time counts from the connect.
    if (t->client->config.no_keepalive && t->interval_ns <= 0) intended = l->started;
    if (!gb__link_wanted(t, l, intended, now)) return;
    if (intended <= now) {
        gb__link_begin(t, l, intended, now);
        return;
    }
    // A queue, so that all of them have their turn.
    l->next_idle = NULL;
    *t->idle_end = l;
    t->idle_end = &l->next_idle;
}

// Where threads sleep or a loop waits, answers come in bursts, and a plain count depends on how
// many of them a window catches: twice as many for 200 ms as for 208. So an answer counts softly:
// on the ramp at either end of the window only in part, by a curve without kinks.
static double gb__weight(const gb__client *c, uint64_t now)
{
    uint64_t ramp = atomic_load(&c->ramp);
    uint64_t since = now - atomic_load(&c->begin), left = atomic_load(&c->end) - now;
    uint64_t inside = since < left ? since : left;
    double x = inside < ramp ? (double)inside / (double)ramp : 1;
    return x * x * (3 - 2 * x);
}

// Requests a second are of what completes within the window; latency is of what starts within it,
// or else the slow answers at its end would be missing.
static void gb__count_answer(gb__client_thread *t, const gb__link *l, uint64_t now)
{
    uint64_t took = now - l->started, shortest = atomic_load(&t->shortest);
    atomic_fetch_add(&t->answered, 1);
    if (!shortest || took < shortest) atomic_store(&t->shortest, took);
    if (took > t->longest) t->longest = took;
    if (gb__in_window(t->client, now)) {
        t->part.requests++;
        t->part.rps += gb__weight(t->client, now);
        t->last_end = now;
    }
    if (!gb__in_window(t->client, l->intended)) return;
    gb_histogram_record(&t->part.latency, now - l->intended);
    if (t->interval_ns > 0) gb_histogram_record(&t->part.uncorrected, now - l->started);
}

static void gb__count_status(gb__client_thread *t, const gb__link *l, uint64_t now)
{
    if (!gb__in_window(t->client, now)) return;
    t->part.statuses[l->head.status < 600 ? l->head.status / 100 : 5]++;
    if (!t->part.first_answer.status && l->head.status >= 200 && !l->asked)
        t->part.first_answer = (gb_answer){l->head.status, l->body_size};
}

// An answer is complete: checks it, counts it, and goes on.
static void gb__link_answered(gb__client_thread *t, gb__link *l, uint64_t now)
{
    const gb_load_config *k = &t->client->config;
    if (!l->answered) {
        l->answered = true;
        atomic_fetch_sub(&t->client->unheard, 1);
    }
    gb__count_status(t, l, now);
    if (l->head.status >= 400) {
        gb__load_error(t, l, &t->part.errors.status, "the answer's status was %d", l->head.status);
    } else if (!l->found) {
        size_t shown = l->pending.len < GB__EXCERPT ? l->pending.len : GB__EXCERPT;
        gb__load_error(t, l, &t->part.errors.unexpected, "the body ended with \"%.*s\"", (int)shown,
                       shown ? l->pending.data + l->pending.len - shown : "");
    } else {
        gb__count_answer(t, l, now);
    }
    bool delimited = l->head.has_length || l->head.chunked;
    if (!k->no_keepalive && l->head.keep_alive && delimited && !l->ended &&
        l->sent == t->client->requests[l->asked].text.len) {
        gb__link_next(t, l, now);
    } else {
        gb__link_down(l, now);
        gb__link_connect(t, l, now);
    }
}

// A piece of the body. Of what was searched stays what may be the start of the expected text.
static void gb__link_content(gb__client_thread *t, gb__link *l, const char *data, size_t len)
{
    const char *expect = t->client->config.expect;
    gb__buf *b = &l->pending;
    l->body_size += len;
    if (l->found || !len) return;
    gb__buf_add(b, data, len);
    if (b->failed) return;
    size_t size = strlen(expect), keep = size > GB__EXCERPT ? size - 1 : GB__EXCERPT;
    l->found = memmem(b->data, b->len, expect, size);
    if (b->len > keep) gb__buf_consume(b, b->len - keep);
}

static void gb__link_expect_body(const gb__client *c, gb__link *l)
{
    l->has_head = true;
    if (c->requests[l->asked].is_head || !gb__status_has_body(l->head.status)) {
        l->head.chunked = false;
        l->head.has_length = true;
        l->head.content_length = 0;
    }
    // Without a length to the close, unless it is chunked.
    l->body = gb__frame(l->head.chunked, l->head.has_length ? l->head.content_length : UINT64_MAX);
    l->body.tolerant = true;
}

// A server's answers to one request have the same head for a second at a time, and to compare it is
// cheaper than to parse it: parsing was two thirds of what the client itself does for a request.
static int gb__parse_head(gb__turn *t, gb__response *r, char *data, size_t len)
{
    gb__buf *known = &t->known_head;
    if (known->len && known->len <= len && !memcmp(known->data, data, known->len)) {
        *r = t->known;
        return 0;
    }
    int result = gb__parse_response(r, data, len);
    if (result) return result;
    known->len = 0;
    gb__buf_add(known, data, r->head_len);
    t->known = *r;
    t->known.location.len = 0;  // its bytes won't be there
    return 0;
}

// Takes the head at the start of the bytes: its length, 0 when more is to come, -1 when it is bad.
static ssize_t gb__link_head(gb__client_thread *t, gb__link *l, char *data, size_t len,
                             uint64_t now)
{
    size_t at = 0;
    for (;;) {
        int result = gb__parse_head(&t->turns[l->asked], &l->head, data + at, len - at);
        if (result == GB__PARTIAL) {
            gb__buf_add(&l->pending, data + at, len - at);
            return 0;
        }
        if (result) return -1;
        if (l->head.status >= 200) break;
        gb__count_status(t, l, now);  // interim answers come before the one that counts
        at += l->head.head_len;
    }
    if (l->head.status / 100 == 3 && !*t->part.redirect) {
        gb__copy_slice(t->part.redirect, sizeof t->part.redirect, l->head.location);
        for (char *s = t->part.redirect; *s; s++) if (*s < '!' || *s > '~') *s = '?';
    }
    gb__link_expect_body(t->client, l);
    return (ssize_t)(at + l->head.head_len);
}

static void gb__link_input(gb__client_thread *t, gb__link *l, char *data, size_t len, uint64_t now)
{
    ssize_t head = l->has_head ? 0 : gb__link_head(t, l, data, len, now);
    size_t at = head > 0 ? (size_t)head : 0;
    const char *problem = NULL;
    while (l->has_head && at < len && l->body.state < GB__CHUNK_DONE) {
        gb_slice piece;
        at += gb__read_framed(&l->body, data + at, len - at, &piece);
        gb__link_content(t, l, piece.data, piece.len);
    }
    if (head < 0) problem = l->head.problem;
    else if (!l->has_head) return;
    else if (l->body.state == GB__CHUNK_BAD) problem = "a chunk of the answer is malformed";
    else if (!gb__is_over(&l->body)) return;
    else if (at < len) problem = "more came than the answer's length";
    if (problem) gb__link_broken(t, l, &t->part.errors.malformed, problem);
    else gb__link_answered(t, l, now);
}

static void gb__link_closed(gb__client_thread *t, gb__link *l, int why)
{
    if (l->state != GB__LINK_BUSY) {
        // The server may close an idle connection; the schedule's list still holds it.
        close(l->fd);
        l->fd = -1;
    } else if (!why && l->has_head && !l->head.chunked && !l->head.has_length) {
        gb__link_answered(t, l, gb_now_ns());
    } else if (!why && (l->has_head || l->pending.len)) {
        gb__link_broken(t, l, &t->part.errors.truncated, "closed in the middle of an answer");
    } else {
        gb__link_broken(t, l, &t->part.errors.read,
                        why ? strerror(why) : "closed without an answer");
    }
}

static void gb__link_receive(gb__client_thread *t, gb__link *l)
{
    ssize_t n;
    do {
        size_t kept = l->has_head ? 0 : l->pending.len;
        if (l->pending.failed) {
            gb__link_broken(t, l, &t->part.errors.read, "out of memory");
            return;
        }
        // A head that came in pieces is parsed again as a whole.
        if (kept) memcpy(t->input, l->pending.data, kept);
        n = recv(l->fd, t->input + kept, GB__RECV_SIZE, MSG_DONTWAIT);
        if (n > 0) {
            uint64_t now = gb_now_ns();
            if (gb__in_window(t->client, now)) t->part.bytes += (uint64_t)n;
            if (kept) l->pending.len = 0;
            if (l->state == GB__LINK_BUSY) gb__link_input(t, l, t->input, kept + (size_t)n, now);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            gb__link_closed(t, l, n ? errno : 0);
            return;
        }
        // Less than asked for means empty: the next arrival is a new edge. Not so the end, which
        // may have come with the last bytes in one.
    } while (l->fd >= 0 && l->state != GB__LINK_CONNECTING &&
             (n == GB__RECV_SIZE || (n > 0 && l->ended) || (n < 0 && errno == EINTR)));
}

static void gb__link_event(gb__client_thread *t, gb__link *l, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) l->ended = true;
    if (l->state == GB__LINK_CONNECTING) {
        int why = 0;
        socklen_t len = sizeof why;
        if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
        if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &why, &len)) why = errno;
        if (why) gb__connect_failed(t, l, strerror(why));
        else gb__link_next(t, l, gb_now_ns());
    }
    if (l->fd >= 0 && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        gb__link_receive(t, l);
    if (l->fd >= 0 && (events & EPOLLOUT) && l->state == GB__LINK_BUSY) gb__link_send(t, l);
}

// Gives the starts of the schedule that are due to connections that are free; without a start left
// those are done.
static void gb__follow_schedule(gb__client_thread *t, uint64_t now)
{
    uint64_t end = atomic_load(&t->client->end);
    while (t->idle && (gb__next_start(t, now) <= now || gb__next_start(t, now) >= end)) {
        gb__link *l = t->idle;
        t->idle = l->next_idle;
        if (!t->idle) t->idle_end = &t->idle;
        if (l->fd < 0) gb__link_connect(t, l, now);
        else gb__link_next(t, l, now);
    }
    if (!t->idle) return;
    struct itimerspec at = {.it_value = gb__timespec(gb__next_start(t, now))};
    timerfd_settime(t->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

// Requests that take too long, and connections to be tried again.
static void gb__check_links(gb__client_thread *t, uint64_t now)
{
    uint64_t patience = gb__seconds_ns(t->client->config.timeout_s);
    t->next_check = now + GB__RETRY_NS / 5;
    for (int i = 0; i < t->link_count; i++) {
        gb__link *l = &t->links[i];
        if (l->state == GB__LINK_BUSY && l->started + patience < now)
            gb__link_broken(t, l, &t->part.errors.timeout, "no complete answer in time");
        else if (l->state == GB__LINK_CONNECTING && l->started + patience < now)
            gb__connect_failed(t, l, "timed out");
        if (l->state == GB__LINK_DOWN && l->retry_at <= now) gb__link_connect(t, l, now);
    }
}

// How long it waits for what is in flight at the end of the window: for twice as long as the
// slowest answer since the load began took, but for a second at least and not beyond the timeout.
static uint64_t gb__drain_ns(const gb__client_thread *t)
{
    uint64_t ns = 2 * t->longest;
    uint64_t timeout = gb__seconds_ns(t->client->config.timeout_s);
    if (ns < GB__NS) ns = GB__NS;
    return ns < timeout ? ns : timeout;
}

static void gb__count_unanswered(gb__client_thread *t, uint64_t intended, uint64_t now)
{
    t->part.unanswered++;
    t->last_end = now;
    gb_histogram_record(&t->part.latency, now - intended);
}

// What has got no answer by now, and what should have started and had no connection for it. Its
// latency is as long as it has waited so far.
static void gb__give_up(gb__client_thread *t, uint64_t now)
{
    gb__client *c = t->client;
    for (int i = 0; i < t->link_count; i++) {
        const gb__link *l = &t->links[i];
        bool connects = l->state == GB__LINK_CONNECTING && t->interval_ns <= 0;
        if (l->state != GB__LINK_BUSY && !connects) continue;
        gb__count_unanswered(t, connects ? l->started : l->intended, now);
        if (t->interval_ns > 0) gb_histogram_record(&t->part.uncorrected, now - l->started);
    }
    for (; t->interval_ns > 0 && gb__next_start(t, now) < atomic_load(&c->end) &&
           gb__take_ticket(c); t->issued++)
        gb__count_unanswered(t, gb__next_start(t, now), now);
}

static void *gb__client_main(void *arg)
{
    gb__client_thread *t = arg;
    struct epoll_event events[GB__EVENTS];
    uint64_t now = t->start = gb_now_ns(), end;
    for (int i = 0; i < t->link_count; i++) gb__link_connect(t, &t->links[i], now);
    do {
        int n = epoll_wait(t->epoll, events, GB__EVENTS, 10);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr) gb__link_event(t, events[i].data.ptr, events[i].events);
        now = gb_now_ns();
        if (t->interval_ns > 0) gb__follow_schedule(t, now);
        if (now >= t->next_check) gb__check_links(t, now);
        end = atomic_load(&t->client->end);
        // Read here: the calling thread may look so late that this one is gone.
        if (now >= end && !t->cpu_ns) t->cpu_ns = gb__clock_ns(CLOCK_THREAD_CPUTIME_ID);
    } while (now < end || (t->done < t->link_count && now - end < gb__drain_ns(t)));
    gb__give_up(t, now);
    return NULL;
}

// ================================================================================================
// >>load
// A load from its first connection to its result: the threads, the warm-up that ends when the rate
// has settled, the window. All of this room is the calling thread's.

// Answers further apart need a longer `duration_s`; the window doesn't grow by itself.
#define GB__LONGEST_BURST_S 2.5

static gb_code gb__load_defaults(gb_load_config *k, gb_error *error)
{
    if (!k->connections) k->connections = 64;
    if (!k->threads) k->threads = 1;
    if (k->duration_s <= 0) k->duration_s = 10;
    if (k->timeout_s <= 0) k->timeout_s = 30;
    if (k->requests) k->warmup_s = 0;  // each of them counts
    if (k->connections < 1 || k->connections > 100000)
        return gb__fail(error, GB_USAGE, "%d connections: from 1 to 100000 work", k->connections);
    if (k->threads < 1 || k->threads > k->connections)
        return gb__fail(error, GB_USAGE, "%d client threads for %d connections: from 1 to as many "
                        "as connections work", k->threads, k->connections);
    if (k->rate < 0 || k->rate > 1e7)
        return gb__fail(error, GB_USAGE, "%g requests a second: up to 10,000,000 work", k->rate);
    return GB_OK;
}

// Finds the address that answers, so that a server that isn't there is one clear sentence.
static gb_code gb__find_address(gb__client *c, const gb__url *u, gb_error *error)
{
    int why = 0;
    c->resolved = gb__resolve(u->host, u->port, error);
    if (!c->resolved) return GB_NETWORK;
    uint64_t deadline = gb_now_ns() + gb__seconds_ns(c->config.timeout_s);
    for (c->address = c->resolved; c->address; c->address = c->address->ai_next) {
        socklen_t len = sizeof why;
        int fd = gb__connect(c->address);
        if (fd < 0) {
            why = errno;
            continue;
        }
        if (!gb__wait_ready(fd, POLLOUT, deadline) ||
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len))
            why = errno;
        close(fd);
        if (!why) return GB_OK;
    }
    return gb__fail(error, GB_NETWORK, "can't connect to %s: %s; is the server running?",
                    c->config.url, strerror(why));
}

static gb_code gb__client_thread_init(gb__client *c, int i, gb_error *error)
{
    gb__client_thread *t = &c->threads[i];
    int n = c->config.connections, threads = c->config.threads;
    t->client = c;
    t->idle_end = &t->idle;
    t->link_count = n / threads + (i < n % threads);
    t->links = calloc((size_t)t->link_count, sizeof *t->links);
    t->turns = calloc(c->request_count, sizeof *t->turns);
    t->input = malloc(GB_MAX_HEAD + 2 + GB__RECV_SIZE);  // what isn't too long yet, and more
    if (!t->links || !t->turns || !t->input) return gb__fail_memory(error);
    for (int j = 0; j < t->link_count; j++) t->links[j].fd = -1;
    if (c->config.rate > 0) t->interval_ns = 1e9 * n / (c->config.rate * t->link_count);
    gb_code code = gb_histogram_init(&t->part.latency, 3, error);
    if (!code) code = gb_histogram_init(&t->part.uncorrected, 3, error);
    if (code) return code;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (t->epoll < 0 || t->timer < 0 || epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->timer, &event))
        return gb__fail(error, GB_SYSTEM, "can't create epoll or timerfd: %s", strerror(errno));
    return GB_OK;
}

static void gb__client_thread_free(gb__client_thread *t)
{
    for (int i = 0; t->links && i < t->link_count; i++) {
        if (t->links[i].state == GB__LINK_BUSY) gb__no_linger(t->links[i].fd);
        if (t->links[i].fd >= 0) close(t->links[i].fd);
        gb__buf_free(&t->links[i].pending);
    }
    free(t->links);
    free(t->input);
    for (size_t i = 0; t->turns && i < t->client->request_count; i++)
        gb__buf_free(&t->turns[i].known_head);
    free(t->turns);
    gb_load_free(&t->part);
    if (t->epoll >= 0) close(t->epoll);
    if (t->timer >= 0) close(t->timer);
}

// Answers a second between two marks; 0 where they are one.
static double gb__pace_rate(const gb__pace *p, size_t from, size_t to)
{
    double ns = (double)(p->marks[to].at - p->marks[from].at);
    return ns > 0 ? 1e9 * (double)(p->marks[to].answered - p->marks[from].answered) / ns : 0;
}

static uint64_t gb__answered(const gb__client *c)
{
    uint64_t answered = 0;
    for (int i = 0; i < c->started; i++) answered += atomic_load(&c->threads[i].answered);
    return answered;
}

static void gb__pace_step(gb__client *c, uint64_t now)
{
    gb__pace *p = &c->pace;
    if (p->count && now - p->marks[p->count - 1].at < GB__STEP_NS / 2) return;
    uint64_t answered = gb__answered(c);
    if (p->count == GB__PACE_STEPS + 1)
        memmove(p->marks, p->marks + 1, --p->count * sizeof *p->marks);
    p->marks[p->count].at = now;
    p->marks[p->count++].answered = answered;
    bool empty = p->count > 1 && answered == p->marks[p->count - 2].answered;
    p->steps++;
    p->empty += empty;
    if (p->last && now - p->last > p->gap) p->gap = now - p->last;
    if (answered && !empty) p->last = now;
    if (!c->config.on_progress) return;
    gb_load_progress progress = {
        .seconds = (double)(now - p->began) / 1e9, .answered = answered,
        .rps = gb__pace_rate(p, p->count > 10 ? p->count - 11 : 0, p->count - 1),
        .in_window = now >= atomic_load(&c->begin)};
    c->config.on_progress(c->config.user, &progress);
}

// Does the rate of the last steps still differ from that of those before? By less than 5 %, or by
// less than two standard errors, which is what their own scatter allows: no.
static bool gb__has_settled(const gb__client *c)
{
    const gb__pace *p = &c->pace;
    const size_t half = GB__PACE_STEPS / 2;
    double scatter = 0;
    if (p->count <= GB__PACE_STEPS) return false;
    double before = gb__pace_rate(p, 0, half), after = gb__pace_rate(p, half, 2 * half);
    for (size_t i = 0; i < GB__PACE_STEPS; i++) {
        double off = gb__pace_rate(p, i, i + 1) - (i < half ? before : after);
        scatter += off * off;
    }
    double change = (after - before) * (after - before);
    double error = scatter / (double)(2 * half - 2) * 2 / (double)half;
    return change <= 0.05 * 0.05 * after * after || change <= 4 * error;
}

static bool gb__has_answered(const gb__client *c)
{
    return atomic_load(&c->unheard) <= 0;
}

// Sleeps in short steps until `deadline`, a stop, `enough`, or all threads have finished.
static void gb__load_wait(gb__client *c, uint64_t deadline, bool (*enough)(const gb__client *))
{
    while (!gb__flag_is_set(c->config.stop)) {
        uint64_t now = gb_now_ns(), step = now + GB__STEP_NS;
        gb__pace_step(c, now);
        if (now >= deadline || (enough && enough(c)) || !atomic_load(&c->busy_threads)) return;
        gb__sleep_until(step < deadline ? step : deadline);
    }
}

// For as long as was asked; then until each connection works and the rate has settled.
static void gb__load_warm(gb__client *c, gb_load_result *r)
{
    double seconds = c->config.warmup_s;
    uint64_t start = c->pace.began, warm = start + gb__seconds_ns(seconds);
    gb__load_wait(c, warm, NULL);
    gb__load_wait(c, warm + gb__seconds_ns(10), gb__has_answered);
    gb__load_wait(c, start + gb__seconds_ns(seconds > 0.1 ? 10 * seconds : 1), gb__has_settled);
    r->unsettled = !gb__has_settled(c);
    r->warmup_s = (double)(gb_now_ns() - start) / 1e9;
}

// How far apart bursts of answers may be: as far as the shortest latency, which has not waited in a
// queue, or the longest time in which none came.
static uint64_t gb__burst_ns(const gb__client *c)
{
    uint64_t burst = 0, most = gb__seconds_ns(GB__LONGEST_BURST_S);
    for (int i = 0; i < c->started; i++) {
        uint64_t own = atomic_load(&c->threads[i].shortest);
        if (own && (!burst || own < burst)) burst = own;
    }
    // A gap is as coarse as the steps that it was seen in, a latency is exact.
    if (c->pace.gap > burst + burst / 4 + 2 * GB__STEP_NS) burst = c->pace.gap;
    if (c->config.rate > 0 && (double)burst < 1e9 / c->config.rate)
        burst = (uint64_t)(1e9 / c->config.rate);
    return burst < 1000 ? 1000 : burst < most ? burst : most;
}

// Begins the window behind a warm-up. Its ramps, and the time from the middle of one to that of the
// other, are whole multiples of the bursts' distance: then it doesn't matter where in a burst it
// begins. With two bursts to a ramp, req/s are by less than 2 % off where that distance is by 10 %.
static void gb__begin_window(gb__client *c)
{
    gb__pace *p = &c->pace;
    uint64_t length = gb__seconds_ns(c->config.duration_s), burst = p->burst = gb__burst_ns(c);
    uint64_t bursts = (length / 8 + burst - 1) / burst, ramp = (bursts > 2 ? bursts : 2) * burst;
    uint64_t rest = length > 2 * ramp ? length - 2 * ramp : 0;
    uint64_t start = gb_now_ns();
    atomic_store(&c->ramp, ramp);
    atomic_store(&c->end, start + 2 * ramp + (rest + burst - 1) / burst * burst);
    atomic_store(&c->begin, start);
    p->gap = p->steps = p->empty = 0;
}

// Runs through the window, with a look at its middle.
static void gb__run_window(gb__client *c, gb_load_result *r)
{
    gb__pace *p = &c->pace;
    uint64_t begin = atomic_load(&c->begin), end = atomic_load(&c->end);
    uint64_t first = gb__answered(c), second, half = (end - begin) / 2;
    gb__load_wait(c, begin + half, NULL);
    double share = (double)(gb_now_ns() - begin) / (double)half;
    second = gb__answered(c);
    gb__load_wait(c, end, NULL);
    first = second - first;
    second = gb__answered(c) - second;
    // Halves that hold few bursts differ by chance.
    if (first && p->burst && half > 20 * p->burst && share < 1.5)
        r->drift = (double)second / (2 - share) / ((double)first / share);
    if (gb_now_ns() - p->last > p->gap) p->gap = gb_now_ns() - p->last;
    uint64_t ramp = atomic_load(&c->ramp);
    r->coarse = ramp && 2 * p->empty > p->steps && p->gap > ramp * 5 / 8 + GB__STEP_NS;
}

static void gb__load_merge(gb__client *c, gb_load_result *r)
{
    for (int i = 0; i < c->started; i++) {
        const gb_load_result *part = &c->threads[i].part;
        r->requests += part->requests;
        r->rps += part->rps;
        r->cpu_ns += c->threads[i].cpu_ns;
        r->started += part->started;
        r->unanswered += part->unanswered;
        r->bytes += part->bytes;
        for (int class = 1; class < 6; class++) r->statuses[class] += part->statuses[class];
        if (!r->first_answer.status) r->first_answer = part->first_answer;
#define GB__MERGE(name, text) r->errors.name += part->errors.name;
        GB_LOAD_ERRORS(GB__MERGE)
#undef GB__MERGE
        if (!*r->first_error) gb__copy(r->first_error, sizeof r->first_error, part->first_error);
        if (!*r->redirect) gb__copy(r->redirect, sizeof r->redirect, part->redirect);
        gb_histogram_merge(&r->latency, &part->latency);
        gb_histogram_merge(&r->uncorrected, &part->uncorrected);
    }
}

static void gb__client_join(gb__client *c)
{
    for (int i = 0; i < c->started; i++) pthread_join(c->threads[i].id, NULL);
}

// A limited number of requests is over with the last of them, not with the wait; and what the rate
// asked for is counted up to the last start, however long that took.
static void gb__load_figures(const gb__client *c, uint64_t begin, uint64_t end, bool early,
                             gb_load_result *r)
{
    const gb_load_config *k = &c->config;
    uint64_t last = begin, last_start = begin;
    for (int i = 0; i < c->started; i++) {
        if (c->threads[i].last_end > last) last = c->threads[i].last_end;
        if (c->threads[i].last_start > last_start) last_start = c->threads[i].last_start;
    }
    double due = k->rate * (double)((k->requests ? last_start : end) - begin) / 1e9;
    r->rate_missed = (double)r->started < 0.98 * due - k->threads;
    r->seconds = (double)((k->requests ? last : end) - begin) / 1e9;
    // The ramps of a whole window count half.
    double counted_s = r->seconds - (early ? 0 : (double)atomic_load(&c->ramp) / 1e9);
    double count = early ? (double)r->requests : r->rps;
    r->rps = counted_s > 0 ? count / counted_s : 0;
}

// Warm-up, window, stop; the load runs on through all of it, so that nothing cools down between.
static void gb__load_conduct(gb__client *c, gb_load_result *r)
{
    const gb_load_config *k = &c->config;
    uint64_t cpu = 0;
    if (k->warmup_s > 0) gb__load_warm(c, r);
    // Whatever it does at the start takes time, which is not the window's.
    if (k->on_window) k->on_window(k->user, false);
    for (int i = 0; k->warmup_s > 0 && i < c->started; i++) {
        clockid_t clock;
        if (!pthread_getcpuclockid(c->threads[i].id, &clock)) cpu += gb__clock_ns(clock);
    }
    if (k->warmup_s > 0) gb__begin_window(c);
    gb__run_window(c, r);
    uint64_t start = atomic_load(&c->begin), end = atomic_load(&c->end), now = gb_now_ns();
    bool early = now < end;
    if (early) atomic_store(&c->end, end = now);
    if (k->on_window) k->on_window(k->user, true);
    gb__client_join(c);
    gb__load_merge(c, r);
    r->cpu_ns -= cpu;
    gb__load_figures(c, start, end, early, r);
}

static gb_code gb__client_spawn(gb__client *c, gb_error *error)
{
    c->threads = calloc((size_t)c->config.threads, sizeof *c->threads);
    if (!c->threads) return gb__fail_memory(error);
    for (int i = 0; i < c->config.threads; i++) c->threads[i].epoll = c->threads[i].timer = -1;
    for (int i = 0; i < c->config.threads; i++) {
        gb_code code = gb__client_thread_init(c, i, error);
        if (code) return code;
    }
    atomic_store(&c->unheard, c->config.connections);
    atomic_store(&c->busy_threads, c->config.threads);
    atomic_store(&c->tickets, c->config.requests);
    c->pace.began = gb_now_ns();
    // Without a warm-up the first request counts, and the window begins before it.
    atomic_store(&c->begin, c->config.warmup_s > 0 ? UINT64_MAX : c->pace.began);
    atomic_store(&c->end, c->config.requests || c->config.warmup_s > 0
                              ? UINT64_MAX : c->pace.began + gb__seconds_ns(c->config.duration_s));
    for (; c->started < c->config.threads; c->started++) {
        gb__client_thread *t = &c->threads[c->started];
        int failed = pthread_create(&t->id, NULL, gb__client_main, t);
        if (failed) return gb__fail(error, GB_SYSTEM, "can't start a thread: %s", strerror(failed));
    }
    return GB_OK;
}

static void gb__client_free(gb__client *c)
{
    for (int i = 0; c->threads && i < c->config.threads; i++)
        gb__client_thread_free(&c->threads[i]);
    free(c->threads);
    gb__requests_free(c);
    if (c->resolved) freeaddrinfo(c->resolved);
}

GB_API gb_code gb_load(const gb_load_config *config, gb_load_result *result, gb_error *error)
{
    gb__client c = {.config = *config};
    gb__url url;
    cpu_set_t before;
    bool placed;
    *result = (gb_load_result){0};
    if (!config->url) return gb__fail(error, GB_USAGE, "gb_load_config.url is not set");
    gb_code code = gb__load_defaults(&c.config, error);
    if (!code) code = gb_histogram_init(&result->latency, 3, error);
    if (!code) code = gb_histogram_init(&result->uncorrected, 3, error);
    if (!code) code = gb__parse_url(c.config.url, &url, error);
    if (!code) code = gb__compose_requests(&c, &url, error);
    if (!code) code = gb__find_address(&c, &url, error);
    if (!code) code = gb__enter_cpus(config->cpus, config->cpu_count, &before, error);
    placed = !code;
    if (!code) code = gb__client_spawn(&c, error);
    if (!code) {
        gb__load_conduct(&c, result);
    } else {
        atomic_store(&c.end, 0);  // nobody waits for an answer
        gb__client_join(&c);
    }
    if (placed && config->cpu_count) sched_setaffinity(0, sizeof before, &before);
    gb__client_free(&c);
    if (code) gb_load_free(result);
    else if (gb__flag_is_set(config->stop))
        code = gb__fail(error, GB_INTERRUPTED, "stopped after %.1f s", result->seconds);
    return code;
}

GB_API void gb_load_free(gb_load_result *result)
{
    gb_histogram_free(&result->latency);
    gb_histogram_free(&result->uncorrected);
}

GB_API uint64_t gb_load_error_count(const gb_load_errors *errors)
{
    uint64_t sum = 0;
#define GB__ADD(name, text) sum += errors->name;
    GB_LOAD_ERRORS(GB__ADD)
#undef GB__ADD
    return sum;
}

GB__OPTIMIZE_LESS

// ================================================================================================
// >>python
// CPython from outside: load a libpython, start it, call it, turn its errors into sentences; then
// find the builds of a machine. Code that is compiled against one build's headers can't run on
// another (a PyObject has 16 bytes in one and 32 in the other); code that only calls can, so there
// are no headers here, only gb_py. Everything that touches gb_py runs attached to the interpreter.

#ifndef GILBENCH_STATIC
gb_python_api gb_py;
#endif

// Values of CPython's stable ABI: constants, type flags, slots and method flags.
enum {
    GB__PY_NONE = 0,  // Py_GetConstantBorrowed
    GB__PY_TRUE = 2,
    GB__PY_EMPTY_BYTES = 8,
    GB__PY_FILE_INPUT = 257,
    GB__PY_OWN_GIL = 2,  // of a PyInterpreterConfig
    GB__METH_VARARGS = 1,
    GB__METH_NOARGS = 4,
    GB__METH_O = 8,
};
#define GB__PY_LIST_SUBCLASS (1ul << 25)
#define GB__PY_TUPLE_SUBCLASS (1ul << 26)

static PyObject *gb__py_none(void)  // borrowed
{
    return gb_py.Py_GetConstantBorrowed(GB__PY_NONE);
}

static PyObject *gb__py_new_none(void)
{
    PyObject *none = gb__py_none();
    gb_py.Py_IncRef(none);
    return none;
}

static void gb__py_drop(PyObject *object)
{
    if (object) gb_py.Py_DecRef(object);
}

static bool gb__py_is(PyObject *object, unsigned long subclass_flag)
{
    return gb_py.PyType_GetFlags(gb_py.Py_TYPE(object)) & subclass_flag;
}

static gb_code gb__py_load(const char *libpython, gb_error *error)
{
    static const struct {
        const char *name;
        size_t offset;  // in gb_py
        bool variable;
    } symbols[] = {
#define GB__PY_FUNCTION(type, name, arguments) {#name, offsetof(gb_python_api, name), false},
#define GB__PY_VARIABLE(name) {#name, offsetof(gb_python_api, name), true},
        GB_PY_FUNCTIONS(GB__PY_FUNCTION) GB_PY_EXCEPTIONS(GB__PY_VARIABLE)
#undef GB__PY_FUNCTION
#undef GB__PY_VARIABLE
    };
    // RTLD_GLOBAL because extension modules find the C API in the process, not in a library.
    void *library = dlopen(libpython, RTLD_NOW | RTLD_GLOBAL);
    if (!library) return gb__fail(error, GB_NO_PYTHON, "can't load %s: %s", libpython, dlerror());
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (!symbol)
            return gb__fail(error, GB_NO_PYTHON, "no %s in %s: CPython 3.14 or newer is needed",
                            symbols[i].name, libpython);
        if (symbols[i].variable) symbol = *(void **)symbol;
        // ISO C has no conversion from an object pointer to a function pointer; POSIX promises
        // that the representation is the same.
        memcpy((char *)&gb_py + symbols[i].offset, &symbol, sizeof symbol);
    }
    return GB_OK;
}

static void gb__set_switch(const char *variable, int value)
{
    if (value < 0) unsetenv(variable);
    else setenv(variable, value ? "1" : "0", 1);
}

// What a measurement asks of an interpreter: by variables, so that other people's servers get it as
// ours does. All other PYTHON* variables are the user's.
static void gb__python_environment(const gb_python *python)
{
    unsetenv("PYTHONHOME");  // of some other build
    gb__set_switch("PYTHON_GIL", python->gil);
    gb__set_switch("PYTHON_JIT", python->use_jit);
}

// PEP 741 starts isolated; this is what a `python3` does instead. CPython's documentation has -1
// for "as the environment and the locale say", which PyInitConfig_SetInt takes as UINT_MAX. Where
// one of these isn't taken, its default is as good.
static void gb__py_as_command(PyInitConfig *config)
{
    const char *development = getenv("PYTHONDEVMODE");
    const struct {
        const char *name;
        int64_t value;
    } options[] = {
        {"isolated", 0}, {"use_environment", 1}, {"user_site_directory", 1}, {"safe_path", 0},
        {"configure_locale", 1}, {"coerce_c_locale", UINT_MAX}, {"coerce_c_locale_warn", UINT_MAX},
        {"utf8_mode", UINT_MAX}, {"use_hash_seed", UINT_MAX}, {"tracemalloc", UINT_MAX},
        {"perf_profiling", UINT_MAX}, {"int_max_str_digits", UINT_MAX},
        {"dev_mode", development && *development}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        gb_py.PyInitConfig_SetInt(config, options[i].name, options[i].value);
}

static gb_code gb__py_start(const gb_python *python, bool verbose, gb_error *error)
{
    gb_code code = gb__py_load(python->libpython, error);
    if (code) return code;
    PyInitConfig *config = gb_py.PyInitConfig_Create();
    if (!config) return gb__fail_memory(error);
    if (python->gil >= 0 && !gb_py.PyInitConfig_HasOption(config, "enable_gil")) {
        gb_py.PyInitConfig_Free(config);
        return gb__fail(error, GB_USAGE, "%s is not a free-threaded build: gil=%d needs one",
                        python->id, python->gil);
    }
    gb__python_environment(python);
    gb__py_as_command(config);
    bool ok = !gb_py.PyInitConfig_SetStr(config, "executable", python->executable);
    if (ok && verbose) ok = !gb_py.PyInitConfig_SetInt(config, "verbose", 1);
    if (ok && *python->home) ok = !gb_py.PyInitConfig_SetStr(config, "home", python->home);
    if (!ok || gb_py.Py_InitializeFromInitConfig(config) < 0) {
        const char *text = NULL;
        gb_py.PyInitConfig_GetError(config, &text);
        code = gb__fail(error, GB_NO_PYTHON, "can't start %s: %s", python->libpython,
                        text ? text : "no reason given");
    }
    gb_py.PyInitConfig_Free(config);
    if (code) return code;
    // As in `python3`, where they are exceptions; an embedded start leaves the signals alone.
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return GB_OK;
}

GB_API gb_code gb_python_start(const gb_python *python, gb_error *error)
{
    return gb__py_start(python, false, error);
}

// Makes a sentence of the raised exception, whose traceback goes to stderr.
GB__PRINTF(3, 4)
static gb_code gb__py_fail(gb_error *error, gb_code code, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    PyObject *raised = gb_py.PyErr_GetRaisedException();
    PyObject *text = raised ? gb_py.PyUnicode_FromFormat("%T: %S", raised, raised) : NULL;
    const char *utf8 = text ? gb_py.PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    gb__fail(error, code, "%s: %.700s", what, utf8 ? utf8 : "error");
    gb__py_drop(text);
    gb_py.PyErr_Clear();
    if (raised) gb_py.PyErr_DisplayException(raised);
    gb__py_drop(raised);
    return code;
}

// The traceback of the raised exception, if there is one, goes to stderr.
static void gb__py_show(void)
{
    PyObject *raised = gb_py.PyErr_GetRaisedException();
    if (raised) gb_py.PyErr_DisplayException(raised);
    gb__py_drop(raised);
}

static bool gb__raise(PyObject *type, const char *why)
{
    gb_py.PyErr_SetString(type, why);
    return false;
}

// Runs Python source and returns its namespace, a new dict; NULL with an exception raised.
static PyObject *gb__py_run(const char *source, const char *name)
{
    PyObject *code = gb_py.Py_CompileString(source, name, GB__PY_FILE_INPUT);
    PyObject *namespace = code ? gb_py.PyDict_New() : NULL;
    PyObject *done = NULL;
    if (namespace &&
        !gb_py.PyDict_SetItemString(namespace, "__builtins__", gb_py.PyEval_GetBuiltins()))
        done = gb_py.PyEval_EvalCode(code, namespace, namespace);
    gb__py_drop(code);
    gb__py_drop(done);
    if (!done) gb__py_drop(namespace);
    return done ? namespace : NULL;
}

// ================================================================================================
// >>probe
// Which builds are there is asked of each interpreter itself, never read from a name: it answers
// one question with lines of key=value. Then a child process starts its libpython and asks that the
// same, because only an equal answer proves that what is measured is what the user runs. All
// children of a step run at the same time.

enum {
    GB__OLDEST = 0x030e0000,
    GB__PATIENCE_S = 10,          // for an interpreter on a cold network disk; a start takes 0.05 s
    GB__LONGEST_ANSWER = 1 << 16  // what floods more than this isn't an interpreter
};

// Has to run on every Python 3, so that an old one is told to be too old. Written to descriptor 1
// because an embedded interpreter may have no sys.stdout.
//
// Which libpython is mapped outranks what sysconfig says: its directories are those of the build
// machine in an installation that was moved, hence the prefix before LIBDIR. Some builds (conda's)
// say that they are static and still come with a library for embedders, so the usual names are
// tried whatever sysconfig says; a name without .so in it is the static one's.
//
// The profile's flags are used while CPython is built and not kept in sysconfig, so
// --enable-optimizations has to speak for them; of two arguments that contradict each other the
// last counts, as of two levels. No level is the compiler's default, -O0.
static const char gb__question[] =
    "import encodings, os, sys, sysconfig\n"
    "def var(name):\n"
    "    return str(sysconfig.get_config_var(name) or '')\n"
    "def libraries():\n"
    "    with open('/proc/self/maps') as maps:\n"
    "        for line in maps:\n"
    "            path = line.rstrip('\\n').split(None, 5)[5:]\n"
    "            if path and os.path.basename(path[0]).startswith('libpython3.'):\n"
    "                yield path[0]\n"
    "    base, usual = sys.base_prefix + '/lib', 'libpython%s.so' % var('LDVERSION')\n"
    "    own = var('INSTSONAME') if '.so' in var('INSTSONAME') else usual + '.1.0'\n"
    "    for place in base, base + '64', base + '/' + var('MULTIARCH'), var('LIBDIR'):\n"
    "        for name in own, usual + '.1.0', usual:\n"
    "            yield place + '/' + name\n"
    "cflags = var('PY_CFLAGS') + ' ' + var('CONFIGURE_CFLAGS_NODIST')\n"
    "def asked(yes, no):\n"
    "    words = var('CONFIG_ARGS').replace(\"'\", ' ').replace('\"', ' ').split()\n"
    "    words = [word for word in words if word.split('=')[0] in (yes, no)]\n"
    "    return words and words[-1] not in (no, yes + '=no')\n"
    "def optimized():\n"
    "    level = (['-O0'] + [flag for flag in cflags.split() if flag.startswith('-O')])[-1]\n"
    "    means = [('PGO', '-fprofile-use' in cflags or '-fprofile-instr-use' in cflags or\n"
    "              asked('--enable-optimizations', '--disable-optimizations')),\n"
    "             ('LTO', '-flto' in cflags or asked('--with-lto', '--without-lto')),\n"
    "             ('BOLT', asked('--enable-bolt', '--disable-bolt'))]\n"
    "    if var('Py_DEBUG') or level == '-O0':\n"
    "        return 'debug'\n"
    "    return '+'.join(name for name, on in means if on) or level\n"
    "include = sysconfig.get_path('include')\n"
    "tried = list(libraries())\n"
    "facts = [\n"
    "    ('full_version', sys.version),\n"
    "    ('version', sys.version.split()[0]),\n"
    "    ('hex', sys.hexversion),\n"
    "    ('free_threaded', var('Py_GIL_DISABLED') or 0),\n"
    "    ('debug', var('Py_DEBUG') or 0),\n"
    "    ('jit', int(hasattr(sys, '_jit') and sys._jit.is_available())),\n"
    "    ('shared', var('Py_ENABLE_SHARED') or 0),\n"
    "    ('libpython', ([path for path in tried if os.access(path, os.R_OK)] + [''])[0]),\n"
    "    ('looked_for', tried[-3]),\n"
    "    ('executable', sys.executable or ''),\n"
    "    ('prefix', sys.prefix),\n"
    "    ('base_prefix', sys.base_prefix),\n"
    "    ('stdlib', os.path.dirname(os.path.dirname(encodings.__file__))),\n"
    "    ('include', include if os.path.exists(include + '/Python.h') else ''),\n"
    "    ('compiler', sys.version[sys.version.rfind('[') + 1:].rstrip(']')),\n"
    "    ('configure_args', var('CONFIG_ARGS')),\n"
    "    ('optimized', optimized()),\n"
    "    ('cflags', cflags),\n"
    "    ('end', 1),\n"
    "]\n"
    "text = ''.join('%s=%s\\n' % (k, str(v).replace('\\n', ' ')) for k, v in facts)\n"
    "data = os.fsencode(text)\n"
    "while data:\n"
    "    data = data[os.write(1, data):]\n";

typedef struct gb__candidate {
    gb_python python;
    char path[GB_PATH];     // the executable to ask; "" where there is only a library
    char library[GB_PATH];  // a libpython that was asked for itself; else ""
    bool wanted;            // asked for, so neither left out nor passed over
    bool named;
    bool answered;
    bool dropped;
    bool due;               // for the next question
    gb__buf facts;          // the executable's answer
    pid_t pid;              // of the child that is being asked, 0 if none is
    int fd;
    gb__buf out;            // what it wrote to stdout and stderr
    bool late;
    int status;
} gb__candidate;

typedef struct gb__search {
    gb__candidate *all;
    size_t count;
    bool failed;  // out of memory
} gb__search;

GB__PRINTF(2, 3) static void gb__problem(gb_python *python, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(python->problem, sizeof python->problem, format, args);
    va_end(args);
}

// False when the path doesn't fit: nothing on such a path is an interpreter that anybody runs.
GB__PRINTF(2, 3) static bool gb__path(char *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to, GB_PATH, format, args);
    va_end(args);
    return n >= 0 && n < GB_PATH;
}

static bool gb__same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool gb__is_file(const char *path, int mode)
{
    struct stat s;
    return !stat(path, &s) && S_ISREG(s.st_mode) && !access(path, mode);
}

static const char *gb__basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Cuts the last component off; "/" stays.
static void gb__to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = 0;
}

// ---- answers ------------------------------------------------------------------------------------

static gb_slice gb__fact(const gb__buf *answer, const char *key)
{
    gb_slice line, name, value, rest = {answer->data, answer->len};
    // What has no end is cut off in the middle.
    while (rest.len && gb__split(rest, '\n', &line, &rest))
        if (gb__split(line, '=', &name, &value) && gb__slice_is(name, key)) return value;
    return (gb_slice){"", 0};
}

static void gb__take(const gb__buf *answer, const char *key, char *field, size_t size)
{
    gb__copy_slice(field, size, gb__fact(answer, key));
}

static int gb__take_int(const gb__buf *answer, const char *key)
{
    uint64_t value = 0;
    return gb__slice_u64(gb__fact(answer, key), &value) && value <= INT_MAX ? (int)value : 0;
}

// The line that says what went wrong: the first with an error's name, or else the first at all.
// (The last one of a fatal error is "<no Python frame>".) "error: " alone is gb__run_library's.
static gb_slice gb__complaint(const gb__buf *out)
{
    gb_slice first = {"", 0}, s, rest = {out->data, out->len};
    while (rest.len) {
        gb__split(rest, '\n', &s, &rest);
        s = gb__slice_trim(s);
        if (s.len > 7 && !memcmp(s.data, "error: ", 7)) return (gb_slice){s.data + 7, s.len - 7};
        if (memmem(s.data, s.len, "rror: ", 6)) return s;
        if (!first.len) first = s;
    }
    return first.len ? first : gb__slice("it said nothing");
}

static void gb__read_facts(gb__candidate *c)
{
    gb_python *p = &c->python;
    c->facts = c->out;
    c->out = (gb__buf){0};
#define GB__TAKE(name) gb__take(&c->facts, #name, p->name, sizeof p->name);
    GB__TAKE(version)
    GB__TAKE(executable)
    GB__TAKE(prefix)
    GB__TAKE(base_prefix)
    GB__TAKE(include)
    GB__TAKE(configure_args)
    GB__TAKE(compiler)
    GB__TAKE(cflags)
    GB__TAKE(optimized)
    GB__TAKE(libpython)
#undef GB__TAKE
    if (!*p->executable) gb__copy(p->executable, sizeof p->executable, c->path);
    p->hex = gb__take_int(&c->facts, "hex");
    p->free_threaded = gb__take_int(&c->facts, "free_threaded");
    p->debug = gb__take_int(&c->facts, "debug");
    p->jit = gb__take_int(&c->facts, "jit");
    if (*c->library) gb__copy(p->libpython, sizeof p->libpython, c->library);
}

// ---- children -----------------------------------------------------------------------------------

// In the child, between fork and exec: only calls that are safe there.
static void gb__child_setup(int out, pid_t parent)
{
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(126);
    // The pipe may have got a number below 3 if the caller runs without these.
    out = fcntl(out, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDONLY);
    if (out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    if (null > 2) close(null);
}

static void gb__run_executable(const gb__candidate *c)
{
    static const char refused[] = "the system refuses to execute it\n";
    char *argv[] = {(char *)c->path, (char *)"-I", (char *)"-c", (char *)gb__question, NULL};
    execv(c->path, argv);
    if (write(1, refused, sizeof refused - 1) < 0) _exit(126);
}

static void gb__run_library(const gb__candidate *c)
{
    gb_error error;
    if (gb_python_start(&c->python, &error)) dprintf(1, "error: %s\n", error.text);
    else if (!gb__py_run(gb__question, "<gilbench>")) gb__py_fail(&error, GB_NO_PYTHON, "asked");
}

static gb_code gb__child_start(gb__candidate *c, bool library, gb_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return gb__fail(error, GB_SYSTEM, "can't make a pipe: %s", strerror(errno));
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        gb__child_setup(ends[1], parent);
        if (library) gb__run_library(c);
        else gb__run_executable(c);
        _exit(127);
    }
    int saved = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return gb__fail(error, GB_SYSTEM, "can't start a process: %s", strerror(saved));
    }
    setpgid(pid, pid);  // as the child does: whoever comes first
    c->pid = pid;
    c->fd = ends[0];
    return GB_OK;
}

// Reads what the child writes until it closes its end; false when `deadline` comes first.
static bool gb__child_read(gb__candidate *c, uint64_t deadline)
{
    while (c->out.len < GB__LONGEST_ANSWER && gb__buf_reserve(&c->out, 4096)) {
        if (!gb__wait_ready(c->fd, POLLIN, deadline)) return errno != ETIMEDOUT;
        ssize_t n = read(c->fd, c->out.data + c->out.len, 4096);
        if (n == 0 || (n < 0 && errno != EINTR)) return true;
        if (n > 0) c->out.len += (size_t)n;
    }
    return true;
}

// Kills the whole group even after an answer: a wrapper script may have left something running.
static void gb__child_end(gb__candidate *c)
{
    close(c->fd);
    kill(-c->pid, SIGKILL);
    c->status = 0;
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR) continue;
    c->pid = 0;
}

// Asks all that are due, their executables or their libraries. All run at once, and reading one
// after the other is enough: an answer fits into its pipe, so nobody waits to be read.
static gb_code gb__ask_due(gb__search *s, bool libraries, gb_error *error)
{
    gb_code code = GB_OK;
    for (size_t i = 0; i < s->count && !code; i++) {
        gb__candidate *c = &s->all[i];
        if (c->due) code = gb__child_start(c, libraries || !*c->path, error);
    }
    uint64_t deadline = gb_now_ns() + GB__PATIENCE_S * GB__NS;
    for (size_t i = 0; i < s->count; i++) {
        gb__candidate *c = &s->all[i];
        if (!c->pid) continue;
        c->out.len = 0;
        c->late = !code && !gb__child_read(c, deadline);
        gb__child_end(c);
    }
    return code;
}

static bool gb__complete(const gb__buf *answer)
{
    return gb__fact(answer, "end").len;
}

static void gb__explain(gb__candidate *c, const char *what, const char *remedy)
{
    char why[201];
    gb__copy_slice(why, sizeof why, gb__complaint(&c->out));
    if (c->late)
        snprintf(why, sizeof why, "no answer within %d s", GB__PATIENCE_S);
    else if (WIFSIGNALED(c->status) && WTERMSIG(c->status) != SIGKILL)
        gb__copy(why, sizeof why, strsignal(WTERMSIG(c->status)));
    gb__problem(&c->python, "%s: %s; %s", what, why, remedy);
}

// ---- libraries ----------------------------------------------------------------------------------
#define GB__GET_ONE                                                                                \
    "get one with `uv python install 3.14 3.14t` or `make pythons`, or configure with "            \
    "--enable-shared"

static void gb__examine(gb__candidate *c)
{
    gb_python *p = &c->python;
    c->answered = gb__complete(&c->out);
    if (c->answered) gb__read_facts(c);
    if (!c->answered) {
        if (*c->path) gb__copy(p->executable, sizeof p->executable, c->path);
        gb__explain(c, "doesn't answer as an interpreter does", "reinstall it or take it away");
    } else if (p->hex < GB__OLDEST) {
        gb__problem(p, "too old: needs 3.14 (PEP 741), this is %s; get a newer one with "
                       "`uv python install 3.14 3.14t` or `make pythons`", p->version);
    } else {
        char looked_for[181];
        gb__take(&c->facts, "looked_for", looked_for, sizeof looked_for);
        p->usable = *p->libpython;
        if (!p->usable)
            gb__problem(p, "no shared libpython (looked for %s): %s; " GB__GET_ONE, looked_for,
                        gb__take_int(&c->facts, "shared")
                        ? "distributions have it in a package of its own" : "built without one");
    }
}

static bool gb__facts_agree(const gb__candidate *c)
{
    char here[GB_PATH], there[GB_PATH];
    static const char *const paths[] = {"stdlib", "prefix"};
    gb_slice a = gb__fact(&c->facts, "full_version"), b = gb__fact(&c->out, "full_version");
    if (!gb__complete(&c->out) || a.len != b.len || memcmp(a.data, b.data, a.len)) return false;
    for (size_t i = 0; i < 2; i++) {
        gb__take(&c->facts, paths[i], here, sizeof here);
        gb__take(&c->out, paths[i], there, sizeof there);
        if (strcmp(here, there) && !gb__same_file(here, there)) return false;
    }
    return true;
}

// What a start that answered got wrong.
static void gb__explain_difference(gb__candidate *c)
{
    char version[100], stdlib[120], prefix[120];
    gb__take(&c->out, "full_version", version, sizeof version);
    gb__take(&c->out, "stdlib", stdlib, sizeof stdlib);
    gb__take(&c->out, "prefix", prefix, sizeof prefix);
    gb__problem(&c->python, "%.100s starts as %s in %s with the modules of %s, other than its "
                "executable; reinstall it", c->python.libpython, version, prefix, stdlib);
}

// Starts each usable build; with `home`, again those that didn't come up as their executable does.
// A virtual environment survives a set home: CPython 3.14 looks for its pyvenv.cfg all the same.
static gb_code gb__start_all(gb__search *s, bool home, gb_error *error)
{
    for (size_t i = 0; i < s->count; i++) {
        gb__candidate *c = &s->all[i];
        c->due = c->python.usable && (!home || *c->python.problem);
        if (c->due && home) gb__copy(c->python.home, GB_PATH, c->python.base_prefix);
    }
    gb_code code = gb__ask_due(s, true, error);
    for (size_t i = 0; i < s->count && !code; i++) {
        gb__candidate *c = &s->all[i];
        if (!c->due) continue;
        if (gb__facts_agree(c)) *c->python.problem = 0;
        else if (gb__complete(&c->out)) gb__explain_difference(c);
        else gb__explain(c, "does not start", "reinstall it, or " GB__GET_ONE);
        if (home) c->python.usable = !*c->python.problem;
    }
    return code;
}

// ================================================================================================
// >>builds
// Where interpreters are: those that were asked for, those that the environment names, those that
// this machine has; each probed, and each file once.

// ---- what is asked for --------------------------------------------------------------------------

static gb_code gb__entry_option(gb_slice text, gb__candidate *c, gb_error *error)
{
    gb_slice key, value;
    gb__split(text, '=', &key, &value);
    int *flag = gb__slice_is(key, "gil") ? &c->python.gil
              : gb__slice_is(key, "jit") ? &c->python.use_jit : NULL;
    if (flag && *flag < 0 && (gb__slice_is(value, "0") || gb__slice_is(value, "1"))) {
        *flag = *value.data - '0';
        return GB_OK;
    }
    if (gb__slice_is(key, "name") && !c->named && value.len && value.len < sizeof c->python.id) {
        gb__copy_slice(c->python.id, sizeof c->python.id, value);
        c->named = true;
        return GB_OK;
    }
    return gb__fail(error, GB_USAGE, "\"%.*s\" is not gil=0, gil=1, jit=0, jit=1 or name=TEXT of "
                    "at most %d bytes, each once", (int)text.len, text.data,
                    (int)sizeof c->python.id - 1);
}

// Takes the options off the end of an entry and leaves its path in c->path. A part with a slash
// before any '=' isn't an option but the rest of a path with a comma in it.
static gb_code gb__parse_entry(const char *entry, size_t len, gb__candidate *c, gb_error *error)
{
    for (const char *comma; (comma = memrchr(entry, ',', len));) {
        gb_slice option = {comma + 1, len - (size_t)(comma - entry) - 1};
        const char *equals = memchr(option.data, '=', option.len);
        if (memchr(option.data, '/', equals ? (size_t)(equals - option.data) : option.len)) break;
        gb_code code = gb__entry_option(option, c, error);
        if (code) return code;
        len = (size_t)(comma - entry);
    }
    if (!len || len >= GB_PATH)
        return gb__fail(error, GB_USAGE, "\"%.80s\" is no path of an interpreter", entry);
    gb__copy_slice(c->path, sizeof c->path, (gb_slice){entry, len});
    return GB_OK;
}

static bool gb__is_libpython(const char *name)
{
    return !strncmp(name, "libpython", 9) && strstr(name, ".so");
}

// python3.14, python3.14t, python3.14td: every installation and every environment has one beside
// its python3. Not python3.14-config.
static bool gb__is_python_name(const char *name)
{
    if (strncmp(name, "python3.", 8) || !isdigit((unsigned char)name[8])) return false;
    name += 8 + strspn(name + 8, "0123456789");
    name += *name == 't';
    name += *name == 'd';
    return !*name;
}

static bool gb__on_path(const char *name, char *found)
{
    const char *path = getenv("PATH");
    gb_slice dir, rest = gb__slice(path ? path : "");
    while (rest.len) {
        gb__split(rest, ':', &dir, &rest);
        if (dir.len && gb__path(found, "%.*s/%s", (int)dir.len, dir.data, name) &&
            gb__is_file(found, X_OK))
            return true;
    }
    return false;
}

static gb__candidate *gb__add(gb__search *s)
{
    gb__candidate *all = gb__with_room(s->all, s->count, sizeof *all), *c;
    s->failed |= !all;
    if (!all) return NULL;
    s->all = all;
    c = &all[s->count++];
    *c = (gb__candidate){.due = true, .python = {.gil = -1, .use_jit = -1}};
    return c;
}

// The interpreters in each directory that `pattern` matches below `root`, which is taken literally.
static void gb__add_bins(gb__search *s, const char *root, const char *pattern)
{
    char escaped[2 * GB_PATH], full[3 * GB_PATH];
    size_t n = 0;
    for (const char *r = root; *r && n < sizeof escaped - 2; r++) {
        if (strchr("*?[\\", *r)) escaped[n++] = '\\';
        escaped[n++] = *r;
    }
    escaped[n] = 0;
    snprintf(full, sizeof full, "%s%.200s/python3.*", escaped, pattern);
    glob_t found;
    if (glob(full, 0, NULL, &found)) return;
    // Backwards, so that python3.14t stands for a build that has a python3.14, too.
    for (size_t i = found.gl_pathc; i-- > 0;) {
        const char *path = found.gl_pathv[i];
        if (!gb__is_python_name(gb__basename(path)) || !gb__is_file(path, X_OK)) continue;
        gb__candidate *c = gb__add(s);
        if (c && !gb__path(c->path, "%s", path)) s->count--;
    }
    globfree(&found);
}

// The interpreter that an installation's directory means: python3, or one of those with a version.
static bool gb__in_directory(const char *dir, char *found)
{
    gb__search s = {0};
    if (gb__path(found, "%s/bin/python3", dir) && gb__is_file(found, X_OK)) return true;
    gb__add_bins(&s, dir, "/bin");
    if (s.count) gb__copy(found, GB_PATH, s.all[0].path);
    free(s.all);
    return s.count;
}

// The executable that belongs to PREFIX/lib[/ARCH]/libpython3.14t.so.1.0 is PREFIX/bin/python3.14t.
// Where there is none, the library has to speak for itself, with the home that it lies in.
static gb_code gb__locate_library(gb__candidate *c, gb_error *error)
{
    char dir[GB_PATH], name[64];
    char *real = realpath(c->path, NULL);
    bool ok = real && gb__is_libpython(gb__basename(real)) && gb__path(c->library, "%s", real);
    free(real);
    if (!ok) return gb__fail(error, GB_NO_PYTHON, "%s leads to no libpython", c->path);
    const char *base = gb__basename(c->library) + 3;  // behind "lib"
    snprintf(name, sizeof name, "%.*s", (int)(strstr(base, ".so") - base), base);
    gb__copy(dir, sizeof dir, c->library);
    gb__to_parent(dir);
    for (int up = 0; up < 2; up++) {
        gb__to_parent(dir);
        if (gb__path(c->path, "%s/bin/%s", dir, name) && gb__is_file(c->path, X_OK)) return GB_OK;
    }
    gb_python *p = &c->python;
    *c->path = 0;
    gb__copy(p->libpython, sizeof p->libpython, c->library);
    gb__copy(p->home, sizeof p->home, c->library);
    gb__to_parent(p->home);
    gb__to_parent(p->home);
    if (!gb__path(p->executable, "%s/bin/%s", p->home, name)) return gb__fail_memory(error);
    return GB_OK;
}

static gb_code gb__locate(gb__candidate *c, gb_error *error)
{
    struct stat file;
    char given[GB_PATH];
    bool bare = !strchr(c->path, '/');
    gb__copy(given, sizeof given, c->path);
    if (bare && gb__on_path(given, c->path)) return GB_OK;
    gb__copy(c->path, sizeof c->path, given);
    if (stat(given, &file) < 0)
        return gb__fail(error, GB_NO_PYTHON, "no interpreter %s%s: %s", given,
                        bare ? " on PATH or here" : "", strerror(errno));
    if (S_ISDIR(file.st_mode)) {
        if (gb__in_directory(given, c->path)) return GB_OK;
        return gb__fail(error, GB_NO_PYTHON, "no interpreter in %s: looked for bin/python3 in it",
                        given);
    }
    if (gb__is_libpython(gb__basename(given))) return gb__locate_library(c, error);
    if (gb__is_file(given, X_OK)) return GB_OK;
    return gb__fail(error, GB_NO_PYTHON, "%s is not an interpreter: it is not executable", given);
}

static gb_code gb__add_wanted(gb__search *s, const char *entry, size_t len, gb_error *error)
{
    gb__candidate *c = gb__add(s);
    if (!c) return gb__fail_memory(error);
    c->wanted = true;
    gb_code code = gb__parse_entry(entry, len, c, error);
    return code ? code : gb__locate(c, error);
}

static gb_code gb__add_variable(gb__search *s, gb_error *error)
{
    const char *list = getenv("GILBENCH_PYTHONS");
    for (size_t len; list && *list; list += len + (list[len] == ':')) {
        gb_error why = {GB_OK, ""};
        len = strcspn(list, ":");
        gb_code code = len ? gb__add_wanted(s, list, len, &why) : GB_OK;
        if (code) return gb__fail(error, code, "in GILBENCH_PYTHONS: %.900s", why.text);
    }
    return GB_OK;
}

// ---- what this machine has ----------------------------------------------------------------------

static void gb__add_path(gb__search *s)
{
    char dir[GB_PATH];
    for (const char *path = getenv("PATH"); path && *path;) {
        size_t len = strcspn(path, ":");
        // pyenv's shims take 0.2 s each and lead to the versions that are looked at anyway.
        if (len && gb__path(dir, "%.*s", (int)len, path) && strcmp(gb__basename(dir), "shims"))
            gb__add_bins(s, dir, "");
        path += len + (path[len] == ':');
    }
}

// What `make bundle` packs: the builds lie beside the program, wherever that was unpacked.
static void gb__add_beside(gb__search *s)
{
    char dir[GB_PATH];
    ssize_t n = readlink("/proc/self/exe", dir, sizeof dir);
    if (n <= 0 || n == sizeof dir) return;
    dir[n] = 0;
    gb__to_parent(dir);
    gb__add_bins(s, dir, "/cpython-*/bin");
}

static void gb__add_machine(gb__search *s)
{
    // Where the variable isn't set: that directory in the home directory.
    static const struct { const char *variable, *home, *pattern; } places[] = {
        {"VIRTUAL_ENV", NULL, "/bin"},
        {"UV_PYTHON_INSTALL_DIR", NULL, "/*/bin"},
        {"XDG_DATA_HOME", ".local/share", "/uv/python/*/bin"},
        {"PYENV_ROOT", ".pyenv", "/versions/*/bin"},
        {"CONDA_PREFIX", NULL, "/bin"},
        {"XDG_CACHE_HOME", ".cache", "/gilbench/cpython-*/bin"},
    };
    const char *home = getenv("HOME");
    gb__add_beside(s);
    gb__add_path(s);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *root = getenv(places[i].variable);
        char dir[GB_PATH];
        if (root && *root) gb__add_bins(s, root, places[i].pattern);
        else if (home && *home && places[i].home && gb__path(dir, "%s/%s", home, places[i].home))
            gb__add_bins(s, dir, places[i].pattern);
    }
    gb__add_bins(s, "/usr/local/bin", "");
}

static bool gb__same_build(const gb__candidate *x, const gb__candidate *y)
{
    const gb_python *a = &x->python, *b = &y->python;
    if (!x->answered || !y->answered)
        return x->answered == y->answered && gb__same_file(x->path, y->path);
    return a->gil == b->gil && a->use_jit == b->use_jit && a->free_threaded == b->free_threaded &&
           a->debug == b->debug && !strcmp(a->version, b->version) &&
           gb__same_file(a->prefix, b->prefix) &&
           (!strcmp(a->libpython, b->libpython) || gb__same_file(a->libpython, b->libpython));
}

// The same build is listed once, but for what was asked for.
static void gb__drop(gb__search *s)
{
    for (size_t i = 0; i < s->count; i++) {
        gb__candidate *c = &s->all[i];
        for (size_t j = 0; !c->wanted && !c->dropped && j < i; j++)
            c->dropped = gb__same_build(c, &s->all[j]);
        if (c->dropped) c->python.usable = false;
    }
}

// ---- the list -----------------------------------------------------------------------------------

static void gb__make_id(gb_python *p, bool with_optimized)
{
    char more[sizeof p->optimized + 1] = "";
    if (with_optimized && *p->optimized != '-') snprintf(more, sizeof more, "+%s", p->optimized);
    for (char *m = more; *m; m++) *m = gb__lower(*m);
    snprintf(p->id, sizeof p->id, "%.31s%s%.16s%s%s", *p->version ? p->version
             : gb__basename(p->executable), p->free_threaded ? "t" : "", more,
             p->gil < 0 ? "" : p->gil ? ",gil=1" : ",gil=0",
             p->use_jit < 0 ? "" : p->use_jit ? ",jit=1" : ",jit=0");
}

static bool gb__id_taken(const gb__search *s, size_t mine)
{
    for (size_t i = 0; i < s->count; i++)
        if (i != mine && (i < mine || s->all[i].named) && !s->all[i].dropped &&
            !strcmp(s->all[i].python.id, s->all[mine].python.id))
            return true;
    return false;
}

static bool gb__differs_by_optimization(const gb__search *s, const gb_python *p)
{
    for (size_t i = 0; i < s->count; i++) {
        const gb_python *q = &s->all[i].python;
        if (!s->all[i].dropped && !strcmp(p->version, q->version) &&
            p->free_threaded == q->free_threaded && strcmp(p->optimized, q->optimized))
            return true;
    }
    return false;
}

static gb_code gb__make_ids(gb__search *s, gb_error *error)
{
    for (size_t i = 0; i < s->count; i++) {
        gb__candidate *c = &s->all[i];
        gb_python *p = &c->python;
        if (c->named && gb__id_taken(s, i))
            return gb__fail(error, GB_USAGE, "two interpreters are named %s", p->id);
        if (c->named || c->dropped) continue;
        gb__make_id(p, gb__differs_by_optimization(s, p));
        size_t len = strnlen(p->id, sizeof p->id - 8);
        for (int n = 2; gb__id_taken(s, i); n++)
            snprintf(p->id + len, sizeof p->id - len, "#%d", n);
    }
    return GB_OK;
}

// What was asked for has to be an interpreter and able to do what its options say.
static gb_code gb__check_wanted(const gb__candidate *c, gb_error *error)
{
    const gb_python *p = &c->python;
    if (!c->wanted) return GB_OK;
    if (!c->answered && *c->path && strncmp(gb__basename(c->path), "python", 6))
        return gb__fail(error, GB_NO_PYTHON, "%.400s %s", c->path, p->problem);
    if (c->answered && p->gil >= 0 && !p->free_threaded)
        return gb__fail(error, GB_USAGE, "%s is not a free-threaded build: gil=%d needs one",
                        p->executable, p->gil);
    if (c->answered && p->use_jit == 1 && !p->jit)
        return gb__fail(error, GB_USAGE, "%s has no JIT: jit=1 needs a build with one",
                        p->executable);
    return GB_OK;
}

static gb_code gb__find(gb__search *s, gb_error *error)
{
    gb_code code = s->failed ? gb__fail_memory(error) : gb__ask_due(s, false, error);
    for (size_t i = 0; i < s->count && !code; i++) {
        gb__examine(&s->all[i]);
        code = gb__check_wanted(&s->all[i], error);
    }
    if (!code) gb__drop(s);
    if (!code) code = gb__start_all(s, false, error);
    if (!code) code = gb__start_all(s, true, error);
    return code ? code : gb__make_ids(s, error);
}

static gb_code gb__to_list(const gb__search *s, gb_python **list, size_t *length, gb_error *error)
{
    *list = calloc(s->count + 1, sizeof **list);
    if (!*list) return gb__fail_memory(error);
    for (size_t i = 0; i < s->count; i++)
        if (!s->all[i].dropped) (*list)[(*length)++] = s->all[i].python;
    return GB_OK;
}

GB_API gb_code gb_pythons(const char *const *wanted, size_t count, gb_python **list, size_t *length,
                          gb_error *error)
{
    gb__search s = {0};
    gb_code code = GB_OK;
    *list = NULL;
    *length = 0;
    for (size_t i = 0; i < count && !code; i++)
        code = gb__add_wanted(&s, wanted[i], strlen(wanted[i]), error);
    if (!count) {
        code = gb__add_variable(&s, error);
        if (!code) gb__add_machine(&s);
    }
    if (!code) code = gb__find(&s, error);
    if (!code) code = gb__to_list(&s, list, length, error);
    for (size_t i = 0; i < s.count; i++) {
        gb__buf_free(&s.all[i].facts);
        gb__buf_free(&s.all[i].out);
    }
    free(s.all);
    return code;
}

// How fair a comparison of the two would be, given that they are of one version: above all, neither
// is compiled for debugging; then both with a profile; then alike; then by one compiler; then both
// or none in an environment.
static int gb__pair_score(const gb_python *a, const gb_python *b)
{
    bool debug = !strcmp(a->optimized, "debug") || !strcmp(b->optimized, "debug");
    bool profile = strstr(a->optimized, "PGO") && strstr(b->optimized, "PGO");
    bool alike = !strcmp(a->optimized, b->optimized);
    bool compiler = !strcmp(a->compiler, b->compiler) && !strcmp(a->cflags, b->cflags);
    bool venv_a = strcmp(a->prefix, a->base_prefix), venv_b = strcmp(b->prefix, b->base_prefix);
    return 16 * !debug + 8 * profile + 4 * alike + 2 * compiler + (venv_a == venv_b);
}

// False if there is no such pair.
static bool gb__python_pair(const gb_python *list, size_t n, const gb_python **gil,
                            const gb_python **ft)
{
    int64_t best = -1;
    *gil = *ft = NULL;
    for (const gb_python *a = list; a < list + n; a++) {
        if (!a->usable || a->free_threaded) continue;
        for (const gb_python *b = list; b < list + n; b++) {
            if (!b->usable || !b->free_threaded || b->gil == 1 || b->hex != a->hex) continue;
            int64_t rank = (int64_t)a->hex * 32 + gb__pair_score(a, b);
            if (rank <= best) continue;
            *gil = a;
            *ft = b;
            best = rank;
        }
    }
    return *gil;
}

GB_API gb_code gb_python_pair(gb_python pair[2], gb_error *error)
{
    gb_python *list = NULL;
    const gb_python *gil, *ft;
    size_t n = 0;
    gb_code code = gb_pythons(NULL, 0, &list, &n, error);
    if (!code && !gb__python_pair(list, n, &gil, &ft))
        code = gb__fail(error, GB_NO_PYTHON, "no version of CPython from 3.14 on is here both with "
                        "and without the GIL; `gilbench pythons` says what is, `uv python install "
                        "3.14 3.14t` or `make pythons` gets a pair");
    if (!code) pair[0] = *gil, pair[1] = *ft;
    free(list);
    return code;
}

GB__OPTIMIZE_AGAIN

// ================================================================================================
// >>gateway
// A parsed request in, an answer out: how an application is called. Python is below, the server
// above; a thread holds one Python thread state for its life (making one a request costs 2 to 3
// times the request on a free-threaded build) and is attached only while it runs Python, never in
// a read, a write or a wait.

// ---- the application ----------------------------------------------------------------------------

static const char gb__bootstrap[] =
    "import gc, os, sys\n"
    "from io import BufferedReader, BytesIO, RawIOBase\n"
    "def missing(error, name):\n"
    "    if 'relative import' in str(error):\n"
    "        error.msg += f'; write package.module:{name}, from where the package is'\n"
    "    elif isinstance(error, ModuleNotFoundError):\n"
    "        error.msg = f'{error} in {sys.executable}: install it, or set PYTHONPATH'\n"
    "def load(spec):\n"
    "    import importlib.util\n"
    "    where, colon, name = spec.rpartition(':')\n"
    "    dirs, module = [os.getcwd()], where\n"
    "    if where.endswith('.py'):\n"
    "        os.stat(where)\n"
    "        path = os.path.abspath(where)\n"
    "        root, module = os.path.split(path[:-3])\n"
    "        while os.path.exists(os.path.join(root, '__init__.py')):\n"
    "            root, package = os.path.split(root)\n"
    "            module = f'{package}.{module}'.removesuffix('.__init__')\n"
    "        dirs.insert(0, root)\n"
    "    sys.path[:0] = dict.fromkeys(dirs)\n"
    "    try:\n"
    "        if where.endswith('.py') and root == os.path.dirname(path):\n"
    "            found = importlib.util.spec_from_file_location(module, path)\n"
    "            app = sys.modules[module] = importlib.util.module_from_spec(found)\n"
    "            found.loader.exec_module(app)\n"
    "        else:\n"
    "            app = importlib.import_module(module)\n"
    "    except ImportError as error:\n"
    "        missing(error, name)\n"
    "        raise\n"
    "    for part in name.removesuffix('()').split('.'):\n"
    "        app = getattr(app, part)\n"
    "    return app() if name.endswith('()') else app\n"
    "def interface(app):\n"
    "    import inspect\n"
    "    call = app if inspect.isroutine(app) else getattr(app, '__call__', app)\n"
    "    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(app):\n"
    "        return 'asgi'\n"
    "    try:\n"
    "        signature = inspect.signature(app)\n"
    "    except ValueError:\n"
    "        return 'wsgi'\n"
    "    def takes(count):\n"
    "        try:\n"
    "            return signature.bind(*[None] * count)\n"
    "        except TypeError:\n"
    "            return None\n"
    "    wsgi, asgi = takes(2), takes(3)\n"
    "    kinds = [p.kind for p in signature.parameters.values()]\n"
    "    if wsgi and asgi and inspect.Parameter.VAR_POSITIONAL in kinds:\n"
    "        raise TypeError('it takes any number of arguments; say --interface wsgi or asgi')\n"
    "    if not wsgi and not asgi:\n"
    "        raise TypeError('it takes neither 2 arguments, as WSGI, nor 3, as ASGI; '\n"
    "                        'NAME() calls one that makes the application')\n"
    "    return 'wsgi' if wsgi else 'asgi'\n"
    "def extensions():\n"
    "    from importlib.machinery import ExtensionFileLoader\n"
    "    specs = ((n, getattr(m, '__spec__', None)) for n, m in list(sys.modules.items()))\n"
    "    return ','.join(n for n, s in specs\n"
    "                    if isinstance(getattr(s, 'loader', None), ExtensionFileLoader))\n"
    "watch_gc = gc.callbacks.append\n"
    "class FileWrapper:\n"
    "    def __init__(self, file, size=65536):\n"
    "        self.file, self.size = file, size\n"
    "        self.close = getattr(file, 'close', lambda: None)\n"
    "    def __iter__(self):\n"
    "        return iter(lambda: self.file.read(self.size), b'')\n"
    "class Body(RawIOBase):\n"
    "    def __init__(self, request):\n"
    "        self.take = request.take\n"
    "    readable = lambda self: True\n"
    "    def readinto(self, buffer):\n"
    "        piece = self.take(len(buffer))\n"
    "        buffer[:len(piece)] = piece\n"
    "        return len(piece)\n"
    "    def readall(self):\n"
    "        return b''.join(iter(lambda: self.take(1 << 16), b''))\n"
    "def stream(request):\n"
    "    return BufferedReader(Body(request), 1 << 14)\n"
    "class NoBody:\n"
    "    def read(self, size=-1):\n"
    "        return b''\n"
    "    readline = read\n"
    "    def readlines(self, hint=-1):\n"
    "        return []\n"
    "    def __iter__(self):\n"
    "        return iter(())\n"
    "def environ(host, port, threads, processes):\n"
    "    env = {'wsgi.version': (1, 0), 'wsgi.url_scheme': 'http', 'wsgi.errors': sys.stderr,\n"
    "      'wsgi.multithread': bool(threads), 'wsgi.multiprocess': bool(processes),\n"
    "      'wsgi.run_once': False, 'wsgi.input_terminated': True,\n"
    "      'wsgi.file_wrapper': FileWrapper, 'wsgi.input': NoBody(), 'SCRIPT_NAME': '',\n"
    "      'SERVER_SOFTWARE': 'gilbench/" GB_VERSION "', 'SERVER_NAME': host,\n"
    "      'SERVER_PORT': str(port), 'SERVER_PROTOCOL': 'HTTP/1.1', 'REQUEST_METHOD': 'GET',\n"
    "      'QUERY_STRING': ''}\n"
    "    return {sys.intern(k): v for k, v in env.items()}\n";

// What an ordinary page costs in Python and its standard library: 0.25 ms on a core of 2026. Its
// rows are made for it, as a database's are: global ones would have their references counted by all
// threads.
#define GB__PAGE                                                                                   \
    "import json\n"                                                                                \
    "def page():\n"                                                                                \
    "    woods = ('ash', 'beech', 'cherry', 'elm', 'oak')\n"                                       \
    "    things = ('bench', 'chair', 'shelf', 'table')\n"                                          \
    "    rows = [{'id': n, 'name': f'{woods[n % 5]} {things[n % 4]}',\n"                           \
    "             'cents': n * 7919 % 20011, 'stock': n * 31 % 17} for n in range(1, 241)]\n"      \
    "    found = [row for row in rows if row['stock'] and 'oak' not in row['name']]\n"             \
    "    found.sort(key=lambda row: (-row['cents'], row['name']))\n"                               \
    "    total = sum(row['cents'] * row['stock'] for row in found)\n"                              \
    "    items = [{'id': row['id'], 'name': row['name'].title(),\n"                                \
    "              'price': f'{row[\"cents\"] / 100:,.2f}',\n"                                     \
    "              'value': f'{row[\"cents\"] * row[\"stock\"] / 100:,.2f}'}\n"                    \
    "             for row in found[:8]]\n"                                                         \
    "    answer = {'found': len(found), 'total': f'{total / 100:,.2f}', 'items': items}\n"         \
    "    return json.dumps(answer).encode()\n"

// The article's two endpoints have answers that are there already, as the C handler's are: the cost
// of json.dumps is no property of a build's server side. They are constants of code, which are
// immortal in a free-threaded build. /query is the page behind a wait of 5 ms.
#define GB__ROUTE                                                                                  \
    "    found, delay, body = True, 0, None\n"                                                     \
    "    if path == '/json':\n"                                                                    \
    "        body = b'{\"message\": \"Hello World\"}'\n"                                           \
    "    elif path == '/io':\n"                                                                    \
    "        delay, body = 0.01, b'{\"status\": \"done\"}'\n"                                      \
    "    elif path == '/query':\n"                                                                 \
    "        delay = 0.005\n"                                                                      \
    "    elif path != '/page':\n"                                                                  \
    "        found, body = False, b'not found\\n'\n"

static const char gb__builtin_wsgi[] =
    GB__PAGE
    "import time\n"
    "def app(environ, start_response):\n"
    "    path = environ['PATH_INFO']\n"
    GB__ROUTE
    "    if delay:\n"
    "        time.sleep(delay)\n"
    "    body = body or page()\n"
    "    status, kind = '200 OK', 'application/json'\n"
    "    if not found:\n"
    "        status, kind = '404 Not Found', 'text/plain'\n"
    "    start_response(status, [('Content-Type', kind), ('Content-Length', str(len(body)))])\n"
    "    return [body]\n";

static const char gb__builtin_asgi[] =
    GB__PAGE
    "import asyncio\n"
    "async def app(scope, receive, send):\n"
    "    if scope['type'] == 'lifespan':\n"
    "        return await lifespan(receive, send)\n"
    "    path = scope['path']\n"
    GB__ROUTE
    "    if delay:\n"
    "        await asyncio.sleep(delay)\n"
    "    body = body or page()\n"
    "    status, kind = (200, b'application/json') if found else (404, b'text/plain')\n"
    "    headers = [(b'content-type', kind), (b'content-length', b'%d' % len(body))]\n"
    "    await send({'type': 'http.response.start', 'status': status, 'headers': headers})\n"
    "    await send({'type': 'http.response.body', 'body': body})\n"
    "async def lifespan(receive, send):\n"
    "    event = None\n"
    "    while event != 'lifespan.shutdown':\n"
    "        event = (await receive())['type']\n"
    "        await send({'type': event + '.complete'})\n";

// An application in the interpreter that this process has started. Attached while it is used.
typedef struct gb__app {
    PyObject *bootstrap;  // the namespace of gb__bootstrap
    PyObject *object;
    gb_interface interface;
} gb__app;

static PyObject *gb__bootstrap_call(const gb__app *a, const char *name, PyObject *argument)
{
    PyObject *function = gb_py.PyDict_GetItemString(a->bootstrap, name);
    if (!function) return NULL;
    return argument ? gb_py.PyObject_CallOneArg(function, argument)
                    : gb_py.PyObject_CallNoArgs(function);
}

static gb_code gb__app_object(gb__app *a, const char *spec, gb_error *error)
{
    if (!strcmp(spec, "builtin:wsgi") || !strcmp(spec, "builtin:asgi")) {
        bool asgi = !strcmp(spec, "builtin:asgi");
        PyObject *namespace = gb__py_run(asgi ? gb__builtin_asgi : gb__builtin_wsgi, spec);
        a->object = namespace ? gb_py.PyDict_GetItemString(namespace, "app") : NULL;
        if (a->object) gb_py.Py_IncRef(a->object);
        gb__py_drop(namespace);
    } else {
        PyObject *text = gb_py.PyUnicode_FromString(spec);
        a->object = text ? gb__bootstrap_call(a, "load", text) : NULL;
        gb__py_drop(text);
    }
    if (!a->object) return gb__py_fail(error, GB_APP, "can't load the application %s", spec);
    if (!gb_py.PyCallable_Check(a->object))
        return gb__fail(error, GB_APP, "%s is not callable", spec);
    return GB_OK;
}

static gb_code gb__app_interface(gb__app *a, gb_interface wanted, const char *spec,
                                 gb_error *error)
{
    a->interface = wanted;
    if (wanted != GB_AUTO) return GB_OK;
    PyObject *found = gb__bootstrap_call(a, "interface", a->object);
    const char *name = found ? gb_py.PyUnicode_AsUTF8AndSize(found, NULL) : NULL;
    if (name) a->interface = strcmp(name, "asgi") ? GB_WSGI : GB_ASGI;
    gb__py_drop(found);
    return name ? GB_OK : gb__py_fail(error, GB_APP, "can't tell what interface %s has", spec);
}

static gb_code gb__app_load(gb__app *a, const char *spec, gb_interface interface, gb_error *error)
{
    *a = (gb__app){0};
    a->bootstrap = gb__py_run(gb__bootstrap, "gilbench");
    if (!a->bootstrap) return gb__py_fail(error, GB_NO_PYTHON, "the interpreter is not complete");
    gb_code code = gb__app_object(a, spec, error);
    return code ? code : gb__app_interface(a, interface, spec, error);
}

static void gb__app_drop(gb__app *a)
{
    gb__py_drop(a->object);
    gb__py_drop(a->bootstrap);
}

// ---- what WSGI and ASGI have in common ----------------------------------------------------------

static bool gb__reject(const char *why)
{
    return gb__raise(gb_py.PyExc_ValueError, why);
}

// Stores a new reference, which may be NULL after an error.
static bool gb__set(PyObject *dict, PyObject *key, PyObject *value)
{
    bool ok = value && !gb_py.PyDict_SetItem(dict, key, value);
    gb__py_drop(value);
    return ok;
}

enum { GB__FIELD_BAD, GB__FIELD_DROP, GB__FIELD_KEEP };

// What becomes of a header of the application's; takes note of what it means for the answer.
// GB__FIELD_BAD has raised an exception.
static int gb__check_field(gb__answer *a, gb_slice name, gb_slice value)
{
    if (!name.len || !gb__all(name, gb__is_token_char))
        return gb__reject("a header's name is empty or has a character it can't have");
    if (!gb__all(value, gb__is_value_char))
        return gb__reject("a header's value has a control character");
    if (gb__is_hop_by_hop(name)) {  // the connection is the server's
        if (!*a->dropped) gb__copy_slice(a->dropped, sizeof a->dropped, name);
        a->closes |= gb__slice_is_nocase(name, "connection") &&
                     gb__slice_is_nocase(gb__slice_trim(value), "close");
        return GB__FIELD_DROP;
    }
    if (gb__slice_is_nocase(name, "content-length")) {
        if (a->has_length || !gb__slice_u64(gb__slice_trim(value), &a->content_length))
            return gb__reject("Content-Length is not one number");
        a->has_length = a->length_given = true;
        return GB__FIELD_DROP;  // the server writes it, where the status may have one
    }
    a->date_in_fields |= gb__slice_is_nocase(name, "date");
    return GB__FIELD_KEEP;
}

static PyObject *gb__latin1(gb_slice s)
{
    return gb_py.PyUnicode_DecodeLatin1(s.data, (Py_ssize_t)s.len, NULL);
}

static bool gb__add_bytes(gb__buf *b, PyObject *bytes)
{
    char *data;
    Py_ssize_t len;
    if (gb_py.PyBytes_AsStringAndSize(bytes, &data, &len) < 0) return false;
    gb__buf_add(b, data, (size_t)len);
    return true;
}

// Adds an application's (name, value) as a line of its answer, unless it is bad or the server's.
// `add` adds the bytes of one of them.
static bool gb__add_field(gb__answer *a, gb__buf *b, PyObject *pair,
                          bool (*add)(gb__buf *, PyObject *))
{
    size_t start = b->len;
    if (!gb__py_is(pair, GB__PY_TUPLE_SUBCLASS) || gb_py.PyTuple_Size(pair) != 2)
        return gb__raise(gb_py.PyExc_TypeError, "headers must be (name, value) tuples");
    if (!add(b, gb_py.PyTuple_GetItem(pair, 0))) return false;
    size_t colon = b->len;
    gb__buf_str(b, ": ");
    if (!add(b, gb_py.PyTuple_GetItem(pair, 1))) return false;
    gb__buf_str(b, "\r\n");
    if (b->failed) return gb_py.PyErr_NoMemory(), false;
    int fate = gb__check_field(a, (gb_slice){b->data + start, colon - start},
                               (gb_slice){b->data + colon + 2, b->len - colon - 4});
    if (fate != GB__FIELD_KEEP) b->len = start;
    return fate != GB__FIELD_BAD;
}

// PEP 3333 wants a list of tuples, ASGI has iterables of iterables.
static bool gb__add_fields(gb__answer *a, gb__buf *b, PyObject *headers, bool strict,
                           bool (*add)(gb__buf *, PyObject *))
{
    if (strict && !gb__py_is(headers, GB__PY_LIST_SUBCLASS))
        return gb__raise(gb_py.PyExc_TypeError, "headers must be a list");
    PyObject *iterator = gb_py.PyObject_GetIter(headers), *item;
    bool ok = iterator;
    while (ok && (item = gb_py.PyIter_Next(iterator))) {
        PyObject *pair = strict ? NULL : gb_py.PySequence_Tuple(item);  // itself, where it is one
        ok = (strict || pair) && gb__add_field(a, b, strict ? item : pair, add);
        gb__py_drop(pair);
        gb_py.Py_DecRef(item);
    }
    gb__py_drop(iterator);
    return ok && !gb_py.PyErr_Occurred();
}

// A path without its escapes, which are decoded into `to`, where it has any.
static gb_slice gb__percent_decode(gb_slice raw, char to[GB_MAX_REQUEST_LINE])
{
    size_t n = 0;
    if (!memchr(raw.data, '%', raw.len)) return raw;
    for (size_t i = 0; i < raw.len; i++) {
        int high = -1, low = -1;
        if (raw.data[i] == '%' && i + 2 < raw.len) {
            high = gb__hex_digit(raw.data[i + 1]);
            low = gb__hex_digit(raw.data[i + 2]);
        }
        bool escape = high >= 0 && low >= 0;
        to[n++] = escape ? (char)(high * 16 + low) : raw.data[i];
        if (escape) i += 2;
    }
    return (gb_slice){to, n};
}

// ================================================================================================
// >>wsgi
// PEP 3333, whole.

// What is set and looked up for every request.
#define GB__WSGI_NAMES(X)                                                                          \
    X(REQUEST_METHOD, "REQUEST_METHOD")                                                            \
    X(PATH_INFO, "PATH_INFO")                                                                      \
    X(QUERY_STRING, "QUERY_STRING")                                                                \
    X(REQUEST_URI, "REQUEST_URI")                                                                  \
    X(SERVER_PROTOCOL, "SERVER_PROTOCOL")                                                          \
    X(REMOTE_ADDR, "REMOTE_ADDR")                                                                  \
    X(REMOTE_PORT, "REMOTE_PORT")                                                                  \
    X(INPUT, "wsgi.input")                                                                         \
    X(CLOSE, "close")

#define GB__WSGI_NAME(name, text) GB__NAME_##name,
enum { GB__WSGI_NAMES(GB__WSGI_NAME) GB__NAME_COUNT };
#undef GB__WSGI_NAME

// Fields that most clients send: their env keys are made once. The first two have no HTTP_.
enum { GB__CONTENT_LENGTH, GB__CONTENT_TYPE, GB__HOST };
#define GB__FIELD(text) {text, sizeof text - 1}
static const gb_slice gb__common_fields[] = {
    GB__FIELD("Content-Length"), GB__FIELD("Content-Type"), GB__FIELD("Host"),
    GB__FIELD("Accept"), GB__FIELD("User-Agent"), GB__FIELD("Accept-Encoding"),
    GB__FIELD("Accept-Language"), GB__FIELD("Connection"), GB__FIELD("Cookie"),
    GB__FIELD("Referer"), GB__FIELD("Origin"), GB__FIELD("Authorization"),
    GB__FIELD("Cache-Control"), GB__FIELD("If-None-Match"), GB__FIELD("If-Modified-Since"),
    GB__FIELD("Expect"), GB__FIELD("Transfer-Encoding"), GB__FIELD("X-Forwarded-For"),
    GB__FIELD("X-Forwarded-Proto"), GB__FIELD("X-Request-Id")};
#undef GB__FIELD
#define GB__COMMON_FIELDS (sizeof gb__common_fields / sizeof *gb__common_fields)

typedef struct gb__wsgi {
    gb__app *app;
    PyInterpreterState *interpreter;
    PyObject *names[GB__NAME_COUNT];
    PyObject *common[GB__COMMON_FIELDS];  // the keys of those
    PyTypeObject *request_type;
    PyTypeObject *list_type;  // this and the rest are borrowed
    PyObject *environ, *bytes_io, *stream;
    _Atomic(struct gb__wsgi_call *) left;  // calls whose threads have ended
} gb__wsgi;

// One call of the application, reused by the next: an object that outlives its request notices
// that `serial` has moved on. It may be used in any thread, as adapters to asyncio do, hence the
// lock; it may be used until the interpreter ends, so a call is freed after that.
typedef struct gb__wsgi_call {
    gb__wsgi *wsgi;
    struct gb__wsgi_call *next;  // of those that have left
    PyThreadState *state;
    PyObject *env;       // what most requests have in common; each gets a copy
    pthread_mutex_t lock;
    // guarded by lock while the application runs
    uint64_t serial;
    gb_exchange *x;
    bool started;            // start_response was called
    bool composes;           // adds the pieces of the body up, all of which are small
    gb__answer answer;
    gb__buf status, fields;  // env's uncommon names, too, while it is made
} gb__wsgi_call;

// What the application has of it holds this, behind whatever a PyObject is in this build.
typedef struct gb__wsgi_handle {
    gb__wsgi_call *call;
    uint64_t serial;
} gb__wsgi_handle;

static PyThreadState *gb__detach(gb_exchange *x)
{
    PyThreadState *state = gb_py.PyEval_SaveThread();
    gb__lap(x, GB__PHASE_APP);
    return state;
}

static void gb__attach(gb_exchange *x, PyThreadState *state, int phase)
{
    gb__lap(x, phase);
    gb_py.PyEval_RestoreThread(state);
    gb__lap(x, GB__PHASE_ATTACH);
}

static PyObject *gb__wsgi_new_handle(gb__wsgi_call *c)
{
    PyTypeObject *type = c->wsgi->request_type;
    PyObject *object = gb_py.PyType_GenericAlloc(type, 0);
    gb__wsgi_handle *h = object ? gb_py.PyObject_GetTypeData(object, type) : NULL;
    if (h) *h = (gb__wsgi_handle){c, c->serial};
    return object;
}

// Never waits attached: whoever has the lock may be waiting to attach.
static void gb__wsgi_lock(gb__wsgi_call *c)
{
    if (!pthread_mutex_trylock(&c->lock)) return;
    PyThreadState *state = gb_py.PyEval_SaveThread();
    pthread_mutex_lock(&c->lock);
    gb_py.PyEval_RestoreThread(state);
}

// The call that an object belongs to, locked; NULL, with an exception, after its request.
static gb__wsgi_call *gb__wsgi_take(PyObject *self)
{
    gb__wsgi_handle *h = gb_py.PyObject_GetTypeData(self, gb_py.Py_TYPE(self));
    if (h->call) {
        gb__wsgi_lock(h->call);
        if (h->serial == h->call->serial) return h->call;
        pthread_mutex_unlock(&h->call->lock);
    }
    return gb__raise(gb_py.PyExc_RuntimeError, "the request of this object is over"), NULL;
}

// ---- wsgi.input ---------------------------------------------------------------------------------

// The next piece of the body, of `size` bytes at most; empty at its end.
static PyObject *gb__wsgi_take_body(PyObject *self, PyObject *size)
{
    int got;
    gb_slice piece;
    PyObject *bytes = NULL;
    Py_ssize_t most = gb_py.PyLong_AsSsize_t(size);
    gb__wsgi_call *c = most >= 0 || !gb_py.PyErr_Occurred() ? gb__wsgi_take(self) : NULL;
    if (!c) return NULL;
    PyThreadState *state = gb__body_ready(c->x) ? NULL : gb__detach(c->x);
    while ((got = gb__body_piece(c->x, (size_t)most, &piece)) == GB__BODY_WAIT) gb__body_wait(c->x);
    if (state) gb__attach(c->x, state, GB__PHASE_READ);
    if (got != GB__BODY_FAILED)
        bytes = gb_py.PyBytes_FromStringAndSize(piece.data, (Py_ssize_t)piece.len);
    else
        gb_py.PyErr_Format(gb_py.PyExc_OSError, "the request's body can't be read: %s",
                           c->x->body_error < 0 ? "the client is gone"
                                                : gb__reason(c->x->body_error));
    pthread_mutex_unlock(&c->lock);
    return bytes;
}

// Its methods are CPython's: over the body, where that is there, as a small one is, else over its
// pieces, which costs 15 us more.
static PyObject *gb__wsgi_input(gb__wsgi_call *c)
{
    gb_exchange *x = c->x;
    gb_slice body;
    bool whole = x->body.counted && x->body.left <= x->in->len - x->at;
    if (whole) gb__body_piece(x, SIZE_MAX, &body);
    PyObject *from = whole ? gb_py.PyBytes_FromStringAndSize(body.data, (Py_ssize_t)body.len)
                           : gb__wsgi_new_handle(c);
    PyObject *make = whole ? c->wsgi->bytes_io : c->wsgi->stream;
    PyObject *input = from ? gb_py.PyObject_CallOneArg(make, from) : NULL;
    gb__py_drop(from);
    return input;
}

// ---- start_response -----------------------------------------------------------------------------

// Adds a str's Latin-1 bytes (PEP 3333, "Unicode Issues").
static bool gb__wsgi_add_text(gb__buf *b, PyObject *text)
{
    Py_ssize_t len;
    const char *utf8 = gb_py.PyUnicode_AsUTF8AndSize(text, &len);
    if (!utf8) return false;
    bool ascii = true;
    for (Py_ssize_t i = 0; i < len; i++) ascii &= (unsigned char)utf8[i] < 0x80;
    if (ascii) return gb__buf_add(b, utf8, (size_t)len), true;
    PyObject *latin1 = gb_py.PyUnicode_AsLatin1String(text);
    bool ok = latin1 && gb__add_bytes(b, latin1);
    gb__py_drop(latin1);
    return ok;
}

static void gb__wsgi_warn(const char *field)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&warned))
        fprintf(stderr, "gilbench: the application's field %s was dropped, as every one that is "
                "about the connection: that is the server's (PEP 3333)\n", field);
}

static bool gb__wsgi_set_status(gb__wsgi_call *c, PyObject *status)
{
    uint64_t code = 0;
    c->status.len = 0;
    if (!gb__wsgi_add_text(&c->status, status)) return false;
    gb_slice text = {c->status.data, c->status.len};
    gb_slice digits = {text.data, text.len < 3 ? text.len : 3};
    // One below 200 is an interim answer: the client would wait for the real one behind it.
    if (text.len < 4 || text.data[3] != ' ' || !gb__slice_u64(digits, &code) || code < 200 ||
        !gb__all(text, gb__is_value_char))
        return gb__reject("the status must be like \"200 OK\"");
    c->answer.status = (int)code;
    return true;
}

static bool gb__wsgi_set_head(gb__wsgi_call *c, PyObject *status, PyObject *headers)
{
    c->fields.len = 0;
    c->answer = (gb__answer){0};
    if (!gb__wsgi_set_status(c, status) ||
        !gb__add_fields(&c->answer, &c->fields, headers, true, gb__wsgi_add_text))
        return false;
    if (*c->answer.dropped) gb__wsgi_warn(c->answer.dropped);
    return true;
}

// With exc_info the application replaces an answer that failed on the way: possible until some of
// it was sent, after that the exception goes on to the server.
static bool gb__wsgi_may_start(gb__wsgi_call *c, PyObject *exc_info)
{
    if (exc_info && exc_info != gb__py_none()) {
        if (c->x->state == GB__ANSWER_NONE) return true;
        PyObject *raised = gb__py_is(exc_info, GB__PY_TUPLE_SUBCLASS) &&
                                   gb_py.PyTuple_Size(exc_info) == 3
                               ? gb_py.PyTuple_GetItem(exc_info, 1)
                               : NULL;
        if (!raised || raised == gb__py_none())
            return gb__raise(gb_py.PyExc_TypeError, "exc_info must be sys.exc_info()'s");
        gb_py.Py_IncRef(raised);
        gb_py.PyErr_SetRaisedException(raised);
        return false;
    }
    return !c->started || gb__raise(gb_py.PyExc_AssertionError,
                                    "start_response was called twice without exc_info");
}

static PyObject *gb__wsgi_write(PyObject *self, PyObject *data);

static PyObject *gb__wsgi_start_response(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static PyMethodDef write = {"write", gb__wsgi_write, GB__METH_O, NULL};
    PyObject *status, *headers, *exc_info = NULL;
    // PEP 3333 makes the arguments positional; frameworks pass exc_info by name all the same.
    if (keywords) exc_info = gb_py.PyDict_GetItemString(keywords, "exc_info");
    if (!gb_py.PyArg_UnpackTuple(arguments, "start_response", 2, 3, &status, &headers, &exc_info))
        return NULL;
    gb__wsgi_call *c = gb__wsgi_take(self);
    if (!c) return NULL;
    bool ok = gb__wsgi_may_start(c, exc_info);
    if (ok) ok = c->started = gb__wsgi_set_head(c, status, headers);
    pthread_mutex_unlock(&c->lock);
    return ok ? gb_py.PyCMethod_New(&write, self, NULL, NULL) : NULL;
}

// ---- the answer ---------------------------------------------------------------------------------

static bool gb__wsgi_begin(gb__wsgi_call *c)
{
    if (!c->started) return gb__raise(gb_py.PyExc_AssertionError, "start_response was not called");
    c->answer.reason = (gb_slice){c->status.data + 4, c->status.len - 4};
    c->answer.fields = (gb_slice){c->fields.data, c->fields.len};
    if (c->x->state == GB__ANSWER_NONE) gb__answer_begin(c->x, &c->answer);
    return true;
}

// Sends one piece of the body at once: it must not wait for the next (PEP 3333, "Buffering and
// Streaming"). 1; 0 when no more is of use, because the client is gone, asked for the head alone or
// has all that Content-Length promised; -1 with an exception. Locked.
//
// The last piece is sent attached, as far as the socket takes it without waiting. To detach for the
// few microseconds of that send means to queue for the lock a second time, for close() alone: with
// Flask, the GIL build and 64 threads this server then has 0.64x [0.59, 0.76] the req/s of Granian,
// which queues once, and 0.94x without (2 CPUs of a Xeon at 2.1 GHz, 64 connections, 10 rounds).
static int gb__wsgi_send(gb__wsgi_call *c, PyObject *piece)
{
    char *data;
    Py_ssize_t len;
    if (gb_py.PyBytes_AsStringAndSize(piece, &data, &len) < 0) return -1;
    if (!len) return 1;  // the head waits for the first byte of the body
    if (!gb__wsgi_begin(c)) return -1;
    gb_exchange *x = c->x;
    bool enough = x->bodyless || (x->counted && (uint64_t)len > x->answer_left);
    if (c->composes) {
        gb__answer_add(x, data, (size_t)len);
        return !enough;
    }
    x->may_not_wait = x->counted && (uint64_t)len >= x->answer_left;
    PyThreadState *state = x->may_not_wait ? NULL : gb__detach(x);
    bool sent = gb__answer_send(x, data, (size_t)len);
    if (x->unsent.len) {
        state = gb__detach(x);
        sent = gb__send_kept(x);
    }
    x->may_not_wait = false;
    if (state) gb__attach(x, state, GB__PHASE_WRITE);
    return sent && !enough;
}

static PyObject *gb__wsgi_write(PyObject *self, PyObject *data)
{
    gb__wsgi_call *c = gb__wsgi_take(self);
    if (!c) return NULL;
    int sent = c->x->state == GB__ANSWER_FINISHED ? 0 : gb__wsgi_send(c, data);
    bool failed = c->x->state == GB__ANSWER_FAILED, bodyless = c->x->bodyless;
    pthread_mutex_unlock(&c->lock);
    if (sent > 0 || (!sent && bodyless && !failed)) return gb__py_new_none();
    if (!sent && failed) gb_py.PyErr_SetString(gb_py.PyExc_OSError, "the client is gone");
    else if (!sent) gb__reject("write() goes beyond the end of the answer");
    return NULL;
}

// A list, which is what most applications return, has a known length; one that is small is composed
// in one go.
static bool gb__wsgi_measure(gb__wsgi_call *c, PyObject *list)
{
    Py_ssize_t total = 0, len = 0, count = gb_py.PyList_Size(list);
    if (c->x->state != GB__ANSWER_NONE || !c->started) return true;
    for (Py_ssize_t i = 0; i < count; i++, total += len) {
        char *data;
        PyObject *piece = gb_py.PyList_GetItemRef(list, i);
        bool ok = piece && !gb_py.PyBytes_AsStringAndSize(piece, &data, &len);
        gb__py_drop(piece);
        if (!ok) return false;
    }
    if (!c->answer.has_length) c->answer.content_length = (uint64_t)total;
    c->answer.has_length = true;
    c->composes = total <= GB__READ_SIZE;
    return true;
}

static bool gb__wsgi_iterate(gb__wsgi_call *c, PyObject *result)
{
    PyObject *iterator = gb_py.PyObject_GetIter(result), *piece;
    int sent = 1;
    while (iterator && sent > 0 && (piece = gb_py.PyIter_Next(iterator))) {
        gb__wsgi_lock(c);
        sent = gb__wsgi_send(c, piece);
        pthread_mutex_unlock(&c->lock);
        gb_py.Py_DecRef(piece);
    }
    gb__py_drop(iterator);
    return iterator && sent >= 0 && !gb_py.PyErr_Occurred();
}

static bool gb__wsgi_end(gb__wsgi_call *c)
{
    gb_exchange *x = c->x;
    if (x->state == GB__ANSWER_FAILED) return true;
    if (x->state == GB__ANSWER_NONE) c->answer.has_length = true;  // there was no body
    if (!gb__wsgi_begin(c)) return false;
    // Too little is an error of the application, and a 500 as long as nothing was sent.
    return x->bodyless || !x->counted || !x->answer_left ||
           gb__reject("the body is shorter than its Content-Length");
}

static bool gb__wsgi_answer(gb__wsgi_call *c, PyObject *result)
{
    gb__wsgi_lock(c);
    // Not a subclass of list: that may have an __iter__ of its own.
    bool list = gb_py.Py_TYPE(result) == c->wsgi->list_type;
    bool ok = !list || gb__wsgi_measure(c, result);
    pthread_mutex_unlock(&c->lock);
    if (!ok || !gb__wsgi_iterate(c, result)) return false;
    gb__wsgi_lock(c);
    ok = gb__wsgi_end(c);
    pthread_mutex_unlock(&c->lock);
    return ok;
}

// Sends what is left of a complete answer, before the application's close() is waited for.
static void gb__wsgi_finish(gb__wsgi_call *c)
{
    gb_exchange *x = c->x;
    gb__wsgi_lock(c);
    bool sent = x->state >= GB__ANSWER_SENT && !x->send_chunked;
    PyThreadState *state = sent ? NULL : gb__detach(x);
    if (x->state != GB__ANSWER_FAILED) gb__answer_end(x);
    if (state) gb__attach(x, state, GB__PHASE_WRITE);
    pthread_mutex_unlock(&c->lock);
}

// "close() always called" (PEP 3333): also when the application or the client failed.
static void gb__wsgi_close(gb__wsgi_call *c, PyObject *result, bool answered)
{
    if (gb_py.Py_TYPE(result) == c->wsgi->list_type) return;  // it has none
    PyObject *raised = gb_py.PyErr_GetRaisedException(), *close = NULL;
    if (gb_py.PyObject_GetOptionalAttr(result, c->wsgi->names[GB__NAME_CLOSE], &close) > 0) {
        if (answered) gb__wsgi_finish(c);
        PyObject *done = gb_py.PyObject_CallNoArgs(close);
        if (!done) gb_py.PyErr_WriteUnraisable(close);
        gb__py_drop(done);
        gb_py.Py_DecRef(close);
    }
    gb_py.PyErr_Clear();
    if (raised) gb_py.PyErr_SetRaisedException(raised);
}

// ================================================================================================
// >>environ
// The rest of WSGI: a request's environ, one call of the application, and what a thread and an
// interpreter need for it.

// ---- env ----------------------------------------------------------------------------------------

static const char *gb__wsgi_field_variable(gb__buf *text, gb_slice name)
{
    text->len = 0;
    gb__buf_str(text, "HTTP_");
    gb__buf_add(text, name.data, name.len);
    if (text->len != name.len + 5) return gb_py.PyErr_NoMemory(), NULL;
    for (char *c = text->data; *c; c++) {
        if (*c == '-') *c = '_';
        else if (*c >= 'a' && *c <= 'z') *c &= ~0x20;
    }
    return text->data;
}

static bool gb__wsgi_set_field(gb__wsgi_call *c, PyObject *env, gb_slice name, gb_slice value)
{
    // "a_b" and "a-b" would be the same variable, and only one of them has passed whatever stands
    // before the server.
    if (memchr(name.data, '_', name.len)) return true;
    int common = gb__find_name(name, gb__common_fields, GB__COMMON_FIELDS);
    const char *variable = common < 0 ? gb__wsgi_field_variable(&c->fields, name) : NULL;
    PyObject *made = variable ? gb_py.PyUnicode_FromString(variable) : NULL, *before = NULL;
    PyObject *key = common < 0 ? made : c->wsgi->common[common];
    PyObject *text = key ? gb__latin1(value) : NULL;
    int there = text ? gb_py.PyDict_SetDefaultRef(env, key, text, &before) : -1;
    // What is there twice is one value with a comma (RFC 9110, 5.3), but for cookies, and for the
    // one Content-Length, which may be there twice with the same value.
    const char *both = gb__slice_is_nocase(name, "cookie") ? "%U; %U" : "%U,%U";
    if (there > 0 && common != GB__CONTENT_LENGTH &&
        !gb__set(env, key, gb_py.PyUnicode_FromFormat(both, before, text)))
        there = -1;
    gb__py_drop(before);
    gb__py_drop(text);
    gb__py_drop(made);
    return there >= 0;
}

static PyObject *gb__wsgi_environ(gb__wsgi_call *c)
{
    PyObject *const *names = c->wsgi->names;
    gb_exchange *x = c->x;
    const gb__request *r = x->request;
    char decoded[GB_MAX_REQUEST_LINE];
    gb_slice path = gb__percent_decode(gb_request_path(x), decoded);
    gb_slice method = gb_request_method(x), query = gb_request_query(x);
    PyObject *env = gb_py.PyDict_Copy(c->env);
    if (!env) return NULL;
    bool ok =
        (gb__slice_is(method, "GET") ||
         gb__set(env, names[GB__NAME_REQUEST_METHOD], gb__latin1(method))) &&
        gb__set(env, names[GB__NAME_PATH_INFO], gb__latin1(path)) &&
        gb__set(env, names[GB__NAME_REQUEST_URI], gb__latin1(r->target)) &&
        gb__set(env, names[GB__NAME_REMOTE_ADDR], gb__latin1(gb__slice(x->conn->peer))) &&
        gb__set(env, names[GB__NAME_REMOTE_PORT], gb__latin1(gb__slice(x->conn->peer_port))) &&
        (!query.len || gb__set(env, names[GB__NAME_QUERY_STRING], gb__latin1(query))) &&
        (r->minor || gb__set(env, names[GB__NAME_SERVER_PROTOCOL],
                             gb__latin1(gb__slice("HTTP/1.0")))) &&
        (gb__is_over(&x->body) || gb__set(env, names[GB__NAME_INPUT], gb__wsgi_input(c)));
    for (size_t i = 0; ok && i < r->field_count; i++)
        ok = gb__wsgi_set_field(c, env, r->fields[i].name, r->fields[i].value);
    // The authority of an absolute-form target replaces the Host field (RFC 9112, 3.2.2).
    if (ok && r->authority.len)
        ok = gb__set(env, c->wsgi->common[GB__HOST], gb__latin1(r->authority));
    if (ok) return env;
    gb_py.Py_DecRef(env);
    return NULL;
}

// ---- one request --------------------------------------------------------------------------------

static bool gb__wsgi_call_app(gb__wsgi_call *c)
{
    PyObject *env = gb__wsgi_environ(c);
    PyObject *start = env ? gb__wsgi_new_handle(c) : NULL;
    PyObject *arguments[] = {env, start};
    PyObject *result =
        start ? gb_py.PyObject_Vectorcall(c->wsgi->app->object, arguments, 2, NULL) : NULL;
    bool ok = result && gb__wsgi_answer(c, result);
    if (result) gb__wsgi_close(c, result, ok);
    gb__py_drop(result);
    gb__py_drop(start);
    gb__py_drop(env);
    return ok;
}

static void gb__wsgi_handle_request(void *local, gb_exchange *x)
{
    gb__wsgi_call *c = local;
    c->x = x;
    c->started = c->composes = false;
    gb__attach(x, c->state, GB__PHASE_READ);
    bool ok = gb__wsgi_call_app(c);
    gb__wsgi_lock(c);
    c->serial++;
    pthread_mutex_unlock(&c->lock);
    if (!ok) {
        gb__py_show();
        // With the head on its way there is only one way to tell the client: a truncated answer.
        x->state = x->state <= GB__ANSWER_COMPOSED ? GB__ANSWER_NONE : GB__ANSWER_FAILED;
    }
    gb__detach(x);
    if (!ok || x->state == GB__ANSWER_FAILED) return;
    if (x->state != GB__ANSWER_FINISHED) gb__answer_end(x);
    gb__lap(x, GB__PHASE_WRITE);
}

// ---- setting up ---------------------------------------------------------------------------------

// Interned, all of them: such strings are immortal in a free-threaded build, where the threads
// would count references to these in every request.
static bool gb__wsgi_make_names(gb__wsgi *w)
{
    gb__buf text = {0};
#define GB__WSGI_NAME(name, text)                                                                  \
    w->names[GB__NAME_##name] = gb_py.PyUnicode_InternFromString(text);
    GB__WSGI_NAMES(GB__WSGI_NAME)
#undef GB__WSGI_NAME
    for (size_t i = 0; i < GB__COMMON_FIELDS; i++) {
        const char *variable = gb__wsgi_field_variable(&text, gb__common_fields[i]);
        if (variable && i <= GB__CONTENT_TYPE) variable += strlen("HTTP_");
        w->common[i] = variable ? gb_py.PyUnicode_InternFromString(variable) : NULL;
    }
    gb__buf_free(&text);
    return !gb_py.PyErr_Occurred();
}

static bool gb__wsgi_make_type(gb__wsgi *w)
{
    // Slot numbers of CPython's stable ABI (Include/typeslots.h).
    enum { TP_CALL = 50, TP_METHODS = 64 };
    static PyMethodDef methods[] = {{"take", gb__wsgi_take_body, GB__METH_O, NULL},
                                    {NULL, NULL, 0, NULL}};
    void *call;
    // ISO C can't convert a function pointer to the void * that a slot holds; POSIX can.
    memcpy(&call, &(PyObject * (*[]) (PyObject *, PyObject *, PyObject *)){gb__wsgi_start_response},
           sizeof call);
    PyType_Slot slots[] = {{TP_CALL, call}, {TP_METHODS, methods}, {0, NULL}};
    PyType_Spec spec = {"gilbench.request", -(int)sizeof(gb__wsgi_handle), 0, 0, slots};
    w->request_type = (PyTypeObject *)gb_py.PyType_FromSpec(&spec);
    return w->request_type;
}

static void gb__wsgi_leave(void *local)
{
    gb__wsgi_call *c = local;
    gb_py.PyEval_RestoreThread(c->state);
    gb__py_drop(c->env);
    gb_py.PyThreadState_Clear(c->state);
    gb_py.PyThreadState_DeleteCurrent();
    gb__buf_free(&c->status);
    gb__buf_free(&c->fields);
    c->next = atomic_load(&c->wsgi->left);
    while (!atomic_compare_exchange_weak(&c->wsgi->left, &c->next, c)) continue;
}

static bool gb__wsgi_enter(void *self, const gb_server *server, void **local, gb_error *error)
{
    gb__wsgi *w = self;
    gb__wsgi_call *c = calloc(1, sizeof *c);
    if (c) c->state = gb_py.PyThreadState_New(w->interpreter);
    if (!c || !c->state) {
        free(c);
        gb__fail_memory(error);
        return false;
    }
    *local = c;
    c->wsgi = w;
    pthread_mutex_init(&c->lock, NULL);
    gb_py.PyEval_RestoreThread(c->state);
    // What env has in most requests. Each thread makes its own, so that free-threaded threads
    // don't count references to the same objects.
    c->env = gb_py.PyObject_CallMethod(w->environ, "__call__", "siii", server->host, server->port,
                                       server->place.multithread, server->place.multiprocess);
    bool ok = c->env != NULL;
    if (!ok) gb__py_fail(error, GB_APP, "can't prepare a thread");
    gb_py.PyEval_SaveThread();
    if (!ok) gb__wsgi_leave(c);
    return ok;
}

// Attached. `app` outlives the gateway.
static gb_code gb__wsgi_open(gb__wsgi *w, gb__app *app, gb__gateway *gateway, gb_error *error)
{
    *w = (gb__wsgi){.app = app, .interpreter = gb_py.PyInterpreterState_Get(),
                    .list_type = (PyTypeObject *)gb_py.PyDict_GetItemString(
                        gb_py.PyEval_GetBuiltins(), "list"),
                    .environ = gb_py.PyDict_GetItemString(app->bootstrap, "environ"),
                    .bytes_io = gb_py.PyDict_GetItemString(app->bootstrap, "BytesIO"),
                    .stream = gb_py.PyDict_GetItemString(app->bootstrap, "stream")};
    if (!gb__wsgi_make_names(w) || !gb__wsgi_make_type(w))
        return gb__py_fail(error, GB_APP, "can't prepare WSGI");
    *gateway = (gb__gateway){.self = w, .enter = gb__wsgi_enter, .leave = gb__wsgi_leave,
                             .handle = gb__wsgi_handle_request};
    return GB_OK;
}

static void gb__wsgi_shut(gb__wsgi *w)
{
    for (size_t i = 0; i < GB__NAME_COUNT; i++) gb__py_drop(w->names[i]);
    for (size_t i = 0; i < GB__COMMON_FIELDS; i++) gb__py_drop(w->common[i]);
    gb__py_drop((PyObject *)w->request_type);
}

// Once the interpreter has ended.
static void gb__wsgi_free(gb__wsgi *w)
{
    for (gb__wsgi_call *c = atomic_load(&w->left), *next; c; c = next) {
        next = c->next;
        pthread_mutex_destroy(&c->lock);
        free(c);
    }
}

GB__OPTIMIZE_LESS

// ================================================================================================
// >>asgi
// Loop mode: each worker thread runs one asyncio loop, whose reader callback takes the server's
// turns. A request is an eager task of the application's own coroutine: it runs at once and never
// meets the scheduler unless it really waits. `receive` and `send` are coroutine functions, bound
// to an object that does their work in one step each: they may be called anywhere, and are awaited
// in the loop of their request. Everything of a worker belongs to its thread, functions and types
// included, so that several of them can run in one free-threaded interpreter.

// Keys of messages, the first five with `type` before all, and of scopes.
#define GB__ASGI_KEYS(X)                                                                           \
    X(type) X(status) X(headers) X(body) X(more_body) X(method) X(http_version) X(path)            \
    X(raw_path) X(query_string) X(client) X(asgi) X(state)
#define GB__ASGI_KEY(name) GB__KEY_##name,
enum { GB__ASGI_KEYS(GB__ASGI_KEY) GB__KEY_COUNT, GB__MESSAGE_KEYS = GB__KEY_method };
#undef GB__ASGI_KEY

// Run once a worker. What waits to send yields first, also where nobody listens any more: others
// are to run.
static const char gb__asgi_bootstrap[] =
    "import importlib, sys\n"
    "from asyncio import Event, Queue, Runner, Task, sleep, wait\n"
    "async def receive(call):\n"
    "    while (taken := call.take()) is None:\n"
    "        await call.wait()\n"
    "    if not taken:\n"
    "        return {'type': 'http.disconnect'}\n"
    "    return {'type': 'http.request', 'body': taken[0], 'more_body': taken[1]}\n"
    "async def send(call, message):\n"
    "    if call.put(message):\n"
    "        await sleep(0)\n"
    "        while call.is_full():\n"
    "            await call.wait()\n"
    "async def run(app, scope, call):\n"
    "    try:\n"
    "        await app(scope, call.receive, call.send)\n"
    "    except BaseException as error:\n"
    "        call.end(error)\n"
    "    else:\n"
    "        call.end(None)\n"
    "class Worker:\n"
    "    Event = Event\n"
    "    def __init__(self, app, loop, call, host, port):\n"
    "        module = importlib.import_module(loop)\n"
    "        self.runner = Runner(loop_factory=module.new_event_loop)\n"
    "        self.loop = self.runner.get_loop()\n"
    "        self.app, self.state = app, {}\n"
    "        call.receive, call.send = receive, send\n"
    "        self.asgi = {'version': '3.0', 'spec_version': '2.3'}\n"
    "        self.scope = {'type': 'http', 'asgi': None, 'http_version': '1.1',\n"
    "            'server': (host, port), 'client': None, 'scheme': 'http', 'method': 'GET',\n"
    "            'root_path': '', 'path': '', 'raw_path': b'', 'query_string': b'',\n"
    "            'headers': None, 'state': None}\n"
    "        self.problem = self.descriptor = None\n"
    "    async def lifespan(self):\n"
    "        scope = {'type': 'lifespan', 'state': self.state,\n"
    "                 'asgi': {'version': '3.0', 'spec_version': '2.0'}}\n"
    "        try:\n"
    "            await self.app(scope, self.inbox.get, self.send)\n"
    "        except Exception as error:\n"
    "            if self.started.is_set() and not self.problem:\n"
    "                sys.excepthook(type(error), error, error.__traceback__)\n"
    "        finally:\n"
    "            self.started.set()\n"
    "    async def send(self, message):\n"
    "        event = message['type']\n"
    "        if event.startswith('lifespan.startup.'):\n"
    "            self.started.set()\n"
    "        elif not event.startswith('lifespan.shutdown.'):\n"
    "            raise RuntimeError(f'{event!r} is no message of a lifespan')\n"
    "        if event.endswith('.failed'):\n"
    "            self.problem = (message.get('message') or '').strip() or 'no reason given'\n"
    "    def start(self):\n"
    "        self.inbox, self.started = Queue(), Event()\n"
    "        self.inbox.put_nowait({'type': 'lifespan.startup'})\n"
    "        self.task = self.loop.create_task(self.lifespan())\n"
    "        self.runner.run(self.started.wait())\n"
    "        *more, last = (self.problem or '').splitlines() or [None]\n"
    "        if more:\n"
    "            print(self.problem, file=sys.stderr)\n"
    "        return last\n"
    "    def request(self, scope, call):\n"
    "        if scope['method'] != 'GET':\n"
    "            scope['method'] = scope['method'].upper()\n"
    "        return Task(run(self.app, scope, call), loop=self.loop, eager_start=True)\n"
    "    async def turns(self, descriptor, turn):\n"
    "        self.end, self.descriptor = self.loop.create_future(), descriptor\n"
    "        self.loop.add_reader(descriptor, turn)\n"
    "        await self.end\n"
    "    def run(self, descriptor, turn):\n"
    "        self.runner.run(self.turns(descriptor, turn))\n"
    "    def finish(self, patience):\n"
    "        if patience:\n"
    "            self.loop.call_later(patience, self.finish, 0)\n"
    "        elif not self.end.done():\n"
    "            self.end.set_result(None)\n"
    "    def stop(self):\n"
    "        if self.descriptor is not None:\n"
    "            self.loop.remove_reader(self.descriptor)\n"
    "        with self.runner:\n"
    "            if self.task.done() or self.problem:\n"
    "                return\n"
    "            self.inbox.put_nowait({'type': 'lifespan.shutdown'})\n"
    "            self.runner.run(wait((self.task,), timeout=5))\n"
    "            if self.problem:\n"
    "                print('the application did not shut down:', self.problem, file=sys.stderr)\n";

typedef struct gb__asgi {
    gb__app *app;
    const char *loop;        // the module that makes event loops
    PyInterpreterState *interpreter;
    PyThreadState *main_state;  // of the main thread: where signal handlers run
    atomic_int loops;        // in this interpreter
} gb__asgi;

typedef struct gb__asgi_worker {
    gb__asgi *asgi;
    PyThreadState *thread_state;
    gb__thread *thread;
    PyTypeObject *call_type;
    PyObject *python;        // its Worker
    PyObject *request, *event, *scope, *asgi_facts, *state;  // attributes of that
    PyObject *keys[GB__KEY_COUNT];
    size_t running;          // tasks that are not done
    bool drained;            // no connection is left, and none will come
} gb__asgi_worker;

// One call of the application: behind whatever a PyObject is in this build, what the methods of
// receive's and send's object work on. It may outlive its request, its loop and its worker.
typedef struct gb__asgi_call {
    PyObject *object;        // that this is the data of
    gb__asgi_worker *worker;
    gb_exchange *x;          // NULL once that is over
    PyObject *task;          // until it is done: asyncio itself forgets a task that waits
    PyObject *event;         // that those await who wait in receive or send; NULL before
    enum { GB__ASGI_START, GB__ASGI_BODY, GB__ASGI_DONE } stage;  // which message send expects
    bool received;           // all of the request's body
    bool told;               // receive has said http.disconnect
    bool ended;              // the application has returned
    gb__answer answer;
    gb__buf fields;
} gb__asgi_call;

static _Thread_local gb__asgi_worker *gb__asgi_here;

static PyObject *gb__asgi_bytes(gb_slice s)
{
    return gb_py.PyBytes_FromStringAndSize(s.data, (Py_ssize_t)s.len);
}

// Takes over both references.
static PyObject *gb__asgi_pair(PyObject *name, PyObject *value)
{
    PyObject *pair = name && value ? gb_py.PyTuple_Pack(2, name, value) : NULL;
    gb__py_drop(name);
    gb__py_drop(value);
    return pair;
}

// ---- calls --------------------------------------------------------------------------------------

static gb__asgi_call *gb__asgi_call_of(PyObject *self)
{
    gb__asgi_call *c = gb_py.PyObject_GetTypeData(self, gb_py.Py_TYPE(self));
    if (gb__asgi_here && c->worker == gb__asgi_here) return c;
    gb__raise(gb_py.PyExc_RuntimeError,
              "receive and send are to be awaited in the event loop of their request");
    return NULL;
}

static void gb__asgi_call_dealloc(PyObject *self)
{
    PyTypeObject *type = gb_py.Py_TYPE(self);
    gb__asgi_call *c = gb_py.PyObject_GetTypeData(self, type);
    gb__buf_free(&c->fields);
    gb__py_drop(c->event);
    gb_py.PyObject_Free(self);
    gb_py.Py_DecRef((PyObject *)type);
}

// Two references: the caller's, and the exchange's until it is over.
static gb__asgi_call *gb__asgi_call_new(gb__asgi_worker *w, gb_exchange *x)
{
    PyObject *object = gb_py.PyType_GenericAlloc(w->call_type, 0);
    if (!object) return NULL;
    gb__asgi_call *c = x->call = gb_py.PyObject_GetTypeData(object, w->call_type);
    *c = (gb__asgi_call){.object = object, .worker = w, .x = x};
    gb_py.Py_IncRef(object);
    w->running++;
    return c;
}

// ---- waiting ------------------------------------------------------------------------------------

// Everybody looks again whether what they wait for is there.
static void gb__asgi_wake(gb__asgi_call *c)
{
    PyObject *done = c->event ? gb_py.PyObject_CallMethod(c->event, "set", NULL) : NULL;
    if (c->event && !done) gb_py.PyErr_WriteUnraisable(c->object);
    gb__py_drop(done);
}

static PyObject *gb__asgi_wait(PyObject *self, PyObject *unused)
{
    (void)unused;
    gb__asgi_call *c = gb__asgi_call_of(self);
    if (!c) return NULL;
    if (!c->event) c->event = gb_py.PyObject_CallNoArgs(c->worker->event);
    PyObject *done = c->event ? gb_py.PyObject_CallMethod(c->event, "clear", NULL) : NULL;
    if (c->x) gb__lap(c->x, GB__PHASE_APP);
    gb__py_drop(done);
    return done ? gb_py.PyObject_CallMethod(c->event, "wait", NULL) : NULL;
}

static void gb__asgi_resume(void *local, gb_exchange *x)
{
    (void)local;
    gb__asgi_call *c = x->call;
    if (c->event) gb__lap(x, GB__PHASE_READ);
    gb__asgi_wake(c);
}

static void gb__asgi_over(void *local, gb_exchange *x)
{
    (void)local;
    gb__asgi_call *c = x->call;
    c->x = NULL;
    gb__asgi_wake(c);
    gb_py.Py_DecRef(c->object);
}

// ---- receive ------------------------------------------------------------------------------------

// The next piece of the body and whether there is more, None where it has to be waited for, False
// once the client is gone.
static PyObject *gb__asgi_take(PyObject *self, PyObject *unused)
{
    (void)unused;
    gb__asgi_call *c = gb__asgi_call_of(self);
    if (!c) return NULL;
    gb_slice piece;
    int got = GB__BODY_FAILED;
    bool on = c->x && c->stage != GB__ASGI_DONE;
    if (on && !c->received) got = gb__loop_read(c->x, &piece);
    else if (on && !c->x->conn->gone) got = GB__BODY_WAIT;
    if (got == GB__BODY_WAIT) return gb__py_new_none();
    c->told = got == GB__BODY_FAILED;
    if (c->told) return gb_py.PyBool_FromLong(0);
    c->received = gb__is_over(&c->x->body);
    return gb__asgi_pair(gb__asgi_bytes(piece), gb_py.PyBool_FromLong(!c->received));
}

// ================================================================================================
// >>coroutine
// One request as a task: what the application sends, its scope, its beginning and its end.

// ---- send ---------------------------------------------------------------------------------------

static bool gb__asgi_set_status(gb__asgi_call *c, PyObject *status)
{
    long code = status ? gb_py.PyLong_AsLong(status) : 0;
    if (gb_py.PyErr_Occurred()) return false;
    if (code < 200 || code > 999) return gb__reject("the status must be from 200 to 999");
    c->answer = (gb__answer){.status = (int)code};
    return true;
}

// Writes a piece of the body, with the head before the first and the end behind the last.
static void gb__asgi_write(gb__asgi_call *c, const char *data, size_t len, bool more)
{
    gb_exchange *x = c->x;
    if (x->state == GB__ANSWER_NONE) {
        if (!more && !c->answer.has_length) {
            c->answer.has_length = true;
            c->answer.content_length = len;
        }
        gb__answer_begin(x, &c->answer);
    }
    if (!more && len <= GB__READ_SIZE) gb__answer_add(x, data, len);
    else gb__answer_send(x, data, len);
    if (!more) gb__answer_end(x);
}

// Too little is an error of the application, and a 500 as long as nothing was sent.
static bool gb__asgi_is_short(const gb__asgi_call *c, size_t len, bool more)
{
    const gb_exchange *x = c->x;
    bool begun = x->state != GB__ANSWER_NONE;
    bool bodyless = x->is_head || !gb__status_has_body(c->answer.status);
    uint64_t promised = begun ? x->answer_left : c->answer.content_length;  // 0 without a length
    return !more && !bodyless && (!begun || x->counted) && len < promised;
}

static bool gb__asgi_send_bytes(gb__asgi_call *c, PyObject *bytes, bool more)
{
    char *data;
    Py_ssize_t len;
    gb_exchange *x = c->x;
    if (gb_py.PyBytes_AsStringAndSize(bytes, &data, &len) < 0) return false;
    if (gb__asgi_is_short(c, (size_t)len, more))
        return gb__raise(gb_py.PyExc_RuntimeError, "the body is shorter than its Content-Length");
    gb__lap(x, GB__PHASE_APP);
    gb__asgi_write(c, data, (size_t)len, more);
    gb__lap(x, GB__PHASE_WRITE);
    if (!more) c->stage = GB__ASGI_DONE;
    gb__settle(x);
    return true;
}

static bool gb__asgi_put_start(gb__asgi_call *c, PyObject *status, PyObject *headers)
{
    if (c->stage != GB__ASGI_START)
        return gb__raise(gb_py.PyExc_RuntimeError, "http.response.start was sent already");
    c->fields.len = 0;
    if (!gb__asgi_set_status(c, status)) return false;
    if (headers && !gb__add_fields(&c->answer, &c->fields, headers, false, gb__add_bytes))
        return false;
    c->answer.fields = (gb_slice){c->fields.data, c->fields.len};
    c->x->close |= c->answer.closes;
    c->stage = GB__ASGI_BODY;
    return true;
}

static bool gb__asgi_put_body(gb__asgi_call *c, PyObject *body, PyObject *more_body)
{
    if (c->stage != GB__ASGI_BODY)
        return gb__raise(gb_py.PyExc_RuntimeError,
                         "http.response.body came before http.response.start");
    if (!body) body = gb_py.Py_GetConstantBorrowed(GB__PY_EMPTY_BYTES);
    int more = more_body ? gb_py.PyObject_IsTrue(more_body) : 0;
    PyObject *bytes = more < 0 ? NULL : gb_py.PyBytes_FromObject(body);  // itself, where it is some
    bool ok = bytes && gb__asgi_send_bytes(c, bytes, more);
    gb__py_drop(bytes);
    return ok;
}

// `values` are those of the message, NULL where it has none.
static bool gb__asgi_put_values(gb__asgi_call *c, PyObject *const *values)
{
    const char *type = *values ? gb_py.PyUnicode_AsUTF8AndSize(*values, NULL) : "";
    if (!type) return false;
    if (!strcmp(type, "http.response.start"))
        return gb__asgi_put_start(c, values[GB__KEY_status], values[GB__KEY_headers]);
    if (!strcmp(type, "http.response.body"))
        return gb__asgi_put_body(c, values[GB__KEY_body], values[GB__KEY_more_body]);
    gb_py.PyErr_Format(gb_py.PyExc_RuntimeError, "'%s' is no message of an answer", type);
    return false;
}

// Whether to wait. What comes behind a complete answer, or for nobody, is ignored.
static PyObject *gb__asgi_put(PyObject *self, PyObject *message)
{
    PyObject *values[GB__MESSAGE_KEYS] = {0};
    gb__asgi_call *c = gb__asgi_call_of(self);
    bool ok = c, open = c && c->x && c->stage != GB__ASGI_DONE;
    for (int i = 0; open && ok && i < GB__MESSAGE_KEYS; i++)
        ok = gb_py.PyMapping_GetOptionalItem(message, c->worker->keys[i], &values[i]) >= 0;
    ok = ok && (!open || gb__asgi_put_values(c, values));
    for (int i = 0; i < GB__MESSAGE_KEYS; i++) gb__py_drop(values[i]);
    return ok ? gb_py.PyBool_FromLong(c->x ? c->x->unsent.len > 0 : c->stage != GB__ASGI_DONE)
              : NULL;
}

static PyObject *gb__asgi_is_full(PyObject *self, PyObject *unused)
{
    (void)unused;
    gb__asgi_call *c = gb__asgi_call_of(self);
    return c ? gb_py.PyBool_FromLong(c->x && c->x->unsent.len) : NULL;
}

// ---- the scope ----------------------------------------------------------------------------------

// A new reference. The name is made lower case in the request's own bytes: CPython shares its short
// bytes objects, so nothing may ever be written into one.
static PyObject *gb__asgi_field_name(const gb_exchange *x, gb_slice name)
{
    char *bytes = x->in->data + (name.data - x->in->data);
    for (size_t i = 0; i < name.len; i++) bytes[i] = gb__lower(bytes[i]);
    return gb__asgi_bytes(name);
}

static bool gb__asgi_add_header(PyObject *list, PyObject *name, PyObject *value)
{
    PyObject *pair = gb__asgi_pair(name, value);
    bool ok = pair && !gb_py.PyList_Append(list, pair);
    gb__py_drop(pair);
    return ok;
}

static PyObject *gb__asgi_headers(const gb_exchange *x)
{
    const gb__request *r = x->request;
    PyObject *list = gb_py.PyList_New(0);
    // The authority of an absolute-form target replaces the Host field (RFC 9112, 3.2.2).
    bool absolute = r->authority.len, ok = list != NULL;
    if (absolute)
        ok = ok && gb__asgi_add_header(list, gb__asgi_bytes(gb__slice("host")),
                                       gb__asgi_bytes(r->authority));
    for (size_t i = 0; ok && i < r->field_count; i++) {
        const gb__field *f = &r->fields[i];
        if (absolute && gb__slice_is_nocase(f->name, "host")) continue;
        ok = gb__asgi_add_header(list, gb__asgi_field_name(x, f->name), gb__asgi_bytes(f->value));
    }
    if (ok) return list;
    gb__py_drop(list);
    return NULL;
}

static PyObject *gb__asgi_scope(const gb__asgi_worker *w, const gb_exchange *x)
{
    char decoded[GB_MAX_REQUEST_LINE];
    gb_slice raw = gb_request_path(x), path = gb__percent_decode(raw, decoded);
    gb_slice query = gb_request_query(x), method = gb_request_method(x);
    PyObject *const *keys = w->keys, *scope = gb_py.PyDict_Copy(w->scope);
    if (!scope) return NULL;
    bool ok =
        (gb__slice_is(method, "GET") || gb__set(scope, keys[GB__KEY_method], gb__latin1(method))) &&
        (x->minor ||
         gb__set(scope, keys[GB__KEY_http_version], gb_py.PyUnicode_FromString("1.0"))) &&
        gb__set(scope, keys[GB__KEY_path],
                gb_py.PyUnicode_DecodeUTF8(path.data, (Py_ssize_t)path.len, "replace")) &&
        gb__set(scope, keys[GB__KEY_raw_path], gb__asgi_bytes(raw)) &&
        (!query.len || gb__set(scope, keys[GB__KEY_query_string], gb__asgi_bytes(query))) &&
        gb__set(scope, keys[GB__KEY_headers], gb__asgi_headers(x)) &&
        gb__set(scope, keys[GB__KEY_client],
                gb__asgi_pair(gb__latin1(gb__slice(x->conn->peer)),
                              gb_py.PyLong_FromLong(strtol(x->conn->peer_port, NULL, 10)))) &&
        gb__set(scope, keys[GB__KEY_asgi], gb_py.PyDict_Copy(w->asgi_facts)) &&
        gb__set(scope, keys[GB__KEY_state], gb_py.PyDict_Copy(w->state));
    if (ok) return scope;
    gb_py.Py_DecRef(scope);
    return NULL;
}

// ---- one request --------------------------------------------------------------------------------

// What CPython and its libraries say of an object that belongs to another event loop.
static const char *gb__asgi_hint(gb__asgi *g, const char *text)
{
    static const char *const signs[] = {"different event loop", "different loop",
                                        "can only be called once per instance"};
    for (size_t i = 0; text && g->loops > 1 && i < sizeof signs / sizeof *signs; i++)
        if (strstr(text, signs[i]))
            return "the application can't have several event loops in one interpreter: "
                   "try --worker-model processes";
    return NULL;
}

static void gb__asgi_hint_once(gb__asgi *g, PyObject *raised)
{
    static atomic_flag given = ATOMIC_FLAG_INIT;
    PyObject *text = gb_py.PyObject_Str(raised);
    const char *hint = gb__asgi_hint(g, text ? gb_py.PyUnicode_AsUTF8AndSize(text, NULL) : NULL);
    if (hint && !atomic_flag_test_and_set(&given)) fprintf(stderr, "gilbench: %s\n", hint);
    gb__py_drop(text);
    gb_py.PyErr_Clear();
}

// That a client left is no mistake of the application's, nor what comes of a body that was cut.
static bool gb__asgi_is_of_leaving(const gb__asgi_call *c, PyObject *raised)
{
    bool answered = c->stage == GB__ASGI_DONE;
    if (!c->told && (c->x || answered)) return false;
    bool of_system = gb_py.PyErr_GivenExceptionMatches(raised, gb_py.PyExc_OSError);
    return of_system || (!answered && c->told && !c->received);
}

static void gb__asgi_finish_if_drained(gb__asgi_worker *w)
{
    if (!w->drained || w->running) return;
    PyObject *done = gb_py.PyObject_CallMethod(w->python, "finish", "i", 0);
    if (!done) gb_py.PyErr_WriteUnraisable(w->python);
    gb__py_drop(done);
}

// The application has returned, or `raised` an exception.
static void gb__asgi_ended(gb__asgi_call *c, PyObject *raised)
{
    gb_exchange *x = c->x;
    PyObject *task = c->task;
    c->ended = true;
    c->task = NULL;
    gb__py_drop(task);
    if (raised && !gb__asgi_is_of_leaving(c, raised)) {
        gb_py.PyErr_DisplayException(raised);
        gb__asgi_hint_once(c->worker->asgi, raised);
    } else if (!raised && x && x->state < GB__ANSWER_FINISHED && !x->conn->gone) {
        fprintf(stderr, "gilbench: the application returned without a complete answer\n");
    }
    if (x && x->state < GB__ANSWER_FINISHED) gb__lap(x, GB__PHASE_APP);
    if (x && x->state == GB__ANSWER_NONE) gb__answer_status(x, 500);
    if (x && x->state < GB__ANSWER_FINISHED) x->state = GB__ANSWER_FAILED;
    if (x) gb__settle(x);
    c->worker->running--;
    gb__asgi_finish_if_drained(c->worker);
}

static PyObject *gb__asgi_end(PyObject *self, PyObject *raised)
{
    gb__asgi_call *c = gb__asgi_call_of(self);
    if (!c) return NULL;
    if (!c->ended) gb__asgi_ended(c, raised == gb__py_none() ? NULL : raised);
    return gb__py_new_none();
}

// Runs the application until it ends or waits for something; the task.
static PyObject *gb__asgi_start(gb__asgi_call *c)
{
    const gb__asgi_worker *w = c->worker;
    PyObject *arguments[] = {w->python, gb__asgi_scope(w, c->x), c->object}, *scope = arguments[1];
    PyObject *task = scope ? gb_py.PyObject_Vectorcall(w->request, arguments, 3, NULL) : NULL;
    gb__py_drop(scope);
    return task;
}

static void gb__asgi_handle_request(void *local, gb_exchange *x)
{
    gb__lap(x, GB__PHASE_READ);
    gb__asgi_call *c = gb__asgi_call_new(local, x);
    PyObject *task = c ? gb__asgi_start(c) : NULL;
    PyObject *raised = task ? NULL : gb_py.PyErr_GetRaisedException();
    if (!c) gb__refuse(x, 500);
    else if (raised && !c->ended) gb__asgi_ended(c, raised);
    if (task && !c->ended) c->task = task;
    else gb__py_drop(task);
    gb__py_drop(raised);
    if (c) gb_py.Py_DecRef(c->object);
}

// ================================================================================================
// >>eventloop
// A worker: its asyncio loop, the lifespan of the application in it, their end.

// ---- a worker -----------------------------------------------------------------------------------

static PyObject *gb__asgi_turn(PyObject *self, PyObject *unused)
{
    gb__asgi_worker *w = gb__asgi_here;
    (void)self;
    (void)unused;
    if (gb__loop_turn(w->thread) || w->drained) return gb__py_new_none();
    w->drained = true;
    return gb_py.PyObject_CallMethod(w->python, "finish", "i", w->running ? GB__STOP_GRACE_S : 0);
}

static void gb__asgi_run(void *local, gb__thread *thread)
{
    static PyMethodDef turn = {"gilbench_turn", gb__asgi_turn, GB__METH_NOARGS, NULL};
    gb__asgi_worker *w = local;
    w->thread = thread;
    gb_py.PyEval_RestoreThread(w->thread_state);
    PyObject *callback = gb_py.PyCMethod_New(&turn, NULL, NULL, NULL);
    while (callback && !w->drained) {
        // sys.exit() in the application ends asyncio's loop; the server goes on.
        PyObject *done = gb_py.PyObject_CallMethod(w->python, "run", "iO", thread->server->epoll,
                                                   callback);
        if (!done) gb__py_show();
        gb__py_drop(done);
    }
    gb__py_drop(callback);
    w->thread_state = gb_py.PyEval_SaveThread();
}

static void gb__asgi_leave(void *local)
{
    gb__asgi_worker *w = local;
    gb_py.PyEval_RestoreThread(w->thread_state);
    PyObject *done = w->python ? gb_py.PyObject_CallMethod(w->python, "stop", NULL) : NULL;
    gb__py_show();
    gb__asgi_here = NULL;
    PyObject *owned[] = {done, w->python, w->request, w->event, w->scope, w->asgi_facts, w->state,
                         (PyObject *)w->call_type};
    for (size_t i = 0; i < sizeof owned / sizeof(void *); i++) gb__py_drop(owned[i]);
    for (size_t i = 0; i < GB__KEY_COUNT; i++) gb__py_drop(w->keys[i]);
    if (w->thread_state == w->asgi->main_state) {
        gb_py.PyEval_SaveThread();
    } else {
        gb_py.PyThreadState_Clear(w->thread_state);
        gb_py.PyThreadState_DeleteCurrent();
    }
    w->asgi->loops--;
    free(w);
}

static bool gb__asgi_make_type(gb__asgi_worker *w)
{
    // Slot numbers and a flag of CPython's stable ABI (Include/typeslots.h, Include/object.h).
    enum { TP_DEALLOC = 52, TP_METHODS = 64, DISALLOW_INSTANTIATION = 1 << 7 };
    static PyMethodDef methods[] = {{"take", gb__asgi_take, GB__METH_NOARGS, NULL},
                                    {"put", gb__asgi_put, GB__METH_O, NULL},
                                    {"is_full", gb__asgi_is_full, GB__METH_NOARGS, NULL},
                                    {"wait", gb__asgi_wait, GB__METH_NOARGS, NULL},
                                    {"end", gb__asgi_end, GB__METH_O, NULL},
                                    {NULL, NULL, 0, NULL}};
    void *dealloc;
    memcpy(&dealloc, &(void (*[])(PyObject *)){gb__asgi_call_dealloc}, sizeof dealloc);
    PyType_Slot slots[] = {{TP_DEALLOC, dealloc}, {TP_METHODS, methods}, {0, NULL}};
    PyType_Spec spec = {"gilbench.request", -(int)sizeof(gb__asgi_call), 0,
                        DISALLOW_INSTANTIATION, slots};
    w->call_type = (PyTypeObject *)gb_py.PyType_FromSpec(&spec);
    return w->call_type;
}

static bool gb__asgi_prepare(gb__asgi_worker *w, const gb_server *server)
{
#define GB__ASGI_KEY(name) w->keys[GB__KEY_##name] = gb_py.PyUnicode_InternFromString(#name);
    GB__ASGI_KEYS(GB__ASGI_KEY)
#undef GB__ASGI_KEY
    PyObject *namespace = gb__py_run(gb__asgi_bootstrap, "gilbench");
    if (!namespace || !gb__asgi_make_type(w)) return gb__py_drop(namespace), false;
    PyObject *type = gb_py.PyDict_GetItemString(namespace, "Worker");
    w->request = gb_py.PyObject_GetAttrString(type, "request");
    w->python = gb_py.PyObject_CallMethod(type, "__call__", "OsOsi", w->asgi->app->object,
                                          w->asgi->loop, w->call_type, server->host, server->port);
    gb_py.Py_DecRef(namespace);
    if (!w->python) return false;
    w->event = gb_py.PyObject_GetAttrString(w->python, "Event");
    w->scope = gb_py.PyObject_GetAttrString(w->python, "scope");
    w->asgi_facts = gb_py.PyObject_GetAttrString(w->python, "asgi");
    w->state = gb_py.PyObject_GetAttrString(w->python, "state");
    return !gb_py.PyErr_Occurred();
}

static bool gb__asgi_startup(gb__asgi_worker *w, gb_error *error)
{
    PyObject *problem = gb_py.PyObject_CallMethod(w->python, "start", NULL);
    const char *text = problem && problem != gb__py_none()
                           ? gb_py.PyUnicode_AsUTF8AndSize(problem, NULL) : NULL;
    const char *hint = gb__asgi_hint(w->asgi, text);
    if (text) gb__fail(error, GB_APP, "the application's startup failed: %.700s%s%s", text,
                       hint ? "; " : "", hint ? hint : "");
    else if (!problem) gb__py_fail(error, GB_APP, "the application's startup failed");
    bool ok = problem && !text;
    gb__py_drop(problem);
    return ok;
}

static bool gb__asgi_enter(void *self, const gb_server *server, void **local, gb_error *error)
{
    gb__asgi *g = self;
    gb__asgi_worker *w = calloc(1, sizeof *w);
    if (w) w->thread_state = server->place.here ? g->main_state
                                                : gb_py.PyThreadState_New(g->interpreter);
    if (!w || !w->thread_state) {
        free(w);
        gb__fail_memory(error);
        return false;
    }
    *local = gb__asgi_here = w;
    w->asgi = g;
    g->loops++;
    gb_py.PyEval_RestoreThread(w->thread_state);
    bool ok = gb__asgi_prepare(w, server);
    if (!ok) gb__py_fail(error, GB_APP, "can't prepare an event loop");
    ok = ok && gb__asgi_startup(w, error);
    w->thread_state = gb_py.PyEval_SaveThread();
    if (!ok) gb__asgi_leave(w);
    return ok;
}

// ---- setting up ---------------------------------------------------------------------------------

static gb_code gb__asgi_find_loop(const char *name, gb_error *error)
{
    PyObject *module = gb_py.PyImport_ImportModule(name);
    if (!module) gb_py.PyErr_Clear();
    gb__py_drop(module);
    return module ? GB_OK
                  : gb__fail(error, GB_APP, "the event loop %s can't be imported by this "
                             "interpreter: install it there (pip install %s)", name, name);
}

// Attached. `app` outlives the gateway.
static gb_code gb__asgi_open(gb__asgi *g, gb__app *app, const char *loop, gb__gateway *gateway,
                             gb_error *error)
{
    *g = (gb__asgi){.app = app, .loop = loop ? loop : "asyncio"};
    gb_code code = gb__asgi_find_loop(g->loop, error);
    if (code) return code;
    g->interpreter = gb_py.PyInterpreterState_Get();
    *gateway = (gb__gateway){g, gb__asgi_enter, gb__asgi_leave, gb__asgi_handle_request,
                             gb__asgi_run, gb__asgi_resume, gb__asgi_over};
    return GB_OK;
}

// ================================================================================================
// >>waits
// Who waits for what, and who made them wait. CPython blocks in few places: for the GIL on a
// condition variable, for all else (the locks of objects and of threading, a stopped world, a
// thread's end) on a semaphore. libpython calls the C library through slots of its own, and here
// the slots of these functions are led to functions that take the time of each wait. What nobody
// waits for costs nothing. The lines come from the offsets that CPython keeps for debuggers, and
// another thread's frames are read through the kernel, which can't crash. All of that is checked
// where it starts, against waits made on purpose; what can't be seen is left out with a sentence.

#define GB__WAIT_ROWS 1024  // kinds of waits that are told apart: by line, and by holder or object
#define GB__ALL_ROWS (GB__WAIT_ROWS + GB_WAIT_EVENT + 1)  // behind them a kind's others each
#define GB__WAIT_PROBES 32  // for a place among them; who has none is counted with all such others
#define GB__HOLDER_STEP_NS 700000
#define GB__FRAME_SIZE 128  // and no more
#define GB__GIL_SIZE 256    // of what belongs to a GIL, its condition variables among it

// In CPython's record of its stops: is one wanted, and whose thread state wants it.
enum { GB__STOP_REQUESTED = 1, GB__STOPPED_BY = 16 };

// What _Py_DebugOffsets is in 3.14: where structures keep what.
typedef struct gb__offsets {
    char cookie[8];
    uint64_t version, free_threaded, runtime[3];
    struct {
        uint64_t size, skipped[8], gil, gil_state, gil_enabled, locked, holder, more[2];
    } interpreter;
    struct { uint64_t size, previous, next, interpreter, frame, skipped[4]; } thread;
    struct { uint64_t size, previous, code, instruction, locals, owner, stack, bytecode; } frame;
    struct {
        uint64_t size, file, name, qualname, lines, first_line, skipped[3], instructions, bytecode;
    } code;
    struct { uint64_t size, type; } object;
} gb__offsets;

// An instruction of Python. Without a code `at` is one of those below.
typedef struct gb__spot {
    uintptr_t code, at;      // in bytes from the first instruction
} gb__spot;

enum { GB__NOWHERE, GB__REQUEST_BEGINS, GB__THREAD_BEGINS, GB__ELSEWHERE };

// What waits are told apart by. The code and the mutexes are known by their addresses alone until
// they are reported.
typedef struct gb__wait_key {
    uintptr_t kind;          // a gb_wait_kind
    uintptr_t at;            // the mutex or GIL; of a stopped world, is it for a collection?
    gb__spot waiter, holder;
} gb__wait_key;

enum { GB__BY_YIELDING, GB__IN_C, GB__OTHERS };  // instead of a mutex

typedef struct gb__wait_row {
    gb__wait_key key;
    uint64_t count, ns;
    bool used;
} gb__wait_row;

// A wait that is going on.
typedef struct gb__standing {
    gb__wait_key key;
    bool again;              // it goes on with the one before
    uintptr_t state;         // of the thread that waits; 0: nobody looks
    uint64_t began;
} gb__standing;

static _Atomic bool gb__collecting;  // garbage is collected

static struct {
    const gb__offsets *at;           // NULL: nothing can be seen
    uintptr_t code_type;
    size_t world;                    // where in an interpreter's state its stops are; 0: nowhere
    pid_t pid;                       // that notes; what the application forks doesn't
    bool only_own;                   // lines can be seen of the own thread only
    char problem[256];               // why none can be
    uintptr_t gil;                   // 0: it has none
    PyObject *helper;                // the namespace of gb__waits_helper
    _Atomic bool counts, notes, checking;
    // Code that waits to be told, by a lock; and that only asks on behalf of its caller.
    _Atomic uintptr_t waits_for_work, asks[2];
    _Atomic uintptr_t parked;        // the last address that was waited at, while it is checked
    pthread_t watcher;
    bool watched;                    // by that thread
    pthread_mutex_t lock;
    // guarded by lock
    gb__wait_row *rows;
    uint64_t since;                  // when noting began
    gb__spot holder;                 // of the GIL
    uint64_t holder_at;              // when that was so
} gb__seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

// ---- reading an interpreter ---------------------------------------------------------------------

// Through the kernel: false where there is nothing. Of the own thread it needn't be asked.
static bool gb__peek(bool own, uintptr_t at, void *to, size_t size)
{
    struct iovec here = {to, size}, there = {(void *)at, size};
    if (own) return memcpy(to, there.iov_base, size);
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)size;
}

static uintptr_t gb__peek_word(bool own, uintptr_t at)
{
    uintptr_t word;
    return gb__peek(own, at, &word, sizeof word) ? word : 0;
}

// What a thread state runs: its innermost frame of Python.
static gb__spot gb__spot_of(bool own, uintptr_t state)
{
    enum { OF_A_THREAD, OF_A_GENERATOR, FRAMES = 8 };
    const gb__offsets *o = gb__seen.at;
    uintptr_t frame = state ? gb__peek_word(own, state + o->thread.frame) : 0, code, instruction;
    for (int i = 0; frame && i < FRAMES; i++) {
        char f[GB__FRAME_SIZE];
        if (!gb__peek(own, frame, f, o->frame.size)) break;
        memcpy(&code, f + o->frame.code, sizeof code);
        code &= ~(uintptr_t)3;  // a reference with a tag
        memcpy(&instruction, f + o->frame.instruction, sizeof instruction);
        memcpy(&frame, f + o->frame.previous, sizeof frame);
        if (f[o->frame.owner] > OF_A_GENERATOR || !code) continue;
        if (code == atomic_load(&gb__seen.asks[0]) || code == atomic_load(&gb__seen.asks[1]) ||
            gb__peek_word(own, code + o->object.type) != gb__seen.code_type)
            continue;
        // On a free-threaded build a thread has instructions of its own.
        int32_t own_code = 0;
        uintptr_t begin = code + o->code.instructions;
        if (o->free_threaded) memcpy(&own_code, f + o->frame.bytecode, sizeof own_code);
        if (own_code > 0)
            begin = gb__peek_word(own, gb__peek_word(own, code + o->code.bytecode) + 8 +
                                  8 * (uintptr_t)own_code);
        return (gb__spot){code, instruction - begin};
    }
    return (gb__spot){0};
}

// ---- what was waited for ------------------------------------------------------------------------

static gb__wait_row *gb__wait_row_of(const gb__wait_key *key)  // locked
{
    uintptr_t words[sizeof *key / sizeof(uintptr_t)];
    uint64_t hash = 0;
    memcpy(words, key, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < GB__WAIT_PROBES; i++) {
        gb__wait_row *r = &gb__seen.rows[((hash >> 54) + i) % GB__WAIT_ROWS];
        if (!r->used || !memcmp(&r->key, key, sizeof *key)) return r;
    }
    return &gb__seen.rows[GB__WAIT_ROWS + key->kind];
}

static void gb__note(gb__standing *w, uint64_t now)
{
    pthread_mutex_lock(&gb__seen.lock);
    uint64_t began = w->began > gb__seen.since ? w->began : gb__seen.since;
    if (w->key.kind == GB_WAIT_GIL && w->key.at == gb__seen.gil && gb__seen.holder_at > w->began)
        w->key.holder = gb__seen.holder;
    gb__wait_row *r = gb__wait_row_of(&w->key);
    if (r >= gb__seen.rows + GB__WAIT_ROWS)
        w->key = (gb__wait_key){w->key.kind, GB__OTHERS, {.at = GB__ELSEWHERE}, {0}};
    r->key = w->key;
    r->used = true;
    r->count += !w->again;
    r->ns += now > began ? now - began : 0;
    pthread_mutex_unlock(&gb__seen.lock);
}

// ---- the waits themselves -----------------------------------------------------------------------

// A wait of this thread, attached or not; of none that never ran Python. Where lines aren't noted
// it is looked at for the requests that are timed: with 64 threads, a wait or more in each of
// 70,000 requests a second, all of them cost 1.5 % (16 CPUs, the GIL build).
static gb__standing gb__stand(gb_wait_kind kind)
{
    gb__standing w = {.key.kind = kind};
    if (atomic_load(&gb__seen.counts) && (gb__timed || atomic_load(&gb__seen.notes)))
        w.state = (uintptr_t)gb_py.PyGILState_GetThisThreadState();
    return w;
}

// From now on, and because of another, whose frames are to be read now.
static void gb__stand_for(gb__standing *w, uintptr_t other)
{
    if (other && atomic_load(&gb__seen.notes))
        w->key.holder = gb__spot_of(other == w->state, other);
    w->began = gb_now_ns();
}

static void gb__go_on(gb__standing *w)
{
    if (!w->state) return;
    int saved = errno;
    uint64_t now = gb_now_ns();
    if (w->key.kind < GB__WAITED) gb__waited[w->key.kind] += now - w->began;
    if (atomic_load(&gb__seen.notes) && (w->key.kind != GB_WAIT_EVENT || gb__is_serving) &&
        getpid() == gb__seen.pid) {
        if (!w->key.waiter.code) w->key.waiter = gb__spot_of(true, w->state);
        if (!w->key.waiter.code)
            w->key.waiter.at = gb__is_serving ? GB__REQUEST_BEGINS : GB__THREAD_BEGINS;
        gb__note(w, now);
    }
    errno = saved;
}

// ---- the GIL ----

// What a GIL has in the place that the offsets tell for that of the main interpreter.
static uintptr_t gb__gil_word(uintptr_t gil, uint64_t offset)
{
    return gb__peek_word(true, gil + offset - gb__seen.at->interpreter.gil_state);
}

// A thread begins to wait when the GIL has changed hands, and then its holder stands where it has
// waited itself. So who holds it is looked up at times that have nothing to do with that.
static void *gb__watch_holder(void *unused)
{
    while (atomic_load(&gb__seen.notes)) {
        gb__spot spot = gb__spot_of(
            false, gb__gil_word(gb__seen.gil, gb__seen.at->interpreter.holder));
        pthread_mutex_lock(&gb__seen.lock);
        gb__seen.holder = spot;
        gb__seen.holder_at = gb_now_ns();
        pthread_mutex_unlock(&gb__seen.lock);
        gb__sleep_until(gb_now_ns() + GB__HOLDER_STEP_NS);
    }
    return unused;
}

static gb__standing gb__stand_for_gil(const pthread_cond_t *condition)
{
    const gb__offsets *o = gb__seen.at;
    gb__standing w = gb__stand(GB_WAIT_GIL);
    if (!w.state) return w;
    uintptr_t interpreter = gb__peek_word(true, w.state + o->thread.interpreter);
    w.key.at = gb__peek_word(true, interpreter + o->interpreter.gil);
    if ((uintptr_t)condition - w.key.at >= GB__GIL_SIZE) return (gb__standing){0};
    if (atomic_load(&gb__seen.checking)) atomic_store(&gb__seen.parked, w.key.at);
    uintptr_t holder = gb__gil_word(w.key.at, o->interpreter.holder);
    gb__stand_for(&w, holder == w.state ? 0 : holder);
    return w;
}

// CPython looks every 5 ms whether it has to ask the holder, and whoever is woken may find that
// another was faster: one wait all the same, but its holder may be another now. Whether it goes on
// is certain, because the GIL's mutex is locked here.
static int gb__cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                              const struct timespec *until)
{
    static _Thread_local bool again;
    gb__standing w = gb__stand_for_gil(condition);
    w.again = again;
    int result = pthread_cond_timedwait(condition, mutex, until);
    again = w.state && (int)gb__gil_word(w.key.at, gb__seen.at->interpreter.locked);
    gb__go_on(&w);
    return result;
}

// Who gave the GIL up on request waits until another has taken it.
static int gb__cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    gb__standing w = gb__stand_for_gil(condition);
    w.again = true;
    int result = pthread_cond_wait(condition, mutex);
    gb__go_on(&w);
    return result;
}

// ---- all other waits ----

static gb__standing gb__stand_for_lock(void)
{
    gb__standing w = gb__stand(GB_WAIT_LOCK);
    if (w.state) w.key.waiter = gb__spot_of(true, w.state);
    if (w.key.waiter.code && w.key.waiter.code == atomic_load(&gb__seen.waits_for_work))
        w.key.kind = GB_WAIT_EVENT;
    return w;
}

// CPython parks a thread on a semaphore on that thread's stack; in front of it stands where it
// waits: a mutex, an event, a queue, or its own state when the world is stopped; and in front of
// that what it waits with, which for a mutex alone is a time until which it need not be handed
// over. Any other semaphore is that of a lock in C: of PyThread_allocate_lock, or inside CPython.
static gb__standing gb__stand_in_park(const sem_t *s, uintptr_t frame)
{
    enum { NEAR = 4096 };
    const gb__offsets *o = gb__seen.at;
    const uintptr_t *entry = (const uintptr_t *)s - 2;
    bool parked = (uintptr_t)s - frame < NEAR && entry[1] &&
                  (!entry[0] || (entry[0] - frame < NEAR && entry[0] % sizeof(int64_t) == 0));
    uintptr_t other = 0;
    gb__standing w = gb__stand_for_lock();
    if (parked && atomic_load(&gb__seen.checking)) atomic_store(&gb__seen.parked, entry[1]);
    if (!w.state) return w;
    uintptr_t stops = gb__peek_word(true, w.state + o->thread.interpreter) + gb__seen.world;
    w.key.at = parked ? entry[1] : GB__IN_C;
    if (gb__seen.world &&
        (w.key.at - w.state < o->thread.size || w.key.at - stops <= GB__STOPPED_BY)) {
        w.key.kind = GB_WAIT_WORLD;
        w.key.at = atomic_load(&gb__collecting);
        other = gb__peek_word(true, stops + GB__STOPPED_BY);
    } else if (parked && (!entry[0] || !*(const int64_t *)entry[0])) {
        w.key.kind = GB_WAIT_EVENT;
    }
    gb__stand_for(&w, other);
    return w;
}

static int gb__sem_wait(sem_t *s)
{
    gb__standing w = gb__stand_in_park(s, (uintptr_t)__builtin_frame_address(0));
    int result = sem_wait(s);
    gb__go_on(&w);
    return result;
}

#if defined __GLIBC__ && __GLIBC_PREREQ(2, 30)
static int gb__sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until)
{
    gb__standing w = gb__stand_in_park(s, (uintptr_t)__builtin_frame_address(0));
    int result = sem_clockwait(s, clock, until);
    gb__go_on(&w);
    return result;
}
#endif

// Before it parks, a free-threaded build's thread yields up to 40 times. For which mutex isn't
// known: that of the same line is taken for it. Where others have the CPU meanwhile that is long,
// and a thread whose waits are noted is made to park, which tells.
static int gb__sched_yield(void)
{
    enum { YIELDS = 40, LONG_NS = 50000 };
    static _Thread_local int skip;
    gb__standing w = gb__stand_for_lock();
    if (!w.state) return sched_yield();
    w.key.at = GB__BY_YIELDING;
    w.again = true;
    if (atomic_load(&gb__seen.notes) && skip > 0 && skip--) return 0;
    gb__stand_for(&w, 0);
    int result = sched_yield();
    if (gb_now_ns() - w.began > LONG_NS) skip = YIELDS;
    gb__go_on(&w);
    return result;
}

// ---- leading libpython's calls here -------------------------------------------------------------

typedef void (*gb__function)(void);

static const struct {
    const char *name;
    gb__function function;
} gb__followed[] = {{"pthread_cond_timedwait", (gb__function)gb__cond_timedwait},
                    {"pthread_cond_wait", (gb__function)gb__cond_wait},
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 30)
                    {"sem_clockwait", (gb__function)gb__sem_clockwait},
#endif
                    {"sched_yield", (gb__function)gb__sched_yield},
                    {"sem_wait", (gb__function)gb__sem_wait}};

// Whether a slot is one of a function that is followed, and was led. The linker may have made the
// slots read-only.
static bool gb__lead_slot(char *slot, const char *name)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), into = (size_t)((uintptr_t)slot % page);
    for (size_t i = 0; i < sizeof gb__followed / sizeof *gb__followed; i++) {
        if (strcmp(name, gb__followed[i].name)) continue;
        if (mprotect(slot - into, page, PROT_READ | PROT_WRITE)) return false;
        memcpy(slot, &gb__followed[i].function, sizeof gb__followed[i].function);
        return true;
    }
    return false;
}

// How many slots of a library were led: those of its functions stand in one table or the other.
static int gb__lead_calls(const struct link_map *l)
{
    enum { SYMBOL_SHIFT = sizeof(void *) == 8 ? 32 : 8 };
    int led = 0;
    uintptr_t of[DT_NUM] = {0};
    for (const ElfW(Dyn) *d = l->l_ld; d->d_tag != DT_NULL; d++)
        if (d->d_tag > 0 && d->d_tag < DT_NUM) of[d->d_tag] = d->d_un.d_val;
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)of[DT_SYMTAB];
    const char *names = (const char *)of[DT_STRTAB];
    const size_t tables[][2] = {{of[DT_RELA], of[DT_RELASZ]}, {of[DT_JMPREL], of[DT_PLTRELSZ]}};
    if (of[DT_SYMTAB] < l->l_addr || of[DT_PLTREL] != DT_RELA) return 0;
    for (int t = 0; t < 2; t++) {
        const ElfW(Rela) *r = (const ElfW(Rela) *)tables[t][0];
        for (size_t i = 0; i < tables[t][1] / sizeof *r; i++)
            led += gb__lead_slot((char *)l->l_addr + r[i].r_offset,
                                 names + symbols[r[i].r_info >> SYMBOL_SHIFT].st_name);
    }
    return led;
}

// ---- what was noted, in words -------------------------------------------------------------------

// What objects are called: by what leads to them from a module, or else by what has them. The code
// that was at an address is found in the same way. get_referents stops the world each time: what
// needs it is looked into later.
static const char gb__search_helper[] =
    "import _thread, gc, sys, time\n"
    "def attributes(o):\n"
    "    try:\n"
    "        return o if type(o) is dict else object.__getattribute__(o, '__dict__')\n"
    "    except Exception:\n"
    "        return {}\n"
    "def path(o, owners):\n"
    "    own, owner = attributes(o), owners.get(id(o))\n"
    "    if type(o) is not dict and '__qualname__' in own:\n"
    "        return f'{own.get(\"__module__\")}.{own[\"__qualname__\"]}'\n"
    "    if owner is None:\n"
    "        return o.__name__ if type(o) is type(sys) else f'<{type(o).__name__}>'\n"
    "    keys = (k for k, v in list(attributes(owner).items()) if v is o)\n"
    "    key = next(keys, [] if type(owner) is list else '')\n"
    "    plain = type(key) is str and key.isidentifier()\n"
    "    return path(owner, owners) + (f'.{key}' if plain else key if key == '' else '[...]')\n"
    "def name(o, owners):\n"
    "    t, of_c = type(o), 1 << 8\n"
    "    module = f'{t.__module__}.' if t.__flags__ & of_c and t.__module__ != 'builtins' else ''\n"
    "    return f'{module}{t.__name__} {path(o, owners)}'\n"
    "def within(o):\n"
    "    t = type(o)\n"
    "    if t in (dict, type(sys)) or issubclass(t, type):\n"
    "        return list(attributes(o).values())\n"
    "    if t in (list, tuple, set):\n"
    "        return list(o)\n"
    "    if t is type(search):\n"
    "        return o.__code__, o.__closure__\n"
    "    return o.co_consts if t is type(search.__code__) else None\n"
    "def search(wanted):\n"
    "    owners, found, end = {}, {}, time.monotonic() + 5\n"
    "    leaves = str, int, float, bytes, bool, type(None)\n"
    "    def look(objects, owner):\n"
    "        for o in objects:\n"
    "            if id(o) not in owners and (type(o) not in leaves or id(o) in wanted):\n"
    "                owners[id(o)] = owner\n"
    "                if id(o) in wanted:\n"
    "                    found[id(o)] = o\n"
    "                yield o\n"
    "    todo = list(look([search, *list(sys.modules.values())], None))\n"
    "    for step in range(8):\n"
    "        if step == 7:\n"
    "            others = ('frame', 'tuple', 'list', 'dict', 'generator', 'cell',\n"
    "                      'builtin_function_or_method')\n"
    "            todo = [o for o in gc.get_objects() if type(o).__name__ not in others]\n"
    "            owners = {id(o): None for o in todo if id(o) not in wanted} | owners\n"
    "        later, done = [], lambda: len(found) == len(wanted) or time.monotonic() > end\n"
    "        for o in todo:\n"
    "            if done():\n"
    "                break\n"
    "            some = within(o)\n"
    "            todo.extend(look(some, o)) if some is not None else later.append(o)\n"
    "        todo = []\n"
    "        for o in later:\n"
    "            todo.extend(() if done() else look(gc.get_referents(o), o))\n"
    "    return found, owners\n"
    "def find(names):\n"
    "    return [follow(name.split('.')) for name in names.split(', ')]\n"
    "def follow(path):\n"
    "    n = max(len(path) - 1, 1)\n"
    "    while n > 1 and '.'.join(path[:n]) not in sys.modules:\n"
    "        n -= 1\n"
    "    o = sys.modules['.'.join(path[:n])]\n"
    "    for key in path[n:]:\n"
    "        o = attributes(o)[key]\n"
    "    return o\n";

static const char gb__report_helper[] =
    "HELD, DONE = _thread.allocate_lock(), _thread.allocate_lock()\n"
    "def wait():\n"
    "    HELD.acquire()\n"
    "    DONE.release()\n"
    "def hold(contend):\n"
    "    HELD.acquire(), DONE.acquire()\n"
    "    _thread.start_new_thread(wait, ())\n"
    "    seen = contend(HELD)\n"
    "    DONE.acquire()\n"
    "    return seen\n"
    "def line_of(code, at):\n"
    "    return next((line for i, end, line in code.co_lines() if i <= at < end and line), 0)\n"
    "def saw(rows):\n"
    "    holds, line = hold.__code__, hold.__code__.co_firstlineno + 3\n"
    "    return any(row[2] == id(wait.__code__) for row in rows) + any(\n"
    "        row[4] == id(holds) and line_of(holds, row[5]) == line for row in rows)\n"
    "def special():\n"
    "    threading, abc = sys.modules.get('threading'), sys.modules['abc'].ABCMeta\n"
    "    wait = threading.Condition.wait.__code__ if threading else None\n"
    "    ask = abc.__instancecheck__.__code__, abc.__subclasscheck__.__code__\n"
    "    return tuple(map(id, (wait, *ask)))\n"
    "def place(code, at):\n"
    "    import linecache\n"
    "    file, line = code.co_filename, line_of(code, at)\n"
    "    dirs = [p for p in sys.path if file.startswith(f'{p}/')]\n"
    "    short = file[len(max(dirs, key=len)) + 1:] if dirs else file\n"
    "    return f'{short}:{line} {code.co_qualname}', linecache.getline(file, line).strip()\n"
    "GIL, LOCK, WORLD = range(3)\n"
    "NOWHERE = '', 'a request\\'s beginning', 'a thread\\'s beginning or end', 'other lines'\n"
    "LOCKS = 'a lock, by yielding', 'a lock in C', 'other locks'\n"
    "def fits(o, kind):\n"
    "    waits = type(o).__module__ in ('_thread', '_queue')\n"
    "    return waits or kind == LOCK and not sys._is_gil_enabled()\n"
    "def report(rows):\n"
    "    def at(code, of):\n"
    "        if not code:\n"
    "            return NOWHERE[of], ''\n"
    "        code = found.get(code)  # or what came there when it was no more\n"
    "        known = type(code) is type(place.__code__)\n"
    "        return place(code, of) if known else ('code that was not found', '')\n"
    "    pairs, waits = {}, {}\n"
    "    found, owners = search({i for row in rows for i in (row[1], row[2], row[4]) if i > 2})\n"
    "    for kind, o, *spots, count, ms in rows:\n"
    "        waiter, holder, of = at(*spots[:2]), at(*spots[2:]), ''\n"
    "        if kind == WORLD:\n"
    "            waiter, of = ('', ''), 'a collection of garbage' if o == 1 else ''\n"
    "        elif kind != GIL:\n"
    "            of = LOCKS[o] if o < 3 else 'a lock without a name'\n"
    "            of = name(found[o], owners) if o in found and fits(found[o], kind) else of\n"
    "        had = pairs.setdefault((kind, *waiter, *holder, of), [0, 0])\n"
    "        had[0] += count\n"
    "        had[1] += ms\n"
    "    for key in [key for key in pairs if key[5] == LOCKS[0]]:\n"
    "        same = [k for k in pairs if k != key and (\n"
    "            k[:3] == key[:3] or k[0] == WORLD and k[3:5] == key[1:3])]\n"
    "        if same:\n"
    "            pairs[max(same, key=lambda k: pairs[k][1])][1] += pairs.pop(key)[1]\n"
    "    for key, had in sorted(pairs.items(), key=lambda pair: -pair[1][1]):\n"
    "        about = key if key[0] == WORLD else (*key[:3], key[5])\n"
    "        row = waits.setdefault(about, [*key, 0, 0, had[1]])\n"
    "        row[6] += had[0]\n"
    "        row[7] += had[1]\n"
    "    return sorted(map(tuple, waits.values()), key=lambda row: -row[7])\n"
    "def everything():\n"
    "    objects = gc.get_objects()\n"
    "    found = {id(o): o for o in objects}\n"
    "    for i in range(0, len(objects), 4096):\n"
    "        more = gc.get_referents(*objects[i:i + 4096])\n"
    "        found.update(zip(map(id, more), more))\n"
    "    found.pop(id(sys.stderr), None)\n"
    "    return [sys.stderr, *found.values()]\n"
    "def called(shared):\n"
    "    owners = search({id(o) for o, _ in shared})[1]\n"
    "    return [(name(o, owners), n) for o, n in shared]\n";

static bool gb__seen_help(void)
{
    gb__buf both = {0};
    gb__buf_printf(&both, "%s%s", gb__search_helper, gb__report_helper);
    gb__seen.helper = both.failed ? NULL : gb__py_run(both.data, "gilbench");
    gb__buf_free(&both);
    return gb__seen.helper;
}

static PyObject *gb__seen_call(const char *name, PyObject *argument)
{
    PyObject *function = gb_py.PyDict_GetItemString(gb__seen.helper, name);
    if (!function) return NULL;
    return argument ? gb_py.PyObject_CallOneArg(function, argument)
                    : gb_py.PyObject_CallNoArgs(function);
}

// Of which object a mutex is: the one that each has on a free-threaded build, or a lock's own.
static uintptr_t gb__object_of(const gb__wait_key *key)
{
    enum { OB_MUTEX = 10 };
    const gb__offsets *o = gb__seen.at;
    if (key->kind == GB_WAIT_GIL) return 0;
    if (key->kind == GB_WAIT_WORLD || key->at <= GB__OTHERS) return key->at;
    return key->at - (o->free_threaded && key->at % 8 == OB_MUTEX % 8 ? OB_MUTEX : o->object.size);
}

// Takes all that was noted out of the table.
static PyObject *gb__take_waits(void)
{
    typedef unsigned long long id;
    gb__wait_row *rows = calloc(GB__ALL_ROWS, sizeof *rows), *noted = gb__seen.rows;
    if (!rows) return NULL;
    pthread_mutex_lock(&gb__seen.lock);
    gb__seen.rows = rows;
    pthread_mutex_unlock(&gb__seen.lock);
    PyObject *list = gb_py.PyList_New(0);
    for (const gb__wait_row *r = noted; list && r < noted + GB__ALL_ROWS; r++) {
        const gb__spot *w = &r->key.waiter, *h = &r->key.holder;
        if (!r->used) continue;
        gb__py_drop(gb_py.PyObject_CallMethod(
            list, "append", "((iKKKKKKd))", (int)r->key.kind, (id)gb__object_of(&r->key),
            (id)w->code, (id)w->at, (id)h->code, (id)h->at, (id)r->count, (double)r->ns / 1e6));
    }
    free(noted);
    return list;
}

static bool gb__wait_read(PyObject *row, gb_wait *w)
{
    int kind = 0;
    unsigned long long count = 0;
    const char *texts[5];
    char *const to[] = {w->waiter, w->waiter_source, w->holder, w->holder_source, w->object};
    if (!gb_py.PyArg_ParseTuple(row, "isssssKdd", &kind, &texts[0], &texts[1], &texts[2], &texts[3],
                                &texts[4], &count, &w->ms, &w->holder_ms))
        return false;
    w->kind = (gb_wait_kind)kind;
    w->count = count;
    for (int i = 0; i < 5; i++) gb__copy(to[i], GB_WAIT_TEXT, texts[i]);
    return true;
}

static int gb__by_time(const void *a, const void *b)
{
    double x = ((const gb_wait *)a)->ms, y = ((const gb_wait *)b)->ms;
    return (x < y) - (x > y);
}

// Of several workers: what they have in common is one. The lists are the longest first.
static void gb__waits_merge(gb_waits *to, const gb_waits *from)
{
    for (const gb_wait *w = from->list; w < from->list + from->count; w++) {
        gb_wait *k = to->list, *end = to->list + to->count;
        while (k < end && (k->kind != w->kind || strcmp(k->waiter, w->waiter) ||
                           strcmp(k->object, w->object) ||
                           (w->kind == GB_WAIT_WORLD && strcmp(k->holder, w->holder))))
            k++;
        if (k < end) {
            k->count += w->count;
            k->ms += w->ms;
            if (!strcmp(k->holder, w->holder)) k->holder_ms += w->holder_ms;
        } else if (to->count < GB_WAITS || end[-1].ms < w->ms) {
            to->list[to->count < GB_WAITS ? to->count++ : GB_WAITS - 1] = *w;
        }
        qsort(to->list, (size_t)to->count, sizeof *to->list, gb__by_time);
    }
    for (int i = 0; i <= GB_WAIT_EVENT; i++) to->ms[i] += from->ms[i];
    to->noted |= from->noted;
    if (*from->problem) gb__copy(to->problem, sizeof to->problem, from->problem);
}

// ---- checking what can be seen ------------------------------------------------------------------

static gb__function gb__private(const char *name)  // what libpython exports besides its API
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    gb__function function;
    memcpy(&function, &symbol, sizeof function);
    return function;
}

static void gb__world(bool stop, uintptr_t interpreter)
{
    void (*to)(uintptr_t) = (void (*)(uintptr_t))gb__private(stop ? "_PyEval_StopTheWorld"
                                                                  : "_PyEval_StartTheWorld");
    if (to) to(interpreter);
}

// Where the interpreter's state says who stopped the world: it does only while it is stopped.
static size_t gb__find_world(uintptr_t interpreter, uintptr_t state)
{
    size_t found = 0, end = gb__seen.at->interpreter.size - GB__STOPPED_BY - sizeof state;
    gb__world(true, interpreter);
    for (size_t i = 0; i <= end && !found; i += sizeof state) {
        const char *stops = (const char *)interpreter + i;
        if (stops[GB__STOP_REQUESTED] == 1 &&
            gb__peek_word(true, interpreter + i + GB__STOPPED_BY) == state)
            found = i;
    }
    gb__world(false, interpreter);
    return gb__peek_word(true, interpreter + found + GB__STOPPED_BY) == state ? 0 : found;
}

// Whether somebody waits, at this address if it isn't 0, within a second.
static bool gb__is_awaited(uintptr_t address)
{
    uintptr_t at = 0;
    for (int ms = 0; ms < 1000 && (!at || (address && at != address)); ms++) {
        gb__sleep_until(gb_now_ns() + 1000000);
        at = atomic_load(&gb__seen.parked);
    }
    return address ? at == address : at != 0;
}

// The lock that another thread wants, and then to run Python: is it seen to wait for both?
static PyObject *gb__contend(PyObject *self, PyObject *lock)
{
    uintptr_t interpreter = (uintptr_t)gb_py.PyInterpreterState_Get();
    bool python = gb__seen.gil && gb__is_awaited(gb__seen.gil);
    (void)self;
    PyThreadState *state = gb_py.PyEval_SaveThread();
    bool locks = gb__is_awaited((uintptr_t)lock + gb__seen.at->object.size);
    gb_py.PyEval_RestoreThread(state);
    if (gb__seen.world) gb__world(true, interpreter);
    atomic_store(&gb__seen.parked, 0);
    gb__py_drop(gb_py.PyObject_CallMethod(lock, "release", NULL));
    if (gb__seen.world) python = gb__is_awaited(0);
    if (gb__seen.world) gb__world(false, interpreter);
    return gb_py.PyBool_FromLong(locks && python);
}

// The whole way, from a wait to the line that holds it up: what of it can't be seen.
static const char *gb__check_waits(void)
{
    static PyMethodDef contend = {"contend", gb__contend, GB__METH_O, NULL};
    PyObject *function = gb_py.PyCMethod_New(&contend, NULL, NULL, NULL);
    gb__seen.pid = getpid();
    atomic_store(&gb__seen.checking, true);
    atomic_store(&gb__seen.notes, true);
    atomic_store(&gb__seen.counts, true);
    PyObject *waits = function ? gb__seen_call("hold", function) : NULL;
    atomic_store(&gb__seen.notes, false);
    atomic_store(&gb__seen.checking, false);
    PyObject *rows = gb__take_waits(), *lines = rows ? gb__seen_call("saw", rows) : NULL;
    long waited = waits ? gb_py.PyLong_AsLong(waits) : 0;
    long seen = lines ? gb_py.PyLong_AsLong(lines) : 0;
    PyObject *owned[] = {function, waits, rows, lines};
    for (size_t i = 0; i < sizeof owned / sizeof(void *); i++) gb__py_drop(owned[i]);
    atomic_store(&gb__seen.counts, waited > 0);
    if (waited <= 0) return "waits that were made on purpose weren't seen";
    if (seen <= 0) return "lines that waited on purpose weren't seen";
    gb__seen.only_own = seen < 2;
    return NULL;
}

static const char *gb__seen_problem(void)  // attached
{
    Dl_info info;
    struct link_map *library = NULL;
    void *probe;
    const gb__offsets *o = dlsym(RTLD_DEFAULT, "_PyRuntime");
    if (!o || memcmp(o->cookie, "xdebugpy", 8)) return "this libpython has no debuggers' offsets";
    if (o->version >> 16 != 0x030e || o->frame.size > GB__FRAME_SIZE)
        return "only the structures of CPython 3.14 are known";
    memcpy(&probe, &gb_py.Py_IncRef, sizeof probe);
    if (!dladdr1(probe, &info, (void **)&library, RTLD_DL_LINKMAP) || gb__lead_calls(library) < 2)
        return "libpython's calls of the C library can't be followed";
    gb__seen.at = o;
    gb__seen.code_type = (uintptr_t)dlsym(RTLD_DEFAULT, "PyCode_Type");
    uintptr_t state = (uintptr_t)gb_py.PyGILState_GetThisThreadState(), enabled = 0;
    uintptr_t interpreter = gb__peek_word(true, state + o->thread.interpreter);
    gb__seen.gil = gb__peek_word(true, interpreter + o->interpreter.gil);
    gb__peek(true, gb__seen.gil + o->interpreter.gil_enabled, &enabled, sizeof(int));
    if (o->free_threaded && !enabled) {
        gb__seen.gil = 0;
        gb__seen.world = gb__find_world(interpreter, state);
        if (!gb__seen.world) return "this libpython doesn't tell who stops its world";
    }
    gb__seen.rows = calloc(GB__ALL_ROWS, sizeof *gb__seen.rows);
    return gb__seen.rows && gb__seen_help() ? gb__check_waits() : "out of memory";
}

// Attached, in the thread that started the interpreter. From here on, waits are counted.
static void gb__seen_open(void)
{
    const char *problem = gb__seen_problem();
    gb_py.PyErr_Clear();
    if (problem) gb__copy(gb__seen.problem, sizeof gb__seen.problem, problem);
}

// ---- reference counts ---------------------------------------------------------------------------
// An object of a free-threaded build has two: its owner's, and one that all other threads write,
// which passes from CPU to CPU. The second is read again and again: of all objects there are, and
// then, to see more of it, of those whose count changed most often.

#define GB__LOOK_NS 500000000  // at all; three times that at the most
#define GB__FINE 64            // of which there are so many
#define GB__FEW_CHANGES 8      // a request: a microsecond at most

typedef struct gb__counted {
    PyObject *object;
    uint64_t last;
    unsigned changes;
} gb__counted;

static PyObject *gb__most_shared;  // [(object, changes a request)]; NULL: nobody looked

static uint64_t gb__others_count(const PyObject *object)  // it stands in front of the type
{
    uintptr_t type = (uintptr_t)object + gb__seen.at->object.type;
    return __atomic_load_n((const uint64_t *)type - 1, __ATOMIC_RELAXED);
}

static int gb__by_changes(const void *a, const void *b)
{
    unsigned x = ((const gb__counted *)a)->changes, y = ((const gb__counted *)b)->changes;
    return (x < y) - (x > y);
}

// The first of them is what the others are measured by, and stays the first.
static void gb__count_changes(gb__counted *all, size_t n, uint64_t ns)
{
    uint64_t end = gb_now_ns() + ns;
    for (size_t i = 0; i < n; i++)
        all[i] = (gb__counted){all[i].object, gb__others_count(all[i].object), 0};
    while (gb_now_ns() < end)
        for (gb__counted *c = all; c < all + n; c++) {
            uint64_t count = gb__others_count(c->object);
            c->changes += count != c->last;
            c->last = count;
        }
    qsort(all + 1, n - 1, sizeof *all, gb__by_changes);
}

// While the application works. Names take longer: they are asked for when it has rest.
static void gb__sharing_look(void)  // attached
{
    // This proves that counts are seen: a busy machine may leave no time. Whenever this thread had
    // to leave its CPU to others all counts have changed once, which tells nothing of any.
    enum { FEWEST = 8, A_SWITCH = 4 };
    struct rusage before, after;
    PyObject *objects = gb__seen_call("everything", NULL);
    size_t n = objects ? (size_t)gb_py.PyList_Size(objects) : 0;
    size_t fine = n < GB__FINE ? n : GB__FINE;
    gb__counted *all = n ? calloc(n, sizeof *all) : NULL;
    for (size_t i = 0; all && i < n; i++) {
        all[i].object = gb_py.PyList_GetItemRef(objects, (Py_ssize_t)i);
        gb_py.Py_DecRef(all[i].object);  // the list keeps it
    }
    PyThreadState *state = gb_py.PyEval_SaveThread();
    if (all) gb__count_changes(all, n, GB__LOOK_NS);
    getrusage(RUSAGE_THREAD, &before);
    if (all) gb__count_changes(all, fine, 3 * GB__LOOK_NS);
    getrusage(RUSAGE_THREAD, &after);
    gb_py.PyEval_RestoreThread(state);
    long switched = A_SWITCH * (after.ru_nivcsw - before.ru_nivcsw);
    size_t few = 1, most = fine <= GB_SHARED ? fine : GB_SHARED + 1;
    while (all && few < most && 2ull * all[few].changes >= GB__FEW_CHANGES * all->changes) few++;
    bool seen = all && all->changes >= FEWEST && (few > 1 || all->changes > switched);
    gb__most_shared = seen ? gb_py.PyList_New(0) : NULL;
    for (size_t i = 1; gb__most_shared && i < few; i++)
        gb__py_drop(gb_py.PyObject_CallMethod(gb__most_shared, "append", "((Od))", all[i].object,
                                              2.0 * all[i].changes / all->changes));
    free(all);
    gb__py_drop(objects);
    gb_py.PyErr_Clear();
}

static void gb__sharing_tell(gb_waits *w)  // attached
{
    PyObject *called = gb__most_shared ? gb__seen_call("called", gb__most_shared) : NULL;
    w->counts_seen = called;
    for (Py_ssize_t i = 0; called && i < gb_py.PyList_Size(called); i++) {
        gb_shared *to = &w->shared[w->shared_count++];
        const char *text = "?";
        PyObject *row = gb_py.PyList_GetItemRef(called, i);
        gb_py.PyArg_ParseTuple(row, "sd", &text, &to->changes);
        gb__copy(to->object, sizeof to->object, text);
        gb__py_drop(row);
    }
    gb__py_drop(called);
    gb__py_drop(gb__most_shared);
    gb__most_shared = NULL;
}

// While the world stands still: another thread may be about to count.
static gb_code gb__unshare(const char *names, gb_error *error)  // attached
{
    void (*immortal)(PyObject *) = (void (*)(PyObject *))gb__private("_Py_SetImmortal");
    uintptr_t interpreter = (uintptr_t)gb_py.PyInterpreterState_Get();
    if (!immortal || !gb__seen.world)
        return gb__fail(error, GB_USAGE, "this build can't make objects immortal");
    PyObject *text = gb_py.PyUnicode_FromString(names);
    PyObject *found = text ? gb__seen_call("find", text) : NULL;
    gb__py_drop(text);
    if (!found) return gb__py_fail(error, GB_APP, "not all of %s are there", names);
    gb__world(true, interpreter);
    for (Py_ssize_t i = 0; i < gb_py.PyList_Size(found); i++)
        immortal(gb_py.PyList_GetItemRef(found, i));
    gb__world(false, interpreter);
    gb__py_drop(found);
    return GB_OK;
}

// ---- all of it ----------------------------------------------------------------------------------

// What may be imported only after the start.
static void gb__seen_codes(void)  // attached
{
    Py_ssize_t code[3] = {0};
    PyObject *codes = gb__seen.helper ? gb__seen_call("special", NULL) : NULL;
    if (codes) gb_py.PyArg_ParseTuple(codes, "nnn", &code[0], &code[1], &code[2]);
    gb__py_drop(codes);
    gb_py.PyErr_Clear();
    atomic_store(&gb__seen.waits_for_work, (uintptr_t)code[0]);
    for (int i = 0; i < 2; i++) atomic_store(&gb__seen.asks[i], (uintptr_t)code[1 + i]);
}

GB_API gb_code gb_waits_begin(gb_error *error)
{
    if (!gb__seen.at && !*gb__seen.problem) gb__seen_open();
    if (*gb__seen.problem) return gb__fail(error, GB_SYSTEM, "%s", gb__seen.problem);
    gb__seen_codes();
    gb__seen.pid = getpid();
    pthread_mutex_lock(&gb__seen.lock);
    gb__seen.since = gb_now_ns();
    pthread_mutex_unlock(&gb__seen.lock);
    atomic_store(&gb__seen.notes, true);
    gb__seen.watched = gb__seen.gil &&
                       !pthread_create(&gb__seen.watcher, NULL, gb__watch_holder, NULL);
    return GB_OK;
}

GB_API void gb_waits_end(gb_waits *waits)
{
    *waits = (gb_waits){0};
    gb__copy(waits->problem, sizeof waits->problem, gb__seen.problem);
    if (!atomic_exchange(&gb__seen.notes, false) || gb__seen.pid != getpid()) return;
    if (gb__seen.only_own)
        gb__copy(waits->problem, sizeof waits->problem,
                 "who makes others wait can't be seen: process_vm_readv isn't allowed here");
    if (gb__seen.watched) pthread_join(gb__seen.watcher, NULL);
    PyObject *rows = gb__take_waits(), *report = rows ? gb__seen_call("report", rows) : NULL;
    gb__py_drop(rows);
    if (!report) gb__py_show();
    for (Py_ssize_t i = 0; report && i < gb_py.PyList_Size(report); i++) {
        gb_wait w;
        PyObject *row = gb_py.PyList_GetItemRef(report, i);
        if (gb__wait_read(row, &w)) {
            waits->ms[w.kind] += w.ms;
            if (waits->count < GB_WAITS) waits->list[waits->count++] = w;
        }
        gb__py_drop(row);
    }
    waits->noted = report;
    gb__py_drop(report);
    gb__sharing_tell(waits);
    gb_py.PyErr_Clear();
}

// ================================================================================================
// >>service
// An application behind a server, in this process or in a child: an interpreter can't be unloaded,
// and whoever measures must stay small. Parent and child talk over a socket pair: one byte asks, a
// gb__reply answers.

#define GB__START_PATIENCE_S 120  // an application's imports may take a while
#define GB__NOTE_PATIENCE_S 5     // then a line says what it may be waiting for
#define GB__STOP_PATIENCE_S 15
#define GB__END_PATIENCE_S 1      // for finalizing, when nothing is served any more
#define GB__ENDED_LATE 75         // the status of a child that needed longer
#define GB__PIECE 65536
#define GB__PHASE_BUCKETS 4608    // of a histogram with 2 digits, rounded up

typedef struct gb__window_stats {
    gb_histogram phases[GB__PHASES];
    uint64_t counts[GB__PHASES][GB__PHASE_BUCKETS];  // theirs: they go from process to process
    uint64_t requests[GB_MAX_WORKERS];
    int workers;                  // 0: one that can't tell
    gb_interface interface;
    uint64_t collections;
    double pause_ms;
    gb_waits waits;
    bool all_waits;
    int gil;                      // -1 without an interpreter
    char extensions[4096];        // names of the extension modules loaded, if the GIL came back
} gb__window_stats;

typedef struct gb__reply {
    gb_error error;
    int port;
    gb__window_stats stats;
    char answer[sizeof((gb_round *)0)->answer];  // of a task
} gb__reply;

enum { GB__ASK_BEGIN = 'b', GB__ASK_GO = 'g', GB__ASK_END = 'e', GB__ASK_STOP = 'q' };

// ---- within the process that serves -------------------------------------------------------------

// Accepts for all workers and hands the connections to each in turn: a shared listener would give
// whoever is idle more than its share.
typedef struct gb__dispatcher {
    int count;                    // of the targets
    int listener, port, stop_event;
    bool processes;
    int targets[GB_MAX_WORKERS];  // our ends of the processes' inboxes, or the servers' epolls
    pthread_t id;
    bool running;
} gb__dispatcher;

// An interpreter with the application in it.
typedef struct gb__interpreter {
    PyThreadState *state;  // of the thread that started it
    PyInterpreterState *id;  // NULL without an application
    gb__app app;
    gb__wsgi wsgi;
    gb__asgi asgi;
    gb__gateway gateway;   // one of these two
} gb__interpreter;

typedef struct gb__hosted {
    gb_service_config config;
    const char *task;      // a task's source, "" where config.app names it; NULL: an application
    int parent;            // the socket to it; in a child
    int stop_event;
    bool owns_stop_event;
    gb_server *servers[GB_MAX_WORKERS];
    int count;             // of them
    gb__dispatcher dispatcher;
    bool has_python;
    gb__interpreter main;
    gb__interpreter *own;  // one a worker: then the main one has no application
    int own_count;         // that have been started
} gb__hosted;

static bool gb__hand_to_process(const gb__dispatcher *d, int inbox, int fd)
{
    struct pollfd p[] = {{.fd = inbox, .events = POLLOUT},
                         {.fd = d->stop_event, .events = POLLIN}};
    // One that is stuck must not keep the stop waiting.
    while (!gb__send_fd(inbox, fd)) {
        if (errno != EAGAIN || p[1].revents) break;
        poll(p, 2, -1);
    }
    return false;  // it has a copy of its own, or isn't there
}

// The server's epoll reports it as writable at once, by its number: see gb__wait.
static bool gb__hand_to_server(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.u64 = (uint64_t)fd << 1 | 1};
    return !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void *gb__dispatch(void *arg)
{
    gb__dispatcher *d = arg;
    struct pollfd p[] = {{.fd = d->listener, .events = POLLIN},
                         {.fd = d->stop_event, .events = POLLIN}};
    for (int turn = 0; !p[1].revents;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR) break;
        int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC), target = d->targets[turn];
        // Out of descriptors: the listener stays ready, so this rests for a moment.
        if (fd < 0 && errno != EAGAIN && errno != EINTR) gb__sleep_until(gb_now_ns() + GB__NS / 20);
        if (fd < 0) continue;
        turn = (turn + 1) % d->count;
        if (!(d->processes ? gb__hand_to_process(d, target, fd) : gb__hand_to_server(target, fd)))
            close(fd);
    }
    return NULL;
}

static gb_code gb__dispatcher_open(gb__dispatcher *d, const gb_service_config *config,
                                   int stop_event, gb_error *error)
{
    gb_server_config server = gb__server_defaults(&config->server);
    *d = (gb__dispatcher){.stop_event = stop_event};
    d->listener = gb__listen(server.host, server.port, error);
    if (d->listener < 0) return GB_NETWORK;
    d->port = gb__bound_port(d->listener);
    return GB_OK;
}

static gb_code gb__dispatcher_run(gb__dispatcher *d, gb_error *error)
{
    int failed = pthread_create(&d->id, NULL, gb__dispatch, d);
    d->running = !failed;
    if (failed) return gb__fail(error, GB_SYSTEM, "can't start a thread: %s", strerror(failed));
    return GB_OK;
}

// Once the stop event is written. The listener stays, so that nobody else gets its port.
static void gb__dispatcher_join(gb__dispatcher *d)
{
    if (d->running) pthread_join(d->id, NULL);
    d->running = false;
}

static void gb__dispatcher_close(gb__dispatcher *d)
{
    for (int i = 0; d->processes && i < d->count; i++) close(d->targets[i]);
    if (d->listener > 0) close(d->listener);
    d->listener = -1;
}

// CPython collects in whatever thread allocates, and there is one interpreter a process.
static _Atomic uint64_t gb__gc_collections, gb__gc_pause_ns;

static PyObject *gb__gc_event(PyObject *self, PyObject *arguments)
{
    static _Thread_local uint64_t began;
    PyObject *phase = gb_py.PyTuple_GetItem(arguments, 0);
    const char *text = phase ? gb_py.PyUnicode_AsUTF8AndSize(phase, NULL) : NULL;
    (void)self;
    atomic_store(&gb__collecting, text && !strcmp(text, "start"));
    if (atomic_load(&gb__collecting)) {
        began = gb_now_ns();
    } else if (text) {
        atomic_fetch_add(&gb__gc_collections, 1);
        atomic_fetch_add(&gb__gc_pause_ns, gb_now_ns() - began);
    }
    return text ? gb__py_new_none() : NULL;
}

static gb_code gb__watch_gc(const gb__app *app, gb_error *error)
{
    static PyMethodDef event = {"gilbench_gc_event", gb__gc_event, GB__METH_VARARGS, NULL};
    PyObject *callback = gb_py.PyCMethod_New(&event, NULL, NULL, NULL);
    PyObject *done = callback ? gb__bootstrap_call(app, "watch_gc", callback) : NULL;
    gb__py_drop(callback);
    if (!done) return gb__py_fail(error, GB_APP, "can't watch the garbage collector");
    gb_py.Py_DecRef(done);
    return GB_OK;
}

// A module, so that what it has can be found by name, and its lines by number.
static const char gb__task_module[] =
    "import linecache, sys, types\n"
    "def load(text):\n"
    "    task = sys.modules['task'] = types.ModuleType('task')\n"
    "    linecache.cache['<task>'] = len(text), None, text.splitlines(True), '<task>'\n"
    "    exec(compile(text, '<task>', 'exec'), vars(task))\n"
    "    return task.run\n";

// A task's function: that of its source, or the one that the application's place names.
static gb_code gb__task_load(gb__app *a, const char *source, const char *spec, gb_error *error)
{
    *a = (gb__app){.interface = GB_TASK, .bootstrap = gb__py_run(gb__bootstrap, "gilbench")};
    if (!a->bootstrap) return gb__py_fail(error, GB_NO_PYTHON, "the interpreter is not complete");
    if (!*source) return gb__app_object(a, spec, error);
    PyObject *module = gb__py_run(gb__task_module, "gilbench"), *text = NULL;
    PyObject *load = module ? gb_py.PyDict_GetItemString(module, "load") : NULL;
    if (load) text = gb_py.PyUnicode_FromString(source);
    if (text) a->object = gb_py.PyObject_CallOneArg(load, text);
    gb__py_drop(text);
    gb__py_drop(module);
    return a->object ? GB_OK : gb__py_fail(error, GB_APP, "can't load the task");
}

// Attached to the interpreter; detached afterwards.
static gb_code gb__hosted_app(gb__hosted *h, gb__interpreter *i, gb_error *error)
{
    i->id = gb_py.PyInterpreterState_Get();
    gb_code code = h->task ? gb__task_load(&i->app, h->task, h->config.app, error)
                           : gb__app_load(&i->app, h->config.app, h->config.interface, error);
    if (!code) code = gb__watch_gc(&i->app, error);
    if (!code && i->app.interface == GB_ASGI) {
        h->config.server.threads = 1;  // one event loop; more of them are more workers
        code = gb__asgi_open(&i->asgi, &i->app, h->config.loop, &i->gateway, error);
    } else if (!code && !h->task) {
        code = gb__wsgi_open(&i->wsgi, &i->app, &i->gateway, error);
    }
    if (i == &h->main) gb__seen_codes();
    i->state = i->asgi.main_state = gb_py.PyEval_SaveThread();
    return code;
}

// Attached to the main interpreter; detached afterwards. What the new ones may do is what CPython
// calls isolated: no fork, no daemon threads, and only extensions that say that they can be had
// several times. An import of any other names it.
static gb_code gb__hosted_subinterpreters(gb__hosted *h, gb_error *error)
{
    const PyInterpreterConfig isolated = {.allow_threads = 1, .check_multi_interp_extensions = 1,
                                          .gil = GB__PY_OWN_GIL};
    gb_code code = GB_OK;
    int count = h->config.workers > 1 ? h->config.workers : 1;
    h->main.state = gb_py.PyEval_SaveThread();
    h->own = calloc((size_t)count, sizeof *h->own);
    if (!h->own) return gb__fail_memory(error);
    while (!code && h->own_count < count) {
        gb__interpreter *i = &h->own[h->own_count];
        gb_py.PyEval_RestoreThread(h->main.state);
        PyStatus status = gb_py.Py_NewInterpreterFromConfig(&i->state, &isolated);
        if (status._type) {
            h->main.state = gb_py.PyEval_SaveThread();
            return gb__fail(error, GB_APP, "can't start interpreter %d: %s", h->own_count + 1,
                            status.err_msg ? status.err_msg : "no reason given");
        }
        h->own_count++;
        code = gb__hosted_app(h, i, error);
    }
    return code;
}

static bool gb__is_c_app(const gb_service_config *config)
{
    return config->interface == GB_C || (config->app && !strcmp(config->app, "builtin:c"));
}

static gb_code gb__hosted_python(gb__hosted *h, gb_error *error)
{
    const gb_python *python = h->config.python;
    if (!python) return gb__fail(error, GB_USAGE, "%s needs an interpreter", h->config.app);
    if (!python->usable) return gb__fail(error, GB_NO_PYTHON, "%s", python->problem);
    gb_code code = gb_python_start(python, error);
    if (code) return code;
    h->has_python = true;
    if (h->config.worker_model == GB_SUBINTERPRETERS) return gb__hosted_subinterpreters(h, error);
    gb__seen_open();
    return gb__hosted_app(h, &h->main, error);
}

// Loads the application and starts no thread. *h can be stopped in any case.
static gb_code gb__hosted_load(gb__hosted *h, const gb_service_config *config, int stop_event,
                               gb_error *error)
{
    *h = (gb__hosted){.config = *config, .stop_event = stop_event};
    if (!h->config.app) h->config.app = "builtin:wsgi";
    return gb__is_c_app(&h->config) ? GB_OK : gb__hosted_python(h, error);
}

// Takes the inbox of the place over, if it has one.
static gb_code gb__hosted_server(gb__hosted *h, gb__place place, gb_error *error)
{
    const gb__interpreter *i = h->own ? &h->own[h->count] : &h->main;
    gb_server *server = gb__server_start(&h->config.server, h->has_python ? &i->gateway : NULL,
                                         &place, error);
    if (!server) return error->code;
    h->servers[h->count++] = server;
    return GB_OK;
}

// Several workers in one process, each a server with its own threads. An interpreter of its own has
// an application of its own, as if it were another process.
static gb_code gb__hosted_workers(gb__hosted *h, gb_error *error)
{
    gb__dispatcher *d = &h->dispatcher;
    gb_code code = gb__dispatcher_open(d, &h->config, h->stop_event, error);
    while (!code && d->count < (h->own ? h->own_count : h->config.workers)) {
        const gb__place place = {.inbox = -1, .port = d->port, .stop_event = -1,
                                 .multithread = !h->own || h->config.server.threads > 1,
                                 .multiprocess = h->own};
        code = gb__hosted_server(h, place, error);
        if (!code) d->targets[d->count++] = h->servers[h->count - 1]->epoll;
    }
    return code ? code : gb__dispatcher_run(d, error);
}

// Serves what is loaded: alone, with the inbox of a worker process, or as several workers. The one
// event loop that there is has the main thread, where signal handlers run.
static gb_code gb__hosted_serve(gb__hosted *h, const gb__place *given, gb_error *error)
{
    gb__place place = given ? *given : (gb__place){.inbox = -1, .stop_event = -1};
    h->owns_stop_event = place.stop_event < 0;
    if (h->owns_stop_event) place.stop_event = eventfd(0, EFD_CLOEXEC);
    h->stop_event = place.stop_event;
    if (h->stop_event < 0)
        return gb__fail(error, GB_SYSTEM, "can't create an eventfd: %s", strerror(errno));
    if (h->config.workers > 1 || h->own) return gb__hosted_workers(h, error);
    place.multithread = h->config.server.threads > 1;
    place.here = h->main.gateway.run;
    return gb__hosted_server(h, place, error);
}

// Loads and serves. *h can be stopped in any case.
static gb_code gb__hosted_start(gb__hosted *h, const gb_service_config *config,
                                const gb__place *place, gb_error *error)
{
    gb_code code = gb__hosted_load(h, config, place ? place->stop_event : -1, error);
    return code ? code : gb__hosted_serve(h, place, error);
}

// CPython leaves the handlers of signals to the main thread. One that raises ends the service, as
// it would end a program.
static void gb__hosted_signal(gb__hosted *h)
{
    if (!h->has_python) return;
    gb_py.PyEval_RestoreThread(h->main.state);
    if (gb_py.PyErr_CheckSignals()) {
        gb__py_show();
        gb__begin_stop(h->stop_event);
    }
    h->main.state = gb_py.PyEval_SaveThread();
}

// What the main thread does until the stop event is written.
static void gb__hosted_run(gb__hosted *h)
{
    struct pollfd p = {.fd = h->stop_event, .events = POLLIN};
    if (h->count == 1) gb__server_run(h->servers[0]);
    while (poll(&p, 1, -1) < 0 && errno == EINTR) gb__hosted_signal(h);
}

static int gb__hosted_port(const gb__hosted *h)
{
    return h->count ? gb_server_port(h->servers[0]) : 0;
}

static int gb__gil_enabled(void)  // attached
{
    PyObject *ask = gb_py.PySys_GetObject("_is_gil_enabled");
    PyObject *answer = ask ? gb_py.PyObject_CallNoArgs(ask) : NULL;
    int enabled = answer ? gb_py.PyObject_IsTrue(answer) : -1;
    gb__py_drop(answer);
    gb_py.PyErr_Clear();
    return enabled;
}

static void gb__list_extensions(const gb__app *app, char *text, size_t size)  // attached
{
    PyObject *names = gb__bootstrap_call(app, "extensions", NULL);
    const char *utf8 = names ? gb_py.PyUnicode_AsUTF8AndSize(names, NULL) : NULL;
    if (utf8) gb__copy(text, size, utf8);
    gb__py_drop(names);
    gb_py.PyErr_Clear();
}

// For a thread that ran none of its Python before; NULL where there is none to run.
static PyThreadState *gb__interpreter_attach(const gb__interpreter *i)
{
    PyThreadState *state = i->id ? gb_py.PyThreadState_New(i->id) : NULL;
    if (state) gb_py.PyEval_RestoreThread(state);
    return state;
}

static void gb__interpreter_detach(PyThreadState *state)
{
    gb_py.PyThreadState_Clear(state);
    gb_py.PyThreadState_DeleteCurrent();
}

static gb_code gb__hosted_window_begin(gb__hosted *h, gb_error *error)
{
    bool asks = h->config.waits || h->config.unshared;
    PyThreadState *state = asks ? gb__interpreter_attach(&h->main) : NULL;
    gb_code code = GB_OK;
    if (state) {
        if (h->config.unshared) code = gb__unshare(h->config.unshared, error);
        if (h->config.sharing && gb__seen.world) gb__sharing_look();
        if (h->config.waits) gb_waits_begin(NULL);
        gb__interpreter_detach(state);
    }
    for (int i = 0; i < h->count; i++) gb__server_window(h->servers[i], NULL);
    atomic_store(&gb__gc_collections, 0);
    atomic_store(&gb__gc_pause_ns, 0);
    return code;
}

// Wherever the figures have come to, their histograms have their counts with them.
static void gb__stats_open(gb__window_stats *s)
{
    for (int p = 0; p < GB__PHASES; p++) {
        s->phases[p].sub_bits = 8;
        s->phases[p].length = GB__PHASE_BUCKETS;
        s->phases[p].counts = s->counts[p];
    }
}

// One whose GIL came back tells for all.
static void gb__interpreter_stats(const gb__hosted *h, gb__interpreter *i, gb__window_stats *s)
{
    PyThreadState *state = gb__interpreter_attach(i);
    if (!state) return;
    if (i == &h->main) gb_waits_end(&s->waits);
    int gil = gb__gil_enabled();
    if (gil > s->gil) s->gil = gil;
    if (gil > 0 && h->config.python->free_threaded && h->config.python->gil < 0)
        gb__list_extensions(&i->app, s->extensions, sizeof s->extensions);
    gb__interpreter_detach(state);
}

static void gb__hosted_stats(gb__hosted *h, gb__window_stats *s)
{
    gb__stats_open(s);
    for (int i = 0; i < h->count; i++) s->requests[i] = gb__server_window(h->servers[i], s->phases);
    s->workers = h->count;
    s->interface = h->has_python ? (h->own ? h->own : &h->main)->app.interface : GB_C;
    s->collections = atomic_load(&gb__gc_collections);
    s->pause_ms = (double)atomic_load(&gb__gc_pause_ns) / 1e6;
    s->gil = -1;
    s->all_waits = atomic_load(&gb__seen.counts) && !h->own;
    gb__interpreter_stats(h, &h->main, s);
    for (int i = 0; i < h->own_count; i++) gb__interpreter_stats(h, &h->own[i], s);
    if (h->own && h->config.waits)
        gb__copy(s->waits.problem, sizeof s->waits.problem,
                 "they aren't followed in interpreters of the workers' own");
}

// Nothing is served any more.
static void gb__hosted_close(gb__hosted *h)
{
    gb__begin_stop(h->stop_event);
    gb__dispatcher_join(&h->dispatcher);
    // All at once: each may need its whole time to finish what is in flight.
    for (int i = 0; i < h->count; i++) gb__begin_stop(h->servers[i]->stop_event);
    for (int i = 0; i < h->count; i++) gb_server_stop(h->servers[i]);
    gb__dispatcher_close(&h->dispatcher);
    h->count = 0;
}

// Attached afterwards.
static void gb__interpreter_leave(gb__interpreter *i)
{
    gb_py.PyEval_RestoreThread(i->state);
    gb__wsgi_shut(&i->wsgi);
    gb__app_drop(&i->app);
}

// Finalizes, so that the application's atexit handlers run; false when that went wrong.
static bool gb__hosted_stop(gb__hosted *h)
{
    gb__hosted_close(h);
    if (h->owns_stop_event) close(h->stop_event);
    if (!h->has_python) return true;
    for (int i = 0; i < h->own_count; i++) {
        gb__interpreter_leave(&h->own[i]);
        gb_py.Py_EndInterpreter(h->own[i].state);
        gb__wsgi_free(&h->own[i].wsgi);
    }
    gb__interpreter_leave(&h->main);
    bool ended = gb_py.Py_FinalizeEx() >= 0;
    gb__wsgi_free(&h->main.wsgi);
    free(h->own);
    return ended;
}

// ---- the child ----------------------------------------------------------------------------------

struct gb_service {
    pid_t pid;
    int socket, port;
    const bool *stop;  // of the measurement; NULL without one
    int output;  // what somebody else's server prints; -1 with this one, as the socket is with that
};

// In pieces, because a socket's buffer is smaller than a reply.
static bool gb__tell(int socket, const gb__reply *reply)
{
    const char *at = (const char *)reply, *end = at + sizeof *reply;
    for (ssize_t n = 0; at < end; at += n) {
        n = end - at < GB__PIECE ? end - at : GB__PIECE;
        if (send(socket, at, (size_t)n, MSG_NOSIGNAL) != n) return false;
    }
    return true;
}

// The next thing the parent asks; GB__ASK_STOP when it has hung up or is gone.
static char gb__hear(int socket)
{
    char ask;
    ssize_t n;
    while ((n = recv(socket, &ask, 1, 0)) < 0 && errno == EINTR) continue;
    return n > 0 ? ask : (char)GB__ASK_STOP;
}

// Answers the parent, beside the main thread.
static void *gb__child_control(void *arg)
{
    gb__hosted *h = arg;
    for (;;) {
        gb__reply reply = {0};
        char ask = gb__hear(h->parent);
        if (ask == GB__ASK_BEGIN)
            reply.error.code = gb__hosted_window_begin(h, &reply.error);
        if (ask == GB__ASK_END) gb__hosted_stats(h, &reply.stats);
        if (ask == GB__ASK_STOP || !gb__tell(h->parent, &reply)) break;
    }
    gb__begin_stop(h->stop_event);
    return NULL;
}

// What a child has to do. A child that executes this program again gets it through the socket and
// sets the pointers to texts again; it uses no other.
typedef struct gb__order {
    gb_service_config config;
    gb__place place;      // of a worker, which is forked; else without a port
    gb__hosted *loaded;   // that it is forked with; NULL: it loads the application itself
    gb_python python;
    char texts[4][GB_PATH];
    char modules[4096];   // to be tried for whether they bring the GIL back; "" to serve
    char source[16384];   // of a task; "": config.app names a function
    bool split;           // the task's workers have shares of it
} gb__order;

static void gb__order_adopt(gb__order *o)
{
    const char **texts[] = {&o->config.app, &o->config.loop, &o->config.server.host,
                            &o->config.unshared};
    for (int i = 0; i < 4; i++)
        if (*texts[i]) *texts[i] = o->texts[i];
    if (o->config.python) o->config.python = &o->python;
}

static gb_code gb__order_make(gb__order *o, const gb_service_config *config, gb_error *error)
{
    const char *texts[] = {config->app, config->loop, config->server.host, config->unshared};
    *o = (gb__order){.config = *config};
    for (int i = 0; i < 4; i++)
        if (texts[i] && snprintf(o->texts[i], GB_PATH, "%s", texts[i]) >= GB_PATH)
            return gb__fail(error, GB_USAGE, "\"%.80s...\" is longer than %d bytes", texts[i],
                            GB_PATH - 1);
    if (config->python) o->python = *config->python;
    gb__order_adopt(o);
    return GB_OK;
}

// A child of its own process group, so that the terminal's Ctrl-C reaches the parent alone, which
// then ends it in order; it can't outlive the parent. What the application prints is no result.
// The parent may have threads, so between fork and exec this calls only what is safe there. What is
// loaded may have handlers of signals.
static void gb__child_begin(pid_t parent, bool loaded)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    if (!loaded) signal(SIGINT, SIG_DFL);
    if (!loaded) signal(SIGTERM, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

// What has been measured doesn't wait for an application's last thread or atexit handler.
static void *gb__end_late(void *unused)
{
    (void)unused;
    gb__sleep_until(gb_now_ns() + GB__END_PATIENCE_S * GB__NS);
    _exit(GB__ENDED_LATE);
}

static int gb__stop_by_signal;  // what gb_serve's handler of signals writes, one a process

static void gb__child_main(const gb__order *order, int socket)
{
    gb__hosted own = {0}, *h = order->loaded ? order->loaded : &own;
    const gb__place *place = order->place.port ? &order->place : NULL;
    pthread_t id;
    gb__reply reply = {0};
    gb_code code = order->loaded ? gb__hosted_serve(h, place, &reply.error)
                                 : gb__hosted_start(h, &order->config, place, &reply.error);
    gb__stop_by_signal = h->stop_event;
    h->parent = socket;
    reply.error.code = code;
    reply.port = gb__hosted_port(h);
    if (gb__tell(socket, &reply) && !code && !pthread_create(&id, NULL, gb__child_control, h)) {
        gb__hosted_run(h);
        shutdown(socket, SHUT_RD);  // it may have been a signal that ended this, not the parent
        pthread_join(id, NULL);
    }
    gb__hosted_close(h);
    pthread_create(&id, NULL, gb__end_late, NULL);
    bool ended = gb__hosted_stop(h);
    fflush(NULL);
    _exit(code || !ended);
}

// ---- the parent ---------------------------------------------------------------------------------

// Waits until the child has written or has ended; false (and errno) when it didn't in that time or
// the measurement is to stop. In short steps: an import that hangs must not keep Ctrl-C waiting.
static bool gb__wait_sign(const gb_service *s, double patience_s)
{
    uint64_t now = gb_now_ns(), deadline = now + gb__seconds_ns(patience_s);
    while (!gb__wait_ready(s->socket, POLLIN, now + GB__NS / 10)) {
        now = gb_now_ns();
        if (errno != ETIMEDOUT || now >= deadline || gb__flag_is_set(s->stop)) return false;
    }
    return true;
}

// What the child has told of is its failure here, and stays in the reply.
static gb_code gb__wait_reply(gb_service *s, gb__reply *reply, double patience_s,
                              const char *remedy, gb_error *error)
{
    bool sign = gb__wait_sign(s, patience_s);
    if (!sign && gb__flag_is_set(s->stop))
        return gb__fail(error, GB_INTERRUPTED, "interrupted");
    if (!sign)
        return gb__fail(error, GB_MEASUREMENT, "the server gave no sign within %.0f s%s",
                        patience_s, remedy);
    ssize_t n;
    char *at = (char *)reply, *end = at + sizeof *reply;
    while (at < end && ((n = recv(s->socket, at, (size_t)(end - at), 0)) > 0 ||
                        (n < 0 && errno == EINTR)))
        if (n > 0) at += n;
    gb__stats_open(&reply->stats);
    if (at != end) return gb__fail(error, GB_MEASUREMENT, "the server's process has ended");
    return reply->error.code ? gb__fail(error, reply->error.code, "%s", reply->error.text) : GB_OK;
}

static gb_code gb__ask(gb_service *s, char what, gb__reply *reply, gb_error *error)
{
    if (s->socket < 0) return GB_OK;  // somebody else's server answers HTTP only
    if (send(s->socket, &what, 1, MSG_NOSIGNAL) != 1)
        return gb__fail(error, GB_MEASUREMENT, "the server's process has ended");
    return gb__wait_reply(s, reply, GB__STOP_PATIENCE_S, "", error);
}

// The child's status once it has ended; -1 when it didn't within its time and was killed.
static int gb__reap(pid_t pid, double patience_s)
{
    int status = 0;
    uint64_t deadline = gb_now_ns() + gb__seconds_ns(patience_s);
    pid_t done;
    while ((done = waitpid(pid, &status, WNOHANG)) == 0 && gb_now_ns() < deadline)
        gb__sleep_until(gb_now_ns() + 1000000);
    if (done == 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    }
    kill(-pid, SIGKILL);  // whatever the application has started
    return done == 0 ? -1 : status;
}

static bool gb__ended_late(int status)
{
    return status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == GB__ENDED_LATE);
}

static bool gb__has_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

static void gb__status_text(int status, char text[64])
{
    if (WIFSIGNALED(status))
        snprintf(text, 64, "was ended by signal %d (%.30s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, 64, "exited with status %d", WEXITSTATUS(status));
}

// A failure where the child crashed; to end late is none.
static gb_code gb__describe_end(int status, gb_error *error)
{
    char how[64];
    if (!status || gb__ended_late(status)) return GB_OK;
    gb__status_text(status, how);
    return gb__fail(error, GB_MEASUREMENT, "the server's process %s", how);
}

static bool gb__same_variable(const char *a, const char *b)
{
    return !strncmp(a, b, strcspn(a, "=") + 1);
}

static gb_code gb__check_process(const gb_process *p, gb_error *error)
{
    static const char *const asked[] = {"PYTHON_GIL=", "PYTHON_JIT=", "PYTHONHOME="};
    struct stat s;
    if (p->directory && (stat(p->directory, &s) || !S_ISDIR(s.st_mode)))
        return gb__fail(error, GB_USAGE, "\"%s\" is not a directory", p->directory);
    for (size_t i = 0; i < p->environment_count; i++) {
        const char *text = p->environment[i];
        if (*text == '=' || !strchr(text, '='))
            return gb__fail(error, GB_USAGE, "\"%s\" is not a variable: give NAME=value", text);
        for (size_t j = 0; j < 3; j++)
            if (gb__same_variable(asked[j], text))
                return gb__fail(error, GB_USAGE, "%s would be that of every build: ask with "
                                "--python PY,gil=0|1,jit=0|1", text);
        for (size_t j = 0; j < i; j++)
            if (gb__same_variable(p->environment[j], text))
                return gb__fail(error, GB_USAGE, "%s: that variable is given twice", text);
    }
    return GB_OK;
}

// In a child: malloc, which putenv calls, is usable behind a fork.
static void gb__enter(const gb_process *p)
{
    for (size_t i = 0; i < p->environment_count; i++) putenv((char *)p->environment[i]);
    if (p->directory && chdir(p->directory)) _exit(126);
}

#define GB__CHILD_NAME "gilbench-child="  // argv[0] of a program that is one; its socket follows

// Whether this code is in the program itself, which heads the list of objects, not in a library.
static bool gb__is_program(void)
{
    Dl_info info;
    struct link_map *object = NULL;
    return dladdr1(gb__bootstrap, &info, (void **)&object, RTLD_DL_LINKMAP) && object &&
           !object->l_prev;
}

typedef void (*gb__child)(const gb__order *order, int socket);

// fork() with what is loaded, which no thread of ours uses yet.
static pid_t gb__fork(gb__hosted *loaded)
{
    bool python = loaded && loaded->has_python;
    if (python) {
        gb_py.PyEval_RestoreThread(loaded->main.state);
        gb_py.PyOS_BeforeFork();
    }
    fflush(NULL);
    pid_t pid = fork();
    int saved = errno;
    if (python && !pid) gb_py.PyOS_AfterFork_Child();
    else if (python) gb_py.PyOS_AfterFork_Parent();
    if (python) loaded->main.state = gb_py.PyEval_SaveThread();
    errno = saved;
    return pid;
}

// Starts a child that does `order`. It executes this program again, so that it has nothing of this
// process's memory, and the constructor below does what `child` does. It is only forked where that
// memory is needed, for a handler and for a worker's place, or where the program isn't this code's.
// `errors`, if it isn't -1, becomes its stderr.
static gb_code gb__service_spawn(gb_service *s, gb__child child, const gb__order *order,
                                 int errors, gb_error *error)
{
    int pair[2];
    extern char **environ;
    pid_t parent = getpid();
    char name[32], *argv[] = {name, NULL};
    bool forked = order->place.port || order->config.server.handler || !gb__is_program();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return gb__fail(error, GB_SYSTEM, "can't make a socket pair: %s", strerror(errno));
    snprintf(name, sizeof name, GB__CHILD_NAME "%d", pair[1]);
    bool ready = forked || send(pair[0], order, sizeof *order, MSG_NOSIGNAL) > 0;
    s->pid = !ready ? -1 : forked ? gb__fork(order->loaded) : fork();
    if (s->pid == 0) {
        if (errors >= 0) dup2(errors, STDERR_FILENO);
        gb__child_begin(parent, order->loaded);
        if (!order->place.port) gb__enter(&order->config.process);  // else it is there
        if (forked) {
            close(pair[0]);
            child(order, pair[1]);
        }
        fcntl(pair[1], F_SETFD, 0);
        execve("/proc/self/exe", argv, environ);
        _exit(127);
    }
    int saved = errno;
    close(pair[1]);
    s->socket = pair[0];
    if (s->pid > 0) return GB_OK;
    close(pair[0]);
    return gb__fail(error, GB_SYSTEM, "can't start a process: %s", strerror(saved));
}

// ================================================================================================
// >>task
// Python code on several workers, without a server: within a child, whose main thread, the leader,
// has no part in the work. A worker is a thread, one with an interpreter of its own, a process that
// is forked when the code is loaded, or one that is forked before. All wait for one event, so that
// they begin together, and detached.

// What becomes of a worker; where workers are processes they share it with the leader.
typedef struct gb__task_slot {
    struct gb__tasking *task;
    uint64_t ended;
    gb_error error;
    char answer[sizeof((gb_round *)0)->answer];
    gb__window_stats *stats;  // of its process; the first has the leader's
} gb__task_slot;

typedef struct gb__tasking {
    const gb__order *order;
    int count;                // of the workers
    bool forks;               // they are processes
    int counter, go;          // eventfds: of workers that are ready, then done; of those to begin
    gb__task_slot *slots;
    gb__hosted host;          // of the interpreter, or of all
} gb__tasking;

static void gb__task_count(int event, uint64_t n)
{
    (void)!write(event, &n, sizeof n);
}

static PyObject *gb__task_call(const gb__tasking *t, PyObject *function, int worker)
{
    if (!t->order->split) return gb_py.PyObject_CallNoArgs(function);
    PyObject *share = gb_py.PyLong_FromLong(worker), *shares = gb_py.PyLong_FromLong(t->count);
    PyObject *answer = share && shares
                       ? gb_py.PyObject_CallFunctionObjArgs(function, share, shares, NULL) : NULL;
    gb__py_drop(share);
    gb__py_drop(shares);
    return answer;
}

// Takes what a call has returned, if it did.
static void gb__task_answer(gb__task_slot *s, PyObject *answer, const char *who, int number)
{
    PyObject *text = answer ? gb_py.PyObject_Str(answer) : NULL;
    const char *utf8 = text ? gb_py.PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (utf8) gb__copy(s->answer, sizeof s->answer, utf8);
    else gb__py_fail(&s->error, GB_MEASUREMENT, "%s %d", who, number);
    gb__py_drop(text);
    gb__py_drop(answer);
}

static void gb__task_perform(gb__task_slot *s)
{
    uint64_t one;
    const gb__tasking *t = s->task;
    int worker = (int)(s - t->slots);
    const gb__interpreter *i = t->host.own ? &t->host.own[worker] : &t->host.main;
    gb__task_count(t->counter, 1);
    while (read(t->go, &one, sizeof one) < 0 && errno == EINTR) continue;
    PyThreadState *state = gb__interpreter_attach(i);
    if (!state) {
        gb__fail_memory(&s->error);
        return;
    }
    PyObject *answer = gb__task_call(t, i->app.object, worker);
    s->ended = gb_now_ns();
    gb__task_answer(s, answer, "worker", worker + 1);
    gb__interpreter_detach(state);
}

// When a process has done its work: what came out of it, and how it was there.
static void gb__task_close(gb__task_slot *s)
{
    gb__tasking *t = s->task;
    PyThreadState *state = *t->order->source && !s->error.code
                               ? gb__interpreter_attach(t->host.own ? t->host.own : &t->host.main)
                               : NULL;
    if (state) {
        PyObject *module = gb_py.PyImport_ImportModule("task");
        PyObject *answer = module ? gb_py.PyObject_GetAttrString(module, "answer") : NULL;
        gb_py.PyErr_Clear();
        if (answer) gb__task_answer(s, gb_py.PyObject_CallNoArgs(answer), "answer() of worker", 1);
        gb__py_drop(answer);
        gb__py_drop(module);
        gb__interpreter_detach(state);
    }
    gb__hosted_stats(&t->host, s->stats);
}

static void *gb__task_thread(void *arg)
{
    gb__task_slot *s = arg;
    gb__task_perform(s);
    gb__task_count(s->task->counter, 1);
    return NULL;
}

// A worker that is a process stays until the leader ends: its memory is looked at first.
static void gb__task_process(gb__task_slot *s)
{
    gb__tasking *t = s->task;
    if (t->host.has_python || !gb__hosted_python(&t->host, &s->error)) {
        gb__task_perform(s);
        gb__task_close(s);
    }
    gb__task_count(t->counter, 1);
    for (;;) pause();
}

// Waits until all workers have counted. A process that is gone never will.
static gb_code gb__task_await(const gb__tasking *t, gb_error *error)
{
    uint64_t n, all = 0;
    struct pollfd p = {.fd = t->counter, .events = POLLIN};
    char how[64];
    while (all < (uint64_t)t->count) {
        int status, ready = poll(&p, 1, 100);
        if (ready > 0 && read(t->counter, &n, sizeof n) == sizeof n) all += n;
        if (ready > 0 || !t->forks || waitpid(-1, &status, WNOHANG) <= 0) continue;
        gb__status_text(status, how);
        return gb__fail(error, GB_MEASUREMENT, "a worker's process %s", how);
    }
    for (int i = 0; i < t->count; i++)
        if (t->slots[i].error.code) {
            *error = t->slots[i].error;
            return error->code;
        }
    return GB_OK;
}

static gb_code gb__task_start(gb__tasking *t, gb_error *error)
{
    size_t size = (size_t)t->count * (sizeof *t->slots + sizeof *t->slots->stats);
    pid_t leader = getpid();
    int failed = 0;
    t->counter = eventfd(0, EFD_CLOEXEC);
    t->go = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t->counter < 0 || t->go < 0 || shared == MAP_FAILED)
        return gb__fail(error, GB_SYSTEM, "can't prepare the workers: %s", strerror(errno));
    t->slots = shared;
    gb__window_stats *stats = (gb__window_stats *)(t->slots + t->count);
    bool each = t->order->config.worker_model == GB_PROCESSES_EACH;
    gb_code code = each ? GB_OK : gb__hosted_python(&t->host, error);
    if (!code) code = gb__hosted_window_begin(&t->host, error);
    for (int i = 0; i < t->count && !code && !failed; i++) {
        pthread_t id;
        t->slots[i].task = t;
        t->slots[i].stats = &stats[i];
        pid_t pid = t->forks ? gb__fork(&t->host) : 1;
        if (!pid) gb__child_begin(leader, !each), gb__task_process(&t->slots[i]);
        failed = pid < 0 ? errno : 0;
        if (!t->forks) failed = pthread_create(&id, NULL, gb__task_thread, &t->slots[i]);
    }
    if (failed) return gb__fail(error, GB_SYSTEM, "can't start a worker: %s", strerror(failed));
    return code ? code : gb__task_await(t, error);
}

static gb_code gb__task_run(gb__tasking *t, gb__reply *reply)
{
    gb__window_stats *all = &reply->stats;
    uint64_t began = gb_now_ns();
    gb__task_count(t->go, (uint64_t)t->count);
    gb_code code = gb__task_await(t, &reply->error);
    if (code) return code;
    if (!t->forks) gb__task_close(&t->slots[0]);
    *all = *t->slots[0].stats;
    all->workers = t->count;
    for (int i = 0; i < t->count; i++) {
        all->requests[i] = t->slots[i].ended - began;
        all->collections += i ? t->slots[i].stats->collections : 0;
        all->pause_ms += i ? t->slots[i].stats->pause_ms : 0;
    }
    reply->error = t->slots[0].error;
    gb__copy(reply->answer, sizeof reply->answer, t->slots[0].answer);
    return reply->error.code;
}

// Answers the parent: all is ready; done; how that was.
static void gb__task_main(const gb__order *order, int socket)
{
    gb__tasking t = {.order = order, .count = order->config.workers,
                     .forks = order->config.worker_model == GB_PROCESSES ||
                              order->config.worker_model == GB_PROCESSES_EACH,
                     .host = {.config = order->config, .task = order->source}};
    gb__reply reply = {0};
    char ask = 0;
    setenv("PYTHONUNBUFFERED", "1", 1);  // what is printed shows, though nothing is finalized
    reply.error.code = gb__task_start(&t, &reply.error);
    while (gb__tell(socket, &reply) && !reply.error.code && ask != GB__ASK_STOP) {
        ask = gb__hear(socket);
        if (ask == GB__ASK_GO) reply.error.code = gb__task_run(&t, &reply);
    }
    fflush(NULL);
    _exit(0);
}

// ================================================================================================
// >>peers
// A command in a process group of its own, started by a shell's `exec`: what gets the signals is
// what serves. It is asked over HTTP alone; what it prints is looked at when something is wrong.

#define GB__PEER_START_PATIENCE_S 30
#define GB__PEER_STOP_PATIENCE_S 5
#define GB__PEER_TAIL 4096  // bytes at the end of its output that are looked at

// The name of the program, for reports.
static gb_code gb__check_command(const char *command, char *name, size_t size, gb_error *error)
{
    char program[GB_PATH];
    const char *start = command + strspn(command, " \t\n");
    size_t len = strcspn(start, " \t\n");
    if (strlen(command) >= GB_PATH)
        return gb__fail(error, GB_USAGE, "the server's command is longer than %d bytes", GB_PATH);
    if (!len) return gb__fail(error, GB_USAGE, "the server's command \"%s\" is empty", command);
    snprintf(program, sizeof program, "%.*s", (int)len, start);
    gb__copy(name, size, strcmp(program, "{python}") ? gb__basename(program) : "python");
    if (strstr(command, "{port}")) return GB_OK;
    return gb__fail(error, GB_USAGE, "the server's command \"%.200s\" has no {port}, where it is "
                    "to listen", command);
}

// As one word of a shell's, or as a part of one, also between double quotes if it is a usual path.
static void gb__add_shell_word(gb__buf *b, const char *value)
{
    for (; *value; value++) {
        bool plain = isalnum((unsigned char)*value) || strchr("/._-+", *value) || *value & 0x80;
        gb__buf_printf(b, "%s%c", plain ? "" : "\\", *value);
    }
}

// The command as a shell takes it; NULL when there is no memory.
static char *gb__peer_command(const gb_service_config *config, int port)
{
    static const char *const fields[] = {"{port}", "{threads}", "{workers}", "{python}"};
    const int values[] = {port, config->server.threads > 0 ? config->server.threads : 1,
                          config->workers > 0 ? config->workers : 1};
    gb__buf b = {0};
    gb__buf_str(&b, "exec ");
    for (const char *c = config->command; *c;) {
        size_t i = 0;
        while (i < 4 && strncmp(c, fields[i], strlen(fields[i]))) i++;
        if (i < 3) gb__buf_printf(&b, "%d", values[i]);
        else if (i == 3) gb__add_shell_word(&b, config->python->executable);
        else gb__buf_add(&b, c, 1);
        c += i < 4 ? strlen(fields[i]) : 1;
    }
    if (!b.failed) return b.data;
    gb__buf_free(&b);
    return NULL;
}

// Everything of this build and nothing of another: what our own child gets by its configuration.
static void gb__peer_environment(const gb_python *python)
{
    gb__buf path = {0};
    char dir[GB_PATH];
    const char *before = getenv("PATH");
    gb__copy(dir, sizeof dir, python->executable);
    gb__to_parent(dir);
    gb__buf_printf(&path, "%s%s%s", dir, before && *before ? ":" : "", before ? before : "");
    setenv("PATH", path.data ? path.data : dir, 1);
    if (strcmp(python->prefix, python->base_prefix)) setenv("VIRTUAL_ENV", python->prefix, 1);
    else unsetenv("VIRTUAL_ENV");
    gb__python_environment(python);
    gb__buf_free(&path);
}

static void gb__peer_child(const gb_service_config *config, const char *command, int output,
                           pid_t parent)
{
    gb__child_begin(parent, false);
    gb__enter(&config->process);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(126);
    gb__peer_environment(config->python);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    dprintf(STDERR_FILENO, "can't execute /bin/sh: %s\n", strerror(errno));
    _exit(127);
}

static gb_code gb__peer_spawn(gb_service *s, const gb_service_config *config, gb_error *error)
{
    int probe = gb__listen("127.0.0.1", 0, error);
    if (probe < 0) return GB_NETWORK;
    s->port = gb__bound_port(probe);
    close(probe);  // free again, and the kernel won't give it away again soon
    char *command = gb__peer_command(config, s->port);
    if (!command) return gb__fail_memory(error);
    s->output = memfd_create("gilbench-server", MFD_CLOEXEC);
    pid_t parent = getpid();
    s->pid = s->output < 0 ? -1 : fork();
    if (s->pid == 0) gb__peer_child(config, command, s->output, parent);
    int saved = errno;
    free(command);
    if (s->pid > 0) {
        setpgid(s->pid, s->pid);  // as the child does: whoever comes first
        return GB_OK;
    }
    if (s->output >= 0) close(s->output);
    return gb__fail(error, GB_SYSTEM, "can't start a server: %s", strerror(saved));
}

// The end of what it has printed so far, as whole lines where there are any.
static gb_slice gb__peer_tail(const gb_service *s, char *text, size_t size)
{
    struct stat st;
    off_t from = fstat(s->output, &st) || st.st_size < (off_t)size ? 0 : st.st_size - (off_t)size;
    ssize_t n = pread(s->output, text, size, from);
    gb_slice tail = {text, n > 0 ? (size_t)n : 0}, first, rest;
    if (from && gb__split(tail, '\n', &first, &rest)) tail = rest;
    while (tail.len && isspace((unsigned char)tail.data[tail.len - 1])) tail.len--;
    return tail;
}

// What is between two texts for the first time; empty where nothing is.
static gb_slice gb__between(gb_slice s, const char *before, const char *after)
{
    const char *start = memmem(s.data, s.len, before, strlen(before));
    if (!start) return (gb_slice){"", 0};
    start += strlen(before);
    const char *end = memmem(start, s.len - (size_t)(start - s.data), after, strlen(after));
    return (gb_slice){start, end ? (size_t)(end - start) : 0};
}

// Puts its last line behind what went wrong, and all of its last words onto stderr.
static gb_code gb__peer_fail(const gb_service *s, gb_code code, const char *what, gb_error *error)
{
    char text[GB__PEER_TAIL];
    gb_slice tail = gb__peer_tail(s, text, sizeof text);
    size_t at = tail.len;
    if (!tail.len) return gb__fail(error, code, "%s; it printed nothing", what);
    while (at && tail.data[at - 1] != '\n') at--;
    fprintf(stderr, "\n%.*s\n", (int)tail.len, tail.data);
    return gb__fail(error, code, "%s: %.*s", what, (int)(tail.len - at), tail.data + at);
}

// Reaps the process that has ended by itself.
static gb_code gb__peer_died(const gb_service *s, gb_code code, const char *when, gb_error *error)
{
    char how[64], what[128];
    gb__status_text(gb__reap(s->pid, 0), how);
    snprintf(what, sizeof what, "the server %s %s", how, when);
    return gb__peer_fail(s, code, what, error);
}

// Does anything there answer in HTTP? Which status it has is for the load to count.
static bool gb__answers(int port, const char *path)
{
    char url[64];
    const gb_request request = {.path = path};
    gb_load_result r;
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    const gb_load_config k = {.url = url, .mix = &request, .mix_count = 1, .connections = 1,
                              .requests = 1, .timeout_s = 1};
    if (gb_load(&k, &r, NULL)) return false;
    gb_load_free(&r);
    return r.first_answer.status;
}

// A server that can't be had once can't be had the next time, hence GB_APP.
static gb_code gb__peer_await(gb_service *s, const char *path, gb_error *error)
{
    char what[64];
    uint64_t deadline = gb_now_ns() + GB__PEER_START_PATIENCE_S * GB__NS;
    while (gb_now_ns() < deadline) {
        if (gb__has_ended(s->pid)) return gb__peer_died(s, GB_APP, "before it answered", error);
        if (gb__answers(s->port, path)) return GB_OK;
        if (gb__flag_is_set(s->stop)) {
            gb__reap(s->pid, 0);
            return gb__fail(error, GB_INTERRUPTED, "interrupted");
        }
        gb__sleep_until(gb_now_ns() + GB__NS / 50);
    }
    snprintf(what, sizeof what, "the server gave no answer within %d s", GB__PEER_START_PATIENCE_S);
    gb__peer_fail(s, GB_APP, what, error);
    gb__reap(s->pid, 0);
    return GB_APP;
}

static gb_code gb__peer_start(gb_service *s, const gb_service_config *config, gb_error *error)
{
    char name[64];
    const char *path = config->ready_path ? config->ready_path : "/json";
    gb_code code = gb__check_command(config->command, name, sizeof name, error);
    if (code) return code;
    if (!config->python || !*config->python->executable)
        return gb__fail(error, GB_USAGE, "%s needs an interpreter with an executable", name);
    s->socket = -1;
    code = gb__peer_spawn(s, config, error);
    if (code) return code;
    code = gb__peer_await(s, path, error);
    if (code) close(s->output);
    return code;
}

// SIGTERM is how these servers are stopped, so the status that one gives is no failure.
static gb_code gb__peer_stop(gb_service *s, bool *late, gb_error *error)
{
    gb_code code = GB_OK;
    if (gb__has_ended(s->pid)) {
        code = gb__peer_died(s, GB_MEASUREMENT, "during the measurement", error);
    } else {
        kill(s->pid, SIGTERM);
        *late = gb__reap(s->pid, GB__PEER_STOP_PATIENCE_S) == -1;
    }
    close(s->output);
    return code;
}

// From outside there is one sign that the GIL came back: CPython's warning, with the first module.
static void gb__peer_gil(const gb_service *s, const gb_python *python, gb_round *round)
{
    char text[GB__PEER_TAIL];
    if (!python->free_threaded || python->gil >= 0) return;
    ssize_t n = pread(s->output, text, sizeof text, 0);
    gb_slice module = gb__between((gb_slice){text, n > 0 ? (size_t)n : 0},
                                  "(GIL) has been enabled to load module '", "'");
    if (!module.len) return;
    round->gil.enabled_after_load = 1;
    gb__copy_slice(round->gil.reenabled_by, sizeof round->gil.reenabled_by, module);
}

// ---- either -------------------------------------------------------------------------------------

#define GB__SERVES_ITSELF                                                                          \
    "; if it calls app.run() at import, put that behind if __name__ == '__main__'"

// Waits until a child of ours serves. Otherwise it is gone afterwards.
static gb_code gb__service_await(gb_service *s, gb_error *error)
{
    gb__reply reply = {0};
    gb_code code = gb__wait_reply(s, &reply, GB__START_PATIENCE_S, GB__SERVES_ITSELF, error);
    s->port = reply.port;
    if (!code) return GB_OK;
    close(s->socket);
    int status = gb__reap(s->pid, reply.error.code ? GB__STOP_PATIENCE_S : 0.2);
    if (!reply.error.code && status > 0) gb__describe_end(status, error);
    s->pid = 0;
    return code;
}

// ================================================================================================
// >>workers
// A process that serves nothing itself accepts for its children, the workers, each of which is a
// service with a place instead of a listener. It loads the application once, and its children are
// forked with it; or it loads nothing, and each of them does.

typedef struct gb__group {
    gb__hosted loaded;
    gb__dispatcher dispatcher;
    gb_service workers[GB_MAX_WORKERS];
    int count;
    bool late;  // one of them ended late
} gb__group;

static const char *const gb__worker_models[] = {"auto", "processes", "threads", "processes-each",
                                                "subinterpreters", NULL};

static gb_worker_model gb__worker_model(const gb_python *python, gb_worker_model wanted)
{
    if (wanted != GB_WORKERS_AUTO) return wanted;
    return python && python->free_threaded && python->gil != 1 ? GB_THREADS : GB_PROCESSES;
}

static bool gb__wants_processes(const gb_service_config *config)
{
    gb_worker_model model = gb__worker_model(config->python, config->worker_model);
    return config->workers > 1 && (model == GB_PROCESSES || model == GB_PROCESSES_EACH);
}

static gb_code gb__worker_failed(int i, gb_code code, gb_error *error)
{
    gb_error why = *error;
    return gb__fail(error, code, "worker %d: %.900s", i + 1, why.text);
}

// A worker's inbox is closed here before the next is forked: nobody else has it then, and what is
// sent to one that is gone comes back as an error.
static gb_code gb__group_add(gb__group *g, gb__order *order, gb_error *error)
{
    int pair[2];
    gb__dispatcher *d = &g->dispatcher;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return gb__fail(error, GB_SYSTEM, "can't prepare worker %d: %s", g->count + 1,
                        strerror(errno));
    d->targets[d->count++] = pair[0];
    order->place = (gb__place){.inbox = pair[1], .port = d->port, .stop_event = -1,
                               .multiprocess = true};
    gb_code code = gb__service_spawn(&g->workers[g->count], gb__child_main, order, -1, error);
    close(pair[1]);
    if (!code) g->count++;
    return code;
}

// Loads the application for all workers. The collector would write into every object that they
// share: with Flask, four workers of the GIL build have 57 MB behind gc.freeze, 64 without, and
// those of the free-threaded one the same either way. What is printed is not printed by each again.
static gb_code gb__group_load(gb__group *g, const gb_service_config *config, int stop_event,
                              gb_error *error)
{
    static const char settle[] = "import gc, sys\n"
                                 "gc.freeze()\n"
                                 "sys.stdout.flush()\n"
                                 "sys.stderr.flush()\n";
    gb__hosted *h = &g->loaded;
    gb_code code = gb__hosted_load(h, config, stop_event, error);
    if (code || !h->has_python) return code;
    gb_py.PyEval_RestoreThread(h->main.state);
    gb__py_drop(gb__py_run(settle, "gilbench"));
    gb_py.PyErr_Clear();  // the application may have closed or replaced a stream
    h->main.state = gb_py.PyEval_SaveThread();
    return GB_OK;
}

static gb_code gb__group_start(gb__group *g, const gb_service_config *config, int stop_event,
                               gb_error *error)
{
    gb__order one;
    *g = (gb__group){.loaded.stop_event = stop_event, .dispatcher.stop_event = stop_event};
    gb_code code = gb__order_make(&one, config, error);
    one.config.workers = 1;
    if (!code && stop_event < 0)
        code = gb__fail(error, GB_SYSTEM, "can't create an eventfd: %s", strerror(errno));
    if (!code) code = gb__dispatcher_open(&g->dispatcher, config, stop_event, error);
    g->dispatcher.processes = true;
    if (gb__worker_model(config->python, config->worker_model) == GB_PROCESSES)
        one.loaded = &g->loaded;
    if (!code && one.loaded) code = gb__group_load(g, &one.config, stop_event, error);
    for (int i = 0; i < config->workers && !code; i++) code = gb__group_add(g, &one, error);
    // Together they start in the time of one.
    for (int i = 0; i < g->count && !code; i++) {
        code = gb__service_await(&g->workers[i], error);
        if (code) code = gb__worker_failed(i, code, error);
    }
    return code ? code : gb__dispatcher_run(&g->dispatcher, error);
}

static void gb__add_worker(gb__window_stats *to, const gb__window_stats *from)
{
    for (int p = 0; p < GB__PHASES; p++) gb_histogram_merge(&to->phases[p], &from->phases[p]);
    to->requests[to->workers++] = from->requests[0];
    to->interface = from->interface;
    to->collections += from->collections;
    to->pause_ms += from->pause_ms;
    gb__waits_merge(&to->waits, &from->waits);
    to->all_waits |= from->all_waits;
    if (from->gil > to->gil) to->gil = from->gil;
    if (*from->extensions) memcpy(to->extensions, from->extensions, sizeof to->extensions);
}

// Adds how it ended to the error, if that tells more.
static gb_code gb__worker_gone(gb__group *g, int i, gb_code code, gb_error *error)
{
    gb_service *w = &g->workers[i];
    gb__describe_end(gb__reap(w->pid, 1), error);
    close(w->socket);
    w->pid = 0;
    return gb__worker_failed(i, code, error);
}

// A worker whose process has ended; -1 when all are there.
static int gb__group_find_lost(const gb__group *g)
{
    for (int i = 0; i < g->count; i++)
        if (g->workers[i].pid && gb__has_ended(g->workers[i].pid)) return i;
    return -1;
}

// A worker that is gone is the measurement's error; it is never started again.
static gb_code gb__group_ask(gb__group *g, char ask, gb__window_stats *stats, gb_error *error)
{
    gb__reply reply;
    stats->gil = -1;
    gb__stats_open(stats);
    for (int i = 0; i < g->count; i++) {
        gb_code code = gb__ask(&g->workers[i], ask, &reply, error);
        if (code) return gb__worker_gone(g, i, code, error);
        if (ask == GB__ASK_END) gb__add_worker(stats, &reply.stats);
    }
    return GB_OK;
}

// A worker ends when its parent is gone for it, whatever it was telling.
static gb_code gb__group_stop(gb__group *g, gb_error *error)
{
    gb_code code = GB_OK;
    gb__begin_stop(g->dispatcher.stop_event);
    gb__dispatcher_join(&g->dispatcher);
    for (int i = 0; i < g->count; i++)
        if (g->workers[i].pid) shutdown(g->workers[i].socket, SHUT_RDWR);
    for (int i = 0; i < g->count; i++) {
        gb_service *w = &g->workers[i];
        if (!w->pid) continue;
        int status = gb__reap(w->pid, GB__STOP_PATIENCE_S);
        gb_code ended = gb__describe_end(status, error);
        if (ended) code = gb__worker_failed(i, ended, error);
        g->late |= gb__ended_late(status);
        close(w->socket);
    }
    gb__dispatcher_close(&g->dispatcher);
    return code;
}

static void gb__group_main(const gb_service_config *config, int socket)
{
    gb__group g;
    pthread_t id;
    gb__reply reply = {0};
    gb_error ignored;
    gb_code code = gb__group_start(&g, config, eventfd(0, EFD_CLOEXEC), &reply.error);
    reply.error.code = code;
    reply.port = g.dispatcher.port;
    while (gb__tell(socket, &reply) && !code) {
        char ask = gb__hear(socket);
        if (ask == GB__ASK_STOP) break;
        reply = (gb__reply){0};
        reply.error.code = gb__group_ask(&g, ask, &reply.stats, &reply.error);
    }
    gb_code stopped = gb__group_stop(&g, &ignored);
    pthread_create(&id, NULL, gb__end_late, NULL);
    gb__hosted_stop(&g.loaded);
    // A worker that is gone has been told of by name; the status says less and would hide it.
    _exit(reply.error.code ? 0 : stopped ? 1 : g.late ? GB__ENDED_LATE : 0);
}

static gb_code gb__check_service(const gb_service_config *config, gb_error *error)
{
    if (config->workers >= 0 && config->workers <= GB_MAX_WORKERS)
        return gb__check_process(&config->process, error);
    return gb__fail(error, GB_USAGE, "%d workers: from 1 to %d can serve", config->workers,
                    GB_MAX_WORKERS);
}

// ---- serve: until a signal ----------------------------------------------------------------------

static void gb__on_stop_signal(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    gb__begin_stop(gb__stop_by_signal);
    errno = saved;
}

// Until the stop event is written; a worker that has ended before is a failure.
static gb_code gb__group_run(gb__group *g, gb_error *error)
{
    struct pollfd p = {.fd = g->dispatcher.stop_event, .events = POLLIN};
    int lost = -1;
    for (int n; (n = poll(&p, 1, 250)) < 1 && (lost = gb__group_find_lost(g)) < 0;)
        if (n < 0) gb__hosted_signal(&g->loaded);
    if (lost < 0) return GB_OK;
    gb__fail(error, GB_APP, "the server's process has ended");
    return gb__worker_gone(g, lost, GB_APP, error);
}

// One that serves itself is what a group's workers are forked from, without workers.
static gb_code gb__serve_until(const gb_service_config *config, int stop_event,
                               void (*on_ready)(void *, int), void *user, gb_error *error)
{
    gb__group g = {.count = 0};
    gb__hosted *h = &g.loaded;
    gb_error ended;
    const gb__place place = {.inbox = -1, .stop_event = stop_event};
    bool group = gb__wants_processes(config);
    gb_code stopped = GB_OK, code = group ? gb__group_start(&g, config, stop_event, error)
                                          : gb__hosted_start(h, config, &place, error);
    if (!code && on_ready) on_ready(user, group ? g.dispatcher.port : gb__hosted_port(h));
    if (!code && group) code = gb__group_run(&g, error);
    else if (!code) gb__hosted_run(h);
    if (group) stopped = gb__group_stop(&g, &ended);
    if (!gb__hosted_stop(h) && !stopped)
        stopped = gb__fail(&ended, GB_APP, "the interpreter ended with an error");
    if (!code && stopped) *error = ended;
    return code ? code : stopped;
}

// Signals are caught, not blocked and awaited: a blocked one stays so in whatever process the
// application starts, which SIGTERM then couldn't end. They are from before the application is
// loaded, so that one that comes early isn't lost; a second one ends the process at once, whatever
// it is stuck in.
GB_API gb_code gb_serve(const gb_service_config *config, void (*on_ready)(void *user, int port),
                        void *user, gb_error *error)
{
    struct sigaction stop = {.sa_handler = gb__on_stop_signal,
                             .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    struct sigaction interrupt, terminate;
    gb_error local = {0};
    if (!error) error = &local;
    gb_code code = gb__check_service(config, error);
    if (code) return code;
    gb__enter(&config->process);
    int stop_event = gb__stop_by_signal = eventfd(0, EFD_CLOEXEC);
    if (stop_event < 0)
        return gb__fail(error, GB_SYSTEM, "can't create an eventfd: %s", strerror(errno));
    sigemptyset(&stop.sa_mask);
    sigaction(SIGINT, &stop, &interrupt);
    sigaction(SIGTERM, &stop, &terminate);
    code = gb__serve_until(config, stop_event, on_ready, user, error);
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &terminate, NULL);
    close(stop_event);
    return code;
}

// ---- a child's work -----------------------------------------------------------------------------

// Which modules bring the GIL back: imports the application and every extension module that the
// measured process had, with CPython's verbose output on: the warning names the first module only,
// this one names each.
static void gb__culprits_main(const gb__order *order)
{
    static const char import_all[] = "import importlib, sys\n"
                                     "def run(names):\n"
                                     "    for name in names.split(','):\n"
                                     "        try:\n"
                                     "            importlib.import_module(name)\n"
                                     "        except Exception:\n"
                                     "            pass\n";
    gb__app a;
    if (gb__py_start(order->config.python, true, NULL)) _exit(1);
    gb__app_load(&a, order->config.app, GB_WSGI, NULL);
    PyObject *namespace = gb__py_run(import_all, "gilbench");
    PyObject *run = namespace ? gb_py.PyDict_GetItemString(namespace, "run") : NULL;
    PyObject *text = gb_py.PyUnicode_FromString(order->modules);
    if (run && text) gb_py.PyObject_CallOneArg(run, text);
    _exit(0);
}

static void gb__child_work(const gb__order *order, int socket)
{
    if (*order->modules) gb__culprits_main(order);
    if (order->config.interface == GB_TASK) gb__task_main(order, socket);
    if (gb__wants_processes(&order->config)) gb__group_main(&order->config, socket);
    gb__child_main(order, socket);
}

// What the parent's program has open is its own: descriptors cross an exec unless they are told not
// to, and few libraries tell them.
static void gb__close_others(int kept)
{
    struct dirent *entry;
    DIR *all = opendir("/proc/self/fd");
    while (all && (entry = readdir(all))) {
        int fd = atoi(entry->d_name);
        if (fd > STDERR_FILENO && fd != kept && fd != dirfd(all)) close(fd);
    }
    if (all) closedir(all);
}

// Runs before main, which a child never reaches.
__attribute__((constructor)) static void gb__enter_as_child(void)
{
    static gb__order order;
    int socket;
    if (sscanf(program_invocation_name, GB__CHILD_NAME "%d", &socket) != 1 || !gb__is_program())
        return;
    if (recv(socket, &order, sizeof order, 0) != (ssize_t)sizeof order) _exit(127);
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    gb__close_others(socket);
    prctl(PR_SET_NAME, "gilbench-child");  // exec called it "exe"
    gb__order_adopt(&order);
    gb__child_work(&order, socket);
}

// ---- the service --------------------------------------------------------------------------------

// Starts a child of ours and waits until it serves.
static gb_code gb__service_launch(gb_service *s, const gb_service_config *config, gb_error *error)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;  // once is enough for all rounds
    gb__order order;
    gb_code code = gb__order_make(&order, config, error);
    if (!code) code = gb__service_spawn(s, gb__child_work, &order, -1, error);
    if (code) return code;
    if (!gb__wait_sign(s, GB__NOTE_PATIENCE_S) && !gb__flag_is_set(s->stop) &&
        !atomic_flag_test_and_set(&told))
        fprintf(stderr, "gilbench: still importing %s" GB__SERVES_ITSELF "\n",
                config->app ? config->app : "builtin:wsgi");
    return gb__service_await(s, error);
}

static gb_service *gb__service_start(const gb_service_config *config, const bool *stop,
                                     gb_error *error)
{
    gb_service *s = calloc(1, sizeof *s);
    cpu_set_t before;
    gb_code code = s ? gb__check_service(config, error) : gb__fail_memory(error);
    if (!code) code = gb__enter_cpus(config->cpus, config->cpu_count, &before, error);
    if (!code) {
        *s = (gb_service){.stop = stop, .output = -1};
        code = config->command ? gb__peer_start(s, config, error)
                               : gb__service_launch(s, config, error);
        if (config->cpu_count) sched_setaffinity(0, sizeof before, &before);
    }
    if (!code) return s;
    free(s);
    return NULL;
}

GB_API gb_service *gb_service_start(const gb_service_config *config, gb_error *error)
{
    return gb__service_start(config, NULL, error);
}

GB_API int gb_service_port(const gb_service *service)
{
    return service->port;
}

GB_API int gb_service_pid(const gb_service *service)
{
    return service->pid;
}

// *late tells that it had to be killed, which is no failure.
static gb_code gb__service_end(gb_service *service, double patience_s, bool *late, gb_error *error)
{
    gb_code code;
    *late = false;
    if (service->socket < 0) {
        code = gb__peer_stop(service, late, error);
    } else {
        shutdown(service->socket, SHUT_RDWR);
        int status = gb__reap(service->pid, patience_s);
        *late = gb__ended_late(status);
        code = gb__describe_end(status, error);
        close(service->socket);
    }
    free(service);
    return code;
}

GB_API gb_code gb_service_stop(gb_service *service, gb_error *error)
{
    bool late;
    return gb__service_end(service, GB__STOP_PATIENCE_S, &late, error);
}

// ---- which modules bring the GIL back -----------------------------------------------------------

// The names are those of the extension modules that the measured process had, if its GIL came back.
static void gb__gil_culprits(const gb_service_config *config, const char *names, gb_round *round)
{
    char path[32];
    gb__order order;
    gb_service child;
    gb__buf output = {0}, found = {0};
    gb_service_config k = *config;
    if (!k.app) k.app = "builtin:wsgi";
    if (!*names || gb__order_make(&order, &k, NULL)) return;
    int fd = memfd_create("gilbench-culprits", MFD_CLOEXEC);
    if (fd < 0) return;
    gb__copy(order.modules, sizeof order.modules, names);
    if (!gb__service_spawn(&child, gb__child_work, &order, fd, NULL)) {
        gb__reap(child.pid, GB__START_PATIENCE_S);
        close(child.socket);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    gb__read_file(path, &output);
    close(fd);
    gb_slice line, rest = {output.data, output.len};
    while (rest.len) {
        gb__split(rest, '\n', &line, &rest);
        gb_slice module = gb__between(line, "# loading module '", "', which requires the GIL");
        if (module.len)
            gb__buf_printf(&found, "%s%.*s", found.len ? ", " : "", (int)module.len, module.data);
    }
    if (found.len) gb__copy(round->gil.reenabled_by, sizeof round->gil.reenabled_by, found.data);
    gb__buf_free(&output);
    gb__buf_free(&found);
}

// ================================================================================================
// >>run
// One measurement: a service, loaded and sampled from outside.

typedef struct gb__measuring {
    const gb_measure_config *config;
    gb_round *round;
    gb_service *service;
    gb__sampler sampler;
    gb_usage before, after, exact;
    gb__machine_time machine;  // spent in the window, as is the next
    uint64_t own_ns;           // of this process
    gb__reply reply;
    gb_code code;
    gb_error error;
    gb_load_progress at;  // where the timeline's last step ended
} gb__measuring;

static uint64_t gb__timeval_ns(struct timeval t)
{
    return (uint64_t)t.tv_sec * GB__NS + (uint64_t)t.tv_usec * 1000;
}

// At the start these are what has been spent so far; at the end the window's part is left.
static void gb__measure_machine(gb__measuring *m)
{
    gb__buf text = {0};
    struct rusage own;
    gb__machine_time now = gb__machine_time_read(&text);
    gb__buf_free(&text);
    m->machine = (gb__machine_time){now.busy_ns - m->machine.busy_ns,
                                    now.steal_ns - m->machine.steal_ns};
    if (getrusage(RUSAGE_SELF, &own)) return;
    m->own_ns = gb__timeval_ns(own.ru_utime) + gb__timeval_ns(own.ru_stime) - m->own_ns;
}

// Called by gb_load, while the load runs.
static void gb__on_window(void *user, bool end)
{
    gb__measuring *m = user;
    int pid = gb_service_pid(m->service);
    // Counters stand next to the window; what takes milliseconds, stalls included, lies outside.
    if (!end) {
        m->code = gb__ask(m->service, GB__ASK_BEGIN, &m->reply, &m->error);
        gb_peak_reset(pid);
        m->sampler.pid = pid;
        gb__sample(&m->sampler);
        // The machine's time and the server's in one order at both ends: the same time between.
        gb__measure_machine(m);
        if (!m->code) m->code = gb_usage_read(pid, false, &m->before, &m->error);
        return;
    }
    gb__measure_machine(m);
    if (!m->code) m->code = gb_usage_read(pid, false, &m->after, &m->error);
    if (!m->code) m->code = gb__ask(m->service, GB__ASK_END, &m->reply, &m->error);
    gb__sampler_free(&m->sampler);
    if (!m->code) m->code = gb_usage_read(pid, true, &m->exact, &m->error);
}

static double gb__mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

#define GB__TIMELINE_STEP_S 0.05

// Makes room at the end of a timeline: two of its steps become one.
static void gb__timeline_halve(gb_round *r)
{
    r->timeline.count = GB_TIMELINE / 2;
    r->timeline.step_s *= 2;
    for (int i = 0; i < GB_TIMELINE / 2; i++) {
        r->timeline.rps[i] = (r->timeline.rps[2 * i] + r->timeline.rps[2 * i + 1]) / 2;
        r->timeline.rss_mb[i] = (r->timeline.rss_mb[2 * i] + r->timeline.rss_mb[2 * i + 1]) / 2;
    }
}

// Called by gb_load as well, in the same thread.
static void gb__on_progress(void *user, const gb_load_progress *now)
{
    gb__measuring *m = user;
    double seconds = now->seconds - m->at.seconds;
    const gb_load_config *k = &m->config->load;
    if (k->on_progress) k->on_progress(k->user, now);
    if (!now->in_window || !m->at.in_window) {
        m->at = *now;
    } else if (seconds >= m->round->timeline.step_s) {
        if (m->round->timeline.count == GB_TIMELINE) gb__timeline_halve(m->round);
        int i = m->round->timeline.count++;
        gb__sample(&m->sampler);
        m->round->timeline.rps[i] = (double)(now->answered - m->at.answered) / seconds;
        m->round->timeline.rss_mb[i] = gb__mb(m->sampler.rss_last);
        m->at = *now;
    }
}

static gb_phase gb__phase_us(const gb_histogram *h)
{
    return (gb_phase){gb_histogram_mean(h) / 1e3, (double)gb_histogram_percentile(h, 99) / 1e3};
}

static gb_latency gb__latency_ms(const gb_histogram *h)
{
    return (gb_latency){gb_histogram_mean(h) / 1e6,
                        (double)gb_histogram_percentile(h, 50) / 1e6,
                        (double)gb_histogram_percentile(h, 90) / 1e6,
                        (double)gb_histogram_percentile(h, 99) / 1e6,
                        (double)gb_histogram_percentile(h, 99.9) / 1e6,
                        (double)h->max / 1e6};
}

// Counters of processes that come and go can run backwards; none of them did less than nothing.
static double gb__growth(uint64_t before, uint64_t after)
{
    return after > before ? (double)(after - before) : 0;
}

static void gb__round_fill(gb_round *r, const gb__measuring *m, const gb_load_result *load,
                           int client_threads)
{
    double cpu_ns = gb__growth(m->before.user_ns + m->before.system_ns,
                               m->after.user_ns + m->after.system_ns);
    double counted_ns = gb__growth(m->before.at, m->after.at) + 1;  // longer than the window
    double requests = counted_ns / 1e9 * load->rps + 1e-9;          // answered within that
    const gb__window_stats *s = &m->reply.stats;
    r->requests = load->requests;
    r->unanswered = load->unanswered;
    r->errors = load->errors;
    memcpy(r->statuses, load->statuses, sizeof r->statuses);
    r->first_answer = load->first_answer;
    gb__copy(r->first_error, sizeof r->first_error, load->first_error);
    gb__copy(r->redirect, sizeof r->redirect, load->redirect);
    r->warmup_s = load->warmup_s;
    r->unsettled = load->unsettled;
    r->coarse = load->coarse;
    r->drift = load->drift;
    r->seconds = load->seconds;
    r->rps = load->rps;
    r->latency_ms = gb__latency_ms(&load->latency);
    r->uncorrected_ms = gb__latency_ms(&load->uncorrected);
    r->memory_mb.service = gb__mb(m->exact.service);
    r->memory_mb.rss = m->sampler.samples ? gb__mb(m->sampler.rss_sum / m->sampler.samples) : 0;
    r->memory_mb.rss_peak = gb__mb(m->exact.rss_peak);
    r->memory_mb.pss = gb__mb(m->exact.pss);
    r->memory_mb.uss = gb__mb(m->exact.uss);
    r->cpu.server_us_per_request = cpu_ns / 1e3 / requests;
    r->cpu.client_us_per_request =
        (double)load->cpu_ns / 1e3 / (double)(load->requests ? load->requests : 1);
    r->cpu.server_cores = cpu_ns / counted_ns;
    r->cpu.client_share = (double)load->cpu_ns / 1e9 / load->seconds / client_threads;
    r->anatomy_us.read = gb__phase_us(&s->phases[GB__PHASE_READ]);
    r->anatomy_us.attach_wait = gb__phase_us(&s->phases[GB__PHASE_ATTACH]);
    r->anatomy_us.app = gb__phase_us(&s->phases[GB__PHASE_APP]);
    r->anatomy_us.write = gb__phase_us(&s->phases[GB__PHASE_WRITE]);
    r->anatomy_us.lock_wait = gb__phase_us(&s->phases[GB__PHASE_LOCK]);
    r->anatomy_us.world_wait = gb__phase_us(&s->phases[GB__PHASE_WORLD]);
    r->anatomy_us.off_cpu = gb__phase_us(&s->phases[GB__PHASE_OFF]);
    r->anatomy_us.ready_wait = gb__phase_us(&s->phases[GB__PHASE_READY]);
    r->all_waits = s->all_waits;
    r->waits = s->waits;
    r->gc.collections = s->collections;
    r->gc.pause_ms = s->pause_ms;
    r->gil.enabled_after_load = s->gil;
    r->context_switches_per_request =
        gb__growth(m->before.context_switches, m->after.context_switches) / requests;
    memcpy(r->requests_per_worker, s->requests, sizeof r->requests_per_worker);
    r->workers = s->workers;
    r->interface = s->interface;
    r->steal_ms = (double)m->machine.steal_ns / 1e6;
    double other_ns = (double)m->machine.busy_ns - cpu_ns - (double)m->own_ns;
    r->other_cores = other_ns > 0 ? other_ns / counted_ns : 0;
}

static gb_code gb__measure_load(gb__measuring *m, gb_error *error)
{
    char url[GB_PATH + 64];
    const gb_measure_config *config = m->config;
    gb_load_config load = config->load;
    gb_load_result result;
    const char *path = config->path ? config->path : "/json";
    const char *host = config->service.server.host ? config->service.server.host : "127.0.0.1";
    snprintf(url, sizeof url, "http://%s:%d%s%s", host, gb_service_port(m->service),
             *path == '/' ? "" : "/", path);
    load.url = url;
    load.on_window = gb__on_window;
    load.on_progress = gb__on_progress;
    load.user = m;
    gb_code code = gb_load(&load, &result, error);
    if (!code && m->code) {
        code = m->code;
        if (error) *error = m->error;
    }
    if (!code) gb__round_fill(m->round, m, &result, load.threads > 0 ? load.threads : 1);
    if (!code && config->latency) gb_histogram_merge(config->latency, &result.latency);
    if (!code && config->uncorrected) gb_histogram_merge(config->uncorrected, &result.uncorrected);
    int status = result.first_answer.status;
    if (!code && !result.requests)
        code = gb__fail(error, GB_MEASUREMENT, "no request was answered within %.3g s%s%s%s",
                        result.warmup_s + result.seconds, *result.first_error ? ": " : "",
                        result.first_error,
                        result.errors.status && (status == 404 || status == 405)
                            ? "; --path names the page to measure, -m its method" : "");
    gb_load_free(&result);
    return code;
}

GB_API gb_code gb_measure(const gb_measure_config *config, gb_round *round, gb_error *error)
{
    gb__measuring m = {.config = config, .round = round, .reply.stats.gil = -1};
    gb_error local = {0}, ended;
    const gb_python *python = config->service.python;
    gb_service_config service = config->service;
    bool late;
    if (!error) error = &local;
    *round = (gb_round){.gil.enabled_after_load = -1};
    round->timeline.step_s = GB__TIMELINE_STEP_S;
    if (!service.ready_path)
        service.ready_path = config->load.mix_count ? config->load.mix->path : config->path;
    m.service = gb__service_start(&service, config->load.stop, error);
    if (!m.service) {
        gb__copy(round->problem, sizeof round->problem, error->text);
        return error->code;
    }
    gb_code code = gb__measure_load(&m, error);
    if (m.service->output >= 0) gb__peer_gil(m.service, python, round);
    double patience_s = code ? GB__END_PATIENCE_S : GB__STOP_PATIENCE_S;
    gb_code crashed = gb__service_end(m.service, patience_s, &late, &ended);
    if (crashed && code != GB_INTERRUPTED) {
        code = crashed;
        *error = ended;
    }
    round->ended_late = late && !code;
    gb__gil_culprits(&config->service, m.reply.stats.extensions, round);
    if (code) gb__copy(round->problem, sizeof round->problem, error->text);
    return code;
}

// ---- tasks --------------------------------------------------------------------------------------

// What is built in: a job is SIZE of something, a third of a second on a core of 2026, or what was
// published. The references of what all threads use are counted by all of them: bubble's numbers
// (as published), shared's dict; the others' are each worker's own.
typedef struct gb__task_kind {
    const char *name;
    int size, probe, step;  // probe: the smallest size, for which a job takes milliseconds
    const char *source;     // NULL: the page's
} gb__task_kind;

static const gb__task_kind gb__task_kinds[] = {
    {"fib", 40, 25, 1,
     "def fib(n):\n"
     "    return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
     "def run(share=0, shares=1):\n"
     "    parts = [SIZE]\n"
     "    while shares > 1 and len(parts) < 32 * shares and max(parts) > 10:\n"
     "        parts = [m for n in parts for m in (n - 1, n - 2)]\n"
     "    return sum(fib(n) for n in sorted(parts)[share::shares])\n"},
    {"bubble", 10000, 500, 500,
     "import random\n"
     "rng = random.Random(1)\n"
     "numbers = [rng.randrange(SIZE) for _ in range(SIZE)]\n"
     "def run():\n"
     "    a = numbers[:]\n"
     "    n = len(a)\n"
     "    for i in range(n):\n"
     "        for j in range(n - i - 1):\n"
     "            if a[j] > a[j + 1]:\n"
     "                a[j], a[j + 1] = a[j + 1], a[j]\n"
     "    return a[n // 2]\n"},
    {"json", 6000, 0, 0,
     "import json\n"
     "def run(share=0, shares=1):\n"
     "    rows = [{'id': n, 'name': f'row {n}', 'price': n / 7, 'tags': ['a', 'b']}\n"
     "            for n in range(10)]\n"
     "    for _ in range(share, SIZE, shares):\n"
     "        rows = json.loads(json.dumps(rows))\n"
     "    return len(rows)\n"},
    {"page", 1200, 0, 0,
     GB__PAGE
     "def run(share=0, shares=1):\n"
     "    return sum(len(page()) for _ in range(share, SIZE, shares))\n"},
    {"alloc", 8000, 0, 0,
     "def run(share=0, shares=1):\n"
     "    for _ in range(share, SIZE, shares):\n"
     "        tree = []\n"
     "        tree.extend([tree] for _ in range(100))\n"
     "    return len(tree)\n"},
    {"shared", 4000000, 0, 0,
     "counts = {}\n"
     "def run(share=0, shares=1):\n"
     "    for n in range(share, SIZE, shares):\n"
     "        counts[n & 1023] = n\n"
     "    return len(counts)\n"},
    {"private", 4000000, 0, 0,
     "def run(share=0, shares=1):\n"
     "    counts = {}\n"
     "    for n in range(share, SIZE, shares):\n"
     "        counts[n & 1023] = n\n"
     "    return len(counts)\n"},
    {NULL, 0, 0, 0, NULL}};
#undef GB__PAGE

// The built-in task that `task` names, and its size, 0 where that is none; NULL: it names none.
static const gb__task_kind *gb__task_kind_of(const char *task, int *size)
{
    size_t len = strcspn(task, ":");
    uint64_t given = 0;
    const gb__task_kind *k = gb__task_kinds;
    while (k->name && (strncmp(k->name, task, len) || k->name[len])) k++;
    *size = k->size;
    if (!k->name || !task[len]) return k->name ? k : NULL;
    bool ok = gb__slice_u64(gb__slice(task + len + 1), &given) && given <= 1000000000;
    *size = ok ? (int)given : 0;
    return k;
}

static gb_code gb__check_task(const char *task, bool split, gb_error *error)
{
    int size;
    const gb__task_kind *kind = gb__task_kind_of(task, &size);
    if (kind ? !size : !strchr(task, ':'))
        return gb__fail(error, GB_USAGE, "there is no task \"%s\": give fib, bubble, json, page, "
                        "alloc, shared or private, NAME:SIZE or FILE.py:FUNC", task);
    if (split && kind && !strcmp(kind->name, "bubble"))
        return gb__fail(error, GB_USAGE, "a bubble sort can't be split: half of the numbers are a "
                        "quarter of the work");
    return GB_OK;
}

static gb_code gb__task_order(gb__order *o, const gb_task_config *config, gb_error *error)
{
    int size, n = 0;
    const char *source = config->source, *task = config->task ? config->task : "task";
    const gb__task_kind *kind = source ? NULL : gb__task_kind_of(task, &size);
    gb_service_config child = {.python = config->python, .app = task, .interface = GB_TASK,
                               .workers = config->workers ? config->workers : 1,
                               .worker_model = config->model ? config->model : GB_THREADS,
                               .waits = config->waits};
    if (!config->python || !config->python->usable)
        return gb__fail(error, GB_NO_PYTHON, "%s", config->python ? config->python->problem
                                                                  : "no interpreter to measure");
    gb_code code = gb__check_service(&child, error);
    if (!code && !source) code = gb__check_task(task, config->split, error);
    if (!code) code = gb__order_make(o, &child, error);
    if (code) return code;
    o->split = config->split;
    if (kind) source = kind->source, n = snprintf(o->source, sizeof o->source, "SIZE = %d\n", size);
    if (source && strlen(source) >= sizeof o->source - (size_t)n)
        return gb__fail(error, GB_USAGE, "the task's source has more than %zu bytes",
                        sizeof o->source - 16);
    if (source) gb__copy(o->source + n, sizeof o->source - (size_t)n, source);
    return GB_OK;
}

#define GB__TASK_PATIENCE_S 1e6  // a job may take as long as it likes

// Jobs are what requests are elsewhere, and the end of the last is that of the window.
static gb_code gb__task_fill(gb__measuring *m, const gb_task_config *config, gb_error *error)
{
    gb_round *r = m->round;
    gb__window_stats *s = &m->reply.stats;
    gb_load_result jobs = {0};
    uint64_t last = 0;
    gb_code code = gb_histogram_init(&jobs.latency, 3, error);
    if (code) return code;
    for (int i = 0; i < s->workers; i++)
        if (s->requests[i] > last) last = s->requests[i];
    for (int i = 0; i < s->workers; i++) {
        // A split job is there when its last share is.
        if (!config->split || !i)
            gb_histogram_record(&jobs.latency, config->split ? last : s->requests[i]);
        s->requests[i] = 1;
    }
    jobs.requests = jobs.latency.total;
    jobs.seconds = (double)last / 1e9;
    jobs.rps = (double)jobs.requests / jobs.seconds;
    m->after.at = m->before.at + last;
    gb__round_fill(r, m, &jobs, 1);
    if (jobs.seconds < 0.02)  // the CPU is read a little before the window and a little after it
        r->cpu.server_cores = r->cpu.server_us_per_request = r->other_cores = 0;
    gb__copy(r->answer, sizeof r->answer, m->reply.answer);
    if (config->latency) gb_histogram_merge(config->latency, &jobs.latency);
    gb_histogram_free(&jobs.latency);
    return GB_OK;
}

static gb_code gb__task_measure(gb__measuring *m, const gb_task_config *config, gb_error *error)
{
    const char go = GB__ASK_GO;
    gb_code code = gb__wait_reply(m->service, &m->reply, GB__TASK_PATIENCE_S, "", error);
    if (code) return code;
    gb__on_window(m, false);
    if (!m->code && send(m->service->socket, &go, 1, MSG_NOSIGNAL) != 1)
        m->code = gb__fail(&m->error, GB_MEASUREMENT, "the task's process has ended");
    if (!m->code)
        m->code = gb__wait_reply(m->service, &m->reply, GB__TASK_PATIENCE_S, "", &m->error);
    gb__on_window(m, true);
    if (!m->code) return gb__task_fill(m, config, error);
    *error = m->error;
    return m->code;
}

GB_API gb_code gb_task(const gb_task_config *config, gb_round *round, gb_error *error)
{
    gb__order order;
    gb_error local;
    gb_service s = {.stop = config->stop, .output = -1};
    gb__measuring m = {.round = round, .service = &s};
    char how[64];
    if (!error) error = &local;
    *round = (gb_round){.gil.enabled_after_load = -1, .interface = GB_TASK};
    gb_code code = gb__task_order(&order, config, error);
    if (!code) code = gb__service_spawn(&s, gb__task_main, &order, -1, error);
    if (!code) {
        code = gb__task_measure(&m, config, error);
        close(s.socket);
        int status = gb__reap(s.pid, code == GB_INTERRUPTED ? 0 : GB__END_PATIENCE_S);
        if (status > 0) {
            gb__status_text(status, how);
            code = gb__fail(error, GB_MEASUREMENT, "the task's process %s", how);
        }
    }
    gb__gil_culprits(&(gb_service_config){.python = config->python,
                                          .app = *order.source ? NULL : config->task},
                     m.reply.stats.extensions, round);
    if (code) gb__copy(round->problem, sizeof round->problem, error->text);
    return code;
}

// ================================================================================================
// >>plan
// What is to be measured: the scenarios, and the matrix of cells. A cell is one combination of
// build, scenario and topology.

GB_API const gb_scenario *gb_scenarios(void)
{
#define GB__BUILTIN(kind, interface, path) "builtin:" kind, path, NULL, NULL, interface, 0, 0, 0
#define GB__FLASK(path, workers, threads)                                                          \
    "apps/flask_app.py:app", path, "flask", "builtin:wsgi", GB_WSGI, workers, threads, 128
#define GB__FASTAPI(path, workers, connections)                                                    \
    "apps/fastapi_app.py:app", path, "fastapi", "builtin:asgi", GB_ASGI, workers, 1, connections
    static const gb_scenario scenarios[] = {
        {"wsgi-page", "a page of 0.25 ms of Python, WSGI", GB__BUILTIN("wsgi", GB_WSGI, "/page")},
        {"wsgi-query", "a page behind 5 ms of wait, WSGI", GB__BUILTIN("wsgi", GB_WSGI, "/query")},
        {"asgi-page", "a page of 0.25 ms of Python, ASGI", GB__BUILTIN("asgi", GB_ASGI, "/page")},
        {"asgi-query", "a page behind 5 ms of wait, ASGI", GB__BUILTIN("asgi", GB_ASGI, "/query")},
        {"wsgi-io", "an answer after a sleep of 10 ms, WSGI", GB__BUILTIN("wsgi", GB_WSGI, "/io")},
        {"asgi-io", "an answer after a sleep of 10 ms, ASGI", GB__BUILTIN("asgi", GB_ASGI, "/io")},
        {"wsgi-json", "a small JSON answer, WSGI", GB__BUILTIN("wsgi", GB_WSGI, "/json")},
        {"asgi-json", "a small JSON answer, ASGI", GB__BUILTIN("asgi", GB_ASGI, "/json")},
        {"article-asgi-json", "the article's rows of FastAPI's /json",
         GB__FASTAPI("/json", 1, 128)},
        {"article-asgi-io", "the article's rows of FastAPI's /io (10 ms)",
         GB__FASTAPI("/io", 2, 256)},
        {"article-wsgi-json", "the article's rows of Flask's /json", GB__FLASK("/json", 1, 1)},
        {"article-wsgi-json", NULL, GB__FLASK("/json", 1, 64)},
        {"article-wsgi-io", "the article's rows of Flask's /io (10 ms)", GB__FLASK("/io", 1, 1)},
        {"article-wsgi-io", NULL, GB__FLASK("/io", 1, 64)},
        {"article-wsgi-io", NULL, GB__FLASK("/io", 2, 64)},
        {"realistic-wsgi", "a page of a shop: Flask, sqlite3 in a file, a Jinja2 template",
         "apps/shop_flask.py:app", "/shop", "flask", NULL, GB_WSGI, 0, 0, 0},
        {"realistic-asgi", "the same page as JSON: FastAPI, sqlite3 in a file, pydantic models",
         "apps/shop_fastapi.py:app", "/shop", "fastapi", NULL, GB_ASGI, 0, 0, 0},
        {.name = NULL}};
#undef GB__BUILTIN
#undef GB__FASTAPI
#undef GB__FLASK
    return scenarios;
}

static const char *const gb__verdicts[] = {"no difference", "faster", "slower", "unclear", NULL};

GB_API const char *gb_verdict_text(gb_verdict verdict)
{
    return gb__verdicts[verdict];
}

// ---- the plan -----------------------------------------------------------------------------------

static const int gb__no_threads[] = {1, 64}, gb__no_workers[] = {1};  // where no list was given

static gb_plan gb__plan_defaults(const gb_plan *given)
{
    static const int connections[] = {128}, all_cpus = 0;
    static const gb_worker_model models[] = {GB_THREADS};
    gb_plan p = *given;
    if (!p.scenario_count) {
        // Those before the first that needs a package: what every machine can run.
        p.scenarios = gb_scenarios();
        while (!p.scenarios[p.scenario_count].package) p.scenario_count++;
    }
    if (!p.thread_count) p.threads = gb__no_threads, p.thread_count = 2;
    if (!p.worker_count) p.workers = gb__no_workers, p.worker_count = 1;
    if (!p.model_count) p.models = models, p.model_count = 1;
    if (!p.connection_count) p.connections = connections, p.connection_count = 1;
    if (!p.server_cpus_count) p.server_cpus = &all_cpus, p.server_cpus_count = 1;
    if (p.load.duration_s <= 0) p.load.duration_s = 0.4;
    if (p.load.warmup_s <= 0) p.load.warmup_s = 0.15;
    if (!p.seed) p.seed = 1;
    // By default there are as many rounds as the time has room for: a small difference needs many,
    // since those of a machine that others share differ by 5 to 10 %.
    if (p.rounds) return p;
    p.rounds = p.precision > 0 ? 200 : 60;
    if (p.precision > 0) return p;
    p.precision = 0.02;
    if (p.budget_s <= 0) p.budget_s = 120;
    return p;
}

// Nobody said which scenarios.
static bool gb__is_default(const gb_plan *p)
{
    return p->scenarios == gb_scenarios();
}

// Nor which topologies.
static bool gb__has_usual(const gb_plan *p, const gb_scenario *s)
{
    return p->threads == gb__no_threads && p->workers == gb__no_workers && !s->workers &&
           !s->threads;
}

static bool gb__cell_is_control(const gb_cell *c)
{
    return !*c->python;
}

enum { GB__MAX_CELLS = 1024 };  // what a comparison, and its reports, end within reach with

enum { GB__VARIANT = 160 };

// What a row is of: "3.14.7", "3.14.7 granian", "3.14.7 processes-each", or the control.
static void gb__variant(const gb_cell *c, const char *control, char *text, size_t size)
{
    bool is_control = gb__cell_is_control(c), several = c->workers > 1;
    bool marked = is_control && *c->source;  // a build's id says where it is from
    bool grouped = is_control && several && c->worker_model == GB_THREADS;
    bool own = !*c->server && !is_control;
    const char *how = own && several && c->worker_model == GB_PROCESSES_EACH ? "processes-each"
                      : own && c->worker_model == GB_SUBINTERPRETERS ? "subinterpreters"
                      : c->server;
    snprintf(text, size, "%s%s%s%s%s%s%s", is_control ? control : c->python,
             grouped ? ", one process" : "", marked ? "@" : "", marked ? c->source : "",
             *how ? " " : "", how, c->best ? ", best" : "");
}

// Adds the cell that has what `like` has, with this application.
static void gb__add_cell(gb_result *r, const gb_cell *like, const char *app)
{
    char variant[GB__VARIANT];
    gb_cell *c = &r->cells[r->cell_count++];
    *c = *like;
    gb__copy(c->app, sizeof c->app, app);
    gb__variant(c, "control", variant, sizeof variant);
    snprintf(c->id, sizeof c->id, "%s/%s/w%d-t%d-c%d", c->scenario, variant, c->workers,
             c->threads, c->connections);
    size_t len = strlen(c->id);
    if (c->server_cpus) snprintf(c->id + len, sizeof c->id - len, "-s%d", c->server_cpus);
}

// The control answers the built-in paths only; an application's own path has none.
static bool gb__has_control(const gb_plan *p, const gb_scenario *s, int workers)
{
    bool page = !strcmp(s->path, "/page"), loop = s->interface == GB_ASGI;
    if (s->interface == GB_C) return true;  // it is what was asked for
    if (p->no_control) return false;
    // By default it shows what threads cost without Python, and no more.
    if (gb__is_default(p)) return page && !loop && workers == 1;
    // It waits in a thread: beside an event loop, which waits for all, that says nothing.
    bool waits = !strcmp(s->path, "/io") || !strcmp(s->path, "/query");
    return page || !strcmp(s->path, "/json") || (waits && !loop);
}

// ---- environments: where an application's packages are, beside the builds -----------------------

// What of an environment's packages a pattern fits, which globfree frees.
static bool gb__glob_packages(const char *prefix, const char *what, glob_t *found)
{
    char pattern[GB_PATH];
    return gb__path(pattern, "%s/lib/python3*/site-packages/%s", prefix, what) &&
           !glob(pattern, 0, NULL, found);
}

static bool gb__is_package(const char *prefix, const char *package)
{
    glob_t found;
    bool there = gb__glob_packages(prefix, package, &found);
    if (there) globfree(&found);
    return there;
}

// Distributions have their name and version in a directory's name, "flask-3.1.3.dist-info"; glob
// sorts them.
static void gb__read_packages(gb_python *python)
{
    char *text = python->packages;
    glob_t found;
    *text = 0;
    if (!gb__glob_packages(python->prefix, "*.dist-info", &found)) return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *name = gb__basename(found.gl_pathv[i]);
        int len = (int)strcspn(name, "-"), version = (int)strlen(name) - len - 11;
        size_t used = strlen(text), left = sizeof python->packages - used;
        int more = snprintf(text + used, left, "%s%.*s %.*s", i ? ", " : "", len, name, version,
                            name + len + 1);
        if (more < (int)left) continue;
        text[used] = 0;
        break;
    }
    globfree(&found);
}

// The environment of this build that `make venvs` has made, whose python leads to the build's. It
// writes "ready" into it at the end, so a half-finished one is none.
static bool gb__cached_environment(const gb_python *python, gb_python *found)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char pattern[GB_PATH];
    glob_t all;
    bool own = cache && *cache, is = false;
    if (!gb__path(pattern, "%s%s/gilbench/venv-*/ready", own ? cache : home ? home : "",
                  own ? "" : "/.cache") || glob(pattern, 0, NULL, &all))
        return false;
    *found = *python;
    for (size_t i = 0; i < all.gl_pathc && !is; i++) {
        gb__copy(found->prefix, sizeof found->prefix, all.gl_pathv[i]);
        gb__to_parent(found->prefix);
        if (!gb__path(found->executable, "%s/bin/python", found->prefix)) continue;
        char *real = realpath(found->executable, NULL);
        if (real) gb__to_parent(real), gb__to_parent(real);
        is = real && gb__same_file(real, python->base_prefix);
        free(real);
    }
    globfree(&all);
    return is;
}

static bool gb__all_have(const gb_result *r, const char *package)
{
    for (size_t i = 0; i < r->python_count; i++)
        if (!gb__is_package(r->pythons[i].prefix, package)) return false;
    return true;
}

// Where packages are needed, replaces each build by its environment: all of them or none, or the
// builds would differ in more than the lock. What is an environment already stays.
static void gb__find_environments(const gb_plan *p, gb_result *r)
{
    gb_python found;
    bool need = p->peer_count;
    for (size_t i = 0; i < p->scenario_count; i++) {
        const char *package = p->scenarios[i].package;
        need |= package && !gb__all_have(r, package);
    }
    for (int looked = 0; looked < 2 && need; looked++)
        for (gb_python *b = r->pythons; b < r->pythons + r->python_count; b++) {
            if (strcmp(b->prefix, b->base_prefix)) continue;
            if (!gb__cached_environment(b, &found)) return;
            if (looked) *b = found;
        }
}

// The application of a scenario: what it names, where every build can import it; else the fallback.
static const char *gb__scenario_app(const gb_result *r, const gb_scenario *s)
{
    char file[GB_PATH];
    if (!s->package) return s->app;
    snprintf(file, sizeof file, "%.*s", (int)strcspn(s->app, ":"), s->app);
    return gb__is_file(file, R_OK) && gb__all_have(r, s->package) ? s->app : s->fallback;
}

// ---- cells --------------------------------------------------------------------------------------

static gb_code gb__peer_name(const gb_peer *peer, char *name, size_t size, gb_error *error)
{
    gb_code code = gb__check_command(peer->command, name, size, error);
    if (!code && peer->name) gb__copy(name, size, peer->name);
    return code;
}

// A command that doesn't say {threads} or {workers} is the same in each of the usual topologies.
static bool gb__has_peer(const gb_result *r, const gb_cell *peer)
{
    bool threads = strstr(peer->command, "{threads}"), workers = strstr(peer->command, "{workers}");
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++)
        if (!strcmp(c->scenario, peer->scenario) && !strcmp(c->python, peer->python) &&
            !strcmp(c->server, peer->server) && c->connections == peer->connections &&
            c->server_cpus == peer->server_cpus && (!threads || c->threads == peer->threads) &&
            (!workers || c->workers == peer->workers))
            return true;
    return false;
}

// One topology of a scenario, that of `like`: each build, then the others' servers on it; at the
// end the control.
static void gb__add_cells(const gb_plan *p, gb_result *r, const gb_scenario *s, const gb_cell *like)
{
    const char *app = gb__scenario_app(r, s);
    for (size_t i = 0; i < r->python_count && s->interface != GB_C; i++) {
        gb_cell own = *like;
        gb__copy(own.python, sizeof own.python, r->pythons[i].id);
        own.worker_model = gb__worker_model(&r->pythons[i], like->worker_model);
        gb__add_cell(r, &own, app);
        for (size_t j = 0; j < p->peer_count; j++) {
            gb_cell peer = own;
            gb__copy(peer.command, sizeof peer.command, p->peers[j].command);
            gb__peer_name(&p->peers[j], peer.server, sizeof peer.server, NULL);
            if (!gb__has_usual(p, s) || !gb__has_peer(r, &peer)) gb__add_cell(r, &peer, app);
        }
    }
    // The control is built as its rows are: where those differ in what a worker is, there are two.
    bool seen[GB_THREADS + 1] = {false};
    gb_cell control = *like;
    control.interface = GB_C;
    for (size_t i = 0; i < r->python_count && gb__has_control(p, s, like->workers); i++) {
        const gb_python *python = like->workers == 1 ? NULL : &r->pythons[i];
        control.worker_model = gb__worker_model(python, like->worker_model);
        if (control.worker_model == GB_PROCESSES_EACH) control.worker_model = GB_PROCESSES;
        if (control.worker_model == GB_SUBINTERPRETERS) control.worker_model = GB_THREADS;
        if (!seen[control.worker_model]) gb__add_cell(r, &control, "builtin:c");
        seen[control.worker_model] = true;
    }
}

#define GB__TASK_ROUND_S 10  // about what all cells of a task may take together

// The size that a task is measured with: a job of that size, so many of them, is done in time. Its
// kind's own where a size is given, or where sizes don't change the time much.
static int gb__task_size(const gb_plan *p, const gb__task_kind *kind, double jobs)
{
    char task[32];
    gb_round r;
    int size = kind->probe;
    snprintf(task, sizeof task, "%s:%d", kind->name, size);
    gb_task_config config = {.python = p->pythons, .task = task, .stop = p->load.stop};
    if (!kind->probe || gb_task(&config, &r, NULL)) return kind->size;
    // A step of fib is another number more, a bubble sort's cost goes with the square of its size.
    for (double s = r.seconds, next; size < kind->size; s = next) {
        double wider = (double)(size + kind->step) / size;
        next = s * (kind->step == 1 ? 1.618 : wider * wider);
        if (next * jobs > GB__TASK_ROUND_S) break;
        size += kind->step;
    }
    return size;
}

// What is measured and what it is called: of a built-in task with its size.
static void gb__task_name(const gb_plan *p, gb_scenario *s, char app[GB_PATH], char path[GB_PATH])
{
    int size;
    double jobs = 0;
    const gb__task_kind *kind = gb__task_kind_of(s->app, &size);
    gb__copy(app, GB_PATH, s->app);
    gb__copy(path, GB_PATH, gb__basename(s->app));
    for (size_t i = 0; i < p->thread_count; i++)
        jobs += (p->split ? 1 : p->threads[i]) * (double)(p->python_count * p->model_count);
    if (kind && !strchr(s->app, ':')) size = gb__task_size(p, kind, jobs);
    if (kind) snprintf(app, GB_PATH, "%s:%d", kind->name, size);
    if (kind) snprintf(path, GB_PATH, "%s(%d)%s", kind->name, size, p->split ? " split" : "");
    s->app = app;
    s->path = path;
}

static void gb__add_task_cells(const gb_plan *p, gb_result *r, gb_scenario s)
{
    char app[GB_PATH], path[GB_PATH];
    gb__task_name(p, &s, app, path);
    for (size_t t = 0; t < p->thread_count; t++)
        for (size_t m = 0; m < p->model_count; m++)
            for (size_t i = 0; i < r->python_count; i++) {
                gb_cell c = {.interface = GB_TASK, .workers = 1, .threads = p->threads[t],
                             .worker_model = p->models[m]};
                gb__copy(c.scenario, sizeof c.scenario, s.name);
                gb__copy(c.path, sizeof c.path, path);
                gb__copy(c.python, sizeof c.python, r->pythons[i].id);
                if (c.worker_model != GB_THREADS)
                    gb__copy(c.server, sizeof c.server, gb__worker_models[c.worker_model]);
                gb__add_cell(r, &c, app);
            }
}

// What an application is shows when it is loaded; GB_AUTO where that fails: a round will tell.
static gb_interface gb__ask_interface(const gb_plan *p, const gb_python *python, const char *app)
{
    gb_service_config config = {.python = python, .app = app, .loop = p->loop,
                                .process = p->process};
    gb__reply reply = {0};
    gb_error error;
    gb_service *service = gb__service_start(&config, p->load.stop, &error);
    if (!service) return GB_AUTO;
    gb_code code = gb__ask(service, GB__ASK_END, &reply, &error);
    gb_service_stop(service, NULL);
    return code ? GB_AUTO : reply.stats.interface;
}

// An event loop has only ever one thread, and the C handler no build: rows for more would be the
// same again. Somebody else's server may have its threads all the same.
static void gb__find_interface(const gb_plan *p, const gb_result *r, gb_scenario *s)
{
    const char *app = gb__scenario_app(r, s);
    if (!strcmp(app, "builtin:c")) s->interface = GB_C;
    bool threads = !s->threads && (p->thread_count > 1 || *p->threads > 1) && !p->peer_count;
    if (s->interface == GB_AUTO && (threads || gb__has_usual(p, s)))
        s->interface = gb__ask_interface(p, &r->pythons[0], app);
}

// How many CPUs a server has that is to have so many (0: all that the placement gives it).
static int gb__server_cpus(const gb_result *r, int some)
{
    int all = r->plan.cpus.server_cpu_count ? r->plan.cpus.server_cpu_count : r->host.cpus;
    if (r->host.cgroup_cpus >= 1 && r->host.cgroup_cpus < all) all = (int)r->host.cgroup_cpus;
    return some ? some : all > 1 ? all : 1;
}

// The usual topologies, so that each build is seen in what is best for it: '1' thread, a thread a
// 'c'PU, 'm'any threads, and a 'p'rocess a CPU, the way out of the GIL, on every build. An event
// loop has one thread: there 'c' is a worker a CPU, of the kind that suits the build. None twice.
static void gb__add_usual(const gb_plan *p, gb_result *r, const gb_scenario *s, const char *which,
                          gb_cell *like)
{
    const int cpus = gb__server_cpus(r, like->server_cpus), many = 64;
    const bool loop = s->interface == GB_ASGI;
    for (; *which; which++) {
        bool processes = *which == 'p' || (*which == 'c' && loop);
        like->workers = !processes ? 1 : cpus < GB_MAX_WORKERS ? cpus : GB_MAX_WORKERS;
        like->threads = *which == 'm' ? many : *which == 'c' && !loop ? cpus : 1;
        like->worker_model = *which == 'p' && !p->worker_model ? GB_PROCESSES : p->worker_model;
        if (loop && (*which == 'm' || *which == 'p')) continue;
        if (*which == 'm' ? cpus == many : *which != '1' && cpus == 1) continue;
        gb__add_cells(p, r, s, like);
    }
}

static void gb__add_listed(const gb_plan *p, gb_result *r, const gb_scenario *s, gb_cell *like)
{
    int threads = s->interface == GB_ASGI ? 1 : s->threads;
    for (size_t w = 0; w < (s->workers ? 1 : p->worker_count); w++)
        for (size_t t = 0; t < (threads ? 1 : p->thread_count); t++) {
            like->workers = s->workers ? s->workers : p->workers[w];
            like->threads = threads ? threads : p->threads[t];
            gb__add_cells(p, r, s, like);
        }
}

static void gb__add_scenario(const gb_plan *p, gb_result *r, const gb_scenario *s,
                             const char *usual)
{
    for (size_t c = 0; c < (s->connections ? 1 : p->connection_count); c++)
        for (size_t k = 0; k < p->server_cpus_count; k++) {
            gb_cell like = {.interface = s->interface, .worker_model = p->worker_model,
                            .connections = s->connections ? s->connections : p->connections[c],
                            .server_cpus = p->server_cpus[k], .rate = p->load.rate};
            gb__copy(like.scenario, sizeof like.scenario, s->name);
            gb__copy(like.path, sizeof like.path, s->path);
            if (gb__has_usual(p, s)) gb__add_usual(p, r, s, usual, &like);
            else gb__add_listed(p, r, s, &like);
        }
}

// The default comparison, in the order in which newcomers ask: what the lock costs and gains, what
// threads do, what a service that waits does. There is time for what comes first; what waits with
// few threads takes longest.
static const struct {
    const char *scenario, *usual;
} gb__default[] = {{"wsgi-page", "1cmp"}, {"wsgi-query", "mp"}, {"asgi-page", "1"},
                   {"wsgi-io", "m"},      {"asgi-page", "c"},   {"wsgi-json", "1cm"},
                   {"asgi-io", "1"},      {"asgi-json", "1"},   {"wsgi-query", "c1"}};

static gb_code gb__open_cell(const gb_plan *p, gb_cell *c, gb_error *error)
{
    c->latency = c->uncorrected = (gb_histogram){0};
    c->rounds = calloc((size_t)p->rounds, sizeof *c->rounds);
    c->round_count = 0;
    if (!c->rounds) return gb__fail_memory(error);
    gb_code code = gb_histogram_init(&c->latency, 3, error);
    return code ? code : gb_histogram_init(&c->uncorrected, 3, error);
}

static void gb__close_cell(gb_cell *c)
{
    free(c->rounds);
    free(c->noted_rounds);
    gb_histogram_free(&c->latency);
    gb_histogram_free(&c->uncorrected);
}

static gb_code gb__plan_cells(gb_plan *p, gb_result *r, gb_error *error)
{
    // Lists are short, but five of them multiply. The usual topologies are four; there is room for
    // the best of each build.
    size_t most = p->scenario_count * p->connection_count * p->server_cpus_count *
                  (p->thread_count * p->worker_count + 4) *
                  (p->python_count * (p->model_count + p->peer_count) + 2);
    r->cells = calloc(most ? most : 1, sizeof *r->cells);
    r->pythons = calloc(p->python_count + 1, sizeof *r->pythons);
    if (!r->cells || !r->pythons) return gb__fail_memory(error);
    memcpy(r->pythons, p->pythons, p->python_count * sizeof *r->pythons);
    r->python_count = p->python_count;
    gb__find_environments(p, r);
    for (size_t i = 0; i < r->python_count; i++) gb__read_packages(&r->pythons[i]);
    for (size_t i = 0; i < p->scenario_count; i++) {
        gb_scenario s = p->scenarios[i];
        if (!gb__scenario_app(r, &s))
            return gb__fail(error, GB_APP, "%s needs %s and an environment with %s for each build: "
                            "call it from gilbench's directory, after `make venvs`", s.name, s.app,
                            s.package);
        if (s.interface == GB_TASK) {
            gb__add_task_cells(p, r, s);
            continue;
        }
        gb__find_interface(p, r, &s);
        if (gb__is_default(p) && gb__has_usual(p, &s)) continue;
        gb__add_scenario(p, r, &s, "1cmp");
    }
    for (size_t i = 0; i < sizeof gb__default / sizeof *gb__default && gb__is_default(p); i++)
        for (const gb_scenario *s = p->scenarios; s->name; s++)
            if (gb__has_usual(p, s) && !strcmp(s->name, gb__default[i].scenario))
                gb__add_scenario(p, r, s, gb__default[i].usual);
    if (r->cell_count > GB__MAX_CELLS)
        return gb__fail(error, GB_USAGE, "%zu rows: give fewer scenarios or shorter lists, %d rows "
                        "at most", r->cell_count, GB__MAX_CELLS);
    for (size_t i = 0; i < r->cell_count; i++) {
        gb_code code = gb__open_cell(p, &r->cells[i], error);
        if (code) return code;
        for (size_t j = 0; j < i; j++)
            if (!strcmp(r->cells[i].id, r->cells[j].id))
                return gb__fail(error, GB_USAGE, "%s would be measured twice: a build, a scenario "
                                "or a number is given twice", r->cells[i].id);
    }
    return GB_OK;
}

static gb_code gb__check_peers(const gb_plan *p, gb_error *error)
{
    char name[64], other[64];
    for (size_t i = 0; i < p->peer_count; i++) {
        gb_code code = gb__peer_name(&p->peers[i], name, sizeof name, error);
        for (size_t j = 0; j < i && !code; j++) {
            gb__peer_name(&p->peers[j], other, sizeof other, NULL);
            if (!strcmp(name, other))
                code = gb__fail(error, GB_USAGE, "two servers are called %s; begin a command with "
                                "name=TEXT, to call it otherwise", name);
        }
        if (code) return code;
    }
    return GB_OK;
}

static gb_code gb__plan_check(const gb_plan *p, gb_error *error)
{
    if (!p->python_count) return gb__fail(error, GB_NO_PYTHON, "no interpreter to measure");
    for (size_t i = 0; i < p->python_count; i++)
        if (!p->pythons[i].usable)
            return gb__fail(error, GB_NO_PYTHON, "%s: %s", p->pythons[i].id,
                            p->pythons[i].problem);
    for (size_t i = 0; i < p->thread_count; i++)
        if (p->threads[i] < 1 || p->threads[i] > 4096)
            return gb__fail(error, GB_USAGE, "%d threads: from 1 to 4096 can serve", p->threads[i]);
    for (size_t i = 0; i < p->worker_count; i++)
        if (p->workers[i] < 1 || p->workers[i] > GB_MAX_WORKERS)
            return gb__fail(error, GB_USAGE, "%d workers: from 1 to %d can serve", p->workers[i],
                            GB_MAX_WORKERS);
    if (p->rounds < 0 || p->rounds > 10000)
        return gb__fail(error, GB_USAGE, "%d rounds: from 1 to 10000 make sense", p->rounds);
    if (p->precision < 0 || p->precision >= 1)
        return gb__fail(error, GB_USAGE, "a precision of %g: give 0.02 for 2 %%", p->precision);
    return gb__check_peers(p, error);
}

static const gb_python *gb__find_python(const gb_result *r, const char *id)
{
    for (size_t i = 0; i < r->python_count; i++)
        if (!strcmp(r->pythons[i].id, id)) return &r->pythons[i];
    return NULL;
}

// ================================================================================================
// >>verdict
// What the rounds say: medians, and ratios that are taken within a round, where the two sides stood
// closest together, and summarised over rounds. Pure.

// Whole percents are what repeated runs of the same thing differ by: a difference needs the
// interval to be clear of 1 by this much (criterion.rs calls it the noise threshold), and "no
// difference" needs it to be within.
#define GB__NOISE_THRESHOLD 0.01

#define GB__FEWEST_ROUNDS 6   // with less there is no interval of 95 %
// With less, an interval may be narrow by chance. To look after each round whether it is narrow
// makes it miss in 3 to 9 instead of 5 of 100 cases (simulated: normal and contaminated ratios with
// deviations of 1.5 to 5 %, up to 60 rounds); with the noise threshold 0 to 2 verdicts are wrong.
#define GB__ENOUGH_ROUNDS 10

// A figure of each round: where it is, whether less of it is better, and how each gb_verdict on it
// is said.
typedef struct gb__metric {
    const char *name, *title;
    size_t offset;  // of the double in gb_round
    bool less_is_better;
    const char *words[4];
} gb__metric;

#define GB__METRIC(name, title, place, less, better, worse)                                        \
    {name, title, offsetof(gb_round, place), less, {"no difference", better, worse, "unclear"}}

// By gb_metric; cells are compared by those up to GB_MEMORY.
static const gb__metric gb__metrics[GB_METRIC_COUNT] = {
    GB__METRIC("rps", "req/s", rps, false, "faster", "slower"),
    GB__METRIC("latency_ms.p50", "p50", latency_ms.p50, true, "faster", "slower"),
    GB__METRIC("latency_ms.p99", "p99", latency_ms.p99, true, "faster", "slower"),
    GB__METRIC("memory_mb.service", "memory", memory_mb.service, true, "less", "more"),
    GB__METRIC("latency_ms.mean", "mean", latency_ms.mean, true, "faster", "slower"),
    GB__METRIC("memory_mb.rss_peak", "peak RSS", memory_mb.rss_peak, true, "less", "more"),
    GB__METRIC("memory_mb.pss", "PSS", memory_mb.pss, true, "less", "more")};

static double gb__round_figure(const gb_round *r, size_t offset)
{
    double figure;
    memcpy(&figure, (const char *)r + offset, sizeof figure);
    return figure;
}

// The figure at `offset` of each round that has a measurement; NULL without memory. The caller
// frees it.
static double *gb__figures(const gb_cell *c, size_t offset, size_t *n)
{
    double *values = calloc(c->round_count + 1, sizeof *values);
    *n = 0;
    for (size_t i = 0; values && i < c->round_count; i++)
        if (!*c->rounds[i].problem) values[(*n)++] = gb__round_figure(&c->rounds[i], offset);
    return values;
}

// NAN where there is no measurement.
static double gb__median_at(const gb_cell *c, size_t offset)
{
    size_t n;
    double *values = gb__figures(c, offset, &n);
    double median = n ? gb__median(values, n) : (double)NAN;
    free(values);
    return median;
}

// A round that is more than 3.5 robust standard deviations from the median (B. Iglewicz and
// D. Hoaglin, How to Detect and Handle Outliers, 1993), and more than the few percent that nobody
// would ask about. It is shown, and counts: a median and the interval of it bear with it.
static void gb__mark_outliers(gb_cell *c)
{
    size_t n;
    double *off = gb__figures(c, offsetof(gb_round, rps), &n), median = gb__median(off, n);
    for (size_t i = 0; i < n; i++) off[i] = fabs(off[i] - median);
    double spread = 1.4826 * gb__median(off, n);
    free(off);
    for (size_t i = 0; i < c->round_count; i++) {
        double distance = fabs(c->rounds[i].rps - median);
        c->rounds[i].outlier = n >= GB__FEWEST_ROUNDS && !*c->rounds[i].problem &&
                               distance > 3.5 * spread && distance > 0.1 * median;
    }
}

static void gb__summarise_cell(gb_cell *c, uint64_t seed)
{
    for (size_t i = 0, n; i < GB_METRIC_COUNT; i++) {
        double *values = gb__figures(c, gb__metrics[i].offset, &n);
        c->summary[i] = n ? gb_median_ci(values, n, seed) : (gb_interval){NAN, NAN, NAN};
        free(values);
    }
    gb__mark_outliers(c);
}

// What every topology has to cope with alike.
static bool gb__same_load(const gb_cell *a, const gb_cell *b)
{
    return a->connections == b->connections && a->server_cpus == b->server_cpus;
}

static bool gb__same_topology(const gb_cell *a, const gb_cell *b)
{
    return a->workers == b->workers && a->threads == b->threads && gb__same_load(a, b);
}

static gb_verdict gb__judge(const gb__metric *metric, gb_interval ratio)
{
    const double lo = 1 - GB__NOISE_THRESHOLD, hi = 1 + GB__NOISE_THRESHOLD;
    if (ratio.lo > hi) return metric->less_is_better ? GB_SLOWER : GB_FASTER;
    if (ratio.hi < lo) return metric->less_is_better ? GB_FASTER : GB_SLOWER;
    return ratio.lo >= lo && ratio.hi <= hi ? GB_NO_DIFFERENCE : GB_UNCLEAR;
}

// An interval's half gets narrower with the root of the rounds. It has to leave room for itself
// between the difference and the threshold in four of five cases, which takes 1.4 halves.
GB_API int gb_rounds_needed(const gb_comparison *c, double difference)
{
    double half = 0.7 * (c->ratio.hi - c->ratio.lo) / c->ratio.median;
    double room = difference - GB__NOISE_THRESHOLD;
    if (c->rounds < 2 || room <= 0 || !(c->ratio.median > 0)) return 0;
    double rounds = c->rounds * (half / room) * (half / room) + 0.999;
    if (!(rounds <= 10000)) return 0;  // nobody has that time
    return rounds > GB__FEWEST_ROUNDS ? (int)rounds : GB__FEWEST_ROUNDS;
}

// The modules that brought the GIL of a free-threaded build back; NULL: none did.
static const char *gb__gil_is_back(const gb_result *r, const gb_cell *c)
{
    const gb_python *python = gb__find_python(r, c->python);
    if (!python || !python->free_threaded || python->gil >= 0) return NULL;
    for (size_t i = 0; i < c->round_count; i++) {
        const char *modules = c->rounds[i].gil.reenabled_by;
        if (c->rounds[i].gil.enabled_after_load > 0) return *modules ? modules : "an extension";
    }
    return NULL;
}

// Answers came too rarely for most of its windows.
static bool gb__is_coarse(const gb_cell *c)
{
    size_t coarse = 0, measured = 0;
    for (size_t i = 0; i < c->round_count; i++) {
        if (*c->rounds[i].problem) continue;
        measured++;
        coarse += c->rounds[i].coarse;
    }
    return 2 * coarse > measured;
}

// What two cells have in the same round, of a figure of gb_round.
typedef double gb__of_both(const gb_round *a, const gb_round *b, size_t offset);

static double gb__times(const gb_round *a, const gb_round *b, size_t offset)
{
    return gb__round_figure(b, offset) / gb__round_figure(a, offset);
}

// Of that, where both have a measurement, median and interval; *n (if not NULL) rounds have it.
static gb_interval gb__paired(const gb_result *r, const gb_cell *a, const gb_cell *b,
                              gb__of_both *of, size_t offset, size_t *n)
{
    double *values = calloc(a->round_count + 1, sizeof *values);
    gb_interval interval = {NAN, NAN, NAN};
    size_t count = 0;
    for (size_t i = 0; values && i < a->round_count && i < b->round_count; i++) {
        double value = of(&a->rounds[i], &b->rounds[i], offset);
        if (!*a->rounds[i].problem && !*b->rounds[i].problem && isfinite(value))
            values[count++] = value;
    }
    if (count) interval = gb_median_ci(values, count, r->plan.seed);
    if (n) *n = count;
    free(values);
    return interval;
}

// What the candidate's `ratio` to the baseline, from n rounds, means.
static gb_comparison gb__verdict_on(const gb_result *r, const gb_cell *baseline,
                                    const gb_cell *candidate, gb_metric m, gb_interval ratio,
                                    size_t n)
{
    gb_comparison c = {.metric = gb__metrics[m].name, .ratio = ratio, .rounds = (int)n};
    c.gil_back = gb__gil_is_back(r, baseline) || gb__gil_is_back(r, candidate);
    bool coarse = m == GB_RPS && (gb__is_coarse(baseline) || gb__is_coarse(candidate));
    bool judged = n >= GB__FEWEST_ROUNDS && !c.gil_back && !coarse;
    c.verdict = judged ? gb__judge(&gb__metrics[m], ratio) : GB_UNCLEAR;
    gb__copy(c.scenario, sizeof c.scenario, candidate->scenario);
    gb__copy(c.baseline, sizeof c.baseline, baseline->id);
    gb__copy(c.candidate, sizeof c.candidate, candidate->id);
    return c;
}

// Of their paired rounds; `rounds` is 0 where no round has both.
static gb_comparison gb__compare_cells(const gb_result *r, const gb_cell *baseline,
                                       const gb_cell *candidate, gb_metric m)
{
    size_t n;
    gb_interval ratio =
        gb__paired(r, baseline, candidate, gb__times, gb__metrics[m].offset, &n);
    return gb__verdict_on(r, baseline, candidate, m, ratio, n);
}

static gb_code gb__add_comparison(gb_result *r, const gb_comparison *c, gb_error *error)
{
    gb_comparison *grown = realloc(r->comparisons, (r->comparison_count + 1) * sizeof *grown);
    if (!grown) return gb__fail_memory(error);
    r->comparisons = grown;
    grown[r->comparison_count++] = *c;
    return GB_OK;
}

// What one cell may be held against: the first build in the same topology; the same build with
// fewer threads, or on fewer CPUs, which shows what those do to Python, and to the control, which
// has no lock; and somebody else's server on the same build in the same topology.
enum { GB__AGAINST_BUILD, GB__AGAINST_THREADS, GB__AGAINST_CPUS, GB__AGAINST_SERVER };

static bool gb__is_against(const gb_cell *baseline, const gb_cell *c, int what)
{
    bool python = !strcmp(baseline->python, c->python);
    bool server = !strcmp(baseline->server, c->server);
    if (strcmp(baseline->scenario, c->scenario) || strcmp(baseline->source, c->source) ||
        baseline->best != c->best)
        return false;
    // Each build's best topology, whichever it is.
    if (c->best) return what == GB__AGAINST_BUILD && !python && gb__same_load(baseline, c);
    if (what == GB__AGAINST_BUILD)
        return !python && server && !gb__cell_is_control(c) && !gb__cell_is_control(baseline) &&
               gb__same_topology(baseline, c);
    if (what == GB__AGAINST_SERVER)
        return python && !server && !*c->server && gb__same_topology(baseline, c);
    bool threads = what == GB__AGAINST_THREADS;
    return python && server && baseline->workers == c->workers &&
           baseline->worker_model == c->worker_model &&
           baseline->connections == c->connections &&
           (threads ? baseline->threads < c->threads : baseline->threads == c->threads) &&
           (threads ? baseline->server_cpus == c->server_cpus
                    : baseline->server_cpus && baseline->server_cpus < c->server_cpus);
}

static const gb_cell *gb__baseline(const gb_result *r, const gb_cell *c, int what)
{
    const gb_cell *best = NULL;
    for (size_t i = 0; i < r->cell_count; i++) {
        const gb_cell *b = &r->cells[i];
        bool any = what != GB__AGAINST_BUILD || b < c;
        if (any && gb__is_against(b, c, what) &&
            (!best || b->threads < best->threads || b->server_cpus < best->server_cpus))
            best = b;
    }
    return best;
}

// Is this what it is held against? Of several servers each is.
static bool gb__is_baseline(const gb_result *r, const gb_cell *baseline, const gb_cell *c, int what)
{
    return gb__is_against(baseline, c, what) &&
           (what == GB__AGAINST_SERVER || baseline == gb__baseline(r, c, what));
}

// Is the candidate's ratio known well enough? That of req/s, or, where a rate fixes those, of
// latencies.
static bool gb__is_known(const gb_plan *p, const gb_result *r, const gb_cell *baseline,
                         const gb_cell *c)
{
    const gb_metric first = c->rate > 0 ? GB_LATENCY_P50 : GB_RPS;
    const gb_metric last = c->rate > 0 ? GB_LATENCY_P99 : GB_RPS;
    for (gb_metric m = first; m <= last; m++) {
        gb_interval ratio = gb__compare_cells(r, baseline, c, m).ratio;
        double allowed = p->precision * ratio.median;
        if (ratio.hi - ratio.median > allowed || ratio.median - ratio.lo > allowed) return false;
    }
    return true;
}

// Of the cells from `first` on, to the first build and to somebody else's server.
static bool gb__is_precise(const gb_plan *p, const gb_result *r, size_t first)
{
    const gb_cell *from = r->cells + first, *end = r->cells + r->cell_count;
    for (const gb_cell *c = from; c < end; c++)
        for (const gb_cell *b = from; b < end; b++)
            if ((gb__is_baseline(r, b, c, GB__AGAINST_BUILD) ||
                 gb__is_baseline(r, b, c, GB__AGAINST_SERVER)) && !gb__is_known(p, r, b, c))
                return false;
    return true;
}

// Are these of those among which a build's best topology is looked for?
static bool gb__are_rivals(const gb_cell *a, const gb_cell *b)
{
    return !strcmp(a->scenario, b->scenario) && gb__same_load(a, b) && !a->best && !b->best &&
           !*a->server && !*b->server && *a->python && *b->python;
}

// One that failed now and then is nobody's best, whatever it reached.
static bool gb__can_win(const gb_result *r, const gb_cell *c)
{
    for (size_t i = 0; i < c->round_count; i++)
        if (*c->rounds[i].problem || gb_load_error_count(&c->rounds[i].errors)) return false;
    return c->round_count && !gb__gil_is_back(r, c) && !gb__is_coarse(c);
}

// A build's best among the rivals of this cell, of equals the first; NULL: there is none.
static const gb_cell *gb__winner(const gb_result *r, const gb_cell *rival, const char *python)
{
    const gb_cell *best = NULL;
    double most = 0;
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++) {
        if (strcmp(c->python, python) || !gb__are_rivals(c, rival) || !gb__can_win(r, c)) continue;
        double value = c->rate > 0 ? -gb__median_at(c, offsetof(gb_round, latency_ms.p99))
                                   : gb__median_at(c, offsetof(gb_round, rps));
        if (!best || value > most) best = c, most = value;
    }
    return best;
}

// Is this the first of rivals that differ in topology?
static bool gb__opens_contest(const gb_result *r, const gb_cell *first)
{
    bool differ = false;
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++) {
        if (!gb__are_rivals(first, c)) continue;
        if (c < first) return false;
        differ |= !gb__same_topology(first, c);
    }
    return differ;
}

static gb_code gb__compare_pair(gb_result *r, const gb_cell *baseline, const gb_cell *candidate,
                                gb_error *error)
{
    gb_code code = GB_OK;
    for (gb_metric m = GB_RPS; m <= GB_MEMORY && !code; m++) {
        gb_comparison c = gb__compare_cells(r, baseline, candidate, m);
        if (c.rounds) code = gb__add_comparison(r, &c, error);
    }
    return code;
}

static gb_code gb__add_comparisons(gb_result *r, gb_error *error)
{
    gb_code code = GB_OK;
    for (size_t i = 0; i < r->cell_count; i++) gb__summarise_cell(&r->cells[i], r->plan.seed);
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++)
        for (int what = GB__AGAINST_BUILD; what <= GB__AGAINST_SERVER; what++)
            for (const gb_cell *b = r->cells; b < r->cells + r->cell_count && !code; b++)
                if (gb__is_baseline(r, b, c, what)) code = gb__compare_pair(r, b, c, error);
    return code;
}

// ---- where a request's time went ----------------------------------------------------------------

static const struct {
    size_t offset;
    const char *words;
} gb__phases[GB__PHASE_READY] = {
    {offsetof(gb_round, anatomy_us.read.mean), "reading it"},
    {offsetof(gb_round, anatomy_us.attach_wait.mean), "waiting for the GIL"},
    {offsetof(gb_round, anatomy_us.lock_wait.mean), "waiting for locks"},
    {offsetof(gb_round, anatomy_us.world_wait.mean), "waiting for a stopped world"},
    {offsetof(gb_round, anatomy_us.app.mean), "the application"},
    {offsetof(gb_round, anatomy_us.off_cpu.mean), "the application, off the CPU"},
    {offsetof(gb_round, anatomy_us.write.mean), "writing the answer"}};

// Whether a figure, by its offset, can be seen of a cell: waits only where the interpreter can be
// watched; the first for the GIL elsewhere, too, but not within an event loop.
static bool gb__is_seen(const gb_cell *c, size_t offset)
{
    const size_t gil = offsetof(gb_round, anatomy_us.attach_wait), phase = sizeof(gb_phase);
    const size_t others = offsetof(gb_round, anatomy_us.lock_wait);
    bool of_gil = offset - gil < phase, all = false;
    if (c->interface == GB_TASK && offset == offsetof(gb_round, other_cores))
        return gb__median_at(c, offsetof(gb_round, cpu.server_cores)) > 0;
    if (!of_gil && offset - others >= 3 * phase) return true;
    for (size_t i = 0; i < c->round_count; i++) all |= c->rounds[i].all_waits;
    return (all && c->interface != GB_TASK) || (of_gil && c->interface == GB_WSGI && !*c->server);
}

// The phases of a request that was taken up, in us, and all of it; 0 where nothing is known.
static double gb__anatomy(const gb_cell *c, double us[GB__PHASE_READY])
{
    double all = 0;
    for (int i = 0; i < GB__PHASE_READY; i++) {
        bool seen = gb__is_seen(c, gb__phases[i].offset);
        us[i] = seen ? gb__median_at(c, gb__phases[i].offset) : 0;
        if (!(us[i] > 0)) us[i] = 0;
        if (i != GB__PHASE_OFF) all += us[i];
    }
    if (us[GB__PHASE_OFF] > us[GB__PHASE_APP]) us[GB__PHASE_OFF] = us[GB__PHASE_APP];
    us[GB__PHASE_APP] -= us[GB__PHASE_OFF];
    return isfinite(all) ? all : 0;
}

// ================================================================================================
// >>fairness
// What could make a comparison unfair, as warnings: the machine, the builds, the cells, and what
// others did meanwhile.

GB__PRINTF(2, 3) static void gb__warn(gb_result *r, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t n = strlen(text); n && text[n - 1] == '.'; n--) text[n - 1] = 0;
    for (size_t i = 0; i < r->warning_count; i++)
        if (!strcmp(r->warnings[i], text)) return;
    char(*grown)[512] = gb__with_room(r->warnings, r->warning_count, sizeof *grown);
    if (!grown) return;
    r->warnings = grown;
    memcpy(grown[r->warning_count++], text, sizeof text);
}

// The first item of a list that others lack; false: there is none. Of configure arguments, what
// must or may differ between the two builds of a pair doesn't count.
static bool gb__odd_item(const char *list, const char *others, char separator, gb_slice *item)
{
    gb_slice rest = gb__slice(list), other;
    while (rest.len) {
        gb__split(rest, separator, item, &rest);
        *item = gb__slice_trim(*item);
        bool same = !item->len || memmem(item->data, item->len, "--disable-gil", 13) ||
                    memmem(item->data, item->len, "prefix=", 7);
        for (gb_slice all = gb__slice(others); all.len && !same;) {
            gb__split(all, separator, &other, &all);
            other = gb__slice_trim(other);
            same = other.len == item->len && !memcmp(other.data, item->data, other.len);
        }
        if (!same) return true;
    }
    return false;
}

static bool gb__same_args(const gb_python *a, const gb_python *b)
{
    gb_slice odd;
    return !gb__odd_item(a->configure_args, b->configure_args, ' ', &odd) &&
           !gb__odd_item(b->configure_args, a->configure_args, ' ', &odd);
}

static void gb__warn_packages(gb_result *r, const gb_python *a, const gb_python *b,
                              const char *b_name)
{
    gb_slice package;
    bool in_a = gb__odd_item(a->packages, b->packages, ',', &package);
    if (!in_a && !gb__odd_item(b->packages, a->packages, ',', &package)) return;
    gb__warn(r, "%s and %s have not the same packages: %.*s is in %s, but not in %s", a->id, b_name,
             (int)package.len, package.data, in_a ? a->id : b_name, in_a ? b_name : a->id);
}

static void gb__warn_builds(gb_result *r)
{
    const gb_python *a = r->pythons;
    for (size_t i = 0; i < r->python_count; i++) {
        const gb_python *b = &r->pythons[i];
        if (b->debug) gb__warn(r, "%s is a debug build", b->id);
        if (strcmp(a->version, b->version))
            gb__warn(r, "%s and %s are different versions", a->id, b->id);
        if (strcmp(a->optimized, b->optimized))
            gb__warn(r, "%s was compiled with %s, %s with %s", a->id, a->optimized, b->id,
                     b->optimized);
        else if (strcmp(a->compiler, b->compiler) || !gb__same_args(a, b))
            gb__warn(r, "%s and %s have different compilers or configure arguments", a->id, b->id);
        gb__warn_packages(r, a, b, b->id);
    }
}

static void gb__warn_fallbacks(const gb_plan *p, gb_result *r)
{
    for (size_t i = 0; i < p->scenario_count; i++) {
        const gb_scenario *s = &p->scenarios[i];
        const char *app = gb__scenario_app(r, s);
        if (!strcmp(app, s->app)) continue;
        if (!gb__all_have(r, s->package))
            gb__warn(r, "%s was measured with %s instead of %s: not every build has an environment "
                     "with %s (make venvs)", s->name, app, s->app, s->package);
        else
            gb__warn(r, "%s was measured with %s instead of %s, which is not below this directory: "
                     "call it from gilbench's", s->name, app, s->app);
    }
}

// Are its req/s what they look like?
static void gb__warn_rate(gb_result *r, const gb_cell *c)
{
    gb__small a, b;
    gb_interval rps = c->summary[GB_RPS];
    size_t n, drifting = 0;
    double *drifts = gb__figures(c, offsetof(gb_round, drift), &n);
    for (size_t i = 0; drifts && i < n; i++)
        if (drifts[i] > 0) drifts[drifting++] = drifts[i];
    gb_interval drift = {1, 1, 1};
    if (drifts && drifting) drift = gb_median_ci(drifts, drifting, 1);
    free(drifts);
    bool faster = drift.median > 1.05 && drift.lo > 1.01;
    if (faster || (drift.median < 0.95 && drift.hi < 0.99))
        gb__warn(r, "%s: still getting %s: the second half of its windows had %.0f %% %s req/s "
                 "than the first; try a longer --warmup", c->id, faster ? "faster" : "slower",
                 100 * fabs(drift.median - 1), faster ? "more" : "fewer");
    if (gb__is_coarse(c))
        gb__warn(r, "%s: too few answers to know req/s, which get no verdict; try a longer "
                 "--duration", c->id);
    if (rps.hi - rps.lo > 0.3 * rps.median)
        gb__warn(r, "%s: its rounds are far apart: %s/s are known from %s to %s only", c->id,
                 c->interface == GB_TASK ? "jobs" : "req", gb__number(a, rps.lo),
                 gb__number(b, rps.hi));
    if (c->rate > 0 && rps.median < 0.98 * c->rate)
        gb__warn(r, "%s: %s of %s req/s were answered: its latencies are those of a queue that "
                 "grows", c->id, gb__number(a, rps.median), gb__number(b, c->rate));
}

static const gb_round *gb__first_round(const gb_cell *c)
{
    for (size_t i = 0; i < c->round_count; i++)
        if (!*c->rounds[i].problem) return &c->rounds[i];
    return NULL;
}

// Do both answer alike? A status always tells. A size may vary from answer to answer: it tells
// where one of them is larger by 5 % in more than three of four rounds.
static void gb__warn_difference(gb_result *r, const gb_cell *a, const gb_cell *b)
{
    size_t n = 0, larger = 0, smaller = 0;
    const gb_answer *x = NULL, *y = NULL;
    for (size_t i = 0; i < a->round_count && i < b->round_count; i++) {
        const gb_answer *p = &a->rounds[i].first_answer, *q = &b->rounds[i].first_answer;
        if (!p->status || !q->status) continue;
        bool more = (double)q->size > 1.05 * (double)p->size;
        bool less = (double)p->size > 1.05 * (double)q->size;
        if (!x || p->status != q->status || (x->status == y->status && (more || less)))
            x = p, y = q;
        larger += more;
        smaller += less;
        n++;
    }
    if (!n || (x->status == y->status && 4 * larger <= 3 * n && 4 * smaller <= 3 * n)) return;
    char before[GB__VARIANT], after[GB__VARIANT];
    gb__variant(a, "", before, sizeof before);
    gb__variant(b, "", after, sizeof after);
    gb__warn(r, "%.150s: %s answered %d with %llu bytes, %s %d with %llu: is that the same work?",
             b->path, before, x->status, (unsigned long long)x->size, after, y->status,
             (unsigned long long)y->size);
}

// Are its answers those that were meant?
static void gb__warn_answers(gb_result *r, const gb_cell *c)
{
    uint64_t unanswered = 0, redirects = 0, errors = 0;
    const char *redirect = "", *example = "";
    for (const gb_round *round = c->rounds; round < c->rounds + c->round_count; round++) {
        unanswered += round->unanswered;
        redirects += round->statuses[3];
        if (!*round->problem) errors += gb_load_error_count(&round->errors);
        if (!*redirect) redirect = round->redirect;
        if (!*example) example = round->first_error;
    }
    if (redirects)
        gb__warn(r, "%s: %llu %s to \"%.200s\": is that the page you mean?", c->id,
                 (unsigned long long)redirects,
                 redirects == 1 ? "answer was a redirect," : "answers were redirects, the first",
                 redirect);
    if (unanswered)
        gb__warn(r, "%s: %llu request%s had no answer a while after its windows: that time counts "
                 "as latency", c->id, (unsigned long long)unanswered, &"s"[unanswered == 1]);
    if (errors)
        gb__warn(r, "%s: %llu request%s failed%s%.150s", c->id, (unsigned long long)errors,
                 &"s"[errors == 1], *example ? errors == 1 ? ": " : ", for example " : "", example);
    const gb_cell *baseline = gb__baseline(r, c, GB__AGAINST_BUILD);
    if (baseline) gb__warn_difference(r, baseline, c);
}

static void gb__warn_cell(gb_result *r, const gb_cell *c)
{
    const char *modules = gb__gil_is_back(r, c);
    double share = 0, median = c->summary[GB_RPS].median, farthest = median;
    size_t unsettled = 0, outliers = 0, late = 0;
    gb__small a, b;
    char variant[GB__VARIANT];
    gb__variant(c, "", variant, sizeof variant);
    for (const gb_round *round = c->rounds; round < c->rounds + c->round_count; round++) {
        unsettled += round->unsettled;
        outliers += round->outlier;
        late += round->ended_late;
        if (fabs(round->rps - median) > fabs(farthest - median)) farthest = round->rps;
        if (round->cpu.client_share > share) share = round->cpu.client_share;
        if (*round->problem) gb__warn(r, "%s: %s", c->id, round->problem);
    }
    if (modules)
        gb__warn(r, "%s: the GIL came back (%s does not declare that it runs without): its rows "
                 "say nothing about free-threading", variant, modules);
    if (outliers)
        gb__warn(r, "%s: %zu of %zu rounds %s far from the median of %s %s/s, the farthest with "
                 "%s (%s)", c->id, outliers, c->round_count, outliers == 1 ? "is" : "are",
                 gb__number(a, median), c->interface == GB_TASK ? "jobs" : "req",
                 gb__number(b, farthest),
                 outliers == 1 ? "it counts" : "they count");
    gb__warn_rate(r, c);
    gb__warn_answers(r, c);
    if (unsettled)
        gb__warn(r, "%s: the rate had not settled when %zu of %zu windows began; try a longer "
                 "--warmup", c->id, unsettled, c->round_count);
    if (late)
        gb__warn(r, "%s: after %zu of %zu rounds the application did not end within a second (a "
                 "thread that is no daemon, a slow atexit?); what was measured counts", c->id, late,
                 c->round_count);
    if (share > 0.9)
        gb__warn(r, "%s: the client used %.0f %% of its CPU, so it may be the limit; try more "
                 "client threads", c->id, share * 100);
}

static void gb__warn_host(gb_result *r)
{
    const gb_host *h = &r->host;
    gb_host now;
    gb_host_read(&now);
    int shared = gb__is_parted(&r->plan.cpus) ? 0 : r->plan.cpus.server_cpu_count;
    if (shared) gb__warn(r, "server and client share %d CPU%s", shared, shared == 1 ? "" : "s");
    if (h->threads_per_core > 1)
        gb__warn(r, "%d CPUs share a core (SMT): two threads may have half of it each",
                 h->threads_per_core);
    if (h->load_1min > 0.25 * h->cpus + 0.25)
        gb__warn(r, "the machine was busy when this began: load average %.2f", h->load_1min);
    if (h->cgroup_cpus > 0 && h->cgroup_cpus < h->cpus)
        gb__warn(r, "the container may use %.2f of %d CPUs: no more are used", h->cgroup_cpus,
                 h->cpus);
    if (*h->governor && strcmp(h->governor, "performance"))
        gb__warn(r, "the CPU frequency governor is \"%s\"", h->governor);
    if (h->turbo == 1) gb__warn(r, "the CPU's turbo is on: its frequency goes with the load");
    if (now.swapped_pages > h->swapped_pages)
        gb__warn(r, "the machine swapped: %llu pages went in or out",
                 (unsigned long long)(now.swapped_pages - h->swapped_pages));
}

// CPUs that others used while it was measured, and the share of all that a hypervisor took.
static double gb__disturbance(const gb_result *r, double *steal)
{
    double other = 0, seconds = 0;
    *steal = 0;
    for (size_t i = 0; i < r->cell_count; i++)
        for (size_t j = 0; j < r->cells[i].round_count; j++) {
            const gb_round *round = &r->cells[i].rounds[j];
            *steal += round->steal_ms / 1e3;
            other += round->other_cores * round->seconds;
            seconds += round->seconds;
        }
    *steal = seconds > 0 && r->host.cpus ? *steal / seconds / r->host.cpus : 0;
    return seconds > 0 ? other / seconds : 0;
}

static void gb__warn_disturbance(gb_result *r)
{
    double steal, other = gb__disturbance(r, &steal);
    if (steal > 0.02) gb__warn(r, "the hypervisor took %.1f %% of the CPU time", 100 * steal);
    if (other > 0.05)
        gb__warn(r, "other processes used %.2f of %d CPUs during the measurements", other,
                 r->host.cpus);
}

static void gb__warn_rounds(gb_result *r)
{
    bool few = false;  // an interruption makes them fewer than planned
    for (size_t i = 0; i < r->cell_count; i++)
        few |= r->cells[i].round_count < GB__FEWEST_ROUNDS;
    if (few && !r->plan.waits)
        gb__warn(r, "fewer than %d rounds can't give an interval of 95 %%, so there are no "
                 "verdicts", GB__FEWEST_ROUNDS);
    if (r->interrupted) gb__warn(r, "interrupted: what is here was measured before");
}

// ================================================================================================
// >>compare
// The matrix, measured: a round is every cell once, in a shuffled order, so that a drift of the
// machine hits all of them alike. Then each build's best, the same way.

// What is going on, and for whoever watches.
typedef struct gb__watcher {
    const gb_plan *plan;
    gb_progress progress;
    uint64_t start, rng;
    size_t first;          // of the cells that are measured round by round: the matrix, or the best
    size_t done, before;   // measurements, and those before the first of these cells
    size_t winners;        // cells that will be added to the matrix
    char left_out[256];    // scenarios that lack some, for want of time
    size_t *order;         // owned
} gb__watcher;

static void gb__watch_load(void *user, const gb_load_progress *load)
{
    gb__watcher *w = user;
    w->progress.rps = load->rps;
    if (load->rps > 0) w->plan->on_progress(w->plan->user, &w->progress);
}

static gb_code gb__measure_cell(const gb_plan *p, const gb_result *r, gb_cell *c, gb_round *round,
                                const char *unshared, gb__watcher *watcher, gb_error *error)
{
    bool noting = round == c->noted_rounds;
    const gb_placement *on = &r->plan.cpus;
    if (c->interface == GB_TASK) {
        gb_task_config task = {.python = gb__find_python(r, c->python), .task = c->app,
                               .workers = c->threads, .model = c->worker_model, .split = p->split,
                               .waits = noting, .latency = noting ? NULL : &c->latency,
                               .stop = p->load.stop};
        return gb_task(&task, round, error);
    }
    gb_measure_config m = {
        .service = {.python = gb__find_python(r, c->python), .app = c->app,
                    .interface = c->interface, .loop = p->loop, .workers = c->workers,
                    .worker_model = c->worker_model, .server = {.threads = c->threads},
                    .cpus = on->server_cpus,
                    .cpu_count = c->server_cpus ? c->server_cpus : on->server_cpu_count,
                    .command = *c->command ? c->command : NULL, .waits = p->waits || noting,
                    .sharing = p->waits && c->workers * c->threads > 1,
                    .unshared = unshared, .process = p->process},
        .path = c->path,
        .load = p->load,
        .latency = noting ? NULL : &c->latency,
        .uncorrected = noting ? NULL : &c->uncorrected};
    m.load.connections = c->connections;
    m.load.cpus = on->client_cpus;
    m.load.cpu_count = on->client_cpu_count;
    m.load.on_progress = p->on_progress && watcher ? gb__watch_load : NULL;
    m.load.user = watcher;
    if (gb__cell_is_control(c)) m.load.expect = NULL;
    return gb_measure(&m, round, error);
}

// What can't be loaded once can't be loaded the next time: its other cells say so without a try.
static const char *gb__known_problem(const gb_result *r, const gb_cell *c)
{
    for (const gb_cell *other = r->cells; other < r->cells + r->cell_count; other++)
        if (other->broken && !strcmp(other->python, c->python) && !strcmp(other->app, c->app) &&
            !strcmp(other->server, c->server))
            return other->rounds[other->round_count ? other->round_count - 1 : 0].problem;
    return NULL;
}

// Measures one cell; false when the comparison was interrupted.
static bool gb__compare_step(const gb_plan *p, gb_result *r, gb_cell *c, gb__watcher *watcher,
                             gb_error *first)
{
    gb_error error = {0};
    const char *problem = gb__known_problem(r, c);
    if (problem) {
        gb_round *round = &c->rounds[c->round_count++];
        if (problem != round->problem) gb__copy(round->problem, sizeof round->problem, problem);
        return true;
    }
    gb_code code = gb__measure_cell(p, r, c, &c->rounds[c->round_count++], NULL, watcher, &error);
    if (code == GB_INTERRUPTED || gb__flag_is_set(p->load.stop)) {
        c->round_count--;  // a window cut short is no measurement
        return false;
    }
    c->broken = code == GB_APP || code == GB_USAGE || code == GB_NO_PYTHON;
    if (!code && c->interface == GB_AUTO) c->interface = c->rounds[c->round_count - 1].interface;
    if (code && !first->code) gb__fail(first, code, "%s: %.900s", c->id, error.text);
    return true;
}

// Gives a client with CPUs of its own more threads, until the cell that is likely to ask most of it
// leaves a fifth of their time: one of the control or the last build, whose answer doesn't wait,
// with about a thread to a CPU. They stay the same for all cells, or those would differ by the
// client as well. None of this is a round.
static void gb__grow_client(gb_plan *p, gb_result *r, gb_error *first)
{
    int most = gb__is_parted(&r->plan.cpus) ? r->plan.cpus.client_cpu_count : 1, best = INT_MIN;
    int *threads = &p->load.threads;
    gb_cell *fastest = r->cells;
    for (gb_cell *c = r->cells; c < r->cells + r->cell_count; c++) {
        bool waits = !strcmp(c->path, "/io") || !strcmp(c->path, "/query");
        bool last = !strcmp(c->python, r->pythons[r->python_count - 1].id) && !*c->server;
        int off = abs(c->workers * c->threads - r->plan.cpus.server_cpu_count) - c->server_cpus;
        int score = (waits ? 0 : 4 << 20) + (gb__cell_is_control(c) ? 2 << 20 : last << 20) - off;
        if (score > best) best = score, fastest = c;
        if (c->connections < most) most = c->connections;
    }
    for (*threads = 1; *threads < most;) {
        bool done = !gb__compare_step(p, r, fastest, NULL, first) || *fastest->rounds->problem;
        fastest->round_count = 0;
        gb_histogram_reset(&fastest->latency);
        gb_histogram_reset(&fastest->uncorrected);
        if (!fastest->broken) first->code = GB_OK;
        if (done || fastest->rounds->cpu.client_share < 0.8) return;
        *threads = 2 * *threads < most ? 2 * *threads : most;
    }
}

enum { GB__BUDGET_ROUNDS = 8 };  // that are measured however long they take

// Is there time for so many measurements, which take as long as those before?
static bool gb__has_time(const gb__watcher *w, size_t measurements)
{
    double spent = (double)(gb_now_ns() - w->start) / 1e9;
    double each = spent / (double)(w->done ? w->done : 1);
    return w->plan->budget_s <= 0 || spent + each * (double)measurements <= w->plan->budget_s;
}

// How many cells will be added: each build's best in each contest, where verdicts can be had.
static size_t gb__count_winners(const gb_plan *p, const gb_result *r)
{
    size_t contests = 0;
    for (size_t i = 0; i < r->cell_count; i++) contests += gb__opens_contest(r, &r->cells[i]);
    return p->python_count > 1 && p->rounds >= GB__FEWEST_ROUNDS ? contests * p->python_count : 0;
}

static void gb__tell_progress(gb__watcher *w, const gb_result *r, const gb_cell *c)
{
    const gb_plan *p = w->plan;
    size_t row = r->cell_count - w->first, cells = row + w->winners, done = w->done;
    size_t total = w->before + cells * (size_t)p->rounds;
    size_t fewest = w->before + cells * GB__BUDGET_ROUNDS;
    double spent = (double)(gb_now_ns() - w->start) / 1e9;
    double each = done ? spent / (double)done : p->load.duration_s + p->load.warmup_s + 0.3;
    bool chosen = !gb__is_default(p) || w->first || c->round_count;
    double left = each * (double)(total - done);
    double least = chosen && fewest > done ? each * (double)(fewest - done) : 0;
    double room = p->budget_s - spent > least ? p->budget_s - spent : least;
    if (p->budget_s > 0 && left > room) left = room;
    w->progress = (gb_progress){.cell = c, .done = done, .total = total, .rounds = p->rounds,
                                .round = (int)((done - w->before) / row) + 1,
                                .at_most = p->precision > 0, .seconds_left = left};
    if (p->on_progress) p->on_progress(p->user, &w->progress);
}

static void gb__shuffle(size_t *items, size_t n, uint64_t *rng)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = gb__rng_below(rng, i), swap = items[i - 1];
        items[i - 1] = items[j];
        items[j] = swap;
    }
}

// Cells of one scenario in one topology are each other's measure and stand in a row in the result.
// So are the best ones.
static size_t gb__group_length(const gb_result *r, size_t first)
{
    const gb_cell *a = &r->cells[first], *b = a + 1, *end = r->cells + r->cell_count;
    while (b < end && a->best == b->best && !strcmp(a->scenario, b->scenario) &&
           (a->best ? gb__same_load(a, b) : gb__same_topology(a, b)))
        b++;
    return (size_t)(b - a);
}

static size_t gb__draw_group(const gb_result *r, size_t first, size_t *order, uint64_t *rng)
{
    size_t length = gb__group_length(r, first);
    for (size_t i = 0; i < length; i++) order[i] = first + i;
    gb__shuffle(order, length, rng);
    return length;
}

// The order of one round: groups in any order, and within each its cells in any order. Whoever is
// to be compared stands close together that way, and a machine that drifts within seconds (with 8
// threads: 6.5 % between servers at any distance, 5.5 % in the ratio of neighbours, where chance
// alone would make it 9.2 %) has less to drift.
static void gb__draw_order(const gb_result *r, size_t first, size_t *order, size_t *groups,
                           uint64_t *rng)
{
    size_t count = 0, n = 0;
    for (size_t i = first; i < r->cell_count; i += gb__group_length(r, i)) groups[count++] = i;
    gb__shuffle(groups, count, rng);
    for (size_t g = 0; g < count; g++) n += gb__draw_group(r, groups[g], order + n, rng);
}

// Measures n cells, once each.
static void gb__measure_cells(gb__watcher *w, gb_result *r, size_t n, gb_error *first)
{
    for (size_t i = 0; i < n && !r->interrupted; i++, w->done++) {
        gb_cell *c = &r->cells[w->order[i]];
        gb__tell_progress(w, r, c);
        r->interrupted = gb__flag_is_set(w->plan->load.stop) ||
                         !gb__compare_step(w->plan, r, c, w, first);
    }
}

static void gb__measure_rounds(gb__watcher *w, gb_result *r, int round, gb_error *first)
{
    const gb_plan *p = w->plan;
    size_t *groups = w->order + r->cell_count, cells = r->cell_count - w->first;
    for (; round < p->rounds && !r->interrupted; round++) {
        bool enough = p->precision > 0 && round >= GB__ENOUGH_ROUNDS;
        if (enough && gb__is_precise(p, r, w->first)) break;
        size_t more = cells + w->winners * GB__BUDGET_ROUNDS;
        if (round >= GB__BUDGET_ROUNDS && !gb__has_time(w, more)) break;
        gb__draw_order(r, w->first, w->order, groups, &w->rng);
        gb__measure_cells(w, r, cells, first);
    }
}

// The first round of the default comparison: group by group, as long as eight rounds of them, and
// of what is best for the first scenario, have room in its time. The others go; what is best for
// other scenarios has what room is left.
static void gb__choose_cells(gb__watcher *w, gb_result *r, gb_error *first)
{
    const size_t builds = w->plan->python_count;
    size_t n = 0, reserve = w->winners ? builds * GB__BUDGET_ROUNDS : 0;
    for (size_t length; n < r->cell_count && !r->interrupted; n += length) {
        length = gb__draw_group(r, n, w->order, &w->rng);
        if (n && !gb__has_time(w, (n + length) * GB__BUDGET_ROUNDS - n + reserve)) break;
        gb__measure_cells(w, r, length, first);
    }
    if (r->interrupted) return;
    for (size_t i = n; i < r->cell_count; i++) {
        const char *name = r->cells[i].scenario;
        size_t len = strlen(w->left_out);
        if (!strstr(w->left_out, name))
            snprintf(w->left_out + len, sizeof w->left_out - len, "%s%s", len ? ", " : "", name);
        gb__close_cell(&r->cells[i]);
    }
    r->cell_count = n;
    w->winners = gb__count_winners(w->plan, r);
    while (w->winners > builds && !gb__has_time(w, (n + w->winners) * GB__BUDGET_ROUNDS - n))
        w->winners -= builds;
}

// Adds each build's winner of each contest, as many as were planned.
static gb_code gb__add_winners(gb__watcher *w, gb_result *r, gb_error *error)
{
    gb_code code = GB_OK;
    size_t end = w->first + w->winners;
    for (size_t i = 0; i < w->first && r->cell_count < end && end <= GB__MAX_CELLS; i++) {
        size_t before = r->cell_count;
        for (size_t k = 0; k < r->python_count && gb__opens_contest(r, &r->cells[i]); k++) {
            const gb_cell *winner = gb__winner(r, &r->cells[i], r->pythons[k].id);
            if (!winner || code) continue;
            gb_cell *c = &r->cells[r->cell_count++];
            *c = *winner;
            snprintf(c->id, sizeof c->id, "%.249s/best", winner->id);
            c->best = true;
            code = gb__open_cell(w->plan, c, error);
        }
        // One alone can't be compared.
        if (r->cell_count == before + 1) gb__close_cell(&r->cells[--r->cell_count]);
    }
    return code;
}

static gb_code gb__measure_all(gb__watcher *w, gb_result *r, gb_error *first, gb_error *error)
{
    const gb_plan *p = w->plan;
    bool choose = gb__is_default(p) && p->budget_s > 0;
    w->start = gb_now_ns();
    w->order = calloc(4 * r->cell_count, sizeof *w->order);  // and groups; twice as many in the end
    if (!w->order) return gb__fail_memory(error);
    w->winners = gb__count_winners(p, r);
    if (choose) gb__choose_cells(w, r, first);
    gb__measure_rounds(w, r, choose, first);
    w->first = r->cell_count;
    w->before = w->done;
    gb_code code = r->interrupted ? GB_OK : gb__add_winners(w, r, error);
    w->winners = 0;
    if (!code && r->cell_count > w->first) gb__measure_rounds(w, r, 0, first);
    free(w->order);
    return code;
}

// ---- who waits ----------------------------------------------------------------------------------

enum { GB__MOST_NOTED = 8 };  // rows

// The part of a request's time that it waits for others in Python; 0 where that isn't known.
static double gb__waiting_share(const gb_cell *c)
{
    double us[GB__PHASE_READY], all = gb__anatomy(c, us);
    bool seen = gb__is_seen(c, gb__phases[GB__PHASE_LOCK].offset) && all > 0;
    return seen ? (us[GB__PHASE_ATTACH] + us[GB__PHASE_LOCK] + us[GB__PHASE_WORLD]) / all : 0;
}

// To note the lines slows down who waits, so it has a round of its own, and only where it tells
// much: in the rows whose requests wait longest.
static void gb__note_waits(const gb_plan *p, gb_result *r)
{
    gb_error ignored;
    for (int n = 0; n < GB__MOST_NOTED && !gb__flag_is_set(p->load.stop); n++) {
        gb_cell *most = NULL;
        for (gb_cell *c = r->cells; c < r->cells + r->cell_count; c++)
            if (!c->noted_rounds && !c->best && gb__waiting_share(c) > 0.1 &&
                (!most || gb__waiting_share(c) > gb__waiting_share(most)))
                most = c;
        if (!most || !(most->noted_rounds = calloc(1, sizeof *most->noted_rounds))) return;
        most->noted_round_count =
            !gb__measure_cell(p, r, most, most->noted_rounds, NULL, NULL, &ignored);
    }
}

// ---- what if nothing were shared? ---------------------------------------------------------------

// Of the objects that are shared most, four that a module's name leads to.
static void gb__name_shared(const gb_waits *w, char *names, size_t size)
{
    int count = 0;
    for (const gb_shared *o = w->shared; o < w->shared + w->shared_count && count < 4; o++) {
        const char *name = strchr(o->object, ' ');
        size_t len = strlen(names);
        if (!name || !strchr(name, '.') || strpbrk(++name, " [<") || len + strlen(name) + 3 > size)
            continue;
        snprintf(names + len, size - len, "%s%s", count++ ? ", " : "", name);
    }
}

// The arms stand next to each other, in an order that is drawn each time.
static gb_code gb__measure_arms(const gb_plan *p, const gb_result *r, gb_cell arms[2],
                                const char *unshared, gb_error *error)
{
    uint64_t rng = p->seed;
    gb_code code = gb__open_cell(p, &arms[0], error), other = gb__open_cell(p, &arms[1], error);
    if (!code) code = other;
    for (int i = 0; i < p->rounds && !code && !gb__flag_is_set(p->load.stop); i++) {
        size_t first = gb__rng_below(&rng, 2);
        for (size_t k = 0; k < 2 && !code; k++) {
            gb_cell *c = &arms[first ^ k];
            code = gb__measure_cell(p, r, c, &c->rounds[c->round_count++],
                                    c == arms ? NULL : unshared, NULL, error);
        }
    }
    return code;
}

static void gb__what_if(const gb_plan *plan, gb_result *r, gb_cell *c)
{
    gb_plan p = *plan;
    gb_cell arms[2] = {*c, *c};
    gb_error error;
    gb_what_if *w = &c->what_if;
    p.waits = false;
    p.rounds = p.what_if;
    if (c->round_count) gb__name_shared(&c->rounds->waits, w->objects, sizeof w->objects);
    if (!*w->objects) return;
    if (gb__measure_arms(&p, r, arms, w->objects, &error) && !gb__flag_is_set(p.load.stop))
        gb__warn(r, "%s: what if: %.300s", c->id, error.text);
    gb_comparison k = gb__compare_cells(r, &arms[0], &arms[1], GB_RPS);
    w->ratio = k.ratio;
    w->rounds = k.rounds;
    w->verdict = k.verdict;
    if (!k.rounds) *w->objects = 0;
    for (int i = 0; i < 2; i++) gb__close_cell(&arms[i]);
}

// ---- all of it ----------------------------------------------------------------------------------

static gb_method gb__method_of(const gb_plan *p)
{
    gb_method m = {.duration_s = p->load.duration_s, .warmup_s = p->load.warmup_s,
                   .rate = p->load.rate, .precision = p->precision, .rounds = p->rounds,
                   .client_threads = p->load.threads, .waits = p->waits,
                   .seed = p->seed & ((1ull << 53) - 1)};  // what a reader of JSON takes exactly
    gb__copy(m.loop, sizeof m.loop, p->loop ? p->loop : "asyncio");
    gb__copy(m.expect, sizeof m.expect, p->load.expect ? p->load.expect : "");
    gb__describe_requests(&p->load, m.requests, sizeof m.requests, NULL);
    return m;
}

GB_API gb_code gb_compare(const gb_plan *plan, gb_result *result, gb_error *error)
{
    gb_plan p = gb__plan_defaults(plan);
    gb__watcher w = {.plan = &p, .rng = p.seed};
    gb_error first = {0};
    time_t now = time(NULL);
    struct tm tm;
    *result = (gb_result){0};
    gb_code code = gb__plan_check(&p, error);
    if (code) return code;
    gb_host_read(&result->host);
    gmtime_r(&now, &tm);
    gb__copy(result->gilbench, sizeof result->gilbench, GB_VERSION);
    result->plan = gb__method_of(&p);
    strftime(result->started, sizeof result->started, "%Y-%m-%dT%H:%M:%SZ", &tm);
    bool tasks = p.scenarios[0].interface == GB_TASK;  // which have no client, and all CPUs
    if (!tasks)
        code = gb__place_here(result->host.cgroup_cpus, p.server_cpus, p.server_cpus_count,
                              p.load.threads, &result->plan.cpus, error);
    if (!code) code = gb__plan_cells(&p, result, error);
    if (!code && !tasks && !p.load.threads) gb__grow_client(&p, result, &first);
    result->plan.client_threads = p.load.threads;
    if (!code) code = gb__measure_all(&w, result, &first, error);
    if (!code) code = gb__add_comparisons(result, error);
    if (code) return code;
    if (!p.waits && !result->interrupted) gb__note_waits(&p, result);
    for (size_t i = 0; p.what_if && i < result->cell_count; i++)
        gb__what_if(&p, result, &result->cells[i]);
    gb__warn_host(result);
    gb__warn_builds(result);
    gb__warn_fallbacks(&p, result);
    for (size_t i = 0; i < result->cell_count; i++) gb__warn_cell(result, &result->cells[i]);
    gb__warn_disturbance(result);
    gb__warn_rounds(result);
    if (gb__server_cpus(result, 0) == 1)
        gb__warn(result, "on one CPU a missing lock can gain nothing: what is measured is its "
                 "price");
    if (*w.left_out)
        gb__warn(result, "two minutes had no room for all of %s: --scenario NAME measures one of "
                 "them in full", w.left_out);
    if (p.precision > 0 && !result->interrupted && !gb__is_precise(&p, result, 0))
        gb__warn(result, "a precision of %g %% was not reached in %zu round%s", 100 * p.precision,
                 result->cells->round_count, &"s"[result->cells->round_count == 1]);
    if (result->interrupted) return gb__fail(error, GB_INTERRUPTED, "interrupted");
    if (first.code) return gb__fail(error, first.code, "%s", first.text);
    for (size_t i = 0; i < result->cell_count; i++)
        for (size_t j = 0; j < result->cells[i].round_count; j++)
            if (gb_load_error_count(&result->cells[i].rounds[j].errors))
                return gb__fail(error, GB_MEASUREMENT, "%s: requests failed", result->cells[i].id);
    return GB_OK;
}

GB_API void gb_result_free(gb_result *result)
{
    for (size_t i = 0; result->cells && i < result->cell_count; i++)
        gb__close_cell(&result->cells[i]);
    free(result->cells);
    free(result->pythons);
    free(result->comparisons);
    free(result->warnings);
    *result = (gb_result){0};
}

// ================================================================================================
// >>merge
// Several results as one. The first is what the others are held against, cell by cell. Their rounds
// have nothing to do with each other, so it is the medians that are compared, and the interval is
// of their ratio.

static bool gb__has_gil(const gb_python *p)
{
    return !p->free_threaded || p->gil == 1;
}

static bool gb__same_kind(const gb_python *a, const gb_python *b)
{
    return a->free_threaded == b->free_threaded && gb__has_gil(a) == gb__has_gil(b) &&
           a->use_jit == b->use_jit;
}

// The build of `into` that plays the part of this one of `from`: the one of that id or, where an id
// is in one result only (as with two versions), the first of its kind.
static const gb_python *gb__like_python(const gb_result *into, const gb_result *from,
                                        const gb_python *p)
{
    const gb_python *same = gb__find_python(into, p->id);
    for (size_t i = 0; i < into->python_count && !same; i++) {
        const gb_python *q = &into->pythons[i];
        if (gb__same_kind(q, p) && !gb__find_python(from, q->id)) same = q;
    }
    return same;
}

// The place in `into` of the cell that this one of `from` is held against; SIZE_MAX: there is none.
static size_t gb__like_cell(const gb_result *into, const gb_result *from, const gb_cell *c)
{
    const gb_python *own = gb__find_python(from, c->python);
    const gb_python *python = own ? gb__like_python(into, from, own) : NULL;
    const char *id = python ? python->id : c->python;
    for (size_t i = 0; i < into->cell_count; i++) {
        const gb_cell *b = &into->cells[i];
        bool same_load = b->rate >= c->rate && b->rate <= c->rate && !strcmp(b->path, c->path);
        if (same_load && !strcmp(b->python, id) && !strcmp(b->scenario, c->scenario) &&
            !strcmp(b->server, c->server) && b->best == c->best && gb__same_topology(b, c))
            return i;
    }
    return SIZE_MAX;
}

// Two results are two sessions, whose medians differ by more than the rounds within each say: by
// 2 % (standard deviation) on a quiet machine. The interval of their ratio allows for both: of
// simulated pairs that differ by so much, with 8 to 60 rounds a side and a scatter of 2 to 10 %
// within, 1 to 2 % get a false verdict (without, 1 to 50 %); 20 % of difference are seen in 44 to
// 100 %.
#define GB__SESSION_SD 0.02

static gb_interval gb__allow_for_sessions(gb_interval i)
{
    double session = 1.96 * 1.4142 * GB__SESSION_SD * i.median;
    double lo = i.median - i.lo, hi = i.hi - i.median;
    double least = i.median - gb__sqrt(lo * lo + session * session);
    return (gb_interval){i.median, least > 0 ? least : 0,  // a ratio is never less
                         i.median + gb__sqrt(hi * hi + session * session)};
}

static gb_code gb__add_unpaired(gb_result *r, const gb_cell *baseline, const gb_cell *candidate,
                                gb_metric metric, gb_error *error)
{
    gb_code code = GB_OK;
    size_t n, m;
    double *before = gb__figures(baseline, gb__metrics[metric].offset, &n);
    double *after = gb__figures(candidate, gb__metrics[metric].offset, &m);
    bool fine = n && m;
    for (size_t i = 0; i < n && fine; i++) fine = before[i] > 0;
    for (size_t i = 0; i < m && fine; i++) fine = after[i] > 0;  // an older file lacks a metric
    if (!before || !after) code = gb__fail_memory(error);
    if (fine) {
        gb_interval ratio = gb__allow_for_sessions(gb_ratio_ci(before, n, after, m, 1));
        gb_comparison c =
            gb__verdict_on(r, baseline, candidate, metric, ratio, n < m ? n : m);
        c.rounds = 0;
        code = gb__add_comparison(r, &c, error);
    }
    free(before);
    free(after);
    return code;
}

// ---- what isn't the same ------------------------------------------------------------------------

static void gb__warn_other(gb_result *r, const char *source, const char *what, const char *before,
                           const char *after)
{
    if (strcmp(before, after))
        gb__warn(r, "%s has another %s: %.150s, not %.150s", source, what,
                 *after ? after : "unknown", *before ? before : "unknown");
}

static void gb__warn_other_figure(gb_result *r, const char *source, const char *what,
                                  double before, double after)
{
    char old[32], new[32];
    snprintf(old, sizeof old, "%g", before);
    snprintf(new, sizeof new, "%g", after);
    gb__warn_other(r, source, what, old, new);
}

static void gb__warn_session(gb_result *into, const gb_result *from, const char *source)
{
    const gb_host *a = &into->host, *b = &from->host;
    const gb_method *m = &into->plan, *n = &from->plan;
    gb__warn_other(into, source, "machine", a->hostname, b->hostname);
    gb__warn_other(into, source, "kernel", a->kernel, b->kernel);
    gb__warn_other(into, source, "CPU", a->cpu_model, b->cpu_model);
    gb__warn_other(into, source, "frequency governor", a->governor, b->governor);
    gb__warn_other(into, source, "version of gilbench", into->gilbench, from->gilbench);
    gb__warn_other_figure(into, source, "number of CPUs", a->cpus, b->cpus);
    gb__warn_other_figure(into, source, "number of GB of memory",
                          (int)((double)a->memory / 1e9 + 0.5),
                          (int)((double)b->memory / 1e9 + 0.5));
    if (!(m->duration_s > 0 && n->duration_s > 0)) return;  // an older file doesn't say how
    gb__warn_other(into, source, "event loop", m->loop, n->loop);
    gb__warn_other(into, source, "expected text", m->expect, n->expect);
    gb__warn_other(into, source, "kind of request", *m->requests ? m->requests : "GET",
                   *n->requests ? n->requests : "GET");
    gb__warn_other_figure(into, source, "duration", m->duration_s, n->duration_s);
    gb__warn_other_figure(into, source, "warm-up", m->warmup_s, n->warmup_s);
    gb__warn_other_figure(into, source, "rate", m->rate, n->rate);
    gb__warn_other_figure(into, source, "number of client threads", m->client_threads,
                          n->client_threads);
}

static void gb__warn_other_build(gb_result *into, const gb_python *a, const gb_python *b,
                                 const char *source)
{
    char name[140];
    snprintf(name, sizeof name, "%s@%s", b->id, source);
    gb__warn_other(into, name, "version", a->version, b->version);
    if (a->free_threaded != b->free_threaded)
        gb__warn(into, "%s is the %s build, not the %s one: what has changed is the build", name,
                 b->free_threaded ? "free-threaded" : "GIL",
                 a->free_threaded ? "free-threaded" : "GIL");
    if (*a->packages && *b->packages) gb__warn_packages(into, a, b, name);
    gb__warn_other(into, name, "optimisation", a->optimized, b->optimized);
    gb__warn_other(into, name, "compiler", a->compiler, b->compiler);
    if (!gb__same_args(a, b)) gb__warn(into, "%s has other configure arguments", name);
}

static void gb__warn_other_cell(gb_result *into, const gb_cell *a, const gb_cell *b,
                                const char *source)
{
    char name[340];
    snprintf(name, sizeof name, "%s@%s", b->id, source);
    gb__warn_other(into, name, "application", a->app, b->app);
    gb__warn_other(into, name, "command", a->command, b->command);
    if (a->workers > 1 && a->worker_model != b->worker_model)
        gb__warn(into, "%s has another kind of workers", name);
}

// `likes` has, for each cell of `from`, the place of its like in `into`.
static void gb__warn_merge(gb_result *into, const gb_result *from, const size_t *likes,
                           const char *source)
{
    size_t alike = 0;
    gb__warn_session(into, from, source);
    for (size_t i = 0; i < from->python_count; i++) {
        const gb_python *like = gb__like_python(into, from, &from->pythons[i]);
        if (like) gb__warn_other_build(into, like, &from->pythons[i], source);
    }
    for (size_t i = 0; i < from->cell_count; i++) {
        if (likes[i] == SIZE_MAX) continue;
        gb__warn_other_cell(into, &into->cells[likes[i]], &from->cells[i], source);
        alike++;
    }
    if (!alike) gb__warn(into, "no cell of %s has its like in the first result", source);
    else gb__warn(into, "%s was another session: its rounds aren't paired with those of the first, "
                  "and the intervals allow for the %g %% by which sessions differ", source,
                  100 * GB__SESSION_SD);
    for (size_t i = 0; i < from->warning_count; i++)
        gb__warn(into, "%s: %s", source, from->warnings[i]);
}

// ---- all of it ----------------------------------------------------------------------------------

static void gb__mark(char *id, size_t size, const char *source)
{
    size_t len = strlen(id), mark = strlen(source) + 1;
    if (len + mark >= size) len = size - mark - 1;
    snprintf(id + len, size - len, "@%s", source);
}

static bool gb__is_marked(const gb_result *r, const char *source)
{
    for (size_t i = 0; i < r->cell_count; i++)
        if (!strcmp(r->cells[i].source, source)) return true;
    return false;
}

// The label, or "label#2" where that one is taken. Ids have room for so many characters of it.
static void gb__pick_source(const gb_result *into, const char *label, char *source, size_t size)
{
    snprintf(source, size, "%.24s", label);
    for (int n = 2; gb__is_marked(into, source); n++) snprintf(source, size, "%.24s#%d", label, n);
}

static void gb__mark_all(gb_result *from, const char *source)
{
    for (size_t i = 0; i < from->python_count; i++)
        gb__mark(from->pythons[i].id, sizeof from->pythons[i].id, source);
    for (size_t i = 0; i < from->cell_count; i++) {
        gb_cell *c = &from->cells[i];
        gb__mark(c->id, sizeof c->id, source);
        gb__copy(c->source, sizeof c->source, source);
        if (!gb__cell_is_control(c)) gb__mark(c->python, sizeof c->python, source);
    }
    for (size_t i = 0; i < from->comparison_count; i++) {
        gb_comparison *c = &from->comparisons[i];
        gb__mark(c->baseline, sizeof c->baseline, source);
        gb__mark(c->candidate, sizeof c->candidate, source);
    }
}

// An array that moves, with the elements of another behind its own; without memory it stays as it
// was, and *failed says so.
static void *gb__joined(void *array, size_t *count, const void *other, size_t *more, size_t size,
                        bool *failed)
{
    void *grown = realloc(array, (*count + *more + 1) * size);
    *failed |= !grown;
    if (!grown) return array;
    if (*more) memcpy((char *)grown + *count * size, other, *more * size);
    *count += *more;
    *more = 0;
    return grown;
}

static gb_code gb__move_all(gb_result *into, gb_result *from, gb_error *error)
{
    bool failed = false;
    into->pythons = gb__joined(into->pythons, &into->python_count, from->pythons,
                               &from->python_count, sizeof *into->pythons, &failed);
    into->cells = gb__joined(into->cells, &into->cell_count, from->cells, &from->cell_count,
                             sizeof *into->cells, &failed);
    into->comparisons = gb__joined(into->comparisons, &into->comparison_count, from->comparisons,
                                   &from->comparison_count, sizeof *into->comparisons, &failed);
    into->interrupted |= from->interrupted;
    return failed ? gb__fail_memory(error) : GB_OK;
}

GB_API gb_code gb_result_merge(gb_result *into, gb_result *from, const char *label, gb_error *error)
{
    char source[64];
    size_t before = into->cell_count, more = from->cell_count;
    size_t *likes = calloc(more + 1, sizeof *likes);
    if (!likes) return gb__fail_memory(error);
    for (size_t i = 0; i < more; i++) likes[i] = gb__like_cell(into, from, &from->cells[i]);
    gb__pick_source(into, label, source, sizeof source);
    gb__warn_merge(into, from, likes, source);
    gb__mark_all(from, source);
    gb_code code = gb__move_all(into, from, error);
    for (size_t i = 0; i < more && !code; i++)
        for (gb_metric m = GB_RPS; m <= GB_MEMORY && !code && likes[i] != SIZE_MAX; m++)
            code = gb__add_unpaired(into, &into->cells[likes[i]], &into->cells[before + i], m,
                                    error);
    free(likes);
    return code;
}

// ================================================================================================
// >>answer
// A result in plain sentences: what it costs and gains to have no GIL here, and why. They are of
// figures that were measured; of what wasn't there is no word. Pure: nothing is printed.

static const gb__metric *gb__find_metric(const char *name)
{
    for (size_t i = 0; i < GB_METRIC_COUNT; i++)
        if (!strcmp(gb__metrics[i].name, name)) return &gb__metrics[i];
    return NULL;
}

// ---- what cells are called ----------------------------------------------------------------------

typedef char gb__phrase[256];

// A free-threaded row that isn't one says so wherever it is named.
static const char *gb__name(const gb_result *r, const gb_cell *c, gb__phrase text)
{
    char variant[GB__VARIANT], cpus[32] = "";
    gb__variant(c, "C handler", variant, sizeof variant);
    if (c->server_cpus)
        snprintf(cpus, sizeof cpus, " on %d CPU%s", c->server_cpus, c->server_cpus > 1 ? "s" : "");
    snprintf(text, sizeof(gb__phrase), "%s%s%s", variant, cpus,
             gb__gil_is_back(r, c) ? ", GIL back" : "");
    return text;
}

// Does a GIL rule this cell's threads?
static bool gb__cell_has_gil(const gb_result *r, const gb_cell *c)
{
    const gb_python *python = gb__find_python(r, c->python);
    return python && (gb__has_gil(python) || gb__gil_is_back(r, c));
}

// What a worker is, by gb_worker_model; a group of threads of an event loop each is that.
static const char *gb__worker_words(const gb_cell *c)
{
    static const char *const words[] = {"process", "process", "group", "process", "subinterpreter"};
    return c->interface == GB_ASGI && c->worker_model == GB_THREADS ? "event loop"
                                                                     : words[c->worker_model];
}

// What serves, as a sentence has it: "1 thread", "2 processes", "2 groups of 4 threads".
static const char *gb__topology_words(const gb_cell *c, gb__phrase text)
{
    const char *worker = gb__worker_words(c), *s = c->threads == 1 ? "" : "s";
    size_t size = sizeof(gb__phrase);
    int n = snprintf(text, size, "%d %s%s", c->workers, worker, *worker == 'p' ? "es" : "s");
    if (c->workers == 1 && c->interface == GB_ASGI) snprintf(text, size, "1 event loop");
    else if (c->workers == 1) snprintf(text, size, "%d thread%s", c->threads, s);
    else if (c->threads > 1 || *worker == 'g')
        snprintf(text + n, size - (size_t)n, " of %d thread%s", c->threads, s);
    return text;
}

// The row of that id.
static const gb_cell *gb__find_cell(const gb_result *r, const char *id)
{
    for (size_t i = 0; i < r->cell_count; i++)
        if (!strcmp(r->cells[i].id, id)) return &r->cells[i];
    return NULL;
}

// ---- ratios and verdicts in words ---------------------------------------------------------------

static const char *gb__ratio_text(gb__phrase text, gb_interval i)
{
    bool known = isfinite(i.median) && isfinite(i.lo) && isfinite(i.hi);
    snprintf(text, sizeof(gb__phrase), !known ? "-" : i.lo < i.hi ? "%.2fx [%.2f, %.2f]" : "%.2fx",
             i.median, i.lo, i.hi);  // one round has no interval
    return text;
}

// A row that is not what it is called gets none, and few rounds are a reason of their own.
static const char *gb__verdict_words(const gb_comparison *k)
{
    if (k->gil_back) return "no verdict";
    if (k->rounds && k->rounds < GB__FEWEST_ROUNDS) return "too few rounds";
    return gb__find_metric(k->metric)->words[k->verdict];
}

// ---- where a request's time went, in words ------------------------------------------------------

// "97 % of 1,328 us was waiting for the GIL"; "" where nothing is known.
static const char *gb__dominant(const gb_result *r, const gb_cell *c, gb__phrase text)
{
    gb__small figure;
    double us[GB__PHASE_READY], all = gb__anatomy(c, us);
    int most = 0;
    *text = 0;
    if (!(all > 0)) return text;
    for (int i = 1; i < GB__PHASE_READY; i++)
        if (us[i] > us[most]) most = i;
    bool gil = gb__cell_has_gil(r, c) || most != GB__PHASE_ATTACH;
    snprintf(text, sizeof(gb__phrase), "%.0f %% of %s us was %s%s", 100 * us[most] / all,
             gb__number(figure, all), gil ? gb__phases[most].words : "waiting to run Python",
             gb__is_seen(c, gb__phases[GB__PHASE_ATTACH].offset)
                 ? "" : " (an event loop's waits aren't seen)");
    return text;
}

// By gb_wait_kind.
static const char *const gb__waited_for[] = {"the GIL", "locks", "a stopped world",
                                             "a word of another thread"};

// The round of a cell in which waits were looked for, or were to be; NULL: none.
static const gb_round *gb__noted_round(const gb_cell *c)
{
    if (c->noted_round_count) return c->noted_rounds;
    for (size_t i = c->round_count; i-- > 0;)
        if (c->rounds[i].waits.noted || *c->rounds[i].waits.problem) return &c->rounds[i];
    return NULL;
}

// ---- lines --------------------------------------------------------------------------------------

enum { GB__ANSWER_LINES = 20, GB__MOST_RUNGS = 32 };

// How the builds do in one scenario with more and more threads (or, where all rows have as many,
// workers): a rung for each number. Only what has a measurement, and is what it is called.
typedef struct gb__ladder {
    const gb_cell *first;  // of the scenario's cells
    gb_metric metric;      // req/s or, where a rate fixes those, p99
    const char *unit, *verb;  // "requests" that a build "serves"; a task has jobs
    bool by_threads;
    struct {
        int n;
        const gb_cell *of[3];  // the build that is held against, the other, the control; or NULL
    } rungs[GB__MOST_RUNGS];
    size_t count, peak;    // peak: the last that the machine has CPUs for
} gb__ladder;

typedef struct gb__sentences {
    const gb_result *result;
    const char *builds[3];   // ids: of the one that is held against, the other, the control
    char lines[GB__ANSWER_LINES][1024];
    size_t count;
    bool several;            // scenarios, so that a path doesn't say which
    size_t ratios, unclear;  // that were said
    gb_interval widest;      // of them
    int needed;              // rounds that would tell 5 % of all; INT_MAX: no number would
    bool refused;            // it was said why nothing was fitted
} gb__sentences;

// Adds to the line that was begun last; there is always room for the last one.
GB__PRINTF(2, 3) static void gb__words(gb__sentences *a, const char *format, ...)
{
    char *line = a->lines[a->count - 1];
    size_t used = strlen(line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof *a->lines - used, format, args);
    va_end(args);
}

static bool gb__begin(gb__sentences *a)
{
    return a->count < GB__ANSWER_LINES - 1 && ++a->count;
}

static double gb__width(gb_interval i)
{
    return (i.hi - i.lo) / i.median;
}

// "0.86x [0.85, 0.88] the requests, slower", kept in mind for what makes all this unsure.
static gb_verdict gb__tell_ratio(gb__sentences *a, const gb_cell *baseline, const gb_cell *c,
                                 gb_metric m, const char *of)
{
    gb_comparison k = gb__compare_cells(a->result, baseline, c, m);
    int needed = k.verdict == GB_UNCLEAR ? gb_rounds_needed(&k, 0.05) : -1;
    gb__phrase ratio;
    gb__words(a, "%s%s, %s", gb__ratio_text(ratio, k.ratio), of, gb__verdict_words(&k));
    a->ratios++;
    a->unclear += k.verdict == GB_UNCLEAR;
    if (!needed) needed = INT_MAX;
    if (needed > a->needed) a->needed = needed;
    if (!(gb__width(a->widest) > gb__width(k.ratio))) a->widest = k.ratio;
    return k.verdict;
}

static const char *gb__three_digits(gb__small text, double value)
{
    snprintf(text, sizeof(gb__small), "%.2e", value);
    return gb__number(text, strtod(text, NULL));
}

// "5.77 MB [5.67, 5.90]"
static void gb__tell_figure(gb__sentences *a, gb_interval i, const char *unit)
{
    gb__small median, lo, hi;
    gb__words(a, "%s%s", gb__three_digits(median, i.median), unit);
    if (i.lo < i.hi)
        gb__words(a, " [%s, %s]", gb__three_digits(lo, i.lo), gb__three_digits(hi, i.hi));
}

// ---- a scenario's rows --------------------------------------------------------------------------

static bool gb__is_row(const gb_result *r, const gb_cell *first, const gb_cell *c)
{
    double rps = c->summary[GB_RPS].median;
    return !strcmp(c->scenario, first->scenario) && gb__same_load(c, first) && !*c->server &&
           rps > 0 && isfinite(rps) && gb__first_round(c) && !gb__gil_is_back(r, c);
}

// Its place in a->builds; -1: it is of none of them.
static int gb__build_of(const gb__sentences *a, const gb_cell *c)
{
    for (int build = 0; build < 3; build++)
        if (a->builds[build] && !strcmp(c->python, a->builds[build])) return build;
    return -1;
}

static void gb__add_rung(gb__ladder *l, const gb_cell *c, int build)
{
    int n = l->by_threads ? c->threads : c->workers;
    size_t at = 0;
    while (at < l->count && l->rungs[at].n < n) at++;
    if (at == l->count || l->rungs[at].n > n) {
        if (l->count == GB__MOST_RUNGS) return;
        memmove(&l->rungs[at + 1], &l->rungs[at], (l->count++ - at) * sizeof *l->rungs);
        memset(&l->rungs[at], 0, sizeof *l->rungs);
        l->rungs[at].n = n;
    }
    l->rungs[at].of[build] = c;
}

static gb__ladder gb__climb(const gb__sentences *a, const gb_cell *first, bool by_threads)
{
    const gb_result *r = a->result;
    bool rated = first->rate > 0, jobs = first->interface == GB_TASK;
    gb__ladder l = {.first = first, .by_threads = by_threads,
                    .metric = rated ? GB_LATENCY_P99 : GB_RPS,
                    .unit = rated ? "p99 latency" : jobs ? "jobs" : "requests",
                    .verb = rated ? "has" : jobs ? "does" : "serves"};
    int least = INT_MAX;
    for (int pass = 0; pass < 2; pass++)
        for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++) {
            int other = by_threads ? c->workers : c->threads, build = gb__build_of(a, c);
            if (c->best || build < 0 || !gb__is_row(r, first, c)) continue;
            if (!pass && other < least) least = other;
            if (pass && other == least) gb__add_rung(&l, c, build);
        }
    for (size_t i = 0; i < l.count; i++)
        if (l.rungs[i].n <= gb__server_cpus(r, first->server_cpus)) l.peak = i;
    if (!l.peak && l.count) l.peak = l.count - 1;
    return l;
}

// By threads where there are rows of several, else by workers.
static gb__ladder gb__ladder_of(const gb__sentences *a, const gb_cell *first)
{
    gb__ladder threads = gb__climb(a, first, true), workers = gb__climb(a, first, false);
    return threads.count > 1 || workers.count < 2 ? threads : workers;
}

// A build's fastest row; where its best was chosen and measured again, that.
static const gb_cell *gb__best_row(const gb__sentences *a, const gb_cell *first, int build)
{
    const gb_cell *best = NULL;
    for (size_t i = 0; i < a->result->cell_count; i++) {
        const gb_cell *c = &a->result->cells[i];
        if (gb__build_of(a, c) != build || !gb__is_row(a->result, first, c)) continue;
        double more = best ? c->summary[GB_RPS].median - best->summary[GB_RPS].median : 1;
        if (!best || c->best > best->best || (c->best == best->best && more > 0)) best = c;
    }
    return best;
}

static bool gb__is_busy(const gb_cell *c)
{
    return c && gb__median_at(c, offsetof(gb_round, cpu.server_cores)) >= 0.5;
}

// ---- what a scenario says -----------------------------------------------------------------------

// What a scenario is called: its path, and its name where there are others.
static void gb__tell_scenario(gb__sentences *a, const gb__ladder *l)
{
    gb__words(a, "%s", l->first->path);
    if (a->several) gb__words(a, " (%s)", l->first->scenario);
}

// Build against build: with the fewest, with as many as there are CPUs, with the most, in full in a
// line each; and from how many on the other is ahead.
static void gb__say_builds(gb__sentences *a, const gb__ladder *l, bool in_full)
{
    gb__phrase is, was, of;
    size_t said = 0, from = l->count;
    for (size_t i = 0; i < l->count; i++) {
        const gb_cell *baseline = l->rungs[i].of[0], *c = l->rungs[i].of[1];
        if (!baseline || !c || (i && i != l->peak && i + 1 != l->count)) continue;
        bool begins = !said || in_full, has_gil = gb__cell_has_gil(a->result, c);
        if (begins && !gb__begin(a)) return;
        if (begins) gb__tell_scenario(a, l);
        gb__topology_words(baseline, was);
        gb__topology_words(c, is);
        gb__words(a, "%s %s%s%s: ", begins ? "," : ";", is, strcmp(is, was) ? " against " : "",
                  strcmp(is, was) ? was : "");
        snprintf(of, sizeof of, " the %s of %s", l->unit, baseline->python);
        if (!said)
            gb__words(a, "%s%s %s ", c->python, has_gil ? "" : " (no GIL)", l->verb);
        gb_verdict verdict = gb__tell_ratio(a, baseline, c, l->metric, said ? "" : of);
        if (verdict != GB_FASTER) from = l->count;
        else if (from == l->count) from = i;
        if (!i && l->rungs[i].n == 1 && verdict == GB_SLOWER && !has_gil)
            gb__words(a, ": the price of the build");
        if (in_full) gb__words(a, ".");
        said++;
    }
    if (said && !in_full) gb__words(a, ".");
    if (said > 1 && from && from < l->count)
        gb__words(a, " %s is ahead from %s on.", a->builds[1],
                  gb__topology_words(l->rungs[from].of[1], is));
}

// What more threads do to each build.
static void gb__say_own(gb__sentences *a, const gb__ladder *l)
{
    const size_t rungs[] = {l->peak, l->count - 1};
    const gb_cell *told = NULL;
    gb__phrase text, of;
    for (int build = 0; build < 2; build++)
        for (size_t i = 0; i < 2; i++) {
            const gb_cell *few = l->rungs[0].of[build], *c = l->rungs[rungs[i]].of[build];
            if (!few || !c || few == c || (i && rungs[0] == rungs[1])) continue;
            if (!told && !gb__begin(a)) return;
            snprintf(of, sizeof of, " its %s with %s", l->unit, gb__topology_words(few, text));
            gb__words(a, "%s%s with %s%s%s ", told ? "; " : "", c->python,
                      gb__topology_words(c, text), told ? "" : " ", told ? "" : l->verb);
            gb__tell_ratio(a, few, c, l->metric, told ? "" : of);
            told = c;
        }
    if (told) gb__words(a, ".");
}

// The winners' rows are of rounds that didn't choose them.
static void gb__say_best(gb__sentences *a, const gb__ladder *l)
{
    const bool jobs = l->first->interface == GB_TASK;
    static const gb_metric metrics[] = {GB_RPS, GB_LATENCY_P99, GB_MEMORY};
    const char *const of[] = {jobs ? " the jobs" : " the requests", " the p99", " the memory"};
    const size_t first = l->metric != GB_RPS;  // a rate fixes the requests
    const gb_cell *rows[2];
    gb__phrase topology;
    for (int build = 0; build < 2; build++) {
        rows[build] = gb__best_row(a, l->first, build);
        if (!rows[build] || !rows[build]->best) return;
    }
    if (!gb__begin(a)) return;
    gb__words(a, "Best against best, ");
    gb__tell_scenario(a, l);
    for (int build = 0; build < 2; build++) {
        const gb_cell *c = rows[build];
        gb__small rps, p99, mb;
        gb__words(a, "%s %s with %s: %s %s/s, p99 %s ms, %s MB", build ? ";" : ":", c->python,
                  gb__topology_words(c, topology), gb__number(rps, c->summary[GB_RPS].median),
                  jobs ? "jobs" : "req", gb__number(p99, c->summary[GB_LATENCY_P99].median),
                  gb__number(mb, c->summary[GB_MEMORY].median));
    }
    for (size_t i = first; i < 3; i++) {
        gb__words(a, i > first ? "; " : ". That is ");
        gb__tell_ratio(a, rows[0], rows[1], metrics[i], of[i]);
    }
    gb__words(a, ".");
}

static double gb__more(const gb_round *a, const gb_round *b, size_t offset)
{
    return gb__round_figure(b, offset) - gb__round_figure(a, offset);
}

static double gb__per_gb(const gb_round *a, const gb_round *b, size_t offset)
{
    return 1000 * gb__round_figure(a, offset) / b->memory_mb.service;
}

// What one more process, loop or thread costs each build, and what a build serves for its memory.
static void gb__say_memory(gb__sentences *a, const gb__ladder *l)
{
    const size_t rps = offsetof(gb_round, rps), memory = offsetof(gb_round, memory_mb.service);
    const gb__ladder by[2] = {gb__climb(a, l->first, false), gb__climb(a, l->first, true)};
    const char *last = "";
    gb__phrase text;
    for (int i = 0; i < 4; i++) {
        const gb__ladder *k = &by[i / 2];
        const gb_cell *few = k->rungs[0].of[i % 2], *most = k->rungs[k->count - 1].of[i % 2];
        if (!few || !most || few == most) continue;
        gb_interval more = gb__paired(a->result, few, most, gb__more, memory, NULL);
        double n = k->rungs[k->count - 1].n - k->rungs[0].n;
        const char *what = k->by_threads ? "thread" : gb__worker_words(most);
        if (!(more.median > 0) || (!*last && !gb__begin(a))) continue;
        if (strcmp(what, last))
            gb__words(a, "%s one more %s costs ", *last ? ";" : "Memory:", what);
        else gb__words(a, ", ");
        gb__tell_figure(a, (gb_interval){more.median / n, more.lo / n, more.hi / n}, " MB");
        gb__words(a, " on %s", most->python);
        last = what;
    }
    for (int build = 0; build < 2 && !strcmp(l->unit, "requests"); build++) {
        const gb_cell *c = gb__best_row(a, l->first, build);
        if (!c || !(c->summary[GB_MEMORY].median > 0) || (!*last && !gb__begin(a))) continue;
        gb__words(a, "%s%s serves ", build && *last ? "; " : *last ? ". " : "Memory: ", c->python);
        gb__tell_figure(a, gb__paired(a->result, c, c, gb__per_gb, rps, NULL), " req/s per GB");
        gb__words(a, " with %s", gb__topology_words(c, text));
        last = "best";
    }
    if (*last) gb__words(a, ".");
}

// ---- the ledger: why so many serve no more ------------------------------------------------------

// A request costs cores / (req/s).
static double gb__times_cost(const gb_round *a, const gb_round *b, size_t cores)
{
    return gb__times(a, b, cores) * a->rps / b->rps;
}

// Exact arithmetic, no model: with n times the threads, req/s / (n x those of one) is the part of
// the CPU time that isn't lost waiting, cores / (n x those of one), over what a request costs of
// it, against one with one thread. What the control's costs, too, is the machine's: caches, memory,
// SMT, the kernel.
typedef struct gb__ledger {
    gb_interval whole, waiting, cost;  // whole = waiting / cost
    double machine;                    // of the cost; the rest is Python's; NAN without a control
} gb__ledger;

static gb__ledger gb__ledger_of(const gb_result *r, const gb_cell *one, const gb_cell *many,
                                const gb_cell *control_one, const gb_cell *control_many, double n)
{
    gb_interval whole = gb__compare_cells(r, one, many, GB_RPS).ratio;
    const size_t at = offsetof(gb_round, cpu.server_cores);
    gb_interval cores = gb__paired(r, one, many, gb__times, at, NULL);
    gb__ledger l = {{whole.median / n, whole.lo / n, whole.hi / n},
                    {cores.median / n, cores.lo / n, cores.hi / n},
                    gb__paired(r, one, many, gb__times_cost, at, NULL), NAN};
    l.cost.median = l.waiting.median / l.whole.median;  // medians of quotients needn't make it
    if (l.cost.median < l.cost.lo) l.cost.lo = l.cost.median;
    if (l.cost.median > l.cost.hi) l.cost.hi = l.cost.median;
    if (control_one && control_many)
        l.machine = gb__paired(r, control_one, control_many, gb__times_cost, at, NULL).median;
    return l;
}

static void gb__tell_losses(gb__sentences *a, const gb__ledger *l)
{
    double lost = 1 - l->waiting.median, dearer = 1 - 1 / l->cost.median;
    gb__phrase ratio;
    if (fabs(lost) < 0.005) gb__words(a, "nothing is lost waiting, ");
    else
        gb__words(a, "%.0f %% [%.0f, %.0f] is %s, ", 100 * fabs(lost),
                  100 * (lost > 0 ? 1 - l->waiting.hi : l->waiting.lo - 1),
                  100 * (lost > 0 ? 1 - l->waiting.lo : l->waiting.hi - 1),
                  lost > 0 ? "lost waiting" : "won by waiting less");
    if (fabs(dearer) < 0.005) gb__words(a, "and each costs the same CPU");
    else
        gb__words(a, "%.0f %% is %s because each costs %s the CPU", 100 * fabs(dearer),
                  dearer > 0 ? "lost" : "won", gb__ratio_text(ratio, l->cost));
    // A control that loses more than Python does is all wake-ups, which says nothing of the rest.
    if (l->machine > 0 && l->machine <= l->cost.hi)
        gb__words(a, " (the C handler's: %.2fx, which is the machine)", l->machine);
}

// Nothing where the ratio is known too little to be divided into parts.
static void gb__say_why(gb__sentences *a, const gb__ladder *l, size_t rung, int build)
{
    const gb_cell *one = l->rungs[0].of[build], *many = l->rungs[rung].of[build];
    int from = l->rungs[0].n, to = l->rungs[rung].n;
    int cpus = gb__server_cpus(a->result, l->first->server_cpus);
    double n = (double)(to < cpus ? to : cpus) / from;
    gb__phrase few, more, text;
    if (!gb__is_busy(one) || !many || !(n > 1)) return;
    gb__ledger k = gb__ledger_of(a->result, one, many, l->rungs[0].of[2], l->rungs[rung].of[2], n);
    gb_interval whole = {n * k.whole.median, n * k.whole.lo, n * k.whole.hi};
    if (!(gb__width(whole) < 0.5) || !(k.cost.median > 0) || !gb__begin(a)) return;
    gb__words(a, "Why, %s: %s %s %s the %s of %s, %gx at best: ", many->python,
              gb__topology_words(many, more), l->first->interface == GB_TASK ? "do" : "serve",
              gb__ratio_text(text, whole), l->unit, gb__topology_words(one, few), n);
    gb__tell_losses(a, &k);
    if (*gb__dominant(a->result, many, text)) gb__words(a, "; in the server, %s", text);
    gb__words(a, ".");
}

// ---- the universal scalability law --------------------------------------------------------------

enum { GB__LAW_COUNTS = 6, GB__LAW_CPUS = 4 };  // with fewer any curve would fit

// What the law says of rows that differ in how many threads, or workers, they have.
typedef struct gb__scaling {
    const char *scenario, *python, *server, *by;
    double counts[GB__MOST_RUNGS], most;
    int count;  // of these; 0: it wasn't fitted
    gb_interval of[GB__LAW_FIGURES];
} gb__scaling;

static int gb__count_of(const gb_cell *c, bool by_threads)
{
    return by_threads ? c->threads : c->workers;
}

// The rows of which `first` is the first, up to that count; none where it isn't.
static int gb__find_series(const gb_result *r, const gb_cell *first, bool by_threads, int most,
                           const gb_cell *of[GB__MOST_RUNGS])
{
    int n = 0;
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count && n < GB__MOST_RUNGS; c++) {
        if (gb__count_of(c, !by_threads) != gb__count_of(first, !by_threads) || c->best ||
            c->rate > 0 || strcmp(c->scenario, first->scenario) || !gb__same_load(c, first) ||
            strcmp(c->python, first->python) || strcmp(c->server, first->server) ||
            !(c->summary[GB_RPS].median > 0) || gb__gil_is_back(r, c))
            continue;
        if (c < first) return 0;
        of[n] = c;
        n += gb__count_of(c, by_threads) <= most;
    }
    return n;
}

// Fits the law to the rows of which `first` is the first, where they are enough to those whose
// threads have a CPU each; within each round, as ratios are taken. Returns how many rows there are.
static int gb__scaling_of(const gb_result *r, const gb_cell *first, bool by_threads, gb__scaling *s)
{
    const gb_cell *of[GB__MOST_RUNGS];
    const int cpus = gb__server_cpus(r, first->server_cpus);
    int found = gb__find_series(r, first, by_threads, INT_MAX, of), n;
    size_t all = first->round_count, rounds = 0;
    *s = (gb__scaling){first->scenario, first->python, first->server,
                       by_threads ? "threads" : "workers", .count = 0};
    if (found < GB__LAW_COUNTS || cpus < GB__LAW_CPUS) return found;
    n = gb__find_series(r, first, by_threads, cpus, of);
    if (n < GB__LAW_COUNTS) n = gb__find_series(r, first, by_threads, INT_MAX, of);
    double *fits = calloc(all + 1, GB__LAW_FIGURES * sizeof *fits);
    for (size_t i = 0; fits && i < all; i++) {
        double x[GB__MOST_RUNGS], fit[GB__LAW_FIGURES];
        bool whole = true;
        for (int j = 0; j < n && whole; j++) {
            x[j] = i < of[j]->round_count ? of[j]->rounds[i].rps : 0;
            whole = x[j] > 0 && !*of[j]->rounds[i].problem;
            s->counts[j] = gb__count_of(of[j], by_threads);
            if (s->counts[j] > s->most) s->most = s->counts[j];
        }
        if (!whole) continue;
        gb__law_fit(fit, s->counts, x, (size_t)n);
        for (size_t f = 0; f < GB__LAW_FIGURES; f++) fits[f * all + rounds] = fit[f];
        rounds++;
    }
    for (size_t f = 0; f < GB__LAW_FIGURES && rounds; f++)
        s->of[f] = gb_median_ci(fits + f * all, rounds, r->plan.seed);
    if (rounds) s->count = n;
    free(fits);
    return found;
}

static void gb__tell_law(gb__sentences *a, const gb__scaling *s)
{
    static const char *const before[] = {"", "contention ", ", coherency ", ", peak at "};
    for (int f = GB__SIGMA; f <= GB__PEAK; f++) {
        const double of[] = {s->of[f].median, s->of[f].lo, s->of[f].hi};
        const bool apart = of[1] < of[2];
        for (int i = 0; i < (apart ? 3 : 1); i++) {
            gb__words(a, "%s", i ? i > 1 ? ", " : " [" : isinf(of[0]) ? ", " : before[f]);
            if (isinf(of[i])) gb__words(a, "no peak");
            else gb__words(a, f == GB__PEAK ? "%.0f" : "%.2g", of[i]);
        }
        if (apart) gb__words(a, "]");
    }
    if (isfinite(s->of[GB__PEAK].median) && s->of[GB__PEAK].median > s->most)
        gb__words(a, " (beyond what was measured)");
}

// Or why it can't be fitted where a list was given, which is more than the usual topologies are.
static void gb__say_scaling(gb__sentences *a, const gb__ladder *l)
{
    const gb_result *r = a->result;
    const int cpus = gb__server_cpus(r, l->first->server_cpus);
    int most = 0;
    bool said = false;
    gb__phrase name;
    gb__scaling s;
    for (size_t i = 0; i < r->cell_count && l->metric == GB_RPS; i++) {
        const gb_cell *c = &r->cells[i];
        if (strcmp(c->scenario, l->first->scenario) || !gb__same_load(c, l->first)) continue;
        int found = gb__scaling_of(r, c, l->by_threads, &s);
        if (found > most) most = found;
        if (!s.count || (!said && !gb__begin(a))) continue;
        if (!said)
            gb__words(a, "Scaling of %s over %d %.6s counts (universal scalability law%s)",
                      c->path, s.count, s.by,
                      s.most > cpus ? "; to wait for a CPU counts as contention" : "");
        gb__words(a, "%s %s ", said ? ";" : ":", gb__name(r, c, name));
        gb__tell_law(a, &s);
        said = true;
    }
    if (said) gb__words(a, ".");
    if (said || a->refused || most < (l->first->connections ? 4 : 3) || !gb__begin(a)) return;
    gb__words(a, "A fit of the universal scalability law needs %d %s counts on %d CPUs: %d on %d "
              "here.", GB__LAW_COUNTS, l->by_threads ? "thread" : "worker", GB__LAW_CPUS, most,
              cpus);
    a->refused = true;
}

// What the requests of a row wait for longest, with its line; nothing where that wasn't noted.
static void gb__say_waits(gb__sentences *a, const gb_cell *c)
{
    const gb_round *r = c ? gb__noted_round(c) : NULL;
    double us[GB__PHASE_READY], all = c ? gb__anatomy(c, us) : 0;
    gb__phrase text;
    if (!r || !r->waits.count || !(all > 0)) return;
    const gb_wait *w = r->waits.list;
    double share = w->kind < GB_WAIT_EVENT ? 100 * us[GB__PHASE_ATTACH + w->kind] / all : 0;
    bool known = w->kind == GB_WAIT_LOCK || !*r->waits.problem;
    if (share < 1 || !known || !gb__begin(a)) return;
    gb__words(a, "With %s a request on %s waits %.0f %% of its time for %s: ",
              gb__topology_words(c, text), c->python, share, gb__waited_for[w->kind]);
    const char *holder = *w->holder ? w->holder : "no line of Python";
    const char *waiter = strcmp(w->waiter, "a request's beginning") ? w->waiter : "its beginning";
    if (w->kind == GB_WAIT_WORLD) gb__words(a, "%s stops it.", holder);
    else if (w->kind == GB_WAIT_GIL) gb__words(a, "most at %s, held by %s.", waiter, holder);
    else gb__words(a, "most at %s%s%s.", waiter, *w->object ? ", of " : "", w->object);
}

static bool gb__is_first_of_scenario(const gb_result *r, const gb_cell *c)
{
    for (const gb_cell *before = r->cells; before < c; before++)
        if (!strcmp(before->scenario, c->scenario)) return false;
    return true;
}

// What is said is of the rows with the most CPUs.
static const gb_cell *gb__with_most_cpus(const gb_result *r, const gb_cell *first)
{
    for (const gb_cell *c = first; c < r->cells + r->cell_count; c++)
        if (!strcmp(c->scenario, first->scenario) && gb__server_cpus(r, c->server_cpus) >
                                                         gb__server_cpus(r, first->server_cpus))
            first = c;
    return first;
}

// The first scenario that keeps a CPU busy is told in full.
static void gb__say_scenarios(gb__sentences *a)
{
    const gb_result *r = a->result;
    bool told = false;
    for (size_t i = 0; i < r->cell_count; i++) {
        if (!gb__is_first_of_scenario(r, &r->cells[i])) continue;
        gb__ladder l = gb__ladder_of(a, gb__with_most_cpus(r, &r->cells[i]));
        if (!l.count) continue;
        bool busy = gb__is_busy(l.rungs[0].of[0]) || gb__is_busy(l.rungs[0].of[1]);
        bool in_full = !told && l.count > 1 && busy;
        gb__say_builds(a, &l, in_full);
        if (in_full) gb__say_own(a, &l);
        gb__say_best(a, &l);
        if (in_full) gb__say_memory(a, &l);
        for (int build = 0; build < 2 && in_full && l.metric == GB_RPS; build++) {
            const gb_cell *one = l.rungs[0].of[build], *most = l.rungs[l.count - 1].of[build];
            gb__say_why(a, &l, l.peak, build);
            if (one && most && l.peak + 1 != l.count &&
                gb__compare_cells(r, one, most, GB_RPS).verdict == GB_SLOWER)
                gb__say_why(a, &l, l.count - 1, build);
        }
        for (int build = 0; build < 2 && in_full; build++)
            gb__say_waits(a, l.rungs[l.count - 1].of[build]);
        gb__say_scaling(a, &l);
        told |= in_full;
    }
}

// What changed from one result to another.
static void gb__say_changes(gb__sentences *a)
{
    const gb_result *r = a->result;
    size_t n[4] = {0};
    for (size_t i = 0; i < r->comparison_count; i++) {
        const gb_comparison *k = &r->comparisons[i];
        const gb_cell *c = gb__find_cell(r, k->candidate), *b = gb__find_cell(r, k->baseline);
        if (!c || !b || !strcmp(c->source, b->source)) continue;
        if (strcmp(k->metric, gb__metrics[c->rate > 0 ? GB_LATENCY_P99 : GB_RPS].name)) continue;
        n[k->verdict]++;
    }
    size_t all = n[GB_FASTER] + n[GB_SLOWER] + n[GB_NO_DIFFERENCE] + n[GB_UNCLEAR];
    if (!all || !gb__begin(a)) return;
    gb__words(a, "Against the first result, of %zu row%s that both have: %zu faster, %zu slower, "
              "%zu no difference, %zu unclear.", all, &"s"[all == 1], n[GB_FASTER], n[GB_SLOWER],
              n[GB_NO_DIFFERENCE], n[GB_UNCLEAR]);
}

// ---- what makes it unsure -----------------------------------------------------------------------

// Adds one, and what to do about it; the worst comes first, and is what to do first.
GB__PRINTF(4, 5)
static void gb__doubt(gb__sentences *a, const char **first, const char *remedy, const char *format,
                      ...)
{
    gb__phrase text;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!*first) *a->lines[a->count++] = 0;
    gb__words(a, "%s%s", *first ? "; " : "Unsure: ", text);
    if (!*first) *first = remedy;
}

static void gb__say_unsure(gb__sentences *a)
{
    const gb_result *r = a->result;
    size_t failed = 0, back = 0, client = 0, rounds = 0;
    const char *modules = "", *remedy = NULL;
    const gb_cell *broken = NULL;
    double steal, others = gb__disturbance(r, &steal);
    gb__phrase ratio, more = "find a quieter or a bigger machine: rounds alone would take too long";
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++) {
        if (gb__gil_is_back(r, c)) back++, modules = gb__gil_is_back(r, c);
        if (c->round_count && !gb__first_round(c) && !failed++) broken = c;
        client += !gb__cell_is_control(c) &&
                  gb__median_at(c, offsetof(gb_round, cpu.client_share)) > 0.9;
        if (c->round_count > rounds) rounds = c->round_count;
    }
    if (failed)
        gb__doubt(a, &remedy, "see the warnings for why", "%zu of %zu rows failed, the first of "
                  "%.150s", failed, r->cell_count, broken->path);
    if (back)
        gb__doubt(a, &remedy, "try versions of these modules that declare that they run without",
                  "the GIL came back in %zu row%s (%.100s), left out here", back, &"s"[back == 1],
                  modules);
    if (rounds < GB__FEWEST_ROUNDS)
        gb__doubt(a, &remedy, "measure 10 --rounds", "fewer than %d rounds can't give an interval "
                  "of 95 %%", GB__FEWEST_ROUNDS);
    if (others > 0.05 && others > 0.05 * r->host.cpus)
        gb__doubt(a, &remedy, "end what else runs here and measure again",
                  "other processes used %.2f of %d CPUs", others, r->host.cpus);
    if (steal > 0.02)
        gb__doubt(a, &remedy, "measure on a machine that nobody shares",
                  "the hypervisor took %.0f %% of the CPU time", 100 * steal);
    if (client)
        gb__doubt(a, &remedy, "give the client more --client-threads, and CPUs of its own",
                  "the client was at its limit in %zu row%s", client, &"s"[client == 1]);
    if (a->needed <= 200 && a->needed * r->plan.duration_s * (double)r->cell_count <= 3600)
        snprintf(more, sizeof more, "about %d --rounds would tell 5 %%", a->needed);
    if (a->unclear && rounds >= GB__FEWEST_ROUNDS)
        gb__doubt(a, &remedy, more, "%zu of these %zu ratios %s unclear, the widest is %s",
                  a->unclear, a->ratios, a->unclear == 1 ? "is" : "are",
                  gb__ratio_text(ratio, a->widest));
    bool tasks = r->cell_count && r->cells->interface == GB_TASK;
    if (r->host.cpus > 0 && r->host.cpus < 4 && !tasks && !gb__is_parted(&r->plan.cpus))
        gb__doubt(a, &remedy, "measure on a machine with 4 CPUs or more",
                  "server and client share %d CPU%s", r->host.cpus, &"s"[r->host.cpus == 1]);
    if (remedy) gb__words(a, ". What to do first: %s.", remedy);
}

// The caller's to free; NULL without memory. The first build with a GIL is what the first without
// is held against; where all have one, or none has, it is the first two.
static gb__sentences *gb__sentences_of(const gb_result *r)
{
    gb__sentences *a = calloc(1, sizeof *a);
    bool sources = false;
    if (!a) return NULL;
    a->result = r;
    for (size_t i = r->python_count; i--;)
        a->builds[!gb__has_gil(&r->pythons[i])] = r->pythons[i].id;
    bool pair = a->builds[0] && a->builds[1];
    for (size_t i = 0; i < 2 && !pair; i++)
        a->builds[i] = i < r->python_count ? r->pythons[i].id : NULL;
    a->builds[2] = "";
    for (size_t i = 0; i < r->cell_count; i++) sources |= *r->cells[i].source != 0;
    for (size_t i = 0; i < r->cell_count; i++)
        a->several |= strcmp(r->cells[i].scenario, r->cells->scenario) != 0;
    if (sources) gb__say_changes(a);
    else if (r->python_count) gb__say_scenarios(a);
    if (a->count) gb__say_unsure(a);
    return a;
}

// ================================================================================================
// >>table
// Figures and cells of text in rows, shown aligned, as Markdown and as CSV.

// A figure for programs: as many digits as make it the same number again when it is read.
static const char *gb__exact(gb__small text, double value)
{
    int digits = 9;
    do snprintf(text, sizeof(gb__small), "%.*g", digits, value);
    while (strtod(text, NULL) != value && (digits += 4) <= 17);
    return text;
}

typedef struct gb__table {
    struct {
        gb__buf text;
        gb_verdict told;  // which gives it its colour
    } *cells;        // row after row, the header first
    size_t columns, count;
    size_t left;     // the first so many columns are text; the others are figures
    size_t keys;     // so many say what a row is; they are repeated where a table is too wide
    gb_verdict told;  // by the cells to come
    bool failed;
} gb__table;

// Text as it can be shown anywhere, in one line: no control characters, which a terminal would
// obey, and UTF-8.
static void gb__add_clean(gb__buf *b, const char *text)
{
    gb__buf_str(b, "");
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = gb__utf8_length(s);
        bool control = *s < 0x20 || *s == 0x7f || (n == 2 && *s == 0xc2 && s[1] < 0xa0);
        if (n && !control) gb__buf_add(b, s, n);
        else gb__buf_str(b, *s == '\n' ? " " : "?");
        s += n ? n : 1;
    }
}

GB__PRINTF(2, 3) static void gb__cell(gb__table *t, const char *format, ...)
{
    char text[512];
    va_list args;
    void *grown = gb__with_room(t->cells, t->count, sizeof *t->cells);
    t->failed |= !grown;
    if (!grown) return;
    t->cells = grown;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->cells[t->count].text = (gb__buf){0};
    t->cells[t->count].told = t->told;
    gb__add_clean(&t->cells[t->count].text, text);
    t->failed |= t->cells[t->count++].text.failed;
}

static void gb__table_free(gb__table *t)
{
    for (size_t i = 0; i < t->count; i++) gb__buf_free(&t->cells[i].text);
    free(t->cells);
    *t = (gb__table){0};
}

static const char *gb__table_text(const gb__table *t, size_t i)
{
    return t->cells[i].text.data ? t->cells[i].text.data : "";
}

// Places that a text takes on a terminal, where each character takes one.
static size_t gb__text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++) width += (*text & 0xc0) != 0x80;
    return width;
}

static void gb__add_padded(const gb__table *t, size_t i, size_t width, bool colour, gb__buf *b)
{
    static const char *const tones[] = {"", "\033[32m", "\033[31m", "\033[2m"};  // by gb_verdict
    const char *text = gb__table_text(t, i);
    size_t used = gb__text_width(text);
    int pad = width > used ? (int)(width - used) : 0;
    bool left = i % t->columns < t->left, toned = colour && t->cells[i].told;
    gb__buf_printf(b, "%*s%s%s%s%*s", left ? 0 : pad, "", toned ? tones[t->cells[i].told] : "",
                   text, toned ? "\033[0m" : "", left ? pad : 0, "");
}

enum { GB__MOST_COLUMNS = 32 };

// The columns from `first` to before `end`, behind the keys.
static void gb__table_block(const gb__table *t, const size_t *widths, size_t first, size_t end,
                            bool colour, gb__buf *b)
{
    for (size_t row = 0; row < t->count; row += t->columns) {
        for (size_t c = 0; c < end; c++) {
            if (c >= t->keys && c < first) continue;
            gb__add_padded(t, row + c, widths[c], colour, b);
            gb__buf_str(b, "  ");
        }
        while (b->len && b->data[b->len - 1] == ' ') b->len--;
        gb__buf_str(b, "\n");
    }
}

// Aligned columns; where they don't fit the width (0: any), as several blocks one below the other.
static void gb__table_aligned(const gb__table *t, size_t width, bool colour, gb__buf *b)
{
    size_t keys = 0, widths[GB__MOST_COLUMNS] = {0};
    for (size_t i = 0; i < t->count; i++) {
        size_t width_here = gb__text_width(gb__table_text(t, i)), *widest = &widths[i % t->columns];
        if (width_here > *widest) *widest = width_here;
    }
    for (size_t c = 0; c < t->keys; c++) keys += widths[c] + 2;
    for (size_t first = t->keys; first < t->columns;) {
        size_t end = first, used = keys;
        do used += widths[end++] + 2;
        while (end < t->columns && (!width || used + widths[end] <= width));
        if (first > t->keys) gb__buf_str(b, "\n");
        gb__table_block(t, widths, first, end, colour, b);
        first = end;
    }
}

GB_API void gb_bars(const gb_bar *bars, size_t count, const char *unit, FILE *out)
{
    static const char full[] = "####################################";
    double most = 0;
    gb__small text;
    for (size_t i = 0; i < count; i++)
        if (bars[i].value > most) most = bars[i].value;
    for (size_t i = 0; i < count; i++) {
        double part = most > 0 && bars[i].value > 0 ? bars[i].value / most : 0;
        fprintf(out, "  %-27.27s %-36.*s %s %.4s\n", bars[i].label, (int)(36 * part + 0.5), full,
                gb__number(text, bars[i].value), unit);
    }
}

// What would mean something in Markdown, or become a link, is only itself; of that, figures have
// nothing but brackets, which alone are no link.
static void gb__add_escaped(gb__buf *b, const char *text, bool is_text)
{
    const char *special = is_text ? "|<&\\`*_[]~$#@" : "|<&";
    for (const char *s = text; *s; s++) {
        bool link = is_text && (!strncmp(s, "://", 3) ||
                                (*s == '.' && s >= text + 3 && !strncasecmp(s - 3, "www", 3)));
        if (link || strchr(special, *s)) gb__buf_str(b, "\\");
        gb__buf_add(b, s, 1);
    }
}

static void gb__table_markdown(const gb__table *t, gb__buf *b)
{
    for (size_t i = 0; i < t->count; i++) {
        if (i == t->columns) {
            for (size_t c = 0; c < t->columns; c++)
                gb__buf_str(b, c < t->left ? "| --- " : "| ---: ");
            gb__buf_str(b, "|\n");
        }
        gb__buf_str(b, "| ");
        gb__add_escaped(b, gb__table_text(t, i), i % t->columns < t->keys);
        gb__buf_str(b, (i + 1) % t->columns ? " " : " |\n");
    }
}

// RFC 4180: CRLF, and quotes around whatever has a comma or a quote; line breaks there are none.
static void gb__table_csv(const gb__table *t, gb__buf *b)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *text = gb__table_text(t, i);
        bool quote = strpbrk(text, ",\"");
        if (quote) gb__buf_str(b, "\"");
        // A spreadsheet would take these for the beginning of a formula.
        if (strchr("=+@-", *text) && *text && text[1] && i >= t->columns) gb__buf_str(b, "'");
        for (const char *s = text; *s; s++) {
            if (*s == '"') gb__buf_str(b, "\"");
            gb__buf_add(b, s, 1);
        }
        if (quote) gb__buf_str(b, "\"");
        gb__buf_str(b, (i + 1) % t->columns ? "," : "\r\n");
    }
}

// ================================================================================================
// >>report
// A result in tables: made after the measurement, from the gb_result alone. A report is composed in
// memory and written at once, so that there is one place where writing can fail.

static gb_code gb__write_out(gb__buf *b, FILE *out, gb_error *error)
{
    bool ok = !b->failed && fwrite(b->data ? b->data : "", 1, b->len, out) == b->len &&
              !fflush(out);
    int saved = errno;
    bool memory = b->failed;
    gb__buf_free(b);
    if (ok) return GB_OK;
    return memory ? gb__fail_memory(error)
                  : gb__fail(error, GB_SYSTEM, "can't write the report: %s", strerror(saved));
}

// ---- what the article reports (gb__reported_note says who and where); 0: not reported -----------

typedef struct gb__reported {
    const char *scenario;
    bool free_threaded;
    int workers, threads, rps;
    double mean_ms;
    int mb;
} gb__reported;

static const gb__reported gb__article[] = {
    {"article-asgi-json", false, 1, 1, 28500, 4.5, 105},
    {"article-asgi-json", true, 1, 1, 22800, 5.6, 85},
    {"article-asgi-io", false, 2, 1, 9100, 28.1, 210},
    {"article-asgi-io", true, 2, 1, 9400, 27.2, 170},
    {"article-wsgi-json", false, 1, 1, 28500, 0, 0},
    {"article-wsgi-json", false, 1, 64, 6100, 0, 190},
    {"article-wsgi-json", true, 1, 64, 41200, 0, 220},
    {"article-wsgi-io", false, 1, 1, 0, 128, 0},
    {"article-wsgi-io", false, 1, 64, 0, 15, 0},
    {"article-wsgi-io", false, 2, 64, 9100, 0, 380},
    {"article-wsgi-io", true, 2, 64, 9300, 0, 420}};

static const gb__reported *gb__reported_of(const gb_result *r, const gb_cell *c)
{
    const gb_python *python = gb__find_python(r, c->python);
    for (size_t i = 0; python && i < sizeof gb__article / sizeof *gb__article; i++) {
        const gb__reported *a = &gb__article[i];
        if (!strcmp(a->scenario, c->scenario) && a->free_threaded == python->free_threaded &&
            a->workers == c->workers && a->threads == c->threads && python->gil < 0 && !*c->server)
            return a;
    }
    return NULL;
}

static void gb__reported_cells(gb__table *t, const gb__reported *a)
{
    gb__small text;
    gb__cell(t, "%s", a && a->rps ? gb__number(text, a->rps) : "");
    gb__cell(t, "%s", a && a->mean_ms > 0 ? gb__number(text, a->mean_ms) : "");
    gb__cell(t, "%s", a && a->mb ? gb__number(text, a->mb) : "");
}

// ---- the figures --------------------------------------------------------------------------------

// Shown in tables, in the page's alone, or else in CSV only; where it can't be 0, 0 is unknown.
enum { GB__SHOWN = 1, GB__CAN_BE_ZERO = 2, GB__IN_PAGE = 4 };

typedef struct gb__column {
    size_t offset;  // of a double in gb_round
    const char *head;
    int flags;
} gb__column;

#define GB__COLUMN(place, ...) {offsetof(gb_round, place), __VA_ARGS__}
#define GB__PHASE_COLUMNS(phase, zero)                                                             \
    GB__COLUMN(anatomy_us.phase.mean, #phase " us", GB__IN_PAGE | (zero)),                         \
    GB__COLUMN(anatomy_us.phase.p99, #phase " p99 us", zero)

// Of each figure the median of the rounds is reported; of a gb__metrics one its interval as well.
static const gb__column gb__columns[] = {
    GB__COLUMN(rps, "req/s", GB__SHOWN | GB__CAN_BE_ZERO),
    GB__COLUMN(latency_ms.mean, "mean ms", GB__IN_PAGE),
    GB__COLUMN(latency_ms.p50, "p50 ms", GB__SHOWN),
    GB__COLUMN(latency_ms.p90, "p90 ms", 0),
    GB__COLUMN(latency_ms.p99, "p99 ms", GB__SHOWN),
    GB__COLUMN(latency_ms.p999, "p99.9 ms", GB__IN_PAGE),
    GB__COLUMN(latency_ms.max, "max ms", 0),
    GB__COLUMN(uncorrected_ms.mean, "uncorrected mean ms", 0),
    GB__COLUMN(uncorrected_ms.p50, "uncorrected p50 ms", 0),
    GB__COLUMN(uncorrected_ms.p99, "uncorrected p99 ms", 0),
    GB__COLUMN(memory_mb.service, "MB", GB__SHOWN),
    GB__COLUMN(memory_mb.rss_peak, "peak RSS MB", GB__SHOWN),
    GB__COLUMN(memory_mb.rss, "RSS MB", 0),
    GB__COLUMN(memory_mb.pss, "PSS MB", 0),
    GB__COLUMN(memory_mb.uss, "USS MB", 0),
    GB__COLUMN(cpu.server_us_per_request, "CPU us/req", GB__IN_PAGE),
    GB__COLUMN(cpu.server_cores, "cores", GB__SHOWN),
    GB__COLUMN(cpu.client_us_per_request, "client us/req", 0),
    GB__COLUMN(cpu.client_share, "client share", 0),
    GB__COLUMN(other_cores, "other cores", GB__CAN_BE_ZERO),
    GB__COLUMN(steal_ms, "steal ms", GB__CAN_BE_ZERO),
    GB__COLUMN(context_switches_per_request, "switches/req", GB__CAN_BE_ZERO),
    GB__COLUMN(gc.pause_ms, "GC pauses ms", GB__CAN_BE_ZERO),
    GB__PHASE_COLUMNS(read, 0),
    GB__PHASE_COLUMNS(attach_wait, GB__CAN_BE_ZERO),
    GB__PHASE_COLUMNS(app, 0),
    GB__PHASE_COLUMNS(write, 0),
    GB__PHASE_COLUMNS(lock_wait, GB__CAN_BE_ZERO),
    GB__PHASE_COLUMNS(world_wait, GB__CAN_BE_ZERO),
    GB__PHASE_COLUMNS(off_cpu, GB__CAN_BE_ZERO),
    GB__PHASE_COLUMNS(ready_wait, 0),
    GB__COLUMN(warmup_s, "warm-up s", 0),
    GB__COLUMN(seconds, "window s", 0)};

enum { GB__COLUMNS = sizeof gb__columns / sizeof *gb__columns };

// What it is of gb__metrics; GB_METRIC_COUNT if it is none of them.
static size_t gb__metric_at(size_t offset)
{
    size_t i = 0;
    while (i < GB_METRIC_COUNT && gb__metrics[i].offset != offset) i++;
    return i;
}

static double gb__figure(const gb_cell *c, const gb__column *k)
{
    size_t metric = gb__metric_at(k->offset);
    bool summed = metric < GB_METRIC_COUNT && isfinite(c->summary[metric].median);
    double median = summed ? c->summary[metric].median : gb__median_at(c, k->offset);
    if (!gb__is_seen(c, k->offset)) return NAN;
    return median > 0 || k->flags & GB__CAN_BE_ZERO ? median : (double)NAN;
}

// ---- a result, and what was looked up in it once ------------------------------------------------

typedef struct gb__view {
    const gb_result *result;
    gb_metric memory;  // the peak of RSS where a file is too old for anything better
    bool rates, sources, reported, tasks, published;  // some cell has one, or is one
    bool connections;               // they differ
    bool page;                      // it is for one, which has room
    bool known[GB__COLUMNS];        // of some cell
} gb__view;

static gb__view gb__look_up(const gb_result *r, bool page)
{
    gb__view v = {.result = r, .memory = GB_RSS_PEAK, .page = page};
    for (size_t i = 0; i < r->cell_count; i++) {
        const gb_cell *c = &r->cells[i];
        if (c->summary[GB_MEMORY].median > 0) v.memory = GB_MEMORY;
        v.rates |= c->rate > 0;
        v.connections |= c->connections != r->cells->connections;
        v.sources |= *c->source != 0;
        v.tasks |= c->interface == GB_TASK;
        v.published |= !strncmp(c->path, "fib(", 4) || !strncmp(c->path, "bubble(", 7);
        v.reported |= gb__reported_of(r, c) != NULL;
        for (size_t k = 0; k < GB__COLUMNS; k++)
            v.known[k] = v.known[k] || isfinite(gb__figure(c, &gb__columns[k]));
    }
    return v;
}

// Two cells that were compared, and what each metric says of them; NULL: nothing.
typedef struct gb__pair {
    const gb_cell *baseline, *candidate;
    const gb_comparison *of[GB_METRIC_COUNT];
} gb__pair;

static bool gb__is_of(const gb_comparison *k, const char *baseline, const char *candidate)
{
    return !strcmp(k->baseline, baseline) && !strcmp(k->candidate, candidate);
}

// The pair that comparison *i is of, as are those behind it; false where there is no more.
static bool gb__next_pair(const gb_result *r, size_t *i, gb__pair *p)
{
    const gb_comparison *k = &r->comparisons[*i], *first = k;
    if (*i == r->comparison_count) return false;
    *p = (gb__pair){.baseline = gb__find_cell(r, k->baseline),
                    .candidate = gb__find_cell(r, k->candidate)};
    for (; *i < r->comparison_count && gb__is_of(k, first->baseline, first->candidate); ++*i, k++)
        p->of[gb__find_metric(k->metric) - gb__metrics] = k;
    return true;
}

// What is said of a cell's req/s against another's; NULL: nothing.
static const gb_comparison *gb__find_comparison(const gb_result *r, const gb_cell *baseline,
                                                const gb_cell *c)
{
    for (size_t i = 0; baseline && i < r->comparison_count; i++) {
        const gb_comparison *k = &r->comparisons[i];
        if (gb__is_of(k, baseline->id, c->id) && !strcmp(k->metric, "rps")) return k;
    }
    return NULL;
}

static void gb__ratio(gb__table *t, const gb_comparison *k)
{
    gb__phrase ratio;
    t->told = k ? k->verdict : GB_NO_DIFFERENCE;
    if (k) gb__cell(t, "%s %s", gb__ratio_text(ratio, k->ratio), gb__verdict_words(k));
    else gb__cell(t, "%s", "");
    t->told = GB_NO_DIFFERENCE;
}

typedef char gb__line[GB_PATH + 512];

static const char *const gb__interfaces[] = {"auto", "wsgi", "asgi", "c", "task", NULL};

// ---- the table of all cells ---------------------------------------------------------------------

static bool gb__is_shown(const gb__view *v, const gb__column *k)
{
    size_t metric = gb__metric_at(k->offset);
    bool other_memory = (metric == GB_MEMORY || metric == GB_RSS_PEAK) && metric != v->memory;
    bool in_page = k->flags & GB__IN_PAGE && v->page && v->known[k - gb__columns];
    return (k->flags & GB__SHOWN || in_page) && !other_memory;
}

// A task is no endpoint, and has jobs.
static const char *gb__head(const gb_result *r, const char *head)
{
    bool tasks = r->cell_count && r->cells->interface == GB_TASK;
    if (tasks && !strcmp(head, "endpoint")) return "task";
    if (tasks && !strcmp(head, "CPU us/req")) return "CPU us/job";
    return tasks && !strcmp(head, "req/s") ? "jobs/s" : head;
}

static void gb__heads(gb__table *t, const char *const *heads)
{
    for (; *heads; heads++) gb__cell(t, "%s", *heads);
}

static void gb__main_heads(const gb__view *v, gb__table *t)
{
    gb__heads(t, (const char *const[]){gb__head(v->result, "endpoint"), "variant", "workers",
                                       "threads", NULL});
    if (v->connections) gb__cell(t, "connections");
    if (v->rates) gb__cell(t, "rate");
    for (size_t i = 0; i < GB__COLUMNS; i++) {
        if (gb__is_shown(v, &gb__columns[i]))
            gb__cell(t, "%s", gb__head(v->result, gb__columns[i].head));
        if (!i) gb__cell(t, "+-");
    }
    gb__cell(t, "GIL wait");
    if (v->reported)
        gb__heads(t, (const char *const[]){"reported req/s", "reported ms", "reported MB", NULL});
    gb__cell(t, "against the first build");
}

// With the first of the modules that are to blame for a GIL that is back.
static void gb__row_name(gb__table *t, const gb_result *r, const gb_cell *c)
{
    gb__phrase name;
    const char *modules = gb__gil_is_back(r, c);
    gb__name(r, c, name);
    if (modules)
        gb__cell(t, "%s: %.*s%s", name, (int)strcspn(modules, ","), modules,
                 strchr(modules, ',') ? ", ..." : "");
    else gb__cell(t, "%s", name);
}

// How many workers or threads; "-" where somebody else's command doesn't say.
static void gb__topology(gb__table *t, const gb_cell *c, const char *field, int count)
{
    if (*c->command && !strstr(c->command, field)) gb__cell(t, "-");
    else gb__cell(t, "%d", count);
}

// A path alone doesn't tell scenarios apart that have the same.
static void gb__add_endpoint(gb__table *t, const gb_result *r, const gb_cell *c)
{
    const gb_cell *other = r->cells, *end = r->cells + r->cell_count;
    while (other < end && (strcmp(other->path, c->path) || !strcmp(other->scenario, c->scenario)))
        other++;
    if (other < end) gb__cell(t, "%s (%s)", c->path, c->scenario);
    else gb__cell(t, "%s", c->path);
}

// Behind what is called endpoint.
static void gb__row_keys(gb__table *t, const gb_result *r, const gb_cell *c)
{
    gb__row_name(t, r, c);
    gb__topology(t, c, "{workers}", c->workers);
    gb__topology(t, c, "{threads}", c->threads);
}

static void gb__measured(const gb__view *v, gb__table *t, const gb_cell *c)
{
    gb__small text;
    bool measured = gb__first_round(c);
    for (size_t i = 0; i < GB__COLUMNS; i++) {
        gb_interval rps = c->summary[GB_RPS];
        double half = 50 * (rps.hi - rps.lo) / rps.median;
        if (!i && !measured) gb__cell(t, "failed");
        else if (gb__is_shown(v, &gb__columns[i]))
            gb__cell(t, "%s", gb__number(text, gb__figure(c, &gb__columns[i])));
        if (!i) gb__cell(t, measured && half > 0 ? "%.1f %%" : "-", half);
    }
    double us[GB__PHASE_READY], all = gb__anatomy(c, us);
    bool seen = all > 0 && gb__is_seen(c, gb__phases[GB__PHASE_ATTACH].offset);
    gb__cell(t, seen ? "%.0f %%" : "-", 100 * us[GB__PHASE_ATTACH] / all);
}

static void gb__main_row(const gb__view *v, gb__table *t, const gb_cell *c)
{
    gb__small text;
    const gb_cell *first = gb__baseline(v->result, c, GB__AGAINST_BUILD);
    gb__add_endpoint(t, v->result, c);
    gb__row_keys(t, v->result, c);
    if (v->connections && c->connections) gb__cell(t, "%d", c->connections);
    else if (v->connections) gb__cell(t, "-");
    if (v->rates) gb__cell(t, "%s", gb__number(text, c->rate > 0 ? c->rate : (double)NAN));
    gb__measured(v, t, c);
    if (v->reported) gb__reported_cells(t, gb__reported_of(v->result, c));
    gb__ratio(t, gb__find_comparison(v->result, first, c));
}

static void gb__main_table(const gb__view *v, gb__table *t)
{
    const gb_result *r = v->result;
    *t = (gb__table){.left = 2, .keys = 4};
    gb__main_heads(v, t);
    t->columns = t->count;
    for (size_t i = 0; i < r->cell_count; i++) gb__main_row(v, t, &r->cells[i]);
}

// ---- the verdicts: every pair that was compared, by every metric --------------------------------

// What of the baseline is not as it is in the candidate.
static const char *gb__against(const gb_result *r, const gb__pair *p, gb__phrase text)
{
    const gb_cell *baseline = p->baseline;
    gb__phrase name;
    const char *file = *r->name ? gb__basename(r->name) : "the first result";
    gb__name(r, baseline, name);
    if (strcmp(baseline->source, p->candidate->source))
        snprintf(text, sizeof(gb__phrase), "%.150s%s%.100s", name, *baseline->source ? "" : " in ",
                 *baseline->source ? "" : file);
    else if (baseline->best || baseline->threads == p->candidate->threads)
        gb__copy(text, sizeof(gb__phrase), name);
    else
        snprintf(text, sizeof(gb__phrase), "%d thread%s", baseline->threads,
                 baseline->threads == 1 ? "" : "s");
    return text;
}

static void gb__verdict_table(const gb_result *r, gb__table *t)
{
    bool said[GB_METRIC_COUNT] = {false};
    gb__phrase against;
    gb__pair p;
    *t = (gb__table){.left = 2, .keys = 5};
    gb__heads(t, (const char *const[]){gb__head(r, "endpoint"), "variant", "workers", "threads",
                                       "against", NULL});
    for (size_t i = 0; i < r->comparison_count; i++)
        said[gb__find_metric(r->comparisons[i].metric) - gb__metrics] = true;
    for (size_t m = 0; m < GB_METRIC_COUNT; m++)
        if (said[m]) gb__cell(t, "%s", gb__head(r, gb__metrics[m].title));
    t->columns = t->count;
    for (size_t i = 0; gb__next_pair(r, &i, &p);) {
        gb__add_endpoint(t, r, p.candidate);
        gb__row_keys(t, r, p.candidate);
        gb__cell(t, "%s", gb__against(r, &p, against));
        for (size_t m = 0; m < GB_METRIC_COUNT; m++)
            if (said[m]) gb__ratio(t, p.of[m]);
    }
}

// ---- CSV: a row a cell, then a row a pair, with ratios to the one it is against -----------------

static void gb__csv_figure(gb__table *t, double value)
{
    gb__small text;
    gb__cell(t, "%s", isfinite(value) ? gb__exact(text, value) : "");
}

// A cell's figures, or where there is a pair what it says of them.
static void gb__csv_row(gb__table *t, const gb_result *r, const gb_cell *c, const gb__pair *p)
{
    gb__cell(t, "%s", c->id);
    gb__cell(t, "%s", p ? p->baseline->id : "");
    gb__cell(t, "%s", c->scenario);
    gb__cell(t, "%s", c->path);
    gb__row_keys(t, r, c);
    gb__cell(t, "%s", gb__interfaces[c->interface]);
    gb__cell(t, "%d", c->connections);
    gb__csv_figure(t, c->rate > 0 ? c->rate : (double)NAN);
    gb__cell(t, "%zu", c->round_count);
    for (size_t i = 0; i < GB__COLUMNS; i++) {
        size_t m = gb__metric_at(gb__columns[i].offset);
        bool summed = m < GB_METRIC_COUNT;
        const gb_comparison *k = p && summed ? p->of[m] : NULL;
        gb_interval none = {NAN, NAN, NAN}, of = k ? k->ratio : p || !summed ? none : c->summary[m];
        gb__csv_figure(t, p ? of.median : gb__figure(c, &gb__columns[i]));
        if (!summed) continue;
        gb__csv_figure(t, of.lo);
        gb__csv_figure(t, of.hi);
        gb__cell(t, "%s", k ? gb__verdict_words(k) : "");
    }
    size_t i = p ? c->round_count : 0;
    while (i < c->round_count && !c->rounds[i].first_answer.status) i++;
    bool answered = i < c->round_count;
    gb__csv_figure(t, answered ? c->rounds[i].first_answer.status : (double)NAN);
    gb__csv_figure(t, answered ? (double)c->rounds[i].first_answer.size : (double)NAN);
}

GB_API gb_code gb_report_csv(const gb_result *result, FILE *out, gb_error *error)
{
    gb__table t = {0};
    gb__buf b = {0};
    gb__pair p;
    locale_t before = gb__use_point();
    gb__heads(&t, (const char *const[]){"id", "against", "scenario", "endpoint", "variant",
                                        "workers", "threads", "interface", "connections", "rate",
                                        "rounds", NULL});
    for (size_t i = 0; i < GB__COLUMNS; i++) {
        static const char *const more[] = {" lo", " hi", " verdict"};
        const char *head = gb__columns[i].head;
        gb__cell(&t, "%s", head);
        for (int j = 0; j < 3 && gb__metric_at(gb__columns[i].offset) < GB_METRIC_COUNT; j++)
            gb__cell(&t, "%s%s", head, more[j]);
    }
    gb__heads(&t, (const char *const[]){"status", "bytes", NULL});
    t.columns = t.count;
    for (size_t i = 0; i < result->cell_count; i++)
        gb__csv_row(&t, result, &result->cells[i], NULL);
    for (size_t i = 0; gb__next_pair(result, &i, &p);) gb__csv_row(&t, result, p.candidate, &p);
    gb__table_csv(&t, &b);
    b.failed |= t.failed;
    gb__table_free(&t);
    gb__restore_locale(before);
    return gb__write_out(&b, out, error);
}

// ================================================================================================
// >>json
// JSON (RFC 8259) in both directions, and nothing of what it says. What is read may be damaged or
// hostile: then a sentence with the place is all that comes of it.

enum {
    GB__DEEPEST = 32,                // nesting of what an unknown key holds
    GB__LONGEST_FILE = 256 << 20,    // bytes
    GB__LARGEST_RESULT = 1 << 30     // bytes of memory
};

#define GB__LARGEST_NUMBER 1e18

// ---- writing ------------------------------------------------------------------------------------

typedef struct gb__json {
    gb__buf text;
    bool comma;  // a value stands before the next one
    int depth;
    int argc;
    char *const *argv;
} gb__json;

static void gb__json_quote(gb__buf *b, const char *text)
{
    gb__buf_str(b, "\"");
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = gb__utf8_length(s);
        if (!n) gb__buf_str(b, "\\ufffd");
        else if (*s == '"' || *s == '\\') gb__buf_printf(b, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f) gb__buf_printf(b, "\\u%04x", *s);
        else gb__buf_add(b, s, n);
        s += n ? n : 1;
    }
    gb__buf_str(b, "\"");
}

// Begins a value; `key` is NULL within an array.
static void gb__json_key(gb__json *j, const char *key)
{
    if (j->comma) gb__buf_str(&j->text, ",");
    if (j->depth <= 4 && j->depth) gb__buf_printf(&j->text, "\n%*s", j->depth, "");
    if (key) {
        gb__json_quote(&j->text, key);
        gb__buf_str(&j->text, ":");
    }
    j->comma = true;
}

static void gb__json_open(gb__json *j, const char *bracket)
{
    gb__buf_str(&j->text, bracket);
    j->comma = false;
    j->depth++;
}

static void gb__json_close(gb__json *j, const char *bracket)
{
    gb__buf_str(&j->text, bracket);
    j->comma = true;
    j->depth--;
}

static void gb__json_number(gb__json *j, double value)
{
    gb__small text;
    gb__buf_str(&j->text, isfinite(value) ? gb__exact(text, value) : "null");
}

static void gb__json_state(gb__json *j, int state)
{
    gb__buf_str(&j->text, state < 0 ? "null" : state ? "true" : "false");
}

// ---- reading ------------------------------------------------------------------------------------

// `at` is never at white space. A NUL, which JSON doesn't have, stands at the end.
typedef struct gb__reader {
    const char *name, *start, *at, *end;
    const char *key;  // whose value is being read
    size_t memory;    // taken so far
    char *texts;      // as long as what is read: where texts of any length stay, and
    const char **lines;  // where those of headers go; without, unknown keys are passed over
    gb_code code;
    gb_error *error;
} gb__reader;

// Says what is wrong, and at which place: false.
GB__PRINTF(3, 4)
static bool gb__bad(gb__reader *r, const char *at, const char *format, ...)
{
    char what[256];
    size_t line = 1, column = 1;
    const char *rest = at;
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    // What is wrong with the last word of a file is that the file ends there.
    if (r->key) rest += strspn(rest, "+-.0123456789Eaeflnrstu\\");
    for (const char *s = r->start; s < at && s < r->end; s++, column++)
        if (*s == '\n') line++, column = 0;
    r->code = gb__fail(r->error, GB_USAGE, "%.200s: line %zu, column %zu: %s", r->name, line,
                       column, rest < r->end ? what : "it ends here, in the middle");
    return false;
}

// `what` the value must be: "a number", say.
static bool gb__wrong(gb__reader *r, const char *at, const char *what)
{
    if (!r->key) return gb__bad(r, at, "it must begin with %s", what);
    return gb__bad(r, at, "\"%s\" must be %s", r->key, what);
}

static bool gb__take_memory(gb__reader *r, size_t size)
{
    if (size > GB__LARGEST_RESULT - r->memory)
        return gb__bad(r, r->at, "so large a result is none: it would take over %d MiB of memory",
                       GB__LARGEST_RESULT >> 20);
    r->memory += size;
    return true;
}

// ---- tokens -------------------------------------------------------------------------------------

static void gb__pass_blanks(gb__reader *r)
{
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t') r->at++;
}

static bool gb__eat(gb__reader *r, const char *token)
{
    size_t len = strlen(token);
    if (strncmp(r->at, token, len)) return false;
    r->at += len;
    gb__pass_blanks(r);
    return true;
}

// Four hexadecimal digits; -1 if they aren't.
static int gb__hex4(const char *s)
{
    if (strspn(s, "0123456789abcdefABCDEF") < 4) return -1;
    return (int)strtol((const char[5]){s[0], s[1], s[2], s[3]}, NULL, 16);
}

// \uXXXX, or two of them for a character beyond 16 bits; `at` is at the first digit.
static size_t gb__read_code_point(gb__reader *r, char *to)
{
    int c = gb__hex4(r->at);
    if (c > 0 && (c & 0xf800) != 0xd800) {
        r->at += 4;
        return gb__utf8_encode(c, to);
    }
    int low = c >= 0xd800 && c < 0xdc00 && r->at[4] == '\\' && r->at[5] == 'u'
                  ? gb__hex4(r->at + 6) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return gb__bad(r, r->at, "\\u of no character that a text can have");
    r->at += 10;
    return gb__utf8_encode(0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00), to);
}

// One character of a text: its length in UTF-8, at most 4. 0 if it is none.
static size_t gb__read_character(gb__reader *r, char *to)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t n = gb__utf8_length((const unsigned char *)r->at);
    if ((unsigned char)*r->at < 0x20) return gb__bad(r, r->at, "a control character within a text");
    if (!n) return gb__bad(r, r->at, "a text that isn't UTF-8");
    if (*r->at != '\\') {
        memcpy(to, r->at, n);
        r->at += n;
        return n;
    }
    r->at++;
    const char *found = *r->at ? strchr(escapes, *r->at) : NULL;
    if (*r->at == 'u') r->at++;
    else if (!found) return gb__bad(r, r->at, "\\ before what it can't stand before");
    if (!found) return gb__read_code_point(r, to);
    r->at++;
    *to = meant[found - escapes];
    return 1;
}

// Cuts what doesn't fit, between two characters.
static bool gb__read_text(gb__reader *r, char *to, size_t size)
{
    char character[4];
    size_t len = 0;
    if (*r->at != '"') return gb__wrong(r, r->at, "a text");
    for (r->at++; *r->at != '"';) {
        size_t n = gb__read_character(r, character);
        if (!n) return false;
        if (len + n >= size) size = 0;
        else memcpy(to + len, character, n), len += n;
    }
    if (to) to[len] = 0;
    return gb__eat(r, "\"");
}

// The number at `at`, still in characters. NULL data if it is none (RFC 8259, section 6): of what
// strtod takes, JSON has no hexadecimal one, no "01", ".5" and "1.", and no infinity.
static gb_slice gb__number_text(const char *at)
{
    static const char digits[] = "0123456789";
    const char *s = at + (*at == '-');
    size_t len = (size_t)(s - at) + strspn(s, "0123456789.eE+-"), whole = strspn(s, digits);
    char *end;
    strtod(at, &end);
    bool fine = whole && (*s != '0' || whole == 1) && end == at + len &&
                (s[whole] != '.' || strspn(s + whole + 1, digits));
    return fine ? (gb_slice){at, len} : (gb_slice){NULL, 0};
}

static bool gb__read_number_text(gb__reader *r, gb_slice *number)
{
    *number = gb__number_text(r->at);
    if (!number->data) return gb__wrong(r, r->at, "a number");
    r->at += number->len;
    gb__pass_blanks(r);
    return true;
}

static bool gb__read_whole(gb__reader *r, uint64_t most, uint64_t *value)
{
    gb_slice number;
    const char *at = r->at;
    if (!gb__read_number_text(r, &number)) return false;
    if (gb__slice_u64(number, value) && *value <= most) return true;
    return gb__bad(r, at, "\"%s\" must be a whole number from 0 to %llu", r->key,
                   (unsigned long long)most);
}

// null says that it is unknown, which the place says already.
static bool gb__read_double(gb__reader *r, double *value)
{
    char text[64];
    gb_slice number;
    const char *at = r->at;
    if (gb__eat(r, "null")) return true;
    if (!gb__read_number_text(r, &number)) return false;
    if (number.len < sizeof text) {
        gb__copy_slice(text, sizeof text, number);
        *value = strtod(text, NULL);
        if (*text != '-' && *value <= GB__LARGEST_NUMBER) return true;
    }
    return gb__bad(r, at, "\"%s\" must be a number from 0 to %g", r->key, GB__LARGEST_NUMBER);
}

static bool gb__read_state(gb__reader *r, bool can_be_unknown, int *state)
{
    if (can_be_unknown && gb__eat(r, "null")) *state = -1;
    else if (gb__eat(r, "true")) *state = 1;
    else if (gb__eat(r, "false")) *state = 0;
    else return gb__wrong(r, r->at, can_be_unknown ? "true, false or null" : "true or false");
    return true;
}

// Whatever an unknown key holds.
static bool gb__skip(gb__reader *r, int depth)
{
    gb_slice number;
    const char *close = *r->at == '{' ? "}" : *r->at == '[' ? "]" : NULL;
    bool object = *r->at == '{';
    if (depth > GB__DEEPEST) return gb__bad(r, r->at, "nested over %d deep", GB__DEEPEST);
    if (*r->at == '"') return gb__read_text(r, NULL, 0);
    if (!close && (gb__eat(r, "true") || gb__eat(r, "false") || gb__eat(r, "null"))) return true;
    if (!close && !gb__number_text(r->at).len) return gb__bad(r, r->at, "a value is missing");
    if (!close) return gb__read_number_text(r, &number);
    gb__eat(r, object ? "{" : "[");
    for (bool more = !gb__eat(r, close); more;) {
        if (object && !gb__read_text(r, NULL, 0)) return false;
        if (object && !gb__eat(r, ":")) return gb__bad(r, r->at, "\":\" is missing");
        if (!gb__skip(r, depth + 1)) return false;
        more = gb__eat(r, ",");
        if (!more && !gb__eat(r, close))
            return gb__bad(r, r->at, "\",\" or \"%s\" is missing", close);
    }
    return true;
}

// ================================================================================================
// >>schema
// What stands where in a result's file (gilbench/1). One line of a table is a key: what it is
// called, where it is kept and how it is written. The next room reads and writes by these tables.

// How a key's value is kept; `more` of its line is said in parentheses.
enum {
    GB__IS_TEXT,       // char[] (what stands in the file for "")
    GB__IS_NAME,       // const char *: a metric's when it is read
    GB__IS_CHOICE,     // an enum (the names of its values)
    GB__IS_COUNT,      // uint64_t
    GB__IS_INT,        // int, from 0 to `most`
    GB__IS_NUMBER,     // double, 0 where it is unknown
    GB__IS_FIGURE,     // double, NAN where it is unknown
    GB__IS_BOOL,       // bool
    GB__IS_STATE,      // int: -1 unknown, 0 no, 1 yes
    GB__IS_OBJECT,     // a struct, or some of its members (their table)
    GB__IS_PAIR,       // two of a kind (an element's line)
    GB__IS_SERIES,     // an array in its struct, its length an int at `count` (an element's line)
    GB__IS_LIST,       // an owned array, its length a size_t at `count` (an element's line)
    GB__IS_HISTOGRAM,  // gb_histogram
    GB__IS_SCHEMA,     // nothing: always the same text (that text)
    GB__IS_COMMAND,    // nothing: argv, which isn't read
    GB__IS_STRING,     // char *, in the reader's `texts`
    GB__IS_HEADERS,    // gb_request's; an object in the file
    GB__IS_ANSWER,     // nothing: the answer in words, which isn't read
    GB__IS_SCALING,    // nothing: what the universal scalability law says, which isn't read
    GB__IS_LOCKED      // nothing: what gb_python says of the GIL at the start, which isn't read
};

enum { GB__NEEDED = 1, GB__OMITTED = 2 };  // always there; left out where there is nothing in it

// More than any plan makes; a file that says it has more isn't worth the wait.
enum {
    GB__MAX_PYTHONS = 256,
    GB__MAX_ROUNDS = 10000,
    GB__MAX_COMPARISONS = 16384,
    GB__MAX_WARNINGS = 16384,
    GB__MAX_COUNT = 1000000  // threads, connections, CPUs
};

typedef struct gb__key {
    const char *key;
    const void *more;
    uint16_t offset, size, count;  // in the struct
    uint8_t type, flags;
    uint32_t most;                 // of an int, or of elements
} gb__key;

#define GB__PLACE(kind, of, member)                                                                \
    .offset = offsetof(of, member), .size = sizeof((of *)0)->member, .type = GB__IS_##kind
#define GB__KEY(kind, of, member) {.key = #member, GB__PLACE(kind, of, member)}
#define GB__NAMED(kind, of, member, ...) {GB__PLACE(kind, of, member), .key = __VA_ARGS__}
#define GB__PART(of, table, name)                                                                  \
    {.key = (name), .more = (table), .size = sizeof(of), .type = GB__IS_OBJECT}
#define GB__OBJECT(of, member, name, table, flag)                                                  \
    GB__NAMED(OBJECT, of, member, name, .more = (table), .flags = (flag))
#define GB__SERIES(of, member, name, length, limit, element, flag)                                 \
    GB__NAMED(SERIES, of, member, name, .more = &(element), .most = (limit), .flags = (flag),      \
              .count = offsetof(of, length))
#define GB__LIST(of, array, element, limit)                                                        \
    {.key = #array "s", .more = &(element), .offset = offsetof(of, array##s),                      \
     .count = offsetof(of, array##_count), .type = GB__IS_LIST, .most = (limit),                   \
     .flags = GB__NEEDED}
#define GB__END {.key = NULL}

// ---- the tables ---------------------------------------------------------------------------------

static const gb__key gb__count_element = {.size = sizeof(uint64_t), .type = GB__IS_COUNT};
static const gb__key gb__name_element = {.size = sizeof(char *), .type = GB__IS_NAME};
static const gb__key gb__number_element = {.size = sizeof(double), .type = GB__IS_NUMBER};
static const gb__key gb__cpu_element = {.size = sizeof(int), .type = GB__IS_INT,
                                        .most = GB_MAX_CPUS - 1};
static const gb__key gb__figure_element = {.size = sizeof(double), .type = GB__IS_FIGURE};

static const gb__key gb__interval_keys[] = {
    GB__KEY(FIGURE, gb_interval, median),
    GB__NAMED(PAIR, gb_interval, lo, "ci95", .more = &gb__figure_element), GB__END};

static const gb__key gb__latency_keys[] = {
    GB__KEY(NUMBER, gb_latency, mean), GB__KEY(NUMBER, gb_latency, p50),
    GB__KEY(NUMBER, gb_latency, p90),  GB__KEY(NUMBER, gb_latency, p99),
    GB__KEY(NUMBER, gb_latency, p999), GB__KEY(NUMBER, gb_latency, max), GB__END};

static const gb__key gb__phase_keys[] = {
    GB__KEY(NUMBER, gb_phase, mean), GB__KEY(NUMBER, gb_phase, p99), GB__END};

#define GB__ERROR_KEY(name, text) GB__KEY(COUNT, gb_load_errors, name),
static const gb__key gb__error_keys[] = {GB_LOAD_ERRORS(GB__ERROR_KEY) GB__END};
#undef GB__ERROR_KEY

// A histogram in a file: the buckets that hold something, each as its lowest value and its count.
typedef struct gb__sparse {
    int digits;
    uint64_t total, min, max;
    double sum;
    uint64_t (*buckets)[2];
    size_t bucket_count;
} gb__sparse;

static const gb__key gb__bucket_element = {.more = &gb__count_element, .type = GB__IS_PAIR,
                                             .size = 2 * sizeof(uint64_t)};
static const gb__key gb__sparse_keys[] = {
    GB__NAMED(INT, gb__sparse, digits, "digits", .most = 3, .flags = GB__NEEDED),
    GB__NAMED(COUNT, gb__sparse, total, "total", .flags = GB__NEEDED),
    GB__NAMED(COUNT, gb__sparse, min, "min_ns", .flags = GB__NEEDED),
    GB__NAMED(COUNT, gb__sparse, max, "max_ns", .flags = GB__NEEDED),
    GB__NAMED(NUMBER, gb__sparse, sum, "sum_ns", .flags = GB__NEEDED),
    GB__LIST(gb__sparse, bucket, gb__bucket_element, 1 << 16), GB__END};

static const gb__key gb__memory_keys[] = {
    GB__NAMED(NUMBER, gb_round, memory_mb.service, "service"),
    GB__NAMED(NUMBER, gb_round, memory_mb.rss, "rss"),
    GB__NAMED(NUMBER, gb_round, memory_mb.rss_peak, "rss_peak"),
    GB__NAMED(NUMBER, gb_round, memory_mb.pss, "pss"),
    GB__NAMED(NUMBER, gb_round, memory_mb.uss, "uss"), GB__END};

static const gb__key gb__cpu_keys[] = {
    GB__NAMED(NUMBER, gb_round, cpu.server_us_per_request, "server_us_per_request"),
    GB__NAMED(NUMBER, gb_round, cpu.client_us_per_request, "client_us_per_request"),
    GB__NAMED(NUMBER, gb_round, cpu.client_share, "client_share"),
    GB__NAMED(NUMBER, gb_round, cpu.server_cores, "server_cores"), GB__END};

static const gb__key gb__anatomy_keys[] = {
    GB__OBJECT(gb_round, anatomy_us.read, "read", gb__phase_keys, 0),
    GB__OBJECT(gb_round, anatomy_us.attach_wait, "attach_wait", gb__phase_keys, 0),
    GB__OBJECT(gb_round, anatomy_us.app, "app", gb__phase_keys, 0),
    GB__OBJECT(gb_round, anatomy_us.write, "write", gb__phase_keys, 0),
    GB__OBJECT(gb_round, anatomy_us.lock_wait, "lock_wait", gb__phase_keys, GB__OMITTED),
    GB__OBJECT(gb_round, anatomy_us.world_wait, "world_wait", gb__phase_keys, GB__OMITTED),
    GB__OBJECT(gb_round, anatomy_us.off_cpu, "off_cpu", gb__phase_keys, GB__OMITTED),
    GB__OBJECT(gb_round, anatomy_us.ready_wait, "ready_wait", gb__phase_keys, GB__OMITTED),
    GB__NAMED(BOOL, gb_round, all_waits, "all_waits", .flags = GB__OMITTED), GB__END};

static const gb__key gb__gc_keys[] = {
    GB__NAMED(COUNT, gb_round, gc.collections, "collections"),
    GB__NAMED(NUMBER, gb_round, gc.pause_ms, "pause_ms"), GB__END};

static const gb__key gb__gil_keys[] = {
    GB__NAMED(STATE, gb_round, gil.enabled_after_load, "enabled_after_load"),
    GB__NAMED(TEXT, gb_round, gil.reenabled_by, "reenabled_by"), GB__END};

static const gb__key gb__timeline_keys[] = {
    GB__NAMED(NUMBER, gb_round, timeline.step_s, "step_s"),
    GB__SERIES(gb_round, timeline.rps, "rps", timeline.count, GB_TIMELINE, gb__number_element, 0),
    GB__SERIES(gb_round, timeline.rss_mb, "rss_mb", timeline.count, GB_TIMELINE,
               gb__number_element, 0), GB__END};

#define GB__STATUS(class)                                                                          \
    {.key = #class "xx", .offset = (class) * sizeof(uint64_t), .type = GB__IS_COUNT}
static const gb__key gb__status_keys[] = {GB__STATUS(1), GB__STATUS(2), GB__STATUS(3),
                                          GB__STATUS(4), GB__STATUS(5), GB__END};
static const gb__key gb__answer_keys[] = {
    GB__NAMED(INT, gb_answer, status, "status", .most = 999), GB__KEY(COUNT, gb_answer, size),
    GB__END};

static const char *const gb__wait_kinds[] = {"GIL", "lock", "world", "event", NULL};
static const gb__key gb__wait_keys[] = {
    GB__NAMED(CHOICE, gb_wait, kind, "kind", .more = gb__wait_kinds),
    GB__KEY(TEXT, gb_wait, waiter), GB__KEY(TEXT, gb_wait, waiter_source),
    GB__KEY(TEXT, gb_wait, holder), GB__KEY(TEXT, gb_wait, holder_source),
    GB__KEY(NUMBER, gb_wait, holder_ms),
    GB__KEY(TEXT, gb_wait, object), GB__KEY(COUNT, gb_wait, count), GB__KEY(NUMBER, gb_wait, ms),
    GB__END};
static const gb__key gb__wait_element = GB__PART(gb_wait, gb__wait_keys, NULL);

static const gb__key gb__shared_keys[] = {
    GB__KEY(TEXT, gb_shared, object), GB__KEY(NUMBER, gb_shared, changes), GB__END};
static const gb__key gb__shared_element = GB__PART(gb_shared, gb__shared_keys, NULL);

#define GB__WAITED_MS(kind, name)                                                                  \
    {.key = (name), .offset = (kind) * sizeof(double), .type = GB__IS_NUMBER}
static const gb__key gb__waited_keys[] = {
    GB__WAITED_MS(GB_WAIT_GIL, "gil"), GB__WAITED_MS(GB_WAIT_LOCK, "lock"),
    GB__WAITED_MS(GB_WAIT_WORLD, "world"), GB__WAITED_MS(GB_WAIT_EVENT, "event"), GB__END};

static const gb__key gb__round_keys[] = {
    GB__KEY(TEXT, gb_round, problem),
    GB__KEY(COUNT, gb_round, requests),
    GB__KEY(COUNT, gb_round, unanswered),
    GB__OBJECT(gb_round, errors, "errors", gb__error_keys, 0),
    GB__OBJECT(gb_round, statuses, "statuses", gb__status_keys, 0),
    GB__OBJECT(gb_round, first_answer, "first_answer", gb__answer_keys, 0),
    GB__NAMED(TEXT, gb_round, first_error, "first_error", .flags = GB__OMITTED),
    GB__NAMED(TEXT, gb_round, redirect, "redirect", .flags = GB__OMITTED),
    GB__KEY(NUMBER, gb_round, warmup_s),
    GB__KEY(BOOL, gb_round, unsettled),
    GB__KEY(BOOL, gb_round, outlier),
    GB__KEY(BOOL, gb_round, coarse),
    GB__KEY(NUMBER, gb_round, drift),
    GB__KEY(NUMBER, gb_round, seconds),
    GB__KEY(NUMBER, gb_round, rps),
    GB__OBJECT(gb_round, latency_ms, "latency_ms", gb__latency_keys, 0),
    GB__OBJECT(gb_round, uncorrected_ms, "uncorrected_latency_ms", gb__latency_keys, GB__OMITTED),
    GB__PART(gb_round, gb__memory_keys, "memory_mb"),
    GB__PART(gb_round, gb__cpu_keys, "cpu"),
    GB__PART(gb_round, gb__anatomy_keys, "anatomy_us"),
    GB__PART(gb_round, gb__gc_keys, "gc"),
    GB__PART(gb_round, gb__gil_keys, "gil"),
    GB__KEY(NUMBER, gb_round, context_switches_per_request),
    GB__KEY(NUMBER, gb_round, steal_ms),
    GB__KEY(NUMBER, gb_round, other_cores),
    GB__SERIES(gb_round, requests_per_worker, "requests_per_worker", workers, GB_MAX_WORKERS,
               gb__count_element, 0),
    GB__NAMED(CHOICE, gb_round, interface, "interface", .more = gb__interfaces),
    GB__NAMED(TEXT, gb_round, answer, "answer", .flags = GB__OMITTED),
    GB__PART(gb_round, gb__timeline_keys, "timeline"),
    GB__NAMED(BOOL, gb_round, waits.noted, "waits_noted", .flags = GB__OMITTED),
    GB__OBJECT(gb_round, waits.ms, "waits_ms", gb__waited_keys, GB__OMITTED),
    GB__SERIES(gb_round, waits.list, "waits", waits.count, GB_WAITS, gb__wait_element, GB__OMITTED),
    GB__NAMED(TEXT, gb_round, waits.problem, "waits_problem", .flags = GB__OMITTED),
    GB__NAMED(BOOL, gb_round, waits.counts_seen, "counts_seen", .flags = GB__OMITTED),
    GB__SERIES(gb_round, waits.shared, "shared", waits.shared_count, GB_SHARED,
               gb__shared_element, GB__OMITTED), GB__END};
static const gb__key gb__round_element = GB__PART(gb_round, gb__round_keys, NULL);

static const gb__key gb__summary_keys[] = {
    GB__OBJECT(gb_cell, summary[GB_RPS], "rps", gb__interval_keys, 0),
    GB__OBJECT(gb_cell, summary[GB_LATENCY_MEAN], "latency_ms.mean", gb__interval_keys, 0),
    GB__OBJECT(gb_cell, summary[GB_LATENCY_P50], "latency_ms.p50", gb__interval_keys, 0),
    GB__OBJECT(gb_cell, summary[GB_LATENCY_P99], "latency_ms.p99", gb__interval_keys, 0),
    GB__OBJECT(gb_cell, summary[GB_MEMORY], "memory_mb.service", gb__interval_keys, 0),
    GB__OBJECT(gb_cell, summary[GB_RSS_PEAK], "memory_mb.rss_peak", gb__interval_keys, 0),
    GB__OBJECT(gb_cell, summary[GB_PSS], "memory_mb.pss", gb__interval_keys, 0), GB__END};

static const gb__key gb__what_if_keys[] = {
    GB__KEY(TEXT, gb_what_if, objects),
    GB__OBJECT(gb_what_if, ratio, "ratio", gb__interval_keys, 0),
    GB__NAMED(CHOICE, gb_what_if, verdict, "verdict", .more = gb__verdicts),
    GB__NAMED(INT, gb_what_if, rounds, "rounds", .most = GB__MAX_ROUNDS), GB__END};

static const gb__key gb__cell_keys[] = {
    GB__NAMED(TEXT, gb_cell, id, "id", .flags = GB__NEEDED),
    GB__NAMED(TEXT, gb_cell, source, "source", .flags = GB__OMITTED),
    GB__NAMED(TEXT, gb_cell, scenario, "scenario", .flags = GB__NEEDED),
    GB__NAMED(TEXT, gb_cell, python, "python", .flags = GB__NEEDED),
    GB__NAMED(TEXT, gb_cell, server, "server", .more = "gilbench"),
    GB__KEY(TEXT, gb_cell, command),
    GB__KEY(TEXT, gb_cell, app),
    GB__NAMED(CHOICE, gb_cell, interface, "interface", .more = gb__interfaces),
    GB__KEY(TEXT, gb_cell, path),
    GB__NAMED(INT, gb_cell, workers, "workers", .most = GB_MAX_WORKERS),
    GB__NAMED(CHOICE, gb_cell, worker_model, "worker_model", .more = gb__worker_models),
    GB__NAMED(INT, gb_cell, threads, "threads", .most = GB__MAX_COUNT),
    GB__NAMED(INT, gb_cell, connections, "connections", .most = GB__MAX_COUNT),
    GB__NAMED(INT, gb_cell, server_cpus, "server_cpus", .most = GB_MAX_CPUS, .flags = GB__OMITTED),
    GB__KEY(NUMBER, gb_cell, rate),
    GB__KEY(BOOL, gb_cell, broken),
    GB__KEY(BOOL, gb_cell, best),
    GB__LIST(gb_cell, round, gb__round_element, GB__MAX_ROUNDS),
    GB__OBJECT(gb_cell, what_if, "what_if", gb__what_if_keys, GB__OMITTED),
    {.key = "noted_rounds", .more = &gb__round_element, .offset = offsetof(gb_cell, noted_rounds),
     .size = sizeof(void *), .count = offsetof(gb_cell, noted_round_count), .type = GB__IS_LIST,
     .most = 1, .flags = GB__OMITTED},
    GB__PART(gb_cell, gb__summary_keys, "summary"),
    GB__NAMED(HISTOGRAM, gb_cell, latency, "latency_histogram"),
    GB__NAMED(HISTOGRAM, gb_cell, uncorrected, "uncorrected_latency_histogram"),
    GB__END};

static const gb__key gb__python_keys[] = {
    GB__NAMED(TEXT, gb_python, id, "id", .flags = GB__NEEDED),
    GB__KEY(TEXT, gb_python, version),
    GB__NAMED(INT, gb_python, hex, "hex", .most = INT_MAX),
    GB__KEY(BOOL, gb_python, free_threaded),
    {.key = "gil_enabled", .type = GB__IS_LOCKED},
    GB__KEY(STATE, gb_python, gil),
    GB__KEY(BOOL, gb_python, jit),
    GB__KEY(STATE, gb_python, use_jit),
    GB__KEY(BOOL, gb_python, debug),
    GB__KEY(TEXT, gb_python, executable),
    GB__KEY(TEXT, gb_python, libpython),
    GB__KEY(TEXT, gb_python, home),
    GB__KEY(TEXT, gb_python, prefix),
    GB__KEY(TEXT, gb_python, base_prefix),
    GB__KEY(TEXT, gb_python, include),
    GB__KEY(TEXT, gb_python, optimized),
    GB__KEY(TEXT, gb_python, configure_args),
    GB__KEY(TEXT, gb_python, packages),
    GB__KEY(TEXT, gb_python, compiler),
    GB__KEY(TEXT, gb_python, cflags),
    GB__KEY(BOOL, gb_python, usable),
    GB__KEY(TEXT, gb_python, problem), GB__END};

static const gb__key gb__host_keys[] = {
    GB__KEY(TEXT, gb_host, hostname),
    GB__KEY(TEXT, gb_host, kernel),
    GB__KEY(TEXT, gb_host, cpu_model),
    GB__KEY(TEXT, gb_host, governor),
    GB__NAMED(INT, gb_host, cpus, "cpus", .most = GB__MAX_COUNT),
    GB__NAMED(INT, gb_host, threads_per_core, "threads_per_core", .most = GB__MAX_COUNT),
    GB__KEY(STATE, gb_host, turbo),
    GB__KEY(COUNT, gb_host, memory),
    GB__KEY(NUMBER, gb_host, load_1min),
    GB__KEY(NUMBER, gb_host, cgroup_cpus),
    GB__KEY(COUNT, gb_host, steal_ns),
    GB__KEY(COUNT, gb_host, swapped_pages), GB__END};

static const gb__key gb__method_keys[] = {
    GB__KEY(TEXT, gb_method, loop),
    GB__KEY(TEXT, gb_method, expect),
    GB__KEY(TEXT, gb_method, requests),
    GB__KEY(NUMBER, gb_method, duration_s),
    GB__KEY(NUMBER, gb_method, warmup_s),
    GB__KEY(NUMBER, gb_method, rate),
    GB__KEY(NUMBER, gb_method, precision),
    GB__NAMED(INT, gb_method, rounds, "rounds", .most = GB__MAX_ROUNDS),
    GB__NAMED(INT, gb_method, client_threads, "client_threads", .most = GB__MAX_COUNT),
    GB__KEY(COUNT, gb_method, seed),
    GB__SERIES(gb_method, cpus.server_cpus, "server_cpus", cpus.server_cpu_count, GB_MAX_CPUS,
               gb__cpu_element, 0),
    GB__SERIES(gb_method, cpus.client_cpus, "client_cpus", cpus.client_cpu_count, GB_MAX_CPUS,
               gb__cpu_element, 0),
    GB__NAMED(BOOL, gb_method, waits, "waits", .flags = GB__OMITTED), GB__END};

static const gb__key gb__comparison_keys[] = {
    GB__KEY(TEXT, gb_comparison, scenario),
    GB__NAMED(TEXT, gb_comparison, baseline, "baseline", .flags = GB__NEEDED),
    GB__NAMED(TEXT, gb_comparison, candidate, "candidate", .flags = GB__NEEDED),
    GB__NAMED(NAME, gb_comparison, metric, "metric", .flags = GB__NEEDED),
    GB__OBJECT(gb_comparison, ratio, "ratio", gb__interval_keys, 0),
    GB__NAMED(CHOICE, gb_comparison, verdict, "verdict", .more = gb__verdicts),
    GB__NAMED(INT, gb_comparison, rounds, "rounds", .most = GB__MAX_ROUNDS),
    GB__KEY(BOOL, gb_comparison, gil_back), GB__END};

static const gb__key gb__python_element = GB__PART(gb_python, gb__python_keys, NULL);
static const gb__key gb__cell_element = GB__PART(gb_cell, gb__cell_keys, NULL);
static const gb__key gb__comparison_element =
    GB__PART(gb_comparison, gb__comparison_keys, NULL);
static const gb__key gb__warning_element = {.size = sizeof *((gb_result *)0)->warnings,
                                              .type = GB__IS_TEXT};

static const gb__key gb__scaling_keys[] = {
    GB__KEY(NAME, gb__scaling, scenario), GB__KEY(NAME, gb__scaling, python),
    GB__KEY(NAME, gb__scaling, server), GB__KEY(NAME, gb__scaling, by),
    GB__SERIES(gb__scaling, counts, "counts", count, GB__MOST_RUNGS, gb__number_element, 0),
    GB__OBJECT(gb__scaling, of[GB__LAMBDA], "lambda", gb__interval_keys, 0),
    GB__OBJECT(gb__scaling, of[GB__SIGMA], "sigma", gb__interval_keys, 0),
    GB__OBJECT(gb__scaling, of[GB__KAPPA], "kappa", gb__interval_keys, 0),
    GB__OBJECT(gb__scaling, of[GB__PEAK], "peak", gb__interval_keys, 0), GB__END};

#define GB__SCHEMA(text)                                                                           \
    {.key = "schema", .more = (text), .type = GB__IS_SCHEMA, .flags = GB__NEEDED}

static const gb__key gb__pythons_keys[] = {
    GB__SCHEMA("gilbench/1"), GB__KEY(TEXT, gb_result, gilbench),
    GB__LIST(gb_result, python, gb__python_element, GB__MAX_PYTHONS), GB__END};

static const gb__key gb__result_keys[] = {
    GB__SCHEMA("gilbench/1"),
    GB__KEY(TEXT, gb_result, gilbench),
    GB__KEY(TEXT, gb_result, started),
    {.key = "argv", .type = GB__IS_COMMAND},
    {.key = "answer", .type = GB__IS_ANSWER},
    {.key = "scaling", .type = GB__IS_SCALING},
    GB__OBJECT(gb_result, plan, "plan", gb__method_keys, GB__OMITTED),
    GB__OBJECT(gb_result, host, "host", gb__host_keys, 0),
    GB__LIST(gb_result, python, gb__python_element, GB__MAX_PYTHONS),
    GB__LIST(gb_result, cell, gb__cell_element, GB__MAX_CELLS),
    GB__LIST(gb_result, comparison, gb__comparison_element, GB__MAX_COMPARISONS),
    GB__LIST(gb_result, warning, gb__warning_element, GB__MAX_WARNINGS),
    GB__KEY(BOOL, gb_result, interrupted), GB__END};

// A line of a mix of requests.
static const gb__key gb__request_keys[] = {
    GB__NAMED(STRING, gb_request, path, "path", .flags = GB__NEEDED),
    GB__KEY(STRING, gb_request, method),
    GB__KEY(HEADERS, gb_request, headers),
    GB__KEY(STRING, gb_request, body),
    GB__KEY(NUMBER, gb_request, weight), GB__END};

// What gb_load found, as its file has it.
typedef struct gb__load_summary {
    const char *url;
    int connections, threads;
    double rate, cpu_us_per_request;
    gb_load_result result;
    gb_latency latency_ms, uncorrected_ms;
} gb__load_summary;

#define GB__LOADED(kind, member) GB__NAMED(kind, gb__load_summary, result.member, #member)
static const gb__key gb__load_keys[] = {
    GB__SCHEMA("gilbench-load/1"),
    GB__KEY(NAME, gb__load_summary, url),
    GB__KEY(INT, gb__load_summary, connections),
    GB__KEY(INT, gb__load_summary, threads),
    GB__KEY(NUMBER, gb__load_summary, rate),
    GB__LOADED(NUMBER, seconds),
    GB__LOADED(COUNT, requests),
    GB__LOADED(COUNT, started),
    GB__LOADED(BOOL, rate_missed),
    GB__LOADED(COUNT, unanswered),
    GB__OBJECT(gb__load_summary, result.errors, "errors", gb__error_keys, 0),
    GB__OBJECT(gb__load_summary, result.statuses, "statuses", gb__status_keys, 0),
    GB__OBJECT(gb__load_summary, result.first_answer, "first_answer", gb__answer_keys, 0),
    GB__LOADED(NUMBER, rps),
    GB__LOADED(COUNT, bytes),
    GB__OBJECT(gb__load_summary, latency_ms, "latency_ms", gb__latency_keys, 0),
    GB__OBJECT(gb__load_summary, uncorrected_ms, "uncorrected_latency_ms", gb__latency_keys,
               GB__OMITTED),
    GB__KEY(NUMBER, gb__load_summary, cpu_us_per_request), GB__END};

// ================================================================================================
// >>file
// A result's file, written and read. What the reports rely on is checked when it is read, so that
// they needn't: ids that are there and unique, counts within their arrays, intervals the right
// way round.

// What is at a place, as the type that its line in a table says.
#define GB__AT(type, place) (*(type *)(void *)(place))
#define GB__IN(type, place) (*(const type *)(const void *)(place))

// Pointers of all types are kept here as one, so they are copied.
static char *gb__pointer_at(const char *place)
{
    char *pointer;
    memcpy(&pointer, place, sizeof pointer);
    return pointer;
}

// ---- writing ------------------------------------------------------------------------------------

static void gb__json_object(gb__json *j, const gb__key *keys, const char *base);

static void gb__json_histogram(gb__json *j, const gb_histogram *h)
{
    gb__sparse s = {.digits = (h->sub_bits - 2) / 3, .total = h->total, .min = h->min,
                    .max = h->max, .sum = h->sum};
    for (size_t i = 0; i < h->length; i++) s.bucket_count += h->counts[i] > 0;
    s.buckets = calloc(s.bucket_count, sizeof *s.buckets);
    j->text.failed |= !s.buckets;
    for (size_t i = 0, n = 0; s.buckets && i < h->length; i++) {
        if (!h->counts[i]) continue;
        s.buckets[n][0] = gb__bucket_low(h->sub_bits, i);
        s.buckets[n++][1] = h->counts[i];
    }
    if (s.buckets) gb__json_object(j, gb__sparse_keys, (const char *)&s);
    free(s.buckets);
}

static void gb__json_value(gb__json *j, const gb__key *k, const char *base);

static void gb__json_array(gb__json *j, const gb__key *element, const char *at, size_t n)
{
    gb__json_open(j, "[");
    for (size_t i = 0; i < n; i++) gb__json_value(j, element, at + i * element->size);
    gb__json_close(j, "]");
}

static void gb__json_answer(gb__json *j, const gb_result *r)
{
    static const gb__key line = {.size = sizeof *((gb__sentences *)0)->lines, .type = GB__IS_TEXT};
    gb__sentences *a = gb__sentences_of(r);
    if (a) gb__json_array(j, &line, *a->lines, a->count);
    j->text.failed |= !a;
    free(a);
}

// Of all rows that differ in their number of threads, or in that of their workers.
static void gb__json_scaling(gb__json *j, const gb_result *r)
{
    gb__scaling s;
    gb__json_open(j, "[");
    for (size_t i = 0; i < 2 * r->cell_count; i++) {
        gb__scaling_of(r, &r->cells[i / 2], i % 2 == 0, &s);
        if (!s.count) continue;
        gb__json_key(j, NULL);
        gb__json_object(j, gb__scaling_keys, (const char *)&s);
    }
    gb__json_close(j, "]");
}

static void gb__json_value(gb__json *j, const gb__key *k, const char *base)
{
    const char *at = base + k->offset, *const *names = k->more;
    const gb_python *python = (const void *)base;
    gb__json_key(j, k->key);
    switch (k->type) {
    case GB__IS_TEXT: gb__json_quote(&j->text, *at || !k->more ? at : k->more); break;
    case GB__IS_NAME: gb__json_quote(&j->text, gb__pointer_at(at)); break;
    case GB__IS_CHOICE: gb__json_quote(&j->text, names[GB__IN(int, at)]); break;
    case GB__IS_COUNT: gb__buf_u64(&j->text, GB__IN(uint64_t, at)); break;
    case GB__IS_INT: gb__buf_u64(&j->text, (uint64_t)GB__IN(int, at)); break;
    case GB__IS_NUMBER:
    case GB__IS_FIGURE: gb__json_number(j, GB__IN(double, at)); break;
    case GB__IS_BOOL: gb__json_state(j, GB__IN(bool, at)); break;
    case GB__IS_STATE: gb__json_state(j, GB__IN(int, at)); break;
    case GB__IS_OBJECT: gb__json_object(j, k->more, at); break;
    case GB__IS_PAIR: gb__json_array(j, k->more, at, 2); break;
    case GB__IS_SERIES:
        gb__json_array(j, k->more, at, (size_t)GB__IN(int, base + k->count));
        break;
    case GB__IS_LIST:
        gb__json_array(j, k->more, gb__pointer_at(at), GB__IN(size_t, base + k->count));
        break;
    case GB__IS_HISTOGRAM: gb__json_histogram(j, (const void *)at); break;
    case GB__IS_SCHEMA: gb__json_quote(&j->text, k->more); break;
    case GB__IS_COMMAND:
        gb__json_array(j, &gb__name_element, (const void *)j->argv, (size_t)j->argc);
        break;
    case GB__IS_ANSWER: gb__json_answer(j, (const void *)base); break;
    case GB__IS_SCALING: gb__json_scaling(j, (const void *)base); break;
    case GB__IS_LOCKED: gb__json_state(j, !python->free_threaded || python->gil == 1); break;
    }
}

static bool gb__json_omits(const gb__key *k, const char *at)
{
    if (k->type == GB__IS_HISTOGRAM) return !((const gb_histogram *)(const void *)at)->total;
    if (!(k->flags & GB__OMITTED)) return false;
    for (size_t i = 0; i < k->size; i++)
        if (at[i]) return false;
    return true;
}

static void gb__json_object(gb__json *j, const gb__key *keys, const char *base)
{
    gb__json_open(j, "{");
    for (const gb__key *k = keys; k->key; k++)
        if (!gb__json_omits(k, base + k->offset)) gb__json_value(j, k, base);
    gb__json_close(j, "}");
}

static gb_code gb__json_write(gb__json *j, const gb__key *keys, const void *base, FILE *out,
                              gb_error *error)
{
    locale_t before = gb__use_point();
    gb__json_object(j, keys, base);
    gb__restore_locale(before);
    gb__buf_str(&j->text, "\n");
    return gb__write_out(&j->text, out, error);
}

GB_API gb_code gb_report_json(const gb_result *result, int argc, char *const *argv, FILE *out,
                              gb_error *error)
{
    gb__json j = {.argc = argc, .argv = argv};
    return gb__json_write(&j, gb__result_keys, result, out, error);
}

static gb_code gb__load_report_json(const gb_load_config *config, const gb_load_result *result,
                                    FILE *out, gb_error *error)
{
    gb__json j = {0};
    gb__load_summary s = {.url = config->url, .connections = config->connections,
                          .threads = config->threads, .rate = config->rate, .result = *result,
                          .latency_ms = gb__latency_ms(&result->latency)};
    if (config->rate > 0) s.uncorrected_ms = gb__latency_ms(&result->uncorrected);
    if (result->requests)
        s.cpu_us_per_request = (double)result->cpu_ns / 1e3 / (double)result->requests;
    return gb__json_write(&j, gb__load_keys, &s, out, error);
}

static gb_code gb__report_pythons_json(gb_python *list, size_t n, FILE *out, gb_error *error)
{
    gb__json j = {0};
    gb_result r = {.gilbench = GB_VERSION, .pythons = list, .python_count = n};
    return gb__json_write(&j, gb__pythons_keys, &r, out, error);
}

// ---- reading ------------------------------------------------------------------------------------

// What stands at a place when its key isn't there.
static void gb__set_unknown(const gb__key *k, char *at)
{
    const gb__key *more = k->more;
    if (k->flags & GB__OMITTED) return;  // there was nothing in it
    if (k->type == GB__IS_FIGURE) GB__AT(double, at) = NAN;
    if (k->type == GB__IS_STATE) GB__AT(int, at) = -1;
    if (k->type == GB__IS_PAIR)
        for (size_t i = 0; i < 2; i++) gb__set_unknown(more, at + i * more->size);
    if (k->type == GB__IS_OBJECT)
        for (; more->key; more++) gb__set_unknown(more, at + more->offset);
}

static bool gb__read_value(gb__reader *r, const gb__key *k, char *base);

static bool gb__read_member(gb__reader *r, const gb__key *keys, char *base, uint64_t *seen)
{
    char key[64];
    const char *at = r->at, *outer = r->key;
    if (!gb__read_text(r, key, sizeof key)) return false;
    if (!gb__eat(r, ":")) return gb__bad(r, r->at, "\":\" is missing");
    const gb__key *k = keys;
    while (k->key && strcmp(k->key, key)) k++;
    if (!k->key && r->texts) return gb__bad(r, at, "a request has no \"%s\"; see --help", key);
    if (!k->key) return gb__skip(r, 0);
    uint64_t bit = 1ull << (k - keys);
    if (*seen & bit)
        return gb__bad(r, at, "\"%s\" is here for the second time", k->key);
    *seen |= bit;
    r->key = k->key;
    bool fine = gb__read_value(r, k, base);
    r->key = outer;
    return fine;
}

static bool gb__read_object(gb__reader *r, const gb__key *keys, char *base)
{
    const char *at = r->at;
    uint64_t seen = 0;
    if (!gb__eat(r, "{")) return gb__wrong(r, r->at, "an object");
    for (bool more = !gb__eat(r, "}"); more;) {
        if (!gb__read_member(r, keys, base, &seen)) return false;
        more = gb__eat(r, ",");
        if (!more && !gb__eat(r, "}")) return gb__bad(r, r->at, "\",\" or \"}\" is missing");
    }
    for (const gb__key *k = keys; k->key; k++) {
        if (!(k->flags & GB__NEEDED) || seen >> (k - keys) & 1) continue;
        return gb__bad(r, at, "\"%s\" is missing here", k->key);
    }
    return true;
}

// The next element of an owned array, whose room doubles; NULL without memory.
static char *gb__grow(gb__reader *r, const gb__key *k, char *base, size_t n)
{
    const gb__key *element = k->more;
    if (!(n & (n - 1)) && !gb__take_memory(r, (n + 1) * element->size)) return NULL;
    char *array = gb__with_room(gb__pointer_at(base + k->offset), n, element->size);
    if (!array) {
        r->code = gb__fail_memory(r->error);
        return NULL;
    }
    memcpy(base + k->offset, &array, sizeof array);
    memset(array + n * element->size, 0, element->size);
    gb__set_unknown(element, array + n * element->size);
    GB__AT(size_t, base + k->count) = n + 1;
    return array + n * element->size;
}

// Where element n of an array of any kind belongs; NULL when there is no place for it.
static char *gb__element(gb__reader *r, const gb__key *k, char *base, size_t n)
{
    const gb__key *element = k->more;
    size_t most = k->type == GB__IS_PAIR ? 2 : k->most;
    if (n == most) {
        gb__bad(r, r->at, "\"%s\" has over %zu elements", r->key, most);
        return NULL;
    }
    if (k->type == GB__IS_LIST) return gb__grow(r, k, base, n);
    return base + k->offset + n * element->size;
}

static bool gb__read_array(gb__reader *r, const gb__key *k, char *base)
{
    const char *at = r->at;
    size_t n = 0;
    if (!gb__eat(r, "[")) return gb__wrong(r, r->at, "an array");
    for (bool more = !gb__eat(r, "]"); more;) {
        char *place = gb__element(r, k, base, n++);
        if (!place || !gb__read_value(r, k->more, place)) return false;
        more = gb__eat(r, ",");
        if (!more && !gb__eat(r, "]")) return gb__bad(r, r->at, "\",\" or \"]\" is missing");
    }
    int *count = k->type == GB__IS_SERIES ? &GB__AT(int, base + k->count) : NULL;
    // Two series of one length: the one that comes second has to have it.
    bool fits = !count || !*count || *count == (int)n;
    if (count) *count = (int)n;
    if (fits && (k->type != GB__IS_PAIR || n == 2)) return true;
    return gb__wrong(r, at, count ? "as long as the series beside it" : "an array of two");
}

static bool gb__read_choice(gb__reader *r, const char *const *names, int *choice)
{
    char text[32];
    const char *at = r->at;
    if (!gb__read_text(r, text, sizeof text)) return false;
    for (*choice = 0; names[*choice]; ++*choice)
        if (!strcmp(names[*choice], text)) return true;
    *choice = 0;
    return gb__wrong(r, at, "another word");
}

static bool gb__read_metric(gb__reader *r, const char **name)
{
    char text[32];
    const char *at = r->at;
    if (!gb__read_text(r, text, sizeof text)) return false;
    const gb__metric *metric = gb__find_metric(text);
    if (metric) {
        *name = metric->name;
        return true;
    }
    return gb__wrong(r, at, "a metric that this gilbench knows");
}

static bool gb__read_schema(gb__reader *r, const char *schema)
{
    char text[64];
    const char *at = r->at;
    if (!gb__read_text(r, text, sizeof text)) return false;
    if (!strcmp(text, schema)) return true;
    for (char *s = text; *s; s++)
        if (*s < ' ' || *s > '~') *s = '?';
    return gb__bad(r, at, "its schema is \"%s\"; this gilbench, " GB_VERSION ", reads \"%s\"", text,
                   schema);
}

static bool gb__fill_histogram(gb__reader *r, const char *at, const gb__sparse *s, gb_histogram *h)
{
    if (s->digits < 1) return gb__bad(r, at, "\"digits\" must be 1, 2 or 3");
    if (!gb__take_memory(r, gb__bucket(11, GB__HOUR) * sizeof *h->counts)) return false;
    r->code = gb_histogram_init(h, s->digits, r->error);
    if (r->code) return false;
    h->min = s->min;
    h->max = s->max;
    h->sum = s->sum;
    for (size_t i = 0; i < s->bucket_count; i++) {
        uint64_t count = s->buckets[i][1];
        if (count > s->total - h->total)
            return gb__bad(r, at, "\"%s\" contradicts itself", r->key);
        h->counts[gb__bucket_of(h, s->buckets[i][0])] += count;
        h->total += count;
    }
    return (h->total == s->total && h->total && h->min <= h->max &&
            h->counts[gb__bucket_of(h, h->min)] && h->counts[gb__bucket_of(h, h->max)]) ||
           gb__bad(r, at, "\"%s\" contradicts itself", r->key);
}

static bool gb__read_histogram(gb__reader *r, gb_histogram *h)
{
    gb__sparse s = {0};
    const char *at = r->at;
    bool fine = gb__read_object(r, gb__sparse_keys, (char *)&s) &&
                gb__fill_histogram(r, at, &s, h);
    free(s.buckets);
    return fine;
}

// A text of any length; NULL if it is none.
static char *gb__keep_text(gb__reader *r, char *to)
{
    return gb__read_text(r, to, (size_t)(r->end - r->at) + 1) ? to : NULL;
}

// "Name: value" lines of an object's members: the value goes right behind its name.
static bool gb__read_headers(gb__reader *r, gb_request *q)
{
    q->headers = r->lines;
    if (!gb__eat(r, "{")) return gb__wrong(r, r->at, "an object");
    for (bool more = !gb__eat(r, "}"); more; q->header_count++) {
        char *line = gb__keep_text(r, r->texts + (r->at - r->start));
        size_t len = line ? strlen(line) : 0;
        if (!line) return false;
        if (!gb__eat(r, ":")) return gb__bad(r, r->at, "\":\" is missing");
        r->key = line;
        if (!gb__keep_text(r, line + len + 2)) return false;
        line[len] = ':';
        line[len + 1] = ' ';
        *r->lines++ = line;
        more = gb__eat(r, ",");
        if (!more && !gb__eat(r, "}")) return gb__bad(r, r->at, "\",\" or \"}\" is missing");
    }
    return true;
}

static bool gb__read_value(gb__reader *r, const gb__key *k, char *base)
{
    char *at = base + k->offset;
    uint64_t whole = 0;
    int state = 0;
    bool fine = true;
    char *text;
    switch (k->type) {
    case GB__IS_TEXT: return gb__read_text(r, at, k->size);
    case GB__IS_NAME: return gb__read_metric(r, &GB__AT(const char *, at));
    case GB__IS_CHOICE: return gb__read_choice(r, k->more, &GB__AT(int, at));
    case GB__IS_COUNT: return gb__read_whole(r, INT64_MAX / 2, &GB__AT(uint64_t, at));
    case GB__IS_INT:
        fine = gb__read_whole(r, k->most, &whole);
        GB__AT(int, at) = (int)whole;
        return fine;
    case GB__IS_NUMBER:
    case GB__IS_FIGURE: return gb__read_double(r, &GB__AT(double, at));
    case GB__IS_BOOL:
        fine = gb__read_state(r, false, &state);
        GB__AT(bool, at) = state;
        return fine;
    case GB__IS_STATE: return gb__read_state(r, true, &GB__AT(int, at));
    case GB__IS_OBJECT: return gb__read_object(r, k->more, at);
    case GB__IS_HISTOGRAM: return gb__read_histogram(r, &GB__AT(gb_histogram, at));
    case GB__IS_SCHEMA: return gb__read_schema(r, k->more);
    case GB__IS_HEADERS: return gb__read_headers(r, (void *)base);
    case GB__IS_STRING:
        text = gb__keep_text(r, r->texts + (r->at - r->start));
        memcpy(at, &text, sizeof text);
        return text;
    case GB__IS_PAIR:
    case GB__IS_SERIES:
    case GB__IS_LIST: return gb__read_array(r, k, base);
    }
    return gb__skip(r, 0);
}

// ---- what the reports rely on -------------------------------------------------------------------

static const char *gb__id_problem(const char *id, bool twice)
{
    return !*id ? "an id is empty" : twice ? "an id is there twice" : NULL;
}

// All unknown, or from a low to a high end.
static bool gb__is_interval(gb_interval i)
{
    bool unknown = isnan(i.median) && isnan(i.lo) && isnan(i.hi);
    return unknown || (i.lo <= i.hi && !isnan(i.median));
}

static const char *gb__cell_problem(const gb_result *r, gb_cell *c)
{
    if (!*c->command && !strcmp(c->server, "gilbench")) *c->server = 0;
    if (*c->python && !gb__find_python(r, c->python))
        return "\"python\" must be \"\" or the id of one of \"pythons\"";
    for (size_t i = 0; i < GB_METRIC_COUNT; i++)
        if (!gb__is_interval(c->summary[i])) return "an interval of its \"summary\" is none";
    return gb__id_problem(c->id, gb__find_cell(r, c->id) != c);
}

static const char *gb__comparison_problem(const gb_result *r, const gb_comparison *c)
{
    if (!gb__find_cell(r, c->baseline)) return "\"baseline\" must be the id of a cell";
    if (!gb__find_cell(r, c->candidate)) return "\"candidate\" must be the id of a cell";
    return gb__is_interval(c->ratio) ? NULL : "\"ratio\" is no interval";
}

// An older version's verdicts are held to the rules of this one.
static void gb__withdraw_verdict(const gb_result *r, gb_comparison *c)
{
    static const gb__metric any = {.name = NULL};
    const gb_cell *a = gb__find_cell(r, c->baseline), *b = gb__find_cell(r, c->candidate);
    bool few = a->round_count < GB__FEWEST_ROUNDS || b->round_count < GB__FEWEST_ROUNDS;
    bool same = gb__judge(&any, c->ratio) == GB_NO_DIFFERENCE;
    c->gil_back |= gb__gil_is_back(r, a) || gb__gil_is_back(r, b);
    if (few || c->gil_back || (c->verdict == GB_NO_DIFFERENCE && !same)) c->verdict = GB_UNCLEAR;
}

static gb_code gb__check_result(gb_result *r, const char *name, gb_error *error)
{
    const char *in = "pythons", *problem = NULL;
    size_t i;
    for (i = 0; !problem && i < r->python_count; i++) {
        const gb_python *p = &r->pythons[i];
        problem = gb__id_problem(p->id, gb__find_python(r, p->id) != p);
    }
    if (!problem) in = "cells", i = 0;
    for (; !problem && i < r->cell_count; i++) problem = gb__cell_problem(r, &r->cells[i]);
    if (!problem) in = "comparisons", i = 0;
    for (; !problem && i < r->comparison_count; i++) {
        problem = gb__comparison_problem(r, &r->comparisons[i]);
        if (!problem) gb__withdraw_verdict(r, &r->comparisons[i]);
    }
    if (!problem) return GB_OK;
    return gb__fail(error, GB_USAGE, "%.200s: element %zu of \"%s\": %s", name, i, in, problem);
}

// ---- all of it ----------------------------------------------------------------------------------

static gb_code gb__read_stream(FILE *in, const char *name, gb__buf *b, gb_error *error)
{
    size_t n;
    errno = 0;
    do {
        if (!gb__buf_reserve(b, 65536)) return gb__fail_memory(error);
        n = fread(b->data + b->len, 1, 65536, in);
        b->len += n;
        b->data[b->len] = 0;
    } while (n && b->len <= GB__LONGEST_FILE);
    if (ferror(in))
        return gb__fail(error, GB_USAGE, "%.200s: %s", name,
                        errno ? strerror(errno) : "it can't be read");
    if (!b->len) return gb__fail(error, GB_USAGE, "%.200s: it is empty", name);
    if (b->len > GB__LONGEST_FILE)
        return gb__fail(error, GB_USAGE, "%.200s: no result is larger than %d MiB", name,
                        GB__LONGEST_FILE >> 20);
    return GB_OK;
}

GB_API gb_code gb_result_read(FILE *in, const char *name, gb_result *result, gb_error *error)
{
    static const gb__key top = GB__PART(gb_result, gb__result_keys, NULL);
    gb__buf text = {0};
    *result = (gb_result){0};
    gb__copy(result->name, sizeof result->name, name);
    gb__set_unknown(&top, (char *)result);
    gb_code code = gb__read_stream(in, name, &text, error);
    if (!code) {
        gb__reader r = {.name = name, .start = text.data, .at = text.data,
                        .end = text.data + text.len, .error = error};
        locale_t before = gb__use_point();
        gb__pass_blanks(&r);
        if (gb__read_value(&r, &top, (char *)result) && r.at < r.end)
            gb__bad(&r, r.at, "there is more behind its end");
        gb__restore_locale(before);
        code = r.code;
    }
    gb__buf_free(&text);
    return code ? code : gb__check_result(result, name, error);
}

// ================================================================================================
// >>export
// A result for the tools that others already use: files in a directory, named by the ids of what
// they hold.

// ---- files in a directory -----------------------------------------------------------------------

enum { GB__LONGEST_NAME = 180 };

// A file's name from the id of element n. "/" becomes "~"; an id that needed more than that, or is
// too long, is told from others by "+n". Neither character is left of any id, so no two are equal.
static void gb__file_name(char name[GB__LONGEST_NAME + 24], const char *id, size_t n)
{
    size_t len = strlen(id);
    bool fine = len && len <= GB__LONGEST_NAME && *id != '.' && *id != '-';
    if (len > GB__LONGEST_NAME) len = GB__LONGEST_NAME;
    for (size_t i = 0; i < len; i++) {
        bool usual = (isascii(id[i]) && isalnum(id[i])) || strchr("._-@,=", id[i]);
        bool keep = usual && (i || fine);
        fine &= keep || id[i] == '/';
        name[i] = keep ? id[i] : id[i] == '/' ? '~' : '_';
    }
    name[len] = 0;
    if (!fine) snprintf(name + len, 24, "+%zu", n + 1);
}

static FILE *gb__create_in(const char *directory, const char *id, size_t n, const char *end,
                           gb_error *error)
{
    char path[GB_PATH], name[GB__LONGEST_NAME + 24];
    gb__file_name(name, id, n);
    errno = ENAMETOOLONG;
    FILE *out = gb__path(path, "%s/%s%s", directory, name, end) ? fopen(path, "we") : NULL;
    if (!out) gb__fail(error, GB_SYSTEM, "%.900s: %s", path, strerror(errno));
    return out;
}

static gb_code gb__close_in(FILE *out, const char *directory, gb_code code, gb_error *error)
{
    if (fclose(out) && !code)
        code = gb__fail(error, GB_SYSTEM, "%.900s: %s", directory, strerror(errno));
    return code;
}

static gb_code gb__make_directory(const char *directory, gb_error *error)
{
    struct stat s;
    if (!mkdir(directory, 0777)) return GB_OK;
    int why = errno == EEXIST && !stat(directory, &s) && !S_ISDIR(s.st_mode) ? ENOTDIR : errno;
    if (why == EEXIST && !access(directory, W_OK | X_OK)) return GB_OK;
    return gb__fail(error, GB_SYSTEM, "%.900s: %s", directory,
                    strerror(why == EEXIST ? errno : why));
}

// ---- pyperf (its documentation: "pyperf JSON") --------------------------------------------------
// One run is a round, which had a server process of its own; one value is what the round came to.
// Lower has to be better, so throughput is the time a request took of the server's: 1 / (req/s).

typedef struct gb__pyperf_member {
    const char *key, *text;
    double number;  // where there is no text
} gb__pyperf_member;

// Leaves out what is unknown. pyperf refuses a text that is empty, or has a line break in it.
static void gb__pyperf_metadata(gb__json *j, const gb__pyperf_member *members, size_t n)
{
    gb__json_key(j, "metadata");
    gb__json_open(j, "{");
    for (const gb__pyperf_member *m = members; m < members + n; m++) {
        gb__buf clean = {0};
        gb__add_clean(&clean, m->text ? m->text : "");
        bool text = clean.len && clean.data[strspn(clean.data, " ")];
        if (text || m->number > 0) gb__json_key(j, m->key);
        if (text) gb__json_quote(&j->text, clean.data);
        else if (m->number > 0) gb__json_number(j, m->number);
        j->text.failed |= clean.failed;
        gb__buf_free(&clean);
    }
    gb__json_close(j, "}");
}

static void gb__pyperf_run(gb__json *j, const gb_result *r, const gb_round *round)
{
    char date[32] = "";
    if (*round->problem || !(round->rps > 0)) return;
    if (strlen(r->started) == 20)  // 2026-01-02T03:04:05Z
        snprintf(date, sizeof date, "%.10s %.8s", r->started, r->started + 11);
    const gb__pyperf_member metadata[] = {
        {"date", date, 0},
        {"duration", NULL, round->seconds},
        {"mem_max_rss", NULL, (double)(uint64_t)(round->memory_mb.rss_peak * 1e6 + 0.5)}};
    gb__json_key(j, NULL);
    gb__json_open(j, "{");
    gb__json_key(j, "values");
    gb__buf_str(&j->text, "[");
    gb__json_number(j, 1 / round->rps);
    gb__buf_str(&j->text, "]");
    gb__pyperf_metadata(j, metadata, sizeof metadata / sizeof *metadata);
    gb__json_close(j, "}");
}

// A benchmark; none where there is no round to show. Its name is the same in both files of a
// comparison, so that pyperf pairs them: the cell without its build.
static void gb__pyperf_cell(gb__json *j, const gb_result *r, const gb_cell *c)
{
    char name[256], cpus[16] = "", topology[32] = "best";  // whichever that is, on each build
    if (!(gb__median_at(c, offsetof(gb_round, rps)) > 0)) return;
    if (c->server_cpus) snprintf(cpus, sizeof cpus, "-s%d", c->server_cpus);
    if (!c->best) snprintf(topology, sizeof topology, "w%d-t%d", c->workers, c->threads);
    snprintf(name, sizeof name, "%s%s%s/%s-c%d%s", c->scenario, *c->server ? " " : "", c->server,
             topology, c->connections, cpus);
    const gb__pyperf_member metadata[] = {
        {"name", name, 0},
        {"unit", "second", 0},
        {"server_app", c->app, 0},
        {"server_path", c->path, 0},
        {"server_interface", gb__interfaces[c->interface], 0},
        {"server_workers", NULL, c->workers},
        {"server_threads", NULL, c->threads},
        {"server_connections", NULL, c->connections},
        {"server_gil_back", gb__gil_is_back(r, c), 0}};
    gb__json_key(j, NULL);
    gb__json_open(j, "{");
    gb__pyperf_metadata(j, metadata, sizeof metadata / sizeof *metadata);
    gb__json_key(j, "runs");
    gb__json_open(j, "[");
    for (size_t i = 0; i < c->round_count; i++) gb__pyperf_run(j, r, &c->rounds[i]);
    gb__json_close(j, "]");
    gb__json_close(j, "}");
}

// False where there is nothing to show.
static bool gb__pyperf_build(gb__json *j, const gb_result *r, const gb_python *p)
{
    const gb__pyperf_member metadata[] = {
        {"python_implementation", "cpython", 0},
        {"python_version", p->version, 0},
        {"python_executable", p->executable, 0},
        {"python_compiler", p->compiler, 0},
        {"python_config_args", p->configure_args, 0},
        {"gil", gb__has_gil(p) ? "enabled" : "disabled", 0},
        {"hostname", r->host.hostname, 0},
        {"platform", r->host.kernel, 0},
        {"cpu_model_name", r->host.cpu_model, 0},
        {"cpu_count", NULL, r->host.cpus},
        {"gilbench_version", r->gilbench, 0}};
    gb__json_open(j, "{");
    gb__json_key(j, "version");
    gb__json_quote(&j->text, "1.0");
    gb__pyperf_metadata(j, metadata, sizeof metadata / sizeof *metadata);
    gb__json_key(j, "benchmarks");
    gb__json_open(j, "[");
    for (size_t i = 0; i < r->cell_count; i++)
        if (!strcmp(r->cells[i].python, p->id)) gb__pyperf_cell(j, r, &r->cells[i]);
    bool any = j->comma;
    gb__json_close(j, "]");
    gb__json_close(j, "}");
    gb__buf_str(&j->text, "\n");
    return any;
}

static gb_code gb__pyperf_file(const gb_result *r, size_t n, const char *directory,
                               gb_error *error)
{
    gb__json j = {0};
    locale_t before = gb__use_point();
    bool any = gb__pyperf_build(&j, r, &r->pythons[n]);
    gb__restore_locale(before);
    FILE *out = any ? gb__create_in(directory, r->pythons[n].id, n, ".json", error) : NULL;
    if (out) return gb__close_in(out, directory, gb__write_out(&j.text, out, error), error);
    gb__buf_free(&j.text);
    return any ? GB_SYSTEM : GB_OK;
}

GB_API gb_code gb_report_pyperf(const gb_result *result, const char *directory, gb_error *error)
{
    gb_code code = gb__make_directory(directory, error);
    for (size_t i = 0; i < result->python_count && !code; i++)
        code = gb__pyperf_file(result, i, directory, error);
    return code;
}

// ---- HdrHistogram's plotter ---------------------------------------------------------------------

static gb_code gb__hdr_file(const gb_result *r, size_t n, const gb_histogram *h, const char *end,
                            const char *directory, gb_error *error)
{
    if (!h->total) return GB_OK;
    FILE *out = gb__create_in(directory, r->cells[n].id, n, end, error);
    if (!out) return GB_SYSTEM;
    return gb__close_in(out, directory, gb_histogram_write(h, out, error), error);
}

GB_API gb_code gb_report_hdr(const gb_result *result, const char *directory, gb_error *error)
{
    gb_code code = gb__make_directory(directory, error);
    for (size_t i = 0; i < result->cell_count && !code; i++) {
        const gb_cell *c = &result->cells[i];
        bool both = c->rate > 0;  // then the latencies count from when a request was due
        code = gb__hdr_file(result, i, &c->latency, both ? "+corrected.hgrm" : ".hgrm", directory,
                            error);
        if (!code && both)
            code = gb__hdr_file(result, i, &c->uncorrected, "+uncorrected.hgrm", directory, error);
    }
    return code;
}

// ================================================================================================
// >>svg
// What the HTML report is made of: escaped text, and charts of several lines. A chart is as wide as
// a phone, in its own units, and the page sets several side by side. Pure.

// ---- text ---------------------------------------------------------------------------------------

// Text as content or as a quoted attribute.
static void gb__html_text(gb__buf *b, const char *text)
{
    gb__buf clean = {0};
    gb__add_clean(&clean, text);
    for (size_t i = 0; i < clean.len; i++) {
        if (strchr("<>&\"'", clean.data[i])) gb__buf_printf(b, "&#%d;", clean.data[i]);
        else gb__buf_add(b, clean.data + i, 1);
    }
    b->failed |= clean.failed;
    gb__buf_free(&clean);
}

// Of printf %s, which is escaped, and %%; the rest of the format is markup.
GB__PRINTF(2, 3) static void gb__html(gb__buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *at; (at = strchr(format, '%')); format = at + 2) {
        gb__buf_add(b, format, (size_t)(at - format));
        if (at[1] == '%') gb__buf_str(b, "%");
        else gb__html_text(b, va_arg(args, const char *));
    }
    va_end(args);
    gb__buf_str(b, format);
}

// ---- charts: a line a variant -------------------------------------------------------------------

// In the units of a picture: how wide it is, where points may be, and how far beside its place a
// mark may be, for others to be seen.
enum {
    GB__WIDTH = 320,
    GB__LEFT = 54,
    GB__RIGHT = 298,
    GB__TOP = 22,
    GB__FOOT = 156,
    GB__BESIDE = 10
};

// A build's colour and shape, by its number, so that nobody needs the colour; the last is that of a
// limit, which has no marks.
enum { GB__LOOKS = 5 };

static const struct {
    const char *class, *shape;
} gb__looks[GB__LOOKS + 1] = {{"b0", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0"},
                              {"b1", "M-3.5-3.5h7v7h-7z"},
                              {"b2", "M0-5L5 4H-5z"},
                              {"b3", "M0-5L5 0 0 5-5 0z"},
                              {"b4", "M0 5L5-4H-5z"},
                              {"k", "M0 0"}};

typedef struct gb__point {
    gb__phrase name;  // of its line
    size_t look;
    bool outline;     // its marks are drawn in outline
    double x;
    gb_interval y;
    size_t line;
    double at;        // where x is on its scale
} gb__point;

typedef struct gb__chart {
    const char *title, *note, *x_unit, *y_unit;
    bool linear;      // x is, else what there is of it stands side by side
    bool scattered;   // a point is a line of its own
    gb__point *points;  // owned
    size_t count, lines;
    double top, step;   // y goes up to here, in steps
    bool failed;
} gb__chart;

// One that isn't known is left out.
static void gb__add_point(gb__chart *k, const gb__point *point)
{
    gb__point *points = gb__with_room(k->points, k->count, sizeof *points);
    size_t like = 0;
    k->failed |= !points;
    if (!points) return;
    k->points = points;
    if (!isfinite(point->x) || !isfinite(point->y.median)) return;
    while (like < k->count && (k->scattered || strcmp(points[like].name, point->name))) like++;
    gb__point *p = &points[k->count];
    *p = *point;
    p->line = like < k->count ? points[like].line : k->lines++;
    if (!isfinite(p->y.lo)) p->y.lo = p->y.median;
    if (!isfinite(p->y.hi)) p->y.hi = p->y.median;
    k->count++;
}

// By x, then by line, then the higher first.
static int gb__by_place(const void *a, const void *b)
{
    const gb__point *p = a, *q = b;
    if (p->x < q->x || p->x > q->x) return p->x < q->x ? -1 : 1;
    if (p->line != q->line) return p->line < q->line ? -1 : 1;
    return (p->y.median < q->y.median) - (p->y.median > q->y.median);
}

// From 0 to a round number at or above `most`, in at most five steps of 1, 2 or 5.
static void gb__fit_scale(gb__chart *k, double most)
{
    double ten = 1;
    if (!(most > 1e-9 && most < 1e100)) most = 1;
    most *= 0.999999;
    while (5 * ten < most) ten *= 10;
    while (5 * ten / 10 >= most) ten /= 10;
    k->step = ten >= most ? ten / 5 : 5 * ten / 2 >= most ? ten / 2 : ten;
    for (k->top = 0; k->top < most;) k->top += k->step;
}

// Puts the points in their order, of two at one place of a line the higher alone, and fits the
// scales.
static void gb__chart_fit(gb__chart *k)
{
    double most = 0, at = 0;
    size_t n = 0;
    qsort(k->points, k->count, sizeof *k->points, gb__by_place);
    for (size_t i = 0; i < k->count; i++) {
        gb__point *p = &k->points[i], *last = n ? &k->points[n - 1] : p;
        bool beside = p->x > last->x;
        if (n && !beside && p->line == last->line) continue;
        at += beside;
        if (p->y.hi > most) most = p->y.hi;
        p->at = k->linear ? p->x : at;
        k->points[n++] = *p;
    }
    k->count = n;
    gb__fit_scale(k, most);
}

static double gb__chart_x(const gb__chart *k, const gb__point *p)
{
    double first = k->points->at, all = k->points[k->count - 1].at - first;
    return GB__LEFT + (GB__RIGHT - GB__LEFT) * (all > 0 ? (p->at - first) / all : 0.5);
}

static double gb__chart_y(const gb__chart *k, double value)
{
    double share = value / k->top;
    return GB__FOOT - (GB__FOOT - GB__TOP) * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static const char *gb__tick_text(gb__small text, double value)
{
    if (value >= 1e12) snprintf(text, sizeof(gb__small), "%.3g", value);
    else if (value >= 1e6) snprintf(text, sizeof(gb__small), "%gM", value / 1e6);
    else if (value >= 1e4) snprintf(text, sizeof(gb__small), "%gk", value / 1e3);
    else snprintf(text, sizeof(gb__small), "%g", value < 1e-9 ? 0 : value);
    return text;
}

static void gb__svg_text(gb__buf *b, const char *class, double x, double y, const char *text)
{
    gb__buf_printf(b, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    gb__html(b, "%s</text>\n", text);
}

static void gb__svg_line(gb__buf *b, const char *class, double x1, double y1, double x2, double y2)
{
    gb__buf_printf(b, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", class, x1, y1, x2, y2);
}

static void gb__svg_marker(gb__buf *b, size_t look, double x, double y)
{
    gb__buf_printf(b, "<path class=\"m\" transform=\"translate(%.1f %.1f)\" d=\"%s\"/>\n", x, y,
                   gb__looks[look].shape);
}

// A label that would touch the one before it is left out.
static void gb__chart_axes(const gb__chart *k, gb__buf *b)
{
    const double left = GB__LEFT - GB__BESIDE, right = GB__RIGHT + GB__BESIDE;
    gb__small text;
    double used = 0;
    for (int i = 0; i * k->step <= k->top * 1.000001; i++) {
        double tick = i * k->step, y = gb__chart_y(k, tick);
        gb__svg_line(b, tick > 0 ? "g" : "x", left, y, right, y);
        gb__svg_text(b, "e", left - 6, y + 4, gb__tick_text(text, tick));
    }
    for (const gb__point *p = k->points; p < k->points + k->count; p++) {
        if (p > k->points && p->x <= p[-1].x) continue;
        double x = gb__chart_x(k, p), half = 3.5 * (double)strlen(gb__tick_text(text, p->x));
        gb__svg_line(b, "g", x, GB__TOP, x, GB__FOOT);
        if (x - half < used + 4) continue;
        gb__svg_text(b, "c", x, GB__FOOT + 14, text);
        used = x + half;
    }
    gb__svg_text(b, "", 0, 10, k->y_unit);
    gb__svg_text(b, "e", right + 10, GB__FOOT + 30, k->x_unit);
}

// Each a little beside the others, so that intervals of one place aren't one over the other.
static void gb__chart_line(const gb__chart *k, size_t line, gb__buf *b)
{
    double n = (double)k->lines, step = n > 6 ? 2 * GB__BESIDE / n : 3;
    double beside = ((double)line - (n - 1) / 2) * step;
    gb__buf path = {0};
    for (const gb__point *p = k->points; p < k->points + k->count; p++) {
        if (p->line != line) continue;
        double x = gb__chart_x(k, p) + beside, y = gb__chart_y(k, p->y.median);
        if (!path.len)
            gb__buf_printf(b, "<g class=\"%s%s\">\n", gb__looks[p->look].class,
                           p->outline ? " o" : "");
        gb__buf_printf(&path, "%s%.1f %.1f", path.len ? "L" : "M", x, y);
        gb__svg_line(b, "w", x, gb__chart_y(k, p->y.lo), x, gb__chart_y(k, p->y.hi));
        gb__svg_marker(b, p->look, x, y);
    }
    gb__html(b, "<path class=\"l\" d=\"%s\"/></g>\n", path.data ? path.data : "");
    b->failed |= path.failed;
    gb__buf_free(&path);
}

// What the lines are, each name once; their values are in the tables.
static void gb__chart_legend(const gb__chart *k, gb__buf *b)
{
    for (const gb__point *p = k->points; p < k->points + k->count; p++) {
        const gb__point *first = k->points;
        while (strcmp(first->name, p->name)) first++;
        if (first < p) continue;
        gb__html(b, "<span class=\"name %s%s\"><svg class=\"key\" viewBox=\"-12 -6 24 12\" "
                 "aria-hidden=\"true\"><path class=\"l\" d=\"M-12 0H12\"/>",
                 gb__looks[p->look].class, p->outline ? " o" : "");
        gb__svg_marker(b, p->look, 0, 0);
        gb__html(b, "</svg> %s</span>\n", p->name);
    }
}

// Frees the points; nothing is drawn of less than two.
static void gb__chart_draw(gb__chart *k, gb__buf *b)
{
    b->failed |= k->failed;
    if (k->count > 1) {
        gb__chart_fit(k);
        gb__html(b, "<figure><figcaption><b>%s</b>%s</figcaption>\n", k->title, k->note);
        gb__buf_printf(b, "<svg viewBox=\"0 0 %d 190\" role=\"img\">", GB__WIDTH);
        gb__html(b, "<title>%s</title><desc>%s, by %s.</desc>\n", k->title, k->y_unit, k->x_unit);
        gb__chart_axes(k, b);
        for (size_t line = 0; line < k->lines; line++) gb__chart_line(k, line, b);
        gb__buf_str(b, "</svg>\n");
        gb__chart_legend(k, b);
        gb__buf_str(b, "</figure>\n");
    }
    free(k->points);
}

// ================================================================================================
// >>lines
// What a page has of a scenario: one picture, req/s against the CPUs that the server had or, where
// all rows had as many, against what serves.

// A scenario's cells, and what of them there is several of, which is worth a word.
typedef struct gb__scene {
    const gb_result *result;
    const gb_cell *first;  // the smallest; NULL: there are none
    bool threads, connections, cpus;
} gb__scene;

static double gb__size(const gb_cell *c)
{
    return (double)c->workers * c->threads * (c->server_cpus ? c->server_cpus : 1);
}

// The best is there twice. What is without Python may be many times as fast, and would squeeze the
// others at the foot.
static bool gb__is_in_scene(const gb_cell *c, const char *scenario)
{
    return !strcmp(c->scenario, scenario) && !c->best && !gb__cell_is_control(c);
}

static gb__scene gb__scene_of(const gb_result *r, const char *scenario)
{
    gb__scene s = {.result = r};
    const gb_cell *any = NULL;
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++) {
        if (!gb__is_in_scene(c, scenario)) continue;
        if (!any) any = c;
        if (!s.first || gb__size(c) < gb__size(s.first)) s.first = c;
        s.threads |= c->threads != any->threads;
        s.connections |= c->connections != any->connections;
        s.cpus |= c->server_cpus != any->server_cpus;
    }
    return s;
}

// Somebody else's server, and more than one worker, has its build's colour in outline.
static void gb__add_cell_point(gb__chart *k, const gb__scene *s, const gb_cell *c)
{
    bool several = c->workers > 1;
    char workers[32] = "", connections[32] = "";
    double cpus = gb__server_cpus(s->result, c->server_cpus);
    const gb_python *python = gb__find_python(s->result, c->python);
    gb__point p = {.look = python ? (size_t)(python - s->result->pythons) % GB__LOOKS : 0,
                   .outline = *c->server || several,
                   .x = s->cpus ? cpus : (double)c->workers * c->threads, .y = c->summary[GB_RPS]};
    gb__phrase name;
    gb_cell anywhere = *c;
    if (s->cpus) anywhere.server_cpus = 0;
    if (several && s->cpus) gb__copy(workers, sizeof workers, ", several workers");
    else if (several && s->threads)
        snprintf(workers, sizeof workers, ", %d workers", c->workers);
    if (s->connections)
        snprintf(connections, sizeof connections, ", %d connections", c->connections);
    snprintf(p.name, sizeof p.name, "%.180s%s%s", gb__name(s->result, &anywhere, name), workers,
             connections);
    gb__add_point(k, &p);
}

// What so many CPUs could do if each did what one does.
static void gb__add_limit(gb__chart *k, const gb__scene *s)
{
    const gb_cell *one = s->first;
    int cpus = gb__server_cpus(s->result, one->server_cpus), from = s->cpus ? cpus : 1;
    gb__point p = {.look = GB__LOOKS};
    bool line = false;  // of one place there is none
    for (size_t i = 1; i < k->count; i++) line |= k->points[i].x > k->points->x;
    if (!line || !gb__is_busy(one) || one->threads * one->workers > 1) return;
    if (s->cpus)
        snprintf(p.name, sizeof p.name, "in proportion to %.64s on %d CPU%s", one->python, from,
                 from > 1 ? "s" : "");
    else
        snprintf(p.name, sizeof p.name, "%d CPUs, each like 1 thread of %.64s", cpus, one->python);
    for (size_t i = 0, n = k->count; i < n; i++) {
        p.x = k->points[i].x;
        double y = (s->cpus || p.x < cpus ? p.x : cpus) / from * one->summary[GB_RPS].median;
        p.y = (gb_interval){y, y, y};
        gb__add_point(k, &p);
    }
}

static void gb__throughput_figure(gb__buf *b, const gb__scene *s)
{
    const gb_result *r = s->result;
    gb__phrase title;
    gb__line note;
    gb__small load = "";
    gb__chart k = {.title = title, .note = note, .linear = s->cpus, .y_unit = gb__head(r, "req/s"),
                   .x_unit = s->cpus ? "CPUs of the server" : s->threads ? "threads" : "workers"};
    snprintf(title, sizeof title, "%.90s: %.120s", s->first->scenario, s->first->path);
    if (s->first->connections)
        snprintf(load, sizeof load, ", %d connections", s->first->connections);
    snprintf(note, sizeof note, "%.80s%s: %smedians and their 95 %% intervals.", s->first->app,
             load, !s->cpus ? "" : "on each number of CPUs the fastest row of one worker's "
                                   "threads, and of several workers; ");
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++)
        if (gb__is_in_scene(c, s->first->scenario)) gb__add_cell_point(&k, s, c);
    gb__add_limit(&k, s);
    gb__chart_draw(&k, b);
}

// ================================================================================================
// >>paper
// What a report is written on: a terminal, Markdown, or an HTML page, with no script and nothing
// fetched. Text that comes from a result is only text on each.

// ---- style --------------------------------------------------------------------------------------

// Text keeps a contrast of 4.5 to 1 in both schemes. The builds' colours are told apart with every
// usual colour blindness, and by shapes and dashes without any colour.
static const char gb__style[] =
    ":root{color-scheme:light dark;--bg:#fcfcfa;--ink:#1b2127;--mute:#58626c;--rule:#d8dde1;"
    "--good:#0a6a4c;--bad:#a62828;--b0:#0b61a8;--b1:#b04a00;--b2:#00715b;"
    "--b3:#96387a;--b4:#6b5500;--k:#5a646e}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--bg:#14171a;--ink:#e6e9eb;"
    "--mute:#a4aeb7;--rule:#333a41;--good:#5fd3a8;--bad:#ff9b92;"
    "--b0:#74b6f4;--b1:#f4a25c;--b2:#4fcfa8;--b3:#e895c8;--b4:#d8c15a;--k:#a0abb5}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:76rem;padding:2rem clamp(.9rem,4vw,2.5rem) 4rem;color:var(--ink);"
    "background:var(--bg);font:1rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;"
    "font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\n"
    "h1{font-size:clamp(1.5rem,5vw,2.1rem);line-height:1.2;margin:.2rem 0 .6rem}\n"
    "h2{font-size:1.3rem;line-height:1.3;margin:3.2rem 0 .6rem;padding-top:.9rem;"
    "border-top:1px solid var(--rule)}\n"
    "p,ul{margin:.5rem 0;max-width:46rem}\nul{padding-left:1.2rem}\nli{margin:.3rem 0}\n"
    "b,td,th{unicode-bidi:isolate}\n"
    ".mute,caption{color:var(--mute);font-weight:400}\n"
    ".good{color:var(--good)}\n.bad{color:var(--bad)}\n.b0{--c:var(--b0)}.b1{--c:var(--b1)}"
    ".b2{--c:var(--b2)}.b3{--c:var(--b3)}.b4{--c:var(--b4)}.k{--c:var(--k)}\n"
    "h1+h2{border:0;margin-top:1rem;padding:0}\n"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),"
    "1fr));gap:2rem 2.4rem;align-items:start;margin:1rem 0}\n"
    "figure{margin:0;min-width:0;max-width:34rem;break-inside:avoid}\n"
    "figcaption{font-size:.9rem;line-height:1.4;margin-bottom:.6rem;color:var(--mute)}"
    "figcaption b{display:block;color:var(--ink)}\n"
    ".scroll{overflow-x:auto;margin:.5rem 0}\n"
    "table{border-collapse:collapse;font-size:.82rem;line-height:1.35;overflow-wrap:normal}\n"
    "caption{text-align:left;padding-bottom:.4rem}\n"
    "th,td{padding:.35rem .8em .35rem 0;text-align:right;white-space:nowrap;"
    "border-bottom:1px solid var(--rule);font-weight:400}\nthead th{color:var(--mute);"
    "vertical-align:bottom;white-space:normal}tr :last-child{padding-right:.1rem}"
    ".s{text-align:left}.name{display:inline-block;font-size:.82rem;color:var(--c);"
    "margin-right:.7rem}\n"
    "@media print{:root{font-size:9pt;--bg:#fff}*{print-color-adjust:exact}body{max-width:none;"
    "padding:0}.scroll{overflow:visible}table{font-size:6pt}th,td{padding:.2rem .3rem .2rem 0}"
    "h2{break-after:avoid}}\n";

// Of charts.
static const char gb__picture_style[] =
    "svg{display:block;width:100%;height:auto;font-size:11px}.key{display:inline-block;"
    "width:1.9rem;height:.9rem;vertical-align:-.15rem}\n"
    "text{fill:var(--mute)}.e{text-anchor:end}.c{text-anchor:middle}\n"
    ".m{fill:var(--c);stroke:var(--c)}.o .m{fill:var(--bg);stroke-width:1.5}\n"
    ".l,path.w,.g,.x{fill:none;stroke:var(--c);stroke-width:1.6;stroke-linejoin:round}"
    "path.w{stroke-width:1.2}.g{stroke:var(--rule);stroke-width:1}"
    ".x{stroke:var(--mute);stroke-width:1}\n"
    ".b1 .l{stroke-dasharray:8 3}.b2 .l{stroke-dasharray:4 2}.b3 .l{stroke-dasharray:8 3 2 3}"
    ".b4 .l{stroke-dasharray:3 3}.k .l{stroke-dasharray:1.5 2.5}\n";

// ---- paper --------------------------------------------------------------------------------------

typedef enum gb__kind { GB__TERMINAL, GB__MARKDOWN, GB__HTML } gb__kind;

typedef struct gb__paper {
    gb__kind kind;
    bool colour;
    size_t width;  // of a terminal; 0: any
    gb__buf text;  // so far
} gb__paper;

// What only a page has.
static void gb__add_markup(gb__paper *p, const char *markup)
{
    if (p->kind == GB__HTML) gb__buf_str(&p->text, markup);
}

static void gb__add_text(gb__paper *p, const char *text)
{
    gb__buf clean = {0};
    if (p->kind == GB__HTML) gb__html_text(&p->text, text);
    if (p->kind == GB__TERMINAL) gb__add_clean(&p->text, text);
    if (p->kind != GB__MARKDOWN) return;
    gb__add_clean(&clean, text);
    if (clean.data) gb__add_escaped(&p->text, clean.data, true);
    p->text.failed |= clean.failed;
    gb__buf_free(&clean);
}

// Broken where it is wider than the terminal, or than print.
static void gb__add_wrapped(gb__paper *p, const char *text)
{
    gb__buf clean = {0};
    size_t width = p->width && p->width < 100 ? p->width : 100, used = 0;
    gb__add_clean(&clean, text);
    for (const char *s = clean.data; s && *s;) {
        size_t n = strcspn(s, " ");
        bool breaks = used > 2 && used + n >= width;
        if (used) gb__buf_str(&p->text, breaks ? "\n  " : " ");
        gb__buf_add(&p->text, s, n);
        used = (breaks ? 2 : used + (used > 0)) + n;
        s += n + (s[n] == ' ');
    }
    p->text.failed |= clean.failed;
    gb__buf_free(&clean);
}

static void gb__add_paragraph(gb__paper *p, const char *text)
{
    gb__add_markup(p, "<p>");
    if (p->kind == GB__TERMINAL) gb__add_wrapped(p, text);
    else gb__add_text(p, text);
    gb__buf_str(&p->text, p->kind == GB__HTML ? "</p>\n" : "\n");
}

static void gb__begin_list(gb__paper *p)
{
    gb__add_markup(p, "<ul>\n");
}

static void gb__end_list(gb__paper *p)
{
    gb__buf_str(&p->text, p->kind == GB__HTML ? "</ul>\n" : "\n");
}

// A line of a list, with what it is about.
static void gb__add_item(gb__paper *p, const char *about, const char *text)
{
    static const char *const marks[][3] = {
        {"", ": ", "\n"}, {"- **", "**: ", "\n"}, {"<li><b>", "</b>: ", "</li>\n"}};
    gb__buf_str(&p->text, marks[p->kind][0]);
    gb__add_text(p, about);
    gb__buf_str(&p->text, marks[p->kind][1]);
    gb__add_text(p, text);
    gb__buf_str(&p->text, marks[p->kind][2]);
}

static void gb__table_html(const gb__table *t, gb__buf *b, const char *caption)
{
    static const char *const tones[] = {"", "good", "bad", "mute"};  // by gb_verdict
    gb__html(b, "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"%s\"><table>"
             "<caption>%s</caption>\n<thead>", caption, caption);
    for (size_t i = 0; i < t->count; i++) {
        size_t column = i % t->columns;
        bool head = i < t->columns, left = column < t->left;
        if (!column) gb__buf_str(b, i == t->columns ? "</thead>\n<tbody><tr>" : "<tr>");
        gb__html(b, head   ? "<th scope=\"col\" class=\"%s%s\">%s</th>"
                    : left ? "<th scope=\"row\" class=\"%s%s\">%s</th>"
                           : "<td class=\"%s%s\">%s</td>",
                 left ? "s " : "", tones[t->cells[i].told], gb__table_text(t, i));
        if (column + 1 == t->columns) gb__buf_str(b, "</tr>\n");
    }
    gb__buf_str(b, "</tbody></table></div>\n");
}

// Frees the table.
static void gb__add_table(gb__paper *p, gb__table *t, const char *caption)
{
    if (t->count > t->columns) {
        if (p->kind == GB__HTML) gb__table_html(t, &p->text, caption);
        else if (p->kind == GB__MARKDOWN) gb__table_markdown(t, &p->text);
        else gb__table_aligned(t, p->width, p->colour, &p->text);
        gb__buf_str(&p->text, "\n");
    }
    p->text.failed |= t->failed;
    gb__table_free(t);
}

static void gb__open_paper(gb__paper *p, const char *title)
{
    gb__buf *b = &p->text;
    if (p->kind == GB__MARKDOWN) gb__buf_printf(b, "## %s\n\n", title);
    if (p->kind != GB__HTML) return;
    gb__buf_printf(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; img-src data:\">\n"
                   "<link rel=\"icon\" href=\"data:,\">\n<title>%s - gilbench</title>\n<style>\n"
                   "%s%s</style>\n</head>\n<body>\n<main>\n<h1>%s</h1>\n",
                   title, gb__style, gb__picture_style, title);
}

static void gb__close_paper(gb__paper *p)
{
    gb__add_markup(p, "<p class=\"mute\">Made by gilbench " GB_VERSION ".</p>\n</main>\n</body>\n"
                   "</html>\n");
}

// ================================================================================================
// >>page
// A result to be read: in words, in tables and, on a page, in pictures. One walk writes it on each
// kind of paper.

// ---- the answer, the builds ---------------------------------------------------------------------

static void gb__add_sentence(gb__paper *p, const char *text)
{
    const char *colon = strstr(text, ": ");
    gb__phrase about;
    snprintf(about, sizeof about, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (p->kind == GB__HTML) {
        gb__html(&p->text, colon ? "<li><b>%s</b>%s</li>\n" : "<li>%s%s</li>\n", about,
                 text + strlen(about));
        return;
    }
    gb__buf_str(&p->text, p->kind == GB__MARKDOWN ? "- " : "");
    gb__add_paragraph(p, text);
}

static void gb__add_pictures(gb__buf *b, const gb_result *r)
{
    gb__buf_str(b, "<div class=\"grid\">\n");
    for (size_t i = 0; i < r->cell_count; i++) {
        if (!gb__is_first_of_scenario(r, &r->cells[i])) continue;
        gb__scene scene = gb__scene_of(r, r->cells[i].scenario);
        if (scene.first) gb__throughput_figure(b, &scene);
    }
    gb__buf_str(b, "</div>\n");
}

static void gb__add_answer(gb__paper *p, const gb_result *r)
{
    gb__sentences *a = gb__sentences_of(r);
    gb__add_markup(p, "<h2>The answer</h2>\n");
    if (a && a->count) gb__begin_list(p);
    for (size_t i = 0; a && i < a->count; i++) gb__add_sentence(p, a->lines[i]);
    if (a && a->count) gb__end_list(p);
    if (p->kind == GB__HTML) gb__add_pictures(&p->text, r);
    p->text.failed |= !a;
    free(a);
}

static const char *gb__machine_text(const gb_result *r, gb__line text)
{
    const gb_host *h = &r->host;
    const gb_placement *on = &r->plan.cpus;
    gb__ranges server, client;
    char cpus[512] = "";
    gb__cpus_text(on->server_cpus, on->server_cpu_count, server);
    gb__cpus_text(on->client_cpus, on->client_cpu_count, client);
    if (*server)
        snprintf(cpus, sizeof cpus, gb__is_parted(on) ? " (server on %.200s, client on %.200s)"
                                                      : " (server and client share %.200s)",
                 server, client);
    snprintf(text, sizeof(gb__line), "%s, %d CPUs%s, %.0f GB, %s, %s",
             *h->cpu_model ? h->cpu_model : "unknown CPU", h->cpus, cpus, (double)h->memory / 1e9,
             h->kernel, r->started);
    return text;
}

static const char *gb__build_text(const gb_python *p, gb__line text)
{
    snprintf(text, sizeof(gb__line), "CPython %s%s%s%s, %s, %s", p->version,
             p->free_threaded ? " free-threaded" : "", p->gil == 1 ? " with the GIL forced on" : "",
             p->debug ? ", a debug build" : "", p->optimized, p->executable);
    return text;
}

static void gb__add_builds(gb__paper *p, const gb_result *r)
{
    gb__line text;
    gb__add_markup(p, "<h2>Builds</h2>\n");
    gb__begin_list(p);
    gb__add_item(p, "Machine", gb__machine_text(r, text));
    if (*r->plan.requests) gb__add_item(p, "Requests", r->plan.requests);
    for (const gb_python *python = r->pythons; python < r->pythons + r->python_count; python++) {
        gb__add_item(p, python->id, gb__build_text(python, text));
        if (p->kind != GB__HTML) continue;
        gb__add_item(p, "compiled with", python->compiler);
        gb__add_item(p, "configured with", python->configure_args);
    }
    gb__end_list(p);
}

// ---- the method ---------------------------------------------------------------------------------

static const char gb__reported_note[] =
    "Reported: the figures of \"Python 3.14t Benchmarks: The GIL-Free Future of Web Services "
    "Emerges\" (news.lavx.hu), a retelling of \"The Future of Python Web Services Looks GIL-Free\" "
    "(baro.dev, October 2025): one run on 8 cores with 16 GB, Granian, rewrk; its WSGI rows don't "
    "say how many connections. Another machine's figures: no target.";

// What columns mean where rows are tasks.
static const char gb__task_note[] =
    "Tasks: ms is the time of a job (split: until its last share is done), threads are workers, "
    "which are what the variant says, else threads; jobs/s against 1 thread are the speed-up.";

// Beside these two tasks.
static const char gb__published_note[] =
    "fib and bubble: reported by M. Grinberg (\"Python 3.14 Is Here. How Fast Is It?\", October "
    "2025; a laptop of Intel and one of Apple, mean of 3 runs), here as retold by engineered.at: "
    "fib(40) takes 3.14 6.49 s; with 4 threads, each doing the whole job, its free-threaded build "
    "is 3.1x as fast in fib(40) and 2.0x in bubble(10000), whose numbers were random. Another "
    "machine's figures: no target.";

// What several workers are, of each build.
static void gb__add_workers(gb__paper *p, const gb_result *r)
{
    gb__buf text = {0};
    for (const gb_cell *c = r->cells; c < r->cells + r->cell_count; c++) {
        const gb_cell *first = r->cells;
        if (c->workers < 2 || *c->server || !*c->python) continue;
        while (first->workers < 2 || *first->server || strcmp(first->python, c->python) ||
               first->worker_model != c->worker_model)
            first++;
        if (first == c)
            gb__buf_printf(&text, "%s %s of %s", text.len ? "," : "Workers:",
                           gb__worker_models[c->worker_model], c->python);
    }
    if (text.len) gb__add_paragraph(p, text.data);
    p->text.failed |= text.failed;
    gb__buf_free(&text);
}

static void gb__add_method(gb__paper *p, const gb__view *v)
{
    size_t rounds = 0;
    gb__line text;
    for (size_t i = 0; i < v->result->cell_count; i++)
        if (v->result->cells[i].round_count > rounds) rounds = v->result->cells[i].round_count;
    snprintf(text, sizeof text, "Medians of %zu rounds, each on a fresh server; +-: half of the "
             "95 %% interval. Ratios are paired within rounds, with 95 %% intervals: faster or "
             "slower where all of it is beyond 1 %%, no difference where all is within, else "
             "unclear.", rounds);
    gb__add_markup(p, "<h2>Method</h2>\n");
    gb__add_paragraph(p, rounds == 1 ? "Figures of one round, which has no interval." : text);
    gb__add_workers(p, v->result);
    gb__add_paragraph(p, v->memory == GB_MEMORY
                      ? "MB: memory of the server's processes, with what they share counted once; "
                        "1 MB = 1,000,000 bytes."
                      : "peak RSS MB: summed over the server's processes; 1 MB = 1,000,000 bytes.");
    gb__add_paragraph(p, "GIL wait: share of a request's time in the server spent waiting for the "
                      "GIL; \"-\" where that isn't seen, as in somebody else's server. C handler: "
                      "the same server without Python.");
    if (v->sources)
        gb__add_paragraph(p, "What has an @ is from a result of that name. Rounds of two results "
                          "aren't paired: there the ratio is one of medians.");
    if (v->tasks) gb__add_paragraph(p, gb__task_note);
    if (v->published) gb__add_paragraph(p, gb__published_note);
    if (v->reported) gb__add_paragraph(p, gb__reported_note);
}

// ---- warnings -----------------------------------------------------------------------------------

// Are both of a row, and the same but for it and for figures?
static bool gb__is_like(const char *a, const char *b)
{
    static const char figures[] = "0123456789.,";
    const char *x = strstr(a, ": "), *y = strstr(b, ": ");
    if (!x || !y || !memchr(a, '/', (size_t)(x - a)) || !memchr(b, '/', (size_t)(y - b)))
        return false;
    do {
        x += 1 + strspn(x + 1, figures);
        y += 1 + strspn(y + 1, figures);
    } while (*x && *x == *y);
    return *x == *y;
}

// How many warnings are of this kind: the same words in other rows, with other figures. 0: an
// earlier one speaks for it.
static size_t gb__warnings_like(const gb_result *r, size_t index)
{
    size_t n = 1;
    for (size_t i = 0; i < r->warning_count; i++) {
        bool like = i != index && gb__is_like(r->warnings[index], r->warnings[i]);
        if (like && i < index) return 0;
        n += like;
    }
    return n;
}

static void gb__add_warnings(gb__paper *p, const gb_result *r)
{
    char text[600], others[64];
    if (!r->warning_count) return;
    gb__buf_str(&p->text, "\n");
    gb__add_markup(p, "<h2>Warnings</h2>\n<ul>\n");
    for (size_t i = 0; i < r->warning_count; i++) {
        size_t more = gb__warnings_like(r, i);
        if (!more) continue;
        if (more > 1)
            snprintf(others, sizeof others, "; so in %zu row%s more", more - 1, &"s"[more == 2]);
        snprintf(text, sizeof text, "%s%s.", r->warnings[i], more > 1 ? others : "");
        if (p->kind == GB__HTML) gb__add_sentence(p, text);
        else gb__add_item(p, "Warning", text);
    }
    gb__add_markup(p, "</ul>\n");
}

// ---- who waits for what -------------------------------------------------------------------------

// The time that waits are a share of: that of all requests in the server.
static double gb__served_ms(const gb_round *r)
{
    double us = 0, waited = 0;
    for (int i = 0; i < GB__PHASE_READY; i++)
        if (i != GB__PHASE_OFF) us += gb__round_figure(r, gb__phases[i].offset);
    double ms = us * (double)r->requests / 1e3;
    for (int i = 0; i <= GB_WAIT_EVENT; i++) waited += r->waits.ms[i];
    return waited > ms ? waited : ms;  // requests reach beyond the window
}

// "84 % for the GIL, 2 % for locks"
static const char *gb__waited_text(const gb_round *r, gb__phrase text)
{
    int n = 0;
    for (int i = 0; i <= GB_WAIT_EVENT; i++) {
        double share = 100 * r->waits.ms[i] / gb__served_ms(r);
        if (share >= 0.5)
            n += snprintf(text + n, sizeof(gb__phrase) - (size_t)n, "%s%.0f %% for %s",
                          n ? ", " : "", share, gb__waited_for[i]);
    }
    return n ? text : "less than 0.5 % for anything";
}

static void gb__wait_row_cells(gb__table *t, const gb_round *r, const gb_wait *w)
{
    static const char *const words[] = {"the GIL", "a lock", "the world", "another thread"};
    gb__small text;
    double most = 100 * w->holder_ms / w->ms;
    gb__cell(t, "%s", *w->waiter ? w->waiter : "wherever it is");
    gb__cell(t, "%s", words[w->kind]);
    if (w->kind == GB_WAIT_GIL)
        gb__cell(t, most < 99.5 ? "%s (%.0f %%)" : "%s",
                 *w->holder ? w->holder : *r->waits.problem ? "-" : "no line of Python", most);
    else
        gb__cell(t, "%s%s%s", w->holder, *w->holder && *w->object ? ", " : "", w->object);
    gb__cell(t, "%s", gb__number(text, w->ms * 1e3 / (double)r->requests));
    gb__cell(t, "%.1f %%", 100 * w->ms / gb__served_ms(r));
}

static const char *gb__wait_place(const gb_waits *w, int i)  // waiters and holders in turn
{
    return i % 2 ? w->list[i / 2].holder : w->list[i / 2].waiter;
}

// The text of the lines that a table names, each once.
static void gb__add_sources(gb__paper *p, const gb_waits *w)
{
    gb__begin_list(p);
    for (int i = 0; i < 2 * w->count; i++) {
        const gb_wait *of = &w->list[i / 2];
        const char *source = i % 2 ? of->holder_source : of->waiter_source;
        int first = 0;
        while (first < i && strcmp(gb__wait_place(w, first), gb__wait_place(w, i))) first++;
        if (*source && first == i) gb__add_item(p, gb__wait_place(w, i), source);
    }
    gb__end_list(p);
}

// What was noted of a cell.
static void gb__add_wait_table(gb__paper *p, const gb_result *result, const gb_cell *c,
                               const gb_round *r)
{
    gb__table t = {.columns = 5, .left = 3, .keys = 3};
    gb__phrase name, about, waited;
    gb__line text;
    gb__small rps;
    snprintf(about, sizeof about, "%.100s on %.100s, %d x %d", c->path, gb__name(result, c, name),
             c->workers, c->threads);
    const char *problem = r->waits.problem;
    snprintf(text, sizeof text, "%s req/s; %s%s%s%s", gb__number(rps, r->rps),
             r->waits.noted ? "of a request's time it waited " : "waits can't be seen",
             r->waits.noted ? gb__waited_text(r, waited) : "",
             !*problem ? "" : r->waits.noted ? "; " : ": ", problem);
    gb__begin_list(p);
    gb__add_item(p, about, text);
    gb__end_list(p);
    gb__heads(&t, (const char *const[]){"waits at", "for", "held by, or of", "ms/1000 req", "share",
                                        NULL});
    for (int k = 0; k < r->waits.count; k++) gb__wait_row_cells(&t, r, &r->waits.list[k]);
    gb__add_table(p, &t, about);
}

static void gb__add_remark(gb__paper *p, const char *text)
{
    gb__add_paragraph(p, text);
    gb__buf_str(&p->text, "\n");
}

static void gb__add_sharing(gb__paper *p, const gb_round *r)
{
    const gb_waits *w = &r->waits;
    gb__table t = {.columns = 2, .left = 1, .keys = 1};
    gb__small text;
    if (!w->shared_count && w->noted && r->gil.enabled_after_load == 0)
        gb__add_remark(p, w->counts_seen
                       ? "No object's references are much counted by several threads."
                       : "Whose references several threads count couldn't be seen.");
    gb__heads(&t, (const char *const[]){"counted by several threads", "changes/request", NULL});
    for (int i = 0; i < w->shared_count; i++) {
        gb__cell(&t, "%s", w->shared[i].object);
        gb__cell(&t, "%s", gb__number(text, w->shared[i].changes));
    }
    gb__add_table(p, &t, "Objects whose references several threads count");
}

static void gb__add_what_if(gb__paper *p, const gb_what_if *w)
{
    gb__line text;
    gb__phrase ratio;
    if (!*w->objects) return;
    snprintf(text, sizeof text, "Without counting the references of %s: %s, %s.", w->objects,
             gb__ratio_text(ratio, w->ratio), w->rounds < GB__FEWEST_ROUNDS
             ? "too few rounds" : gb__metrics[GB_RPS].words[w->verdict]);
    gb__add_remark(p, text);
}

static void gb__add_waits(gb__paper *p, const gb_result *result)
{
    gb__add_markup(p, "<h2>Who waits for what</h2>\n");
    for (size_t i = 0; i < result->cell_count; i++) {
        const gb_cell *c = &result->cells[i];
        const gb_round *r = gb__noted_round(c);
        if (!r) continue;
        gb__add_wait_table(p, result, c, r);
        gb__add_sources(p, &r->waits);
        gb__add_sharing(p, r);
        gb__add_what_if(p, &c->what_if);
    }
}

// ---- all of it ----------------------------------------------------------------------------------

static void gb__add_result(gb__paper *p, const gb_result *r)
{
    gb__view v = gb__look_up(r, p->kind == GB__HTML);
    gb__table t;
    gb__open_paper(p, "What free-threading does here");
    if (!r->plan.waits) gb__add_answer(p, r);
    gb__add_builds(p, r);
    if (r->plan.waits) {
        gb__add_waits(p, r);
    } else {
        gb__add_markup(p, "<h2>All figures</h2>\n");
        gb__main_table(&v, &t);
        gb__add_table(p, &t, "Every cell: medians of its rounds; +-: half of the 95 % interval");
        gb__verdict_table(r, &t);
        gb__add_table(p, &t, "Every comparison: ratios with 95 % intervals");
        gb__add_method(p, &v);
    }
    gb__add_warnings(p, r);
    gb__close_paper(p);
}

static gb_code gb__write_paper(gb__paper *p, void (*add)(gb__paper *, const gb_result *),
                               const gb_result *r, FILE *out, gb_error *error)
{
    locale_t before = gb__use_point();
    add(p, r);
    gb__restore_locale(before);
    return gb__write_out(&p->text, out, error);
}

GB_API gb_code gb_report_answer(const gb_result *result, FILE *out, gb_error *error)
{
    return gb__write_paper(&(gb__paper){.width = 0}, gb__add_answer, result, out, error);
}

// Its width counts, and whether it wants colour (no-color.org).
GB_API gb_code gb_report_table(const gb_result *result, FILE *out, gb_error *error)
{
    struct winsize size;
    gb__paper p = {.width = 0};
    const char *off = getenv("NO_COLOR"), *kind = getenv("TERM");
    bool terminal = isatty(fileno(out));
    p.colour = terminal && !(off && *off) && !(kind && !strcmp(kind, "dumb"));
    if (terminal && !ioctl(fileno(out), TIOCGWINSZ, &size)) p.width = size.ws_col;
    return gb__write_paper(&p, gb__add_result, result, out, error);
}

GB_API gb_code gb_report_markdown(const gb_result *result, FILE *out, gb_error *error)
{
    return gb__write_paper(&(gb__paper){.kind = GB__MARKDOWN}, gb__add_result, result, out, error);
}

GB_API gb_code gb_report_html(const gb_result *result, FILE *out, gb_error *error)
{
    return gb__write_paper(&(gb__paper){.kind = GB__HTML}, gb__add_result, result, out, error);
}

// ================================================================================================
// >>class
// The results of several machines: each is compared with itself alone, and the page shows what all
// see and where one is different.

// So many workers or threads; 0: one a CPU, which is the same question on every machine.
static int gb__class_number(const gb_result *r, const gb_cell *c, int n)
{
    return n > 1 && n == gb__server_cpus(r, c->server_cpus) ? 0 : n;
}

static bool gb__same_question(const gb_result *r, const gb_cell *a, const gb_result *s,
                              const gb_cell *b)
{
    const gb_python *p = gb__find_python(r, a->python), *q = gb__find_python(s, b->python);
    bool topology = gb__class_number(r, a, a->workers) == gb__class_number(s, b, b->workers) &&
                    gb__class_number(r, a, a->threads) == gb__class_number(s, b, b->threads);
    return p && q && gb__same_kind(p, q) && !strcmp(a->scenario, b->scenario) &&
           !strcmp(a->path, b->path) && !strcmp(a->server, b->server) && gb__same_load(a, b) &&
           a->best == b->best && (a->best || topology);
}

// The ratio of builds in `r` that answers the same question as this one of `of`; NULL: none does.
static const gb_comparison *gb__class_ratio(const gb_result *r, const gb_result *of,
                                            const gb_comparison *like)
{
    const gb_cell *a = gb__find_cell(of, like->baseline), *b = gb__find_cell(of, like->candidate);
    for (const gb_comparison *k = r->comparisons; k < r->comparisons + r->comparison_count; k++) {
        const gb_cell *c = gb__find_cell(r, k->baseline), *d = gb__find_cell(r, k->candidate);
        if (!strcmp(k->metric, "rps") && strcmp(c->python, d->python) &&
            gb__same_question(of, a, r, c) && gb__same_question(of, b, r, d))
            return k;
    }
    return NULL;
}

static const char *gb__class_name(const gb_result *r)
{
    return *r->name ? gb__basename(r->name) : r->host.hostname;
}

static const char *gb__class_words(const gb_result *r, const gb_cell *c, gb__phrase text)
{
    int workers = gb__class_number(r, c, c->workers), threads = gb__class_number(r, c, c->threads);
    if (c->best) return "best against best";
    if (workers == 1 && !threads) return "a thread a CPU";
    if (!workers && threads == 1) return "a worker a CPU";
    return gb__topology_words(c, text);
}

static void gb__class_row(gb__table *t, const gb_result *r, const gb_comparison *k)
{
    gb__cell(t, "%s", gb__class_name(r));
    gb__cell(t, "%s", r->host.cpu_model);
    gb__cell(t, "%d", r->host.cpus);
    gb__ratio(t, k);
    gb__cell(t, "%zu", r->warning_count);
}

// One whose interval is beside the median of all is named.
static void gb__class_mark(gb__paper *p, gb__chart *chart, const gb_result *r, gb_interval ratio,
                           double median)
{
    bool apart = ratio.lo > median || ratio.hi < median;
    gb__phrase of, text;
    gb__point mark = {.look = apart, .x = r->host.cpus, .y = ratio};
    gb__copy(mark.name, sizeof mark.name, apart ? "different from the median" : "a machine");
    gb__add_point(chart, &mark);
    snprintf(text, sizeof text, "%.150s %.100s", gb__class_name(r), gb__ratio_text(of, ratio));
    if (apart) gb__add_item(p, "different from it", text);
}

// What all machines say of what this one compared.
static void gb__class_question(gb__paper *p, const gb_result *results, size_t count,
                               const gb_result *of, const gb_comparison *k)
{
    const gb_cell *c = gb__find_cell(of, k->candidate);
    const gb_result *end = results + count;
    double *ratios = calloc(count, sizeof *ratios);
    size_t n = 0, said[GB_UNCLEAR + 1] = {0};
    gb__chart chart = {.title = "The ratio against CPUs", .note = "A mark a machine, with the "
                       "95 % interval.", .x_unit = "CPUs", .y_unit = "ratio of req/s",
                       .scattered = true};
    gb__table t = {.columns = 5, .left = 2, .keys = 2};
    gb__phrase text;
    gb__html(&p->text, "<h2>%s, %s: %s, %s against %s</h2>\n", c->scenario, c->path,
             gb__class_words(of, c, text), c->python, gb__find_cell(of, k->baseline)->python);
    gb__heads(&t, (const char *const[]){"machine", "CPU", "CPUs", "ratio of req/s", "warnings",
                                        NULL});
    for (const gb_result *r = results; r < end && ratios; r++) {
        const gb_comparison *found = gb__class_ratio(r, of, k);
        gb__class_row(&t, r, found);
        if (!found || !isfinite(found->ratio.median)) continue;
        said[found->verdict]++;
        ratios[n++] = found->ratio.median;
    }
    double median = gb__median(ratios, n);
    gb__begin_list(p);
    for (int v = GB_NO_DIFFERENCE; v <= GB_UNCLEAR; v++) {
        snprintf(text, sizeof text, "%zu of %zu machines", said[v], n);
        if (said[v]) gb__add_item(p, gb__verdicts[v], text);
    }
    gb__add_item(p, "median of all", gb__ratio_text(text, (gb_interval){median, median, median}));
    for (const gb_result *r = results; r < end; r++) {
        const gb_comparison *found = gb__class_ratio(r, of, k);
        if (found) gb__class_mark(p, &chart, r, found->ratio, median);
    }
    gb__end_list(p);
    gb__chart_draw(&chart, &p->text);
    gb__add_table(p, &t, "Each machine compared with itself: rounds are paired there alone.");
    p->text.failed |= !ratios;
    free(ratios);
}

GB_API gb_code gb_report_class(const gb_result *results, size_t count, FILE *out, gb_error *error)
{
    gb__paper p = {.kind = GB__HTML};
    locale_t before = gb__use_point();
    gb__open_paper(&p, "Python with and without the GIL, on several machines");
    for (const gb_result *r = results; r < results + count; r++)
        for (size_t i = 0; i < r->comparison_count; i++) {
            const gb_comparison *k = &r->comparisons[i];
            const gb_result *first = results;
            while (first < r && !gb__class_ratio(first, r, k)) first++;
            if (gb__class_ratio(first, r, k) == k) gb__class_question(&p, results, count, r, k);
        }
    gb__add_markup(&p, "<h2>Warnings</h2>\n");
    gb__begin_list(&p);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < results[i].warning_count; j++)
            gb__add_item(&p, gb__class_name(&results[i]), results[i].warnings[j]);
    gb__end_list(&p);
    gb__close_paper(&p);
    gb__restore_locale(before);
    return gb__write_out(&p.text, out, error);
}

// ================================================================================================
// >>options
// The command line. One table says what options there are, reads them and prints the help.
// Results go to stdout, everything else to stderr; nothing here is used by another room.

enum {
    GB__COMPARE = 1,
    GB__SERVE = 2,
    GB__LOAD = 4,
    GB__PYTHONS = 8,
    GB__REPORT = 16,
    GB__WHY = 32 | GB__COMPARE,  // it takes the options of that
    GB__MANY = 64,                         // may be given several times
    GB__CPU = 128,
    GB__ALL = 191,
    GB__ASKS = GB__COMPARE | GB__LOAD,     // what sends requests
    GB__MEASURE = GB__COMPARE | GB__CPU,   // what has rounds
    GB__RESULT = GB__MEASURE | GB__REPORT  // what has one to show
};

// id, name, letter, argument (NULL: none), commands, help
#define GB__OPTIONS(X)                                                                             \
    X(ARMS, "arms", 0, "LIST", GB__MEASURE,                                                        \
      "of gil, ft, ft-gil (free-threaded with its GIL on); default gil,ft")                        \
    X(PYTHON, "python", 0, "PY", GB__MEASURE | GB__SERVE | GB__PYTHONS | GB__MANY,                 \
      "an interpreter, virtual environment, installation or libpython; repeatable; "               \
      "PY,gil=0|1,jit=0|1,name=TEXT sets a variant")                                               \
    X(APP, "app", 0, "APP", GB__COMPARE | GB__SERVE,                                               \
      "FILE.py:NAME, module:NAME, or builtin:wsgi (default), asgi or c")                           \
    X(INTERFACE, "interface", 0, "NAME", GB__COMPARE | GB__SERVE, "auto (default), wsgi, asgi, c") \
    X(APP_DIR, "app-dir", 0, "DIR", GB__COMPARE | GB__SERVE,                                       \
      "as if it were started there: where it works and APP is looked for; default: here")          \
    X(ENV, "env", 0, "K=V", GB__COMPARE | GB__SERVE | GB__MANY,                                    \
      "a variable of the server's process, from before Python starts; repeatable")                 \
    X(PATH, "path", 0, "P", GB__COMPARE | GB__MANY,                                                \
      "of the URL; default / of your own --app, else /json; repeatable: a scenario each; "         \
      "built in: /io, /page, /query, too")                                                         \
    X(SCENARIO, "scenario", 0, "NAME", GB__COMPARE | GB__MANY, "a built-in scenario; repeatable")  \
    X(LIST_SCENARIOS, "list-scenarios", 0, NULL, GB__COMPARE, "says which there are")              \
    X(BIND, "bind", 0, "HOST:PORT", GB__SERVE, "default 127.0.0.1:8000; port 0: a free one")       \
    X(MAX_BODY, "max-body", 0, "BYTES", GB__SERVE, "of a request; default 16 MiB")                 \
    X(THREADS, "threads", 0, "LIST", GB__COMPARE,                                                  \
      "server threads, not of ASGI; default: 1, one a CPU and 64, a process a CPU (why: 64)")      \
    X(SERVE_THREADS, "threads", 0, "N", GB__SERVE, "server threads; default 1")                    \
    X(LOAD_THREADS, "threads", 't', "N", GB__LOAD, "client threads; default 1")                    \
    X(TASK, "task", 0, "TASK", GB__CPU | GB__MANY,                                                 \
      "fib, bubble, json, page, alloc, shared, private, NAME:SIZE or FILE.py:FUNC; repeatable; "   \
      "default fib, bubble")                                                                       \
    X(TASK_THREADS, "threads", 0, "LIST", GB__CPU, "how many workers; default 1,2,4")              \
    X(SPLIT, "split", 0, NULL, GB__CPU,                                                            \
      "each does a share of the job, FUNC(share, shares); default: each does all of it, FUNC()")   \
    X(MODEL, "model", 0, "LIST", GB__CPU,                                                          \
      "of threads, subinterpreters, processes (forked once the code is loaded), processes-each; "  \
      "default threads")                                                                           \
    X(CLIENT_THREADS, "client-threads", 0, "N", GB__COMPARE,                                       \
      "default: 1; from 4 CPUs on, as many as it takes not to be the limit")                       \
    X(SERVER_CPUS, "server-cpus", 0, "LIST", GB__COMPARE,                                          \
      "how many a server may use; default: all, or from 4 on all but the client's quarter")        \
    X(WORKERS, "workers", 0, "LIST", GB__COMPARE,                                                  \
      "each with so many threads (1,64 without --threads); default: see --threads")                \
    X(SERVE_WORKERS, "workers", 0, "N", GB__SERVE, "each with so many threads; default 1")         \
    X(WORKER_MODEL, "worker-model", 0, "NAME", GB__COMPARE | GB__SERVE,                            \
      "processes, processes-each, threads, subinterpreters or auto: threads without a GIL")        \
    X(LOOP, "loop", 0, "NAME", GB__COMPARE | GB__SERVE,                                            \
      "asyncio (default), uvloop, rloop; of ASGI")                                                 \
    X(SERVER, "server", 0, "COMMAND", GB__COMPARE | GB__MANY,                                      \
      "also somebody else's server on each build: sh runs `exec COMMAND`; {port}, {python}, "      \
      "{threads} and {workers} in it are replaced; repeatable; name=TEXT,COMMAND")                 \
    X(CONNECTIONS, "connections", 0, "LIST", GB__COMPARE, "default 128")                           \
    X(LOAD_CONNECTIONS, "connections", 'c', "N", GB__LOAD, "default 64")                           \
    X(DURATION, "duration", 'd', "SECONDS", GB__COMPARE | GB__LOAD,                                \
      "of a measurement; default 0.4 (compare), 3 (why), 10 (load)")                               \
    X(WARMUP, "warmup", 0, "SECONDS", GB__COMPARE | GB__LOAD,                                      \
      "before it, and until the rate has settled, within ten times that; default 0.15 or 0")       \
    X(LIMIT, "requests", 'n', "N", GB__LOAD, "stop after so many instead of after a time")         \
    X(MIX, "requests", 0, "FILE", GB__ASKS,                                                        \
      "a mix: JSON lines with path and, if need be, method, headers, body, weight of a request")   \
    X(ROUNDS, "rounds", 0, "N", GB__MEASURE,                                                       \
      "of all cells; default: from 8 to 60, as many as two minutes have room for; 6 at least "     \
      "for a verdict")                                                                             \
    X(WHAT_IF, "what-if", 0, NULL, GB__WHY & ~GB__COMPARE,                                         \
      "also measures, in --rounds (8), what the counts of what threads share most cost")           \
    X(PRECISION, "precision", 0, "P", GB__MEASURE,                                                 \
      "no more rounds once req/s ratios (with a rate, latencies') are known to P; default 2%")     \
    X(RATE, "rate", 'r', "RATE", GB__COMPARE | GB__LOAD,                                           \
      "requests a second on a fixed schedule (open loop); default: as fast as answers come")       \
    X(METHOD, "method", 'm', "METHOD", GB__ASKS, "default GET, or POST with a body")               \
    X(HEADER, "header", 'H', "'K: V'", GB__ASKS | GB__MANY, "of every request; repeatable")        \
    X(BODY, "body", 0, "FILE", GB__ASKS, "sent with every request")                                \
    X(EXPECT, "expect", 0, "STRING", GB__COMPARE | GB__LOAD, "every body must contain it")         \
    X(NO_KEEPALIVE, "no-keepalive", 0, NULL, GB__ASKS, "a new connection for each request")        \
    X(TIMEOUT, "timeout", 0, "S", GB__ASKS, "of one request; default 30")                          \
    X(SEED, "seed", 0, "N", GB__MEASURE, "of the order of cells and of the intervals; default 1")  \
    X(NO_CONTROL, "no-control", 0, NULL, GB__COMPARE, "leaves out the C handler")                  \
    X(JSON, "json", 0, "F", GB__MEASURE | GB__LOAD | GB__PYTHONS, "writes JSON; - is stdout")      \
    X(MARKDOWN, "markdown", 0, "F", GB__RESULT, "writes a Markdown table; - is stdout")            \
    X(CSV, "csv", 0, "F", GB__RESULT, "writes CSV; - is stdout")                                   \
    X(HTML, "html", 0, "F", GB__RESULT, "writes a page with pictures; - is stdout")                \
    X(PYPERF, "pyperf", 0, "DIR", GB__RESULT,                                                      \
      "writes a file a build for `python -m pyperf compare_to`")                                   \
    X(HDR_DIR, "hdr", 0, "DIR", GB__RESULT,                                                        \
      "writes a cell's latencies as .hgrm for HdrHistogram's plotter")                             \
    X(HDR, "hdr", 0, "FILE", GB__LOAD, "writes the latencies as .hgrm for HdrHistogram's plotter") \
    X(QUIET, "quiet", 0, NULL, GB__RESULT, "prints no table")                                      \
    X(NO_PROGRESS, "no-progress", 0, NULL, GB__MEASURE, "shows no progress on a terminal")         \
    X(VERSION, "version", 0, NULL, GB__ALL, "prints it")                                           \
    X(HELP, "help", 'h', NULL, GB__ALL, "this")

#define GB__OPTION_ID(id, name, letter, argument, commands, help) GB__OPT_##id,
enum { GB__OPTIONS(GB__OPTION_ID) GB__OPT_COUNT };
#undef GB__OPTION_ID

typedef struct gb__option {
    const char *name, *argument, *help;
    unsigned commands;
    char letter;
} gb__option;

#define GB__OPTION_ROW(id, name, letter, argument, commands, help)                                 \
    {name, argument, help, commands, letter},
static const gb__option gb__option_table[] = {GB__OPTIONS(GB__OPTION_ROW)};
#undef GB__OPTION_ROW

enum { GB__MAX_LIST = 64 };

typedef struct gb__list {
    const char *items[GB__MAX_LIST];
    size_t count;
} gb__list;

typedef struct gb__arguments {
    int argc;
    char **argv;
    unsigned command;
    const char *value[GB__OPT_COUNT];  // NULL: not given; "" of one that takes none
    gb__list lists[GB__OPT_COUNT];     // of options that may be given several times
    int numbers[GB__OPT_COUNT][GB__MAX_LIST];
    const char *url;
    gb__list results;
    gb_error error;                 // the first: whatever is read behind it has no effect
} gb__arguments;

static bool gb__stop_flag;  // what the library polls

static void gb__on_signal(int signal_number)
{
    (void)signal_number;
    __atomic_store_n(&gb__stop_flag, true, __ATOMIC_RELAXED);
}

// One line, whatever control characters the command line brought along.
static int gb__complain(const gb_error *error)
{
    char text[sizeof error->text];
    gb__copy(text, sizeof text, error->text);
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c)) *c = '?';
    fprintf(stderr, "gilbench: %s\n", text);
    return error->code == GB_USAGE ? 2 : error->code == GB_NO_PYTHON ? 3 : 1;
}

// ---- reading the command line -------------------------------------------------------------------

GB__PRINTF(2, 3) static void gb__usage(gb__arguments *a, const char *format, ...)
{
    if (a->error.code) return;
    va_list args;
    va_start(args, format);
    vsnprintf(a->error.text, sizeof a->error.text, format, args);
    va_end(args);
    a->error.code = GB_USAGE;
}

static const struct gb__command {
    const char *name, *usage, *about;
    unsigned bit;
} gb__commands[] = {
    {"compare", "compare [options]", "the matrix on every build, then the report (default)",
     GB__COMPARE},
    {"serve", "serve --app APP [options]", "serves an application until SIGINT or SIGTERM",
     GB__SERVE},
    {"why", "why [options]", "who waits for what, and who made them wait, by line", GB__WHY},
    {"load", "load URL [options]", "loads a server and says how it did", GB__LOAD},
    {"cpu", "cpu [options]", "Python code on threads and processes of every build, no server",
     GB__CPU},
    {"pythons", "pythons [options]", "lists the interpreters of this machine", GB__PYTHONS},
    {"report", "report RESULT.json... [options]",
     "the report of results that compare --json wrote; several against the first; - is stdin",
     GB__REPORT},
    {NULL, NULL, NULL, 0}};

static void gb__help(unsigned commands)
{
    printf("gilbench " GB_VERSION ": CPython's GIL build against its free-threaded build, on web "
           "workloads\n");
    for (const struct gb__command *c = gb__commands; c->name; c++) {
        if (c->bit != commands && commands != GB__ALL) continue;
        printf("\n  gilbench %s\n    %s\n", c->usage, c->about);
        for (int i = 0; commands != GB__ALL && i < GB__OPT_COUNT; i++) {
            const gb__option *o = &gb__option_table[i];
            char left[64], letter[8] = "";
            if (!(o->commands & c->bit)) continue;
            if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
            snprintf(left, sizeof left, "%s--%s %s", letter, o->name,
                     o->argument ? o->argument : "");
            printf("    %-28s %s\n", left, o->help);
        }
    }
    if (commands == GB__ALL) printf("\n  gilbench COMMAND --help says more about each.\n");
    printf("\nExit status: 0 done; 1 a measurement failed or answers were wrong; 2 the command "
           "line;\n3 no usable interpreter.\n");
}

static int gb__find_option(unsigned command, gb_slice name, bool letter)
{
    for (int i = 0; i < GB__OPT_COUNT; i++) {
        const gb__option *o = &gb__option_table[i];
        if (!(o->commands & command)) continue;
        if (letter ? o->letter && name.len == 1 && *name.data == o->letter
                   : gb__slice_is(name, o->name))
            return i;
    }
    return -1;
}

static bool gb__list_add(gb__list *list, const char *item)
{
    if (list->count == GB__MAX_LIST) return false;
    list->items[list->count++] = item;
    return true;
}

// Reads "--name VALUE", "--name=VALUE", "-n VALUE" and "-nVALUE" at argv[*i].
static void gb__read_option(gb__arguments *a, int argc, char **argv, int *i)
{
    const char *text = argv[*i], *value = NULL;
    bool letter = text[1] != '-';
    gb_slice name = {text + (letter ? 1 : 2), letter ? 1 : strlen(text) - 2}, rest = {NULL, 0};
    if (letter && text[2]) value = text + 2;
    if (!letter && gb__split(name, '=', &name, &rest)) value = rest.data;
    int id = gb__find_option(a->command, name, letter);
    if (id < 0) {
        gb__usage(a, "there is no option %s here; --help lists them", text);
        return;
    }
    const gb__option *o = &gb__option_table[id];
    bool many = o->commands & GB__MANY;
    if (value && !o->argument) gb__usage(a, "%s takes no value", text);
    if (!value && o->argument && *i + 1 < argc) value = argv[++*i];
    if (!value && o->argument) gb__usage(a, "%s needs a value: %s", text, o->argument);
    if (id == GB__OPT_LIMIT && !letter && value && value[strspn(value, "0123456789+-.e")])
        id = GB__OPT_MIX;
    if (a->value[id] && !many) gb__usage(a, "--%s can be given only once", o->name);
    a->value[id] = value ? value : "";
    if (many && !gb__list_add(&a->lists[id], value))
        gb__usage(a, "%s is given more than %d times", text, GB__MAX_LIST);
}

static void gb__read_arguments(gb__arguments *a)
{
    int i = 1, argc = a->argc;
    char **argv = a->argv;
    a->command = GB__COMPARE;
    if (argc > 1 && *argv[1] != '-') {
        const struct gb__command *c = gb__commands;
        while (c->name && strcmp(c->name, argv[1])) c++;
        if (!c->name) gb__usage(a, "there is no command %s; --help lists them", argv[1]);
        a->command = c->bit;
        i = 2;
    }
    for (; i < argc && !a->error.code; i++) {
        if (*argv[i] == '-' && argv[i][1]) gb__read_option(a, argc, argv, &i);
        else if (a->command == GB__LOAD && !a->url) a->url = argv[i];
        else if (a->command != GB__REPORT) gb__usage(a, "\"%s\" is one argument too many", argv[i]);
        else if (!gb__list_add(&a->results, argv[i]))
            gb__usage(a, "more than %d results", GB__MAX_LIST);
    }
}

static double gb__number_of(gb__arguments *a, int id, double lo, double hi, double usual)
{
    const char *text = a->value[id], *unit = id == GB__OPT_PRECISION ? "%" : "";
    char *end;
    if (!text) return usual;
    errno = 0;
    double n = strtod(text, &end);
    if (end == text || strcmp(end, unit) || errno || !(n >= lo && n <= hi))
        gb__usage(a, "--%s %s: give a number from %g%s to %g%s", gb__option_table[id].name, text,
                   lo, unit, hi, unit);
    return n;
}

static uint64_t gb__whole_of(gb__arguments *a, int id, double hi, uint64_t usual)
{
    double n = gb__number_of(a, id, 1, hi, (double)usual);
    if (!a->error.code && n > (double)(uint64_t)n)
        gb__usage(a, "--%s %s: give a whole number", gb__option_table[id].name, a->value[id]);
    return a->error.code ? usual : (uint64_t)n;
}

// How many numbers an option's list has.
static size_t gb__numbers_of(gb__arguments *a, int id, int hi, const int **numbers)
{
    size_t count = 0;
    gb_slice rest = gb__slice(a->value[id] ? a->value[id] : ""), item;
    *numbers = a->numbers[id];
    for (bool more = a->value[id]; more && !a->error.code;) {
        uint64_t n;
        more = gb__split(rest, ',', &item, &rest);
        if (count == GB__MAX_LIST || !gb__slice_u64(item, &n) || !n || n > (uint64_t)hi)
            gb__usage(a, "--%s %s: give whole numbers from 1 to %d with commas between, like "
                       "1,4,64", gb__option_table[id].name, a->value[id], hi);
        else a->numbers[id][count++] = (int)n;
    }
    return count;
}

// The place of an option's value among the words that its help lists; 0 where it isn't given.
static int gb__word_of(gb__arguments *a, int id, const char *const *words)
{
    int place = 0;
    if (!a->value[id]) return 0;
    while (words[place] && strcmp(a->value[id], words[place])) place++;
    if (words[place]) return place;
    gb__usage(a, "--%s %s: give %s", gb__option_table[id].name, a->value[id],
               gb__option_table[id].help);
    return 0;
}

static const char *gb__loop_of(gb__arguments *a)
{
    static const char *const all[] = {"asyncio", "uvloop", "rloop", NULL};
    return a->value[GB__OPT_LOOP] ? all[gb__word_of(a, GB__OPT_LOOP, all)] : NULL;
}

// An application of one's own, which is there if it is a file.
static void gb__check_app(gb__arguments *a, const char *app)
{
    const char *colon = strrchr(app, ':'), *dir = *app == '/' ? NULL : a->value[GB__OPT_APP_DIR];
    char file[GB_PATH];
    if (!colon || colon == app || !colon[1])
        gb__usage(a, "--app %s: give FILE.py:NAME or module:NAME", app);
    if (a->error.code) return;
    snprintf(file, sizeof file, "%s%s%.*s", dir ? dir : "", dir ? "/" : "", (int)(colon - app),
             app);
    size_t len = strlen(file);
    if (len > 3 && !strcmp(file + len - 3, ".py") && access(file, R_OK))
        gb__fail(&a->error, GB_APP, "--app %s: %s: %s", app, file, strerror(errno));
}

// An application and its interface, which have to go together: what is built in has one, and only
// that is in C.
static void gb__read_app(gb__arguments *a, const char **app, gb_interface *interface)
{
    int asked = gb__word_of(a, GB__OPT_INTERFACE, gb__interfaces), own = GB_C;
    *interface = (gb_interface)asked;
    if (asked == GB_TASK) gb__usage(a, "--interface task: that is `gilbench cpu`");
    if (!a->value[GB__OPT_APP]) return;
    *app = a->value[GB__OPT_APP];
    bool builtin = !strncmp(*app, "builtin:", 8);
    while (builtin && own && strcmp(*app + 8, gb__interfaces[own])) own--;
    if (!own)
        gb__usage(a, "--app %s: the built-in ones are builtin:wsgi, builtin:asgi and builtin:c",
                   *app);
    if (!builtin) gb__check_app(a, *app);
    if (asked && builtin != (asked == own))
        gb__usage(a, "--interface %s: --app %s doesn't have it; leave one out",
                   gb__interfaces[asked], *app);
}

static gb_process gb__process_of(gb__arguments *a)
{
    const gb__list *variables = &a->lists[GB__OPT_ENV];
    gb_process p = {a->value[GB__OPT_APP_DIR], variables->items, variables->count};
    if (!a->error.code) a->error.code = gb__check_process(&p, &a->error);
    return p;
}

// ================================================================================================
// >>commands
// Where results go, and the commands that need no more than one room.

// ---- where results go ---------------------------------------------------------------------------

// Says before an hour of measuring, not after it, what can't be written.
static void gb__check_outputs(gb__arguments *a)
{
    for (int id = GB__OPT_JSON; id <= GB__OPT_HDR && !a->error.code; id++) {
        const char *path = a->value[id], *name = gb__option_table[id].name;
        gb_error why;
        if (path && (id == GB__OPT_PYPERF || id == GB__OPT_HDR_DIR)) {
            if (gb__make_directory(path, &why)) gb__usage(a, "--%s %.900s", name, why.text);
        } else if (path && strcmp(path, "-")) {
            bool there = !access(path, F_OK);
            int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
            if (fd < 0) gb__usage(a, "--%s %s: %s", name, path, strerror(errno));
            else close(fd);
            if (fd >= 0 && !there) unlink(path);  // what fails to start leaves nothing
        }
    }
}

static bool gb__uses_stdout(const gb__arguments *a)
{
    for (int id = GB__OPT_JSON; id <= GB__OPT_HDR; id++)
        if (a->value[id] && !strcmp(a->value[id], "-")) return true;
    return false;
}

// What a command has to write: a comparison, a load, or builds.
typedef struct gb__findings {
    const gb_result *result;
    size_t class_count;     // so many results, of several machines; 0: it is one
    const gb_load_config *asked;
    const gb_load_result *load;
    gb_python *pythons;
    size_t python_count;
} gb__findings;

static FILE *gb__open_part(char *part, mode_t mode)
{
    int fd = mkostemp(part, O_CLOEXEC);
    FILE *out = fd < 0 || fchmod(fd, mode & 0777) ? NULL : fdopen(fd, "w");
    if (out || fd < 0) return out;
    int why = errno;
    close(fd);
    unlink(part);
    errno = why;
    return NULL;
}

// The file keeps the command line, but of a variable or a header field no value, which may be a
// secret: "K=..." and "Name: ...".
static gb_code gb__write_json(const gb__arguments *a, const gb_result *result, FILE *out,
                              gb_error *error)
{
    char **kept = calloc((size_t)a->argc + 1, sizeof *kept);
    bool failed = !kept;
    for (int i = 0; i < a->argc && !failed; i++) {
        const char *text = a->argv[i], *end = text + strlen(text), *cut = end;
        for (size_t j = 0; j < 2 * GB__MAX_LIST; j++) {
            const char *value = a->lists[j % 2 ? GB__OPT_HEADER : GB__OPT_ENV].items[j / 2];
            if (value >= text && value < end) cut = value + strcspn(value, "=:") + 1;
        }
        failed = asprintf(&kept[i], "%.*s%s", (int)(cut - text), text,
                          cut == end ? "" : *cut == ' ' ? " ..." : "...") < 0;
        if (failed) kept[i] = NULL;
    }
    gb_code code = failed ? gb__fail_memory(error)
                          : gb_report_json(result, a->argc, kept, out, error);
    for (int i = 0; kept && i < a->argc; i++) free(kept[i]);
    free(kept);
    return code;
}

static gb_code gb__write_as(const gb__arguments *a, const gb__findings *w, int id, FILE *out,
                            gb_error *error)
{
    if (id == GB__OPT_MARKDOWN) return gb_report_markdown(w->result, out, error);
    if (id == GB__OPT_CSV) return gb_report_csv(w->result, out, error);
    if (w->class_count) return gb_report_class(w->result, w->class_count, out, error);
    if (id == GB__OPT_HTML) return gb_report_html(w->result, out, error);
    if (id == GB__OPT_HDR) return gb_histogram_write(&w->load->latency, out, error);
    if (w->result) return gb__write_json(a, w->result, out, error);
    if (w->load) return gb__load_report_json(w->asked, w->load, out, error);
    return gb__report_pythons_json(w->pythons, w->python_count, out, error);
}

// An ordinary file that is there is replaced when the new one is whole: a full disk costs neither.
static gb_code gb__write_output(const gb__arguments *a, const gb__findings *w, int id,
                                gb_error *error)
{
    struct stat s;
    const char *path = a->value[id];
    char part[GB_PATH] = "";  // what is written; "" where that is the path itself
    FILE *out = NULL;
    gb_error why;
    if (id == GB__OPT_PYPERF) return gb_report_pyperf(w->result, path, error);
    if (id == GB__OPT_HDR_DIR) return gb_report_hdr(w->result, path, error);
    if (!strcmp(path, "-")) return gb__write_as(a, w, id, stdout, error);
    errno = EACCES;
    if (!lstat(path, &s) && S_ISREG(s.st_mode) && !access(path, W_OK) &&
        gb__path(part, "%s.XXXXXX", path))
        out = gb__open_part(part, s.st_mode);
    if (!out) *part = 0;
    // Nothing to be replaced, or a directory that takes no new file.
    if (!out && (errno == EACCES || errno == ENOENT)) out = fopen(path, "we");
    if (!out) return gb__fail(error, GB_SYSTEM, "%.900s: %s", path, strerror(errno));
    gb_code code = gb__write_as(a, w, id, out, &why);
    bool failed = fclose(out);
    if (!failed && !code && *part) failed = rename(part, path);
    if (code) gb__fail(error, code, "%.400s: %.600s", path, why.text);
    else if (failed) code = gb__fail(error, GB_SYSTEM, "%.900s: %s", path, strerror(errno));
    if (code && *part) unlink(part);
    return code;
}

// The exit status. What can't be written doesn't keep the others from being.
static int gb__write_outputs(const gb__arguments *a, const gb__findings *w)
{
    gb_error error;
    int status = 0;
    for (int id = GB__OPT_JSON; id <= GB__OPT_HDR; id++)
        if (a->value[id] && gb__write_output(a, w, id, &error)) status = gb__complain(&error);
    return status;
}

// ---- pythons ------------------------------------------------------------------------------------

static int gb__main_pythons(gb__arguments *a)
{
    const gb__list *wanted = &a->lists[GB__OPT_PYTHON];
    gb_python *list = NULL;
    size_t n = 0, usable = 0;
    gb__check_outputs(a);
    if (a->error.code || gb_pythons(wanted->items, wanted->count, &list, &n, &a->error))
        return gb__complain(&a->error);
    FILE *human = gb__uses_stdout(a) ? stderr : stdout;
    for (size_t i = 0; i < n; i++) {
        const gb_python *p = &list[i];
        usable += p->usable;
        fprintf(human, "%-16s %-14s %-8s %-4s %s\n", p->id,
                p->free_threaded ? "free-threaded" : "GIL", p->optimized, p->jit ? "JIT" : "",
                *p->executable ? p->executable : p->libpython);
        if (p->usable) fprintf(human, "%16s %s\n", "", p->libpython);
        else fprintf(human, "%16s can't be used: %s\n", "", p->problem);
    }
    int failed = gb__write_outputs(a, &(gb__findings){.pythons = list, .python_count = n});
    free(list);
    if (failed) return failed;
    if (!usable)
        fprintf(stderr, "gilbench: %s; `uv python install 3.14 3.14t` or `make pythons` gets "
                "them\n", gb_code_text(GB_NO_PYTHON));
    return usable ? 0 : 3;
}

// ---- serve --------------------------------------------------------------------------------------

static int gb__own_stdout = -1;

static void gb__print_ready(void *user, int port)
{
    const char *host = user;
    bool six = strchr(host, ':');
    dprintf(gb__own_stdout, "listening on http://%s%s%s:%d\n", six ? "[" : "", host, six ? "]" : "",
            port);
}

static void gb__read_bind(gb__arguments *a, char *host, size_t size, int *port)
{
    const char *text = a->value[GB__OPT_BIND] ? a->value[GB__OPT_BIND] : "127.0.0.1:8000";
    const char *colon = strrchr(text, ':');
    uint64_t n;
    if (!colon || colon == text || !gb__slice_u64(gb__slice(colon + 1), &n) || n > 65535) {
        gb__usage(a, "--bind %s: give HOST:PORT", text);
        return;
    }
    bool six = *text == '[' && colon[-1] == ']';
    snprintf(host, size, "%.*s", (int)(colon - text) - 2 * six, text + six);
    *port = (int)n;
}

// The interpreter of `serve`: the one given, or the newest found, a GIL build before another.
static void gb__serve_python(gb__arguments *a, gb_python *python)
{
    const gb__list *given = &a->lists[GB__OPT_PYTHON];
    gb_python *list = NULL;
    const gb_python *best = NULL;
    size_t n = 0;
    if (given->count > 1) gb__usage(a, "serve takes one --python");
    if (a->error.code || gb_pythons(given->items, given->count, &list, &n, &a->error)) return;
    for (size_t i = 0; i < n; i++)
        if (given->count || (list[i].usable && (!best || list[i].hex > best->hex)))
            best = &list[i];
    if (best && best->usable) *python = *best;
    else gb__fail(&a->error, GB_NO_PYTHON, "%s", best ? best->problem : gb_code_text(GB_NO_PYTHON));
    free(list);
}

static int gb__main_serve(gb__arguments *a)
{
    gb_python python;
    char host[256];
    gb_service_config config = {
        .app = "builtin:wsgi", .process = gb__process_of(a), .loop = gb__loop_of(a),
        .workers = (int)gb__whole_of(a, GB__OPT_SERVE_WORKERS, GB_MAX_WORKERS, 0),
        .worker_model = (gb_worker_model)gb__word_of(a, GB__OPT_WORKER_MODEL, gb__worker_models),
        .server = {.host = host, .threads = (int)gb__whole_of(a, GB__OPT_SERVE_THREADS, 4096, 1),
                   .max_body = gb__whole_of(a, GB__OPT_MAX_BODY, 1e15, 0)}};
    gb__read_app(a, &config.app, &config.interface);
    gb__read_bind(a, host, sizeof host, &config.server.port);
    if (!gb__is_c_app(&config)) {
        gb__serve_python(a, &python);
        config.python = &python;
    }
    // stdout is for one line; what the application prints goes to stderr.
    if (!a->error.code) gb__own_stdout = dup(STDOUT_FILENO);
    if (!a->error.code && (gb__own_stdout < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
        gb__fail(&a->error, GB_SYSTEM, "can't redirect stdout: %s", strerror(errno));
    if (a->error.code || gb_serve(&config, gb__print_ready, host, &a->error))
        return gb__complain(&a->error);
    return 0;
}

// ---- what is asked for: load, compare -----------------------------------------------------------

#define GB__MOST_REQUESTS 1000  // of a mix: the client looks at each to choose one

// What the files hold that requests are made of.
typedef struct gb__mix {
    gb__buf body;
    char *texts;
    const char **headers;
    gb_request requests[GB__MOST_REQUESTS + 1];
} gb__mix;

static void gb__mix_free(gb__mix *m)
{
    gb__buf_free(&m->body);
    free(m->texts);
    free(m->headers);
}

static bool gb__mix_line(gb__reader *r, gb__mix *m, gb_load_config *k)
{
    static const gb__key top = GB__PART(gb_request, gb__request_keys, NULL);
    gb_request *q = &m->requests[k->mix_count++];
    gb_load_config alone = *k;
    gb_error why;
    const char *at = r->at, *problem = NULL;
    r->key = NULL;
    if (*at != '{') return gb__bad(r, at, "a line is a request, like {\"path\": \"/cart\"}");
    if (k->mix_count > GB__MOST_REQUESTS)
        return gb__bad(r, at, "there are more than %d requests", GB__MOST_REQUESTS);
    alone.mix = q;
    alone.mix_count = 1;
    q->weight = 1;
    if (!gb__read_value(r, &top, (char *)q)) return false;
    if (q->body) q->body_size = strlen(q->body);
    if (r->at < r->end) problem = "a line has one request";
    else if (!(q->weight > 0)) problem = "\"weight\" must be above 0";
    else if (gb__describe_requests(&alone, NULL, 0, &why)) problem = why.text;
    return !problem || gb__bad(r, at, "%s", problem);
}

// JSON lines, a request each. The reader stops at a NUL, which the end of a line becomes for it.
static gb_code gb__read_mix(const char *path, gb__mix *m, gb_load_config *k, gb_error *error)
{
    gb__buf file = {0};
    gb__reader r = {.name = path, .error = error};
    if (!gb__read_file(path, &file))
        r.code = gb__fail(error, GB_USAGE, "--requests %s: %s", path, strerror(errno));
    gb_slice line, rest = {file.data, file.len};
    r.start = file.data;
    r.texts = m->texts = calloc(file.len + 1, 1);  // neither of them can be longer
    r.lines = m->headers = calloc(file.len / 4 + 1, sizeof *m->headers);
    if (!r.texts || !r.lines) r.code = gb__fail_memory(error);
    k->mix = m->requests;
    while (rest.len && !r.code) {
        gb__split(rest, '\n', &line, &rest);
        char *stop = file.data + (line.data - file.data) + line.len, kept = *stop;
        *stop = 0;
        r.at = line.data;
        r.end = stop;
        gb__pass_blanks(&r);
        if (r.at < r.end) gb__mix_line(&r, m, k);
        *stop = kept;
    }
    gb__buf_free(&file);
    if (k->mix_count || r.code) return r.code;
    return gb__fail(error, GB_USAGE, "--requests %s: there is no request in it", path);
}

// What the commands that load have in common.
static void gb__read_asked(gb__arguments *a, gb__mix *m, gb_load_config *k)
{
    const char *body = a->value[GB__OPT_BODY], *mix = a->value[GB__OPT_MIX];
    k->stop = &gb__stop_flag;
    k->duration_s = gb__number_of(a, GB__OPT_DURATION, 0.01, 1e6, 0);
    k->warmup_s = gb__number_of(a, GB__OPT_WARMUP, a->command == GB__LOAD ? 0 : 0.001, 1e6, 0);
    k->rate = gb__number_of(a, GB__OPT_RATE, 0.001, 1e9, 0);
    k->method = a->value[GB__OPT_METHOD];
    k->headers = a->lists[GB__OPT_HEADER].items;
    k->header_count = a->lists[GB__OPT_HEADER].count;
    k->expect = a->value[GB__OPT_EXPECT];
    k->no_keepalive = a->value[GB__OPT_NO_KEEPALIVE];
    k->timeout_s = gb__number_of(a, GB__OPT_TIMEOUT, 0.001, 1e6, 0);
    if (mix && (body || k->method))
        gb__usage(a, "--requests and --body or --method exclude each other: each request has its "
                   "own");
    if (body && !gb__read_file(body, &m->body))
        gb__usage(a, "--body %s: %s", body, strerror(errno));
    k->body = m->body.data;
    k->body_size = m->body.len;
    if (!a->error.code) a->error.code = gb__describe_requests(k, NULL, 0, &a->error);
    if (!a->error.code && mix) a->error.code = gb__read_mix(mix, m, k, &a->error);
}

// ---- load ---------------------------------------------------------------------------------------

static void gb__print_latency(FILE *out, const char *name, const gb_histogram *h)
{
    gb_latency l = gb__latency_ms(h);
    fprintf(out, "%-22s mean %.3f  p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms\n", name,
            l.mean, l.p50, l.p90, l.p99, l.p999, l.max);
}

static void gb__print_load(FILE *out, const gb_load_config *k, const gb_load_result *r)
{
    fprintf(out, "%s  %d connections, %d thread%s, %.2f s\n", k->url, k->connections, k->threads,
            k->threads == 1 ? "" : "s", r->seconds);
    fprintf(out, "%-22s %llu  %.0f req/s  %.2f MB/s\n", "requests",
            (unsigned long long)r->requests, r->rps,
            r->seconds > 0 ? (double)r->bytes / 1e6 / r->seconds : 0);
    gb__print_latency(out, k->rate > 0 ? "latency, corrected" : "latency", &r->latency);
    if (k->rate > 0) gb__print_latency(out, "latency, uncorrected", &r->uncorrected);
    if (r->requests)
        fprintf(out, "%-22s %.2f us/request\n", "client CPU",
                (double)r->cpu_ns / 1e3 / (double)r->requests);
    if (r->first_answer.status) {
        fprintf(out, "%-22s first %d with %llu bytes", "answers", r->first_answer.status,
                (unsigned long long)r->first_answer.size);
        for (int class = 1; class < 6; class++)
            if (r->statuses[class])
                fprintf(out, "  %dxx %llu", class, (unsigned long long)r->statuses[class]);
        fputc('\n', out);
    }
#define GB__PRINT_ERROR(name, text)                                                                \
    if (r->errors.name)                                                                            \
        fprintf(out, "errors, %-14s %llu  (%s)\n", #name, (unsigned long long)r->errors.name, text);
    GB_LOAD_ERRORS(GB__PRINT_ERROR)
#undef GB__PRINT_ERROR
    if (*r->first_error) fprintf(out, "%-22s %s\n", "for example", r->first_error);
    if (r->unanswered)
        fprintf(out, "%-22s %llu requests had no answer at the end; their latency is at least what "
                "is shown\n", "warning", (unsigned long long)r->unanswered);
    if (r->rate_missed)
        fprintf(out, "%-22s the rate was not reached: only %llu requests were started\n",
                "warning", (unsigned long long)r->started);
    if (r->statuses[3])
        fprintf(out, "%-22s %llu answers were redirects, the first to \"%s\": is that the page you "
                "mean?\n", "warning", (unsigned long long)r->statuses[3], r->redirect);
}

static void gb__read_load(gb__arguments *a, gb_load_config *k, gb__mix *m)
{
    const char *host = a->url ? strstr(a->url, "://") : NULL;
    const char *path = host ? strchr(host + 3, '/') : NULL;
    if (!a->url) gb__usage(a, "load what? Give a URL, http://HOST:PORT/PATH");
    if (a->value[GB__OPT_LIMIT] && (a->value[GB__OPT_DURATION] || a->value[GB__OPT_WARMUP]))
        gb__usage(a, "-n and --duration or --warmup exclude each other");
    if (a->value[GB__OPT_MIX] && path && path[1])
        gb__usage(a, "the paths are in %s: give http://HOST:PORT", a->value[GB__OPT_MIX]);
    *k = (gb_load_config){
        .url = a->url,
        .connections = (int)gb__whole_of(a, GB__OPT_LOAD_CONNECTIONS, 100000, 64),
        .threads = (int)gb__whole_of(a, GB__OPT_LOAD_THREADS, 1024, 1),
        .requests = gb__whole_of(a, GB__OPT_LIMIT, 1e15, 0)};
    gb__read_asked(a, m, k);
    gb__check_outputs(a);
}

static int gb__main_load(gb__arguments *a)
{
    gb_load_config k;
    gb_load_result r = {0};
    gb__mix m = {0};
    int failed = 0;
    gb__read_load(a, &k, &m);
    gb_code code = a->error.code ? a->error.code : gb_load(&k, &r, &a->error);
    if (!code || code == GB_INTERRUPTED) {
        gb__print_load(gb__uses_stdout(a) ? stderr : stdout, &k, &r);
        failed = gb__write_outputs(a, &(gb__findings){.asked = &k, .load = &r});
    }
    if (!code && (gb_load_error_count(&r.errors) || r.unanswered || !r.requests))
        code = gb__fail(&a->error, GB_MEASUREMENT,
                        "%llu requests failed, %llu were unanswered, %llu were answered",
                        (unsigned long long)gb_load_error_count(&r.errors),
                        (unsigned long long)r.unanswered, (unsigned long long)r.requests);
    gb_load_free(&r);
    gb__mix_free(&m);
    return code ? gb__complain(&a->error) : failed;
}

// ================================================================================================
// >>main
// The comparison and its reports; the program.

// ---- compare ------------------------------------------------------------------------------------

typedef struct gb__comparing {
    gb_plan plan;
    gb_scenario scenarios[GB__MAX_LIST];
    gb_peer peers[GB__MAX_LIST];
    char names[GB__MAX_LIST][64], peer_names[GB__MAX_LIST][64];
    gb_worker_model models[GB__MAX_LIST];
    gb_python *pythons;  // owned, as is the next
    gb__mix mix;
    uint64_t next_progress;
} gb__comparing;

// One line that never wraps, written at once and not more than ten times a second.
static void gb__show_progress(void *user, const gb_progress *p)
{
    gb__comparing *c = user;
    char text[512], rate[32] = "";
    struct winsize size;
    uint64_t now = gb_now_ns();
    if (p->rps > 0 && now < c->next_progress) return;
    c->next_progress = now + GB__NS / 10;
    if (p->rps > 0) snprintf(rate, sizeof rate, ", %.0f req/s", p->rps);
    int len = snprintf(text, sizeof text, "[%zu/%zu] round %d of %s%d, %d:%02d left: %s%s",
                       p->done + 1, p->total, p->round, p->at_most ? "at most " : "",
                       p->rounds, (int)p->seconds_left / 60, (int)p->seconds_left % 60,
                       p->cell->id, rate);
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col && len >= size.ws_col)
        text[size.ws_col - 1] = 0;
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
}

// The builds of --arms among those found.
static void gb__find_arms(gb__arguments *a, const char *arms, gb__comparing *c)
{
    gb_python pair[2];
    gb_slice rest = gb__slice(arms), arm;
    a->error.code = gb_python_pair(pair, &a->error);
    c->pythons = calloc(strlen(arms) + 1, sizeof *c->pythons);
    if (!c->pythons) gb__fail_memory(&a->error);
    for (bool more = true; more && !a->error.code;) {
        more = gb__split(rest, ',', &arm, &rest);
        gb_python *p = &c->pythons[c->plan.python_count++];
        bool forced = gb__slice_is(arm, "ft-gil");
        *p = pair[!gb__slice_is(arm, "gil")];
        if (forced) p->gil = 1, strncat(p->id, ",gil=1", sizeof p->id - strlen(p->id) - 1);
        if (!forced && !gb__slice_is(arm, "gil") && !gb__slice_is(arm, "ft"))
            gb__usage(a, "--arms: \"%.*s\" is not gil, ft or ft-gil", (int)arm.len, arm.data);
    }
}

static void gb__read_pythons(gb__arguments *a, gb__comparing *c)
{
    const gb__list *list = &a->lists[GB__OPT_PYTHON];
    const char *arms = a->value[GB__OPT_ARMS];
    if (list->count && arms) gb__usage(a, "--python and --arms exclude each other");
    if (a->error.code) return;
    if (!list->count) gb__find_arms(a, arms ? arms : "gil,ft", c);
    else a->error.code = gb_pythons(list->items, list->count, &c->pythons, &c->plan.python_count,
                                    &a->error);
    c->plan.pythons = c->pythons;
}

// A scenario's own name, or what it begins with: "article" means article-wsgi-json and the others.
static bool gb__is_named(const gb_scenario *s, const char *name)
{
    size_t len = strlen(name);
    return !strncmp(s->name, name, len) && (!s->name[len] || s->name[len] == '-');
}

// An application or paths of one's own: each path is a scenario, as is a mix.
static void gb__read_own(gb__arguments *a, gb__comparing *c)
{
    const char *app = a->value[GB__OPT_APP], *mix = a->value[GB__OPT_MIX];
    gb__list paths = a->lists[GB__OPT_PATH];
    gb_scenario s = {.description = "", .app = "builtin:wsgi"};
    gb__read_app(a, &s.app, &s.interface);
    if (mix && paths.count)
        gb__usage(a, "--requests and --path exclude each other: the paths are in the file");
    if (!paths.count) gb__list_add(&paths, !app || !strncmp(app, "builtin:", 8) ? "/json" : "/");
    for (size_t i = 0; i < paths.count; i++) {
        const char *path = paths.items[i];
        bool several = paths.count > 1 && strcmp(path, "/");
        if (!*path || !gb__all(gb__slice(path), gb__is_target_char))
            gb__usage(a, "--path %s: give the path of a URL, without blanks", path);
        int len = snprintf(c->names[i], sizeof c->names[i], "app%s%s",
                           several && *path != '/' ? "/" : "", several ? path : "");
        if (len >= (int)sizeof c->names[i])  // two may begin alike
            snprintf(c->names[i], sizeof c->names[i], "app/%.36s...%zu", path + 1, i + 1);
        s.name = c->names[i];
        s.path = mix ? gb__basename(mix) : path;
        c->scenarios[c->plan.scenario_count++] = s;
    }
}

static void gb__read_scenarios(gb__arguments *a, gb__comparing *c)
{
    const gb__list *names = &a->lists[GB__OPT_SCENARIO];
    bool own = a->value[GB__OPT_APP] || a->value[GB__OPT_PATH] || a->value[GB__OPT_INTERFACE] ||
               a->value[GB__OPT_MIX] || a->value[GB__OPT_APP_DIR];
    if (own && names->count)
        gb__usage(a, "--scenario and --app, --app-dir, --interface, --path or --requests exclude "
                   "each other");
    if (own) gb__read_own(a, c);
    for (size_t i = 0; i < names->count && !a->error.code; i++) {
        size_t before = c->plan.scenario_count;
        for (const gb_scenario *s = gb_scenarios(); s->name; s++) {
            if (!gb__is_named(s, names->items[i])) continue;
            if (c->plan.scenario_count < GB__MAX_LIST) c->scenarios[c->plan.scenario_count++] = *s;
            else gb__usage(a, "--scenario is given too often");
        }
        if (c->plan.scenario_count == before)
            gb__usage(a, "there is no scenario %s; --list-scenarios says which there are",
                       names->items[i]);
    }
}

// "name=TEXT,COMMAND" or "COMMAND"; compare checks the rest.
static void gb__read_servers(gb__arguments *a, gb__comparing *c)
{
    const gb__list *servers = &a->lists[GB__OPT_SERVER];
    for (size_t i = 0; i < servers->count && !a->error.code; i++) {
        const char *text = servers->items[i], *comma = strchr(text, ',');
        gb_peer *peer = &c->peers[c->plan.peer_count++];
        peer->command = text;
        if (!strncmp(text, "name=", 5)) {
            int len = comma ? (int)(comma - text) - 5 : 0;
            if (!len) gb__usage(a, "--server %.300s: give name=TEXT,COMMAND", text);
            snprintf(c->peer_names[i], sizeof c->peer_names[i], "%.*s", len, text + 5);
            peer->name = c->peer_names[i];
            peer->command = comma ? comma + 1 : "";
        }
        if (!peer->command[strspn(peer->command, " ")])
            gb__usage(a, "--server %.300s: the command is empty", text);
    }
}

static void gb__read_models(gb__arguments *a, gb__comparing *c)
{
    gb_slice word, rest = gb__slice(a->value[GB__OPT_MODEL] ? a->value[GB__OPT_MODEL] : "threads");
    for (bool more = true; more && !a->error.code;) {
        int model = GB_PROCESSES;
        more = gb__split(rest, ',', &word, &rest);
        while (gb__worker_models[model] && !gb__slice_is(word, gb__worker_models[model])) model++;
        if (gb__worker_models[model] && c->plan.model_count < GB__MAX_LIST)
            c->models[c->plan.model_count++] = (gb_worker_model)model;
        else gb__usage(a, "--model %s: give a list %s", a->value[GB__OPT_MODEL],
                        gb__option_table[GB__OPT_MODEL].help);
    }
}

static void gb__read_tasks(gb__arguments *a, gb__comparing *c)
{
    static const int threads[] = {1, 2, 4};
    const gb__list all = {.items = {"fib", "bubble"}, .count = c->plan.split ? 1 : 2};
    const gb__list *tasks = a->lists[GB__OPT_TASK].count ? &a->lists[GB__OPT_TASK] : &all;
    for (size_t i = 0; i < tasks->count; i++) {
        const char *name = gb__basename(tasks->items[i]);
        if (!a->error.code) gb__check_task(tasks->items[i], c->plan.split, &a->error);
        int len = strstr(name, ".py:") ? (int)strlen(name) : (int)strcspn(name, ":");
        snprintf(c->names[i], sizeof c->names[i], "cpu-%.*s", len, name);
        c->scenarios[c->plan.scenario_count++] = (gb_scenario){
            .name = c->names[i], .app = tasks->items[i], .interface = GB_TASK};
    }
    c->plan.thread_count = gb__numbers_of(a, GB__OPT_TASK_THREADS, GB_MAX_WORKERS,
                                          &c->plan.threads);
    if (!c->plan.thread_count) c->plan.threads = threads, c->plan.thread_count = 3;
    gb__read_models(a, c);
}

// One scenario in one round with a longer window: it is to show who waits, and compares nothing.
static void gb__plan_why(const gb__arguments *a, gb__comparing *c)
{
    static const int all = 64;
    gb_plan *p = &c->plan;
    p->waits = p->no_control = true;
    if (a->value[GB__OPT_WHAT_IF]) p->what_if = p->rounds ? p->rounds : 8, p->rounds = 1;
    if (!p->scenario_count) c->scenarios[p->scenario_count++] = *gb_scenarios();
    if (!p->rounds) p->rounds = 1;
    if (p->load.duration_s <= 0) p->load.duration_s = 3;
    if (!p->thread_count) p->threads = &all, p->thread_count = 1;
    if (!p->connection_count) p->connections = &all, p->connection_count = 1;
}

static void gb__read_compare(gb__arguments *a, gb__comparing *c)
{
    gb_plan *p = &c->plan;
    *c = (gb__comparing){.next_progress = 0};
    *p = (gb_plan){
        .user = c, .process = gb__process_of(a), .loop = gb__loop_of(a),
        .scenarios = c->scenarios, .peers = c->peers, .models = c->models,
        .worker_model = (gb_worker_model)gb__word_of(a, GB__OPT_WORKER_MODEL, gb__worker_models),
        .no_control = a->value[GB__OPT_NO_CONTROL],
        .split = a->value[GB__OPT_SPLIT],
        .load.threads = (int)gb__whole_of(a, GB__OPT_CLIENT_THREADS, 1024, 0),
        .rounds = (int)gb__whole_of(a, GB__OPT_ROUNDS, 10000, 0),
        .precision = gb__number_of(a, GB__OPT_PRECISION, 0.1, 50, 0) / 100,
        .seed = gb__whole_of(a, GB__OPT_SEED, 1e15, 0)};
    if (!a->value[GB__OPT_NO_PROGRESS] && !a->value[GB__OPT_QUIET] && isatty(STDERR_FILENO))
        p->on_progress = gb__show_progress;
    p->thread_count = gb__numbers_of(a, GB__OPT_THREADS, 4096, &p->threads);
    p->worker_count = gb__numbers_of(a, GB__OPT_WORKERS, GB_MAX_WORKERS, &p->workers);
    p->connection_count = gb__numbers_of(a, GB__OPT_CONNECTIONS, 100000, &p->connections);
    p->server_cpus_count = gb__numbers_of(a, GB__OPT_SERVER_CPUS, GB_MAX_CPUS, &p->server_cpus);
    if (a->command == GB__CPU) gb__read_tasks(a, c);
    else gb__read_scenarios(a, c);
    gb__read_asked(a, &c->mix, &p->load);
    gb__read_servers(a, c);
    if (a->command == GB__WHY) gb__plan_why(a, c);
    gb__check_outputs(a);
    gb__read_pythons(a, c);
}

// The table first: whatever happens to the files, it has been seen.
static int gb__write_reports(const gb__arguments *a, const gb_result *r)
{
    gb_error error;
    int status = 0;
    FILE *human = gb__uses_stdout(a) ? stderr : stdout;
    if (!a->value[GB__OPT_QUIET] && gb_report_table(r, human, &error))
        status = gb__complain(&error);
    int failed = gb__write_outputs(a, &(gb__findings){.result = r});
    return failed ? failed : status;
}

static int gb__main_compare(gb__arguments *a)
{
    gb__comparing c;
    gb_result r = {0};
    if (a->value[GB__OPT_LIST_SCENARIOS]) {
        for (const gb_scenario *s = gb_scenarios(); s->name; s++)
            if (s->description) printf("%-18s %s\n", s->name, s->description);
        printf("article            every row of both tables, with the published figures beside\n"
               "realistic          both pages of the shop\n"
               "The beginning of a name stands for all that have it, as article does.\n");
        return 0;
    }
    gb__read_compare(a, &c);
    gb_code code = a->error.code ? a->error.code : gb_compare(&c.plan, &r, &a->error);
    if (c.plan.on_progress) fprintf(stderr, "\r\033[K");
    bool tried = false;
    for (size_t i = 0; i < r.cell_count; i++) tried |= r.cells[i].round_count > 0;
    int written = tried ? gb__write_reports(a, &r) : 0;
    gb_result_free(&r);
    free(c.pythons);
    gb__mix_free(&c.mix);
    return code ? gb__complain(&a->error) : written;
}

// ---- report -------------------------------------------------------------------------------------

// What a result is called beside others: its file's name without .json, and with its directory
// where the first file has the same name.
static void gb__label(const char *path, const char *first, char *label, size_t size)
{
    const char *name = gb__basename(path);
    if (!strcmp(name, gb__basename(first)) && name > path) {
        name--;
        while (name > path && name[-1] != '/') name--;
    }
    gb__copy(label, size, name);
    size_t len = strlen(label);
    if (len > 5 && !strcmp(label + len - 5, ".json")) label[len - 5] = 0;
}

static gb_code gb__read_result(const char *path, gb_result *r, gb_error *error)
{
    bool in_is_stdin = !strcmp(path, "-");
    FILE *in = in_is_stdin ? stdin : fopen(path, "re");
    *r = (gb_result){0};
    if (!in) return gb__fail(error, GB_USAGE, "%.900s: %s", path, strerror(errno));
    gb_code code = gb_result_read(in, in_is_stdin ? "stdin" : path, r, error);
    if (!in_is_stdin) fclose(in);
    return code;
}

// The results of several machines are a class: they stand side by side.
static bool gb__is_class(const gb_result *results, size_t count)
{
    size_t machines = 0;
    for (size_t i = 0; i < count; i++) {
        const gb_host *h = &results[i].host;
        bool known = false;
        for (size_t j = 0; j < i && !known; j++)
            known = h->cpus == results[j].host.cpus &&
                    !strcmp(h->hostname, results[j].host.hostname) &&
                    !strcmp(h->cpu_model, results[j].host.cpu_model);
        machines += !known;
    }
    return machines > 1;
}

// All as one: the first.
static gb_code gb__merge_results(const gb__list *paths, gb_result *results, gb_error *error)
{
    gb_code code = GB_OK;
    char label[GB_PATH];
    for (size_t i = 1; i < paths->count && !code; i++) {
        gb__label(paths->items[i], paths->items[0], label, sizeof label);
        code = gb_result_merge(&results[0], &results[i], label, error);
    }
    return code;
}

static int gb__write_class(const gb__arguments *a, const gb_result *results, size_t count)
{
    gb_error error;
    bool page = a->value[GB__OPT_HTML];
    for (int id = GB__OPT_JSON; id <= GB__OPT_HDR; id++)
        page &= id == GB__OPT_HTML || !a->value[id];
    if (!page)
        return gb__fail(&error, GB_USAGE, "these are results of several machines, which are not "
                        "held against each other: --html alone shows them on one page"),
               gb__complain(&error);
    const gb__findings class = {.result = results, .class_count = count};
    return gb__write_output(a, &class, GB__OPT_HTML, &error) ? gb__complain(&error) : 0;
}

static int gb__main_report(const gb__arguments *a)
{
    gb_error error;
    size_t count = a->results.count;
    gb_result *results = calloc(count + 1, sizeof *results);
    if (!results) return gb__fail_memory(&error), gb__complain(&error);
    gb_code code = count ? GB_OK : gb__fail(&error, GB_USAGE, "report what? Give a file that "
                                            "compare --json wrote");
    for (size_t i = 0; i < count && !code; i++)
        code = gb__read_result(a->results.items[i], &results[i], &error);
    bool class = !code && gb__is_class(results, count);
    if (!code && !class) code = gb__merge_results(&a->results, results, &error);
    int status = code ? gb__complain(&error)
                 : class ? gb__write_class(a, results, count)
                         : gb__write_reports(a, &results[0]);
    for (size_t i = 0; i < count; i++) gb_result_free(&results[i]);
    free(results);
    return status;
}

// ---- all of it ----------------------------------------------------------------------------------

static void gb__catch_signals(void)
{
    // The second signal finds the default action and ends the process at once; children follow.
    struct sigaction action = {.sa_handler = gb__on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int gb__run_command(gb__arguments *a)
{
    bool no_command = a->argc > 1 && (!strcmp(a->argv[1], "--help") || !strcmp(a->argv[1], "-h"));
    if (a->value[GB__OPT_HELP]) {
        gb__help(no_command ? GB__ALL : a->command);
        return 0;
    }
    if (a->value[GB__OPT_VERSION]) {
        printf("gilbench " GB_VERSION "\n");
        return 0;
    }
    if (a->command == GB__SERVE) return gb__main_serve(a);
    if (a->command == GB__REPORT) return gb__main_report(a);
    gb__catch_signals();  // the others look whether there was one
    if (a->command == GB__PYTHONS) return gb__main_pythons(a);
    if (a->command == GB__LOAD) return gb__main_load(a);
    return gb__main_compare(a);
}

GB_API int gb_main(int argc, char **argv)
{
    gb__arguments a = {.argc = argc, .argv = argv};
    gb__read_arguments(&a);
    if (a.error.code) return gb__complain(&a.error);
    int status = gb__run_command(&a);
    // Results that nobody could read are no success, whatever was measured.
    if ((fflush(stdout) || ferror(stdout)) && !status) {
        fprintf(stderr, "gilbench: stdout could not be written\n");
        status = 1;
    }
    return status;
}

GB__OPTIMIZE_AGAIN

#endif  // GILBENCH_IMPLEMENTATION

// gilbench is available under two licences; take the one you prefer.
//
// ALTERNATIVE A - MIT License
//
// Copyright (c) 2026 gilbench authors
//
// Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
// associated documentation files (the "Software"), to deal in the Software without restriction,
// including without limitation the rights to use, copy, modify, merge, publish, distribute,
// sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all copies or
// substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
// NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
// NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
// DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
// OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
//
// ALTERNATIVE B - Public Domain (www.unlicense.org)
//
// This is free and unencumbered software released into the public domain.
//
// Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either
// in source code form or as a compiled binary, for any purpose, commercial or non-commercial, and
// by any means.
//
// In jurisdictions that recognize copyright laws, the author or authors of this software dedicate
// any and all copyright interest in the software to the public domain. We make this dedication for
// the benefit of the public at large and to the detriment of our heirs and successors. We intend
// this dedication to be an overt act of relinquishment in perpetuity of all present and future
// rights to this software under copyright law.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
// NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
// NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
// LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
// CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
