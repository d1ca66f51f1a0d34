/* SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>

/*
 * Of words that there are, the one that a mistyped word was meant to be.
 */

/* The one of @candidates (NULL at the end) that is so near to @word that it was probably meant: some letters are wrong,
 * missing, too many or exchanged, or it is only begun. NULL if none is, or if two are equally near. Of candidates. */
const char *prpctl_nearest (const char *word, const char *const *candidates);
