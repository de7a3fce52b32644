#!/usr/bin/perl
# `compare --server`: somebody else's server beside this one, and the environments that scenarios
# with packages look for. The servers here are scripts for the interpreters under test.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

# Runs a comparison of a moment; returns its JSON, stderr, exit status and stdout.
sub compare {
    my @arguments = @_;
    push @arguments, '--path', '/json' if !grep { $_ eq '--scenario' } @arguments;
    my %short = qw(--rounds 1 --duration 0.1 --warmup 0.01 --threads 1 --connections 4);
    delete @short{@arguments};  # what a test gives for itself
    unlink "$top/json";
    my ($out, $err, $status) = said($gilbench, 'compare', '--no-progress', '--no-control', '--json',
        "$top/json", %short, @arguments);
    my $json = slurp("$top/json");
    return ($json ? decode_json($json) : undef, $err, $status, $out);
}

my ($gil, $ft) = pair();
plan skip_all => 'needs a usable GIL build and a usable free-threaded one' if !$ft;
$ENV{XDG_CACHE_HOME} = "$top/cache";  # no environment in sight
my @both = ('--python', $gil->{executable}, '--python', $ft->{executable});
my @one = ('--python', $gil->{executable});

# A server with a child, as many have. It writes down what it was started with.
my $server = save('a server.py', <<'PYTHON');
import os, signal, socket, subprocess, sys, threading, time

port, out, *rest = sys.argv[1:]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(out, "a") as log:
    print(os.getpid(), child.pid, os.environ.get("VIRTUAL_ENV"), os.environ["PATH"].split(":")[0],
          os.environ.get("PYTHON_GIL"), getattr(sys, "_is_gil_enabled", lambda: True)(),
          sys.executable, *rest, sep="|", file=log)
print("it serves", flush=True)
answer = b'{"message": "Hello World"}'
answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)

def talk(connection):
    while data := connection.recv(65536):
        connection.sendall(answer)
        if "die" in rest and len(log_lines) > 20:
            print("cannot go on", flush=True)
            os._exit(7)
        log_lines.append(data)
    connection.close()

log_lines = []
if "stubborn" in rest:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
PYTHON

sub started {
    my @lines = map { [split /\|/] } split /\n/, slurp("$top/log");
    unlink "$top/log";
    return @lines;
}

# Zombies count as gone: whose child they are is not up to gilbench.
sub alive {
    my ($pid) = @_;
    return slurp("/proc/$pid/stat") =~ /^\d+ \(.*\) (?!Z)/s;
}

my ($result, $error, $status, $out) = compare(@both, '--rounds', 2, '--server',
    "name=theirs,{python} '$server' {port} \"$top/log\" {threads} {workers} "
    . "'a b' c\\ d \"e\\\"f\" ''");
is $status, 0, 'a server is measured on both builds' or diag $error;
my @cells = @{ $result->{cells} };
is_deeply [map { "$_->{python} $_->{server}" } @cells],
    [map { ("$_ gilbench", "$_ theirs") } map { $_->{id} } @{ $result->{pythons} }],
    'a row of its own beside each of ours';
is scalar(grep { $_->{summary}{rps}{median} > 0 } @cells), 4, 'each was loaded';
like $cells[1]{id}, qr{^app/\S+ theirs/w1-t1-c4$}, 'its name is in the id';
like $cells[1]{command}, qr/^\{python\} /, 'its command is kept';
my $round = $cells[1]{rounds}[0];
is $round->{anatomy_us}{app}{mean}, 0, 'no anatomy from outside, and its keys are there';
ok exists $round->{gil}{enabled_after_load}, 'nor the state of the GIL';
ok $round->{memory_mb}{rss_peak} > 10, 'its memory is sampled, the child included';
my @against = grep { $_->{metric} eq 'rps' && $_->{baseline} =~ / theirs/ && $_->{candidate} !~ / theirs/ }
    @{ $result->{comparisons} };
