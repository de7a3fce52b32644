// Finding interpreters, as far as it needs none: what an entry means, how an answer is read,
// that ids are unique, which two builds the default takes.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "tap.h"

static gb__candidate parsed;
static gb_error failure;

static gb_code parse(const char *entry)
{
    memset(&parsed, 0, sizeof parsed);
    memset(&failure, 0, sizeof failure);
    parsed.python.gil = parsed.python.use_jit = -1;
    return gb__parse_entry(entry, strlen(entry), &parsed, &failure);
}

static void test_entries(void)
{
    static const char *const wrong[] = {
        "",       ",gil=1",   "py,gil",         "py,gil=",        "py,gil=2", "py,gil=11",
        "py,x=1", "py,name=", "py,gil=0,gil=1", "py,name=a,name=b", "py,",    "py,=1",
    };
    ok(!parse("python3.14t") && !strcmp(parsed.path, "python3.14t") && parsed.python.gil == -1 &&
       parsed.python.use_jit == -1 && !parsed.named, "a path alone sets nothing");
    ok(!parse("py,jit=1,name=x y,gil=0") && !strcmp(parsed.path, "py") && parsed.python.gil == 0 &&
       parsed.python.use_jit == 1 && parsed.named, "options in any order");
    is_str(parsed.python.id, "x y", "the name is the id");
    ok(!parse("/opt/a,b/bin/py,gil=1"), "a comma in the path");
    is_str(parsed.path, "/opt/a,b/bin/py", "is kept in it");
    ok(!parse("py,name=a/b"), "a slash in a name");
    is_str(parsed.python.id, "a/b", "is kept, too");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ok(parse(wrong[i]) == GB_USAGE && *failure.text, "\"%s\" is refused", wrong[i]);
    char name[200] = "py,name=";
    memset(name + strlen(name), 'n', sizeof parsed.python.id - 1);
    ok(!parse(name), "the longest name");
    strcat(name, "n");
    ok(parse(name) == GB_USAGE, "a longer one is refused, not cut");
    static char path[GB_PATH + 1];
    memset(path, 'p', GB_PATH);
    ok(parse(path) == GB_USAGE, "so is a path that doesn't fit");
}

static gb__buf text(const char *content)
{
    gb__buf b = {0};
    gb__buf_str(&b, content);
    return b;
}

static void test_answers(void)
{
    char field[4];
    gb__buf b = text("noise\nlib=a=b\nlibdir=\nhex=51251184\nlong=12345\nbad=-1\nend=1");
    ok(gb__slice_is(gb__fact(&b, "lib"), "a=b"), "a value may contain '='");
    ok(!gb__fact(&b, "libdir").len && !gb__fact(&b, "absent").len, "empty and absent are alike");
    is_u64((uint64_t)gb__take_int(&b, "hex"), 0x030e07f0, "a number");
    is_u64((uint64_t)gb__take_int(&b, "bad"), 0, "no number is 0");
    gb__take(&b, "long", field, sizeof field);
    is_str(field, "123", "a value that is too long is cut");
    ok(!gb__complete(&b), "an answer that was cut off is not complete");
    gb__buf_str(&b, "\n");
    ok(gb__complete(&b), "the last line completes it");
    gb__buf_free(&b);
}

static void complains(const char *output, const char *expected)
{
    gb__buf b = text(output);
    gb_slice got = gb__complaint(&b);
    ok(gb__slice_is(got, expected), "the reason is \"%s\"", expected);
    gb__buf_free(&b);
}

static void test_complaints(void)
{
    complains("", "it said nothing");
    complains("\n\n", "it said nothing");
    complains("sh: 1: oops\nmore\n", "sh: 1: oops");
    complains("Could not find <prefix>\nFatal Python error: no encodings\n  <no Python frame>\n",
              "Fatal Python error: no encodings");
    complains("Traceback:\n  File x\nImportError: no", "ImportError: no");
}

