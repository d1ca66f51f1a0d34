/* SPDX-License-Identifier: MIT */
#include <libintl.h>
#include <stdlib.h>

#include <dlfcn.h>

/*
 * To be preloaded (LD_PRELOAD): messages come from $PRP_SHIM_LOCALEDIR, as po/ of the build directory, and not from where they
 * will be installed.
 */
char *
bindtextdomain (const char *domain, const char *directory)
{
  static char *(*next) (const char *, const char *);
  const char *ours = getenv ("PRP_SHIM_LOCALEDIR");

  if (next == NULL)
    *(void **) &next = dlsym (RTLD_NEXT, "bindtextdomain");
  return next (domain, ours != NULL && directory != NULL ? ours : directory);
}
