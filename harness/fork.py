"""The defaults of a fork. Each differs from the template's own default."""

import json
import re
from pathlib import Path

# cookiecutter derives `project_slug` from the name.
DEFAULTS = {
    "project_name": "Order Service",
    "description": "Takes orders and says where they are",
    "owner": "Shop Platform",
    "image_repository": "registry.example.com/shop/<< cookiecutter.project_slug >>",
    "ingress_host": "<< cookiecutter.project_slug >>.shop.example.com",
    "python_version": ["3.13", "3.14"],
    "gunicorn": ["yes", "no"],
    "ci": ["gitlab", "github", "none"],
    "license": ["LicenseRef-Proprietary", "MIT", "Apache-2.0"],
    "_template_url": "https://git.example.com/platform/service-template",
    "_base_images": "registry.example.com/mirror",
    "_labels": {"cost-centre": "42", "team": "shop"},
}


def change_defaults(template: Path) -> None:
    """Write these defaults into cookiecutter.json of a copy of the template, line by line, as an editor would."""
    file = template / "cookiecutter.json"
    text = file.read_text(encoding="utf-8")
    for name, value in DEFAULTS.items():
        [line] = re.findall(rf'^    "{name}": .*,$', text, re.MULTILINE)
        text = text.replace(line, f'    "{name}": {json.dumps(value)},')
    file.write_text(text, encoding="utf-8")
