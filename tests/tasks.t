# gilbench cpu: tasks on threads and processes of every build, as rows of a comparison.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;

my @pair = map { ('--python', $_->{executable}) } pair();
save('mine.py', <<'END');
import sys
def work():
    print('at work')
    return sum(range(20000))
def share(share, shares):
    return sum(range(share, 20000, shares))
def bad():
    raise ValueError('planted')
def second(share, shares):
    if share: raise ValueError('planted')
def exits():
    sys.exit(3)
def dies():
    import os
    os.abort()
END
chdir $top or die;

sub measured {
    my ($file, @args) = @_;
    my ($out, $err, $status) = said($gilbench, 'cpu', @pair, '--rounds', 1, '--json', $file, @args);
    return ($out, $err, $status, eval { decode_json(slurp($file)) } || {});
}

my ($out, $err, $status, $r) = measured('work.json', '--task', 'mine.py:work', '--threads', '1,2',
    '--model', 'threads,processes,processes-each,subinterpreters', '--csv', 'work.csv', '--html', 'work.html');
is($status, 0, 'a function of a file is measured') or diag($err);
my @cells = @{$r->{cells} || []};
is(join(' ', sort map { "$_->{worker_model}$_->{threads}" } @cells),
    join(' ', sort map { my $m = $_; map { ("$m$_") x 2 } 1, 2 }
        qw(processes processes-each subinterpreters threads)),
    'on every build, in all models, with each number of workers');
for my $c (@cells) {
    my $round = $c->{rounds}[0];
    my $fine = $c->{interface} eq 'task' && $c->{path} eq 'mine.py:work' && !$c->{connections} &&
        $round->{requests} == $c->{threads} && $round->{answer} eq '199990000' &&
        $round->{rps} > 0 && $round->{latency_ms}{max} > 0 && $round->{memory_mb}{service} > 5 &&
        !$round->{cpu}{server_cores} == ($round->{seconds} < 0.02) && "@{$round->{requests_per_worker}}" =~ /^1( 1)*$/;
    ok($fine, "$c->{id}: its jobs, time, CPU, memory and answer") or diag(explain($round));
}
my %against = map { ("$_->{candidate} / $_->{baseline}" => 1) } @{$r->{comparisons}};
my ($gil, $ft) = map { $_->{id} } pair();
ok($against{"cpu-mine.py:work/$_"}, "compared: $_") for
    "$ft/w1-t2-c0 / cpu-mine.py:work/$gil/w1-t2-c0",
    "$ft/w1-t2-c0 / cpu-mine.py:work/$ft/w1-t1-c0",
    "$ft/w1-t2-c0 / cpu-mine.py:work/$ft processes/w1-t2-c0";
like($err, qr{at work}, 'what a task prints is seen');
like($out, qr{Tasks: ms is the time of a job}, 'the report says what its columns mean');
like($out, qr{^task +variant.* jobs/s }m, 'which are named for tasks');
unlike($out, qr{Grinberg}, 'without the figures published of other tasks');
is((said($gilbench, 'report', 'work.json'))[0], $out, 'and is the same again from its file');
my @csv = map { [split /,/] } split /\r\n/, slurp('work.csv');
my %csv = map { ($csv[0][$_] => $_) } 0 .. $#{$csv[0]};
is(scalar(@csv), 1 + @cells + keys %against, 'CSV has its rows');
is_deeply([map { "$_->[$csv{'lock_wait us'}]$_->[$csv{'attach_wait us'}]" } @csv[1 .. @cells]],
    [('') x @cells], 'whose waits nobody counts');
is(scalar(grep { ($_->[$csv{'window s'}] < 0.02) xor $_->[$csv{'other cores'}] eq '' } @csv[1 .. @cells]),
    0, 'a job of less than 0.02 s says nothing of CPUs');
like(slurp('work.html'), qr{mine\.py:work}, 'HTML has it');

# The results of several machines are never held against each other: they stand side by side.
my $text = slurp('work.json');
for my $host (qw(ann bob cyd)) {
    (my $theirs = $text) =~ s{"hostname": ?"[^"]*"}{"hostname": "$host"};
    $theirs =~ s{"cpus": ?\d+}{"cpus": 2};
    save("$host.json", $theirs);
}
my @class = map { "$_.json" } qw(ann bob cyd);
for ([], ['--html', 'class.html', '--csv', 'class.csv']) {
    (undef, $err, $status) = said($gilbench, 'report', @class, @$_);
    is($status, 2, "the files of a class need a page, and nothing else: @$_");
    like($err, qr{several machines.*--html}, 'and the error says so');
}
is((said($gilbench, 'report', @class, '--html', 'class.html'))[2], 0, 'which is written');
my $page = slurp('class.html');
is(scalar(() = $page =~ m{<h2>cpu-mine}g), 8, 'a section for each topology and model');
like($page, qr{<b>unclear</b>: 3 of 3 machines<}, 'what all see');
like($page, qr{scope="row"[^>]*>$_\.json<}, "$_ has a row") for qw(ann bob cyd);
like($page, qr{<li><b>median of all</b>: \d\.\d\dx</li>\n</ul>},
    'with the median, from which none differs');
