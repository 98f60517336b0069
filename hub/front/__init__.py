"""The rooms behind the front door (wsgi.py): settings become parts, parts become routes, roles and commands.

They alone know every wing; nothing imports them but wsgi.py (docs/adr/0021-the-front-door-has-rooms.md).
"""
