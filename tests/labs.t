# The labs compile, and each grades itself: as it is given and with a wrong solution it says what is
# to do, with the right one PASS. GILBENCH_LABS=20 runs all of them so often, JOBS at a time, which
# part the CPUs: by default into two for each; else three are run once.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use Test::More;
use Time::HiRes qw(sleep);

my @cc = ($ENV{CC} || 'cc', '-D_GNU_SOURCE', '-I.', '-Wall', '-Wextra', '-Werror');
my $times = $ENV{GILBENCH_LABS} || 1;
my @cpus = map { my ($first, $last) = split /-/; $first .. $last // $first }
    split /,/, (slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m)[0];
my $jobs = $ENV{JOBS} || int(@cpus / 2) || 1;

# lab => what a student changes: in a wrong solution, in the right one
my %labs = (
    '01' => [['range(3, LIMIT, 2)' => 'range(3 + share, LIMIT, shares)'],
        ['range(3, LIMIT, 2)' => 'range(3 + 2 * share, LIMIT, 2 * shares)']],
    '02' => [['        looked += 1' => '        looked += len([time.sleep(0.001)])'],
        ['    end = time.monotonic() + seconds' => '    return time.sleep(seconds) or 1']],
    '03' => [['yours[] = ""' => 'yours[] = "ask"'], ['yours[] = ""' => 'yours[] = "compute"']],
    '04' => [['YOURS = 0.005' => 'YOURS = 0.01'], ['YOURS = 0.005' => 'YOURS = 0.00005']],
    '05' => [['    counter.n += 1' => '    with lock: n = counter.n\n    counter.n = n + 1'],
        ['    counter.n += 1' => '    with lock: counter.n += 1']],
    '06' => [['    return ONE' => '    return (ONE,)[0]'], ['    return ONE' => '    return object()']],
    '07' => [['    with prices:' => '    with prices, names:'],
        ["    with prices:\\n\"\n    \"        known[n] = ask_database(n)" =>
            "    found = ask_database(n)\\n\"\n    \"    with prices: known[n] = found"]],
    '08' => [['counts = shared' => 'counts = results.setdefault(0, Counts())'],
        ['counts = shared' => 'counts = Counts()']],
    '09' => [['serve(some()), False' => 'serve(some()), 0'],
        ['    return sum(logged(handle)(n)' =>
            "    once = logged(handle)\\n\"\n    \"    return sum(once(n)"]],
    '10' => [["()\\n\"\n    \"    time.sleep(" => "()\\n\"\n    \"    asyncio.sleep("],
        ["()\\n\"\n    \"    time.sleep(" => "()\\n\"\n    \"    await asyncio.sleep("]],
    '11' => [['VARIANT > 1' => 'VARIANT == 2'],
        ['pass' => "pass\n    Py_BEGIN_CRITICAL_SECTION(module);", '// to do: Py_END' =>
            "\n    Py_END_CRITICAL_SECTION();\n// to do: Py_END"]],
    '12' => [['yours[] = ""' => 'yours[] = "AC"'], ['yours[] = ""' => 'yours[] = "C"']],
);

# The implementation once for all of them: a lab by itself takes seconds to compile.
my $library = save('library.c', "#define GILBENCH_IMPLEMENTATION\n#include \"gilbench.h\"\n");
is(run(@cc, '-O0', '-c', $library, '-o', "$top/library.o")->{status}, 0, 'the implementation');

is(run($cc[0], '-fsyntax-only', '-I.', 'examples/labs/lab01.c')->{status}, 0, 'a lab by itself');

my @files = glob 'examples/labs/lab*.c';
is(join(' ', map { m{lab(\d+)\.c} } @files), join(' ', sort keys %labs), 'every lab is here');
my @programs;
for my $file (@files) {
    my ($lab) = $file =~ m{(\d+)\.c};
    my $text = slurp($file);
    cmp_ok($text =~ tr/\n//, '<=', 60, "lab $lab has at most 60 lines");
    like($text, qr{^// Lab \d+\. .*\?\n}, 'the first of which is its question');
    unlike($text, qr{^.{101}}m, 'of at most 100 columns');
    my ($wrong, $right) = @{$labs{$lab}};
    push @programs, built($lab, 'given', $text, []), built($lab, 'wrong', $text, $wrong),
        built($lab, 'right', $text, $right);
}

# A lab with such changes, compiled: what is known of it, and how often it was graded as it should.
sub built {
    my ($lab, $variant, $text, $changes) = @_;
    for (my $i = 0; $i < @$changes; $i += 2) {
        ok($text =~ s{\Q$changes->[$i]\E}{$changes->[$i + 1]}, "lab $lab, $variant: a change");
    }
    $text =~ s{^#define GILBENCH_IMPLEMENTATION\n}{}m or die "$lab: no implementation";
    my $program = "$top/lab$lab-$variant";
    my $source = save("$program.c", $text);
    my @headers = map { ('-include', $_) } qw(stdlib.h string.h unistd.h);
    my $built = run(@cc, '-O0', @headers, $source, "$top/library.o", '-o', $program, '-pthread',
        '-ldl');
    is($built->{status}, 0, "lab $lab, $variant, compiles") or diag($built->{err});
    return { lab => $lab, variant => $variant, program => $program, good => 0 };
}

# The next of them in a place, which has CPUs that no other place has, where there are enough.
sub begin {
    my ($place, $of) = @_;
    my $n = int(@cpus / $jobs);
    my @on = $n < 2 || $jobs < 2 ? ()
        : ('taskset', '-c', join ',', @cpus[$n * $place .. $n * $place + $n - 1]);
    return { %{start(@on, $of->{program})}, of => $of, until => time + 300 };
}

sub end {
    my ($p) = @_;
    my ($out, $err, $status) = @{finish($p, 0)}{qw(out err status)};
    my $graded = $p->{of}{variant} eq 'right' ? $status eq '0' && $out =~ m{^PASS: }m
        : $status eq '1' && $out =~ m{^To do: }m;
    $graded &&= $out =~ m{^Predict: .*^Why: }ms;
    $p->{of}{good}++ if $graded;
    diag("lab $p->{of}{lab}, $p->{of}{variant}: status $status\n", $out, $err) if !$graded;
}

my $all = $ENV{GILBENCH_LABS};
@programs = grep { $all || $_->{lab} =~ /^(01|05|07)$/ } @programs;
my @todo = (@programs) x $times;
my @places = (undef) x $jobs;
while (@todo || grep { $_ } @places) {
    for my $place (0 .. $#places) {
        my $p = $places[$place];
        if ($p && (defined ended($p, 0) || time > $p->{until})) {
            end($p);
            $places[$place] = undef;
        }
        $places[$place] //= begin($place, shift @todo) if @todo;
    }
    sleep 0.01;
}
is($_->{good}, $times, "lab $_->{lab}, $_->{variant}: graded so $times times") for @programs;
if ($all) {
    diag("lab  given  wrong  right  of $times");
    while (my @row = splice @programs, 0, 3) {
        diag(sprintf '%3s %6d %6d %6d', $row[0]{lab}, map { $_->{good} } @row);
    }
}

done_testing;
