"""Files of lesson plans, good ones and bad ones, made here: no binary lies in the tree."""

import io
import zipfile

from schedules.plans.demo import small_pdf
from schedules.plans.files import MAIN

BY_KIND = {kind: (main, content_type) for main, (kind, content_type) in MAIN.items()}
RELATIONS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'


def types(kind="pptx", content_type="", more=""):
    main, usual = BY_KIND[kind]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Default Extension="xml" ContentType="application/xml"/>{more}'
        f'<Override PartName="/{main}" ContentType="{content_type or usual}"/></Types>'
    )


def office(kind="pptx", content_type="", parts=(), without=(), more="", deflate=True):
    """An Office document with its necessary parts, and others."""
    all_parts = {
        "[Content_Types].xml": types(kind, content_type, more),
        "_rels/.rels": RELATIONS,
        BY_KIND[kind][0]: "<document/>",
        **dict(parts),
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as archive:
        for name, content in all_parts.items():
            if name not in without:
                archive.writestr(name, content)
    return made.getvalue()


def pdf(pages=1):
    return small_pdf(pages=pages)
