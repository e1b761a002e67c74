#!/usr/bin/perl
# conf2env: readers see the old directory or the new one, whoever else runs and wherever a run is
# killed.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Test::More;

my $bin = $ENV{CHAINMAIL_BIN} or BAIL_OUT('run by make check, which sets CHAINMAIL_BIN');
my $top = tempdir('chainmail-test.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chdir $top or die;
my $home = getcwd;

# Every value of a configuration is its name; the odd one has a key more.
sub configuration {
    my ($name, $keys) = @_;
    return join '', map { "KEY_$_=$name\n" } 1 .. $keys;
}

sub write_file {
    my ($name, $text) = @_;
    open my $f, '>', $name or die "$name: $!";
    print $f $text;
    close $f or die;
}

my %keys = (red => 12, blue => 13, green => 3, white => 4);
write_file($_, configuration($_, $keys{$_})) for keys %keys;

sub conf2env {
    my ($name) = @_;
    return system("'$bin/conf2env' $home/env < $home/$name") >> 8;
}

# The name of the configuration that the current directory holds, or what is wrong with it.
sub seen {
    my %seen;
    opendir my $dir, '.' or return "opendir: $!";
    my @names = grep { !/^\./ } readdir $dir;
    select undef, undef, undef, 0.002; # time for a writer to come between
    for my $name (@names) {
        open my $file, '<', $name or return "mixed: $name: $!";
        my $value = <$file>;
        return "mixed: $name is empty" unless defined $value;
        chomp $value;
        $seen{$value}++;
    }
    my ($value, @more) = keys %seen;
    return 'mixed: ' . join ' ', sort map { "$_ $seen{$_}" } keys %seen
        if @more or !defined $value or $seen{$value} != $keys{$value};
    return $value;
}

sub in_child {
    my ($code) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $code->();
        exec 'true'; # no END blocks, no CLEANUP
    }
    return $pid;
}

sub seen_in_env {
    chdir "$home/env" or return "chdir: $!";
    my $seen = seen();
    chdir $home;
    return $seen;
}

is(conf2env('red'), 0, 'the first run');
is(seen_in_env(), 'red', 'made the directory');

# A slow reader.
chdir 'env' or die;
for my $name (qw(blue green red blue)) {
    is(conf2env($name), 0, "a run during the reading: $name");
}
is(seen(), 'red', 'who is in the directory goes on seeing what it was');
chdir $home;
is(seen_in_env(), 'blue', 'who comes sees what it is');

# Many readers and writers at once.  s6-envdir looks DIR up again for each file, so it is given a
# descriptor, as conf2env(8) tells.  Sixty runs, because from the 64th on the oldest replaced
# directories are removed early.
sub writer {
    my ($n, $log) = @_;
    my @names = qw(red blue);
    for my $i (1 .. $n) {
        conf2env($names[$i % 2]) == 0 or write_file($log, "conf2env failed\n");
    }
}

sub reader {
    my ($log, $stop) = @_;
    my %seen;
    until (-e $stop) {
        $seen{seen_in_env()}++;
    }
    write_file($log, join "\n", map { "$seen{$_} x $_" } sort keys %seen);
}

