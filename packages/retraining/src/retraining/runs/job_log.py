"""The last lines of a job's log, from CloudWatch Logs."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

_FETCHED = 200
_SHOWN = 6
_SHOWN_OF_A_TRACEBACK = 12
_SHOWN_INSTANCES = 3

# What the SDK's drivers, their bash and the local services add when a script has failed.
_VERDICT = re.compile(r"Command failed with exit code \d+\. Traceback")
# The drivers list the environment, install the requirements and name the command, in this order.
_SETUP = (re.compile(r"\++ set \+x$"), re.compile("Executing command: "))
_NOISE = re.compile(
    r"\++ |An error occurred with exit code \d+\s*$|Training Execution failed\.|TrainingJob - "
    r"|\[local-sagemaker\] Failed: |Requirement already satisfied|Installing requirements$"
    r"|Executing command: |Running .* driver$|SM_[A-Z_]+=|\[local-sagemaker\] (?:input|channel) '"
    r"|WARNING: Skipping typing as it is not installed"
    # A processing job lists its folder before and after it unpacks its code.
    r"|Files (?:in /opt/ml/processing/input/code/ before|after) extraction:|total \d+$"
    r"|[-dl][-rwxsStT]{9}\S? +\d+ "
)
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'File ".*", line \d+')


def last_lines(kind: str, job: str) -> list[str]:
    """The lines that tell why a job failed; none where its log is not there (yet)."""
    client = boto3.client("logs")
    group = f"/aws/sagemaker/{kind}Jobs"
    try:
        streams = client.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        logs = {
            stream["logStreamName"]: client.get_log_events(
                logGroupName=group,
                logStreamName=stream["logStreamName"],
                limit=_FETCHED,
                startFromHead=False,
            )["events"]
            for stream in streams
        }
    except client.exceptions.ResourceNotFoundException:
        return []
    return last_lines_of({name.removeprefix(f"{job}/"): events for name, events in logs.items()})


def last_lines_of(logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """`useful` for the events of each log stream: of several instances, those that ended first."""
    shown: list[str] = []
    ends = sorted(logs, key=lambda name: logs[name][-1]["timestamp"] if logs[name] else math.inf)
    for name in ends[:_SHOWN_INSTANCES]:
        lines = useful([line.rstrip() for event in logs[name] for line in event["message"].splitlines()])
        host = name.rpartition("-")[0]  # what follows is the time of its start
        shown += [f"{host} | {line}" for line in lines] if len(logs) > 1 else lines
    return shown


def useful(lines: Sequence[str]) -> list[str]:
    """The end of the script's own last traceback, or its last lines where it printed none."""
    verdicts = [number for number, line in enumerate(lines) if _VERDICT.match(line)]
    own = lines[: verdicts[-1]] if verdicts and verdicts[-1] > 0 else lines
    for end in _SETUP:
        ends = [number for number, line in enumerate(own) if end.match(line)]
        own = own[ends[0] + 1 :] if ends else own
    said = [line for line in own if line.strip() and not _NOISE.match(line)]
    tracebacks = [number for number, line in enumerate(said) if line.strip() == _TRACEBACK]
    if tracebacks:
        return _indented(said[tracebacks[-1] :])[-_SHOWN_OF_A_TRACEBACK:]
    return said[-_SHOWN:]


def without_reason(lines: Sequence[str], reason: str) -> list[str]:
    """The lines without those at their end that `reason` repeats; a traceback stays whole."""
    said = " ".join(reason.split())
    kept = list(lines)
    while kept and " ".join(kept[-1].split()) in said:
        kept.pop()
    return list(lines) if kept and kept[-1].startswith(" ") else kept


def _indented(traceback: Sequence[str]) -> list[str]:
    """A traceback with its indentation, which the SDK's driver takes away from all that a script prints."""
    if any(line.startswith(" ") for line in traceback):
        return list(traceback)
    indented: list[str] = []
    is_in_frame = False
    for line in traceback:
        if _FRAME.match(line):
            indented.append(f"  {line}")
            is_in_frame = True
        elif line.strip("~^"):  # marks below a line of code have lost their place
            indented.append(f"    {line}" if is_in_frame else line)
            is_in_frame = False
    return indented
