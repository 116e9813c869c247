"""The pictures of the list of figures wait until they come near the window, and keep their places open."""

from types import SimpleNamespace

from docutils import nodes

from locmethods.companion.build import site

BODY = ('<p><img alt="One." class="fetched-late" src="../_images/a-one.light.svg" style="width: 70%;" />'
        '<img alt="Two." src="../_images/a-two.light.svg" /></p>')


def page_with(folder):
    """Return an application whose sources are a folder, and a page of two pictures of which the first may wait."""
    document = nodes.container()
    for name, classes in (("one", ["fetched-late"]), ("two", [])):
        uri = f"figures/a-{name}.light.svg"
        document += nodes.image(uri=uri, candidates={"*": uri}, classes=classes)
    (folder / "figures").mkdir()
    (folder / "figures" / "a-one.light.svg").write_text(
        '<?xml version="1.0"?>\n<svg width="460.8pt" height="244.8pt" viewBox="0 0 460.8 244.8">\n</svg>\n')
    return SimpleNamespace(srcdir=folder), document


def test_a_picture_that_may_wait_does_and_has_its_drawings_size(tmp_path):
    app, document = page_with(tmp_path)
    context = {"body": BODY}
    site.fetch_late(app, "book/figures", "page.html", context, document)
    one, two = context["body"].split("<img ")[1:]
    assert one.startswith('loading="lazy" width="461" height="245" alt="One." ')
    assert two == 'alt="Two." src="../_images/a-two.light.svg" /></p>'


def test_a_page_without_such_pictures_is_left_as_it_is(tmp_path):
    app, _ = page_with(tmp_path)
    context = {"body": BODY}
    site.fetch_late(app, "book/lazy", "page.html", context, nodes.container())
    assert context == {"body": BODY}
    site.fetch_late(app, "search", "page.html", {}, None)  # a page that Sphinx makes by itself
