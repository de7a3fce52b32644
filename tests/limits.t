#!/usr/bin/perl
# `gilbench serve` with the C handler, over raw sockets: what bad input gets, what keeps a connection
# and what closes it, many connections, and how the program starts and stops.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench qw(!dial !get !put !ask);  # its client has more to it
use IO::Select;
use IO::Socket::INET;
use POSIX qw(sysconf _SC_OPEN_MAX);
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep);

my $patience = 60;    # s for anything: only a hang is to fail by it

sub serve_handler {
    my $p = serve('--app', 'builtin:c', @_);
    BAIL_OUT('serve did not say where it listens') if !$p->{port};
    return ($p, $p->{port});
}

# ---- a client ----

sub dial {
    my ($port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp',
        Timeout => $patience);
    ${*$socket}{rest} = '' if $socket;
    return $socket;
}

sub put {
    my ($socket, $bytes) = @_;
    while (length $bytes) {
        my $n = syswrite $socket, $bytes;
        next if !defined $n && $!{EINTR};
        return if !$n;
        substr $bytes, 0, $n, '';
    }
    return 1;
}

# More bytes into the socket's rest; false at the end, on an error and when nothing comes.
sub more {
    my ($socket) = @_;
    return if !IO::Select->new($socket)->can_read($patience);
    return sysread $socket, ${*$socket}{rest}, 65536, length ${*$socket}{rest};
}

# The next answer as a hash of status, body and fields in lower case; an empty one if there is none.
sub get {
    my ($socket, $head_only) = @_;
    my $rest = \${*$socket}{rest};
    until ($$rest =~ /\r\n\r\n/) { more($socket) or return {} }
    $$rest =~ s/^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(.*?\r\n)\r\n//s or return {};
    my %answer = (status => $1, map { lc($_->[0]) => $_->[1] } map { [split /: /, $_, 2] }
            split /\r\n/, $2);
    my $length = $head_only || $1 < 200 ? 0 : $answer{'content-length'} // 0;
    until (length $$rest >= $length) { more($socket) or return {} }
    $answer{body} = substr $$rest, 0, $length, '';
    return \%answer;
}

sub is_closed {
    my ($socket) = @_;
    return 0 if length ${*$socket}{rest};
    my $n = more($socket);
    return defined $n && $n == 0;
}

my $end = "HTTP/1.1\r\nHost: a\r\n";
my $json = '{"message": "Hello World"}';

