// Parsing on literal texts, then a real tree of processes: its memory, its peak, its CPU time, and
// what is left when parts of it are gone.
#define GILBENCH_IMPLEMENTATION
#include "gilbench.h"
#include "sandbox.h"
#include "tap.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define MIB (1024ul * 1024)
#define BLOCK (32 * MIB)

// ---- literal texts ----

static void test_stat(void)
{
    gb__stat stat = {0};
    ok(gb__parse_stat("4242 (a) b (c) S 17 4242 4242 0 -1 4194304 91 0 1 0 123 45 6 7 20 0 9 0 "
                      "100628 2600960 304 18446744073709551615 1 1 0\n",
                      &stat),
       "a name with spaces and parentheses");
    is_u64((uint64_t)stat.parent, 17, "parent");
    is_u64(stat.user, 123, "user");
    is_u64(stat.system, 45, "system");
    is_u64(stat.child_user, 6, "user of reaped children");
    is_u64(stat.child_system, 7, "system of reaped children");
    is_u64(stat.threads, 9, "threads");
    ok(gb__parse_stat("1 () 1 2 3) R 0 0 0 0 -1 0 0 0 0 0 5 6 0 0 -2 -20 1 0", &stat) &&
           stat.parent == 0 && stat.user == 5,
       "a name that looks like the rest");
    ok(!gb__parse_stat("1 (sh) S 1 2 3", &stat), "cut off");
    ok(!gb__parse_stat("1 (sh)", &stat), "cut off behind the name");
    ok(!gb__parse_stat("1 (sh", &stat), "cut off in the name");
    ok(!gb__parse_stat("", &stat), "empty");
}

static void test_memory_texts(void)
{
    const char *status = "Name:\tVmHWM: 7 kB\nVmPeak:\t 2540 kB\nVmHWM:\t    1216 kB\n"
                         "voluntary_ctxt_switches:\t31\nnonvoluntary_ctxt_switches:\t4\n";
    const char *rollup = "55d0-7ffc ---p 00000000 00:00 0  [rollup]\nRss:     9000 kB\n"
                         "Pss:     5000 kB\nPss_Dirty:  300 kB\nShared_Clean:  4000 kB\n"
                         "Private_Clean:   20 kB\nPrivate_Dirty:  300 kB\nPrivate_Hugetlb: 1 kB\n";
    is_u64(gb__parse_statm("635 304 273 5 0 89 0\n", 4096), 304 * 4096, "statm");
    is_u64(gb__parse_statm("635 304 273 5 0 89 0\n", 65536), 304 * 65536, "with large pages");
    is_u64(gb__parse_statm("", 4096), 0, "an empty statm");
    is_u64(gb__proc_bytes(status, "VmHWM"), 1216 * 1024, "VmHWM, not the name that looks like it");
    is_u64(gb__proc_bytes(status, "VmRSS"), 0, "a missing line");
    is_u64(gb__parse_switches(status), 35, "both kinds of context switches, each once");
    is_u64(gb__proc_bytes(rollup, "Pss"), 5000 * 1024, "Pss, not Pss_Dirty");
    is_u64(gb__parse_uss(rollup), 321 * 1024, "USS");
    is_u64(gb__parse_uss(""), 0, "of nothing");
}

