#!/usr/bin/perl
# SORT and THREAD, against a second opinion: by every key each message has the place that Dovecot gives
# it, or the difference is known: sort.known; and what has no difference by any key comes in the same
# order by several keys, in the same forms of an answer, and in the same threads.  SEED chooses the
# queries, QUERIES says how many.
use strict;
use warnings;
use FindBin;
use List::Util qw(max shuffle);
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;
use Chainmail::Opinion;

plan skip_all => 'Dovecot is not installed' unless dovecot_is_here();

read_known("$FindBin::Bin/sort.known");
my $QUERIES    = $ENV{QUERIES} || 300;
my @KEYS       = qw(ARRIVAL CC DATE DISPLAYFROM DISPLAYTO FROM SIZE SUBJECT TO);
my @ALGORITHMS = qw(ORDEREDSUBJECT REFERENCES REFS);

my @messages = opinion_mail();
my ($our_home, $their_home) = same_mail_in_both(@messages);
my @servers = (ours($our_home, 'SELECT'), theirs($their_home, 'SELECT'));
my $count   = @messages;

# ---- asking ----

# Without its tag and words.
sub answer {
    my ($server, $command) = @_;
    return esearched($server, $command) if $command =~ /RETURN/;
    my $text = $server->command($command) // 'session ended';
    return join ' ', $text =~ /^(OK|.*)/, $server->untagged(qr/^\* (?:SORT|THREAD)/);
}

# ---- one key: the place of each message ----

# Of numbers, the places of the longest run that rises.
sub rising {
    my (@numbers) = @_;
    my (@last, @before);    # by length: where the run ends that ends lowest; what comes before it
    for my $i (0 .. $#numbers) {
        my ($low, $high) = (0, scalar @last);
        while ($low < $high) {
            my $middle = int(($low + $high) / 2);
            if ($numbers[ $last[$middle] ] < $numbers[$i]) { $low = $middle + 1 }
            else                                            { $high = $middle }
        }
        $before[$i] = $low ? $last[$low - 1] : undef;
        $last[$low] = $i;
    }
    my @run;
    for (my $i = $last[-1]; defined $i; $i = $before[$i]) { unshift @run, $i }
    return @run;
}

# Of each message, how many of these come before it.
sub places {
    my ($order, @counted) = @_;
    my %counted = map { $_ => 1 } @counted;
    my ($place, %places) = (0);
    for my $message (@$order) {
        $places{$message} = $place;
        $place++ if $counted{$message};
    }
    return \%places;
}

# The places both give to each message, in one direction.  It has the same if it stands between the same
# others, of those that both have in the same order and that are in no list.
sub both_places {
    my ($key, $criterion) = @_;
    my @orders = map { [(answer($_, "SORT ($criterion) UTF-8 ALL") =~ /(\d+)/g)] } @servers;
    is_deeply [sort { $a <=> $b } @{ $orders[$_] }], [1 .. $count], "$criterion: " . ('we', 'they')[$_] . ' sort all' for 0, 1;
    my %known  = known_messages();
    my $theirs = places($orders[1], 1 .. $count);
    my @sure   = grep { !$known{ $messages[$_ - 1][0] }{$key} } @{ $orders[0] };
    my @common = map { $sure[$_] } rising(map { $theirs->{$_} } @sure);
    return map { places($_, @common) } @orders;
}

# In both directions: that tells what is equal, too.
sub compare_places {
    my ($key) = @_;
    my ($ours, $theirs, $ours_reversed, $theirs_reversed) = map { both_places($key, $_) } $key, "REVERSE $key";
    compare($messages[$_ - 1][0], $key, "$ours->{$_} and $ours_reversed->{$_}", "$theirs->{$_} and $theirs_reversed->{$_}")
      for 1 .. $count;
}

# ---- more of it: of the messages that are in no list ----

sub some_messages {
    my @n = map { 1 + int rand $count } 1, 2;
    my $flag = one_of('SEEN', 'UNSEEN', 'FLAGGED', 'UNANSWERED');
    return one_of('ALL', 'ALL', $flag, 'LARGER ' . int rand 9000, "$n[0]:$n[1]", "NOT $n[0]:$n[1]");
}

# None twice: that means nothing, and Dovecot forgets what comes behind it.
sub some_keys {
    my @keys = shuffle(@KEYS);
    return '(' . join(' ', map { one_of('', 'REVERSE ') . $_ } @keys[0 .. rand 3]) . ')';
}

# Both have PARTIAL for SORT; Dovecot without saying so.
sub some_options {
    my @n       = sort { $a <=> $b } map { 1 + int rand $count * 1.2 } 1, 2;
    my @options = grep { rand() < 0.4 } qw(MIN MAX COUNT);
    push @options, one_of('ALL', "PARTIAL $n[0]:$n[1]") if rand() < 0.5;
    return "RETURN (@options) ";
}

# What both answer to the command, completed.
sub both_answer {
    my ($command) = @_;
    $command = one_of('', 'UID ') . "$command UTF-8 UNKEYWORD Odd " . some_messages();
    return ($command, map { answer($_, $command) } @servers);
}

# ---- threads ----

my %arrived;    # message => its place by arrival

# A THREAD response with its threads in the order of their latest arrivals.
sub by_arrival {
    my ($answer) = @_;
    my ($start, $threads) = $answer =~ /^([^(]*)(.*)$/;
    my @threads = $threads =~ /(\((?:[^()]++|(?1))*\))/g;
    my %latest  = map { $_ => max(map { $arrived{$_} } /(\d+)/g) } @threads;
    return $start . join '', sort { $latest{$a} <=> $latest{$b} } @threads;
}

my @THREAD_RULES = ({
    reason => 'REFS orders threads by their latest arrivals (draft-ietf-morg-inthread section 4); Dovecot by dates sent.',
    items  => qr/^REFS$/,
    same   => sub { by_arrival($_[0]) },
});

sub compare_threads {
    my ($algorithm) = @_;
    my ($command, $ours, $theirs) = both_answer("THREAD $algorithm");
    compare($command, $algorithm, $ours, $theirs, @THREAD_RULES);
    compare($command, 'order', $ours, by_arrival($ours)) if $algorithm eq 'REFS';
}

# ---- the test ----

my %can = common_capabilities(@servers);
compare_places($_) for grep { $can{'SORT=DISPLAY'} || !/DISPLAY/ } @KEYS;

my %known = known_messages();
for my $server (@servers) {
    my @odd = grep { $known{ $messages[$_ - 1][0] } } 1 .. $count;
    $server->ok('STORE ' . join(',', @odd) . ' +FLAGS.SILENT (Odd)') if @odd;
}
for (1 .. $QUERIES) {
    my $options = $can{ESORT} && one_of(0, 1) ? some_options() : '';
    my ($command, @answers) = both_answer("SORT $options" . some_keys());
    compare($command, 'answer', @answers);
}
my @arrivals = answer($servers[0], 'SORT (ARRIVAL) UTF-8 ALL') =~ /(\d+)/g;
@arrived{@arrivals} = 0 .. $#arrivals;
for my $algorithm (grep { $can{"THREAD=$_"} } @ALGORITHMS) {
    compare_threads($algorithm) for 0 .. $QUERIES / 10;
}
compared($can{'THREAD=REFS'} ? @THREAD_RULES : ());
done_testing;
