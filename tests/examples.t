# The programs that the manual and the README show compile as they say and run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use File::Basename qw(dirname);
use Test::More;

my $cc = $ENV{CC} || 'cc';
my $beside = dirname($gilbench);  # where make has put them
# One build is enough, and to look for others takes longer than the programs themselves.
my %alone = (XDG_CACHE_HOME => $top, PATH => '/usr/bin:/bin');
($alone{GILBENCH_PYTHONS}) = values %{ builds() };

sub runs {
    my ($name, $program, $pattern) = @_;
    my ($printed, $err, $status) = said({ env => \%alone }, $program);
    is($status, 0, "$name runs") or diag($err);
    like($printed, $pattern, "$name prints what it says");
}

my $header = slurp('gilbench.h');
my ($manual) = $header =~ m{^//     // lab\.c.*?\n(.*?^//     \}\n)}ms;
ok($manual, 'the manual shows a program');
$manual =~ s{^//( {5})?}{}mg;
save('manual.c', $manual);
my $built = run($cc, '-O0', '-I.', "$top/manual.c", '-o', "$top/manual", '-pthread', '-ldl');
is($built->{status}, 0, 'which compiles') or diag($built->{err});
runs('the manual', "$top/manual", qr{req/s, [\d.]+ us a request waiting for the GIL});

my ($lab) = slurp('README.md') =~ m{```c\n(.*?)```}s;
is($lab, slurp('examples/lab.c'), 'the README shows examples/lab.c');
runs('lab', "$beside/lab", qr{4 threads: +\d+ req/s});
runs('handler', "$beside/handler", qr{^10000 answers, 0 errors});
runs('capi', "$beside/capi", qr{: \[0, 1, 4, 9, 16,});

my ($one_line) = $header =~ m{^//     (int main\(int argc, .*\})$}m;
like(slurp('examples/gilbench.c'), qr{\Q$one_line\E}, 'the program is the line in the manual');

done_testing;