static void test_host_texts(void)
{
    const char *v1 = "9:name=systemd:/\n4:memory:/a/b\n2:cpuacct,cpu:/docker/1\n0::/\n";
    const char *v2 = "0::/user.slice/x:y.scope\n";
    gb_slice model = gb__proc_value("processor\t: 0\nmodel name\t: Big CPU @ 3 GHz \nbugs\t:\n",
                                    "model name");
    ok(gb__slice_is(model, "Big CPU @ 3 GHz"), "model name");
    ok(!gb__proc_value("bugs\t:\n", "bugs").len, "an empty value");
    gb__machine_time spent = gb__parse_machine_time("cpu  1 2 3 4 5 6 7 88 9 10\ncpu0 1 2\n");
    is_u64(spent.steal_ns, gb__ticks_ns(88), "steal");
    is_u64(spent.busy_ns, gb__ticks_ns(1 + 2 + 3), "user, nice and system");
    is_u64(gb__parse_machine_time("cpu  1 2 3 4\n").steal_ns, 0, "a kernel without steal");
    is_u64(gb__proc_number("nr_free 1\npswpin 20\npswpout 3\n", "pswpin"), 20, "vmstat");
    ok(gb__slice_is(gb__proc_value(v1, "0"), "/"), "cgroup v2 beside v1");
    ok(gb__slice_is(gb__proc_value(v2, "0"), "/user.slice/x:y.scope"), "a colon in the path");
    near(gb__parse_quota("150000 100000\n"), 1.5, 0, "a CPU and a half");
    near(gb__parse_quota("max 100000\n"), 0, 0, "max is no quota");
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    if (!out || fputs(text, out) < 0 || fclose(out)) diag("can't write %s", path);
}

// A machine's CPUs as /sys/devices/system/cpu has them: how their siblings are numbered ('-': no
// files; '1': none; 'a': 0 and 1 share a core; 'h': 0 and the first of the upper half do), and how
// packages are ('1': one; 'h': two halves of the cores; 'o': even and odd).
static void fake_cpus(const char *dir, int count, char siblings, char packages)
{
    char path[128], text[32];
    int cores = siblings == 'h' ? count / 2 : count;
    for (int i = 0; i < count && siblings != '-'; i++) {
        int core = siblings == 'a' ? i / 2 * 2 : i % cores;
        int other = siblings == 'a' ? core + 1 : core + cores;
        int package = packages == 'h' ? core >= cores / 2 : packages == 'o' ? i % 2 : 0;
        snprintf(path, sizeof path, "%s/cpu%d", dir, i);
        mkdir(path, 0700);
        snprintf(path, sizeof path, "%s/cpu%d/topology", dir, i);
        mkdir(path, 0700);
        snprintf(path, sizeof path, "%s/cpu%d/topology/thread_siblings_list", dir, i);
        snprintf(text, sizeof text, siblings == '1' ? "%d\n" : "%d,%d\n", core, other);
        write_text(path, text);
        snprintf(path, sizeof path, "%s/cpu%d/topology/physical_package_id", dir, i);
        snprintf(text, sizeof text, "%d\n", package);
        write_text(path, text);
    }
}

// The CPUs of "0-3,8".
static cpu_set_t cpu_set_of(const char *list)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (char *end; *list; list = *end ? end + 1 : end) {
        unsigned long first = strtoul(list, &end, 10), last = first;
        if (*end == '-') last = strtoul(end + 1, &end, 10);
        for (; first <= last; first++) CPU_SET(first, &set);
    }
    return set;
}

static void remove_tree(const char *dir)
{
    char command[160];
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command)) diag("can't remove %s", dir);
}

