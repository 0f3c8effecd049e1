"""ROUGE-L, from C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004, section 3.1.

Tokens are runs of letters and digits, in lower case, without stemming.
"""

import re

_TOKEN = re.compile(r"[^\W_]+")


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def rouge_l(reference: str, candidate: str) -> float:
    """The F-measure (precision and recall weigh the same) of the longest common subsequence, 0 to 1."""
    wanted, given = tokens(reference), tokens(candidate)
    common = longest_common_subsequence(wanted, given)
    return 2 * common / (len(wanted) + len(given)) if common else 0.0


def longest_common_subsequence(left: list[str], right: list[str]) -> int:
    """Length of the longest list that is a subsequence of both."""
    row = [0] * (len(right) + 1)
    for word in left:
        diagonal = 0
        for column, other in enumerate(right, start=1):
            above = row[column]
            row[column] = diagonal + 1 if word == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]
