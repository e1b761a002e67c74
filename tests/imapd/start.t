#!/usr/bin/perl
# How a session begins and ends: greeting, refusals, settings, signals, the log.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $home = home('user');

# The log of a session that is over.
sub log_of {
    my ($c) = @_;
    $c->vanish;
    return slurp($c->{log});
}

# A session that must end by itself: its words, exit code and log.
sub refused {
    my (%environment) = @_;
    my $c    = imapd($home, %environment);
    my $text = join "\n", $c->{greeting} // '', $c->drain;
    my $code = $c->vanish >> 8;
    return ($text, $code, slurp($c->{log}));
}

{
    my $c = imapd($home);
    like $c->{greeting}, qr/^\* PREAUTH \[CAPABILITY IMAP4rev1 .*UIDPLUS.*\] /, 'greets by hand';
    $c->ok('LOGOUT');
    ok scalar $c->untagged(qr/^\* BYE /), 'says BYE to LOGOUT';
    is $c->drain, '', 'and closes';
    my $log = log_of($c);
    like $log, qr/^imapd: \d+: logout user=test seconds=\d+ in=\d+ out=\d+ reason=logout$/m,
      'logs the logout';
}
{
    my $c = imapd(
        $home,
        IMAPLOGINTAG  => 'x.1',
        TCPREMOTEIP   => '192.0.2.7',
        AUTHENTICATED => 'alice'
    );
    like $c->{greeting}, qr/^x\.1 OK \[CAPABILITY IMAP4rev1 [^\]]*\] LOGIN Ok/, 'answers LOGIN';
    like log_of($c), qr/logout user=alice ip=192\.0\.2\.7 .* reason=connection-lost/,
      'logs who and from where, and that nobody is left at the other end';
}
{
    my $c = imapd($home, IMAPLOGINTAG => 'x.1');
    shutdown $c->{socket}, 1;
    1 while readline $c->{socket};
    like log_of($c), qr/reason=client-closed/, 'one that goes on reading has closed in form';
}
{
    my $c = imapd($home, IMAPLOGINTAG => 'x', IMAPLOGIN_COMMAND => 'AUTHENTICATE');
    like $c->{greeting}, qr/^x OK \[CAPABILITY [^\]]*\] AUTHENTICATE Ok/, 'answers AUTHENTICATE';
    $c->logout;
}
{
    my ($text, $code, $log) = refused(TCPREMOTEIP => '192.0.2.7');
    like $text, qr/^\* BYE /, 'nobody has logged in: BYE';
    is $code, 100, '... exit 100';
    like $log, qr/nobody-logged-in .*remedy=/, '... and why, in the log';
}
{
    my ($text, $code, $log) = refused(IMAPLOGINTAG => 'a b');
    like $text, qr/^\* BYE /, 'a tag that is none: BYE';
    is $code, 100, '... exit 100';
}
{
    my ($text, $code, $log) = refused(MAILDIR => 'nothing/here', IMAPLOGINTAG => 't1');
    like $text, qr/^t1 NO \[UNAVAILABLE\] .*\n\* BYE /, 'no Maildir: the login is answered NO';
    is $code, 111, '... exit 111';
    like $log, qr/nothing\/here/, '... and the log names the path';
}
for my $setting (
    [IMAP_UMASK     => '99'],
    [IMAP_UMASK     => '07777'],
    [IMAP_NAMESPACE => 'other'],
    [IMAP_TIMEOUT   => 'soon'],
    [IMAP_APPEND_MAX => '0'],
    [IMAP_APPEND_MAX => '18446744073709551616'],
    [IMAP_CONFINE    => 'maybe']
  )
{
    my ($name, $value) = @$setting;
    my ($text, $code, $log) = refused($name => $value);
    is $code, 100, "$name=$value is misconfiguration";
    like $log, qr/$name/, '... that the log names';
}
{
    my $other = home('other');
    rename "$other/Maildir", "$home/Elsewhere" or die $!;
    deliver("$home/Elsewhere", "Subject: here\n\nx\n");
    my $c = imapd($home, MAILDIR => 'Elsewhere');
    $c->ok('STATUS INBOX (MESSAGES)');
    is_deeply [$c->untagged(qr/STATUS/)], ['* STATUS INBOX (MESSAGES 1)'], 'MAILDIR overrides';
    $c->logout;
}
{
    my $c = imapd($home, IMAP_TIMEOUT => 1);
    like $c->response, qr/^\* BYE .*utologout/i, 'autologout says BYE';
    like log_of($c), qr/reason=autologout/, '... and is logged';
}
for my $state ('', 'SELECT INBOX', 'IDLE') {
    my $c = imapd($home);
    $c->command($state) if $state;
    kill 'TERM', $c->{pid};
    like $c->response, qr/^\* BYE Server shutting down/, "TERM says BYE after '$state'";
    is $c->vanish, 0, '... exit 0';
    like slurp($c->{log}), qr/reason=terminated/, '... and is logged';
}
{
    my $c = imapd($home, IMAP_UMASK => '027');
    $c->ok('CREATE INBOX.group');
    is sprintf('%o', (stat "$home/Maildir/.group/cur")[2] & 07777), '750', 'IMAP_UMASK holds';
    $c->logout;
    $c = imapd($home);
    $c->ok('CREATE INBOX.private');
    is sprintf('%o', (stat "$home/Maildir/.private/cur")[2] & 07777), '700', '077 by default';
    $c->logout;
}
SKIP: {
    my $status = sub { slurp("/proc/$_[0]/status") };
    skip 'the sanitizers cannot be confined', 4 if $ENV{SANITIZE};
    skip 'needs Linux', 4 unless -r '/proc/self/status';
    my $c = imapd($home);
    skip 'the kernel cannot confine', 4 if slurp($c->{log}) =~ /unconfined/;
    like $status->($c->{pid}), qr/^Seccomp:\s+2$/m, 'a session is confined';
    mkdir "$home/$_" or die $! for 'outside', map { "outside/$_" } qw(cur new tmp);
    own(map { "$home/outside$_" } '', qw(/cur /new /tmp));
    symlink '../outside', "$home/Maildir/.outside" or die $!;
    like $c->command('SELECT INBOX.outside'), qr/^NO /, '... and gets nowhere outside the Maildir';
    $c->ok('SELECT INBOX');
    is $c->logout, 0, '... but everywhere in it';
    $c = imapd($home, IMAP_CONFINE => 0);
    like $c->command('SELECT INBOX.outside'), qr/^OK /, 'unless that is not wanted';
    $c->logout;
    unlink "$home/Maildir/.outside";
}
SKIP: {
    skip 'needs root', 2 if $>;
    local $ENV{HOME} = $home;
    my ($code, $text) = run_command('sh', '-c', 'cd "$HOME" && exec imapd Maildir');
    is $code, 100, 'refuses root';
    like $text, qr/^\* BYE .*/m, '... with a word';
}
{
    my ($code, $text) = run_command('imapd');
    is $code, 100, 'wants a Maildir';
    like $text, qr/usage/, '... and says so';
}
done_testing;
