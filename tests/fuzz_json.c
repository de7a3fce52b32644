// libFuzzer's way into the reader of results (make fuzz). What it lets through must be fit for
// every report, and be the same when it is written and read once more.
#define GILBENCH_IMPLEMENTATION
#define GILBENCH_STATIC
#include "gilbench.h"
#include "result.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static char *example;
static size_t example_size;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

static char *write_json(const gb_result *r, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (!out || gb_report_json(r, 0, NULL, out, NULL)) fail("a result that can't be written");
    fclose(out);
    return text;
}

static gb_code read_json(const void *data, size_t size, gb_result *r)
{
    gb_error error = {0};
    FILE *in = fmemopen((void *)(uintptr_t)data, size, "r");
    gb_code code = gb_result_read(in, "input", r, &error);
    fclose(in);
    if (!code != !*error.text) fail("a failure without a sentence, or the other way round");
    return code;
}

static void report_all(const gb_result *r)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out || gb_report_table(r, out, NULL) || gb_report_markdown(r, out, NULL) ||
        gb_report_csv(r, out, NULL))
        fail("a report that can't be made");
    fclose(out);
    free(text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    gb_result r;
    (void)argc;
    (void)argv;
    make_result(&r, true);
    example = write_json(&r, &example_size);
    gb_result_free(&r);
    return 0;
}

// Random bytes seldom become a result; a whole one is put in their place now and then.
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    if (seed % 64 == 0 && example_size <= max_size) {
        memcpy(data, example, example_size);
        size = example_size;
    }
    return LLVMFuzzerMutate(data, size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_result r, again;
    size_t once, twice;
    gb_code code = size ? read_json(data, size, &r) : GB_USAGE;
    if (code) {
        if (size) gb_result_free(&r);
        return 0;
    }
    char *first = write_json(&r, &once);
    report_all(&r);
    if (read_json(first, once, &again)) fail("what was written can't be read");
    char *second = write_json(&again, &twice);
    if (once != twice || memcmp(first, second, once)) fail("it isn't the same again");
    if (gb_result_merge(&r, &again, "again", NULL)) fail("it can't be merged with itself");
    report_all(&r);
    free(first);
    free(second);
    gb_result_free(&again);
    gb_result_free(&r);
    return 0;
}
