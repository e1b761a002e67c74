#!/usr/bin/perl
# Home directories that are made at the first login.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Module;

my $hash = hash('secret');
my $skel = "$T/skel";
sub sh { system('/bin/sh', '-ec', $_[0]) == 0 or die "$_[0]\n" }
sh("mkdir -p $skel/Maildir/cur $skel/Maildir/new $skel/Maildir/tmp; echo hello >$skel/.profile;
  chmod -R go+rX $skel; chmod 0640 $skel/.profile; chmod 0700 $skel/Maildir; chmod 4755 $skel/Maildir/cur; ln -s /etc/passwd $skel/link; mkfifo $skel/pipe");
sh("chown -R $UID:$GID $skel") unless $>;

# login(home, env): the answer, at home or why not.
sub login {
    my ($home, %env) = @_;
    userdb("joe\tuid=$UID|gid=$GID|home=$home|systempw=$hash\n");
    return run_module(["$BIN/authuserdb", "$T/program"], input => "joe\0secret\0x\0",
        env => { AUTH_MKHOMEDIR_SKEL => $skel, %env });
}
sub mode { my @st = lstat $_[0] or return 'missing'; return sprintf '%o %d', $st[2] & 07777, $st[4] }
sub tree { my @all = `cd $_[0] && find . | sort`; chomp @all; return "@all" }
my $whole = '. ./.profile ./Maildir ./Maildir/cur ./Maildir/new ./Maildir/tmp ./link';
# Where root alone can write is seldom below /tmp.
my $mine = "$T/mine";
mkdir $mine or die;
chown $UID, $GID, $mine;

my $r = login("$mine/joe", AUTH_MKHOMEDIR_SKEL => undef);
is $r->{socket}, 'U', 'without AUTH_MKHOMEDIR_SKEL: no home, no session';
like $r->{log}, qr/attempt=chdir .*remedy="create it/, '... and what to do';

$r = login("$mine/joe");
is seen($r, 'cwd'), "$mine/joe", 'made where the user can write';
is tree("$mine/joe"), $whole, '... with what the skeleton has';
is mode("$mine/joe"), "700 $UID", '... the user\'s alone';
is mode("$mine/joe/.profile"), "640 $UID", '... with the modes of files';
is mode("$mine/joe/Maildir"), "700 $UID", '... and of directories';
is mode("$mine/joe/Maildir/cur"), "755 $UID", '... but no set-uid bits';
is readlink("$mine/joe/link"), '/etc/passwd', '... a link is a link';
like $r->{log}, qr{: created user=joe path=\Q$mine\E/joe\n}, '... logged';
is $r->{socket}, 'A', '... and accepted';
write_file("$mine/joe/.profile", 'changed');
$r = login("$mine/joe");
is slurp("$mine/joe/.profile"), 'changed', 'the second time nothing is made';
unlike $r->{log}, qr/created/, '... nor logged';

$r = login("$mine/example.com/a/b//");
is seen($r, 'cwd'), "$mine/example.com/a/b", 'directories above it, and slashes at its end';
is tree("$mine/example.com/a/b"), $whole, '... are no matter';

$r = login("$mine/none", AUTH_MKHOMEDIR_SKEL => "$T/noskel");
is $r->{socket}, 'U', 'no skeleton';
like $r->{log}, qr/attempt="make the home directory"/, '... logged';
is mode("$mine/none"), 'missing', '... nothing is made';
sh("mkdir $T/loop; cd $T/loop; mkdir -p \$(printf 'a/%.0s' \$(seq 30))");
sh("chown -R $UID:$GID $T/loop") unless $>;
$r = login("$mine/deep", AUTH_MKHOMEDIR_SKEL => "$T/loop");
is $r->{socket}, 'U', 'a skeleton deeper than any';
is tree($mine) =~ tr/ //, tree("$mine/joe") =~ tr/ // + tree("$mine/example.com") =~ tr/ // + 2, '... leaves nothing over';
symlink "$mine/nowhere", "$mine/dangling";
is login("$mine/dangling")->{socket}, 'U', 'a link to nowhere is not a home that is missing';
is mode("$mine/nowhere"), 'missing', '... and leads nowhere';

# Many at once: one home, and each of them in it.
my @pids = map {
    my $pid = fork // die;
    if (!$pid) {
        open STDERR, '>', '/dev/null';
        exec 'sh', '-c', "printf 'joe\\0secret\\0x\\0' >$T/in.$$.$_; USERDB=$T/userdb.cdb AUTH_MKHOMEDIR_SKEL=$skel $BIN/authuserdb true 3<$T/in.$$.$_";
    }
    $pid;
} do { userdb("joe\tuid=$UID|gid=$GID|home=$mine/race|systempw=$hash\n"); 1 .. 8 };
my $good = grep { waitpid $_, 0; !$? } @pids;
is $good, 8, 'eight first logins at once';
is tree("$mine/race"), $whole, '... one home';
is scalar(grep { /new-home/ } split / /, tree($mine)), 0, '... and nothing over';

SKIP: {
    skip 'needs root', 12 if $>;
    my $top = "/var/lib/chainmail-test.$$"; # root's alone, and so is all above it
    mkdir $top, 0755 or skip "cannot make $top", 12;
    $r = login("$top/example.com/joe");
    is seen($r, 'cwd'), "$top/example.com/joe", 'made by root where root alone can write';
    is tree("$top/example.com/joe"), $whole, '... with what the skeleton has';
    is mode("$top/example.com/joe"), "700 $UID", '... the user\'s alone';
    is mode("$top/example.com"), '755 0', '... below a directory of root\'s';
    $r = login("$top/broken", AUTH_MKHOMEDIR_SKEL => "$T/noskel");
    is $r->{socket}, 'U', 'no skeleton';
    is tree($top), '. ./example.com ' . join(' ', map { "./example.com/joe" . substr $_, 1 } split / /, $whole), '... leaves nothing over';
    sh("mkdir -m 0700 $T/hidden; cp -R $skel/. $T/hidden; chown -R root $T/hidden");
    is login("$top/read", AUTH_MKHOMEDIR_SKEL => "$T/hidden")->{socket}, 'U', 'the skeleton is read by the user, not by root';
    is mode("$top/read"), 'missing', '... so that nothing of root\'s gets out';
    # Somebody else's directory: root does nothing there, and the user may not.
    sh("mkdir $top/other; chown 12399 $top/other; ln -s /etc $top/other/etc; ln -s $top $top/link");
    is login("$top/other/joe")->{socket}, 'U', 'not below somebody else\'s directory';
    is login("$top/other/etc/joe")->{socket}, 'U', '... nor by a link in it';
    is mode('/etc/joe'), 'missing', '... which root does not follow';
    is login("$top/link/joe")->{socket}, 'U', 'nor by any link';
    sh("rm -rf $top");
}
done_testing;
