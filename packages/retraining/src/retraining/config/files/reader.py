"""From files to two documents: the project's settings, and `conf` with all models and the pipeline."""

import os
import re
from pathlib import Path
from typing import Any

from retraining.config.files import model_files, variables, yaml_file
from retraining.config.files.problems import Problems
from retraining.config.files.yaml_file import EMPTY, Document, merge
from retraining.config.schema.project import VARIABLES, FrameworkConfiguration
from retraining.errors import (
    FileLine,
    Location,
    Problem,
    Source,
    UserError,
    Variable,
    seen,
    suggestion_or_all,
)

_FRAMEWORK_KEYS = tuple(FrameworkConfiguration.model_fields)
_MODEL_KEYS = ("models", "sagemakerPipeline")
_KEYS = (*_MODEL_KEYS, *_FRAMEWORK_KEYS)
# Files of conf/ that are no environments.
_OWN_FILES = ("project", "pipeline")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Reader:
    """Reads the configuration of the project in `root`, with an environment's files over it.

    Attributes:
        project: the settings of conf/project.yaml.
        models: ``{"conf": {"models": ..., "sagemakerPipeline": ...}}`` of all model files and of
            conf/pipeline.yaml, which a model's file may stand in for.
        problems: the collector; what is wrong with the files is in it.
        has_project, has_models: False where a file could not be read or a part of it was refused: what
            would be missing then is not a mistake of its own.
        refused: keys of `models` that are reported already.

    Raises:
        UserError: there is no such environment.
    """

    def __init__(self, root: Path, environment: str | None) -> None:
        if environment:
            _check_environment(environment)
        self.root = root
        self.problems = Problems(EMPTY)
        self.has_project = self.has_models = True
        self.refused: set[Location] = set()
        self._files: list[Path] = []
        overlay = self._read_project(environment)
        self.models = self._read_models()
        if environment:
            self._read_overlays(environment, overlay)
        if "sagemakerPipeline" not in self.models.content["conf"] and self.has_models:
            words = "this file, or a model's, must have it: the steps of the models, and their order"
            place = FileLine(str(shown(self.root / model_files.PIPELINE)))
            self._report(Problem(place, ("conf", "sagemakerPipeline"), words))

    def replace_variables(self) -> None:
        """Put the values of SMP_ names where the models' values name them."""
        values = variables.values_of(self.project.content)
        replacement = variables.Replacement(self.models, values, self.problems)
        self.models, self.refused = replacement.document, replacement.refused

    def _report(self, problem: Problem) -> None:
        self.problems.collected.append(problem)

    def _add(self, document: Document, key: Location, words: str) -> None:
        self.problems.at(document=document).add(key, words)

    def _expect_mapping(self, document: Document, key: Location, value: Any) -> None:
        self._add(document, key, f"a mapping of keys and values is expected, not {seen(value)}")

    # The project's settings.

    def _read_project(self, environment: str | None) -> Document | None:
        """Read conf/project.yaml; returns the environment's file in conf/, if there is one."""
        project = self._load(self.root / "conf" / "project.yaml")
        self.has_project = project is not None
        overlay = self._overlay(self.root / "conf" / f"{environment}.yaml") if environment else None
        if overlay is not None:
            for key in overlay.content:
                if key in _MODEL_KEYS:
                    self._add(overlay, (key,), "unknown key; it belongs under conf")
        settings = _part(overlay or EMPTY, keep_models=False)
        self.project = self._with_variables(merge(project or EMPTY, settings))
        return overlay

    def _load(self, path: Path) -> Document | None:
        try:
            document = yaml_file.load(shown(path))
        except UserError as error:
            self.problems.collected += error.problems
            return None
        if document.content is None:
            return document.with_content({})
        if not isinstance(document.content, dict):
            self._expect_mapping(document, (), document.content)
            return None
        return document

    def _with_variables(self, project: Document) -> Document:
        """The environment wins over the file; the project's name is the folder's where none is given."""
        given = {name: os.environ[name].strip().strip("'\"") for name in VARIABLES if name in os.environ}
        content = {"project": _project_name(self.root), **project.content, **given}
        if "conf" in content:
            content["conf"] = variables.replaced(content["conf"], variables.values_of(content))
        marks: dict[Location, Source] = {
            key: mark for key, mark in project.marks.items() if not key or key[0] not in given
        }
        return Document(content, marks | {(name,): Variable(name) for name in given})

    # The models' files.

    def _read_models(self) -> Document:
        content: dict[str, Any] = {"models": {}}
        marks: dict[Location, Source] = {}
        self._files = self._model_files()
        for path in self._files:
            document = self._load(path)
            if document is None:
                self.has_models = False
                continue
            document = model_files.without_container(document)
            self._check_top(document)
            conf = document.content.get("conf") or {}
            if not isinstance(conf, dict):
                self._expect_mapping(document, ("conf",), conf)
                self.has_models = False
            elif "models" not in conf and any(key in conf for key in _FRAMEWORK_KEYS):
                self._add_framework_file(document)
            else:
                self._add_model_file(document, conf, content, marks)
        self._add_pipeline_file(content, marks)
        return Document({"conf": content}, marks)

    def _add_pipeline_file(self, content: dict[str, Any], marks: dict[Location, Source]) -> None:
        """Add conf/pipeline.yaml; without it, as in AWS's framework, a model's file has the pipeline."""
        path = self.root / model_files.PIPELINE
        if not os.path.lexists(path) or path in self._files:
            return
        document = self._load(path)
        if document is None:
            self.has_models = False
            return
        self._check_top(document)
        conf = document.content.get("conf") or {}
        if not isinstance(conf, dict):
            self._expect_mapping(document, ("conf",), conf)
            self.has_models = False
            return
        others = {"models": f"the models' files, {self._pattern}"}
        others |= dict.fromkeys(_FRAMEWORK_KEYS, "conf/project.yaml")
        for key in [key for key in conf if key != "sagemakerPipeline"]:
            hint = f"unknown key{suggestion_or_all(key, ['sagemakerPipeline'])}"
            words = f"it belongs into {others[key]}" if key in others else hint
            self._add(document, ("conf", key), words)
            self.has_models = False
        own = {key: value for key, value in conf.items() if key == "sagemakerPipeline"}
        self._add_model_file(document, own, content, marks)

    @property
    def _pattern(self) -> str:
        """The glob of the models' files; empty where it is not a text."""
        conf = self.project.content.get("conf") or {}
        own = conf.get("modelConfigFilePath") if isinstance(conf, dict) else None
        pattern = own or self.project.content.get("SMP_MODEL_CONFIGPATH", "models/*/conf.yaml")
        return pattern if isinstance(pattern, str) else ""

    def _model_files(self) -> list[Path]:
        files, others, words = model_files.find(self.root, self._pattern)
        for path in others:
            place = FileLine(str(shown(path)))
            self._report(Problem(place, (), "not a file: a folder, or a broken link"))
        if words and self._pattern and self.has_project:
            conf = self.project.content.get("conf")
            is_own = isinstance(conf, dict) and conf.get("modelConfigFilePath")
            self._add(
                self.project, ("conf", "modelConfigFilePath") if is_own else ("SMP_MODEL_CONFIGPATH",), words
            )
        if others or not files:
            self.has_models = False
        return files

    def _check_top(self, document: Document) -> None:
        """A model file holds `conf` and nothing else; an empty one is a mistake."""
        for key in document.content:
            if key != "conf":
                advice = "; it belongs under conf" if key in _KEYS else suggestion_or_all(key, ["conf"])
                self._add(document, (key,), f"unknown key{advice}")
                self.has_models = False
        if not any(document.content.values()):
            self._add(document, ("conf",), "this file has neither models nor sagemakerPipeline")
            self.has_models = False

    def _check_key(self, document: Document, key: str) -> None:
        if key not in _KEYS:
            self._add(document, ("conf", key), f"unknown key{suggestion_or_all(key, _KEYS)}")

    def _add_framework_file(self, document: Document) -> None:
        """The framework's own file, which a glob such as ``*/conf/conf.yaml`` matches with the models'."""
        mine = self.project.content.get("conf") or {}
        theirs = variables.replaced(document.content["conf"], variables.values_of(self.project.content))
        for key, value in theirs.items() if isinstance(mine, dict) else ():
            if mine.get(key) not in (None, value):
                other = self.project.where(("conf", key))
                self._add(document, ("conf", key), f"{other} has another value: keep one")
        if isinstance(mine, dict):
            self.project = merge(self.project, Document({"conf": theirs}, document.marks))

    def _add_model_file(
        self, document: Document, conf: dict[str, Any], content: dict[str, Any], marks: dict[Location, Source]
    ) -> None:
        taken: set[Location] = set()
        for key, value in conf.items():
            here: Location = ("conf", key)
            if key not in _MODEL_KEYS:
                self._check_key(document, key)
                self.has_models = False
            elif not isinstance(value, dict):
                self._expect_mapping(document, here, value)
                self.has_models = False
            elif key == "models":
                taken |= self._add_models(document, value, content["models"], marks)
            elif key in content:
                words = f"it is in {marks[here]} too: exactly one file may have it"
                self._add(document, here, words)
            else:
                content[key] = value
                taken.add(here)
        # A model that is missing is missed in the first file that holds `conf.models`.
        if (place := document.where(("conf", "models"))) is not None:
            marks.setdefault(("conf", "models"), place)
        for key_path, mark in document.marks.items():
            if key_path[:2] in taken or key_path[:3] in taken:
                marks[key_path] = mark

    def _add_models(
        self,
        document: Document,
        added: dict[str, Any],
        models: dict[str, Any],
        marks: dict[Location, Source],
    ) -> set[Location]:
        """Add the models of one file; returns the keys of those that were taken."""
        taken: set[Location] = set()
        for name, model in added.items():
            here = ("conf", "models", name)
            if not _MODEL_NAME.fullmatch(name):
                words = "a model's name of at most 63 letters, digits, dots, - and _ is expected"
                self._add(document, here, f"{words}, not {seen(name)}")
                self.has_models = False
            elif name in models:
                self._add(document, here, f"another file has a model of this name too: {marks[here]}")
            else:
                models[name] = model
                taken.add(here)
        return taken

    # The files of an environment.

    def _read_overlays(self, environment: str, overlay: Document | None) -> None:
        """Lay the environment's files over the models: those next to a model's file, then the project's."""
        if environment in {path.stem for path in self._files}:
            words = "a model's own file has this name: choose another environment"
            raise UserError(f"--env {environment}: {words}")
        overlays = [self._overlay(path.with_name(f"{environment}.yaml")) for path in self._files]
        for own in filter(None, overlays):
            self._check_model_overlay(own)
        present = [document for document in (*overlays, overlay) if document is not None]
        if not present:
            self._refuse_environment(environment)
        for document in present:
            self.models = merge(self.models, self._models_of(document))

    def _overlay(self, path: Path) -> Document | None:
        """The overlay in a file; None where there is no such file."""
        if not path.exists():
            return None
        if not path.is_file():
            words = "this is a folder, not an environment's file"
            self._report(Problem(FileLine(str(shown(path))), (), words))
            return EMPTY
        overlay = self._load(path)
        if overlay is None:
            self.has_project = self.has_models = False
            return EMPTY
        conf = overlay.content.get("conf")
        for key in conf if isinstance(conf, dict) else ():
            self._check_key(overlay, key)
        return overlay

    def _check_model_overlay(self, overlay: Document) -> None:
        """An overlay next to a model's file describes models only."""
        self._check_top(overlay)
        conf = overlay.content.get("conf")
        for key in conf if isinstance(conf, dict) else ():
            if key in _FRAMEWORK_KEYS:
                self._add(overlay, ("conf", key), "it concerns the project: put it into conf/")

    def _refuse_environment(self, environment: str) -> None:
        folders = {self.root / "conf", *(path.parent for path in self._files)}
        known = {path.stem for folder in folders for path in folder.glob("*.yaml")}
        known -= {*_OWN_FILES, *(path.stem for path in self._files)}
        path = shown(self.root / "conf" / f"{environment}.yaml")
        hint = suggestion_or_all(environment, sorted(known))
        raise UserError(f"{path}: no such file, nor one next to a model's, for --env {environment}{hint}")

    def _models_of(self, overlay: Document) -> Document:
        """What an overlay says of models that exist, and of the pipeline."""
        part = _part(overlay, keep_models=True)
        conf = part.content.get("conf", {})
        models = conf.get("models")
        for key, value in conf.items():
            if not isinstance(value, dict) and (value is not None or key == "sagemakerPipeline"):
                self._expect_mapping(overlay, ("conf", key), value)
        known = self.models.content["conf"]["models"]
        kept = {}
        for name, model in models.items() if isinstance(models, dict) else ():
            if name in known:
                kept[name] = model
            elif self.has_models:
                hint = suggestion_or_all(name, known)
                self._add(overlay, ("conf", "models", name), f"no such model{hint}")
        pipeline = conf.get("sagemakerPipeline")
        pipelines = {"sagemakerPipeline": pipeline} if isinstance(pipeline, dict) else {}
        return part.with_content({"conf": {"models": kept} | pipelines})


