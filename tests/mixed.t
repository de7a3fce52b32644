#!/usr/bin/perl
# Mixed load on each kind of server: streams, whole answers, uploads, HEAD, pipelines cut anywhere,
# clients that pause and clients that vanish. Every byte says whose it is. SEED repeats a run.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

my $gilbench = $ENV{GILBENCH} || "$FindBin::Bin/../build/gilbench";
my $seed = $ENV{SEED} || int(time) % 1000000;
my $exchanges = $ENV{EXCHANGES} || 500;
my $scratch = "/tmp/gilbench-mixed-$$";
mkdir $scratch or die "$scratch: $!";
my %server;  # pid -> 1
END { my $status = $?; kill KILL => keys %server; system 'rm', '-rf', $scratch; $? = $status }
$SIG{$_} = sub { exit 1 } for qw(INT TERM);
$ENV{PYTHONDONTWRITEBYTECODE} = 1;

sub slurp {
    open my $in, '<', $_[0] or return '';
    local $/;
    return <$in> // '';
}

sub serve {
    my ($name, @options) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', "$scratch/$name.out" or die;
        open STDERR, '>', "$scratch/$name.err" or die;
        exec $gilbench, 'serve', '--bind', '127.0.0.1:0', @options or exit 127;
    }
    $server{$pid} = 1;
    my $end = time + 20;
    while (time < $end) {
        return ($pid, $1) if slurp("$scratch/$name.out") =~ /:(\d+)\n/;
        sleep 0.02;
    }
    return ($pid);
}

sub stop {
    my ($pid) = @_;
    kill TERM => $pid;
    waitpid $pid, 0;
    delete $server{$pid};
    return $?;
}

my $found = decode_json(`$gilbench pythons --json - 2>/dev/null` || '{"pythons":[]}');
my %build;
for (@{ $found->{pythons} }) {
    $build{ $_->{free_threaded} ? 'ft' : 'gil' } //= $_->{executable} if $_->{usable};
}
plan skip_all => 'no usable interpreter' unless %build;
note "SEED=$seed";
for my $build (sort keys %build) {
    for (['wsgi', 1], ['wsgi', 4], ['asgi', 1]) {
        my ($interface, $threads) = @$_;
        my $name = "$interface-$threads-$build";
        my ($pid, $port) = serve($name, '--python', $build{$build}, '--threads', $threads, '--app',
            "$FindBin::Bin/mixed_app.py:$interface");
        my @alone = $interface eq 'wsgi' && $threads == 1 ? 'alone' : ();
        my $said = $port ? `$build{$build} '$FindBin::Bin/mixed_client.py' $port $seed $exchanges @alone 2>&1` : 'no server';
        like($said, qr/\A\d+ exchanges 0 wrong\n\z/, "$name: every byte is the right client's")
            or diag("SEED=$seed");
        is(stop($pid), 0, '... and it ends well');
        is(slurp("$scratch/$name.err"), '', '... with nothing to complain of');
    }
}
done_testing();
