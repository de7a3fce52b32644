#!/usr/bin/perl
# PEP 3333 as an application and a client see it: `gilbench serve` with tests/wsgi_app.py on the GIL
# and the free-threaded build, by one thread and by four, over raw sockets.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench qw(!dial !get !put !ask);  # its client has more to it
use Digest::MD5 qw(md5_hex);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

my $app_file = "$FindBin::Bin/wsgi_app.py";
my $patience = 60;    # for anything that should happen at once; the machine may be busy
my $crlf = "\r\n";

my $servers = 0;
sub serve_app {
    my (%s) = @_;
    local $Gilbench::gilbench = $s{program} || $gilbench;
    my $p = serve({ dir => $s{dir} || $top }, '--app', $s{app}, '--python', $s{python}, '--threads',
        $s{threads} ||= 1, @{ $s{options} // [] });
    return { %s, %$p, name => 'server' . ++$servers };
}

sub out { slurp($_[0]{out}) }
sub err { slurp($_[0]{err}) }

sub resident_kb {
    my ($s) = @_;
    return slurp("/proc/$s->{pid}/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : die "no VmRSS";
}

# ---- a client -----------------------------------------------------------------------------------

sub connection {
    my ($s, @options) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->{port}, @options)
        or die "connect: $!";
    return { socket => $socket, in => '' };
}

sub put {
    my ($c, $bytes) = @_;
    my $at = 0;
    while ($at < length $bytes) {
        my $n = syswrite($c->{socket}, $bytes, 1 << 20, $at);
        return 0 unless $n;
        $at += $n;
    }
    return 1;
}

# More bytes; 0 at the end of the stream, undef when nothing comes.
sub more {
    my ($c, $seconds) = @_;
    return undef unless IO::Select->new($c->{socket})->can_read($seconds // $patience);
    return sysread($c->{socket}, $c->{in}, 1 << 20, length $c->{in}) || 0;
}

sub until_has {
    my ($c, $what) = @_;
    while ($c->{in} !~ $what) { more($c) or return 0 }
    return 1;
}

sub take_bytes {
    my ($c, $n) = @_;
    while (length $c->{in} < $n) { more($c) or return undef }
    return substr($c->{in}, 0, $n, '');
}

sub take_chunked {
    my ($c, $r) = @_;
    while (1) {
        until_has($c, qr/^[0-9a-f]+\r\n/) && $c->{in} =~ s/^([0-9a-f]+)\r\n// or return 0;
        my $size = hex $1;
        push @{ $r->{chunks} }, $size if $size;
        my $piece = take_bytes($c, $size) // '';
        $r->{body} .= $piece;
        (take_bytes($c, 2) // '') eq $crlf && length $piece == $size or return 0;
        return 1 unless $size;
    }
}

# The next answer; its `end` says how its body ended: by length, chunked, eof, none or cut.
sub answer {
    my ($c, $method) = @_;
    until_has($c, qr/\r\n\r\n/) or return { line => '', status => 0, head => '', body => '',
        end => 'gone', field => {} };
    $c->{in} =~ s/^(.*?\r\n)\r\n//s;
    my $r = { head => $1, body => '', field => {}, chunks => [] };
    my ($line, @fields) = split /\r\n/, $r->{head};
    $r->{line} = $line;
    ($r->{status}) = $line =~ m{^HTTP/1\.1 (\d{3}) };
    $r->{status} //= 0;
    for (@fields) {
        my ($name, $value) = /^([^:]+): (.*)$/ or next;
        push @{ $r->{field}{ lc $name } }, $value;
    }
    my $length = $r->{field}{'content-length'};
    if (($method // '') eq 'HEAD' || $r->{status} =~ /^(1..|204|304)$/) {
        $r->{end} = 'none';
    } elsif ($r->{field}{'transfer-encoding'}) {
        $r->{end} = take_chunked($c, $r) ? 'chunked' : 'cut';
    } elsif ($length) {
        $r->{body} = take_bytes($c, $length->[0]);
        $r->{end} = defined $r->{body} ? 'length' : 'cut';
        ($r->{body}, $c->{in}) = ($c->{in}, '') unless defined $r->{body};
    } else {
        while (more($c)) { }
        ($r->{body}, $c->{in}, $r->{end}) = ($c->{in}, '', 'eof');
    }
    return $r;
}

sub head_of {
    my ($line, @fields) = @_;
    $line .= ' HTTP/1.1' unless $line =~ m{ HTTP/1};
    return join '', map { "$_$crlf" } $line, 'Host: test', @fields, '';
}

sub chunked {
    my ($size, $body) = @_;
    my $text = '';
    for (my $at = 0; $at < length $body; $at += $size) {
        my $piece = substr $body, $at, $size;
        $text .= sprintf "%x%s%s%s", length $piece, $crlf, $piece, $crlf;
    }
    return "${text}0$crlf$crlf";
}

# One request on a connection of its own, or on $c.
sub ask {
    my ($where, $line, %given) = @_;
    my $c = $where->{socket} ? $where : connection($where);
    my @fields = @{ $given{fields} || [] };
    my $body = $given{body};
    if (defined $body && $given{chunks}) {
        push @fields, 'Transfer-Encoding: chunked';
        $body = chunked($given{chunks}, $body);
    } elsif (defined $body) {
        push @fields, 'Content-Length: ' . length $body;
    }
    put($c, head_of($line, @fields) . ($body // ''));
    my ($method) = $line =~ /^(\S+)/;
    return answer($c, $method);
}

sub get {
    my ($where, $target, %given) = @_;
    return ask($where, "GET $target", %given);
}

sub json_of {
    my ($r) = @_;
    my $value = eval { JSON::PP->new->allow_nonref->decode($r->{body}) };
    return $value;
}

# Asks for /events until `wanted` is among them.
sub happened {
    my ($s, $wanted) = @_;
    my $end = time + $patience;
    while (time < $end) {
        my $events = json_of(get($s, '/events')) || [];
        return 1 if grep { ref $wanted ? /$wanted/ : $_ eq $wanted } @$events;
        sleep 0.01;
    }
    return 0;
}

# What stderr gained; waits for it, because it is written before or after the answer.
sub complained {
    my ($s, $pattern, $since) = @_;
    my $end = time + $patience;
    while (time < $end) {
        return 1 if substr(err($s), $since) =~ $pattern;
        sleep 0.01;
    }
    return 0;
}

sub is_500 {
    my ($s, $target, $what, $pattern) = @_;
    my $c = connection($s);
    my $since = length err($s);
    my $r = get($c, $target);
    my $next = get($c, '/valid_list');
    ok($r->{status} == 500 && ($r->{head} . $r->{body}) !~ /X-Leak/i, "$what: 500")
        or diag($r->{head}, $r->{body});
    is($next->{body}, 'list of GET', "$what: the connection is good for more");
    ok(complained($s, $pattern // qr/^\w+Error: ./m, $since),
        "$what: the reason is on stderr") or diag(substr err($s), $since);
}

# ---- the tests ----------------------------------------------------------------------------------

sub test_environ {
    my ($s) = @_;
    my $c = connection($s);
    put($c, head_of("POST /caf%C3%A9/%2fa%20b/%zz/%4?q=%41+b&%e9",
            'Content-Type: text/x; a=b', 'Content-Length: 4', "X-One: caf\xe9", 'x-TWO:  two ',
            'X-Many: 1', 'X-Other: o', 'x-many: 2', 'X-Many: 3', 'Cookie: a=1', 'Cookie: b=2',
            'X-Long-' . 'n' x 3000 . ': long', 'X_Under: no', 'Content_Length: 9', 'Accept: a/b', 'Accept: c/d', 'X-Empty:') . 'body');
    my $r = answer($c);
    my $e = json_of($r);
    my %want = (
        REQUEST_METHOD => 'POST', SCRIPT_NAME => '', PATH_INFO => "/caf\xc3\xa9//a b/%zz/%4",
        QUERY_STRING => "q=%41+b&%e9", SERVER_PROTOCOL => 'HTTP/1.1', SERVER_NAME => '127.0.0.1',
        SERVER_PORT => $s->{port}, REMOTE_ADDR => '127.0.0.1', CONTENT_TYPE => 'text/x; a=b',
        CONTENT_LENGTH => '4', HTTP_HOST => 'test', HTTP_X_ONE => "caf\xe9", HTTP_X_TWO => 'two',
        HTTP_X_MANY => '1,2,3', HTTP_X_OTHER => 'o', HTTP_COOKIE => 'a=1; b=2',
        REQUEST_URI => "/caf%C3%A9/%2fa%20b/%zz/%4?q=%41+b&%e9", REMOTE_PORT => $c->{socket}->sockport,
        'HTTP_X_LONG_' . 'N' x 3000 => 'long',
        HTTP_ACCEPT => 'a/b,c/d', HTTP_X_EMPTY => '', 'wsgi.url_scheme' => 'http',
    );
    for (sort keys %want) {
        is_deeply($e->{$_}, ['str', 'str', "$want{$_}"], "environ: $_") or diag(explain($e->{$_}));
    }
    my ($true, $false) = (JSON::PP::true, JSON::PP::false);
    is_deeply($e->{'wsgi.version'}, ['str', 'tuple', [1, 0]], 'environ: wsgi.version');
    is_deeply($e->{'wsgi.multithread'}, ['str', 'bool', $s->{threads} > 1 ? $true : $false],
        'environ: wsgi.multithread');
    is_deeply($e->{"wsgi.$_"}, ['str', 'bool', $false], "environ: wsgi.$_")
        for qw(multiprocess run_once);
    is_deeply($e->{'wsgi.input_terminated'}, ['str', 'bool', $true], 'environ: input_terminated');
    is_deeply([grep { !/^HTTP_X_/ } @{ $e->{'not interned'} }], [],
        'environ: keys that all threads use are interned');
    is_deeply($e->{'type of environ'}, ['dict'], 'environ: a dict');
    is_deeply($e->{'wsgi.errors can'}, [$true], 'environ: wsgi.errors has its methods');
    ok($e->{"wsgi.$_"}, "environ: wsgi.$_ is there") for qw(input file_wrapper);
    my @strange = grep { /^HTTP_/ && !$want{$_} && $_ ne 'HTTP_X_EMPTY' } keys %$e;
    is("@strange", '', 'environ: no field is there that was not sent, or with an underscore');

    $e = json_of(get($c, '/plain'));
    is_deeply([@$e{qw(QUERY_STRING CONTENT_LENGTH CONTENT_TYPE HTTP_X_ONE HTTP_COOKIE)}],
        [['str', 'str', ''], undef, undef, undef, undef],
        'environ: nothing of one request is in the next');
    $e = json_of(ask($c, 'GET / HTTP/1.0'));
    is($e->{SERVER_PROTOCOL}[2], 'HTTP/1.0', 'environ: HTTP/1.0');
    # A thread's environ starts as a copy of what most requests have in common.
    for (1 .. 4) {
        my $from = "127.0.0." . (1 + $_ % 2);
        $e = json_of(ask(connection($s, LocalAddr => $from), 'POST / HTTP/1.0', body => ''));
        is("@{[map { $e->{$_}[2] } qw(REMOTE_ADDR REQUEST_METHOD SERVER_PROTOCOL)]}",
            "$from POST HTTP/1.0", 'environ: another client');
        $e = json_of(get($s, '/'));
        is("@{[map { $e->{$_}[2] } qw(REMOTE_ADDR REQUEST_METHOD SERVER_PROTOCOL)]}",
            '127.0.0.1 GET HTTP/1.1', 'environ: and back');
    }
    $e = json_of(get($s, 'http://other:99/abs%41?x=1'));
    is("$e->{PATH_INFO}[2] $e->{QUERY_STRING}[2] $e->{HTTP_HOST}[2]", '/absA x=1 other:99',
        'environ: of an absolute target');
    my $long = '%41' . 'b' x 2000;
    $e = json_of(get($s, "/$long?" . 'q' x 3000));
    is($e->{PATH_INFO}[2] . length $e->{QUERY_STRING}[2], '/A' . 'b' x 2000 . 3000,
        'environ: a long path and query');
}

sub test_validator {
    my ($s) = @_;
    my $c = connection($s);
    my @cases = (
        ['GET /valid_list', 'list of GET'],
        ['GET /valid_generator', 'generator of GET'],
        ['GET /valid_generator?q=1', 'generator of GET'],
        ['GET /valid_empty', ''],
        ['HEAD /valid_list', ''],
        ['HEAD /valid_generator', ''],
        ['GET /valid_write', 'written, returned'],
        ['GET /valid_nothing', ''],
        ['POST /valid_list', 'list of POST', body => 'unread'],
        ['POST /valid_body', "abc|de\n|f\n|g|", body => "abcde\nf\ng"],
        ['POST /valid_body', "abc|de\n|f\n|g|", body => "abcde\nf\ng", chunks => 2],
        ['PUT /valid_body', "|||", body => ''],
        ['GET /valid_body', "|||"],
    );
    for (@cases) {
        my ($line, $want, %given) = @$_;
        my $r = ask($c, $line, %given);
        like($r->{status}, qr/^20[04]$/, "validator: $line" . ($given{chunks} ? ', chunked' : ''));
        is($r->{body}, $want, '... and its body') if $line !~ /^HEAD/;
    }
}

sub test_start_response {
    my ($s) = @_;
    my $c = connection($s);
    is(get($s, '/twice')->{body}, 'AssertionError', 'start_response twice is an AssertionError');
    is_500($s, '/twice?raise=1', 'start_response twice', qr/AssertionError/);
    for my $path (qw(/replaced /replaced_by_name)) {
        my $r = get($s, $path);
        is("$r->{line} $r->{body}", 'HTTP/1.1 503 Later replaced', "$path: the second head counts");
        unlike($r->{head}, qr/X-Before|: 3\b/, "$path: and nothing of the first");
    }
    my $since = length err($s);
    my $r = get($s, '/too_late');
    is("$r->{status} $r->{body} $r->{end}", '200 on its way cut',
        'exc_info after the head: the answer is truncated');
    ok(happened($s, 'the same error'), '... and the exception went through the application');
    ok(complained($s, qr/LookupError: after the head/, $since), '... and to stderr');
    is_500($s, "/bad_head?name=" . ($_ =~ s/ /+/gr), "head with a bad one: $_")
        for $s->{threads} == 1 ? @{ json_of(get($s, '/bad_heads')) } : ('value with CRLF');
    is(get($s, '/bad_head_then_good')->{body}, 'ValueError', 'a good head after a refused one');
    my $calls = json_of(get($s, '/bad_call'));
    is_deeply($calls, { map { $_ => 'TypeError' } qw(none one four) }, 'wrong arguments')
        or diag(explain($calls));
    $since = length err($s);
    for (1, 2) {
        $r = get($c, '/connection_fields');
        is("$r->{status} $r->{body} $r->{end}", '200 eventstream chunked', 'fields about the connection');
        like($r->{head}, qr/^X-Before: 1\r\nX-After: 2\r\n/m, '... are dropped');
        unlike($r->{head}, qr/: x\r/, '... all of them');
    }
    my @warnings = err($s) =~ /^gilbench: .* field Connection was dropped/mg;
    is(@warnings, 1, '... with a word, once');
    $r = get($s, '/latin1');
    is($r->{line}, "HTTP/1.1 200 gr\xfcn", 'a status is Latin-1');
    is_deeply([$r->{field}{'x-name'}, $r->{field}{date}], [["caf\xe9\ttab"], ['mine']],
        'a field is, too; and the application may have a Date of its own');
    is_500($s, '/no_head', 'no start_response');
    is_500($s, '/no_head_from_generator', 'no start_response in a generator');
    is(get($s, '/late_head')->{body}, 'late', 'an empty block may come before start_response');
}

sub test_bodies {
    my ($s) = @_;
    my $c = connection($s);
    my %length = (one => 'one', many => 'many', none => '', empty => '', gaps => 'gaps',
        'empty+tuple' => '', 'empty+generator' => '',
        large => 'l' x 100000 . 'L' x 100000);
    for (sort keys %length) {
        my $r = get($c, "/body?is=$_");
        is("$r->{status} $r->{end}", '200 length', "body: $_ has its length");
        ok($r->{body} eq $length{$_}, '... and its content') or diag($r->{body});
        $r = ask($c, "HEAD /body?is=$_");
        is($r->{status}, 200, "HEAD: $_");
        my $told = $r->{field}{'content-length'};
        ok(!$told || $told->[0] == length $length{$_}, '... with no other length than GET');
    }
    my %chunks = (tuple => 'tuple', iterator => 'iterator', generator => 'generator',
        length => 'length', closing => 'closing', overridden => 'ababcc', keys => 'keys');
    for (sort keys %chunks) {
        my $r = get($c, "/body?is=$_");
        is("$r->{status} $r->{body}", "200 $chunks{$_}", "body: $_");
        $r = ask($c, "HEAD /body?is=$_");
        is("$r->{status} " . ($r->{field}{'content-length'} // 'none'), '200 none', "HEAD: $_");
        $r = ask($s, "GET /body?is=$_ HTTP/1.0");
        is("$r->{body} " . ($r->{field}{'transfer-encoding'} // 'plain'), "$chunks{$_} plain",
            "HTTP/1.0: $_, without chunks");
    }
    ok(happened($s, $_), "close() is called after a body: $_") for 'length closed', 'list closed';
    my $r = ask($c, 'GET /body?is=one HTTP/1.0', fields => ['Connection: keep-alive']);
    is("$r->{body} $r->{end} @{ $r->{field}{connection} || [] }", 'one length keep-alive',
        'HTTP/1.0 keeps a connection that asks for it');
    $r = get($c, '/body?is=one', fields => ['Connection: close']);
    is("$r->{body} @{ $r->{field}{connection} || [] }", 'one close', 'Connection: close');
    is(more($c), 0, '... and it is closed');

    is_500($s, "/body?is=$_", "body: $_")
        for 'str', 'one+str', 'bytes', 'bytearray', 'not+all+bytes', 'str+from+a+generator',
        'nothing', 'number', 'fails+at+once';
    ok(happened($s, 'fails at once closed'), 'close() is called after an exception');
    my $since = length err($s);
    $r = get($s, '/body?is=fails');
    is("$r->{status} $r->{body} $r->{end}", '200 begun cut', 'an exception on the way: truncated');
    ok(happened($s, 'fails closed'), '... and close() is called');
    ok(complained($s, qr/LookupError: while the body is made/, $since), '... and a traceback');
    $c = connection($s);
    $r = get($c, '/body?is=close+fails');
    is("$r->{body} $r->{end}", 'whole chunked', 'an exception in close() spoils no answer');
    is(get($c, '/body?is=one')->{body}, 'one', '... nor the next');
    ok(complained($s, qr/LookupError: close of close fails/, $since), '... and is on stderr');
    $c = connection($s);
    put($c, head_of('GET /body?is=endless'));
    take_bytes($c, 300000);
    close $c->{socket};
    ok(happened($s, 'endless closed'), 'close() is called when the client is gone');
}

sub test_lengths {
    my ($s) = @_;
    my $c = connection($s);
    for my $path ('/body?is=many', '/body?is=generator', '/body?is=length', '/body?is=large',
        '/body?is=endless', '/write?') {
        my $r = get($path eq '/write?' ? $s : $c, "$path&length=3");
        is("$r->{status} $r->{end} " . length $r->{body}, '200 length 3',
            "more than its Content-Length is cut: $path");
    }
    is(get($c, '/write_too_much')->{body}, 'abcd', 'write() past the Content-Length is cut');
    my ($event) = grep { /^too much/ } @{ json_of(get($c, '/events')) };
    like($event, qr/^too much: \w+Error \w+Error$/, '... and the application is told');
    for my $path ('/body?is=many', '/body?is=none') {
        is_500($s, "$path&length=300", "less than its Content-Length, of a list: $path");
    }
    for my $path ('/body?is=generator', '/write?', '/body?is=large', '/write?more=1') {
        my $since = length err($s);
        my $r = get($s, "$path&length=300000");
        is("$r->{status} $r->{end}", '200 cut', "less than its Content-Length: $path");
        ok(complained($s, qr/Content-Length/, $since), '... and stderr says so');
    }
    $c = connection($s);
    for my $status ('204+No+Content', '304+Not+Modified') {
        for my $is (qw(many generator none), 'none&length=0', 'many&length=4') {
            my $r = get($c, "/body?is=$is&status=$status");
            is("$r->{status} $c->{in}", ($status =~ /(\d+)/)[0] . ' ', "$status has no body: $is");
            ok(!$r->{field}{'content-length'} && !$r->{field}{'transfer-encoding'},
                '... nor says that there is one');
        }
    }
    my $r = ask($c, 'HEAD /body?is=generator&length=9');
    is("@{ $r->{field}{'content-length'} }", 9, "HEAD has the application's Content-Length");
    $r = ask($c, 'HEAD /body?is=endless');
    is($r->{status}, 200, 'HEAD of an endless body ends');
    $r = ask($c, 'HEAD /body?is=none&length=12');
    is("$r->{status} @{ $r->{field}{'content-length'} || [] }", '200 12',
        'HEAD: an application that makes no body may tell its length');
    is(get($c, '/body?is=one')->{body}, 'one', 'the connection is good after all of these');
}

sub test_write {
    my ($s) = @_;
    my $c = connection($s);
    is(get($c, '/write')->{body}, 'written', 'write() alone');
    is(get($c, '/write?more=1')->{body}, 'written, returned', 'write(), then an iterable');
    my $r = get($c, '/write?more=1&length=17');
    is("$r->{body} $r->{end}", 'written, returned length', '... with a Content-Length');
    is(ask($c, 'HEAD /write?more=1')->{status}, 200, 'HEAD with write()');
    is(get($c, '/write_wrong')->{body}, 'TypeError TypeError TypeError',
        'write() takes bytes only');
}

# Each block reaches the client before the application is asked for the next.
sub test_stream {
    my ($s) = @_;
    for my $path (qw(/stream /write_stream)) {
        my ($c, $other) = (connection($s), connection($s));
        my $file = "$top/$s->{name}$path-" =~ s{/(?=\w+-$)}{-}r;
        put($c, head_of("GET $path?file=$file"));
        ok(until_has($c, qr/5\r\nfirst\r\n$/), "$path: the first block is there");
        unlike($c->{in}, qr/second/, '... and the second is not made yet');
        # With a second thread, by a second request; alone, by a file.
        if ($s->{threads} > 1) { is(json_of(get($other, '/go')), 'gone', 'another is answered') }
        else { save(($file =~ s{.*/}{}r) . 'first', '') }
        ok(until_has($c, qr/6\r\nsecond\r\n$/), '... the second is there');
        unlike($c->{in}, qr/\r\n0\r\n/, '... and the end is not');
        if ($s->{threads} > 1) { is(json_of(get($other, '/go')), 'gone', 'another is answered') }
        else { save(($file =~ s{.*/}{}r) . 'second', '') }
        is(answer($c)->{body}, 'firstsecond', '... the end comes');
    }
}

# What the client has to have before the application goes on: a whole first block, and the end of
# an answer whose close() takes its time.
sub test_whole {
    my ($s) = @_;
    my $c = connection($s);
    put($c, head_of("GET /works_on?file=$top/$s->{name}-whole"));
    is(answer($c)->{body}, 'whole', 'a whole body is there while the application works on');
    save("$s->{name}-whole", '');
    put($c, head_of('GET /works_on'));
    is(answer($c)->{body}, 'whole', '... and the connection goes on');
    is(get($s, '/breaks_after')->{body}, 'whole', 'what fails behind a whole body takes nothing back');
    # All of its body is there, but its client doesn't read: nobody else waits for that.
    $c = connection($s);
    put($c, head_of('GET /body?is=huge&length=16000000'));
    ok(until_has($c, qr/\r\n\r\nh/), 'a huge body begins to arrive');
    is(get($s, '/body?is=one')->{body}, 'one', '... another is answered before it is read')
        if $s->{threads} > 1;
    is(length answer($c)->{body}, 16000000, '... and it arrives whole');
    $c = connection($s);
    put($c, head_of('GET /too_much'));
    is(answer($c)->{body}, 'whole', 'what is behind the promised length is not sent');
    is(ask($c, 'HEAD /works_on')->{status}, 200, 'HEAD of such an application');
    my $n = 0;
    for (['blocks=3', 'chunked'], ['blocks=1&length=5', 'length'], ['blocks=0', 'length'],
        ['blocks=2&write=1', 'chunked']) {
        my ($query, $end) = @$_;
        my $file = "$s->{name}-late" . $n++;
        $c = connection($s);
        put($c, head_of("GET /closes_late?$query&file=$top/$file"));
        my $r = answer($c);
        is("$r->{end} $r->{body}", "$end " . 'block' x ($query =~ /=(\d)/)[0], "an answer is complete before close(): $query");
        save($file, '');
        is(get($c, '/body?is=one')->{body}, 'one', '... and the connection goes on');
    }
    ok(happened($s, 'closed late'), '... and close() is called');
    ok(happened($s, 'late ValueError'), '... in which write() comes too late');
}

sub test_file_wrapper {
    my ($s) = @_;
    my $c = connection($s);
    my $data = join '', map { pack 'N', $_ * 2654435761 } 1 .. 100000;
    my $file = save('file', $data);
    for my $more ('', '&length=1', '&block=1000', '&length=1&block=3000000') {
        my $r = get($c, "/wrapped?file=$file$more");
        is("$r->{status} " . md5_hex($r->{body}), '200 ' . md5_hex($data), "file_wrapper $more");
        is($r->{end}, $more =~ /length/ ? 'length' : 'chunked', '... as it should');
        ok(json_of(get($c, '/wrapped_is_closed')), '... and the file is closed');
    }
    $file = save('empty', '');
    my $r = get($c, "/wrapped?file=$file");
    is("$r->{status} $r->{body}", '200 ', 'file_wrapper of an empty file');
}

sub test_input {
    my ($s) = @_;
    my $c = connection($s);
    my $body = "one\ntwo\n\nfour\nlast";
    my @cases = (
        ['read' => [$body]],
        ['read,read,read 1,readline' => [$body, '', '', '']],
        ['read -1' => [$body]],
        ['read None' => [$body]],
        ['read 0,read 3,read 2,read 1000,read 5' => ['', 'one', "\nt", "wo\n\nfour\nlast", '']],
        ['into 0,read' => ['', $body]],
        ['readline,readline,readline,readline,readline,readline,readline' =>
            ["one\n", "two\n", "\n", "four\n", 'last', '', '']],
        ['readline 0,readline 2,readline 2,readline 2,readline 100,readline -1' =>
            ['', 'on', "e\n", 'tw', "o\n", "\n"]],
        ['readline None,read 1,readlines' => ["one\n", 't', ["wo\n", "\n", "four\n", 'last']]],
        ['readlines,readlines' => [["one\n", "two\n", "\n", "four\n", 'last'], []]],
        ['readlines 6,readlines 2,readlines 0,readlines' =>
            [["one\n", "two\n"], ["\n", "four\n"], ['last'], []]],
        ['iter,iter,next' => [["one\n", "two\n", "\n", "four\n", 'last'], [], 'the end']],
        ['next,read 2,next,readlines -1' => ["one\n", 'tw', "o\n", ["\n", "four\n", 'last']]],
    );
    for (@cases) {
        my ($do, $want) = @$_;
        for my $chunks (0, 1, 3, 100) {
            my $r = ask($s, 'POST /read?do=' . ($do =~ s/ /+/gr), body => $body, chunks => $chunks);
            is_deeply(json_of($r), $want, "input: $do" . ($chunks ? ", chunks of $chunks" : ''))
                or diag($r->{head}, $r->{body});
        }
    }
    is_deeply(json_of(get($c, '/read?do=read,read+5,readline,readlines,iter')),
        ['', '', '', [], []], 'input: nothing without a body');
    is_deeply(json_of(ask($c, 'POST /read_wrong', body => 'x')),
        [qw(TypeError TypeError TypeError OverflowError TypeError)], 'input: wrong arguments');

    put($c, head_of('POST /read?do=read+100,read', 'Content-Length: 5') . 'hello' .
            head_of('POST /read?do=read+2,read', 'Transfer-Encoding: chunked') .
            chunked(3, 'chunks') . head_of('GET /valid_list'));
    is_deeply(json_of(answer($c)), ['hello', ''], 'input: ends where the next request begins');
    is_deeply(json_of(answer($c)), ['ch', 'unks'], '... chunked, too');
    is(answer($c)->{body}, 'list of GET', '... and that is answered');

    my $large = join '', map { sprintf "%07d %s\n", $_, 'x' x ($_ % 200) } 1 .. 45000;
    my $md5 = md5_hex($large);
    for my $by ($s->{threads} > 1 ? 'read' : qw(line all read read&size=1000 read&size=9000000)) {
        for my $chunks (0, 70001) {
            my $r = ask($s, "POST /digest?by=$by", body => $large, chunks => $chunks);
            is_deeply(json_of($r), [length $large, $md5],
                "input: megabytes, by $by" . ($chunks ? ', chunked' : ''));
        }
    }
    my $slow = connection($s);
    put($slow, head_of('POST /read?do=readline,read', 'Content-Length: 9') . 'ab');
    sleep 0.02;
    put($slow, "c\nd");
    sleep 0.02;
    put($slow, 'efgh');
    is_deeply(json_of(answer($slow)), ["abc\n", 'defgh'], 'input: in pieces over time');
    my $r = ask($s, 'POST /read_late', body => 'late body');
    is($r->{body}, 'head, late body', 'input: read after the head was sent');
}

# Whoever waits for a client may keep nobody else from running: one pauses at each point of its body,
# for as long as it takes to answer another.
sub test_pauses {
    my ($s) = @_;
    my $counted = head_of('POST /read?do=read', 'Content-Length: 3') . 'abc';
    my $chunks = head_of('POST /read?do=read', 'Transfer-Encoding: chunked') . "3\r\nabc\r\n0;x=y\r\nt: r\r\n\r\n";
    for my $whole ($counted, $chunks) {
        my $head = index($whole, "$crlf$crlf") + 4;
        for my $at ($head .. length($whole) - 1) {
            my ($c, $other) = (connection($s), connection($s));
            put($c, substr $whole, 0, $at);
            put($other, head_of('GET /valid_list') . head_of('GET /collects'));
            my $until = time + 5;
            1 while $other->{in} !~ /"collected"/ && time < $until && more($other, 5);
            like($other->{in}, qr/list of .*GET.*"collected"/s, 'a pause behind ' . substr($whole, $head, $at - $head) =~ s/\r\n/|/gr);
            put($c, substr $whole, $at);
            is_deeply(json_of(answer($c)), ['abc'], '... and then the answer');
        }
    }
}

sub test_unread {
    my ($s) = @_;
    my $c = connection($s);
    is(ask($c, 'POST /valid_list', body => 'x' x 5000)->{body}, 'list of POST', 'unread body');
    is(get($c, '/valid_list')->{body}, 'list of GET', '... is not the next request');
    for (['large', body => 'x' x 3000000], ['chunked', body => 'x' x 10, chunks => 3]) {
        my ($what, @given) = @$_;
        $c = connection($s);
        my $r = ask($c, 'POST /valid_list', @given);
        is($r->{body}, 'list of POST', "unread body, $what: answered");
        my $closes = grep { $_ eq 'close' } @{ $r->{field}{connection} || [] };
        if ($closes) { is(more($c), 0, '... and closed, as it said') }
        else { is(get($c, '/valid_list')->{body}, 'list of GET', '... and usable') }
    }
}

sub test_continue {
    my ($s) = @_;
    my $c = connection($s);
    my @expect = ('Expect: 100-continue', 'Content-Length: 5');
    put($c, head_of('POST /read?do=read', @expect));
    my $r = answer($c);
    is($r->{line}, 'HTTP/1.1 100 Continue', 'Expect: 100 when the application reads');
    put($c, 'hello');
    is_deeply(json_of(answer($c)), ['hello'], '... and then the answer');
    put($c, head_of('POST /read?do=readline', $expect[0], 'Transfer-Encoding: chunked'));
    is(answer($c)->{status}, 100, 'Expect: with chunks');
    put($c, chunked(2, 'hello'));
    is_deeply(json_of(answer($c)), ['hello'], '... and then the answer');
    $c = connection($s);
    put($c, head_of('POST /valid_list', @expect));
    is(answer($c)->{body}, 'list of POST', 'Expect: no 100 when the application does not read');
    $c = connection($s);
    put($c, head_of('POST /read?do=read', @expect) . 'hello');
    is_deeply(json_of(answer($c)), ['hello'], 'Expect: no 100 when the body is there already');
    $c = connection($s);
    $r = ask($c, 'POST /fail', fields => ['Expect: 100-continue'], body => 'x');
    is($r->{status}, 500, 'Expect: an exception instead');
}

sub test_refused_bodies {
    my ($s) = @_;
    my $c = connection($s);
    put($c, head_of('POST /read_caught', 'Content-Length: ' . ((16 << 20) + 1)));
    is(answer($c)->{status}, 413, 'too large by its Content-Length: 413');

    my $since = length err($s);
    my $chunk = sprintf "%x%s%s%s", 1 << 20, $crlf, 'x' x (1 << 20), $crlf;
    $c = connection($s);
    put($c, head_of('POST /digest?by=read', 'Transfer-Encoding: chunked'));
    for (1 .. 17) { put($c, $chunk) or last }
    is(answer($c)->{status}, 413, 'too large by its chunks: 413');
    ok(complained($s, qr/OSError: .*Content Too Large/, $since), '... and an OSError');

    for my $bad ("5\r\nabc\r\n0\r\n\r\n", "x\r\n", "-1\r\n", "1\r\nab\r\n", "\r\n") {
        my $name = $bad =~ s/\r\n/ /gr;
        $c = connection($s);
        put($c, head_of('POST /digest?by=read', 'Transfer-Encoding: chunked') . $bad);
        is(answer($c)->{status}, 400, "bad chunk: 400: $name");
        is(more($c), 0, '... and closed');
    }
    $c = connection($s);
    put($c, head_of('POST /read_caught', 'Transfer-Encoding: chunked') . "3\r\nabc\r\nx\r\n");
    my $r = answer($c);
    is_deeply(json_of($r), [qw(OSError OSError OSError)], 'an application may catch the OSError');
    is(more($c), 0, '... and the connection is closed');
    $since = length err($s);
    $c = connection($s);
    put($c, head_of('POST /digest?by=read', 'Transfer-Encoding: chunked') . "3\r\nabc\r\n");
    shutdown $c->{socket}, 1;
    ok(complained($s, qr/OSError: .*client is gone/, $since), 'the client goes: an OSError');
}

sub test_errors {
    my ($s) = @_;
    is_500($s, '/fail', 'exception', qr/LookupError: the application's own/);
    is_500($s, '/fail?started=1', 'exception after start_response', qr/LookupError: /);
    is_500($s, '/fail?with=exit', 'SystemExit', qr/SystemExit/);
    is_500($s, '/fail?with=interrupt', 'KeyboardInterrupt', qr/KeyboardInterrupt/);
    is_500($s, '/fail?with=stop', 'StopIteration', qr/StopIteration/);
    my $r = ask($s, 'POST /fail', body => 'x' x 3000000);
    is($r->{status}, 500, 'exception, with a large body unread');
    my $since = length err($s);
    $r = get($s, '/fail_after_length');
    is("$r->{status} $r->{end} $r->{body}", '200 cut some of it', 'exception after the head');
    ok(complained($s, qr/LookupError: after the head/, $since), '... and a traceback');
    is(json_of(get($s, '/sigpipe')), 'BrokenPipeError', 'a broken pipe is an exception');
    is(json_of(get($s, '/child')), -15, 'SIGTERM ends a process that the application started');
}

sub test_threads {
    my ($s) = @_;
    my $body = "first line\n" . 'x' x 300000;
    for my $chunks (0, 5000) {
        my $r = ask($s, 'POST /elsewhere', body => $body, chunks => $chunks);
        is($r->{body}, length($body) . ' bytes, read elsewhere', 'input and write() of a thread');
        $r = ask($s, 'POST /crowd', body => 'x' x 1000000, chunks => $chunks);
        is_deeply(json_of($r), [1000000, 1000000], 'input of several threads');
    }
    my $c = connection($s);
    put($c, head_of('POST /abandoned', 'Content-Length: 100000') . 'x');
    sleep 0.1;
    put($c, 'x' x 99999);
    ok(happened($s, qr/^abandoned: (\d+|RuntimeError)$/),
        'a thread that still reads when its request ends does no harm');
}

sub test_kept {
    my ($s) = @_;
    is(ask($s, 'POST /keep', body => 'x', chunks => 1)->{body}, 'kept', 'objects kept after their request');
    my $again = json_of(ask($s, 'POST /kept', body => 'of another request'));
    is("@$again", join(' ', ('RuntimeError') x 6), '... raise RuntimeError in the next')
        or diag("@$again");
    is_deeply(json_of(get($s, '/forged')), [qw(RuntimeError RuntimeError TypeError)],
        'objects that the server did not make');
    ask($s, 'POST /keep', body => 'x', chunks => 1);
}

# How many descriptors the server's epoll watches.
sub watched {
    my ($s) = @_;
    return scalar map { slurp($_) =~ /^tfd:/mg } glob "/proc/$s->{pid}/fdinfo/*";
}

# A child that the application forked has the client's socket, too, so that the kernel goes on
# watching it when the server has closed it.
sub test_fork {
    my ($s) = @_;
    my $c = connection($s);
    my $file = "$top/$s->{name}-fork";
    is(ask($c, "GET /forks?file=$file", fields => ['Connection: close'])->{body}, '"forked"',
        'the application forks');
    # What it always has is its listener, its timer and the stop.
    ok(eventually(sub { watched($s) == 3 }), '... and what is closed is watched no more');
    put($c, 'x');
    is(get($s, '/none')->{status}, 200, '... and others are served');
    save($file, '');
}

sub test_log {
    my ($s) = @_;
    get($s, '/log');
    is(out($s), "listening on http://127.0.0.1:$s->{port}\n", 'one line on stdout, whatever');
    like(err($s), qr/^\Qan application's $_\E$/m, "on stderr: the application's $_")
        for 'print', 'write to descriptor 1', 'line in wsgi.errors';
}

sub test_stop {
    my ($s) = @_;
    my $c = connection($s);
    put($c, head_of("GET /stream?file=$top/$s->{name}-stop-"));
    ok(until_has($c, qr/first\r\n$/), 'a request is under way');
    kill TERM => $s->{pid};
    save("$s->{name}-stop-$_", '') for 'first', 'second';
    is(answer($c)->{body}, 'firstsecond', 'SIGTERM: it is finished');
    is(ended($s), 0, '... and the exit status is 0');
    my $errors = err($s) =~ s/^gilbench: .* field Connection was dropped.*\n//mr;
    like($errors, qr/^atexit: (RuntimeError ?){6}$/m, 'atexit handlers run; what is kept is dead');
    unlike($errors, qr/without being closed|WSGIWarning|Fatal Python|gilbench:/,
        'no complaint of the validator or the interpreter');
    is(out($s), "listening on http://127.0.0.1:$s->{port}\n", 'one line on stdout, to the end');
}

# ---- ways to name an application, and what is wrong with it -------------------------------------

# APP => what it answers to /valid_list
sub test_forms {
    my (@pythons) = @_;
    mkdir "$top/package";
    save('package/__init__.py', '');
    save($_, slurp($app_file)) for 'copy.py', 'wsgi_copy.py', 'package/part.py';
    save('neighbour.py', "NAME = b'a neighbour'\n");
    save('with.py', <<'END');
import neighbour, sys, threading
assert __name__ == 'with' and sys.modules['with'].__file__ == __file__
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [neighbour.NAME]
END
    my %says = (
        "$app_file:as_object" => 'an object', "$app_file:as_object.method" => 'a method',
        "$app_file:OfTheRequest" => 'a class', "$app_file:make()" => 'made',
        "$app_file:Holder.held" => 'an object', 'wsgi_copy:app' => 'list of GET',
        'wsgi_copy:make()' => 'made', 'package.part:Holder.held.method' => 'a method',
        'package/part.py:app' => 'list of GET', 'with.py:app' => 'a neighbour',
        './copy.py:app' => 'list of GET',
    );
    my $n = 0;
    # A validator takes any number of arguments, so it doesn't tell its interface.
    my @forms = map { serve_app(app => $_, python => $pythons[$n++ % @pythons],
        options => [/checked/ ? qw(--interface wsgi) : ()]) } sort keys %says;
    for my $s (@forms) {
        ok($s->{port}, "$s->{app}: started") or do { diag(err($s)); next };
        is(get($s, '/valid_list')->{body}, $says{ $s->{app} }, '... and answers');
        is(stop($s), 0, '... and stops');
        unlike(err($s), qr/Traceback|gilbench:/, '... with no complaint');
    }
}

sub test_refusals {
    my (@pythons) = @_;
    save('raises.py', "import sys\nprint('half way', file=sys.stderr)\nraise KeyError('mine')\n");
    save('syntax.py', "def app(:\n");
    save('leaves.py', "import sys\nsys.exit(0)\n");
    save('factory.py', "def make():\n    raise ValueError('no such setting')\n");
    # APP => the one line, and whether a traceback precedes it
    my @cases = (
        ['missing.py:app', qr/missing\.py: No such file/, 0],
        ['no_such_module:app', qr/ModuleNotFoundError: No module named 'no_such_module'/, 1],
        ['package.none:app', qr/ModuleNotFoundError: No module named 'package/, 1],
        ['raises.py:app', qr/KeyError: 'mine'/, 1],
        ['raises:app', qr/KeyError: 'mine'/, 1],
        ['syntax.py:app', qr/SyntaxError: /, 1],
        ['leaves.py:app', qr/SystemExit: 0/, 1],
        ["$app_file:none", qr/AttributeError: .*'none'/, 1],
        ["$app_file:Holder.none", qr/AttributeError: .*'none'/, 1],
        ['factory.py:make()', qr/ValueError: no such setting/, 1],
        ["$app_file:not_callable", qr/not_callable is not callable/, 0],
        ["$app_file:as_checked", qr/any number of arguments; say --interface wsgi or asgi/, 1],
        ["$app_file:make", qr/make has: TypeError: it takes neither 2 arguments.*NAME\(\)/, 1],
    );
    push @cases, map { ["$app_file:$_", qr/$_ is an ASGI application; only WSGI/, 0] }
        'as_asgi', 'asgi_object' unless `'$gilbench' serve --help` =~ /--interface .*asgi/;
    my $n = 0;
    my @servers = map { serve_app(app => $_->[0], python => $pythons[$n++ % @pythons]) } @cases;
    for my $s (@servers) {
        my ($app, $line, $traceback) = @{ shift @cases };
        my $name = $app =~ s{.*/}{}r;
        ok(!$s->{port}, "$name: does not start");
        my $status = ended($s);
        is($status, $app =~ /asgi/ ? 2 : 1, '... exit status');
        my @said = err($s) =~ /^gilbench: (.*)$/mg;
        ok(@said == 1 && $said[0] =~ $line, '... one line that says why') or diag(err($s));
        is(err($s) =~ /^Traceback|^  File/m ? 1 : 0, $traceback, '... a traceback if it helps');
        is(out($s), '', '... and nothing on stdout');
    }
}

# The file in apps/ answers as the one compiled in.
sub test_apps_file {
    my ($python) = @_;
    my @both = map { serve_app(app => $_, python => $python) } 'builtin:wsgi',
        "$FindBin::Bin/../apps/wsgi_app.py:app";
    return unless ok($both[0]{port} && $both[1]{port}, 'builtin:wsgi and its file');
    for my $line ('GET /json', 'GET /io', 'GET /page', 'GET /query',
        'GET /', 'GET /json?a=b', 'HEAD /json', 'POST /json',
        'GET /json HTTP/1.0') {
        my ($builtin, $file) = map { ask($_, $line, body => 'x') } @both;
        s/^Date: .*\r\n//m for $builtin->{head}, $file->{head};
        is($file->{head} . $file->{body}, $builtin->{head} . $builtin->{body},
            "they answer alike: $line");
    }
    is(stop($_), 0, "$_->{app}: stopped") for @both;
}

# ---- memory -------------------------------------------------------------------------------------

sub load {
    my ($s, $path, $n, @more) = @_;
    my $log = "$top/load";
    unlink $log;
    my $said = run($gilbench, 'load', "http://127.0.0.1:$s->{port}$path", '-c', 4, '-n', $n, '--json',
        $log, @more);
    note $said->{out}, $said->{err};
    my $told = eval { decode_json(slurp($log)) } or return 0;
    return $told->{requests} + ($told->{errors}{status} // 0) == $n;
}

# As many requests again and more must not need more memory; what they cost at first are caches.
# The builds take turns.
sub test_leaks {
    my ($s, $turn) = @_;
    my $body = save('body', 'b' x 3000);
    my @cases = (
        ['/body?is=generator', 1000, '-H', 'X-Not-Common: 1', '-H', 'Cookie: a=1'],
        ['/read?do=readline,read', 1000, '--body', $body],
        ['/replaced', 1000],
        ['/write?more=1', 1000],
        ['/fail', 300],
    );
    for (@cases[grep { $_ % 2 == $turn % 2 } 0 .. $#cases]) {
        my ($path, $n, @more) = @$_;
        my $fine = load($s, $path, $n, @more);
        my $before = resident_kb($s);
        $fine &&= load($s, $path, 10 * $n, @more);
        my $grown = resident_kb($s) - $before;
        # The smallest object that may be lost in each of them has 32 bytes, an env 2 KB.
        ok($fine && $grown < 300, "no leak: $path: $grown KB more");
    }
}

# With a limit far above the usual one, which is for the compiler to set.
sub test_large_upload {
    my ($python, $free_threaded, $program) = @_;
    my $s = serve_app(app => "$app_file:app", python => $python, program => $program);
    ok($s->{port}, 'started') or return diag(err($s));
    my $piece = 'p' x (1 << 20);
    my $md5 = Digest::MD5->new;
    $md5->add($piece) for 1 .. 64;
    my $whole = $md5->hexdigest;
    for my $how ($free_threaded ? 'chunked' : 'length') {
        ask($s, 'POST /digest?by=read', body => $piece);
        my $before = resident_kb($s);
        my $highest = 0;
        my $c = connection($s);
        put($c, head_of('POST /digest?by=read', $how eq 'length' ? 'Content-Length: ' . (64 << 20)
                : 'Transfer-Encoding: chunked'));
        for (1 .. 64) {
            put($c, $how eq 'length' ? $piece : sprintf("%x$crlf%s$crlf", 1 << 20, $piece)) or last;
            my $now = resident_kb($s);
            $highest = $now if $now > $highest;
        }
        put($c, "0$crlf$crlf") if $how eq 'chunked';
        is_deeply(json_of(answer($c)), [64 << 20, $whole], "64 MiB by $how");
        my $grown = $highest - $before;
        ok($grown < 8192, "... in constant memory: $grown KB more") or diag($highest);
    }
    my $before = resident_kb($s);
    my $all = ask($s, 'POST /digest?by=all', body => $piece x 64);
    is(json_of($all)->[0], 64 << 20, '64 MiB read at once');
    my $grown = resident_kb($s) - $before;
    # The free-threaded build's allocator keeps the bytes and their pieces for a while.
    ok($grown < ($free_threaded ? 192 << 10 : 32 << 10), "... are given back: $grown KB more");
    is(stop($s), 0, 'stopped');
}

sub build_unlimited {
    my @cc = split ' ', $ENV{CC} || 'cc';
    my $made = system("@cc -O0 -w -DGB_MAX_BODY=1000000000 -I'$FindBin::Bin/..' -pthread "
        . "-o $top/unlimited '$FindBin::Bin/../examples/gilbench.c' -ldl >$top/cc 2>&1");
    return $made ? undef : "$top/unlimited";
}

# ---- all of it ----------------------------------------------------------------------------------

my $found = builds();
my %build;
@build{ 'GIL', 'free-threaded' } = @$found{ 'gil', 'ft' };
delete @build{ grep { !$build{$_} } keys %build };
plan(skip_all => 'no usable interpreter') unless %build;
note("no $_ build: not tested") for grep { !$build{$_} } 'GIL', 'free-threaded';

my $turn = 0;
for my $name (sort keys %build) {
    my @pair = map { serve_app(app => "$app_file:app", python => $build{$name}, threads => $_) } 1, 4;
    for my $s (@pair) {
        subtest "$name build, $s->{threads} threads" => sub {
            ok($s->{port}, 'started') or return diag(err($s));
            test_environ($s);
            test_validator($s);
            test_start_response($s);
            test_bodies($s);
            test_lengths($s);
            test_write($s);
            test_stream($s);
            test_whole($s);
            test_file_wrapper($s);
            test_input($s);
            test_pauses($s) if $s->{threads} > 1;
            test_unread($s);
            test_continue($s);
            test_refused_bodies($s);
            test_errors($s);
            test_threads($s);
            test_kept($s);
            test_fork($s);
            test_log($s);
            test_leaks($s, $turn++) if $s->{threads} == 1;
            test_stop($s);
        };
    }
}
# These by turns on either build.
subtest 'names of applications' => sub { test_forms(@build{ sort keys %build }) };
subtest 'refused applications' => sub { test_refusals(@build{ sort keys %build }) };
my $unlimited = build_unlimited();
for my $name (sort keys %build) {
    subtest "apps/wsgi_app.py, $name build" => sub { test_apps_file($build{$name}) };
    subtest "large uploads, $name build" => sub {
        plan(skip_all => 'no compiler') unless $unlimited;
        test_large_upload($build{$name}, $name ne 'GIL', $unlimited);
    };
}
done_testing();
