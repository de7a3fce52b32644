// libFuzzer's way into the parsers (make fuzz). The first byte says in which steps the rest is fed.
#define GILBENCH_IMPLEMENTATION
#define GILBENCH_STATIC
#define GB_MAX_REQUEST_LINE 96
#define GB_MAX_HEAD 256
#define GB_MAX_HEADERS 6
#include "gilbench.h"
#include "http_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > FENCED_SIZE) return 0;
    const char *broken = all_rules((const char *)data + 1, size - 1, *data % 32 + 1u);
    if (!broken) return 0;
    fprintf(stderr, "%s\n", broken);
    abort();
}
