#!/usr/bin/perl
# APPEND (RFC 3501 section 6.3.11, RFC 4315, RFC 7888): what is kept, what is refused and when, and
# that nothing stays of what was not finished.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

local $ENV{TZ} = 'UTC';
my $home = home('user', 'target');
my $c    = imapd($home, IMAP_APPEND_MAX => 5_000_000);
my $text = "Subject: hello\r\n\r\nline one\r\nline two\r\n";

sub files {
    my @files = map { glob "'$home'/Maildir/$_/*" } '{cur,new,tmp}', '.target/{cur,new,tmp}';
    return scalar @files;
}

# ---- what is kept ----
$c->ok('STATUS INBOX (UIDVALIDITY)');
my ($uidvalidity) = join(' ', $c->untagged(qr/STATUS/)) =~ /UIDVALIDITY (\d+)/;
$c->ok('APPEND INBOX ', [$text]);
like $c->{text}, qr/^OK \[APPENDUID $uidvalidity 1\] /, 'APPEND tells the UID';
my $tag = $c->next_tag;
$c->send("$tag APPEND INBOX (\\Seen work) \"17-Jul-1996 02:44:25 -0700\" {" . length($text) . "}\r\n");
like $c->until_tag($tag), qr/^\+ /, 'a synchronizing literal is asked for';
$c->send("$text\r\n");
like $c->until_tag($tag), qr/^OK \[APPENDUID $uidvalidity 2\] /, '... and taken';
$c->ok('SELECT INBOX');
$c->ok('FETCH 1:2 (FLAGS INTERNALDATE BODY.PEEK[])');
my ($first, $second) = $c->untagged(qr/FETCH/);
like $first, qr/\Q$text\E/, 'every byte is there';
like $first, qr/FLAGS \(\\Recent\)/, 'without flags';
like $second, qr/FLAGS \(\\Seen \\Recent work\)/, 'with flags';
like $second, qr/INTERNALDATE "17-Jul-1996 09:44:25 \+0000"/, 'with its date';
$c->ok('APPEND INBOX ', [$text]);
ok scalar $c->untagged(qr/^\* 3 EXISTS/), 'the selected mailbox grows';
$c->ok('APPEND INBOX () ', [$text]);
my $binary = join '', map { chr } 1 .. 255;
$c->ok('APPEND INBOX.target ', ["X: y\r\n\r\n$binary\r\n"]);
my $large = "Subject: large\r\n\r\n" . ('x' x 998 . "\r\n") x 3000;
$c->ok('APPEND INBOX.target ', [$large]);
$c->ok('SELECT INBOX.target');
$c->ok('FETCH 2 (RFC822.SIZE BODY.PEEK[])');
my ($fetched) = $c->untagged(qr/FETCH/);
my $size = length $large;
ok $fetched =~ /RFC822\.SIZE $size BODY\[\] \{$size\}\r\n(.*)\)\z/s && $1 eq $large,
  'three megabytes come back as they went';
$c->ok('FETCH 1 BODY.PEEK[TEXT]');
my $kept = index(($c->untagged(qr/FETCH/))[0], substr($binary, 13)) > 0;
ok $kept, 'and every octet but NUL';

# ---- what is refused ----
my $before = files();
sub refused {
    my ($arguments, $pattern, $name) = @_;
    my $t = $c->next_tag;
    $c->send("$t APPEND $arguments\r\n");
    my $answer = $c->until_tag($t);
    like $answer, $pattern, $name;
    like $c->command('NOOP'), qr/^OK/, '... and the next line is a command';
}
refused('INBOX.none {10}', qr/^NO \[TRYCREATE\] /, 'no mailbox: before the literal is asked for');
refused("INBOX.none {10+}\r\n0123456789", qr/^NO \[TRYCREATE\] /, '... or after it has come');
refused('elsewhere {10}', qr/^NO \[CANNOT\] /, 'no mailbox name');
refused('INBOX {5000001}', qr/^NO \[TOOBIG\] /, 'too large: before it is asked for');
refused("INBOX {5000001+}\r\n" . 'x' x 5000001, qr/^NO \[TOOBIG\] /, '... or after it has come');
refused('INBOX {4294967296}', qr/^NO \[TOOBIG\] /, '2^32');
refused('INBOX {18446744073709551616}', qr/^(?:NO|BAD) /, '2^64');
refused('INBOX {0}', qr/^NO /, 'an empty message');
refused('INBOX {0+}' . "\r\n", qr/^NO /, '... of either kind');
refused('INBOX.none ~{10}', qr/^NO \[TRYCREATE\] /, '... a literal8 neither');
refused('INBOX (' . 'k' x 300 . ') {10}', qr/^NO \[LIMIT\] /, 'a keyword too long');
refused("INBOX {5+}\r\nhello {5+}\r\nthere", qr/^BAD /, 'several messages');
refused("INBOX {5+}\r\nhello and more", qr/^BAD /, 'words behind the message');
is files(), $before, 'nothing stays of all these';

# ---- who vanishes ----
for my $how ("INBOX {1000000}\r\n", "INBOX {1000000+}\r\n", "INBOX {10+}\r\n0123456789") {
    my $v = imapd($home);
    $v->send("v APPEND $how");
    $v->until_tag('v') if $how =~ /\{1000000\}/;
    $v->send('x' x 500_000) if $how =~ /1000000/;
    is $v->vanish, 0, 'a client that vanishes in the middle';
}
is files(), $before, '... leaves nothing';
is $c->logout, 0, 'ends well';
done_testing;
