#!/usr/bin/perl
# authldap against a real slapd.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../authd", "$FindBin::Bin/../lib";
use Test::More;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Module;
use SQL;
use Server;

plan skip_all => 'authldap is not built: libldap is not here' unless -x "$BIN/authldap";
my ($slapd, $slapadd) = map { find_program("/usr/sbin/$_", "/usr/libexec/$_") } qw(slapd slapadd);
plan skip_all => 'slapd is not installed' unless $slapd && $slapadd;
my ($module) = grep { -e } qw(/usr/lib/ldap/back_mdb.la /usr/lib/openldap/back_mdb.la);
my $load = $module ? "modulepath " . ($module =~ s|/[^/]*\z||r) . "\nmoduleload back_mdb\n" : '';

my ($directory, $port, $tls_port) = (Server::private("$T/ldap"), free_port(), free_port());
my $hash = hash('secret');
my ($ssha) = map { s/\s//gr } `printf secretsalt | openssl dgst -sha1 -binary | { cat; printf salt; } | base64`;
system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $T/key.pem -out $T/cert.pem -days 2 "
    . "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost 2>/dev/null") == 0 or die "openssl failed\n";
chmod 0644, "$T/key.pem";
my $schema = (grep { -d } qw(/etc/ldap/schema /etc/openldap/schema))[0];
# Nobody but the manager reads passwords; users read themselves, the reader reads all but passwords.
write_file("$T/slapd.conf", <<"END");
${load}include $schema/core.schema
include $schema/cosine.schema
include $schema/nis.schema
include $schema/inetorgperson.schema
pidfile $T/slapd.pid
TLSCertificateFile $T/cert.pem
TLSCertificateKeyFile $T/key.pem
database mdb
maxsize 10485760
suffix dc=example,dc=com
directory $directory
rootdn cn=manager,dc=example,dc=com
rootpw "manager secret"
access to attrs=userPassword by anonymous auth by self write by * none
access to dn.subtree=ou=people,dc=example,dc=com by dn.exact=cn=reader,dc=example,dc=com read by self read by anonymous auth by * none
access to * by * read
END
sub person {
    my ($uid, %more) = @_;
    my %all = (
        objectClass => ['inetOrgPerson', 'posixAccount'], uid => $uid, cn => "The $uid", sn => $uid, mail => "$uid\@example.com",
        uidNumber => $UID, gidNumber => $GID, homeDirectory => '/', userPassword => "{CRYPT}$hash", %more
    );
    my $text = "dn: uid=$uid,ou=people,dc=example,dc=com\n";
    for my $name (sort keys %all) {
        $text .= "$name: $_\n" for grep { defined } ref $all{$name} ? @{ $all{$name} } : $all{$name};
    }
    return "$text\n";
}
write_file("$T/people.ldif", join '', <<"END",
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=map,dc=example,dc=com
objectClass: organizationalUnit
ou: map

dn: cn=reader,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reading

dn: uid=joe,ou=map,dc=example,dc=com
objectClass: account
uid: joe
host: example.org
l: ann

END
    person('ann', l => 'maildirs/ann', description => '2000S', employeeType => '0', title => 'staff'),
    person('ssha', userPassword => "{SSHA}$ssha"),
    person('root', uidNumber => 0), person('off', employeeType => '1'),
    person('twin1', mail => 'twin@example.com'), person('twin2', mail => 'twin@example.com'),
    person('none', userPassword => undef), person('below', homeDirectory => 'ann'));
system("$slapadd -f $T/slapd.conf -l $T/people.ldif >>$T/server.log 2>&1") == 0 or die 'slapadd failed: ', slurp("$T/server.log");
my @start = (
    sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) },
    $slapd, '-d', '0', '-f', "$T/slapd.conf", '-h', "ldap://127.0.0.1:$port ldaps://127.0.0.1:$tls_port"
);
my $server = start_server(@start) or die 'slapd does not start: ', slurp("$T/server.log");

my %base = (
    LDAP_URI => "ldap://127.0.0.1:$port", LDAP_BASEDN => 'ou=people,dc=example,dc=com', LDAP_DOMAIN => 'example.com',
    LDAPTLS_CACERT => "$T/cert.pem", LDAP_MAILDIR => 'l', LDAP_MAILDIRQUOTA => 'description',
    LDAP_AUXOPTIONS => 'employeeType=disableimap,title=sharedgroup'
);
my %manager = (%base, LDAP_BINDDN => 'cn=manager,dc=example,dc=com', LDAP_BINDPW => 'manager secret');
my %reader = (%base, LDAP_BINDDN => 'cn=reader,dc=example,dc=com', LDAP_BINDPW => 'reading', LDAP_AUTHBIND => 1);
my %direct = (%base, LDAP_AUTHBIND_DN => 'uid=$(local_part),ou=people,dc=example,dc=com', LDAP_MAIL => 'mail');
delete $direct{LDAP_BASEDN};
my @strange = ('*', '*)(uid=*', 'ann)(&', 'ann\\', '\\2a', 'a*', ')', "ann\xff", "\xc0\xaf", 'x' x 600, 'ann,ou=people',
    'ann,dc=x', '+', '#', "ann\n", '"', '<>;', 'uid=ann');
