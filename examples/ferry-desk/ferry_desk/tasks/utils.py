"""What the tasks in this folder refer to; lm-eval finds functions beside the YAML."""

from ste_plugin.lm_eval_tasks.task import PairJudge

__all__ = ["PairJudge"]
