#!/usr/bin/perl
# The power fails: a file system of its own on a loop device loses all that was not yet on the disk (by an ioctl that
# drops the page cache and what of the file system's journal was not written; btrfs, which has none, by a copy of the
# disk as it is once the processes are killed), is mounted again, and everything that a client had been told is done
# must be there: messages whole, with their UIDs and flags; what was under way is done or not (an answer to that does
# not count: an fsync during the ioctl may be told that all is well), and a UID never means another message.  Each
# round goes on with what the last one left.
# SEED and ROUNDS choose another or a longer run; FS=xfs or btrfs another file system.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use File::Path qw(make_path);
use List::Util qw(shuffle min max);
use Time::HiRes qw(sleep);

BEGIN {
    plan skip_all => 'only root can mount' if $>;
    if (!$ENV{POWERLOSS}++) {    # in a mount namespace of our own, so that nothing stays mounted
        my @namespace = ('unshare', '-m', '--propagation', 'private');
        plan skip_all => 'needs a mount namespace' if system(@namespace, 'true');
        exec @namespace, $^X, $0 or die "unshare: $!\n";
    }
}
use Chainmail;

use constant { SHUTDOWN => 0x8004587d, NOLOGFLUSH => 2 };    # EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN
my $seed   = $ENV{SEED}   // 1;
my $rounds = $ENV{ROUNDS} // 12;
my $fs     = $ENV{FS}     // 'ext4';
my @mkfs   = $fs eq 'ext4' ? ('mkfs.ext4', '-q', '-F') : ("mkfs.$fs", '-q', '-f');
my $disk   = "$T/disk";
my $home   = "$disk/ann";
my @flags  = ('\Seen', '\Flagged', '\Answered', '\Draft', 'one', 'two');
srand $seed;

# ---- the disk ----

sub run { my ($code, $text) = run_command(@_); return $code ? "$_[0]: $text" : '' }

sub mount_disk { return run('mount', '-o', 'loop', "$T/image", $disk) }

# False: it cannot, and the disk must be copied as it is.
sub stop_disk {
    open my $directory, '<', $disk or die "$disk: $!";
    my $how = pack 'L', NOLOGFLUSH;
    return defined ioctl $directory, SHUTDOWN, $how;
}

# The power fails, and these processes end.
sub fail_power {
    my (@pids) = @_;
    my $stopped = stop_disk();
    kill 'KILL', @pids;
    return if $stopped;
    for my $pid (@pids) { eventually { slurp("/proc/$pid/stat") =~ /\) Z/ } }
    my $why = run('cp', '--sparse=always', "$T/image", "$T/image.left");
    die $why if $why;
}

my $boots = 0;
my $owner = $$;

END {
    if ($owner && $$ == $owner) {
        my $status = $?;
        run('umount', '-l', $disk);
        $? = $status;
    }
}

sub boot {
    my $why = mount_disk();
    die $why if $why;
    spew("$T/boot", sprintf "%08x-0000-4000-8000-000000000000\n", ++$boots);
    $why = run('mount', '--bind', "$T/boot", '/proc/sys/kernel/random/boot_id');
    die $why if $why;
}

sub take_down {
    run('umount', '/proc/sys/kernel/random/boot_id');
    eventually { !run('umount', $disk) } or die 'the disk is busy';
    rename "$T/image.left", "$T/image" if -e "$T/image.left";
}

make_path($disk);
for my $why (run('truncate', '-s', '320M', "$T/image"), run(@mkfs, "$T/image"), mount_disk(), run('umount', $disk)) {
    plan skip_all => "needs $fs on a loop device: $why" if $why;
}

# ---- what clients have been told ----

# Mailbox => { validity, messages => { UID => { id, flags, shown } } }; shown: its UID has been shown, but nothing
# has been done to it that is told only when it is on the disk.
my %mailbox;
my %told;    # UIDVALIDITY.UID => id
my ($next_id, $next_name) = (1, 1);
my @history;
my @wrong;

sub text {
    my ($id) = @_;
    my $lines = $id % 7 ? $id * 37 % 60 : 900;
    return "From: a\@example.org\r\nSubject: id $id\r\nX-Id: $id\r\n\r\n" . "line of message $id\r\n" x $lines;
}

