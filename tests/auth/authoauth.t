#!/usr/bin/perl
# authoauth: tokens that openssl has signed, and every forgery that comes to mind; then curl.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../login";
use JSON::PP;
use LoginServer;
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64);
use Module;
use Test::More;

my $json = JSON::PP->new->canonical->allow_nonref;
my $home = "$T/home";
sub sh { my $out = `$_[0]`; $? == 0 or die "$_[0]\n"; return $out }

# ---- keys ----

sub rsa_key {
    my ($name, $bits) = @_;
    sh("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out $T/$name.key 2>&1");
    my ($n) = sh("openssl rsa -in $T/$name.key -noout -modulus") =~ /=(\w+)/;
    return { kty => 'RSA', kid => $name, n => encode_base64url(pack 'H*', $n), e => 'AQAB' };
}
sub ec_key {
    my ($name, $curve) = @_;
    sh("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out $T/$name.key 2>&1");
    my $der = sh("openssl pkey -in $T/$name.key -pubout -outform DER");
    my $point = substr $der, -64;
    return { kty => 'EC', crv => 'P-256', kid => $name, map { ($_->[0] => encode_base64url(substr $point, $_->[1], 32)) } ['x', 0], ['y', 32] };
}
my %key = (rsa => rsa_key('rsa', 2048), ec => ec_key('ec', 'P-256'), other => rsa_key('other', 2048), small => rsa_key('small', 1024),
    otherec => ec_key('otherec', 'P-256'));
my $jwks = "$T/jwks.json";
sub keys_are { write_file($jwks, $json->encode({ keys => [@_] })) }
keys_are(@key{qw(rsa ec small)});

# ---- tokens ----

