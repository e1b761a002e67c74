#!/usr/bin/perl
# Moving in from a real Courier-IMAP and a real Dovecot, and back: nobody sees another UID, while
# the old server runs on no UID is given twice.  And a folder as large as one that brought Courier
# to a second per message.
#
# Courier's imapd is looked for in the usual places; COURIER_IMAPD names another.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use Chainmail;

use constant JUMP => 1 << 20;

# ---- the other servers, each on a pipe ----

sub courier {
    for my $path (grep { defined } $ENV{COURIER_IMAPD}, '/usr/lib/courier-imap/bin/imapd', '/usr/bin/imapd') {
        return $path if -x $path && slurp($path) =~ /IMAP_USELOCKS/ && system("ldd $path | grep -q 'not found'");
    }
    return;
}

# Runs it as the user with these commands; what it said.
sub run_as_user {
    my ($home, $environment, $command, @lines) = @_;
    my $in = "$T/commands";
    spew($in, join '', map { "a$_ $lines[$_]\r\n" } 0 .. $#lines);
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', "$T/foreign" or POSIX::_exit(111);
        chdir $home                    or POSIX::_exit(111);
        if (!$>) {
            $) = "$UID $UID";
            POSIX::setgid($UID);
            POSIX::setuid($UID);
        }
        $ENV{$_} = $environment->{$_} for keys %$environment;
        # Dovecot wants a pipe.
        exec 'sh', '-c', 'cat "$0" | exec "$@"', $in, @$command or POSIX::_exit(127);
    }
    local $/;
    my $text = <$out>;
    close $out;
    return $text // '';
}

my %server;
if (my $imapd = courier()) {
    $server{courier} = {
        name => sub { $_[0] eq 'INBOX' ? $_[0] : "INBOX.$_[0]" },
        run => sub {
            my ($home, @commands) = @_;
            my %environment = (
                AUTHENTICATED   => 'user',
                AUTHADDR        => 'user',
                AUTHUSER        => 'user',
                HOME            => $home,
                IMAP_KEYWORDS   => 1,
                IMAP_USELOCKS   => 1,
                IMAP_CAPABILITY => 'IMAP4rev1 UIDPLUS',
                TCPREMOTEIP     => '127.0.0.1',
            );
            return run_as_user($home, \%environment, [$imapd, 'Maildir'], @commands, 'LOGOUT');
        },
    };
}
if (my ($doveadm) = grep { -x } '/usr/bin/doveadm', '/usr/local/bin/doveadm') {
    mkdir "$T/dovecot" or die;
    own("$T/dovecot");
    spew("$T/dovecot.conf", <<"CONF");
base_dir = $T/dovecot
state_dir = $T/dovecot
log_path = $T/dovecot/log
ssl = no
mail_location = maildir:~/Maildir
first_valid_uid = 1
CONF
    $server{dovecot} = {
        name => sub { $_[0] },
        run  => sub {
            my ($home, @commands) = @_;
            my %environment = (USER => 'user', HOME => $home);
            return run_as_user($home, \%environment,
                [$doveadm, '-c', "$T/dovecot.conf", 'exec', 'imap'], @commands, 'LOGOUT');
        },
    };
}

# ---- what a client sees ----

# UID => flags and keywords, sorted, from the responses to UID FETCH 1:* (FLAGS).
sub seen_in {
    my ($text) = @_;
    my %seen;
    while ($text =~ /^\* \d+ FETCH \((.*)\)\r?$/mg) {
        my $items = $1;
        my ($uid)   = $items =~ /UID (\d+)/ or next;
        my ($flags) = $items =~ /FLAGS \(([^)]*)\)/;
        $seen{$uid} = join ' ', sort grep { $_ ne '\\Recent' } split ' ', $flags;
    }
    return \%seen;
}

