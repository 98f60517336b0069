"""The HL7 validator: fetched with Maven, given a package cache of its own, run without a network.

It keeps everything in a work folder; the project itself needs none of it.
"""

import json
import os
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
THO, EXTENSIONS = "7.0.1", "5.3.0-ballot-tc1"
FROM_NPM = {"hl7.terminology.r4": THO, "hl7.fhir.uv.extensions.r4": EXTENSIONS}
CORE = "hl7.fhir.r4.core"
# the validator wants it, and nobody here has it: an empty one
STUB = {"name": "hl7.fhir.xver-extensions", "version": "0.1.0", "fhirVersions": ["4.0.1"], "dependencies": {}}


def prepare(work: Path, packages: Path) -> None:
    """Jars and package cache, each made once."""
    jars = work / "jars"
    if not jars.exists():
        command = ["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies"]
        subprocess.run([*command, f"-DoutputDirectory={jars}"], check=True)
    for name, version in FROM_NPM.items():
        if not (work / f"{name}-{version}.tgz").exists():
            subprocess.run(["npm", "pack", f"{name}@{version}"], check=True, cwd=work, capture_output=True)
    cache = work / "home/.fhir/packages"
    for path in (*packages.glob("*.tgz"), *work.glob("*.tgz")):
        _unpack(path, cache)
    _unpack_stub(cache)
    (cache / "packages.ini").write_text("[cache]\nversion = 4\n\n[urls]\n\n[local]\n\n[packages]\n")
    servers = {"ignoreDefaultServers": True, "servers": []}
    settings = {"packageManagement": servers, "prohibitNetworkAccess": True}
    (work / "home/.fhir/fhir-settings.json").write_text(json.dumps(settings))


def extra_packages(work: Path) -> list[Path]:
    """What the validator loads besides the guides: the hub must know the same."""
    return [work / f"{name}-{version}.tgz" for name, version in FROM_NPM.items()]


def _unpack(path: Path, cache: Path) -> None:
    with tarfile.open(path) as archive:
        file = archive.extractfile("package/package.json")
        manifest = json.load(file) if file else {}
        folder = cache / f"{manifest['name']}#{manifest['version']}"
        if folder.exists():
            return
        archive.extractall(folder, filter="data")
    _trim(folder / "package/package.json", manifest)


def _trim(path: Path, manifest: dict[str, object]) -> None:
    """Without dependencies that are not here: the validator would ask a server for them."""
    core = {} if manifest["name"] == CORE else {CORE: "4.0.1"}
    url = f"https://packages.example/{manifest['name']}"
    path.write_text(json.dumps({"canonical": url, "url": url, "type": "IG", **manifest, "dependencies": core}))


def _unpack_stub(cache: Path) -> None:
    folder = cache / f"{STUB['name']}#{STUB['version']}" / "package"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".index.json").write_text('{"index-version":2,"files":[]}')
    _trim(folder / "package.json", STUB)


def run(work: Path, packages: Iterable[str], folder: Path) -> dict[str, list[str]]:
    """The errors of each file of a folder, by its name, in one JVM at low priority."""
    output = work / f"{folder.name}.txt"
    command = ["nice", "-n", "10", "java", f"-Duser.home={work / 'home'}", "-Xmx4g", "-cp", f"{work / 'jars'}/*"]
    arguments = [",".join(packages), str(folder), str(output), THO, EXTENSIONS]
    with (work / "java.log").open("w") as log:
        subprocess.run([*command, str(HERE / "Oracle.java"), *arguments], check=True, stdout=log, stderr=log)
    return dict(_errors(line) for line in output.read_text("utf-8").splitlines())


def _errors(line: str) -> tuple[str, list[str]]:
    name, *messages = line.split("\t")
    return name, [each for each in messages if each.startswith(("ERROR", "FATAL"))]


def default_work() -> Path:
    return Path(os.environ.get("HUB_ORACLE_DIR", "/tmp/hub-oracle"))