static void test_names(void)
{
    static const char *const good[] = {"python3.9", "python3.14", "python3.14t", "python3.15td"};
    static const char *const bad[] = {"python",  "python3",        "python3-config",
                                      "python3.", "python3.14-gdb", "python3.14.7",
                                      "python3.14m", "python3.14tt"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ok(gb__is_python_name(good[i]), "%s may be an interpreter", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!gb__is_python_name(bad[i]), "%s is none", bad[i]);
}

static gb_python build(const char *version, int hex, bool free_threaded, const char *optimization)
{
    static gb_python p;
    memset(&p, 0, sizeof p);
    gb__copy(p.version, sizeof p.version, version);
    gb__copy(p.optimized, sizeof p.optimized, optimization);
    p.hex = hex;
    p.free_threaded = free_threaded;
    p.gil = p.use_jit = -1;
    p.usable = true;
    return p;
}

static void add(gb__search *s, gb_python python, const char *name)
{
    gb__candidate *c = gb__add(s);
    if (!c) return;
    c->python = python;
    c->named = name != NULL;
    if (name) gb__copy(c->python.id, sizeof c->python.id, name);
}

static void test_ids(void)
{
    gb__search s = {0};
    static const char *const expected[] = {"3.14.7",  "3.14.7+pgo+lto", "3.14.7t", "3.14.7t,gil=1",
                                           "3.14.7#2", "mine",          "3.15.0",  "3.14.6",
                                           "3.14.6#2"};
    gb_python forced = build("3.14.7", 7, true, "-O3");
    forced.gil = 1;
    add(&s, build("3.14.7", 7, false, "-O3"), NULL);
    add(&s, build("3.14.7", 7, false, "PGO+LTO"), NULL);
    add(&s, build("3.14.7", 7, true, "-O3"), NULL);
    add(&s, forced, NULL);
    add(&s, build("3.14.7", 7, false, "-O2"), NULL);
    add(&s, build("3.14.7", 7, false, "-O3"), "mine");
    add(&s, build("3.15.0", 8, false, "PGO"), NULL);
    add(&s, build("3.14.6", 6, false, "PGO"), NULL);
    add(&s, build("3.14.6", 6, false, "PGO"), NULL);
    ok(!gb__make_ids(&s, NULL), "ids are made");
    for (size_t i = 0; i < s.count; i++) is_str(s.all[i].python.id, expected[i], "id %zu", i);
    add(&s, build("3.14.7", 7, true, "-O3"), "mine");
    ok(gb__make_ids(&s, &failure) == GB_USAGE, "one name for two is refused");
    free(s.all);
}

static void test_name_that_looks_made(void)
{
    gb__search s = {0};
    add(&s, build("3.14.7", 7, false, "-O3"), NULL);
    add(&s, build("3.14.7", 7, true, "-O3"), "3.14.7");
    ok(!gb__make_ids(&s, NULL), "a name that another's id would be");
    is_str(s.all[0].python.id, "3.14.7#2", "the name wins");
    free(s.all);
}

static void test_pair(void)
{
    enum { N = 8 };
    static gb_python list[N];
    const gb_python *gil, *ft;
    ok(!gb__python_pair(list, 0, &gil, &ft) && !gil && !ft, "no pair in nothing");
    list[0] = build("3.15.0", 0x030f00f0, false, "PGO");
    list[1] = build("3.14.7", 0x030e07f0, false, "-O3");
    ok(!gb__python_pair(list, 2, &gil, &ft), "no pair without a free-threaded build");
    list[2] = build("3.14.7", 0x030e07f0, true, "-O3");
    ok(gb__python_pair(list, 3, &gil, &ft) && gil == &list[1] && ft == &list[2],
       "the newest version of which both are there");
    list[3] = build("3.14.7", 0x030e07f0, true, "PGO");
    ok(gb__python_pair(list, 4, &gil, &ft) && ft == &list[2], "alike before optimised alone");
    list[4] = build("3.14.7", 0x030e07f0, false, "PGO");
    ok(gb__python_pair(list, 5, &gil, &ft) && gil == &list[4] && ft == &list[3],
       "optimised where both are");
    list[5] = build("3.15.0", 0x030f00f0, true, "debug");
    list[5].usable = false;
    ok(gb__python_pair(list, 6, &gil, &ft) && gil == &list[4], "an unusable one doesn't count");
    list[5].usable = true;
    list[5].gil = 1;
    ok(gb__python_pair(list, 6, &gil, &ft) && gil == &list[4], "nor one with its GIL forced on");
    list[5].gil = -1;
    ok(gb__python_pair(list, 6, &gil, &ft) && gil == &list[0] && ft == &list[5],
       "newer before optimised");
    list[6] = build("3.15.0", 0x030f00f0, true, "PGO");
    ok(gb__python_pair(list, 7, &gil, &ft) && ft == &list[6], "any before a debug build");
    list[7] = list[6];
    strcpy(list[6].compiler, "another");
    ok(gb__python_pair(list, 8, &gil, &ft) && ft == &list[7], "both by one compiler");
    strcpy(list[6].compiler, list[7].compiler);
    strcpy(list[6].prefix, "/home/x/venv");
    ok(gb__python_pair(list, 8, &gil, &ft) && ft == &list[7], "no environment on one side only");
}

int main(void)
{
    test_entries();
    test_answers();
    test_complaints();
    test_names();
    test_ids();
    test_name_that_looks_made();
    test_pair();
    return tap_end();
}