my %header = (typ => 'JWT');
my %good = (iss => 'https://id.example.com', aud => 'imap', sub => 'joe', exp => time + 3600, iat => time, scope => 'openid mail');
sub der_to_raw {
    my ($der) = @_;
    my $at = 2;
    return join '', map {
        my $size = ord substr $der, $at + 1, 1;
        my $number = substr $der, $at + 2, $size;
        $at += 2 + $size;
        substr "\0" x 32 . $number, -32;
    } 1, 2;
}
sub sign {
    my ($name, $text) = @_;
    write_file("$T/text", $text);
    my $signature = sh("openssl dgst -sha256 -sign $T/$name.key $T/text");
    return $key{$name}{kty} eq 'EC' ? der_to_raw($signature) : $signature;
}
# token(key, changed claims, changed header): a name whose value is undef is left out.
sub changed {
    my ($from, $to) = @_;
    my %all = (%$from, %{ $to // {} });
    delete @all{ grep { !defined $all{$_} } keys %all };
    return $json->encode(\%all);
}
sub raw_token {
    my ($name, $header, $claims) = @_;
    my $text = encode_base64url($header) . '.' . encode_base64url($claims);
    return "$text." . encode_base64url(sign($name, $text));
}
sub token {
    my ($name, $claims, $header) = @_;
    my $algorithm = $key{$name}{kty} eq 'EC' ? 'ES256' : 'RS256';
    return raw_token($name, changed({ %header, alg => $algorithm, kid => $name }, $header), changed(\%good, $claims));
}
sub bearer { my ($token, $user) = @_; return 'n,' . (defined $user ? "a=$user" : '') . ",\1host=x\1port=143\1auth=Bearer $token\1\1" }
sub xoauth2 { my ($token, $user) = @_; return 'user=' . ($user // 'joe') . "\1auth=Bearer $token\1\1" }

# ---- verdicts ----

mkdir $home or die;
chown $UID, $GID, $home unless $>;
my $account = "uid=$UID|gid=$GID|home=$home";
userdb(<<"END");
joe\t$account
joe\@example.com\t$account
off\t$account|disabled=1
a,b=c\t$account
END
my %env = (OAUTH_JWKS => $jwks, OAUTH_ISSUER => $good{iss}, OAUTH_AUDIENCE => 'imap mail.example.com', AUTHMECH => 'OAUTHBEARER');
# As a checkpassword program, which has nobody to talk to: `in`, or the reason.
sub verdict {
    my ($message, %more) = @_;
    my $r = run_module(["$BIN/authoauth", "$T/program"], plain => 1, input => "\0\0$message\0", env => { %env, %more });
    return "exit $r->{code}" . ($r->{log} =~ /why=("[^"]*")/ ? " $1" : '') if $r->{code} > 1 && $r->{log} !~ /reason=/;
    return $r->{log} =~ /: login user=("[^"]*"|\S+)/ ? "in $1" : 'no verdict' unless $r->{code};
    return $r->{log} =~ /reason=(\S+)\n\z/ ? $1 : "no verdict: $r->{log}";
}
sub ok_token { my ($what, @token) = @_; is verdict(bearer(token(@token))), 'in joe', $what }
sub bad_token { my ($reason, $what, @token) = @_; is verdict(bearer(token(@token))), $reason, $what }

ok_token('RS256', 'rsa');
ok_token('ES256', 'ec');
is verdict(bearer(token('rsa'), 'joe')), 'in joe', 'for whom the token is';
is verdict(bearer(token('rsa'), 'ann')), 'authorization-identity', 'for somebody else';
is verdict(bearer(token('ec', { sub => 'a,b=c' }), 'a=2Cb=3Dc')), 'in "a,b=c"', 'a name that is quoted';
is verdict(bearer(token('ec'), 'joe'), DEFDOMAIN => '@example.com'), 'in joe@example.com', 'a name without a domain';
is verdict(bearer(token('ec', { sub => 'joe@example.com' }), 'joe'), DEFDOMAIN => '@example.com'), 'in joe@example.com', '... and one with it';
is verdict(xoauth2(token('rsa')), AUTHMECH => 'XOAUTH2'), 'in joe', 'XOAUTH2';
is verdict(xoauth2(token('rsa'), 'ann'), AUTHMECH => 'XOAUTH2'), 'authorization-identity', '... for somebody else';
is verdict(bearer(token('ec', { sub => 'nobody' }))), 'unknown-user', 'a user without an account';
is verdict(bearer(token('ec', { sub => 'off' }))), 'disabled', 'an account that is disabled';
is verdict(bearer(token('ec', { sub => 'x', email => 'joe' })), OAUTH_USER_CLAIM => 'email'), 'in joe', 'another claim for the user';
is verdict(bearer(token('ec')), OAUTH_USER_CLAIM => 'email'), 'no-user-in-token', '... that is not there';
bad_token('no-user-in-token', "a user that is $_->[1]", 'ec', { sub => $_->[0] }) for [undef, 'missing'], ['', 'empty'], [7, 'a number'],
  [['joe'], 'a list'], ['x' x 600, 'too long'], ["joe\n", 'with a line end'];
is verdict(bearer(token('ec')), OAUTH_SCOPE => 'mail'), 'in joe', 'a scope';
is verdict(bearer(token('ec')), OAUTH_SCOPE => 'mail openid'), 'in joe', '... two';
is verdict(bearer(token('ec')), OAUTH_SCOPE => 'mail write'), 'scope-missing', '... one that is missing';
is verdict(bearer(token('ec')), OAUTH_SCOPE => 'mai'), 'scope-missing', '... part of one';
is verdict(bearer(token('ec', { scope => undef, scp => ['a', 'mail'] })), OAUTH_SCOPE => 'mail'), 'in joe', '... in a list';

# Claims
bad_token('wrong-issuer', "an issuer $_->[1]", 'ec', { iss => $_->[0] }) for ['https://id.example.com/', 'that is almost it'], [undef, 'that is missing'],
  [['https://id.example.com'], 'in a list'];
ok_token('one of two audiences', 'ec', { aud => 'mail.example.com' });
ok_token('an audience among others', 'ec', { aud => ['x', 'imap'] });
bad_token('wrong-audience', "an audience that is $_->[1]", 'ec', { aud => $_->[0] }) for ['im', 'part of it'], ['imap mail.example.com', 'the whole list'],
  [undef, 'missing'], [[], 'an empty list'], ['', 'empty'], [[['imap']], 'hidden deeper'], [{ imap => 1 }, 'an object'];
bad_token('token-expired', 'expired', 'ec', { exp => time - 100 });
bad_token('token-expired', '... at once', 'ec', { exp => 0 });
ok_token('a clock that is a little wrong', 'ec', { exp => time - 5, nbf => time + 5, iat => time + 5 });
is verdict(bearer(token('ec', { exp => time - 5 })), OAUTH_LEEWAY => 0), 'token-expired', '... or may not be';
bad_token('token-not-yet-valid', 'not yet valid', 'ec', { nbf => time + 100 });
bad_token('token-not-yet-valid', 'from the future', 'ec', { iat => time + 100 });
bad_token('malformed-token', "exp $_->[1]", 'ec', { exp => $_->[0] }) for [undef, 'that is missing'], ['9999999999', 'as a string'], [-1, 'negative'],
  [1e300, 'beyond time'], [JSON::PP::true, 'as a truth'];
is verdict(bearer(raw_token('ec', '{"alg":"ES256"}', '{"sub":"ann","sub":"joe","aud":"imap","iss":"https://id.example.com","exp":9999999999}'))),
  'malformed-token', 'a claim that is there twice';
for (['[]', 'a list'], ['', 'nothing'], ['{', 'half an object'], ['"x"', 'a string'], ['{"sub":"joe\u0000x"}', 'a NUL'], ["{\"sub\":\"\xff\"}", 'no UTF-8'],
    ['[' x 1000, 'deep']) {
    is verdict(bearer(raw_token('ec', '{"alg":"ES256"}', $_->[0]))), 'malformed-token', "claims that are $_->[1]";
}

# Headers
ok_token('no key id', 'ec', {}, { kid => undef });
ok_token('no type', 'rsa', {}, { typ => undef });
ok_token('an access token', 'rsa', {}, { typ => 'at+JWT' });
bad_token('malformed-token', 'a token for something else', 'rsa', {}, { typ => 'dpop+jwt' });
bad_token('unknown-key', 'a key id that nobody has', 'rsa', {}, { kid => 'ghost' });
bad_token('wrong-signature', 'another key\'s id', 'other', {}, { kid => 'rsa' });
bad_token('unknown-key', 'a key that is not in the set', 'other');
bad_token('wrong-signature', '... without its id', 'other', {}, { kid => undef });
bad_token('wrong-signature', '... on a curve', 'otherec', {}, { kid => undef });
bad_token('unknown-key', 'a key that is too small', 'small');
bad_token('unknown-key', 'an id of the wrong kind of key', 'rsa', {}, { kid => 'ec' });
bad_token('unknown-algorithm', "alg $_", 'rsa', {}, { alg => $_ }) for qw(none None NONE HS256 HS512 RS384 PS256 ES384 EdDSA rs256), '', 'RS256 ';
bad_token('malformed-token', "alg of another kind", 'rsa', {}, { alg => $_ }) for undef, 0, ['RS256'];
bad_token('unknown-algorithm', 'an extension that must be understood', 'rsa', {}, { crit => ['exp'] });
bad_token('unknown-key', 'a key id of another kind', 'rsa', {}, { kid => ['rsa'] });
bad_token('unknown-key', '... too long', 'rsa', {}, { kid => 'x' x 300 });
ok_token('a key that the token brings along is not looked at', 'rsa', {}, { jwk => $key{other}, jku => 'http://127.0.0.1/' });
bad_token('wrong-signature', '... nor taken', 'other', {}, { jwk => $key{other}, kid => 'rsa' });

# Signatures
my $token = token('rsa');
my ($head, $body, $signature) = split /\./, $token;
sub none { return encode_base64url($json->encode({ alg => $_[0], typ => 'JWT' })) }
is verdict(bearer("$head.$body.")), 'malformed-token', 'no signature';
is verdict(bearer("$head.$body")), 'malformed-token', '... nor a place for it';
is verdict(bearer(none('none') . ".$body.")), 'unknown-algorithm', 'alg none';
is verdict(bearer("$head.$body.$signature.x")), 'malformed-token', 'a fourth part';
is verdict(bearer("$head.$body." . 'A' x length $signature)), 'wrong-signature', 'zeros';
is verdict(bearer(token('ec') =~ s/[^.]+\z/'A' x 86/er)), 'wrong-signature', '... on a curve';
is verdict(bearer("$head.$body." . substr $signature, 0, -2)), 'wrong-signature', 'a signature cut off';
is verdict(bearer("$head.$body.$signature" . 'AAAA')), 'wrong-signature', 'more of it';
is verdict(bearer("$head." . encode_base64url(changed(\%good, { sub => 'ann' })) . ".$signature")), 'wrong-signature', 'other claims';
is verdict(bearer(token('ec', {}, { alg => 'RS256', kid => undef }))), 'wrong-signature', 'a signature of the other algorithm';
is verdict(bearer(token('rsa', {}, { alg => 'ES256', kid => undef }))), 'wrong-signature', '... and the other way round';
{
    # The public key taken for a secret: what HS256 would find good.
    require Digest::SHA;
    my $pem = sh("openssl pkey -in $T/rsa.key -pubout");
    my $text = none('HS256') . ".$body";
    is verdict(bearer("$text." . encode_base64url(Digest::SHA::hmac_sha256($text, $pem)))), 'unknown-algorithm', 'HS256 by the public key';
}
is verdict(bearer("$head.$body.$signature=")), 'malformed-token', 'padding';
is verdict(bearer("$head.$body." . ($signature =~ tr/_-/\/+/r) . '+/')), 'malformed-token', 'the other base64';
is verdict(bearer('x')), 'malformed-token', 'no token';
is verdict(bearer('')), 'malformed-token', 'nothing';

# Messages
for (["n,,\1auth=Bearer $token\1", 'no end'], ["n,,auth=Bearer $token\1\1", 'no separator'], ["auth=Bearer $token\1\1", 'no header'],
    ["p=x,,\1auth=Bearer $token\1\1", 'a channel binding'], ["n,,\1host=x\1\1", 'no token'], ["n,a=,\1auth=Bearer $token\1\1", 'an empty name'],
    ["n,a=x=2,\1auth=Bearer $token\1\1", 'a name quoted wrongly'], ["n,,\1auth=Basic $token\1\1", 'another scheme'],
    ["n,,\1auth=Bearer $token\1auth=Bearer $token\1\1", 'two tokens'], ["n,,\1auth=Bearer $token\1\1x", 'something behind it'],
    ["n,,\1=x\1auth=Bearer $token\1\1", 'a pair without a key'], ["n,,\1x\1auth=Bearer $token\1\1", '... or a value'], ["\1", 'one byte'],
    [xoauth2($token), 'the other mechanism']) {
    is verdict($_->[0]), 'malformed-message', "a message with $_->[1]";
}
is verdict("n,,\1AUTH=bearer  $token\1\1"), 'in joe', 'names in any case';
is verdict("y,a=joe,\1auth=Bearer $token\1\1"), 'in joe', 'a client that could bind to a channel';
is verdict(bearer($token), AUTHMECH => 'XOAUTH2'), 'malformed-message', 'XOAUTH2 is not OAUTHBEARER';
is verdict("auth=Bearer $token\1\1", AUTHMECH => 'XOAUTH2'), 'malformed-message', '... and has a user';
is verdict(bearer($token), AUTHMECH => undef), 'unknown-mechanism', 'no password';
is verdict(bearer('A' x 3000)), 'malformed-token', 'a long one';

# Keys
is verdict(bearer($token), OAUTH_JWKS => "$T/none"), 'oauth', 'no keys: temporary';
for (['{}', 'an object'], ['[]', 'a list'], ['', 'nothing'], ['{"keys":{}}', 'no list'], ['{"keys":[]}', 'an empty list'], ['{"keys":[1,null,{}]}', 'junk'],
    ['{"keys":[], "keys":[]}', 'two lists']) {
    write_file("$T/bad.json", $_->[0]);
    is verdict(bearer($token), OAUTH_JWKS => "$T/bad.json"), 'oauth', "keys that are $_->[1]";
}
write_file("$T/bad.json", 'x' x 300000);
is verdict(bearer($token), OAUTH_JWKS => "$T/bad.json"), 'oauth', 'too many keys';
is verdict(bearer($token), OAUTH_JWKS => '/dev/zero'), 'oauth', 'a device';
for ([{ use => 'enc' }, 'for encryption'], [{ key_ops => ['sign'] }, 'for signing'], [{ alg => 'RS512' }, 'for another algorithm'], [{ kty => 'oct', k => 'AAAA' }, 'of another type'],
    [{ e => 'AA' }, 'with an exponent of 0'], [{ e => 'AQ' }, '... of 1'], [{ e => 'Ag' }, '... of 2'], [{ n => 'AQAB' }, 'that is small'], [{ n => '!' }, 'that is no number'],
    [{ kid => 7 }, 'with a number for an id']) {
    keys_are({ %{ $key{rsa} }, %{ $_->[0] } }, $key{ec});
    is verdict(bearer($token)), 'unknown-key', "a key $_->[1]";
}
for ([{ crv => 'P-384' }, 'on another curve'], [{ x => 'AAAA' }, 'with a short coordinate'], [{ y => undef }, 'with half a point']) {
    keys_are({ %{ $key{ec} }, %{ $_->[0] } }, $key{rsa});
    is verdict(bearer(token('ec'))), 'unknown-key', "a key $_->[1]";
}
keys_are({ %{ $key{ec} }, x => $key{ec}{y} }, $key{rsa});
is verdict(bearer(token('ec'))), 'wrong-signature', 'a point that is not on the curve';
keys_are({ %{ $key{rsa} }, use => 'sig', key_ops => ['verify'], alg => 'RS256', x5c => ['x'] });
is verdict(bearer($token)), 'in joe', 'a key with all that is right';
keys_are($key{other});
is verdict(bearer($token)), 'unknown-key', 'a key that has gone counts no more';
is verdict(bearer(token('other'))), 'in joe', '... a new one does, at once';
chmod 0666, $jwks;
is verdict(bearer(token('other'))), 'oauth', 'keys that others can write are not believed';
keys_are($key{rsa});
for my $name (qw(OAUTH_JWKS OAUTH_ISSUER OAUTH_AUDIENCE)) {
    like verdict(bearer($token), $name => ''), qr/^exit 100/, "no $name";
}
like verdict(bearer($token), OAUTH_SCOPE => 'a"b'), qr/^exit 100/, 'a scope with a quote';
mkdir "$T/bin";
write_file("$T/bin/authpgsql", "#!/bin/sh\nprintf 'UID=$UID\\nGID=$GID\\nHOME=$home\\nADDRESS=%s\\n.\\n' \"\$(tr '\\0' ' ' <&3)\"\n", 0755);
is verdict(bearer(token('rsa', { sub => 'carl' })), authmodulelist => 'authuserdb authpgsql', PATH => "$T/bin:$ENV{PATH}"), 'in "carl   "',
  'an account that another module has';
like verdict(bearer($token), authmodulelist => 'authx'), qr/^exit 100/, 'a source that is none';

# ---- from the client's first byte ----

sh("$BIN/maildirmake $home/Maildir; chown -R $UID:$GID $home");
my $server = LoginServer->new(modules => [], words => ["$BIN/imaplogin", "$BIN/authoauth", "$BIN/authuserdb", "$BIN/imapd", 'Maildir'],
    env => { %env, AUTHMECH => undef, USERDB => "$T/userdb.cdb", IMAP_LOGIN_FAILURES => 100, OAUTH_SCOPE => 'mail',
        OAUTH_OPENID_CONFIGURATION => 'https://id.example.com/.well-known/openid-configuration' })->start;
my $c = $server->client;
like $c->line, qr/ AUTH=OAUTHBEARER AUTH=XOAUTH2\b/, 'both are offered';
my $denied = 'NO [AUTHENTICATIONFAILED] Login failed';
sub b64 { return encode_base64($_[0], '') }
sub told { my ($line) = $c->line =~ /^\+ (\S+)/ or return 'nothing'; return $json->decode(decode_base64($1)) }

my $expired = token('rsa', { exp => time - 100 });
$c->say('a AUTHENTICATE OAUTHBEARER ', b64(bearer($expired)), "\r\n");
is_deeply told(), { status => 'invalid_token', scope => 'mail', 'openid-configuration' => 'https://id.example.com/.well-known/openid-configuration' },
  'the client hears why';
$c->say("AQ==\r\n");
is $c->line, "a $denied", '... says that it has, and is refused';
$c->say("b AUTHENTICATE OAUTHBEARER\r\n");
is $c->line, '+ ', 'without an initial response';
$c->say(b64(bearer(token('rsa', { scope => 'openid' }))), "\r\n");
is told()->{status}, 'insufficient_scope', 'another reason';
$c->say("*\r\n");
is $c->line, 'b BAD Cancelled', '... and the client has enough';
$c->say('c AUTHENTICATE OAUTHBEARER ', b64('x'), "\r\n");
is told()->{status}, 'invalid_request', 'no message at all';
$c->say("AQ==\r\n");
is $c->line, "c $denied", '... refused';
$c->say('d AUTHENTICATE XOAUTH2 ', b64(xoauth2($expired)), "\r\n");
is_deeply [@{ told() }{qw(status schemes scope)}], ['401', 'Bearer', 'mail'], 'XOAUTH2: the client hears why';
$c->say("\r\n");
is $c->line, "d $denied", '... and is refused';
is $c->command('e AUTHENTICATE OAUTHBEARER ' . b64(bearer(token('rsa', { sub => 'nobody' })))), "e $denied", 'a user without an account: the same words';
like $c->command('f AUTHENTICATE OAUTHBEARER ' . b64(bearer($token, 'joe'))), qr/^f OK .*AUTHENTICATE/, 'OAUTHBEARER';
like $c->command('g SELECT INBOX'), qr/\ng OK /, '... and the session is the user\'s';
like $server->log_text, qr/^authoauth: \d+: refused ip=127\.0\.0\.1 reason=token-expired\nimaplogin: \d+: login-failed /m, 'the log has why';
like $server->log_text, qr/^authoauth: \d+: login user=joe ip=127\.0\.0\.1 method=OAUTHBEARER /m, '... and the login';
unlike $server->log_text, qr/\Q$body\E/, '... and no token';
$c->close;

SKIP: {
    skip 'no curl', 4 unless grep { -x "$_/curl" } split /:/, $ENV{PATH};
    my $curl = sub {
        my ($mechanism, $with, @words) = @_;
        return `timeout 30 curl -sv --noproxy '*' -X NOOP --login-options 'AUTH=$mechanism' -u joe: --oauth2-bearer '$with' @words imap://127.0.0.1:$server->{port}/ 2>&1`;
    };
    for my $mechanism (qw(OAUTHBEARER XOAUTH2)) {
        like $curl->($mechanism, $token), qr/^< A\d+ OK .*\n(?:.*\n)*< A\d+ OK NOOP/m, "curl: $mechanism";
        like $curl->($mechanism, $expired, '--sasl-ir'), qr/^< A\d+ NO \[AUTH/m, '... with a token that has expired';
    }
}
done_testing;
