#!/usr/bin/perl
# FETCH, against a second opinion: everything that can be fetched of every message, parts and partial
# forms of them, is what Dovecot says it is, or the difference is known: fetch.known, or the rules
# here.  SEED chooses the partials and header fields.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;
use Chainmail::Opinion;

plan skip_all => 'Dovecot is not installed' unless dovecot_is_here();

use constant ITEMS_AT_ONCE => 60;    # commands may not be too long
use constant { OURS => 0, THEIRS => 1 };    # which server

read_known("$FindBin::Bin/fetch.known");
my %absent;    # items of the message at hand that name a part it does not have
my %size;      # of what Dovecot gives for a part; its BINARY.SIZE that is another => this
my @RULES = (
    {
        reason => 'A day of one digit is told with a blank or a zero: the grammar has both (RFC 3501 section 9, date-day-fixed).',
        items  => qr/^INTERNALDATE$/,
        same   => sub { $_[0] =~ s/^" /"0/r },
    },
    {
        reason => 'The names of types and charsets know no case (RFC 2045 section 5.1); Dovecot tells the commonest body its own way.',
        items  => qr/^BODY(?:STRUCTURE)?$/,
        same   => sub { $_[0] =~ s/\("text" "plain" \("charset" "us-ascii"\) NIL NIL "[78]bit"/lc $&/geir },
    },
    {
        reason => 'Unfolding removes line ends, no blanks (RFC 5322 section 2.2.3); Dovecot makes one blank of several.',
        items  => qr/^(?:ENVELOPE|BODY|BODYSTRUCTURE)$/,
        same   => sub { $_[0] =~ s/[ \t]+/ /gr },
    },
    {
        reason => 'Blanks around the ids of In-Reply-To are no part of it (RFC 5322 section 3.6.4); Dovecot keeps them.',
        items  => qr/^ENVELOPE$/,
        same   => sub { $_[0] =~ s/" ?([^"]*?) ?" ("[^"]*"\))$/"$1" $2/r },
    },
    {
        reason => 'A part that is not there is NIL, not empty (RFC 3501 section 4.5).',
        items  => qr/^BODY\[/,
        same   => sub { $absent{ $_[1] =~ s/<.*//r } ? $_[0] =~ s/^""$/NIL/r : $_[0] },
    },
);
my @BINARY_RULES = ({
    reason => 'BINARY.SIZE is the size of what BINARY gives (RFC 3516 section 4.3); Dovecot\'s is not always.',
    items  => qr/^BINARY\.SIZE/,
    same   => sub { $size{ $_[0] } // $_[0] },
});

my @messages = opinion_mail();
my ($our_home, $their_home) = same_mail_in_both(@messages);
my @servers = (ours($our_home), theirs($their_home));

my %can = common_capabilities(@servers);

# ---- asking ----

# A command's tagged answer.  Dovecot may end the session instead: there is a new one then.
sub told {
    my ($who, $command) = @_;
    my $text = $servers[$who]->command($command);
    return $text if defined $text;
    die "our session ended: $command\n" if $who == OURS;
    $servers[THEIRS] = theirs($their_home);
    return 'session ended';
}

# The answers of one server: [number => item => value].
sub fetched {
    my ($who, $messages, @items) = @_;
    my @found;
    my $text = told($who, "FETCH $messages (@items)");
    return refused($who, $messages, @items) unless $text =~ /^OK/;
    for my $response (@{ $servers[$who]{untagged} }) {
        my ($seq, $values) = read_fetch($response) or next;
        $found[$seq] = { %{ $found[$seq] // {} }, %$values };
    }
    return \@found;
}

# The name under which an item's value comes.
sub told_as {
    my ($item) = @_;
    return uc $item =~ s/\.PEEK//r =~ s/<(\d+)\.\d+>$/<$1>/r;
}

# Of one message: an item that is refused has the refusal's code as its value.
sub refused {
    my ($who, $message, @items) = @_;
    return [] if $message !~ /^\d+$/;
    my @found;
    for my $item (@items) {
        my $answer = told($who, "FETCH $message ($item)");
        my ($values) = map { my ($seq, $v) = read_fetch($_); $v // () } @{ $servers[$who]{untagged} };
        $values = { told_as($item) => $answer =~ /^(\w+ \[[^\] ]*)/ ? $1 : $answer } unless $answer =~ /^OK/;
        $found[$message] = { %{ $found[$message] // {} }, %{ $values // {} } };
    }
    return \@found;
}

# ---- which sections ----

my @NAMES = qw(From To Cc Subject Date Message-ID References In-Reply-To Received Content-Type X-Mailer
  Return-Path Reply-To Sender List-Id Mime-Version Precedence Nothing-Like-It);

sub some_names {
    return join ' ', grep { rand() < 0.25 } @NAMES, 'X-Always';
}

# Sections that are not there.
sub absent {
    my (@sections) = @_;
    $absent{"BODY[$_]"} = 1 for @sections;
    return @sections;
}

# The sections of a message, or of one in a part.
sub of_message {
    my ($prefix) = @_;
    return map { "$prefix$_" } 'HEADER', 'TEXT', 'HEADER.FIELDS (' . (some_names() || 'To') . ')',
      'HEADER.FIELDS.NOT (' . (some_names() || 'To') . ')';
}

# The sections below a body: its number with a dot; the empty string for the message itself.
sub of_body {
    my ($body, $prefix) = @_;
    my @sections;
    if (ref $body->[0]) {
        my $n = 0;
        for my $part (@$body) {
            last unless ref $part;
            push @sections, of_part($part, $prefix . ++$n);
        }
        return (@sections, absent($prefix . ($n + 1), $prefix . ($n + 1) . '.MIME'));
    }
    return (of_part($body, "${prefix}1"), absent("${prefix}2"));
}

sub is_message {
    my ($part) = @_;
    return lc "$part->[0]/$part->[1]" eq 'message/rfc822';
}

sub of_part {
    my ($part, $number) = @_;
    my @sections = ($number, "$number.MIME");
    return (@sections, of_body($part, "$number.")) if ref $part->[0];
    return (@sections, of_message("$number."), of_body($part->[8], "$number."))
      if is_message($part);
    return (@sections, absent("$number.HEADER", "$number.TEXT"));
}

# A piece of an item whose message has this size: mostly in its beginning, sometimes beyond its end.
sub partial {
    my ($size) = @_;
    return sprintf '<%d.%d>', rand()**4 * 1.2 * $size, 1 + rand()**4 * 1.2 * $size;
}

# What is asked of a message; with partial forms.
sub items_of {
    my ($structure, $size) = @_;
    my @sections = ('', of_message(''), of_body(read_tree($structure), ''));
    my @items = map { "BODY.PEEK[$_]" } @sections;
    return ('RFC822', 'RFC822.HEADER', 'RFC822.TEXT', map { ($_, $_ . partial($size), $_ . partial($size)) } @items);
}

# Dovecot's session may end in "got too little data" when it is asked for a partial form of header
# fields, or of a decoded part: it is asked for all of them only.
sub too_much_for_it {
    my ($item) = @_;
    return $item =~ /(?:FIELDS|BINARY).*</;
}

# Their partial forms, cut from the whole.
sub cut {
    my ($values, $item) = @_;
    my ($name, $from, $size) = $item =~ /^(.*)<(\d+)\.(\d+)>$/ or die $item;
    my $whole = $values->{ told_as($name) } // return;
    $values->{ told_as($item) } = $whole;
    return if $whole !~ s/^"(.*)"$/$1/s;
    $values->{ told_as($item) } = '"' . ($from < length $whole ? substr $whole, $from, $size : '') . '"';
}

# ---- the test ----

# The parts without their transfer encoding (RFC 3516).
sub compare_binary {
    my ($i, @parts) = @_;
    my @items = map { ("BINARY.SIZE[$_]", "BINARY.PEEK[$_]", "BINARY.PEEK[$_]" . partial(2000)) } @parts;
    my $our_values   = fetched(OURS, $i, @items)->[$i];
    my $their_values = fetched(THEIRS, $i, grep { !too_much_for_it($_) } @items)->[$i];
    cut($their_values, $_) for grep { too_much_for_it($_) } @items;
    for my $item (sort keys %$our_values) {
        my ($told, $part) = ($their_values->{$item}, $their_values->{ $item =~ s/^BINARY\.SIZE/BINARY/r });
        %size = $part =~ /^"/ ? ($told => length($part) - 2) : ();
        compare($messages[$i - 1][0], $item, $our_values->{$item}, $told, @BINARY_RULES);
    }
}

# The numbers of the parts that have none.
sub leaves {
    my ($body, $prefix) = @_;
    my ($n, @leaves) = (0);
    for my $part (ref $body->[0] ? @$body : $body) {
        last unless ref $part;    # the subtype; what follows it are no parts
        my $number = $prefix . ++$n;
        push @leaves, ref $part->[0] ? leaves($part, "$number.") : is_message($part) ? leaves($part->[8], "$number.") : $number;
    }
    return @leaves;
}

my @FACTS = ('UID', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY', 'BODYSTRUCTURE');
my ($ours, $theirs) = map { fetched($_, '1:*', @FACTS) } OURS, THEIRS;
for my $i (1 .. @messages) {
    my $name = $messages[$i - 1][0];
    compare($name, $_, $ours->[$i]{$_}, $theirs->[$i]{$_}, @RULES) for @FACTS;
    %absent = ();
    my @items = items_of($ours->[$i]{BODYSTRUCTURE}, $ours->[$i]{'RFC822.SIZE'});
    while (my @some = splice @items, 0, ITEMS_AT_ONCE) {
        my $our_values   = fetched(OURS, $i, @some)->[$i];
        my $their_values = fetched(THEIRS, $i, grep { !too_much_for_it($_) } @some)->[$i];
        cut($their_values, $_) for grep { too_much_for_it($_) } @some;
        compare($name, $_, $our_values->{$_}, $their_values->{$_}, @RULES) for sort keys %$our_values;
    }
}
if ($can{BINARY}) {
    for my $i (1 .. @messages) {
        compare_binary($i, leaves(read_tree($ours->[$i]{BODYSTRUCTURE}), ''));
    }
}
compared(@RULES, $can{BINARY} ? @BINARY_RULES : ());
done_testing;
