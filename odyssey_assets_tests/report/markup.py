"""Reading a report's page as a strict reader would: every element closed in order, every attribute and text kept.

Belongs here: parsing. Does not belong here: what is expected of a page.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Element:
    """``text`` is everything inside, that of the elements inside included."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class ReadPage(HTMLParser):
    """All elements of a page in their order. Raises AssertionError at the first element that is not closed in order."""

    elements: list[Element] = field(default_factory=list)
    opened: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in VOID:
            self.opened.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened, f"</{tag}> closes nothing"
        opened = self.opened.pop()
        assert opened.tag == tag, f"</{tag}> closes <{opened.tag}>"

    def handle_data(self, data: str) -> None:
        for element in self.opened:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    @property
    def text(self) -> str:
        (page,) = self.all("body")
        return page.text


def parsed(page: str) -> ReadPage:
    markup = ReadPage()
    markup.feed(page)
    markup.close()
    assert not markup.opened, f"never closed: {[each.tag for each in markup.opened]}"
    return markup
