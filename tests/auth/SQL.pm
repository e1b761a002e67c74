# What every module of a SQL database has to do, whichever it is: tests/auth/auth*sql*.t start the
# server and call questions().
package SQL;
use strict;
use warnings;
use Exporter 'import';
use Test::More;
use Module;

our @EXPORT = qw(accounts questions verdict proven);

my $hash = hash('secret');
my $sha = '{SSHA}' . `printf secretsalt | openssl dgst -sha1 -binary | { cat; printf salt; } | base64` =~ s/\s//gr;

# The statements that make the tables: Courier's own, and one of another form.
sub accounts {
    my @rows = (
        ['ann', $hash, undef, 'Ann', $UID, $GID, '/', undef, undef, undef],
        ['sha@example.com', $sha, '', 'Sha', $UID, $GID, '/', 'Mail', '1000S', 'sharedgroup=x'],
        ['clear', undef, 'secret', '', $UID, $GID, '/', '', '', ''],
        ['both', hash('hashed'), 'secret', '', $UID, $GID, '/', '', '', ''],
        ['none', '', '', '', $UID, $GID, '/', '', '', ''],
        ['off', $hash, '', '', $UID, $GID, '/', '', '', 'disableimap=1'],
        ['pop', $hash, '', '', $UID, $GID, '/', '', '', 'disablepop3=1,disableimap=0'],
        ['root', $hash, '', '', 0, 0, '/', '', '', ''],
        ['wheel', $hash, '', '', $UID, 0, '/', '', '', ''],
        ['homeless', $hash, '', '', $UID, $GID, 'home', '', '', ''],
        ['bad', '{NO}x', '', '', $UID, $GID, '/', '', '', ''],
        ["o''brien", $hash, '', '', $UID, $GID, '/', '', '', ''],
    );
    my $text = "CREATE TABLE passwd (id varchar(128) not null primary key, crypt varchar(255), clear varchar(128),
        name varchar(128), uid int, gid int, home varchar(255), maildir varchar(255), quota varchar(255),
        options varchar(255));\n";
    for (@rows) {
        my @values = map { !defined ? 'NULL' : /\A\d+\z/ ? $_ : "'$_'" } @$_;
        $text .= 'INSERT INTO passwd VALUES (' . join(', ', @values) . ");\n";
    }
    return $text . "CREATE TABLE popbox (local_part varchar(64), domain_name varchar(64), hash varchar(255));
        INSERT INTO popbox VALUES ('joe', 'example.com', '$hash');
        INSERT INTO popbox VALUES ('twin', 'example.com', '$hash');
        INSERT INTO popbox VALUES ('twin', 'example.com', '$hash');\n";
}

# accept, or the reason of the last log line.  The module may be a list of words that run it.
sub verdict {
    my ($module, $user, $password, %env) = @_;
    my @words = ref $module ? @$module : "$BIN/$module";
    my $r = run_module([@words, "$T/program"], input => "$user\0$password\0x\0", env => \%env);
    return ('accept', $r) if seen($r, 'name') eq 'program';
    return ($r->{log} =~ /reason=(\S+)\n\z/ ? $1 : "no verdict: $r->{log}", $r);
}

# The same for a user whom a certificate names, with accounts from these modules; or from a list of them and
# the words to run all that by.
sub proven {
    my ($modules, $user, %env) = @_;
    my ($list, @before) = ref $modules ? @$modules : $modules;
    my $r = run_module([@before, "$BIN/authexternal", "$T/program"], input => "\0\0\0", env => {
        PATH => "$BIN:$ENV{PATH}", AUTHMECH => 'EXTERNAL', SSL_PROTOCOL => 'TLSv1.2', TLS_EXTERNAL => 'CN',
        SSL_PEER_CERT_SUBJECT_CN => $user, authmodulelist => $list, %env });
    return ('accept', $r) if seen($r, 'name') eq 'program';
    return ($r->{log} =~ /^authexternal: .* reason=(\S+)\n\z/m ? $1 : "no verdict: $r->{log}", $r);
}

