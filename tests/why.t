#!/usr/bin/perl
# `gilbench why`: on each build, an application whose threads wait for a lock that has a name.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;

my @pair = pair();
plan skip_all => 'no pair of builds is here' unless @pair;

save('planted.py', <<'END');
import threading, time
LOCK = threading.Lock()
def app(environ, start_response):
    with LOCK:
        time.sleep(0.002)
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '4')])
    return [b'done']
END

my ($out, $err, $status) = said({ dir => $top }, $gilbench, 'why', '--app', 'planted.py:app', '--threads', 4,
    '--connections', 4, '--duration', '0.4', '--json', 'why.json', '--markdown', 'why.md');
is($status, 0, 'it has run') or diag($err);
my $result = eval { decode_json(slurp("$top/why.json")) } // { cells => [] };
is(scalar @{ $result->{cells} }, 2, 'a row for each build');
for my $cell (@{ $result->{cells} }) {
    my ($round) = @{ $cell->{rounds} };
    my ($first) = @{ $round->{waits} // [] };
    is($first->{kind}, 'lock', "$cell->{python}: a lock is what most was waited for");
    is($first->{object}, '_thread.lock planted.LOCK', 'it has a name');
    is($first->{waiter}, 'planted.py:4 app', 'and a line');
    is($first->{waiter_source}, 'with LOCK:', 'whose text is there');
    my $parts = $round->{anatomy_us};
    ok($parts->{all_waits} && $parts->{lock_wait}{mean} > $parts->{app}{mean},
        'three of four threads wait, in the anatomy as well');
    ok($round->{waits_noted} && abs($round->{waits_ms}{lock} / $first->{ms} - 1) < 0.1,
        'the sum of all such waits is there, too');
}
like($out, qr{planted\.py:4 app +a lock +_thread\.lock planted\.LOCK}, 'the table has it');
like($out, qr{planted\.py:4 app: with LOCK:}, 'with the text of the line');
my ($again) = said({ dir => $top }, $gilbench, 'report', 'why.json');
is($again, $out, 'the report of the file is the same');
(my $markdown) = said({ dir => $top }, $gilbench, 'report', 'why.json', '--quiet', '--markdown', '-');
is($markdown, slurp("$top/why.md"), 'in Markdown as well');

# Compare only counts them, and notes them in a round apart where they are long.
($out, $err, $status) = said({ dir => $top }, $gilbench, 'compare', '--app', 'planted.py:app', '--threads', '1,4',
    '--connections', 4, '--duration', '0.1', '--rounds', 1, '--no-control', '--json', 'compare.json');
$result = eval { decode_json(slurp("$top/compare.json")) } // { cells => [] };
for my $cell (@{ $result->{cells} }) {
    my ($round, $noted) = ($cell->{rounds}[0], $cell->{noted_rounds}[0]);
    ok($round->{anatomy_us}{ready_wait}{mean} > 0, "$cell->{id}: each waits to be taken up");
    is($round->{waits}, undef, "$cell->{id}: no lines in a round that counts");
    is($noted && $noted->{waits}[0]{object}, $cell->{threads} > 1 ? '_thread.lock planted.LOCK' : undef,
        'but in one more, where requests wait');
}
($again) = said({ dir => $top }, $gilbench, 'report', 'compare.json');
is($again, $out, 'the report of the file is the same');

($out, $err, $status) = said({ dir => $top }, $gilbench, 'why', '--duration', '0.05', '--warmup',
    '0.01', '--threads', 1, '--connections', 1, '--json', 'why.json');
$result = eval { decode_json(slurp("$top/why.json")) } // { cells => [] };
is(join(' ', $status, map { $_->{scenario} } @{ $result->{cells} }), '0 wsgi-page wsgi-page',
    'of one scenario, where none is named');

# A shared object among 100,000 others is named, and an application without one names none. A machine
# that is too busy to see counts says so: then it is asked again.
save('shared.py', <<'END');
class Config:
    debug = False
CONFIG, OTHERS = Config(), [[n] for n in range(100000)]
def answer(start_response):
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '4')])
    return [b'done']
def app(environ, start_response):
    for _ in range(3000):
        c = CONFIG
        c.debug
    return answer(start_response)
def alone(environ, start_response):
    own = Config()
    for _ in range(3000):
        c = own
        c.debug
    return answer(start_response)
END
for my $name ('app', 'alone') {
    my ($cell, $round);
    my @try = ('--what-if', '--rounds', 6, '--warmup', '0.02');
    for (1 .. 6) {
        ($out) = said({ dir => $top }, $gilbench, 'why', '--app', "shared.py:$name", '--threads', 4, '--connections',
            8, '--duration', '0.1', '--python', $pair[1]{executable}, '--json', 'why.json', @try);
        $cell = eval { decode_json(slurp("$top/why.json"))->{cells}[0] } // {};
        $round = $cell->{rounds}[0] // {};
        last if $round->{counts_seen};
    }
  SKIP: {
        like($out, qr/Whose references several threads count couldn't be seen/, 'or says so'),
            skip('this machine is too busy', 5) if !$round->{counts_seen};
        my @shared = map { $_->{object} } @{ $round->{shared} // [] };
        is($shared[0], $name eq 'app' ? 'Config shared.CONFIG' : undef, "$name: what threads share is named");
        like($out, $name eq 'app' ? qr/^Config shared\.CONFIG +\d/m : qr/No object's references are much counted/,
            'in the table, too');
        my $if = $cell->{what_if} // {};
        is($if->{objects}, $name eq 'app' ? 'shared.CONFIG' : undef,
            'what if nobody counted: of those that are named');
        ok($name eq 'app' ? ($if->{rounds} == 6 && $if->{ratio}{ci95} && $if->{verdict} && $out =~
            /Without counting the references of shared\.CONFIG: [\d.]+x \[[\d., ]+\], (faster|slower|unclear|no diff)/)
            : $out !~ /Without counting/, 'with an interval and a verdict, or nothing is said of it');
        ($again) = said({ dir => $top }, $gilbench, 'report', 'why.json');
        is($again, $out, 'the report of the file is the same');
        ($again) = said({ dir => $top }, $gilbench, qw(report why.json --html -));
        like($again, $name eq 'app' ? qr/>Config shared\.CONFIG<.*Without counting the /s : qr/>No object&#39;s references /,
            'and so is its page');
    }
}

# Each worker's interpreter of its own has a GIL of its own, which nobody follows.
($out, $err, $status) = said({ dir => $top }, $gilbench, 'why', '--duration', '0.05', '--warmup', '0.01', '--workers', 2,
    '--worker-model', 'subinterpreters', '--python', $pair[0]{executable}, '--json', 'why.json');
my $round = eval { decode_json(slurp("$top/why.json"))->{cells}[0]{rounds}[0] } // {};
like($out, qr/waits can't be seen: they aren't followed in interpreters of the workers' own/, 'so it says');
ok($round->{anatomy_us} && !exists $round->{anatomy_us}{lock_wait} && !$round->{waits_noted}, 'and no figure is there');

done_testing();
