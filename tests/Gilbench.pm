# What the .t files share: files, programs that are run or served, and a client that speaks HTTP over
# a raw socket. Whatever is still running at the end of a test is killed.
package Gilbench;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw($gilbench $top slurp save start finish run said serve stop ended pythons pair builds
    dial put get ask eventually);

our $gilbench = abs_path($ENV{GILBENCH} || "$FindBin::Bin/../build/gilbench");
our $top = abs_path(tempdir(CLEANUP => 1));  # of the files of this test

my $patience = 60;                 # s for anything: only a hang is to fail by it
my %running;                       # pid -> 1
my $owner = $$;

$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { exit 1 } for qw(INT TERM);

END {
    if ($$ == $owner) {
        my $status = $?;
        kill KILL => map { (-$_, $_) } keys %running;
        $? = $status;
    }
}

# ---- files ----

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or return '';
    local $/;
    return <$in> // '';
}

# Writes a file of this test and the directories that it is in; its path.
sub save {
    my ($name, $text) = @_;
    my $path = $name =~ m{^/} ? $name : "$top/$name";
    make_path(dirname($path));
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    return $path;
}

# ---- programs ----

# Starts a program in a process group of its own: { pid, out, err }, the latter two being files. An
# argument may be a reference to a hash: descriptors (how many it may have), env (of it alone; undef
# takes a variable away), dir (where it runs), in and out (files of its stdin and stdout).
my $started = 0;
sub start {
    my %how = map { %$_ } grep { ref } @_;
    my @command = grep { !ref } @_;
    my $base = "$top/run" . $started++;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp;
        for (keys %{ $how{env} // {} }) {
            if (defined $how{env}{$_}) { $ENV{$_} = $how{env}{$_} } else { delete $ENV{$_} }
        }
        open STDIN, '<', $how{in} // '/dev/null' or die;
        open STDOUT, '>', $how{out} // "$base.out" or die;
        open STDERR, '>', "$base.err" or die;
        chdir $how{dir} or die if defined $how{dir};
        @command = ('/bin/sh', '-c', "ulimit -n $how{descriptors}; exec \"\$@\"", 'sh', @command)
            if $how{descriptors};
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    $running{$pid} = 1;
    return { pid => $pid, out => $how{out} // "$base.out", err => "$base.err" };
}

# Its exit status once it has ended, or "signal N"; undef when it hasn't within its time.
sub ended {
    my ($p, $seconds) = @_;
    my $end = time + ($seconds // $patience);
    while (!defined $p->{status}) {
        if (waitpid($p->{pid}, POSIX::WNOHANG) == $p->{pid}) {
            $p->{status} = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
            delete $running{ $p->{pid} };
        } elsif (time >= $end) {
            return undef;
        } else {
            sleep 0.01;
        }
    }
    return $p->{status};
}

sub finish {
    my ($p, $seconds) = @_;
    my $status = ended($p, $seconds) // 'still there';
    return { status => $status, out => -f $p->{out} ? slurp($p->{out}) : '', err => slurp($p->{err}) };
}

# Runs a program to its end: { status, out, err }, texts; or the texts and the status as a list.
sub run { return finish(start(@_)) }

sub said { return @{ run(@_) }{qw(out err status)} }

# `gilbench serve` until it says where; {port} is missing when it ended instead.
sub serve {
    my @bind = (grep { $_ eq '--bind' } @_) ? () : ('--bind', '127.0.0.1:0');
    my $p = start($gilbench, 'serve', @bind, @_);
    for (my $end = time + $patience; time < $end; sleep 0.01) {
        ($p->{port}) = slurp($p->{out}) =~ /^listening on http:\S+:(\d+)\n/;
        last if $p->{port} || defined ended($p, 0);
    }
    return $p;
}

sub stop {
    my ($p, $signal) = @_;
    kill $signal // 'TERM', $p->{pid};
    return ended($p) // 'still there';
}

# What `gilbench pythons` says can be used, the newest first; `make test` asks it once for all files.
sub pythons {
    my $json = slurp($ENV{FOUND_PYTHONS} // '') || (said($gilbench, qw(pythons --json -)))[0];
    return grep { $_->{usable} } @{ (eval { decode_json($json) } || {})->{pythons} || [] };
}

# A GIL build and a free-threaded one of its version, no environments; nothing without both.
sub pair {
    my @builds = grep { $_->{executable} && $_->{prefix} eq $_->{base_prefix} } pythons();
    for my $gil (grep { !$_->{free_threaded} } @builds) {
        my ($ft) = grep { $_->{free_threaded} && $_->{version} eq $gil->{version} } @builds;
        return ($gil, $ft) if $ft;
    }
    return;
}

# The newest GIL and the newest free-threaded build: { gil => PYTHON, ft => PYTHON }.
sub builds {
    my %best;
    $best{ $_->{free_threaded} ? 'ft' : 'gil' } //= $_->{executable} for pythons();
    return \%best;
}

# Whether something becomes true within the time that only a hang takes.
sub eventually {
    my ($true) = @_;
    for (my $end = time + $patience; time < $end; sleep 0.01) { return 1 if $true->() }
    return 0;
}

# ---- a client ----

sub dial {
    my ($p) = @_;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => ref $p ? $p->{port} : $p,
        Timeout => $patience);
}

sub put {
    my ($socket, $path) = @_;
    syswrite $socket, "GET $path HTTP/1.1\r\nHost: a\r\n\r\n";
}

# The body of the next answer, which has a Content-Length; undef without one, or with an error.
sub get {
    my ($socket) = @_;
    my $text = '';
    local $SIG{ALRM} = sub { die "no answer\n" };
    return eval {
        alarm $patience;
        while ($text !~ /\r\n\r\n/ || length($') < ($text =~ /^content-length: (\d+)/mi)[0]) {
            sysread $socket, $text, 65536, length $text or die "closed\n";
        }
        alarm 0;
        $text =~ /\AHTTP\/1\.1 200 .*?\r\n\r\n(.*)\z/s ? $1 : undef;
    } // do { alarm 0; undef };
}

sub ask {
    my ($socket, $path) = @_;
    put($socket, $path);
    return get($socket);
}

1;
