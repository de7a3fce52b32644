// All of it private to one translation unit, of which most stays unused.
#define GILBENCH_STATIC
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

const char *first_reason(void);
const char *first_reason(void)
{
    return gb_code_text(GB_USAGE);
}
