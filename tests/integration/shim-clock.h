/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* For the tests into which the shim is linked: the clocks run ahead, as after a sleep. */
void shim_clock_sleep (int64_t usec);
/* CLOCK_REALTIME alone is set forward. */
void shim_clock_set (int64_t usec);
/* Says so on each timer that wants to know, as the kernel does in both cases. */
void shim_clock_tell (void);
