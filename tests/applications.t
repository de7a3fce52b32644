#!/usr/bin/perl
# Applications as people have them: in packages, with an environment around them, and with threads
# and exit handlers that take their time. Each on a GIL build and on a free-threaded one.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

# What a command said with these variables in this directory: stdout, stderr, exit status.
sub in_environment {
    my ($environment, $directory, @command) = @_;
    my %none = map { $_ => undef } qw(LC_ALL LC_CTYPE PYTHONPATH);
    my %env = (%none, LANG => 'C.UTF-8', %$environment);
    return said({ env => \%env, dir => "$top/$directory" }, @command);
}

# What `serve` said, stopped as soon as it listens: exit status, the reason of a failure.
sub served {
    my ($python, $app, $directory) = @_;
    my $p = serve({ dir => "$top/" . ($directory // '.') }, '--app', $app, '--python',
        $python->{executable});
    my $status = $p->{port} ? stop($p) : $p->{status};
    return ($status, slurp($p->{err}) =~ /^gilbench: (.*)$/m ? $1 : '');
}

# The result of a comparison of one row; how long it took.
sub compare {
    my ($python, $app, @options) = @_;
    my $start = time;
    my ($out, $err, $status) = in_environment({}, '.', $gilbench, qw(compare --no-control),
        qw(--threads 1 --rounds 1 --duration 0.1 --warmup 0.02 --path /json),
        (grep { $_ eq '--connections' } @options) ? () : qw(--connections 4),
        '--json', '-', '--app', $app, '--python', $python->{executable}, @options);
    return ($status, eval { decode_json($out) }, $err, time - $start);
}

my ($gil, $ft) = pair();
plan skip_all => 'needs a usable GIL build and a usable free-threaded one' if !$ft;

my $answer = <<'PYTHON';
def app(environ, start_response):
    start_response('200 OK', [('Content-Length', '2')])
    return [b'ok']
def any_number(*arguments):
    pass
def optional(environ, start_response, more=None):
    pass
PYTHON
save('site/shop/__init__.py', '');
save('site/shop/names.py', "NAME = 'shop'\n");
save('site/shop/web/__init__.py', $answer);
save('site/shop/web/wsgi.py', "from ..names import NAME\nimport shop.names, beside\n$answer");
save('site/namespace/wsgi.py', "from .names import NAME\n$answer");
save('site/namespace/missing.py', "import no_such_module\n$answer");
save('here/beside.py', '');
save('here/dash-ed.py', $answer);

# What an interpreter says of itself; as an application, it can't be loaded once it has said so.
save('facts.py', <<'PYTHON');
import json, locale, os, site, sys
facts = dict(path=sys.path, flags=str(sys.flags), encoding=locale.getencoding(),
             ctype=locale.setlocale(locale.LC_CTYPE), prefix=sys.prefix, base=sys.base_prefix,
             executable=sys.executable, files=sys.getfilesystemencoding(), user=site.ENABLE_USER_SITE,
             digits=sys.get_int_max_str_digits(), warnings=sys.warnoptions,
             hash=os.environ.get('PYTHONHASHSEED') and hash('a'))
with open(os.environ['FACTS'], 'w') as file:
    json.dump(facts, file)
raise SystemExit(0)
PYTHON

my $late = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n";
save('thread.py', $late . $answer);
save('atexit_.py', "import atexit, time\natexit.register(time.sleep, 600)\n$answer");
save('crash.py', "import atexit, os\natexit.register(os.abort)\n$answer");
save('silent.py', "import time\ndef app(environ, start_response):\n    time.sleep(600)\n");
save('runs.py', "import time\ntime.sleep(5.3)\n$answer");

for my $python ($gil, $ft) {
    my $id = $python->{id};
    subtest "$id: an application in a package" => sub {
        for (['site/shop/web/wsgi.py:app', 'here'], ['site/shop/web/__init__.py:app', '.'],
             ['here/dash-ed.py:app', '.'], ['site/shop/web/wsgi.py:optional', 'here']) {
            my ($app, $directory) = @$_;
            $app = "../$app" if $directory ne '.';
            my ($status, $error) = served($python, $app, $directory);
            is("$status $error", '0 ', "$app serves");
        }
        my ($status, $error) = served($python, 'site/namespace/wsgi.py:app');
        like($error, qr/relative import.*write package\.module:app/, 'without a package: what to do');
        ($status, $error) = served($python, 'site/namespace/missing.py:app');
        like($error, qr/no_such_module.*\Q$python->{executable}\E: install/,
            'a missing module: in which environment');
        ($status, $error) = served($python, 'site/shop/web/__init__.py:any_number');
        like($error, qr/any number of arguments; say --interface wsgi or asgi/, '*args');
    };

    subtest "$id: the environment" => sub {
        my $venv = "$top/venv-$id";
        system($python->{executable}, '-m', 'venv', '--without-pip', $venv) == 0 or die 'venv';
        my @cases = ({}, { LANG => 'C' }, { LC_ALL => 'POSIX', PYTHONUTF8 => 0 },
            { LANG => '', PYTHONCOERCECLOCALE => 0 }, { PYTHONDEVMODE => 1 },
            { PYTHONPATH => "$top/here", PYTHONDONTWRITEBYTECODE => 1, PYTHONOPTIMIZE => 1,
              PYTHONHASHSEED => 7, PYTHONNOUSERSITE => 1, PYTHONWARNINGS => 'error' });
        for my $executable ($python->{executable}, "$venv/bin/python") {
            for my $case ($executable eq $python->{executable} ? @cases : @cases[0, 5]) {
                my %case = (%$case, FACTS => "$top/facts");
                my @facts = map {
                    unlink "$top/facts";
                    in_environment(@$_);
                    slurp("$top/facts");
                } [\%case, '.', $executable, "$top/facts.py"],
                    [\%case, '.', $gilbench, 'serve', '--app', 'facts.py:app', '--python', $executable,
                     '--bind', '127.0.0.1:0'];
                ok($facts[0] && $facts[0] eq $facts[1],
                    join(' ', map { "$_=$case->{$_}" } sort keys %$case) . ": as `$executable`")
                    or diag("@facts");
            }
        }
        my %other = (PYTHONHOME => "$top/nowhere", PYTHON_GIL => 1, FACTS => "$top/facts");
        unlink "$top/facts";
        in_environment(\%other, '.', $gilbench, 'serve', '--app', 'facts.py:app', '--python',
            $python->{executable});
        like(slurp("$top/facts"), qr/"prefix": "\Q$python->{prefix}\E"/, 'PYTHONHOME is not for it');
    };

    subtest "$id: an application that ends late" => sub {
        for my $app ('thread.py:app', 'atexit_.py:app') {
            my ($status, $result, $error, $seconds) = compare($python, $app);
            is($status, 0, "$app is measured") or diag($error);
            my @warnings = grep { /did not end within a second.*counts$/ } @{ $result->{warnings} };
            is(scalar @warnings, 1, 'a warning says it');
            cmp_ok($seconds, '<', 15, 'and it is not waited for');
        }
        my ($status, $result) = compare($python, 'thread.py:app', '--workers', 2,
            '--worker-model', 'processes');
        is($status, 0, 'in workers, too');
        like("@{ $result->{warnings} }", qr/did not end within a second/, 'with the warning');
        ($status, $result) = compare($python, 'crash.py:app');
        is($status, 1, 'one that crashes at its end fails');
        like($result->{cells}[0]{rounds}[0]{problem}, qr/signal 6/, 'by its signal');
    };
}

subtest 'an endpoint that never answers' => sub {
    my ($status, $result) = compare($gil, 'silent.py:app');
    is($status, 1, 'fails');
    like($result->{cells}[0]{rounds}[0]{problem}, qr/^no request was answered within [\d.]+ s/, 'and why');
};

subtest 'an import that takes long' => sub {
    my ($status, $result, $error) = compare($ft, 'runs.py:app', '--connections', '4,5');
    is($status, 0, 'is waited for');
    like($error, qr/^gilbench: still importing runs\.py:app; if it calls app\.run\(\) at import/m,
        'and said');
    is(scalar(() = $error =~ /still importing/g), 1, 'once');
};

subtest 'no sentence ends twice' => sub {
    save('stops.py', "raise RuntimeError('Run it again.')\n");
    my ($status, $result) = compare($gil, 'stops.py:app');
    is(scalar(grep { /Run it again$/ } @{ $result->{warnings} }), 1,
        'a warning has no full stop of its own');
};

done_testing;
