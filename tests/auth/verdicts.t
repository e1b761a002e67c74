#!/usr/bin/perl
# The four verdicts of a module under imaplogin, and what each hands to whom: doc/chain.md.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;

my $home = "$T/home";
mkdir $home or die;
chown $UID, $GID, $home unless $>;
my $hash = hash('secret');
my $users = <<"END";
joe\tuid=$UID|gid=$GID|home=$home|systempw=$hash|shell=/bin/zsh|mail=$home/Mail|options=a=1,b=2
plain\tuid=$UID|gid=$GID|home=$home|systempw=$hash
homeless\tuid=$UID|gid=$GID|home=$T/nowhere|systempw=$hash
broken\tuid=$UID|gid=$GID|home=$home|systempw=\$y\$nonsense\$
END
userdb($users);
# A module that writes down what it was given, and one that cannot be executed.
link "$T/program", "$T/authnext" or die;
my $module = "$BIN/authuserdb";
my @chain = ($module, 'authnone', "$T/authnext", "$T/program", 'Maildir');
my @last = ($module, "$T/program", 'Maildir');
sub credentials { join('', map { "$_\0" } @_) }
my $right = credentials('joe', 'secret', '1700000000');
my $wrong = credentials('joe', 'wrong', '1700000000');

subtest accept => sub {
    my %env = (
        TCPREMOTEIP => '192.0.2.1', IMAPLOGINTAG => 'a1', IMAPLOGIN_COMMAND => 'LOGIN',
        IMAP_IDLE_TIMEOUT => 60, SSL_PEER_CN => 'x', LC_ALL => 'C', TZ => 'UTC', SENDMAIL => '/s',
        PGSQL_PASSWORD => 'database', SSLCTLFD => 6, LD_PRELOAD_X => 'x', MAILDIR => '/etc',
        OPTIONS => 'disableimap=0', IMAPLOGIN_VERDICT => 'temporary', SHELL => '/x', HOME => '/x',
        AUTHZID => 'joe',
    );
    my $r = run_module([$module, 'authpwd', '/x/authother', "$T/program", 'Maildir', 'more words'],
        input => $right, env => \%env);
    is $r->{code}, 0, 'the program has run';
    is $r->{socket}, 'A', 'the parser was told so, once';
    is seen($r, 'name'), 'program', 'following modules are skipped';
    is seen($r, 'arg'), 'Maildir|more words', 'its arguments are whole';
    is seen($r, 'uid'), "$UID,$UID", 'as the user';
    is seen($r, 'gid'), $GID, 'as the group';
    is seen($r, 'groups') =~ s/\b$GID\b//r =~ s/ //gr, '', 'no other groups' unless $>;
    is seen($r, 'cwd'), $home, 'in the home directory';
    is seen($r, 'fds'), '0 1 2', 'descriptors 0, 1, 2 and no other';
    my %got = map { /^(.*?)=(.*)$/ } split /\|/, seen($r, 'env');
    delete @got{qw(PWD OLDPWD _ SHLVL)}; # the shell's own
    is_deeply \%got, {
        PATH => $ENV{PATH}, map({ $_ => $env{$_} } qw(TCPREMOTEIP IMAPLOGINTAG IMAPLOGIN_COMMAND
            IMAP_IDLE_TIMEOUT SSL_PEER_CN LC_ALL TZ SENDMAIL)),
        HOME => $home, USER => 'joe', LOGNAME => 'joe', SHELL => '/bin/zsh',
        MAILDIR => "$home/Mail", OPTIONS => 'a=1,b=2', AUTHENTICATED => 'joe', AUTHADDR => 'joe',
        AUTHMODULE => 'authuserdb',
    }, 'the environment is what the list allows and what the account says';
    like $r->{log}, qr/^authuserdb: \d+: login user=joe ip=192\.0\.2\.1 method=LOGIN uid=$UID\n\z/,
        'one log line';
    unlike $r->{log}, qr/secret/, 'without the password';

    $r = run_module(\@last, input => credentials('plain', 'secret', ''),
        env => { %env, AUTHZID => undef });
    like $r->{out}, qr{^env=SHELL=/bin/sh$}m, 'a shell where the account has none';
    unlike $r->{out}, qr/^env=(MAILDIR|OPTIONS)=/m, 'no MAILDIR or OPTIONS that are not the account\'s';

    $r = run_module(\@last, input => $right, prepare => sub {
        $SIG{PIPE} = 'IGNORE';
        POSIX::sigprocmask(POSIX::SIG_BLOCK(), POSIX::SigSet->new(POSIX::SIGUSR1()));
        POSIX::dup2(2, 5);
        POSIX::dup2(2, 50);
    });
    is seen($r, 'pipe'), 'DEFAULT blocked=0', 'signals are reset';
    is seen($r, 'fds'), '0 1 2', 'other descriptors of the chain are closed';
};

