# A second opinion: the same mail in two homes, this server on the one, Dovecot (Debian's, run
# privately on a pair of pipes, no root needed) on the other; what both say of it in a form that can
# be compared; and the differences between them, each of which must be known, with its reason.
package Chainmail::Opinion;
use strict;
use warnings;
use Exporter qw(import);
use POSIX ();
use Test::More;
use Chainmail;

our @EXPORT = qw($SEED dovecot_is_here opinion_mail same_mail_in_both ours theirs common_capabilities
  read_fetch read_tree esearched one_of read_known known_messages compare compared);

sub one_of { return $_[rand @_] }

use constant SHOWN_MAX => 25;    # unexplained differences; ALL=1 shows all

# Which random choices; the same make the same test.
our $SEED = $ENV{SEED} || 1;
srand $SEED;

# ---- the mail ----

# The corpus, where it is, generated mail and the broken messages kept beside the tests: [name,
# text] each.
sub opinion_mail {
    my @archives = corpus_archives();
    note @archives ? 'with the corpus' : 'without the corpus, which is not here: generated mail only';
    my ($broken) = "$TOP/tests/opinion/broken";
    return (
        (map { unpacked($_) } @archives),
        generated(300),
        map { m{([^/]+)$}; ["broken/$1", slurp($_)] } sort glob "'$broken'/*"
    );
}

my $FIRST_DAY = 1_000_000_000;    # received from 9 September 2001 on
my $STEP      = 40_009;           # seconds between two: all times of the day, 5 years for the corpus
my $SHUFFLE   = 7919;             # not in the order of the mailbox
my @FLAGS     = ('', 'S', 'S', 'S', 'RS', 'FS', 'F', 'RST', 'D', 'T');

my $NEW       = 40;               # the last ones are new

# Puts the messages into two homes, in this order, with flags and dates of receipt.
sub same_mail_in_both {
    my (@messages) = @_;
    my @homes = map { home($_) } 'ours', 'theirs';
    for my $i (0 .. $#messages) {
        my $name  = sprintf '%d.M%06dP%d.test', $FIRST_DAY + $i * $STEP, $i, $i + 1;
        my $time  = $FIRST_DAY + int($i * $SHUFFLE % @messages / 2) * 2 * $STEP;    # two at a time
        my $flags = $FLAGS[$i * 7 % @FLAGS];
        $name = $i + $NEW > $#messages ? "new/$name" : "cur/$name:2,$flags";
        for my $path (map { "$_/Maildir/$name" } @homes) {
            spew($path, $messages[$i][1]);
            utime $time, $time, $path;
        }
    }
    system('chown', '-R', "$UID:$UID", @homes) unless $>;
    return @homes;
}

# ---- the two servers: clients with the INBOX open, by EXAMINE or SELECT ----

