# The labs compile, and each grades itself: as it is given and with a wrong solution it says what is
# to do, with the right one PASS. GILBENCH_LABS=20 runs all of them so often; else three are run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use Test::More;

my @cc = ($ENV{CC} || 'cc', '-D_GNU_SOURCE', '-I.', '-Wall', '-Wextra', '-Werror');
my $times = $ENV{GILBENCH_LABS} || 1;
my @run = $ENV{GILBENCH_LABS} ? () : qw(01 05 07);

# lab => what a student changes: in a wrong solution, in the right one
my %labs = (
    '01' => [['range(3, LIMIT, 2)' => 'range(3 + share, LIMIT, shares)'],
        ['range(3, LIMIT, 2)' => 'range(3 + 2 * share, LIMIT, 2 * shares)']],
    '02' => [['        looked += 1' => '        looked += len([time.sleep(0.001)])'],
        ['    end = time.monotonic() + seconds' => '    return time.sleep(seconds) or 1']],
    '03' => [['yours[] = ""' => 'yours[] = "ask"'], ['yours[] = ""' => 'yours[] = "compute"']],
    '04' => [['YOURS = 0.005' => 'YOURS = 0.01'], ['YOURS = 0.005' => 'YOURS = 0.0002']],
    '05' => [['    counter.n += 1' => '    with lock: n = counter.n\n    counter.n = n + 1'],
        ['    counter.n += 1' => '    with lock: counter.n += 1']],
    '06' => [['    return ONE' => '    return (ONE,)[0]'], ['    return ONE' => '    return object()']],
    '07' => [['    with prices:' => '    with prices, names:'],
        ["    with prices:\\n\"\n    \"        known[n] = ask_database(n)" =>
            "    found = ask_database(n)\\n\"\n    \"    with prices: known[n] = found"]],
    '08' => [['counts = shared' => 'counts = results.setdefault(0, Counts())'],
        ['counts = shared' => 'counts = Counts()']],
    '09' => [['        serving = False' => '        serving = 0'],
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
for my $file (@files) {
    my ($lab) = $file =~ m{(\d+)\.c};
    my $text = slurp($file);
    cmp_ok($text =~ tr/\n//, '<=', 60, "lab $lab has at most 60 lines");
    like($text, qr{^// Lab \d+\. .*\?\n}, 'the first of which is its question');
    unlike($text, qr{^.{101}}m, 'of at most 100 columns');
    my ($wrong, $right) = @{$labs{$lab}};
    graded($lab, 'as it is given', $text, [], 0);
    graded($lab, 'a wrong solution', $text, $wrong, 0);
    graded($lab, 'the right solution', $text, $right, 1);
}

sub graded {
    my ($lab, $what, $text, $changes, $passes) = @_;
    for (my $i = 0; $i < @$changes; $i += 2) {
        ok($text =~ s{\Q$changes->[$i]\E}{$changes->[$i + 1]}, "lab $lab, $what: a change") ;
    }
    $text =~ s{^#define GILBENCH_IMPLEMENTATION\n}{}m or die "$lab: no implementation";
    my $source = save("lab$lab.c", $text);
    my @headers = map { ('-include', $_) } qw(stdlib.h string.h unistd.h);
    my $built = run(@cc, '-O0', @headers, $source, "$top/library.o", '-o', "$top/lab$lab",
        '-pthread', '-ldl');
    is($built->{status}, 0, "lab $lab, $what, compiles") or diag($built->{err});
    return if @run && !grep { $_ eq $lab } @run;
    my $good = 0;
    for (1 .. $times) {
        my ($out, $err, $status) = said("$top/lab$lab");
        my $graded = $passes ? $status == 0 && $out =~ m{^PASS: }m : $status && $out =~ m{^To do: }m;
        $good++ if $graded && $out =~ m{^Predict: .*^Why: }ms;
        diag($out, $err) if !$graded;
    }
    is($good, $times, "lab $lab, $what: graded so $times times");
}

done_testing;
