#!/usr/bin/perl
# STARTTLS, with tlsd and with a made-up UCSPI-TLS server, and everything that can go wrong with it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;

my $fake = "$FindBin::Bin/fake/ucspitls";

sub server {
    my (%env) = @_;
    my $mode = delete $env{mode} // 'good';
    return LoginServer->new(before => [$fake, $mode], env => { %env }, modules => ['authone'])->start;
}

# `TLS` of the fake: it turns each byte's case around, which is easy to see.
sub turned { my $s = shift; $s =~ tr/a-zA-Z/A-Za-z/; return $s }
sub say_turned { my ($c, $text) = @_; $c->say(turned($text)) }
sub line_turned { my $line = $_[0]->line; return defined $line ? turned($line) : undef }

{
    my $server = server(IMAP_TLS_REQUIRED => 1, SSL_PROTOCOL => 'TLSv9', SSL_PEER_CN => 'root');
    my $c = $server->client;
    my $greeting = $c->line;
    like $greeting, qr/\bSTARTTLS\b.*\bLOGINDISABLED\b/, 'before: STARTTLS and LOGINDISABLED';
    unlike $greeting, qr/AUTH=/, '... and no AUTH=';
    like $c->command('a LOGIN authone.accept secret'), qr/^a NO \[PRIVACYREQUIRED\] /, 'no LOGIN in the clear';
    like $c->command('a LOGIN {14}'), qr/^a NO \[PRIVACYREQUIRED\] /, '... whose literals are not even asked for';
    like $c->command('a AUTHENTICATE PLAIN'), qr/^a NO \[PRIVACYREQUIRED\] /, 'nor AUTHENTICATE';
    is scalar($server->calls), 0, 'no module has been asked';
    like $c->command('b STARTTLS x'), qr/^b BAD /, 'STARTTLS with an argument';
    like $c->command('b STARTTLS'), qr/^b OK /, 'STARTTLS';
    say_turned($c, "c CAPABILITY\r\n");
    my $capability = line_turned($c);
    like $capability, qr/^\* CAPABILITY .*AUTH=PLAIN/, 'after: AUTH=PLAIN';
    unlike $capability, qr/STARTTLS|LOGINDISABLED/, '... and neither STARTTLS nor LOGINDISABLED';
    like line_turned($c), qr/^c OK/, '... and CAPABILITY ends';
    say_turned($c, "d STARTTLS\r\n");
    like line_turned($c), qr/^d BAD /, 'a second STARTTLS';
    say_turned($c, "e LOGIN authone.decline x\r\n");
    like line_turned($c), qr/^e NO \[AUTHENTICATIONFAILED\]/, 'a login that fails';
    say_turned($c, "f LOGIN authone.accept secret\r\ng SELECT\r\nfds\r\nenv SSL_PROTOCOL\r\nenv SSL_PEER_CN\r\n");
    like line_turned($c), qr/^f OK/, 'a login that succeeds';
    is line_turned($c), 'got g SELECT', 'the command behind it is the session\'s';
    is line_turned($c), 'fds 0 1 2', 'which has 0, 1 and 2 and no other descriptor';
    is line_turned($c), 'env TLSv1.2', 'and knows of TLS';
    is line_turned($c), 'env (unset)', 'and not what was inherited';
    ok $server->logged(qr/^imaplogin: \d+: connect .* tls=starttls$/m), 'log: connect';
    ok $server->logged(qr/^imaplogin: \d+: tls ip=127\.0\.0\.1 protocol=TLSv1\.2 cipher=FAKE sni=mail\.example$/m),
      'log: tls';
    ok $server->logged(qr/^imaplogin: \d+: tls-warning ip=127\.0\.0\.1 why=odd$/m), 'log: a warning';
    is $server->slurp('evil'), '', 'and no variable but TLS\'s own was taken';
}
{
    my $server = server();
    my $c = $server->client;
    like $c->line, qr/\bSTARTTLS\b.*AUTH=PLAIN/, 'TLS not required: both are offered';
    like $c->command('a LOGIN authone.decline x'), qr/^a NO \[AUTH/, 'a login in the clear fails';
    like $c->command('b STARTTLS'), qr/^b OK /, 'and STARTTLS is still possible';
    say_turned($c, "c LOGIN authone.accept secret\r\n");
    like line_turned($c), qr/^c OK/, 'then a login';
    $c = $server->client;
    $c->line;
    is $c->command('a LOGIN authone.accept secret'), 'a OK LOGIN done', 'and one without TLS';
    is $c->command('fds'), 'fds 0 1 2', '... has no descriptor of it';
}
{
    # The variables of TLS are setenv's, and stay whole when no module can be executed.
    my $server = server();
    unlink "$server->{dir}/authone";
    my $c = $server->client;
    $c->line;
    like $c->command('a STARTTLS'), qr/^a OK /, 'STARTTLS, and no module is installed';
    for my $tag (qw(b c d)) {
        say_turned($c, "$tag LOGIN joe secret\r\n");
        like line_turned($c), qr/^$tag NO \[UNAVAILABLE\] /, "... login $tag";
    }
}
for my $behind ("b LOGIN authone.accept secret\r\n", "b", "\r\n") {
    my $server = server();
    my $c = $server->client;
    $c->line;
    $c->say("a STARTTLS\r\n$behind");
    like $c->rest, qr/^a BAD .*\n\* BYE [^\n]*$/, 'plain text behind STARTTLS: refused';
    is scalar($server->calls), 0, '... and never executed';
    ok $server->logged(qr/disconnect .*reason=starttls-injection/), '... and logged';
}
for (['fail', 'no shared cipher suite', 'the reason is logged'],
    ['vanish', 'TLS program ended without a reason', 'or that there is none'],
    ['flood', 'TLS program misbehaved', 'a TLS program that never stops talking']) {
    my ($mode, $reason, $name) = @$_;
    my $server = server(mode => $mode);
    my $c = $server->client;
    $c->line;
    $c->say("a STARTTLS\r\n");
    like $c->rest, qr/^a OK [^\n]*$/, "$mode: the connection ends";
    ok $server->logged(qr/tls-failed ip=127\.0\.0\.1 reason="?\Q$reason\E"?$/m), "$mode: $name";
}

# The command may come in pieces; what comes behind it in the clear is nobody's.
{
    my $server = server();
    my $c = $server->client;
    $c->line;
    $c->say("a STARTTLS\r");
    $c->say("\n");
    like $c->line, qr/^a OK/, 'STARTTLS in two pieces';
}
for my $way (sub { "a STARTTLS\r\n" . "b NOOP\r\n" x 500 }, sub { "a STARTTLS\r\n{5+}\r\nhello" }, sub { "a STARTTLS\r\n\x16\x03\x01\x00\x05hello" }) {
    my $server = server();
    my $c = $server->client;
    $c->line;
    $c->say($way->());
    unlike $c->rest // '', qr/^b OK/m, 'pipelined behind STARTTLS: nothing of it is answered';
    ok $server->logged(qr/disconnect .*reason=starttls-injection/), '... nor is TLS begun on it';
}

# The descriptors may be where others want theirs.
{
    my $server = server(FAKE_LOW => 1);
    my $c = $server->client;
    $c->line;
    like $c->command('a LOGIN authone.decline x'), qr/^a NO \[AUTH/, 'low descriptors: a login';
    like $c->command('b STARTTLS'), qr/^b OK /, 'low descriptors: STARTTLS';
    say_turned($c, "c NOOP\r\n");
    like line_turned($c), qr/^c OK/, '... works';
}

# The real thing.
SKIP: {
    my $tlsd = "$LoginServer::bin/tlsd";
    skip 'no tlsd here', 12 unless -x $tlsd;
    skip 'no IO::Socket::SSL here', 12 unless eval { require IO::Socket::SSL; 1 };
    my $make = sub {
        my (@option) = @_;
        my $server = LoginServer->new(before => ["$LoginServer::bin/tlsd", @option], modules => ['authone']);
        my $pem = "$server->{dir}/pem";
        system "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
          . "-keyout $pem.key -out $pem.crt >/dev/null 2>&1 && cat $pem.key $pem.crt > $pem" and die 'openssl';
        @{ $server->{env} }{qw(TLS_CERTFILE IMAP_TLS_REQUIRED)} = ($pem, 1);
        return $server->start;
    };
    my $server = $make->('-n');
    {
        my $c = $server->client;
        $c->line;
        like $c->command('a STARTTLS'), qr/^a OK /, 'tlsd -n: a client that begins';
        $c->say("b LOGIN authone.accept secret\r\n");
        is $c->line, undef, '... and goes on in the clear, hears nothing';
        ok $server->logged(qr/tls-failed .*reason=/), '... and is logged';
        is scalar($server->calls), 0, '... and no module is asked';
    }
    my $c = $server->client;
    like $c->line, qr/STARTTLS/, 'tlsd -n: STARTTLS is offered';
    like $c->command('a STARTTLS'), qr/^a OK /, 'tlsd -n: and begins';
    my $tls = IO::Socket::SSL->start_SSL($c->{in}, SSL_verify_mode => 0) or die IO::Socket::SSL::errstr();
    print $tls "b LOGIN authone.accept secret\r\nfds\r\n";
    like scalar <$tls>, qr/^b OK/, 'tlsd -n: a login';
    like scalar <$tls>, qr/^fds 0 1 2\r$/, 'tlsd -n: 0, 1 and 2';
    ok $server->logged(qr/^imaplogin: \d+: tls ip=\S+ protocol=TLSv1\.2 cipher=\S+/m), 'tlsd -n: log';
    $server = $make->();
    $tls = IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}, SSL_verify_mode => 0)
      or die IO::Socket::SSL::errstr();
    my $greeting = <$tls>;
    like $greeting, qr/AUTH=PLAIN/, 'tlsd: AUTH=PLAIN from the first';
    unlike $greeting, qr/STARTTLS|LOGINDISABLED/, 'tlsd: and no STARTTLS';
    print $tls "b LOGIN authone.accept secret\r\n";
    like scalar <$tls>, qr/^b OK/, 'tlsd: a login';
}
done_testing;
