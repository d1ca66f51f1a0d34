# SPDX-License-Identifier: MIT
"""The interfaces as the XML tells them: that of dbus/, or that of a live object."""

import pathlib
import xml.etree.ElementTree as ET

DBUS_DIR = pathlib.Path(__file__).resolve().parents[2] / "dbus"
EMITS_CHANGED = "org.freedesktop.DBus.Property.EmitsChangedSignal"

# Signals of the standard interfaces that the relay may emit.
STANDARD_SIGNALS = {
    ("org.freedesktop.DBus.Properties", "PropertiesChanged"): "(sa{sv}as)",
    ("org.freedesktop.DBus.ObjectManager", "InterfacesAdded"): "(oa{sa{sv}})",
    ("org.freedesktop.DBus.ObjectManager", "InterfacesRemoved"): "(oas)",
}


def _arguments(member, default):
    return [(a.get("name"), a.get("type"), a.get("direction", default)) for a in member.findall("arg")]


def _annotation(element, name, default):
    return next((a.get("value") for a in element.findall("annotation") if a.get("name") == name), default)


def parse(text):
    """interface → {"methods", "signals", "properties"} of the interfaces that are ours."""
    result = {}
    for interface in ET.fromstring(text).iter("interface"):
        if not interface.get("name").startswith("dev.prp."):
            continue
        default = _annotation(interface, EMITS_CHANGED, "true")
        result[interface.get("name")] = {
            "methods": {m.get("name"): _arguments(m, "in") for m in interface.findall("method")},
            "signals": {s.get("name"): [a[:2] for a in _arguments(s, None)] for s in interface.findall("signal")},
            "properties": {p.get("name"): (p.get("type"), p.get("access"), _annotation(p, EMITS_CHANGED, default))
                           for p in interface.findall("property")},
        }
    return result


def documented():
    """All of dbus/."""
    result = {}
    for path in sorted(DBUS_DIR.glob("*.xml")):
        for name, interface in parse(path.read_text()).items():
            assert name not in result, f"{name} is documented twice"
            result[name] = interface
    assert result, f"no interface in {DBUS_DIR}"
    return result


def check_signals(signals):
    """Every signal of ours is documented, with that signature; so are the properties in PropertiesChanged."""
    interfaces = documented()
    for s in signals:
        kind = s.body.get_type_string()
        standard = STANDARD_SIGNALS.get((s.interface, s.member))
        if standard is not None:
            assert kind == standard, s
        elif s.interface.startswith("dev.prp."):
            arguments = interfaces[s.interface]["signals"][s.member]
            assert kind == "(" + "".join(t for _, t in arguments) + ")", s
        if s.member == "PropertiesChanged" and s.path.startswith("/dev/prp/"):
            name, changed, invalidated = s.body.unpack()
            assert changed or invalidated, "an empty PropertiesChanged"
            for key in [*changed, *invalidated]:
                emits_changed = interfaces[name]["properties"][key][2]
                assert emits_changed == ("true" if key in changed else "invalidates"), (name, key)
