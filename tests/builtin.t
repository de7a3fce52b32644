# The built-in applications, their files in apps/ and the control give the same answers, byte for
# byte, on both builds.
use strict;
use warnings;
use FindBin;
use Test::More;
use lib $FindBin::Bin;
use Gilbench;

my %build = %{ builds() };
plan skip_all => 'no usable interpreter' unless %build;
my $apps = "$FindBin::Bin/../apps";
$ENV{PYTHONDONTWRITEBYTECODE} = 1;

my @apps = ('builtin:wsgi', "$apps/wsgi_app.py:app", 'builtin:asgi', "$apps/asgi_app.py:app");
my %server = ('builtin:c' => serve('--app', 'builtin:c'));
for my $name (sort keys %build) {
    $server{"$_, $name"} = serve('--app', $_, '--python', $build{$name}) for @apps;
}
for my $path (qw(/json /io /page /query)) {
    my %answer;
    $answer{$_} = $server{$_}{port} ? ask(dial($server{$_}), $path) : undef for keys %server;
    like $answer{'builtin:c'}, qr/\A\{.*\}\z/, "$path of the control is JSON";
    is $answer{$_}, $answer{'builtin:c'}, "$path of $_" for sort grep { /,/ } keys %answer;
}
is stop($_), 0, 'stopped' for values %server;

done_testing;
