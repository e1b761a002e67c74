#!/usr/bin/perl
# authd's workers and clients under stress: a hundred at once, some that stall, a database that hangs,
# workers that are killed, and every signal.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);
use Chainmail;
use AuthService;

my $hash = crypt('secret', '$6$rounds=1000$salt$');
database(join '', map { "user$_\tuid=12321|gid=12322|home=/home/$_|systempw=$hash\n" } 1 .. 100);

# Asks for all users at once, $_[1] times each; the number of right answers, and of none.
sub crowd {
    my ($s, $times, $between) = @_;
    my (%got, $select);
    my %count = (right => 0, none => 0, wrong => 0);
    for my $round (1 .. $times) {
        $select = IO::Select->new;
        %got = ();
        for my $n (1 .. 100) {
            my $c = connect_to($s);
            $got{$c} = [$n, ''];
            $select->add($c);
            syswrite $c, request('login', "user$n\nsecret\n");
        }
        $between->() if $between;
        my $deadline = time + PATIENT;
        while ($select->count && time < $deadline) {
            for my $c ($select->can_read(1)) {
                next if sysread $c, $got{$c}[1], 8192, length $got{$c}[1];
                my ($n, $answer) = @{ $got{$c} };
                $count{ $answer eq '' ? 'none' : $answer =~ m{^HOME=/home/$n$}m && $answer =~ /^\.\n\z/m ? 'right' : 'wrong' }++;
                $select->remove($c);
            }
        }
        $count{none} += $select->count;
    }
    return \%count;
}

