"""What lm-eval prints."""


def setup_logging() -> None:
    return


def make_table(results: dict) -> str:
    return str(results["results"])