sub try_it { return (verdict('authldap', @_))[0] }

mkdir $_ and chown $UID, $GID, $_ for "$T/mail", "$T/mail/ann";
my %ways = ('compared here' => \%manager, 'by binding' => \%reader, 'by binding directly' => \%direct);
for my $way (sort keys %ways) {
    my %env = %{ $ways{$way} };
    my ($answer, $r) = verdict('authldap', 'ann', 'secret', %env);
    is $answer, 'accept', "$way: the right password";
    is seen($r, 'env') =~ s/.*?((?:MAILDIR|MAILDIRQUOTA|OPTIONS|USER)=[^|]*)/$1|/gr =~ s/\|[^|]*\z//r,
        'MAILDIR=maildirs/ann|MAILDIRQUOTA=2000S|OPTIONS=disableimap=0,sharedgroup=staff|USER=ann@example.com', 'and the account';
    unlike $r->{out}, qr/LDAP|secret/, 'without the settings';
    $r = run_module(["$BIN/authldap", "$T/program"], plain => 1, input => "ann\0secret\0x\0", env => \%env);
    is seen($r, 'fds'), '0 1 2', '... and without the connection';
    is try_it('ann', 'Secret', %env), 'wrong-password', 'a wrong one';
    is try_it('ann', '', %env), 'wrong-password', 'an empty one is no anonymous bind';
    is try_it('ssha', 'secret', %env), 'accept', 'a salted hash';
    is try_it('ann@example.com', 'secret', %env), 'accept', 'with the domain';
    like try_it('nobody', 'secret', %env), qr/^(unknown-user|wrong-password)\z/, 'an unknown user';
    is try_it('root', 'secret', %env), 'uid-0', 'never uid 0';
    is try_it('off', 'secret', %env), 'disabled', 'disabled';
    like try_it('none', '', %env), qr/^(no-password|wrong-password)\z/, 'no password';
    is try_it('below', 'secret', %env), 'directory', 'a relative home';
    is try_it('below', 'secret', %env, LDAP_MAILROOT => "$T/mail"), 'accept', 'below LDAP_MAILROOT';
    is try_it('ann', 'secret', %env, LDAP_FILTER => '(sn=ann)'), 'accept', 'LDAP_FILTER';
    is try_it('ann', 'secret', %env, LDAP_FILTER => '(sn=x)'), 'unknown-user', 'that does not match';
    is try_it('ann', 'secret', %env, LDAP_FILTER => '(mail=$(user))'), 'accept', 'with the name in it';
    is try_it('ann', 'secret', %env, LDAP_FILTER => '(sn=$(user))'), 'unknown-user', 'that does not match';
    is try_it('ann', 'secret', %env, LDAP_GLOB_UID => 0), 'uid-0', 'LDAP_GLOB_UID';
    is try_it('ann', 'secret', %env, LDAP_GLOB_GID => 0), 'gid-0', 'LDAP_GLOB_GID';
    is try_it('root', 'secret', %env, LDAP_GLOB_UID => $UID, LDAP_GLOB_GID => $GID), 'accept', 'counts more than the entry';
    for (@strange) {
        like try_it($_, 'secret', %env), qr/^(unknown-user|wrong-password)\z/, "$way: no name is a filter: " . substr(s/[^ -~]/./gr, 0, 30);
    }
}
# Who somebody is, for a certificate: the reader says.
is +(proven('authldap', 'ann', %direct))[0], 'account-source', 'nobody may read the entry without its password';
$direct{$_} = $reader{$_} for 'LDAP_BINDDN', 'LDAP_BINDPW';
for my $way (sort keys %ways) {
    my %env = %{ $ways{$way} };
    my ($answer, $r) = proven('authldap', 'ann', %env);
    is $answer, 'accept', "$way: an account without its password";
    is seen($r, 'uid') . '|' . seen($r, 'env') =~ s/.*?((?:MAILDIR|MAILDIRQUOTA|OPTIONS|USER)=[^|]*)/$1|/gr =~ s/\|[^|]*\z//r,
        "$UID,$UID|MAILDIR=maildirs/ann|MAILDIRQUOTA=2000S|OPTIONS=disableimap=0,sharedgroup=staff|USER=ann\@example.com", 'whole';
    unlike $r->{out}, qr/LDAP|secret/, 'without the settings';
    is +(proven('authldap', 'off', %env))[0], 'disabled', 'disabled';
    is +(proven('authldap', $_, %env))[0], 'unknown-user', "$way: never $_" for 'root', 'nobody', '*', 'ann)(&', 'ann,ou=people', 'ann\\';
    is +(proven('authldap', 'ann', %env, LDAP_FILTER => '(sn=x)'))[0], 'unknown-user', 'LDAP_FILTER counts';
}
is +(proven('authldap', 'twin', %manager))[0], 'account-source', 'two entries are no answer for a certificate';
is try_it('twin', 'secret', %manager), 'directory', 'two entries are no answer';
my ($answer, $r) = verdict('authldap', 'ANN@Example.com', 'secret', %manager);
is $answer, 'accept', 'letter case';
like $r->{out}, qr/^env=USER=ann\@example\.com$/m, 'is the directory\'s';
($answer, $r) = verdict('authldap', ' ann', 'secret', %manager);
like $r->{out}, qr/^env=USER=ann\@example\.com$/m, 'blanks too';
my %map = (%manager, LDAP_DOMAIN => '', LDAP_EMAILMAP => '(&(uid=@user@)(host=@realm@))', LDAP_EMAILMAP_ATTRIBUTE => 'l',
    LDAP_EMAILMAP_BASEDN => 'ou=map,dc=example,dc=com', LDAP_EMAILMAP_MAIL => 'uid');