subtest 'accept fails late' => sub {
    my $r = run_module(\@last, input => credentials('homeless', 'secret', ''));
    is $r->{code}, 111, 'no home directory: 111';
    is $r->{socket}, 'U', 'the parser tells the client: unavailable';
    like $r->{log}, qr{attempt=chdir path=\Q$T\E/nowhere why=.*create it, owned by uid $UID.*\n.* unavailable user=homeless reason=no-session}, 'logged';
    unlike $r->{log}, qr/ login /, 'nobody has logged in';

    $r = run_module([$module, "$T/missing"], input => $right);
    is $r->{code}, 111, 'no program: 111';
    is $r->{socket}, 'AU', 'the parser hears of it';
    like $r->{log}, qr{attempt=exec path=\Q$T\E/missing}, 'logged';

  SKIP: {
        skip 'only as an ordinary user', 3 unless $>;
        my $other = $UID + 1;
        userdb("joe\tuid=$other|gid=$GID|home=$home|systempw=$hash\n");
        $r = run_module(\@last, input => $right);
        is $r->{code}, 111, 'cannot become somebody else';
        is $r->{socket}, 'U', 'unavailable';
        like $r->{log}, qr/attempt="become user $other group $GID".*remedy=/, 'logged';
        userdb($users);
    }
};

subtest decline => sub {
    my $r = run_module([$module, "$T/authnext", "$T/program", 'Maildir'], input => $wrong,
        env => { TCPREMOTEIP => '192.0.2.1' });
    is seen($r, 'name'), 'authnext', 'the next module';
    is seen($r, 'arg'), "$T/program|Maildir", 'has the rest of the chain';
    is seen($r, 'fds'), '0 1 2 3 17', 'descriptor 3 and the socket';
    is $r->{socket}, '', 'the parser hears nothing';
    unlike $r->{out}, qr/env=IMAPLOGIN_VERDICT/, 'no verdict is set';
    like $r->{out}, qr/^env=IMAPLOGIN_STATE=opaque state$/m, 'the state is as it was';
    like $r->{log}, qr/: declined user=joe ip=192\.0\.2\.1 reason=wrong-password\n\z/, 'logged';

    $r = run_module([$module, "$T/authnext", "$T/program"], input => $wrong,
        env => { IMAPLOGIN_VERDICT => 'temporary' });
    like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, 'an earlier verdict is kept';

    write_file("$T/authread", "#!/bin/sh\nexec od -An -c <&3\n", 0755);
    $r = run_module([$module, "$T/authread", "$T/program"], input => $wrong);
    is $r->{out} =~ s/\s+//gr, 'joe\0wrong\0' . '1700000000\0', 'the same credentials, then end of file';

    $r = run_module(\@last, input => credentials('nobody-here', 'x', ''));
    is seen($r, 'name'), 'imaplogin', 'after the last module: imaplogin';
    is seen($r, 'arg'), "$module|$T/program|Maildir", 'with all its words';
    is seen($r, 'fds'), '0 1 2 17', 'and without descriptor 3';
    like $r->{log}, qr/declined user=nobody-here reason=unknown-user/, 'logged';
    my @words = ("$T/imaplogin", @last);
    is seen($r, 'env') =~ s/.*IMAPLOGIN_ARGV=([^|]*).*/$1/r, join('', map { length($_) . ":$_," } @words),
        'and IMAPLOGIN_ARGV is whole';
    is seen(run_module(\@last, input => credentials('', '', '')), 'name'), 'imaplogin', 'an empty user';

    $r = run_module(\@last, input => credentials("jo\ne \"x\"", "p", ''));
    like $r->{log}, qr/\A[^\n]*declined user="jo\\x0ae \\"x\\"" reason=unknown-user\n\z/,
        'a user name cannot forge a log line';
};

subtest 'two modules' => sub {
    write_file("$T/db2", "joe\tuid=$UID|gid=$GID|home=$home|systempw=" . hash('second') . "\n", 0600);
    system("$BIN/makeuserdb", "$T/db2", "$T/db2.cdb") == 0 or die;
    write_file("$T/authsecond", "#!/bin/sh\nUSERDB=$T/db2.cdb exec $module \"\$@\"\n", 0755);
    my @two = ($module, "$T/authsecond", "$T/program", 'Maildir');
    my $r = run_module(\@two, input => credentials('joe', 'second', ''));
    is seen($r, 'name'), 'program', 'what the first declines, the second accepts';
    is $r->{socket}, 'A', 'once';
    like $r->{log}, qr/declined.*\n.* login user=joe/, 'both have logged';
    $r = run_module(\@two, input => credentials('joe', 'third', ''));
    is seen($r, 'name'), 'imaplogin', 'what both decline goes back';
    is seen($r, 'arg'), "$module|$T/authsecond|$T/program|Maildir", 'to the whole chain';
    $r = run_module(\@two, input => credentials('joe', 'second', ''), env => { USERDB => "$T/none" });
    is seen($r, 'name'), 'program', 'a later accept wins over a temporary failure';
    $r = run_module(\@two, input => credentials('joe', 'third', ''), env => { USERDB => "$T/none" });
    is seen($r, 'name'), 'imaplogin', 'a later decline does not';
    like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, 'make it a wrong password';
};

