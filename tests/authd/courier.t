#!/usr/bin/perl
# authd with Courier's own programs and with others that speak its protocol, and authclient with
# Courier's authdaemond.  Their paths are built into them: each runs in a mount namespace of its own,
# where private directories stand at those paths.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../auth";
use Test::More;
use MIME::Base64;
use POSIX ();
use Chainmail;
use AuthService;

my $run = '/run/courier/authdaemon';
my $etc = '/etc/courier';
plan skip_all => 'only root can give Courier\'s programs a private directory' if $>;
plan skip_all => 'courier-authdaemon is not installed' unless -x '/usr/sbin/authtest' && -d $run && -d $etc;
plan skip_all => 'this system has no mount namespaces' if system "unshare -m true 2>$T/unshare";

my $hash = crypt('secret', '$6$rounds=1000$salt$');
database("ann\tuid=12321|gid=12322|home=$T/ann|mail=$T/ann/Maildir|systempw=$hash\n");
mkdir "$T/ann";
chown 12321, 12322, "$T/ann";

# Runs a command where $_[0] stands at Courier's path.
sub within {
    my ($directory, @command) = @_;
    return run_command('unshare', '-m', 'sh', '-c', 'mount --bind "$1" ' . $run . ' && shift && exec "$@"', 'sh', $directory, @command);
}

# ---- ours, asked by Courier's ----
my $s = start_service('service');
my ($code, $text) = within($s->{directory}, 'authtest', 'ann');
is $code, 0, 'authtest finds a user';
like $text, qr/^\s*Home Directory: $T\/ann$/m, 'home';
like $text, qr/^\s*Maildir: $T\/ann\/Maildir$/m, 'Maildir';
like $text, qr/^\s*Authenticated: ann  \(uid 12321, gid 12322\)$/m, 'uid';
like $text, qr/^Encrypted Password: \(none\)$/m, 'and no hash';
($code, $text) = within($s->{directory}, 'authtest', 'ann', 'secret');
is $code, 0, 'authtest with the password';
like $text, qr/^Authentication succeeded/m, 'says so';
($code, $text) = within($s->{directory}, 'authtest', 'ann', 'wrong');
isnt $code, 0, 'with another';
like $text, qr/^Authentication FAILED: Operation not permitted/m, 'it is refused, not put off';
($code, $text) = within($s->{directory}, 'authtest', 'nobody', 'secret');
like $text, qr/FAILED: Operation not permitted/, 'nobody';
($code, $text) = within($s->{directory}, 'authenumerate');
is $text, "ann\t12321\t12322\t$T/ann\t$T/ann/Maildir\n", 'authenumerate';

