"""Says in the HTML reports of an ended execution which run they are of.

A job cannot: its execution's id among its arguments, or the commit, would make every run a cache miss. So the
job writes a report without them, and whoever follows the execution to its end, or logs it later, adds them to
the file in S3. A reused report stays that of the execution that made it.
"""

import re

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from job_toolkit.pages.report import RUN, Html, escape, table
from retraining.config.configuration import Configuration
from retraining.console import note
from retraining.results.evaluations import REPORT, output_uris
from retraining.runs import executions
from retraining.runs.executions import Execution

_ID = "pipeline-run"
_COMMIT = "GitCommit"
_STYLE = """
#ID { font-size: .85rem; color: #787774; margin: .8rem 0 }
#ID dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0 0 .4rem }
#ID dd { margin: 0; color: #37352f; overflow-wrap: anywhere } #ID summary { cursor: pointer }
#ID td, #ID th { text-align: left; padding: .1rem .6rem; overflow-wrap: anywhere; white-space: normal }
""".replace("#ID", f"#{_ID}")


def complete(configuration: Configuration, execution: Execution) -> None:
    """Add execution, date, commit, data and parameters to the reports that have them not yet.

    One that cannot be written is left as it is, with a line.
    """
    for run in execution.steps:
        step = configuration.steps.get(run.name)
        if step is None or step.step_class != "Metrics" or run.status != "Succeeded" or run.job is None:
            continue
        for uri in output_uris(step, run.job[1]):
            report = f"{uri.rstrip('/')}/{REPORT}"
            try:
                _complete(report, configuration, execution, run.name)
            except (BotoCoreError, ClientError) as error:
                note(f"{run.name}: {report} does not say which run it is of: {error}")


def completed(page: bytes, configuration: Configuration, execution: Execution, step: str) -> bytes:
    """The report that a step wrote, with its run; unchanged where it has it already."""
    text = page.decode(errors="surrogateescape")
    if f'id="{_ID}"' in text:
        return page
    run = _run(configuration, _maker(execution, step))
    return with_run(text, run).encode(errors="surrogateescape")


def with_run(page: str, run: str) -> str:
    """The page with its run, where the frame of `job_toolkit.pages.report` has a place for it, or else at
    the end of its body."""
    if RUN in page:
        return page.replace(RUN, run, 1)
    end = list(re.finditer("</body>", page, re.IGNORECASE))
    place = end[-1].start() if end else len(page)
    return page[:place] + run + page[place:]


def _run(configuration: Configuration, execution: Execution) -> Html:
    """Execution, date, commit, data and parameters, as a part of a page."""
    values = executions.parameters(execution.arn)
    own = f"s3://{configuration.project.bucket}/{configuration.pipeline.pipelineName}/"
    data = [uri for uri in executions.read_uris(execution) if not uri.startswith(own)]
    facts = {
        "Execution": [f"{execution.id} of {configuration.pipeline.pipelineName}"],
        "Started": [f"{execution.started:%Y-%m-%d %H:%M:%S %Z}".strip()],
        "Commit": [values.pop(_COMMIT, "unknown")],
        "Data": data or ["none"],
    }
    listed = "".join(
        f"<dt>{name}</dt><dd>{'<br>'.join(map(escape, texts))}</dd>" for name, texts in facts.items()
    )
    parameters = table(["parameter", "value"], sorted(values.items()))
    return Html(
        f'<section id="{_ID}"><style>{_STYLE}</style><dl>{listed}</dl>'
        f"<details><summary>{len(values)} parameters</summary>{parameters}</details></section>"
    )


def _complete(uri: str, configuration: Configuration, execution: Execution, step: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return
    page = answer["Body"].read()
    content = completed(page, configuration, execution, step)
    if content == page:
        return
    kept = ("ServerSideEncryption", "SSEKMSKeyId", "Metadata")
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=content,
        ContentType="text/html; charset=utf-8",
        **{name: answer[name] for name in kept if answer.get(name)},
    )


def _maker(execution: Execution, step: str) -> Execution:
    """The execution in which the step really ran."""
    seen = {execution.arn}
    while True:
        source = next((run.source or run.taken_from for run in execution.steps if run.name == step), None)
        if source is None or source in seen:
            return execution
        seen.add(source)
        execution = executions.describe(source)
