#!/usr/bin/perl
# Workers, as processes and as groups of threads: who gets which connection, how they stop, and what
# is said when one ends. Nothing asserts that something is fast.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

my $app = "$FindBin::Bin/workers_app.py";

# How many of the connections each worker has.
sub spread {
    my %of;
    for (@_) {
        my $who = decode_json(ask($_, '/') // '{"process": "none", "thread": ""}');
        $of{"$who->{process} $who->{thread}"}++;
    }
    return [ sort { $a <=> $b } values %of ];
}

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

my ($gil, $ft) = pair();
plan skip_all => 'needs a usable GIL build and a usable free-threaded one' if !$ft;
my @gil = ('--python', $gil->{executable});
my @ft = ('--python', $ft->{executable});

subtest 'what the command line refuses' => sub {
    for (['--workers', 0], ['--workers', 65], ['--worker-model', 'foo'],
         ['--worker-model', 'subinterpreters']) {
        for my $command ('serve', 'compare') {
            my $s = start($gilbench, $command, '--app', 'builtin:c', @$_);
            is(ended($s), 2, "$command @$_");
            like(slurp($s->{err}), qr/\Agilbench: [^\n]*\Q$_->[0]\E[^\n]*\n\z/, 'one line');
        }
    }
};

for my $model ('processes', 'threads') {
    my @workers = ('--workers', 3, '--worker-model', $model);
    subtest "builtin:c, $model" => sub {
        my $s = serve('--app', 'builtin:c', @workers);
        my @sockets = map { dial($s) } 1 .. 30;
        is(scalar(grep { (ask($_, '/json') // '') =~ /Hello/ } @sockets), 30, 'they answer');
        is(scalar(children($s->{pid})), $model eq 'processes' ? 3 : 0, 'so many processes');
        is(stop($s), 0, 'stops');
    };
    for my $build ([ 'GIL', @gil ], [ 'free-threaded', @ft ]) {
        my ($name, @python) = @$build;
        for my $interface ('wsgi', 'asgi') {
            subtest "$interface, $model, $name" => sub {
                my $s = serve(@python, @workers, '--app', "$app:$interface");
                ok($s->{port}, 'serves') or return diag(slurp($s->{err}));
                my @sockets = map { dial($s) } 1 .. 128;
                is_even(spread(@sockets), 3, '128 connections');
                close $_ for splice @sockets, 0, 70;
                sleep 0.3;
                push @sockets, map { dial($s) } 1 .. 70;
                is_even(spread(@sockets), 3, '70 of them anew');
                my $who = decode_json(ask($sockets[0], '/'));
                is_deeply([ map { $_ ? 1 : 0 } @$who{'multithread', 'multiprocess'} ],
                    $model eq 'processes' ? [ 0, 1 ] : [ 1, 0 ], 'what environ says of it')
                    if $interface eq 'wsgi';
                my @workers = children($s->{pid});
                put($_, '/slow') for @sockets[0 .. 2];
                sleep 0.3;
                kill $model eq 'processes' ? -2 : 'TERM', $s->{pid};  # Ctrl-C reaches the group
                is(scalar(grep { get($_) } @sockets[0 .. 2]), 3, 'a stop finishes what is in flight');
                is(ended($s), 0, 'and is no failure');
                ok(all_gone(@workers), 'no worker is left');
                ok(!dial($s), 'the port is free');
            };
        }
    }
}

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
    for my $model ('processes', 'threads') {
        my @options = (@gil, '--workers', 3, '--worker-model', $model);
        my $s = serve(@options, '--app', "$top/broken.py:app");
        is(ended($s), 1, "$model: no import, status 1");
        is(scalar(() = slurp($s->{err}) =~ /^gilbench: .*nothing_of_that_name/mg), 1, 'one line');
        $s = serve(@options, '--app', "$app:no_start", '--interface', 'asgi');
        is(ended($s), 1, "$model: no startup, status 1");
        like(slurp($s->{err}), qr/^gilbench: .*no database today/m, 'its message');
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
        $s = serve(@ft, '--app', "$app:asgi", '--workers', 4, '--worker-model', $model);
        @sockets = map { dial($s) } 1 .. 1000;
        is_even(spread(@sockets), 4, "$model: 1,000 connections");
        is(stop($s), 0, 'stops');
    }
};

sub compare {
    my ($out, $err, $status) = said($gilbench, 'compare', '--no-progress', '--no-control',
        '--rounds', 1, '--duration', 0.3, '--warmup', 0.05, '--threads', 1, '--workers', 2,
        '--json', "$top/json", @_);
    return ($status, decode_json(slurp("$top/json") || '{}'), $err);
}

subtest 'a comparison' => sub {
    my ($status, $report) = compare(@gil, @ft, '--app', 'builtin:wsgi', '--path', '/json',
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
};

subtest 'a worker that ends in a measurement' => sub {
    my ($status, $report, $err) = compare(@gil, '--app', "$app:wsgi", '--path', '/later',
        '--connections', 4);
    is($status, 1, 'fails');
    my ($round) = map { @{ $_->{rounds} } } @{ $report->{cells} };
    like($round->{problem}, qr/worker \d: .*signal 11 /, 'the round names the worker and the signal');
};

done_testing;
