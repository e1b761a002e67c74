#!/usr/bin/perl
# SEARCH, against a second opinion: random queries, of every key, nested, with strings in several
# charsets, find the messages that Dovecot finds, or the difference is known: search.known, or the
# rules here.  SEED chooses the queries, QUERIES says how many.
use strict;
use warnings;
use utf8;
use feature 'unicode_strings';
use Encode qw(decode encode);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Unicode::Normalize qw(NFKD);
use Chainmail;
use Chainmail::Opinion;

plan skip_all => 'Dovecot is not installed' unless dovecot_is_here();

read_known("$FindBin::Bin/search.known");
my $wanted;       # the string of the key at hand
my $characters;   # the same, decoded
my $message;      # the message at hand
my $header;       # its header
my $ours_right;   # whether what we say of it follows from the header as it is written
my %as_key;       # the message at hand, if a HEADER key finds it otherwise when it is looked up as FROM, TO ...
my %as_one;       # the message at hand, if keys of size that stand beside each other differ on it
my @RULES = (
    {
        reason => 'What stands around addresses is found as it is written; Dovecot looks into addresses written anew, in its style.',
        items  => qr/^(?:HEADER )?(?:FROM|TO|CC|BCC)$/,
        same   => sub { $wanted =~ /[^\w. \@-]/ && $ours_right ? '' : $_[0] },
    },
    {
        reason => 'Blanks at which a header is folded are one in each field; for Dovecot in addresses and the subject only.',
        items  => qr/^(?:HEADER .*|TEXT)$/,
        same   => sub { $wanted =~ / / && $ours_right && $header !~ /\Q$wanted\E/i ? '' : $_[0] },
    },
    {
        reason => 'Bytes that are no UTF-8 and have no charset are ISO-8859-1; for Dovecot they are unknown characters.',
        items  => qr/^(?:BODY|TEXT)$/,
        same   => sub { said_in_latin1() ? '' : $_[0] },
    },
    {
        reason => 'NOT OR is neither (RFC 3501 section 6.4.4); of two sizes in it Dovecot looks at one.',
        items  => qr/^nest of theirs$/,
        same   => sub { keys %as_one ? '' : $_[0] },
    },
    {
        reason => 'A key means the same beside others; Dovecot looks HEADER TO up as it does TO, if the query has both.',
        items  => qr/^nest of theirs$/,
        same   => sub { keys %as_key ? '' : $_[0] },
    },
);

my $QUERIES = $ENV{QUERIES} || 300;
my $failed  = 0;
use constant NEST_MAX => 3;

my @messages = opinion_mail();
my ($our_home, $their_home) = same_mail_in_both(@messages);
my @servers = (ours($our_home, 'SELECT'), theirs($their_home, 'SELECT'));
for my $server (@servers) {
    $server->ok(sprintf 'STORE 1:%d,%d:%d +FLAGS.SILENT (Work)', map { $_ * @messages } 0.1, 0.2, 0.3);
    $server->ok(sprintf 'STORE %d:%d +FLAGS.SILENT ($Later)', map { $_ * @messages } 0.05, 0.22);
}

my %can = common_capabilities(@servers);

# ---- strings ----

my @CHARSETS = ('UTF-8', 'ISO-8859-1', 'KOI8-R', 'ISO-2022-JP', 'WINDOWS-1252');

# Found in what scripts/samplemail makes, in several charsets and encodings.
my @FOREIGN = (
    'Zoë Brontë-Smith', 'Märta Öberg', 'Łukasz Żółkiewski', 'François Lefèvre', 'Юрий Ковалёв', '山田 花子',
    'À bientôt à la boulangerie: la pâte a levé comme un soufflé', 'Größe und Gewicht', 'Crème brûlée für Fräulein Ångström',
    'Zażółć gęślą jaźń', 'Καλημέρα, доброе утро', 'Räksmörgås → żurek', 'elle n’avait pas tort… 12 € le kilo, œufs',
    'L’œuf, la poule – et 3 € de farine…', 'Вчера мы играли в шахматы до полуночи', 'Партия по переписке: ход сороковой',
    '今日は桜が咲きました', 'お茶会のお知らせ',
);

sub piece_of {
    my ($text, $max) = @_;
    my $size = 2 + int rand $max;
    return substr $text, $size < length $text ? rand(length($text) - $size) : 0, $size;
}