sub envdir_reader {
    my ($log, $stop, $envdir) = @_;
    my %seen;
    until (-e $stop) {
        my %values;
        my $n = 0;
        for (`$envdir`) {
            next unless /^KEY_\d+=(.*)/;
            $values{$1}++;
        }
        my @values = map { "$_ $values{$_}" } sort keys %values;
        my $good = @values == 1 && ($values{red} // 12) == 12 && ($values{blue} // 13) == 13;
        $seen{$good ? 'good' : "mixed: @values"}++;
    }
    write_file($log, join "\n", map { "$seen{$_} x $_" } sort keys %seen);
}

is(conf2env('red'), 0, 'before the race');
my @writers = map { my $n = $_; in_child(sub { writer(28, "writer$n") }) } 1, 2;
my @readers = (
    in_child(sub { reader('reader', 'stop') }),
    in_child(sub { envdir_reader('envdir', 'stop', 'envdir env env') }),
    in_child(sub { envdir_reader('s6-envdir', 'stop', 's6-envdir /dev/fd/3 env 3< env') }),
);
waitpid $_, 0 for @writers;
write_file('stop', '');
waitpid $_, 0 for @readers;
ok(!-e 'writer1' && !-e 'writer2', 'no run failed');
for my $log (qw(reader envdir s6-envdir)) {
    open my $f, '<', $log or die;
    my @lines = <$f>;
    ok(@lines && !grep({ !/^\d+ x (red|blue|good)$/ } @lines), "$log: never a mixture")
        or diag(@lines);
}
like(seen_in_env(), qr/^(red|blue)$/, 'one of them stands in the end');

# What is left behind, and goes.
sub generations {
    return map { s/.*\///r } sort glob '.env.conf2env/gen.*';
}
mkdir '.env.conf2env/gen.1000000000.000000000' or die;
write_file('.env.conf2env/gen.1000000000.000000000/KEY', "left by a run that was killed\n");
mkdir '.env.conf2env/gen.9000000000.000000000' or die;
is(conf2env('green'), 0, 'a run after others were killed');
ok(!grep({ /^gen\.[19]000000000\./ } generations()), 'what they left is gone');
for my $n (1 .. 80) {
    mkdir sprintf '.env.conf2env/gen.%010d.%09d', time, $n or die;
}
is(conf2env('green'), 0, 'a run after very many others');
cmp_ok(scalar generations(), '<=', 65, 'the oldest are gone');
is(seen_in_env(), 'green', 'and the directory is there');

# Killed, or failing, at every system call.
sub traced {
    my ($call, $injection, $name) = @_;
    return system("strace -qq -o trace -e trace=$call -e inject=$call:$injection "
            . "'$bin/conf2env' env < $name 2> errors");
}

sub remove_generations {
    for my $generation (glob '.env.conf2env/gen.*') {
        unlink glob "$generation/*";
        rmdir $generation or die "$generation: $!";
    }
}

SKIP: {
    skip 'strace does not work here', 1 if system('strace -o /dev/null true 2> /dev/null') != 0;
    my ($old, $new) = qw(green white);
    for my $call (qw(mkdirat openat fcntl getdents64 unlinkat write fsync close renameat2)) {
        my ($n, $status, $mixed) = (0, 1, '');
        while ($status != 0 && $n < 500) {
            $n++;
            mkdir '.env.conf2env/gen.1000000000.000000000';
            write_file('.env.conf2env/gen.1000000000.000000000/KEY', "left behind\n");
            $status = traced($call, "signal=KILL:when=$n", $new);
            my $seen = seen_in_env();
            $mixed .= "call $n: $seen\n" unless $seen eq $old or $seen eq $new;
            ($old, $new) = ($new, $old) if $seen eq $new;
        }
        is($mixed, '', "killed at each $call: the old one or the new one");
        is($status, 0, "$call: and a run that is not killed does its work");
        cmp_ok($n, '>', 1, "$call: is a call that it makes");
    }
    is(conf2env('green'), 0, 'a run after all that');
    for my $case (['write', 'ENOSPC', 4], ['fsync', 'EIO', 3], ['renameat2', 'EBUSY', 1]) {
        my ($call, $errno, $when) = @$case;
        remove_generations();
        my $status = traced($call, "error=$errno:when=$when", 'red');
        is(($status >> 8) . ' ' . seen_in_env(), '111 green',
            "$call fails: exit 111, the old directory stays");
        is(join(' ', generations()), '', "$call fails: the unfinished one is gone");
        open my $errors, '<', 'errors' or die;
        like(join('', <$errors>), qr/failed attempt=.* path=.* why=/, "$call fails: said");
    }
    is(traced('renameat2', 'error=EINVAL', 'red') . seen_in_env(), '0red',
        'a file system that cannot exchange: replaced all the same');
    is(join(' ', grep { /\.x$/ } generations()), '', 'and nothing left at the name between');
}

done_testing;
