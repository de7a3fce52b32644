#!/usr/bin/perl
# A free-threaded build whose GIL comes back: `gilbench compare` on an application that imports
# extension modules, made here with the build's own Python.h, of which two don't say that they run
# without the GIL.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;

my @cc = split ' ', $ENV{CC} || 'cc';
my $stderr;  # of the last run

sub json_of_run {
    my (@arguments) = @_;
    (my $out, $stderr, my $status) = said({ dir => $top }, $gilbench, @arguments, '--json', '-');
    my $json = eval { decode_json($out) };
    diag("@arguments: exit status $status: $stderr") if $status || !$json;
    return $json;
}

# A module in the multi-phase form, which would say by a slot that it needs no GIL, or in the older
# single-phase form.
sub extension {
    my ($name, $include, %is) = @_;
    my ($part) = $name =~ m{(\w+)$};
    my $slot = $is{good} ? '{Py_mod_gil, Py_MOD_GIL_NOT_USED},' : '';
    my $made = $is{old} ? 'module.m_slots = NULL, PyModule_Create' : 'PyModuleDef_Init';
    save("$part.c", <<"END");
#include <Python.h>
static PyModuleDef_Slot slots[] = {$slot {0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "$part", .m_slots = slots};
PyMODINIT_FUNC PyInit_$part(void);
PyMODINIT_FUNC PyInit_$part(void) { return $made(&module); }
END
    return run({ dir => $top }, @cc, '-w', '-O0', '-shared', '-fPIC', '-isystem', $include, '-o', "$top/$name.so",
        "$top/$part.c")->{status} eq '0';
}

my $found = json_of_run('pythons') or plan(skip_all => 'no usable interpreter');
my ($python) = grep { $_->{usable} && $_->{free_threaded} && -e "$_->{include}/Python.h" }
    @{ $found->{pythons} };
plan(skip_all => 'no free-threaded build with a Python.h') unless $python;
my ($ft, $include) = @$python{qw(executable include)};
plan(skip_all => 'no compiler') unless extension('gb_good', $include, good => 1);
ok(extension('gb_first', $include, old => 1), 'a module that needs the GIL');
save('package/__init__.py', '');
ok(extension('package/gb_second', $include), 'another one, in a package');
ok(extension('gb_late', $include), 'another one, for later');

my $answer = <<'END';
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'fine']
END
save('app.py', "import gb_good, gb_first, json\nfrom package import gb_second\n"
        . "def app(environ, start_response):\n$answer");
save('late.py', "def app(environ, start_response):\n    import gb_late\n$answer");
save('good.py', "import gb_good\ndef app(environ, start_response):\n$answer");

sub gil_of {
    my ($variant, $app) = @_;
    my $result = json_of_run(qw(compare --threads 1 --rounds 1 --duration 0.1 --warmup 0.02),
        qw(--connections 4 --no-control), '--app', $app, '--python', "$ft$variant") or return;
    my $round = $result->{cells}[0]{rounds}[0];
    my @warnings = grep { /GIL/ } @{ $result->{warnings} }, $stderr =~ /^(.*)$/mg;
    return ($round->{gil}, "@warnings");
}

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my ($gil, $warnings) = gil_of('', 'app.py:app');
is_deeply($gil->{enabled_after_load}, $true, 'the GIL came back');
is(join(' ', sort split /, /, $gil->{reenabled_by} // ''), 'gb_first package.gb_second',
    '... and each guilty module is named, the good one is not');
like($warnings, qr/GIL came back \(gb_first, package\.gb_second/, '... in a warning');
like($stderr, qr/^\/ +\S+, GIL back: gb_first, \.\.\. /m, '... and its row says so');

($gil, $warnings) = gil_of('', 'late.py:app');
is_deeply([$gil->{enabled_after_load}, $gil->{reenabled_by}], [$true, 'gb_late'],
    'a module that only a request imports is named');

($gil, $warnings) = gil_of(',gil=0', 'app.py:app');
is_deeply([$gil->{enabled_after_load}, $gil->{reenabled_by}], [$false, ''],
    'gil=0: it stays off, whatever is imported');
unlike($warnings, qr/came back/, '... and nothing is warned of');

($gil, $warnings) = gil_of(',gil=1', 'app.py:app');
is_deeply([$gil->{enabled_after_load}, $gil->{reenabled_by}], [$true, ''],
    'gil=1: it is on, and no module is to blame');
unlike($warnings, qr/came back/, '... and nothing is warned of');

for my $app ('builtin:wsgi', 'good.py:app') {
    ($gil, $warnings) = gil_of('', $app);
    is_deeply([$gil->{enabled_after_load}, $gil->{reenabled_by}], [$false, ''],
        "$app keeps the GIL off");
    unlike($warnings, qr/came back/, '... and nothing is warned of');
}
done_testing();
