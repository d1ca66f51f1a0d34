/* SPDX-License-Identifier: MIT */
#pragma once

/* For tests: from now on no name resolves in this process, and nobody outside is asked for one. */
void no_names_install (void);
