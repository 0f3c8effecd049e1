"""Which steps of an execution may start, given how the others ended."""

from local_sagemaker.definition.references import Step

SUCCEEDED = "Succeeded"
FAILED = "Failed"
STOPPED = "Stopped"
SKIPPED = "Skipped"
ENDED = frozenset({SUCCEEDED, FAILED, STOPPED, SKIPPED})

_TRIGGERED_BY = {
    "Completed": {SUCCEEDED},
    "Failed": {FAILED},
    "Stopped": {STOPPED},
    "Any": {SUCCEEDED, FAILED, STOPPED},
}


def advance(steps: dict[str, Step], states: dict[str, str], outcomes: dict[str, str]) -> list[str]:
    """The steps that can start now, in the order of definition.

    `states` are the steps' states, those without one not having started; `outcomes` what Condition
    steps came to ("True", "False"). Steps that can never start any more (the other branch, a
    dependency that ended otherwise than needed) are entered into `states` as Skipped.
    """
    while True:
        verdicts = {
            name: _verdict(step, states, outcomes) for name, step in steps.items() if name not in states
        }
        skipped = [name for name, verdict in verdicts.items() if verdict == "skip"]
        if not skipped:
            return [name for name, verdict in verdicts.items() if verdict == "start"]
        states.update(dict.fromkeys(skipped, SKIPPED))


def result(steps: dict[str, Step], states: dict[str, str]) -> str:
    """The execution's status when no step runs or can start, and it was not stopped itself.

    A failed step counts as handled when a step that its failure triggers succeeded; with all
    failures handled the execution is CompletedWithFailures.
    """
    failed = [name for name, state in states.items() if state == FAILED]
    if any(steps[name].type == "Fail" for name in failed):
        return "Failed"
    if failed:
        return (
            "CompletedWithFailures"
            if all(_handled(name, FAILED, steps, states) for name in failed)
            else "Failed"
        )
    stopped = [name for name, state in states.items() if state == STOPPED]
    if stopped:
        return (
            "CompletedWithFailures"
            if all(_handled(name, STOPPED, steps, states) for name in stopped)
            else "Stopped"
        )
    return "Succeeded"


def _verdict(step: Step, states: dict[str, str], outcomes: dict[str, str]) -> str:
    """ "start", "wait" or "skip"."""
    waits = False
    if step.parent is not None:
        state = states.get(step.parent)
        if state in ENDED and (state != SUCCEEDED or outcomes.get(step.parent) != step.branch):
            return "skip"
        waits = state not in ENDED
    for name, trigger in step.dependencies.items():
        state = states.get(name)
        if state in ENDED and state not in _TRIGGERED_BY[trigger]:
            return "skip"
        waits = waits or state not in ENDED
    return "wait" if waits else "start"


def _handled(name: str, state: str, steps: dict[str, Step], states: dict[str, str]) -> bool:
    return any(
        states.get(other) == SUCCEEDED and state in _TRIGGERED_BY[step.dependencies.get(name, "Completed")]
        for other, step in steps.items()
        if name in step.dependencies
    )
