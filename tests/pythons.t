#!/usr/bin/perl
# `gilbench pythons` on interpreters that are made here: false ones, which are shell scripts that
# answer as an interpreter would, and the builds of this machine moved, linked and wrapped.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench qw(!pythons);
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

my @variables = qw(GILBENCH_PYTHONS VIRTUAL_ENV CONDA_PREFIX PYENV_ROOT UV_PYTHON_INSTALL_DIR
    XDG_CACHE_HOME XDG_DATA_HOME);

# What the scripts below need is in $top/bin, where no interpreter is.
mkdir "$top/bin";
for my $tool (qw(cat sleep touch)) {
    my ($path) = grep { -x } map { "$_/$tool" } split /:/, $ENV{PATH};
    symlink $path, "$top/bin/$tool" if defined $path;
}

# Runs with nothing of this machine in sight but /usr/local; returns stdout, stderr, exit status.
sub gilbench {
    my ($environment, @arguments) = @_;
    my %none = map { $_ => undef } @variables;
    return said({ env => { %none, HOME => "$top/nobody", PATH => "$top/bin", %$environment } },
        $gilbench, @arguments);
}

sub script {
    my ($path, $text) = @_;
    save($path, "#!/bin/sh\n$text");
    chmod 0755, $path;
    return $path;
}

# A script that claims to be an interpreter.
sub fake {
    my ($path, %facts) = @_;
    my $prefix = dirname(dirname($path));
    my %all = (
        full_version => 'fake', version => '3.14.7', hex => 0x030e07f0, free_threaded => 0,
        libpython => '', looked_for => "$prefix/lib/libpython3.14.so.1.0", optimized => '-O3',
        executable => $path, prefix => $prefix, base_prefix => $prefix, cflags => '-O3', %facts
    );
    return script($path, "exec cat <<END\n" . join('', map { "$_=$all{$_}\n" } sort keys %all)
        . "end=1\nEND\n");
}

sub pythons {
    my ($environment) = @_;
    my ($out, $err, $status) = gilbench($environment, qw(pythons --json -));
    my $json = eval { decode_json($out) };
    return ($json ? $json->{pythons} : [], $err, $status);
}

sub only {
    my ($entry) = @_;
    my ($list) = pythons({ GILBENCH_PYTHONS => $entry });
    return $list->[0] || {};
}

sub is_gone {
    my ($pid) = @_;
    for (1 .. 50) {
        return 1 unless kill 0, $pid;
        select undef, undef, undef, 0.1;
    }
    return 0;
}

# ---- false ones

my $old = fake("$top/old/bin/python3.11", version => '3.11.4', hex => 0x030b04f0);
like(only($old)->{problem}, qr/too old.*3\.14.*3\.11\.4.*uv python install/, 'too old');
is(only($old)->{usable}, JSON::PP::false, 'is not usable');

my $static = fake("$top/static/bin/python3.14");
my $problem = only($static)->{problem};
like($problem, qr{no\ shared\ libpython\ \(looked\ for\ \Q$top\E/static/lib/libpython
    3\.14\.so\.1\.0\).*without.*uv\ python\ install.*make\ pythons.*--enable-shared}x, 'static');

my $garbage = fake("$top/garbage/bin/python3.14",
    libpython => script("$top/garbage/lib/libpython3.14.so.1.0", ''));
like(only($garbage)->{problem}, qr/does not start.*libpython3\.14\.so\.1\.0/,
    'a libpython that is none');

my $crash = script("$top/crash/bin/python3.14", 'kill -SEGV $$');
like(only($crash)->{problem}, qr/Segmentation fault/, 'one that crashes');
my $sick = script("$top/sick/bin/python3.14", "echo 'Fatal Python error: sick' >&2; exit 1");
like(only($sick)->{problem}, qr/Fatal Python error: sick/, 'one that fails says why');
my $flood = script("$top/flood/bin/python3.14", 'while :; do echo flood; done');
like(only($flood)->{problem}, qr/flood/, 'one that never stops talking');

my $start = time;
my $hang = script("$top/hang/bin/python3.14", "echo \$\$ >$top/pid\nsleep 1000\n");
my ($list) = pythons({ GILBENCH_PYTHONS => "$hang:$old" });
like($list->[0]{problem}, qr/no answer within/, 'one that hangs');
like($list->[1]{problem}, qr/too old/, 'does not keep others from answering');
cmp_ok(time - $start, '<', 15, 'and not us for long');
my ($pid) = slurp("$top/pid") =~ /(\d+)/;
ok(defined $pid && is_gone($pid), 'and is killed');