subtest temporary => sub {
    my $r = run_module(\@last, input => credentials('broken', 'secret', ''));
    is seen($r, 'name'), 'imaplogin', 'crypt fails: imaplogin';
    like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, 'with the verdict';
    like $r->{log}, qr/attempt=crypt hash=\$y\$ .*limit-data=.*\n.*unavailable user=broken reason=crypt-failed/,
        'the limit in force is logged';
    unlike $r->{log}, qr/nonsense/, 'the hash is not';

    $r = run_module(\@chain, input => $wrong);
    is seen($r, 'name'), 'authnext', 'a module that cannot be executed is passed over';
    like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, 'as a temporary failure';
    like $r->{log}, qr/attempt=exec path=authnone/, 'logged';
    like $r->{out}, qr/^fds=0 1 2 3 17$/m, 'the one after it has the credentials';

    my @bad = (
        ['no descriptor 3', undef, 'no-descriptor-3'],
        ['nothing', '', 'malformed-credentials'],
        ['one string', "joe\0", 'malformed-credentials'],
        ['no timestamp', "joe\0secret\0", 'malformed-credentials'],
        ['an unended timestamp', "joe\0secret\0" . '17', 'malformed-credentials'],
        ['a string too many', "${right}x\0", 'malformed-credentials'],
        ['4001 bytes', credentials('joe', 'x' x 3995, ''), 'oversized-credentials'],
        ['64000 bytes', 'x' x 64000, 'oversized-credentials'],
    );
    for (@bad) {
        my ($what, $input, $reason) = @$_;
        $r = run_module(\@chain, input => $input);
        is seen($r, 'name'), 'imaplogin', "$what: no other module is asked";
        like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, "$what: temporary";
        like $r->{log}, qr/\A\S+ \d+: unavailable reason=$reason\n\z/, "$what: logged";
    }
    $r = run_module(\@last, input => credentials('joe', 'x' x 3994, ''));
    like $r->{log}, qr/declined user=joe reason=wrong-password/, '4000 bytes are not too many';
};

subtest 'mechanisms and identities' => sub {
    my $r = run_module([$module, "$T/authread", "$T/program"], input => $right, env => { AUTHMECH => 'CRAM-MD5' });
    is $r->{out} =~ s/\s+//gr, 'joe\0secret\0' . '1700000000\0', 'an unknown mechanism: unread, to the next';
    like $r->{log}, qr/: declined reason=unknown-mechanism/, 'logged';
    $r = run_module(\@last, input => $right, env => { AUTHMECH => 'CRAM-MD5' });
    is seen($r, 'name'), 'imaplogin', 'or back to imaplogin';
    is seen($r, 'fds'), '0 1 2 17', 'which does not get descriptor 3';
    $r = run_module(\@last, input => $right, env => { AUTHZID => 'boss' });
    is seen($r, 'name'), 'imaplogin', 'acting as somebody else is declined';
    like $r->{log}, qr/declined user=joe authzid=boss reason=authorization-identity/, 'logged';
    is seen(run_module(\@last, input => $right, env => { AUTHZID => '' }), 'name'), 'program', 'an empty identity is none';
};

subtest misconfiguration => sub {
    my $r = run_module([$module, 'authpwd'], input => $right);
    is $r->{code}, 100, 'no program after the modules';
    like $r->{log}, qr/misconfigured why="no program/, 'logged';
    for my $fd (undef, '', 'x', '3', '-1', '99', '17x', '99999999999') {
        $r = run_module(\@last, input => $right, env => { IMAPLOGIN_FD => $fd });
        is $r->{code}, 100, 'IMAPLOGIN_FD=' . ($fd // 'unset');
    }
    for my $argv (undef, '', '3:ab,', '2:ab', '2ab,', ':ab,', '99999999999999999999999:x,', '2:ab,x') {
        $r = run_module(\@last, input => $wrong, env => { IMAPLOGIN_ARGV => $argv });
        is $r->{code}, 100, 'IMAPLOGIN_ARGV=' . ($argv // 'unset');
        like $r->{log}, qr/misconfigured variable=IMAPLOGIN_ARGV/, 'logged';
    }
    $r = run_module(\@last, input => $wrong, env => { IMAPLOGIN => "$T/gone" });
    is $r->{code}, 111, 'imaplogin is gone';
    like $r->{log}, qr{attempt=exec path=\Q$T\E/gone}, 'logged';
};

done_testing;
