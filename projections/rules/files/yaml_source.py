"""
YAML written by people, as plain values with their lines and columns.

PyYAML composes the nodes and their marks. The values are built here and not by its constructors. Every scalar is the
text as it was written: YAML 1.1 would read the key `on` as true, and the country `NO` as false. Aliases, tags, repeated
keys and deep nesting are problems, since rule files do not need them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

import yaml

from events.text import near_words

Loc: TypeAlias = tuple[int | str, ...]
"""The path from the top of a document to a value: keys, and indexes of lists."""

_DEEPEST: Final = 20
LARGEST_BYTES: Final = 1_000_000
_UNWRITABLE: Final = re.compile("[\x00\ud800-\udfff]")
YAML_WANTED: Final = 'YAML: spaces and no tabs, and quotes around a text that has ": " or " #" in it or begins with "{"'


class Problem(NamedTuple):
    """One thing wrong with a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    what: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what} (want {self.wanted})"


@dataclass
class YamlSource:
    """
    One file: its document as `data` (dicts, lists and texts; None for an empty one), and its problems.

    The methods add problems of the data, with their places.
    """

    file: str
    text: str = ""
    root: yaml.Node | None = None
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    _refused: set[tuple[int, int]] = field(default_factory=set)

    def place(self, loc: Loc) -> str:
        """Return the place of the value at *loc*, as `file:line:column`."""
        return ":".join(map(str, (self.file, *_start(self._nodes(loc)[1]))))

    def problem(self, loc: Loc, what: str, wanted: str) -> None:
        """Add a problem of the value at *loc*, or of the nearest value around it that exists."""
        self._note(_start(self._nodes(loc)[1]), what, wanted)

    def key_problem(self, loc: Loc, what: str, wanted: str) -> None:
        """Add a problem of the last key of *loc*."""
        key, value = self._nodes(loc)
        self._note(_start(key or value), what, wanted)

    def token_problem(self, loc: Loc, token: re.Pattern[str], index: int, what: str, wanted: str) -> None:
        """
        Add a problem of the match number *index* of *token* in the text at *loc*.

        If quoting or folding hides the match in the file, the place is that of the text.
        """
        _, node = self._nodes(loc)
        found = (
            [m.start() for m in token.finditer(self.text, node.start_mark.index, node.end_mark.index)] if node else []
        )
        if node and len(found) == len(token.findall(node.value)):
            self._note(_line_column(self.text, found[index]), what, wanted)
        else:
            self._note(_start(node), what, wanted)

    def refuse(self, place: tuple[int, int], what: str, wanted: str) -> None:
        """Refuse the value at *place*, a line and a column."""
        self._note(place, what, wanted)
        self._refused.add(place)

    def _note(self, place: tuple[int, int], what: str, wanted: str) -> None:
        # The placeholder of a refused value has other problems too, which help no reader.
        if place not in self._refused:
            self.problems.append(Problem(self.file, *place, what, wanted))

    def _nodes(self, loc: Loc) -> tuple[yaml.Node | None, yaml.Node | None]:
        """Follow *loc* as far as possible; return its last key, if it is there, and the value."""
        key, value = None, self.root
        for step in loc:
            key = None
            if isinstance(value, yaml.SequenceNode) and isinstance(step, int):
                value = value.value[step]
            elif isinstance(value, yaml.MappingNode):
                found = [pair for pair in value.value if pair[0].value == step]
                if not found:
                    break
                key, value = found[0]
        return key, value


def read(file: str, content: bytes) -> YamlSource:
    """
    Read the YAML *content* of *file* (a name, for messages).

    An empty document has no `data` and no problem. An unreadable one has no `data` and at least one problem.
    """
    page = YamlSource(file)
    if len(content) > LARGEST_BYTES:
        page.refuse((1, 1), "the file is over 1 MB", "several smaller files")
        return page
    try:
        page.text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        page.refuse(_line_column(before, len(before)), "the file is not UTF-8", "a file saved as UTF-8")
        return page
    _compose(page)
    if page.root:
        page.data = _value(page, page.root)
    return page


def nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return the word of *known* that is nearest to *word*, else the text *otherwise*."""
    near = near_words(word, known, most=1, cutoff=0.75)
    return near[0] if near else otherwise


class _Loader(yaml.SafeLoader):
    """A loader of nodes that refuses anchors, aliases and tags instead of following them."""

    def __init__(self, page: YamlSource) -> None:
        super().__init__(page.text)
        self.page = page
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.NodeEvent = self.peek_event()  # type: ignore[no-untyped-call]
        place = _start(event)
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            self.page.refuse(place, f"*{event.anchor} is an alias", "the value itself, written out")
            return yaml.ScalarNode("tag:yaml.org,2002:str", "", event.start_mark, event.end_mark)  # type: ignore[arg-type]
        if event.anchor is not None:
            self.page.refuse(place, f"&{event.anchor} is an anchor", "the value without it")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            self.page.refuse(place, f"{event.tag} is a tag", "the value without it")
        if self.depth == _DEEPEST:
            problem = f"lists and mappings lie over {_DEEPEST} deep in one another"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _compose(page: YamlSource) -> None:
    """Set the root node of *page*, or add the problem that prevents it."""
    loader = None
    try:
        loader = _Loader(page)
        page.root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        # PyYAML reports an unclosed quote or bracket at the end of the file. The author needs its beginning.
        unclosed = "end" in str(error.problem) and "stream" in str(error.problem)
        mark = (error.context_mark if unclosed else error.problem_mark) or error.problem_mark
        page.refuse((mark.line + 1, mark.column + 1) if mark else (1, 1), f"not YAML: {error.problem}", YAML_WANTED)
    except yaml.reader.ReaderError as error:
        page.refuse(_line_column(page.text, error.position), "a character no text file has", YAML_WANTED)
    except ValueError:  # PyYAML lets chr() raise for an escape such as \U00110000
        mark = loader.get_mark() if loader else None
        page.refuse((mark.line + 1, mark.column + 1) if mark else (1, 1), "not a character of Unicode", YAML_WANTED)


def _value(page: YamlSource, node: yaml.Node) -> Any:  # noqa: ANN401 - any value of a YAML file
    """Return *node* as dicts, lists and texts, and refuse other values. The first of repeated keys counts."""
    if isinstance(node, yaml.SequenceNode):
        return [_value(page, item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        held: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                page.refuse(_start(key), "a key is a list or a mapping", "a word")
            elif key.value in held:
                page.refuse(_start(key), f'the key "{key.value}" is here twice', "each key once")
            else:
                held[key.value] = _value(page, value)
        return held
    if _UNWRITABLE.search(node.value):
        page.refuse(_start(node), "a NUL or half a character is in this text", "printable characters")
        # Not the text itself: pydantic cannot quote half a character in its own problem, and would fail.
        return ""
    return node.value


def _start(node: yaml.Node | yaml.Event | None) -> tuple[int, int]:
    mark = node.start_mark if node else None
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _line_column(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
