/* SPDX-License-Identifier: MIT */
#pragma once

#include "common/bus-source.h"

/* A bus that is ready, and whose other end is a socket that reads nothing by itself: what was written is seen as bytes. */
typedef struct {
  sd_bus *bus;
  int peer;
} WireFixture;

void wire_fixture_set_up (WireFixture *f);
void wire_fixture_tear_down (WireFixture *f);

/* Takes what has arrived, once sd-bus has nothing more to write; what it says before the first message is not among it. */
GByteArray *wire_fixture_take (WireFixture *f);
