#!/usr/bin/perl
# THREAD (RFC 5256 section 3, draft-ietf-morg-inthread section 4): headers, algorithms, answers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

local $ENV{TZ} = 'UTC';
my $home = home('user');
my $day;

sub arrives {
    my ($header) = @_;
    my $name = deliver("$home/Maildir", "$header\nbody\n");
    my $time = POSIX::mktime(0, 0, 12, ++$day, 0, 120);
    utime $time, $time, "$home/Maildir/new/$name";
    Time::HiRes::sleep(0.01);
}
arrives("Date: 1 Feb 2020 00:00:00 +0000\nMessage-ID: <\"a\"\@x>\nSubject: one\n");
arrives("Date: 2 Feb 2020 00:00:00 +0000\nMessage-ID: <b\@x>\nIn-Reply-To: <a\@x>\nSubject: Re: one\n");
arrives("Date: 4 Feb 2020 00:00:00 +0000\nMessage-ID: <c\@x>\nReferences: <a\@x>\n\t<b\@x>\nSubject: Re: one\n");
arrives("Date: 3 Feb 2020 00:00:00 +0000\nMessage-ID: <d\@x>\nReferences: none\nIn-Reply-To: Your words, <b\@x>\n"
      . "Subject: Re: one\n");
arrives("Date: 5 Jan 2020 00:00:00 +0000\nMessage-ID: <e\@x>\nSubject: two\n");
arrives("Date: 6 Feb 2020 00:00:00 +0000\nSubject: two (fwd)\n");
arrives("Date: 7 Feb 2020 00:00:00 +0000\nMessage-ID: <f\@x>\nReferences: <lost\@x>\nSubject: three\n");
arrives("Date: 8 Feb 2020 00:00:00 +0000\nMessage-ID: <g\@x>\nReferences: <lost\@x>\nSubject: four\n");
arrives("Date: 9 Feb 2020 00:00:00 +0000\nMessage-ID: <A\@x>\nReferences: <a\@X>\nSubject: five\n");

my $c = imapd($home);
$c->ok('SELECT INBOX');

sub threads {
    my ($command, $want, $name) = @_;
    my $text    = $c->command($command);
    my ($found) = $c->untagged(qr/^\* THREAD/);
    is defined $found ? $found : $text, $want, $name // $command;
}

threads('THREAD REFERENCES UTF-8 ALL', '* THREAD (5 6)(1 2 (4)(3))((7)(8))(9)',
    'REFERENCES: IDs normalised, case kept; subjects gather');
threads('THREAD REFS UTF-8 ALL', '* THREAD (1 2 (4)(3))(5)(6)((7)(8))(9)', 'REFS: subjects do not');
threads('THREAD ORDEREDSUBJECT UTF-8 ALL', '* THREAD (5 6)(1 (2)(4)(3))(7)(8)(9)', 'ORDEREDSUBJECT');
threads('THREAD references us-ascii 3:4', '* THREAD ((4)(3))', 'of those that match; words in any case');
threads('THREAD REFERENCES UTF-8 3', '* THREAD (3)', 'of one');
threads('THREAD REFERENCES US-ASCII TEXT "gewp"', '* THREAD', 'RFC 5256: of none');
$c->ok('STORE 1 +FLAGS.SILENT (\Deleted)');
$c->ok('EXPUNGE');
threads('UID THREAD REFERENCES UTF-8 ALL', '* THREAD (5 6)(2 (4)(3))((7)(8))(9)', 'UID THREAD, the first gone');
threads('THREAD REFERENCES UTF-8 ALL',     '* THREAD (4 5)(1 (3)(2))((6)(7))(8)', 'by number');

for my $wrong ('THREAD', 'THREAD REFERENCES', 'THREAD REFERENCES UTF-8', 'THREAD X UTF-8 ALL',
    'THREAD (REFERENCES) UTF-8 ALL', 'THREAD REFERENCES UTF-8 NONSENSE', 'THREAD RETURN () REFS UTF-8 ALL')
{
    like $c->command($wrong), qr/^BAD /, "BAD: $wrong";
}
like $c->command('THREAD REFS x-nonsense ALL'), qr/^NO \[BADCHARSET/, 'NO: a charset nobody knows';
$c->logout;

# 10,000 references, more than are kept, in a header that the cache does not; and a thread as deep.
my $deep  = home('deep');
my @ids   = map { "<$_\@x>" } 1 .. 10_000;
my $chain = join("\n ", @ids);
deliver("$deep/Maildir", "Date: 1 Jan 2020 00:00:00 +0000\nMessage-ID: <last\@x>\nReferences: $chain\n\nx\n");
for my $i (9_999, 10_000) {
    deliver("$deep/Maildir", "Date: 1 Jan 2019 00:00:00 +0000\nMessage-ID: <$i\@x>\n\nx\n");
}
for my $i (1 .. 300) {
    my $before = $i - 1;
    deliver("$deep/Maildir", "Date: 1 Jan 2018 00:00:$i +0000\nMessage-ID: <d$i\@x>\nIn-Reply-To: <d$before\@x>\n\nx\n");
}
$c = imapd($deep);
$c->ok('SELECT INBOX');
threads('THREAD REFS UTF-8 1:3', '* THREAD (2)(3 1)', 'only 10,000 has a parent that says otherwise');
$c->command('THREAD REFERENCES UTF-8 4:*') for 1, 2;
my ($found) = $c->untagged(qr/^\* THREAD/);
is $found, '* THREAD (' . join(' ', 4 .. 303) . ')', '300 deep, with and without the file';
ok -e "$deep/Maildir/chainmail/sort.links", 'which is there';
$c->logout;
done_testing;
