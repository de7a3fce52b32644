#!/usr/bin/perl
# `gilbench report`: results from their files in every format, each read by somebody else's reader
# where there is one; two results against each other; names that want to be more than names.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use POSIX qw(mkfifo);
use Test::More;
use Time::HiRes qw(sleep);

my $cache = ($ENV{XDG_CACHE_HOME} || ($ENV{HOME} || '') . '/.cache') . '/gilbench';
chdir $top or die $!;

# A file of this test by its name alone, as the reports are to show it.
sub file { save(@_); return $_[0] }

sub report { return said($gilbench, 'report', @_) }

# ---- a result, made up: rates of 1000, 1010, ... a second times a factor

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
}

sub interval { return { median => $_[0], ci95 => [$_[0] * 0.99, $_[0] * 1.01] } }

sub cell {
    my ($python, $threads, $factor, %more) = @_;
    my @rps = map { (1000 + 10 * $_) * $factor } 0 .. 7;
    my @rounds = map {
        {   requests => int($_), seconds => 1, rps => $_, memory_mb => { service => 20.123456,
                rss_peak => 20.123456, pss => 15.5, rss => 19, uss => 12 },
            latency_ms => { mean => 900 / $_, p50 => 800 / $_, p90 => 1000 / $_, p99 => 2000 / $_,
                p999 => 2500 / $_, max => 3000 / $_ } }
    } @rps;
    my $rps = median(@rps);
    return {
        id => "app/$python/w1-t$threads-c8", scenario => 'app', python => $python, path => '/x',
        server => 'gilbench', app => 'shop.py:app', interface => 'wsgi', workers => 1,
        worker_model => 'processes', threads => $threads, connections => 8, rate => 0,
        rounds => \@rounds, summary => { rps => interval($rps),
            'latency_ms.mean' => interval(900 / $rps), 'latency_ms.p50' => interval(800 / $rps),
            'latency_ms.p99' => interval(2000 / $rps), 'memory_mb.pss' => interval(15.5),
            'memory_mb.service' => interval(20.123456),
            'memory_mb.rss_peak' => interval(20.123456) },
        latency_histogram => { digits => 3, total => 3, min_ns => 1000000, max_ns => 2000001,
            sum_ns => 4500001, buckets => [[1000000, 1], [1500000, 1], [2000000, 1]] },
        %more,
    };
}

sub python {
    my ($id, $free_threaded, %more) = @_;
    return { id => $id, version => '3.14.7', free_threaded => $free_threaded, optimized => 'PGO',
        compiler => 'GCC 12', configure_args => '--enable-shared', usable => JSON::PP::true,
        executable => "/usr/bin/$id", %more };
}

sub result {
    my (%more) = @_;
    return { schema => 'gilbench/1', gilbench => '0.1.0', started => '2026-01-02T03:04:05Z',
        argv => ['x'], host => { hostname => 'h', cpus => 4, memory => 8000000000,
            cpu_model => 'CPU', kernel => 'Linux' },
        pythons => [python('gil', JSON::PP::false), python('free', JSON::PP::true)],
        cells => [cell('gil', 1, 1), cell('free', 1, 2), cell('', 1, 3)], comparisons => [],
        warnings => [], %more };
}

my $json = JSON::PP->new->utf8->canonical;

sub result_file {
    my ($name, %more) = @_;
    return file($name, $json->encode(result(%more)));
}

# A table's lines as lists of cells; the first column of each row tells it apart.
sub rows { return map { [split / {2,}/, $_] } grep { /^\/[xy]/ } split /\n/, $_[0] }

# ---- one result