like($page, qr{<li><b>cyd\.json</b>: fewer than 6 rounds}, 'with its warnings');
unlike($page, qr{\@(?:ann|bob|cyd)}, 'and nobody is held against another');
like($page, qr{<h2>cpu-mine\S+ mine\.py:work: a thread a CPU, },
    'as many threads as CPUs are one question');
unlike($page, qr{different from}, 'and none is said to differ');
my $dan = decode_json(slurp('cyd.json'));
$dan->{host}{hostname} = 'dan';
for my $ratio (map { $_->{ratio} } @{$dan->{comparisons}}) {
    $_ *= 1000 for $ratio->{median}, @{$ratio->{ci95}};
}
save('dan.json', encode_json($dan));
said($gilbench, 'report', @class, 'dan.json', '--html', 'class.html');
is(scalar(() = slurp('class.html') =~ m{<li><b>different from it</b>: dan\.json \d}g), 8,
    'one whose interval is beside the median of all is named');
($out) = said($gilbench, 'report', 'ann.json', 'ann.json', 'ann.json');
like($out, qr{\@ann}, 'those of one machine are, as ever');

(undef, undef, $status, $r) = measured('split.json', '--task', 'mine.py:share', '--split',
    '--threads', '2');
is($status, 0, 'shares of a job');
is($r->{cells}[0]{rounds}[0]{requests}, 1, 'are one job');
is($r->{cells}[0]{rounds}[0]{answer}, '99990000', 'of which the first worker has the first share');

# A worker that fails is no fast worker.
for (['bad', qr{worker [12]: ValueError: planted}],
    ['second', qr{worker 2: ValueError: planted}, '--split'], ['exits', qr{worker [12]: SystemExit: 3}],
    ['dies', qr{process was ended by signal 6}], ['none', qr{no attribute 'none'}]) {
    my ($name, $why, @how) = @$_;
    (undef, $err, $status, $r) = measured("$name.json", '--task', "mine.py:$name", '--threads', '2',
        '--model', 'threads,processes', @how);
    is($status, 1, "$name fails");
    like($err, qr{^gilbench: .*$why}m, 'and says why');
    is(scalar(grep { $_->{problem} } map { @{$_->{rounds}} } @{$r->{cells}}), 4, 'in every row');
}

my %answers = ('fib:15' => 610, 'bubble:60' => 30, 'json:2' => 10, 'page:1' => 634,
    'alloc:2' => 100, 'shared:2000' => 1024, 'private:2000' => 1024);
($out, $err, $status, $r) = measured('all.json', '--threads', '2',
    map { ('--task', $_) } sort keys %answers);
is($status, 0, 'the built-in tasks') or diag($err);
for my $c (@{$r->{cells}}) {
    my ($want, $got) = ($answers{$c->{app}}, $c->{rounds}[0]{answer});
    is($got, $want, "$c->{id}: its answer");
}
like($out, qr{^fib and bubble: reported by M\. Grinberg}m, 'beside what was published of them');
(undef, undef, $status, $r) = measured('shares.json', '--threads', '2', '--split',
    map { ('--task', $_) } grep { !/bubble/ } sort keys %answers);
is($status, 0, 'all but bubble can be split');
my ($fib) = grep { $_->{app} eq 'fib:15' } @{$r->{cells}};
cmp_ok($fib->{rounds}[0]{answer}, '<', 610, 'so that a worker has less to do');

# A signal while the size of a task is looked for: its child hangs where it starts.
save('hang/sitecustomize.py', <<'END');
import time
if open('/proc/self/cmdline').read().startswith('gilbench-child'):
    open('hanging', 'w').close()
    time.sleep(600)
END
my $p = start({ env => { PYTHONPATH => "$top/hang" } }, $gilbench, 'cpu', @pair, '--task', 'fib');
ok(eventually(sub { -e 'hanging' }), 'a task that hangs');
is(stop($p, 'INT'), 1, 'ends with the command, before it is measured');

for (['--split', '--task', 'bubble'], ['--connections', '3']) {
    is((said($gilbench, 'cpu', @pair, @$_))[2] || 0, 2, "refused: @$_");
}
is((said($gilbench, 'compare', '--interface', 'task'))[2], 2, 'a task is no interface of a server');

done_testing;
