# The programs that the manual and the README show compile as they say and run.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $cc = $ENV{CC} || 'cc';

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    local $/;
    return <$in>;
}

sub compiles_and_runs {
    my ($name, $text, $pattern) = @_;
    open my $out, '>', "$dir/$name.c" or die $!;
    print $out $text;
    close $out or die $!;
    my $built = `$cc -O1 -I. $dir/$name.c -o $dir/$name -pthread -ldl 2>&1`;
    is($?, 0, "$name compiles") or diag($built);
    my $printed = `$dir/$name`;
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
