/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Changes to a text that keep it JSON more often than changes of single bytes do: libFuzzer comes past the first brackets by
 * itself, but hardly ever to an object of fourteen keys, or to a value twenty levels deep. Half of the time libFuzzer has its
 * own way, so that nothing is out of reach that was not before. It knows brackets, commas and colons, and nothing of the code
 * that is tested.
 */

size_t LLVMFuzzerMutate (uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define MAX_PIECE_BYTES 512

static const char *const keys[] = {
  "type", "id", "timestamp", "data", "metadata", "sequence", "projectId", "name", "status", "priority", "changes",
  "previousStatus", "newStatus", "reason", "agentId", "prpId", "progress", "currentTask", "code", "message", "a", "\\u0061", "",
  "access_token", "expires_in", "token_type", "refresh_token", "error", "exp", "iat",
};

static const char *const values[] = {
  "null", "true", "false", "0", "-0", "7", "1.5", "1e400", "-2.5e-7", "9223372036854775807", "9223372036854775808",
  "18446744073709551616", "-9223372036854775809", "{}", "[]", "\"\"", "\"x\"", "\"\\ud83d\\ude00\"", "\"\\ud800\\u0000\"",
  "\"\xef\xbf\xbf\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"prp.created\"", "\"prp.updated\"", "\"prp.status_changed\"",
  "{\"id\":\"1\",\"projectId\":\"2\",\"changes\":{\"a\":{\"b\":1},\"c\":7}}",
  "{\"agentId\":\"1\",\"prpId\":\"2\",\"progress\":50}", "\"prp.deleted\"", "\"agent.assigned\"", "\"agent.progress\"", "\"error\"", "\"heartbeat\"", "{\"a\":{\"b\":1}}", "[1,[2]]",
};

#define N(array) (sizeof (array) / sizeof *(array))

/* xorshift32 */
static unsigned int
draw (unsigned int *state, unsigned int n)
{
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state % n;
}

static void
add (char piece[MAX_PIECE_BYTES], const char *text)
{
  if (strlen (piece) + strlen (text) < MAX_PIECE_BYTES)
    strcat (piece, text);
}

/* "key":value, of one to fourteen */
static void
make_members (char piece[MAX_PIECE_BYTES], unsigned int *state)
{
  unsigned int n = draw (state, 4) == 0 ? 14 : 1;

  for (unsigned int i = 0; i < n; i++) {
    add (piece, i > 0 ? ",\"" : "\"");
    add (piece, keys[draw (state, N (keys))]);
    add (piece, "\":");
    add (piece, values[draw (state, N (values))]);
  }
}

/* A value, at times within others. */
static void
make_value (char piece[MAX_PIECE_BYTES], unsigned int *state)
{
  unsigned int depth = draw (state, 8) == 0 ? draw (state, 24) : 0, objects = draw (state, 2);

  for (unsigned int i = 0; i < depth; i++)
    add (piece, objects ? "{\"a\":" : "[");
  add (piece, values[draw (state, N (values))]);
  for (unsigned int i = 0; i < depth; i++)
    add (piece, objects ? "}" : "]");
}

/* How far the value at @at reaches: to the comma or bracket that ends it, strings left aside. */
static size_t
measure (const uint8_t *data, size_t size, size_t at)
{
  size_t end = at, depth = 0;

  for (; end < size; end++) {
    uint8_t c = data[end];

    if (c == '"')
      for (end++; end < size && data[end] != '"'; end++)
        end += data[end] == '\\';
    else if (c == '{' || c == '[')
      depth++;
    else if (depth == 0 && (c == ',' || c == '}' || c == ']'))
      break;
    else if (c == '}' || c == ']')
      depth--;
  }
  return (end < size ? end : size) - at;
}

/* @n bytes at @at become @piece. */
static size_t
replace (uint8_t *data, size_t size, size_t max_size, size_t at, size_t n, const char *piece)
{
  size_t length = strlen (piece);

  if (size - n + length > max_size)
    return size;
  memmove (data + at + length, data + at + n, size - at - n);
  memcpy (data + at, piece, length);
  return size - n + length;
}

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
  unsigned int state = seed | 1;
  char piece[MAX_PIECE_BYTES] = "";
  size_t at = 0, n = 0;
  uint8_t c;

  draw (&state, 2);
  if (size == 0 || draw (&state, 2) == 0)
    return LLVMFuzzerMutate (data, size, max_size);

  /* The next bracket, comma or colon from anywhere on. */
  for (at = draw (&state, (unsigned int) size); at < size && strchr ("{[,:", data[at]) == NULL; at++)
    ;
  if (at == size)
    return LLVMFuzzerMutate (data, size, max_size);
  c = data[at++];
  n = measure (data, size, at);
  if (c == ':' || (c == '[' && n > 0 && draw (&state, 2) == 0)) {
    make_value (piece, &state);
  } else if (c == '[') {
    make_value (piece, &state);
    add (piece, n > 0 ? "," : "");
    n = 0;
  } else {
    make_members (piece, &state);
    add (piece, n > 0 || c == ',' ? "," : "");
    n = 0;
  }
  return replace (data, size, max_size, at, n, piece);
}
