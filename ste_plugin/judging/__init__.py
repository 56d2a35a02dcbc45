"""How a pair is shown to a judge and how its reply is read: training and evaluation use only
this."""

from ste_plugin.judging.format import JudgeFormat, neutralise
from ste_plugin.judging.rating import RatingFormat
from ste_plugin.judging.verdict import TIE, Reading, Said, parse_verdict

__all__ = [
    "TIE",
    "JudgeFormat",
    "RatingFormat",
    "Reading",
    "Said",
    "neutralise",
    "parse_verdict",
]
