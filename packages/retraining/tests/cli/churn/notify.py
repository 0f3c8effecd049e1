"""Says what it was told."""

import json


def handler(event, context):
    return {"told": json.dumps({"who": event["who"], "group": event["model_package_group"]})}
