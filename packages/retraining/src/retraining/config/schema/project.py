"""What conf/project.yaml may hold."""

from typing import Annotated

from pydantic import Field

from retraining.config.schema.fields import (
    Bucket,
    CacheExpiry,
    FixedKmsKey,
    FixedRole,
    OrEmpty,
    RetryPolicy,
    SecurityGroups,
    Subnets,
    Tags,
    VersionRange,
)
from retraining.config.schema.values import Section, number, text

_Port = Annotated[int, number(1024, 65535, "a port from 1024 to 65535")]


# EventBridge wants a ? for the day of the month or that of the week.
_DAYS = r"(\? \S+ [^\s?]+|[^\s?]+ \S+ \?)"
_SCHEDULE = (
    rf"cron\([^\s?]+ [^\s?]+ {_DAYS} [^\s?]+\)"
    r"|rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)"
)


class LocalPorts(Section):
    """Ports of the local services, all on 127.0.0.1."""

    sagemaker_port: _Port = 8571
    aws_port: _Port = 8572
    mlflow_port: _Port = 8573


class NetworkSecurity(Section):
    """`conf.sagemakerNetworkSecurity` of the framework's own file."""

    role: FixedRole | None = None
    subnets: Subnets = []
    security_groups_id: SecurityGroups = []
    kms_key: FixedKmsKey | None = None


class FrameworkConfiguration(Section):
    """`conf` of the framework's own file; it wins over the SMP_ variables of the same meaning."""

    s3Bucket: Bucket | None = None
    modelConfigFilePath: str | None = None
    sagemakerNetworkSecurity: Annotated[NetworkSecurity, OrEmpty] = NetworkSecurity()


class Project(Section):
    """conf/project.yaml."""

    project: Annotated[
        str, text(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", "a name of 2 to 32 letters a-z, digits and -")
    ]
    description: Annotated[str, text(r"[^\x00-\x1f\x7f]{0,3072}", "one line of at most 3072 characters")] = ""
    platform: VersionRange | None = None
    SMP_ACCOUNTID: Annotated[str, text(r"[0-9]{12}", "an account of twelve digits, in quotes,")]
    SMP_REGION: Annotated[str, text(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", "a region such as eu-west-1")]
    SMP_S3BUCKETNAME: Bucket
    SMP_ROLE: FixedRole
    SMP_MODEL_CONFIGPATH: Annotated[str, Field(min_length=1)] = "models/*/conf.yaml"
    SMP_SUBNETS: Subnets = []
    SMP_SECURITYGROUPS: SecurityGroups = []
    SMP_MODELNAME: str | None = None
    conf: Annotated[FrameworkConfiguration, OrEmpty] = FrameworkConfiguration()
    kms_key: FixedKmsKey | None = None
    lambda_role: FixedRole | None = None
    mlflow_tracking_uri: str | None = None
    schedule: (
        Annotated[str, text(_SCHEDULE, "cron(0 3 ? * MON *) with six fields and one ?, or rate(7 days),")]
        | None
    ) = None
    tags: Tags = {}
    cache_expires_after: CacheExpiry = "P6D"
    retry: list[RetryPolicy] | None = None
    local: Annotated[LocalPorts, OrEmpty] = LocalPorts()

    @property
    def bucket(self) -> str:
        return self.conf.s3Bucket or self.SMP_S3BUCKETNAME

    @property
    def role(self) -> str:
        return self.conf.sagemakerNetworkSecurity.role or self.SMP_ROLE

    @property
    def encryption_key(self) -> str | None:
        return self.conf.sagemakerNetworkSecurity.kms_key or self.kms_key

    @property
    def subnets(self) -> list[str]:
        return self.conf.sagemakerNetworkSecurity.subnets or self.SMP_SUBNETS

    @property
    def security_groups(self) -> list[str]:
        return self.conf.sagemakerNetworkSecurity.security_groups_id or self.SMP_SECURITYGROUPS

    @property
    def model_files(self) -> str:
        return self.conf.modelConfigFilePath or self.SMP_MODEL_CONFIGPATH


VARIABLES = tuple(name for name in Project.model_fields if name.startswith("SMP_"))