my ($out, $err, $status) = gilbench({ GILBENCH_PYTHONS => "$old:$static" }, 'pythons');
like($out, qr/^(?=\S).*3\.11\.4.*\n\s+.*too old/m, 'the table gives the reason below the build');
like($out, qr/^(?=\S).*3\.14\.7.*\n\s+.*no shared libpython/m, 'of each');

# ---- discovery

($out, $err, $status) = gilbench({}, 'pythons');
SKIP: {
    skip 'this machine has one in /usr/local or /opt', 3 if $status == 0;
    is($status, 3, 'status 3 where there is none');
    (undef, undef, $status) = gilbench({ GILBENCH_PYTHONS => $old }, 'pythons');
    is($status, 3, 'and where none is usable');
    (undef, undef, $status) = gilbench({ GILBENCH_PYTHONS => $old }, qw(pythons --json -));
    is($status, 3, 'with --json, too');
}

script("$top/mise/shims/python3.14", "echo 'no version is set' >&2; exit 127");
script("$top/home/.pyenv/shims/python3.14", "touch $top/ran");
fake("$top/home/.pyenv/versions/3.14.7/bin/python3.14");
fake("$top/home/.local/share/uv/python/cpython-3.14.6-linux/bin/python3.14", version => '3.14.6');
fake("$top/home/.cache/gilbench/cpython-3.14.4/bin/python3.14", version => '3.14.4');
fake("$top/home/.cache/gilbench/build-cpython-3.14.3/bin/python3.14", version => '3.14.3');
fake("$top/path with [a] *?/python3.14t", version => '3.14.2', free_threaded => 1);
fake("$top/path with [a] *?/python3.14-config", version => '3.14.1');
symlink 'python3.14', "$top/home/.pyenv/versions/3.14.7/bin/python3";
symlink '3.14.7', "$top/home/.pyenv/versions/3.14";
($list) = pythons({
    HOME => "$top/home",
    PATH => join ':', "$top/bin", "$top/mise/shims", "$top/home/.pyenv/shims",
        "$top/path with [a] *?", "$top/absent"
});
my %count;
$count{ $_->{version} }++ for grep { $_->{executable} =~ m{^\Q$top\E/} } @$list;
is_deeply(\%count, { map { ("3.14.$_" => 1) } 2, 4, 6, 7 },
    'each place is looked at, each build listed once');
ok(!-e "$top/ran", "pyenv's shims are not asked");

{
    my $moved = "$top/a bundle/gilbench";
    fake("$top/a bundle/cpython-3.14.8/bin/python3.14", version => '3.14.8');
    copy($gilbench, $moved) or die "$moved: $!";
    chmod 0755, $moved;
    ($moved, $gilbench) = ($gilbench, $moved);
    ($list) = pythons({});
    $gilbench = $moved;
    is($list->[0]{executable}, "$top/a bundle/cpython-3.14.8/bin/python3.14",
        'what lies beside the program comes first');
}

# ---- what is asked for