sub remember {
    my ($name, $uid, $id, $flags, $shown) = @_;
    my $validity = $mailbox{$name}{validity};
    my $before   = $told{"$validity.$uid"} //= $id;
    push @wrong, "$name UID $uid is message $id and was $before" if $before ne $id;
    $mailbox{$name}{messages}{$uid} = { id => $id, flags => { %{ $flags // {} } }, shown => $shown };
}

sub set { return { map { $_ => 1 } @_ } }
sub same { my ($a, $b) = @_; return join(' ', sort keys %$a) eq join(' ', sort keys %$b) }

# Flags are in a message's name, keywords in the journal: under way, one may be changed without the other.
sub halves_are {
    my ($now, @either) = @_;
    my @halves = map { [ set(grep { /^\\/ } keys %$_), set(grep { !/^\\/ } keys %$_) ] } $now, @either;
    return !grep { my $i = $_; !grep { same($halves[0][$i], $_->[$i]) } @halves[1, 2] } 0, 1;
}

sub numbers {
    my ($set) = @_;
    return map { /^(\d+):(\d+)$/ ? ($1 < $2 ? $1 .. $2 : reverse $2 .. $1) : $_ } split /,/, $set;
}

# Everything in a mailbox, as the server says now, each message compared with what it must be.
sub look {
    my ($client, $name) = @_;
    my %found;
    my ($validity) = map { /UIDVALIDITY (\d+)/ } $client->ok("SELECT $name");
    for my $line ($client->ok('UID FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODY.PEEK[])')) {
        next unless $line =~ /^\* \d+ FETCH .*?\bUID (\d+)/s;
        my $uid = $1;
        my ($flags)    = $line =~ /FLAGS \(([^)]*)\)/;
        my ($envelope) = $line =~ /ENVELOPE \((?:NIL|"[^"]*") "id (\d+)"/;
        my ($size)     = $line =~ /RFC822\.SIZE (\d+)/;
        my ($id)       = $line =~ /\r\nX-Id: (\d+)\r\n/;
        my $whole = defined $id && index($line, text($id)) > 0 && $size == length(text($id)) && $envelope == $id;
        push @wrong, "$name UID $uid is damaged" unless $whole;
        $found{$uid} = { id => $id // 0, flags => set(grep { $_ ne '\Recent' } split / /, $flags) };
    }
    return ($validity, \%found);
}

# ---- what is done, and what it changes: each returns the command, what happens when it is done, and what may have
# happened when the power failed before that was known ----

sub some_of {
    my ($name) = @_;
    my @uids = shuffle sort keys %{ $mailbox{$name}{messages} };
    return @uids[0 .. min($#uids, int rand 12)];
}
sub any { my @names = sort keys %mailbox; return $names[rand @names] }
sub full { my ($name) = @_; return grep { keys %{ $mailbox{$_}{messages} } } $name }

sub do_append {
    my ($name, $id, $flags) = (any(), $next_id++, set(grep { rand() < 0.3 } @flags));
    return {
        parts => [ "APPEND $name (" . join(' ', sort keys %$flags) . ') ', [ text($id) ] ],
        done  => sub { $_[0] =~ /APPENDUID \d+ (\d+)/ or die $_[0]; remember($name, $1, $id, $flags) },
        may   => { appear => { $name => [ [$id] ] } },
    };
}

sub do_copy {
    my ($from) = full(any()) or return;
    my ($to, $move) = (any(), rand() < 0.5);
    return if $from eq $to;
    my @uids = some_of($from);
    my @was  = @{ $mailbox{$from}{messages} }{@uids};
    return {
        mailbox => $from,
        parts   => [ ($move ? 'UID MOVE ' : 'UID COPY ') . join(',', @uids) . " $to" ],
        done    => sub {
            my ($text) = grep { /COPYUID/ } @_;
            my (undef, $source, $target) = $text =~ /COPYUID (\d+) (\S+) ([^\] ]+)/ or die "@_";
            my @target = numbers($target);
            for my $uid (numbers($source)) {
                my $m = $mailbox{$from}{messages}{$uid};
                remember($to, shift @target, @$m{qw(id flags)});
                delete $mailbox{$from}{messages}{$uid} if $move;
            }
        },
        may => {
            appear => { $to => [ [ map { $_->{id} } @was ] ] },
            $move ? (move => [ $from, $to, \@uids ]) : (),
        },
    };
}

sub do_store {
    my ($name) = full(any()) or return;
    my @uids = some_of($name);
    my ($sign, @these) = (('+', '-', '')[ rand 3 ], grep { rand() < 0.4 } @flags);
    my $change = sub {
        my ($old) = @_;
        my %new = $sign ? %$old : ();
        $sign eq '-' ? delete @new{@these} : (@new{@these} = (1) x @these);
        return \%new;
    };
    return {
        mailbox => $name,
        parts   => [ 'UID STORE ' . join(',', @uids) . " ${sign}FLAGS (@these)" ],
        done    => sub { for (@{ $mailbox{$name}{messages} }{@uids}) { $_->{flags} = $change->($_->{flags}) } },
        may     => { flags => { $name => { map { $_ => $change->($mailbox{$name}{messages}{$_}{flags}) } @uids } } },
    };
}

sub do_expunge {
    my ($name) = full(any()) or return;
    my @uids = some_of($name);
    return {
        mailbox => $name,
        before  => [ 'UID STORE ' . join(',', @uids) . ' +FLAGS.SILENT (\Deleted)' ],
        parts   => [ 'UID EXPUNGE ' . join(',', @uids) ],
        done    => sub { delete @{ $mailbox{$name}{messages} }{@uids} },
        may     => { vanish => { $name => set(@uids) },
            flags => { $name => { map { $_ => { %{ $mailbox{$name}{messages}{$_}{flags} }, '\Deleted' => 1 } } @uids } } },
    };
}

sub do_create {
    return if keys %mailbox > 5;
    my $name = 'INBOX.m' . $next_name++;
    return { parts => ["CREATE $name"], done => sub { $mailbox{$name} = { messages => {} } }, may => { create => $name } };
}

sub do_delete {
    my $name = any();
    return if $name eq 'INBOX' || keys %mailbox < 4;
    return { parts => ["DELETE $name"], done => sub { delete $mailbox{$name} }, may => { delete => $name } };
}

sub do_rename {
    my $name = any();
    return if $name eq 'INBOX';
    my $new = 'INBOX.m' . $next_name++;
    return {
        parts => ["RENAME $name $new"],
        done  => sub { $mailbox{$new} = delete $mailbox{$name} },
        may   => { rename => [ $name, $new ] },
    };
}

# Another program delivers, and a client is shown its UID.
sub do_delivery {
    my ($client) = @_;
    my ($name, $id) = (any(), $next_id++);
    my $maildir = "$home/Maildir" . ($name =~ /^INBOX(\..*)/ ? "/$1" : '');
    my $file = "1700000000.M${id}P1.test";
    open my $out, '>:raw', "$maildir/tmp/$file" or die "$maildir: $!";
    print $out text($id);
    $out->flush;
    $out->sync;
    close $out;
    own("$maildir/tmp/$file");
    rename "$maildir/tmp/$file", "$maildir/new/$file" or die $!;
    run('sync', "$maildir/new");
    my (undef, $found) = look($client, $name);
    my ($uid) = grep { $found->{$_}{id} == $id } keys %$found;
    return push @wrong, "$name: message $id was delivered and is not shown" unless $uid;
    remember($name, $uid, $id, {}, 1);
    push @history, "delivery of message $id to $name, UID $uid";
    return;
}

# What nobody asked for: metadata of everything reaches the disk, data that waits to be allocated does not.
sub do_other {
    open my $out, '>', "$disk/other" or die $!;
    print $out rand;
    $out->flush;
    run('sync', "$disk/other");
    push @history, 'something else is synced';
    return;
}

my @kinds = ((\&do_append) x 6, (\&do_copy) x 4, (\&do_store) x 4, (\&do_expunge) x 2, \&do_create, \&do_delete, \&do_rename,
    (\&do_delivery) x 2, \&do_other);

# ---- a life of the machine, and what is left of it ----

# Returns what was under way when the power failed.
sub live {
    my ($commands) = @_;
    my @clients = map { Chainmail::imapd($home) } 1, 2;
    my ($under_way, $client);
    for my $n (1 .. $commands) {
        $client = $clients[ rand @clients ];
        my $what = $kinds[ rand @kinds ]->($client);
        next unless ref $what;    # or it has been done already
            $client->ok("SELECT $what->{mailbox}") if $what->{mailbox};
        # Who has selected what is renamed or deleted would be disconnected.
        $_->command('UNSELECT') for $what->{parts}[0] =~ /^(?:RENAME|DELETE)/ ? @clients : ();
        my $last = $n == $commands && rand() < 0.7;
        $client->ok(@{ $what->{before} }) if $what->{before};
        push @history, join ' ', map { ref ? '{...}' : $_ } @{ $what->{parts} };
        if ($last) {
            $history[-1] .= ' (under way)';
            $under_way = $what;
            last;
        }
        $client->ok(@{ $what->{parts} });
        $what->{done}->($client->{text}, @{ $client->{untagged} });
        if ($what->{parts}[0] =~ /^CREATE (\S+)/) { ($mailbox{$1}{validity}) = map { /UIDVALIDITY (\d+)/ } $client->ok("SELECT $1") }
    }
    if ($under_way) {
        my $tag = $client->next_tag;
        $client->send("$tag " . join('', map { ref ? '{' . length($$_[0]) . "+}\r\n$$_[0]" : $_ } @{ $under_way->{parts} }) . "\r\n");
        sleep rand 0.004;
    }
    fail_power(map { $_->{pid} } @clients);
    $_->vanish for @clients;
    take_down();
    return $under_way ? $under_way->{may} : {};
}

# One mailbox; a hash of what has appeared and vanished is returned.
sub compare {
    my ($name, $found, $may) = @_;
    my $was = $mailbox{$name}{messages};
    my %left = %$found;
    my %gone;
    my $highest = max 0, map { /^\Q$mailbox{$name}{validity}\E\.(\d+)/ } keys %told;
    for my $uid (sort { $a <=> $b } keys %$was) {
        my $m = $was->{$uid};
        my $now = delete $left{$uid};
        if (!$now && $m->{shown}) {
            my ($other) = grep { $left{$_}{id} == $m->{id} && $_ > $highest } keys %left;
            $now = delete $left{$other} if $other;
        }
        if (!$now) {
            $gone{$uid} = $m->{id};
            push @wrong, "$name UID $uid (message $m->{id}) is lost"
              unless $may->{vanish}{$name}{$uid} || ($may->{move} && $may->{move}[0] eq $name && grep { $_ == $uid } @{ $may->{move}[2] });
            next;
        }
        push @wrong, "$name UID $uid is message $now->{id}, was $m->{id}" if $now->{id} != $m->{id};
        my $other_flags = $may->{flags}{$name}{$uid};
        push @wrong, "$name UID $uid has flags (@{[sort keys %{ $now->{flags} }]}), not (@{[sort keys %{ $m->{flags} }]})"
          unless same($now->{flags}, $m->{flags}) || $other_flags && halves_are($now->{flags}, $m->{flags}, $other_flags);
    }
    my @new = map { $left{$_}{id} } sort { $a <=> $b } keys %left;
    my @expected = map { @$_ } @{ $may->{appear}{$name} // [] };
    push @wrong, "$name has messages @new that nobody put there, or half of those that were being copied (@expected)"
      if @new && join(' ', sort @new) ne join(' ', sort @expected);
    return { appeared => scalar @new, gone => scalar keys %gone };
}

sub judge {
    my ($may) = @_;
    my $client = Chainmail::imapd($home);
    my %there = map { /^\* LIST \([^)]*\) "\." "?([^"]+)"?$/ ? ($1 => 1) : () } $client->ok('LIST "" "*"');
    # What was being done to a mailbox itself has been done or not.
    if (my $r = $may->{rename}) {
        push @wrong, "RENAME: @{[grep { $there{$_} } @$r]}" if 1 != grep { $there{$_} } @$r;
        $mailbox{ $r->[1] } = delete $mailbox{ $r->[0] } if $there{ $r->[1] };
    }
    delete $mailbox{ $may->{delete} } if $may->{delete} && !$there{ $may->{delete} };
    $mailbox{ $may->{create} } //= { messages => {} } if $may->{create} && $there{ $may->{create} };
    my $names = join ' ', sort keys %mailbox;
    push @wrong, "mailboxes are @{[sort keys %there]}, not $names" if join(' ', sort keys %there) ne $names;
    my %result;
    for my $name (sort grep { $there{$_} } keys %mailbox) {
        my ($validity, $found) = look($client, $name);
        my $before = $mailbox{$name}{validity} // $validity;
        push @wrong, "$name has UIDVALIDITY $validity, had $before" if $before != $validity;
        $mailbox{$name}{validity} = $validity;
        $result{$name} = compare($name, $found, $may);
        $mailbox{$name}{messages} = {};
        remember($name, $_, @{ $found->{$_} }{qw(id flags)}) for keys %$found;
    }
    if (my $m = $may->{move}) {
        my ($gone, $appeared) = ($result{ $m->[0] }{gone}, $result{ $m->[1] }{appeared});
        push @wrong, "MOVE of @{[scalar @{ $m->[2] }]}: $gone left $m->[0], $appeared came to $m->[1]" if $gone != $appeared;
    }
    $client->logout;
}

boot();
make_path($home);
my $why = run('maildirmake', "$home/Maildir");
die $why if $why;
run('chown', '-R', "$UID:$UID", $home);
run('sync', '-f', $disk);
$mailbox{INBOX} = { messages => {} };
judge({});
my $under_way = 0;
for my $round (1 .. $rounds) {
    @history = ();
    my $may = live(1 + int rand 25);
    $under_way++ if %$may;
    boot();
    judge($may);
    ok(!@wrong, "round $round: " . ($history[-1] // 'nothing')) or do {
        diag "SEED=$seed, after:", map { "\n  $_" } @history, '', @wrong;
        last;
    };
}
note "$under_way of $rounds with something under way; $next_id messages";
take_down();
done_testing;
