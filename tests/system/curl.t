#!/usr/bin/perl
# curl(1) and openssl s_client(1) against the real services: list, fetch, append, search, STARTTLS.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use IPC::Open2;
use Chainmail;

my $home = home('ann', 'lists');
my $text = "From: a\@example.org\nSubject: one\nMessage-ID: <1\@example.org>\n\nThe needle.\n.\nEnd\n";
deliver("$home/Maildir", $text);
deliver("$home/Maildir", "From: b\@example.org\nSubject: two\n\nNothing.\n");
my $demo = demo(users => [ [ 'ann', 'pass word"\\', $home ] ]);

sub curl {
    my ($url, @options) = @_;
    return run_command('curl', '-sS', '--cacert', $demo->{ca}, '--user', 'ann:pass word"\\', @options,
        $url);
}
my @urls = (
    [ 'IMAPS',    "imaps://localhost:$demo->{sslport}" ],
    [ 'STARTTLS', "imap://localhost:$demo->{port}", '--ssl-reqd' ]
);
for (@urls) {
    my ($name, $url, @tls) = @$_;
    my ($code, $got) = curl("$url/", @tls);
    is($code, 0, "$name: list") or diag($got);
    like($got, qr/^\* LIST \([^)]*\) "\." "?INBOX"?\r$/m,       "$name: INBOX is listed");
    like($got, qr/^\* LIST \([^)]*\) "\." "?INBOX.lists"?\r$/m, "$name: the folder is listed");

    ($code, $got) = curl("$url/INBOX;UID=1", @tls);
    is($got, $text =~ s/\n/\r\n/gr, "$name: a message is fetched exactly");
    ($code, $got) = curl("$url/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)", @tls);
    is($got, "Subject: one\r\n\r\n", "$name: a section of it");
    ($code, $got) = curl("$url/INBOX;MAILINDEX=2;SECTION=TEXT", @tls);
    is($got, "Nothing.\r\n", "$name: the text of another");
    ($code, $got) = curl("$url/INBOX;UID=99", @tls);
    isnt($code, 0, "$name: none that does not exist");

    ($code, $got) = curl("$url/INBOX?TEXT%20needle", @tls);
    is($got, "* SEARCH 1\r\n", "$name: search in the text");
    ($code, $got) = curl("$url/INBOX?SUBJECT%20two", @tls);
    is($got, "* SEARCH 2\r\n", "$name: search in the header");
    ($code, $got) = curl("$url/INBOX", @tls, '-X', 'FETCH 1:2 (UID)');
    like($got, qr/^\* 1 FETCH \(UID 1\)\r\n\* 2 FETCH \(UID 2\)\r\n\z/m, "$name: a command by hand");

    my $new = "Subject: appended by $name\r\n\r\nline\r\n";
    spew("$T/new", $new);
    ($code, $got) = curl("$url/INBOX.lists", @tls, '-T', "$T/new");
    is($code, 0, "$name: append") or diag($got);
    ok(exists messages("$home/Maildir/.lists")->{ $new =~ s/\r//gr }, "$name: it is in the Maildir");
    ($code, $got) = curl("$url/INBOX.none", @tls, '-T', "$T/new");
    isnt($code, 0, "$name: no append to a folder that does not exist");

    ($code, $got) = run_command('curl', '-sS', '--cacert', $demo->{ca}, '--user', 'ann:wrong', @tls,
        "$url/");
    is($code, 67, "$name: a wrong password is told as such");
}
my ($code, $got) = curl("imap://localhost:$demo->{port}/");
is($code, 67, 'no login in the clear');

# ---- openssl s_client ----

sub s_client {
    my ($port, @options) = @_;
    my $pid = open2(my $from, my $to, 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh', 'openssl', 's_client',
        '-connect', "127.0.0.1:$port", '-CAfile', $demo->{ca}, '-verify_return_error', '-quiet',
        '-crlf', @options);
    my $dialogue = '';
    my $talk = sub {
        my ($line, $until) = @_;
        print $to "$line\n";
        while (defined(my $answer = <$from>)) {
            $dialogue .= $answer;
            last if $answer =~ $until;
        }
    };
    local $SIG{ALRM} = sub { kill 'TERM', $pid };
    alarm PATIENCE;
    $talk->('b CAPABILITY',         qr/^b /);
    $talk->('c LOGIN ann "pass word\"\\\\"', qr/^c /);
    $talk->('d SELECT INBOX',       qr/^d /);
    $talk->('e LOGOUT',             qr/^e /);
    alarm 0;
    close $to;
    waitpid $pid, 0;
    return $dialogue;
}

for ([ $demo->{port}, '-starttls', 'imap' ], [ $demo->{sslport} ]) {
    my ($port, @options) = @$_;
    my $dialogue = s_client($port, @options);
    my $name = @options ? 's_client -starttls imap' : 's_client';
    like($dialogue,   qr/^b OK/m,                      "$name: capability");
    unlike($dialogue, qr/STARTTLS|LOGINDISABLED/,      "$name: nothing of STARTTLS inside TLS");
    like($dialogue,   qr/^c OK/m,                      "$name: login");
    like($dialogue,   qr/^\* 2 EXISTS\r?$/m,           "$name: select");
    like($dialogue,   qr/^\* BYE.*^e OK/ms,            "$name: logout");
}
done_testing;
