#!/usr/bin/perl
# A server in Turkish, where 'I' and 'i' are two letters: the names of fields are English all the
# same. CPython takes the locale of its environment over, so this needs an interpreter.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use Test::More;

my $builds = builds();
plan skip_all => 'no usable interpreter' unless %$builds;
plan skip_all => "localedef can't make a Turkish locale here"
    if system("localedef -c -i tr_TR -f ISO-8859-9 $top/tr_TR >$top/localedef 2>&1") >> 8 ||
    !-d "$top/tr_TR";
my ($python) = values %$builds;
for my $interface (qw(wsgi asgi)) {
    my $p = serve({ env => { LOCPATH => $top, LC_ALL => 'tr_TR' } }, '--python', $python, '--app',
        "builtin:$interface");
    ok($p->{port}, "$interface: a server in Turkish") or diag(slurp($p->{err}));
    my $c = dial($p) or next;
    syswrite $c, "GET /json HTTP/1.1\r\nHOST: a\r\nCONNECTION: CLOSE\r\n\r\n";
    local $/;
    like(<$c>, qr{^HTTP/1.1 200 .*^Connection: close\r$}ms, 'reads CONNECTION: CLOSE');
    is(stop($p), 0, 'and ends well');
}
done_testing();
