"""From files to two documents: the project's settings, and `conf` with all models and the pipeline."""

import os
import re
from pathlib import Path
from typing import Any

from retraining.config.files import model_files, variables, yaml_file
from retraining.config.files.yaml_file import Document, Location, dotted, merge
from retraining.config.schema.project import VARIABLES, FrameworkConfiguration
from retraining.errors import UserError, seen
from retraining.nearest import nearest

_FRAMEWORK_KEYS = tuple(FrameworkConfiguration.model_fields)
_MODEL_KEYS = ("models", "sagemakerPipeline")
_KEYS = (*_MODEL_KEYS, *_FRAMEWORK_KEYS)
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_EMPTY = Document({}, {})


def _check_environment(environment: str) -> None:
    if environment == "project":
        raise UserError("--env project: conf/project.yaml is no environment: name one such as prod")
    if not _MODEL_NAME.fullmatch(environment):
        words = "a name such as prod, of at most 63 letters, digits, dots, - and _, is expected"
        raise UserError(f"--env {seen(environment)}: {words}")


class Reader:
    """Reads the configuration of the project in `root`; what is wrong with the files goes to `errors`.

    `has_project` and `has_models` are false where a file could not be read or a part of it was refused:
    what would be missing then is not an error of its own. `refused` are places in `models` that are
    reported already.
    """

    def __init__(self, root: Path, environment: str | None) -> None:
        if environment:
            _check_environment(environment)
        self.root = root
        self.errors: list[str] = []
        self.has_project = self.has_models = True
        self.refused: set[Location] = set()
        project = self._load(root / "conf" / "project.yaml")
        self.has_project = project is not None
        overlay = self._overlay(root / "conf" / f"{environment}.yaml") if environment else None
        for key in (overlay or _EMPTY).content:
            if key in _MODEL_KEYS and overlay:
                self.errors.append(f"{overlay.where((key,))}: {key}: unknown key; it belongs under conf")
        settings = _part(overlay or _EMPTY, keep_models=False)
        self.project = self._with_variables(merge(project or _EMPTY, settings))
        self._files: list[Path] = []
        self.models = self._read_models()
        if environment in {path.stem for path in self._files}:
            words = "a model's own file has this name: choose another environment"
            raise UserError(f"--env {environment}: {words}")
        # A model's own overlay stands beside its file; the project's wins over it.
        beside = [self._overlay(path.with_name(f"{environment}.yaml")) for path in self._files if environment]
        for found in filter(None, beside):
            self._check_beside(found)
        overlays = [found for found in (*beside, overlay) if found is not None]
        if environment and not overlays:
            self._no_such_environment(environment)
        for found in overlays:
            self.models = merge(self.models, self._models_of(found))
        self._require_anchor()

    def _load(self, path: Path) -> Document | None:
        try:
            document = yaml_file.load(shown(path))
        except UserError as error:
            self.errors += str(error).splitlines()
            return None
        if document.content is None:
            return document.with_content({})
        if not isinstance(document.content, dict):
            self._mapping_expected(document, (), document.content)
            return None
        return document

    def _mapping_expected(self, document: Document, here: Location, found: Any) -> None:
        key = f"{dotted(here)}: " if here else ""
        words = f"a mapping of keys and values is expected, not {seen(found)}"
        self.errors.append(f"{document.where(here)}: {key}{words}")

    def _no_such_environment(self, environment: str) -> None:
        folders = {self.root / "conf", *(path.parent for path in self._files)}
        known = {found.stem for folder in folders for found in folder.glob("*.yaml")}
        known -= {"project", *(path.stem for path in self._files)}
        hint = nearest(environment, sorted(known))
        path = shown(self.root / "conf" / f"{environment}.yaml")
        raise UserError(f"{path}: no such file, nor one beside a model's, for --env {environment}{hint}")

    def _overlay(self, path: Path) -> Document | None:
        """The overlay in a file; None where there is no such file."""
        if not path.exists():
            return None
        if not path.is_file():
            self.errors.append(f"{shown(path)}: a folder stands where the environment's file belongs")
            return _EMPTY
        overlay = self._load(path)
        if overlay is None:
            self.has_project = self.has_models = False
            return _EMPTY
        conf = overlay.content.get("conf")
        for key in conf if isinstance(conf, dict) else ():
            self._check_key(overlay, key)
        return overlay

    def _check_beside(self, overlay: Document) -> None:
        """An overlay beside a model's file speaks of models only."""
        self._check_top(overlay)
        conf = overlay.content.get("conf")
        for key in conf if isinstance(conf, dict) else ():
            if key in _FRAMEWORK_KEYS:
                where = overlay.where(("conf", key))
                self.errors.append(f"{where}: conf.{key}: it concerns the project: put it into conf/")

    def _check_key(self, document: Document, key: str) -> None:
        if key not in _KEYS:
            here = ("conf", key)
            self.errors.append(f"{document.where(here)}: {dotted(here)}: unknown key{nearest(key, _KEYS)}")

    def _models_of(self, overlay: Document) -> Document:
        """What an overlay says of models that exist, and of the pipeline."""
        part = _part(overlay, keep_models=True)
        conf = part.content.get("conf", {})
        models = conf.get("models")
        for key, value in conf.items():
            if not isinstance(value, dict) and (value is not None or key == "sagemakerPipeline"):
                self._mapping_expected(overlay, ("conf", key), value)
        known = self.models.content["conf"]["models"]
        kept = {}
        for name, unit in models.items() if isinstance(models, dict) else ():
            if name in known:
                kept[name] = unit
            elif self.has_models:
                where = overlay.where(("conf", "models", name))
                self.errors.append(
                    f"{where}: {dotted(('conf', 'models', name))}: no such model{nearest(name, known)}"
                )
        pipeline = conf.get("sagemakerPipeline")
        found = {"models": kept} | ({"sagemakerPipeline": pipeline} if isinstance(pipeline, dict) else {})
        return part.with_content({"conf": found})

    def _with_variables(self, project: Document) -> Document:
        """The environment wins over the file; the project's name is the folder's where none is given."""
        content = {"project": _project_name(self.root), **project.content}
        for name in VARIABLES:
            if name in os.environ:
                content[name] = os.environ[name].strip().strip("'\"")
        if "conf" in content:
            content["conf"] = variables.replaced(content["conf"], variables.of(content))
        return project.with_content(content)

    def _read_models(self) -> Document:
        """All model files in one document ``{"conf": {"models": ..., "sagemakerPipeline": ...}}``."""
        content: dict[str, Any] = {"models": {}}
        marks: dict[Location, str] = {}
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
                self._mapping_expected(document, ("conf",), conf)
                self.has_models = False
            elif "models" not in conf and any(key in conf for key in _FRAMEWORK_KEYS):
                self._add_framework_file(document)
            else:
                self._add_model_file(document, conf, content, marks)
        return Document({"conf": content}, marks)

    def _require_anchor(self) -> None:
        if "sagemakerPipeline" not in self.models.content["conf"] and self.has_models:
            self.errors.append(
                f"{self.model_glob}: conf.sagemakerPipeline: one file must hold it (the anchor); none does"
            )

    def _check_top(self, document: Document) -> None:
        """A model file holds `conf` and nothing else; an empty one is a mistake."""
        for key in document.content:
            if key != "conf":
                advice = "; it belongs under conf" if key in _KEYS else nearest(key, ["conf"])
                self.errors.append(f"{document.where((key,))}: {dotted((key,))}: unknown key{advice}")
                self.has_models = False
        if not any(document.content.values()):
            where = document.where(("conf",))
            self.errors.append(f"{where}: conf: neither models nor sagemakerPipeline stands in this file")
            self.has_models = False

    @property
    def model_glob(self) -> str:
        conf = self.project.content.get("conf") or {}
        own = conf.get("modelConfigFilePath") if isinstance(conf, dict) else None
        found = own or self.project.content.get("SMP_MODEL_CONFIGPATH", "models/*/conf.yaml")
        return found if isinstance(found, str) else ""

    def _model_files(self) -> list[Path]:
        pattern = self.model_glob
        files, others, problem = model_files.find(self.root, pattern)
        for path in others:
            self.errors.append(f"{shown(path)}: no file: a folder, or a link that leads nowhere")
        if problem and pattern and self.has_project:
            self.errors.append(f"{self._place_of_glob()}: {problem}")
        if others or not files:
            self.has_models = False
        return files

    def _place_of_glob(self) -> str:
        conf = self.project.content.get("conf")
        if isinstance(conf, dict) and conf.get("modelConfigFilePath"):
            here: Location = ("conf", "modelConfigFilePath")
            return f"{self.project.where(here)}: {dotted(here)}"
        if "SMP_MODEL_CONFIGPATH" in os.environ:
            return "environment variable SMP_MODEL_CONFIGPATH"
        return f"{self.project.where(('SMP_MODEL_CONFIGPATH',))}: SMP_MODEL_CONFIGPATH"

    def _add_framework_file(self, document: Document) -> None:
        """The framework's own file, which a glob such as ``*/conf/conf.yaml`` finds beside the models'."""
        mine = self.project.content.get("conf") or {}
        theirs = variables.replaced(document.content["conf"], variables.of(self.project.content))
        for key, value in theirs.items() if isinstance(mine, dict) else ():
            if mine.get(key) not in (None, value):
                here = ("conf", key)
                other = self.project.where(here)
                self.errors.append(
                    f"{document.where(here)}: {dotted(here)}: {other} says otherwise: keep one"
                )
        if isinstance(mine, dict):
            self.project = merge(self.project, Document({"conf": theirs}, document.marks))

    def _add_model_file(
        self, document: Document, conf: dict[str, Any], content: dict[str, Any], marks: dict[Location, str]
    ) -> None:
        taken: set[Location] = set()
        for key, value in conf.items():
            here: Location = ("conf", key)
            if key not in _MODEL_KEYS:
                self._check_key(document, key)
                self.has_models = False
            elif not isinstance(value, dict):
                self._mapping_expected(document, here, value)
                self.has_models = False
            elif key == "models":
                taken |= self._add_models(document, value, content["models"], marks)
            elif key in content:
                self.errors.append(
                    f"{document.where(here)}: conf.sagemakerPipeline: it stands in {marks[here]} too: "
                    "exactly one file may hold it"
                )
            else:
                content[key] = value
                taken.add(here)
        # The first file to hold `conf.models` is where a model that is missing is missed.
        marks.setdefault(("conf", "models"), document.where(("conf", "models")))
        for location, mark in document.marks.items():
            if location[:2] in taken or location[:3] in taken:
                marks[location] = mark

    def _add_models(
        self, document: Document, found: dict[str, Any], models: dict[str, Any], marks: dict[Location, str]
    ) -> set[Location]:
        taken: set[Location] = set()
        for name, unit in found.items():
            here = ("conf", "models", name)
            where = f"{document.where(here)}: {dotted(here)}"
            if not _MODEL_NAME.fullmatch(name):
                words = "a model's name of at most 63 letters, digits, dots, - and _ is expected"
                self.errors.append(f"{where}: {words}, not {seen(name)}")
                self.has_models = False
            elif name in models:
                self.errors.append(f"{where}: a model of this name stands in another file too: {marks[here]}")
            else:
                models[name] = unit
                taken.add(here)
        return taken

    def replace_variables(self) -> None:
        """Put the values of SMP_ names where they stand inside the models' values."""
        done = variables.Replacement(self.models, variables.of(self.project.content))
        self.models, self.refused = done.document, done.refused
        self.errors += done.errors


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