result_file('old.json');
my ($out, $err, $status) = report('old.json');
is("$status$err", '0', 'a result is reported');
my ($table) = $out =~ /^(endpoint .*?)\n\n/ms;
my @rows = rows($table // '');
is(scalar @rows, 3, 'with a row a cell');
is_deeply([@{ $rows[0] }[1, 4]], ['gil', '1,035'], 'and its figures');
is_deeply([@{ $rows[1] }[1, 4]], ['free', '2,070'], 'each of its own');
result_file('paths.json', cells => [cell('gil', 1, 1), cell('gil', 1, 1, scenario => 'asgi', id => 'other')]);
my ($paths) = report('paths.json');
is_deeply([map { $_->[0] } rows($paths)], ['/x (app)', '/x (asgi)'], 'scenarios that share a path are told apart');
like($out, qr/\A\/x, 1 thread: free \(no GIL\) serves 2\.00x\b.* the requests of gil, faster\.$/m,
    'below the answer in words');
is_deeply([said({ in => 'old.json' }, $gilbench, 'report', '-')], [$out, $err, $status],
    'from stdin it is the same');
unlike($out, qr/\e|\r|\t/, 'without colours, where it is no terminal');

for (['no file', qr/^gilbench: report what\? /],
    ['none.json', qr/^gilbench: none.json: No such file or directory$/, 'none.json'],
    ['a directory', qr/^gilbench: \.: Is a directory$/, '.'],
    ['an empty file', qr/^gilbench: \S+: it is empty$/, file('empty', '')],
    ['no JSON', qr/^gilbench: \S+: line 1, column 1: it must begin with an object$/,
        file('text', "hello\n")],
    ['JSON cut short', qr/^gilbench: \S+: line 1, column 701: it ends here, in the middle$/,
        file('cut', substr slurp('old.json'), 0, 700)],
    ['another schema', qr/^gilbench: \S+: line 1, column 11: its schema is "gilbench\/9"; /,
        file('nine', '{"schema":"gilbench/9"}')],
    ['a list of builds', qr/^gilbench: \S+: line 1, column 1: "cells" is missing here$/,
        file('builds', '{"schema":"gilbench/1","pythons":[]}')],
    ['a second one that is damaged', qr/^gilbench: text: line 1, /, 'old.json', 'text'])
{
    my ($name, $message, @files) = @$_;
    ($out, $err, $status) = report(@files);
    is("$status$out", 2, "$name: refused");
    like($err, qr/\A$message/m, 'with the place, or what to do');
    is(() = $err =~ /\n/g, 1, 'in one line');
}

# ---- CSV, by Python's own reader

sub csv_rows {
    my ($name) = @_;
    my ($text, $problem) = said('python3', '-c', "import csv, json\n"
        . "with open('$name', newline='', encoding='utf-8') as file:\n"
        . "    print(json.dumps(list(csv.reader(file, strict=True))))\n");
    diag($problem) if $problem;
    return @{ decode_json($text || '[]') };
}

SKIP: {
    skip 'no python3 here', 5 if (said('python3', '-c', ''))[2];
    report('old.json', '--quiet', '--csv', 'old.csv', '--markdown', 'old.md');
    like(slurp('old.csv'), qr/\A([^\r\n]*\r\n){4}\z/, 'CSV: lines end as RFC 4180 says');
    my ($heads, @csv) = csv_rows('old.csv');
    is(scalar @csv, 3, 'a row a cell');
    is(scalar(grep { @$_ != @$heads } @csv), 0, 'and of the columns there are heads for');
    my %row;
    @row{@$heads} = @{ $csv[1] };
    is_deeply([@row{ 'id', 'variant', 'req/s', 'req/s lo', 'MB', 'connections', 'against' }],
        ['app/free/w1-t1-c8', 'free', 2070, 2049.3, 20.123456, 8, ''], 'with the figures');
    my ($line) = grep { /\| free \|/ } split /\n/, slurp('old.md');
    like($line, qr/\| 2,070 \|.*\| 0\.966 \| 20\.1 \|/, 'which Markdown has, too');
}

# ---- every column has what its head says: a round in which no two figures are alike

my $next = 2;
sub figures { return { map { $_ => $next++ } @_ } }
my %odd = (requests => 9, seconds => $next++, rps => 3.4567, warmup_s => $next++,
    latency_ms => figures(qw(mean p50 p90 p99 p999 max)), steal_ms => $next++,
    uncorrected_latency_ms => figures(qw(mean p50 p99)), other_cores => $next++,
    memory_mb => figures(qw(service rss rss_peak pss uss)), cpu => figures(qw(server_us_per_request
        client_us_per_request client_share server_cores)), context_switches_per_request => $next++,
    gc => { collections => 77, pause_ms => $next++ },
    anatomy_us => { map { $_ => figures(qw(mean p99)) } qw(read attach_wait app write) });
my %columns = ('mean ms' => 'latency_ms mean', 'p50 ms' => 'latency_ms p50',
    'p90 ms' => 'latency_ms p90', 'p99 ms' => 'latency_ms p99', 'p99.9 ms' => 'latency_ms p999',
    'max ms' => 'latency_ms max', 'uncorrected mean ms' => 'uncorrected_latency_ms mean',
    'uncorrected p50 ms' => 'uncorrected_latency_ms p50',
    'uncorrected p99 ms' => 'uncorrected_latency_ms p99', MB => 'memory_mb service',
    'peak RSS MB' => 'memory_mb rss_peak', 'RSS MB' => 'memory_mb rss', 'PSS MB' => 'memory_mb pss',
    'USS MB' => 'memory_mb uss', 'CPU us/req' => 'cpu server_us_per_request',
    cores => 'cpu server_cores', 'client us/req' => 'cpu client_us_per_request',
    'client share' => 'cpu client_share', 'other cores' => 'other_cores', 'steal ms' => 'steal_ms',
    'switches/req' => 'context_switches_per_request', 'GC pauses ms' => 'gc pause_ms',
    'warm-up s' => 'warmup_s', 'window s' => 'seconds', 'req/s' => 'rps',
    map { ("$_ us" => "anatomy_us $_ mean", "$_ p99 us" => "anatomy_us $_ p99") }
        qw(read attach_wait app write));

sub at { my $value = \%odd; $value = $value->{$_} for split / /, $_[0]; return $value }

my %summary = (rps => { median => 3.4567, ci95 => [3.3, 3.5] }, map { $_->[0] => interval($_->[1]) }
    (['latency_ms.mean', at('latency_ms mean')], ['latency_ms.p50', at('latency_ms p50')],
     ['latency_ms.p99', at('latency_ms p99')], ['memory_mb.service', at('memory_mb service')],
     ['memory_mb.rss_peak', at('memory_mb rss_peak')], ['memory_mb.pss', at('memory_mb pss')]));
my %same = (rounds => [\%odd], summary => \%summary, rate => 250);
my ($gil_on, $gil_off) = map {
    { %odd, gil => { enabled_after_load => $_, reenabled_by => 'orjson' } }
} (JSON::PP::true, JSON::PP::false);
my @ratio = (scenario => 'app', baseline => 'app/gil/w1-t1-c8', verdict => 'slower',
    ratio => { median => 0.9123456, ci95 => [0.8, 0.95] });
result_file('odd.json', cells => [cell('gil', 1, 1, %same), cell('free', 1, 1, %same,
        rounds => [$gil_on]), cell('', 1, 1, %same, interface => 'c'), cell('free', 2, 1, %same,
        interface => 'asgi', rounds => [$gil_off]), cell('gil', 2, 1, %same, server => 'granian',
        command => 'granian {threads}', id => 'other')],
    comparisons => [{ @ratio, candidate => 'app/free/w1-t1-c8', metric => 'rps' },
        { @ratio, candidate => 'app/free/w1-t1-c8', metric => 'latency_ms.p99' }]);
($out) = report(qw(odd.json --csv odd.csv --markdown odd.md));
my ($odd_heads, @odd_rows) = map { [split / {2,}/] } grep { !/^$/ } split /\n/,
    ($out =~ /^(endpoint .*?)\n\n/ms)[0];
my %shown;
@shown{@$odd_heads} = @{ $odd_rows[0] };
my $figures = sub { return sprintf($_[0] >= 9.995 ? '%.1f' : '%.2f', $_[0]) };
is_deeply({ map { $_ => $shown{$_} } grep { $columns{$_} } @$odd_heads },
    { map { $_ => $figures->(at($columns{$_})) } 'req/s', 'p50 ms', 'p99 ms', 'MB', 'cores' }, 'the table: each column has its metric, in three digits');
is($shown{'+-'}, sprintf('%.1f %%', 50 * (3.5 - 3.3) / 3.4567), '+- is half of the interval');
my $all = 0;
$all += at("anatomy_us $_ mean") for qw(read attach_wait app write);
is($shown{'GIL wait'}, sprintf('%.0f %%', 100 * at('anatomy_us attach_wait mean') / $all),
    'GIL wait is the share of the wait');
is($shown{rate}, '250', 'a rate has a column');
my ($wait) = grep { $odd_heads->[$_] eq 'GIL wait' } 0 .. $#$odd_heads;
is_deeply([map { $_->[$wait] } @odd_rows[2 .. 4]], ['-', '-', '-'],
    'GIL wait is none in a C handler, and not known in an event loop, nor of others\' servers');
is($odd_rows[1][1], 'free, GIL back: orjson', 'a GIL that is back is said in the row');
unlike($out, qr/nan|inf/, 'nothing is no number');

SKIP: {
    skip 'no python3 here', 4 if (said('python3', '-c', ''))[2];
    my ($heads, @csv) = csv_rows('odd.csv');
    my %row;
    @row{@$heads} = @{ $csv[0] };
    is_deeply({ map { $_ => 0 + $row{$_} } keys %columns },
        { map { $_ => at($columns{$_}) } keys %columns },
        'CSV: each has its own, to the last digit');
    is_deeply([@row{ 'req/s lo', 'req/s hi', 'rate', 'rounds' }], [3.3, 3.5, 250, 1],
        'with intervals');
    is($csv[3][(grep { $heads->[$_] eq 'attach_wait us' } 0 .. $#$heads)[0]], '',
        'and nothing where nobody looked');
    @row{@$heads} = @{ $csv[5] };
    is_deeply([@row{ 'id', 'against', 'req/s', 'req/s lo', 'req/s hi', 'req/s verdict', 'p99 ms',
            'p50 ms' }], ['app/free/w1-t1-c8', 'app/gil/w1-t1-c8', 0.9123456, 0.8, 0.95,
            'no verdict', 0.9123456, ''], 'a pair of cells is a row of ratios');
}
my $md = slurp('odd.md');
like($md, qr/\A## .*\n\n- \*\*Machine\*\*: CPU, 4 CPUs, 8 GB, Linux, /,
    'Markdown begins with the machine');
like($md, qr/^- \*\*gil\*\*: CPython 3\.14\.7, PGO, /m, 'its builds');
is(() = $md =~ /free, GIL back: orjson \|/g, 2, 'a GIL that is back is said in both tables');

# ---- names that want to be more

my @hostile = ("a\"b'c", '<script>alert(1)</script>', "new\nline\r\n", 'comma, "quote"', '=1+1',
    "\e[31mred\e]0;title\a", '../../etc/passwd', "\x{9b}31m\x{7f}", '| pipe | `code` [x](y)',
    "-\x{20ac}", '@sum', "tab\there", '+1', '&lt;', '..', '_it_', '__b__',
    'http://x.y/z', 'www.x.y', 'a@b.com');
my $evil = result(pythons => [map { python($_, JSON::PP::false) } @hostile],
    cells => [map { cell($_, 1, 1) } @hostile], warnings => ["<b>\e[0m*x*\nWarning: forged"]);
$_->{app} = $_->{path} = $_->{python} for @{ $evil->{cells} };
$_->{workers} = 2 for @{ $evil->{cells} };
$evil->{host}{cpu_model} = "\e[2Jcpu\n";
file('evil.json', $json->encode($evil));
($out, $err, $status) = report(qw(evil.json --csv evil.csv --markdown evil.md --pyperf evil-pyperf
    --hdr evil-hdr));
is("$status$err", '0', 'hostile names are reported');
for (['the table', $out], ['Markdown', slurp('evil.md')],
    ['CSV', slurp('evil.csv') =~ s/\r\n/\n/gr])
{
    unlike($_->[1], qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/,
        "$_->[0] has no control characters");
}
unlike($out . slurp('evil.md'), qr/^Warning: forged/m, 'nor a line that is forged');
my @table = grep { /^\| / } split /\n/, slurp('evil.md');
is(scalar @table, 2 + @hostile, 'a Markdown row a cell');
is(scalar(grep { (() = s/\\.//gr =~ /\|/g) != 13 } @table), 0, 'of as many columns as its head');
my $bare = slurp('evil.md') =~ s/^- \*\*|\*\*: //gmr =~ s/\\.//gr;
like($bare, qr/^Workers: processes of /m, 'the method names builds, too');
unlike($bare, qr{[<&`*_~@]|://|(?i)www\.}, 'and nothing in it is markup, or a link');
for ('\_it\_', '\_\_b\_\_', 'http\://x.y/z', 'www\.x.y', 'a\@b.com') {
    like(slurp('evil.md'), qr/^\| \Q$_\E \| \Q$_\E \|/m, "but text: $_");
}
SKIP: {
    skip 'no python3 here', 3 if (said('python3', '-c', ''))[2];
    my ($heads, @csv) = csv_rows('evil.csv');
    is(scalar @csv, scalar @hostile, 'CSV: still a row a cell');
    is(scalar(grep { @$_ != @$heads } @csv), 0, 'of as many columns');
    is(scalar(grep { /^[=+\@\t\r]|^-./ } map { @$_ } @csv), 0, 'none of them a formula');
}
my @made = (glob('evil-pyperf/* evil-pyperf/.*'), glob('evil-hdr/* evil-hdr/.*'));
is(scalar(grep { !/\/\.\.?\z/ } @made), 2 * @hostile, 'each has files of its own');
is(scalar(grep { !m{\Aevil-(pyperf|hdr)/(\.\.?|[\w~@=,][\w.~@=,+-]*\.(json|hgrm))\z}a } @made), 0,
    'with names that are safe');
ok(!-e 'etc' && !-e '../etc', 'and nowhere else');

# Invalid UTF-8 is nothing a file can have, but a command line can.
my ($found) = said($gilbench, 'pythons', '--json', '-');
my $known = eval { decode_json($found) } || { pythons => [] };
my ($real) = grep { $_->{usable} } @{ $known->{pythons} };
SKIP: {
    skip 'no interpreter here', 6 if !$real;
    my @short = qw(--rounds 2 --duration 0.05 --warmup 0.01 --threads 1 --connections 4 --path /json
        --no-control);
    ($out, $err, $status) = said($gilbench, 'compare', '--python',
        "$real->{executable},name=\xff\e[1m<>", @short, qw(--json real.json --csv real.csv
        --markdown real.md --pyperf real-pyperf --hdr real-hdr));
    is("$status$err", '0', 'a measurement under such a name');
    unlike($out, qr/[\x00-\x09\x0b-\x1f\x7f\xff]/, 'shows none of it');
    my ($again, undef, $code) = report(qw(real.json --csv again.csv --markdown again.md --pyperf
        again-pyperf --hdr again-hdr));
    is($code, 0, 'is reported from its file');
    my ($csv, $md) = map { slurp("again.$_") } qw(csv md);
    s/\xef\xbf\xbd/?/g for $again, $csv, $md;
    is($again, $out, 'as the table that was printed');
    is($csv . $md, slurp('real.csv') . slurp('real.md'), 'CSV and Markdown to the last digit');
    my @texts = map { join '', map { slurp($_) } glob "$_/*" } qw(real-hdr again-hdr);
    is($texts[1], $texts[0], 'which are the same from its file');
}

# ---- pyperf

report('old.json', '--quiet', '--pyperf', 'suites');
is_deeply([map { s/.*\///r } glob 'suites/*'], ['free.json', 'gil.json'], 'pyperf: a file a build');
for my $name (qw(free.json gil.json)) {
    my $suite = decode_json(slurp("suites/$name"));
    my @wrong;
    push @wrong, 'version' if $json->encode($suite->{version}) ne '"1.0"';
    for my $benchmark (@{ $suite->{benchmarks} }) {
        my @metadata = ($suite->{metadata}, $benchmark->{metadata},
            map { $_->{metadata} } @{ $benchmark->{runs} });
        push @wrong, 'unit' if $benchmark->{metadata}{unit} ne 'second';
        push @wrong, 'name' if $benchmark->{metadata}{name} ne 'app/w1-t1-c8';
        push @wrong, 'runs' if @{ $benchmark->{runs} } != 8;
        push @wrong, 'values' if grep { @{ $_->{values} } != 1 || $_->{values}[0] <= 0 }
            @{ $benchmark->{runs} };
        push @wrong, 'metadata' if grep { ref || !defined || /\A\s*\z|\n/ } map { values %$_ }
            @metadata;
        push @wrong, 'date' if grep { $_->{metadata}{date} ne '2026-01-02 03:04:05' }
            @{ $benchmark->{runs} };
    }
    is("@wrong", '', "$name is as pyperf wants it");
}
my ($python) = grep { !(said($_, '-c', 'import pyperf.__main__'))[2] }
    "$cache/pyperf/bin/python", 'python3';
SKIP: {
    skip "no pyperf here: python3 -m venv $cache/pyperf; $cache/pyperf/bin/pip install pyperf", 10
        if !$python;
    my @pyperf = ($python, '-m', 'pyperf');
    ($out, $err, $status) = said(@pyperf, qw(compare_to suites/gil.json
        suites/free.json));
    is("$status$err", '0', 'pyperf compares the two');
    like($out, qr/\[gil\].* -> \[free\].*: 2\.00x faster$/m, 'with the right result');
    for my $command (qw(hist stats check metadata show dump)) {
        ($out, $err, $status) = said(@pyperf, $command, 'suites/free.json');
        is("$status$err", '0', "pyperf $command");
    }
    ($out) = said($python, '-c', <<'END');
import pyperf, statistics
runs = pyperf.BenchmarkSuite.load('suites/free.json').get_benchmark('app/w1-t1-c8')
rps = statistics.median(1 / v for v in runs.get_values())
print('%.0f %.1f' % (rps, runs.get_metadata()['mem_max_rss'] / 1e6))
END
    is($out, "2070 20.1\n", 'has the figures of the table');
    ($out, $err, $status) = said(@pyperf, 'show', glob 'evil-pyperf/*.json');
    is("$status$err", '0', 'and reads what has hostile names');
}

# ---- HdrHistogram

report('old.json', '--quiet', '--hdr', 'hdr');
my @hgrm = glob 'hdr/*';
is_deeply([sort map { s/.*\///r } @hgrm], [sort map { "app~$_~w1-t1-c8.hgrm" } '', 'free', 'gil'],
    '.hgrm: a file a cell');
my @ladders = map { join ' ', slurp($_) =~ /^ *[\d.]+ +([\d.]+) +\d+ +\S+$/mg } @hgrm;
is(scalar(grep { $_ ne $ladders[0] } @ladders), 0, 'of the same ladder');
like(slurp($hgrm[0]), qr/^#\[Max     = +2\.000, Total count    = +3\]$/m, 'with the latencies');

my $cell = cell('gil', 1, 1, rate => 100);
$cell->{uncorrected_latency_histogram} = { %{ $cell->{latency_histogram} } };
result_file('rate.json', cells => [$cell]);
report('rate.json', '--quiet', '--hdr', 'rate');
is_deeply([sort map { s/.*\///r } glob 'rate/*'],
    [map { "app~gil~w1-t1-c8+$_.hgrm" } qw(corrected uncorrected)],
    'a rate has both, and says which');

# ---- what can't be written

SKIP: {
    skip 'no /dev/full', 4 unless -c '/dev/full';
    ($out, $err, $status) = report(qw(old.json --csv /dev/full --markdown late.md --pyperf
        old.json/x --hdr late));
    is($status, 1, 'outputs that fail');
    like($out, qr/^\/x .* gil .*^\/x .* free /ms, 'cost no table');
    like($err, qr/\Agilbench: [^\n]*No space left[^\n]*\ngilbench: old\.json\/x[^\n]*\n\z/,
        'are each said');
    ok(-s 'late.md' && glob('late/*.hgrm'), 'and the others are written');
}

file('kept.html', 'the old page');
chmod 0600, 'kept.html' or die $!;
($out, $err, $status) = said('sh', '-c',
    'trap "" XFSZ && ulimit -f 1 && exec "$0" report old.json --quiet --html kept.html', $gilbench);
is($status, 1, 'a page larger than there is room for');
like($err, qr/\Agilbench: kept\.html: [^\n]*\n\z/, 'is said');
is(slurp('kept.html') . join(' ', glob 'kept.html*'), 'the old pagekept.html', 'and costs no old one');
report(qw(old.json --html kept.html));
like(slurp('kept.html'), qr/<\/html>\n\z/, 'which a whole one replaces');
is(sprintf('%o', (stat 'kept.html')[2] & 0777), '600', 'as readable as it was');

# ---- signals

mkfifo("$top/silent", 0600) or die "mkfifo: $!";
open my $nobody_writes, '+<', "$top/silent" or die "$top/silent: $!";
for my $signal ('INT', 'TERM') {
    my $p = start({ in => "$top/silent" }, $gilbench, 'report', '-');
    sleep 0.5;
    is(stop($p, $signal), 'signal ' . ($signal eq 'INT' ? 2 : 15),
        "SIG$signal ends a report that waits for its input");
}

# ---- warnings that are alike

result_file('alike.json', warnings => [' it rained', 'a/1: 3 answers', 'b/2: 4 answers',
    'a/1: no module red', 'b/2: no module blue']);
($out) = report('alike.json');
is_deeply([$out =~ /^Warning: (.*)$/mg], [' it rained.', 'a/1: 3 answers; so in 1 row more.',
        'a/1: no module red.', 'b/2: no module blue.'], 'the same but for figures are one');

# ---- two results

sub changes { return grep { $_->[4] && $_->[4] =~ / in / } rows($_[0]) }

result_file('new.json', pythons => [python('gil', JSON::PP::false),
        python('free', JSON::PP::true, version => '3.14.8', optimized => '-O3')],
    cells => [cell('gil', 1, 1.5), cell('free', 1, 2.0005), cell('', 1, 2.4), cell('gil', 7, 1)],
    host => { hostname => 'h', cpus => 4, memory => 8000000000, cpu_model => 'CPU',
        kernel => 'Linux' }, gilbench => '0.0.9', warnings => ['it rained']);
($out, $err, $status) = report('old.json', 'new.json', '--csv', 'both.csv', '--pyperf', 'both');
is("$status$err", '0', 'two results');
my %change = map { $_->[1] => $_ } changes($out);
is(scalar keys %change, 3, 'each cell that both have is compared, whatever else there is');
like("@{ $change{'gil@new'} }", qr/ gil in old\.json 1\.50x \[1\.\d\d, 1\.\d\d\] faster /,
    'half as fast again is faster');
like("@{ $change{'gil@new'} }",
    qr/ 0\.67x \[\S+, \S+\] faster .* 1\.00x \[0\.94, 1\.06\] unclear/,
    'its latency is lower; its memory is the same, but two sessions are not');
like("@{ $change{'free@new'} }", qr/ free in old\.json 1\.00x \[0\.9\d, 1\.0\d\] unclear /,
    'almost the same is unclear');
like("@{ $change{'C handler@new'} }", qr/ C handler in old\.json 0\.80x \[\S+, \S+\] slower /,
    'the control is compared as well');
for ('new has another version of gilbench: 0.0.9, not 0.1.0.', 'new: it rained.',
    'free@new has another version: 3.14.8, not 3.14.7.',
    'free@new has another optimisation: -O3, not PGO.')
{
    like($out, qr/^Warning: \Q$_\E$/m, "warned: $_");
}
unlike($out, qr/another (CPU|kernel|memory|compiler|application)\b/,
    'and of nothing that is the same');
like(slurp('both.csv'),
    qr/^app\/gil\/w1-t1-c8\@new,app\/gil\/w1-t1-c8,app,.*,8,1\.5,1\.\d+,1\.\d+,faster,/m,
    'CSV says it in rows of their own');
ok(-e 'both/gil.json' && -e 'both/gil@new.json', 'pyperf: a file for each');

like($out, qr/^Warning: new was another session: .* by which sessions differ\.$/m,
    'sessions are said to differ');

for ([path => '/y'], [rate => 5], [server => 'other', command => 'other {port}'], [workers => 2],
    [connections => 9])
{
    result_file('another.json', cells => [cell('gil', 1, 1, @$_)]);
    ($out) = report('old.json', 'another.json');
    is(scalar(changes($out)), 0, "not the same: another $_->[0]");
}

# What was not measured in the same way.
my %plan = (loop => 'asyncio', duration_s => 0.4, warmup_s => 0.15, client_threads => 1, seed => 1);
my @packaged = map { python($_, $_ eq 'free' ? JSON::PP::true : JSON::PP::false,
    packages => 'flask 3.1, pip 25') } 'gil', 'free';
result_file('was.json', plan => \%plan, pythons => \@packaged);
result_file('like.json', plan => { %plan, seed => 2 }, pythons => \@packaged);
($out) = report('was.json', 'like.json');
unlike($out, qr/Warning: \S+ (has another|is the|and \S+ have not)/, 'another seed is nothing to warn of');
result_file('unlike.json', plan => { %plan, loop => 'uvloop', duration_s => 0.3, warmup_s => 1,
        client_threads => 4, rate => 50, expect => 'x' },
    pythons => [python('gil', JSON::PP::true, packages => 'flask 3.2, pip 25'), $packaged[1]]);
($out) = report('was.json', 'unlike.json');
for ('another event loop: uvloop, not asyncio.', 'another duration: 0.3, not 0.4.',
    'another warm-up: 1, not 0.15.', 'another number of client threads: 4, not 1.',
    'another rate: 50, not 0.', 'another expected text: x, not unknown.')
{
    like($out, qr/^Warning: unlike has \Q$_\E$/m, "warned: $_");
}
like($out, qr/^Warning: gil\@unlike is the free-threaded build, not the GIL one: /m,
    'one name, two kinds of build');
like($out, qr/^Warning: .*: flask 3\.1 is in gil, but not in gil\@unlike\.$/m, 'and another package');
($out) = report('old.json', 'unlike.json');
unlike($out, qr/another (duration|event loop)/, 'a file from before these were kept says nothing');

# Versions that are in one result only: the same part, played by another.
result_file('next.json', pythons => [python('3.15.0', JSON::PP::false),
        python('3.15.0t', JSON::PP::true),
        python('3.15.0t,gil=1', JSON::PP::true, gil => JSON::PP::true)],
    cells => [cell('3.15.0', 1, 2), cell('3.15.0t', 1, 1), cell('3.15.0t,gil=1', 1, 1)]);
($out) = report('old.json', 'next.json');
is_deeply([map { "$_->[1]: $_->[4]" } changes($out)],
    ['3.15.0@next: gil in old.json', '3.15.0t@next: free in old.json'],
    'builds of the same kind are paired');
($out) = report('old.json', 'new.json', 'next.json', 'new.json');
my @sources = $out =~ /^(\S+): CPython/mg;
is_deeply(\@sources, [split ' ', 'gil free gil@new free@new 3.15.0@next 3.15.0t@next '
        . '3.15.0t,gil=1@next gil@new#2 free@new#2'], 'several, one of them twice');
is(scalar(grep { $_->[4] !~ / in old\.json$/ } changes($out)), 0, 'are held against the first');
mkdir 'there';
file('there/old.json', slurp('old.json'));
($out) = report('old.json', 'there/old.json');
like($out, qr/ gil\@there\/old /, 'of two files with one name, the second has its directory');
result_file('else.json', cells => [cell('gil', 1, 1, scenario => 'other', id => 'z')]);
($out) = report('old.json', 'else.json');
like($out, qr/^Warning: no cell of else has its like in the first result\.$/m, 'nothing in common');

# ---- several machines

# A thread a CPU is one question, whatever that makes; so is the best.
sub machine {
    my ($name, $cpus, $ratio) = @_;
    my @cells = (cell('gil', $cpus, 1), cell('free', $cpus, $ratio));
    my @best = map { cell($_, 1 + $cpus, 1, best => JSON::PP::true, id => "best $_") } 'gil', 'free';
    my @comparisons = map {
        my ($of, @pair) = @$_;
        { scenario => 'app', baseline => $pair[0]{id}, candidate => $pair[1]{id}, metric => 'rps',
            ratio => { median => $of, ci95 => [$of * 0.9, $of * 1.1] }, verdict => 'faster',
            rounds => 8 }
    } [$ratio, @cells], [2, @best];
    return result_file("$name.json", warnings => ["it rained on $name"], cells => [@cells, @best],
        comparisons => \@comparisons, host => { hostname => $name, cpus => $cpus,
            memory => 8000000000, cpu_model => "CPU of $name", kernel => 'Linux' });
}

(undef, $err, $status) = report(machine('ann', 4, 3), machine('bob', 8, 3.01),
    machine('cid', 16, 6), '--html', 'class.html');
is("$status$err", '0', 'three machines');
my $page = slurp('class.html');
is_deeply([$page =~ /<h2>app, \/x: (.*?)</g], ['a thread a CPU, free against gil', 'best against best, free against gil'],
    'each question once');
like($page, qr/<b>faster<\/b>: 3 of 3 machines</, 'what all see');
like($page, qr/<b>median of all<\/b>: 3\.01x<.*<b>different from it<\/b>: cid\.json 6\.00x \[5\.40, 6\.60\]</s,
    'and where one is different');
is(() = $page =~ /<\/svg> (?:different from the median|a machine)</g, 3,
    'the picture tells them apart, and names each kind once');
is((report('ann.json', 'bob.json'))[2], 2, 'nor are two held against each other');

# A free-threaded build with its GIL forced on is another question.
for my $name ('dan', 'eve') {
    my @cells = (cell('gil', 1, 1), cell('free', 1, 2), cell('forced', 1, 3));
    my @comparisons = map {
        { scenario => 'app', baseline => $cells[0]{id}, candidate => $cells[$_]{id},
            metric => 'rps', ratio => interval($_ + 1), verdict => 'faster', rounds => 8 }
    } 1, 2;
    result_file("$name.json", cells => \@cells, comparisons => \@comparisons,
        pythons => [python('gil', JSON::PP::false), python('free', JSON::PP::true),
            python('forced', JSON::PP::true, gil => JSON::PP::true)], host => { hostname => $name });
}
report('dan.json', 'eve.json', '--html', 'forced.html');
is_deeply([slurp('forced.html') =~ /<h2>[^<]*?(\w+) against gil<.*?median of all<\/b>: (.*?)</gs],
    ['free', '2.00x', 'forced', '3.00x'], 'each arm is asked of all machines');

done_testing();
