"""Words that one slip of the fingers makes of another (Damerau, 1964: most misspellings are one of four slips)."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_LENGTH = 5
"""Letters of a word that is forgiven a typo: of shorter ones too many have neighbours that mean something else."""
MOST_NEIGHBOURS = 2000
"""Words that are looked up for one typo."""


def forgives(word: str) -> bool:
    """Whether a typo in this word is looked for. Not in numbers of models: another digit is another thing."""
    return len(word) >= LEAST_LENGTH and word.isalpha()


def neighbours(word: str, letters: Sequence[str]) -> set[str]:
    """Words at distance 1: two letters exchanged, one left out, one put in, one replaced; without the word itself.

    letters: what to put in, the likeliest first; those that would make it more
    than `MOST_NEIGHBOURS` words are not tried.
    """
    splits = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    found = {left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1}
    found.update(left + right[1:] for left, right in splits if right)
    for letter in letters[: max(0, MOST_NEIGHBOURS - 2 * len(word)) // (2 * len(word) + 1)]:
        found.update([left + letter + right for left, right in splits])
        found.update([left + letter + right[1:] for left, right in splits[:-1]])
    found.discard(word)
    return found
