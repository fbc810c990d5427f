"""What a user is told of a trouble, at the three places where one may look."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from fanslymotion.doctor.checks import BROKEN, Doctor
from fanslymotion.presets import load_presets
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.ui.serializers import job_json


@dataclass
class Told:
    """Asks the three places where a user may look."""

    settings: Settings
    jobs: Jobs

    def command(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """From a folder that is not the program's."""
        return subprocess.run(
            [sys.executable, "-m", "fanslymotion", *words],
            cwd=self.settings.home,
            env=self.settings.environ() | environ,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )

    def doctor(self, *words: str, **environ: str) -> list[dict[str, Any]]:
        """Return the checks as the System view has them; with words or variables those of `fanslymotion doctor`."""
        if not (words or environ):
            return [finding.say("en").to_json() for finding in Doctor(self.settings).run()]
        done = self.command("doctor", "--json", *words, **environ)
        assert "Traceback" not in done.stderr
        told = json.loads(done.stdout)
        assert done.returncode == (told["result"] == BROKEN)
        return told["checks"]

    def by_doctor(self, code: str, *words: str, **environ: str) -> dict[str, Any]:
        found = [check for check in self.doctor(*words, **environ) if check["code"] == code]
        assert found, f"the doctor does not know {code}"
        assert all(found[0][key] for key in ("title", "cause", "fix"))
        return found[0]

    def everywhere(self, job: Job, code: str, action: str) -> dict[str, Any]:
        """A failed job's diagnosis: on the page in both languages, in `jobs show`, and by the doctor."""
        page = job_json(self.jobs.get(job.id), load_presets(self.settings))["diagnosis"]
        assert page["en"]["code"] == page["ru"]["code"] == code
        assert page["en"]["action"] == action
        assert page["en"]["cause"] != page["ru"]["cause"]
        shown = " ".join(self.command("jobs", "show", job.id).stdout.split())
        assert code in shown
        assert " ".join(page["en"]["fix"].split())[:30] in shown
        assert self.by_doctor(code)["fix"]
        return page["en"]
