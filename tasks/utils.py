"""What the tasks in this folder refer to; lm-eval 0.4.11 finds functions only beside the YAML."""

from ste_plugin.cascade.lm_eval_task import CascadeTask
from ste_plugin.integrations.lm_eval_metric import JudgedTask
from ste_plugin.lm_eval_tasks.best_of_four import BestOfFour
from ste_plugin.lm_eval_tasks.task import PairJudge

__all__ = ["BestOfFour", "CascadeTask", "JudgedTask", "PairJudge"]
