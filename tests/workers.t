#!/usr/bin/perl
# Workers, as processes and as groups of threads: who gets which connection, how they stop, and what
# is said when one ends. Nothing asserts that something is fast.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use IO::Select;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

my $app = "$FindBin::Bin/workers_app.py";

# How many of the connections each worker has.
my %seen;  # and what of it they have seen
sub spread {
    my %of;
    %seen = ();
    for (@_) {
        my $who = decode_json(ask($_, '/') // '{"process": "none", "thread": "", "module": ""}');
        $of{"$who->{process} $who->{thread}"}++;
        $seen{$_}{ $who->{$_} } = 1 for qw(process module);
    }
    return [ sort { $a <=> $b } values %of ];
}

# Of three workers: how many processes, copies of the application, what environ says, and where that
# is looked at: where the way of an interface and of a build is its own.
my %models = (
    processes => [ 3, 1, [ 0, 1 ], 'wsgi GIL', 'asgi free-threaded' ],
    'processes-each' => [ 3, 3, [ 0, 1 ], 'wsgi GIL' ],
    threads => [ 1, 1, [ 1, 0 ], 'asgi GIL', 'wsgi free-threaded', 'asgi free-threaded' ],
    subinterpreters => [ 1, 3, [ 0, 1 ], 'wsgi GIL', 'asgi GIL', 'wsgi free-threaded' ],
);

sub is_even {
    my ($count, $workers, $name) = @_;
    my $fine = @$count == $workers && $count->[-1] - $count->[0] <= $count->[-1] / 10;
    ok($fine, "$name: the workers have equal shares") or diag("connections: @$count");
}

sub children {
    my ($pid) = @_;
    return grep { $_ } split ' ', slurp("/proc/$pid/task/$pid/children");
}

# Whether these processes end soon. A zombie that nobody reaps has ended.
sub all_gone {
    for (my $end = time + 10; time < $end; sleep 0.02) {
        return 1 if !grep { slurp("/proc/$_/stat") =~ /\) [^ZX]/ } @_;
    }
    return 0;
}

sub compare {
    my ($out, $err, $status) = said($gilbench, 'compare', '--no-progress', '--no-control',
        '--rounds', 1, '--duration', 0.3, '--warmup', 0.05, '--threads', 1, '--workers', 2,
        '--json', "$top/json", @_);
    return ($status, decode_json(slurp("$top/json") || '{}'), $err, $out);
}

my ($gil, $ft) = pair();
plan skip_all => 'needs a usable GIL build and a usable free-threaded one' if !$ft;
my @gil = ('--python', $gil->{executable});
my @ft = ('--python', $ft->{executable});

subtest 'what the command line refuses' => sub {
    for (['--workers', 0], ['--workers', 65], ['--worker-model', 'foo'],
         ['--worker-model', 'greenlets']) {
        for my $command ('serve', 'compare') {
            my $s = start($gilbench, $command, '--app', 'builtin:c', @$_);
            is(ended($s), 2, "$command @$_");
            like(slurp($s->{err}), qr/\Agilbench: [^\n]*\Q$_->[0]\E[^\n]*\n\z/, 'one line');
        }
    }
};

