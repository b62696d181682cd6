"""Numbers in sentences: a count with its noun, and a share that isn't rounded to nothing or to all."""


def count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 row" or "2 rows"; the plural ends with s where none is given."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share from 0 to 1 in percent; only none is 0 %, and only all is 100 %."""
    text, least = f"{100 * share:.{digits}f}", 10.0**-digits
    if share > 0 and float(text) == 0:
        return f"less than {least:g} %"
    if share < 1 and float(text) == 100:
        return f"more than {100 - least:g} %"
    return f"{text} %"