# Whether a process is there, and no zombie.
sub lives {
    my ($pid) = @_;
    open my $stat, '<', "/proc/$pid/stat" or return 0;
    return (<$stat> // '') !~ /\) Z /;
}

my $s = start_service('service', daemons => 4);
is_deeply crowd($s, 3), { right => 300, none => 0, wrong => 0 }, 'a hundred clients at once, three times';
ok eventually { workers($s) == 4 }, 'four workers';
my @before = workers($s);

# ---- workers die under load ----
my @killed;
my $killing = crowd($s, 3, sub { my ($pid) = workers($s); push @killed, $pid; kill 'KILL', $pid });
is $killing->{wrong}, 0, 'workers are killed under load: no answer is wrong';
cmp_ok $killing->{none}, '<=', 3, 'whoever a killed worker had gets none; nobody else is hurt';
cmp_ok $killing->{right}, '>=', 297, 'the others are right';
ok eventually { workers($s) == 4 }, 'the dead are replaced';
like service_log($s), qr/: worker-died worker=$killed[0] why="signal 9"$/m, 'the log tells';

# ---- SIGHUP ----
@before = workers($s);
is_deeply crowd($s, 1, sub { kill 'HUP', $s->{pid} }), { right => 100, none => 0, wrong => 0 }, 'SIGHUP under load loses nothing';
ok eventually {
    my @now = workers($s);
    my %old = map { $_ => 1 } @before;
    @now == 4 && !grep { $old{$_} } @now;
}, 'all workers are new';

# ---- stallers and babblers ----
my @stallers = map { my $c = connect_to($s); syswrite $c, 'AUTH 5'; $c } 1 .. 150;
my @silent   = map { connect_to($s) } 1 .. 150;
is_deeply crowd($s, 1), { right => 100, none => 0, wrong => 0 }, '300 clients stall: the honest are served';
my $babbler = connect_to($s);
{
    local $SIG{PIPE} = 'IGNORE';
    my $written = 0;
    1 while $written < 1e6 && ($written += syswrite($babbler, 'x' x 4096) // 1e6 + 1);
    ok $written > 1e6, 'one that babbles is cut off';
}
like service_log($s), qr/: dropped why="no request, or too large a one"$/m, 'and logged';
like service_log($s), qr/: dropped why="too many clients have sent no request yet"$/m, 'as those that made room are';
@stallers = @silent = ();

# ---- SIGTERM ----
my @last = map { my $c = connect_to($s); syswrite $c, request('login', "user$_\nsecret\n"); $c } 1 .. 20;
my $idle = connect_to($s);
sleep 0.2;    # until all have been let in, which is all that counts
@before = workers($s);
kill 'TERM', $s->{pid};
my $answered = grep { local $/; my $answer = readline $_; defined $answer && $answer =~ /^\.\n\z/m } @last;
is $answered, 20, 'SIGTERM: who has asked is answered';
is stop_service($s), 0, 'then it ends';
like service_log($s), qr/: ending\nauthd: \d+: ended\n\z/ , 'and says so' or diag service_log($s);
ok @before == 4 && !(grep { lives($_) } @before), 'no worker is left over';
$s = start_service('killed');
ok eventually { workers($s) == 3 }, 'another service';
@before = workers($s);
is stop_service($s, 'KILL'), 'signal 9', 'which is killed';
ok eventually { !grep { lives($_) } @before }, 'its workers end by themselves';

# ---- a database that hangs ----
SKIP: {
    skip 'authpgsql is not built: libpq is not here', 7 unless -x "$BIN/authpgsql";
    my $hole = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 100);
    my %hanging = (authmodulelist => 'authuserdb authpgsql', 
        PGSQL_CONNECTION => 'host=127.0.0.1 user=x dbname=x port=' . $hole->sockport, PGSQL_CRYPT_PWFIELD => 'crypt', daemons => 2);
    $s = start_service('hanging', %hanging, PGSQL_TIMEOUT => 60, AUTHD_TIMEOUT => 2);
    my $victim = connect_to($s);
    syswrite $victim, request('login', "unknown\nsecret\n");
    ok eventually { IO::Select->new($hole)->can_read(0) }, 'a worker waits for a database that hangs';
    like auth($s, 'user1', 'secret'), qr{^HOME=/home/1$}m, 'the other works on';
    my $answer = do { local $/; readline $victim };
    is $answer // '', '', 'the client of the first one is told that it cannot be told now';
    ok eventually { service_log($s) =~ /: worker-killed worker=\d+ why="no answer within AUTHD_TIMEOUT"/ }, 'the log says why';
    ok eventually { workers($s) == 2 }, 'there are two again';
    my @victims = map { my $c = connect_to($s); syswrite $c, request('login', "unknown\nsecret\n"); $c } 1 .. 3;
    my $after = connect_to($s);
    syswrite $after, request('login', "user2\nsecret\n");
    $answer = do { local $/; readline $after } // '';
    ok $answer eq '' || $answer =~ m{^HOME=/home/2$}m, 'all hang: who waits is told in time';
    is scalar(grep { local $/; !defined readline $_ or 1 } @victims), 3, 'and nobody waits for ever';
    stop_service($s);
}

# ---- under supervision ----
SKIP: {
    skip 's6 is not installed', 4 if system 'command -v s6-supervise >/dev/null';
    # The service directory as it is shipped.
    my $directory = "$T/supervised";
    mkdir $_ for $directory, "$directory/service";
    system('cp', '-R', "$TOP/conf", $directory) == 0 && system('cp', '-R', "$TOP/service/authd", "$directory/service") == 0
      && symlink($BIN, "$directory/bin") or die;
    spew("$directory/conf/authdaemonrc", slurp("$TOP/conf/authdaemonrc")
          . "authmodulelist=authuserdb\ndaemons=2\nUSERDB=$T/userdb.cdb\nauthdaemonvar=$directory/run\n");
    spew("$directory/service/authd/run", "#!/bin/sh\nexec >>$directory/log 2>&1\n" . slurp("$TOP/service/authd/run"));
    my $sv = "$directory/service/authd";
    my $pid = fork // die;
    if (!$pid) { open STDIN, '<', '/dev/null'; exec 's6-supervise', $sv or POSIX::_exit(127) }
    my %sv = (socket => "$directory/run/socket", log => "$directory/log");
    ok eventually { service_log(\%sv) =~ /: started / }, 'under s6-supervise';
    like auth(\%sv, 'user7', 'secret'), qr{^HOME=/home/7$}m, 'it answers';
    system 's6-svc', '-r', $sv;
    ok eventually { (() = service_log(\%sv) =~ /: started /g) == 2 }, 's6-svc -r: ended, and started again';
    like auth(\%sv, 'user8', 'secret'), qr{^HOME=/home/8$}m, 'it answers again';
    system 's6-svc', '-xd', $sv;
    waitpid $pid, 0;
}
done_testing;
