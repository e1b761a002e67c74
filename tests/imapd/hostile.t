#!/usr/bin/perl
# Whoever sends anything: a tagged BAD or NO or the connection's end, no crash, no growth, and the
# session goes on where it can.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(sleep);
use Chainmail;

my $home = home('user');
deliver("$home/Maildir", "Subject: x\n\n" . ('y' x 70 . "\n") x 30_000);
my $c = imapd($home);
$c->ok('SELECT INBOX');
my $memory = memory_kib($c->{pid});

# Sends bytes and then NOOP: the answer to that says that all before it is over.
sub survives {
    my ($bytes, $name) = @_;
    my $tag = $c->next_tag;
    $c->send("$bytes\r\n$tag NOOP\r\n");
    my $text = $c->until_tag($tag);
    like $text, qr/^OK/, $name;
    return join "\n", @{ $c->{untagged} };
}

like survives('z1 NOOP ' . 'x' x 5_000_000), qr/^z1 BAD /, 'a line of 5 MB';
survives('x' x 5_000_000, 'one of 5 MB without a blank');
survives('z2 SEARCH ' . '(' x 100_000, '100,000 parentheses');
survives('z3 LIST "" ' . '*%' x 100_000, '100,000 wildcards');
survives('z4 FETCH ' . '1,' x 300_000 . '1 FLAGS', '300,000 numbers');
survives('z5 FETCH 1 BODY[HEADER.FIELDS (' . 'a ' x 100_000 . 'a)]', '100,000 field names');
survives('z6 ID ("a" {4294967296}', 'a literal of 2^32');
survives('z7 ID ("a" {18446744073709551616}', 'a literal of 2^64');
survives("z8 ID (\"a\" {3000000+}\r\n" . 'x' x 3_000_000 . ')', 'a literal of 3 MB that came');
survives("z9 SELECT \"IN\0BOX\"", 'a NUL in a string');
survives("\0\0\0\0", 'NULs');
survives("z10 SELECT {6+}\r\nIN\0BOX", 'a NUL in a literal');
survives("z11 SELECT \"\xff\xfe\x80\"", '8-bit');
survives("\xff" x 1000, 'nothing but 8-bit');
survives("z12 SELECT \"unclosed", 'an unclosed string');
survives("z13 NOOP\rz14 NOOP\r\r", 'bare CR');
survives("z15 \n\n\n\nz16 NOOP\n", 'bare LF');
survives('z17 {5+}' . "\r\nhello", 'a literal for a command');
survives("{5+}\r\nhello NOOP", 'a literal for a tag');
$c->ok('NOOP');
ok memory_kib($c->{pid}) < $memory + 20_000, 'memory has not grown' unless $ENV{SANITIZE};
is $c->logout, 0, 'ends well';

# ---- clients that go or stop reading ----
for my $end ('', 'a', 'a NOOP', "a SELECT {100}\r\n", "a SELECT {100+}\r\nabc", "a IDLE\r\nDON") {
    my $v = imapd($home);
    $v->send($end);
    is $v->vanish, 0, 'gone after ' . ($end =~ s/\r\n/ /r || 'nothing');
}
{
    my $v = imapd($home);
    $v->ok('SELECT INBOX');
    $v->send(join '', map { "s$_ FETCH 1 BODY.PEEK[]\r\n" } 1 .. 500);
    sleep 0.3;
    ok !defined memory_kib($v->{pid}) || memory_kib($v->{pid}) < 40_000 || $ENV{SANITIZE},
      'a client that asks and does not read';
    is $v->vanish, 0, '... and goes';
}

# ---- no IMAP client at all ----
{
    my $v = imapd($home);
    $v->send("GET / HTTP/1.0\r\n" x 150);
    like $v->drain, qr/\* BYE /, 'who talks only nonsense is shown the door';
    $v->vanish;
    like slurp($v->{log}), qr/reason=no-imap-client/, '... and logged';
}
{
    my $v = imapd($home);
    $v->send("h SELECT {100000000+}\r\n" . 'x' x 1000);
    like $v->drain, qr/\* BYE /, 'a literal too large to read away';
    $v->vanish;
}
done_testing;