// Whole cores, the client's from the last on; a server that is to have N CPUs has N cores as long
// as there are so many.
static void test_placement(void)
{
    static const struct {
        int count;
        const char *kind, *allowed;
        double quota;
        int server, client;
        const char *want;  // server | client; NULL: there is none
    } cases[] = {
        {1, "11", "0", 0, 0, 0, "0 | 0"},
        {1, "11", "0", 0, 1, 0, NULL},
        {2, "11", "0-1", 0, 0, 0, "0-1 | 0-1"},
        {2, "11", "0-1", 0, 0, 4, "0-1 | 0-1"},
        {2, "11", "0-1", 0, 1, 0, "0 | 1"},
        {2, "a1", "0-1", 0, 1, 0, "0 | 1"},
        {2, "11", "0-1", 0, 2, 0, NULL},
        {3, "11", "0-2", 0, 0, 0, "0-2 | 0-2"},
        {4, "a1", "0-3", 0, 0, 0, "0-1 | 2-3"},
        {4, "h1", "0-3", 0, 0, 0, "0,2 | 1,3"},
        {4, "-1", "0-3", 0, 0, 0, "0-2 | 3"},
        {4, "a1", "0-3", 0, 3, 0, NULL},
        {8, "11", "0-7", 0, 0, 0, "0-5 | 6-7"},
        {8, "11", "0-7", 0, 7, 0, "0-6 | 7"},
        {8, "11", "0-7", 0, 8, 0, NULL},
        {8, "11", "0-7", 0, 0, 4, "0-3 | 4-7"},
        {8, "11", "0-7", 0, 0, 100, "0 | 1-7"},
        {8, "11", "0-7", 0, 2, 3, "0-1 | 5-7"},
        {8, "11", "0-2,4-7", 0, 0, 0, "0-2,4-5 | 6-7"},  // 3 is offline
        {8, "1o", "0-7", 0, 0, 0, "0-4,6 | 5,7"},
        {8, "1o", "0-7", 0, 4, 0, "0,2,4,6 | 1,3,5,7"},
        {16, "h1", "0-15", 0, 0, 0, "0-5,8-13 | 6-7,14-15"},
        {16, "a1", "0-15", 0, 0, 0, "0-11 | 12-15"},
        {16, "h1", "0-15", 0, 4, 0, "0-3 | 4-7,12-15"},
        {16, "a1", "0-15", 0, 4, 0, "0,2,4,6 | 8-15"},
        {16, "h1", "0-15", 0, 14, 0, "0-6,8-14 | 7,15"},
        {16, "h1", "0-15", 0, 15, 0, NULL},
        {16, "h1", "0-15", 0, 0, 1, "0-6,8-14 | 7,15"},
        {16, "h1", "0-3", 0, 0, 0, "0-2 | 3"},           // taskset
        {16, "h1", "0-1,8-9", 0, 0, 0, "0,8 | 1,9"},
        {16, "h1", "0-15", 2.5, 0, 0, "0-1 | 0-1"},
        {16, "h1", "0-15", 2.5, 1, 0, "0 | 1"},
        {16, "h1", "0-15", 2.5, 2, 0, NULL},
        {16, "h1", "0-15", 0.5, 0, 0, "0 | 0"},
        {16, "h1", "0-15", 8, 0, 0, "0-5 | 6-7"},
        {16, "h1", "0-15", 32, 0, 0, "0-5,8-13 | 6-7,14-15"},
        {64, "11", "0-63", 0, 0, 0, "0-47 | 48-63"},
        {128, "hh", "0-127", 0, 0, 0, "0-47,64-111 | 48-63,112-127"},
        {128, "hh", "0-127", 0, 32, 0, "0-31 | 32-63,96-127"}};
    gb__ranges server, client;
    gb__cpus all;
    gb_placement to;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dir[] = "/tmp/gilbench-cpus-XXXXXX", got[256];
        cpu_set_t allowed = cpu_set_of(cases[i].allowed);
        if (!mkdtemp(dir)) return;
        fake_cpus(dir, cases[i].count, cases[i].kind[0], cases[i].kind[1]);
        gb__cpus_read(&all, dir, &allowed);
        bool fine = gb__place_cpus(&all, cases[i].quota, cases[i].server, cases[i].client, &to);
        snprintf(got, sizeof got, "%.100s | %.100s",
                 gb__cpus_text(to.server_cpus, to.server_cpu_count, server),
                 gb__cpus_text(to.client_cpus, to.client_cpu_count, client));
        is_str(fine ? got : "none", cases[i].want ? cases[i].want : "none",
               "CPUs %s of %d (%s), quota %g, server %d, client %d", cases[i].allowed,
               cases[i].count, cases[i].kind, cases[i].quota, cases[i].server, cases[i].client);
        if (i == 22) {
            is_u64((uint64_t)to.server_cpus[2], 4, "of 16, the third CPU is the third core's");
            is_u64((uint64_t)to.server_cpus[6], 1, "of 6 cores, the seventh is a second one");
            is_u64((uint64_t)all.per_core, 2, "two CPUs share a core");
        }
        remove_tree(dir);
    }
}

