#!/usr/bin/perl
# ASGI over raw sockets, on a GIL and on a free-threaded build: what an application is given, and
# what its client gets.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench qw(!dial !get !put !ask);  # its client has more to it
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Socket qw(SHUT_WR SOL_SOCKET SO_LINGER SO_RCVBUF);
use Test::More;
use Time::HiRes qw(sleep time);

my $app = "$FindBin::Bin/asgi_app.py";

sub serve_app {
    my ($python, $name, %how) = @_;
    return serve({ descriptors => $how{descriptors} // 4096 }, '--python', $python, '--app',
        $name =~ /:/ ? $name : "$app:$name", @{ $how{options} // [] });
}

sub dial {
    my ($s, %more) = @_;
    my $socket = IO::Socket::INET->new(Proto => 'tcp') or die $!;
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $more{buffer} if $more{buffer};
    connect $socket, Socket::pack_sockaddr_in($s->{port}, Socket::inet_aton('127.0.0.1'))
        or die "connect: $!";
    $socket->autoflush(1);
    return $socket;
}

# Reads until `done` says so of what is there, the end, or a timeout.
sub read_until {
    my ($socket, $done, $seconds) = @_;
    my ($got, $end) = ('', time + ($seconds // 10));
    my $select = IO::Select->new($socket);
    while (!$done->($got) && (my $left = $end - time) > 0) {
        next unless $select->can_read($left);
        my $n = sysread $socket, $got, 1 << 20, length $got;
        return ($got, 'closed') unless $n;
    }
    return ($got, $done->($got) ? 'done' : 'timeout');
}

# The first answer in the text and what is behind it; nothing unless it is complete.
sub parse {
    my ($text, $closed) = @_;
    my ($status, $head, $rest) = $text =~ /\AHTTP\/1\.1 (\d+)[^\r\n]*\r\n(.*?)\r\n\r\n(.*)\z/s
        or return;
    return parse($rest, $closed) if $status == 100;
    my $body = '';
    if ($status == 204 || $status == 304) {
    } elsif ($head =~ /^transfer-encoding: chunked/mi) {
        for (;;) {
            my ($size) = $rest =~ /\A([0-9a-f]+)\r\n/ or return;
            my $at = length($size) + 2;
            return if length $rest < $at + hex($size) + 2;
            $body .= substr $rest, $at, hex $size;
            $rest = substr $rest, $at + hex($size) + 2;
            last if $size eq '0';
        }
    } elsif ($head =~ /^content-length: (\d+)/mi) {
        return if length $rest < $1;
        $body = substr $rest, 0, $1, '';
    } else {
        return unless $closed;
        ($body, $rest) = ($rest, '');
    }
    return { status => $status, head => $head, body => $body, rest => $rest };
}

sub answer {
    my ($socket, $seconds) = @_;
    my ($text, $how) = read_until($socket, sub { parse($_[0]) }, $seconds);
    return parse($text, $how eq 'closed') // { status => 0, head => $how, body => $text, rest => '' };
}

sub get {
    my ($s, $path, $more, $body) = @_;
    my $socket = dial($s);
    print $socket "GET $path HTTP/1.1\r\nHost: a\r\n", $more // '', "\r\n", $body // '';
    return answer($socket);
}

sub json { return eval { decode_json($_[0]{body}) } // "no JSON: $_[0]{status} $_[0]{body}" }

sub memory {
    my ($s, $what) = @_;
    return slurp("/proc/$s->{pid}/status") =~ /^$what:\s+(\d+)/m ? $1 / 1024 : 0;
}

# Waits for what the application has noted of requests that nobody waits for.
sub noted {
    my ($s, $count) = @_;
    my @all;
    for (1 .. 100) {
        push @all, @{ json(get($s, '/seen')) };
        last if @all >= $count;
        sleep 0.02;
    }
    return \@all;
}

sub vanish {
    my ($socket) = @_;
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $socket;
}

sub test_scope {
    my ($s) = @_;
    my $socket = dial($s);
    print $socket "POST /a%20b/%C3%A9/%zz?x=%20&y HTTP/1.1\r\nHost: me\r\nX-Twice: 1\r\n",
        "x-twice:  2 \r\nContent-Length: 0\r\n\r\n";
    my $scope = json(answer($socket));
    is_deeply([@$scope{qw(type http_version method scheme root_path query_string)}],
        ['http', '1.1', 'POST', 'http', '', 'x=%20&y'], 'the plain parts of the scope');
    is($scope->{path}, "/a b/\x{e9}/%zz", 'the path is decoded, as UTF-8');
    is($scope->{raw_path}, '/a%20b/%C3%A9/%zz', 'the raw path is not');
    is_deeply($scope->{asgi}, { version => '3.0', spec_version => '2.3' }, 'the version');
    is_deeply($scope->{headers},
        [['host', 'me'], ['x-twice', 1], ['x-twice', 2], ['content-length', 0]],
        'headers: lower case, in order, trimmed');
    is_deeply($scope->{kinds}, [qw(bytes bytes bytes tuple)], 'bytes are bytes');
    is_deeply($scope->{client}, ['127.0.0.1', $socket->sockport], 'the client');
    is_deeply($scope->{server}, ['127.0.0.1', 0 + $s->{port}], 'the server');
    is_deeply($scope->{state}, { count => 1, kept => [] }, 'the state of the lifespan');
    print $socket "GET /%ff HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    $scope = json(answer($socket));
    is_deeply($scope->{state}, { count => 1, kept => [1] }, 'a shallow copy for each request');
    is_deeply([@$scope{qw(http_version method path)}], ['1.0', 'GET', "/\x{fffd}"],
        'HTTP/1.0, and a path that is no UTF-8');
    is_deeply($scope->{asgi}, { version => '3.0', spec_version => '2.3' },
        'a version that is not as the request before has left it');
    is(json(get($s, 'http://you/scope'))->{headers}[0][1], 'you',
        'the authority of an absolute-form target is the host');
    $socket = dial($s);
    print $socket "get http://you:9/scope HTTP/1.0\r\nA: 1\r\n\r\n";
    $scope = json(answer($socket));
    is_deeply($scope->{headers}, [['host', 'you:9'], ['a', 1]], '... also where there is no Host');
    is($scope->{method}, 'GET', 'a method is in upper case');
    is_deeply(json(get($s, '/letters', "A: 1\r\nX: 2\r\n")), [[qw(A A X)], [qw(a x)]],
        'names of one letter are lower case, and nobody else is');
}

sub test_bodies {
    my ($s) = @_;
    is(get($s, '/echo')->{body}, '', 'a request without a body');
    is(get($s, '/echo', "Content-Length: 5\r\n", 'hello')->{body}, 'hello', 'a counted body');
    is(get($s, '/echo', "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: r\r\n\r\n")
        ->{body}, 'abcde', 'a chunked body');
    my $socket = dial($s);
    print $socket "POST /pieces HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";
    for ('a', 'bb', 'ccc') { sleep 0.1; print $socket $_ }
    my $sizes = json(answer($socket));
    is_deeply([grep { $_ } @$sizes], [1, 2, 3], 'a body is received as it comes');
    is(get($s, '/echo', "Transfer-Encoding: chunked\r\n", "zz\r\n")->{status}, 400, 'a bad chunk');
    is(get($s, '/echo', "Content-Length: 400000000\r\n")->{status}, 413, 'a body over the limit');
    is(get($s, '/echo', "Content-Length: 1\r\nContent-Length: 2\r\n")->{status}, 400,
        'two lengths');
    is(get($s, '/' . 'a' x 9000)->{status}, 414, 'a long request line');
    is(get($s, '/', join '', map { "h$_: 1\r\n" } 1 .. 200)->{status}, 431, 'many headers');

    $socket = dial($s);
    print $socket "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    my ($text) = read_until($socket, sub { $_[0] =~ /\r\n\r\n/ }, 5);
    is($text, "HTTP/1.1 100 Continue\r\n\r\n", '100 Continue when the application receives');
    print $socket 'ok';
    is(answer($socket)->{body}, 'ok', '... and then the answer');
    $socket = dial($s);
    print $socket "POST /scope HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    ($text) = read_until($socket, sub { parse($_[0]) }, 5);
    like($text, qr/\AHTTP\/1\.1 200.*^Connection: close/ms, 'no 100 Continue when it does not');
}

sub test_answers {
    my ($s) = @_;
    my $socket = dial($s);
    print $socket "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    for (["3\r\none\r\n", 'first'], ["3\r\ntwo\r\n", 'second'], ["5\r\nthree\r\n", 'third']) {
        my ($text, $how) = read_until($socket, sub { $_[0] =~ /\Q$_->[0]\E\z/ }, 5);
        is($how, 'done', "the $_->[1] chunk is sent before the next") or diag $text;
    }
    is((read_until($socket, sub { $_[0] eq "0\r\n\r\n" }, 5))[1], 'done', '... and then the end');

    $socket = dial($s);
    print $socket "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    my ($text, $how) = read_until($socket, sub { 0 }, 5);
    is($how, 'closed', 'HTTP/1.0: the end of the connection is the end of a stream');
    like($text, qr/Connection: close\r\n\r\nonetwothree\z/, '... which is not chunked');

    $socket = dial($s);
    print $socket "HEAD /status?200 HTTP/1.1\r\nHost: a\r\n\r\nGET /status?204 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status?304 HTTP/1.1\r\nHost: a\r\n\r\nGET /status?418 HTTP/1.1\r\nHost: a\r\n",
        "Connection: close\r\n\r\n";
    ($text) = read_until($socket, sub { 0 }, 5);
    my @heads = split /(?<=\r\n\r\n)/, $text;
    is(@heads, 4, 'HEAD, 204 and 304 have no body; pipelined requests are answered in order');
    like($heads[0], qr/^HTTP\/1\.1 200 .*^content-length: 5\r/msi, 'HEAD has the length of GET');
    like($heads[0], qr/^x-a: 1\r\nx-a: 2\r/m, 'headers are sent in order');
    unlike($heads[1] . $heads[2], qr/content-length|transfer-encoding/i, '204 and 304 have none');
    like($heads[3], qr/^HTTP\/1\.1 418 .*^Content-Length: 0\r\nConnection: close/ms, 'a status that has no name');
    is(get($s, '/length?3')->{body}, '123', 'nothing beyond a promised length is sent');
    $socket = dial($s);
    print $socket "GET /length?9 HTTP/1.1\r\nHost: a\r\n\r\n" x 2;
    my $short = answer($socket);
    is("$short->{status} " . (parse($short->{rest}) // answer($socket))->{status}, '500 500',
        'a body that is too short is a 500');
    is(get($s, '/length?9&pieces')->{status}, 0, '... and cut where some of it was sent');

    $socket = dial($s);
    print $socket "GET /connection_fields HTTP/1.1\r\nHost: a\r\n\r\n";
    my $stream = answer($socket);
    is("$stream->{status} $stream->{body}", '200 eventstream',
        "an application's fields about the connection do no harm");
    unlike($stream->{head}, qr/^(connection|keep-alive|te|trailer|upgrade|proxy-.*):/mi, '... and are not sent');
    like($stream->{head}, qr/^x-before: 1\r\nx-after: 2\r/m, '... while the others are');
    print $socket "GET /connection_fields?Close HTTP/1.1\r\nHost: a\r\n\r\n";
    ($text, $how) = read_until($socket, sub { 0 }, 5);
    is($how, 'closed', 'Connection: close closes it');
    like($text, qr/^Connection: close\r/m, '... as the answer says');

    $socket = dial($s);
    print $socket "GET /scope?$_ HTTP/1.1\r\nHost: a\r\n\r\n" for 1 .. 50;
    print $socket "GET /tools HTTP/1.1\r\nHost: a\r\n\r\nGET /scope?last HTTP/1.1\r\nHost: a\r\n",
        "Connection: close\r\n\r\n";
    ($text) = read_until($socket, sub { 0 }, 10);
    my @seen;
    while (my $one = parse($text)) {
        push @seen, json($one)->{query_string} // 'tools';
        $text = $one->{rest};
    }
    is("@seen", "@{[1 .. 50]} tools last", '52 pipelined requests, one that waits among them');
    $socket = dial($s);
    print $socket "GET /tools HTTP/1.1\r\nHost: a\r\n\r\n";
    shutdown $socket, SHUT_WR;
    ok(answer($socket)->{status}, 'a client that has closed its side gets its answer');
}

sub test_tasks {
    my ($s) = @_;
    is_deeply(json(get($s, '/tools')),
        { task => 'Task', timeout => JSON::PP::true, group => 3, thread => [JSON::PP::true, 'set'],
          message => 'http.request', receive => 'waits' },
        'asyncio.timeout, TaskGroup, to_thread, contextvars, create_task and wait_for');
    is_deeply(json(get($s, '/context')), ['unset', 'leaked'], 'a context of its own') for 1, 2;
    is_deeply(json(get($s, '/foreign')),
        { stepped => [('RuntimeError') x 3], kind => [JSON::PP::true, JSON::PP::true],
          received => 'http.request' },
        'receive and send are called in any thread, and awaited in the loop alone');
    get($s, '/keeps');
    is_deeply(json(get($s, '/keeps')), [qw(http.disconnect RuntimeError TypeError)],
        'a receive and a send that outlive their request');
    is(get($s, '/after')->{body}, 'ok', 'an application that goes on after its answer');
    is_deeply(noted($s, 3), [qw(http.disconnect ignored background)],
        '... sees a disconnect, can not answer again, and is let run');
}

# Two requests of one turn: the first's answer is not held until the second no longer blocks.
sub test_blocking {
    my ($s) = @_;
    my $file = "$top/unblock-$s->{pid}";
    my @sockets = map { dial($s) } 0 .. 2;
    my @queries = ('0.3', '0.01', $file);
    for (0 .. 2) {
        print { $sockets[$_] } "GET /blocks?$queries[$_] HTTP/1.1\r\nHost: a\r\n\r\n";
    }
    is(answer($sockets[1])->{body}, 'blocked', 'an answer is out before the next request blocks');
    open my $out, '>', $file or die $!;
    is(answer($sockets[2])->{body}, 'blocked', 'which is answered, too');
}

sub test_disconnect {
    my ($s) = @_;
    my $before = length slurp($s->{err});
    my $socket = dial($s);
    print $socket "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.1;
    close $socket;
    is_deeply(noted($s, 3), [qw(http.request http.disconnect sent)],
        'a client that closes wakes receive, and send then does nothing');
    $socket = dial($s);
    print $socket "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.1;
    vanish($socket);
    is_deeply(noted($s, 3), [qw(http.request http.disconnect sent)], 'a reset does so, too');
    $socket = dial($s);
    print $socket "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    sleep 0.1;
    close $socket;
    is_deeply(noted($s, 3), [qw(http.request http.disconnect sent)],
        'a client that closes within its body');
    $socket = dial($s);
    print $socket "GET /gone_while_sending HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.1;
    vanish($socket);
    is_deeply(noted($s, 1), ['http.disconnect'], 'a client that leaves within its answer');
    $socket = dial($s);
    print $socket "POST /strict_upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    sleep 0.1;
    close $socket;
    is_deeply(noted($s, 1), ['left'], 'a framework with an exception of its own for that');
    $socket = dial($s);
    print $socket "GET /waiters HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.1;
    close $socket;
    is_deeply(noted($s, 3), ['http.disconnect', JSON::PP::true, 'http.disconnect'],
        'all who wait are told, but for one that gave up');
    load($s, '/download?50', qw(-c 16 -d 0.3));
    is(get($s, '/echo')->{status}, 200, 'a load that ends in the middle of answers');
    is(substr(slurp($s->{err}), $before), '', 'none of which is worth a traceback');
}

sub test_mistakes {
    my ($s) = @_;
    for my $path (qw(raises raises_between returns cancel)) {
        my $socket = dial($s);
        print $socket "GET /$path HTTP/1.1\r\nHost: a\r\n\r\n" x 2;
        my $first = answer($socket);
        is($first->{status}, 500, "$path: 500");
        is((parse($first->{rest}) // answer($socket))->{status}, 500, '... and the connection goes on');
    }
    for my $path (qw(raises_after returns_half)) {
        my $socket = dial($s);
        print $socket "GET /$path HTTP/1.1\r\nHost: a\r\n\r\n";
        my ($text, $how) = read_until($socket, sub { 0 }, 5);
        is($how, 'closed', "$path: closed");
        unlike($text, qr/^0\r\n/m, '... without an end');
    }
    get($s, '/exits');
    is(get($s, '/echo')->{status}, 200, 'sys.exit() in a request does not end the server');
    my $stderr = slurp($s->{err});
    like($stderr, qr/Traceback.*ValueError: \Q$_\E/s, "stderr has the traceback: $_")
        for 'before the start', 'after the start';
    is_deeply(json(get($s, '/misuse')),
        [qw(RuntimeError RuntimeError RuntimeError TypeError TypeError ValueError TypeError
            ValueError TypeError TypeError ValueError ValueError RuntimeError TypeError)],
        'messages out of order, of no type, and with headers that can not be');
}

sub test_pressure {
    my ($s) = @_;
    my ($mb, $before) = (64, memory($s, 'VmRSS'));
    my ($socket, $sent, $piece) = (dial($s), 0, 'x' x (1 << 20));
    print $socket "POST /slow_upload HTTP/1.1\r\nHost: a\r\nContent-Length: ", $mb << 20, "\r\n\r\n";
    $socket->blocking(0);
    my $end = time + 0.6;
    while (time < $end) {
        my $n = syswrite $socket, $piece;
        $n ? $sent += $n : sleep 0.01;
    }
    cmp_ok($sent, '<', 50 << 20, 'an upload waits for an application that does not receive');
    $socket->blocking(1);
    while ($sent < $mb << 20) {
        my $left = ($mb << 20) - $sent;
        $sent += syswrite($socket, $piece, $left < length $piece ? $left : length $piece) // last;
    }
    is(answer($socket, 20)->{body}, $mb << 20, '... and all of it arrives');
    cmp_ok(memory($s, 'VmHWM') - $before, '<', 30, '... in flat memory');

    ($socket, $before) = (dial($s), memory($s, 'VmRSS'));
    print $socket "GET /download?", $mb * 16, " HTTP/1.0\r\n\r\n";
    sleep 0.5;
    my ($got, $n, $buffer) = (0);
    $got += $n while $n = sysread $socket, $buffer, 1 << 20;
    cmp_ok($got, '>', $mb << 20, 'a download to a slow reader');
    cmp_ok(memory($s, 'VmHWM') - $before, '<', 30, '... in flat memory');

    ($socket, $before) = (dial($s), memory($s, 'VmRSS'));
    my $piped = join '', map { "GET /naps?$_ HTTP/1.1\r\nHost: a\r\n\r\n" } 1 .. 20000;
    if (!fork) {
        print $socket $piped, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        POSIX::_exit(0);
    }
    my ($text) = read_until($socket, sub { 0 }, 20);
    my @bodies = $text =~ /\r\n\r\n(\d+)/g;
    is_deeply([@bodies[0 .. 19999]], [1 .. 20000], '20,000 pipelined requests that all wait');
    cmp_ok(memory($s, 'VmHWM') - $before, '<', 30, '... in flat memory');
    wait;

    $socket = dial($s);
    print $socket "GET /one_piece?256 HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.2;
    my $big = answer($socket, 20);
    is(length $big->{body}, 256 * 65536, 'one body that no socket takes at once');
    is((parse($big->{rest}) // answer($socket))->{status}, 200, '... and the request behind it');
    $socket = dial($s);
    print $socket "GET /at_once HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.2;
    my $all = answer($socket, 20)->{body};
    my $order = join '', map { substr $all, $_ * 65536, 3 } 0 .. 200;
    is($order, join('', map { sprintf '%03d', $_ } 0 .. 199) . 'end', '200 sends at once');

    $socket = dial($s);
    print $socket "GET /abandons HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.2;
    get($s, '/one_piece?64') for 1 .. 4;  # they would get the memory, if it were free
    is(answer($socket, 20)->{body}, join('', map { sprintf "%015d\n", $_ } 0 .. (1 << 19) - 1),
        'an answer whose application gave up waiting for it is sent all the same');
    is_deeply(noted($s, 1), ['TimeoutError'], '... and it did give up');
}

sub load {
    my ($s, $path, @options) = @_;
    my $command = join ' ', $gilbench, 'load', "http://127.0.0.1:$s->{port}$path", @options;
    my $output = `ulimit -n 4096; $command 2>&1`;
    return $? ? "failed: $output" : 'ok';
}

sub test_load {
    my ($s) = @_;
    is(load($s, '/echo', qw(-c 1000 -n 4000)), 'ok', '1,000 connections');
    is(load($s, '/echo', qw(-c 8 -n 200 --no-keepalive)), 'ok', 'a connection a request');
    load($s, '/echo', qw(-c 32 -n 4000));
    my $before = memory($s, 'VmRSS');
    is(load($s, '/echo', qw(-c 32 -n 12000)), 'ok', 'many requests');
    cmp_ok(memory($s, 'VmRSS') - $before, '<', 4, '... leak nothing');
}

# Those that wait for the ten seconds of the read timeout, from when the server gets to them; asked
# about at the end.
sub slow_clients {
    my ($s) = @_;
    my %slow = map { $_ => dial($s) } qw(head body reader);
    print { $slow{head} } "GET / HTTP/1.1\r\nHos";
    print { $slow{body} } "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    print { $slow{reader} } "GET /download?3200 HTTP/1.1\r\nHost: a\r\n\r\n";
    return { since => time, %slow, drip => drip($s) };
}

# A child that sends a byte of its body now and then until it is answered; reads as its status.
sub drip {
    my ($s) = @_;
    my $pid = open(my $pipe, '-|') // die "fork: $!";
    return $pipe if $pid;
    my $socket = dial($s);
    print $socket "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n";
    print $socket 'x' until IO::Select->new($socket)->can_read(0.5) || time > $^T + 60;
    print answer($socket)->{status}, "\n";
    close STDOUT;
    POSIX::_exit(0);
}

sub test_slow_clients {
    my ($s, $slow) = @_;
    my $left = $slow->{since} + 13 - time;
    sleep $left if $left > 0;
    is(answer($slow->{$_})->{status}, 408, "a slow $_ gets a 408") for qw(head body);
    is(readline($slow->{drip}), "408\n", 'a body that drips, too');
    my ($text, $how) = read_until($slow->{reader}, sub { 0 }, 10);
    is($how, 'closed', 'a client that reads nothing is left');
    cmp_ok(length $text, '<', 100 << 20, '... in the middle of its answer');
}

sub test_stop {
    my ($s) = @_;
    my ($busy, $idle) = (dial($s), dial($s));
    print $busy "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    sleep 0.1;
    kill TERM => $s->{pid};
    my $answer = answer($busy);
    is($answer->{body}, 'onetwothree', 'a stop lets requests finish');
    is((read_until($idle, sub { 0 }, 5))[1], 'closed', '... and closes idle connections');
    is(stop($s, 0), 0, '... and ends well');
    like(slurp($s->{err}), qr/shut down in order/, '... after the shutdown of the lifespan');
    like(slurp($s->{err}), qr/^atexit: RuntimeError RuntimeError$/m, '... and what was kept is dead');
}

sub test_lifespans {
    my ($python) = @_;
    my $s = serve_app($python, 'failing');
    is($s->{status}, 1, 'a startup that fails stops the server');
    like(slurp($s->{err}), qr/startup failed: no database today/, '... with its message');
    $s = serve_app($python, 'failing_silently');
    is($s->{status}, 1, '... without a message, too');
    $s = serve_app($python, 'without');
    is(get($s, '/')->{body}, 'works', 'an application without a lifespan');
    is(stop($s, 'INT'), 0, '... ends well');
    is(slurp($s->{err}), '', '... and in silence');
    $s = serve_app($python, 'awaitable', options => [qw(--interface asgi)]);
    is(get($s, '/')->{body}, 'awaited', 'an application that returns no coroutine');
    stop($s);
    $s = serve_app($python, 'without', options => [qw(--loop rloop)]);
    SKIP: {
        skip 'rloop is installed', 1 if $s->{port} && (stop($s), 1);
        like(slurp($s->{err}), qr/rloop can't be imported/, 'a loop that is not installed');
    }
}

# Two event loops in one interpreter, which some applications can't have.
sub test_two_loops {
    my ($python) = @_;
    my @options = qw(--workers 2 --worker-model threads --interface asgi);
    my $s = serve_app($python, 'starts_once', options => \@options);
    like(slurp($s->{err}), qr/once per instance; .*--worker-model processes/, 'a startup that fails says what to try');
    $s = serve_app($python, 'of_one_loop', options => \@options);
    get($s, '/') for 1 .. 3;
    my @hints = slurp($s->{err}) =~ /^gilbench: .*try --worker-model processes$/mg;
    is(@hints, 1, 'a request that fails does so, once');
    stop($s);
    $s = serve_app($python, 'of_one_loop', options => [qw(--interface asgi)]);
    get($s, '/');
    unlike(slurp($s->{err}), qr/worker-model/, '... but not where there is one loop');
    stop($s);
}

# The file in apps/ answers as the one compiled in.
sub test_apps_file {
    my ($python) = @_;
    my @both = map { serve_app($python, $_) } 'builtin:asgi', "$FindBin::Bin/../apps/asgi_app.py:app";
    for my $path (qw(/json /io /page /query /)) {
        my ($builtin, $file) = map { get($_, $path) } @both;
        s/^Date: .*\r\n//m for $builtin->{head}, $file->{head};
        is($file->{head} . $file->{body}, $builtin->{head} . $builtin->{body}, "apps/asgi_app.py: $path");
    }
    is(stop($_), 0, '... ends well') for @both;
}

sub test_descriptors {
    my ($python) = @_;
    my $s = serve_app($python, 'without', descriptors => 40);
    my @sockets = map { dial($s) } 1 .. 60;
    my $ticks = sub { my @stat = split ' ', slurp("/proc/$s->{pid}/stat"); $stat[13] + $stat[14] };
    my $before = $ticks->();
    sleep 0.5;
    cmp_ok($ticks->() - $before, '<', 25, 'out of descriptors, the server does not spin');
    close shift @sockets for 1 .. 40;
    my $last = $sockets[-1];
    print $last "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    is(answer($last)->{body}, 'works', '... and goes on when there are some again');
    stop($s);
}

my $builds = builds();
plan skip_all => 'no usable interpreter' unless %$builds;
my (%main, %slow);
for my $build (sort keys %$builds) {
    $main{$build} = serve_app($builds->{$build}, 'app', options => [qw(--max-body 300000000)]);
    $slow{$build} = slow_clients($main{$build}) if $main{$build}{port};
}
for my $build (sort keys %$builds) {
    my ($s, $python) = ($main{$build}, $builds->{$build});
    subtest $build => sub {
        ok($s->{port}, 'it comes up') or return diag(slurp($s->{err}));
        for my $test (['scope', \&test_scope], ['bodies', \&test_bodies],
            ['answers', \&test_answers], ['tasks', \&test_tasks], ['blocking', \&test_blocking], ['disconnect', \&test_disconnect],
            ['mistakes', \&test_mistakes], ['pressure', \&test_pressure], ['load', \&test_load]) {
            subtest $test->[0] => sub { $test->[1]->($s) };
        }
        subtest lifespans => sub { test_lifespans($python) };
        subtest 'two loops' => sub {
            plan(skip_all => 'workers are processes here') if $build eq 'gil';
            test_two_loops($python);
        };
        subtest files => sub { test_apps_file($python) };
        subtest descriptors => sub { test_descriptors($python) };
        subtest 'slow clients' => sub { test_slow_clients($s, $slow{$build}) };
        subtest stop => sub { test_stop($s) };
    };
}
done_testing();