my %refused = (
    "$top/absent" => [3, qr{\Q$top\E/absent.*No such file}],
    'gilbench-no-such-python' => [3, qr/gilbench-no-such-python.*PATH/],
    $top => [3, qr{no interpreter in \Q$top\E: looked for bin/python3}],
    "$FindBin::Bin/pythons.c" => [3, qr/pythons\.c.*not executable/],
    script("$top/hello", 'echo hello') => [3, qr/hello/],
    "$old,gil=1" => [2, qr/not a free-threaded build.*gil=1/],
    "$old,gil=2" => [2, qr/"gil=2"/],
    "$old,speed=9" => [2, qr/"speed=9"/],
    "$old,jit=1" => [2, qr/no JIT/],
    "$old,name=a:$old,name=a" => [2, qr/two interpreters are named a/],
);
for my $entry (sort keys %refused) {
    my ($expected, $reason) = @{ $refused{$entry} };
    ($out, $err, $status) = gilbench({ GILBENCH_PYTHONS => $entry }, 'pythons');
    is($status, $expected, "status of $entry");
    like($err, $reason, 'and the reason');
    is($err =~ tr/\n//, 1, 'in one line');
}
($list) = pythons({ GILBENCH_PYTHONS => "$old:$old:$old,name=again" });
is_deeply([map { $_->{id} } @$list[0 .. 2]], ['3.11.4', '3.11.4#2', 'again'],
    'one build asked for three times is there three times');
is(only("$top/old")->{version}, '3.11.4', 'an installation');
($list) = pythons({ GILBENCH_PYTHONS => 'python3.11', PATH => "$top/bin:$top/old/bin" });
is($list->[0]{executable}, $old, 'a name on PATH');

# ---- real ones, as far as there are any

my ($all) = decode_json((gilbench({ %ENV }, qw(pythons --json -)))[0] || '{"pythons":[]}');
my @usable = grep { $_->{usable} && $_->{prefix} eq $_->{base_prefix} } @{ $all->{pythons} };
plan_real($_) for @usable;
test_optimized($usable[0]{executable}) if @usable;

# What counts as optimised, from what sysconfig has: a build's own answer with that changed.
sub test_optimized {
    my ($python) = @_;
    my @rows = (  # optimized, CONFIG_ARGS, PY_CFLAGS
        ['-O3', "'--enable-shared'", '-DNDEBUG -g -O3 -Wall'],
        ['-O2', '', '-O3 -g -O2'],
        ['-O3', '', '-O3 -DX=-O0'],
        ['PGO', "'--enable-optimizations'", '-O3'],
        ['PGO+LTO', "'--enable-optimizations' '--with-lto'", '-O3'],
        ['PGO+LTO', "'--enable-optimizations=yes' '--with-lto=thin'", '-O3'],
        ['PGO+LTO+BOLT', '--enable-optimizations --with-lto --enable-bolt', '-O3'],
        ['LTO', "'--prefix=/x'", '-O3 -flto=auto'],
        ['PGO', '', '-O2 -fprofile-use -fprofile-correction'],
        ['BOLT', "'--enable-bolt'", '-O3'],
        ['-O3', "'--enable-optimizations' '--disable-optimizations'", '-O3'],
        ['-O3', "'--enable-optimizations=no' '--with-lto=no'", '-O3'],
        ['-O3', "'--with-ltox' '--prefix=--with-lto'", '-O3'],
        ['debug', '', '-g -O0'],
        ['debug', '', '-g'],
    );
    my @entries = map {
        my ($arguments, $flags) = @{ $rows[$_] }[1, 2];
        script("$top/optimized-$_/bin/python3.14", <<END)
exec '$python' -I -c "import sysconfig
sysconfig.get_config_vars().update(CONFIG_ARGS=''' $arguments ''', PY_CFLAGS='$flags',
    CONFIGURE_CFLAGS_NODIST='')
\$3"
END
    } 0 .. $#rows;
    my ($list) = pythons({ GILBENCH_PYTHONS => join ':', @entries });
    is($list->[$_]{optimized}, $rows[$_][0], "optimised: $rows[$_][1] with $rows[$_][2]")
        for 0 .. $#rows;
}

sub plan_real {
    my ($python) = @_;
    my ($id, $executable, $library, $prefix) = @$python{qw(id executable libpython prefix)};
    my $stdlib = 'python3.' . ($python->{version} =~ /^3\.(\d+)/)[0] .
        ($python->{free_threaded} ? 't' : '');
    my $work = "$top/real-" . ($id =~ s/\W/_/gr);

    symlink $prefix, "$work-link";
    my ($found) = pythons({ PATH => dirname($executable) . ":$work-link/bin" });
    my @same = grep { abs_path($_->{prefix}) eq abs_path($prefix) &&
        basename($_->{libpython}) eq basename($library) } @$found;
    is(scalar @same, 1, "$id found twice, once listed");

    if (system({ $executable } $executable, qw(-I -m venv --without-pip), "$work-venv") == 0) {
        my $venv = only("$work-venv");
        ok($venv->{usable}, "a virtual environment of $id") or diag($venv->{problem});
        is($venv->{prefix}, "$work-venv", 'has its own prefix');
        is($venv->{base_prefix}, $prefix, 'and its base');
        is($venv->{libpython}, $library, 'and the libpython of that');
    }

    my $by_library = only($library);
    ok($by_library->{usable}, "the libpython of $id") or diag($by_library->{problem});
    is($by_library->{prefix}, $prefix, 'leads to its installation');
    return unless -d "$prefix/lib/$stdlib";

    # A copy, of which the standard library is a link to save the disk.
    make_path("$work-moved/bin", "$work-moved/lib", "$work-alone/lib");
    for my $place ('moved', 'alone') {
        symlink "$prefix/lib/$stdlib", "$work-$place/lib/$stdlib";
        copy($library, "$work-$place/lib/" . basename($library)) or die "copy: $!";
    }
    copy($executable, "$work-moved/bin/" . basename($executable)) or die "copy: $!";
    chmod 0755, "$work-moved/bin/" . basename($executable);
    my $moved = only("$work-moved");
    ok($moved->{usable}, "$id moved") or diag($moved->{problem});
    is($moved->{prefix}, "$work-moved", 'has its new prefix');
    my $alone = only("$work-alone/lib/" . basename($library));
    ok($alone->{usable}, "the libpython of $id without an executable") or diag($alone->{problem});
    is($alone->{version}, $python->{version}, 'speaks for itself');
    is($alone->{prefix}, "$work-alone", 'and takes the library beside it');
}

note('no usable build on this machine: only false ones were tried') unless @usable;
done_testing();
