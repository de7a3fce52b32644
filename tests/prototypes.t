#!/usr/bin/perl
# Compiles prototypes.c against the Python.h of each build that `gilbench pythons` finds, and makes
# sure that it does not compile when something in it is wrong.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;

my @cc = split ' ', $ENV{CC} || 'cc';

sub compile {
    my ($include, @flags) = @_;
    my (undef, $errors, $status) = said(@cc, qw(-std=c11 -w -fsyntax-only -pthread), "-I$FindBin::Bin/..", @flags,
        '-isystem', $include, "$FindBin::Bin/prototypes.c");
    return ($errors, $status);
}

my ($json) = said($gilbench, qw(pythons --json -));
my $found = eval { decode_json($json) } or BAIL_OUT("$gilbench pythons --json - printed no JSON");

# Compiled together: each is an error of its own, which names it.
my @wrong = (
    ['a return type', 'FUNCTIONS', 'int, PyDict_New, (void)', 'PyDict_New'],
    ['an argument', 'FUNCTIONS', 'Py_ssize_t, PyList_Size, (PyTypeObject *)', 'PyList_Size'],
    ['one argument too many', 'FUNCTIONS', 'PyObject *, PyDict_Copy, (PyObject *, int)',
        'PyDict_Copy'],
    ['a const', 'FUNCTIONS', 'PyObject *, PyUnicode_FromString, (char *)', 'PyUnicode_FromString'],
    ['a function that is not there', 'FUNCTIONS', 'int, PyGilbench_No, (void)', 'PyGilbench_No'],
    ['a constant', 'CONSTANTS', 'GB__METH_O, METH_NOARGS', 'GB__METH_O'],
    ['a field', 'FIELDS', 'PyType_Slot, nothing', 'nothing'],
);
my %extra;
$extra{ $_->[1] } .= " X($_->[2])" for @wrong;
my @flags = map { "-DEXTRA_$_(X)=$extra{$_}" } sort keys %extra;

my $compiled = 0;
my %seen;
for my $python (@{ $found->{pythons} }) {
    my ($id, $include) = @$python{qw(id include)};
    my ($minor) = $python->{version} =~ /^3\.(\d+)/ or next;
    next if $minor < 14 || $seen{ $include // '' }++;
    SKIP: {
        skip "$id has no Python.h", 1 unless defined $include && -e "$include/Python.h";
        my ($errors, $status) = compile($include);
        $compiled++;
        is($status, 0, "all agrees with the Python.h of $id") or do { diag($errors); next };
        ($errors) = compile($include, @flags);
        ok($errors =~ /error:.*\Q$_->[3]\E/, "$_->[0] that is wrong is found, $id") for @wrong;
    }
}
plan(skip_all => 'no build with a Python.h') unless %seen;
diag('no build has a Python.h: nothing was compared') unless $compiled;
done_testing();
