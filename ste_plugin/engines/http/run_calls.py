"""The calls of a stage in flight at the same time, and what becomes of them when one fails."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait

from ste_plugin.engines.base import Completion
from ste_plugin.engines.http.endpoint import Endpoint
from ste_plugin.engines.http.first_answers import Answer, FirstAnswers
from ste_plugin.engines.http.request import Call
from ste_plugin.engines.http.routing import RoutedCall, Router


def run_calls(
    router: Router,
    submit: Callable[[RoutedCall], Future[Answer]],
    in_flight_limit: Callable[[], int],
    drain: Callable[[], None],
    first_answers: FirstAnswers,
    fits: Callable[[Call], bool],
) -> Iterator[Completion]:
    """Yield what the calls give, taking a call only below the limit; a failure is raised last.

    Where the first prompts are all refused, no more are sent until it is known why.
    """
    running: dict[Future[Answer], Endpoint] = {}
    completions: list[Completion] = []
    failure: BaseException | None = None
    while True:
        while not failure and not first_answers.undecided and len(running) < in_flight_limit():
            routed = router.next_call()
            if routed is None:
                break
            running[submit(routed)] = routed.endpoint
        yield from completions
        if not running:
            completions = [] if failure else first_answers.settle(fits)
            if not completions:
                break
            continue
        done = wait(running, return_when=FIRST_COMPLETED).done
        failure = failure or next((e for f in done if (e := f.exception())), None)
        if failure:
            drain()
        answers = []
        for future in done:
            endpoint = running.pop(future)
            answer = None if future.exception() else future.result()
            router.end_call(endpoint, answer.owed if answer else ())
            answers += [answer] if answer else []
        completions = first_answers.release(answers)
    if failure:
        raise failure
