#!/usr/bin/perl
# The examples of authentication(7) do what the page says, one after the other, in a private place.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

my $page = slurp("$FindBin::Bin/../../doc/authentication.7");
my ($uid, $gid) = $> ? ($>, $) + 0) : (5000, 5000);
my $top = "$T/chainmail";
my $vmail = "$T/vmail";
mkdir $_, 0755 for $top, "$top/conf", $vmail;
spew("$top/conf/userdb", '');
$ENV{PATH} = "$BIN:$ENV{PATH}";

# The example that is marked so, with places and numbers of our own.
sub example {
    my ($name) = @_;
    my ($text) = $page =~ /^\.\\" try: \Q$name\E\n\.Bd -literal -offset indent\n(.*?)^\.Ed$/ms or die "no example $name\n";
    $text =~ s/\\e/\\/g;
    $text =~ s{/usr/local/chainmail}{$top}g;
    $text =~ s{/home/vmail}{$vmail}g;
    $text =~ s{/tmp/try}{$T/try}g;
    $text =~ s/5000(:|, )5000/$uid$1$gid/g;
    return $text;
}

sub try {
    my ($name) = @_;
    my ($code, $text) = run_command('sh', '-ec', "cd $top\n" . example($name));
    $text =~ s/^auth\w+: \d+: login .*\n//mg;
    return "$code $text";
}

my $session = "$uid\n$vmail/wally\n";
is try('user'), '0 ', 'a home for a user';
like try('userdb'), qr/^0 /, 'a user in a database';
is try('module'), "0 $session", 'the module admits that user, there';
is try('app'), '0 ', 'a password for a device';
is try('module'), "0 $session", '... beside the other';
{
    (my $script = example('module')) =~ s/beaver/swordfish/ or die;
    my ($code, $text) = run_command('sh', '-ec', $script);
    like $text, qr/: login user=wally app=phone .*\n\Q$session\E\z/, '... admits, and the log says which';
}
like try('scram'), qr/^0 /, 'with secrets for SCRAM';
is try('module'), "0 $session", '... the password is as it was';
SKIP: {
    skip 'authsqlite is not built here', 2 unless -x "$BIN/authsqlite";
    skip 'no sqlite3 here', 2 unless grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};
    is try('table'), '0 ', 'a table of users';
    is((stat "$top/conf/users.db")[2] & 0777, 0600, '... whose hashes are root\'s to read');
    spew("$top/conf/authsqliterc", example('settings'));
    mkdir "$top/env";
    is try('sqlite'), "0 $session", 'the module admits that user, there';
}
for my $name ($page =~ /^\.It Xr (auth\w+) 8/mg, $page =~ /Ta Xr (auth\w+) 8/g) {
    ok -e "$FindBin::Bin/../../doc/$name.8", "$name has a page";
}
done_testing;