for my $model (sort keys %models) {
    my ($processes, $modules, $environ, @where) = @{ $models{$model} };
    my @workers = ('--workers', 3, '--worker-model', $model);
    subtest "builtin:c, $model" => sub {
        my $s = serve('--app', 'builtin:c', @workers);
        my @sockets = map { dial($s) } 1 .. 30;
        is(scalar(grep { (ask($_, '/json') // '') =~ /Hello/ } @sockets), 30, 'they answer');
        is(scalar(children($s->{pid})), $processes == 1 ? 0 : 3, 'so many processes');
        is(stop($s), 0, 'stops');
    };
    for (@where) {
        my ($interface, $name) = split;
        my @python = $name eq 'GIL' ? @gil : @ft;
        subtest "$interface, $model, $name" => sub {
            my $s = serve(@python, @workers, '--app', "$app:$interface");
            ok($s->{port}, 'serves') or return diag(slurp($s->{err}));
            my @sockets = map { dial($s) } 1 .. 36;
            is_even(spread(@sockets), 3, '36 connections');
            is(keys %{ $seen{process} }, $processes, 'from so many processes');
            is(keys %{ $seen{module} }, $modules, 'so many copies of the application');
            close $_ for splice @sockets, 0, 18;
            sleep 0.3;
            push @sockets, map { dial($s) } 1 .. 18;
            is_even(spread(@sockets), 3, '18 of them anew');
            my $who = decode_json(ask($sockets[0], '/'));
            is_deeply([ map { $_ ? 1 : 0 } @$who{'multithread', 'multiprocess'} ], $environ,
                'what environ says of it')
                if $interface eq 'wsgi';
            my @workers = children($s->{pid});
            if ("$model $name $interface" eq 'subinterpreters GIL wsgi') {
                put($sockets[0], '/hold');
                sleep 0.2;
                like(ask($sockets[1], '/'), qr/module/, 'one answers');
                ok(!IO::Select->new($sockets[0])->can_read(0), '... while another has its GIL');
                get($sockets[0]);
            }
            ask($sockets[3], '/fail');
            put($_, '/slow') for @sockets[0 .. 2];
            sleep 0.3;
            kill $processes == 1 ? 'TERM' : -2, $s->{pid};  # Ctrl-C reaches the group
            is(scalar(grep { get($_) } @sockets[0 .. 2]), 3, 'a stop finishes what is in flight');
            is(ended($s), 0, 'and is no failure');
            ok(all_gone(@workers), 'no worker is left');
            ok(!dial($s), 'the port is free');
        };
    }
}

# What an application told of its life, each line with how often.
sub told {
    my %count;
    $count{$_}++ for split /\n/, slurp($_[0]);
    return join ' ', map { "$_:$count{$_}" } sort keys %count;
}

for my $build ([ 'GIL', @gil ], [ 'free-threaded', @ft ]) {
    my ($name, @python) = @$build;
    for my $model ('processes', 'processes-each') {
        subtest "the life of an application, $model, $name" => sub {
            my $life = "$top/life $model $name";
            my $loads = $model eq 'processes' ? 1 : 3;
            my $s = start({ env => { LIFE => $life, PRINT => 'printed' } }, $gilbench, 'serve',
                @python, '--workers', 3, '--worker-model', $model, '--bind', '127.0.0.1:0',
                '--app', "$FindBin::Bin/signals_app.py:asgi");
            ok(eventually(sub { slurp($s->{out}) =~ /^listening/m }), 'serves');
            is(told($life), "imported:$loads lifespan.startup:3", "loaded $loads times, begun thrice");
            my ($worker) = children($s->{pid});
            kill 'USR1', $worker;
            ok(eventually(sub { told($life) =~ /usr1:1/ }), "a worker has the module's handlers");
            is(stop($s), 0, 'stops');
            my $ends = $model eq 'processes' ? 4 : 3;  # of each that has it
            is(told($life), "atexit:$ends imported:$loads lifespan.shutdown:3 lifespan.startup:3 "
                . 'usr1:1', 'ends everywhere');
            is(scalar(() = (slurp($s->{out}) . slurp($s->{err})) =~ /^printed$/mg), $loads,
                'prints as often as it is loaded');
        };
    }
}

subtest 'SIGTERM ends a worker in order, and its service' => sub {
    my $s = serve(@gil, '--workers', 2, '--app', "$app:wsgi");
    my @workers = children($s->{pid});
    my $socket = dial($s);
    put($socket, '/slow');
    sleep 0.3;
    kill 'TERM', @workers;
    like(get($socket), qr/process/, 'what is in flight is finished');
    is(ended($s), 1, 'serve ends');
    like(slurp($s->{err}), qr/\Agilbench: worker \d: the server's process has ended\n\z/, 'and says why');
};

subtest 'SIGKILL of the serving process' => sub {
    my $s = serve(@gil, '--workers', 3, '--app', "$app:wsgi");
    my @workers = children($s->{pid});
    is(scalar(@workers), 3, 'three workers');
    is(stop($s, 'KILL'), 'signal 9', 'killed');
    ok(all_gone(@workers), 'no worker is left');
};

subtest 'a worker that ends while serving' => sub {
    for (['/kill', qr/\Agilbench: worker \d: [^\n]*signal 11 [^\n]*\n\z/],
         ['/exit', qr/\Agilbench: worker \d: the server's process has ended\n\z/]) {
        my $s = serve(@gil, '--workers', 2, '--app', "$app:wsgi");
        my @workers = children($s->{pid});
        put(dial($s), $_->[0]);
        is(ended($s), 1, "$_->[0]: serve ends, too");
        like(slurp($s->{err}), $_->[1], 'and says why');
        ok(all_gone(@workers), 'with all its workers');
    }
};

subtest 'an application that does not come up' => sub {
    save('broken.py', "import nothing_of_that_name\n");
    save('unstarted.py', <<"PYTHON");
import atexit
atexit.register(lambda: open('$top/ends', 'a').write('x'))
async def app(scope, receive, send):
    await receive()
    await send({'type': 'lifespan.startup.failed', 'message': 'no database today'})
PYTHON
    for my $model (sort keys %models) {
        my @options = (@gil, '--workers', 3, '--worker-model', $model);
        my $s = serve(@options, '--app', "$top/broken.py:app");
        is(ended($s), 1, "$model: no import, status 1");
        is(scalar(() = slurp($s->{err}) =~ /^gilbench: .*nothing_of_that_name/mg), 1, 'one line');
        is(scalar(() = slurp($s->{err}) =~ /^Traceback/mg), $model eq 'processes-each' ? 3 : 1,
            'and one traceback each that loads it');
        unlink "$top/ends";
        $s = serve(@options, '--app', "$top/unstarted.py:app", '--interface', 'asgi');
        is(ended($s), 1, "$model: no startup, status 1");
        like(slurp($s->{err}), qr/^gilbench: .*no database today/m, 'its message');
        my $loads = $models{$model}[1];
        is(length slurp("$top/ends"), $loads + ($model eq 'processes' ? 3 : 0),
            'none of them had to be killed');
    }
};

subtest 'a module that subinterpreters can\'t import' => sub {
    save('alone.py', "import faulthandler\n");
    for ([ @gil ], [ @ft ]) {
        my ($status, $report) = compare(@$_, '--app', "$top/alone.py:app", '--worker-model',
            'subinterpreters');
        is($status, 1, 'fails');
        like($report->{cells}[0]{rounds}[0]{problem}, qr{/alone.py:app: .*\bfaulthandler\b.* subinter},
            'by its name');
    }
};

subtest 'out of descriptors, and a thousand connections' => sub {
    for my $model ('processes', 'threads') {
        my $s = serve({ descriptors => 60 }, '--app', 'builtin:c', '--workers', 2,
            '--worker-model', $model);
        my @sockets = map { dial($s) } 1 .. 150;
        put($_, '/json') for @sockets;
        sleep 0.5;
        my $answered = 0;
        while (my $socket = shift @sockets) {  # each makes room for another one
            $answered++ if get($socket);
            close $socket;
        }
        is($answered, 150, "$model: those that find no descriptor wait for one");
        is(stop($s), 0, 'stops');
    }
    my $s = serve(@ft, '--app', "$app:asgi", '--workers', 4);
    is_even(spread(map { dial($s) } 1 .. 1000), 4, '1,000 connections');
    is(stop($s), 0, 'stops');
};

subtest 'a comparison' => sub {
    my ($status, $report, undef, $out) = compare(@gil, @ft, '--app', 'builtin:wsgi', '--path', '/json',
        '--connections', 16);
    is($status, 0, 'works');
    for my $cell (@{ $report->{cells} }) {
        my $round = $cell->{rounds}[0];
        my $threads = $cell->{python} =~ /t$/ && $cell->{id} !~ /gil=1/;
        is($cell->{worker_model}, $threads ? 'threads' : 'processes', "$cell->{id}: auto");
        my ($sum, $each) = (0, $round->{requests_per_worker});
        $sum += $_ for @$each;
        is(scalar(@$each), 2, 'both workers are there');
        cmp_ok(abs($sum - $round->{requests}), '<=', 64 + $round->{requests} / 4, 'and their sum')
            or diag("@$each, $round->{requests}");
        my $memory = $round->{memory_mb};
        cmp_ok($memory->{pss}, '<', $memory->{rss}, 'shared pages count once') if !$threads;
    }
    my @ids = map { $_->{python} } @{ $report->{cells} };
    like($out, qr/^Workers: processes of \Q$ids[0]\E, threads of \Q$ids[1]\E\.?$/m, 'the report says it');
    my ($forked) = grep { $_->{worker_model} eq 'processes' } @{ $report->{cells} };
    ($status, $report) = compare(@gil, '--app', 'builtin:wsgi', '--path', '/json', '--connections',
        16, '--worker-model', 'processes-each');
    my $each = $report->{cells}[0];
    is($each->{worker_model}, 'processes-each', 'a model of its own');
    like($each->{id}, qr{ processes-each/w2-}, 'of which its id tells');
    cmp_ok($forked->{rounds}[0]{memory_mb}{service}, '<', $each->{rounds}[0]{memory_mb}{service},
        'and which shares less');
};

subtest 'a worker that ends in a measurement' => sub {
    my ($status, $report, $err) = compare(@gil, '--app', "$app:wsgi", '--path', '/later',
        '--connections', 4);
    is($status, 1, 'fails');
    my ($round) = map { @{ $_->{rounds} } } @{ $report->{cells} };
    like($round->{problem}, qr/worker \d: .*signal 11 /, 'the round names the worker and the signal');
};

done_testing;
