#!/usr/bin/perl
# Signals and the life of an application, on both builds: a SIGTERM that comes early or at once is
# obeyed in order, and the handlers of an application run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use Test::More;

my $app = "$FindBin::Bin/signals_app.py";
my $builds = builds();
my $served = 0;

# Serves one of the applications, with a file of its own for what it tells.
sub serve_app {
    my ($python, $name, $env, @options) = @_;
    my $life = "$top/life" . $served++;
    my $p = serve({ env => { LIFE => $life, %$env } }, '--python', $python, '--app', "$app:$name",
        @options);
    $p->{life} = $life;
    return $p;
}

sub test_at_once {
    my ($build, $name, $life, @options) = @_;
    my $right = 0;
    for (1 .. 3) {
        my $p = serve_app($builds->{$build}, $name, {}, @options);
        $right++ if stop($p) eq '0' && slurp($p->{life}) eq $life;
    }
    is($right, 3, "$build, $name @options: SIGTERM right behind the line ends it in order");
}

sub test_early {
    my ($build, $name, $life) = @_;
    my $file = "$top/life" . $served++;
    my $p = start({ env => { LIFE => $file, IMPORT_S => 0.5 } }, $gilbench, 'serve', '--python',
        $builds->{$build}, '--app', "$app:$name", '--bind', '127.0.0.1:0');
    eventually(sub { slurp($file) =~ /imported/ });
    is(stop($p), '0', "$build, $name: SIGTERM during the import is obeyed");
    is(slurp($file), $life, "$build, $name: and nothing of the application's life is left out");
}

sub test_handlers {
    my ($build, $name, $signal, $word, @options) = @_;
    my $p = serve_app($builds->{$build}, $name, {}, @options);
    is(ask(dial($p), '/'), 'hello', "$build, $name: an answer");
    kill $signal, $p->{pid};
    ok(eventually(sub { slurp($p->{life}) =~ /^$word$/m }),
        "$build, $name: its handler of SIG$signal runs");
    is(ask(dial($p), '/'), 'hello', "$build, $name: it serves on");
    is(stop($p), '0', "$build, $name: and ends");
}

sub test_own_term {
    my ($build) = @_;
    my $p = serve_app($builds->{$build}, 'factory()', {}, '--threads', 2);
    is(stop($p), '0', "$build: an application that leaves on SIGTERM ends the server");
    is(slurp($p->{life}), "imported\nterm\natexit\n", "$build: in order");
}

plan skip_all => 'no interpreter' if !%$builds;
my $lifespan = "imported\nlifespan.startup\nlifespan.shutdown\natexit\n";
for my $build (sort keys %$builds) {
    test_at_once($build, 'wsgi', "imported\natexit\n", '--threads', 4);
    test_at_once($build, 'asgi', $lifespan);
    test_early($build, 'wsgi', "imported\natexit\n");
    test_early($build, 'asgi', $lifespan);
    test_handlers($build, 'wsgi', 'USR1', 'usr1', '--threads', 2);
    test_handlers($build, 'asgi', 'USR1', 'usr1');
    test_handlers($build, 'asgi', 'USR2', 'usr2');
    test_own_term($build);
}
done_testing;