sub ours {
    my ($home, $select) = @_;
    my $c = imapd($home, TZ => 'UTC', IMAP_CHARSETD => "$BIN/charsetd");
    $c->ok(($select // 'EXAMINE') . ' INBOX');
    return $c;
}

my ($doveadm) = grep { -x } '/usr/bin/doveadm', '/usr/local/bin/doveadm';
my $theirs;

# Whether it can be asked at all.
sub dovecot_is_here {
    return $doveadm && grep { -x } map { "/usr$_/lib/dovecot/imap" } '', '/local';
}

# A new one, if there was one already.
sub theirs {
    my ($home, $select) = @_;
    $theirs->vanish if $theirs;
    my $base = "$T/dovecot";
    -d $base or mkdir $base or die "$base: $!";
    own($base);
    spew("$base.conf", <<"CONF");
base_dir = $base
state_dir = $base
log_path = $base/log
ssl = no
mail_location = maildir:~/Maildir
first_valid_uid = 1
CONF
    pipe my $their_in, my $to        or die "pipe: $!";
    pipe my $from,     my $their_out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN,  '<&', $their_in      or POSIX::_exit(111);
        open STDOUT, '>&', $their_out     or POSIX::_exit(111);
        open STDERR, '>',  "$base.errors" or POSIX::_exit(111);
        close $_ for $to, $from, $their_in, $their_out;
        chdir $home or POSIX::_exit(111);
        %ENV = (PATH => $ENV{PATH}, HOME => $home, USER => 'test', TZ => 'UTC');
        if (!$>) {
            $) = "$UID $UID";
            POSIX::setgid($UID);
            POSIX::setuid($UID);
        }
        exec $doveadm, '-c', "$base.conf", 'exec', 'imap' or POSIX::_exit(127);
    }
    close $_ for $their_in, $their_out;
    $theirs = Chainmail::Client->over($from, $to);
    $theirs->{reap} = sub { waitpid $pid, 0; return $? };
    $theirs->greeting // die 'dovecot: ' . slurp("$base.errors");
    $theirs->ok(($select // 'EXAMINE') . ' INBOX');
    return $theirs;
}

# What both can: word => 1.
sub common_capabilities {
    my (@servers) = @_;
    my %count;
    for my $server (@servers) { $count{$_}++ for map { split } $server->ok('CAPABILITY') }
    return map { $_ => 1 } grep { $count{$_} == @servers } keys %count;
}

# Dovecot ends when its input does.
END {
    my $status = $?;
    $theirs->vanish if $theirs;
    $? = $status;
}

# ---- what they say ----

# A FETCH response: its number, and item => value.  A string is in quotes however it was sent, those
# within lists with backslashes; all else is as it stands.  Items are in upper case, without quotes.
sub read_fetch {
    my ($response) = @_;
    $response =~ /\G\* (\d+) FETCH \(/gc or return;
    my ($seq, %items) = ($1);
    while ($response =~ /\G ?([A-Za-z0-9.]+(?:\[[^\]]*\])?(?:<\d+>)?) /gc) {
        (my $name = uc $1) =~ tr/"//d;
        my ($value, $depth) = ('', 0);
        do {
            if ($response =~ /\G("(?:[^"\\]|\\.)*")/gc) {
                my $quoted = $1;
                $quoted =~ s/\\(.)/$1/g unless $depth;
                $value .= $quoted;
            } elsif ($response =~ /\G~?\{(\d+)\}\r\n/gc) {
                my ($at, $size) = (pos $response, $1);
                my $literal = substr $response, $at, $size;
                $literal =~ s/(["\\])/\\$1/g if $depth;
                $value .= qq("$literal");
                pos($response) = $at + $size;
            } elsif ($response =~ /\G([()])/gc) {
                $value .= $1;
                $depth += $1 eq '(' ? 1 : -1;
            } elsif ($response =~ /\G([^ ()"{]+| )/gc) {
                $value .= $1;
            } else {
                die 'not a FETCH response: ' . substr($response, 0, 2000);
            }
        } while ($depth);
        $items{$name} = $value;
    }
    return ($seq, \%items);
}

# A list of such a value as nested arrays; NIL is undef.
sub read_tree {
    my ($value) = @_;
    my $top = my $list = [];
    my @open;
    while ($value =~ /\G ?(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|([^ ()"]+))/gcs) {
        if (defined $1) {
            push @$list, [];
            push @open,  $list;
            $list = $list->[-1];
        } elsif (defined $2) {
            $list = pop @open;
        } else {
            push @$list, $3 // ($4 eq 'NIL' ? undef : $4);
        }
    }
    return $top->[0];
}

# The ESEARCH response to a command, without its tag, its results in the order of their names; if there
# is none, what the command was answered.
sub esearched {
    my ($server, @command) = @_;
    my $text = $server->command(@command) // 'session ended';
    my ($found) = $server->untagged(qr/^\* ESEARCH/);
    return $text if $text !~ /^OK/ || !defined $found;
    my ($uid, $results) = $found =~ /^\* ESEARCH \(TAG "[^"]*"\)( UID)?(.*)$/ or return $found;
    my %results = $results =~ / (\w+) (\([^)]*\)|[\d:,]+)/g;
    return join ' ', $uid // '', map { "$_ $results{$_}" } sort keys %results;
}

# A value in a line for the reader, around where it differs from another.
sub shown {
    my ($value, $other) = @_;
    return 'nothing' unless defined $value;
    my $same = 0;
    if (defined $other) {
        my $difference = $value ^ $other;
        $same = length $1 if $difference =~ /^(\0+)/;
    }
    my $from = $same > 60 ? $same - 60 : 0;
    my $text = ($from ? '...' : '') . substr $value, $from, 160;
    $text =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
    return length($value) . " bytes: $text";
}

# ---- differences ----

my %known;            # message item => 1
my %used;             # of the rules, and of what is known
my %seen;             # "message item" that were compared
my ($compared, $unexplained) = (0, 0);

# The list of known differences: a file of reasons, in lines that begin with "# ", and after each
# lines `message item item ...`.  An item stands for its partial forms, too.
sub read_known {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!";
    while (<$file>) {
        my ($message, @items) = split;
        next if !defined $message || $message eq '#';
        $known{$message}{$_} = 1 for @items;
    }
}

# The messages in the list.
sub known_messages { return %known }

# What both say of an item of a message is the same, or rules explain it, or it is known.  A rule has
# a reason, a pattern of items, and a function that takes a value and its item and returns the value
# without the difference.  False if it was shown as unexplained.
sub compare {
    my ($message, $item, $ours, $theirs, @rules) = @_;
    (my $whole = $item) =~ s/<.*//;
    $seen{"$message $whole"} = 1;
    $compared++;
    return 1 if defined $ours && defined $theirs && $ours eq $theirs;
    my ($a, $b) = map { $_ // 'nothing' } $ours, $theirs;
    for my $rule (grep { $item =~ $_->{items} } @rules) {
        my @then = map { $rule->{same}->($_, $item) } $a, $b;
        next if $then[0] eq $a && $then[1] eq $b;
        $used{ $rule->{reason} }++;
        ($a, $b) = @then;
        return 1 if $a eq $b;
    }
    if ($known{$message}{$whole}) {
        $used{"$message $whole"}++;
        return 1;
    }
    $unexplained++;
    return 1 if $unexplained > SHOWN_MAX && !$ENV{ALL};
    diag "$message $item\n  ours:   ", shown($ours, $theirs), "\n  theirs: ", shown($theirs, $ours);
    return 0;
}

# The results: nothing is unexplained, and no explanation has become needless.
sub compared {
    my (@rules) = @_;
    note "$compared answers compared";
    ok !$unexplained, 'every difference is explained' or diag "$unexplained are not";
    for my $rule (@rules) {
        my $n = $used{ $rule->{reason} };
        ok $n, sprintf '%s (%d)', $rule->{reason}, $n // 0 if corpus_archives();
    }
    my @needless;
    for my $message (sort keys %known) {
        push @needless, grep { $seen{$_} && !$used{$_} } map { "$message $_" } sort keys %{ $known{$message} };
    }
    ok !@needless, 'every difference of the list is one' or diag map { "no difference: $_\n" } @needless;
}

1;
