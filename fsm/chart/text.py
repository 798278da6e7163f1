"""Text widths, computed without a font file.

The widths are Helvetica's (Adobe's metrics, which Arial and Liberation Sans share). The SVG states the computed width
of each text (`textLength`), so that a viewer with another font keeps to it.
May import: the standard library.
"""

from __future__ import annotations

# Characters by width, in thousandths of the font size.
_BY_WIDTH = {
    222: "'`ijl",
    260: "|",
    278: " !,./:;I[\\]ft·",
    333: "()-r{}",
    370: '"*',
    500: "Jcksvxyz",
    556: "#$0123456789?L_abdeghnopqu",
    584: "+<=>~^",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: "@→…",
}
_WIDTHS = {char: width for width, chars in _BY_WIDTH.items() for char in chars}
_OTHER = 667
NAME_PX = 14.0  # font size of names
TEXT_PX = 12.0  # font size of all other text
BOLD = 1.07  # width of bold text relative to regular
BETWEEN = " · "  # separator of list items


def width_px(text: str, size_px: float, bold: bool = False) -> float:
    """The width of one line, in pixels."""
    return sum(_WIDTHS.get(char, _OTHER) for char in text) * size_px / 1000 * (BOLD if bold else 1)


def wrapped(text: str, size_px: float, limit_px: float) -> tuple[str, ...]:
    """The text in lines no wider than a limit; a single word may be wider.

    It is broken between the items of a list ("one · two"), and at spaces if one item is too wide.
    """
    *first, last = text.split(BETWEEN)
    lines: list[str] = []
    for item in (*(f"{each}{BETWEEN[:-1]}" for each in first), last):
        for part in [item] if width_px(item, size_px) <= limit_px else item.split(" "):
            if lines and width_px(f"{lines[-1]} {part}", size_px) <= limit_px:
                lines[-1] += f" {part}"
            else:
                lines.append(part)
    return tuple(lines)
