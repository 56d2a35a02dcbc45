"""Where lm-eval finds its tasks."""


class TaskManager:
    def __init__(self, **_: object) -> None:
        return
