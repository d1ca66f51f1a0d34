/* SPDX-License-Identifier: MIT */
#include "prpctl/watch-keys.h"

/*
 * Keys that are no letter come as ESC [ parameters final, or as ESC O final (VT100 and its heirs). A lone ESC waits
 * for what follows; as the key Escape means nothing here, nobody misses it.
 */

#define ESCAPE '\033'

static PrpctlKey
find_letter (char byte)
{
  switch (byte) {
  case 'q':
  case 'Q':
  case '\003': /* Ctrl-C, where the terminal makes no signal of it */
    return PRPCTL_KEY_QUIT;
  case 'k':
  case '\020': /* Ctrl-P */
    return PRPCTL_KEY_UP;
  case 'j':
  case '\016': /* Ctrl-N */
  case '\n':
  case '\r':
    return PRPCTL_KEY_DOWN;
  case 'b':
    return PRPCTL_KEY_PAGE_UP;
  case ' ':
  case 'f':
    return PRPCTL_KEY_PAGE_DOWN;
  case 'g':
    return PRPCTL_KEY_HOME;
  case 'G':
    return PRPCTL_KEY_END;
  case 'a':
    return PRPCTL_KEY_ACTIVE;
  case 'p':
    return PRPCTL_KEY_PAUSE;
  case '?':
  case 'h':
    return PRPCTL_KEY_HELP;
  case '\f': /* Ctrl-L */
    return PRPCTL_KEY_REDRAW;
  default:
    return PRPCTL_KEY_OTHER;
  }
}

/* @number: the first parameter, for those that end in '~'. */
static PrpctlKey
find_sequence (char final, guint number)
{
  switch (final) {
  case 'A': return PRPCTL_KEY_UP;
  case 'B': return PRPCTL_KEY_DOWN;
  case 'H': return PRPCTL_KEY_HOME;
  case 'F': return PRPCTL_KEY_END;
  case '~': break;
  default: return PRPCTL_KEY_OTHER;
  }
  switch (number) {
  case 1:
  case 7: return PRPCTL_KEY_HOME;
  case 4:
  case 8: return PRPCTL_KEY_END;
  case 5: return PRPCTL_KEY_PAGE_UP;
  case 6: return PRPCTL_KEY_PAGE_DOWN;
  default: return PRPCTL_KEY_OTHER;
  }
}

PrpctlKey
prpctl_keys_feed (PrpctlKeys *keys, char byte)
{
  guint number = 0;

  if (byte == ESCAPE) {
    keys->bytes[0] = byte;
    keys->n_bytes = 1;
    return PRPCTL_KEY_NONE;
  }
  if (keys->n_bytes == 0)
    return find_letter (byte);
  if (keys->n_bytes == 1 && byte != '[' && byte != 'O') {
    keys->n_bytes = 0;
    return PRPCTL_KEY_OTHER; /* with Alt */
  }
  if (keys->n_bytes == 1 || ((byte < '@' || byte > '~') && keys->n_bytes < PRPCTL_KEYS_MAX_BYTES)) {
    keys->bytes[keys->n_bytes++] = byte;
    return PRPCTL_KEY_NONE;
  }
  for (guint i = 2; i < keys->n_bytes && g_ascii_isdigit (keys->bytes[i]); i++)
    number = number * 10 + (guint) (keys->bytes[i] - '0');
  keys->n_bytes = 0;
  return find_sequence (byte, number);
}