# Case is nothing that matters; ISO-8859-1 and its like know no capital of some letters.
sub any_case { return one_of($_[0], $_[0], uc $_[0], lc $_[0]) }

# A piece of what some message says: of a field of its header, or of its body.
sub something_said {
    my ($field) = @_;
    for (1 .. 50) {
        my ($header, $body) = split /\r?\n\r?\n/, one_of(@messages)->[1], 2;
        my @lines = defined $field ? $header =~ /^\Q$field\E:[ \t]*(.+)/gmi : grep { length > 5 } split /\n/, $body // '';
        my $line  = one_of(@lines) // next;
        my $piece = piece_of($line, 12);
        return any_case($piece) if $piece =~ /^[!#-\[\]-~][ !#-\[\]-~]*[!#-\[\]-~]$/;
    }
    return 'the';
}

sub text_for {
    my ($charset, $field) = @_;
    return something_said($field) if !$charset || rand() < 0.5;
    for (1 .. 100) {
        my $text = piece_of(one_of(@FOREIGN), 8) =~ s/^\s+|\s+$//gr;
        $text = any_case($text);
        my $copy = $text;
        my $bytes = eval { encode($charset, $copy, Encode::FB_CROAK) } // next;
        return $text if length $text && $bytes !~ /\e\$\(D/;    # that is ISO-2022-JP-1
    }
    return 'gerald';
}

# A string of a command: quoted, or a literal.
sub string {
    my ($charset, $text) = @_;
    my $bytes = encode($charset || 'US-ASCII', $text);
    return $bytes =~ /^[ !#-\[\]-~]*$/ ? qq("$bytes") : [$bytes];
}

# ---- keys: a list of what makes a command, with a name for the list of differences ----

my @MONTHS = qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);
my $count  = @messages;

sub date { return sprintf '%d-%s-%d', 1 + rand 28, one_of(@MONTHS), one_of(2001 .. 2008, 2002, 2002, 2025, 2026) }

sub numbers {
    my @n = sort { $a <=> $b } map { 1 + int rand $count } 1, 2;
    return one_of("$n[0]:$n[1]", "$n[1]:$n[0]", "$n[0]", "$n[0],$n[1]:*");
}

my @PLAIN = qw(ALL ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN
  UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN);
my @DATES = qw(BEFORE ON SINCE SENTBEFORE SENTON SENTSINCE);
my @FIELDS = qw(From To Cc Bcc Subject);
my @OTHERS = ('Message-ID', 'Received', 'X-Mailer', 'Content-Type', 'List-Id', 'In-Reply-To', 'References', 'Date', 'X-None');

my @KEYS = (
    sub { [one_of(@PLAIN)] },
    sub { [one_of('KEYWORD', 'UNKEYWORD') . ' ' . one_of('Work', '$Later', 'None')] },
    sub { [one_of(@DATES) . ' ' . date()] },
    sub { [one_of('LARGER', 'SMALLER') . ' ' . int(rand() ** 3 * 20000)] },
    sub { [numbers()] },
    sub { ['UID ' . numbers()] },
    sub { [$can{WITHIN} ? one_of('OLDER', 'YOUNGER') . ' ' . (1 + int rand 9000 * 86400) : 'ALL'] },
    (sub { my $field = one_of(@FIELDS); [uc($field) . ' ', string($_[0], text_for($_[0], $field))] }) x 3,
    sub {
        my $field = one_of(@FIELDS, @OTHERS);
        ["HEADER $field ", string($_[0], rand() < 0.2 ? '' : text_for($_[0], $field))];
    },
    (sub { [one_of('BODY', 'TEXT') . ' ', string($_[0], text_for($_[0]))] }) x 2,
);

sub key {
    my ($charset, $depth) = @_;
    my $chance = $depth < NEST_MAX ? rand : 1;
    if ($chance < 0.1) { return { op => 'NOT', keys => [key($charset, $depth + 1)] } }
    if ($chance < 0.25) { return { op => 'OR', keys => [map { key($charset, $depth + 1) } 1, 2] } }
    if ($chance < 0.35) { return { op => '()', keys => [map { key($charset, $depth + 1) } 1 .. 1 + rand 3] } }
    return { parts => one_of(@KEYS)->($charset) };
}

sub parts {
    my ($key) = @_;
    return @{ $key->{parts} } if $key->{parts};
    my @inside = map { (' ', parts($_)) } @{ $key->{keys} };
    return ($key->{op}, @inside) if $key->{op} ne '()';
    shift @inside;
    return ('(', @inside, ')');
}

sub leaves { my ($key) = @_; return $key->{parts} ? $key : map { leaves($_) } @{ $key->{keys} } }

# ---- asking ----

sub search {
    my ($server, $charset, @parts) = @_;
    my $text = $server->command('SEARCH ', $charset ? "CHARSET $charset " : (), @parts) // 'closed';
    my ($found) = $server->untagged(qr/^\* SEARCH/);
    return { text => $text } unless $text =~ /^OK/ && defined $found;
    return { text => 'OK', found => { map { $_ => 1 } $found =~ /(\d+)/g } };
}

sub readable { return join '', map { ref $_ ? '{' . ($_->[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger) . '}' : $_ } @_ }

# What a key finds, of what its leaves find.
sub combined {
    my ($key) = @_;
    return $key->{found} if $key->{parts};
    my @sets = map { combined($_) } @{ $key->{keys} };
    my %found;
    for my $n (1 .. $count) {
        my $in = grep { $_->{$n} } @sets;
        $found{$n} = 1 if $key->{op} eq 'NOT' ? !$in : $key->{op} eq 'OR' ? $in : $in == @sets;
    }
    return \%found;
}

sub numbers_of { return join ' ', sort { $a <=> $b } keys %{ $_[0] } }

# Both answers to one query; undef unless both are there.
sub asked {
    my ($charset, @parts) = @_;
    my @answers = map { search($_, $charset, @parts) } @servers;
    return map { $_->{found} } @answers if $answers[0]{found} && $answers[1]{found};
    $failed++;
    diag readable(@parts), "\n  ours:   $answers[0]{text}\n  theirs: $answers[1]{text}";
    return;
}

# The name of a key, and its string if it has one.
sub name_of {
    my ($leaf) = @_;
    my ($key, $string) = @{ $leaf->{parts} };
    $wanted = defined $string ? ref $string ? $string->[0] : substr $string, 1, -1 : '';
    return $key =~ /^HEADER/ ? uc $key =~ s/ $//r : $key =~ /^([A-Z]+)/ ? $1 : 'sequence set';
}

# Whether the header says what we found; true where that is not to be seen at a glance.
sub written {
    my ($name, $found) = @_;
    return 1 if $wanted =~ /[^ -~]/ || $header =~ /=\?/;
    my ($field) = $name =~ /^(?:HEADER )?(\S+)$/;
    my @values = map { s/\s+/ /gr } $name eq 'TEXT' ? $header : $header =~ /^\Q$field\E:[ \t]*(.*(?:\n[ \t].*)*)/gmi;
    return $found eq ((grep { index(lc, lc $wanted =~ s/ +/ /gr) >= 0 } @values) ? 'found' : 'not found');
}

# As strings are compared, nearly.
sub folded { return NFKD(uc $_[0]) }

# Whether the message has such bytes, and says it in them.
sub said_in_latin1 {
    my $bytes = $message =~ s/=\r?\n//gr =~ s/=([0-9A-F]{2})/chr hex $1/geir;
    return 0 if $bytes !~ /[\x80-\xff]/ || eval { decode('UTF-8', my $copy = $bytes, Encode::FB_CROAK); 1 };
    return index(folded($bytes), folded($characters)) >= 0;
}

# Messages whose answers differ.
sub differing {
    my ($a, $b) = @_;
    return grep { !$a->{$_} != !$b->{$_} } 1 .. $count;
}

# The same messages, or each difference is explained; returns both sets.  With `all` the others are looked
# at, too: whether the list is right.
sub compare_leaf {
    my ($charset, $leaf, $all) = @_;
    my @found = asked($charset, @{ $leaf->{parts} }) or return;
    my $name  = name_of($leaf);
    $characters = $charset ? decode($charset, my $copy = $wanted) : $wanted;
    for my $n ($all ? 1 .. $count : differing(@found)) {
        my ($ours, $theirs) = map { $_->{$n} ? 'found' : 'not found' } @found;
        $message = $messages[$n - 1][1];
        ($header) = split /\r?\n\r?\n/, $message, 2;
        $ours_right = written($name, $ours);
        compare($messages[$n - 1][0], $name, $ours, $theirs, @RULES)
          or diag '  by ' . ($charset // 'no charset') . ' ' . readable(@{ $leaf->{parts} });
    }
    return @found;
}

# What Dovecot finds otherwise if HEADER FROM is looked up as FROM, where the query has both.
sub found_as_key {
    my ($charset, @leaves) = @_;
    my %names = map { name_of($_) => 1 } @leaves;
    my %otherwise;
    for my $leaf (@leaves) {
        my ($field) = name_of($leaf) =~ /^HEADER (FROM|TO|CC|BCC)$/ or next;
        next unless $names{$field};
        my $as_key = search($servers[1], $charset, "$field ", $leaf->{parts}[1])->{found} // {};
        $otherwise{$_} = 1 for differing($leaf->{answers}[1], $as_key);
    }
    return %otherwise;
}

# What sizes in one direction do not agree on.
sub between_sizes {
    my (@leaves) = @_;
    my %between;
    for my $name ('LARGER', 'SMALLER') {
        my ($first, @others) = map { $_->{answers}[1] } grep { name_of($_) eq $name } @leaves;
        $between{$_} = 1 for map { differing($first, $_) } @others;
    }
    return %between;
}

# If the answers differ, then by the leaves only: both are what follows from the leaves.
sub compare_query {
    my ($charset, $query) = @_;
    my @parts = parts($query);
    my @found = asked($charset, @parts) or return;
    return unless differing(@found);
    my @leaves = leaves($query);
    for my $leaf (@leaves) {
        $leaf->{answers} = [compare_leaf($charset, $leaf)];
        return unless @{ $leaf->{answers} };
    }
    my %otherwise = found_as_key($charset, @leaves);
    my %between   = between_sizes(@leaves);
    for my $server (0, 1) {
        $_->{found} = $_->{answers}[$server] for @leaves;
        my $follows = combined($query);
        for my $n (differing($follows, $found[$server])) {
            %as_key = map { $_ => 1 } grep { $otherwise{$_} } $n;
            %as_one = map { $_ => 1 } grep { $between{$_} } $n;
            compare($messages[$n - 1][0], 'nest of ' . ('ours', 'theirs')[$server],
                map({ $_->{$n} ? 'found' : 'not found' } $follows, $found[$server]), @RULES)
              or diag '  follows from its keys, and is answered to ' . readable(@parts);
        }
    }
}

# ---- the test ----

# What the list holds, whatever is chosen.
my @FIXED = (
    (map { [$_] } 'SENTON 1-Jan-1970', 'SENTSINCE 1-Jan-1970', 'SENTSINCE 2-Jan-1970', 'SENTBEFORE 2-Jan-1970'),
    ['SUBJECT ', '"Laptop: Important"'],
    ['FROM ', '"("'],
    ['HEADER References ', '"e> <20"'],
    ['BODY ', ["\xc3\xa4u"]],
    (map { ['TO ', qq("$_")] } 'taint', 'dogma', 'webnote', 'netnote', 'missing'),
    (map { ["$_ ", '"Y&j)b"'], ["$_ ", ["\xd0\xa3"]] } 'BODY', 'TEXT'),
);
compare_leaf('UTF-8', { parts => $_ }, 'all') for @FIXED;
sub either { return { op => 'OR', keys => [map { { parts => $_ } } @_] } }
compare_query(undef, either(['TO ', '"none at all"'], ['HEADER To ', '"@"']));
compare_query(undef, { op => 'OR', keys => [{ parts => ['1'] }, { op => 'NOT', keys => [either(['LARGER 2000'], ['LARGER 11'])] }] });
for (1 .. $QUERIES) {
    my $charset = rand() < 0.4 ? one_of(@CHARSETS) : undef;
    compare_query($charset, { op => '()', keys => [map { key($charset, 0) } 1 .. 1 + rand 2] });
}
# The forms of an answer (RFC 4731, RFC 5267), to keys without known differences.
if ($can{ESEARCH}) {
    for (1 .. $QUERIES) {
        my @keys    = map { @{ one_of(@KEYS[0, 1, 3, 4, 5])->() } } 1 .. 1 + rand 2;
        my @options = grep { rand() < 0.4 } qw(MIN MAX COUNT ALL);
        my $text    = one_of('', 'UID ') . "SEARCH RETURN (@options) " . join ' ', @keys;
        my @answers = map { esearched($_, $text) } @servers;
        next if $answers[0] eq $answers[1];
        $failed++;
        diag "$text\n  ours:   $answers[0]\n  theirs: $answers[1]";
    }
}
ok !$failed, "$QUERIES queries to $count messages are answered";
compared(@RULES);
done_testing;