// Where the kernel lets nobody choose, all stays where it is, and a number of CPUs can't be had.
static void test_no_choice(void)
{
    gb_placement to;
    gb_host host;
    gb_error error;
    int status, one = 1;
    pid_t child = fork();
    if (!child) {
        if (!refuse_call(SYS_sched_setaffinity)) _exit(2);
        bool left = !gb__place_here(0, NULL, 0, 0, &to, &error) && !to.server_cpu_count;
        gb_host_read(&host);
        _exit(!(left && host.cpus && gb__place_here(0, &one, 1, 0, &to, &error) == GB_USAGE));
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) ok(true, "no filter here # SKIP");
    else ok(!status, "nothing is placed where sched_setaffinity is refused");
}

static void test_affinity(void)
{
    cpu_set_t before, now, after;
    gb_error error;
    gb__cpus here;
    int out_of_reach = GB_MAX_CPUS - 1;
    gb__cpus_here(&here);
    sched_getaffinity(0, sizeof after, &after);
    ok(here.count == CPU_COUNT(&after), "%d CPUs here", here.count);
    ok(!gb__enter_cpus(&here.of[here.count - 1].number, 1, &before, &error), "onto the last");
    sched_getaffinity(0, sizeof now, &now);
    ok(CPU_COUNT(&now) == 1 && CPU_ISSET((size_t)here.of[here.count - 1].number, &now), "there");
    ok(CPU_EQUAL(&before, &after), "what it had before is known");
    sched_setaffinity(0, sizeof before, &before);
    ok(gb__enter_cpus(&out_of_reach, 1, &before, &error) == GB_SYSTEM &&
           strstr(error.text, "can't run on CPU 1023: "), "%s", error.text);
    ok(!gb__enter_cpus(NULL, 0, &before, &error), "nothing to do");
}

// Kernels differ in what they offer, so files of the same shape stand in for both kinds.
static void test_files(void)
{
    char dir[] = "/tmp/gilbench-proc-XXXXXX", path[128];
    gb__pids tree = {0};
    gb__buf text = {0};
    if (!mkdtemp(dir)) return;
    for (int i = 1; i <= 2; i++) {
        snprintf(path, sizeof path, "%s/%d", dir, i);
        mkdir(path, 0700);
        snprintf(path, sizeof path, "%s/%d/children", dir, i);
        write_text(path, i == 1 ? "20 21 " : "22 20 ");
        snprintf(path, sizeof path, "%s/%d/cpu.max", dir, i);
        write_text(path, i == 1 ? "max 100000\n" : "50000 100000\n");
    }
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    write_text(path, "200000 100000\n");
    gb__pids_add(&tree, 1);
    ok(gb__tree_children(&tree, dir, &text), "children of two threads");
    is_u64(tree.count, 4, "each once");
    near(gb__cgroup_cpus(dir, gb__slice("/1/gone"), &text), 2, 0,
         "the quota of the parent's parent");
    near(gb__cgroup_cpus(dir, gb__slice("/2"), &text), 0.5, 0, "the tighter one");
    near(gb__cgroup_cpus(dir, gb__slice(""), &text), 2, 0, "the mount's own");
    snprintf(path, sizeof path, "rm -r %s", dir);
    ok(!system(path), "tidied up");
    gb__pids_free(&tree);
    gb__buf_free(&text);
}

// ---- real processes ----

typedef struct family {
    int child, to, from;
} family;

// Straight from the kernel and touched by it: a sanitizer's allocator has shadows and hesitates to
// give back.
static void *take(void)
{
    return mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                -1, 0);
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * GB__NS + (uint64_t)t.tv_nsec;
}

static void burn(uint64_t cpu_ns)
{
    uint64_t end = thread_cpu_ns() + cpu_ns;
    while (thread_cpu_ns() < end) continue;
}

// BLOCK bytes of a file, read into memory.
static FILE *shared_file;

