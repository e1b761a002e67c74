#!/usr/bin/perl
# Who somebody logs in as: names without a domain, master users, application passwords, and accounts
# that may not be used.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;

my $account = "uid=$UID|gid=$GID|home=/";
my ($own, $boss, $phone, $tablet) = map { hash($_) } qw(own boss phone tablet);
userdb(<<"END");
joe\t$account|systempw=$own
off\t$account|systempw=$own|disabled=1
noimap\t$account|systempw=$own|options=disableimap=1
tlsonly\t$account|systempw=$own|options=disableinsecureimap=1
nopop\t$account|systempw=$own|options=disablepop3=1,disableimap=0
boss\t$account|systempw=$boss
offboss\t$account|systempw=$boss|disabled=1
apps\t$account|systempw=$own|apppw:phone=$phone|apppw:Tab_1.x=$tablet
onlyapps\t$account|apppw:phone=$phone
shut\t$account|imappw=|apppw:phone=$phone
damaged\t$account|systempw=$own|apppw:bad=\$y\$nonsense\$|apppw:phone=$phone
joe\@example.com\t$account|systempw=$own
boss\@example.com\t$account|systempw=$boss
END

# The answer to a login: `user`, and what the log says besides, or the reason why not.
sub answer {
    my ($user, $password, %env) = @_;
    my $r = run_module(["$BIN/authuserdb", "$T/program"], input => "$user\0$password\0x\0", env => \%env);
    if (seen($r, 'name') eq 'program') {
        my ($log) = $r->{log} =~ /: login user=(.*?)(?: ip=.*)? uid=/;
        return "in $log";
    }
    return $r->{log} =~ /: (\w+) user=.* reason=(\S+)\n\z/ ? "$1 $2" : "no verdict: $r->{log}";
}

# Domains
my %domain = (DEFDOMAIN => '@example.com');
is answer('joe', 'own'), 'in joe', 'without DEFDOMAIN';
is answer('joe', 'own', %domain), 'in joe@example.com', 'a name without a domain';
is answer('joe@example.com', 'own', %domain), 'in joe@example.com', 'a name with one';
is answer('joe@example.org', 'own', %domain), 'declined unknown-user', 'another one';
is answer('joe%example.com', 'own', %domain), 'declined unknown-user', 'a percent sign is no separator';
is answer('joe', 'own', %domain, AUTHZID => $_), 'in joe@example.com', "... who wants to be $_" for 'joe', 'joe@example.com';
is answer('joe@example.com', 'own', %domain, AUTHZID => 'joe'), 'in joe@example.com', '... or has said it the other way round';
like answer('joe', 'own', %domain, AUTHZID => $_), qr/^declined authorization-identity/, "... but not $_" for 'joe@example.org', 'boss';
is answer('x' x 3000, 'own', %domain), 'declined unknown-user', 'a long name';
like answer('joe', 'own', DEFDOMAIN => '@' . 'x' x 300), qr/bad-setting name=DEFDOMAIN/, 'a long domain';
userdb(slurp("$T/userdb") . "joe%a\t$account|systempw=$own\n");
is answer('joe%a', 'own', %domain, DOMAINSEP => '@%'), 'in joe%a', 'DOMAINSEP: any of these is a domain';
is answer('joe', 'own', %domain, DOMAINSEP => '@%'), 'in joe@example.com', '... and none is not';

# Accounts that may not be used
is answer('off', 'own'), 'refused disabled', 'disabled';
is answer('noimap', 'own'), 'refused disabled', 'disableimap';
is answer('noimap', 'own', AUTHSERVICE => 'imaps'), 'refused disabled', '... whatever the service is called';
is answer('nopop', 'own'), 'in nopop', 'disablepop3 is not for IMAP';
is answer('tlsonly', 'own'), 'refused disabled', 'disableinsecureimap without TLS';
is answer('tlsonly', 'own', SSL_PROTOCOL => 'TLSv1.2'), 'in tlsonly tls=TLSv1.2', '... and with it';
is answer('joe', 'own', DEFAULTOPTIONS => 'disableimap=1'), 'refused disabled', 'DEFAULTOPTIONS';

