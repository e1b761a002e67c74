# A client's side of SCRAM (RFC 5802, 7677), for tests.
package Scram;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha1 hmac_sha256 sha1 sha256);
use MIME::Base64 'encode_base64', 'decode_base64';

# user, password, and: hash (1, 256), flag (`n`, `y`, `p=tls-server-end-point`), binding (bytes), authzid.
sub new {
    my ($class, %o) = @_;
    my $self = bless { hash => 256, flag => 'n', binding => '', nonce => 'nonce' . int rand 1e9, %o }, $class;
    @$self{qw(hmac sha)} = $self->{hash} == 1 ? (\&hmac_sha1, \&sha1) : (\&hmac_sha256, \&sha256);
    $self->{header} = "$self->{flag}," . (defined $self->{authzid} ? "a=$self->{authzid}" : '') . ',';
    $self->{bare} = 'n=' . $self->{user} =~ s/=/=3D/gr =~ s/,/=2C/gr . ",r=$self->{nonce}";
    return $self;
}

sub b64 { encode_base64($_[0], '') }
sub first { b64($_[0]{header} . $_[0]{bare}) }

# The server's challenge, decoded: a hash of its attributes.
sub challenge {
    my ($self, $challenge) = @_;
    $self->{challenge} = $challenge;
    return map { /^(\w)=(.*)/ } split /,/, $challenge;
}

sub final {
    my ($self, $challenge) = @_;
    my %c = $self->challenge($challenge);
    my ($hmac, $sha) = @$self{qw(hmac sha)};
    my $u = my $salted = $hmac->(decode_base64($c{s}) . pack('N', 1), $self->{password});
    for (2 .. $c{i}) { $u = $hmac->($u, $self->{password}); $salted ^= $u }
    my $without = 'c=' . b64($self->{header} . $self->{binding}) . ",r=$c{r}";
    my $message = "$self->{bare},$self->{challenge},$without";
    my $key = $hmac->('Client Key', $salted);
    $self->{proof} = 'v=' . b64($hmac->($message, $hmac->('Server Key', $salted)));
    return b64("$without,p=" . b64($key ^ $hmac->($message, $sha->($key))));
}

1;
