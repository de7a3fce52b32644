# Who waits for what, of applications in which that is planted: `gilbench why` is to find it first.
# A few are run, up to three times where the machine is too busy to show it; all of them 20 times each
# by GILBENCH_PLANTED=20, and 19 must find it. With JOBS=8 eight run at a time, by taskset on two CPUs
# each (0 and 1, 2 and 3, ...). On 16 CPUs the first ones take a minute, all of them six. A run is of
# one application and one build, in turn.
#
#     GILBENCH_PLANTED=20 JOBS=8 timeout 240 perl -Itests tests/planted.t [NAME...]
#
# At the end, or when it is stopped (TERM, INT), a table on stderr says how many of how many runs found
# it, and what the others saw instead. It needs build/gilbench and both builds, in ~/.cache/gilbench or
# where GILBENCH_PYTHONS says.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);

my @pair = pair();
plan skip_all => 'no pair of builds is here' unless @pair;
my %build = (gil => $pair[0]{executable}, ft => $pair[1]{executable});
my $times = $ENV{GILBENCH_PLANTED} || 1;
my $jobs = $ENV{JOBS} || 1;

# ---- the applications ----

# In front of each: sum(range(FIVE_MS)) holds the GIL for about 5 ms; clock() and clock_off_cpu() add
# to what is written to NAME.clock at the end, the latter with what the thread was in line for a CPU.
my $common = <<'E';
import atexit, collections, functools, gc, hashlib, itertools, json, logging, os, queue, random
import signal, sqlite3, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
now = time.perf_counter_ns
HERE = os.path.dirname(os.path.abspath(__file__))
def one():
    began = now()
    sum(range(100000))
    return now() - began
FIVE_MS = int(5e6 / min(one() for _ in range(9)) * 100000)
PIPES = threading.local()
def pipe():
    if not hasattr(PIPES, 'ends'):
        PIPES.ends = os.pipe()
        os.write(PIPES.ends[1], b'x')
    return PIPES.ends
TOOK = collections.deque()
def clock(began):
    TOOK.append((began, now(), 0))
def delay():
    with open('/proc/thread-self/schedstat') as f:
        return int(f.read().split()[1])
def clock_off_cpu(call, *args):
    waited, cpu, began = delay(), time.thread_time_ns(), now()
    call(*args)  # waits
    ended = now() - time.thread_time_ns() + cpu
    TOOK.append((began, ended, delay() - waited))
def tell():
    with open(HERE + f'/{__name__}.clock', 'w') as f:
        f.writelines('%d %d %d\n' % took for took in TOOK)
atexit.register(tell)
HEAD = [('Content-Type', 'text/plain'), ('Content-Length', '4')]
def answer(start_response):
    start_response('200 OK', HEAD)
    return [b'done']
async def respond(send):
    await send({'type': 'http.response.start', 'status': 200,
                'headers': [(b'content-length', b'4')]})
    await send({'type': 'http.response.body', 'body': b'done'})
def asgi(handle):
    async def app(scope, receive, send):
        if scope['type'] == 'http':
            await handle(scope['path'])
            await respond(send)
    return app
def wsgi(handle):
    def app(environ, start_response):
        handle(environ['PATH_INFO'])
        return answer(start_response)
    return app
E

# The pair of lines, and who calls them.
my $lines = <<'E';
def holds():
    return sum(range(FIVE_MS))  # holds
def waits():
    for _ in range(20):
        time.sleep(0.0005)  # waits
E
my $both = "app = wsgi(lambda path: holds() if path == '/hold' else waits())\n";

my @planted;  # { name, build, source, options, finds }
sub planted {
    my ($name, $builds, $options, $source, $finds) = @_;
    push @planted, map { { name => $name, build => $_, options => $options, source => $source,
        finds => $finds } } split ' ', $builds;
}

