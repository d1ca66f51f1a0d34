# SPDX-License-Identifier: MIT
"""A notification server that the bus starts: by itself it does nothing but answer. It ends with the bus."""

import os
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from notification_server import NotificationServer  # noqa: E402


class Starter:
    address = os.environ["DBUS_STARTER_ADDRESS"]


bus_is_gone = threading.Event()
NotificationServer(Starter, name="a program").client.connection.connect("closed", lambda *_: bus_is_gone.set())
bus_is_gone.wait()