is scalar @against, 2, 'ours is held against it on each build';
my ($builds) = grep { $_->{baseline} =~ / theirs/ && $_->{candidate} =~ / theirs/ }
    @{ $result->{comparisons} };
ok $builds, 'and its builds against each other';
like $out, qr{^/json +\S+ +1 +1 +\S+ theirs +\d}m, 'the table has the verdict';
unlike $error, qr/it serves/, 'what it prints is not shown when all is well';

my @runs = started();
is scalar @runs, 4, 'started once a round and build';
is scalar(grep { alive($_->[0]) || alive($_->[1]) } @runs), 0, 'its processes are gone';
my ($free) = grep { $_->[5] eq 'False' } @runs;
ok $free, 'the free-threaded build runs without the GIL';
is_deeply [@{$free}[7 .. 12]], ['1', '1', 'a b', 'c d', 'e"f', undef], 'words, quotes, numbers';
(my $bin = $ft->{executable}) =~ s{/[^/]+$}{};
is $free->[3], $bin, "the interpreter's directory comes first in PATH";
is $free->[2], 'None', 'no VIRTUAL_ENV without one';

($result, $error, $status) = compare('--python', "$ft->{executable},gil=1", '--server',
    "{python} '$server' {port} '$top/log' {threads}");
is $status, 0, 'a variant with the GIL forced on' or diag $error;
@runs = started();
is $runs[0][4], '1', 'PYTHON_GIL says so';
is $runs[0][5], 'True', 'and it is';
is $result->{cells}[1]{server}, 'python', 'the name is the program';

system($gil->{executable}, '-m', 'venv', '--without-pip', "$top/environment") == 0 or die 'venv';
($result, $error, $status) = compare('--python', "$top/environment", '--server',
    "name=s,python '$server' {port} '$top/log'");
is $status, 0, 'an environment' or diag $error;
@runs = started();
is $runs[0][2], "$top/environment", 'VIRTUAL_ENV is set';
is $runs[0][6], "$top/environment/bin/python", 'its programs are found first';

($result, $error, $status) = compare(@one, '--server',
    "name=s,{python} '$server' {port} '$top/log' stubborn");
is $status, 0, 'a server that ignores SIGTERM is no failure' or diag $error;
is scalar(grep { alive($_->[0]) || alive($_->[1]) } started()), 0, 'it is killed';

($result, $error, $status) = compare(@one, '--rounds', 2, '--server',
    "name=s,{python} '$server' {port} '$top/log' die");
is $status, 1, 'a server that dies during the measurement';
like $result->{cells}[1]{rounds}[0]{problem},
    qr/exited with status 7 during the measurement: cannot go on/, 'is an error of its row';
is $result->{cells}[0]{rounds}[0]{problem}, '', 'and of no other';
is scalar(my @tries = started()), 2, 'each round tries again';

($result, $error, $status) = compare(@one, '--server', 'no-such-program --port {port}');
is $status, 1, 'a command that is not there';
like $result->{cells}[1]{rounds}[0]{problem}, qr/exited with status 127 before it answered: .*no-such-program: not found/,
    'is named';
($result, $error, $status) = compare(@one, '--rounds', 2, '--server',
    "name=s,{python} -c 'print(1); raise SystemExit(\"port taken\")' {port}");
is $status, 1, 'a command that exits at once';
like $result->{cells}[1]{rounds}[1]{problem},
    qr/exited with status 1 before it answered: port taken/, 'its status and last line';
is scalar(my @all = $error =~ /^1$/mg), 1, 'its last lines on stderr, once: it is not tried again';

# Ctrl-C while a server that never answers is waited for.
my $waiting = start($gilbench, 'compare', @one, '--app', 'builtin:wsgi', '--rounds', 1,
    '--no-control', '--threads', 1, '--duration', 0.1, '--seed', 3, '--server',
    "{python} -c 'import os, sys, time; print(os.getpid(), file=open(sys.argv[2], \"w\"), "
    . "flush=True); time.sleep(600)' {port} '$top/pid'");
