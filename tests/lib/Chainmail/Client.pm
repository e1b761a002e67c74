# A raw IMAP client for tests: sends what it is told, right or wrong, and splits what comes into
# responses.  It dies rather than wait for ever.
package Chainmail::Client;
use strict;
use warnings;
use Carp qw(croak);
use Errno qw(EINTR EAGAIN EWOULDBLOCK);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use Time::HiRes qw(time);

use constant PATIENCE => 60;

# Over a socket, or a pair of pipes: from the server and to it.
sub over {
    my ($class, $socket, $to) = @_;
    $socket->blocking(1);
    return bless {
        socket   => $socket,
        to       => $to // $socket,
        buffer   => '',
        tag      => 0,
        untagged => [],
        eof      => 0
    }, $class;
}

# Connects to 127.0.0.1; tls => 1 for TLS from the first byte; reads the greeting unless raw => 1.
sub dial {
    my ($class, $port, %options) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Timeout  => PATIENCE
    ) or croak "connect: $@";
    my $self = $class->over($socket);
    $self->tls if $options{tls};
    $self->greeting unless $options{raw};
    return $self;
}

# TLS from here on; what has been received before it is no part of it.
sub tls {
    my ($self, %options) = @_;
    $self->{buffer} = '';
    IO::Socket::SSL->start_SSL($self->{socket}, SSL_verify_mode => SSL_VERIFY_NONE, %options)
      or croak "TLS: $SSL_ERROR";
}

sub greeting {
    my ($self) = @_;
    return $self->{greeting} = $self->response;
}

# Sends these bytes; false if the server is gone.
sub send {
    my ($self, $bytes) = @_;
    while (length $bytes) {
        my $n = syswrite $self->{to}, $bytes;
        if (!defined $n) {
            next if $! == EINTR;
            return 0;
        }
        substr($bytes, 0, $n) = '';
    }
    return 1;
}

# Receives something before the deadline; false at the end of file.
sub _receive {
    my ($self, $deadline) = @_;
    return 0 if $self->{eof};
    my $socket = $self->{socket};
    until ($socket->can('pending') && $socket->pending) {
        my $left = $deadline - time;
        croak "nothing came in time; so far: '" . substr($self->{buffer}, 0, 200) . "'" if $left <= 0;
        last if IO::Select->new($socket)->can_read($left);
    }
    my $n = sysread $socket, $self->{buffer}, 65536, length $self->{buffer};
    return 1 if $n;
    return 1 if !defined $n && ($! == EINTR || $! == EAGAIN || $! == EWOULDBLOCK);
    $self->{eof} = 1;
    return 0;
}

# One response, literals included, without its final CRLF; undef at the end of file.
sub response {
    my ($self, $patience) = @_;
    my $deadline = time + ($patience // PATIENCE);
    my $at = 0;
    for (;;) {
        my $end = index $self->{buffer}, "\r\n", $at;
        if ($end < 0) {
            $self->_receive($deadline) or return undef;
            next;
        }
        my $line_start = $at;
        if (substr($self->{buffer}, $line_start, $end - $line_start) =~ /\{(\d+)\}\z/) {
            $at = $end + 2 + $1;
            while (length $self->{buffer} < $at) { $self->_receive($deadline) or return undef }
            next;
        }
        my $response = substr $self->{buffer}, 0, $end;
        substr($self->{buffer}, 0, $end + 2) = '';
        return $response;
    }
}

# Reads up to the tagged response of this tag: its text without the tag; the untagged responses are
# in $self->{untagged}.  undef at the end of file.  Stops at a continuation request as well, which
# is returned whole.
sub until_tag {
    my ($self, $tag) = @_;
    $self->{untagged} = [];
    while (defined(my $response = $self->response)) {
        return substr $response, length($tag) + 1 if index($response, "$tag ") == 0;
        return $response if $response =~ /^\+(?: |\z)/;
        push @{ $self->{untagged} }, $response;
    }
    return undef;
}

sub next_tag {
    my ($self) = @_;
    return $self->{last_tag} = 't' . ++$self->{tag};
}

# Sends a command and returns its tagged text.  Array references in it are literals.
sub command {
    my ($self, @parts) = @_;
    my $tag  = $self->next_tag;
    my $line = "$tag ";
    for my $part (@parts) {
        $line .= ref $part ? '{' . length($$part[0]) . "+}\r\n$$part[0]" : $part;
    }
    $self->send("$line\r\n");
    return $self->until_tag($tag);
}

# A command that must succeed: its untagged responses.
sub ok {
    my ($self, @parts) = @_;
    my $text = $self->command(@parts) // 'end of file';
    croak "'@parts' was answered: $text" unless $text =~ /^OK/;
    $self->{text} = $text;
    return @{ $self->{untagged} };
}

# The untagged responses of the last command that match.
sub untagged {
    my ($self, $pattern) = @_;
    return grep { /$pattern/ } @{ $self->{untagged} };
}

# Waits for an untagged response that matches, such as come in IDLE; others are dropped.
sub wait_for {
    my ($self, $pattern) = @_;
    my $deadline = time + PATIENCE;
    while (defined(my $response = $self->response($deadline - time))) {
        return $response if $response =~ $pattern;
    }
    return undef;
}

sub idle {
    my ($self) = @_;
    my $text = $self->command('IDLE') // 'end of file';
    croak "IDLE was answered: $text" unless $text =~ /^\+/;
    return @{ $self->{untagged} };
}

# Ends IDLE: the untagged responses that came before the end.
sub done {
    my ($self) = @_;
    $self->send("DONE\r\n");
    my $text = $self->until_tag($self->{last_tag}) // 'end of file';
    croak "DONE was answered: $text" unless $text =~ /^OK/;
    return @{ $self->{untagged} };
}

# Reads until the server closes: all that came.
sub drain {
    my ($self) = @_;
    my $deadline = time + PATIENCE;
    1 while $self->_receive($deadline);
    return $self->{buffer};
}

# No word of farewell.
sub vanish {
    my ($self) = @_;
    close $_ for @$self{qw(socket to)};
    $self->{eof} = 1;
    return $self->{reap} ? $self->{reap}->() : 0;
}

# LOGOUT; for an imapd of its own, its wait status.
sub logout {
    my ($self) = @_;
    $self->command('LOGOUT');
    return $self->vanish;
}

1;
