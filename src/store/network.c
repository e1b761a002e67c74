/* File systems on which a map may show what is no longer so, and inotify does not report what other
 * machines do: those of the network, of clusters, and whatever a program serves.  Linux says which
 * kind it is; elsewhere none is known. */
#include "store/network.h"

#ifdef __linux__
#include <stddef.h>
#include <stdint.h>
#include <sys/statfs.h>

/* The kernel's numbers, <linux/magic.h> and the sources of each. */
static struct {
  uint32_t type;
  char const *name;
} const kinds[] = {
    {0x6969, "NFS"},        {0x517b, "SMB"},        {0xff534d42, "CIFS"},   {0xfe534d42, "SMB2"},
    {0x01021997, "9P"},     {0x65735546, "FUSE"}, /* sshfs, GlusterFS, virtiofs; and local ones */
    {0x00c36400, "Ceph"},   {0x5346414f, "AFS"},    {0x6b414653, "AFS"},    {0x73757245, "Coda"},
    {0x0bd00bd0, "Lustre"}, {0x7461636f, "OCFS2"},  {0x01161970, "GFS2"},   {0x786f4256, "vboxsf"},
    {0x47504653, "GPFS"},   {0x19830326, "BeeGFS"}, {0xbacbacbc, "vmhgfs"},
};

char const *network_kind(int fd) {
  struct statfs st;
  if (fstatfs(fd, &st) < 0) return "unknown"; /* rather slow than wrong */
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if ((uint32_t)st.f_type == kinds[i].type) return kinds[i].name;
  return 0;
}
#else
char const *network_kind(int fd) {
  (void)fd;
  return 0;
}
#endif
