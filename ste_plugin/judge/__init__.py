"""A trained judge where people work: which of two answers is better, or the best of many."""

from ste_plugin.judge.comparison import Comparison, Order, Reply, Tokens
from ste_plugin.judge.judge import Judge
from ste_plugin.judge.pairwise import PairwiseJudge
from ste_plugin.judge.ranking import Ranking

__all__ = ["Comparison", "Judge", "Order", "PairwiseJudge", "Ranking", "Reply", "Tokens"]
