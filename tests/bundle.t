# What `make bundle` has packed runs where it is unpacked, for somebody who has no other interpreter
# and none of the libraries that those in it need.
use strict;
use warnings;
use Cwd qw(abs_path);
use FindBin;
use JSON::PP;
use Test::More;
use lib $FindBin::Bin;
use Gilbench;

my ($archive) = glob "'$FindBin::Bin/../build/gilbench-bundle-*.tar.gz'";
plan skip_all => '`make bundle` has not been called' unless $archive;
plan skip_all => 'the program is newer than its bundle' if -M $archive > -M $gilbench;

mkdir "$top/a place" or die $!;
is system('tar', '-xzf', $archive, '-C', "$top/a place"), 0, 'unpacks';
my ($place) = map { abs_path($_) } glob "'$top/a place/gilbench-bundle-*'";
$gilbench = "$place/gilbench";
delete @ENV{ grep { !/^LC_|^LANG$/ } keys %ENV };
$ENV{PATH} = '/usr/bin';
$ENV{HOME} = $ENV{XDG_CACHE_HOME} = "$top/nowhere";

my $asked = run($gilbench, qw(pythons --json -));
my $found = eval { decode_json($asked->{out})->{pythons} } // [];
my %in_it = map { $_->{id} => $_ } grep { $_->{executable} =~ /^\Q$place\E/ } @$found;
is keys %in_it, 2, 'both interpreters are found beside the program' or diag $asked->{err};
is_deeply [sort map { $_->{free_threaded} ? 'ft' : 'gil' } values %in_it], [qw(ft gil)],
    'one of either kind';

my $modules = 'import asyncio, bz2, ctypes, hashlib, json, lzma, sqlite3, ssl, sys, uuid, zlib
outside = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if ".so" in line]
print(*sorted({path for path in outside if not path.startswith(sys.argv[1])}), sep="\n")';
for my $id (sort keys %in_it) {
    my $python = $in_it{$id};
    ok $python->{usable}, "$id can be used" or diag $python->{problem};
    like $python->{libpython}, qr/^\Q$place\E/, 'its library is the one in the bundle';
    my $imported = run($python->{executable}, '-I', '-c', $modules, $place);
    is $imported->{status}, 0, 'it has its modules' or diag $imported->{err};
    my @others = grep { !m{/(?:ld-linux[^/]*|lib(?:c|m|dl|rt|util|pthread)[-.][^/]*)$} }
        split /\n/, $imported->{out};
    is "@others", '', 'and what those need but glibc';
    for my $app ('builtin:wsgi', "$place/apps/asgi_app.py:app") {
        my $server = serve('--python', $python->{executable}, '--app', $app);
        like ask(dial($server), '/page'), qr/^\{"found": /, "$app answers";
        is stop($server), 0, 'and stops';
    }
}

ok -e "$place/examples/labs/lab12.c", 'the labs are in it';

my @short = qw(--path /page --threads 2 --rounds 1 --duration 0.05 --json -);
my $measured = run($gilbench, 'compare', @short);
is $measured->{status}, 0, 'a comparison' or diag $measured->{err};

done_testing;
