#!/usr/bin/perl
# Mixed load on each kind of server: streams, whole answers, uploads, HEAD, pipelines cut anywhere,
# clients that pause and clients that vanish. Every byte says whose it is. SEED repeats a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use Test::More;

my $seed = $ENV{SEED} || time % 1000000;
my $exchanges = $ENV{EXCHANGES} || 300;
$ENV{PYTHONDONTWRITEBYTECODE} = 1;

my $python = builds();
plan skip_all => 'no usable interpreter' unless %$python;
note "SEED=$seed";
for my $build (sort keys %$python) {
    for (['wsgi', 1], ['wsgi', 4], ['asgi', 1]) {
        my ($interface, $threads) = @$_;
        my $name = "$interface-$threads-$build";
        my $p = serve('--python', $python->{$build}, '--threads', $threads, '--app',
            "$FindBin::Bin/mixed_app.py:$interface");
        my @alone = $interface eq 'wsgi' && $threads == 1 ? 'alone' : ();
        my $client = run($python->{$build}, "$FindBin::Bin/mixed_client.py", $p->{port} // 0, $seed,
            $exchanges, @alone);
        like($client->{out} . $client->{err}, qr/\A\d+ exchanges 0 wrong\n\z/,
            "$name: every byte is the right client's") or diag("SEED=$seed");
        is(stop($p), 0, '... and it ends well');
        is(slurp($p->{err}), '', '... with nothing to complain of');
    }
}
done_testing();
