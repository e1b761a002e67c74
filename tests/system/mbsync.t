#!/usr/bin/perl
# mbsync(1) against the real services: 1,000 real messages come down over IMAPS and over STARTTLS
# byte for byte but for line ends, and flags, new messages and deletions go back up.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

plan skip_all => 'mbsync is not installed' unless grep { -x "$_/mbsync" } split /:/, $ENV{PATH};

use constant MESSAGES => 1000;
my @flag_sets = ('', 'S', 'RS', 'FS', 'S', 'F', 'R', 'S');

my $home    = home('ann', 'lists');
my $maildir = "$home/Maildir";
my $texts   = corpus(MESSAGES);
for my $i (0 .. $#$texts) {
    my $folder = $i % 5 ? $maildir : "$maildir/.lists";
    my $flags  = $flag_sets[ $i % @flag_sets ];
    my $path   = sprintf '%s/cur/%d.M%06dP1.test:2,%s', $folder, 1000000000 + $i, $i, $flags;
    spew($path, $texts->[$i]);
    own($path);
}
my $demo = demo(users => [ [ 'ann', 'secret', $home ] ]);

# A configuration for one local copy; returns the command that synchronizes it.
sub channel {
    my ($local, $type, $port) = @_;
    mkdir $_ or die "$_: $!" for "$T/$local", "$T/$local/mail";
    spew("$T/$local/rc", <<"END");
IMAPAccount server
Host localhost
Port $port
User ann
Pass secret
SSLType $type
SSLVersions TLSv1.2
CertificateFile $demo->{ca}
AuthMechs LOGIN

IMAPStore remote
Account server

MaildirStore local
Path $T/$local/mail/
Inbox $T/$local/mail/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
END
    return ('mbsync', '-c', "$T/$local/rc", 'all');
}

# mbsync marks what it transfers with a header field of its own.
my $unmarked = sub { $_[0] =~ s/^X-TUID: \S*\n//mr };

# Content and flags of each message of a folder, sorted.
sub flagged {
    my ($folder) = @_;
    my $found = messages($folder);
    my @all;
    for my $text (keys %$found) {
        push @all, map { (/:2,([A-Z]*)\z/ ? $1 : '') . ' ' . $unmarked->($text) } @{ $found->{$text} };
    }
    return join "\0", sort @all;
}

sub synchronize {
    my ($name, @command) = @_;
    my ($code, $text) = run_command(@command);
    is($code, 0, $name) or diag(substr $text, -2000);
}

my @imaps    = channel('imaps',    'IMAPS',    $demo->{sslport});
my @starttls = channel('starttls', 'STARTTLS', $demo->{port});
for ([ 'imaps', @imaps ], [ 'starttls', @starttls ]) {
    my ($local, @command) = @$_;
    synchronize("mbsync pulls over $local", @command);
    same_mail("$T/$local/mail/INBOX", $maildir, "$local: INBOX is byte-identical", $unmarked);
    same_mail("$T/$local/mail/lists", "$maildir/.lists", "$local: the folder is byte-identical",
        $unmarked);
    ok(flagged("$T/$local/mail/INBOX") eq flagged($maildir), "$local: with the same flags");
}

# ---- back up: a flag, a deletion, new mail, a new folder; and down: a delivery ----

my $inbox = "$T/imaps/mail/INBOX";
my @seen  = sort glob "'$inbox'/cur/*:2,S";
my ($flag, $remove) = @seen[ 0, 1 ];
my ($flag_text, $remove_text) = map { $unmarked->(slurp($_)) } $flag, $remove;
rename $flag,   "${flag}T" =~ s/:2,ST\z/:2,FS/r or die $!;
rename $remove, "${remove}T" or die $!;
spew("$inbox/new/1.new", "Subject: pushed\n\nfrom the client\n");
deliver($maildir, "Subject: pulled\n\nfrom elsewhere\n");
system('mkdir', '-p', map { "$T/imaps/mail/Neuer/$_" } qw(cur new tmp)) == 0 or die;
spew("$T/imaps/mail/Neuer/cur/2.new:2,S", "Subject: in a new folder\n\nx\n");

synchronize('mbsync pushes back', @imaps);
same_mail($inbox, $maildir, 'both sides are the same again', $unmarked);
my $on_server = messages($maildir);
like($on_server->{$flag_text}[0], qr/:2,FS\z/, 'the flag is on the server');
ok(!exists $on_server->{$remove_text}, 'the deleted message is gone from the server');
ok((grep { $unmarked->($_) eq "Subject: pushed\n\nfrom the client\n" } keys %$on_server),
    'the new message is on the server');
ok((grep { $unmarked->($_) eq "Subject: pulled\n\nfrom elsewhere\n" } keys %{ messages($inbox) }),
    'the delivered one is here');
ok((grep { /in a new folder/ } keys %{ messages("$maildir/.Neuer") }),
    'the new folder is on the server, with its message');

synchronize('the other copy follows', @starttls);
same_mail("$T/starttls/mail/INBOX", $maildir, 'and is the same', $unmarked);
ok(flagged("$T/starttls/mail/INBOX") eq flagged($maildir), 'with the same flags');

my ($code, $text) = run_command(@imaps);
is($code, 0, 'a run without changes');
same_mail($inbox, $maildir, 'changes nothing', $unmarked);
done_testing;
