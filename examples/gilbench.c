// The command line program: everything is in the header.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"

int main(int argc, char **argv) { return gb_main(argc, argv); }