def _check_environment(environment: str) -> None:
    if environment in _OWN_FILES:
        raise UserError(
            f"--env {environment}: conf/{environment}.yaml is not an environment: give one such as prod"
        )
    if not _MODEL_NAME.fullmatch(environment):
        words = "a name such as prod, of at most 63 letters, digits, dots, - and _, is expected"
        raise UserError(f"--env {seen(environment)}: {words}")


def _part(overlay: Document, keep_models: bool) -> Document:
    """Of an environment's file, what concerns the models, or all the rest."""
    top = {key: value for key, value in overlay.content.items() if key not in _MODEL_KEYS}
    conf = top.pop("conf", None)
    rest = {} if keep_models else top
    if not isinstance(conf, dict):
        return overlay.with_content(rest if keep_models or conf is None else rest | {"conf": conf})
    wanted = _MODEL_KEYS if keep_models else _FRAMEWORK_KEYS
    chosen = {key: value for key, value in conf.items() if key in wanted}
    return overlay.with_content(rest | ({"conf": chosen} if chosen else {}))


def _project_name(root: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", root.resolve().name.lower()).strip("-")
    name = re.sub(r"^[^a-z]+", "", name)[:32].rstrip("-")
    return name if len(name) > 1 else "project"


def shown(path: Path) -> Path:
    """As the user would type it."""
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path
