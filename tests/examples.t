# The programs that the manual and the README show compile as they say and run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use Test::More;

my $cc = $ENV{CC} || 'cc';

sub compiles_and_runs {
    my ($name, $text, $pattern) = @_;
    save("$name.c", $text);
    my $built = `$cc -O0 -I. $top/$name.c -o $top/$name -pthread -ldl 2>&1`;
    is($?, 0, "$name compiles") or diag($built);
    my $printed = `$top/$name`;
    is($?, 0, "$name runs");
    like($printed, $pattern, "$name prints what it says");
}

my $header = slurp('gilbench.h');
my ($manual) = $header =~ m{^//     // lab\.c.*?\n(.*?^//     \}\n)}ms;
ok($manual, 'the manual shows a program');
$manual =~ s{^//( {5})?}{}mg;
compiles_and_runs('manual', $manual, qr{req/s, [\d.]+ us a request waiting for the GIL});

my ($lab) = slurp('README.md') =~ m{```c\n(.*?)```}s;
is($lab, slurp('examples/lab.c'), 'the README shows examples/lab.c');
compiles_and_runs('lab', $lab, qr{4 threads: +\d+ req/s});
compiles_and_runs('handler', slurp('examples/handler.c'), qr{^10000 answers, 0 errors});
compiles_and_runs('capi', slurp('examples/capi.c'), qr{: \[0, 1, 4, 9, 16,});

my ($one_line) = $header =~ m{^//     (int main\(int argc, .*\})$}m;
like(slurp('examples/gilbench.c'), qr{\Q$one_line\E}, 'the program is the line in the manual');

done_testing;