# Who somebody is: the module asked without a password, for a user who has proved it otherwise.
sub questions_of_others {
    my ($module, $prefix, %all) = @_;
    my $try = sub { (proven($module, @_))[0] };
    my ($answer, $r) = proven($module, 'sha', %all, DEFAULT_DOMAIN => 'example.com', DEFAULTOPTIONS => 'a=b');
    is $answer, 'accept', "authexternal with accounts of $module";
    is seen($r, 'uid'), "$UID,$UID", 'the uid';
    is seen($r, 'env') =~ s/.*?((?:AUTHMODULE|MAILDIR|MAILDIRQUOTA|OPTIONS|USER)=[^|]*)/$1|/gr =~ s/\|[^|]*\z//r,
        'AUTHMODULE=authexternal|MAILDIR=Mail|MAILDIRQUOTA=1000S|OPTIONS=sharedgroup=x,a=b|USER=sha@example.com', 'and the account';
    is seen($r, 'fds'), '0 1 2', 'no descriptor is left';
    unlike $r->{out}, qr/\Q$prefix\E|secret/, 'and no setting of the database';
    is $try->('sha', %all, DEFDOMAIN => '@example.com'), 'accept', 'a certificate without a domain';
    is $try->('none', %all), 'accept', 'no password is needed';
    is $try->('nobody', %all), 'unknown-user', 'an unknown user';
    is $try->("' OR '1'='1", %all), 'unknown-user', 'no name is SQL';
    is $try->('off', %all), 'disabled', 'an account that is disabled';
    is $try->('ann', %all, DEFAULTOPTIONS => 'disableimap=1'), 'disabled', '... by DEFAULTOPTIONS';
    is $try->($_, %all), 'unknown-user', "never $_" for qw(root wheel);
    is $try->('homeless', %all), 'account-source', 'a relative home: temporary';
    is $try->('ann', %all, "${prefix}_USER_TABLE" => 'nowhere'), 'account-source', 'no such table: temporary';
    is((proven("authuserdb $module", 'ann', %all))[0], 'accept', 'behind a source that fails');
    is $try->('ann', %all, PATH => join ':', grep { $_ ne $BIN } split /:/, $ENV{PATH}), 'account-source', 'a module that is not installed: temporary';

    # The question alone makes nobody anything.
    my @question = (input => "ann\0\0\0");
    $r = run_module(["$BIN/$module", "$T/program"], @question, plain => 1, env => { %all, AUTHMECH => 'PRE' });
    is "$r->{code} $r->{out}", "0 UID=$UID\nGID=$GID\nHOME=/\nADDRESS=ann\nNAME=Ann\n.\n", 'what it is told';
    $r = run_module(["$BIN/$module", "$T/program"], @question, env => { %all, AUTHMECH => 'PRE' });
    is seen($r, 'name'), 'imaplogin', 'under imaplogin there is no such question';
    like $r->{log}, qr/reason=unknown-mechanism$/, '... but a mechanism that nobody knows';
}

