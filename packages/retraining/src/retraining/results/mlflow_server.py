"""MLflow's pages in one process: ``python -m retraining.results.mlflow_server PORT STORE ARTIFACTS``.

``mlflow server`` loads MLflow twice, which takes twice as long, and starts workers for jobs of its own that
need 300 MB each.

MLflow's own checks let pages of every other program on this machine read and change its runs; ours do not.
Whoever forwards the port to another name says so in MLFLOW_SERVER_ALLOWED_HOSTS, and has MLflow's in place of
ours.
"""

import os
import sys

from retraining.runs import targets


def main() -> None:
    port, store, artifacts = sys.argv[1:]
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
    }
    import uvicorn
    from mlflow.server import fastapi_app

    app = fastapi_app.app
    if "MLFLOW_SERVER_ALLOWED_HOSTS" not in os.environ:
        app = targets.own_pages(app, int(port))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
