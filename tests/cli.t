#!/usr/bin/perl
# The command line as design and help promise it: what every option takes and refuses, exit
# statuses, what goes to stdout and what to stderr, and the shapes of what `load` writes.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use IO::Socket::INET;
use JSON::PP;
use List::Util qw(max sum0);
use Test::More;
use Time::HiRes qw(sleep);

my $one_line = qr/\Agilbench: [^\n]+\n\z/;

# Returns stdout, stderr, exit status.
sub gilbench { return said($gilbench, @_) }

sub refused {
    my ($expected, $reason, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($out, $err, $status) = gilbench(@arguments);
    my $fine = $status eq $expected && $out eq '' && $err =~ $one_line && $err =~ $reason;
    ok($fine, "refused with $expected: @arguments") or diag("status $status: $out$err");
}

# ---- help

my %help;
my ($out, $err, $status) = gilbench('--help');
is($status, 0, '--help');
is($err, '', 'says nothing on stderr');
like($out, qr/gilbench \Q$_\E/, "and mentions $_") for qw(compare cpu serve load pythons report);
like($out, qr/Exit status: 0 .*1 .*2 .*3 /s, 'and the exit statuses');
is((gilbench('-h'))[0], $out, '-h is the same');
like((gilbench('--version'))[0], qr/^gilbench \d+\.\d+\.\d+\n$/, '--version');

my %contract = (
    compare => [qw(arms python app interface path scenario list-scenarios threads workers
        worker-model connections duration warmup rounds rate loop server seed json markdown csv
        html pyperf hdr quiet no-progress method header body no-keepalive timeout requests app-dir
        env help)],
    serve => [qw(app python interface bind threads workers worker-model loop app-dir env help)],
    load => [qw(connections threads duration requests rate method header body expect
        no-keepalive timeout json hdr help)],
    cpu => [qw(arms python task threads split model rounds seed json markdown csv html pyperf hdr
        quiet no-progress help)],
    pythons => [qw(json help)],
    report => [qw(markdown csv html pyperf hdr quiet help)],
);
for my $command (sort keys %contract) {
    ($out, $err, $status) = gilbench($command, '--help');
    is("$status$err", '0', "$command --help");
    like($out, qr/^ +(?:-\w, )?--\Q$_\E /m, "mentions --$_") for @{ $contract{$command} };
    # name => what its argument is called, '' for none
    $help{$command}{$1} = $2 while $out =~ /^ +(?:-\w, )?--([a-z-]+) (\S*)/mg;
    cmp_ok(max(map { length } split /\n/, $out), '<', 200, 'in lines that can be read');
}
my ($load_help) = gilbench(qw(load --help));
like($load_help, qr/-$_->[0], --$_->[1] /, "-$_->[0]") for ['c', 'connections'], ['t', 'threads'],
    ['d', 'duration'], ['n', 'requests'], ['r', 'rate'], ['m', 'method'], ['H', 'header'];

# ---- what every command refuses

my $url = 'http://127.0.0.1:9/';
my %prefix = (compare => [], cpu => [], serve => [], load => [$url], pythons => [], report => []);
refused(2, qr/no command frobnicate/, 'frobnicate');
for my $command (sort keys %help) {
    my @start = ($command, @{ $prefix{$command} });
    refused(2, qr/no option --frobnicate/, @start, '--frobnicate');
    refused(2, qr/no option --$_/, @start, "--$_") for '', '=', 'help-me';
    refused(2, qr/no option -z/, @start, '-z');
    refused(2, qr/one argument too many/, @start, 'surplus') if $command ne 'report';
    for my $name (sort keys %{ $help{$command} }) {
        if ($help{$command}{$name}) {
            refused(2, qr/--$name needs a value/, @start, "--$name");
        } else {
            refused(2, qr/--$name=1 takes no value/, @start, "--$name=1");
        }
        next if $name =~ /^(?:python|path|scenario|server|header|env|task)$/;
        my $value = $help{$command}{$name} ? '=1' : '';
        refused(2, qr/--$name can be given only once/, @start, ("--$name$value") x 2);
    }
}
refused(2, qr/is one argument too many/, qw(--quiet compare));

# ---- odd values

save($_, '') for 'python3.14', 'app.py';
my @not_counts = ('', '0', '-1', 'x', '1.5', '1x', '1e99', 'nan', '99999999999999999999');
my @not_lists = (@not_counts, ',', '1,', ',1', '1,,2', '1, 2', '1 2', '1;2', '+1');
my @not_seconds = ('', '0', '-1', 'x', '1s', 'nan', 'inf', '1e999', '1,5');
my @nowhere = ('', "$top", "$top/none/file", '/proc/none');
my %asked = (
    method => ['', 'GET /', "GET\r\nX: y", 'G(T'],
    header => ['', 'X', ': y', 'X y: z', "X: y\r\nZ: 1"],
    body => ['', "$top/none", $top],
    timeout => [@not_seconds],
);
my %process = (
    'app-dir' => ['', "$top/none", "$top/app.py"],
    env => ['', 'X', '=x', 'PYTHON_GIL=0', 'PYTHON_JIT=1', 'PYTHONHOME=/usr'],
);
my $variant = sub { return map { "$top/python3.14,$_" } @_ };

# command => option => [values that are refused with status 2]
my %odd = (
    compare => {
        arms => ['gil,', 'nogil'],
        python => [$variant->('gil=2', 'jit=x', 'speed=9', 'gil')],
        app => ['', 'x', ':x', 'x:', 'builtin:', 'builtin:x'],
        interface => ['', 'x', 'WSGI'],
        path => ['', 'a b', "a\tb", "/\r\nX: y"],
        scenario => ['', 'x', 'wsgi-json,wsgi-io'],
        threads => [@not_lists, '4097'],
        connections => [@not_lists, '100001'],
        'client-threads' => [@not_counts],
        'server-cpus' => [@not_lists, '1025'],
        workers => [@not_lists, '100000'],
        'worker-model' => ['greenlets', 'x', ''],
        loop => ['', 'x'],
        server => ['', ' ', 'name=x', 'name=,x', 'name=x,', 'name=x, '],
        duration => [@not_seconds],
        warmup => [@not_seconds],
        rounds => [@not_counts],
        rate => [@not_seconds],
        precision => ['', '2', '0.02', '0%', '90%', 'x%', '2%%', 'nan%'],
        seed => [@not_counts[0 .. 5]],
        %asked, %process, requests => ['', 'x', "$top/none", $top, "$top/app.py"],
        json => [@nowhere], markdown => [@nowhere], csv => [@nowhere],
        html => [@nowhere], map { $_ => ['', "$top/none/x", '/proc/none', $0] } qw(pyperf hdr),
    },
    serve => {
        app => ['', 'x', ':x', 'x:', 'builtin:x'],
        interface => ['', 'x'],
        bind => ['', 'x', ':80', 'h:', 'h:x', 'h:-1', 'h:65536', '80'],
        python => [$variant->('gil=2', 'speed=9')],
        threads => [@not_counts, '1,2', '4097'],
        workers => [@not_counts, '1,2', '100000'],
        'worker-model' => ['greenlets', 'x', ''], loop => ['', 'x'],
        'max-body' => [@not_counts], %process,
    },
    load => {
        connections => [@not_counts, '100001'],
        threads => [@not_counts, '65'],
        duration => [@not_seconds],
        warmup => ['', '-1', 'x', 'nan'],
        requests => [@not_counts[0 .. 5]],
        rate => [@not_seconds],
        %asked,
        json => [@nowhere], hdr => [@nowhere],
    },
    pythons => { json => [@nowhere], python => [$variant->('gil=2')] },
);
$odd{cpu} = {
    task => ['', 'x', 'fib:', 'fib:x', 'fib:0', 'page:-1'], threads => [@not_lists, '65'],
    model => ['', 'auto', 'threads,', 'fibres'],
    map { $_ => $odd{compare}{$_} } qw(arms python rounds precision seed json markdown csv html
        pyperf hdr) };
for my $command (sort keys %odd) {
    for my $name (sort keys %{ $odd{$command} }) {
        refused(2, qr/./, $command, @{ $prefix{$command} }, "--$name=$_")
            for @{ $odd{$command}{$name} };
    }
}
# Whoever adds an option adds what it refuses, or says here that it takes anything.
my %takes_anything = map { $_ => 1 } qw(expect);
for my $command (sort keys %help) {
    next if $command eq 'report';  # it tries every output, see report.t
    my @untested = grep { $help{$command}{$_} && !$odd{$command}{$_} && !$takes_anything{$_} }
        sort keys %{ $help{$command} };
    is("@untested", '', "odd values of every option of $command");
}

refused(2, qr/URL/, 'load');
refused(2, qr/report what/, 'report');
refused(2, qr/more than 64 results/, 'report', ('x') x 65);
refused(2, qr/too many/, 'load', $url, $url);
refused(2, qr/http/, 'load', $_) for '', 'x', 'https://127.0.0.1/', 'http://', 'http://h:x/',
    'http://u:p@h/', 'http://h h/', "http://h/\r\nX: y", 'http://[::1/';
refused(2, qr/exclude each other/, 'load', $url, @$_) for [qw(-n 1 -d 1)], [qw(-n 1 --warmup 1)];
refused(2, qr/2 client threads for 1 connections/, 'load', $url, qw(-t 2 -c 1));
refused(2, qr/more than 64 times/, 'load', $url, map { "-HX: $_" } 1 .. 65);
refused(3, qr/nowhere/, 'compare', '--python', "$top/nowhere", map { ("--$_", "$top/none.$_") }
    qw(json html csv markdown));
is(join(' ', glob "$top/none.*"), '', 'what fails to start leaves no files');
refused(2, qr/exclude each other/, 'compare', @$_) for [qw(--python x --arms gil)],
    [qw(--scenario wsgi-json --path /x)], [qw(--scenario wsgi-json --app builtin:wsgi)],
    [qw(--scenario wsgi-json --app-dir .)], [qw(--requests x --path /)], [qw(--requests x -m PUT)];
refused(2, qr/A=2: that variable is given twice/, 'compare', qw(--env A=1 --env B=1 --env A=2));

# ---- a mix

sub mix { return ('load', $url, '--requests', save('mix.jsonl', join "\n", @_)) }
my @bad_lines = (
    ['GET /', qr/a line is a request, like/], ['{"path": "/"', qr/it ends here/],
    ['{"path": "/"} {}', qr/a line has one request/], ['{"method": "GET"}', qr/"path" is missing/],
    ['{"pat": "/"}', qr/no "pat"/], ['{"path": "/", "path": "/"}', qr/second time/],
    ['{"path": "/ "}', qr/percent-encoded/], ['{"path": "/", "weight": 0}', qr/must be above 0/],
    ['{"path": "/", "weight": -1}', qr/"weight" must be/], ['{"path": "/", "body": 1}', qr/a text/],
    ['{"path": "/", "headers": []}', qr/an object/], ['{"path": "/", "headers": {"a": 1}}', qr/"a"/],
    ['{"path": "/", "headers": {"a b": "c"}}', qr/"a b: c" is not a header/],
    ['{"path": "/", "method": "G("}', qr/"G\(" is not a method/],
    ['{"path": "/", "body": "", "headers": {"content-length": "1"}}', qr/exclude each other/],
);
refused(2, qr/mix\.jsonl: line 3, column \d+: .*$_->[1]/, mix('{"path": "/"}', '', $_->[0], '{}'))
    for @bad_lines;
refused(2, qr/line 1001.* more than 1000/, mix(('{"path": "/"}') x 1001));
refused(2, qr/there is no request in it/, mix('', ' '));
refused(2, qr/no\.jsonl: No such file/, 'load', $url, '--requests', $_) for qw(./no.jsonl 2-no.jsonl);
refused(2, qr/the paths are in/, 'load', "${url}x", '--requests', save('mix.jsonl', '{"path": "/"}'));
refused(1, qr/none\.py: No such file/, $_, '--app', "$top/none.py:app") for qw(compare serve);
for my $command (qw(compare serve)) {
    refused(2, qr/doesn't have it/, $command, '--app', $_->[0], '--interface', $_->[1])
        for ['builtin:c', 'wsgi'], ['builtin:wsgi', 'asgi'], ['builtin:asgi', 'c'], ['shop:app', 'c'];
}
refused(3, qr/none/, $_, '--python', "$top/none") for qw(compare serve pythons);
ok(!-e '--csv', 'an option is not taken for a file name silently');

{
    # Nothing of this machine in sight, unless it has an interpreter in /usr/local or /opt.
    local %ENV = (HOME => "$top/nobody", PATH => $top);
    (undef, undef, $status) = gilbench('pythons');
    SKIP: {
        skip 'an interpreter can always be found here', 2 if $status == 0;
        refused(3, qr/both with and without the GIL/, 'compare');
        refused(3, qr/./, 'serve');
    }
}

# ---- a server to load

my $server = serve(qw(--app builtin:c --threads 2));
my ($port) = slurp($server->{out}) =~ m{\Alistening on http://127\.0\.0\.1:(\d+)\n\z};
ok($port, 'serve prints where it listens, and nothing else') or BAIL_OUT('no server');
my $json_url = "http://127.0.0.1:$port/json";

refused(1, qr/can't listen on 127\.0\.0\.1:$port: Address already in use/, 'serve', '--app',
    'builtin:c', '--bind', "127.0.0.1:$port");
my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp') or die $!;
refused(1, qr/refused; is the server running/, 'load', 'http://127.0.0.1:' . $taken->sockport);
refused(1, qr/can't resolve/, 'load', 'http://no-such-host.invalid/', '-n1');

($out, $err, $status) = gilbench('load', $json_url, qw(-c 4 -n 100 -t 2));
is($status, 0, 'load');
is($err, '', 'says nothing on stderr');
like($out, qr/\Q$json_url\E  4 connections, 2 threads/, 'but what it did');
like($out, qr/^requests +100  \d+ req\/s/m, 'how often');
like($out, qr/^latency +mean [\d.]+  p50 [\d.]+  p90 .* p99 .* p99\.9 .* max [\d.]+ ms$/m,
    'and how fast');
like($out, qr/^answers +first 200 with 26 bytes  2xx 100$/m, 'what came');
unlike($out, qr/error|warning|corrected/, 'and no more than that');

($out, $err, $status) = gilbench('load', $json_url, qw(-c4 -d0.2 -r 200));
is($status, 0, 'load with a rate');
like($out, qr/^latency, corrected .*\n^latency, uncorrected /m, 'shows both latencies');

($out, $err, $status) = gilbench('load', "http://127.0.0.1:$port/none", qw(-n 5 -c 1));
is($status, 1, 'a load of what is not there');
like($out, qr/^errors, status +5 .*\n.*404/m, 'counts it');
like($err, $one_line, 'and says so in one line');
($out, $err, $status) = gilbench('load', $json_url, qw(-n 5 -c 1 --expect nothing-of-the-kind));
is($status, 1, 'a body without the expected text');
like($out, qr/^errors, unexpected +5 /m, 'is counted');
($out, $err, $status) = gilbench('load', $json_url, qw(-n 5 -c 1 --expect {));
is($status, 0, 'one with it is fine');

# An empty body is a body.
save('empty', '');
my $echo = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp', Listen => 5) or die $!;
my $load = start($gilbench, 'load', 'http://127.0.0.1:' . $echo->sockport, '-n1', '-c1',
    '--body', "$top/empty", '-HX-Own: yes');
close $echo->accept;  # the first connection only asks whether somebody is there
my $client = $echo->accept;
my $head = '';
while (defined(my $line = <$client>)) {
    $head .= $line;
    last if $line eq "\r\n";
}
print $client "HTTP/1.1 204 No Content\r\n\r\n";
close $client;
is(ended($load), 0, 'an empty body');
like($head, qr{\APOST / HTTP/1\.1\r\n.*^Content-Length: 0\r$}ms, 'is posted');
like($head, qr/^X-Own: yes\r$/m, 'with the header given');

refused(2, qr/"Content-Length: 5" and a body exclude each other/, 'load', $json_url,
    '-HContent-Length: 5', '--body', "$top/empty");

# A mix reaches the server as its file says, each request as often as its weight.
save('mix.jsonl', join "\n", '{"path": "/a?b=%20c", "weight": 0.5}', ' ', "{\"path\": \"/p\", " .
    '"body": "a\nb\u00e9\ud83d\ude00", "method": "PUT", "weight": 0.25, "headers": ' .
    '{"X-A": "1", "Host" : "me"}}', '{"weight": 2.5e-1, "path": "/h", "method": "HEAD"}');
$load = start($gilbench, 'load', 'http://127.0.0.1:' . $echo->sockport, qw(-n8 -c1 -H X-Own:y),
    '--requests', "$top/mix.jsonl");
close $echo->accept;
$client = $echo->accept;
my (%seen, $text);
for (1 .. 8) {
    ($head, $text) = ('', '');
    while (defined(my $line = <$client>)) {
        $head .= $line;
        last if $line eq "\r\n";
    }
    read $client, $text, $1 if $head =~ /^Content-Length: (\d+)/m;
    $seen{"$head$text"}++;
    # To HEAD, and with 204, there is no body, whatever the length says.
    print $client $head =~ /^HEAD/ ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        : $text ? "HTTP/1.1 204 No Content\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
}
my $load_said = finish($load);
close $client;
my $there = '127.0.0.1:' . $echo->sockport;
is_deeply(\%seen, {
    "GET /a?b=%20c HTTP/1.1\r\nX-Own:y\r\nHost: $there\r\n\r\n" => 4,
    "PUT /p HTTP/1.1\r\nX-Own:y\r\nX-A: 1\r\nHost: me\r\nContent-Length: 9\r\n\r\n" .
        "a\nb\xc3\xa9\xf0\x9f\x98\x80" => 2,
    "HEAD /h HTTP/1.1\r\nX-Own:y\r\nHost: $there\r\n\r\n" => 2,
}, 'a mix is sent');
is($load_said->{status}, 0, 'over one connection');
like($load_said->{out}, qr/^answers +first 200 with 2 bytes  2xx 8$/m, 'and answered');

# A redirect is an answer, and said. The same connection is kept for as long as the client asks.
sub load_of {
    my ($answers, @options) = @_;
    my $p = start($gilbench, 'load', 'http://127.0.0.1:' . $echo->sockport, '-c1', @options);
    close $echo->accept;
    my $client = $echo->accept;
    while (defined(my $line = <$client>)) {
        next if $line ne "\r\n";
        my $answer = shift @$answers or last;
        print $client $answer;
    }
    my $load = finish($p);
    close $client;
    return @$load{qw(status out err)};
}
my $moved = "HTTP/1.1 302 Found\r\nLocation: /login?next=/\t\x{c2}\x{9b}31m\r\nContent-Length: 0\r\n\r\n";
($status, $out) = load_of([($moved) x 3], '-n3');
is($status, 0, 'redirects are answers');
like($out, qr/^answers +first 302 with 0 bytes  3xx 3$/m, 'which are counted apart');
like($out, qr/^warning +3 answers were redirects, the first to "\/login\?next=\/\?\?\?31m"/m,
    'and said, without what a terminal would obey');
my $fine = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
($status, $out, $err) = load_of([($fine) x 3], '-d0.2', '-r50');
is($status, 1, 'a server that falls silent');
like($out, qr/^requests +3 .*max 1\d{3}\.\d+ ms\n/ms, 'shows it in the latency');
like($out, qr/^warning +\d+ requests had no answer at the end/m, 'as a number');
like($out, qr/^warning +the rate was not reached: only 4 requests were started/m, 'and in the rate');
like($err, qr/\Agilbench: 0 requests failed, \d+ were unanswered, 3 were answered\n\z/, 'says why');

# ---- load --json, --hdr

sub keys_of {
    my ($hash) = @_;
    return join ' ', sort keys %{ $hash || {} };
}

my @latency = sort qw(mean p50 p90 p99 p999 max);
my @kinds = sort qw(connect read write timeout truncated malformed status unexpected);
($out, $err, $status) = gilbench('load', $json_url, qw(-c 2 -n 300 --json - --hdr), "$top/a.hgrm");
is($status, 0, 'load --json -');
my $json = eval { decode_json($out) } || {};
is($@, '', 'prints JSON and nothing else on stdout');
like($err, qr/^requests +300 /m, 'and the table on stderr');
is(keys_of($json), join(' ', sort qw(schema url connections threads rate seconds requests errors rps
    bytes latency_ms cpu_us_per_request started rate_missed unanswered statuses first_answer)),
    'with the keys of the contract');
is_deeply($json->{statuses}, { '1xx' => 0, '2xx' => 300, '3xx' => 0, '4xx' => 0, '5xx' => 0 },
    'statuses by class');
is_deeply($json->{first_answer}, { status => 200, size => 26 }, 'the first answer');
is("@$json{qw(started unanswered)}", '300 0', 'nothing is unanswered');
ok(!$json->{rate_missed}, 'nor was a rate missed');
is($json->{schema}, 'gilbench-load/1', 'its schema');
is(keys_of($json->{errors}), "@kinds", 'errors by kind');
is(sum0(values %{ $json->{errors} }), 0, 'of which there are none');
is(keys_of($json->{latency_ms}), "@latency", 'and the latencies');
is_deeply([@$json{qw(url connections threads requests)}], [$json_url, 2, 1, 300], 'values');
cmp_ok(abs($json->{rps} * $json->{seconds} - 300), '<', 0.01, 'rps is requests / seconds');
cmp_ok($json->{bytes}, '>', 300 * 40, 'bytes');
my @rising = @{ $json->{latency_ms} }{qw(p50 p90 p99 p999 max)};
is("@rising", join(' ', sort { $a <=> $b } @rising), 'percentiles rise');

sub hgrm {
    my ($file, $requests) = @_;
    my @lines = split /\n/, slurp($file), -1;
    my (@rows, @footer);
    is($lines[0], sprintf('%12s %12s %12s %12s', qw(Value Percentile TotalCount 1/(1-Percentile))),
        '.hgrm: the header');
    is($lines[1], '', 'and an empty line');
    is(pop @lines, '', 'a line feed at the end');
    for (@lines[2 .. $#lines]) {
        if (/^#/) { push @footer, $_ }
        else { push @rows, $_ }
    }
    my @bad = grep { !/^ *\d+\.\d{3} +[01]\.\d{6} +\d+ +(?:\d+\.\d\d|inf)$/ || /\t/ } @rows;
    is("@bad", '', 'four columns with blanks between');
    my @fields = map { [split] } @rows;
    is($fields[-1][1], '1.000000', 'the last row is 1');
    is($fields[-1][2], $requests, 'and counts every request');
    is($fields[-1][3], 'inf', 'and ends in inf');
    is($fields[0][1], '0.000000', 'the first is 0');
    is($fields[0][3], '1.00', 'and 1');
    my ($falls, $wrong, $lacks) = (0, 0, 0);
    for my $i (0 .. $#fields - 1) {
        my ($value, $percentile, $count, $inverse) = @{ $fields[$i] };
        $falls++ if $value > $fields[ $i + 1 ][0] || $percentile > $fields[ $i + 1 ][1] ||
            $count > $fields[ $i + 1 ][2];
        # Six digits are what both columns have been rounded to.
        $wrong++ if $inverse < 1e4 && abs($inverse * (1 - $percentile) - 1) > 0.01;
        $lacks++ if $count < int($percentile * $requests);
    }
    is("$falls $wrong $lacks", '0 0 0', 'nothing falls, 1/(1-p) is that, counts reach their rank');
    like($footer[0], qr/^#\[Mean    = +[\d.]+, StdDeviation   = +[\d.]+\]$/, 'footer: the mean');
    like($footer[1], qr/^#\[Max     = +[\d.]+, Total count    = +$requests\]$/, 'the maximum');
    like($footer[2], qr/^#\[Buckets = +\d+, SubBuckets     = +\d+\]$/, 'the buckets');
    is(scalar @footer, 3, 'and no more');
    return (map { "$_->[1] $_->[3]" } @fields);
}
my @ladder = hgrm("$top/a.hgrm", 300);
my ($max) = slurp("$top/a.hgrm") =~ /Max     = +([\d.]+)/;
cmp_ok(abs($max - $json->{latency_ms}{max}), '<=', 0.001, 'its maximum is that of the JSON');
gilbench('load', $json_url, qw(-c 1 -n 7 --hdr), "$top/b.hgrm");
is_deeply([hgrm("$top/b.hgrm", 7)], \@ladder, 'every file has the same ladder');

($out, $err, $status) = gilbench('load', $json_url, qw(-c 2 -d 0.2 -r 100 --json), "$top/rate.json",
    '--hdr', '-');
is($status, 0, 'load --hdr -');
like($out, qr/\A *Value .*\n#\[Buckets.*\]\n\z/s, 'prints that and nothing else on stdout');
$json = eval { decode_json(slurp("$top/rate.json")) } || {};
is(keys_of($json->{uncorrected_latency_ms}), "@latency", 'a rate adds the uncorrected latencies');
is($json->{rate}, 100, 'and is kept');

# ---- outputs that fail

SKIP: {
    skip 'no /dev/full', 10 unless -c '/dev/full';
    ($out, $err, $status) = gilbench('load', $json_url, qw(-n5 -c1 --json /dev/full --hdr),
        "$top/c.hgrm");
    is($status, 1, 'a full disk');
    like($err, qr/\Agilbench: .*No space left on device\n\z/, 'is said in one line');
    like($out, qr/^requests +5 /m, 'and the table is printed');
    like(slurp("$top/c.hgrm"), qr/Total count    = +5\]/, 'and the other file written');
    ($out, $err, $status) = gilbench('load', $json_url, qw(-n5 -c1 --hdr /dev/full));
    is($status, 1, 'for --hdr, too');
    for (['load', $json_url, qw(-n5 -c1)], ['load', $json_url, qw(-n5 -c1 --json -)], ['--help'],
        [qw(compare --list-scenarios)])
    {
        my $full = run({ out => '/dev/full' }, $gilbench, @$_);
        is($full->{status}, 1, "stdout on a full disk: @$_[0 .. 0]");
        like($full->{err}, qr/^gilbench: /m, 'is said');
    }
}

# ---- signals

for my $signal (qw(INT TERM)) {
    my $p = start($gilbench, 'load', $json_url, qw(-c2 -d 60 --json), "$top/stopped.json");
    sleep 0.5;
    is(stop($p, $signal), 1, "a load ended by SIG$signal");
    like(slurp($p->{out}), qr/^requests +[1-9]/m, 'shows what was measured');
    like(slurp($p->{err}), qr/\Agilbench: stopped after .*\n\z/, 'and says so');
    cmp_ok((eval { decode_json(slurp("$top/stopped.json")) } || {})->{requests} // 0, '>', 0,
        'and writes it');
}
is(stop($server, 'INT'), 0, 'serve ended by SIGINT exits with 0');
is(slurp($server->{out}), "listening on http://127.0.0.1:$port\n", 'and has printed one line');

# ---- scenarios

($out, $err, $status) = gilbench(qw(compare --list-scenarios));
is("$status$err", '0', '--list-scenarios');
like($out, qr/^\Q$_\E +\S/m, "has $_")
    for qw(wsgi-json wsgi-io asgi-json asgi-io article realistic);

done_testing();
