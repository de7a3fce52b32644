#!/usr/bin/perl
# The header as a file to include: what it says when it can't work, and programs of several
# translation units. Compiled once, and without optimisation, because only what links matters here;
# the warnings of several compilers and standards are for `make check`.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use Cwd qw(abs_path);
use Test::More;

my $source = abs_path("$FindBin::Bin/..");
my $cc = $ENV{CC} || 'cc';
my $cxx = $ENV{CXX} || 'c++';
my @warnings = qw(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror);
my @syntax = ('-I', $source, '-fsyntax-only', '-Wfatal-errors');  # the first error is the last

# The exit status and all that was said.
sub said_by {
    my ($out, $err, $status) = said(@_);
    return ($status, $out . $err);
}

sub compiles {
    my ($name, @command) = @_;
    my ($status, $text) = said_by(@command);
    ok($status eq '0', $name) or diag($text);
    return $status eq '0';
}

# ---- errors that say what to do

my $late = save('late.c', "#include <stdio.h>\n#define GILBENCH_IMPLEMENTATION\n"
    . "#include \"gilbench.h\"\n");
my ($status, $text) = said_by($cc, '-std=c11', @syntax, $late);
isnt($status, 0, 'the implementation after a system header');
like($text, qr/#error.*gilbench\.h.*include.*first.*-D_GNU_SOURCE/, 'names the flag to add');
compiles('with which it compiles', $cc, '-std=c11', '-D_GNU_SOURCE', @syntax, $late);

SKIP: {
    skip "no $cxx", 2 if (said_by($cxx, '--version'))[0];
    ($status, $text) = said_by($cxx, @syntax, save('wrong.cpp', "#define GILBENCH_IMPLEMENTATION\n"
        . "#include \"gilbench.h\"\n"));
    isnt($status, 0, 'the implementation in C++');
    like($text, qr/#error.*gilbench\.h: the implementation is C/, 'is refused with the reason');
}

# ---- programs of two translation units

my $implementation = save('implementation.c',
    "#define GILBENCH_IMPLEMENTATION\n#include \"gilbench.h\"\n#include <stdio.h>\n");
compiles('the implementation before any other', $cc, '-std=gnu11', '-I', $source, '-fPIC', '-c',
    $implementation, '-o', "$top/implementation.o");

my $program = <<'END';
#include "gilbench.h"
static void answer(gb_exchange *exchange, void *user)
{
    (void)user;
    gb_respond(exchange, 200, "text/plain", "hello", 5);
}
int main(void)
{
    gb_error error;
    gb_server_config config = {0};
    config.handler = answer;
    gb_server *server = gb_server_start(&config, &error);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", gb_server_port(server));
    gb_load_config load = {0};
    load.url = url;
    load.requests = 100;
    load.expect = "hello";
    gb_load_result result;
    if (gb_load(&load, &result, &error)) return 1;
    printf("%d of 100\n", (int)result.requests);
    gb_load_free(&result);
    gb_server_stop(server);
    return 0;
}
END
my @link = ("$top/implementation.o", '-pthread', '-ldl');
if (compiles('a program that declares only', $cc, '-std=c11', @warnings, '-I', $source,
    save('two.c', $program), @link, '-o', "$top/two"))
{
    is((said_by("$top/two"))[1], "100 of 100\n", 'runs');
}
SKIP: {
    skip "no $cxx", 2 if (said_by($cxx, '--version'))[0];
    $program =~ s/= \{0\}/= {}/g;
    compiles('the same in C++17', $cxx, '-std=c++17', @warnings, '-I', $source,
        save('two.cpp', $program), @link, '-o', "$top/twocpp");
    is((said_by("$top/twocpp"))[1], "100 of 100\n", 'runs');
}

SKIP: {
    my ($failed, $symbols) = said_by('nm', '-g', '--defined-only', "$top/implementation.o");
    skip 'no nm', 2 if $failed;
    my @foreign = grep { !/^gb_/ } map { (split)[2] } split /\n/, $symbols;
    is("@foreign", '', 'every symbol is called gb_');
    my @private = grep { /^gb__/ } map { (split)[2] } split /\n/, $symbols;
    is("@private", '', 'and none of the private ones can be seen');
}

# A private copy, of the kind that `make test` has compiled, beside the public one.
my $static = "$source/build/tests/compile/static.o";
compiles('a private copy', $cc, '-std=c11', '-I', $source, '-c',
    "$FindBin::Bin/compile/static.c", '-o', $static = "$top/static.o") if !-e $static;
my $other = save('other.c', <<'END');
#include "gilbench.h"
const char *first_reason(void);
int main(void)
{
    puts(first_reason());
    puts(gb_code_text(GB_USAGE));
    return first_reason() == NULL;
}
END
if (compiles('and the public one in the same program', $cc, '-std=gnu11', @warnings, '-I', $source,
    $other, $static, @link, '-o', "$top/private"))
{
    like((said_by("$top/private"))[1], qr/\A(.+)\n\1\n\z/, 'which runs');
}
SKIP: {
    my ($failed, $symbols) = said_by('nm', '-g', '--defined-only', $static);
    skip 'no nm', 1 if $failed;
    like($symbols, qr/\A\S+ T first_reason\n\z/, 'GILBENCH_STATIC leaves nothing to be seen');
}

# ---- in a library, whose program knows nothing of children and would run its main for each

my $library = save('library.c', <<'END');
#include "gilbench.h"
int measure(void);
int measure(void)
{
    gb_error error;
    gb_round round;
    gb_measure_config config = {.service = {.app = "builtin:c"},
                                .load = {.connections = 2, .duration_s = 0.1}};
    if (gb_measure(&config, &round, &error)) puts(error.text);
    return round.requests > 0;
}
END
my $user = save('user.c', <<'END');
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    int (*measure)(void) = NULL;
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    void *symbol = library ? dlsym(library, "measure") : NULL;
    memcpy(&measure, &symbol, sizeof measure);
    printf("measured: %d\n", measure ? measure() : -1);
    return 0;
}
END
if (compiles('a library', $cc, '-std=c11', '-I', $source, '-shared', '-fPIC', $library, @link,
    '-o', "$top/library.so") && compiles('its program', $cc, $user, '-ldl', '-o', "$top/user"))
{
    is((said_by("$top/user", "$top/library.so"))[1], "measured: 1\n", 'measures');
}

done_testing();
