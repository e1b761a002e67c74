#!/usr/bin/perl
# The chain under skarnet's s6-networking, where that is installed (Debian 12 has no package of it): s6-tcpserver with
# tlsd, or with s6-tlsd and s6-ucspitlsd in its place.  An administrator's run file, edited.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

sub installed { my ($name) = @_; return grep { -x "$_/$name" } split /:/, $ENV{PATH} }
plan skip_all => 'needs s6-networking' if grep { !installed($_) } qw(s6-tcpserver s6-tcpserver-access s6-tlsd s6-ucspitlsd);

my $home = home('ann');
deliver("$home/Maildir", "Subject: found\n\nhere\n");
my $demo = demo(users => [ [ 'ann', 'secret', $home ] ], conf => { IMAP_LOGIN_DELAY => 1 });
my $run = "$demo->{dir}/service/imapd/run";
my ($before) = slurp($run) =~ /\A(.*?)^\s*tcpserver /ms or die 'the run file has no tcpserver';

# The service with this instead of tcpserver and what follows.
sub serve {
    my ($chain) = @_;
    my $server = 's6-tcpserver -v -c 40 "$ADDRESS" "$PORT"';
    spew($run, qq($before    env KEYFILE=$demo->{ca} CERTFILE=$demo->{ca} $server $chain'\n));
    my ($code, $text) = run_command('s6-svc', '-wr', '-T', PATIENCE . '000', '-r', "$demo->{dir}/scan/imapd");
    die "s6-svc: $text" if $code;
    eventually { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $demo->{port}) };
}

sub mail_by_curl {
    my ($scheme, $password) = @_;
    my ($code, $text) = run_command('curl', '-sS', '--max-time', PATIENCE, '--ssl-reqd', '--cacert', $demo->{ca},
        '--resolve', "localhost:$demo->{port}:127.0.0.1", '--user', "ann:$password",
        "$scheme://localhost:$demo->{port}/INBOX;MAILINDEX=1");
    return $code ? "curl $code" : $text;
}

for (
    [ 'imap',  'tlsd -n' ],
    [ 'imaps', 'tlsd' ],
    [ 'imaps', 's6-tcpserver-access -v 1 -RHl localhost tlsd' ],
    [ 'imap',  's6-ucspitlsd -v 1' ],
    [ 'imaps', 's6-tlsd -v 1' ],
  )
{
    my ($scheme, $tls) = @$_;
    serve("$tls imaplogin authuserdb imapd Maildir");
    like mail_by_curl($scheme, 'secret'), qr/^Subject: found\r?$/m, "s6-tcpserver $tls: mail";
    is mail_by_curl($scheme, 'wrong'), 'curl 67', '... and none without the password';
}
my $log = slurp("$demo->{dir}/service/imapd/log/main/current");
is scalar(() = $log =~ /authuserdb: \d+: login user=ann ip=127\.0\.0\.1 method=\S+ tls=TLSv1\.2/g), 5,
  'the log has address and TLS in each case';
done_testing;
