/* SPDX-License-Identifier: MIT */
#pragma once

#include "prpctl/help.h"

/*
 * Where on the command line somebody is typing, and what can stand there. Pure; what there is of it now is for
 * complete.c to find out.
 */
typedef struct {
  PrpctlWordKind kind;
  const PrpctlVerbWords *verb; /* before it, NULL if there is none (yet) */
  const char *begun;           /* what is typed of the word; points into the last of the words */
  gsize prefix_bytes;          /* of the last word, that stand before it: of "--type=" */
} PrpctlCompletion;

/* @words: those behind "prpctl", up to the one that is being typed, which is the last and may be empty; NULL at the end.
 * @verbs: all there are, one without a name at the end. */
PrpctlCompletion prpctl_completion_find (const char *const *words, const PrpctlVerbWords *verbs);