eventually(sub { slurp("$top/pid") =~ /\n/ });
my ($sleeper) = slurp("$top/pid") =~ /(\d+)/;
ok $sleeper, 'a server that never answers is started';
my $asked = time;
stop($waiting, 'INT');
cmp_ok time - $asked, '<', 15, 'Ctrl-C ends the wait for it';
ok !alive($sleeper // 0), 'and the server';

my @wrong = (
    ['python serve.py', qr/has no \{port\}/],
    ['', qr/is empty/],
    ['name=,python {port}', qr/give name=TEXT,COMMAND/],
    ['name=x', qr/give name=TEXT,COMMAND/],
);
for (@wrong) {
    my ($command, $why) = @$_;
    ($result, $error, $status) = compare(@one, '--server', $command);
    is $status, 2, "--server '$command' is refused";
    like $error, $why, 'and why';
}
($result, $error, $status) = compare(@one, '--server', 'a {port}', '--server', 'b/a {port}');
is $status, 2, 'two servers of one name';
like $error, qr/two servers are called a/, 'are told apart by name=';

# A build of this machine may have its packages in itself.
SKIP: {
    skip 'flask is installed into a build', 11
        if glob "{$gil->{prefix},$ft->{prefix}}/lib/python3*/site-packages/flask";
    ($result, $error, $status, $out) = compare(@one, '--scenario', 'article-wsgi-json',
        '--scenario', 'article-asgi-json', '--duration', 0.1);
    is $status, 0, 'the article without environments' or diag $error;
    is_deeply [grep { $_->{app} ne 'builtin:wsgi' && $_->{app} ne 'builtin:asgi' }
        @{ $result->{cells} }], [], 'is measured with the built-in applications';
    like join("\n", @{ $result->{warnings} }), qr/instead of apps\/flask_app.py:app.*make venvs/,
        'and says so';
    like $out, qr/reported req\/s.*28,500.*Reported: .*news\.lavx\.hu/s,
        'beside what is reported, with its source';
    ($result, $error, $status) = compare(@both, '--scenario', 'realistic-wsgi');
    is $status, 1, 'the shop has nothing to fall back to';
    like $error, qr/realistic-wsgi needs apps\/shop_flask.py:app.*make venvs/,
        'and says what to do';

    # An environment in the cache counts for its own build alone, and only once it is finished.
    my $venv = "$top/cache/gilbench/venv-x";
    system('mkdir', '-p', "$top/cache/gilbench") == 0 or die 'mkdir';
    rename "$top/environment", $venv or die "$venv: $!";
    my ($site) = glob "$venv/lib/python3*/site-packages";
    save("$site/flask/__init__.py", <<'PYTHON');
class Flask:
    def __init__(self, name):
        pass
    def get(self, path):
        return lambda handler: handler
    def __call__(self, environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
PYTHON
    ($result, $error, $status) = compare(@one, '--scenario', 'article-wsgi-json');
    is $result->{cells}[0]{app}, 'builtin:wsgi', 'an unfinished environment is none';
    save("$venv/ready", "yes\n");
    ($result, $error, $status) = compare(@both, '--scenario', 'article-wsgi-json');
    is $result->{pythons}[0]{prefix}, $gil->{prefix}, 'all builds have one, or none is used';
    chdir $top or die $!;
    ($result, $error, $status) = compare(@one, '--scenario', 'article-wsgi-json');
    like join("\n", @{ $result->{warnings} }),
        qr/instead of apps\/flask_app.py:app, which is not below this directory/,
        'an article from elsewhere says what it misses';
    chdir "$FindBin::Bin/.." or die $!;
    ($result, $error, $status) = compare(@one, '--scenario', 'article-wsgi-json');
    is $result->{pythons}[0]{prefix}, $venv, 'a finished one is';
    is $result->{cells}[0]{app}, 'apps/flask_app.py:app', 'with the real application';
}

done_testing;
