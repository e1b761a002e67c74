#!/usr/bin/perl
# Logins by CRAM-MD5, SCRAM and EXTERNAL, from the client's first byte to its session: with clients of
# our own that do what honest ones never do, and with real ones.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::MD5 'md5';
use IO::Socket::SSL;
use LoginServer;
use MIME::Base64 'encode_base64', 'decode_base64';
use Scram;
use Test::More;

my $bin = $LoginServer::bin;
my $denied = 'NO [AUTHENTICATIONFAILED] Login failed';
my $base = LoginServer->new(modules => []);
my $dir = $base->{dir};
my ($uid, $gid) = $LoginServer::is_root ? (65532, 65532) : ($>, $) + 0);

sub sh { system('/bin/sh', '-ec', "exec >>$dir/sh.log 2>&1; @_") == 0 or die $base->slurp('sh.log') }

# ---- accounts ----

mkdir "$dir/home";
sh("$bin/maildirmake $dir/home/Maildir; chown -R $uid:$gid $dir/home");
my $account = "uid=$uid|gid=$gid|home=$dir/home";
my @kinds = map { chomp; $_ } `printf 'secret\\n' | $bin/userdbpw -mS1`;
is scalar(@kinds), 3, 'userdbpw prints three secrets';
sub secrets { return "hmac-md5pw=$kinds[0]|scram-sha-256pw=$kinds[1]|scram-sha-1pw=$kinds[2]" }
LoginServer::in_file("$dir/userdb", <<"END", 0600);
joe\t$account|@{[secrets()]}
ann=,x\t$account|@{[secrets()]}
off\t$account|options=disableimap=1|@{[secrets()]}
plain\t$account
own\t$account|imap-hmac-md5pw=$kinds[0]|imap-scram-sha-256pw=SCRAM-SHA-256\$$kinds[1]|hmac-md5pw=|scram-sha-256pw=
j\xc3\xb6\t$account|@{[secrets()]}
bad\t$account|hmac-md5pw=0123|scram-sha-256pw=4096:AAAA
dom\@example.com\t$account|@{[secrets()]}
END
sh("$bin/makeuserdb $dir/userdb $dir/userdb.cdb");

# ---- servers ----

# server(modules, before, env): a started server with the real modules and imapd.
sub server {
    my ($modules, $before, %env) = @_;
    my $server = LoginServer->new(modules => [], before => $before,
        words => ["$bin/imaplogin", (map { "$bin/$_" } @$modules), "$bin/imapd", 'Maildir'],
        env => { USERDB => "$dir/userdb.cdb", SCRAM_SECRET => "$dir/scram.secret", IMAP_LOGIN_FAILURES => 100, %env });
    return $server->start;
}
my @all = qw(authuserdb authcram authscram authexternal);
my $server = server(\@all, []);
my $c;