static void *map_file(void)
{
    return mmap(NULL, BLOCK, PROT_READ, MAP_SHARED | MAP_POPULATE, fileno(shared_file), 0);
}

static void make_file(void)
{
    char block[4096] = {1};
    shared_file = tmpfile();
    for (size_t i = 0; shared_file && i < BLOCK / sizeof block; i++)
        fwrite(block, sizeof block, 1, shared_file);
    if (!shared_file || fflush(shared_file)) exit(1);
}

// Does what it is told, a letter at a time, and answers each.
static void obey(int from, int to)
{
    int grandchild = 0;
    void *memory = NULL;
    char order;
    while (read(from, &order, 1) == 1) {
        if (order == 'm') memory = take();
        if (order == 'o') map_file();
        if (order == 'f' && munmap(memory, BLOCK)) break;
        if (order == 'b') burn(GB__NS / 2);
        for (int i = 0; order == 's' && i < 50; i++) usleep(100);
        if (order == 'k' && kill(grandchild, SIGKILL) == 0) waitpid(grandchild, NULL, 0);
        if (order == 'g' && !(grandchild = fork())) {
            take();
            while (write(to, "g", 1) == 1) pause();
            _exit(0);
        }
        if (order != 'g' && write(to, &order, 1) != 1) break;
    }
    if (grandchild > 0) kill(grandchild, SIGKILL);
    _exit(0);
}