# Master users
my %masters = (MASTER_USERS => 'nobody boss offboss ghost');
is answer('joe*boss', 'boss'), 'declined unknown-user', 'no masters unless somebody says so';
is answer('joe*boss', 'boss', %masters), 'in joe master=boss', 'a master';
is answer('joe*boss', 'own', %masters), 'declined wrong-password', 'with the password of the user';
is answer('joe*joe', 'own', %masters), 'declined no-master', 'no master';
is answer('joe*bos', 'boss', %masters), 'declined no-master', 'part of a name';
is answer('ghost*boss', 'boss', %masters), 'declined unknown-user', 'as nobody';
is answer('joe*ghost', 'boss', %masters), 'declined unknown-user', 'a master who is not there';
is answer('joe*offboss', 'boss', %masters), 'refused disabled', 'a master who is disabled';
is answer('off*boss', 'boss', %masters), 'refused disabled', 'as somebody who is disabled';
is answer('*boss', 'boss', %masters), 'declined unknown-user', 'as nobody at all';
is answer('joe*', 'boss', %masters), 'declined unknown-user', 'by nobody at all';
is answer('boss', 'boss', %masters), 'in boss', 'a master as himself';
is answer('joe+boss', 'boss', %masters, MASTER_SEPARATOR => '+'), 'in joe master=boss', 'another separator';
is answer('joe*boss', 'boss', %masters, MASTER_SEPARATOR => '+'), 'declined unknown-user', '... is the only one';
is answer('joe*boss', 'boss', %domain, MASTER_USERS => 'boss@example.com'), 'in joe@example.com master=boss@example.com',
  'both without a domain';
is answer('boss', 'boss', %masters, AUTHZID => 'joe'), 'in joe master=boss', 'PLAIN as somebody else';
is answer('joe', 'own', %masters, AUTHZID => 'boss'), 'declined no-master', '... by no master';
is answer('boss', 'boss', AUTHZID => 'joe'), 'declined authorization-identity', '... where there are none';
like run_module(["$BIN/authuserdb", "$T/program"], input => "boss\0wrong\0x\0", env => { %masters, AUTHZID => 'joe' })->{log},
  qr/declined user=boss authzid=joe reason=wrong-password/, 'both names are in the log';

# Application passwords
is answer('apps', 'phone'), 'in apps app=phone', 'an application password';
is answer('apps', 'tablet'), 'in apps app=Tab_1.x', '... and another';
is answer('apps', 'own'), 'in apps', '... and the user\'s own';
is answer('apps', 'other'), 'declined wrong-password', '... and none of them';
is answer('onlyapps', 'phone'), 'in onlyapps app=phone', 'no other password';
is answer('onlyapps', 'own'), 'declined wrong-password', '... is none';
is answer('shut', 'phone'), 'declined no-password', 'an empty imappw shuts these out too';
is answer('damaged', 'phone'), 'in damaged app=phone', 'a damaged one does not stand before the others';
is answer('damaged', 'other'), 'unavailable crypt-failed', '... but who knows what it was';
is answer('joe*apps', 'phone', MASTER_USERS => 'apps'), 'in joe master=apps', 'a master by an application password';

sub problem {
    write_file("$T/bad", "joe\t$account|$_[0]\n", 0600);
    return `"$BIN/makeuserdb" "$T/bad" "$T/bad.cdb" 2>&1`;
}
like problem("apppw:=$own"), qr/label/, 'makeuserdb: no label';
like problem("apppw:a b=$own"), qr/label/, '... a label with a blank';
like problem('apppw:phone=clear'), qr/not hashed/, '... a clear password';
like problem(join '|', map { "apppw:a$_=$own" } 1 .. 11), qr/more than 10/, '... too many';

# userdbpw
sub set {
    my ($password, @words) = @_;
    local $SIG{PIPE} = 'IGNORE'; # it may refuse before it reads
    open my $p, '|-', 'sh', '-c', '"$0" "$@" 2>' . "$T/log", "$BIN/userdbpw", @words or die;
    syswrite $p, "$password\n"; # what print keeps back would spoil the status when it cannot be written
    close $p;
    return $? >> 8;
}
my $before = slurp("$T/userdb");
is set('watch', '-s', '-l', 'watch', "$T/userdb", 'apps'), 0, 'userdbpw adds one';
is answer('apps', 'watch'), 'in apps app=watch', '... which is one';
is set('watch2', '-s', '-l', 'watch', "$T/userdb", 'apps'), 0, '... changes it';
is answer('apps', 'watch'), 'declined wrong-password', '... the old one is gone';
is answer('apps', 'watch2'), 'in apps app=watch', '... the new one there';
is answer('apps', 'own'), 'in apps', '... the user\'s own as it was';
is set('', '-d', 'watch', "$T/userdb", 'apps'), 0, '... removes it';
is slurp("$T/userdb"), $before, '... and nothing else has changed';
is set('', '-d', 'watch', "$T/userdb", 'apps'), 1, '... which cannot be done twice';
is set('x', '-l', 'a|b', "$T/userdb", 'apps'), 1, 'a label that is none';
is set('x', '-m', '-l', 'a', "$T/userdb", 'apps'), 100, 'not for other mechanisms';
is set('x', '-l', 'a'), 100, 'not without a file';
done_testing;