# module, the prefix of its settings, how to write a || b, and the settings that lead to the server.
sub questions {
    my ($module, $prefix, $concatenated, %server) = @_;
    my %env = (%server, "${prefix}_CRYPT_PWFIELD" => 'crypt');
    my %all = (%env, "${prefix}_CLEAR_PWFIELD" => 'clear', "${prefix}_MAILDIR_FIELD" => 'maildir',
        "${prefix}_QUOTA_FIELD" => 'quota', "${prefix}_AUXOPTIONS_FIELD" => 'options');
    my $try = sub { (verdict($module, @_))[0] };

    my ($answer, $r) = verdict($module, 'ann', 'secret', %env);
    is $answer, 'accept', 'the right password';
    is seen($r, 'uid'), "$UID,$UID", 'the uid';
    unlike $r->{out}, qr/\Q$prefix\E|secret/, 'no setting of the database is left to the session';
    $r = run_module(["$BIN/$module", "$T/program"], plain => 1, input => "ann\0secret\0x\0", env => \%env);
    is seen($r, 'fds'), '0 1 2', 'nor to a checkpassword program\'s the connection to it';
    is $try->('ann', 'Secret', %env), 'wrong-password', 'a wrong one';
    is $try->('ann', '', %env), 'wrong-password', 'an empty one';
    is $try->('nobody', 'secret', %env), 'unknown-user', 'an unknown user';
    is $try->('clear', 'secret', %env), 'no-password', 'a column that is not configured does not count';
    is $try->('clear', 'secret', %all), 'accept', 'a password in the clear';
    is $try->('clear', 'secrets', %all), 'wrong-password', 'another';
    is $try->('both', $_, %all), 'accept', "hash and clear: $_" for qw(hashed secret);
    is $try->('none', '', %all), 'no-password', 'no password is not the empty one';
    is $try->('root', 'secret', %all), 'uid-0', 'never uid 0';
    is $try->('wheel', 'secret', %all), 'gid-0', 'nor gid 0';
    is $try->('homeless', 'secret', %all), 'database', 'a relative home is the administrator\'s mistake';
    is $try->('bad', 'secret', %all), 'crypt-failed', 'so is a hash of no known kind';
    is $try->('off', 'secret', %all), 'disabled', 'disableimap=1';
    is $try->('off', 'wrong', %all), 'disabled', 'whatever the password';
    is $try->('pop', 'secret', %all), 'accept', 'disableimap=0, disablepop3=1';
    is $try->('pop', 'secret', %all, AUTHSERVICE => 'pop3'), 'disabled', 'for pop3';
    is $try->('ann', 'secret', %all, DEFAULTOPTIONS => 'disableimap=1'), 'disabled', 'DEFAULTOPTIONS';
    is $try->('pop', 'secret', %all, DEFAULTOPTIONS => 'disableimap=1'), 'accept', 'count less than the account\'s';

    ($answer, $r) = verdict($module, 'sha', 'secret', %all, DEFAULT_DOMAIN => 'example.com', DEFAULTOPTIONS => 'a=b');
    is $answer, 'accept', 'a salted hash of another scheme, the default domain';
    is seen($r, 'env') =~ s/.*?((?:MAILDIR|MAILDIRQUOTA|OPTIONS|USER)=[^|]*)/$1|/gr =~ s/\|[^|]*\z//r,
        'MAILDIR=Mail|MAILDIRQUOTA=1000S|OPTIONS=sharedgroup=x,a=b|USER=sha@example.com', 'maildir, quota, options, name';

    is $try->("o'brien", 'secret', %env), 'accept', 'a name with a quote';
    for ("' OR '1'='1", "ann' -- ", "ann'; DROP TABLE passwd; --", "' UNION SELECT 'ann', '', 'x', 1, 1, '/', '', '', '', '' -- ",
        'ann\\', "\\' OR 1=1 #", '$1', '?', '$(user)', "ann\xff", "\xc0\xa7 OR 1=1", 'x' x 600, '%', 'ann%', "ann\n") {
        is $try->($_, 'secret', %all), 'unknown-user', 'no name is SQL: ' . substr(s/[^ -~]/./gr, 0, 40);
    }
    is $try->('ann', "' OR '1'='1", %all), 'wrong-password', 'nor a password';

    is $try->('ann', 'secret', %env, "${prefix}_WHERE_CLAUSE" => "name = 'Ann'"), 'accept', 'WHERE_CLAUSE';
    is $try->('ann', 'secret', %env, "${prefix}_WHERE_CLAUSE" => "name = 'x' OR name = 'y'"), 'unknown-user', 'as a whole';

    questions_of_others($module, $prefix, %all);

    my $select = "SELECT $concatenated, hash, '', $UID, $GID, '/' FROM popbox";
    my %clause = (%server, DEFAULT_DOMAIN => 'example.com');
    my @forms = (
        'Courier\'s quotes' => "$select WHERE local_part = '\$(local_part)' AND domain_name = '\$(domain)'",
        'no quotes' => "$select WHERE local_part = \$(local_part) AND domain_name = \$(domain)",
        'more in a string' => "$select WHERE $concatenated = '\$(local_part)\@\$(domain)' AND '\$(service)' = 'imap'",
    );
    while (my ($what, $clause) = splice @forms, 0, 2) {
        my %with = (%clause, "${prefix}_SELECT_CLAUSE" => $clause);
        ($answer, $r) = verdict($module, 'joe', 'secret', %with);
        is $answer, 'accept', "SELECT_CLAUSE, $what";
        like $r->{out}, qr/^env=USER=joe\@example\.com$/m, 'the name is what it says';
        is $try->('joe@example.com', 'secret', %with), 'accept', 'with a domain';
        is $try->('joe@example.org', 'secret', %with), 'unknown-user', 'with another';
        is $try->("x' OR '1'='1", 'secret', %with), 'unknown-user', 'a quote stays in its parameter';
        is $try->('twin', 'secret', %with), 'database', 'two rows are no answer';
    }

    my @bad = ("$select WHERE local_part = '\$(nobody)'", "$select WHERE 'unclosed", "$select WHERE local_part = '\$(newpass)'");
    is run_module(["$BIN/$module", "$T/program"], input => "joe\0secret\0x\0", env => { %clause, "${prefix}_SELECT_CLAUSE" => $_ })->{code},
        100, "misconfigured: $_" for @bad;
    is run_module(["$BIN/$module", "$T/program"], input => "joe\0secret\0x\0", env => {%server})->{code}, 100, 'no password column';
    ($answer, $r) = verdict($module, 'ann', 'secret', %env, "${prefix}_USER_TABLE" => 'nowhere');
    is $answer, 'database', 'no such table: temporary';
    like $r->{log}, qr/failed attempt=query database=\S+ why=".*nowhere.*" remedy=/, 'which is logged';
    like $r->{out}, qr/^env=IMAPLOGIN_VERDICT=temporary$/m, 'imaplogin knows';
    is $try->('ann', 'secret', %env), 'accept', 'nothing has been dropped';
}

1;