static family start_family(void)
{
    int orders[2], answers[2];
    family f = {0};
    if (pipe(orders) || pipe(answers) || (f.child = fork()) < 0) exit(1);
    if (!f.child) {
        close(orders[1]);
        obey(orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    f.to = orders[1];
    f.from = answers[0];
    return f;
}

static void tell(const family *f, char order)
{
    char answer = 0;
    if (write(f->to, &order, 1) != 1 || read(f->from, &answer, 1) != 1 || answer != order)
        ok(false, "the child did what it was told: %c", order);
}

static gb_usage usage_of(const family *f, bool exact)
{
    gb_usage usage;
    gb_error error;
    if (gb_usage_read(f->child, exact, &usage, &error)) ok(false, "%s", error.text);
    return usage;
}

static size_t scan(int root)
{
    gb__pids tree = {0};
    gb__buf text = {0};
    gb__pids_add(&tree, root);
    gb__tree_scan(&tree, &text);
    size_t count = tree.count;
    gb__pids_free(&tree);
    gb__buf_free(&text);
    return count;
}

static void test_memory(const family *f)
{
    gb_usage before = usage_of(f, true);
    is_u64(before.processes, 1, "a child alone");
    is_u64(before.threads, 1, "with one thread");
    ok(before.rss && before.pss && before.uss && before.rss_peak, "it has memory");
    ok(before.uss <= before.pss && before.pss <= before.rss + MIB, "USS <= PSS <= RSS");
    tell(f, 'm');
    gb_usage grown = usage_of(f, false);
    near((double)(grown.rss - before.rss) / MIB, 32, 4, "32 MiB more");
    is_u64(grown.pss + grown.uss, 0, "PSS and USS only when asked for");
    tell(f, 'g');
    gb_usage both = usage_of(f, true);
    is_u64(both.processes, 2, "a grandchild is found");
    is_u64(scan(f->child), 2, "the slow way, too");
    ok(both.rss >= before.rss + 62 * MIB, "RSS counts shared pages twice");
    near(((double)both.pss - (double)before.pss) / MIB, 64, 4, "PSS counts them once");
    tell(f, 'k');
    is_u64(usage_of(f, false).processes, 1, "and is missed");
    tell(f, 'f');
    gb_usage after = usage_of(f, false);
    ok(after.rss_peak >= grown.rss - 2 * MIB, "the peak stays");
    gb_peak_reset(f->child);
    gb_usage reset = usage_of(f, false);
    ok(reset.rss_peak < after.rss_peak - 28 * MIB, "until it is reset");
    tell(f, 'm');
    ok(usage_of(f, false).rss_peak > reset.rss_peak + 28 * MIB, "then it is a new one");
}

static double blocks(uint64_t bytes, uint64_t before)
{
    return ((double)bytes - (double)before) / BLOCK;
}

// Each page once, whoever else has it, and what was there at the peak.
static void test_service(void)
{
    family f = start_family();
    uint64_t empty = usage_of(&f, true).service;
    tell(&f, 'm');
    near(blocks(usage_of(&f, true).service, empty), 1, 0.05, "a block of its own");
    tell(&f, 'g');
    near(blocks(usage_of(&f, true).service, empty), 2, 0.1,
         "shared with a child by fork it counts once, beside the child's own");
    tell(&f, 'o');
    gb_usage alone = usage_of(&f, true);
    near(blocks(alone.service, empty), 3, 0.1, "a file's pages count");
    void *mine = map_file();
    gb_usage company = usage_of(&f, true);
    near(blocks(company.service, alone.service), 0, 0.02, "and don't get fewer by a stranger");
    near(blocks(alone.pss, company.pss), 0.5, 0.1, "as PSS does");
    munmap(mine, BLOCK);
    tell(&f, 'k');
    tell(&f, 'f');
    near(blocks(usage_of(&f, true).service, empty), 2, 0.1, "what is gone counts at its peak");
    gb_peak_reset(f.child);
    near(blocks(usage_of(&f, true).service, empty), 1, 0.1, "until that is reset");
    is_u64(usage_of(&f, false).service, 0, "not when it isn't asked for");
    close(f.to);
    close(f.from);
    waitpid(f.child, NULL, 0);
}

static void test_smaps(void)
{
    static const char text[] =
        "7f00-7f10 r-xp 00000000 fe:01 77     /lib/a b.so\nRss:       100 kB\nAnonymous:   20 kB\n"
        "7f20-7f30 rw-p 00010000 fe:01 77     /lib/a b.so\nRss:        10 kB\nAnonymous:   10 kB\n"
        "7f40-7f50 rw-p 00000000 00:00 0      [heap]\nRss:       500 kB\nAnonymous:  300 kB\n"
        "7f60-7f70 r--p 00000000 fe:02 77     /lib/b.so\nRss:         7 kB\nAnonymous:    0 kB\n";
    gb__files files = {0};
    gb__parse_smaps(text, &files);
    gb__parse_smaps("7f00-7f10 r-xp 0 fe:01 77 x\nRss: 90 kB\nAnonymous: 5 kB\n"
                    "1-2 r-xp 0 fe:02 77 x\nRss: 9 kB\nAnonymous: 0 kB\n", &files);
    is_u64(files.count, 2, "two files, told apart by device and inode");
    is_u64(files.count == 2 ? files.items[0].most : 0, 85 * 1024, "the most of one, first process");
    is_u64(files.count == 2 ? files.items[1].most : 0, 9 * 1024, "of the other, second process");
    free(files.items);
}

static void test_cpu(const family *f)
{
    gb_usage before = usage_of(f, false);
    tell(f, 'b');
    gb_usage busy = usage_of(f, false);
    double ms = (double)(busy.user_ns + busy.system_ns - before.user_ns - before.system_ns) / 1e6;
    near(ms, 500, 5, "half a second of CPU time, to 1 %%: %.3f ms", ms);
    tell(f, 's');
    gb_usage slept = usage_of(f, false);
    ok(slept.context_switches >= busy.context_switches + 50, "50 naps, 50 context switches");
}

static void test_end(family *f)
{
    struct rusage rusage;
    gb_usage usage = usage_of(f, false);
    gb_error error = {GB_OK, ""};
    close(f->to);
    close(f->from);
    wait4(f->child, NULL, 0, &rusage);
    double all = (double)rusage.ru_utime.tv_sec + (double)rusage.ru_stime.tv_sec +
                 (double)(rusage.ru_utime.tv_usec + rusage.ru_stime.tv_usec) / 1e6;
    near((double)(usage.user_ns + usage.system_ns) / 1e9, all, 0.05, "CPU time as in getrusage");
    is_u64((uint64_t)gb_usage_read(f->child, false, &usage, &error), GB_SYSTEM, "a child gone");
    char want[128];
    snprintf(want, sizeof want, "can't read /proc/%d/stat: No such file or directory; ", f->child);
    ok(!strncmp(error.text, want, strlen(want)), "%s", error.text);
    is_u64(usage.rss + usage.processes, 0, "leaves no numbers behind");
    ok(gb_usage_read(-1, true, &usage, NULL) == GB_SYSTEM, "no process has the number -1");
    gb_peak_reset(f->child);  // of a process that is gone: nothing happens
}

// CPU time of threads that have ended is what the process spent all the same.
static void *burn_thread(void *unused)
{
    burn(GB__NS / 10);
    return unused;
}

static void test_threads(void)
{
    gb_usage before, after;
    pthread_t thread;
    gb_usage_read(getpid(), false, &before, NULL);
    if (pthread_create(&thread, NULL, burn_thread, NULL)) return;
    pthread_join(thread, NULL);
    gb_usage_read(getpid(), false, &after, NULL);
    double ms = (double)(after.user_ns + after.system_ns - before.user_ns - before.system_ns) / 1e6;
    ok(ms >= 100 && ms < 150, "a thread that ended still counts: %.1f ms", ms);
}

static size_t open_files(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_sampler(void)
{
    size_t open_before = open_files();
    family f = start_family();
    gb__sampler s = {.pid = f.child};
    tell(&f, 's');
    uint64_t before = usage_of(&f, false).rss;
    gb__sample(&s);
    near((double)s.rss_last, (double)before, 2 * MIB, "what the child has resident");
    tell(&f, 'm');
    gb__sample(&s);
    near((double)(s.rss_last - before) / MIB, 32, 4, "32 MiB more");
    near((double)s.rss_sum, (double)(2 * before + 32 * MIB), 8 * MIB, "both are in the sum");
    tell(&f, 'g');
    gb__sample(&s);
    near((double)(s.rss_last - before) / MIB, 32, 4, "new processes are looked for once a second");
    s.rescan = 0;
    gb__sample(&s);
    ok(s.rss_last > before + 62 * MIB, "then they are in it");
    tell(&f, 'k');
    close(f.to);
    waitpid(f.child, NULL, 0);
    s.samples = s.rss_sum = 0;
    gb__sample(&s);
    is_u64(s.rss_sum + s.samples, 0, "nobody there: no sample, no zero in the mean");
    gb__sampler_free(&s);
    close(f.from);
    is_u64(open_files(), open_before, "no descriptor is left");
}

static void test_host(void)
{
    gb_host host;
    struct utsname name;
    uname(&name);
    gb_host_read(&host);
    is_str(host.hostname, name.nodename, "hostname");
    ok(strstr(host.kernel, name.release) != NULL, "kernel: %s", host.kernel);
    ok(host.cpu_model[0], "CPU: %s", host.cpu_model);
    ok(host.cpus > 0 && host.cpus <= sysconf(_SC_NPROCESSORS_CONF), "CPUs: %d", host.cpus);
    near((double)host.memory,
         (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), 4096, "memory");
    ok(host.load_1min >= 0 && host.cgroup_cpus >= 0, "load %.2f, quota %.2f", host.load_1min,
       host.cgroup_cpus);
    diag("governor \"%s\", steal %.3f s", host.governor, (double)host.steal_ns / 1e9);
}

int main(void)
{
    test_stat();
    test_memory_texts();
    test_host_texts();
    test_files();
    make_file();
    test_smaps();
    test_service();
    family f = start_family();
    test_memory(&f);
    test_cpu(&f);
    test_end(&f);
    test_threads();
    test_sampler();
    test_host();
    test_placement();
    test_affinity();
    test_no_choice();
    return tap_end();
}