# What most was waited for: the first of the list, as "kind: waiter <- holder, object".
sub row {
    my ($w) = @_;
    return 'nothing' if !$w;
    return sprintf '%s %.0f ms: %s [%s] <- %s [%s], %s', @$w{qw(kind ms waiter waiter_source holder
        holder_source object)};
}
sub first { row(($_[0]{waits} // [])->[0]) }
sub sees { my ($like) = @_; return sub { my ($round) = @_; first($round) =~ $like ? '' : first($round) } }

my @mix = ('--requests', save('mix.jsonl', qq({"path":"/hold"}\n{"path":"/wait","weight":3}\n)));
my @four = qw(--threads 4 --connections 4);

# Lines that hold the GIL, and lines that wait for it.
my $pair = sees(qr{^GIL .*# waits\] <- .*# holds\]});
planted('pair', 'gil', [@four, @mix], $lines . $both, $pair);
planted('pair-2', 'gil', [qw(--threads 2 --connections 2), @mix], $lines . $both, $pair);
planted('pair-32', 'gil', [qw(--threads 32 --connections 32), @mix], $lines . $both, $pair);
planted('pair-workers', 'gil', [qw(--workers 2 --threads 2 --connections 4), @mix], $lines . $both, $pair);
planted('generator', 'gil', [@four, @mix], $lines . <<'E', $pair);
def numbers():
    while True:
        yield sum(range(FIVE_MS))  # holds
def app(environ, start_response):
    waits() if environ['PATH_INFO'] == '/wait' else next(numbers())
    return answer(start_response)
E
planted('bytecode', 'gil', [@four], $lines . <<'E', $pair);
def computes():
    while True: sum((1, 2, 3))  # holds
threading.Thread(target=computes, daemon=True).start()
app = wsgi(lambda path: waits())
E
planted('coroutine', 'gil', ['--connections', 4, @mix], $lines . <<'E', $pair);
import asyncio
async def holds():
    sum(range(FIVE_MS))  # holds
async def handle(path):
    if path == '/hold': await holds()
    else: await asyncio.get_running_loop().run_in_executor(None, waits)
app = asgi(handle)
E
planted('async-generator', 'gil', ['--connections', 4, @mix], $lines . <<'E', $pair);
import asyncio
async def numbers():
    while True:
        yield sum(range(FIVE_MS))  # holds
async def handle(path):
    if path == '/wait': return await asyncio.get_running_loop().run_in_executor(None, waits)
    async for n in numbers(): break
app = asgi(handle)
E
planted('executors', 'gil', ['--connections', 4, @mix], $lines . <<'E', $pair);
import asyncio
async def handle(path):
    await asyncio.get_running_loop().run_in_executor(None, holds if path == '/hold' else waits)
app = asgi(handle)
E
planted('hashlib', 'gil', [@four, @mix], $lines . <<'E', $pair);
DATA = bytes(100000)
def hashes():
    for _ in range(20): hashlib.sha256(DATA)  # waits
app = wsgi(lambda path: holds() if path == '/hold' else hashes())
E
planted('sqlite', 'gil', [qw(--threads 2 --connections 2)], $lines . <<'E', $pair);
OWN = threading.local()
SUM = ('with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000) '
       'select sum(n) from c')
def rows():
    if not hasattr(OWN, 'db'): OWN.db = sqlite3.connect(':memory:')
    for _ in range(20):
        list(OWN.db.execute(SUM))  # waits
def computes():
    while True: holds()
threading.Thread(target=computes, daemon=True).start()
app = wsgi(lambda path: rows())
E

# Locks that are held over a wait: first on both builds.
my $over = sub {
    my ($make, $name) = @_;
    return (<<"E", sees(qr{^lock .*# waits\] <- .*$name}));
LOCK = $make
def locked(path):
    with LOCK:  # waits
        time.sleep(0.003)
app = wsgi(locked)
E
};
planted('lock', 'gil ft', [@four], $over->('threading.Lock()', '_thread.lock \w+\.LOCK$'));
planted('lock-2', 'gil ft', [qw(--threads 2 --connections 2)],
    $over->('threading.Lock()', '_thread.lock \w+\.LOCK$'));
planted('lock-32', 'gil ft', [qw(--threads 32 --connections 32)],
    $over->('threading.Lock()', '_thread.lock \w+\.LOCK$'));
planted('lock-processes', 'gil ft',
    [qw(--workers 2 --worker-model processes --threads 2 --connections 4)],
    $over->('threading.Lock()', '_thread.lock \w+\.LOCK$'));
planted('lock-groups', 'ft', [qw(--workers 2 --worker-model threads --threads 2 --connections 4)],
    $over->('threading.Lock()', '_thread.lock \w+\.LOCK$'));
planted('rlock', 'gil ft', [@four], $over->('threading.RLock()', '_thread.RLock \w+\.LOCK$'));
planted('logging', 'gil ft', [@four], <<'E', sees(qr{^lock .*Handler\.handle.*_thread\.RLock \S*\.lock$}));
LOG = logging.getLogger('planted')
class Slow(logging.StreamHandler):
    def emit(self, record):
        time.sleep(0.003)
HANDLER = Slow()
LOG.addHandler(HANDLER)
LOG.propagate = False
app = wsgi(lambda path: LOG.warning('hello'))
E
planted('condition', 'gil ft', [@four], <<'E', sees(qr{^lock .*Condition\.__enter__.*_thread\.RLock \S+\.LOCK\._lock$}));
LOCK = threading.Condition()
def locked(path):
    with LOCK:  # waits
        time.sleep(0.003)
        LOCK.notify()
app = wsgi(locked)
E
planted('executor-lock', 'gil ft', ['--connections', 4], <<'E',
import asyncio
LOCK = threading.Lock()
def locked():
    with LOCK:  # waits
        time.sleep(0.003)
async def handle(path):
    await asyncio.get_running_loop().run_in_executor(None, locked)
app = asgi(handle)
E
    sees(qr{^lock .*# waits\] .*_thread\.lock \S+\.LOCK$}));
planted('loop-lock', 'gil ft', ['--connections', 4], <<'E',
import asyncio
LOCK = threading.Lock()
def locked():
    with LOCK:
        time.sleep(0.003)
async def handle(path):
    await asyncio.sleep(0)
    running = asyncio.get_running_loop().run_in_executor(None, locked)
    time.sleep(0.001)
    with LOCK:  # waits
        pass
    await running
app = asgi(handle)
E
    sees(qr{^lock .*# waits\] .*_thread\.lock \S+\.LOCK$}));

# Who looks for the line and the lock among many objects has little of the CPUs, and of the GIL.
planted('background', 'gil ft', [@four], <<'E', sees(qr{^(lock|GIL) .*# (waits|computes)\]}));
LOCK, OTHERS = threading.Lock(), [[n] for n in range(100000)]
def computes():
    while True: sum((1, 2, 3))  # computes
for _ in range(4): threading.Thread(target=computes, daemon=True).start()
def locked(path):
    with LOCK: time.sleep(0.003)  # waits
app = wsgi(locked)
E

# Locks that CPython has where there is no GIL. Where there is one, they aren't waited for.
my $inner = sub {
    my ($name, $finds, $source) = @_;
    planted($name, 'ft', [@four], $source, sees($finds));
    planted($name, 'gil', [@four], $source, sub {
        my ($round) = @_;
        return $round->{waits_ms}{lock} < 0.01 * $round->{waits_ms}{gil} ? '' : first($round);
    });
};
$inner->('dict', qr{^lock .*# waits\] .*dict \w+\.CACHE$}, <<'E');
CACHE = dict.fromkeys(range(100000))
app = wsgi(lambda path: CACHE.copy())  # waits
E
$inner->('list', qr{^lock .*# waits\] .*list \w+\.HISTORY$}, <<'E');
HISTORY = [0] * 200000
app = wsgi(lambda path: HISTORY.copy())  # waits
E
$inner->('set', qr{^lock .*# waits\] .*set \w+\.SEEN$}, <<'E');
SEEN = set(range(50000))
app = wsgi(lambda path: SEEN.copy())  # waits
E
$inner->('lru_cache', qr{^lock .*# waits\] .*functools\._lru_cache_wrapper \w+\.cached$}, <<'E');
class Key:
    def __hash__(self): return 1
    def __eq__(self, other): return sum(range(20000)) > 0
@functools.lru_cache
def cached(key): return 1
app = wsgi(lambda path: cached(Key()))  # waits
E
$inner->('dict-writes', qr{^lock .*# waits\] .*dict \w+\.HITS$}, <<'E');
HITS = {}
def counts(path):
    for n in range(5000):
        HITS[n & 15] = n  # waits
app = wsgi(counts)
E
$inner->('lock-short', qr{^lock .*(# waits|# held)\] .*_thread\.lock \w+\.LOCK$}, <<'E');
LOCK, N = threading.Lock(), 0
def counts(path):
    global N
    for _ in range(2000):
        with LOCK:  # waits
            N += 1  # held
app = wsgi(counts)
E
$inner->('queue', qr{^lock .*_thread\.lock \w+\.JOBS\.mutex$}, <<'E');
JOBS = queue.Queue()
def jobs(path):
    for _ in range(100):
        JOBS.put(1)
        JOBS.get()
app = wsgi(jobs)
E

# To be told isn't contention.
my $told = sub {
    my ($round) = @_;
    my %ms = %{ $round->{waits_ms} };
    return $ms{event} > 300 && $ms{lock} < 0.05 * $ms{event} ? '' : "$ms{event} ms events, $ms{lock} locks";
};
planted('event', 'gil ft', [@four], <<'E', $told);
def told(path):
    done = threading.Event()
    threading.Timer(0.005, done.set).start()
    done.wait()
app = wsgi(told)
E
planted('queue-get', 'gil ft', [@four], <<'E', $told);
JOBS = queue.Queue()
def work():
    while True:
        done = JOBS.get()
        time.sleep(0.002)
        done.put(1)
threading.Thread(target=work, daemon=True).start()
def ask(path):
    done = queue.SimpleQueue()
    JOBS.put(done)
    done.get()
app = wsgi(ask)
E
planted('future', 'gil ft', [@four], <<'E', $told);
POOL = ThreadPoolExecutor(2)
app = wsgi(lambda path: POOL.submit(time.sleep, 0.003).result())
E

# A world that is stopped.
planted('wraps', 'ft', [@four], <<'E', sees(qr{^world .*<- functools\.py:\d+ update_wrapper}));
def busy(): return [n for n in range(300)]
app = wsgi(lambda path: functools.wraps(busy)(lambda: busy())())
E
planted('collect', 'ft', [@four], <<'E',
KEPT = [[n] for n in range(20000)]
def collects(path):
    if random.random() < 0.2:
        gc.collect()  # stops
    [n for n in range(3000)]
app = wsgi(collects)
E
    sees(qr{^world .*\[gc\.collect\(\)  # stops\], a collection of garbage}));

# Nothing is shared: of the time of the threads, none of the list has above 1 %.
my $alone = <<'E';
def alone(path):
    own = {}
    for n in range(20000): own[n] = n
app = wsgi(alone)
E
planted('alone', 'ft', [@four], $alone, sub {
    my ($round) = @_;
    my ($most) = sort { $b->{ms} <=> $a->{ms} } @{ $round->{waits} };
    return $most && $most->{ms} > 0.01 * 4000 * $round->{seconds} ? row($most) : '';
});
planted('alone-1', 'gil', [qw(--threads 1 --connections 1)], $alone, sub {
    my ($round) = @_;
    return $round->{waits}[0] && $round->{waits}[0]{ms} > 10 * $round->{seconds} ? first($round) : '';
});

# Reference counts, among 100,000 objects.
my $config = <<'E';
class Config:
    debug = False
CONFIG, OTHERS = Config(), [[n] for n in range(100000)]
E
my $shared = sub {
    my ($object) = @_;
    return sub {
        my ($round) = @_;
        my $first = $round->{counts_seen} ? $round->{shared}[0]{object} // 'none' : 'not seen';
        return $first eq $object ? '' : $first;
    };
};
my $reads = $config . <<'E';
def app(environ, start_response):
    for _ in range(3000):
        c = CONFIG
        c.debug
    return answer(start_response)
E
planted('counts', 'ft', [@four], $reads, $shared->('Config planted_counts.CONFIG'));
# On one CPU nobody can see them change: then it isn't said that none did.
planted('counts-cpu', 'ft', [@four, '--server-cpus', 1, '--duration', 0.1], $reads =~ s{100000}{100}r, sub {
    my ($round) = @_;
    return $round->{counts_seen} && !@{ $round->{shared} // [] } ? 'none' : '';
});
planted('counts-alone', 'ft', [@four], $config . <<'E', $shared->('none'));
def app(environ, start_response):
    own = Config()
    for _ in range(3000):
        c = own
        c.debug
    return answer(start_response)
E

# ---- the sums ----

# What a line waits for, a lock and then the GIL, by the application's own clock, within 10 %. The
# window ends with the last wait.
my @clock = ('--duration', '0.6');
sub told {
    my ($round, $told) = @_;
    my @took = map { [split] } split /\n/, $told;
    my ($end) = sort { $b <=> $a } map { $_->[1] } @took;
    return grep { $_->[1] > $end - 1e9 * $round->{seconds} } @took;
}
my $agrees = sub {
    my ($which) = @_;
    return sub {
        my ($round, $told) = @_;
        my ($most, $least, $seen) = (0, 0, 0);
        for (told($round, $told)) {
            $most += ($_->[1] - $_->[0]) / 1e6;
            $least += ($_->[1] - $_->[0] - $_->[2]) / 1e6;
        }
        $seen += $_->{ms} for grep { row($_) =~ $which } @{ $round->{waits} };
        return $most && $seen > 0.9 * $least && $seen < 1.1 * $most ? ''
            : sprintf '%.1f ms of %.1f to %.1f; %s', $seen, $least, $most, first($round);
    };
};
for my $lock ('Lock', 'RLock', 'Condition') {
    planted(lc "clock-$lock", 'gil ft', [@four, @clock], <<"E", $agrees->(qr{with LOCK:|Condition\.__enter__}));
LOCK = threading.$lock()
def locked(path):
    began = now()
    with LOCK:
        clock(began)
        time.sleep(0.003)
app = wsgi(locked)
E
}
planted('clock-executor', 'gil ft', ['--connections', 4, @clock], <<'E', $agrees->(qr{with LOCK:|Condition\.__enter__}));
import asyncio
LOCK = threading.Lock()
def locked():
    began = now()
    with LOCK:
        clock(began)
        time.sleep(0.003)
async def handle(path):
    await asyncio.get_running_loop().run_in_executor(None, locked)
app = asgi(handle)
E
planted('clock-event', 'gil ft', [@four, @clock], <<'E', $agrees->(qr{^(event|GIL) .*Condition\.wait}));
ASKED = queue.SimpleQueue()
def tells():
    while True:
        done = ASKED.get()
        time.sleep(0.002)
        done.set()
threading.Thread(target=tells, daemon=True).start()
def told(path):
    done = threading.Event()
    ASKED.put(done)
    began = now()
    done.wait()
    clock(began)
app = wsgi(told)
E
# What a thread was not on a CPU, with or without what it was in line for one, by the kernel.
planted('clock-gil', 'gil', [@four, @clock], <<'E', $agrees->(qr{# waits\] <-}));
DATA = bytes(500000)
def computes():
    while True: sum(range(FIVE_MS))
threading.Thread(target=computes, daemon=True).start()
def hashes():
    for _ in range(4): clock_off_cpu(hashlib.sha256, DATA)
app = wsgi(lambda path: hashes())
E
planted('clock-world', 'ft', [qw(--threads 2 --connections 2), @clock], <<'E', $agrees->(qr{^world}));
KEPT = [[n] for n in range(30000)]
def collects():
    for _ in range(10000): [n for n in range(5)]
    if random.random() < 0.5: gc.collect()
app = wsgi(lambda path: clock_off_cpu(collects))
E

# The parts of a request's time, of those that are timed, add up to what the application's clock and
# the client saw of it: within 2 %, and three standard errors of the mean of one request in four.
my $adds = sub {
    my ($round, $told) = @_;
    my @took = map { ($_->[1] - $_->[0]) / 1000 } told($round, $told) or return 'the application told nothing';
    my ($n, $sum, $squares, $parts) = (scalar @took, 0, 0, 0);
    $sum += $_, $squares += $_ * $_ for @took;
    my $own = $sum / $n;
    my $off = 0.02 * $own + 3 * sqrt(abs($squares / $n - $own * $own) / ($n / 4));
    $parts += $round->{anatomy_us}{$_}{mean} // 0 for qw(read attach_wait lock_wait world_wait app write);
    my $whole = 1000 * $round->{latency_ms}{mean};
    return $parts > $own - $off && $parts < $whole + $off ? ''
        : sprintf '%.0f us of %.0f to %.0f, +- %.0f', $parts, $own, $whole, $off;
};
my @long = ('--duration', '0.6');
planted('parts-lock', 'gil ft', [@long, qw(--threads 2 --connections 2)], <<'E', $adds);
LOCK = threading.Lock()
def locked(path):
    began = now()
    with LOCK:
        time.sleep(0.004)
    clock(began)
app = wsgi(locked)
E
planted('parts-gil', 'gil', [@long, qw(--threads 2 --connections 2)], <<'E', $adds);
def computes(path):
    began = now()
    for _ in range(3):
        sum(range(FIVE_MS // 4))
        time.sleep(0.001)
    clock(began)
app = wsgi(computes)
E
planted('parts-asgi', 'gil ft', [@long, '--connections', 4], <<'E', $adds);
import asyncio
async def handle(path):
    began = now()
    await asyncio.sleep(0.008)
    clock(began)
app = asgi(handle)
E
planted('parts-executor', 'gil ft', [@long, '--connections', 2], <<'E', $adds);
import asyncio
LOCK = threading.Lock()
def locked():
    with LOCK:
        time.sleep(0.004)
async def handle(path):
    began = now()
    await asyncio.get_running_loop().run_in_executor(None, locked)
    clock(began)
app = asgi(handle)
E

# ---- what it is to outlive ----

my $lives = sub { '' };
my $some = sub { my ($round) = @_; return $round->{requests} ? '' : 'no request' };
planted('forks', 'gil ft', [@four], <<'E', $some);
import warnings
warnings.simplefilter('ignore')
LOCK = threading.Lock()
def forks(path):
    with LOCK:
        pid = os.fork()
        if not pid:
            t = threading.Thread(target=lambda: time.sleep(0.001))
            t.start()
            t.join()
            os._exit(0)
    os.waitpid(pid, 0)
app = wsgi(forks)
E
planted('threads', 'gil ft', [@four], <<'E', $some);
LOCK, CACHE = threading.Lock(), dict.fromkeys(range(1000))
def locked():
    for _ in range(20):
        with LOCK: CACHE.copy()
def threads(path):
    all = [threading.Thread(target=locked) for _ in range(4)]
    for t in all: t.start()
    for t in all[:2]: t.join()
app = wsgi(threads)
E
planted('intervals', 'gil ft', [@four], $lines . <<'E', $some);
def changes(path):
    sys.setswitchinterval(random.choice((1e-6, 1e-4, 0.005)))
    holds() if random.random() < 0.2 else waits()
app = wsgi(changes)
E
planted('rows', 'gil ft', [@four], <<'E', sees(qr{^lock .*# waits\].*_thread\.lock}));
LOCKS = [threading.Lock() for _ in range(4000)]
TURN = itertools.count()
def many(path):
    lock = LOCKS[next(TURN) // 4 % 4000]
    with lock:  # waits
        time.sleep(0.0002)
app = wsgi(many)
E
planted('codes', 'gil ft', [@four], <<'E', sees(qr{^lock .*: (code that was not found|made-\d+:2 f|other lines) }));
LOCK = threading.Lock()
def compiled(path):
    names = dict(LOCK=LOCK, time=time)
    exec(compile('def f():\n with LOCK: time.sleep(0.0002)\nf()', f'made-{now()}', 'exec'), names)
app = wsgi(compiled)
E
planted('resets', 'gil ft', [@four, qw(--timeout 0.006)], <<'E', $lives);
LOCK = threading.Lock()
def locked(path):
    with LOCK: time.sleep(random.random() / 250)
app = wsgi(locked)
E
planted('resets-asgi', 'gil ft', [qw(--connections 8 --timeout 0.006)], <<'E', $lives);
import asyncio
LOCK = threading.Lock()
def locked():
    with LOCK: time.sleep(random.random() / 250)
async def handle(path):
    await asyncio.get_running_loop().run_in_executor(None, locked)
app = asgi(handle)
E
planted('exits', 'gil ft', [qw(--workers 2 --worker-model processes --threads 2 --connections 4)], <<'E', $lives);
LOCK = threading.Lock()
def exits(path):
    if random.random() < 0.01: os._exit(3)
    with LOCK: time.sleep(0.001)
app = wsgi(exits)
E

# ---- running them ----

my %few = map { $_ => 1 } ('pair gil', 'executor-lock ft', 'clock-lock gil', 'counts-cpu ft');
my @asked = @ARGV;
my @all = grep {
    my $p = $_;
    @asked ? grep { $_ eq $p->{name} } @asked : $ENV{GILBENCH_PLANTED} || $few{"$p->{name} $p->{build}"}
} @planted;
$_->{runs} = $_->{good} = 0 for @all;
(my $where = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m ? $1 : '0');
my @cpus = map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $where;

sub begin {
    my ($p, $slot, $id) = @_;
    my $dir = "$top/$id";
    my $module = "planted_$p->{name}" =~ tr/-/_/r;
    save("$id/$module.py", $common . $p->{source});
    my $at = 2 * $slot + 1 < @cpus ? join(',', @cpus[2 * $slot, 2 * $slot + 1]) : '';
    my %usual = ('--duration' => 0.4, '--warmup' => 0.05);
    delete @usual{ @{ $p->{options} } };
    my $run = start({ dir => $dir }, ($jobs > 1 && $at ? ('taskset', '-c', $at) : ()), $gilbench, 'why',
        '--app', "$module.py:app", '--python', $build{ $p->{build} }, %usual, @{ $p->{options} },
        qw(--quiet --json why.json));
    return { planted => $p, run => $run, dir => $dir, module => $module, until => time + 60 };
}

# What a run found instead; '' when all is well.
sub judge {
    my ($r) = @_;
    my $status = ended($r->{run}, 0);
    my ($p, $err) = ($r->{planted}, slurp($r->{run}{err}));
    return "didn't end" if !defined $status;
    return "ended with $status: $err" if $status !~ /^[01]$/ || $err =~ /signal|core dumped|Fatal Python/;
    my $result = eval { decode_json(slurp("$r->{dir}/why.json")) };
    my $round = $result && $result->{cells}[0]{rounds}[0];
    return $p->{finds} == $lives && $err =~ /./ && $err !~ /can't load/ ? '' : "no result: $err" if !$round;
    return $p->{finds} == $lives ? '' : $round->{problem} if $round->{problem};
    return 'nobody noted waits' if !$round->{waits_noted};
    return $p->{finds}->($round, slurp("$r->{dir}/$r->{module}.clock"));
}

my @first = map { my $name = $_; grep { $_->{name} eq $name } @all }
    qw(pair lock dict list logging lru_cache alone wraps counts);
my @queue = ((map { @first } 1 .. $times),
    (map { grep { my $p = $_; !grep { $_ == $p } @first } @all } 1 .. $times));
sub over {
    my ($r) = @_;
    my $found = eval { judge($r) } // "can't be judged: $@";
    kill KILL => -$r->{run}{pid} if !defined $r->{run}{status};
    my $p = $r->{planted};
    $p->{runs}++;
    $p->{good}++ if $found eq '';
    push @{ $p->{instead} }, $found =~ s/\s+/ /gr if $found ne '';
    push @queue, $p if !$ENV{GILBENCH_PLANTED} && !$p->{good} && $p->{runs} < 3;
    system 'rm', '-rf', $r->{dir};
}

sub table {
    diag(sprintf '%-18s %-3s  %2d of %2d%s', @$_{qw(name build good runs)},
        join '', map { "\n        " . substr $_, 0, 240 } @{ $_->{instead} // [] }) for grep { $_->{runs} } @all;
    my $runs = 0;
    $runs += $_->{runs} for @all;
    diag(sprintf '%d runs of %d, %.0f s', $runs, $times * @all, time - $^T);
}
END { local $?; table() if $ENV{GILBENCH_PLANTED} }

my (@slots, $id);
while (@queue || grep { $_ } @slots) {
    for my $slot (0 .. $jobs - 1) {
        my $r = $slots[$slot];
        over($r), $r = $slots[$slot] = undef if $r && (defined ended($r->{run}, 0) || time > $r->{until});
        $slots[$slot] = begin(shift @queue, $slot, 'planted' . $id++) if !$r && @queue;
    }
    sleep 0.01;
}

# A server, which counts waits as well, under clients that vanish and that send anything.
sub outlives {
    my ($build, @more) = @_;
    my $app = save('fuzzed.py', $common . <<'E');
LOCK = threading.Lock()
def locked():
    with LOCK: time.sleep(random.random() / 2000)
def app(environ, start_response):
    locked()
    return answer(start_response)
async def loop(scope, receive, send):
    import asyncio
    if scope['type'] == 'lifespan': return
    await asyncio.get_running_loop().run_in_executor(None, locked)
    await respond(send)
E
    my $p = serve('--python', $build{$build}, '--app', "$app:$more[0]", @more[1 .. $#more]);
    my $request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    my @open;
    for (my $end = time + 2; time < $end;) {
        my $s = dial($p) or last;
        my $what = int rand 4;
        syswrite $s, !$what ? substr $request, 0, rand length $request
            : $what == 1 ? join '', map { chr rand 256 } 1 .. rand 300 : $request x rand 20;
        push @open, $s;
        my $gone = splice @open, rand @open, 1 if @open > rand 100;
        setsockopt $gone, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $gone;
    }
    my $s = dial($p);
    is($s && ask($s, '/'), 'done', "$build, @more: it answers after clients that vanished");
    is(stop($p), 0, '... and ends');
}
if ($ENV{GILBENCH_PLANTED} && !@asked) {
    for my $build ('gil', 'ft') {
        outlives($build, 'app', '--threads', 4);
        outlives($build, 'loop', '--interface', 'asgi');
    }
}
for my $p (@all) {
    ok($p->{good} >= $times - int($times / 20), "$p->{name}, $p->{build}: $p->{good} of $times")
        or $ENV{GILBENCH_PLANTED} or diag(map { "    $_\n" } @{ $p->{instead} // [] });
}

done_testing;