SKIP: {
    skip 'maildrop is not installed', 2 if system 'command -v maildrop >/dev/null';
    mkdir "$T/ann/Maildir";
    mkdir "$T/ann/Maildir/$_" for qw(tmp new cur);
    chown 12321, 12322, "$T/ann/Maildir", map { "$T/ann/Maildir/$_" } qw(tmp new cur);
    spew("$T/ann/.mailfilter", "to \"$T/ann/Maildir/\"\n");
    chmod 0600, "$T/ann/.mailfilter";
    chown 12321, 12322, "$T/ann/.mailfilter";
    ($code, $text) = within($s->{directory}, 'sh', '-c', 'printf "Subject: x\n\nhello\n" | maildrop -d ann');
    is $code, 0, 'maildrop -d' or diag $text;
    is scalar(glob("$T/ann/Maildir/new/*") // 0) ? 1 : 0, 1, 'delivers';
}

SKIP: {
    skip 'sasl2-bin is not installed', 3 if system 'command -v sasl-sample-server >/dev/null';
    mkdir "$T/sasl";
    spew("$T/sasl/sample.conf", "pwcheck_method: authdaemond\nauthdaemond_path: $s->{socket}\nmech_list: PLAIN\n");
    for (['secret', 1], ['wrong', 0]) {
        my $plain = encode_base64("\0ann\0$_->[0]", '');
        (undef, $text) = run_command('sh', '-c', "SASL_CONF_PATH=$T/sasl; export SASL_CONF_PATH; "
              . "printf 'C: %s\\nC: %s\\n' '" . encode_base64('PLAIN', '') . "' '$plain' | sasl-sample-server -m PLAIN -s smtp 2>&1");
        is $text =~ /^Negotiation complete/m ? 1 : 0, $_->[1], "Cyrus SASL's authdaemond method: $_->[0]" or diag $text;
    }
    like service_log($s), qr/accepted user=ann service=smtp source=authuserdb\n.*declined user=ann service=smtp source=authuserdb reason=wrong-password\n/, 'it was authd who said so';
}

SKIP: {
    skip 'exim4 is not installed', 2 if system 'command -v exim4 >/dev/null';
    for (['secret', 'true'], ['wrong', '']) {
        my $data = "exim\\nlogin\\nann\\n$_->[0]\\n";
        chmod 0755, $s->{directory};
        chmod 0666, $s->{socket};    # Exim is no longer root when it looks
        (undef, $text) = run_command('exim4', '-be', "\${if match {\${readsocket{$s->{socket}}"
              . "{AUTH \${strlen:$data}\\n$data}}}{\\N(?m)^ADDRESS=\\N}}");
        is $text, "$_->[1]\n", "Exim's readsocket, as in authd(8): $_->[0]";
    }
}
stop_service($s);

SKIP: {
    skip 'sqlite3 is not installed, or authsqlite not built', 2
      if !-x "$BIN/authsqlite" || system 'command -v sqlite3 >/dev/null';
    open my $sqlite, '|-', 'sqlite3', "$T/users.db" or die;
    print $sqlite "CREATE TABLE passwd (id, crypt, uid, gid, home, name);\n",
      "INSERT INTO passwd VALUES ('eve', '$hash', 12321, 12322, '/home/eve', 'Eve');\n";
    close $sqlite or die;
    $s = start_service('sql', authmodulelist => 'authsqlite', SQLITE_DATABASE => "$T/users.db", SQLITE_CRYPT_PWFIELD => 'crypt');
    ($code, $text) = within($s->{directory}, 'authtest', 'eve', 'secret', 'changed');
    like $text, qr/^Password change succeeded/m, 'authtest changes a password' or diag $text;
    ($code, $text) = within($s->{directory}, 'authtest', 'eve', 'changed');
    like $text, qr/^Authentication succeeded/m, 'which counts';
    stop_service($s);
}

# ---- Courier's, asked by ours ----
SKIP: {
    my $authdaemond = '/usr/lib/courier/courier-authlib/authdaemond';
    skip 'courier-authlib-userdb is not installed', 9 unless -x $authdaemond && -x '/usr/sbin/userdb' && -d '/usr/lib/courier-authlib';
    require Module;
    my $program = do { no warnings 'once'; "$Module::T/program" };
    mkdir "$T/$_" for qw(courier courier-etc);
    spew("$T/courier-etc/authdaemonrc", "authmodulelist=\"authuserdb\"\ndaemons=2\nDEBUG_LOGIN=0\n");
    chomp(my $cram = `echo secret | userdbpw -m`);
    spew("$T/courier-etc/userdb", "ann\tuid=12321|gid=12322|home=$T/ann|systempw=$hash|hmac-md5pw=$cram\n"
          . "off\tuid=12321|gid=12322|home=/|systempw=$hash|options=disableimap=1\n");
    chmod 0600, "$T/courier-etc/userdb";
    my $pid = fork // die;
    if (!$pid) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$T/courier.log";
        open STDERR, '>&', \*STDOUT;
        exec 'unshare', '-m', 'sh', '-c', "mount --bind $T/courier $run && mount --bind $T/courier-etc $etc && "
          . "/usr/sbin/makeuserdb && exec $authdaemond" or POSIX::_exit(127);
    }
    my $up = eventually { -S "$T/courier/socket" };
    my $verdict = sub {
        my ($user, $password, $response, %env) = @_;
        my $r = Module::run_module(["$BIN/authclient", $program], input => join("\0", $user, $password, $response, ''),
            env => { authdaemonvar => "$T/courier", TCPREMOTEIP => '192.0.2.1', %env });
        return Module::seen($r, 'name') eq 'program' ? 'accept ' . Module::seen($r, 'uid') : $r->{log} =~ /reason=(\S+)\n\z/ ? $1 : $r->{log};
    };
    ok $up, 'Courier\'s authdaemond' or diag slurp("$T/courier.log");
    is $verdict->('ann', 'secret', 'x'), 'accept 12321,12321', 'authclient asks it' or diag slurp("$T/courier.log");
    is $verdict->('ann', 'wrong', 'x'), 'rejected', 'a wrong password';
    is $verdict->('off', 'secret', 'x'), 'disabled', 'disableimap';
    chomp(my $digest = `printf %s '<1\@example.com>' | openssl dgst -md5 -hmac secret -r | cut -c1-32`);
    is $verdict->('ann', '<1@example.com>', $digest, AUTHMECH => 'CRAM-MD5'), 'accept 12321,12321', 'CRAM-MD5';
    is $verdict->('ann', '<2@example.com>', $digest, AUTHMECH => 'CRAM-MD5'), 'rejected', 'of another challenge';
    my $known = sub {
        my $r = Module::run_module(["$BIN/authexternal", $program], input => "\0\0\0", env => { authdaemonvar => "$T/courier",
            PATH => "$BIN:$ENV{PATH}", AUTHMECH => 'EXTERNAL', SSL_PROTOCOL => 'TLSv1.2', TLS_EXTERNAL => 'CN',
            SSL_PEER_CERT_SUBJECT_CN => $_[0], authmodulelist => 'authclient' });
        return Module::seen($r, 'name') eq 'program' ? 'accept ' . Module::seen($r, 'uid') : $r->{log} =~ /reason=(\S+)\n\z/ ? $1 : $r->{log};
    };
    is $known->('ann'), 'accept 12321,12321', 'an account for a certificate, by PRE';
    is $known->('off'), 'disabled', 'disableimap';
    is $known->('nobody'), 'unknown-user', 'an unknown user';
    kill 'TERM', $pid;
    waitpid $pid, 0;
}
done_testing;
