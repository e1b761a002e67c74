#!/usr/bin/perl
# scripts/samplemail: what it makes is well-formed, varied, and the same each time.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Encode qw(decode);
use File::Basename qw(basename dirname);
use File::Find qw(find);
use File::Temp qw(tempdir);
use MIME::Base64 qw(decode_base64);
use MIME::QuotedPrint qw(decode_qp);
use Test::More;

my $samplemail = dirname(__FILE__) . '/../../scripts/samplemail';
my $top = tempdir('chainmail-test.XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $N = 260;

sub files {
    my ($dir) = @_;
    my @files;
    find({ no_chdir => 1, wanted => sub { push @files, $_ if -f } }, $dir);
    return sort @files;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!";
    local $/;
    return scalar(<$file>) // '';
}

sub digest {
    my ($dir) = @_;
    return sha256_hex(join '', map { substr($_, length $dir) . ' ' . (stat)[9] * /sample/ . slurp($_) } files($dir));
}

is(system("$samplemail $top/one $N > $top/out 2> $top/err"), 0, 'exit 0');
like(slurp("$top/out"), qr/^$N messages/, 'says how many');
is(slurp("$top/err"), '', 'no warnings');
system("$samplemail $top/two $N > $top/out");
is(digest("$top/one"), digest("$top/two"), 'the same each time');
system("$samplemail $top/one $N > $top/out");
is(digest("$top/one"), digest("$top/two"), 'and again on top of itself');
is(system("$samplemail $top/small 1 > $top/out"), 0, 'a single one');

my @messages = grep { /sample/ } files("$top/one");
is(scalar @messages, $N, 'as many as were asked for');
for my $folder ('', '/.Sent', '/.Lists', '/.Archive.2025') {
    ok(-d "$top/one$folder/cur" && -d "$top/one$folder/new" && -d "$top/one$folder/tmp", "$folder: a Maildir");
    ok(grep({ /one\Q$folder\E\/cur\// } @messages), "$folder: has mail");
    ok($folder eq '' || -e "$top/one$folder/maildirfolder", "$folder: marked as a folder");
    ok(scalar(grep { $_ eq "INBOX" . $folder =~ tr{/}{}dr } split /\n/, slurp("$top/one/courierimapsubscribed")),
        "$folder: subscribed");
}
ok(grep({ m{one/new/} } @messages), 'some are new');
is(join(' ', grep { m{/tmp/\d} } @messages), '', 'none is left in tmp');

my (%seen, %ids, @bad);

# Fields of a header, unfolded.
sub fields {
    my ($header) = @_;
    $header =~ s/\n[ \t]+/ /g;
    my %fields;
    for (split /\n/, $header) {
        /^([A-Za-z0-9-]+): ?(.*)/ or push @bad, "no field: $_";
        $fields{ lc $1 } //= $2;
    }
    return \%fields;
}

sub leaf {
    my ($path, $type, $fields, $body) = @_;
    my $encoding = lc($fields->{'content-transfer-encoding'} // '7bit');
    my ($charset) = ($fields->{'content-type'} // '') =~ /charset="?([^";]+)/;
    push @bad, "$path: 8-bit in $encoding" if $encoding ne '8bit' && $body =~ /[^\x00-\x7f]/;
    $body = decode_base64($body) if $encoding eq 'base64';
    $body = decode_qp($body) if $encoding eq 'quoted-printable';
    $seen{encoding}{$encoding}++;
    return unless $charset;
    $seen{charset}{$charset}++;
    push @bad, "$path: not $charset" unless eval { decode($charset, $body, Encode::FB_CROAK); 1 };
}

sub walk {
    my ($path, $entity, $default) = @_;
    my ($header, $body) = $entity =~ /\A\n(.*)\z/s ? ('', $1) : split /\n\n/, $entity, 2;
    push @bad, "$path: 8-bit in a header" if $header =~ /[^\x00-\x7f]/;
    my $fields = fields($header);
    my ($type) = ($fields->{'content-type'} // $default) =~ /^([\w-]+\/[\w-]+)/;
    $seen{type}{$type}++;
    $seen{parameter}{$_}++ for ($fields->{'content-disposition'} // '') =~ /(filename\*?(?:0\*)?)=/g;
    if ($type =~ /^multipart/) {
        my ($boundary) = $fields->{'content-type'} =~ /boundary="([^"]+)"/;
        my @parts = split /^--\Q$boundary\E(?:--)?\n/m, "\n$body", -1;
        push @bad, "$path: parts" unless @parts > 2 && $parts[-1] eq '' && $body =~ /^--\Q$boundary\E--\n\z/m;
        walk($path, $_, $type eq 'multipart/digest' ? 'message/rfc822' : 'text/plain') for @parts[1 .. $#parts - 1];
    } elsif ($type eq 'message/rfc822') {
        walk($path, $body, 'text/plain');
    } else {
        leaf($path, $type, $fields, $body);
    }
    return $fields;
}

for my $path (@messages) {
    my $text = slurp($path);
    my $name = basename($path);
    my ($date, $size) = $name =~ /^(\d+)\.[^,]+,S=(\d+)(?::2,[A-Z]*)?$/;
    push @bad, "$name: not a Maildir name" unless defined $size;
    push @bad, "$name: not its size" unless $size == length $text;
    push @bad, "$name: not its date" unless $date == (stat $path)[9];
    push @bad, "$name: CR, NUL or a long line" if $text =~ /[\r\0]|[^\n]{999}/;
    my $fields = walk($name, $text, 'text/plain');
    push @bad, "$name: no $_" for grep { !$fields->{$_} } qw(from to subject date message-id);
    push @bad, "$name: message-id again" if $ids{ $fields->{'message-id'} }++;
    push @{ $seen{references} }, ($fields->{references} // '') =~ /(<[^>]+>)/g;
    push @bad, "$name: JIS X 0212" if $text =~ /\e\$\(D/;
    push @bad, "$name: a long encoded-word" if $text =~ /=\?[^?\s]+\?[BQ]\?[^?\s]{60,}\?=/;
    $seen{word}{lc $_}++ for ($fields->{subject} . $fields->{from}) =~ /=\?([^?]+)\?[BQ]\?/g;
    $seen{flag}{$_}++ for split //, $name =~ s/.*:2,//r =~ s/.*sample.*//r;
    $seen{list}++ if $fields->{'list-id'};
    $seen{long}++ if length $fields->{'x-very-long'};
    $seen{empty}++ if $text =~ /\n\n\z/ && $text =~ tr/\n// < 20 && $text !~ /\n\n./;
}
is_deeply(\@bad, [], 'every message is well-formed') or diag(@bad[0 .. ($#bad < 5 ? $#bad : 5)]);
ok(@{ $seen{references} } > 50, 'there are threads');
is(join(' ', grep { !$ids{$_} } @{ $seen{references} }), '', 'whose messages are all there');
ok($seen{charset}{$_} && ($_ eq 'us-ascii' || $seen{word}{$_}), "charset $_, in bodies and headers")
    for qw(us-ascii utf-8 iso-8859-1 windows-1252 koi8-r iso-2022-jp);
ok($seen{encoding}{$_}, "encoding $_") for qw(7bit 8bit quoted-printable base64);
ok($seen{type}{$_}, $_)
    for qw(text/plain text/html multipart/mixed multipart/alternative multipart/related multipart/digest
    multipart/report message/rfc822 image/png application/pdf text/calendar);
ok($seen{parameter}{$_}, "$_=") for 'filename', 'filename*', 'filename*0*';
ok($seen{flag}{$_}, "flag $_") for qw(S R F P T);
ok($seen{$_}, "$_ headers") for qw(list long);
ok($seen{empty}, 'empty bodies');

is(system("$samplemail 2> $top/err") >> 8, 100, 'no directory: exit 100');
is(system("$samplemail $top/one none 2> $top/err") >> 8, 100, 'no number: exit 100');
like(slurp("$top/err"), qr/^usage: samplemail DIR \[N\]/, 'and how it is used');

done_testing;