sub is_json {
    my ($answer, $name) = @_;
    return ok(($answer->{status} // 0) == 200 && $answer->{body} eq $json, $name);
}

sub usable {
    my ($socket) = @_;
    put($socket, "GET /json $end\r\n");
    return (get($socket)->{status} // 0) == 200;
}

my ($server, $port) = serve_handler(qw(--threads 4));

# ---- bad input ----

sub refused {
    my ($name, $bytes, $status) = @_;
    my $socket = dial($port);
    put($socket, $bytes);
    my $answer = get($socket);
    is($answer->{status}, $status, "$name: $status");
    ok(($answer->{connection} // '') eq 'close' && is_closed($socket), "$name: close");
}

sub field { return "GET /json $end$_[0]\r\n\r\n" }

my @bad = (
    ['a line that is no request', "hello\r\n\r\n", 400],
    ['HTTP/0.9', "GET /json\r\n\r\n", 400],
    ['a method with a bad character', "G(T /json $end\r\n", 400],
    ['a space in the target', "GET /js on $end\r\n", 400],
    ['a NUL in the target', "GET /js\0on $end\r\n", 400],
    ['a bare CR in the request line', "GET /json HTTP/1.1\rHost: a\r\n\r\n", 400],
    ['a bare LF behind the request line', "GET /json HTTP/1.1\nHost: a\n\n", 400],
    ['a fragment in the target', "GET /json?a#b $end\r\n", 400],
    ['UTF-8 in the target', "GET /caf\xc3\xa9 $end\r\n", 400],
    ['absolute-form without a host', "GET http:///json $end\r\n", 400],
    ['GET *', "GET * $end\r\n", 400],
    ['a name with a bad character', field('N@me: value'), 400],
    ['a space before the colon', field('Name : value'), 400],
    ['no colon', field('Name'), 400],
    ['a control character in a value', field("Name: \x01"), 400],
    ['a NUL in a value', field("Name: a\0b"), 400],
    ['a bare CR in a value', field("Name: a\rb"), 400],
    ['a bare LF behind a value', field("Name: a\nOther: b"), 400],
    ['obs-fold', field("Name: a\r\n b"), 400],
    ['Content-Type twice', field("Content-Type: a/b\r\nContent-Type: c/d"), 400],
    ['no Host', "GET /json HTTP/1.1\r\n\r\n", 400],
    ['two Hosts', field('Host: a'), 400],
    ['a bad Host', "GET /json HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
    ['both lengths', field("Content-Length: 3\r\nTransfer-Encoding: chunked"), 400],
    ['two different lengths', field("Content-Length: 3\r\nContent-Length: 4"), 400],
    ['a length with a sign', field('Content-Length: +3'), 400],
    ['a length of 65 bits', field('Content-Length: 18446744073709551617'), 400],
    ['a coding other than chunked', field('Transfer-Encoding: gzip'), 400],
    ['one behind chunked', field('Transfer-Encoding: chunked, gzip'), 400],
    ['an unknown coding before chunked', field('Transfer-Encoding: gzip, chunked'), 501],
    ['chunked, chunked', field('Transfer-Encoding: chunked, chunked'), 400],
    ['a coding in HTTP/1.0', "GET /json HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
    ['CONNECT', "CONNECT a:80 $end\r\n", 501],
    ['HTTP/2.0', "GET /json HTTP/2.0\r\nHost: a\r\n\r\n", 505],
    ['HTTP/1.2', "GET /json HTTP/1.2\r\nHost: a\r\n\r\n", 505],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ['an unknown Expect', field('Expect: the unexpected'), 417],
    ['a body over 16 MiB', "POST /json ${end}Content-Length: 16777217\r\n\r\n", 413],
);
refused(@$_) for @bad;

# ---- limits: exactly at, and one over ----

sub answered {
    my ($name, $bytes, $status) = @_;
    my $socket = dial($port);
    put($socket, $bytes);
    is(get($socket)->{status}, $status, $name);
    ok(usable($socket), "$name: the connection is usable");
}

sub line_of { return 'GET /' . 'a' x ($_[0] - length 'GET / HTTP/1.1') . " $end\r\n" }
sub head_of { return field('Name: ' . 'a' x ($_[0] - length "Host: a\r\nName: \r\n\r\n")) }
sub fields_of { return "GET /json $end" . join('', map { "Name: $_\r\n" } 2 .. $_[0]) . "\r\n" }

answered('a request line of 8 KiB', line_of(8192), 404);
refused('one byte more', line_of(8193), 414);
refused('a request line without an end', 'GET /' . 'a' x 20000, 414);
answered('headers of 64 KiB', head_of(65536), 200);
refused('one byte more', head_of(65537), 431);
refused('a header without an end', "GET /json ${end}Name: " . 'a' x 70000, 431);
answered('128 headers', fields_of(128), 200);
refused('129 headers', fields_of(129), 431);

# ---- connections ----

my $socket = dial($port);
put($socket, "GET /json $end\r\n");
my $answer = get($socket);
is_json($answer, 'an answer');
is($answer->{'content-type'}, 'application/json', 'its type');
is($answer->{'content-length'}, length $json, 'its length');
like($answer->{date}, qr/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\z/, 'its date');
is($answer->{connection}, undef, 'HTTP/1.1 keeps the connection');
put($socket, "GET /json HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
is(get($socket)->{connection}, 'keep-alive', 'HTTP/1.0 does so when asked, and is told');
put($socket, "HEAD /json $end\r\n");
$answer = get($socket, 1);
is($answer->{'content-length'}, length $json, 'HEAD tells the length');
put($socket, "GET http://elsewhere:1/json?a=b $end\r\n");
is_json(get($socket), 'after HEAD comes no body; absolute-form');
put($socket, "OPTIONS * $end\r\n");
is(get($socket)->{status}, 404, 'OPTIONS * gets to the handler');
put($socket, "\r\nGET /json $end\r\n");
is_json(get($socket), 'an empty line before a request');
put($socket, "POST /json ${end}Content-Length: 5\r\n\r\nhello");
is_json(get($socket), 'a body that nobody reads');
put($socket, "POST /json ${end}Content-Length: 0\r\nExpect: 100-continue\r\n\r\n");
is_json(get($socket), 'Expect without a body');
put($socket, "GET /nothing $end\r\n");
is(get($socket)->{status}, 404, 'no such path');
put($socket, "GET /json ${end}Connection: close\r\n\r\n");
$answer = get($socket);
is_json($answer, 'Connection: close');
ok($answer->{connection} eq 'close' && is_closed($socket), 'it is said and done');

$socket = dial($port);
put($socket, "GET /json HTTP/1.0\r\n\r\n");
$answer = get($socket);
is_json($answer, 'HTTP/1.0, without a Host');
ok($answer->{connection} eq 'close' && is_closed($socket), 'and the connection is closed');

$socket = dial($port);
put($socket, "POST /json ${end}Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
$answer = get($socket);
ok($answer->{status} == 200 && $answer->{connection} eq 'close' && is_closed($socket),
    'Expect: a body that nobody wants is not asked for');

$socket = dial($port);
put($socket, join '', map { "GET /" . ($_ % 3 ? 'json' : 'none') . " $end\r\n" } 1 .. 20);
is(join(' ', map { get($socket)->{status} // '-' } 1 .. 20),
    join(' ', map { $_ % 3 ? 200 : 404 } 1 .. 20), '20 requests in one write, answered in order');

$socket = dial($port);
for my $byte (split //, "GET /json $end\r\n") { put($socket, $byte) }
is_json(get($socket), 'a request byte by byte');

$socket = dial($port);
put($socket, "GET /json $end\r\n");
shutdown $socket, 1;
is_json(get($socket), 'a half-closed client gets its answer');
ok(is_closed($socket), 'and then the end');

for my $bytes ('', 'GET /js', "GET /json $end\r\n", "GET /io $end\r\n") {
    for (1 .. 5) {
        my $gone = dial($port);
        setsockopt $gone, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
        put($gone, $bytes);
        close $gone;
    }
}
ok(usable(dial($port)), 'clients that reset their connection harm nobody');

SKIP: {
    skip 'too few descriptors here for 1,000 connections', 2 if (sysconf(_SC_OPEN_MAX) || 0) < 1100;
    my @many = grep { $_ } map { dial($port) } 1 .. 1000;
    is(scalar @many, 1000, '1,000 connections at once');
    put($_, "GET /json $end\r\n") for @many;
    is(scalar(grep { (get($_)->{status} // 0) == 200 } @many), 1000, 'each has its answer');
}

# ---- start and stop ----

my $second = run($gilbench, qw(serve --app builtin:c --bind), "127.0.0.1:$port");
is($second->{status}, 1, 'a port in use: exit status 1');
like($second->{out} . $second->{err}, qr/\A[^\n]*127\.0\.0\.1:$port[^\n]*in use[^\n]*\n\z/, 'and one line that says so');

# Each connection was accepted before, and each request is there before the signal is.
sub stops {
    my ($signal) = @_;
    my ($idle, @busy) = map { dial($port) } 1 .. 41;
    usable($_) for $idle, @busy;
    put($_, "GET /io $end\r\n") for @busy;
    kill $signal => $server->{pid};
    is(scalar(grep { (get($_)->{status} // 0) == 200 } @busy), 40,
        "SIG$signal: what is in flight is answered");
    ok(is_closed($idle), "SIG$signal: an idle connection is closed");
    is(ended($server), 0, "SIG$signal: exit status 0");
    is(slurp($server->{out}), "listening on http://127.0.0.1:$port\n", "SIG$signal: stdout was for one line");
    ok(!dial($port), "SIG$signal: the port is closed");
}

stops('TERM');
($server, my $same) = serve_handler('--bind', "127.0.0.1:$port", qw(--threads 2));
is($same, $port, 'and free for the next');
stops('INT');

# Five seconds of work are in flight, unless this test was kept from running for so long.
my $ended_by = 0;
for (1 .. 3) {
    ($server, $port) = serve_handler();
    $socket = dial($port);
    put($socket, "GET /io $end\r\n" x 500);
    get($socket);
    # Two that are pending at once are one.
    until (defined ended($server, 0)) { kill TERM => $server->{pid}; sleep 0.02 }
    $ended_by = $server->{status};
    last if $ended_by;
}
is($ended_by, 'signal 15', 'a second SIGTERM ends it at once');

done_testing;
