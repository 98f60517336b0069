"""docs/topics.md, printed from the table of topics: `python -m hub.notifications.topics_page > docs/topics.md`."""

from collections.abc import Iterator

from hub.notifications.topics import ROWS, Topic

HEAD = """# Topics

What one can subscribe to ([subscriptions.md](subscriptions.md)). This page is printed from
`hub/notifications/topics.py` (`python -m hub.notifications.topics_page > docs/topics.md`); the CapabilityStatement
lists the same URLs.

Whoever is shown a part of a resource only is told of changes of that part alone, and a filter by what it is not
shown holds for nothing.
"""


def page() -> str:
    return HEAD + "".join(line for topic in ROWS for line in _section(topic))


def _section(topic: Topic) -> Iterator[str]:
    yield f"\n## {topic.title}\n\n"
    yield f"- Topic: `{topic.url}`\n"
    yield f"- When: {topic.when}.\n"
    yield f"- Focus: the {topic.type}.\n\n"
    yield f"| filter, as in `{topic.type}?name=value` | |\n| --- | --- |\n"
    yield from (f"| `{name}` | {text} |\n" for name, text in topic.filters.items())


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