sub reconnect { my ($to) = @_; $c = ($to // $server)->client; return $c->line }

# What the client is asked, decoded; or the answer to the command.
sub asked {
    my $line = $c->line // return '(closed)';
    return $line =~ /^\+ (.*)/ ? '+' . decode_base64($1) : $line;
}

# scram(client, mechanism): the answer to a whole game.  `initial`: the first message comes at once.
my $tag = 'a';
sub scram {
    my ($scram, $mechanism, $initial) = @_;
    $tag++;
    if ($initial) { $c->say("$tag AUTHENTICATE $mechanism ", $scram->first, "\r\n") }
    else {
        $c->say("$tag AUTHENTICATE $mechanism\r\n");
        is asked(), '+', "$mechanism: asked for the first message";
        $c->say($scram->first, "\r\n");
    }
    my $challenge = asked();
    return $challenge unless $challenge =~ s/^\+//;
    $c->say($scram->final($challenge), "\r\n");
    my $proof = asked();
    return $proof unless $proof =~ s/^\+//;
    my $error = $proof =~ /^e=/;
    is $proof, $scram->{proof}, "$mechanism: the server proves itself" unless $error;
    $c->say("\r\n");
    return $error ? "$proof, " . $c->line : $c->line;
}
sub hmac_md5 {
    my ($data, $key) = @_;
    $key = md5($key) if length $key > 64;
    $key .= "\0" x (64 - length $key);
    return unpack 'H*', md5(($key ^ "\x5c" x 64) . md5(($key ^ "\x36" x 64) . $data));
}

sub cram {
    my ($user, $password, $challenge) = @_;
    $tag++;
    $c->say("$tag AUTHENTICATE CRAM-MD5\r\n");
    my ($asked) = asked() =~ /^\+(.*)/ or return 'not asked';
    $c->say(encode_base64("$user " . hmac_md5($challenge // $asked, $password), ''), "\r\n");
    return $c->line;
}
my $in = qr/^\w+ OK \[CAPABILITY IMAP4rev1.*\] AUTHENTICATE /;

# ---- what is offered ----

my $greeting = reconnect();
like $greeting, qr/ AUTH=$_\b/, "$_ is offered" for qw(PLAIN CRAM-MD5 SCRAM-SHA-256);
unlike $greeting, qr/ AUTH=$_(?![-\w])/, "$_ is not" for qw(SCRAM-SHA-1 SCRAM-SHA-256-PLUS EXTERNAL OAUTHBEARER XOAUTH2);
like $c->command('x AUTHENTICATE SCRAM-SHA-1'), qr/^x NO Mechanism not offered/, 'nor taken';
{
    my $some = server(['authscram'], [], IMAP_SCRAM_SHA1 => 1);
    my $offer = reconnect($some);
    like $offer, qr/ LOGINDISABLED AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256\]/, 'a chain without passwords; SCRAM-SHA-1 wanted';
    is $c->command('a LOGIN joe secret'), 'a NO [CANNOT] LOGIN is not offered, use AUTHENTICATE', '... takes none';
    like scram(Scram->new(user => 'joe', password => 'secret', hash => 1), 'SCRAM-SHA-1'), $in, 'SCRAM-SHA-1';
    my $closed = server(\@all, [], IMAP_TLS_REQUIRED => 1);
    unlike reconnect($closed), qr/AUTH=/, 'nothing without TLS where that is required';
    like $c->command('a AUTHENTICATE CRAM-MD5'), qr/^a NO \[PRIVACYREQUIRED\]/, '... nor taken';
}

# ---- CRAM-MD5 ----

reconnect();
is cram('joe', 'wrong'), "$tag $denied", 'CRAM-MD5: a wrong password';
is cram('nobody', 'secret'), "$tag $denied", '... a user who is not there';
is cram('plain', 'secret'), "$tag $denied", '... a user without a secret';
is cram('off', 'secret'), "$tag $denied", '... an account that is disabled';
is cram('joe', 'secret', '<1.2@x>'), "$tag $denied", '... an answer to another challenge';
like cram('bad', 'secret'), qr/^$tag NO \[UNAVAILABLE\]/, '... a secret that is damaged';
like $c->command('x AUTHENTICATE CRAM-MD5 am9lIDAw'), qr/^x BAD /, '... no initial response';
for (['*', 'cancelled'], ['!', 'no base64'], ['am9l', 'no digest'], [encode_base64('joe ' . 'A' x 32, ''), 'capitals'],
    [encode_base64(' ' . 'a' x 32, ''), 'no user'], ['', 'nothing']) {
    $c->say("x AUTHENTICATE CRAM-MD5\r\n");
    like asked(), qr/^\+<[0-9a-f]{32}\.\d+\@chainmail>$/, '... challenged';
    $c->say("$_->[0]\r\n");
    like $c->line, qr/^x BAD /, "... $_->[1]";
    reconnect() if $_->[0] eq '!';
}
like cram('ann=,x', 'secret'), $in, '... and right';
reconnect();
like cram('own', 'secret'), $in, 'a secret for IMAP alone';
ok $server->logged(qr/^authcram: \d+: declined user=nobody ip=127.0.0.1 reason=unknown-user$/m), 'the log has the reasons';

# ---- SCRAM ----

reconnect();
for my $initial (0, 1) {
    is scram(Scram->new(user => 'joe', password => 'wrong'), 'SCRAM-SHA-256', $initial), "$tag $denied", 'SCRAM: a wrong password';
    is scram(Scram->new(user => $_, password => 'secret'), 'SCRAM-SHA-256', $initial), "$tag $denied", "... $_"
      for qw(nobody plain off);
}
is scram(Scram->new(user => 'joe', password => 'secret', authzid => 'ann'), 'SCRAM-SHA-256', 1), "$tag $denied", '... for somebody else';
is scram(Scram->new(user => 'joe', password => 'secret', flag => 'p=tls-server-end-point'), 'SCRAM-SHA-256', 1), "$tag $denied",
  '... with a binding that is not there';
# Names: prepared, or refused.
for (["j\xf6", 'no UTF-8'], ["j\xed\xa0\x80", 'half of a pair'], ["j\xc0\xae", 'longer than need be'], ["joe\x01", 'a control character'],
    ["joe\x7f", 'another'], ["\xc2\xad", 'nothing but what says nothing'], ["joe\xef\xbf\xbe", 'no character'], ["joe\xee\x80\x80", 'a private one'],
    ["\xef\xb7\xba" x 170, 'longer when it is prepared']) {
    is scram(Scram->new(user => $_->[0], password => 'secret'), 'SCRAM-SHA-256', 1), "$tag $denied", "a name that is $_->[1]";
}
is scram(Scram->new(user => 'joe', password => 'secret', authzid => "\xff"), 'SCRAM-SHA-256', 1), "$tag $denied", '... or who is asked for';
{
    my $lines = () = $server->log_text =~ /^authscram: \d+: refused user=.* reason=malformed-user-name$/mg;
    is $lines, 10, '... in the log';
}
for (["j\xc3\xb6", 'as it is in the database'], ["jo\xcc\x88", 'in two parts'], ["\xc2\xadj\xe2\x80\x8b\xc3\xb6", 'with what says nothing']) {
    reconnect();
    like scram(Scram->new(user => $_->[0], password => 'secret'), 'SCRAM-SHA-256'), $in, "a name of other letters, $_->[1]";
}
reconnect();
like scram(Scram->new(user => 'bad', password => 'secret'), 'SCRAM-SHA-256', 1), qr/^$tag NO \[UNAVAILABLE\]/, '... a key that is damaged';
for (['', 'an empty message'], ['n,,n=', 'no message of SCRAM'], ["n,,n=joe,r=\0x", 'a NUL']) {
    like $c->command('x AUTHENTICATE SCRAM-SHA-256 ' . (encode_base64($_->[0], '') || '=')), qr/^x (?:NO|BAD) /, "... $_->[1]";
}
{
    # Who is not there is asked like anybody, and always alike.
    my %salt;
    for my $user (qw(joe nobody noone nobody)) {
        my $scram = Scram->new(user => $user, password => 'x');
        $c->say('x AUTHENTICATE SCRAM-SHA-256 ', $scram->first, "\r\n");
        my $challenge = asked();
        like $challenge, qr/^\+r=\Q$scram->{nonce}\E[\w+\/]{24},s=[\w+\/]{22}==,i=4096$/, "the challenge of $user";
        push @{ $salt{$user} }, { $scram->challenge($challenge) }->{s};
        $c->say("*\r\n");
        is $c->line, 'x BAD Cancelled', '... and cancelled';
    }
    is $salt{nobody}[0], $salt{nobody}[1], 'an unknown user has always the same salt';
    isnt $salt{nobody}[0], $salt{noone}[0], 'another one another';
    is -s "$dir/scram.secret", 32, 'the secret that they are made of';
    is((stat "$dir/scram.secret")[2] & 0777, 0600, '... is the service\'s alone');
}
{
    # DEFDOMAIN: both names of a user are one, of whoever is not there, too; or it would tell who is.
    my $domain = server(\@all, [], DEFDOMAIN => '@example.com');
    reconnect($domain);
    my %salt;
    for my $user (map { ($_, "$_\@example.com") } qw(dom nobody)) {
        $c->say('x AUTHENTICATE SCRAM-SHA-256 ', Scram->new(user => $user, password => 'x')->first, "\r\n");
        ($salt{$user}) = asked() =~ /,s=(.*?),/;
        $c->say("*\r\n");
        $c->line;
        is $salt{$user}, $salt{ $user =~ s/@.*//r }, "the salt of $user";
    }
    for my $authzid ('dom', 'dom@example.com') {
        reconnect($domain);
        like scram(Scram->new(user => 'dom', password => 'secret', authzid => $authzid), 'SCRAM-SHA-256', 1), $in, "dom is $authzid";
    }
}
reconnect();
for (['!!', 'no base64'], ['AAAA' x 2000, 'too much'], ['eA==', 'no message of SCRAM']) {
    $c->say('x AUTHENTICATE SCRAM-SHA-256 ', Scram->new(user => 'joe', password => 'secret')->first, "\r\n");
    asked();
    $c->say("$_->[0]\r\n");
    like $c->line, qr/^x (?:BAD|NO) /, "a final message: $_->[1]";
    is $c->command('y NOOP'), 'y OK NOOP completed', '... and the connection is of use';
}
{
    my $scram = Scram->new(user => 'joe', password => 'secret');
    $c->say('x AUTHENTICATE SCRAM-SHA-256 ', $scram->first, "\r\n");
    $c->say($scram->final(asked() =~ s/^\+//r), "\r\n");
    is asked(), "+$scram->{proof}", 'the server proves itself';
    $c->say("*\r\n");
    is $c->line, 'x BAD Cancelled', '... and the client does not like it';
}
like scram(Scram->new(user => 'ann=,x', password => 'secret', flag => 'y', authzid => 'ann=3D=2Cx'), 'SCRAM-SHA-256'), $in,
  'SCRAM-SHA-256: right';
like $c->command('z SELECT INBOX'), qr/\nz OK /, '... and the session is the user\'s';
reconnect();
like scram(Scram->new(user => 'own', password => 'secret'), 'SCRAM-SHA-256', 1), $in, 'a key for IMAP alone, with its scheme';
my $log = $server->log_text;
like $log, qr/^authscram: \d+: refused user=nobody ip=127\.0\.0\.1 reason=unknown-user\nimaplogin: \d+: login-failed user=nobody .*method=SCRAM-SHA-256 .*verdict=refused$/m,
  'the log has the user and why';
like $log, qr/^authscram: \d+: refused user=$_->[0] .*reason=$_->[1]$/m, "... $_->[1]"
  for ['joe', 'wrong-password'], ['off', 'disabled'], ['plain', 'no-password'], ['joe', 'authorization-identity'],
  ['joe', 'channel-binding'], ['joe', 'cancelled'], ['joe', 'malformed-message'];
like $log, qr/^authscram: \d+: login user="ann=,x" ip=127\.0\.0\.1 method=SCRAM-SHA-256 /m, '... and the login';

# A client that goes, or falls silent, in the middle.
reconnect();
$c->say('x AUTHENTICATE SCRAM-SHA-256 ', Scram->new(user => 'joe', password => 'x')->first, "\r\n");
asked();
$c->close;
ok $server->logged(qr/authscram: \d+: refused user=joe .*reason=client-closed$/m), 'a client that goes';
{
    my $short = server(\@all, [], IMAP_LOGIN_TIMEOUT => 1);
    reconnect($short);
    $c->say('x AUTHENTICATE SCRAM-SHA-256 ', Scram->new(user => 'joe', password => 'x')->first, "\r\n");
    asked();
    like $c->rest, qr/^\* BYE Too long without a login$/m, 'a client that falls silent';
    ok $short->logged(qr/authscram: \d+: refused user=joe .*reason=timeout\n(?:.*\n)*.*disconnect .*reason=timeout/), '... logged';
}
{
    my $lost = server(\@all, [], USERDB => "$dir/none");
    reconnect($lost);
    like scram(Scram->new(user => 'joe', password => 'secret'), 'SCRAM-SHA-256', 1), qr/^$tag NO \[UNAVAILABLE\]/, 'no database';
    my $open = server(\@all, [], SCRAM_SECRET => "$dir/open.secret");
    LoginServer::in_file("$dir/open.secret", 'x' x 32, 0644);
    reconnect($open);
    like scram(Scram->new(user => 'joe', password => 'secret'), 'SCRAM-SHA-256', 1), qr/^$tag NO \[UNAVAILABLE\]/,
      'an installation secret that others can read';
}

# ---- channel binding ----

sh("cd $dir; openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -subj /CN=localhost -sha384; cat c.pem k.pem >tls.pem");
my @tls_env = (TLS_CERTFILE => "$dir/tls.pem", TLS_UID => 65531, TLS_GID => 65531);
my $tls = server(\@all, ["$bin/tlsd", '-n'], @tls_env);
my $old = server(\@all, ["$bin/tlsd", '-n'], @tls_env, IMAP_SCRAM_SHA1 => 1);

sub begin_tls {
    my ($to) = @_;
    unlike reconnect($to // $tls), qr/PLUS/, 'no binding in the clear';
    is $c->command('s STARTTLS'), 's OK Begin TLS now', 'STARTTLS';
    my $inside = IO::Socket::SSL->start_SSL($c->{in}, SSL_verify_mode => SSL_VERIFY_NONE) or die $SSL_ERROR;
    my ($binding) = pack 'H*', $inside->get_fingerprint('sha384') =~ s/^sha384\$//r;
    $c = LoginClient->new($inside);
    return $binding;
}
my $binding = begin_tls();
is length $binding, 48, 'the binding of a certificate signed with SHA-384';
my $offer = $c->command('c CAPABILITY');
like $offer, qr/ AUTH=SCRAM-SHA-256-PLUS\b/, 'inside TLS it is offered';
unlike $offer, qr/SHA-1/, '... and SCRAM-SHA-1 is not';
my @bound = (user => 'joe', password => 'secret', flag => 'p=tls-server-end-point');
is scram(Scram->new(@bound, binding => 'x' x 48), 'SCRAM-SHA-256-PLUS', 1), "e=channel-bindings-dont-match, $tag $denied",
  'bound to another channel: told so, and denied';
ok $tls->logged(qr/refused user=joe .*reason=channel-binding-mismatch$/m), '... in words of its own';
is scram(Scram->new(@bound, flag => 'n'), 'SCRAM-SHA-256-PLUS', 1), "$tag $denied", 'PLUS without a binding';
is scram(Scram->new(@bound, flag => 'p=tls-unique', binding => 'x' x 12), 'SCRAM-SHA-256-PLUS', 1), "$tag $denied", 'another binding';
is scram(Scram->new(@bound, flag => 'y'), 'SCRAM-SHA-256', 1), "$tag $denied", 'somebody has taken the offer away';
ok $tls->logged(qr/refused user=joe .*reason=channel-binding-downgrade/), '... logged';
like scram(Scram->new(@bound, binding => $binding), 'SCRAM-SHA-256-PLUS'), $in, 'SCRAM-SHA-256-PLUS';
begin_tls();
like scram(Scram->new(@bound, flag => 'n'), 'SCRAM-SHA-256'), $in, 'a client that cannot bind';

# The older hash is no way around the binding.
begin_tls($old);
like $c->command('c CAPABILITY'), qr/ AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS\b/, 'both hashes, bound or not';
is scram(Scram->new(@bound, hash => 1, flag => 'y'), 'SCRAM-SHA-1', 1), "$tag $denied", 'SCRAM-SHA-1: somebody has taken the offer away';
ok $old->logged(qr/refused user=joe .*reason=channel-binding-downgrade/), '... logged';
is scram(Scram->new(@bound, hash => 1, binding => 'x' x 48), 'SCRAM-SHA-1-PLUS', 1), "e=channel-bindings-dont-match, $tag $denied",
  'SCRAM-SHA-1-PLUS, bound to another channel';
like scram(Scram->new(@bound, hash => 1, binding => $binding), 'SCRAM-SHA-1-PLUS'), $in, 'SCRAM-SHA-1-PLUS';
begin_tls($old);
like scram(Scram->new(@bound, hash => 1, flag => 'n'), 'SCRAM-SHA-1'), $in, 'SCRAM-SHA-1, a client that cannot bind';

# ---- EXTERNAL: a terminator that has verified a certificate says so in the environment ----

my @certified = (SSL_PROTOCOL => 'TLSv1.2', SSL_PEER_CERT_SUBJECT_CN => 'joe', SSL_PEER_CERT_SUBJECT_EMAILADDRESS => 'lost');
my $external = server(\@all, [], @certified, TLS_EXTERNAL => 'cn');
like reconnect($external), qr/ AUTH=EXTERNAL\b/, 'EXTERNAL is offered';
is $c->command('a AUTHENTICATE EXTERNAL ' . encode_base64('ann', '')), "a $denied", 'the certificate is joe\'s';
ok $external->logged(qr/authexternal: \d+: refused user=joe .*reason=authorization-identity/), '... logged';
like $c->command('a AUTHENTICATE EXTERNAL ='), $in, 'EXTERNAL';
reconnect($external);
like $c->command('a AUTHENTICATE EXTERNAL ' . encode_base64('joe', '')), $in, '... with the name said';
reconnect($external);
$c->say("a AUTHENTICATE EXTERNAL\r\n");
is asked(), '+', '... asked';
$c->say("\r\n");
like $c->line, $in, '... answered with nothing';
my $email = server(\@all, [], @certified, TLS_EXTERNAL => 'emailaddress', authmodulelist => 'authuserdb authpwd');
reconnect($email);
is $c->command('a AUTHENTICATE EXTERNAL ='), "a $denied", 'another attribute: nobody\'s';
ok $email->logged(qr/authexternal: \d+: declined user=lost .*reason=unknown-user/), '... logged';
for ([TLS_EXTERNAL => undef, 'nobody has asked for it'], [TLS_EXTERNAL => 'serialnumber', 'an attribute that is not there'],
    [SSL_PROTOCOL => undef, 'no TLS'], [SSL_PEER_CERT_SUBJECT_CN => '', 'no certificate']) {
    unlike reconnect(server(\@all, [], @certified, TLS_EXTERNAL => 'cn', @$_[0, 1])), qr/EXTERNAL/, "$_->[2]: not offered";
}
# (tests/tls/external.t begins with the client's certificate.)

# ---- real clients ----

sub has { my ($program) = @_; return grep { -x "$_/$program" } split /:/, $ENV{PATH} }

sub curl {
    my ($to, $mechanism, @words) = @_;
    return `timeout 30 curl -sv --noproxy '*' -X NOOP --login-options 'AUTH=$mechanism' @words imap://127.0.0.1:$to->{port}/ 2>&1`;
}
SKIP: {
    skip 'no curl', 3 unless has('curl');
    like curl($server, 'CRAM-MD5', '-u joe:secret'), qr/^< A\d+ OK .*\n(?:.*\n)*< A\d+ OK NOOP/m, 'curl: CRAM-MD5';
    like curl($server, 'CRAM-MD5', '-u joe:wrong'), qr/^< A\d+ NO \[AUTH/m, '... with a wrong password';
    like curl($external, 'EXTERNAL', '-u joe:'), qr/^< A\d+ OK .*\n(?:.*\n)*< A\d+ OK NOOP/m, 'curl: EXTERNAL';
}
SKIP: {
    skip 'no gsasl', 3 unless has('gsasl');
    my $gsasl = sub {
        my ($to, $mechanism, $password, @words) = @_;
        return `timeout 30 gsasl --imap --connect 127.0.0.1:$to->{port} -m $mechanism -a joe -z joe --password $password @words --no-starttls </dev/null 2>&1`;
    };
    like $gsasl->($server, 'CRAM-MD5', 'secret'), qr/^\S+ OK .* AUTHENTICATE /m, 'gsasl: CRAM-MD5';
    like $gsasl->($server, 'SCRAM-SHA-256', 'secret'), qr/^\S+ OK .* AUTHENTICATE /m, 'gsasl: SCRAM-SHA-256';
    like $gsasl->($server, 'SCRAM-SHA-256', 'wrong'), qr/NO \[AUTH/, '... with a wrong password';
}
SKIP: {
    skip 'no mbsync with SASL modules', 2 unless has('mbsync') && glob '/usr/lib/*/sasl2/libscram.so';
    for my $mechanism ('CRAM-MD5', 'SCRAM-SHA-256') {
        mkdir "$dir/near-$mechanism";
        LoginServer::in_file("$dir/mbsyncrc", <<"END", 0600);
IMAPStore far
Host 127.0.0.1
Port $server->{port}
User joe
Pass secret
SSLType None
AuthMechs $mechanism

MaildirStore near
Path $dir/near-$mechanism/
Inbox $dir/near-$mechanism/INBOX

Channel both
Far :far:
Near :near:
Create Near
SyncState *
END
        my $said = `HOME=$dir timeout 30 mbsync -c $dir/mbsyncrc both 2>&1`;
        is $?, 0, "mbsync: $mechanism" or diag $said;
    }
}

for ($server, $tls, $old, $external, $email) {
    unlike $_->log_text, qr/secret(?!=)/, 'no password in the log';
}
done_testing;
