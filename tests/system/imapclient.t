#!/usr/bin/perl
# Perl's Mail::IMAPClient against the real services: folders and what is in them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Chainmail;

plan skip_all => 'Mail::IMAPClient is not installed' unless eval { require Mail::IMAPClient };

my $home    = home('ann');
my $maildir = "$home/Maildir";
deliver($maildir, "Subject: message $_\n\nbody $_\n") for 1 .. 5;
my $demo = demo(users => [ [ 'ann', 'secret', $home ] ]);

my $imap = Mail::IMAPClient->new(
    Server   => '127.0.0.1',
    Port     => $demo->{sslport},
    Ssl      => [ SSL_ca_file => $demo->{ca}, SSL_verifycn_name => 'localhost' ],
    User     => 'ann',
    Password => 'secret',
    Uid      => 1,
    Timeout  => PATIENCE,
) or BAIL_OUT("no connection: $@");
ok($imap->IsAuthenticated, 'logged in');
for my $name (qw(IMAP4rev1 UIDPLUS CHILDREN NAMESPACE IDLE UNSELECT MOVE LITERAL+ ENABLE ID)) {
    ok($imap->has_capability($name), "capability $name");
}
is($imap->separator, '.', 'the hierarchy separator');
is_deeply([ $imap->namespace ]->[0], [ [ 'INBOX.', '.' ] ], 'the namespace');

# ---- folders ----

sub folders { return join ' ', sort $imap->folders }
ok($imap->create('INBOX.a'),     'create');
ok($imap->create('INBOX.a.b'),   'create a child');
ok($imap->create('INBOX.a.b.c'), 'and a grandchild');
ok(!$imap->create('INBOX.a'),    'not twice');
ok(!$imap->create('INBOX'),      'not INBOX');
is(folders(), 'INBOX INBOX.a INBOX.a.b INBOX.a.b.c', 'all are listed');
ok(-d "$maildir/.a.b.c/cur", 'on disk as Maildir++ has them');
ok($imap->exists('INBOX.a'), 'exists');
ok($imap->is_parent('INBOX.a'), 'has children');
ok(!$imap->is_parent('INBOX.a.b.c'), 'has none');
ok($imap->rename('INBOX.a.b', 'INBOX.x'), 'rename');
is(folders(), 'INBOX INBOX.a INBOX.x INBOX.x.c', 'what was below moves along');
ok(!$imap->rename('INBOX.none', 'INBOX.y'), 'not what does not exist');
ok(!$imap->rename('INBOX.a', 'INBOX.x'),    'not over what exists');
ok($imap->delete('INBOX.x.c'), 'delete');
ok(!$imap->delete('INBOX.x.c'), 'not twice');
ok(!$imap->delete('INBOX'),    'not INBOX');
is(folders(), 'INBOX INBOX.a INBOX.x', 'it is gone');

my $odd = 'INBOX.Entw&APw-rfe & "mehr"' =~ s/ & / &- /r;
ok($imap->create($odd), 'a name with blanks, quotes and another alphabet');
ok((grep { $_ eq $odd } $imap->folders), 'is listed as it was created');
ok($imap->select($odd), 'and selected');
ok($imap->delete($odd), 'and deleted');
ok($imap->select('INBOX.a'), 'select another');

ok($imap->subscribe('INBOX.a'), 'subscribe');
ok($imap->subscribe('INBOX.x'), 'and another');
is(join(' ', sort $imap->subscribed), 'INBOX.a INBOX.x', 'both are listed');
ok($imap->unsubscribe('INBOX.x'), 'unsubscribe');
is(join(' ', $imap->subscribed), 'INBOX.a', 'one is left');

# ---- messages ----

ok($imap->select('INBOX'), 'select INBOX');
is_deeply([ $imap->messages ], [ 1 .. 5 ], 'five messages');
is($imap->subject(3), 'message 3', 'a subject');
is($imap->message_string(2), "Subject: message 2\r\n\r\nbody 2\r\n", 'a message');
is($imap->size(2), length "Subject: message 2\r\n\r\nbody 2\r\n", 'its size');
is_deeply([ $imap->search(SUBJECT => 'message 4') ], [4], 'search');
ok($imap->see(1, 2), 'mark as seen');
is_deeply([ sort $imap->seen ],  [ 1, 2 ],   'seen');
is_deeply([ sort $imap->unseen ], [ 3, 4, 5 ], 'unseen');
ok($imap->set_flag('$Label1', 4), 'a keyword');
is_deeply([ $imap->search(KEYWORD => '$Label1') ], [4], 'is found');

# UIDPLUS: the client returns the new UIDs, which only the response code can have told it.
is($imap->copy('INBOX.a', 1, 4), '1,2', 'copy tells the new UIDs') or diag($imap->LastError);
ok($imap->select('INBOX.a'), 'the target');
is_deeply([ map { $imap->subject($_) } $imap->messages ], [ 'message 1', 'message 4' ],
    'has the copies');
is_deeply([ $imap->seen ], [1], 'with their flags');
is_deeply([ $imap->search(KEYWORD => '$Label1') ], [2], 'and keywords');

ok($imap->select('INBOX'), 'back');
ok($imap->move('INBOX.x', 2), 'move') or diag($imap->LastError);
$imap->expunge;
is_deeply([ $imap->messages ], [ 1, 3, 4, 5 ], 'gone from here');
is($imap->message_count('INBOX.x'), 1, 'and there');

my $uid = $imap->append_string('INBOX.x', "Subject: appended\r\n\r\nx\r\n", '\Flagged',
    ' 1-Feb-2020 12:00:00 +0000');
is($uid, 2, 'append tells the new UID');
ok($imap->select('INBOX.x'), 'select');
is($imap->subject(2), 'appended', 'the new message');
is_deeply([ $imap->search('FLAGGED') ], [2], 'has its flag');
like($imap->internaldate(2), qr/-2020 /, 'and its date');

ok($imap->delete_message(1), 'mark as deleted');
ok($imap->uidexpunge(2), 'UID EXPUNGE of another');
is_deeply([ $imap->messages ], [ 1, 2 ], 'removes nothing');
ok($imap->uidexpunge(1), 'of this one');
is_deeply([ $imap->messages ], [2], 'removes it');
my $validity = $imap->uidvalidity('INBOX.x');
like($validity, qr/^[1-9]\d*\z/, 'UIDVALIDITY');
is($imap->uidnext('INBOX.x'), 3, 'UIDNEXT');
ok($imap->close, 'close');
ok($imap->select('INBOX.x'), 'again');
is_deeply([ $imap->messages ], [2], 'with the same UIDs');
is($imap->uidvalidity('INBOX.x'), $validity, 'and the same UIDVALIDITY');
ok($imap->logout, 'logout');
done_testing;
