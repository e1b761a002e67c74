/* Addresses as limits count them, and lists of networks. */
#include "base/base.h"
#include "../tap.h"

static bool same(char const *a, char const *b) {
  return address_group(a) == address_group(b);
}

int main(void) {
  ok(address_group("192.0.2.1") != 0, "an IPv4 address");
  ok(!same("192.0.2.1", "192.0.2.2"), "each IPv4 address counts alone");
  ok(same("192.0.2.1", "::ffff:192.0.2.1"), "... however written");
  ok(same("192.0.2.1", "::ffff:c000:201"), "... however oddly");
  ok(same("2001:db8::1", "2001:db8:0:0:ffff::"), "IPv6 counts by /64");
  ok(!same("2001:db8::1", "2001:db8:0:1::1"), "... and not by less");
  ok(!same("::1", "::ffff:0.0.0.0") && !same("::1", "0.0.0.0"), "a low /64 is no IPv4 address");
  ok(!address_group("") && !address_group("unknown") && !address_group("1.2.3") &&
         !address_group("192.0.2.1/24"),
     "no address is 0");

  ok(address_listed("192.0.2.1", "192.0.2.1") == 1, "an address in a list");
  ok(address_listed("192.0.2.1", " 10.0.0.0/8,\t192.0.2.0/24 ") == 1, "a network");
  ok(address_listed("192.0.3.1", "10.0.0.0/8 192.0.2.0/24") == 0, "outside");
  ok(address_listed("192.0.2.129", "192.0.2.128/25") == 1, "a part of a byte: in");
  ok(address_listed("192.0.2.127", "192.0.2.128/25") == 0, "... and out");
  ok(address_listed("192.0.2.1", "0.0.0.0/0") == 1, "all of IPv4");
  ok(address_listed("2001:db8::1", "0.0.0.0/0") == 0, "... which is not IPv6");
  ok(address_listed("::ffff:192.0.2.1", "192.0.2.0/24") == 1, "IPv4 in IPv6's notation");
  ok(address_listed("2001:db8:1::1", "2001:db8::/32") == 1, "an IPv6 network");
  ok(address_listed("2001:db9::1", "2001:db8::/32") == 0, "... and outside");
  ok(address_listed("2001:db8::1", "2001:db8::1 192.0.2.1") == 1, "an IPv6 address");
  ok(address_listed("192.0.2.1", "") == 0 && address_listed(0, "0.0.0.0/0") == 0, "nothing");
  ok(address_listed(0, "0.0.0.0/0 x") < 0 && address_listed("192.0.2.1", "192.0.2.1 x") < 0,
     "a wrong list is wrong for everybody");
  ok(address_listed("::1", "192.0.2.0/33") < 0 && address_listed("::1", "::/129") < 0 &&
         address_listed("::1", "::1/") < 0 && address_listed("::1", "::1/-1") < 0 &&
         address_listed("::1", "::1/64x") < 0 && address_listed("::1", "192.0.2") < 0,
     "kinds of wrong");
  return tap_done();
}
