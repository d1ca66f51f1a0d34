#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the man page dev.prp.Relay1(5), as scdoc source, from the interfaces in dbus/ and the comments in them.

    dbus-to-scdoc.py INTERFACE.xml... >dev.prp.Relay1.5.scd

A comment belongs to the element behind it and is written as gdbus-codegen(1) reads it: the member's name and a colon,
a line "@argument: words" for each argument, an empty line, paragraphs. It is the documentation that other programs are
written against, so what lacks one, or has one that does not fit, is an error and not a hole in the page.
"""

import re
import sys
import xml.dom.minidom

KINDS = [('method', 'Methods'), ('signal', 'Signals'), ('property', 'Properties')]
CHANGED = 'org.freedesktop.DBus.Property.EmitsChangedSignal'
CHANGED_WORDS = {
    'const': 'never changes',
    'false': 'changes are not announced',
    'invalidates': 'changes are announced without the value',
    'true': '',
}


class Fault(Exception):
    pass


def escape(text):
    """Text that scdoc prints as it is."""
    return re.sub(r'([\\*_#\[\]|<>~`.+-])', r'\\\1', text)


def children(element, name):
    return [c for c in element.childNodes if c.nodeType == c.ELEMENT_NODE and c.tagName == name]


class Comment:
    """What the comment before an element says."""

    def __init__(self, element):
        self.name = element.getAttribute('name')
        node = element.previousSibling
        while node is not None and node.nodeType == node.TEXT_NODE and not node.data.strip():
            node = node.previousSibling
        if node is None or node.nodeType != node.COMMENT_NODE:
            raise Fault(f'{self.name} has no comment')
        lines = [line.strip() for line in node.data.strip().split('\n')]
        if lines[0] != f'{self.name}:':
            raise Fault(f'the comment before {self.name} begins with "{lines[0]}"')
        self.arguments = {}
        last = None
        rest = 1
        while rest < len(lines) and lines[rest]:
            match = re.match(r'@(\w+):\s*(.*)', lines[rest])
            if match:
                last = match.group(1)
                self.arguments[last] = match.group(2)
            elif last is None:
                raise Fault(f'{self.name}: an empty line belongs before "{lines[rest]}"')
            else:
                self.arguments[last] += ' ' + lines[rest]
            rest += 1
        self.paragraphs = [' '.join(p.split()) for p in '\n'.join(lines[rest:]).split('\n\n') if p.strip()]
        if not self.paragraphs:
            raise Fault(f'{self.name} has a comment that says nothing')

    def take_argument(self, name):
        if name not in self.arguments:
            raise Fault(f'{self.name}: argument {name} is not explained')
        return self.arguments.pop(name)

    def check_all_taken(self):
        if self.arguments:
            raise Fault(f'{self.name}: explains {", ".join(self.arguments)}, which is no argument')


def words(paragraph):
    """A paragraph; @name in it is an argument's name."""
    parts = re.split(r'@(\w+)', paragraph)
    return ''.join(f'_{escape(p)}_' if i % 2 else escape(p) for i, p in enumerate(parts))


def argument_list(arguments):
    return ', '.join(f'{escape(a.getAttribute("type"))} _{escape(a.getAttribute("name"))}_' for a in arguments)


def print_member(element, kind):
    comment = Comment(element)
    arguments = children(element, 'arg')
    title = f'*{escape(comment.name)}*'
    if kind == 'property':
        notes = [escape(element.getAttribute('type'))]
        for annotation in children(element, 'annotation'):
            if annotation.getAttribute('name') == CHANGED:
                notes.append(CHANGED_WORDS[annotation.getAttribute('value')])
        title += f': {", ".join(n for n in notes if n)}'
    else:
        given = [a for a in arguments if kind == 'signal' or a.getAttribute('direction') != 'out']
        got = [a for a in arguments if a not in given]
        title += f' ({argument_list(given)})' + (f' → ({argument_list(got)})' if got else '')
    print(f'{title}\n')
    for paragraph in comment.paragraphs:
        print(f'\t{words(paragraph)}\n')
    for argument in arguments:
        name = argument.getAttribute('name')
        print(f'\t_{escape(name)}_: {words(comment.take_argument(name))}\n')
    comment.check_all_taken()


def print_interface(interface):
    comment = Comment(interface)
    short = comment.arguments.pop('short_description')
    comment.check_all_taken()
    print(f'# INTERFACE {comment.name}\n')
    print(f'{escape(short)}.\n')
    for paragraph in comment.paragraphs:
        print(f'{words(paragraph)}\n')
    for kind, title in KINDS:
        members = children(interface, kind)
        if members:
            print(f'## {title}\n')
        for member in members:
            print_member(member, kind)


def main():
    print('dev.prp.Relay1(5)\n')
    print('; Made from dbus/*.xml by dbus-to-scdoc.py.\n')
    print('# NAME\n\ndev.prp.Relay1 - the D-Bus interfaces of the PRP relay\n')
    print('# DESCRIPTION\n')
    print('What programs use of *prp-relayd*(1): its methods, properties and signals on the session bus. '
          'The same text is in the introspection files _dev.prp.Relay1\\*.xml_ in share/dbus-1/interfaces. '
          'Types are written as D-Bus signatures. Changes of a property are announced by '
          'org.freedesktop.DBus.Properties.PropertiesChanged unless it says otherwise.\n')
    for path in sys.argv[1:]:
        for interface in children(xml.dom.minidom.parse(path).documentElement, 'interface'):
            try:
                print_interface(interface)
            except Fault as fault:
                sys.exit(f'{path}: {fault}')
    print('# SEE ALSO\n\n*prp-relayd*(1), *prpctl*(1), *busctl*(1), *gdbus*(1)')


if __name__ == '__main__':
    main()