is try_it('joe@example.org', 'secret', %map), 'accept', 'LDAP_EMAILMAP';
is try_it($_, 'secret', %map), 'unknown-user', "LDAP_EMAILMAP: $_" for 'joe@example.com', 'joe', '*@example.org', 'joe@*';

is try_it('ann', 'secret', %manager, LDAP_TLS => 1), 'accept', 'StartTLS';
is try_it('ann', 'secret', %manager, LDAP_URI => "ldaps://127.0.0.1:$tls_port"), 'accept', 'ldaps';
is try_it('ann', 'secret', %manager, LDAP_URI => "ldaps://127.0.0.1:$tls_port", LDAPTLS_CACERT => undef), 'directory',
    'a certificate of nobody\'s';
is try_it('ann', 'secret', %manager, LDAP_TLS => 1, LDAPTLS_CACERT => undef), 'directory', 'with StartTLS, too';
is try_it('ann', 'secret', %manager, LDAP_URI => 'ldap://127.0.0.1:' . free_port() . ", $base{LDAP_URI}"), 'accept', 'the second of two servers';
is try_it('ann', 'secret', %manager, LDAP_BINDPW => 'wrong'), 'directory', 'a wrong password of ours: temporary';
for (['LDAP_URI', undef], ['LDAP_BASEDN', undef], ['LDAP_FILTER', 'x=y'], ['LDAP_FILTER', '(x=$(y))'], ['LDAP_DEREF', 'maybe'],
    ['LDAP_PROTOCOL_VERSION', 2], ['LDAP_GLOB_UID', 'no such user'], ['LDAP_AUXOPTIONS', 'x'], ['LDAP_TIMEOUT', 0]) {
    my ($name, $value) = @$_;
    is run_module(["$BIN/authldap", "$T/program"], input => "ann\0secret\0x\0", env => { %manager, $name => $value })->{code}, 100,
        "misconfigured: $name=" . ($value // '');
}
my ($silent, $silent_port) = silent_port();
is try_it('ann', 'secret', %manager, LDAP_URI => "ldap://127.0.0.1:$silent_port", LDAP_TIMEOUT => 1), 'directory',
    'a server that does not answer: temporary, in time';
is try_it('ann', 'secret', %manager, LDAP_URI => "ldaps://127.0.0.1:$silent_port, $base{LDAP_URI}", LDAP_TIMEOUT => 1), 'accept',
    '... nor begins TLS: the next one is asked';

# Agrees to StartTLS, and then says no more.
my $agreeing = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
my $agreed = fork // die;
if (!$agreed) {
    my @clients;
    while (my $client = $agreeing->accept) {
        sysread $client, my $wish, 1000;
        syswrite $client, "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
        push @clients, $client;
    }
    POSIX::_exit(0);
}
is try_it('ann', 'secret', %manager, LDAP_URI => 'ldap://127.0.0.1:' . $agreeing->sockport, LDAP_TLS => 1, LDAP_TIMEOUT => 1), 'directory',
    'a server that agrees to StartTLS and falls silent: temporary, in time';
kill 'TERM', $agreed;
waitpid $agreed, 0;

# Binds, and breaks the connection before it is asked anything: libldap writes to it all the same.
my $breaking = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
my $breaker = fork // die;
if (!$breaker) {
    while (my $client = $breaking->accept) {
        setsockopt $client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
        sysread $client, my $bind, 1000;
        syswrite $client, "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
        close $client;
    }
    POSIX::_exit(0);
}
is try_it('ann', 'secret', %manager, LDAP_URI => 'ldap://127.0.0.1:' . $breaking->sockport, LDAP_TIMEOUT => 3), 'directory',
    'a server that breaks off: temporary, and no signal';
kill 'TERM', $breaker;
waitpid $breaker, 0;
$server = outlives('authldap', \%manager, $server, 'TERM', 0, @start);
stop_server($server);
for my $way (sort keys %ways) {
    ($answer, $r) = verdict('authldap', 'ann', 'secret', %{ $ways{$way} });
    is $answer, 'directory', "$way: the server is down: temporary";
    is +(proven('authldap', 'ann', %{ $ways{$way} }))[0], 'account-source', '... for a certificate';
    like $r->{log}, qr{failed attempt=\w+ server=ldap://\S+ .*why="Can't contact LDAP server" remedy=}, 'logged';
}
done_testing;
