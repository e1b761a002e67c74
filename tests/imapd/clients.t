#!/usr/bin/perl
# What well-known mail programs say, in their order and spelling: each command must be understood,
# and be answered by what the program goes on from.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my ($home, $c, $name);

sub begin {
    ($name) = @_;
    $home = home($name =~ s/\W//gr);
    for (1 .. 3) {
        deliver("$home/Maildir", "From: a\@example.org\nSubject: mail $_\nMessage-ID: <$_\@example.org>\n"
              . "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain $_\n--b\n"
              . "Content-Type: text/html\n\n<p>html $_\n--b--\n");
        Time::HiRes::sleep(0.002);
    }
    $c = imapd($home);
}

# Says this and expects OK, and among the untagged responses one that matches each pattern.
sub says {
    my ($command, @patterns) = @_;
    my $text = $c->command(ref $command ? @$command : $command) // 'end of file';
    my $line = ref $command ? join '', map { ref $_ ? '{literal}' : $_ } @$command : $command;
    like $text, qr/^OK /, "$name: " . substr $line, 0, 70;
    for my $pattern (@patterns) {
        ok scalar($c->untagged($pattern)), "... $pattern" or diag join "\n", @{ $c->{untagged} };
    }
}

begin('Thunderbird');
says('ID ("name" "Thunderbird" "version" "128.3.1")', qr/^\* ID /);
says('namespace', qr/^\* NAMESPACE \(\("INBOX\." "\."\)\) NIL NIL$/);
says('lsub "" "*"');
says('list "" "INBOX"', qr/^\* LIST \(.*\) "\." "INBOX"$/);
says('select "INBOX"', qr/^\* 3 EXISTS$/, qr/UIDVALIDITY/, qr/PERMANENTFLAGS \(.*\\\*\)/);
says('UID fetch 1:* (FLAGS)', qr/^\* 3 FETCH \(UID 3 FLAGS \(/);
says('UID fetch 2:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date '
      . 'Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])',
    qr/^\* 2 FETCH \(UID 2 RFC822\.SIZE \d+ FLAGS \(.*\) BODY\[HEADER\.FIELDS \(From To .*Reply-To\)\] \{/);
says('UID fetch 3 (UID RFC822.SIZE BODY.PEEK[])', qr/BODY\[\] \{\d+\}\r\nFrom: /);
says('uid store 3 +Flags (\Seen)', qr/^\* 3 FETCH \(UID 3 FLAGS \(\\Seen \\Recent\)\)$/);
says('uid store 3 +FLAGS (NonJunk)', qr/NonJunk/);
says('create "INBOX.Sent"');
says('subscribe "INBOX.Sent"');
says(['append "INBOX.Sent" (\Seen) ', ["Subject: sent\r\nMessage-ID: <s\@example.org>\r\n\r\nx\r\n"]]);
says('select "INBOX.Sent"', qr/^\* 1 EXISTS$/);
says('UID SEARCH UNDELETED HEADER Message-ID <s@example.org>', qr/^\* SEARCH 1$/);
says('create "INBOX.Trash"');
says('select "INBOX"');
says('uid copy 1:2 "INBOX.Trash"');
like $c->command('uid move 3 "INBOX.Nowhere"'), qr/^NO \[TRYCREATE\] /, '... no such mailbox';
says('uid store 1:2 +FLAGS (\Deleted \Seen)', qr/^\* 2 FETCH/);
says('UID EXPUNGE 1:2', qr/^\* 1 EXPUNGE$/);
says('STATUS "INBOX.Trash" (UIDNEXT MESSAGES UNSEEN RECENT)',
    qr/^\* STATUS INBOX\.Trash \(MESSAGES 2 RECENT \d UIDNEXT 3 UNSEEN 2\)$/);
$c->idle;
$c->done;
says('close');
says('logout', qr/^\* BYE /);
$c->vanish;

begin('mutt');
says('CAPABILITY', qr/^\* CAPABILITY IMAP4rev1 .*\bIDLE\b/);
says('LIST "" ""', qr/^\* LIST \(\\Noselect\) "\." ""$/);
says('SELECT "INBOX"', qr/UIDNEXT 4/);
says('FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER SUBJECT TO CC '
      . 'MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO LINES LIST-POST X-LABEL)])',
    qr/^\* 1 FETCH \(UID 1 FLAGS \(\\Recent\) INTERNALDATE "[ \d]\d-\w{3}-\d{4} [\d:]{8} [+-]\d{4}" RFC822\.SIZE \d+ BODY\[/);
# Both at once: mutt does not wait.
$c->send("m1 UID FETCH 3 BODY.PEEK[]\r\nm2 UID STORE 3 +FLAGS.SILENT (\\Seen)\r\nm3 NOOP\r\n");
like $c->until_tag('m1'), qr/^OK/, 'mutt: pipelined FETCH';
like $c->until_tag('m2'), qr/^OK/, '... STORE';
like $c->until_tag('m3'), qr/^OK/, '... NOOP';
says('UID SEARCH 1:* BODY "html 2"', qr/^\* SEARCH 2$/);
says('LIST "" "INBOX.%"');
says('STATUS "INBOX" (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES)', qr/MESSAGES 3 .*UNSEEN 2\)$/);
says('CLOSE');
$c->logout;

begin('Apple Mail');
says('ID ("name" "Mac OS X Mail" "version" "16.0 (3774)" "os" "Mac OS X" "vendor" "Apple Inc.")');
says('LIST "" "*"', qr/"INBOX"$/);
says('STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)');
says('SELECT INBOX');
says('FETCH 1:* (FLAGS UID)', qr/^\* 1 FETCH \(FLAGS \(\\Recent\) UID 1\)$/);
says('UID FETCH 1:2 (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (date subject from to cc '
      . 'message-id in-reply-to references content-type x-priority x-uniform-type-identifier)])',
    qr/^\* 2 FETCH \(.*UID 2/s);
says('UID FETCH 2 (BODYSTRUCTURE BODY.PEEK[HEADER])', qr/BODYSTRUCTURE \(\(.*"alternative"/is);
says('UID FETCH 2 BODY.PEEK[2]<0.32768>', qr/BODY\[2\]<0> \{\d+\}\r\n<p>html 2/);
says('UID SEARCH 1:* NOT DELETED', qr/^\* SEARCH 1 2 3$/);
says('UID STORE 2 FLAGS.SILENT (\Seen $NotJunk NotJunk)');
says('CHECK');
$c->logout;

begin('Outlook');
says('LSUB "" "*"');
says('LIST "" "INBOX"');
says('SELECT "INBOX"');
says('UID FETCH 1:* (UID FLAGS)', qr/^\* 3 FETCH \(UID 3 FLAGS/);
says('UID FETCH 1 (UID FLAGS RFC822.SIZE BODY.PEEK[] INTERNALDATE)', qr/BODY\[\] .* INTERNALDATE/s);
says('UID FETCH 1:3 (UID BODY.PEEK[HEADER] RFC822.SIZE)');
says('UID STORE 1 +FLAGS.SILENT (\Deleted \Seen)');
says('UID FETCH 4:* (UID FLAGS)', qr/^\* 3 FETCH \(UID 3 /);
says('EXPUNGE', qr/^\* 1 EXPUNGE$/);
$c->logout;

begin('K-9');
says('LIST "" "*"');
says('STATUS "INBOX" (UIDVALIDITY)', qr/^\* STATUS INBOX \(UIDVALIDITY \d+\)$/);
says('SELECT "INBOX"');
says('UID SEARCH *:*', qr/^\* SEARCH 3$/);
says('UID SEARCH 1:3 NOT DELETED', qr/^\* SEARCH 1 2 3$/);
says('UID FETCH 3,2,1 (UID FLAGS)', qr/^\* 1 FETCH \(UID 1 /, qr/^\* 3 FETCH \(UID 3 /);
says('UID FETCH 3 (UID BODYSTRUCTURE)', qr/^\* 3 FETCH \(UID 3 BODYSTRUCTURE \(/);
says('UID FETCH 3 (UID BODY.PEEK[1.MIME])');
says('UID FETCH 3 (UID BODY.PEEK[1])', qr/^\* 3 FETCH \(UID 3 BODY\[1\] \{7\}\r\nplain 3\)$/);
says('UID SEARCH HEADER MESSAGE-ID "<2@example.org>"', qr/^\* SEARCH 2$/);
says('CREATE "INBOX.Drafts"');
says('UID MOVE 1,3 "INBOX.Drafts"', qr/^\* OK \[COPYUID \d+ 1,3 1:2\]/, qr/^\* 1 EXPUNGE$/, qr/^\* 2 EXPUNGE$/);
$c->logout;

begin('Roundcube');
says('ID ("name" "Roundcube" "version" "1.6.5" "php" "8.2" "os" "Linux" "command" "/")');
says('NAMESPACE');
says('LIST "" ""');
says('CREATE INBOX.Entw&APw-rfe');
says('SUBSCRIBE INBOX.Entw&APw-rfe');
says('LSUB "" *', qr/"INBOX\.Entw&APw-rfe"$/);
says('SELECT INBOX');
says('UID SEARCH UNDELETED', qr/^\* SEARCH 1 2 3$/);
says(['UID SEARCH CHARSET UTF-8 OR HEADER SUBJECT ', ['mail 2'], ' HEADER FROM ', ['nobody']], qr/^\* SEARCH 2$/);
says('FETCH 3 (UID)', qr/^\* 3 FETCH \(UID 3\)$/);
says('UID FETCH 1:3 (UID RFC822.SIZE FLAGS INTERNALDATE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (DATE FROM TO '
      . 'SUBJECT CONTENT-TYPE CC REPLY-TO LIST-POST DISPOSITION-NOTIFICATION-TO X-PRIORITY)])');
says('UID FETCH 2 (BODY.PEEK[1.MIME] BODY.PEEK[1])', qr/BODY\[1\.MIME\] \{2\}\r\n\r\n BODY\[1\] \{7\}\r\nplain 2\)$/);
says('UID FETCH 2 (BODY.PEEK[1]<0.4>)', qr/BODY\[1\]<0> \{4\}\r\nplai\)$/);
says('UID STORE 2 +FLAGS.SILENT ($MDNSent)');
says('EXAMINE INBOX.Entw&APw-rfe', qr/^\* 0 EXISTS$/);
says('DELETE INBOX.Entw&APw-rfe');
says('UNSUBSCRIBE INBOX.Entw&APw-rfe');
$c->logout;
done_testing;
