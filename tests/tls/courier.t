#!/usr/bin/perl
# Who moves in from Courier changes nothing in imapd-ssl: the settings that Debian's package came with,
# now and in former times, and the certificate file that its installation made, serve clients; what
# they ask for in vain is said at the start.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use TLSServer;
use IO::Socket::INET;
use Test::More;

my $bin = $TLSD =~ s{/tlsd$}{}r;
my $show = script('show', "#!/bin/sh\nread x\necho said:\$x:\$SSL_CIPHER\n");
my $plain = script('plain', "#!/bin/sh\nread x\necho said:\$x:\${SSLCTLFD+tls}\n");

# The settings of each, without comments; paths are moved to $T.
my %stock = (
  'Debian 12' => <<'END',
SSLPORT=993
SSLADDRESS=0
SSLPIDFILE=/run/courier/imapd-ssl.pid
SSLLOGGEROPTS="-name=imapd-ssl"
IMAPDSSLSTART=YES
IMAPDSTARTTLS=YES
IMAP_TLS_REQUIRED=0
COURIERTLS=/usr/bin/couriertls
TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"
TLS_CERTFILE=/etc/courier/imapd.pem
TLS_DHPARAMS=/etc/courier/dhparams.pem
TLS_TRUSTCERTS=/etc/ssl/certs/ca-certificates.crt
TLS_VERIFYPEER=NONE
TLS_CACHEFILE=/var/lib/courier/couriersslpop3cache
TLS_CACHESIZE=524288
MAILDIRPATH=Maildir
END
  'Debian 8' => <<'END',
IMAPDSSLSTART=YES
IMAPDSTARTTLS=YES
IMAP_TLS_REQUIRED=0
COURIERTLS=/usr/bin/couriertls
TLS_STARTTLS_PROTOCOL=TLS1
TLS_KX_LIST=ALL
TLS_COMPRESSION=ALL
TLS_CERTS=X509
TLS_CERTFILE=/etc/courier/imapd.pem
TLS_TRUSTCERTS=/etc/ssl/certs
TLS_VERIFYPEER=NONE
TLS_CACHEFILE=/var/lib/courier/couriersslcache
TLS_CACHESIZE=524288
END
  'Debian 6' => <<'END',
TLS_PROTOCOL=SSL3
TLS_STARTTLS_PROTOCOL=TLS1
TLS_CERTFILE=/etc/courier/imapd.pem
TLS_VERIFYPEER=NONE
TLS_CACHEFILE=/var/lib/courier/couriersslcache
TLS_CACHESIZE=524288
END
  'Courier 5 with its examples' => <<'END',
TLS_PRIORITY="NORMAL:-CTYPE-OPENPGP"
TLS_PROTOCOL="TLSv1"
TLS_CIPHER_LIST="TLSv1:HIGH:!LOW:!MEDIUM:!EXP:!NULL:!aNULL@STRENGTH"
TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"
TLS_MIN_DH_BITS=512
TLS_ALPN=imap
TLS_CERTFILE=/etc/courier/imapd.pem
TLS_VERIFYPEER=NONE
TLS_CACHEFILE=/var/lib/courier/couriersslcache
TLS_CACHESIZE=524288
END
);
my %unmet = (
  'Debian 12' => '',
  'Debian 8' => 'TLS_STARTTLS_PROTOCOL=TLS1',
  'Debian 6' => 'TLS_PROTOCOL=SSL3 TLS_STARTTLS_PROTOCOL=TLS1',
  'Courier 5 with its examples' => 'TLS_PROTOCOL=TLSv1 TLS_STARTTLS_PROTOCOL=TLSv1 TLS_PRIORITY=NORMAL:-CTYPE-OPENPGP TLS_ALPN=imap',
);
# As mkimapdcert of that package makes it with OpenSSL: key, certificate, DH parameters, and all of it as
# text once more.
sh("mkdir -p $T/etc/courier $T/var/lib/courier; cd $T; "
    . 'openssl req -new -x509 -nodes -newkey rsa:2048 -subj "/C=US/ST=NY/L=New York/O=Courier Mail Server/CN=localhost" '
    . "-out o.pem -keyout o.pem; openssl dhparam -dsaparam 1024 >>o.pem; openssl x509 -text -noout -in o.pem >>o.pem");
my %pem = (OpenSSL => "$T/o.pem");
# And with GnuTLS, which puts text before the key.
if (grep { -x "$_/certtool" } split /:/, $ENV{PATH}) {
  spew("$T/g.cnf", "organization = \"Courier Mail Server\"\ncn = \"localhost\"\nserial = 001\nexpiration_days = 365\n");
  sh("cd $T; certtool --generate-privkey --sec-param=medium --outfile g.key; "
      . "certtool --generate-self-signed --load-privkey g.key --outfile g.crt --template g.cnf; cat g.key g.crt >g.pem");
  $pem{GnuTLS} = "$T/g.pem";
}

# What the services make of the settings.
sub environment {
  my $text = shift;
  $text =~ s{=/(?=etc/courier|var/lib/courier)}{=$T/}g;
  spew("$T/imapd-ssl", $text);
  sh("rm -rf $T/env; $bin/conf2env $T/env $T/imapd-ssl");
  return map { my $value = slurp("$T/env/$_"); $value =~ s/\n\z//; ($_ => $value) } map { m{([^/]+)$} } glob "$T/env/*";
}

for my $made (sort keys %pem) {
  sh("cp $pem{$made} $T/etc/courier/imapd.pem; chmod 640 $T/etc/courier/imapd.pem");
  for my $name (sort keys %stock) {
    my %env = environment($stock{$name});
    truncate "$T/log", 0;
    local %ENV = (%ENV, %env);
    my $said = `$bin/tlscheck -l 2>&1`;
    my @unmet = map { s/ value=/=/r } $said =~ /setting-unmet name=(\S+ value=\S+)/g;
    is("@unmet", $unmet{$name}, "$name ($made): what is said at the start");
    my ($port, $pid) = start(ENV => \%env, ARGS => [$show]);
    my @session = ('-sess_out', "$T/session");
    like(s_client($port, "hello\n\0", @session), qr/^said:hello:ECDHE-RSA-/m, '... TLS');
    like(s_client($port, '', '-sess_in', "$T/session"), qr/^Reused, /m, '... whose session is resumed');
    stop($pid);
    ($port, $pid) = start(ENV => \%env, ARGS => ['-n', $plain]);
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
    print $s "hello\n";
    is(scalar <$s>, "said:hello:tls\n", '... and STARTTLS is there to be offered');
    stop($pid);
    is(join('', grep !/: tls ip=/, split /^/, log_text()), '', '... without a word in the log');
  }
}

# What cannot be had at all.
my %env = (environment($stock{'Debian 12'}), TLS_PROTOCOL => 'TLSv1.3');
my ($port, $pid) = start(ENV => \%env, ARGS => [$show]);
s_client($port, '');
ok(log_like(qr/bad-setting name=TLS_PROTOCOL value=TLSv1\.3 why="tlsd speaks TLS 1\.2 and nothing else"/), 'TLS 1.3 is an error');
stop($pid);

ok(until_true(sub { !engines() }), 'no engine is left');
done_testing();
