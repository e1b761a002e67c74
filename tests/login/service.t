#!/usr/bin/perl
# The service that modules are asked for, by the port the client has come to.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use LoginServer;
use Test::More;

# tcpserver sets TCPLOCALPORT to whichever port was free: env(1) puts another in its place.
sub service {
    my (%env) = @_;
    my $server = LoginServer->new(before => ['env', map { "$_=$env{$_}" } sort keys %env])->start;
    my $c = $server->client;
    $c->line;
    $c->command('a LOGIN any.decline secret');
    return join ' ', map { $_->{service} } $server->calls;
}
my @both = (AUTHSERVICE143 => 'imap-plain', AUTHSERVICE993 => 'imaps');
is service(), 'imap imap', 'imap, to each module';
is service(@both), 'imap imap', '... on another port';
is service(@both, TCPLOCALPORT => 143), 'imap-plain imap-plain', 'AUTHSERVICE143';
is service(@both, TCPLOCALPORT => 993), 'imaps imaps', 'AUTHSERVICE993';
is service(@both, TCPLOCALPORT => 99300000), 'imap imap', 'no port';
is service(@both, TCPLOCALPORT => ''), 'imap imap', '... at all';
is service(AUTHSERVICE => 'pop3', AUTHSERVICE993 => '', TCPLOCALPORT => 993), 'imap imap', 'an empty one, and one for other programs';
done_testing;