# The same of one of our sessions, and its UIDVALIDITY and UIDNEXT.
sub ours {
    my ($home, $mailbox) = @_;
    my $c = imapd($home);
    $c->ok("SELECT $mailbox");
    my $text = join "\r\n", @{ $c->{untagged} };
    my ($uidvalidity, $uidnext) = $text =~ /UIDVALIDITY (\d+).*UIDNEXT (\d+)/s;
    $c->ok('UID FETCH 1:* (FLAGS)');
    my $seen = seen_in(join "\r\n", @{ $c->{untagged} }, '');
    $c->logout;
    return ($seen, $uidvalidity, $uidnext, $c);
}

sub theirs {
    my ($server, $home, $folder) = @_;
    my $mailbox = $server->{name}->($folder);
    my $text    = $server->{run}->($home, "STATUS $mailbox (UIDVALIDITY UIDNEXT)", "SELECT $mailbox", 'UID FETCH 1:* (FLAGS)');
    my ($uidvalidity) = $text =~ /STATUS.*UIDVALIDITY (\d+)/;
    my ($uidnext)     = $text =~ /STATUS.*UIDNEXT (\d+)/;
    return (seen_in($text), $uidvalidity, $uidnext);
}

for my $kind ('courier', 'dovecot') {
  SKIP: {
        my $server = $server{$kind} or skip "$kind is not installed", 1;
        my $home = home($kind);
        deliver("$home/Maildir", "Subject: $_\n\nbody $_\n") for 1 .. 4;
        my $sub = $server->{name}->('Sub');
        my $said = $server->{run}->(
            $home, 'SELECT INBOX', 'STORE 1:3 +FLAGS (\Seen $Work foo)', 'STORE 2 +FLAGS (bar)',
            "CREATE $sub", "SUBSCRIBE $sub", "COPY 2:3 $sub", 'STORE 1 +FLAGS (\Deleted)', 'EXPUNGE'
        );
        like $said, qr/^a7 OK/m, "$kind has made a folder" or diag $said, slurp("$T/foreign");
        my ($inbox, $validity) = theirs($server, $home, 'INBOX');
        my ($copied, $sub_validity, $sub_next) = theirs($server, $home, 'Sub');
        is join(' ', sort keys %$inbox), '2 3 4', "$kind: three messages";
        is $inbox->{2}, '$Work \Seen bar foo', "... with keywords";

        my ($code, $text) = run_command('maildirimport', '-n', "$home/Maildir");
        is $code, 0, 'maildirimport -n';
        like $text, qr/^INBOX: from \u$kind: 3 messages of 3 in its list, UIDVALIDITY $validity, next UID 5/m,
          '... shows what would be taken over';
        ok !-e "$home/Maildir/chainmail", '... and does nothing';

        my ($got, $our_validity, $next) = ours($home, 'INBOX');
        is_deeply $got, $inbox, 'INBOX: the same UIDs, flags and keywords';
        is $our_validity, $validity, '... and UIDVALIDITY';
        is $next,         5,         '... and next UID';
        ($got, $our_validity) = ours($home, 'INBOX.Sub');
        is_deeply $got, $copied, 'a folder: likewise';
        is $our_validity, $sub_validity, '... and UIDVALIDITY';
        my $c = imapd($home);
        is scalar(grep { /^\* LSUB .*INBOX\.Sub"?$/ } $c->ok('LSUB "" *')), 1, 'subscribed, as before';
        $c->logout;

        # The old server still runs, and both see new mail.
        deliver("$home/Maildir", "Subject: new $_\n\nbody\n") for 5 .. 6;
        my ($their_view) = theirs($server, $home, 'INBOX');
        my ($our_view, undef, undef, $session) = ours($home, 'INBOX');
        is_deeply [grep { !exists $inbox->{$_} } sort keys %$our_view], [5, 6], 'new mail: our UIDs';
        my @given = grep { !exists $inbox->{$_} } sort keys %$their_view;
        is scalar(@given), 2, '... and theirs';
        ok !(grep { $_ < 5 + JUMP } @given), '... are far apart';
        like slurp($session->{log}), qr/other-server-active path=Maildir server=\u$kind/, '... which is logged';
        (undef, undef, undef, $session) = ours($home, 'INBOX');
        unlike slurp($session->{log}), qr/other-server-active/, '... once';

        # Keywords that go.
        $c = imapd($home);
        $c->ok('SELECT INBOX');
        $c->ok('UID STORE 2 -FLAGS (foo)');
        $c->ok('UID STORE 4 +FLAGS (\Flagged $New)');
        $c->logout;
        my ($last, undef, undef) = ours($home, 'INBOX');
        is $last->{2}, '$Work \Seen bar', 'a keyword has gone';

        ($code, $text) = run_command('maildirexport', $kind, "$home/Maildir");
        is $code, 0, 'maildirexport' or diag $text;
        like $text, qr/^INBOX: handed over to \u$kind: 5 messages/m, '... says what it has done';
        my ($back, $back_validity, $back_next) = theirs($server, $home, 'INBOX');
        is_deeply $back, $last, "$kind again: our UIDs, flags and keywords";
        is $back_validity, $validity, '... and UIDVALIDITY';
        ok $back_next > $given[-1], '... and it goes on above all that was ever given';
        ($back, $back_validity) = theirs($server, $home, 'Sub');
        is_deeply $back, $copied, '... in the folder, too';
        is $back_validity, $sub_validity, '... with its UIDVALIDITY';
        like $server->{run}->($home, 'LSUB "" *'), qr/LSUB .*Sub/, '... subscribed';
    }
}

# ---- the large folder ----

{
    my $home  = home('large', 'Archive');
    my $inbox = "$home/Maildir";
    my ($uids, $list) = ("1 795229815 7001\n", "\$Label1\n\$Label2\nJunk\nNonJunk\n\n");
    for my $i (1 .. 6167) {
        my $base = sprintf '1%09d.M%06dP%05dV000000000000FE00I0000000000A94018_0.mail.example.org,S=%d', $i, $i, $i % 99999, 20 + length $i;
        spew("$inbox/cur/$base:2,S", "Subject: m$i\n\nbody $i\n");
        $uids .= $i + 800 . " $base\n";
        $list .= "$base:" . join(' ', grep { $i >> $_ & 1 } 0 .. 3) . "\n" if $i & 15;
    }
    mkdir "$inbox/courierimapkeywords";
    spew("$inbox/courierimapuiddb",          $uids);
    spew("$inbox/courierimapkeywords/:list", $list);
    system('chown', '-R', "$UID:$UID", $home) unless $>;
    cmp_ok length $list, '>', 446_000, 'a long list of keywords';
    my $began = time;
    my $c     = imapd($home);
    $c->ok('SELECT INBOX');
    note sprintf 'moved in and selected in %.0f ms', 1000 * (time - $began);
    my $text = join "\n", @{ $c->{untagged} };
    like $text, qr/^\* 6167 EXISTS/m,        'a folder of 6,167 messages';
    like $text, qr/UIDVALIDITY 795229815\b/, '... is moved in';
    $began = time;
    $c->ok('UID COPY 1001:1167 INBOX.Archive');
    note sprintf 'copied 167 of them in %.1f ms', 1000 * (time - $began);
    like $c->{text}, qr/COPYUID \d+ 1001:1167 1:167/, '... 167 of them are copied';
    $c->ok('UID FETCH 1001 (FLAGS)');
    my ($first) = values %{ seen_in(join "\r\n", @{ $c->{untagged} }, '') };
    $c->ok('SELECT INBOX.Archive');
    $c->ok('UID FETCH 1 (FLAGS)');
    my ($copy) = values %{ seen_in(join "\r\n", @{ $c->{untagged} }, '') };
    is $first, '$Label1 NonJunk \Seen', '... (which have keywords)';
    is $copy,  $first,                  '... with their keywords';
    $c->logout;
}

done_testing;
