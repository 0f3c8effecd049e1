"""Small packages to install."""

from pathlib import Path


def make_wheel(folder: Path) -> None:
    from zipfile import ZipFile

    with ZipFile(folder / "tiny_dependency-1.5-py3-none-any.whl", "w") as wheel:
        info = "tiny_dependency-1.5.dist-info"
        wheel.writestr("tiny_dependency.py", "VALUE = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-dependency\nVersion: 1.5\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
